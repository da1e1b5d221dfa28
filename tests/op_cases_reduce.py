"""The table of ops, reductions: sums, products, variances, extremes, norms, running sums, orders."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from case import Case, Maker
from makers import apart, booleans, integers, values, with_zeros

import minigrad as mg
from minigrad import ops

INF, NAN = math.inf, math.nan

# Every call form of a reduction: input shape and keyword arguments.
FORMS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "": ((3, 4), {}),
    "dim": ((3, 4), {"dim": 0}),
    "last dim": ((2, 3, 4), {"dim": -1}),
    "keepdim": ((2, 3, 4), {"dim": 1, "keepdim": True}),
    "size 1": ((3, 1, 2), {"dim": 1}),
    "0-d": ((), {}),
    "0-d, dim": ((), {"dim": -1}),
    "kept empty": ((0, 3), {"dim": 1}),
}
TWO_DIMS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "two dims": ((2, 3, 4), {"dim": (0, -1)}),
    "two dims, keepdim": ((2, 3, 4), {"dim": (0, -1), "keepdim": True}),
}
OVER_NOTHING: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "empty": ((0, 3), {}),
    "over nothing": ((0, 3), {"dim": 0}),
}


def numpys(function: Callable) -> Callable:
    """NumPy's reduction in PyTorch's call form."""

    def oracle(x: np.ndarray, dim: Any = None, keepdim: bool = False, **options: Any) -> Any:
        return function(x, axis=dim if x.ndim else None, keepdims=keepdim and x.ndim > 0, **options)

    return oracle


def reduction(
    name: str, oracle: Callable, *forms: dict, make: Callable[..., Any] | None = None, **options: Any
) -> list[Case]:
    """Cases of a reduction in these call forms."""
    cases = []
    for note, (shape, params) in {k: v for form in forms for k, v in form.items()}.items():
        inputs = (make(shape) if make else shape,)
        cases.append(Case(name, getattr(mg, name), inputs, params, oracle=numpys(oracle), note=note, **options))
    return cases


def spread(function: Callable) -> Callable:
    """NumPy's var or std with PyTorch's `unbiased` and `correction`."""

    def oracle(x: np.ndarray, axis: Any, keepdims: bool, unbiased: bool = True, correction: int | None = None) -> Any:
        ddof = int(unbiased) if correction is None else correction
        with np.errstate(all="ignore"):
            return function(x, axis=axis, keepdims=keepdims, ddof=ddof)

    return oracle


def all_forms(*names: str) -> dict[str, tuple[tuple[int, ...], dict[str, Any]]]:
    """The forms of reductions that have these."""
    return {name: FORMS[name] for name in names}


SUMS = [
    *reduction("sum", np.sum, FORMS, TWO_DIMS, OVER_NOTHING),
    Case("sum", mg.sum, (integers(-3, 4, (3, 2), "int32"),), {"dim": 0},
         oracle=lambda x, dim: x.sum(dim, dtype=np.int64),
         gradient=False, note="integers"),
    Case("sum", mg.sum, (booleans((3, 2)),), oracle=lambda x: x.sum(dtype=np.int64), gradient=False, note="bools"),
    Case("sum", mg.sum, ((2, 3),), {"axis": 1, "keepdims": True}, oracle=np.sum, note="axis, keepdims"),
    Case("sum", lambda x: mg.sum(x, dim=()), ((2, 3),), oracle=np.sum, note="no dims"),
    Case("sum", mg.sum, (integers(-3, 4, (3,)),), {"dtype": mg.float64}, oracle=lambda x, dtype: x.sum(dtype=float),
         gradient=False, note="dtype"),
    *reduction("nansum", np.nansum, FORMS),
    *reduction("mean", np.mean, FORMS, TWO_DIMS),
    Case("mean", mg.mean, ((0, 3),), {"dim": 0}, oracle=lambda x, dim: np.full(3, NAN), gradient=False,
         note="over nothing"),
    *reduction("prod", np.prod, FORMS, OVER_NOTHING, low=0.5),
    *(
        Case("prod", mg.prod, (with_zeros((3, 4), *zeros),), {"dim": 1}, oracle=lambda x, dim: x.prod(dim), note=note)
        for note, zeros in {"one zero": [(0, 1)], "two zeros": [(0, 1), (0, 3), (2, 0)]}.items()
    ),
    Case("prod", mg.prod, (with_zeros((2, 3), (0, 1)),), oracle=np.prod, note="of all, one zero"),
    Case("prod", mg.prod, (integers(1, 4, (5,), "int32"),), oracle=lambda x: x.prod(dtype=np.int64), gradient=False,
         note="integers"),
    *reduction("logsumexp", np.logaddexp.reduce, {note: form for note, form in FORMS.items() if "dim" in form[1]}),
    *(
        Case("logsumexp", mg.logsumexp, ((2, 3, 4),), params, note=f"{params}",
             oracle=lambda x, dim, keepdim=False: np.log(np.exp(x).sum(axis=dim, keepdims=keepdim)))
        for params in ({"dim": (0, 2)}, {"dim": (1, -1), "keepdim": True})
    ),
    Case("logsumexp", mg.logsumexp, (values([[1e3, 1e3], [-INF, 2.0], [-INF, -INF], [INF, 0.0]]),), {"dim": 1},
         gradient=False,
         oracle=lambda x, dim: np.array([1e3 + math.log(2), 2.0, -INF, INF]), note="large and infinite"),
]  # fmt: skip

SPREADS = [
    *(
        case
        for name, function in (("var", np.var), ("std", np.std))
        for case in (
            *reduction(name, spread(function), all_forms("", "dim", "last dim", "keepdim", "kept empty"), TWO_DIMS),
            *(
                Case(name, getattr(mg, name), ((3, 4),), params, oracle=numpys(spread(function)), note=f"{params}")
                for params in ({"dim": 1, "unbiased": False}, {"correction": 0}, {"dim": 0, "correction": 2})
            ),
            Case(name, getattr(mg, name), ((3, 1),), {"dim": 1}, oracle=lambda x, dim: np.full(3, NAN), gradient=False,
                 note="of one entry"),
        )
    ),
    *(
        Case(name, getattr(mg, name), ((3, 4),), params, note=f"{params}",
             oracle=lambda x, function=function, **p: (numpys(spread(function))(x, **p), x.mean(p.get("dim"))))
        for name, function in (("var_mean", np.var), ("std_mean", np.std))
        for params in ({}, {"dim": 1}, {"dim": -2, "unbiased": False})
    ),
]  # fmt: skip


def largest(x: np.ndarray, dim: int, keepdim: bool = False) -> Any:
    order = np.argmax(x, axis=dim if x.ndim else None, keepdims=keepdim and x.ndim > 0)
    return x.max(axis=dim if x.ndim else None, keepdims=keepdim and x.ndim > 0), order


def smallest(x: np.ndarray, dim: int, keepdim: bool = False) -> Any:
    values, order = largest(-x, dim, keepdim)
    return -values, order


def arg(function: Callable) -> Callable:
    return lambda x, axis, keepdims: function(x, axis=axis, keepdims=keepdims)


TIES = values([[2.0, 3.0, 3.0], [1.0, 1.0, 0.0]])
EXTREMES = [
    *reduction("amax", np.max, FORMS, TWO_DIMS, make=apart),
    *reduction("amin", np.min, FORMS, TWO_DIMS, make=apart),
    *reduction("argmax", arg(np.argmax), FORMS, make=apart, gradient=False),
    *reduction("argmin", arg(np.argmin), FORMS, make=apart, gradient=False),
    *(
        Case(name, getattr(mg, name), (TIES,), {"dim": 1}, oracle=numpys(oracle), gradient=False, note="ties")
        for name, oracle in (("amax", np.max), ("amin", np.min), ("argmax", np.argmax), ("argmin", np.argmin))
    ),
    *(
        Case(name, getattr(mg, name), (values([[1.0, NAN, 2.0]]),), {"dim": 1}, oracle=numpys(oracle), gradient=False,
             note="nan")
        for name, oracle in (("amax", np.max), ("amin", np.min), ("argmax", np.argmax), ("argmin", np.argmin))
    ),
    *(
        Case(name, getattr(mg, name), (apart(shape),), params, oracle=pair, note=note)
        for name, pair in (("max", largest), ("min", smallest))
        for note, (shape, params) in all_forms("dim", "last dim", "keepdim", "size 1", "0-d, dim", "kept empty").items()
    ),
    Case("max", mg.max, (apart((3, 4)),), oracle=np.max, note="of all"),
    Case("min", mg.min, (apart((3, 4)),), oracle=np.min, note="of all"),
    Case("max", mg.max, (apart((3, 4)), apart((4,), -1.5, 1.5)), oracle=np.maximum, note="two tensors"),
    Case("min", mg.min, (apart((3, 4)), apart((4,), -1.5, 1.5)), oracle=np.minimum, note="two tensors"),
    Case("max", mg.max, (TIES,), {"dim": 1}, oracle=largest, gradient=False, note="ties"),
    Case("min", mg.min, (TIES,), {"dim": 1}, oracle=smallest, gradient=False, note="ties"),
    Case("max", mg.max, (integers(-3, 4, (3, 4)),), {"dim": 1}, oracle=largest, gradient=False, note="integers"),
    *(
        Case(name, getattr(mg, name), (make,), params, oracle=numpys(oracle), gradient=False, note=note)
        for name, oracle in (("all", np.all), ("any", np.any))
        for note, make, params in (
            ("", booleans((3, 4)), {}), ("dim", booleans((3, 4)), {"dim": 0}),
            ("keepdim", booleans((3, 4)), {"dim": 1, "keepdim": True}),
            ("numbers", values([[0.0, 1.0], [2.0, NAN]]), {"dim": 1}), ("over nothing", booleans((0, 3)), {"dim": 0}),
            ("0-d", booleans(()), {}), ("two dims", booleans((2, 3, 2)), {"dim": (0, 2)}),
        )
    ),
    Case("median", mg.median, (apart((5,)),), oracle=np.median),
    Case("median", lambda x: x.median(1), (apart((3, 4)),), note="dim",
         oracle=lambda x: (np.sort(x, 1)[:, 1], np.argsort(x, 1)[:, 1])),
]  # fmt: skip


def p_norm(x: np.ndarray, p: float, axis: Any, keepdims: bool) -> Any:
    size = np.abs(x)
    if p in (INF, -INF):
        return (np.max if p > 0 else np.min)(size, axis=axis, keepdims=keepdims)
    if p == 0:
        return (x != 0).sum(axis=axis, keepdims=keepdims).astype(float)
    return (size**p).sum(axis=axis, keepdims=keepdims) ** (1 / p)


def norm(x: np.ndarray, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Any:
    return p_norm(x, 2.0 if p == "fro" else p, dim, keepdim)


def nonzero_apart(shape: tuple[int, ...]) -> Maker:
    return lambda rng: apart(shape, 0.3, 2.0)(rng) * rng.choice([-1.0, 1.0], shape)


NORMS = [
    *reduction("norm", lambda x, axis, keepdims: p_norm(x, 2.0, axis, keepdims), FORMS, TWO_DIMS),
    *(
        Case("norm", mg.norm, (nonzero_apart((3, 4)),), {"p": p, **params}, oracle=norm, note=f"p = {p}, {params}")
        for p in (1, 2, 3, 0.5, INF, -INF)
        for params in ({}, {"dim": 1}, {"dim": (0, 1), "keepdim": True})
    ),
    Case("norm", mg.norm, (values([[0.0, 2.0], [0.0, 0.0]]),), {"p": 0, "dim": 1}, oracle=norm, gradient=False,
         note="p = 0"),
    Case("norm", mg.norm, (values([[3.0, 4.0], [0.0, 0.0]]),), {"dim": 1}, oracle=norm, gradient=False,
         note="of zeros"),
    Case("norm", mg.norm, (values([[3.0, 4.0], [0.0, 0.0]]),), {"p": 3, "dim": 1}, oracle=norm, gradient=False,
         note="3 of zeros"),
]  # fmt: skip

RUNNING = [
    *(
        Case(name, getattr(mg, name), (shape,), {"dim": dim}, low=0.5, oracle=lambda x, dim, f=function: f(x, axis=dim),
             note=note)
        for name, function in (("cumsum", np.cumsum), ("cumprod", np.cumprod))
        for note, shape, dim in (
            ("", (3, 4), 0), ("last dim", (2, 3, 4), -1), ("size 1", (3, 1), 1), ("empty", (0, 3), 0),
            ("kept empty", (0, 3), 1),
        )
    ),
    *(
        Case(name, getattr(mg, name), ((),), {"dim": 0}, oracle=lambda x, dim: x, note="0-d")
        for name in ("cumsum", "cumprod")
    ),
    *(
        Case("cumprod", mg.cumprod, (with_zeros((3, 4), *zeros),), {"dim": 1}, oracle=lambda x, dim: np.cumprod(x, dim),
             note=note)
        for note, zeros in {"one zero": [(0, 1)], "two zeros": [(0, 1), (0, 3), (2, 0)], "last zero": [(1, 3)]}.items()
    ),
    Case("cumsum", mg.cumsum, (integers(-3, 4, (5,), "int32"),), {"dim": 0}, gradient=False, note="integers",
         oracle=lambda x, dim: x.cumsum(dim, dtype=np.int64)),
    Case("cumsum", mg.cumsum, (booleans((5,)),), {"dim": 0}, oracle=lambda x, dim: x.cumsum(dim, dtype=np.int64),
         gradient=False, note="bools"),
]  # fmt: skip


def in_order(x: np.ndarray, dim: int = -1, descending: bool = False) -> np.ndarray:
    return np.argsort(-x if descending else x, axis=dim, kind="stable") if x.ndim else np.zeros((), np.int64)


def in_order_with_values(x: np.ndarray, dim: int = -1, descending: bool = False, stable: bool = True) -> Any:
    order = in_order(x, dim, descending)
    return np.take_along_axis(x, order, dim) if x.ndim else x, order


def top(x: np.ndarray, k: int, dim: int = -1, largest: bool = True) -> Any:
    return tuple(np.moveaxis(np.moveaxis(a, dim, 0)[:k], 0, dim) for a in in_order_with_values(x, dim, largest))


def distinct(x: np.ndarray, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    return np.unique(x, return_inverse=return_inverse, return_counts=return_counts, axis=dim)


ORDERS = [
    *(
        Case(name, getattr(mg, name), (apart(shape),), params, oracle=oracle, note=f"{note} {params}".strip(),
             gradient=name == "sort")
        for name, oracle in (("sort", in_order_with_values), ("argsort", in_order))
        for note, shape, params in (
            ("", (3, 4), {}), ("", (3, 4), {"dim": 0}), ("", (2, 3, 2), {"dim": 1, "descending": True}),
            ("empty", (0, 3), {}),
            ("0-d", (), {}), ("size 1", (3, 1), {}),
        )
    ),
    *(
        Case(name, getattr(mg, name), (values([2.0, 1.0, 2.0, 1.0, 3.0]),), {"descending": down}, oracle=oracle,
             gradient=False, note=f"ties, {down}")
        for name, oracle in (("sort", in_order_with_values), ("argsort", in_order))
        for down in (False, True)
    ),
    Case("top_places", ops.top_places, (apart((2, 6, 3)),), {"dim": 1, "k": 2, "largest": True}, gradient=False,
         oracle=lambda x, dim, k, largest: np.argsort(-x, axis=dim, kind="stable")[:, :k]),
    Case("sort", mg.sort, (values([2.0, NAN, 1.0]),), oracle=in_order_with_values, gradient=False, note="nan"),
    Case("sort", mg.sort, (booleans((6,)),), oracle=in_order_with_values, gradient=False, note="bools"),
    *(
        Case("topk", mg.topk, (apart(shape),), params, oracle=top, note=f"{shape} {params}")
        for shape, params in (
            ((3, 5), {"k": 2}), ((5, 3), {"k": 2, "dim": 0}), ((3, 4), {"k": 4, "largest": False}), ((3, 4), {"k": 0}),
            ((0, 4), {"k": 2}),
        )
    ),
    *(
        Case("unique", mg.unique, (values(data),), params, oracle=distinct, gradient=False, note=note)
        for note, data, params in (
            ("", [3.0, 1.0, 3.0, 2.0], {}), ("integers", [[3, 1], [3, 2]], {}), ("empty", np.zeros((0, 2)), {}),
            ("inverse", [[3, 1], [3, 2]], {"return_inverse": True}), ("counts", [3, 1, 3], {"return_counts": True}),
            ("both", [[3, 1], [3, 2]], {"return_inverse": True, "return_counts": True}),
            ("dim", [[1, 2], [0, 5], [1, 2]], {"dim": 0}),
        )
    ),
    Case("bincount", mg.bincount, (values([0, 3, 3, 1]),), {"minlength": 6}, oracle=np.bincount, gradient=False),
    Case("bincount", mg.bincount, (values([0, 3, 3, 1]), (4,)), oracle=np.bincount, gradient=False, note="weights"),
    Case("count_nonzero", lambda x: x.count_nonzero(1), (booleans((3, 4)),), oracle=lambda x: x.sum(1), gradient=False),
]  # fmt: skip

CASES = [*SUMS, *SPREADS, *EXTREMES, *NORMS, *RUNNING, *ORDERS]
