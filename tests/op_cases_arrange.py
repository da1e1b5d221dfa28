"""The table of ops, arrangements: splits, turns, blocks, products of sets, and copies with a part replaced."""

import itertools

import numpy as np
from case import Case
from makers import booleans, values

import minigrad as mg
from minigrad import linalg

SPLITS = [
    *(
        Case("tensor_split", lambda x, parts, dim: mg.tensor_split(x, parts, dim), (shape,),
             {"parts": parts, "dim": dim}, note=f"{parts} {dim}",
             oracle=lambda x, parts, dim: tuple(np.array_split(x, parts, dim)))
        for shape, parts, dim in (((8, 2), 3, 0), ((2, 5), (1, 3), 1), ((4,), (2, 9), 0), ((0, 2), 2, 0))
    ),
    Case("hsplit", mg.hsplit, ((2, 6),), {"indices_or_sections": 3},
         oracle=lambda x, indices_or_sections: tuple(np.hsplit(x, indices_or_sections))),
    Case("hsplit", mg.hsplit, ((6,),), {"indices_or_sections": (2,)}, note="vector",
         oracle=lambda x, indices_or_sections: tuple(np.hsplit(x, indices_or_sections))),
    Case("vsplit", mg.vsplit, ((4, 3),), {"indices_or_sections": 2},
         oracle=lambda x, indices_or_sections: tuple(np.vsplit(x, indices_or_sections))),
    Case("dsplit", mg.dsplit, ((2, 1, 4),), {"indices_or_sections": (1,)},
         oracle=lambda x, indices_or_sections: tuple(np.dsplit(x, indices_or_sections))),
    Case("narrow_copy", mg.narrow_copy, ((2, 5),), {"dim": 1, "start": 1, "length": 3},
         oracle=lambda x, dim, start, length: x[:, 1:4]),
    Case("unsafe_chunk", lambda x: x.unsafe_chunk(2, 1), ((2, 4),), oracle=lambda x: tuple(np.split(x, 2, 1))),
]  # fmt: skip

TURNS = [
    *(
        Case("rot90", mg.rot90, (shape,), {"k": k, "dims": dims}, note=f"{k} {dims}",
             oracle=lambda x, k, dims: np.rot90(x, k, dims))
        for shape, k, dims in (((2, 3), 1, (0, 1)), ((2, 3), 2, (0, 1)), ((2, 3), -1, (0, 1)), ((2, 3), 4, (0, 1)),
                               ((2, 3, 4), 3, (2, 0)), ((0, 3), 1, (0, 1)))
    ),
    Case("fliplr", mg.fliplr, ((2, 3),), oracle=np.fliplr),
    Case("flipud", mg.flipud, ((2, 3),), oracle=np.flipud),
    Case("diagflat", mg.diagflat, ((2, 3),), {"offset": 1}, oracle=lambda x, offset: np.diagflat(x, offset)),
    Case("sum_to_size", lambda x: x.sum_to_size(1, 3), ((2, 4, 3),), oracle=lambda x: x.sum((0, 1))[None]),
    *(
        Case("atleast_3d", mg.atleast_3d, (shape,), oracle=np.atleast_3d, note=f"{shape}")
        for shape in ((), (3,), (2, 3), (2, 3, 4))
    ),
    Case("atleast_2d", mg.atleast_2d, ((), (3,)), oracle=lambda *xs: tuple(np.atleast_2d(*xs))),
    Case("atleast_1d", mg.atleast_1d, ((),), oracle=np.atleast_1d),
]  # fmt: skip

JOINS = [
    Case("column_stack", lambda *xs: mg.column_stack(xs), ((3,), (3, 2), (3,)), oracle=lambda *xs: np.column_stack(xs)),
    Case("row_stack", lambda *xs: mg.row_stack(xs), ((3,), (2, 3)), oracle=lambda *xs: np.vstack(xs)),
    Case("block_diag", mg.block_diag, ((2, 3), (2,), (), (1, 1)), oracle=lambda *xs: blocks(xs)),
    Case("cartesian_prod", mg.cartesian_prod, ((2,), (3,), (2,)),
         oracle=lambda *xs: np.array(list(itertools.product(*xs)))),
    Case("cartesian_prod", mg.cartesian_prod, ((3,),), oracle=lambda x: x, note="one"),
    *(
        Case("combinations", mg.combinations, ((4,),), {"r": r, "with_replacement": again}, note=f"{r} {again}",
             oracle=lambda x, r, with_replacement: np.array(list((itertools.combinations_with_replacement
                 if with_replacement else itertools.combinations)(x, r))))
        for r, again in ((2, False), (3, False), (2, True), (1, True))
    ),
    *(
        Case("kron", mg.kron, (a, b), oracle=np.kron, note=f"{a} {b}")
        for a, b in (((2, 3), (2, 2)), ((2,), (3,)), ((2,), (2, 3)), ((), (2,)), ((2, 1, 2), (2, 3)), ((0, 2), (2, 2)))
    ),
    Case("vander", mg.vander, ((3,),), oracle=np.vander, low=0.5),
    Case("vander", mg.vander, ((3,),), {"N": 4, "increasing": True}, note="increasing", low=0.5,
         oracle=lambda x, N, increasing: np.vander(x, N, increasing)),
    Case("linalg.vander", linalg.vander, ((2, 3),), {"N": 3}, low=0.5,
         oracle=lambda x, N: x[..., None] ** np.arange(N)),
    Case("addr", mg.addr, ((2, 3), (2,), (3,)), {"beta": 0.5, "alpha": 2},
         oracle=lambda x, a, b, beta, alpha: beta * x + alpha * np.outer(a, b)),
    Case("vdot", mg.vdot, ((3,), (3,)), oracle=np.vdot),
    Case("cross", mg.cross, ((2, 3), (2, 3)), oracle=np.cross),
    Case("cross", mg.cross, ((3, 2), (3, 2)), oracle=lambda a, b: np.cross(a, b, axis=0), note="first dim of three"),
]  # fmt: skip

PLACES = [
    Case("take", mg.take, ((2, 3), values([[0, -1], [4, 4]])), oracle=np.take),
    Case("put", mg.put, ((2, 3), values([0, 4]), (2,)), oracle=lambda x, i, v: put(x, i, v)),
    Case("put", mg.put, ((2, 3), values([1, 1]), (2,)), {"accumulate": True}, note="adding",
         oracle=lambda x, i, v, accumulate: put(x, i, v, add=True)),
    Case("unravel_index", mg.unravel_index, (values([[5, 0], [3, 2]]),), {"shape": (2, 3)}, gradient=False,
         oracle=lambda i, shape: np.unravel_index(i, shape)),
    Case("masked_scatter", mg.masked_scatter, ((3, 4), booleans((3, 4)), (12,)),
         oracle=lambda x, m, s: scattered(x, m, s)),
    Case("masked_scatter", mg.masked_scatter, ((3, 4), values([True, False, True, False]), (3, 4)), note="broadcast",
         oracle=lambda x, m, s: scattered(x, np.broadcast_to(m, x.shape), s)),
    Case("masked_scatter", mg.masked_scatter, ((3,), values([False] * 3), (2,)), oracle=lambda x, m, s: x, note="none",
         gradient=False),
    Case("select_scatter", mg.select_scatter, ((2, 3), (2,)), {"dim": 1, "index": -1},
         oracle=lambda x, s, dim, index: np.concatenate([x[:, :2], s[:, None]], 1)),
    Case("slice_scatter", mg.slice_scatter, ((4, 2), (2, 2)), {"dim": 0, "start": 0, "step": 2},
         oracle=lambda x, s, dim, start, step: np.stack([s[0], x[1], s[1], x[3]])),
    Case("diagonal_scatter", mg.diagonal_scatter, ((3, 3), (2,)), {"offset": 1},
         oracle=lambda x, s, offset: np.where(np.eye(3, k=1) == 1, np.diagflat(s, 1), x)),
]  # fmt: skip


def blocks(xs: tuple) -> np.ndarray:
    xs = tuple(np.atleast_2d(x) for x in xs)
    y = np.zeros((sum(x.shape[0] for x in xs), sum(x.shape[1] for x in xs)))
    row = column = 0
    for x in xs:
        y[row : row + x.shape[0], column : column + x.shape[1]] = x
        row, column = row + x.shape[0], column + x.shape[1]
    return y


def put(x: np.ndarray, index: np.ndarray, source: np.ndarray, add: bool = False) -> np.ndarray:
    y = x.reshape(-1).copy()
    if add:
        np.add.at(y, index, source)
    else:
        y[index] = source
    return y.reshape(x.shape)


def scattered(x: np.ndarray, mask: np.ndarray, source: np.ndarray) -> np.ndarray:
    y = x.copy()
    y[mask] = source.reshape(-1)[: mask.sum()]
    return y


CASES = [*SPLITS, *TURNS, *JOINS, *PLACES]
