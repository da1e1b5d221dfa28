"""Activations and their gradients: ReLU, the exact GELU, SiLU; the sigmoid and the error function."""

import numpy as np
from numba import prange

from minigrad.kernels.cpu import intrinsics, threads
from minigrad.kernels.cpu.intrinsics import exp, f4, inline, plain
from minigrad.kernels.cpu.threads import share, threaded
from minigrad.kernels.cpu.tiles import floats_at

RELU, GELU, SILU, SIGMOID = 1, 2, 3, 4
KINDS = {"relu": RELU, "gelu": GELU, "silu": SILU}
SMALLEST_PART = 1 << 14  # numbers that repay another thread
BLOCK = 64  # rows that are added up by themselves, so that long sums lose fewer digits

# Mills' ratio cdf(-x) / pdf(x), x >= 0, as t times a polynomial in t = 1 / (1 + 0.3 x): a minimax fit of our own,
# 1.3e-7 relative from 0 to 13.5, where cdf(-x) leaves the range of float32.
_SCALE = f4(0.3)
_M0, _M1, _M2, _M3 = f4(0.29985889792), f4(0.30279657245), f4(0.24975413084), f4(0.32453128695)
_M4, _M5, _M6, _M7 = f4(-0.13885203004), f4(0.52189683914), f4(-0.39673930407), f4(0.09006755799)
_ONE_OVER_SQRT_2PI = f4(0.3989422804014327)


@inline
def _normal(x):
    """The normal distribution's cdf and pdf at x, from one exponential and one division."""
    t = f4(1.0) / (f4(1.0) + _SCALE * abs(x))
    ratio = _M6 + t * _M7
    ratio = _M5 + t * ratio
    ratio = _M4 + t * ratio
    ratio = _M3 + t * ratio
    ratio = _M2 + t * ratio
    ratio = _M1 + t * ratio
    ratio = t * (_M0 + t * ratio)
    pdf = exp(f4(-0.5) * x * x) * _ONE_OVER_SQRT_2PI
    below = ratio * pdf
    return (f4(1.0) - below if x > f4(0.0) else below), pdf


@inline
def activate(kind, count, x, y):
    """y = the activation of x for `count` numbers at addresses x and y, which may be the same."""
    x, y = floats_at(x), floats_at(y)
    if kind == RELU:
        for i in range(count):
            y[i] = f4(0.0) if x[i] < f4(0.0) else x[i]  # false for NaN, which stays
    elif kind == GELU:
        for i in range(count):
            cdf, _ = _normal(x[i])
            y[i] = x[i] * cdf
    elif kind == SILU:
        for i in range(count):
            y[i] = x[i] / (f4(1.0) + exp(-x[i]))
    else:
        for i in range(count):
            y[i] = f4(1.0) / (f4(1.0) + exp(-x[i]))


@inline
def _activate_back(kind, count, gradient, saved, dx):
    """dx = gradient times the slope, from what was saved: the output of relu, the input of gelu and silu."""
    g, x, dx = floats_at(gradient), floats_at(saved), floats_at(dx)
    if kind == RELU:
        for i in range(count):
            dx[i] = f4(0.0) if x[i] <= f4(0.0) else g[i]
    elif kind == GELU:
        for i in range(count):
            cdf, pdf = _normal(x[i])
            dx[i] = g[i] * (cdf + x[i] * pdf)
    else:
        for i in range(count):
            gate = f4(1.0) / (f4(1.0) + exp(-x[i]))
            dx[i] = g[i] * (gate * ((f4(1.0) - gate) * x[i] + f4(1.0)))


@threaded
def _forward(kind, x, y, parts):
    for part in prange(parts):
        first, last = share(x.size, part, parts)
        activate(kind, last - first, x.ctypes.data + 4 * first, y.ctypes.data + 4 * first)


@threaded
def _backward(kind, gradient, saved, dx, parts):
    for part in prange(parts):
        first, last = share(dx.size, part, parts)
        at = 4 * first
        _activate_back(kind, last - first, gradient.ctypes.data + at, saved.ctypes.data + at, dx.ctypes.data + at)


@threaded
def _backward_and_sum(kind, gradient, saved, dx, sums, parts):
    """As _backward for a matrix, and its sum over the rows; see rows._sum_of_rows for sums[part]."""
    for part in prange(parts):
        total, block = sums[part, 0], sums[part, 1]
        first, last = share(dx.shape[0], part, parts)
        for start in range(first, last, BLOCK):
            block[:] = f4(0.0)
            for i in range(start, min(start + BLOCK, last)):
                row = dx[i]
                _activate_back(kind, row.size, gradient[i].ctypes.data, saved[i].ctypes.data, row.ctypes.data)
                for j in range(row.size):
                    block[j] += row[j]
            for j in range(total.size):
                total[j] += block[j]


@threaded
def _erf(values, results, parts):
    for part in prange(parts):
        first, last = share(values.size, part, parts)
        x, y = values[first:last], results[first:last]
        for i in range(x.size):
            y[i] = intrinsics.erf(x[i])


def flat(x: np.ndarray) -> np.ndarray:
    """The numbers of an array in a row, as kernels take them: a view where the array is contiguous."""
    return plain(x).reshape(-1)


def _applied(kind: int, x: np.ndarray) -> np.ndarray:
    y = np.empty(x.shape, np.float32)
    _forward(threads.parts(x.size, SMALLEST_PART), kind, flat(x), y.ravel())
    return y


def _applied_back(kind: int, gradient: np.ndarray, saved: np.ndarray) -> np.ndarray:
    dx, parts = np.empty(saved.shape, np.float32), threads.parts(saved.size, SMALLEST_PART)
    _backward(parts, kind, flat(gradient), flat(saved), dx.ravel())
    return dx


def relu(x: np.ndarray) -> np.ndarray:
    """max(x, 0)."""
    return _applied(RELU, x)


def relu_backward(gradient: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient where y > 0."""
    return _applied_back(RELU, gradient, y)


def gelu(x: np.ndarray) -> np.ndarray:
    """x cdf(x), cdf the normal distribution's (Hendrycks & Gimpel 2016), within 3e-7 of the largest entry."""
    return _applied(GELU, x)


def gelu_backward(gradient: np.ndarray, x: np.ndarray) -> np.ndarray:
    """gradient (cdf(x) + x pdf(x))."""
    return _applied_back(GELU, gradient, x)


def silu(x: np.ndarray) -> np.ndarray:
    """x / (1 + exp(-x))."""
    return _applied(SILU, x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))."""
    return _applied(SIGMOID, x)


def silu_backward(gradient: np.ndarray, x: np.ndarray) -> np.ndarray:
    """gradient s (1 + x (1 - s)), s the sigmoid of x."""
    return _applied_back(SILU, gradient, x)


def erf(x: np.ndarray) -> np.ndarray:
    """The error function, within 1.2 ulp."""
    y = np.empty(x.shape, np.float32)
    _erf(threads.parts(x.size, SMALLEST_PART), plain(x).reshape(-1), y.reshape(-1))
    return y


def backward_and_sum(kind: int, gradient: np.ndarray, saved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(dx, its sum over the rows) for matrices: the gradients of a linear map's output and of its bias."""
    dx, parts = np.empty(saved.shape, np.float32), threads.parts(saved.size, SMALLEST_PART)
    sums = np.zeros((parts, 2, saved.shape[1]), np.float32)
    _backward_and_sum(parts, kind, plain(gradient), plain(saved), dx, sums)
    return dx, sums[:, 0].sum(axis=0)
