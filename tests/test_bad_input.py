"""Bad input of the engine: each raises at once and says what was given, what was expected, and the fix."""

import numpy as np
import pytest
import strict_cupy

import minigrad as mg
from minigrad.kernels import common


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


# ---------------------------------------------------------------- shapes that do not fit: both shapes and the op named


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (lambda: mg.ones(2, 3) + mg.ones(2), ["add", r"\(2, 3\)", r"\(2,\)"]),
        (lambda: mg.ones(2, 3) * mg.ones(3, 2), ["mul", r"\(2, 3\)", r"\(3, 2\)"]),
        (lambda: mg.ones(2, 3) == mg.ones(4), ["eq", r"\(2, 3\)", r"\(4,\)"]),
        (lambda: mg.where(mg.ones(2) > 0, mg.ones(3), 0.0), ["where", r"\(2,\)", r"\(3,\)"]),
        (lambda: mg.ones(2, 3) @ mg.ones(4, 5), ["2x3 and 4x5", "matmul"]),
        (lambda: mg.ones(2, 2, 3) @ mg.ones(3, 3, 2), ["matmul", r"\(2, 2, 3\)", r"\(3, 3, 2\)"]),
        (lambda: mg.ones(2, 3) @ mg.ones(2), ["matmul", "2x3 and 2x1|3.*2"]),
        (lambda: mg.ones(2, 3).reshape(4), [r"\[4\]", "6"]),
        (lambda: mg.ones(3).split([4, -1]), ["non-negative", r"\[4, -1\]"]),
        (lambda: mg.ones(3).split([1, 1]), ["sum exactly to 3", r"\[1, 1\]"]),
        (lambda: mg.tensor(1.0).split(1), ["1-dimensional"]),
        (lambda: mg.ones(2).expand(3), [r"\(3\)", r"\(2\)"]),
        (lambda: mg.stack([mg.ones(2), mg.ones(3)]), ["stack", r"\[2\]", r"\[3\]"]),
        (lambda: mg.cat([mg.ones(2, 2), mg.ones(2, 3)]), [r"\[2, 2\]", r"\[2, 3\]"]),
        (lambda: mg.ones(2, 2).masked_fill(mg.ones(3) > 0, 0.0), ["where|masked_fill", r"\(3,\)", r"\(2, 2\)"]),
        (lambda: mg.nn.functional.linear(mg.ones(2, 3), mg.ones(4, 5)), ["3", "5"]),
        (lambda: mg.nn.Linear(3, 4)(mg.ones(2, 5)), ["5", "3"]),
        (lambda: mg.nn.functional.cross_entropy(mg.ones(2, 3), mg.tensor([0])), ["2", "1"]),
    ],
)
def test_shapes_that_do_not_fit(call, parts):
    with says((RuntimeError, ValueError), *parts):
        call()


# ---------------------------------------------------------------- wrong dtype or device


@pytest.mark.parametrize(
    ("call", "error", "parts"),
    [
        (lambda: mg.ones(2, 2) @ mg.ones(2, 2, dtype=mg.float64), RuntimeError, ["same dtype", "float32", "float64"]),
        (lambda: mg.tensor([1, 2]).mean(), RuntimeError, ["mean", "Got: Long", r"\.float\(\)"]),
        (lambda: mg.tensor([1], requires_grad=True), RuntimeError, ["floating point", "int64"]),
        (lambda: mg.tensor([1]).add_(0.5), RuntimeError, ["add_", "float32", "int64"]),
        (lambda: mg.ones(2)[mg.ones(1)], IndexError, ["indices must be long, int, byte or bool", "float32"]),
        (lambda: mg.ones(2).gather(0, mg.ones(1)), RuntimeError, ["gather", "int64", "float32"]),
        (
            lambda: mg.nn.functional.embedding(mg.ones(1), mg.ones(2, 2)),
            (RuntimeError, TypeError),
            ["float32", "embedding"],
        ),
        (lambda: mg.nn.functional.cross_entropy(mg.ones(2, 3), mg.ones(2)), (RuntimeError, TypeError), ["float32"]),
        (lambda: mg.ones(2) + "a", TypeError, ["add", "str"]),
    ],
)
def test_wrong_dtypes(call, error, parts):
    with says(error, *parts):
        call()


def test_wrong_devices():
    with strict_cupy.as_cuda(common):
        with says(RuntimeError, "linear", "same device", "cuda:0, cpu"):
            mg.nn.Linear(2, 2)(mg.ones(1, 2, device="cuda"))
        with says(RuntimeError, "add", "same device", "cuda:0, cpu"):
            mg.ones(2, device="cuda") + mg.ones(2)


# ---------------------------------------------------------------- index out of range


@pytest.mark.parametrize(
    ("call", "error", "parts"),
    [
        (lambda x: x[3], IndexError, ["index 3", "dimension 0 with size 3"]),
        (lambda x: x[:, -5], IndexError, ["index -5", "dimension 1 with size 4"]),
        (lambda x: x[[0, 9]], IndexError, ["index 9", "dimension 0 with size 3"]),
        (
            lambda x: x.__setitem__((slice(None), mg.tensor([4])), 0.0),
            IndexError,
            ["index 4", "dimension 1 with size 4"],
        ),
        (lambda x: x.sum(2), IndexError, [r"\[-2, 1\]", "2"]),
        (lambda x: x.index_select(0, mg.tensor([5])), IndexError, ["index_select", "dimension 0", "3"]),
        (lambda x: x.gather(1, mg.tensor([[4]])), RuntimeError, ["gather", "index 4", "dimension 1 with size 4"]),
        (lambda x: mg.nn.functional.embedding(mg.tensor([3]), x), IndexError, ["3"]),
    ],
)
def test_indices_out_of_range(call, error, parts):
    with says(error, *parts):
        call(mg.zeros(3, 4))


# ---------------------------------------------------------------- backward


def test_backward_on_a_non_scalar():
    with says(RuntimeError, "only for scalar outputs", r"shape \(2, 2\)", r"\.sum\(\)", "gradient="):
        (mg.ones(2, 2, requires_grad=True) * 2).backward()


def test_backward_twice():
    x = mg.ones(2, requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    with says(RuntimeError, "a second time", "retain_graph=True", "what 'mul' kept"):
        loss.backward()


def test_backward_on_a_graphless_tensor():
    with says(RuntimeError, "does not require grad", "no_grad"):
        mg.ones(1).backward()
    x = mg.ones(1, requires_grad=True)
    with mg.no_grad():
        y = x * 2
    with says(RuntimeError, "does not require grad", "no_grad"):
        y.backward()


# ---------------------------------------------------------------- in-place on a leaf


@pytest.mark.parametrize(
    "write",
    [
        lambda w: w.add_(1),
        lambda w: w.__iadd__(1),
        lambda w: w.__setitem__(0, 1.0),
        lambda w: w[0].zero_(),
        lambda w: w.fill_(0),
        lambda w: w.copy_(mg.ones(2)),
        lambda w: w.uniform_(),
        lambda w: w.unsqueeze_(0),
    ],
)
def test_in_place_on_a_leaf(write):
    w = mg.ones(2, requires_grad=True)
    with says(RuntimeError, "leaf Variable that requires grad", "in-place", r"no_grad\(\)", r"clone\(\)"):
        write(w)
    assert w.tolist() == [1, 1]


# ---------------------------------------------------------------- damaged files, labels outside, empty batches


def test_a_truncated_file(tmp_path):
    path = tmp_path / "model.pt"
    mg.save({"w": mg.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:-500])
    with says(RuntimeError, r"model\.pt", "truncated, altered"):
        mg.load(path)


def test_an_altered_file(tmp_path):
    path = tmp_path / "model.pt"
    mg.save({"w": mg.ones(1000)}, path)
    data = path.read_bytes()
    middle = data.index(np.ones(1000, np.float32).tobytes()) + 2000
    path.write_bytes(data[:middle] + b"\x00\x01" + data[middle + 2 :])
    with says(RuntimeError, r"model\.pt", "truncated, altered"):
        mg.load(path)


@pytest.mark.parametrize("label", [3, 99, -1])
def test_a_label_outside_the_classes(label):
    with says(IndexError, str(label), "3"):
        mg.nn.functional.cross_entropy(mg.zeros(2, 3), mg.tensor([0, label]))


def test_an_empty_batch():
    """The mean over nothing is nan, as in PyTorch; sums and gradients are zero, and nothing fails on the way."""
    layer = mg.nn.Linear(3, 2)
    y = layer(mg.zeros(0, 3))
    assert y.shape == (0, 2)
    loss = mg.nn.functional.cross_entropy(y, mg.zeros(0, dtype=mg.int64))
    assert loss.isnan()
    y.sum().backward()
    assert layer.weight.grad.tolist() == [[0, 0, 0], [0, 0, 0]]
    with says(IndexError, "argmax", "non-zero size"):
        y.argmax(0)
