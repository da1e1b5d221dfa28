"""Convolution in two dimensions and its two adjoints, in plain array code, valid for NumPy and CuPy.

A convolution is one matrix product once the input is laid out as columns: column (n, i, j) holds the kh kw C numbers
that the kernel sees at output place (i, j) of image n.

    y (O, places) = weight (O, C kh kw) @ columns (C kh kw, places)
    dweight       = dy (O, places) @ columns^T
    dcolumns      = weight^T @ dy, and each entry goes back to the place it was copied from

The columns are copied tap by tap (a tap is one place of the kernel), never pixel by pixel. With stride 1 a tap's
numbers lie in one run of the zero-padded image, if every output row is taken as wide as a padded input row: the few
columns too many cost less than copying row by row would. Images are taken in groups whose columns fit the cache.
"""

import math
from dataclasses import dataclass
from typing import Any

from minigrad.backend import array_module
from minigrad.kernels.common_nn import _in_float32, _multiplied

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the kernel is put: everything about a convolution but the numbers. Pairs are (height, width)."""

    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair]  # (before, after) for each axis
    dilation: Pair
    size: Pair  # of the input
    out: Pair  # of the output

    @property
    def padded(self) -> Pair:
        """The size of the padded input, and of no less than what the windows reach."""
        reach = [
            (o - 1) * s + (k - 1) * d + 1
            for k, s, d, o in zip(self.kernel, self.stride, self.dilation, self.out, strict=True)
        ]
        full = [n + lo + hi for n, (lo, hi) in zip(self.size, self.padding, strict=True)]
        return max(full[0], reach[0]), max(full[1], reach[1])

    @property
    def width(self) -> int:
        """The columns an output row takes."""
        return self.padded[1] if self.stride == (1, 1) else self.out[1]

    def taps(self) -> Any:
        """Each place (i, j) of the kernel with the place in the padded input that it sees first."""
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        return [(i, j, i * dh, j * dw) for i in range(kh) for j in range(kw)]

    def strided(self, x: Any, top: int, left: int) -> Any:
        """What the tap at (top, left) sees of the padded x (..., H, W): one entry for each output place."""
        (sh, sw), (oh, ow) = self.stride, self.out
        return x[..., top : top + (oh - 1) * sh + 1 : sh, left : left + (ow - 1) * sw + 1 : sw]

    def inside(self, x: Any) -> Any:
        """The part of the padded x (..., H, W) that is the input."""
        (top, _), (left, _) = self.padding
        return x[..., top : top + self.size[0], left : left + self.size[1]]


def out_size(size: Pair, kernel: Pair, stride: Pair, padding: tuple[Pair, Pair], dilation: Pair) -> Pair:
    """floor((n + before + after - dilation (kernel - 1) - 1) / stride) + 1, for height and width."""
    spans = (n + lo + hi - d * (k - 1) - 1 for n, k, (lo, hi), d in zip(size, kernel, padding, dilation, strict=True))
    h, w = (span // s + 1 for span, s in zip(spans, stride, strict=True))
    return h, w


def grid_of(size: Pair, kernel: Pair, stride: Pair, padding: tuple[Pair, Pair], dilation: Pair) -> Grid:
    return Grid(kernel, stride, padding, dilation, size, out_size(size, kernel, stride, padding, dilation))


# ---------------------------------------------------------------- the convolution and its adjoints


@_in_float32
def conv2d(x, weight, bias, stride, padding, dilation, groups):
    """y[n, o, i, j] = bias[o] + sum over c, p, q of weight[o, c, p, q] x[n, c, i s + p d - before, j s + q d - before].

    x (N, C, H, W), weight (O, C / groups, kh, kw), bias (O,) or None -> (N, O, H', W').
    """
    grid = grid_of(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    (oh, ow), channels = grid.out, weight.shape[0]
    y = array_module(x).empty((x.shape[0], channels, oh, ow), x.dtype)
    rows = weight.reshape((groups, channels // groups, -1))
    for some in _groups_of_images(x, grid):
        part = _product(rows, _columns(x[some], grid, groups)).reshape((channels, -1, oh, grid.width))
        if bias is not None:
            part += bias.reshape((channels, 1, 1, 1))
        y[some] = part[..., :ow].swapaxes(0, 1)
    return y


@_in_float32
def conv2d_input(dy, weight, bias, size, stride, padding, dilation, groups):
    """The adjoint of conv2d in its input: dy (N, O, H', W'), weight (O, C / groups, kh, kw) -> (N, C, *size).

    With a bias (C,), which is added, this is the transposed convolution.
    """
    grid = Grid(weight.shape[2:], stride, padding, dilation, size, dy.shape[2:])
    channels = weight.shape[1] * groups
    dx = array_module(dy).empty((dy.shape[0], channels, *size), dy.dtype)
    columns = weight.reshape((groups, weight.shape[0] // groups, -1)).swapaxes(1, 2)
    for some in _groups_of_images(dx, grid):
        spread = _product(columns, _wide(dy[some], grid, groups)).reshape((channels, *grid.kernel, -1))
        part = grid.inside(_added_up(spread, grid, dx[some].shape[0]))
        if bias is not None:
            part = part + bias.reshape((channels, 1, 1, 1))
        dx[some] = part.swapaxes(0, 1)
    return dx


@_in_float32
def conv2d_weight(x, dy, kernel, stride, padding, dilation, groups):
    """The adjoint of conv2d in its weight: x (N, C, H, W), dy (N, O, H', W') -> (O, C / groups, kh, kw)."""
    grid = Grid(kernel, stride, padding, dilation, x.shape[2:], dy.shape[2:])
    channels, inputs = dy.shape[1], x.shape[1]
    total = array_module(x).zeros((groups, channels // groups, inputs // groups * math.prod(kernel)), x.dtype)
    for some in _groups_of_images(x, grid):
        total += _product(_wide(dy[some], grid, groups), _columns(x[some], grid, groups).swapaxes(1, 2))
    return total.reshape((channels, inputs // groups, *kernel))


def _groups_of_images(x: Any, grid: Grid) -> list[slice]:
    """Slices of the batch. One matrix of columns should stay in the cache: on the CPU measured best at 1 MiB."""
    images, channels = x.shape[:2]
    one = channels * math.prod(grid.kernel) * grid.out[0] * grid.width * x.dtype.itemsize
    budget = 1 << (20 if array_module(x).__name__ == "numpy" else 28)
    count = max(1, budget // max(one, 1))
    return [slice(start, start + count) for start in range(0, images, count)]


def _product(a: Any, b: Any) -> Any:
    """a @ b for each group; without groups as matrices, which the library hands over as they lie."""
    if a.shape[0] == 1:
        product = _multiplied(a[0], b[0])
        return product.reshape((1, *product.shape))
    return _multiplied(a, b)


def _columns(x: Any, grid: Grid, groups: int) -> Any:
    """(n, C, H, W) -> (groups, C / groups kh kw, n H' width)."""
    xp, (images, channels), (height, width) = array_module(x), x.shape[:2], grid.padded
    padded = xp.zeros((images, channels, height + 1, width), x.dtype)  # the last run reaches into one row more
    grid.inside(padded)[...] = x
    if grid.stride == (1, 1):
        run = grid.out[0] * width
        columns = xp.empty((channels, *grid.kernel, images, run), x.dtype)
        flat = padded.reshape((images, channels, -1))
        for i, j, top, left in grid.taps():
            start = top * width + left
            columns[:, i, j] = flat[:, :, start : start + run].swapaxes(0, 1)
    else:
        columns = xp.empty((channels, *grid.kernel, images, *grid.out), x.dtype)
        for i, j, top, left in grid.taps():
            columns[:, i, j] = grid.strided(padded, top, left).swapaxes(0, 1)
    return columns.reshape((groups, channels // groups * math.prod(grid.kernel), -1))


def _wide(dy: Any, grid: Grid, groups: int) -> Any:
    """(n, O, H', W') -> (groups, O / groups, n H' width), with zeros where a row is wider than the output."""
    xp, (images, channels) = array_module(dy), dy.shape[:2]
    wide = xp.zeros((channels, images, grid.out[0], grid.width), dy.dtype)
    wide[..., : grid.out[1]] = dy.swapaxes(0, 1)
    return wide.reshape((groups, channels // groups, -1))


def _added_up(columns: Any, grid: Grid, images: int) -> Any:
    """The adjoint of `_columns`: (C, kh, kw, n H' width) -> the padded (C, n, H, W), what taps share added up."""
    channels, (height, width) = columns.shape[0], grid.padded
    padded = array_module(columns).zeros((channels, images, height + 1, width), columns.dtype)
    if grid.stride == (1, 1):
        run = grid.out[0] * width
        flat, columns = padded.reshape((channels, images, -1)), columns.reshape((channels, *grid.kernel, images, run))
        for i, j, top, left in grid.taps():
            start = top * width + left
            flat[:, :, start : start + run] += columns[:, i, j]
    else:
        columns = columns.reshape((channels, *grid.kernel, images, *grid.out))
        for i, j, top, left in grid.taps():
            seen = grid.strided(padded, top, left)
            seen += columns[:, i, j]
    return padded


# ---------------------------------------------------------------- columns as such: unfold and fold


def im2col(x, kernel, stride, padding, dilation):
    """(N, C, H, W) -> (N, C kh kw, places): what the kernel sees at each place, zeros beyond the border."""
    grid = grid_of(x.shape[2:], kernel, stride, padding, dilation)
    xp, (images, channels) = array_module(x), x.shape[:2]
    padded = xp.zeros((images, channels, *grid.padded), x.dtype)
    grid.inside(padded)[...] = x
    columns = xp.empty((images, channels, *kernel, *grid.out), x.dtype)
    for i, j, top, left in grid.taps():
        columns[:, :, i, j] = grid.strided(padded, top, left)
    return columns.reshape((images, channels * math.prod(kernel), math.prod(grid.out)))


@_in_float32
def col2im(columns, size, kernel, stride, padding, dilation):
    """The adjoint of im2col: (N, C kh kw, places) -> (N, C, *size), where what several places saw adds up."""
    grid = grid_of(size, kernel, stride, padding, dilation)
    images, channels = columns.shape[0], columns.shape[1] // math.prod(kernel)
    padded = array_module(columns).zeros((images, channels, *grid.padded), columns.dtype)
    columns = columns.reshape((images, channels, *kernel, *grid.out))
    for i, j, top, left in grid.taps():
        seen = grid.strided(padded, top, left)
        seen += columns[:, :, i, j]
    return grid.inside(padded)
