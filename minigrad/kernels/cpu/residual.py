"""A residual connection and the norm behind it in one pass over each row: s = x + residual, y = norm(s).

The sum is written for the backward pass, which is the norm's own (rows.py): both inputs get the gradient of s.
"""

import numpy as np
from numba import prange

from minigrad.kernels.cpu import threads
from minigrad.kernels.cpu.intrinsics import f4, plain
from minigrad.kernels.cpu.threads import share, threaded

SMALLEST_PART = 1 << 15  # numbers that repay another thread


@threaded
def _add_layer_norm(x, residual, weight, bias, eps, s, y, mean, rstd, parts):
    count = f4(x.shape[1])
    for part in prange(parts):
        for i in range(*share(x.shape[0], part, parts)):
            left, right, row, out = x[i], residual[i], s[i], y[i]
            total = f4(0.0)
            for j in range(row.size):
                value = left[j] + right[j]
                row[j] = value
                total += value
            centre = total / count
            squares = f4(0.0)
            for j in range(row.size):
                d = row[j] - centre
                squares += d * d
            scale = f4(1.0) / np.sqrt(squares / count + eps)
            for j in range(row.size):
                out[j] = (row[j] - centre) * scale * weight[j] + bias[j]
            mean[i] = centre
            rstd[i] = scale


@threaded
def _add_rms_norm(x, residual, weight, eps, s, y, rstd, parts):
    for part in prange(parts):
        for i in range(*share(x.shape[0], part, parts)):
            left, right, row, out = x[i], residual[i], s[i], y[i]
            squares = f4(0.0)
            for j in range(row.size):
                value = left[j] + right[j]
                row[j] = value
                squares += value * value
            scale = f4(1.0) / np.sqrt(squares / f4(x.shape[1]) + eps)
            for j in range(row.size):
                out[j] = row[j] * scale * weight[j]
            rstd[i] = scale


def _rows(x: np.ndarray) -> np.ndarray:
    return plain(x).reshape(-1, x.shape[-1])


def add_layer_norm_fwd(
    x: np.ndarray, residual: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None, eps: float
) -> tuple[np.ndarray, ...]:
    """(y, s, mean, rstd)."""
    columns = x.shape[-1]
    s, y = np.empty((2, *x.shape), np.float32)
    mean, rstd = np.empty(x.shape[:-1], np.float32), np.empty(x.shape[:-1], np.float32)
    gain = np.ones(columns, np.float32) if weight is None else plain(weight)
    shift = np.zeros(columns, np.float32) if bias is None else plain(bias)
    _add_layer_norm(
        threads.parts(x.size, SMALLEST_PART), _rows(x), _rows(residual), gain, shift, f4(eps), _rows(s), _rows(y),
        mean.reshape(-1), rstd.reshape(-1),
    )  # fmt: skip
    return y, s, mean, rstd


def add_rms_norm_fwd(
    x: np.ndarray, residual: np.ndarray, weight: np.ndarray | None, eps: float
) -> tuple[np.ndarray, ...]:
    """(y, s, rstd)."""
    s, y = np.empty((2, *x.shape), np.float32)
    rstd = np.empty(x.shape[:-1], np.float32)
    gain = np.ones(x.shape[-1], np.float32) if weight is None else plain(weight)
    _add_rms_norm(
        threads.parts(x.size, SMALLEST_PART), _rows(x), _rows(residual), gain, f4(eps), _rows(s), _rows(y),
        rstd.reshape(-1),
    )  # fmt: skip
    return y, s, rstd
