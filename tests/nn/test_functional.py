"""nn.functional: PyTorch's figures, its errors, and what the figures do not show.

`recorded/functional.json` (written by scripts/record_functional.py) holds the calls with their results in PyTorch.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd
from minigrad.nn import functional as F

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "functional.json").read_text())
CALLS = RECORDED["calls"]
MEAN_WARNS = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss:UserWarning")


def loaded(x: Any, floats: str = "float64") -> Any:
    if not isinstance(x, dict):
        return tuple(x) if isinstance(x, list) else x
    dtype = floats if x["dtype"] == "float64" else x["dtype"]
    return mg.tensor(np.array(x["tensor"], dtype).reshape(x["shape"]))


def title(call: dict) -> str:
    shapes = " ".join(str(x["shape"]).replace(" ", "") for x in call["inputs"])
    params = " ".join(f"{k}={v['shape'] if isinstance(v, dict) else v}" for k, v in call["params"].items())
    return f"{call['function']} {shapes} {params}".strip()


def run(call: dict, floats: str) -> tuple[mg.Tensor, list]:
    """The output of a recorded call, and the gradients of sum(output * cos(1, 2, 3, ...)) by its floating inputs."""
    inputs = [loaded(x, floats) for x in call["inputs"]]
    params = {name: loaded(value, floats) for name, value in call["params"].items()}
    wanted = [x.requires_grad_() for x in inputs if x.is_floating_point()]
    output = getattr(F, call["function"])(*inputs, **params)
    if "gradients" not in call:
        return output, []
    factors = mg.tensor(np.cos(np.arange(1.0, output.numel() + 1)).reshape(output.shape).astype(floats))
    return output, list(autograd.grad((output * factors).sum(), wanted, allow_unused=True))


def agree(ours: mg.Tensor, theirs: dict, tolerance: float) -> None:
    expected = loaded(theirs)
    assert ours.shape == expected.shape
    finite = np.abs(expected.numpy()[np.isfinite(expected.numpy())])
    np.testing.assert_allclose(
        ours.detach().numpy(), expected.numpy(), rtol=tolerance, atol=tolerance * max(1.0, finite.max(initial=0.0))
    )


@MEAN_WARNS
@pytest.mark.parametrize("call", CALLS, ids=[f"{i} {title(call)}" for i, call in enumerate(CALLS)])
def test_values_and_gradients_are_pytorchs(call: dict) -> None:
    output, gradients = run(call, "float64")
    assert str(output.dtype) == f"torch.{call['output']['dtype']}"
    agree(output, call["output"], 3e-8)  # PyTorch holds some constants (1/6, celu's 1/alpha) in float32
    for ours, theirs in zip(gradients, call.get("gradients", []), strict=True):
        if theirs is not None:
            assert ours is not None
            agree(ours, theirs, 3e-8)


FUSED = ("layer_norm", "rms_norm", "cross_entropy", "scaled_dot_product_attention")
IN_FLOAT32 = [
    call
    for call in CALLS
    if call["function"] in (*FUSED, "softmax", "log_softmax", "gelu", "linear", "embedding")
    and not (call["function"] == "rms_norm" and "eps" not in call["params"])  # whose default eps is the dtype's own
]


@pytest.mark.parametrize("call", IN_FLOAT32, ids=[f"{i} {title(call)}" for i, call in enumerate(IN_FLOAT32)])
def test_float32_gives_them_to_rounding(call: dict) -> None:
    output, gradients = run(call, "float32")
    assert output.dtype is mg.float32
    agree(output, call["output"], 1e-5)
    for ours, theirs in zip(gradients, call["gradients"], strict=True):
        if theirs is not None:
            assert ours.dtype is mg.float32
            agree(ours, theirs, 1e-5)


# ---------------------------------------------------------------- dropout


def dropout_input(name: str) -> mg.Tensor:
    if name == "(5, 4) transposed":
        return mg.ones(5, 4).t()
    return mg.ones(*(int(n) for n in name.strip("()").split(",")))


@pytest.mark.parametrize("entry", RECORDED["dropout"], ids=lambda e: f"{e['function']} {e['input']}")
def test_dropout_draws_pytorchs_masks(entry: dict) -> None:
    mg.manual_seed(entry["seed"])
    expected = [loaded(y, "float32").numpy() for y in entry["outputs"]]
    if entry["function"] == "scaled_dot_product_attention":
        q = mg.linspace(-1, 1, 24).reshape(2, 4, 3)
        y = F.scaled_dot_product_attention(q, q, q, dropout_p=0.4, is_causal=True)
        np.testing.assert_allclose(y.numpy(), expected[0], rtol=1e-5, atol=1e-6)
        return
    for p, mask in zip((0.3, 0.5), expected, strict=True):
        np.testing.assert_array_equal(getattr(F, entry["function"])(dropout_input(entry["input"]), p).numpy(), mask)


def test_dropout_keeps_a_share_of_one_minus_p_and_the_mean() -> None:
    mg.manual_seed(0)
    x = mg.ones(200, 200, requires_grad=True)
    y = F.dropout(x, 0.25)
    kept = y.detach().numpy() != 0
    assert abs(kept.mean() - 0.75) < 0.01  # the deviation of 40,000 draws is 0.002
    np.testing.assert_allclose(y.detach().numpy()[kept], 1 / 0.75, rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())


def test_dropout_drops_whole_channels() -> None:
    mg.manual_seed(1)
    y = F.dropout2d(mg.ones(8, 8, 3, 3)).numpy()
    assert set(np.unique(y)) == {0.0, 2.0}
    assert (y.min(axis=(2, 3)) == y.max(axis=(2, 3))).all()


def test_dropout_is_the_identity_when_it_has_nothing_to_do() -> None:
    x = mg.ones(3)
    state = mg.get_rng_state().numpy().copy()
    for y in (F.dropout(x, 0.5, training=False), F.dropout(x, 0.0), F.dropout2d(mg.ones(2, 2, 2), 0.5, training=False)):
        assert (y.numpy() == 1).all()
    assert (F.dropout(x, 1.0).numpy() == 0).all()
    np.testing.assert_array_equal(mg.get_rng_state().numpy(), state)


# ---------------------------------------------------------------- second order through the fused kernels


def penalty(function: Any, arrays: list[np.ndarray], dtype: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """First gradients of a sum of function's output, and those of the sum of their squares: twice through its
    backward.
    """
    tensors = [mg.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
    y = function(*tensors)
    factors = mg.tensor(np.cos(np.arange(1.0, y.numel() + 1)).reshape(y.shape).astype(dtype))
    first = autograd.grad((y * factors).sum(), tensors, create_graph=True)
    second = autograd.grad(sum((g * g).sum() for g in first), tensors, materialize_grads=True)
    return [g.detach().numpy() for g in first], [g.numpy() for g in second]


LABELS = mg.tensor([1, 0, -100, 5, 2])
TWICE = {
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (6,), w, b), [(5, 6), (6,), (6,)]),
    "layer_norm, one tensor as weight and bias": (lambda x, w: F.layer_norm(x, (6,), w, w), [(5, 6), (6,)]),
    "layer_norm of its own weight": (lambda x: F.layer_norm(x, (6,), x, x), [(6,)]),
    "rms_norm": (lambda x, w: F.rms_norm(x, (6,), w), [(5, 6), (6,)]),
    "cross_entropy": (lambda x: F.cross_entropy(x, LABELS, label_smoothing=0.1), [(5, 6)]),
    "attention": (F.scaled_dot_product_attention, [(2, 5, 4), (2, 7, 4), (2, 7, 3)]),
    "attention, causal": (
        lambda *x: F.scaled_dot_product_attention(*x, is_causal=True),
        [(2, 5, 4), (2, 5, 4), (2, 5, 4)],
    ),
    "attention of a tensor to itself": (lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True), [(2, 5, 4)]),
}


@pytest.mark.parametrize("name", TWICE)
def test_second_order_in_float32_agrees_with_float64(name: str) -> None:
    function, shapes = TWICE[name]
    rng = np.random.default_rng(3)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    for got, expected in zip(penalty(function, arrays, "float32"), penalty(function, arrays, "float64"), strict=True):
        for ours, exact in zip(got, expected, strict=True):
            assert ours.dtype == np.float32
            np.testing.assert_allclose(ours, exact, atol=3e-5 * np.abs(exact).max())


def test_second_gradients_are_the_differences_of_the_first() -> None:
    """In float64 along a random direction: what the float32 runs above are held against."""
    rng, step = np.random.default_rng(4), 1e-6
    for function, shapes in TWICE.values():
        arrays = [rng.standard_normal(shape) for shape in shapes]
        direction = [rng.standard_normal(shape) for shape in shapes]
        moved = [[a + s * step * d for a, d in zip(arrays, direction, strict=True)] for s in (1, -1)]
        squares = [sum((g * g).sum() for g in penalty(function, m, "float64")[0]) for m in moved]
        slope = sum((g * d).sum() for g, d in zip(penalty(function, arrays, "float64")[1], direction, strict=True))
        assert math.isclose((squares[0] - squares[1]) / (2 * step), slope, rel_tol=1e-5, abs_tol=1e-6)


def test_a_kernels_gradient_is_the_references() -> None:
    rng = np.random.default_rng(5)
    for function, shapes in TWICE.values():
        tensors = [mg.tensor(rng.standard_normal(s).astype("float32"), requires_grad=True) for s in shapes]
        y = function(*tensors)
        factors = mg.tensor(np.cos(np.arange(1.0, y.numel() + 1)).reshape(y.shape).astype("float32"))
        loss = (y * factors).sum()
        by_kernel = autograd.grad(loss, tensors, retain_graph=True)
        by_reference = autograd.grad(loss, tensors, create_graph=True)
        for kernel, reference in zip(by_kernel, by_reference, strict=True):
            expected = reference.detach().numpy()
            np.testing.assert_allclose(kernel.numpy(), expected, atol=2e-6 * max(1.0, np.abs(expected).max()))


# ---------------------------------------------------------------- edges


def test_a_query_that_sees_no_key_gives_zeros_and_no_gradient() -> None:
    q, k, v = (mg.randn(3, 4, dtype=mg.float64, requires_grad=True) for _ in range(3))
    mask = mg.tensor([[True, False, True], [False, False, False], [True, True, True]])
    for given in (mask, mg.zeros(3, 3, dtype=mg.float64).masked_fill(~mask, -math.inf)):
        y = F.scaled_dot_product_attention(q, k, v, given)
        assert (y[1].detach().numpy() == 0).all()
        assert np.isfinite(y.detach().numpy()).all()
        gradients = autograd.grad(y.sum(), (q, k, v))
        assert all(np.isfinite(g.numpy()).all() for g in gradients)
        assert (gradients[0][1].numpy() == 0).all()


def test_only_the_labels_that_count_get_a_gradient() -> None:
    for dtype in (mg.float32, mg.float64):
        x = mg.randn(3, 4, dtype=dtype, requires_grad=True)
        F.cross_entropy(x, mg.tensor([2, -100, 0])).backward()
        rows = np.abs(x.grad.numpy()).sum(axis=1)
        assert rows[1] == 0
        assert (rows[[0, 2]] > 0).all()


def test_the_mean_over_no_labels_is_nan_and_their_sum_zero() -> None:
    x, ignored = mg.randn(2, 4), mg.tensor([-100, -100])
    for loss in (F.cross_entropy, F.nll_loss):
        assert math.isnan(loss(x, ignored).item())
        assert loss(x, ignored, reduction="sum").item() == 0
        assert math.isnan(loss(x[:0], ignored[:0]).item())


def test_embedding_adds_up_repeated_rows_and_leaves_the_padding_row_alone() -> None:
    table = mg.ones(4, 2, requires_grad=True)
    ids = mg.tensor([[1, 1], [2, 1]])
    (F.embedding(ids, table, padding_idx=2).sum() + table.sum()).backward()
    np.testing.assert_array_equal(table.grad.numpy(), [[1, 1], [4, 4], [1, 1], [1, 1]])


def test_inplace_writes_into_the_input() -> None:
    calls = (
        F.relu,
        F.leaky_relu,
        F.elu,
        F.selu,
        F.celu,
        F.silu,
        F.mish,
        F.relu6,
        F.hardtanh,
        F.hardswish,
        F.hardsigmoid,
    )
    for function in calls:
        x = mg.tensor([-1.0, 0.5, 2.0])
        expected, memory = function(x), x.array
        assert function(x, inplace=True) is x
        assert x.array is memory
        np.testing.assert_array_equal(x.numpy(), expected.numpy())
    x = mg.tensor([-1.0, 0.5], requires_grad=True)
    h = x * 1
    F.threshold(h, 0.0, 9.0, inplace=True)
    h.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0, 1])


def test_half_precision_comes_back_as_half_precision() -> None:
    x = mg.linspace(-3, 3, 24).reshape(4, 6)
    for function in (F.gelu, F.elu, F.softplus, F.hardswish, lambda t: F.softmax(t, 1), lambda t: F.layer_norm(t, (6,)),
                     lambda t: F.rms_norm(t, (4, 6)), lambda t: F.linear(t, t, t[:, 0]), lambda t: F.mse_loss(t, -t),
                     lambda t: F.scaled_dot_product_attention(t, t, t, is_causal=True)):  # fmt: skip
        y = function(x.half())
        assert y.dtype is mg.float16
        np.testing.assert_allclose(y.float().numpy(), function(x).numpy(), rtol=2e-2, atol=4e-3)


def test_int_tensors_stay_int_where_that_is_the_answer() -> None:
    x = mg.tensor([-9, 0, 3])
    assert F.relu(x).tolist() == [0, 0, 3]
    assert F.hardtanh(x).tolist() == [-1, 0, 1]
    assert F.pad(x, (1, 0), value=7).tolist() == [7, -9, 0, 3]


def test_softmax_without_dim_follows_the_old_rule_and_warns() -> None:
    for shape, dim in (((3,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 5), 1)):
        x = mg.randn(*shape)
        for function in (F.softmax, F.log_softmax, F.softmin):
            with pytest.warns(UserWarning, match="Implicit dimension choice"):
                y = function(x)
            np.testing.assert_array_equal(y.numpy(), function(x, dim).numpy())
    assert F.softmax(mg.tensor([1, 2]), 0, dtype=mg.float64).dtype is mg.float64


def test_the_older_reduction_arguments_still_work_and_warn() -> None:
    x, labels = mg.randn(4, 3), mg.tensor([0, 1, 2, 0])
    for given, reduction in (
        ({"size_average": False}, "sum"),
        ({"reduce": False}, "none"),
        ({"size_average": True}, "mean"),
    ):
        with pytest.warns(UserWarning, match=f"please use reduction='{reduction}' instead"):
            y = F.nll_loss(x, labels, **given)
        np.testing.assert_array_equal(y.numpy(), F.nll_loss(x, labels, reduction=reduction).numpy())


def test_losses_warn_where_shapes_would_broadcast() -> None:
    with pytest.warns(UserWarning, match=r"target size \(torch.Size\(\[3\]\)\) that is different to the input size"):
        F.mse_loss(mg.zeros(3, 1), mg.ones(3))
    with pytest.warns(UserWarning, match="'batchmean' divides only by the batch size"):
        F.kl_div(mg.zeros(2, 3), mg.ones(2, 3))


def test_bce_with_logits_does_not_overflow() -> None:
    x = mg.tensor([-800.0, 800.0], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, mg.tensor([1.0, 0.0]), reduction="sum")
    loss.backward()
    assert loss.item() == 1600
    assert x.grad.tolist() == [-1, 1]
