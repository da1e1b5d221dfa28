"""The table of ops, statistics: histograms."""

from typing import Any

import numpy as np
from case import Case
from makers import values

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

CASES = HISTOGRAMS
