"""Normalisation of channels: batch_norm, instance_norm, group_norm, local_response_norm."""

import math

from minigrad import autograd, ops
from minigrad.grad_names import named
from minigrad.kernels.batched.array import fits
from minigrad.mixed_precision import in_full, mode
from minigrad.nn.functional.layers import same_device
from minigrad.nn.functional.padding import pad
from minigrad.nn.functional.pooling import avg_pool2d
from minigrad.tensor import Tensor


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """(x - mean) / sqrt(variance + eps) weight + bias for each channel of (N, C, ...). Source: arXiv:1502.03167.

    In training mean and variance are those of the batch, over all dims but C; the running ones then move towards them
    in place, r = (1 - momentum) r + momentum new, where the new variance divides by n - 1 (the normalising one by n).
    Otherwise the running ones normalise. ValueError where training has one value a channel.
    """
    channels, shape = _channels("batch_norm", input, running_mean, running_var, weight, bias)
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                f"{'running_mean' if running_mean is None else 'running_var'} must be defined in evaluation mode"
            )
        y = _normalized_by(input, running_mean, running_var, weight, bias, eps)
        return named(y, "NativeBatchNormBackward0")
    count = input.array.size // max(channels, 1)
    if count == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {input.shape}")
    x = ops.reshape(input, shape=(shape[0], channels, math.prod(shape[2:])))
    if not count:  # nothing to normalise, and nothing to learn from
        return _scaled(input, weight, bias)
    with autograd.no_grad():
        mean, variance = ops.channel_statistics(x)
        if running_mean is not None:
            _move_towards(running_mean, mean, momentum)
        if running_var is not None:
            _move_towards(running_var, variance * (count / (count - 1)), momentum)
    if x.array.dtype.itemsize == 2:  # two-byte floats are normalised in float32
        x, weight, bias = x.float(), _wide(weight), _wide(bias)
    y = ops.batch_norm(x, weight, bias, eps=eps, statistics=(mean.array, variance.array))
    return named(_restored(y, input), "NativeBatchNormBackward0")


def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None, weight: Tensor | None = None,
    bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """batch_norm of each sample by itself: mean and variance over the dims behind (N, C). Source: arXiv:1607.08022.

    The running statistics move towards the means over the batch. Without use_input_stats the running ones normalise.
    """
    channels, shape = _channels("instance_norm", input, running_mean, running_var, weight, bias)
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
        return _normalized_by(input, running_mean, running_var, weight, bias, eps)
    count = math.prod(shape[2:])
    if count == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.shape}")
    rows = ops.reshape(input, shape=(shape[0] * channels, count))
    if running_mean is not None or running_var is not None:
        with autograd.no_grad():
            lines = ops.reshape(rows, shape=(1, shape[0] * channels, count))
            mean, variance = (s.reshape(shape[0], channels).mean(0) for s in ops.channel_statistics(lines))
            if running_mean is not None:
                _move_towards(running_mean, mean, momentum)
            if running_var is not None:
                _move_towards(running_var, variance * (count / (count - 1)), momentum)
    return _scaled_rows(rows, input, weight, bias, eps)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Layer norm over each of num_groups groups of channels of (N, C, ...), then weight and bias for each channel.

    Source: arXiv:1803.08494. One group is layer norm over all of a sample, C groups are instance norm.
    """
    shape = tuple(input.array.shape)
    if len(shape) < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {len(shape)}")
    if num_groups < 1 or shape[1] % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(shape)} and num_groups={num_groups}"
        )
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and tuple(parameter.array.shape) != (shape[1],):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape {list(parameter.shape)} and input of shape {list(shape)}"
            )
    _check_floating("group_norm", input)
    input = in_full("layer_norm", input) if mode.blocks else input
    same_device("group_norm", *(t for t in (input, weight, bias) if t is not None))
    size = shape[1] // num_groups * math.prod(shape[2:])
    if shape[0] * size == 1:  # one value in each group of one sample
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {list(shape)}")
    rows = ops.reshape(input, shape=(shape[0] * num_groups, size))
    return named(_scaled_rows(rows, input, weight, bias, eps), "NativeGroupNormBackward0")


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (k + alpha mean of x^2 over `size` neighbouring channels)^beta, for (N, C, ...) of 3 dims or more.

    The channels from c - size // 2 to c + (size - 1) // 2 are c's neighbours; zeros lie beyond the first and last.
    Source: Krizhevsky, Sutskever and Hinton, 2012 (without the mean: alpha is divided by size here).
    """
    shape = tuple(input.array.shape)
    if len(shape) < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {len(shape)} dimensions)")
    if not input.array.size:
        return input
    squares = ops.reshape(input * input, shape=(shape[0], 1, shape[1], math.prod(shape[2:])))
    means = avg_pool2d(pad(squares, (0, 0, size // 2, (size - 1) // 2)), (size, 1), stride=1)
    return input / (ops.reshape(means, shape=shape) * alpha + k) ** beta


# ---------------------------------------------------------------- the parts


def _scaled_rows(rows: Tensor, input: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Each row normalised, then each channel of the input's shape scaled and shifted."""
    wide = rows.float() if rows.array.dtype.itemsize == 2 else rows
    y = ops.reshape(ops.layer_norm(wide, None, None, eps=eps), shape=tuple(input.array.shape))
    return _restored(_scaled(y, weight, bias), input)


def _scaled(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """y weight + bias, a number of each for every channel of y (N, C, ...)."""
    per_channel = (y.array.shape[1], *(1,) * (y.array.ndim - 2))
    y = y if weight is None else y * ops.reshape(_like(weight, y), shape=per_channel)
    return y if bias is None else y + ops.reshape(_like(bias, y), shape=per_channel)


def _normalized_by(
    input: Tensor, mean: Tensor, variance: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """x scale + shift, with the two numbers of each channel worked out first: one pass over x."""
    wide = input.float() if input.array.dtype.itemsize == 2 else input
    mean, variance = _like(mean, wide), _like(variance, wide)
    scale = (variance + eps).rsqrt()
    scale = scale if weight is None else scale * _like(weight, wide)
    shift = -mean * scale
    shift = shift if bias is None else shift + _like(bias, wide)
    per_channel = (-1, *(1,) * (input.array.ndim - 2))
    return _restored(wide * scale.reshape(per_channel) + shift.reshape(per_channel), input)


def _like(x: Tensor, other: Tensor) -> Tensor:
    return x if x.array.dtype == other.array.dtype else x.to(other.dtype)


def _wide(x: Tensor | None) -> Tensor | None:
    return x if x is None or x.array.dtype.itemsize != 2 else x.float()


def _restored(y: Tensor, like: Tensor) -> Tensor:
    y = y if y.array.shape == like.array.shape else ops.reshape(y, shape=tuple(like.array.shape))
    return y if y.array.dtype == like.array.dtype else ops.cast(y, like.array.dtype)


def _move_towards(running: Tensor, new: Tensor, momentum: float) -> None:
    if not fits(running.array, new.array):
        raise RuntimeError(
            "Batch norm got a batched tensor as input while the running_mean or running_var, which will be updated in "
            "place, were not batched: set track_running_stats=False, or func.replace_all_batch_norm_modules_(model)"
        )
    running.mul_(1 - momentum).add_(new.to(running.dtype) * momentum)


def _check_floating(name: str, input: Tensor) -> None:
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype}: convert the tensor with .float()')


def _channels(name: str, input: Tensor, *per_channel: Tensor | None) -> tuple[int, tuple[int, ...]]:
    """The number of channels and the shape; RuntimeError where a parameter or statistic has another length."""
    shape = tuple(input.array.shape)
    if len(shape) < 2:
        raise RuntimeError(f"{name} expects an input (N, C, ...) of 2 dims or more, got {list(shape)}")
    _check_floating(name, input)
    for what, t in zip(("running_mean", "running_var", "weight", "bias"), per_channel, strict=True):
        if t is not None and t.array.size != shape[1]:
            raise RuntimeError(f"{what} should contain {shape[1]} elements not {t.array.size}")
    same_device(name, *(t for t in (input, *per_channel) if t is not None))
    return shape[1], shape
