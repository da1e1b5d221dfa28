"""A linear map whose weight is kept in one or two bytes a number: for models that are used, or whose base is frozen."""

from minigrad.backend import kernels_of
from minigrad.explain import noted
from minigrad.op import op
from minigrad.ops import reduce
from minigrad.tensor import numel


@op
def quantized_linear(x, bias, *, weight, scale):
    """y = x W^T + b: x (..., in), b (out,) or None -> (..., out).

    W (out, in) is given as raw arrays: int8 numbers q with a `scale` (out,), where W = q scale, or bfloat16 with scale
    None. It is widened on its way into the sum, and gets no gradient.
    """
    columns, width = x.shape[-1], weight.shape[0]
    if columns != weight.shape[1]:
        raise noted(
            RuntimeError(
                f"mat1 and mat2 shapes cannot be multiplied ({numel(x.shape[:-1])}x{columns} and "
                f"{weight.shape[1]}x{width})"
            ),
            f"x is (..., in), the weight (out, in), got {tuple(x.shape)} and {tuple(weight.shape)}",
        )
    rows = x.reshape((numel(x.shape[:-1]), columns))
    return kernels_of(x).quantized_linear(rows, bias, weight, scale).reshape((*x.shape[:-1], width))


@quantized_linear.vjp
def quantized_linear_vjp(dy, x_shape, weight, scale, needs):
    return (
        quantized_linear_input(dy, weight=weight, scale=scale) if needs[0] else None,
        reduce.sum(dy.reshape((numel(x_shape[:-1]), dy.shape[-1])), axis=(0,), keepdims=False) if needs[1] else None,
    )


@op
def quantized_linear_input(x, *, weight, scale):
    """x W, for x (..., out) -> (..., in): the adjoint of quantized_linear without a bias."""
    rows = x.reshape((numel(x.shape[:-1]), x.shape[-1]))
    return kernels_of(x).quantized_linear_input(rows, weight, scale).reshape((*x.shape[:-1], weight.shape[1]))


@quantized_linear_input.vjp
def quantized_linear_input_vjp(dy, weight, scale):
    return quantized_linear(dy, None, weight=weight, scale=scale)
