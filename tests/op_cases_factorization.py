"""The table of ops, linear algebra: norms, inverses, determinants, systems of equations, factorisations.

Singular vectors and eigenvectors are determined up to their sign, so their squares and their products are compared.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from case import Case, Maker
from makers import apart, away_from, values

import minigrad as mg
from minigrad import linalg, ops

INF = math.inf
SQUARE: dict[str, tuple[int, ...]] = {
    "": (3, 3),
    "batch": (2, 3, 3),
    "size 1": (1, 1),
    "empty": (0, 0),
    "no batch": (0, 2, 2),
    "batch of empty": (2, 0, 0),
}


def regular(*shape: int) -> Maker:
    """Matrices well away from singular ones."""
    return lambda rng: rng.uniform(-1, 1, shape) + 3 * np.eye(*shape[-2:])


def of_rank(rank: int, *shape: int) -> Maker:
    """Matrices of this rank."""
    *lead, m, n = shape
    return lambda rng: rng.uniform(-1, 1, (*lead, m, rank)) @ rng.uniform(-1, 1, (*lead, rank, n))


def spread(*shape: int) -> Maker:
    """Matrices with the singular values 1, 2, 3 ...: being distinct, they determine the vectors."""

    def make(rng: np.random.Generator) -> np.ndarray:
        u, s, vh = np.linalg.svd(rng.standard_normal(shape), full_matrices=False)
        return (u * np.arange(s.shape[-1], 0.0, -1.0)) @ vh

    return make


def square(name: str, function: Callable, oracle: Callable, make: Callable = regular, **options: Any) -> list[Case]:
    return [
        Case(name, function, (make(*shape),), oracle=oracle, note=note, **options) for note, shape in SQUARE.items()
    ]


def t(x: Any) -> Any:
    return x.swapaxes(-2, -1)


DETERMINANTS = [
    *square("linalg.det", linalg.det, np.linalg.det),
    *(
        Case("linalg.det", linalg.det, (of_rank(rank, 4, 4),), note=f"rank {rank} of 4")
        for rank in (3, 2, 1)
    ),
    Case("linalg.det", linalg.det, (of_rank(2, 2, 3, 3),), note="singular batch"),
    Case("linalg.det", linalg.det, (values(np.zeros((2, 2))),), oracle=np.linalg.det, note="zeros"),
    Case("linalg.det", linalg.det, (values(np.eye(3)),), oracle=np.linalg.det, note="identity"),
    Case("linalg.det", linalg.det, (values([[0.0, 1.0], [1.0, 0.0]]),), oracle=np.linalg.det, note="negative"),
    Case("cofactors_slope", ops.cofactors_slope, ((2, 3, 3), regular(2, 3, 3)), note="the second derivative of det"),
    *square("linalg.slogdet", lambda x: linalg.slogdet(x).logabsdet, lambda x: np.linalg.slogdet(x)[1]),
    Case("linalg.slogdet", lambda x: linalg.slogdet(x), (spread(3, 3),), oracle=np.linalg.slogdet, note="sign"),
    *square("logdet", mg.logdet, lambda x: np.log(np.linalg.det(x))),
]  # fmt: skip

INVERSES = [
    *square("linalg.inv", linalg.inv, np.linalg.inv),
    Case("linalg.inv", lambda x: mg.inverse(x.mT), (regular(3, 3),), oracle=lambda x: np.linalg.inv(x.T),
         note="transposed"),
    *square("linalg.matrix_power", lambda x: linalg.matrix_power(x, 3), lambda x: x @ x @ x),
    *(
        Case("linalg.matrix_power", linalg.matrix_power, (regular(2, 3, 3),), {"n": n},
             oracle=np.linalg.matrix_power, note=f"to the {n}")
        for n in (0, 1, 2, 6, -1, -2)
    ),
    *(
        Case("linalg.pinv", linalg.pinv, (make,), oracle=np.linalg.pinv, note=note)
        for note, make in {
            "": regular(3, 3), "tall": spread(4, 2), "wide": spread(2, 4), "batch": spread(2, 3, 2),
            "empty": values(np.zeros((0, 3))),
        }.items()
    ),
    Case("linalg.pinv", lambda a, b: linalg.pinv(a @ b), ((4, 2), (2, 3)), oracle=lambda a, b: np.linalg.pinv(a @ b),
         note="of rank 2"),
    *(
        Case("linalg.matrix_exp", linalg.matrix_exp, (shape,), oracle=lambda x: x, note=f"{shape}")
        for shape in ((0, 0), (0, 2, 2))
    ),
    Case("linalg.matrix_exp", linalg.matrix_exp, (values(np.diag([0.0, 1.0, -5.0])),), note="diagonal",
         oracle=lambda x: np.diag(np.exp(np.diag(x)))),
    Case("linalg.matrix_exp", linalg.matrix_exp, (values([[0.0, -2.0], [2.0, 0.0]]),), note="rotation",
         oracle=lambda x: np.array([[math.cos(2), -math.sin(2)], [math.sin(2), math.cos(2)]])),
    Case("linalg.matrix_exp", linalg.matrix_exp, ((2, 3, 3),), note="batch"),
]  # fmt: skip

SYSTEMS = [
    *(
        Case("linalg.solve", linalg.solve, (regular(*a), b), oracle=np.linalg.solve, note=note)
        for note, (a, b) in {
            "": ((3, 3), (3, 2)), "vector": ((3, 3), (3,)), "batch": ((2, 3, 3), (2, 3, 2)), "size 1": ((1, 1), (1, 1)),
            "broadcast": ((2, 1, 3, 3), (4, 3, 2)), "one matrix": ((3, 3), (2, 3, 2)), "no columns": ((3, 3), (3, 0)),
            "empty": ((0, 0), (0, 2)), "no batch": ((0, 3, 3), (3, 2)), "one vector": ((2, 3, 3), (3,)),
        }.items()
    ),
    Case("linalg.solve", linalg.solve, (regular(2, 3, 3), (2, 3)), note="batch of vectors",
         oracle=lambda a, b: np.linalg.solve(a, b[..., None])[..., 0]),
    Case("linalg.solve", linalg.solve, (regular(3, 3), (2, 3)), {"left": False}, note="on the right",
         oracle=lambda a, b, left: b @ np.linalg.inv(a)),
    *(
        Case("linalg.solve_triangular", linalg.solve_triangular, (regular(3, 3), b), {"upper": upper, **params},
             note=f"upper {upper} {params}",
             oracle=lambda a, b, upper, left=True, unitriangular=False: triangular(a, b, upper, left, unitriangular))
        for upper in (True, False)
        for b, params in (((3, 2), {}), ((2, 3), {"left": False}), ((3, 1), {"unitriangular": True}))
    ),
    *(
        Case("linalg.lstsq", lambda a, b: linalg.lstsq(a, b).solution, (a, b), note=note,
             oracle=lambda a, b: np.linalg.pinv(a) @ b)
        for note, (a, b) in {
            "": (spread(5, 3), (5, 2)), "vector": (spread(5, 3), (5,)), "wide": (spread(2, 4), (2, 3)),
            "square": (regular(3, 3), (3, 2)), "batch": (spread(2, 4, 2), (2, 4, 3)),
        }.items()
    ),
    Case("linalg.lstsq", lambda a, b: linalg.lstsq(a, b, driver="gels")[:2], (spread(5, 3), (5, 2)),
         oracle=lambda a, b: np.linalg.lstsq(a, b)[:2], note="residuals"),
    Case("cholesky_solve", lambda b, a: b.cholesky_solve(linalg.cholesky(a @ a.mT)), ((3, 2), regular(3, 3)),
         oracle=lambda b, a: np.linalg.solve(a @ a.T, b)),
    Case("cholesky_inverse", lambda a: linalg.cholesky(a @ a.mT, upper=True).cholesky_inverse(upper=True),
         (regular(3, 3),), oracle=lambda a: np.linalg.inv(a @ a.T)),
]  # fmt: skip


def triangular(a: np.ndarray, b: np.ndarray, upper: bool, left: bool, unitriangular: bool) -> np.ndarray:
    a = np.triu(a) if upper else np.tril(a)
    a = a - np.diag(np.diag(a)) + np.eye(3) if unitriangular else a
    return np.linalg.solve(a, b) if left else b @ np.linalg.inv(a)


def squares_of_svd(x: Any, full: bool = True) -> tuple:
    u, s, vh = linalg.svd(x, full) if isinstance(x, mg.Tensor) else np.linalg.svd(x, full)
    k = s.shape[-1]
    return u[..., :k] * u[..., :k], s, vh[..., :k, :] * vh[..., :k, :], u[..., :k] @ vh[..., :k, :]


def squares_of_eigh(x: Any) -> tuple:
    values, vectors = linalg.eigh(x + x.mT) if isinstance(x, mg.Tensor) else np.linalg.eigh(x + t(x))
    return values, vectors * vectors


FACTORISATIONS = [
    *square("linalg.cholesky", lambda x: linalg.cholesky(x @ x.mT), lambda x: np.linalg.cholesky(x @ t(x))),
    Case("linalg.cholesky", lambda x: linalg.cholesky(x @ x.mT, upper=True), (regular(3, 3),), note="upper",
         oracle=lambda x: np.linalg.cholesky(x @ x.T).T),
    *(
        Case("linalg.qr", lambda x, mode: tuple(linalg.qr(x, mode)), (make,), {"mode": mode}, note=f"{note} {mode}",
             oracle=lambda x, mode: tuple(np.linalg.qr(x, mode)))
        for note, make, mode in (
            ("", regular(3, 3), "reduced"), ("tall", spread(4, 2), "reduced"), ("wide", spread(2, 4), "reduced"),
            ("batch", spread(2, 3, 2), "reduced"), ("", regular(3, 3), "complete"), ("wide", spread(2, 4), "complete"),
            ("empty", values(np.zeros((0, 3))), "reduced"), ("no columns", values(np.zeros((3, 0))), "reduced"),
        )
    ),
    Case("linalg.qr", lambda x: tuple(linalg.qr(x, "complete")), (spread(4, 2),), note="complete tall", gradient=False,
         oracle=lambda x: tuple(np.linalg.qr(x, "complete"))),
    Case("linalg.qr", lambda x: linalg.qr(x, "r").R, (spread(4, 2),), note="r", oracle=lambda x: np.linalg.qr(x, "r")),
    *(
        Case("linalg.svd", squares_of_svd, (make,), {"full": full}, oracle=squares_of_svd, note=note)
        for note, make, full in (
            ("", spread(3, 3), True), ("tall", spread(4, 2), False), ("wide", spread(2, 4), False),
            ("full tall", spread(4, 2), True), ("full wide", spread(2, 4), True), ("batch", spread(2, 3, 2), False),
            ("empty", values(np.zeros((0, 3))), False),
        )
    ),
    Case("svd", lambda x: (lambda u, s, v: (u * s) @ v.mT)(*x.svd()), (spread(4, 2),), oracle=lambda x: x),
    Case("linalg.svd", lambda x: linalg.svd(x)[0][:, 2:].abs(), (spread(3, 2),), note="completing", gradient=False,
         oracle=lambda x: np.abs(np.linalg.svd(x)[0][:, 2:])),
    *(
        Case("linalg.svdvals", linalg.svdvals, (make,), oracle=lambda x: np.linalg.svd(x, compute_uv=False), note=note)
        for note, make in {"": spread(3, 3), "tall": spread(4, 2), "wide": spread(2, 4), "batch": spread(2, 3, 2),
                           "empty": values(np.zeros((0, 3)))}.items()
    ),
    *square("linalg.eigh", squares_of_eigh, squares_of_eigh, make=spread),
    *square("linalg.eigvalsh", lambda x: linalg.eigvalsh(x + x.mT), lambda x: np.linalg.eigvalsh(x + t(x)),
            make=spread),
    Case("linalg.eigvalsh", linalg.eigvalsh, (spread(3, 3),), {"UPLO": "U"}, gradient=False, note="upper triangle",
         oracle=lambda x, UPLO: np.linalg.eigvalsh(np.triu(x) + np.triu(x, 1).T)),
    *(
        Case("linalg.cond", linalg.cond, (regular(2, 3, 3),), {"p": p}, note=f"{p}", oracle=np.linalg.cond)
        for p in (None, 2, -2, 1, INF, "fro")
    ),
    Case("linalg.matrix_rank", linalg.matrix_rank, (of_rank(2, 2, 4, 3),), {"atol": 1e-3}, gradient=False,
         oracle=lambda x, atol: np.linalg.matrix_rank(x, atol)),
]  # fmt: skip

NORMS = [
    *(
        Case("linalg.norm", linalg.norm, (away_from((0.0,), shape),), params, note=f"{shape} {params}",
             oracle=lambda x, **params: np.linalg.norm(x, **as_numpy(params)))
        for shape, params in (
            ((3, 4), {}), ((4,), {}), ((2, 3, 4), {}), ((4,), {"ord": 3}), ((4,), {"ord": 1}),
            ((3, 4), {"ord": "fro"}), ((2, 3, 4), {"dim": 1}), ((2, 3, 4), {"ord": 2.5, "dim": -1, "keepdim": True}),
            ((2, 3, 4), {"ord": "fro", "dim": (0, 2)}), ((2, 3, 4), {"ord": 1, "dim": (2,)}),
            ((0, 3), {"ord": 2, "dim": 0}),
        )
    ),
    *(
        Case("linalg.norm", linalg.norm, (apart(shape),), params, note=f"{shape} {params}",
             oracle=lambda x, **params: np.linalg.norm(x, **as_numpy(params)))
        for shape, params in (
            ((3, 4), {"ord": INF}), ((3, 4), {"ord": -INF}), ((3, 4), {"ord": 1}), ((3, 4), {"ord": -1}),
            ((5,), {"ord": INF}), ((5,), {"ord": -INF}), ((2, 3, 4), {"ord": 1, "dim": (2, 0)}),
            ((2, 3, 4), {"ord": INF, "dim": (0, 1), "keepdim": True}),
        )
    ),
    *(
        Case("linalg.norm", linalg.norm, (spread(3, 4),), {"ord": order, "keepdim": kept}, note=f"{order} {kept}",
             oracle=lambda x, **params: np.linalg.norm(x, **as_numpy(params)))
        for order in (2, -2, "nuc")
        for kept in (False, True)
    ),
    Case("linalg.matrix_norm", linalg.matrix_norm, (away_from((0.0,), (2, 3, 4)),),
         oracle=lambda x: np.linalg.norm(x, axis=(-2, -1))),
    Case("linalg.matrix_norm", lambda x: linalg.matrix_norm(x, "nuc", dim=(0, 2)), ((2, 3, 4),), note="nuclear",
         oracle=lambda x: np.linalg.norm(x, "nuc", axis=(0, 2))),
    Case("norm", lambda x: x.norm("nuc"), (spread(3, 4),), oracle=lambda x: np.linalg.norm(x, "nuc"), note="nuclear"),
    *(
        Case("linalg.vector_norm", linalg.vector_norm, (away_from((0.0,), (3, 4)),), params, note=f"{params}",
             oracle=lambda x, ord=2, dim=None, keepdim=False: vector_norm(x, ord, dim, keepdim))
        for params in ({}, {"ord": 3}, {"ord": 1, "dim": 0}, {"ord": 0.5, "dim": (0, 1)}, {"ord": 2, "keepdim": True},
                       {"ord": -1, "dim": 1})
    ),
    Case("linalg.vector_norm", linalg.vector_norm, (away_from((0.0,), (3, 4)),), {"ord": 0}, gradient=False,
         oracle=lambda x, ord: np.array(12.0), note="count"),
    Case("linalg.vector_norm", linalg.vector_norm, ((0, 3),), oracle=lambda x: np.array(0.0), note="empty"),
]  # fmt: skip


def as_numpy(params: dict[str, Any]) -> dict[str, Any]:
    names = {"dim": "axis", "keepdim": "keepdims"}
    params = {names.get(name, name): value for name, value in params.items()}
    axis = params.get("axis")
    return {**params, "axis": axis[0]} if isinstance(axis, tuple) and len(axis) == 1 else params


def vector_norm(x: np.ndarray, ord: float, dim: Any, keepdim: bool) -> np.ndarray:
    return (np.abs(x) ** ord).sum(dim, keepdims=keepdim) ** (1 / ord)


PRODUCTS = [
    *(
        Case("linalg.multi_dot", lambda *xs: linalg.multi_dot(xs), shapes, note=f"{shapes}",
             oracle=lambda *xs: np.linalg.multi_dot(xs))
        for shapes in (((2, 3), (3, 4)), ((2, 3), (3, 4), (4, 1), (1, 5)), ((3,), (3, 4), (4,)), ((4, 2), (2, 3), (3,)))
    ),
    Case("chain_matmul", mg.chain_matmul, ((2, 3), (3, 4), (4, 2)), oracle=lambda *xs: np.linalg.multi_dot(xs)),
    Case("linalg.vecdot", linalg.vecdot, ((2, 3), (3,)), oracle=lambda a, b: (a * b).sum(-1)),
    *(
        Case("linalg.cross", linalg.cross, (a, b), {"dim": dim}, note=f"{a} {b}",
             oracle=lambda a, b, dim: np.cross(a, b, axis=dim))
        for a, b, dim in (((3,), (3,), -1), ((4, 3), (1, 3), -1), ((3, 2), (3, 2), 0), ((0, 3), (0, 3), 1))
    ),
    Case("linalg.diagonal", linalg.diagonal, ((2, 3, 4),), {"offset": 1},
         oracle=lambda x, offset: np.diagonal(x, offset, -2, -1)),
]  # fmt: skip

CASES = [*DETERMINANTS, *INVERSES, *SYSTEMS, *FACTORISATIONS, *NORMS, *PRODUCTS]
