"""Kernels that treat each row, the last axis, on its own: softmax, layer norm, RMS norm, cross-entropy.

Every row is read once from memory and stays in the first cache for the passes over it, which is where the gain over
array code comes from: NumPy would write a temporary the size of the input for each step of the formula.
"""

import numpy as np
from numba import prange

from minigrad.kernels.cpu import threads
from minigrad.kernels.cpu.intrinsics import exp, f4, maximum, plain
from minigrad.kernels.cpu.threads import share, threaded

BLOCK = 64  # rows summed apart, so that long sums lose no digits
SMALLEST_PART = 1 << 15  # numbers that repay another thread: 5 us of work


# --------------------------------------------------------------------------------------------------------------------
# Softmax
# --------------------------------------------------------------------------------------------------------------------
# Microseconds on one thread for rows of (3072, 64) / (12288, 256):
#   array code, np.exp in place      425 / 7000
#   this loop with np.exp            472 / 6900
#   with our exp and max()           140 / 2300
#   with our exp and `maximum`        93 /  990   <- this one
@threaded
def _softmax(x, y, parts):
    for part in prange(parts):
        for i in range(*share(x.shape[0], part, parts)):
            row, out = x[i], y[i]
            top = f4(-np.inf)
            for j in range(row.size):
                top = maximum(top, row[j])
            total = f4(0.0)
            for j in range(row.size):
                e = exp(row[j] - top)
                out[j] = e
                total += e
            factor = f4(1.0) / total
            for j in range(row.size):
                out[j] *= factor


@threaded
def _softmax_backward(dy, y, dx, parts):
    for part in prange(parts):
        for i in range(*share(y.shape[0], part, parts)):
            g, p, out = dy[i], y[i], dx[i]
            dot = f4(0.0)
            for j in range(p.size):
                dot += g[j] * p[j]
            for j in range(p.size):
                out[j] = p[j] * (g[j] - dot)


@threaded
def _log_softmax(x, y, parts):
    for part in prange(parts):
        for i in range(*share(x.shape[0], part, parts)):
            row, out = x[i], y[i]
            top = f4(-np.inf)
            for j in range(row.size):
                top = maximum(top, row[j])
            total = f4(0.0)
            for j in range(row.size):
                total += exp(row[j] - top)
            log_total = np.log(total)
            for j in range(row.size):
                out[j] = (row[j] - top) - log_total  # in this order: top and log_total may differ by far


@threaded
def _log_softmax_backward(dy, y, dx, parts):
    for part in prange(parts):
        for i in range(*share(y.shape[0], part, parts)):
            g, log_p, out = dy[i], y[i], dx[i]
            total = f4(0.0)
            for j in range(g.size):
                total += g[j]
            for j in range(g.size):
                out[j] = g[j] - exp(log_p[j]) * total


def _parts(x: np.ndarray) -> int:
    return threads.parts(x.size, SMALLEST_PART)


def _as_rows(x: np.ndarray, columns: int) -> np.ndarray:
    return plain(x).reshape(x.size // columns if columns else 0, columns)


def softmax(x: np.ndarray) -> np.ndarray:
    """y = exp(x - max x) / sum exp(x - max x) over the last axis."""
    y = np.empty(x.shape, np.float32)
    _softmax(_parts(x), _as_rows(x, x.shape[-1]), _as_rows(y, x.shape[-1]))
    return y


def softmax_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx = y (dy - sum dy y) over the last axis."""
    dx = np.empty(y.shape, np.float32)
    _softmax_backward(_parts(y), *(_as_rows(a, y.shape[-1]) for a in (dy, y, dx)))
    return dx


def log_softmax(x: np.ndarray) -> np.ndarray:
    """y = x - max x - log sum exp(x - max x) over the last axis."""
    y = np.empty(x.shape, np.float32)
    _log_softmax(_parts(x), _as_rows(x, x.shape[-1]), _as_rows(y, x.shape[-1]))
    return y


def log_softmax_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx = dy - exp(y) sum dy over the last axis."""
    dx = np.empty(y.shape, np.float32)
    _log_softmax_backward(_parts(y), *(_as_rows(a, y.shape[-1]) for a in (dy, y, dx)))
    return dx


# --------------------------------------------------------------------------------------------------------------------
# Cross-entropy
# --------------------------------------------------------------------------------------------------------------------
@threaded
def _cross_entropy(logits, target, ignore_index, smoothing, loss, lse, parts):
    """The loss of a row, with t its label and e = smoothing:  (1 - e) (lse - x_t) + e (lse - mean x)."""
    columns = logits.shape[1]
    for part in prange(parts):
        for i in range(*share(logits.shape[0], part, parts)):
            row = logits[i]
            top = f4(-np.inf)
            for j in range(row.size):
                top = maximum(top, row[j])
            total = f4(0.0)
            for j in range(row.size):
                total += exp(row[j] - top)
            log_total = np.log(total)
            lse[i] = top + log_total
            if target[i] == ignore_index:
                loss[i] = f4(0.0)
                continue
            value = log_total - (row[target[i]] - top)
            if smoothing > f4(0.0):
                below = f4(0.0)
                for j in range(row.size):
                    below += row[j] - top
                value = (f4(1.0) - smoothing) * value + smoothing * (log_total - below / f4(columns))
            loss[i] = value


@threaded
def _cross_entropy_backward(dloss, logits, target, lse, ignore_index, smoothing, dlogits, parts):
    uniform = smoothing / f4(logits.shape[1])
    for part in prange(parts):
        for i in range(*share(logits.shape[0], part, parts)):
            row, out = logits[i], dlogits[i]
            if target[i] == ignore_index:
                for j in range(row.size):
                    out[j] = f4(0.0)
                continue
            g, shift = dloss[i], lse[i]
            for j in range(row.size):
                out[j] = g * (exp(row[j] - shift) - uniform)
            out[target[i]] -= g * (f4(1.0) - smoothing)


def cross_entropy_fwd(logits, target, ignore_index, label_smoothing):
    rows = logits.shape[0]
    loss, lse = np.empty(rows, np.float32), np.empty(rows, np.float32)
    smoothing = np.float32(label_smoothing)
    _cross_entropy(_parts(logits), plain(logits), _labels(target), int(ignore_index), smoothing, loss, lse)
    return loss, lse


def cross_entropy_bwd(dloss, logits, target, lse, ignore_index, label_smoothing):
    dlogits = np.empty(logits.shape, np.float32)
    _cross_entropy_backward(
        _parts(logits),
        plain(dloss),
        plain(logits),
        _labels(target),
        plain(lse),
        int(ignore_index),
        np.float32(label_smoothing),
        dlogits,
    )
    return dlogits


def _labels(target: np.ndarray) -> np.ndarray:
    return plain(target if target.dtype == np.int64 else target.astype(np.int64))


# --------------------------------------------------------------------------------------------------------------------
# Layer norm and RMS norm
# --------------------------------------------------------------------------------------------------------------------
@threaded
def _layer_norm(x, weight, bias, eps, y, mean, rstd, parts):
    count = f4(x.shape[1])
    for part in prange(parts):
        for i in range(*share(x.shape[0], part, parts)):
            row, out = x[i], y[i]
            total = f4(0.0)
            for j in range(row.size):
                total += row[j]
            centre = total / count
            squares = f4(0.0)  # second pass: x^2 - mean^2 would cancel for a large mean
            for j in range(row.size):
                d = row[j] - centre
                squares += d * d
            scale = f4(1.0) / np.sqrt(squares / count + eps)
            for j in range(row.size):
                out[j] = (row[j] - centre) * scale * weight[j] + bias[j]
            mean[i] = centre
            rstd[i] = scale


# Sums over rows are taken over 64 rows first, as a float32 running sum over all rows loses digits: at 100,000 rows of
# one sign 8e-6 of the sum, in this way 1e-6.
@threaded
def _layer_norm_backward(dy, x, weight, mean, rstd, dx, sums, parts):
    """sums[part]: the part's dweight and dbias, and those of the block in work; all zero at first."""
    rows, columns = x.shape
    for part in prange(parts):
        dweight, dbias, block_dweight, block_dbias = sums[part, 0], sums[part, 1], sums[part, 2], sums[part, 3]
        first, last = share(rows, part, parts)
        for start in range(first, last, BLOCK):
            block_dweight[:] = f4(0.0)
            block_dbias[:] = f4(0.0)
            for i in range(start, min(start + BLOCK, last)):
                row, g, out = x[i], dy[i], dx[i]
                centre, scale = mean[i], rstd[i]
                sum_g, sum_gx = f4(0.0), f4(0.0)
                for j in range(columns):
                    xhat = (row[j] - centre) * scale
                    weighted = g[j] * weight[j]
                    sum_g += weighted
                    sum_gx += weighted * xhat
                    block_dweight[j] += g[j] * xhat
                    block_dbias[j] += g[j]
                mean_g, mean_gx = sum_g / f4(columns), sum_gx / f4(columns)
                for j in range(columns):
                    xhat = (row[j] - centre) * scale
                    out[j] = (g[j] * weight[j] - mean_g - xhat * mean_gx) * scale
            for j in range(columns):
                dweight[j] += block_dweight[j]
                dbias[j] += block_dbias[j]


@threaded
def _rms_norm(x, weight, eps, y, rstd, parts):
    for part in prange(parts):
        for i in range(*share(x.shape[0], part, parts)):
            row, out = x[i], y[i]
            squares = f4(0.0)
            for j in range(row.size):
                squares += row[j] * row[j]
            scale = f4(1.0) / np.sqrt(squares / f4(x.shape[1]) + eps)
            for j in range(row.size):
                out[j] = row[j] * scale * weight[j]
            rstd[i] = scale


@threaded
def _rms_norm_backward(dy, x, weight, rstd, dx, sums, parts):
    """sums[part]: the part's dweight, and that of the block in work; all zero at first."""
    rows, columns = x.shape
    for part in prange(parts):
        dweight, block_dweight = sums[part, 0], sums[part, 1]
        first, last = share(rows, part, parts)
        for start in range(first, last, BLOCK):
            block_dweight[:] = f4(0.0)
            for i in range(start, min(start + BLOCK, last)):
                row, g, out = x[i], dy[i], dx[i]
                scale = rstd[i]
                sum_gx = f4(0.0)
                for j in range(columns):
                    xhat = row[j] * scale
                    sum_gx += g[j] * weight[j] * xhat
                    block_dweight[j] += g[j] * xhat
                mean_gx = sum_gx / f4(columns)
                for j in range(columns):
                    out[j] = (g[j] * weight[j] - row[j] * scale * mean_gx) * scale
            for j in range(columns):
                dweight[j] += block_dweight[j]


def _or_filled(parameter: np.ndarray | None, columns: int, value: float) -> np.ndarray:
    return np.full(columns, value, np.float32) if parameter is None else plain(parameter)


def _total(sums: np.ndarray, which: int) -> np.ndarray:
    """The parts' sums, added in their order."""
    total = sums[0, which]
    for part in sums[1:]:
        total += part[which]
    return total.copy()  # a view would keep the work space alive


def layer_norm_fwd(x, weight, bias, eps):
    columns = x.shape[-1]
    y, mean = np.empty(x.shape, np.float32), np.empty(x.shape[:-1], np.float32)
    rstd = np.empty(x.shape[:-1], np.float32)
    _layer_norm(
        _parts(x),
        _as_rows(x, columns),
        _or_filled(weight, columns, 1.0),
        _or_filled(bias, columns, 0.0),
        np.float32(eps),
        _as_rows(y, columns),
        mean.reshape(-1),
        rstd.reshape(-1),
    )
    return y, mean, rstd


def layer_norm_bwd(dy, x, weight, mean, rstd, needs):
    columns = x.shape[-1]
    parts = _parts(x)
    dx, sums = np.empty(x.shape, np.float32), np.zeros((parts, 4, columns), np.float32)
    _layer_norm_backward(
        parts,
        _as_rows(dy, columns),
        _as_rows(x, columns),
        _or_filled(weight, columns, 1.0),
        plain(mean).reshape(-1),
        plain(rstd).reshape(-1),
        _as_rows(dx, columns),
        sums,
    )
    return dx, _total(sums, 0) if needs[1] else None, _total(sums, 1) if needs[2] else None


def rms_norm_fwd(x, weight, eps):
    columns = x.shape[-1]
    y, rstd = np.empty(x.shape, np.float32), np.empty(x.shape[:-1], np.float32)
    _rms_norm(
        _parts(x),
        _as_rows(x, columns),
        _or_filled(weight, columns, 1.0),
        np.float32(eps),
        _as_rows(y, columns),
        rstd.reshape(-1),
    )
    return y, rstd


def rms_norm_bwd(dy, x, weight, rstd, needs):
    columns = x.shape[-1]
    parts = _parts(x)
    dx, sums = np.empty(x.shape, np.float32), np.zeros((parts, 2, columns), np.float32)
    _rms_norm_backward(
        parts,
        _as_rows(dy, columns),
        _as_rows(x, columns),
        _or_filled(weight, columns, 1.0),
        plain(rstd).reshape(-1),
        _as_rows(dx, columns),
        sums,
    )
    return dx, _total(sums, 0) if needs[1] else None


# --------------------------------------------------------------------------------------------------------------------
# Sums of all rows
# --------------------------------------------------------------------------------------------------------------------
@threaded
def _sum_of_rows(x, sums, parts):
    """sums[part]: the part's total, and that of the block of rows in work; zero at first."""
    for part in prange(parts):
        total, block = sums[part, 0], sums[part, 1]
        first, last = share(x.shape[0], part, parts)
        for start in range(first, last, BLOCK):
            block[:] = f4(0.0)
            for i in range(start, min(start + BLOCK, last)):
                row = x[i]
                for j in range(row.size):
                    block[j] += row[j]
            for j in range(total.size):
                total[j] += block[j]


def sum_of_rows(x: np.ndarray, keepdims: bool) -> np.ndarray:
    """The sum over the first axis of a matrix."""
    parts = threads.parts(x.size, SMALLEST_PART)
    sums = np.zeros((parts, 2, x.shape[1]), np.float32)
    _sum_of_rows(parts, plain(x), sums)
    total = _total(sums, 0)
    return total[None] if keepdims else total
