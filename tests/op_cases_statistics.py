"""The table of ops, statistics: histograms, the commonest value, covariance, quantiles, distances of rows."""

import math
from typing import Any

import numpy as np
from case import Case
from makers import apart, values

import minigrad as mg

SCORES = [1.0, 2.0, 1.0, 4.0, 4.0, 2.5]


def numpy_histogram(x: np.ndarray, bins: Any, range: Any = None, weight: Any = None, density: bool = False) -> tuple:
    hist, edges = np.histogram(x, bins, range, density, weight)
    return hist.astype(x.dtype), edges


HISTOGRAMS = [
    *(
        Case(
            "histogram",
            mg.histogram,
            (values(SCORES),),
            params,
            oracle=numpy_histogram,
            gradient=False,
            note=f"{params}",
        )
        for params in (
            {"bins": 4},
            {"bins": 1},
            {"bins": 4, "range": (0.0, 3.0)},
            {"bins": 3, "density": True},
            {"bins": 4, "range": (5.0, 6.0)},
        )
    ),
    Case(
        "histogram",
        lambda x, weight: mg.histogram(x, 4, range=(0.0, 3.0), weight=weight),
        ((6,), (6,)),
        oracle=lambda x, weight: numpy_histogram(x, 4, (0.0, 3.0), weight),
        gradient=False,
        note="weights",
    ),
    Case(
        "histogram",
        lambda x, edges: mg.histogram(x, edges, density=True),
        (values(SCORES), values([0.0, 1, 2, 4])),
        oracle=lambda x, edges: numpy_histogram(x, edges, density=True),
        gradient=False,
        note="edges",
    ),
    Case(
        "histogram",
        mg.histogram,
        ((2, 0),),
        {"bins": 2},
        oracle=lambda x, bins: (np.zeros(2), np.array([0, 0.5, 1])),
        gradient=False,
        note="empty",
    ),
    Case(
        "histogram",
        mg.histogram,
        (values([1.0, 1.0]),),
        {"bins": 2},
        gradient=False,
        note="one value",
        oracle=lambda x, bins: (np.array([0.0, 2.0]), np.array([0.5, 1.0, 1.5])),
    ),
    *(
        Case(
            "histc",
            mg.histc,
            (values(SCORES),),
            {"bins": 4, "min": low, "max": high},
            gradient=False,
            oracle=lambda x, bins, min, max: numpy_histogram(x, bins, None if min == max else (min, max))[0],
            note=f"{low} {high}",
        )
        for low, high in ((0, 0), (0, 3), (1, 4))
    ),
]


SAMPLES = [
    Case("cov", mg.cov, ((3, 5),), oracle=np.cov),
    Case("cov", lambda x: mg.cov(x, correction=0), ((6,),), oracle=lambda x: np.cov(x, ddof=0), note="one variable"),
    Case("cov", lambda x: mg.cov(x, aweights=x.new_tensor([1.0, 0.5, 2.0, 1.5])), ((2, 4),), note="weights",
         oracle=lambda x: np.cov(x, aweights=[1.0, 0.5, 2.0, 1.5])),
    Case("corrcoef", mg.corrcoef, ((3, 6),), oracle=np.corrcoef),
    Case("mode", mg.mode, (values([[1.0, 3.0, 1.0, 2.0], [2.0, 2.0, 0.0, 0.0]]),),
         gradient=False, oracle=lambda x: (np.array([1.0, 0.0]), np.array([2, 3]))),
    *(
        Case("quantile", mg.quantile, (apart((3, 5)),), {"q": 0.3, "dim": 1, "interpolation": way}, note=way,
             oracle=lambda x, q, dim, interpolation: np.quantile(x, q, dim, method=interpolation))
        for way in ("linear", "lower", "higher", "midpoint", "nearest")
    ),
    Case("nanquantile", lambda x: mg.nanquantile(x, x.new_tensor([0.2, 0.5])), (values([[0.5, math.nan], [2.0, 4.0]]),),
         gradient=False, oracle=lambda x: np.nanquantile(x, [0.2, 0.5])),
]  # fmt: skip


def rowwise(x: np.ndarray, y: np.ndarray, p: float, compute_mode: Any = None) -> np.ndarray:
    return np.linalg.norm(x[..., :, None, :] - y[..., None, :, :], p, -1)


ALONE = "donot_use_mm_for_euclid_dist"
DISTANCES = [
    *(
        Case("cdist", mg.cdist, ((3, 2), (4, 2)), {"p": p}, oracle=rowwise, note=f"p {p}")
        for p in (0.7, 1.0, 1.5, 2.0, 3.0, math.inf)
    ),
    Case("cdist", mg.cdist, ((2, 1, 2, 3), (2, 4, 3)), {"p": 2.0, "compute_mode": ALONE}, oracle=rowwise,
         note="batches"),
    Case("cdist", mg.cdist, ((26, 2), (2, 2)), {"p": 2.0}, oracle=rowwise, note="by a product"),
    Case("pdist", mg.pdist, ((4, 3),), oracle=lambda x: rowwise(x, x, 2)[np.triu_indices(4, 1)]),
]  # fmt: skip

CASES = [*HISTOGRAMS, *SAMPLES, *DISTANCES]
