"""Weighted means along one dim, as a product with a constant matrix: what resizing and uneven pooling come down to.

A resized line is y = M x, where row i of M holds the weights with which the entries of x make y_i; an image is resized
along its rows and then along its columns. The gradient is the product with M transposed, of any order.
"""

import functools
import math
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.backend import constant
from minigrad.tensor import Tensor, from_raw


def averages_along(x: Tensor, dim: int, out: int) -> Tensor:
    """Dim -1 or -2 brought to `out` entries: entry i is the mean of x[floor(i n / out) : ceil((i + 1) n / out)]."""
    return along(x, dim, adaptive_matrix(x.array.shape[dim], out))


def along(x: Tensor, dim: int, matrix: np.ndarray) -> Tensor:
    """M x along dim -1 or -2: every line of x (..., n) becomes one of len(M) entries."""
    fixed = from_raw(constant(matrix.astype(x.array.dtype), str(x.device)))
    if dim == -1:
        return ops.matmul_any(x, fixed.swapaxes(0, 1))
    return ops.matmul_any(fixed, x)


@functools.lru_cache(maxsize=64)
def adaptive_matrix(n: int, out: int) -> np.ndarray:
    """(out, n): row i averages the entries floor(i n / out) to ceil((i + 1) n / out) - 1."""
    matrix = np.zeros((out, n))
    for i in range(out):
        start, stop = i * n // out, -(-(i + 1) * n // out)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix


def sources(n: int, out: int, scale: float | None, align_corners: bool) -> np.ndarray:
    """The place in the input, in entries, that each output entry lies at.

    Aligned corners lie on each other: i (n - 1) / (out - 1). Otherwise entries are squares of width 1 and their middles
    correspond: (i + 1/2) s - 1/2, with s = 1 / scale, or n / out where no scale was given.
    """
    i = np.arange(out)
    if align_corners:
        return i * ((n - 1) / (out - 1) if out > 1 else 0.0)
    return (i + 0.5) * (n / out if scale is None else 1 / scale) - 0.5


@functools.lru_cache(maxsize=64)
def linear_matrix(n: int, out: int, scale: float | None, align_corners: bool) -> np.ndarray:
    """(out, n): each row weighs the two entries beside the place by how near they are."""
    place = np.maximum(sources(n, out, scale, align_corners), 0)
    left = np.minimum(np.floor(place).astype(int), n - 1)
    part = np.minimum(place - left, 1)
    return _rows(n, [(left, 1 - part), (np.minimum(left + 1, n - 1), part)])


@functools.lru_cache(maxsize=64)
def cubic_matrix(n: int, out: int, scale: float | None, align_corners: bool) -> np.ndarray:
    """(out, n): each row weighs the four entries around the place by `cubic_weights`."""
    place = sources(n, out, scale, align_corners)
    left = np.floor(place).astype(int)
    terms = zip((-1, 0, 1, 2), cubic_weights(place - left), strict=True)
    return _rows(n, [(np.clip(left + k, 0, n - 1), w) for k, w in terms])


def cubic_weights(part: Any) -> list[Any]:
    """What the entries at -1, 0, 1, 2 weigh at a place `part` in [0, 1): cubic convolution, a = -3/4 (Keys, 1981)."""
    a = -0.75

    def near(d: Any) -> Any:  # |d| <= 1
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Any) -> Any:  # 1 <= |d| <= 2
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(part + 1), near(part), near(1 - part), far(2 - part)]


def _rows(n: int, terms: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    matrix = np.zeros((len(terms[0][0]), n))
    for columns, weights in terms:
        np.add.at(matrix, (np.arange(len(columns)), columns), weights)
    return matrix


def nearest_indices(n: int, out: int, scale: float | None, exact: bool) -> list[int]:
    """The entry that each output entry copies: floor(i s), or floor((i + 1/2) s) for "nearest-exact", in float32."""
    step = np.float32(n / out if scale is None else 1 / scale)
    i = np.arange(out, dtype=np.float32) + np.float32(0.5 if exact else 0.0)
    return [min(math.floor(v), n - 1) for v in i * step]
