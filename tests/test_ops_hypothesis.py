"""Shapes, dims, indices and dtypes that Hypothesis makes up, against NumPy; dtypes of results, against PyTorch's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import minigrad as mg

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)
FLOATS = st.sampled_from(["float64", "float32", "float16"])


def numbers(seed: int, shape: tuple[int, ...], low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).uniform(low, high, shape))


def leaf(array: np.ndarray) -> mg.Tensor:
    return mg.from_numpy(array).requires_grad_()


def collected(full: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What reaches an input of `shape` that was broadcast to `full.shape`: each entry adds up all that used it."""
    size = int(np.prod(shape))
    used = np.broadcast_to(np.arange(size).reshape(shape), full.shape)
    return np.bincount(used.ravel(), full.ravel(), size).reshape(shape)


# ---------------------------------------------------------------- broadcasting

BINARY: dict[str, tuple[Callable, Callable, Callable]] = {  # ours, NumPy's, the partial derivatives
    "add": (mg.add, np.add, lambda a, b: (1.0, 1.0)),
    "sub": (mg.sub, np.subtract, lambda a, b: (1.0, -1.0)),
    "mul": (mg.mul, np.multiply, lambda a, b: (b, a)),
    "div": (mg.div, np.divide, lambda a, b: (1 / b, -a / b**2)),
    "pow": (mg.pow, np.power, lambda a, b: (b * a ** (b - 1), a**b * np.log(a))),
    "maximum": (mg.maximum, np.maximum, lambda a, b: (1.0 * (a > b), 1.0 * (a < b))),
    "atan2": (mg.atan2, np.arctan2, lambda a, b: (b / (a * a + b * b), -a / (a * a + b * b))),
}


@pytest.mark.parametrize("name", BINARY)
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3), seed=SEEDS)
def test_broadcasting(name: str, shapes: Any, seed: int) -> None:
    ours, numpys, slopes = BINARY[name]
    a, b = (numbers(seed + i, shape, 0.5, 2.0) for i, shape in enumerate(shapes.input_shapes))
    x, z = leaf(a), leaf(b)
    y = ours(x, z)
    assert y.shape == shapes.result_shape
    np.testing.assert_allclose(y.detach().numpy(), numpys(a, b), rtol=1e-12)
    dy = numbers(seed + 2, shapes.result_shape)
    y.backward(mg.from_numpy(dy))
    for leaf_, slope in zip((x, z), slopes(a, b), strict=True):
        wanted = collected(np.asarray(dy * slope), tuple(leaf_.shape))
        np.testing.assert_allclose(leaf_.grad.numpy(), wanted, rtol=1e-9, atol=1e-12)


@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=3), seed=SEEDS)
def test_where_broadcasts(shapes: Any, seed: int) -> None:
    c, a, b = (numbers(seed + i, shape) for i, shape in enumerate(shapes.input_shapes))
    x, z = leaf(a), leaf(b)
    y = mg.where(mg.from_numpy(c) > 0, x, z)
    np.testing.assert_array_equal(y.detach().numpy(), np.where(c > 0, a, b))
    y.sum().backward()
    chosen = np.broadcast_to(c > 0, shapes.result_shape)
    np.testing.assert_allclose(x.grad.numpy(), collected(1.0 * chosen, a.shape))
    np.testing.assert_allclose(z.grad.numpy(), collected(1.0 * ~chosen, b.shape))


@given(
    batches=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, min_side=0, max_side=3),
    sizes=st.tuples(*[st.integers(0, 3)] * 3),
    seed=SEEDS,
)
def test_products_of_batches(batches: Any, sizes: tuple[int, int, int], seed: int) -> None:
    n, k, m = sizes
    a = numbers(seed, (*batches.input_shapes[0], n, k))
    b = numbers(seed + 1, (*batches.input_shapes[1], k, m))
    x, z = leaf(a), leaf(b)
    y = x @ z
    np.testing.assert_allclose(y.detach().numpy(), a @ b, rtol=1e-12, atol=1e-12)
    dy = numbers(seed + 2, tuple(y.shape))
    y.backward(mg.from_numpy(dy))
    by_a, by_b = dy @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ dy
    np.testing.assert_allclose(x.grad.numpy(), collected(by_a, a.shape), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(z.grad.numpy(), collected(by_b, b.shape), rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------- reductions

REDUCTIONS: dict[str, tuple[Callable, int]] = {  # NumPy's, the fewest entries it takes
    "sum": (np.sum, 0),
    "mean": (np.mean, 1),
    "prod": (np.prod, 0),
    "amax": (np.max, 1),
    "amin": (np.min, 1),
    "logsumexp": (lambda x, **how: np.log(np.sum(np.exp(x), **how)), 1),
    "var": (lambda x, **how: np.var(x, ddof=1, **how), 2),
    "std": (lambda x, **how: np.std(x, ddof=1, **how), 2),
    "norm": (lambda x, **how: np.sqrt(np.sum(x * x, **how)), 0),
}


@st.composite
def reduced(draw: Any) -> tuple[np.ndarray, tuple[int, ...], bool]:
    """An array, some of its dims (counted from either end), and keepdim."""
    shape = draw(SHAPES.filter(len))
    dims = draw(st.lists(st.integers(0, len(shape) - 1), unique=True, min_size=1))
    dims = tuple(dim - len(shape) if draw(st.booleans()) else dim for dim in dims)
    return numbers(draw(SEEDS), shape), dims, draw(st.booleans())


@pytest.mark.parametrize("name", REDUCTIONS)
@given(drawn=reduced())
def test_reductions_over_any_dims(name: str, drawn: Any) -> None:
    array, dims, keepdim = drawn
    numpys, fewest = REDUCTIONS[name]
    count = int(np.prod([array.shape[dim] for dim in dims]))
    if count < fewest:
        return
    x = leaf(array)
    y = x
    if name == "prod":  # PyTorch's takes one dim
        for dim in sorted({dim % array.ndim for dim in dims}, reverse=True):
            y = y.prod(dim, keepdim=keepdim)
    else:
        y = getattr(mg, name)(x, dim=dims, keepdim=keepdim)
    wanted = numpys(array, axis=dims, keepdims=keepdim)
    assert y.shape == wanted.shape
    np.testing.assert_allclose(y.detach().numpy(), wanted, rtol=1e-10, atol=1e-12)
    y.sum().backward()
    assert x.grad.shape == x.shape
    if name == "sum":
        np.testing.assert_array_equal(x.grad.numpy(), np.ones(array.shape))
    if name in ("amax", "amin", "mean", "logsumexp"):  # the shares of one result add up to 1
        np.testing.assert_allclose(x.grad.sum(dims).numpy(), np.ones(np.sum(array, axis=dims).shape), rtol=1e-9)


@given(drawn=reduced())
def test_running_sums_end_in_the_sum(drawn: Any) -> None:
    array, (dim, *_), _ = drawn
    x = mg.from_numpy(array)
    np.testing.assert_allclose(x.cumsum(dim).numpy(), array.cumsum(dim), atol=1e-12)
    if array.shape[dim]:
        np.testing.assert_allclose(x.cumsum(dim).select(dim, -1).numpy(), array.sum(dim), atol=1e-12)


# ---------------------------------------------------------------- indexing


@st.composite
def indexed(draw: Any) -> tuple[np.ndarray, Any]:
    """An array and an index of it: basic, integer arrays, a mask, or slices around one index array."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
    kind = draw(st.sampled_from(["basic", "arrays", "mask", "one array"]))
    if kind == "basic":
        index = draw(hnp.basic_indices(shape, allow_newaxis=True, max_dims=6).filter(goes_forward))
    elif kind == "arrays":
        index = draw(hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3)))
    elif kind == "mask":
        ndim = draw(st.integers(1, len(shape)))
        index = draw(hnp.arrays(np.bool_, shape[:ndim]))
    else:
        at = draw(st.integers(0, len(shape) - 1))
        rows = draw(hnp.arrays(np.int64, draw(st.integers(0, 4)), elements=st.integers(-shape[at], shape[at] - 1)))
        index = (*[draw(st.slices(n).filter(goes_forward)) for n in shape[:at]], rows)
    return numbers(draw(SEEDS), shape), index


def goes_forward(index: Any) -> bool:
    """PyTorch has no negative steps."""
    parts = index if isinstance(index, tuple) else (index,)
    return all((part.step or 1) > 0 for part in parts if isinstance(part, slice))


def as_tensors(index: Any) -> Any:
    """The same index with tensors for NumPy's arrays."""
    if isinstance(index, tuple):
        return tuple(as_tensors(part) for part in index)
    return mg.from_numpy(index) if isinstance(index, np.ndarray) else index


@given(drawn=indexed())
def test_reading(drawn: Any) -> None:
    array, index = drawn
    x = leaf(array)
    y = x[as_tensors(index)]
    wanted = np.asarray(array[index])
    assert y.shape == wanted.shape
    np.testing.assert_array_equal(y.detach().numpy(), wanted)
    np.testing.assert_array_equal(x.detach()[index].numpy(), wanted)  # NumPy's arrays as index
    dy = numbers(1, wanted.shape)
    y.backward(mg.from_numpy(dy))
    gradient = np.zeros(array.shape)
    np.add.at(gradient, index, dy)
    np.testing.assert_allclose(x.grad.numpy(), gradient, atol=1e-12)


def names_an_entry_twice(array: np.ndarray, index: Any) -> bool:
    named = np.arange(array.size).reshape(array.shape)[index]
    return np.unique(named).size != np.size(named)


@given(drawn=indexed())
def test_writing(drawn: Any) -> None:
    array, index = drawn
    if names_an_entry_twice(array, index):
        return  # which of the values stays is not defined
    value = numbers(2, np.shape(array[index]))
    wanted = array.copy()
    wanted[index] = value

    in_place = mg.tensor(array)
    in_place[as_tensors(index)] = mg.from_numpy(value)
    np.testing.assert_array_equal(in_place.numpy(), wanted)

    x, v = leaf(array), leaf(value)
    y = x * 1
    y[as_tensors(index)] = v
    np.testing.assert_array_equal(y.detach().numpy(), wanted)
    dy = numbers(3, array.shape)
    y.backward(mg.from_numpy(dy))
    np.testing.assert_allclose(v.grad.numpy(), dy[index])
    dy[index] = 0
    np.testing.assert_allclose(x.grad.numpy(), dy)


@given(drawn=indexed())
def test_adding_in_place(drawn: Any) -> None:
    array, index = drawn
    if names_an_entry_twice(array, index):
        return
    wanted = array.copy()
    wanted[index] += 1.5
    x = mg.tensor(array)
    x[as_tensors(index)] += 1.5
    np.testing.assert_array_equal(x.numpy(), wanted)


@given(shape=hnp.array_shapes(max_dims=3, max_side=5), seed=SEEDS, data=st.data())
def test_splitting_and_joining_give_the_tensor_back(shape: tuple[int, ...], seed: int, data: Any) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    cuts = sorted(data.draw(st.lists(st.integers(0, shape[dim]), max_size=3)))
    lengths = [b - a for a, b in zip([0, *cuts], [*cuts, shape[dim]], strict=True)]
    array = numbers(seed, shape)
    x = leaf(array)
    parts = x.split(lengths, dim)
    assert [part.shape[dim] for part in parts] == lengths
    y = mg.cat(parts, dim)
    np.testing.assert_array_equal(y.detach().numpy(), array)
    (y * y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * array)


# ---------------------------------------------------------------- dtypes


@pytest.mark.parametrize("name", BINARY)
@given(dtypes=st.tuples(FLOATS, FLOATS), ranks=st.tuples(st.booleans(), st.booleans()))
def test_a_gradient_has_the_dtype_of_its_input(name: str, dtypes: Any, ranks: Any) -> None:
    shapes = [(2, 3) if has_axes else () for has_axes in ranks]
    inputs = [leaf(np.asarray(numbers(0, shapes[i], 0.5, 2.0).astype(dtypes[i]))) for i in range(2)]
    y = BINARY[name][0](*inputs)
    y.sum().backward()
    for x in inputs:
        assert x.grad.dtype == x.dtype and x.grad.shape == x.shape


RECORDED = json.loads((Path(__file__).parent / "recorded" / "promotion.json").read_text(encoding="utf-8"))
DTYPES, NUMBERS = RECORDED["dtypes"], RECORDED["numbers"]
DIM = {"argmax", "cumsum", "cumprod", "logsumexp", "softmax"}
# Where minigrad gives a result and PyTorch has no kernel, or refuses on purpose (a difference with a bool) ...
MORE = {("abs", "bool"), ("floor", "bool"), ("round", "bool"), ("argmax", "bool"), ("trace", "bool")}
# ... and the one place where it is stricter: a bool to the power True is a bool in PyTorch, to any other bool an error.
STRICTER = {("pow", "bool", True)}


def result(call: Callable[[], Any]) -> str:
    try:
        y = call()
    except RuntimeError:
        return "-"
    y = y[0] if isinstance(y, tuple) else y
    return getattr(y, "dtype", y).name


def operand(kind: str, dtype: Any) -> Any:
    return dtype if kind == "number" else mg.ones((2, 2) if kind == "n-d" else (), dtype=getattr(mg, dtype))


@pytest.mark.parametrize("name", RECORDED["one"])
def test_dtype_of_one(name: str) -> None:
    arguments = (0,) if name in DIM else ()
    for dtype, wanted in zip(DTYPES, RECORDED["one"][name].split(), strict=True):
        if (name, dtype) not in MORE:
            got = result(lambda dtype=dtype: getattr(mg, name)(operand("n-d", dtype), *arguments))
            assert got == wanted, f"{name} of {dtype}: {got}, PyTorch: {wanted}"


CALLS = {
    "where": lambda a, b: mg.where(mg.ones(2, 2) > 0, a, b),
    "cat": lambda a, b: mg.cat([a, b]),
    "promote_types": lambda a, b: mg.promote_types(a.dtype, b.dtype),
}


def is_bool(x: Any) -> bool:
    return x is True or x == "bool"


@pytest.mark.parametrize("name, kinds", [(name, kinds) for name in RECORDED["two"] for kinds in RECORDED["two"][name]])
def test_dtype_of_two(name: str, kinds: str) -> None:
    function = CALLS.get(name) or getattr(mg, name)
    left, right = kinds.split(", ")
    choices = [NUMBERS if kind == "number" else DTYPES for kind in (left, right)]
    for a, row in zip(choices[0], RECORDED["two"][name][kinds], strict=True):
        for b, wanted in zip(choices[1], row.split(), strict=True):
            if (name == "sub" and is_bool(a) != is_bool(b)) or (name, a, b) in STRICTER:
                continue
            got = result(lambda a=a, b=b: function(operand(left, a), operand(right, b)))
            assert got == wanted, f"{name}({left} {a}, {right} {b}): {got}, PyTorch: {wanted}"
