"""Convolution in two dimensions and its two adjoints, in float32, one image at a time.

The products are those of kernels/common_conv.py: weight and columns, where a column holds what the kernel sees at one
place. Here the columns of one image, or of a few rows of a large one (`block` rows of output), are laid out in a buffer
that stays in the second cache, and `tiles.matmul` runs over it before the next ones come.

Buffers have rows of whole vectors: their length is the number of columns, rounded up to 16.

Milliseconds on one thread, forward / input gradient / weight gradient, beside common_conv (NumPy and OpenBLAS):
  64 x  1 x 28 x 28 ->  32, 3 x 3           0.39 / 0.41 / 0.62    0.89 / 1.34 / 1.44
  64 x 32 x 14 x 14 ->  64, 3 x 3           2.9  / 3.0  / 3.2     6.1  / 7.2  / 6.5
  16 x 64 x 28 x 28 ->  64, 3 x 3, stride 2 2.5  / 2.5  / 2.5     3.3  / 4.4  / 3.4
"""

from typing import Any

import numpy as np
from numba import prange

from minigrad.kernels.common_conv import Grid, grid_of
from minigrad.kernels.cpu import threads
from minigrad.kernels.cpu.intrinsics import f4, inline, plain
from minigrad.kernels.cpu.threads import share, threaded
from minigrad.kernels.cpu.tiles import LANES, matmul, transpose_block

SMALLEST_PART = 1 << 18  # multiplications that repay another thread
BLOCK_BYTES = 1 << 19  # of columns: half of a second cache


@inline
def _pad(image, padded, top, left, width):
    """The rows of an image (C, H, W) into the middle of (C, padded height * width + ...), whose border stays zero."""
    for c in range(image.shape[0]):
        for i in range(image.shape[1]):
            start = (i + top) * width + left
            source, target = image[c, i], padded[c, start : start + image.shape[2]]
            for j in range(target.size):
                target[j] = source[j]


@inline
def _lay_out(padded, offset, columns, kh, kw, sh, sw, dh, dw, width, oh, row):
    """Row (c, a, b) of the columns: what tap (a, b) of channel c sees at each place, `row` places to a row.

    `offset` is where the block begins in a padded channel: an argument, since a slice that starts there would not be
    contiguous to the compiler, and the copies would go number by number.
    """
    line = 0
    for c in range(padded.shape[0]):
        for a in range(kh):
            for b in range(kw):
                first = offset + a * dh * width + b * dw
                if sh == 1 and sw == 1:  # one run, as rows of places are as long as padded rows
                    source, target = padded[c, first : first + oh * row], columns[line, : oh * row]
                    for j in range(target.size):
                        target[j] = source[j]
                else:
                    for i in range(oh):
                        source, target = padded[c, first + i * sh * width :], columns[line, i * row : (i + 1) * row]
                        for j in range(target.size):
                            target[j] = source[j * sw]
                line += 1


@inline
def _add_up(columns, padded, offset, kh, kw, sh, sw, dh, dw, width, oh, row):
    """The adjoint of `_lay_out`: each row of the columns added where its tap saw it."""
    line = 0
    for c in range(padded.shape[0]):
        for a in range(kh):
            for b in range(kw):
                first = offset + a * dh * width + b * dw
                if sh == 1 and sw == 1:
                    target, source = padded[c, first : first + oh * row], columns[line, : oh * row]
                    for j in range(target.size):
                        target[j] += source[j]
                else:
                    for i in range(oh):
                        target, source = padded[c, first + i * sh * width :], columns[line, i * row : (i + 1) * row]
                        for j in range(source.size):
                            target[j * sw] += source[j]
                line += 1


@inline
def _widen(dy, start, count, wide, row):
    """`count` rows of dy (O, H', W') into (O, length), each followed by zeros up to `row`, which are there already."""
    for o in range(dy.shape[0]):
        for i in range(count):
            source, target = dy[o, start + i], wide[o, i * row : i * row + dy.shape[2]]
            for j in range(target.size):
                target[j] = source[j]


@inline
def _is_depthwise(ins, outs, sh, sw):
    """One or two outputs of one input: too few for a product of matrices, which takes 8 rows at once."""
    return ins == 1 and outs <= 2 and sh == 1 and sw == 1


@inline
def _multiply_add(factor, source, target):
    for j in range(target.size):
        target[j] += factor * source[j]


@inline
def _dot(a, b):
    total = f4(0.0)
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@threaded
def _forward(x, weight, bias, y, all_padded, all_columns, all_product, geometry, block, groups, parts):
    kh, kw, sh, sw, dh, dw, top, left, width, row = geometry
    ins, outs, inner = x.shape[1] // groups, y.shape[1] // groups, weight.shape[1]
    stride = 4 * all_columns.shape[2]
    for part in prange(parts):
        padded, columns, product = all_padded[part], all_columns[part], all_product[part]
        for n in range(*share(x.shape[0], part, parts)):
            _pad(x[n], padded, top, left, width)
            for g in range(groups):
                for start in range(0, y.shape[2], block):
                    count = min(block, y.shape[2] - start)
                    lines, offset = padded[g * ins : (g + 1) * ins], start * sh * width
                    if _is_depthwise(ins, outs, sh, sw):
                        for o in range(outs):
                            line = product[o, : count * row]
                            line[:] = f4(0.0)
                            for tap in range(inner):
                                first = offset + tap // kw * dh * width + tap % kw * dw
                                source = lines[0, first : first + line.size]
                                _multiply_add(weight[g * outs + o, tap], source, line)
                    else:
                        _lay_out(lines, offset, columns, kh, kw, sh, sw, dh, dw, width, count, row)
                        matmul(
                            outs, columns.shape[1], inner, weight.ctypes.data + 4 * inner * outs * g, 4 * inner, 4,
                            columns.ctypes.data, stride, product.ctypes.data, stride, 0,
                        )  # fmt: skip
                    for o in range(outs):
                        shift = bias[g * outs + o]
                        for i in range(count):
                            target = y[n, g * outs + o, start + i]
                            source = product[o, i * row : i * row + target.size]
                            for j in range(target.size):
                                target[j] = source[j] + shift


@threaded
def _input_gradient(dy, weight, bias, dx, all_padded, all_columns, all_wide, geometry, block, groups, parts):
    kh, kw, sh, sw, dh, dw, top, left, width, row = geometry
    ins, outs, inner = dx.shape[1] // groups, dy.shape[1] // groups, weight.shape[1]
    stride = 4 * all_columns.shape[2]
    for part in prange(parts):
        padded, columns, wide = all_padded[part], all_columns[part], all_wide[part]
        for n in range(*share(dy.shape[0], part, parts)):
            for g in range(groups):
                padded[:] = f4(0.0)
                for start in range(0, dy.shape[2], block):
                    count = min(block, dy.shape[2] - start)
                    _widen(dy[n, g * outs : (g + 1) * outs], start, count, wide, row)
                    offset = start * sh * width
                    if _is_depthwise(ins, outs, sh, sw):
                        for o in range(outs):
                            line = wide[o, : count * row]
                            for tap in range(inner):
                                first = offset + tap // kw * dh * width + tap % kw * dw
                                _multiply_add(weight[g * outs + o, tap], line, padded[0, first : first + line.size])
                        continue
                    matmul(
                        inner, columns.shape[1], outs, weight.ctypes.data + 4 * inner * outs * g, 4, 4 * inner,
                        wide.ctypes.data, stride, columns.ctypes.data, stride, 0,
                    )  # fmt: skip
                    _add_up(columns, padded, offset, kh, kw, sh, sw, dh, dw, width, count, row)
                for c in range(ins):
                    shift = bias[g * ins + c]
                    for i in range(dx.shape[2]):
                        target, start = dx[n, g * ins + c, i], (i + top) * width + left
                        source = padded[c, start : start + target.size]
                        for j in range(target.size):
                            target[j] = source[j] + shift


@threaded
def _weight_gradient(
    x, dy, all_total, all_padded, all_columns, all_wide, all_turned, all_product, geometry, block, groups, parts
):
    """total (groups, C / groups kh kw, O / groups rounded up) += columns @ dy^T for every block of every image."""
    kh, kw, sh, sw, dh, dw, top, left, width, row = geometry
    ins, outs = x.shape[1] // groups, dy.shape[1] // groups
    stride, turned_stride = 4 * all_columns.shape[2], 4 * all_turned.shape[2]
    for part in prange(parts):
        total, padded, columns, wide, turned, product = (
            all_total[part],
            all_padded[part],
            all_columns[part],
            all_wide[part],
            all_turned[part],
            all_product[part],
        )
        for n in range(*share(x.shape[0], part, parts)):
            _pad(x[n], padded, top, left, width)
            for g in range(groups):
                for start in range(0, dy.shape[2], block):
                    count = min(block, dy.shape[2] - start)
                    lines, offset = padded[g * ins : (g + 1) * ins], start * sh * width
                    _widen(dy[n, g * outs : (g + 1) * outs], start, count, wide, row)
                    if _is_depthwise(ins, outs, sh, sw):
                        for o in range(outs):
                            line = wide[o, : count * row]
                            for tap in range(total.shape[1]):
                                first = offset + tap // kw * dh * width + tap % kw * dw
                                total[g, tap, o] += _dot(line, lines[0, first : first + line.size])
                        continue
                    _lay_out(lines, offset, columns, kh, kw, sh, sw, dh, dw, width, count, row)
                    for o in range(0, wide.shape[0], LANES):
                        for j in range(0, wide.shape[1], LANES):
                            transpose_block(
                                wide.ctypes.data + o * stride + 4 * j, stride,
                                turned.ctypes.data + j * turned_stride + 4 * o, turned_stride,
                            )  # fmt: skip
                    matmul(
                        columns.shape[0], turned.shape[1], count * row, columns.ctypes.data, stride, 4,
                        turned.ctypes.data, turned_stride, product.ctypes.data, turned_stride, 0,
                    )  # fmt: skip
                    for line in range(product.shape[0]):  # added up apart: a long sum grown term by term loses digits
                        target, source = total[g, line], product[line]
                        for o in range(target.size):
                            target[o] += source[o]


# --------------------------------------------------------------------------------------------------------------------
# From the arguments of common_conv to those of the kernels
# --------------------------------------------------------------------------------------------------------------------
def _up(n: int) -> int:
    return -(-n // LANES) * LANES


def _prepare(grid: Grid, inner: int) -> tuple[tuple[int, ...], int, int, int]:
    """The geometry that the kernels take, the output rows in a block, its columns, and the size of a padded image."""
    (top, _), (left, _) = grid.padding
    height, width = grid.padded
    geometry = (*grid.kernel, *grid.stride, *grid.dilation, top, left, width, grid.width)
    block = max(1, min(grid.out[0], BLOCK_BYTES // (4 * max(inner * grid.width, 1))))
    return geometry, block, _up(block * grid.width), (height + 1) * width  # the last run reaches into one row more


def _parts(images: int, multiplications: int) -> int:
    return max(1, min(images, threads.parts(multiplications, SMALLEST_PART)))


def _bias(bias: Any, channels: int) -> np.ndarray:
    return np.zeros(channels, np.float32) if bias is None else plain(bias)


def conv2d(x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> np.ndarray:
    """y (N, O, H', W') of x (N, C, H, W) and weight (O, C / groups, kh, kw)."""
    grid = grid_of(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    rows = plain(weight).reshape(weight.shape[0], -1)
    geometry, block, length, size = _prepare(grid, rows.shape[1])
    y = np.empty((x.shape[0], weight.shape[0], *grid.out), np.float32)
    parts = _parts(x.shape[0], y.size * rows.shape[1])
    padded = np.zeros((parts, x.shape[1], size), np.float32)
    columns = np.zeros((parts, rows.shape[1], length), np.float32)
    product = np.empty((parts, rows.shape[0] // groups, length), np.float32)
    _forward(parts, plain(x), rows, _bias(bias, len(rows)), y, padded, columns, product, geometry, block, groups)
    return y


def conv2d_input(
    dy: Any, weight: Any, bias: Any, size: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> np.ndarray:
    """dx (N, C, *size) of dy (N, O, H', W') and weight (O, C / groups, kh, kw)."""
    grid = Grid(weight.shape[2:], stride, padding, dilation, tuple(size), dy.shape[2:])
    rows, channels = plain(weight).reshape(weight.shape[0], -1), weight.shape[1] * groups
    geometry, block, length, flat = _prepare(grid, rows.shape[1])
    dx = np.empty((dy.shape[0], channels, *size), np.float32)
    parts = _parts(dy.shape[0], dy.size * rows.shape[1])
    padded = np.empty((parts, weight.shape[1], flat), np.float32)
    columns = np.empty((parts, rows.shape[1], length), np.float32)
    wide = np.zeros((parts, rows.shape[0] // groups, length), np.float32)
    _input_gradient(parts, plain(dy), rows, _bias(bias, channels), dx, padded, columns, wide, geometry, block, groups)
    return dx


def conv2d_weight(x: Any, dy: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> np.ndarray:
    """dweight (O, C / groups, kh, kw) of x (N, C, H, W) and dy (N, O, H', W')."""
    grid = Grid(tuple(kernel), stride, padding, dilation, x.shape[2:], dy.shape[2:])
    ins, outs = x.shape[1] // groups, dy.shape[1] // groups
    inner = ins * kernel[0] * kernel[1]
    geometry, block, length, size = _prepare(grid, inner)
    parts = _parts(x.shape[0], dy.size * inner)
    padded, columns = np.zeros((parts, x.shape[1], size), np.float32), np.zeros((parts, inner, length), np.float32)
    wide, turned = np.zeros((parts, _up(outs), length), np.float32), np.empty((parts, length, _up(outs)), np.float32)
    total = np.zeros((parts, groups, inner, _up(outs)), np.float32)
    product = np.empty((parts, inner, _up(outs)), np.float32)
    _weight_gradient(
        parts, plain(x), plain(dy), total, padded, columns, wide, turned, product, geometry, block, groups
    )  # fmt: skip
    for part in total[1:]:
        total[0] += part
    found = total[0, :, :, :outs].swapaxes(1, 2)
    return np.ascontiguousarray(found).reshape(groups * outs, ins, *kernel)
