"""Activations and the softmax family.

Arguments: `input` of any shape; the result has its shape and dtype. `inplace=True` writes the result into `input`.
Integer tensors raise NotImplementedError where the result would not be an integer.
"""

import warnings
from typing import Any

from minigrad import inplace as writing, ops
from minigrad.arguments import must_be_tensor
from minigrad.grad_names import named
from minigrad.ops.nn import needs_floating
from minigrad.tensor import Tensor, one_dim

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def _apply(function: Any, input: Tensor, inplace: bool, **params: Any) -> Tensor:
    needs_floating(function.name, must_be_tensor(function.name, "input", input).array)
    return writing.update(input, function, **params) if inplace else function(input, **params)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0). The derivative at 0 is 0."""
    return writing.update(input, ops.relu) if inplace else ops.relu(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope x."""
    return _apply(ops.leaky_relu, input, inplace, negative_slope=negative_slope)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else w x. `weight` (count,) has one entry, or one for each channel (dim 1 of the input)."""
    count = weight.array.size
    channels = input.array.shape[1] if input.array.ndim > 1 else 1
    if count not in (1, channels) or weight.array.ndim > 1:
        raise RuntimeError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {count} and channel "
            f"size = {channels}. prelu expects a weight of shape (1,) or (channels,), got {tuple(weight.shape)}"
        )
    return ops.prelu(input, weight.reshape([count if i == 1 else 1 for i in range(input.array.ndim)]))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else value."""
    params = {"threshold": threshold, "value": value}
    return writing.update(input, ops.threshold, **params) if inplace else ops.threshold(input, **params)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha (exp(x) - 1). Source: arXiv:1511.07289."""
    return _apply(ops.elu, input, inplace, alpha=alpha, scale=1.0, input_scale=1.0)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507 elu(x, 1.67326): the constants that keep mean 0 and variance 1. Source: arXiv:1706.02515."""
    return _apply(ops.elu, input, inplace, alpha=_SELU_ALPHA, scale=_SELU_SCALE, input_scale=1.0)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha (exp(x / alpha) - 1). Source: arXiv:1704.07483."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return named(_apply(ops.elu, input, inplace, alpha=alpha, scale=1.0, input_scale=1 / alpha), "CeluBackward0")


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x cdf(x) with the normal distribution's cdf; "tanh": x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.

    Source: arXiv:1606.08415. GPT-2 and BERT checkpoints differ in which of the two they were trained with.
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"approximate argument must be either none or tanh, got {approximate!r}.")
    return _apply(ops.gelu if approximate == "none" else ops.gelu_tanh, input, False)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x), also called swish. Source: arXiv:1702.03118."""
    return _apply(ops.silu, input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(log(1 + exp(x))). Source: arXiv:1908.08681."""
    return _apply(ops.mish, input, inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold."""
    return _apply(ops.softplus, input, False, beta=beta, threshold=threshold)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x cut to [min_val, max_val]; the derivative is 0 at and beyond the bounds."""
    if min_val > max_val:
        raise ValueError(f"min_val cannot be greater than max_val, got {min_val} and {max_val}")
    kind = must_be_tensor("hardtanh", "input", input).array.dtype.kind
    if kind == "b":
        raise RuntimeError("hardtanh takes numbers, not bools: convert with .long()")
    if kind in "iu":
        min_val, max_val = int(min_val), int(max_val)
    params = {"low": min_val, "high": max_val}
    return writing.update(input, ops.hardtanh, **params) if inplace else ops.hardtanh(input, **params)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6. Source: arXiv:1905.02244."""
    return _apply(ops.hardsigmoid, input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x min(max(x + 3, 0), 6) / 6. Source: arXiv:1905.02244."""
    return _apply(ops.hardswish, input, inplace)


def logsigmoid(input: Tensor) -> Tensor:
    """log(1 / (1 + exp(-x))), without overflow."""
    return _apply(ops.logsigmoid, input, False)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return ops.div(input, ops.add(ops.abs(input), 1))


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return ops.sub(input, ops.tanh(input))


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return ops.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """sinh(x) / cosh(x)."""
    return ops.tanh(input)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a sigmoid(b), where a and b are the two halves of the input along `dim`. Source: arXiv:1612.08083."""
    if not input.array.ndim:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    dim = one_dim(dim, input.array.ndim)
    if input.array.shape[dim] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {input.array.shape[dim]}")
    a, b = ops.split(input, max(input.array.shape[dim] // 2, 1), dim)
    return named(ops.mul(a, ops.sigmoid(b)), "GluBackward0")


# ---------------------------------------------------------------- softmax


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(x_i) / sum_j exp(x_j) along `dim`; `dtype` converts the input first. Rows of -inf alone give nan."""
    return input.softmax(_dim_or_implicit("softmax", input, dim, _stacklevel), dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """softmax(-x): the smallest entry gets the largest share."""
    return (-input).softmax(_dim_or_implicit("softmin", input, dim, _stacklevel), dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """x_i - log(sum_j exp(x_j)) along `dim`: accurate where softmax is near 0."""
    return input.log_softmax(_dim_or_implicit("log_softmax", input, dim, _stacklevel), dtype)


def _dim_or_implicit(name: str, input: Tensor, dim: int | None, stacklevel: int) -> int:
    """Without `dim`: 0 for tensors of 0, 1 and 3 dims, else 1, as old programs expect."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if input.array.ndim in (0, 1, 3) else 1
