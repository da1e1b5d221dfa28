"""The table of ops, orders and differences: running extremes, ranks, places in a sorted row, neighbours, areas."""

import numpy as np
from case import Case, Maker
from makers import apart, integers, values

import minigrad as mg

NAN = float("nan")


def apart_rows(*shape: int) -> Maker:
    """Distinct numbers in random order, so that no order changes under a small step."""
    return apart(shape)


def ranked(x: np.ndarray, rank: int, dim: int) -> np.ndarray:
    return np.take(np.sort(x, dim), rank, dim)


ORDERS = [
    *(
        Case(name, lambda x, dim, f=f: tuple(f(x, dim)), (apart_rows(*shape),), {"dim": dim},
             note=f"{shape} {dim}", oracle=lambda x, dim, largest=name == "cummax": running(x, dim, largest))
        for name, f in (("cummax", mg.cummax), ("cummin", mg.cummin))
        for shape, dim in (((5,), 0), ((3, 4), 1), ((3, 4), 0), ((2, 1, 7), -1), ((1, 3), 0))
    ),
    Case("cummax", lambda x: tuple(x.cummax(0)), (values([1.0, NAN, 2.0, 3.0, NAN]),), gradient=False, note="nan",
         oracle=lambda x: (np.array([1, NAN, NAN, NAN, NAN]), np.array([0, 1, 1, 1, 4]))),
    Case("cummin", lambda x: tuple(x.cummin(0)), (values([2, 1, 1, 3, 1]),), gradient=False, note="ties",
         oracle=lambda x: (np.array([2, 1, 1, 1, 1]), np.array([0, 1, 2, 2, 4]))),
    *(
        Case("kthvalue", lambda x, k, dim: mg.kthvalue(x, k, dim).values, (apart_rows(3, 4),), {"k": k, "dim": dim},
             oracle=lambda x, k, dim: ranked(x, k - 1, dim), note=f"{k} {dim}")
        for k, dim in ((1, 0), (3, 0), (2, -1))
    ),
    Case("kthvalue", lambda x: mg.kthvalue(x, 1).values, ((),), oracle=lambda x: x, note="0-d"),
    Case("msort", mg.msort, (apart_rows(4, 3),), oracle=lambda x: np.sort(x, 0)),
    Case("aminmax", lambda x: tuple(mg.aminmax(x)), (apart_rows(4, 3),), oracle=lambda x: (x.min(), x.max())),
    Case("aminmax", lambda x: tuple(mg.aminmax(x, dim=1, keepdim=True)), (apart_rows(4, 3),), note="a dim",
         oracle=lambda x: (x.min(1, keepdims=True), x.max(1, keepdims=True))),
    *(
        Case(name, getattr(mg, name), (apart_rows(4, 5),), {"q": q, "dim": dim, "keepdim": keep, "interpolation": how},
             note=f"{q} {dim} {keep} {how}",
             oracle=lambda x, q, dim, keepdim, interpolation: np.quantile(
                 x, q, dim, method=interpolation, keepdims=keepdim))
        for name in ("quantile", "nanquantile")
        for q, dim, keep, how in ((0.3, 1, False, "linear"), (0.5, None, False, "linear"), (0.8, 0, True, "linear"),
                                  (0.3, 1, False, "lower"), (0.3, 1, True, "higher"), (0.35, 1, False, "midpoint"),
                                  (0.3, None, True, "nearest"))
    ),
    Case("quantile", lambda x, q: mg.quantile(x, x.new_tensor(q), 0), (apart_rows(5, 2),), {"q": (0.1, 0.9)},
         oracle=lambda x, q: np.quantile(x, q, 0), note="several"),
    Case("nanquantile", lambda x: mg.nanquantile(x, 0.5, 1), (values([[1.0, NAN, 4.0], [NAN, NAN, NAN]]),),
         oracle=lambda x: np.array([2.5, NAN]), gradient=False, note="nan"),
    Case("nanmedian", lambda x: x.nanmedian(), (apart_rows(3, 5),), oracle=np.median),
    Case("nanmedian", lambda x: x.nanmedian(1).values, (values([[3.0, NAN, 1.0, 2.0], [NAN, 4.0, 7.0, NAN]]),),
         oracle=lambda x: np.array([2.0, 4.0]), gradient=False, note="nan"),
    Case("searchsorted", mg.searchsorted, (values([1.0, 3.0, 3.0, 7.0]), (3, 4)), {"right": True}, gradient=False,
         oracle=lambda edges, x, right: np.searchsorted(edges, x, "right")),
    Case("searchsorted", mg.searchsorted, (values([[1, 3, 5], [2, 4, 6]]), values([[3, 6], [0, 4]])), gradient=False,
         oracle=lambda edges, x: np.stack([np.searchsorted(e, v) for e, v in zip(edges, x, strict=True)]), note="rows"),
    Case("searchsorted", lambda e, x: mg.searchsorted(e, x, right=True), gradient=False, note="rows, right",
         inputs=(values([[1, 3, 5], [2, 4, 6]]), values([[3, 6], [0, 4]])),
         oracle=lambda edges, x: np.stack([np.searchsorted(e, v, "right") for e, v in zip(edges, x, strict=True)])),
    Case("bucketize", mg.bucketize, ((3, 4), values([-1.0, 0.0, 1.0])), gradient=False,
         oracle=lambda x, edges: np.searchsorted(edges, x)),
    Case("isin", mg.isin, (integers(0, 5, (3, 4)), values([1, 3])), gradient=False, oracle=np.isin),
    Case("isin", mg.isin, (integers(0, 5, (3, 4)), values([1, 3])), {"invert": True}, gradient=False, note="invert",
         oracle=np.isin),
    Case("unique_consecutive", lambda x: mg.unique_consecutive(x, True, True), (values([1, 1, 2, 2, 3, 1, 1]),),
         oracle=lambda x: (np.array([1, 2, 3, 1]), np.array([0, 0, 1, 1, 2, 3, 3]), np.array([2, 2, 1, 2])),
         gradient=False),
    Case("unique_consecutive", lambda x: mg.unique_consecutive(x, dim=1), (values([[1, 1, 2], [3, 3, 3]]),),
         oracle=lambda x: x[:, 1:], gradient=False, note="a dim"),
    Case("argwhere", mg.argwhere, (integers(0, 2, (3, 4)),), oracle=np.argwhere, gradient=False),
]  # fmt: skip


def running(x: np.ndarray, dim: int, largest: bool) -> tuple:
    x = np.moveaxis(x, dim, -1)
    best = np.argmax if largest else np.argmin
    places = np.stack([best(x[..., : i + 1], -1) for i in range(x.shape[-1])], -1)
    return np.moveaxis(np.take_along_axis(x, places, -1), -1, dim), np.moveaxis(places, -1, dim)


MOMENTS = [
    Case("nanmean", mg.nanmean, (values([[1.0, NAN, 3.0], [2.0, 4.0, 9.0]]),), {"dim": 1}, gradient=False,
         oracle=lambda x, dim: np.nanmean(x, dim)),
    Case("nanmean", mg.nanmean, ((3, 4),), {"dim": 0, "keepdim": True}, note="no nan",
         oracle=lambda x, dim, keepdim: x.mean(dim, keepdims=keepdim)),
    Case("diff", mg.diff, ((3, 5),), oracle=np.diff),
    Case("diff", mg.diff, ((3, 5),), {"n": 2, "dim": 0}, oracle=lambda x, n, dim: np.diff(x, n, dim), note="twice"),
    Case("diff", lambda x, a, b: mg.diff(x, prepend=a, append=b), ((3, 5), (3, 1), (3, 2)), note="joined",
         oracle=lambda x, a, b: np.diff(x, prepend=a, append=b)),
    Case("diff", mg.diff, (values([True, False, False]),), oracle=np.diff, gradient=False, note="bools"),
    Case("trapezoid", mg.trapezoid, ((3, 5),), {"dx": 0.5}, oracle=lambda y, dx: np.trapezoid(y, dx=dx)),
    Case("trapezoid", lambda y, x: mg.trapz(y, x, dim=0), ((5, 2), (5,)), note="points",
         oracle=lambda y, x: np.trapezoid(y, x, axis=0), gradient=False),
    Case("trapezoid", lambda y, x: mg.trapezoid(y, x), ((3, 5), (3, 5)), note="rows",
         oracle=lambda y, x: np.trapezoid(y, x)),
    Case("cumulative_trapezoid", mg.cumulative_trapezoid, ((3, 5),), {"dim": 0},
         oracle=lambda y, dim: np.cumsum((y[1:] + y[:-1]) / 2, 0)),
    Case("dist", mg.dist, ((3, 4), (3, 4)), {"p": 3}, oracle=lambda a, b, p: (np.abs(a - b) ** p).sum() ** (1 / p)),
    Case("renorm", mg.renorm, ((3, 4),), {"p": 2, "dim": 0, "maxnorm": 1.0}, second=False,
         oracle=lambda x, p, dim, maxnorm: x * np.minimum(1, 1 / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-7))),
]  # fmt: skip

CASES = [*ORDERS, *MOMENTS]
