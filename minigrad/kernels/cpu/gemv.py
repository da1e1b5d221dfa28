"""A few rows times a weight, as when a language model writes token by token: y (m, n) = x (m, k) @ weight^T + bias.

Nothing is used twice but x, so the time is that of reading the weight once from memory; copying it into panels, as a
product of many rows does, would read and write it twice. Threads share out the columns of the result.
"""

import numpy as np
from numba import prange

from minigrad.kernels.cpu import threads
from minigrad.kernels.cpu.intrinsics import f4, plain
from minigrad.kernels.cpu.threads import share, threaded

FEW_ROWS = 4  # more rows repay the work of a product that uses the weight from the cache
SMALLEST_PART = 1 << 16  # numbers of the weight that repay another thread


@threaded
def _dot_rows(x, weight, bias, y, parts):
    for part in prange(parts):
        for j in range(*share(weight.shape[0], part, parts)):
            row = weight[j]
            for i in range(x.shape[0]):
                own, total = x[i], f4(0.0)
                for c in range(row.size):
                    total += row[c] * own[c]
                y[i, j] = total + bias[j]


@threaded
def _add_rows_up(x, weight, y, parts):
    """y = x @ weight for weight (k, n): each thread has its columns, and adds up the rows of the weight there."""
    for part in prange(parts):
        first, last = share(weight.shape[1], part, parts)
        for i in range(x.shape[0]):
            out = y[i, first:last]
            out[:] = f4(0.0)
            for k in range(weight.shape[0]):
                factor, row = x[i, k], weight[k, first:last]
                for c in range(out.size):
                    out[c] += factor * row[c]


def _parts(weight: np.ndarray) -> int:
    return threads.parts(weight.size, SMALLEST_PART)


def _filled(bias: np.ndarray | None, n: int) -> np.ndarray:
    return np.zeros(n, np.float32) if bias is None else plain(bias)


def gemv(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """x @ weight + bias for a few rows x (m, k) and weight (k, n), contiguous or the transpose of what is."""
    y = np.empty((x.shape[0], weight.shape[1]), np.float32)
    if not weight.flags.c_contiguous and weight.flags.f_contiguous:
        _dot_rows(_parts(weight), plain(x), plain(weight.T), _filled(bias, y.shape[1]), y)
        return y
    _add_rows_up(_parts(weight), plain(x), plain(weight), y)
    if bias is not None:
        y += bias
    return y
