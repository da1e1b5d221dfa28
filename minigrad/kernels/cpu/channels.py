"""Batch norm of (N, C, L) in float32: statistics of each channel over N and L, normalisation, and its gradient.

Each channel of each sample is one row of L numbers. Rows are summed in float32 (as vectors), channels in float64.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import prange

from minigrad.kernels.cpu import threads
from minigrad.kernels.cpu.intrinsics import f4, inline, plain
from minigrad.kernels.cpu.threads import share, threaded

SMALLEST_PART = 1 << 15  # numbers that repay another thread
ROW = 512  # numbers summed in single precision before they go into the double


@inline
def _sum(row):
    total = f4(0.0)
    for i in range(row.size):
        total += row[i]
    return total


@inline
def _sum_of_squares(row, middle):
    total = f4(0.0)
    for i in range(row.size):
        total += (row[i] - middle) * (row[i] - middle)
    return total


@inline
def _dot(g, row, middle):
    total = f4(0.0)
    for i in range(row.size):
        total += g[i] * (row[i] - middle)
    return total


@threaded
def _statistics(x, mean, variance, parts):
    count = x.shape[0] * x.shape[2]
    for part in prange(parts):
        for c in range(*share(x.shape[1], part, parts)):
            total = 0.0
            for n in range(x.shape[0]):
                for start in range(0, x.shape[2], ROW):
                    total += _sum(x[n, c, start : start + ROW])
            middle = f4(total / count)
            squares = 0.0
            for n in range(x.shape[0]):
                for start in range(0, x.shape[2], ROW):
                    squares += _sum_of_squares(x[n, c, start : start + ROW], middle)
            mean[c], variance[c] = middle, f4(squares / count)


@threaded
def _normalize(x, weight, bias, mean, rstd, y, parts):
    for part in prange(parts):
        for n in range(*share(x.shape[0], part, parts)):
            for c in range(x.shape[1]):
                row, out = x[n, c], y[n, c]
                middle, scale, shift = mean[c], rstd[c] * weight[c], bias[c]
                for i in range(row.size):
                    out[i] = (row[i] - middle) * scale + shift


@threaded
def _backward(dy, x, weight, mean, rstd, dx, dweight, dbias, want_dx, parts):
    count = x.shape[0] * x.shape[2]
    for part in prange(parts):
        for c in range(*share(x.shape[1], part, parts)):
            middle, scale = mean[c], rstd[c]
            total, dot = 0.0, 0.0
            for n in range(x.shape[0]):
                for start in range(0, x.shape[2], ROW):
                    g = dy[n, c, start : start + ROW]
                    total += _sum(g)
                    dot += _dot(g, x[n, c, start : start + ROW], middle)
            dot *= scale
            dbias[c], dweight[c] = f4(total), f4(dot)
            if want_dx:
                factor, mean_g, mean_gh = weight[c] * scale, f4(total / count), f4(dot / count)
                for n in range(x.shape[0]):
                    g, row, out = dy[n, c], x[n, c], dx[n, c]
                    for i in range(row.size):
                        out[i] = factor * (g[i] - mean_g - (row[i] - middle) * scale * mean_gh)


def _parts(x: np.ndarray, axis: int) -> int:
    return max(1, min(x.shape[axis], threads.parts(x.size, SMALLEST_PART)))


def channel_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, biased variance) of each channel of x (N, C, L)."""
    mean, variance = np.empty(x.shape[1], np.float32), np.empty(x.shape[1], np.float32)
    _statistics(_parts(x, 1), plain(x), mean, variance)
    return mean, variance


def batch_norm_fwd(
    x: np.ndarray, weight: Any, bias: Any, mean: np.ndarray, variance: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray]:
    """(y, rstd): y = (x - mean) rstd weight + bias with rstd = 1 / sqrt(variance + eps)."""
    rstd = (1 / np.sqrt(variance + np.float32(eps))).astype(np.float32)
    y = np.empty(x.shape, np.float32)
    weight = np.ones(x.shape[1], np.float32) if weight is None else plain(weight)
    bias = np.zeros(x.shape[1], np.float32) if bias is None else plain(bias)
    _normalize(_parts(x, 0), plain(x), weight, bias, plain(mean), rstd, y)
    return y, rstd


def batch_norm_bwd(
    dy: np.ndarray, x: np.ndarray, weight: Any, mean: np.ndarray, rstd: np.ndarray, needs: Sequence[bool]
) -> tuple[Any, Any, Any]:
    """(dx, dweight, dbias) as layer norm has them, with the means over N and L."""
    dx = np.empty(x.shape if needs[0] else (0, 0, 0), np.float32)
    dweight, dbias = np.empty(x.shape[1], np.float32), np.empty(x.shape[1], np.float32)
    ones = np.ones(x.shape[1], np.float32) if weight is None else plain(weight)
    _backward(_parts(x, 1), plain(dy), plain(x), ones, plain(mean), plain(rstd), dx, dweight, dbias, bool(needs[0]))
    return dx if needs[0] else None, dweight if needs[1] else None, dbias if needs[2] else None
