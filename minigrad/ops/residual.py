"""A residual connection and the norm behind it as one op, for post-norm Transformers: norm(x + residual)."""

from minigrad.backend import kernels_of
from minigrad.op import fused
from minigrad.ops.elementwise import add
from minigrad.ops.nn import layer_norm, rms_norm


def add_layer_norm_reference(x, residual, weight, bias, *, eps):
    return layer_norm(add(x, residual), weight, bias, eps=eps)


@fused(reference=add_layer_norm_reference)
def add_layer_norm(x, residual, weight, bias, *, eps):
    """layer_norm(x + residual) over the last axis; x and residual of one shape, weight and bias (n,) or None."""
    y, *residuals = kernels_of(x).add_layer_norm_fwd(x, residual, weight, bias, eps)
    return y, tuple(residuals)


@add_layer_norm.vjp
def add_layer_norm_vjp(dy, weight, residuals, needs):
    s, mean, rstd = residuals
    ds, *others = kernels_of(dy).layer_norm_bwd(dy, s, weight, mean, rstd, (True, *needs[2:]))
    return ds, ds, *others


def add_rms_norm_reference(x, residual, weight, *, eps):
    return rms_norm(add(x, residual), weight, eps=eps)


@fused(reference=add_rms_norm_reference)
def add_rms_norm(x, residual, weight, *, eps):
    """rms_norm(x + residual) over the last axis; x and residual of one shape, weight (n,) or None."""
    y, *residuals = kernels_of(x).add_rms_norm_fwd(x, residual, weight, eps)
    return y, tuple(residuals)


@add_rms_norm.vjp
def add_rms_norm_vjp(dy, weight, residuals, needs):
    s, rstd = residuals
    ds, dweight = kernels_of(dy).rms_norm_bwd(dy, s, weight, rstd, (True, needs[2]))
    return ds, ds, dweight
