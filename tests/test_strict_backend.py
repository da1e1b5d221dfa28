"""The whole table on the stand-in for CuPy: values and gradients are NumPy's, and nothing on the way is NumPy's.

`kernels/common.py` is all that runs there. The stand-in refuses NumPy functions, arrays and lists on device arrays, and
what CuPy lacks; see strict_cupy.py.
"""

from collections.abc import Iterator

import numpy as np
import pytest
from case import Case
from op_cases import BY_ID
from op_harness import assert_near, call, drawn, run, tensors
from strict_cupy import StrictArray, as_cuda, to_device

import minigrad as mg
from minigrad import autograd, ops
from minigrad.kernels import common
from minigrad.tensor import from_raw


@pytest.fixture(autouse=True)
def cuda() -> Iterator[None]:
    """Device "cuda" is the stand-in, and where new tensors go."""
    with as_cuda(common):
        former = mg.backend._default_device
        mg.set_default_device("cuda")
        yield
        mg.set_default_device(former)


@pytest.mark.parametrize("case", BY_ID.values(), ids=BY_ID.keys())
def test_on_the_device(case: Case) -> None:
    arrays = drawn(case)
    on_device = run(case, arrays, "cuda")
    mg.set_default_device("cpu")
    for actual, wanted in zip(on_device, run(case, arrays), strict=True):
        assert len(actual) == len(wanted)
        for a, b in zip(actual, wanted, strict=True):
            assert a.dtype == b.dtype
            assert_near(a, b, 1e-12)


TWICE = {name: case for name, case in BY_ID.items() if case.gradient and case.second}


@pytest.mark.parametrize("case", TWICE.values(), ids=TWICE.keys())
def test_second_gradient_on_the_device(case: Case) -> None:
    inputs = tensors(case, drawn(case), "cuda")
    outputs = [y for y in call(case, inputs, "cuda") if y.requires_grad]
    wanted = [x for x in inputs if x.requires_grad]
    if not outputs or not wanted:
        return
    options = {"create_graph": True, "allow_unused": True}
    first = autograd.grad([y.sum() for y in outputs], wanted, **options)
    first = [g for g in first if g is not None and g.requires_grad]
    assert all(type(g.array) is StrictArray for g in first)
    if first:
        for g in autograd.grad([g.sum() for g in first], wanted, allow_unused=True):
            assert g is None or type(g.array) is StrictArray


def on_host_and_device() -> tuple[mg.Tensor, mg.Tensor]:
    return mg.ones(2, device="cpu"), mg.ones(2, device="cuda")


@pytest.mark.parametrize(
    "mix",
    [
        lambda a, b: a + b,
        lambda a, b: b * a,
        lambda a, b: a.atan2(b),
        lambda a, b: mg.where(a > 0, a, b),
        lambda a, b: mg.cat([a, b]),
        lambda a, b: mg.stack([b, a]),
        lambda a, b: a @ b,
        lambda a, b: a.reshape(1, 2) @ b.reshape(2, 1),
        lambda a, b: a.maximum(b),
        lambda a, b: a == b,
        lambda a, b: mg.clamp(a, b),
        lambda a, b: b.index_add(0, mg.zeros(2, dtype=mg.int64), a),
        lambda a, b: b.index_put((mg.zeros(2, dtype=mg.int64),), a),
        lambda a, b: b.index_put((mg.zeros(2, dtype=mg.int64),), a, accumulate=True),
        lambda a, b: b.scatter(0, mg.zeros(2, dtype=mg.int64), a),
        lambda a, b: b.masked_fill(mg.tensor([True, False], device="cpu"), 1.0),
        lambda a, b: mg.nn.functional.linear(a, b.reshape(1, 2)),
        lambda a, b: mg.nn.functional.layer_norm(b, (2,), a),
    ],
)
def test_mixing_devices_names_both(mix) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)same device.*(cpu.*cuda|cuda.*cpu)"):
        mix(*on_host_and_device())


def test_moves_are_explicit_and_differentiable() -> None:
    x = mg.ones(3, device="cpu", requires_grad=True)
    y = (x.cuda() * 2).cpu()
    assert type(x.cuda().array) is StrictArray and type(y.array) is np.ndarray
    y.sum().backward()
    assert x.grad.tolist() == [2, 2, 2] and type(x.grad.array) is np.ndarray
    with pytest.raises(TypeError, match=r"\.cpu\(\)"):
        x.detach().cuda().numpy()


def test_indices_and_values_from_the_host_are_moved_not_smuggled() -> None:
    x = mg.zeros(4, 3)
    x[[0, 2], 1] = 5.0
    x[1] = mg.arange(3.0, device="cpu")
    x[mg.tensor([3]), :] = mg.tensor(7.0, device="cpu")
    assert x[np.array([0, 1, 3])].tolist() == [[0, 5, 0], [0, 1, 2], [7, 7, 7]]
    assert x[x > 5].tolist() == [7, 7, 7]


def test_out_of_range_indices_raise_where_the_device_would_wrap() -> None:
    x = mg.zeros(4, 3)
    for read in (
        lambda: x[[4]],
        lambda: x.index_select(0, mg.tensor([-1])),
        lambda: x.gather(0, mg.tensor([[4, 0, 0]])),
        lambda: x.scatter(0, mg.tensor([[4, 0, 0]]), 1.0),
        lambda: mg.nn.functional.embedding(mg.tensor([4]), x),
    ):
        with pytest.raises((IndexError, RuntimeError), match=r"out of (bounds|range)"):  # gather: as PyTorch
            read()


def test_kernels_are_asked_with_raw_arrays_only() -> None:
    with pytest.raises(TypeError, match="call the op"):
        mg.backend.kernels_of(mg.ones(2))
    assert type(ops.exp(to_device(np.zeros(2)))) is StrictArray
    assert type(from_raw(to_device(np.zeros(2))).exp().array) is StrictArray
