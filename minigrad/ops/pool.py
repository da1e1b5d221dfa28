"""Pooling: the largest entry, or the sum, of each window over the last two axes.

`grid` (kernels/common_conv.py) says where the windows lie. Which entry is the largest is found once and named by its
tap, the number i kw + j of its place in the window; with the taps fixed the rest is linear, and `take_taps` /
`put_taps`, as `window_sums` / `spread_windows`, are each other's adjoint.
"""

from minigrad.backend import kernels_of
from minigrad.op import fused, op
from minigrad.tensor import Tensor


@op
def window_argmax(x, *, grid):
    """The tap of the largest entry of each window, the first of equals; nan is largest. (..., H, W) -> (..., H',
    W').
    """
    return kernels_of(x).window_argmax(x, grid)


@op
def take_taps(x, *, taps, grid):
    """The entry of each window that `taps` names: (..., H, W) -> (..., H', W')."""
    return kernels_of(x).take_taps(x, taps, grid)


@take_taps.vjp
def take_taps_vjp(dy, taps, grid):
    return put_taps(dy, taps=taps, grid=grid)


@op
def put_taps(x, *, taps, grid):
    """The adjoint of `take_taps`: each number at the entry that its tap names, zeros elsewhere; what meets adds up."""
    return kernels_of(x).put_taps(x, taps, grid)


@put_taps.vjp
def put_taps_vjp(dy, taps, grid):
    return take_taps(dy, taps=taps, grid=grid)


@op
def tap_positions(taps, *, grid):
    """The place in the flattened input (H W) of the entry that each tap names, as int64."""
    return kernels_of(taps).tap_positions(taps, grid)


def max_pool2d_reference(x, *, grid):
    taps = window_argmax(x, grid=grid)
    return take_taps(x, taps=taps.array if isinstance(taps, Tensor) else taps, grid=grid)


@fused(reference=max_pool2d_reference)
def max_pool2d(x, *, grid):
    """The largest entry of each window: (..., H, W) -> (..., H', W'). Of equal entries the first takes the gradient."""
    y, taps = kernels_of(x).max_pool2d_fwd(x, grid)
    return y, (taps,)


@max_pool2d.vjp
def max_pool2d_vjp(dy, residuals, grid):
    return kernels_of(dy).max_pool2d_bwd(dy, *residuals, grid)


@op
def window_sums(x, *, grid):
    """The sum of each window, zeros beyond the border: (..., H, W) -> (..., H', W')."""
    return kernels_of(x).window_sums(x, grid)


@window_sums.vjp
def window_sums_vjp(dy, grid):
    return spread_windows(dy, grid=grid)


@op
def spread_windows(x, *, grid):
    """The adjoint of `window_sums`: each number added to every entry of its window."""
    return kernels_of(x).spread_windows(x, grid)


@spread_windows.vjp
def spread_windows_vjp(dy, grid):
    return window_sums(dy, grid=grid)
