"""Convolution in two dimensions and its adjoints on the GPU: which of them products.cu takes, and its grid.

The names and meaning are those of kernels/common_conv.py, which takes what is not float32 (or wider than float16's two
bytes: those are widened on the way in) and what is empty.
"""

import math
from typing import Any

from minigrad.backend import array_module
from minigrad.kernels import common
from minigrad.kernels.common_conv import Pair, out_size
from minigrad.kernels.common_nn import _in_float32
from minigrad.kernels.cuda import launch

TILE = 64  # products.cu says the same
ENOUGH_BLOCKS = 512  # of the gradient of a weight: the places are summed in parts until there are so many
SMALLEST_PART = 256  # places that a part sums
MOST_BLOCKS_Y = 65535  # CUDA's limit for the second axis of a grid


def _tiles(n: int) -> int:
    return -(-n // TILE)


def _takes(rows: int, groups: int, *arrays: Any) -> bool:
    return all(a.dtype == "float32" and a.size for a in arrays) and groups * _tiles(rows) <= MOST_BLOCKS_Y


def _ready(x: Any) -> tuple[Any, int]:
    return array_module(x).ascontiguousarray(x), x.size


def _bias(bias: Any) -> tuple[Any, int] | None:
    return None if bias is None else _ready(bias.astype("float32", copy=False))


@_in_float32
def conv2d(
    x: Any, weight: Any, bias: Any, stride: Pair, padding: tuple[Pair, Pair], dilation: Pair, groups: int
) -> Any:
    """y[n, o, i, j] = bias[o] + sum over c, p, q of weight[o, c, p, q] x[n, c, i s + p d - before, j s + q d - before],

    where (s, d) are stride and dilation, and x is zero outside of the image.
    """
    (images, channels), outputs = x.shape[:2], weight.shape[0] // groups
    size = out_size(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    if not _takes(outputs, groups, x, weight) or min(size) < 1:
        return common.conv2d(x, weight, bias, stride, padding, dilation, groups)
    y = array_module(x).empty((images, weight.shape[0], *size), "float32")
    grid = _tiles(images * math.prod(size)), groups * _tiles(outputs)
    sizes = (channels // groups, *x.shape[2:], outputs, *size, *weight.shape[2:])
    place = (*stride, padding[0][0], padding[1][0], *dilation)
    launch("conv2d", grid, _ready(x), _ready(weight), _bias(bias), (y, y.size), images, *sizes, *place, groups)
    return y


@_in_float32
def conv2d_input(
    dy: Any, weight: Any, bias: Any, size: Pair, stride: Pair, padding: tuple[Pair, Pair], dilation: Pair, groups: int
) -> Any:
    """The adjoint of conv2d in its input: dy (N, O, H', W') -> (N, C, *size)."""
    images, channels, outputs = dy.shape[0], weight.shape[1], weight.shape[0] // groups
    if not _takes(channels, groups, dy, weight) or min(size) < 1:
        return common.conv2d_input(dy, weight, bias, size, stride, padding, dilation, groups)
    dx = array_module(dy).empty((images, channels * groups, *size), "float32")
    grid = _tiles(images * math.prod(size)), groups * _tiles(channels)
    sizes = (channels, *size, outputs, *dy.shape[2:], *weight.shape[2:])
    place = (*stride, padding[0][0], padding[1][0], *dilation)
    launch("conv2d_input", grid, _ready(dy), _ready(weight), _bias(bias), (dx, dx.size), images, *sizes, *place, groups)
    return dx


@_in_float32
def conv2d_weight(
    x: Any, dy: Any, kernel: Pair, stride: Pair, padding: tuple[Pair, Pair], dilation: Pair, groups: int
) -> Any:
    """The adjoint of conv2d in its weight -> (O, C / groups, kh, kw).

    Few numbers, each a sum over all places of all images: the places are cut into parts, so that the card has work for
    all its cores, and the parts' sums are added in their order.
    """
    (images, inputs), outputs = x.shape[:2], dy.shape[1] // groups
    channels = inputs // groups
    columns, places = channels * math.prod(kernel), images * math.prod(dy.shape[2:])
    blocks = _tiles(columns) * groups * _tiles(outputs)
    parts = max(1, min(ENOUGH_BLOCKS // max(blocks, 1), places // SMALLEST_PART))
    if not _takes(outputs, groups * parts, x, dy):
        return common.conv2d_weight(x, dy, kernel, stride, padding, dilation, groups)
    sums = array_module(x).empty((parts, groups * outputs, channels, *kernel), "float32")
    grid = _tiles(columns), parts * groups * _tiles(outputs)
    sizes = (channels, *x.shape[2:], outputs, *dy.shape[2:], *kernel)
    place = (*stride, padding[0][0], padding[1][0], *dilation)
    launch("conv2d_weight", grid, _ready(x), _ready(dy), (sums, sums.size), images, *sizes, *place, groups,
           -(-places // parts))  # fmt: skip
    return sums.sum(axis=0)
