"""Max pooling of images in float32: the largest entry of each window and its tap, and the way back."""

from typing import Any

import numpy as np
from numba import prange

from minigrad.kernels.cpu import threads
from minigrad.kernels.cpu.intrinsics import f4, plain
from minigrad.kernels.cpu.threads import share, threaded

SMALLEST_PART = 1 << 14  # pixels that repay another thread


# Microseconds on one thread for windows of 2 x 2, 2 apart, on (2048, 28, 28):
#   tap by tap along a row of outputs     6200
#   window by window                      5600
#   this size written out, as vectors      460
@threaded
def _max_pool_2x2(x, y, taps, parts):
    for part in prange(parts):
        for p in range(*share(y.shape[0], part, parts)):
            for i in range(y.shape[1]):
                upper, lower, out, chosen = x[p, 2 * i], x[p, 2 * i + 1], y[p, i], taps[p, i]
                for j in range(out.size):
                    best, tap = upper[2 * j], np.int32(0)
                    for b in range(1, 4):
                        value = upper[2 * j + 1] if b == 1 else lower[2 * j + b - 2]
                        larger = (value > best) | (value != value)
                        best, tap = (value, np.int32(b)) if larger else (best, tap)
                    out[j], chosen[j] = best, tap


@threaded
def _max_pool(x, y, taps, kh, kw, sh, sw, top, left, dh, dw, parts):
    height, width = x.shape[1], x.shape[2]
    for part in prange(parts):
        for p in range(*share(y.shape[0], part, parts)):
            for i in range(y.shape[1]):
                out, chosen, first_row = y[p, i], taps[p, i], i * sh - top
                # The taps inside the image: from ceil(-first / dilation) to those that end before the border.
                a_low, a_high = max(0, -(first_row // dh)), min(kh, (height - 1 - first_row) // dh + 1)
                for j in range(out.size):
                    first = j * sw - left
                    b_low, b_high = max(0, -(first // dw)), min(kw, (width - 1 - first) // dw + 1)
                    best, tap = f4(-np.inf), a_low * kw + b_low
                    for a in range(a_low, a_high):
                        row = x[p, first_row + a * dh]
                        for b in range(b_low, b_high):
                            value = row[first + b * dw]
                            larger = (value > best) | (value != value)
                            best, tap = (value, a * kw + b) if larger else (best, tap)
                    out[j], chosen[j] = best, tap


@threaded
def _max_pool_backward(dy, taps, dx, offsets, sh, sw, start, parts):
    """`dx` is flat in each plane; `offsets` says how far each tap lies behind its window's first place, `start`."""
    for part in prange(parts):
        for p in range(*share(dy.shape[0], part, parts)):
            plane = dx[p]
            for i in range(dy.shape[1]):
                g, chosen = dy[p, i], taps[p, i]
                place = start + i * sh
                for j in range(g.size):
                    at = place + offsets[chosen[j]]
                    if 0 <= at < plane.size:  # not so for a window that lies wholly beyond the border
                        plane[at] += g[j]
                    place += sw


def max_pool2d_fwd(x: np.ndarray, grid: Any) -> tuple[np.ndarray, np.ndarray]:
    """(y, taps): the largest entry of each window of x (..., H, W), and its place in the window, i kw + j."""
    lead = x.shape[:-2]
    y, taps = np.empty((*lead, *grid.out), np.float32), np.empty((*lead, *grid.out), np.uint8)
    planes = _planes(plain(x)), _planes(y), _planes(taps)
    parts = max(1, min(len(planes[0]), threads.parts(x.size, SMALLEST_PART)))
    (top, _), (left, _) = grid.padding
    if grid.kernel == grid.stride == (2, 2) and top == left == 0 and grid.dilation == (1, 1) and _fits(grid):
        _max_pool_2x2(parts, *planes)
    else:
        _max_pool(parts, *planes, *grid.kernel, *grid.stride, top, left, *grid.dilation)
    return y, taps


def max_pool2d_bwd(dy: np.ndarray, taps: np.ndarray, grid: Any) -> np.ndarray:
    """dx (..., H, W): each gradient at the entry that was chosen."""
    dx = np.zeros((*dy.shape[:-2], *grid.size), np.float32)
    width, (kh, kw), (dh, dw) = grid.size[1], grid.kernel, grid.dilation
    offsets = (np.arange(kh)[:, None] * dh * width + np.arange(kw) * dw).reshape(-1)
    (top, _), (left, _) = grid.padding
    flat = dx.reshape(int(np.prod(dx.shape[:-2])), grid.size[0] * width)
    parts = max(1, min(len(flat), threads.parts(dx.size, SMALLEST_PART)))
    _max_pool_backward(
        parts,
        _planes(plain(dy)),
        _planes(taps),
        flat,
        offsets,
        grid.stride[0] * width,
        grid.stride[1],
        -top * width - left,
    )
    return dx


def _planes(x: np.ndarray) -> np.ndarray:
    return x.reshape((int(np.prod(x.shape[:-2])), *x.shape[-2:]))


def _fits(grid: Any) -> bool:
    """Whether no window reaches beyond the image."""
    return all(2 * o <= n for o, n in zip(grid.out, grid.size, strict=True))
