"""Primitives of neural networks in plain array code, valid for NumPy and CuPy.

What a backend may offer faster, under the same names: the softmax family, the smooth activations, rows of a table.
Two-byte floats are computed in float32 and rounded once.
"""

import functools
import math
from collections.abc import Callable

from minigrad.backend import array_module, kernels_of
from minigrad.kernels.special import erf as _erf


def _in_float32(kernel: Callable) -> Callable:
    """Run a kernel on two-byte floats in float32, and round the result."""

    @functools.wraps(kernel)
    def run(x, *others):
        if x.dtype.itemsize != 2 or x.dtype.kind in "iu":
            return kernel(x, *others)
        wide = [a.astype("float32") if hasattr(a, "dtype") else a for a in others]
        return kernel(x.astype("float32"), *wide).astype(x.dtype)

    return run


# ---------------------------------------------------------------- softmax and its logarithm, along one axis


@_in_float32
def softmax(x, dim):
    """exp(x - max) / sum(exp(x - max)); a row of -inf alone gives nan."""
    if x.size == 0:
        return x.copy()
    axis = dim if x.ndim else None
    y = array_module(x).exp(x - x.max(axis=axis, keepdims=True))
    y /= y.sum(axis=axis, keepdims=True)
    return y


@_in_float32
def softmax_backward(dy, y, dim):
    """y (dy - sum(dy y)): the gradient of the input, from the output y."""
    weighted = dy * y
    weighted -= y * weighted.sum(axis=dim if y.ndim else None, keepdims=True)
    return weighted


@_in_float32
def log_softmax(x, dim):
    """x - max - log(sum(exp(x - max)))."""
    if x.size == 0:
        return x.copy()
    xp, axis = array_module(x), dim if x.ndim else None
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=axis, keepdims=True))


@_in_float32
def log_softmax_backward(dy, y, dim):
    """dy - exp(y) sum(dy): the gradient of the input, from the output y."""
    return dy - array_module(y).exp(y) * dy.sum(axis=dim if y.ndim else None, keepdims=True)


# ---------------------------------------------------------------- smooth activations


@_in_float32
def sigmoid(x):
    """1 / (1 + exp(-x)); where exp(-x) overflows the quotient is 0, as it should be."""
    return 1 / (array_module(x).exp(-x) + 1)


@_in_float32
def softplus(x):
    """log(1 + exp(x)), as max(x, 0) + log1p(exp(-|x|)) so that nothing overflows."""
    xp = array_module(x)
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-abs(x)))


@_in_float32
def gelu(x):
    """x cdf(x), with the normal distribution's cdf(x) = (1 + erf(x / sqrt 2)) / 2."""
    return x * (0.5 * (_erf(x * math.sqrt(0.5)) + 1))


def gelu_backward(gradient, x):
    """gradient (cdf(x) + x pdf(x)): through x cdf(x)."""
    return gradient * _gelu_slope(x)


def silu(x):
    """x sigmoid(x)."""
    return x * sigmoid(x)


def silu_backward(gradient, x):
    """gradient s (1 + x (1 - s)), s = sigmoid(x)."""
    gate = sigmoid(x)
    return gradient * (gate * ((1 - gate) * x + 1))


@_in_float32
def _gelu_slope(x):
    pdf = array_module(x).exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
    return 0.5 * (_erf(x * math.sqrt(0.5)) + 1) + x * pdf


# ---------------------------------------------------------------- rows of a table


def take_rows(table, ids):
    """table[ids] along the first axis; ids may have any shape."""
    return table.take(ids, axis=0)


def add_rows(buffer, ids, rows):
    """buffer[ids] += rows in place, where repeated ids add up, in the order of the rows (the same bits every run).

    Rows of one id are brought together by sorting, and summed in one pass (two-byte floats in float32).
    """
    if rows.size == 0:
        return
    xp = array_module(buffer)
    ids, rows = ids.reshape(-1), rows.reshape((ids.size, *buffer.shape[1:]))
    order = ids.argsort(kind="stable") if xp.__name__ == "numpy" else xp.argsort(ids)
    ids = ids[order]
    starts = xp.concatenate([xp.zeros(1, "int64"), xp.nonzero(ids[1:] != ids[:-1])[0] + 1])
    rows = rows[order] if rows.dtype.itemsize != 2 else rows[order].astype("float32")
    distinct = ids[starts]
    buffer[distinct] = (buffer[distinct] + xp.add.reduceat(rows, starts, axis=0)).astype(buffer.dtype)


def one_hot(ids, classes):
    """int64 rows of zeros with a one at each id, on a new last axis."""
    return (ids.reshape((*ids.shape, 1)) == array_module(ids).arange(classes)).astype("int64")


# ---------------------------------------------------------------- weights in one or two bytes


def quantized_linear(x, bias, weight, scale):
    """x W^T + bias for x (m, k) and a weight (n, k) in int8 with scale (n,), or in bfloat16 with scale None."""
    y = _multiplied(x, _widened(weight, scale, x.dtype).swapaxes(0, 1))
    return y if bias is None else y + bias


def quantized_linear_input(x, weight, scale):
    """x W for x (m, n) and a weight (n, k) as above."""
    return _multiplied(x, _widened(weight, scale, x.dtype))


def _multiplied(a, b):
    """a @ b; on a GPU by its product function, which can be captured in a graph."""
    return a @ b if array_module(a).__name__ == "numpy" else kernels_of(a).matmul(a, b)


def _widened(weight, scale, dtype):
    wide = weight.astype(dtype)
    return wide if scale is None else wide * scale.astype(dtype)[:, None]
