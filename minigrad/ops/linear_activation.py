"""A linear map and the activation behind it as one op: the activation is applied while the product is in the cache."""

from minigrad.backend import kernels_of
from minigrad.op import fused
from minigrad.ops.activation import gelu, relu, silu
from minigrad.ops.linalg import matmul
from minigrad.ops.nn import check_linear, linear
from minigrad.tensor import numel

_ACTIVATIONS = {"relu": relu, "gelu": gelu, "silu": silu}


def linear_activation_reference(x, weight, bias, *, activation):
    return _ACTIVATIONS[activation](linear(x, weight, bias))


@fused(reference=linear_activation_reference)
def linear_activation(x, weight, bias, *, activation):
    """`activation` (relu, gelu or silu) of x W^T + b: (..., in), (out, in), (out,) or None -> (..., out)."""
    check_linear(x, weight, bias)
    rows = x.reshape((numel(x.shape[:-1]), x.shape[-1]))
    y, z = kernels_of(x).linear_activation_fwd(rows, weight, bias, activation)
    return y.reshape((*x.shape[:-1], weight.shape[0])), z


@linear_activation.vjp
def linear_activation_vjp(dy, x, weight, y, residuals, activation, needs):
    rows = numel(dy.shape[:-1])
    dy, y = dy.reshape((rows, dy.shape[-1])), y.reshape((rows, dy.shape[-1]))
    dz, dbias = kernels_of(dy).linear_activation_bwd(dy, y if residuals is None else residuals, activation)
    return (
        matmul(dz, weight).reshape(x.shape) if needs[0] else None,
        matmul(dz.swapaxes(0, 1), x.reshape((rows, x.shape[-1]))) if needs[1] else None,
        dbias if needs[2] else None,
    )
