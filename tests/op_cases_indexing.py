"""The table of ops, indexing: reading and writing by slices, masks and index tensors; gather, scatter and their kin."""

from collections.abc import Callable
from typing import Any

import numpy as np
from case import Case
from makers import apart, booleans, integers, values

import minigrad as mg


def both(name: str, function: Callable, *inputs: Any, note: str = "", **options: Any) -> Case:
    """A case whose oracle is the very same expression on NumPy arrays."""
    return Case(name, function, inputs, oracle=function, note=note, **options)


READING = [
    *(
        both("__getitem__", read, shape, note=note)
        for note, shape, read in (
            ("int", (4, 3), lambda x: x[1]),
            ("negative int", (4, 3), lambda x: x[-1, -2]),
            ("slice", (4, 3), lambda x: x[1:3]),
            ("step", (5, 3), lambda x: x[::2, 1:]),
            ("beyond the end", (4, 3), lambda x: x[2:9]),
            ("empty slice", (4, 3), lambda x: x[3:1]),
            ("None", (4, 3), lambda x: x[None, :, None]),
            ("Ellipsis", (2, 3, 4), lambda x: x[..., 1]),
            ("int, Ellipsis, slice", (2, 3, 4), lambda x: x[0, ..., 1:3]),
            ("of 0-d", (), lambda x: x[()]),
            ("of 0-d, None", (), lambda x: x[None, ...]),
            ("of empty", (0, 3), lambda x: x[:, 1]),
            ("list", (4, 3), lambda x: x[[2, 0, 2]]),
            ("negative list", (4, 3), lambda x: x[[-1, 1]]),
            ("empty list", (4, 3), lambda x: x[[]]),
            ("range", (4, 3), lambda x: x[range(2), [0, 2]]),
            ("list after slice", (4, 3), lambda x: x[1:, [2, 0]]),
            ("two lists apart", (2, 3, 4), lambda x: x[[0, 1, 1], :, [3, 0, 2]]),
            ("twice", (4, 3), lambda x: x[1:] * x[:-1]),
            ("of a view", (4, 3), lambda x: x[1:][0][1:]),
        )
    ),
    both("__getitem__", lambda x, i: x[i], (4, 3), integers(-4, 4, (5,)), note="index tensor"),
    both("__getitem__", lambda x, i: x[i], (4, 3), integers(0, 4, (2, 3)), note="2-d index tensor"),
    both("__getitem__", lambda x, i: x[i], (4, 3), integers(0, 4, (3,), "int32"), note="int32 index"),
    both("__getitem__", lambda x, i: x[i], (4, 3), integers(0, 4, ()), note="0-d index tensor"),
    both("__getitem__", lambda x, i: x[i], (4, 3), integers(0, 4, (0,)), note="empty index tensor"),
    both("__getitem__", lambda x, i, j: x[i, j], (4, 3), integers(0, 4, (5,)), integers(0, 3, (5,)), note="pairs"),
    both("__getitem__", lambda x, i, j: x[i[:, None], j], (4, 3), integers(0, 4, (2,)), integers(0, 3, (3,)),
         note="a grid"),
    both("__getitem__", lambda x, i: x[:, i, None], (4, 3), integers(0, 3, (2,)), note="index tensor and None"),
    both("__getitem__", lambda x, i: x[..., i], (2, 3, 4), integers(0, 4, (2,)), note="Ellipsis and index tensor"),
    both("__getitem__", lambda x: x[x > 0], apart((4, 3)), note="own mask"),
    both("__getitem__", lambda x, m: x[m], (4, 3), booleans((4, 3)), note="mask"),
    both("__getitem__", lambda x, m: x[m], (4, 3), booleans((4,)), note="mask of rows"),
    both("__getitem__", lambda x, m: x[:, m], (4, 3), booleans((3,)), note="mask of columns"),
    both("__getitem__", lambda x, m, i: x[m, i], (4, 3), values([True, False, True, False]), values([2, 0]),
         note="mask and pairs"),
    Case("__getitem__", lambda x: x[0, :, [1, 2]], ((2, 3, 4),), oracle=lambda x: x[0][:, [1, 2]],
         note="int before a list"),
    Case("__getitem__", lambda x, i: x[i, 1, :, i], ((2, 3, 4, 2), values([1, 0, 1])), note="int between index tensors",
         oracle=lambda x, i: x[:, 1][i, :, i]),
    both("__getitem__", lambda x: x[1:], integers(0, 9, (4,)), gradient=False, note="integers"),
    both("__getitem__", lambda x, m: x[m], booleans((4,)), booleans((4,)), gradient=False, note="bools"),
    Case("index_select", lambda x, i: mg.index_select(x, 0, i), ((4, 3), integers(0, 4, (5,))),
         oracle=lambda x, i: x[i]),
    *(
        Case("index_select", lambda x, i, dim: x.index_select(dim, i), (shape, values(index, "int64")), {"dim": dim},
             oracle=lambda x, i, dim: np.take(x, np.atleast_1d(i), dim), note=f"{shape} {dim} {index}")
        for shape, dim, index in (((4, 3), 1, [2, 0]), ((4, 3), -1, [1, 1, 1]), ((4, 3), 0, []), ((4, 3), 0, 2),
                                  ((0, 3), 1, [0]))
    ),
    Case("narrow", lambda x: x.narrow(0, 1, 2).narrow(1, 0, 1), ((4, 3),), oracle=lambda x: x[1:3, :1],
         note="of narrow"),
]  # fmt: skip


def pick(x: np.ndarray, index: np.ndarray, dim: int) -> np.ndarray:
    """out[i][j] = x[index[i][j]][j] for dim 0."""
    out = np.empty(index.shape, x.dtype)
    for place in np.ndindex(index.shape):
        out[place] = x[tuple(index[place] if axis == dim % x.ndim else i for axis, i in enumerate(place))]
    return out


def put(x: np.ndarray, index: np.ndarray, src: Any, dim: int, combine: Callable = lambda old, new: new) -> np.ndarray:
    """out[index[i][j]][j] = combine(out[index[i][j]][j], src[i][j]) for dim 0."""
    out = x.copy()
    for place in np.ndindex(index.shape):
        to = tuple(index[place] if axis == dim % x.ndim else i for axis, i in enumerate(place))
        out[to] = combine(out[to], src[place] if isinstance(src, np.ndarray) else src)
    return out


INDEX_FORMS = {  # note: shape of x, dim, shape of the index
    "": ((4, 3), 0, (2, 3)),
    "dim 1": ((4, 3), 1, (4, 2)),
    "last dim": ((2, 3, 4), -1, (2, 3, 5)),
    "smaller index": ((4, 3), 0, (5, 2)),
    "one dim": ((4,), 0, (6,)),
    "size 1": ((1, 3), 0, (2, 3)),
    "empty": ((4, 3), 0, (0, 3)),
}


def unrepeated(size: int, dim: int, shape: tuple[int, ...]) -> Callable:
    """Indices that name no place twice along `dim`."""

    def make(rng: np.random.Generator) -> np.ndarray:
        full = [size if axis == dim % len(shape) else n for axis, n in enumerate(shape)]
        order = np.argsort(rng.random(full), axis=dim)
        return order[tuple(slice(0, n) for n in shape)]

    return make


GATHERS = [
    *(
        Case("gather", lambda x, index, dim: mg.gather(x, dim, index), (have, integers(0, have[dim], shape)),
             {"dim": dim},
             oracle=lambda x, index, dim: pick(x, index, dim), note=note)
        for note, (have, dim, shape) in INDEX_FORMS.items()
    ),
    Case("gather", lambda x, index: x.gather(0, index), ((), values([0])), oracle=lambda x, index: x.reshape(1),
         note="0-d"),
    Case("take_along_dim", mg.take_along_dim, ((4, 3), integers(0, 4, (2, 3))), {"dim": 0},
         oracle=lambda x, i, dim: np.take_along_axis(x, i, dim)),
    Case("take_along_dim", mg.take_along_dim, ((4, 3), integers(0, 3, (4, 1))), {"dim": -1},
         oracle=lambda x, i, dim: np.take_along_axis(x, i, dim), note="last dim"),
    Case("take_along_dim", mg.take_along_dim, ((4, 1), integers(0, 4, (2, 3))), {"dim": 0}, note="broadcast x",
         oracle=lambda x, i, dim: np.take_along_axis(np.broadcast_to(x, (4, 3)), i, dim)),
    Case("take_along_dim", mg.take_along_dim, ((4, 3), integers(0, 4, (2, 1))), {"dim": 0}, note="broadcast indices",
         oracle=lambda x, i, dim: np.take_along_axis(x, np.broadcast_to(i, (2, 3)), dim)),
    Case("take_along_dim", mg.take_along_dim, ((4, 3), integers(0, 12, (5,))), oracle=lambda x, i: x.ravel()[i],
         note="flattened"),
    Case("take_along_dim", mg.take_along_dim, ((4, 3), integers(0, 4, (0, 3))), {"dim": 0},
         oracle=lambda x, i, dim: x[:0], note="empty"),
]  # fmt: skip

SCATTERS = [
    *(
        Case("scatter", lambda x, index, src, dim: mg.scatter(x, dim, index, src),
             (have, unrepeated(have[dim], dim, shape), tuple(n + 1 for n in shape)), {"dim": dim},
             oracle=lambda x, index, src, dim: put(x, index, src, dim), note=note)
        for note, (have, dim, shape) in INDEX_FORMS.items()
        if shape[dim] <= have[dim]
    ),
    Case("scatter", lambda x, index: x.scatter(1, index, 2.5), ((4, 3), integers(0, 3, (4, 2))), note="number",
         oracle=lambda x, index: put(x, index, 2.5, 1)),
    Case("scatter", lambda x, index: x.scatter(1, index, value=2.5), ((4, 3), integers(0, 3, (4, 2))), note="value",
         oracle=lambda x, index: put(x, index, 2.5, 1)),
    Case("scatter", lambda x, index, src: x.scatter(1, index, src, reduce="add"),
         ((4, 3), integers(0, 3, (4, 5)), (4, 5)), note="add",
         oracle=lambda x, index, src: put(x, index, src, 1, np.add)),
    Case("scatter", lambda x, index, src: x.scatter(1, index, src, reduce="multiply"),
         ((4, 3), integers(0, 3, (4, 5)), (4, 5)),
         oracle=lambda x, index, src: put(x, index, src, 1, np.multiply), note="multiply"),
    Case("scatter", lambda x, index, src: x.scatter(0, index, src), ((), values([0]), (1,)),
         oracle=lambda x, i, src: src.reshape(()),
         note="0-d"),
    *(
        Case("scatter_add", lambda x, index, src, dim: mg.scatter_add(x, dim, index, src),
             (have, integers(0, have[dim], shape), shape),
             {"dim": dim}, oracle=lambda x, index, src, dim: put(x, index, src, dim, np.add), note=note)
        for note, (have, dim, shape) in INDEX_FORMS.items()
    ),
    *(
        Case("scatter_reduce", lambda x, index, src, how, **o: mg.scatter_reduce(x, 0, index, src, how, **o),
             (apart((4, 2), 0.4, 1.4), values([[0, 1], [0, 2], [2, 1], [0, 1]]), apart((4, 2), 0.45, 1.5)),
             {"how": how} if include else {"how": how, "include_self": False},
             oracle=lambda x, index, src, how, include_self=True: reduced(x, index, src, how, include_self),
             note=f"{how}, {include}")
        for how in ("sum", "prod", "mean", "amax", "amin")
        for include in (True, False)
    ),
    Case("scatter_reduce", lambda x, index, src: x.scatter_reduce(1, index, src, "prod"),
         ((2, 3), values([[0, 0], [2, 1]]), (2, 2)),
         oracle=lambda x, index, src: put(x, index, src, 1, np.multiply), note="dim 1"),
    Case("scatter_reduce", lambda x, index, src: x.scatter_reduce(0, index, src, "sum"),
         ((2, 3), integers(0, 2, (0, 3)), (0, 3)),
         oracle=lambda x, index, src: x, note="empty"),
]  # fmt: skip


def reduced(x: np.ndarray, index: np.ndarray, src: np.ndarray, how: str, include_self: bool) -> np.ndarray:
    """Along dim 0: every place that the index names, combined with all that goes there."""
    out = x.copy()
    for to in np.ndindex(x.shape):
        found = [src[i, to[1]] for i in range(len(index)) if index[i, to[1]] == to[0]]
        if found:
            everything = np.array([x[to]] * include_self + found)
            out[to] = {"amax": np.max, "amin": np.min}.get(how, getattr(np, how.removeprefix("a")))(everything)
    return out


def written(x: np.ndarray, index: Any, value: Any) -> np.ndarray:
    out = x.copy()
    out[index] = value
    return out


def added(x: np.ndarray, index: Any, value: Any) -> np.ndarray:
    out = x.copy()
    np.add.at(out, index, value)
    return out


def write(x: mg.Tensor, index: Any, value: Any) -> mg.Tensor:
    """x[index] = value on a copy, recorded by the graph."""
    x = x.clone()
    x[index] = value
    return x


WRITES: dict[str, tuple[tuple[int, ...], Any, tuple[int, ...]]] = {  # shape of x, index, shape of the value
    "int": ((4, 3), 1, (3,)),
    "slice": ((4, 3), slice(1, 3), (2, 3)),
    "step": ((5, 3), (slice(None, None, 2), 1), (3,)),
    "broadcast": ((4, 3), slice(1, 3), (3,)),
    "0-d value": ((4, 3), slice(1, 3), ()),
    "leading 1": ((4, 3), 1, (1, 3)),
    "None": ((4, 3), (1, None), (1, 3)),
    "all": ((4, 3), Ellipsis, (4, 1)),
    "list": ((4, 3), [2, 0], (2, 3)),
    "list after slice": ((4, 3), (slice(1, None), [2, 0]), (3, 2)),
    "nothing": ((4, 3), slice(2, 2), (0, 3)),
    "0-d": ((), (), ()),
}
WRITING = [
    *(
        Case("__setitem__", lambda x, value, index=index: write(x, index, value), (have, shape), note=note,
             oracle=lambda x, value, index=index: written(x, index, value))
        for note, (have, index, shape) in WRITES.items()
    ),
    Case("__setitem__", lambda x, m: write(x, m, 0.5), ((4, 3), booleans((4, 3))),
         oracle=lambda x, m: written(x, m, 0.5), note="mask"),
    Case("__setitem__", lambda x, i, v: write(x, (0, i), v), ((4, 3), values([2, 1]), (2,)),
         note="int and index tensor", oracle=lambda x, i, v: written(x, (0, i), v)),
    Case("__setitem__", lambda x, v: write(x, slice(0, 2), v), (integers(0, 9, (4,)), values([1.7, -1.7])),
         gradient=False, oracle=lambda x, v: written(x, slice(0, 2), [1, -1]), note="casts"),
    Case("index_put", lambda x, i, j, v: x.index_put((i, j), v), ((4, 3), values([0, 2]), values([1, 1]), (2,)),
         oracle=lambda x, i, j, v: written(x, (i, j), v)),
    Case("index_put", lambda x, i, v: x.index_put((i,), v), ((4, 3), values([3, 0]), (3,)), note="rows",
         oracle=lambda x, i, v: written(x, i, v)),
    Case("index_put", lambda x, i, v: x.index_put((i,), v, accumulate=True), ((4, 3), values([0, 2, 0]), (3, 3)),
         note="accumulate", oracle=added),
    Case("index_put", lambda x, m, v: mg.index_put(x, (m,), v), ((4, 3), booleans((4, 3)), ()), oracle=written,
         note="mask"),
    Case("index_put", lambda x, i, v: x.index_put((i,), v), ((4, 3), integers(0, 4, (0,)), (0, 3)),
         oracle=lambda x, i, v: x, note="empty"),
    *(
        Case("index_add", lambda x, i, src, dim, **o: mg.index_add(x, dim, i, src, **o),
             (have, values(index, "int64"), shape), params,
             oracle=lambda x, i, src, dim, alpha=1: added(x, (slice(None),) * (dim % x.ndim) + (i,), alpha * src),
             note=f"{index} {params}")
        for have, index, shape, params in (
            ((4, 3), [0, 2, 0], (3, 3), {"dim": 0}), ((4, 3), [2, 2], (4, 2), {"dim": 1}),
            ((4, 3), [1], (1, 3), {"dim": 0, "alpha": -2}),
            ((4, 3), [], (0, 3), {"dim": 0}), ((2, 3), [0, 0], (2, 2), {"dim": -1}),
        )
    ),
    Case("index_copy", lambda x, i, src: x.index_copy(1, i, src), ((4, 3), values([2, 0]), (4, 2)),
         oracle=lambda x, i, src: written(x, (slice(None), i), src)),
    Case("index_fill", lambda x, i: x.index_fill(0, i, 1.5), ((4, 3), values([2, 0])),
         oracle=lambda x, i: written(x, i, 1.5)),
    Case("masked_fill", lambda x, m: x.masked_fill(m, -1.5), ((4, 3), booleans((4, 3))),
         oracle=lambda x, m: np.where(m, -1.5, x)),
    Case("masked_fill", lambda x, m: mg.masked_fill(x, m, float("-inf")), ((2, 4, 3), booleans((3,))),
         note="broadcast mask", oracle=lambda x, m: np.where(m, -np.inf, x), gradient=False),
    Case("masked_fill", lambda x, m, v: x.masked_fill(m, v), ((4, 3), booleans((4, 1)), ()), note="0-d tensor",
         oracle=lambda x, m, v: np.where(m, v, x)),
    Case("masked_fill", lambda x, m: x.masked_fill(m, 7), (integers(0, 5, (4,)), booleans((4,))), note="integers",
         gradient=False, oracle=lambda x, m: np.where(m, 7, x)),
    Case("masked_fill", lambda x, m: x.masked_fill(m, 7), ((0, 3), booleans((3,))), oracle=lambda x, m: x,
         note="empty"),
    Case("masked_select", mg.masked_select, ((4, 3), booleans((4, 3))), oracle=lambda x, m: x[m]),
    Case("masked_select", mg.masked_select, ((4, 3), booleans((3,))), oracle=lambda x, m: x[np.broadcast_to(m, (4, 3))],
         note="broadcast"),
    Case("masked_select", mg.masked_select, ((3,), booleans((2, 1))), note="broadcast x",
         oracle=lambda x, m: np.broadcast_to(x, (2, 3))[np.broadcast_to(m, (2, 3))]),
    Case("masked_select", mg.masked_select, ((0, 3), booleans((3,))), oracle=lambda x, m: x.ravel(), note="empty"),
    *(
        Case("nonzero", mg.nonzero, (make,), oracle=lambda x: np.argwhere(x), gradient=False, note=note)
        for note, make in {"": booleans((3, 4)), "numbers": values([0.0, 2.0, -1.0, 0.0]), "empty": (0, 3),
                           "none": values([0, 0]),
                           "0-d": values(2.0)}.items()
    ),
    Case("nonzero", lambda x: x.nonzero(as_tuple=True), (booleans((3, 4)),), oracle=np.nonzero, gradient=False,
         note="as tuple"),
]  # fmt: skip

CASES = [*READING, *GATHERS, *SCATTERS, *WRITING]
