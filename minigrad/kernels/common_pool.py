"""Windows over the last two axes, their largest entries and their sums, in plain array code, valid for NumPy and CuPy.

All go tap by tap: for each place (i, j) of the window, one strided slice of the input holds what that place sees at
every output. A largest entry is remembered as the number of its tap, i kw + j.
"""

from typing import Any

from minigrad.backend import array_module
from minigrad.kernels.common_conv import Grid
from minigrad.kernels.common_nn import _in_float32


def _padded(x: Any, grid: Grid, value: float) -> Any:
    """x with `value` around it as far as windows reach; x itself where they stay inside."""
    if grid.padded == x.shape[-2:]:
        return x
    y = array_module(x).full((*x.shape[:-2], *grid.padded), value, x.dtype)
    grid.inside(y)[...] = x
    return y


def _lowest(x: Any) -> Any:
    return -float("inf") if x.dtype.kind not in "iu" else array_module(x).iinfo(x.dtype).min


def _is_nan(x: Any) -> Any:
    return x != x


def window_argmax(x, grid):
    """The tap of the largest entry of each window: the first of equals; nan counts as the largest. (..., H', W').

    What lies beyond the border is never chosen, not even where all entries are -inf.
    """
    xp, (_, kw) = array_module(x), grid.kernel
    padded = _padded(x, grid, _lowest(x))
    best = xp.full((*x.shape[:-2], *grid.out), _lowest(x), x.dtype)
    taps = xp.zeros(best.shape, "uint8" if grid.kernel[0] * kw <= 256 else "int32")
    taps += (_first_inside(x, grid, 0).reshape((-1, 1)) * kw + _first_inside(x, grid, 1)).astype(taps.dtype)
    for i, j, top, left in grid.taps():
        seen = grid.strided(padded, top, left)
        larger = (seen > best) | _is_nan(seen)
        taps = xp.where(larger, taps.dtype.type(i * kw + j), taps)
        best = xp.maximum(best, seen)
    return taps


def _first_inside(x: Any, grid: Grid, axis: int) -> Any:
    """For each output place along an axis, the first tap that is not before the border."""
    before, stride, dilation = grid.padding[axis][0], grid.stride[axis], grid.dilation[axis]
    xp = array_module(x)
    return xp.maximum(-((xp.arange(grid.out[axis]) * stride - before) // dilation), 0)


def take_taps(x, taps, grid):
    """The entry of each window that `taps` names: (..., H, W) -> (..., H', W')."""
    xp, (_, kw) = array_module(x), grid.kernel
    padded = _padded(x, grid, 0)
    y = xp.zeros(taps.shape, x.dtype)
    for i, j, top, left in grid.taps():
        y = xp.where(taps == i * kw + j, grid.strided(padded, top, left), y)
    return y


@_in_float32
def put_taps(dy, taps, grid):
    """The adjoint of `take_taps`: each number goes to the entry that `taps` names; what meets adds up."""
    xp, (_, kw) = array_module(dy), grid.kernel
    padded = xp.zeros((*dy.shape[:-2], *grid.padded), dy.dtype)
    for i, j, top, left in grid.taps():
        seen = grid.strided(padded, top, left)
        seen += xp.where(taps == i * kw + j, dy, dy.dtype.type(0))
    return grid.inside(padded)


def tap_positions(taps, grid):
    """The place of each tap in the flattened input (H W), as int64."""
    xp, (_, kw) = array_module(taps), grid.kernel
    (sh, sw), (dh, dw), ((top, _), (left, _)) = grid.stride, grid.dilation, grid.padding
    taps = taps.astype("int64")
    rows = xp.arange(grid.out[0]).reshape((-1, 1)) * sh - top + taps // kw * dh
    columns = xp.arange(grid.out[1]) * sw - left + taps % kw * dw
    return rows * grid.size[1] + columns


@_in_float32
def window_sums(x, grid):
    """The sum of each window, zeros beyond the border: along the rows, then along the columns."""
    padded = _padded(x, grid, 0)
    (kh, kw), (sh, sw), (oh, ow) = grid.kernel, grid.stride, grid.out
    rows = padded[..., : (oh - 1) * sh + 1 : sh, :].copy()
    for i in range(1, kh):
        rows += padded[..., i : i + (oh - 1) * sh + 1 : sh, :]
    y = rows[..., : (ow - 1) * sw + 1 : sw].copy()
    for j in range(1, kw):
        y += rows[..., j : j + (ow - 1) * sw + 1 : sw]
    return y


@_in_float32
def spread_windows(dy, grid):
    """The adjoint of `window_sums`: each number is added to every entry of its window."""
    xp, lead = array_module(dy), dy.shape[:-2]
    (kh, kw), (sh, sw), (oh, ow) = grid.kernel, grid.stride, grid.out
    rows = xp.zeros((*lead, oh, grid.padded[1]), dy.dtype)
    for j in range(kw):
        rows[..., j : j + (ow - 1) * sw + 1 : sw] += dy
    padded = xp.zeros((*lead, *grid.padded), dy.dtype)
    for i in range(kh):
        padded[..., i : i + (oh - 1) * sh + 1 : sh, :] += rows
    return grid.inside(padded)
