"""Every case of the table of ops under vmap, against the same case called once an example, and stacked."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from case import Case
from op_cases import BY_ID
from op_harness import assert_near, call

from minigrad import autograd
from minigrad.func import grad, vmap
from minigrad.kernels import batched
from minigrad.ops import stack
from minigrad.tensor import Tensor, from_raw

EXAMPLES = 3

# The shape of the result is decided by the values: another one for each example.
DYNAMIC = {
    "where[positions]", "repeat_interleave[one a slice]", "masked_select", "nonzero", "unique", "argwhere",
    "__getitem__[own mask]", "__getitem__[mask]", "__getitem__[mask of rows]", "__getitem__[mask of columns]",
    "__getitem__[mask and pairs]", "__getitem__[bools]", "__setitem__[mask]", "index_put[mask]",
}  # fmt: skip

# Kernels without a rule, which run once an example.
LOOPED = {"bincount", "isin", "layer_norm_bwd", "runs", "searchsorted"}


def of_table(name: str) -> bool:
    return bool(BY_ID[name].inputs) and name not in DYNAMIC and BY_ID[name].name not in DYNAMIC


RUN = [name for name in BY_ID if of_table(name)]
DIFFERENTIATED = [name for name in RUN if BY_ID[name].gradient]


def examples(case: Case, dtype: str) -> list[np.ndarray]:
    """The inputs of the case, each drawn for every example and stacked."""
    drawn = [case.draw(seed) for seed in range(EXAMPLES)]
    inputs = [np.stack(parts) for parts in zip(*drawn, strict=True)]
    return [x.astype(dtype) if x.dtype.kind == "f" else x for x in inputs]


def of_one(inputs: list[Tensor], dims: tuple, i: int) -> list[Tensor]:
    return [x if dim is None else x[i] for x, dim in zip(inputs, dims, strict=True)]


def stacked(results: list) -> list[Tensor]:
    return [stack(parts) for parts in zip(*results, strict=True)]


def assert_alike(found: Any, wanted: Any, tolerance: float) -> None:
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
        assert_near(a.detach().numpy(), b.detach().numpy(), tolerance)


def gradients(outputs: Any, leaves: list[Tensor], create_graph: bool) -> list[Tensor]:
    live = [(y * y).sum() for y in outputs if y.requires_grad]
    if not live:
        return []
    options = {"create_graph": create_graph, "retain_graph": True, "materialize_grads": True}
    return list(autograd.grad(live, leaves, **options))


@pytest.mark.parametrize("name", RUN)
def test_values_and_gradients_of_a_batch(name: str) -> None:
    """vmap, its gradient and its second gradient, with every input batched."""
    case = BY_ID[name]
    inputs = [from_raw(x).requires_grad_(case.gradient and x.dtype.kind == "f") for x in examples(case, "float64")]
    dims = (0,) * len(inputs)
    found = vmap(lambda *xs: call(case, list(xs)))(*inputs)
    wanted = stacked([call(case, of_one(inputs, dims, i)) for i in range(EXAMPLES)])
    assert_alike(found, wanted, 1e-10)
    leaves = [x for x in inputs if x.requires_grad]
    if leaves:
        first = [gradients(outputs, leaves, case.second) for outputs in (found, wanted)]
        assert_alike(*first, 1e-10)
        if case.second:
            assert_alike(*[gradients(g, leaves, False) for g in first], 1e-8)


def ways_to_share(case: Case) -> Iterator[tuple]:
    """in_dims: the first input batched alone; all but the first."""
    count = len(case.inputs)
    yield (0, *(None,) * (count - 1))
    if count > 1 and case.name != "__setitem__":  # what is batched does not go into what is not
        yield (None, *(0,) * (count - 1))


@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_gradients_of_each_example(name: str) -> None:
    """vmap of grad, in float32, so that kernels run: by inputs that are batched, and by those that all share."""
    case = BY_ID[name]
    whole = examples(case, "float32")
    wanted_by = tuple(i for i, x in enumerate(whole) if x.dtype.kind == "f")

    def f(*xs: Tensor) -> Tensor:
        parts = [((y * 1.3 + y.detach().cos()) * y).sum() for y in call(case, list(xs)) if y.is_floating_point()]
        return sum(parts[1:], parts[0])

    for dims in ways_to_share(case):
        inputs = [from_raw(x if dim == 0 else x[0]) for x, dim in zip(whole, dims, strict=True)]
        found = vmap(grad(f, wanted_by), dims)(*inputs)
        wanted = stacked([grad(f, wanted_by)(*of_one(inputs, dims, i)) for i in range(EXAMPLES)])
        assert_alike(found, wanted, 1e-4)


@pytest.mark.parametrize("name", {BY_ID[name].name: name for name in RUN if not name.startswith("__set")}.values())
def test_a_batch_of_batches(name: str) -> None:
    """vmap of vmap: the first input batched by the outer one, the second by the inner one, and so on."""
    case = BY_ID[name]
    inputs = [from_raw(x) for x in examples(case, "float64")]
    outer = tuple(0 if i % 2 == 0 else None for i in range(len(inputs)))
    inner = tuple(None if i % 2 == 0 else 0 for i in range(len(inputs)))
    counted = from_raw(np.zeros(EXAMPLES))  # so that there is something to map over

    def f(count: Tensor, *xs: Tensor) -> tuple[Tensor, ...]:
        return tuple(call(case, list(xs)))

    found = vmap(lambda *xs: vmap(f, (0, *inner))(counted, *xs), outer)(*inputs)
    rows = [[f(counted, *of_one(of_one(inputs, outer, i), inner, j)) for j in range(EXAMPLES)] for i in range(EXAMPLES)]
    assert_alike(found, stacked([stacked(row) for row in rows]), 1e-10)


@pytest.mark.parametrize("name", [name for name in BY_ID if BY_ID[name].inputs and name not in RUN])
def test_shapes_that_values_decide_are_refused(name: str) -> None:
    case = BY_ID[name]
    arrays = [np.stack([x, x]) for x in case.draw()]
    with pytest.raises(RuntimeError, match="vmap"):
        vmap(lambda *xs: call(case, list(xs)))(*map(from_raw, arrays))


def test_nearly_all_kernels_have_a_rule() -> None:
    """Forward and backward, one case of each op, and rows through graphs made before."""
    for name in {BY_ID[name].name: name for name in RUN}.values():
        case = BY_ID[name]
        inputs = [from_raw(x).requires_grad_(case.gradient and x.dtype.kind == "f") for x in examples(case, "float32")]
        gradients(
            vmap(lambda *xs, case=case: call(case, list(xs)))(*inputs), [x for x in inputs if x.requires_grad], False
        )
    looped = {name for name, rule in vars(batched).items() if getattr(rule, "__qualname__", "").startswith("loop.")}
    assert looped <= LOOPED, f"no rule in kernels/batched: {sorted(looped - LOOPED)}"
    assert len(batched.RULES) > 100
