"""The table of ops, shapes: views, joins, pieces, repeats, orders of axes, triangles, and the factories."""

from typing import Any

import numpy as np
from case import Case
from makers import booleans, integers, values

import minigrad as mg

VIEWS = [
    *(
        Case(name, lambda x, shape, name=name: getattr(x, name)(shape), (have,), {"shape": want},
             note=f"{have} to {want}", oracle=lambda x, shape: x.reshape(shape))
        for name in ("reshape", "view")
        for have, want in (
            ((3, 4), (2, 6)), ((3, 4), (-1,)), ((2, 3, 4), (2, -1, 2)), ((), (1, 1)), ((1,), ()), ((0, 3), (3, 0, 2)),
        )
    ),
    Case("reshape", lambda x: x.T.reshape(2, 6), ((3, 4),), oracle=lambda x: x.T.reshape(2, 6), note="has to copy"),
    Case("reshape", lambda x: x.reshape(4, -1) * x.reshape(4, 3), ((3, 4),), oracle=lambda x: x.reshape(4, 3) ** 2,
         note="twice"),
    Case("view", lambda x: x.T.view(4, 3, 1), ((3, 4),), oracle=lambda x: x.T.reshape(4, 3, 1),
         note="of a transposed one"),
    Case("view_as", lambda x, other: x.view_as(other), ((3, 4), (2, 6)), oracle=lambda x, other: x.reshape(2, 6)),
    Case("view_as", lambda x, other: x.view_as(other), ((), (1,)), oracle=lambda x, other: x.reshape(1), note="0-d"),
    Case("flatten", mg.flatten, ((2, 3, 4),), oracle=np.ravel),
    Case("flatten", lambda x: x.flatten(1), ((2, 3, 4),), oracle=lambda x: x.reshape(2, 12), note="from 1"),
    Case("flatten", lambda x: x.flatten(0, -2), ((2, 3, 4),), oracle=lambda x: x.reshape(6, 4), note="to -2"),
    Case("flatten", mg.flatten, ((),), oracle=np.ravel, note="0-d"),
    Case("flatten", lambda x: x.flatten(1), ((0, 3, 2),), oracle=lambda x: x.reshape(0, 6), note="empty"),
    Case("unflatten", lambda x: x.unflatten(1, (2, 3)), ((2, 6),), oracle=lambda x: x.reshape(2, 2, 3)),
    Case("unflatten", lambda x: x.unflatten(-1, (-1, 2)), ((2, 6),), oracle=lambda x: x.reshape(2, 3, 2), note="-1"),
    Case("unflatten", lambda x: x.unflatten(1, (3, 2)), ((0, 6),), oracle=lambda x: x.reshape(0, 3, 2), note="empty"),
    *(
        Case("squeeze", lambda x, dim=None: x.squeeze() if dim is None else x.squeeze(dim), (shape,), params,
             note=f"{shape} {params}", oracle=lambda x, want=want, **params: x.reshape(want))
        for shape, params, want in (
            ((1, 3, 1), {}, (3,)), ((1, 3, 1), {"dim": 0}, (3, 1)), ((1, 3, 1), {"dim": -1}, (1, 3)),
            ((1, 3, 1), {"dim": 1}, (1, 3, 1)),
            ((1, 3, 1), {"dim": (0, 2)}, (3,)), ((), {}, ()), ((1, 0), {}, (0,)),
        )
    ),
    *(
        Case("unsqueeze", mg.unsqueeze, (shape,), {"dim": dim}, oracle=lambda x, dim: np.expand_dims(x, dim),
             note=f"{shape} {dim}")
        for shape, dim in (((2, 3), 0), ((2, 3), 1), ((2, 3), -1), ((2, 3), -3), ((), 0), ((0,), 1))
    ),
]  # fmt: skip

AXES = [
    *(
        Case("permute", lambda x, dims: x.permute(dims), (shape,), {"dims": dims},
             oracle=lambda x, dims: x.transpose(dims),
             note=f"{shape} {dims}")
        for shape, dims in (((2, 3, 4), (2, 0, 1)), ((2, 3, 4), (0, -1, 1)), ((), ()), ((0, 3), (1, 0)))
    ),
    *(
        Case("transpose", mg.transpose, (shape,), {"dim0": a, "dim1": b},
             oracle=lambda x, dim0, dim1: np.swapaxes(x, dim0, dim1),
             note=f"{shape} {a} {b}")
        for shape, a, b in (((2, 3, 4), 0, 2), ((2, 3, 4), -1, -2), ((2, 3), 1, 1), ((0, 3), 0, 1))
    ),
    Case("transpose", lambda x: x.transpose(0, -1), ((),), oracle=lambda x: x, note="0-d"),
    *(Case("t", mg.t, (shape,), oracle=np.transpose, note=f"{shape}") for shape in ((2, 3), (3,), (), (0, 2))),
    *(
        Case("T", lambda x: x.T, (shape,), oracle=np.transpose, note=f"{shape}")
        for shape in ((2, 3), (2, 3, 4), (3,), (0, 2))
    ),
    Case("mT", lambda x: x.mT, ((2, 3, 4),), oracle=lambda x: x.swapaxes(-1, -2)),
    *(
        Case("movedim", mg.movedim, ((2, 3, 4),), {"source": a, "destination": b}, note=f"{a} to {b}",
             oracle=lambda x, source, destination: np.moveaxis(x, source, destination))
        for a, b in ((0, 2), (-1, 0), ((0, 1), (1, 2)), ((2, 0), (0, -1)))
    ),
    Case("movedim", lambda x: x.movedim(0, 1), ((0, 3),), oracle=np.transpose, note="empty"),
    *(
        Case("flip", lambda x, dims: mg.flip(x, dims), (shape,), {"dims": dims},
             oracle=lambda x, dims: np.flip(x, dims),
             note=f"{shape} {dims}")
        for shape, dims in (((3, 4), (0,)), ((3, 4), (-1, 0)), ((0, 3), (0,)), ((3, 1), (1,)))
    ),
    *(
        Case("roll", mg.roll, (shape,), params, oracle=lambda x, shifts, dims=None: np.roll(x, shifts, dims),
             note=f"{shape} {params}")
        for shape, params in (
            ((3, 4), {"shifts": 2}), ((3, 4), {"shifts": -1, "dims": 0}), ((3, 4), {"shifts": (1, 5), "dims": (0, -1)}),
            ((0, 3), {"shifts": 1, "dims": 0}), ((3, 4), {"shifts": 9, "dims": 1}),
        )
    ),
    *(
        Case(name, getattr(mg, name), (shape,), {"diagonal": k}, oracle=lambda x, diagonal, f=function: f(x, diagonal),
             note=f"{shape} {k}")
        for name, function in (("tril", np.tril), ("triu", np.triu))
        for shape, k in (((3, 4), 0), ((4, 3), 1), ((2, 3, 3), -1), ((0, 3), 0), ((1, 1), 2))
    ),
    Case("tril", mg.tril, (booleans((3, 3)),), oracle=np.tril, gradient=False, note="bools"),
]  # fmt: skip


def wide(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    new = len(shape) - x.ndim
    return np.broadcast_to(x, [x.shape[i - new] if n == -1 else n for i, n in enumerate(shape)])


REPEATS = [
    *(
        Case("expand", lambda x, shape: x.expand(*shape), (have,), {"shape": want}, oracle=wide,
             note=f"{have} to {want}")
        for have, want in (
            ((3, 1), (3, 4)), ((3, 1), (2, -1, 4)), ((), (2, 3)), ((1,), (0,)), ((1, 3), (1, 3)), ((0, 1), (0, 4)),
        )
    ),
    *(
        Case("broadcast_to", lambda x, shape: mg.broadcast_to(x, shape), (have,), {"shape": want}, oracle=wide,
             note=f"{have} to {want}")
        for have, want in (((3, 1), (2, 3, 4)), ((), (2,)), ((0, 1), (0, 4)))
    ),
    Case("expand_as", lambda x, other: x.expand_as(other), ((3, 1), (2, 3, 4)),
         oracle=lambda x, other: np.broadcast_to(x, other.shape)),
    Case("expand_as", lambda x, other: x.expand_as(other), ((), (0, 2)),
         oracle=lambda x, o: np.broadcast_to(x, o.shape), note="empty"),
    *(
        Case("repeat", lambda x, repeats: x.repeat(*repeats), (shape,), {"repeats": r},
             oracle=lambda x, repeats: np.tile(x, repeats),
             note=f"{shape} by {r}")
        for shape, r in (((3, 2), (2, 3)), ((3, 2), (2, 1, 2)), ((), (3,)), ((3,), (0,)), ((0, 2), (2, 2)),
                         ((1, 2), (1, 1)))
    ),
    *(
        Case("tile", lambda x, repeats: x.tile(repeats), (shape,), {"repeats": r},
             oracle=lambda x, repeats: np.tile(x, repeats),
             note=f"{shape} by {r}")
        for shape, r in (((3, 2), (2,)), ((3, 2), (2, 2)), ((3, 2), (2, 1, 2)), ((0, 2), (3,)), ((), (2,)))
    ),
    *(
        Case("repeat_interleave", mg.repeat_interleave, (shape,), params, note=f"{shape} {params}",
             oracle=lambda x, repeats, dim=None: np.repeat(x, repeats, dim))
        for shape, params in (
            ((2, 3), {"repeats": 2}), ((2, 3), {"repeats": 3, "dim": 0}), ((2, 3), {"repeats": 2, "dim": -1}),
            ((0, 3), {"repeats": 2, "dim": 0}), ((3,), {"repeats": 0}),
        )
    ),
    Case("repeat_interleave", lambda x, n: x.repeat_interleave(n, dim=1), ((2, 3), values([2, 0, 1])),
         note="one a slice", oracle=lambda x, n: np.repeat(x, n, 1)),
]  # fmt: skip

JOINS = [
    *(
        Case("cat", lambda *xs, dim=0: mg.cat(xs, dim=dim), shapes, {"dim": dim}, note=f"{shapes} {dim}",
             oracle=lambda *xs, dim: np.concatenate(xs, dim))
        for shapes, dim in (
            (((2, 3), (1, 3)), 0), (((2, 3), (2, 1), (2, 2)), 1), (((2, 3), (2, 3)), -2), (((3,),), 0),
            (((0, 3), (2, 3)), 0),
            (((2, 0), (2, 0)), 1),
        )
    ),
    Case("cat", lambda x: mg.cat([x, x, x * 2]), ((2, 3),), oracle=lambda x: np.concatenate([x, x, 2 * x]),
         note="one tensor twice"),
    Case("cat", lambda a, b: mg.cat([a, b]), ((0,), (2, 3)), oracle=lambda a, b: b, note="skips an empty vector"),
    Case("cat", lambda a, b: mg.cat([a, b]), (integers(0, 3, (2,)), (3,)), oracle=lambda a, b: np.concatenate([a, b]),
         note="promotes"),
    *(
        Case("stack", lambda *xs, dim=0: mg.stack(xs, dim=dim), shapes, {"dim": dim}, note=f"{shapes} {dim}",
             oracle=lambda *xs, dim: np.stack(xs, dim))
        for shapes, dim in ((((2, 3), (2, 3)), 0), (((2, 3), (2, 3), (2, 3)), -1), (((), ()), 0), (((0, 2), (0, 2)), 1),
                            (((3,),), 1))
    ),
    *(
        Case(name, lambda *xs, name=name: getattr(mg, name)(xs), shapes, note=f"{shapes}",
             oracle=lambda *xs, name=name: getattr(np, name)(xs))
        for name in ("hstack", "vstack", "dstack")
        for shapes in (((3,), (3,)), ((2, 3), (2, 3)), ((2, 3, 1), (2, 3, 1)), ((0, 2), (0, 2)))
    ),
    Case("hstack", lambda *xs: mg.hstack(xs), ((), (2,)), oracle=lambda *xs: np.hstack(xs), note="0-d"),
    *(
        Case("meshgrid", lambda *xs, indexing: mg.meshgrid(*xs, indexing=indexing), shapes, {"indexing": how},
             note=f"{shapes} {how}", oracle=lambda *xs, indexing: tuple(np.meshgrid(*xs, indexing=indexing)))
        for shapes in (((3,), (4,)), ((2,), (3,), (4,)), ((0,), (2,)), ((3,),))
        for how in ("ij", "xy")
    ),
]  # fmt: skip


def pieces(x: np.ndarray, sizes: Any, dim: int) -> tuple[np.ndarray, ...]:
    """Consecutive pieces: of the sizes listed, or all of one size with a shorter last one."""
    if isinstance(sizes, int):
        sizes = [sizes] * (-(-x.shape[dim] // sizes))
    return tuple(np.split(x, np.cumsum(sizes)[:-1], dim))


PIECES = [
    *(
        Case("split", lambda x, n, dim: mg.split(x, n, dim), (shape,), {"n": n, "dim": dim}, note=f"{shape} {n} {dim}",
             oracle=lambda x, n, dim: pieces(x, n, dim))
        for shape, n, dim in (((5, 2), 2, 0), ((2, 6), 3, -1), ((5, 2), [1, 4], 0), ((2, 3), [0, 3], 1), ((0, 3), 2, 1))
    ),
    Case("split_with_sizes", lambda x: x.split_with_sizes([2, 1, 2], 1), ((2, 5),),
         oracle=lambda x: pieces(x, [2, 1, 2], 1)),
    Case("split_with_sizes", lambda x: mg.split_with_sizes(x, [1, 0]), ((1,),), oracle=lambda x: (x, x[:0]),
         note="an empty one"),
    *(
        Case("chunk", mg.chunk, (shape,), {"chunks": n, "dim": dim}, note=f"{shape} {n} {dim}",
             oracle=lambda x, chunks, dim: pieces(x, -(-x.shape[dim] // chunks), dim))
        for shape, n, dim in (((5, 2), 2, 0), ((2, 6), 3, -1), ((5, 2), 4, 0), ((2, 3), 7, 1), ((0, 3), 3, 1))
    ),
    *(
        Case("unbind", mg.unbind, (shape,), {"dim": dim}, oracle=lambda x, dim: tuple(np.moveaxis(x, dim, 0)),
             note=f"{shape} {dim}")
        for shape, dim in (((3, 2), 0), ((3, 2), -1), ((2,), 0), ((3, 0), 0))
    ),
    *(
        Case("narrow", mg.narrow, (shape,), {"dim": dim, "start": start, "length": n},
             note=f"{shape} {dim} {start} {n}",
             oracle=lambda x, dim, start, length: np.moveaxis(np.moveaxis(x, dim, 0)[start:][:length], 0, dim))
        for shape, dim, start, n in (((4, 3), 0, 1, 2), ((4, 3), -1, 0, 3), ((4, 3), 0, -2, 2), ((4, 3), 1, 3, 0),
                                     ((0, 3), 1, 1, 1))
    ),
    *(
        Case("select", mg.select, (shape,), {"dim": dim, "index": i},
             oracle=lambda x, dim, index: np.take(x, index, dim),
             note=f"{shape} {dim} {i}")
        for shape, dim, i in (((4, 3), 0, 1), ((4, 3), -1, -1), ((3,), 0, 2), ((0, 3), 1, 0))
    ),
    *(
        Case("unfold", lambda x, dim, size, step: x.unfold(dim, size, step), (shape,),
             {"dim": dim, "size": size, "step": step},
             oracle=lambda x, dim, size, step: np.moveaxis(
                 np.moveaxis(np.lib.stride_tricks.sliding_window_view(x, size, dim), dim, 0)[::step], 0, dim),
             note=f"{shape} {dim} {size} {step}")
        for shape, dim, size, step in (((7,), 0, 3, 2), ((2, 5), 1, 2, 1), ((5, 2, 3), 0, 5, 1), ((4, 0), 0, 2, 2))
    ),
    Case("diagonal", mg.diagonal, ((3, 4),), oracle=np.diagonal),
    *(
        Case("diagonal", mg.diagonal, ((2, 3, 4),), {"offset": k, "dim1": a, "dim2": b}, note=f"{k} {a} {b}",
             oracle=lambda x, offset, dim1, dim2: np.diagonal(x, offset, dim1, dim2))
        for k, a, b in ((0, 0, 1), (1, -2, -1), (-1, 2, 0), (3, 0, 1), (5, 1, 2))
    ),
    Case("diagonal", mg.diagonal, ((0, 3),), oracle=np.diagonal, note="empty"),
    *(
        Case("diag", mg.diag, (shape,), {"diagonal": k}, oracle=lambda x, diagonal: np.diag(x, diagonal),
             note=f"{shape} {k}")
        for shape, k in (((3,), 0), ((3,), 2), ((3,), -1), ((3, 4), 0), ((3, 4), 1), ((0,), 0))
    ),
    Case("diag_embed", mg.diag_embed, ((2, 3),), oracle=lambda x: np.stack([np.diag(row) for row in x])),
    Case("diag_embed", mg.diag_embed, ((2, 3),), {"offset": -1},
         oracle=lambda x, offset: np.stack([np.diag(r, -1) for r in x]),
         note="offset"),
    Case("diag_embed", mg.diag_embed, ((2, 3),), {"dim1": 0, "dim2": 2}, note="dims",
         oracle=lambda x, dim1, dim2: np.stack([np.diag(row) for row in x], 1)),
    Case("diag_embed", mg.diag_embed, ((0, 2),), oracle=lambda x: np.zeros((0, 2, 2)), note="empty"),
]  # fmt: skip


def made(name: str, call: Any, expected: Any, note: str = "") -> Case:
    """A factory: no inputs, hence no gradient."""
    return Case(name, call, (), oracle=lambda: expected, gradient=False, note=note)


F8 = {"dtype": mg.float64}
FACTORIES = [
    made("arange", lambda: mg.arange(5), np.arange(5)),
    made("arange", lambda: mg.arange(1, 7, 2), np.arange(1, 7, 2), "step"),
    made("arange", lambda: mg.arange(3, -2, -2), np.arange(3, -2, -2), "down"),
    made("arange", lambda: mg.arange(0, 1, 0.25, **F8), np.arange(0, 1, 0.25), "floats"),
    made("arange", lambda: mg.arange(2.5), np.arange(3, dtype=np.float32), "default float"),
    made("arange", lambda: mg.arange(0), np.arange(0), "empty"),
    made("linspace", lambda: mg.linspace(0, 1, 5, **F8), np.linspace(0, 1, 5)),
    made("linspace", lambda: mg.linspace(3, -1, 1, **F8), np.array([3.0]), "one"),
    made("linspace", lambda: mg.linspace(3, -1, 0), np.zeros(0, np.float32), "empty"),
    made("eye", lambda: mg.eye(3, **F8), np.eye(3)),
    made("eye", lambda: mg.eye(2, 3), np.eye(2, 3, dtype=np.float32), "not square"),
    made("eye", lambda: mg.eye(0, **F8), np.eye(0), "empty"),
    made("zeros", lambda: mg.zeros(2, 3), np.zeros((2, 3), np.float32)),
    made("zeros", lambda: mg.zeros((2, 0), dtype=mg.int64), np.zeros((2, 0), np.int64), "empty"),
    made("zeros", lambda: mg.zeros((), dtype=mg.bool), np.zeros((), bool), "0-d"),
    made("ones", lambda: mg.ones([2, 3]), np.ones((2, 3), np.float32)),
    made("ones", lambda: mg.ones(3, dtype=mg.int32), np.ones(3, np.int32), "integers"),
    made("ones", lambda: mg.ones(()), np.ones((), np.float32), "0-d"),
    made("full", lambda: mg.full((2, 3), 2.5), np.full((2, 3), 2.5, np.float32)),
    made("full", lambda: mg.full((2,), 7), np.full(2, 7), "integers"),
    made("full", lambda: mg.full((), True), np.full((), True), "0-d bool"),
    *(
        Case(name, call, (make,), oracle=oracle, gradient=False, note=note)
        for note, make in {"": (2, 3), "0-d": (), "empty": (0, 2), "integers": integers(0, 5, (3,), "int32")}.items()
        for name, call, oracle in (
            ("zeros_like", mg.zeros_like, np.zeros_like),
            ("ones_like", mg.ones_like, np.ones_like),
            ("full_like", lambda x: mg.full_like(x, 3), lambda x: np.full_like(x, 3)),
            ("new_zeros", lambda x: x.new_zeros(2, 3), lambda x: np.zeros((2, 3), x.dtype)),
        )
    ),
]  # fmt: skip

CASES = [*VIEWS, *AXES, *REPEATS, *JOINS, *PIECES, *FACTORIES]
