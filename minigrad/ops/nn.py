"""The ops of layers: softmax, linear, embedding, dropout, layer norm, RMS norm.

Layer norm is the example that this file explains from its formula to its check; see `layer_norm` below.
"""

from typing import Any

from minigrad import late_checks
from minigrad.backend import kernels_of
from minigrad.dtype import is_floating, of
from minigrad.explain import noted
from minigrad.op import fused, op
from minigrad.ops import reduce
from minigrad.ops.comparison import (
    ne,
)
from minigrad.ops.elementwise import (
    add,
    mul,
    where,
)
from minigrad.ops.linalg import matmul
from minigrad.ops.transcendental import (
    exp,
    rsqrt,
)
from minigrad.tensor import numel

# ---------------------------------------------------------------- softmax and its logarithm


@op
def softmax(x, *, dim):
    """y_i = exp(x_i) / sum_j exp(x_j) along `dim`, shifted by the largest entry so that nothing overflows."""
    return kernels_of(x).softmax(needs_floating("softmax", x), dim)


@softmax.vjp
def softmax_vjp(dy, y, dim):  # dy_i/dx_j = y_i ([i = j] - y_j)
    return softmax_backward(dy, y, dim=dim)


@op
def softmax_backward(gradient, p, *, dim):
    """p (g - sum(g p)): from the gradient g of softmax's output p to that of its input."""
    return kernels_of(gradient).softmax_backward(gradient, p, dim)


@softmax_backward.vjp
def softmax_backward_vjp(dy, gradient, p, dim, needs):
    # Linear in g, with the symmetric matrix diag(p) - p p^T: that part of the rule is the op itself.
    by_gradient = softmax_backward(dy, p, dim=dim) if needs[0] else None
    if not needs[1]:
        return by_gradient, None
    both = (gradient * p).sum(axis=dim, keepdims=True) * dy + (dy * p).sum(axis=dim, keepdims=True) * gradient
    return by_gradient, dy * gradient - both


@op
def log_softmax(x, *, dim):
    """y_i = x_i - log(sum_j exp(x_j)) along `dim`: the logarithm of softmax, accurate where softmax is near 0."""
    return kernels_of(x).log_softmax(needs_floating("log_softmax", x), dim)


@log_softmax.vjp
def log_softmax_vjp(dy, y, dim):  # dy_i/dx_j = [i = j] - exp(y_j)
    return log_softmax_backward(dy, y, dim=dim)


@op
def log_softmax_backward(gradient, log_p, *, dim):
    """g - exp(log_p) sum(g): from the gradient g of log_softmax's output to that of its input."""
    return kernels_of(gradient).log_softmax_backward(gradient, log_p, dim)


@log_softmax_backward.vjp
def log_softmax_backward_vjp(dy, gradient, log_p, dim, needs):
    weighted = dy * exp(log_p)
    return (
        dy - weighted.sum(axis=dim, keepdims=True) if needs[0] else None,
        -weighted * gradient.sum(axis=dim, keepdims=True) if needs[1] else None,
    )


def needs_floating(name: str, x: Any) -> Any:
    """x itself; NotImplementedError for integers and bools."""
    if not is_floating(x.dtype):
        raise NotImplementedError(f'"{name}" not implemented for {of(x.dtype)}: convert the tensor with .float()')
    return x


# ---------------------------------------------------------------- linear


@op
def linear(x, weight, bias):
    """y = x W^T + b: (..., in), (out, in), (out,) or None -> (..., out), one product for all leading axes together."""
    check_linear(x, weight, bias)
    width = weight.shape[0]
    if x.ndim == 2:
        return kernels_of(x).matmul(x, weight.swapaxes(0, 1), bias)
    rows = x.reshape((numel(x.shape[:-1]), weight.shape[1]))
    return kernels_of(x).matmul(rows, weight.swapaxes(0, 1), bias).reshape((*x.shape[:-1], width))


@linear.vjp(kept_for={"x": "weight", "weight": "x"})
def linear_vjp(dy, x, weight, x_shape, needs):
    if len(x_shape) != 2:
        rows = numel(x_shape[:-1])
        dy = dy.reshape((rows, dy.shape[-1]))
        x = x.reshape((rows, x_shape[-1])) if needs[1] else None
    dx = matmul(dy, weight) if needs[0] else None
    return (
        dx if dx is None or len(x_shape) == 2 else dx.reshape(x_shape),
        matmul(dy.swapaxes(0, 1), x) if needs[1] else None,
        reduce.sum(dy, axis=(0,), keepdims=False) if needs[2] else None,
    )


def check_linear(x: Any, weight: Any, bias: Any) -> None:
    """RuntimeError where x (..., in), weight (out, in) and bias (out,) or None do not fit."""
    columns, width = x.shape[-1], weight.shape[0]
    if columns != weight.shape[1]:
        raise noted(
            RuntimeError(
                f"mat1 and mat2 shapes cannot be multiplied ({numel(x.shape[:-1])}x{columns} and "
                f"{weight.shape[1]}x{width})"
            ),
            f"linear takes x of shape (..., in) and a weight (out, in), got {tuple(x.shape)} and {tuple(weight.shape)}",
        )
    if x.dtype != weight.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {of(x.dtype)} != {of(weight.dtype)} (linear's x and "
            "weight); convert one with .to()"
        )
    if bias is not None and bias.shape != (width,) and bias.shape not in ((1,), ()):
        raise RuntimeError(
            f"linear: expected a bias of shape ({width},) for a weight (out={width}, in), got {tuple(bias.shape)}"
        )


# ---------------------------------------------------------------- embedding: rows of a table


@op
def embedding(weight, *, ids, padding_idx=None):
    """weight[ids]: (rows, width) and ids of any shape -> (*ids.shape, width). Row `padding_idx` gets no gradient."""
    rows = weight.shape[0]
    if ids.size:
        text = f"embedding: an id is out of range, in a table of {rows} rows"
        low, high = late_checks.bounds(ids, 0, rows - 1, IndexError, text)
        if low < 0 or high >= rows:
            wrong = low if low < 0 else high
            raise noted(IndexError("index out of range in self"), f"id {wrong} in a table of {rows} rows")
    return kernels_of(weight).take_rows(weight, ids)


@embedding.vjp
def embedding_vjp(dy, weight_shape, ids, padding_idx):
    return add_into_rows(dy, ids=ids, rows=weight_shape[0], padding_idx=padding_idx)


@embedding.vjp_into
def embedding_vjp_into(buffer, dy, ids, padding_idx):
    untouched = None if padding_idx is None else buffer[padding_idx : padding_idx + 1].copy()
    kernels_of(dy).add_rows(buffer, ids.reshape((-1,)), dy.reshape((ids.size, *buffer.shape[1:])))
    if padding_idx is not None:
        buffer[padding_idx : padding_idx + 1] = untouched


@op
def add_into_rows(x, *, ids, rows, padding_idx=None):
    """Zeros (rows, width) with x[i] added at row ids[i]: the adjoint of `embedding`. Repeated ids add up."""
    y = kernels_of(x).zeros((rows, *x.shape[ids.ndim :]), x.dtype, x)
    embedding_vjp_into(y, x, ids, padding_idx)
    return y


@add_into_rows.vjp
def add_into_rows_vjp(dy, ids, padding_idx):
    picked = embedding(dy, ids=ids, padding_idx=padding_idx)
    if padding_idx is None:
        return picked
    return where(ne(ids, padding_idx).reshape((*ids.shape, 1)), picked, 0.0)


@op
def one_hot(ids, *, classes):
    """(...) integers -> (..., classes) of int64: 1 at the place that the integer names. No gradient."""
    return kernels_of(ids).one_hot(ids, classes)


# ---------------------------------------------------------------- dropout


@op
def dropout(x, *, mask):
    """x mask, with a raw mask of 0 and 1 / (1 - p) that is drawn outside: an op is a pure function of its arguments.

    Source: JMLR 15 (2014) 1929.
    """
    return mul(x, mask)


@dropout.vjp
def dropout_vjp(dy, mask):
    return dropout(dy, mask=mask)


# ---------------------------------------------------------------- layer norm, from the formula to the check
#
# 1. The formula (arXiv:1607.06450). Each row x of n entries is centred, brought to variance one, scaled and shifted:
#
#        m = mean(x)     r = 1 / sqrt(mean((x - m)^2) + eps)     h = (x - m) r     y = h w + b
#
#    The variance divides by n, not n - 1; eps keeps r finite where a row is constant.
#
# 2. The gradient. With dy the gradient of y, those of w and b are sums over all rows: dw = sum(dy h), db = sum(dy).
#    The gradient of h is g = dy w. For x, move one entry x_j and watch m, r and h move. The variance moves by
#    2 (x_j - m) / n; that m moves too does not count, as the entries' distances from m sum to zero.
#
#        dm/dx_j   = 1 / n
#        dr/dx_j   = -r^3 / 2 * 2 (x_j - m) / n  =  -r^2 h_j / n
#        dh_i/dx_j = r ([i = j] - 1/n) + (x_i - m) dr/dx_j  =  r ([i = j] - 1/n - h_i h_j / n)
#
#    and summing g_i dh_i/dx_j over i gives the whole rule:
#
#        dx_j = r (g_j - mean(g) - h_j mean(g h))
#
#    Read it as a projection: what would shift the row (its mean) and what would stretch it (its part along h) is
#    taken out of g, because y does not see either.
#
# 3. The kernel (`layer_norm_fwd`, `layer_norm_bwd`). In array code, steps 1 and 2 pass over memory some ten times. A
#    kernel does a row while it lies in the cache: one pass for m, one for r, one for y. It hands back m and r, two
#    numbers a row, so that the backward computes h = (x - m) r anew instead of keeping an array of x's size.
#
# 4. The check. `layer_norm_reference` is step 1 in ordinary ops: its gradient, of any order, comes from their rules
#    and knows nothing of step 2. The tests hold the kernel's y, dx, dw and db against it run in float64, and it
#    against finite differences; where no kernel fits (float64, no Numba) it runs in the kernel's place.


def layer_norm_reference(x, weight, bias, *, eps=1e-5):
    centred = x - x.mean(axis=-1, keepdims=True)
    y = centred * rsqrt((centred * centred).mean(axis=-1, keepdims=True) + eps)
    y = y if weight is None else mul(y, weight)
    return y if bias is None else add(y, bias)


@fused(reference=layer_norm_reference)
def layer_norm(x, weight, bias, *, eps=1e-5):
    """(x - mean) / sqrt(variance + eps) weight + bias over the last axis; weight and bias (n,) or None."""
    y, mean, rstd = kernels_of(x).layer_norm_fwd(x, weight, bias, eps)
    return y, (mean, rstd)


@layer_norm.vjp
def layer_norm_vjp(dy, x, weight, residuals, needs):
    return kernels_of(dy).layer_norm_bwd(dy, x, weight, *residuals, needs)


# ---------------------------------------------------------------- RMS norm


def rms_norm_reference(x, weight, *, eps):
    y = x * rsqrt((x * x).mean(axis=-1, keepdims=True) + eps)
    return y if weight is None else mul(y, weight)


@fused(reference=rms_norm_reference)
def rms_norm(x, weight, *, eps):
    """x / sqrt(mean(x^2) + eps) weight over the last axis: layer norm less the centring. Source: arXiv:1910.07467."""
    y, rstd = kernels_of(x).rms_norm_fwd(x, weight, eps)
    return y, (rstd,)


@rms_norm.vjp
def rms_norm_vjp(dy, x, weight, residuals, needs):
    return kernels_of(dy).rms_norm_bwd(dy, x, weight, *residuals, needs)
