"""The Tensor as a Python object: conversion, NumPy, copying, shapes; PyTorch's recorded behaviour and the messages."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from programs.common import check, recorded

import minigrad as mg

PROGRAMS = recorded("tensor")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


def test_numpy_shares_memory_but_not_the_array_object():
    x = mg.zeros(2, 3)
    array = x.numpy()
    array[0, 0] = 5
    array.flags.writeable = False
    x[0, 1] = 7  # freezing the array that was handed out froze nothing here
    assert x.tolist()[0] == [5, 7, 0]


def test_a_tensor_with_a_graph_says_how_to_convert_it():
    x = mg.ones(2, requires_grad=True)
    for convert in (lambda: x.numpy(), lambda: np.asarray(x), lambda: np.sqrt(x)):
        with pytest.raises(RuntimeError, match=r"requires grad. Use tensor.detach\(\).numpy\(\)"):
            convert()


def test_numpy_functions_give_tensors_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = np.sqrt(mg.tensor([4.0]))
        z = np.add(mg.tensor([1.0]), np.ones(1, np.float32))
        w = np.float64(2) * mg.tensor([1.5], requires_grad=True)
    assert (type(y), y.tolist()) == (mg.Tensor, [2.0])
    assert (type(z), z.tolist()) == (mg.Tensor, [2.0])
    assert w.requires_grad
    assert w.dtype is mg.float32


def test_copies_of_leaves():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    twin = copy.deepcopy({"a": x, "b": [x]})
    assert twin["a"] is twin["b"][0]
    assert twin["a"].grad.tolist() == [2, 4]
    back = pickle.loads(pickle.dumps(x))
    assert (back.tolist(), back.requires_grad, back.dtype) == ([1, 2], True, mg.float32)
    with pytest.raises(RuntimeError, match=r"graph leaves.*x.detach\(\)"):
        copy.deepcopy(x * 2)
    with pytest.raises(RuntimeError, match=r"only leaf tensors can be pickled: pickle x.detach\(\)"):
        pickle.dumps(x * 2)


def test_parameters_stay_parameters():
    p = mg.nn.Parameter(mg.ones(2))
    assert type(copy.deepcopy(p)) is mg.nn.Parameter
    assert type(pickle.loads(pickle.dumps(p))) is mg.nn.Parameter
    assert type(p * 2) is mg.Tensor


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.ones(2) + "a", TypeError, "add: expected tensors or numbers, got str"),
        (lambda: mg.ones(2) * [1, 2], TypeError, "mul: expected tensors or numbers, got list"),
        (lambda: mg.ones(2) < None, TypeError, "lt: "),
        (
            lambda: mg.ones(2, 3) + mg.ones(4),
            RuntimeError,
            r"size of tensor a \(3\) must match the size of tensor b \(4\)",
        ),
        (lambda: mg.ones(2, 3) @ mg.ones(2, 3), RuntimeError, r"cannot be multiplied \(2x3 and 2x3\)"),
        (lambda: mg.ones(2) @ 3, TypeError, "matmul: expected tensors, got Tensor and int|got int and Tensor"),
        (lambda: mg.ones(2).sum(1), IndexError, r"expected to be in range of \[-1, 0\], but got 1"),
        (lambda: mg.ones(2, 3).view(5), RuntimeError, r"shape '\[5\]' is invalid for input of size 6"),
        (lambda: mg.ones(2, 3).t().view(6), RuntimeError, r"view size \[6\] is not compatible.*Use .reshape"),
        (lambda: mg.ones(2, 3).reshape(-1, -1), RuntimeError, "only one dimension can be inferred"),
        (
            lambda: mg.ones(2).expand(3),
            RuntimeError,
            r"expanded size of the tensor \(3\) must match the existing size \(2\)",
        ),
        (
            lambda: mg.cat([mg.ones(1, 2), mg.ones(1, 3)]),
            RuntimeError,
            r"Expected size 2 but got size 3 for tensor number 1 in the list.\n.*\[1, 2\], tensor number 1 \[1, 3\]",
        ),
        (lambda: mg.cat(mg.ones(2)), TypeError, "cat: expected a tuple or list of Tensors, got Tensor"),
        (lambda: mg.stack([mg.ones(2), mg.ones(3)]), RuntimeError, r"\[2\] at entry 0 and \[3\] at entry 1"),
        (lambda: mg.ones(2).item(), RuntimeError, "a Tensor with 2 elements cannot be converted to Scalar"),
        (lambda: bool(mg.ones(2)), RuntimeError, "Boolean value of Tensor with more than one value is ambiguous"),
        (lambda: mg.ones(2, 2).sum(dim=0, axis=1), TypeError, "got both dim and axis"),
        (
            lambda: setattr(mg.ones(2), "grad", 3.0),
            TypeError,
            "assigned grad expected to be a Tensor or None but got float",
        ),
        (
            lambda: mg.tensor([1], requires_grad=True),
            RuntimeError,
            "only Tensors of floating point and complex dtype can require gradients",
        ),
        (lambda: setattr(mg.ones(2), "data", 3.0), TypeError, "data must be set to a Tensor, got float"),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_sizes_print_as_pytorchs():
    assert repr(mg.zeros(2, 3).shape) == "torch.Size([2, 3])"
    assert mg.zeros(2, 3).shape.numel() == 6
    assert isinstance(mg.zeros(2, 3).shape[1:], mg.Size)


def test_sizes_by_keyword():
    x = mg.arange(6).reshape(2, 3)
    assert mg.flip(x, dims=[1]).tolist() == [[2, 1, 0], [5, 4, 3]]
    assert mg.permute(x, dims=(1, 0)).shape == (3, 2) == x.permute(dims=(1, 0)).shape
    assert mg.reshape(x, shape=(3, 2)).shape == (3, 2)
    assert mg.broadcast_to(x, size=(4, 2, 3)).shape == (4, 2, 3)
    assert mg.tile(x, dims=(2, 1)).shape == (4, 3)
    assert x.view(size=(6,)).shape == (6,) and x.expand(size=(1, 2, 3)).shape == (1, 2, 3)
    assert x.repeat(repeats=(1, 2)).shape == (2, 6)
    with pytest.raises(TypeError, match="given twice"):
        x.flip(0, dims=[1])


def test_small_cases_of_functions_that_usually_get_more() -> None:
    number = mg.tensor(2.5).median(0)
    assert (number.values.item(), number.indices.item(), number.values.shape) == (2.5, 0, ())
    whole = mg.tensor([1, -2])
    assert whole.nan_to_num().tolist() == [1, -2] and whole.nan_to_num().dtype is mg.int64
    assert mg.broadcast_shapes((3, 1), 4) == (3, 4)
    assert mg.tensor(1.0).index_copy(0, mg.tensor([0]), mg.tensor(2.0)).item() == 2.0


def test_the_words_for_layouts_are_objects_of_their_own():
    assert mg.ones(2).layout is mg.strided and repr(mg.strided) == "torch.strided"
    assert isinstance(mg.channels_last, mg.memory_format) and str(mg.channels_last) == "torch.channels_last"
    assert mg.ones(1, 2, 3, 3).to(memory_format=mg.channels_last).is_contiguous(memory_format=mg.channels_last)
    assert pickle.loads(pickle.dumps(mg.contiguous_format)) is mg.contiguous_format
