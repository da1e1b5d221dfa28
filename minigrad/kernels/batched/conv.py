"""Convolutions of a batch: examples become samples where the weight is shared, else groups of channels.

weight shared    (B, N, C, H, W) -> (B N, C, H, W): more samples, one convolution
weight split     (B, N, C, H, W) -> (N, B C, H, W): each example's channels are a group that sees its own weight
"""

from typing import Any

from minigrad.kernels.batched.array import Batched, Level, filled_out, inside, is_split
from minigrad.kernels.batched.rules import _level_of, _merged, _parted, kernel


def _beside(x: Any, level: Level) -> Any:
    """(B, N, C, ...) -> (N, B C, ...): the channels of all examples."""
    value = filled_out(x, level).swapaxes(0, 1)
    return value.reshape((value.shape[0], value.shape[1] * value.shape[2], *value.shape[3:]))


def _apart(value: Any, level: Level) -> Any:
    """(N, B C, ...) -> (B, N, C, ...)."""
    size = max(level.size, 1)
    return value.reshape((value.shape[0], level.size, value.shape[1] // size, *value.shape[2:])).swapaxes(0, 1)


def _with_bias(y: Any, bias: Any) -> Any:
    return y if bias is None else y + bias.reshape((-1, 1, 1))


def conv2d(x: Any, weight: Any, bias: Any, *place: Any) -> Any:
    """place: stride, padding, dilation, groups."""
    level = _level_of(x, weight, bias)
    raw = inside(weight, level)
    if not is_split(weight, level):
        if is_split(bias, level):
            return _with_bias(conv2d(x, weight, None, *place), bias)
        plain = [raw, inside(bias, level), *place]
        if not is_split(x, level):
            return Batched(kernel("conv2d")(inside(x, level), *plain), level, False)
        return Batched(_parted(kernel("conv2d")(_merged(x.value), *plain), level), level, True)
    *where, groups = place
    if groups == 1 and not is_split(x, level):  # all examples' kernels over the one input
        y = kernel("conv2d")(inside(x, level), _merged(raw), None, *where, 1)
    else:
        y = kernel("conv2d")(_beside(x, level), _merged(raw), None, *where, level.size * groups)
    return _with_bias(Batched(_apart(y, level), level, True), bias)


def conv2d_input(dy: Any, weight: Any, bias: Any, size: Any, *place: Any) -> Any:
    level = _level_of(dy, weight, bias)
    raw = inside(weight, level)
    if not is_split(weight, level):
        if is_split(bias, level):
            return _with_bias(conv2d_input(dy, weight, None, size, *place), bias)
        plain = [raw, inside(bias, level), size, *place]
        if not is_split(dy, level):
            return Batched(kernel("conv2d_input")(inside(dy, level), *plain), level, False)
        return Batched(_parted(kernel("conv2d_input")(_merged(dy.value), *plain), level), level, True)
    *where, groups = place
    y = kernel("conv2d_input")(_beside(dy, level), _merged(raw), None, size, *where, level.size * groups)
    return _with_bias(Batched(_apart(y, level), level, True), bias)


def conv2d_weight(x: Any, dy: Any, kernel_size: Any, *place: Any) -> Any:
    level = _level_of(x, dy)
    if not (is_split(x, level) or is_split(dy, level)):
        return Batched(kernel("conv2d_weight")(inside(x, level), inside(dy, level), kernel_size, *place), level, False)
    *where, groups = place
    if groups == 1 and not is_split(x, level):
        weight = kernel("conv2d_weight")(inside(x, level), _beside(dy, level), kernel_size, *where, 1)
    else:
        channels = _beside(x, level), _beside(dy, level)
        weight = kernel("conv2d_weight")(*channels, kernel_size, *where, level.size * groups)
    return Batched(_parted(weight, level), level, True)


def channel_statistics(x: Any) -> tuple:
    if not x.split:
        return tuple(x.like(y) for y in kernel("channel_statistics")(x.value))
    found = kernel("channel_statistics")(_beside(x, x.level))
    return tuple(x.like(y.reshape((x.level.size, -1))) for y in found)
