"""Normalisation with statistics of each channel over the batch.

Batch norm (arXiv:1502.03167) brings each channel of x (N, C, L) to mean 0 and variance 1 over N and L, then scales and
shifts it. The gradient is layer norm's (derived in ops/nn.py) with the means taken over other axes.
"""

from minigrad.backend import kernels_of
from minigrad.op import fused, op
from minigrad.ops.transcendental import (
    rsqrt,
)


@op
def channel_statistics(x):
    """(mean, variance) of each channel of (N, C, L), over N and L; the variance divides by N L. No gradient."""
    return kernels_of(x).channel_statistics(x)


@op
def standardize(x, *, axes, eps):
    """h = (x - mean) / sqrt(variance + eps), with mean and biased variance over `axes`."""
    centred, rstd = _centred(x, axes, eps)
    return centred * rstd


@standardize.vjp
def standardize_vjp(dy, x, axes, eps):  # dx = r (dy - mean(dy) - h mean(dy h)), in ordinary ops: it runs twice as well
    centred, rstd = _centred(x, axes, eps)
    h = centred * rstd
    return rstd * (dy - dy.mean(axis=axes, keepdims=True) - h * (dy * h).mean(axis=axes, keepdims=True))


def _centred(x, axes, eps):
    """x - mean, and 1 / sqrt(variance + eps)."""
    centred = x - x.mean(axis=axes, keepdims=True)
    return centred, rsqrt((centred * centred).mean(axis=axes, keepdims=True) + eps)


def batch_norm_reference(x, weight, bias, *, eps, statistics):
    y = standardize(x, axes=(0, 2), eps=eps)
    y = y if weight is None else y * weight.reshape((-1, 1))
    return y if bias is None else y + bias.reshape((-1, 1))


@fused(reference=batch_norm_reference)
def batch_norm(x, weight, bias, *, eps, statistics):
    """(x - mean) / sqrt(variance + eps) weight + bias for x (N, C, L), weight and bias (C,) or None.

    `statistics` is the (mean, variance) of x that `channel_statistics` gives: the running averages want them too, so
    they are worked out once. The reference derives them from x, since they move with it.
    """
    y, rstd = kernels_of(x).batch_norm_fwd(x, weight, bias, *statistics, eps)
    return y, (statistics[0], rstd)


@batch_norm.vjp
def batch_norm_vjp(dy, x, weight, residuals, needs):
    return kernels_of(dy).batch_norm_bwd(dy, x, weight, *residuals, needs)
