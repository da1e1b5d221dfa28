"""Primitives in plain array code, valid for NumPy and CuPy alike.

`array_module(x)` is numpy or cupy. What differs between the two, or from what an op needs, is settled here: reductions
take no `where=` / `initial=` (CuPy has none), sums of half precision run in float32 and are rounded once, integer sums
are int64. A backend's own module (kernels/cpu) gives the same names and overrides what it does faster.
"""

from minigrad.backend import array_module
from minigrad.dtype import result_dtype
from minigrad.kernels.common_complex import (
    angle as angle,
    sgn as sgn,
    view_as_real as view_as_real,
    with_parts as with_parts,
)
from minigrad.kernels.common_conv import (
    col2im as col2im,
    conv2d as conv2d,
    conv2d_input as conv2d_input,
    conv2d_weight as conv2d_weight,
    im2col as im2col,
)
from minigrad.kernels.common_linalg import (
    cholesky as cholesky,
    det as det,
    eigh as eigh,
    eigvalsh as eigvalsh,
    inv as inv,
    qr as qr,
    slogdet as slogdet,
    solve as solve,
    svd as svd,
    svdvals as svdvals,
)
from minigrad.kernels.common_nn import (
    add_rows as add_rows,
    gelu as gelu,
    gelu_backward as gelu_backward,
    log_softmax as log_softmax,
    log_softmax_backward as log_softmax_backward,
    one_hot as one_hot,
    quantized_linear as quantized_linear,
    quantized_linear_input as quantized_linear_input,
    sigmoid as sigmoid,
    silu as silu,
    silu_backward as silu_backward,
    softmax as softmax,
    softmax_backward as softmax_backward,
    softplus as softplus,
    take_rows as take_rows,
)
from minigrad.kernels.common_norm import channel_statistics as channel_statistics
from minigrad.kernels.common_orders import (
    histogram_counts as histogram_counts,
    isin as isin,
    running_places as running_places,
    runs as runs,
    searchsorted as searchsorted,
)
from minigrad.kernels.common_pool import (
    put_taps as put_taps,
    spread_windows as spread_windows,
    take_taps as take_taps,
    tap_positions as tap_positions,
    window_argmax as window_argmax,
    window_sums as window_sums,
)
from minigrad.kernels.common_special import (
    acosh as acosh,
    asinh as asinh,
    atanh as atanh,
    copysign as copysign,
    digamma as digamma,
    erfc as erfc,
    erfinv as erfinv,
    frexp as frexp,
    gcd as gcd,
    hypot as hypot,
    lcm as lcm,
    left_shift as left_shift,
    lgamma as lgamma,
    logaddexp as logaddexp,
    nextafter as nextafter,
    polygamma as polygamma,
    right_shift as right_shift,
    signbit as signbit,
)
from minigrad.kernels.optim_reference import (
    adagrad_update as adagrad_update,
    adam_update as adam_update,
    count_up as count_up,
    rmsprop_update as rmsprop_update,
    scale as scale,
    scale_by as scale_by,
    sgd_update as sgd_update,
    total_norm as total_norm,
)
from minigrad.kernels.philox import (
    philox_keep as philox_keep,
    philox_normal as philox_normal,
    philox_uniform as philox_uniform,
    philox_words as philox_words,
)
from minigrad.kernels.special import erf as _erf


def supports(op_name: str, arrays: list) -> bool:
    """Whether a fused kernel of that op takes these arrays: here, none does."""
    return False


# ---------------------------------------------------------------- elementwise


def exp(x):
    return array_module(x).exp(x)


def expm1(x):
    return array_module(x).expm1(x)


def log(x):
    return array_module(x).log(x)


def log1p(x):
    return array_module(x).log1p(x)


def log2(x):
    return array_module(x).log2(x)


def log10(x):
    return array_module(x).log10(x)


def sqrt(x):
    return array_module(x).sqrt(x)


def sin(x):
    return array_module(x).sin(x)


def cos(x):
    return array_module(x).cos(x)


def tan(x):
    return array_module(x).tan(x)


def asin(x):
    return array_module(x).arcsin(x)


def acos(x):
    return array_module(x).arccos(x)


def atan(x):
    return array_module(x).arctan(x)


def atan2(a, b):
    return array_module(a).arctan2(a, b)


def sinh(x):
    return array_module(x).sinh(x)


def cosh(x):
    return array_module(x).cosh(x)


def tanh(x):
    return array_module(x).tanh(x)


def erf(x):
    return _erf(x.astype("float32")).astype(x.dtype) if is_half(x) else _erf(x)


def abs(x):
    return array_module(x).abs(x)


def sign(x):
    xp = array_module(x)
    # sign(nan) is 0, as PyTorch has it; NumPy's is nan.
    if x.dtype.kind in "iu":
        return xp.sign(x)
    return x.copy() if x.dtype.kind == "b" else xp.subtract(x > 0, x < 0, dtype=x.dtype)


def floor(x):
    return x.copy() if x.dtype.kind in "iub" else array_module(x).floor(x)


def ceil(x):
    return x.copy() if x.dtype.kind in "iub" else array_module(x).ceil(x)


def trunc(x):
    return x.copy() if x.dtype.kind in "iub" else array_module(x).trunc(x)


def round(x, decimals):
    return x.copy() if x.dtype.kind in "iub" else array_module(x).round(x, decimals)


def floor_divide(a, b):
    return _module_of_either(a, b).floor_divide(a, b)


def remainder(a, b):
    return _module_of_either(a, b).remainder(a, b)


def fmod(a, b):
    return _module_of_either(a, b).fmod(a, b)


def maximum(a, b):
    return _module_of_either(a, b).maximum(a, b)


def relu(x):
    """max(x, 0), where a nan stays."""
    if x.dtype.kind == "b":
        raise RuntimeError("relu takes numbers, not bools: convert with .long()")
    return array_module(x).maximum(x, x.dtype.type(0))


def relu_backward(gradient, y):
    """The gradient where y > 0, or y is nan, else 0."""
    return array_module(y).where(y <= 0, gradient.dtype.type(0), gradient)


def minimum(a, b):
    return _module_of_either(a, b).minimum(a, b)


def where(condition, a, b):
    """Two bare numbers take the default float, or int64 when both are integers, as tensors of them would."""
    a_is_number, b_is_number = not hasattr(a, "dtype"), not hasattr(b, "dtype")
    if a_is_number and b_is_number:
        raw = result_dtype([a, b]).numpy
        a, b = raw.type(a), raw.type(b)
    if hasattr(condition, "dtype"):
        if condition.dtype.kind != "b":
            condition = condition != 0
        return array_module(condition).where(condition, a, b)
    return array_module(b if a_is_number else a).where(condition, a, b)


def isfinite(x):
    return array_module(x).isfinite(x)


def isinf(x):
    return array_module(x).isinf(x)


def isnan(x):
    return array_module(x).isnan(x)


def isclose(a, b, rtol, atol, equal_nan):
    """|a - b| <= atol + rtol |b|; infinities of one sign are close; the dtype of the inputs is kept throughout."""
    xp = array_module(a)
    if a.dtype.kind == "b":
        return a == b
    close = (a == b) | (xp.isfinite(b) & (abs(a - b) <= atol + rtol * abs(b)))
    return close | (xp.isnan(a) & xp.isnan(b)) if equal_nan else close


def logical_and(a, b):
    return _module_of_either(a, b).logical_and(a, b)


def logical_or(a, b):
    return _module_of_either(a, b).logical_or(a, b)


def logical_xor(a, b):
    return _module_of_either(a, b).logical_xor(a, b)


def logical_not(x):
    return array_module(x).logical_not(x)


def _module_of_either(a, b):
    return array_module(a if hasattr(a, "dtype") else b)


# ---------------------------------------------------------------- reductions


def is_half(x) -> bool:
    """Two-byte floats: they are summed in float32 and rounded once."""
    return x.dtype.itemsize == 2 and x.dtype.kind not in "iu"


def sum(x, axis, keepdims):
    if is_half(x):
        return x.astype("float32").sum(axis=axis, keepdims=keepdims).astype(x.dtype)
    if x.dtype.kind in "iub":
        return x.sum(axis=axis, keepdims=keepdims, dtype="int64")
    return array_module(x).add.reduce(x, axis=axis, keepdims=keepdims)


def prod(x, axis, keepdims):
    if is_half(x):
        return x.astype("float32").prod(axis=axis, keepdims=keepdims).astype(x.dtype)
    return x.prod(axis=axis, keepdims=keepdims, dtype="int64" if x.dtype.kind in "iub" else None)


def amax(x, axis, keepdims):
    return x.max(axis=axis, keepdims=keepdims)


def amin(x, axis, keepdims):
    return x.min(axis=axis, keepdims=keepdims)


def argmax(x, axis, keepdims):
    return x.argmax(axis=axis, keepdims=keepdims)


def argmin(x, axis, keepdims):
    return x.argmin(axis=axis, keepdims=keepdims)


def all(x, axis, keepdims):
    return array_module(x).all(x, axis=axis, keepdims=keepdims)


def any(x, axis, keepdims):
    return array_module(x).any(x, axis=axis, keepdims=keepdims)


def bounds(x):
    """The smallest and the largest entry as Python numbers, for checks of what an index may be."""
    return x.min().item(), x.max().item()


def nonzero(x):
    """The positions of the nonzero entries: an index array an axis."""
    return array_module(x).nonzero(x)


def cumsum(x, axis):
    if is_half(x):
        return cumsum(x.astype("float32"), axis).astype(x.dtype)
    running = x.cumsum(axis=axis, dtype="int64" if x.dtype.kind in "iub" else None)
    return running.reshape(x.shape)  # of a 0-d array NumPy makes one of one entry


def cumprod(x, axis):
    if is_half(x):
        return cumprod(x.astype("float32"), axis).astype(x.dtype)
    return x.cumprod(axis=axis, dtype="int64" if x.dtype.kind in "iub" else None).reshape(x.shape)


def argsort(x, axis, descending):
    """Stable in both directions: equal entries stay in order, nan counts as the largest."""
    xp = array_module(x)
    if not descending:
        return xp.argsort(x, axis=axis, kind="stable")
    order = xp.argsort(xp.flip(x, axis), axis=axis, kind="stable")
    return x.shape[axis] - 1 - xp.flip(order, axis)


def top_places(x, axis, k, largest):
    """Where the k largest (or smallest) entries along an axis are, in order; ties and nan as for argsort."""
    order = argsort(x, axis, largest)
    return order[(slice(None),) * (axis % x.ndim) + (slice(k),)]


def unique(x, dim):
    """(sorted distinct values, inverse index, counts); with `dim`, of the slices along it."""
    xp = array_module(x)
    values, inverse, counts = xp.unique(x, return_inverse=True, return_counts=True, axis=dim)
    return values, inverse.reshape(x.shape if dim is None else -1), counts


def bincount(x, weights, minlength):
    counts = array_module(x).bincount(x, weights, minlength)  # NumPy adds up in float64, whatever the weights are
    return counts if weights is None or weights.dtype != "float32" else counts.astype(weights.dtype)


# ---------------------------------------------------------------- construction, shape, choice by index


def zeros(shape, dtype, like):
    """Zeros on the device of the array `like`."""
    return array_module(like).zeros(shape, dtype)


def copy(x):
    return x.copy(order="C") if x.ndim else array_module(x).array(x)  # of a NumPy scalar: a 0-d array


def writable(x, *others):
    """A copy of x to write parts of the others into."""
    return copy(x)


def ascontiguous(x):
    return array_module(x).ascontiguousarray(x)


def arange(n, like):
    """0 .. n - 1 as int64, beside the array `like`."""
    return array_module(like).arange(n)


def diagonal(x, offset):
    """The diagonal of the last two axes as one axis, on the same memory."""
    x = x[..., max(-offset, 0) :, max(offset, 0) :]
    *lead, rows, columns = x.shape
    *steps, down, right = x.strides
    strided = array_module(x).lib.stride_tricks.as_strided
    return strided(x, shape=(*lead, min(rows, columns)), strides=(*steps, down + right))


def broadcast_to(x, shape):
    """Expanded without copying, and as writeable as x is: NumPy would call it read-only."""
    y = array_module(x).broadcast_to(x, shape)
    if not getattr(y.flags, "writeable", True) and x.flags.writeable:
        y.flags.writeable = True
    return y


def concatenate(xs, axis):
    return array_module(xs[0]).concatenate(xs, axis=axis)


def stack(xs, axis):
    return array_module(xs[0]).stack(xs, axis=axis)


def transpose(x, order):
    return x.transpose(order)


def flip(x, axes):
    return array_module(x).flip(x, axes)


def roll(x, shifts, axes):
    return array_module(x).roll(x, shifts, axes)


def tril(x, diagonal):
    return array_module(x).tril(x, diagonal)


def triu(x, diagonal):
    return array_module(x).triu(x, diagonal)


def pad(x, pads, value):
    xp = array_module(x)
    y = xp.full([n + lo + hi for n, (lo, hi) in zip(x.shape, pads, strict=True)], value, x.dtype)
    y[tuple(slice(lo, lo + n) for n, (lo, _) in zip(x.shape, pads, strict=True))] = x
    return y


def take_along_axis(x, indices, axis):
    return array_module(x).take_along_axis(x, indices, axis)


def put_along_axis(x, indices, values, axis):
    """Write in place x[..., indices, ...] = values along an axis."""
    array_module(x).put_along_axis(x, indices, values, axis)


def add_along_axis(x, indices, values, axis):
    """Add in place along an axis; repeated indices add up."""
    add_at(x, _grid(x, indices, axis), values)


def add_at(x, index, values):
    """x[index] += values in place, where repeated indices add up; part by part of complex numbers, as CuPy wants it."""
    if x.dtype.kind == "c":
        array_module(x).add.at(x.real, index, values.real)
        array_module(x).add.at(x.imag, index, values.imag)
    else:
        array_module(x).add.at(x, index, values)


def _grid(x, indices, axis):
    """The index tuple that `take_along_axis` means."""
    xp = array_module(x)
    index = []
    for i, n in enumerate(indices.shape):
        shape = [1] * indices.ndim
        shape[i] = n
        index.append(indices if i == axis else xp.arange(n).reshape(shape))
    return tuple(index)


def einsum(equation, operands):
    return array_module(operands[0]).einsum(equation, *operands)


def matmul(a, b, bias=None):
    """a @ b (+ bias); two-byte floats are multiplied in float32 and rounded once."""
    if is_half(a) and array_module(a).__name__ == "numpy":
        y = (a.astype("float32") @ b.astype("float32")).astype(a.dtype)
    else:
        y = a @ b
    if bias is not None:
        y += bias
    return y
