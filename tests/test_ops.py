"""Every case of the table in float64: value, dtype, first and second gradient, memory left alone, strided inputs."""

import math

import numpy as np
import pytest
from case import Case
from op_cases import BY_ID
from op_harness import TOLERANCE, assert_near, call, drawn, expected, frozen_walk, run, tensors, with_gaps

import minigrad as mg
from minigrad import gradcheck, gradgradcheck
from minigrad.op import op

CONTIGUOUS_ONLY = {"view", "view_as"}  # they refuse most strides: see the test below


def every(cases: dict[str, Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases.values(), ids=cases.keys())


def is_differentiable(case: Case) -> bool:
    return case.gradient and any(a.dtype.kind == "f" for a in case.draw())


DIFFERENTIABLE = {name: case for name, case in BY_ID.items() if is_differentiable(case)}
TWICE = {name: case for name, case in DIFFERENTIABLE.items() if case.second}


@every({name: case for name, case in BY_ID.items() if case.oracle is not None})
def test_value(case: Case) -> None:
    arrays = drawn(case)  # read-only: a forward that writes into an input raises
    outputs, wanted = call(case, tensors(case, arrays)), expected(case, arrays)
    assert len(outputs) == len(wanted)
    for y, want in zip(outputs, wanted, strict=True):
        assert y.array.shape == want.shape
        assert y.array.dtype == want.dtype
        np.testing.assert_allclose(y.array, want, rtol=1e-12, atol=1e-14)


@every(DIFFERENTIABLE)
def test_gradient(case: Case) -> None:
    inputs = tensors(case, drawn(case))
    with frozen_walk():  # a rule that writes into the incoming gradient, or into what was kept, raises
        assert gradcheck(lambda *xs: tuple(call(case, xs)), inputs, **TOLERANCE)


@every(TWICE)
def test_second_gradient(case: Case) -> None:
    inputs = tensors(case, drawn(case))
    with frozen_walk():
        assert gradgradcheck(lambda *xs: tuple(call(case, xs)), inputs, **TOLERANCE)


@every({name: case for name, case in BY_ID.items() if case.inputs and case.name not in CONTIGUOUS_ONLY})
def test_strided_inputs(case: Case) -> None:
    arrays = drawn(case)
    gapped = [with_gaps(a) for a in arrays]
    for actual, wanted in zip(run(case, gapped), run(case, arrays), strict=True):
        assert len(actual) == len(wanted)
        for a, b in zip(actual, wanted, strict=True):
            assert a.dtype == b.dtype
            assert_near(a, b, 1e-12)


def test_view_takes_strides_only_where_it_need_not_copy() -> None:
    x = mg.from_numpy(with_gaps(np.arange(12.0).reshape(3, 4)))
    assert x.view(3, 1, 2, 2).tolist() == x.reshape(3, 1, 2, 2).tolist()
    for shape in ((12,), (4, 3), (6, 2)):
        with pytest.raises(RuntimeError, match=r"Use .reshape\(...\) instead"):
            x.view(shape)


# ---------------------------------------------------------------- gradients at the edges, where differences say nothing

EDGES = {
    "abs at 0": (lambda x: x.abs(), [0.0, -0.0], [0, 0]),
    "sqrt at 0": (lambda x: x.sqrt(), [0.0, 4.0], [math.inf, 0.25]),
    "sign at 0": (lambda x: x.sign(), [0.0], [0]),
    "relu at 0": (lambda x: x.relu(), [0.0, 1.0, -1.0], [0, 1, 0]),
    "clamp at its bounds": (lambda x: x.clamp(0, 1), [0.0, 1.0, -1.0, 2.0], [1, 1, 0, 0]),
    "clamp with crossed bounds": (lambda x: x.clamp(1, 0), [0.5], [0]),
    "maximum shares": (lambda x: mg.maximum(x, mg.tensor([1.0, 2.0, 3.0])), [1.0, 3.0, 2.0], [0.5, 1, 0]),
    "minimum shares": (lambda x: mg.minimum(x, mg.tensor([1.0, 2.0, 3.0])), [1.0, 3.0, 2.0], [0.5, 0, 1]),
    "amax shares": (lambda x: x.amax(), [3.0, 1.0, 3.0, 2.0], [0.5, 0, 0.5, 0]),
    "amin shares": (lambda x: x.amin(0), [1.0, 1.0, 3.0], [0.5, 0.5, 0]),
    "max of all shares": (lambda x: x.max(), [3.0, 1.0, 3.0], [0.5, 0, 0.5]),
    "max over a dim chooses the first": (lambda x: x.max(0).values, [3.0, 1.0, 3.0], [1, 0, 0]),
    "min over a dim chooses the first": (lambda x: x.min(0).values, [3.0, 1.0, 1.0], [0, 1, 0]),
    "norm of zeros": (lambda x: x.norm(), [0.0, 0.0], [0, 0]),
    "norm, p = 1, of zeros": (lambda x: x.norm(1), [0.0, 2.0], [0, 1]),
    "norm, p = 3, of zeros": (lambda x: x.norm(3), [0.0, 0.0], [0, 0]),
    "power 0": (lambda x: x**0, [0.0, 2.0], [0, 0]),
    "power 2 at 0": (lambda x: x**2, [0.0, -1.0], [0, -2]),
    "base 0": (lambda x: 0.0**x, [0.0, 2.0], [0, 0]),
    "prod with one zero": (lambda x: x.prod(), [2.0, 0.0, 3.0], [0, 6, 0]),
    "prod with two zeros": (lambda x: x.prod(), [2.0, 0.0, 0.0], [0, 0, 0]),
    "cumprod with a zero": (lambda x: x.cumprod(0).sum(), [2.0, 0.0, 3.0], [1, 8, 0]),
    "logsumexp of -inf": (lambda x: x.logsumexp(0), [-math.inf, 0.0], [0, 1]),
    "where hides a nan": (lambda x: mg.where(x > 0, x, 0.0), [math.nan, 1.0], [0, 1]),
    "remainder": (lambda x: x % 2, [2.0, 3.0], [1, 1]),
    "atan2 on the axis": (lambda x: mg.atan2(x, mg.tensor([1.0, -2.0])), [0.0, 0.0], [1, -0.5]),
    "topk chooses the first": (lambda x: x.topk(1).values, [1.0, 3.0, 3.0], [0, 1, 0]),
}  # fmt: skip


@pytest.mark.parametrize("function, x, wanted", EDGES.values(), ids=EDGES.keys())
def test_gradient_at_the_edge(function, x, wanted) -> None:
    x = mg.tensor(x, requires_grad=True)
    function(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), wanted, rtol=1e-6)


# ---------------------------------------------------------------- the judges are judged


def test_a_rule_that_is_off_by_a_part_in_a_thousand_is_caught() -> None:
    @op
    def slightly_wrong(x):
        return x * x * x

    @slightly_wrong.vjp
    def slightly_wrong_vjp(dy, x):
        return dy * (3 * 1.001) * x * x

    x = mg.randn(3, 4, dtype=mg.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="finite differences give"):
        gradcheck(slightly_wrong, x, **TOLERANCE)
    assert not gradcheck(slightly_wrong, x, **TOLERANCE, raise_exception=False)


def test_a_wrong_second_order_rule_is_caught() -> None:
    @op
    def cube(x):
        return x * x * x

    @op
    def cube_slope(x):
        return 3 * x * x

    @cube.vjp
    def cube_vjp(dy, x):
        return dy * cube_slope(x)

    @cube_slope.vjp
    def cube_slope_vjp(dy, x):
        return dy * 6.006 * x

    x = mg.randn(3, 4, dtype=mg.float64, requires_grad=True)
    assert gradcheck(cube, x, **TOLERANCE)
    assert not gradgradcheck(cube, x, **TOLERANCE, raise_exception=False)


def test_a_rule_that_writes_into_the_gradient_or_into_what_was_kept_is_caught() -> None:
    @op
    def doubled(x):
        return 2 * x

    @doubled.vjp
    def doubled_vjp(dy):
        dy *= 2
        return dy

    @op
    def squared(x):
        return x * x

    @squared.vjp
    def squared_vjp(dy, x):
        x *= 2
        return dy * x

    for wrong in (doubled, squared):
        x = mg.ones(3, requires_grad=True)
        with frozen_walk(), pytest.raises(ValueError, match="read-only"):
            (wrong(x) * 1).sum().backward()
