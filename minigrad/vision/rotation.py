"""Turning images about their middle: where each pixel of the result comes from, and reading it there.

With (dx, dy) the offset of an output pixel from the middle of the output, rows downwards, an image turned by an angle t
against the clock has at that place the value of the input at

    x = cx + cos t dx - sin t dy        y = cy + sin t dx + cos t dy

"nearest" takes the pixel nearest to it (half to even), "bilinear" the four around it, weighted by nearness. What lies
outside the image is `fill`.
"""

import math

import numpy as np


def rotate(
    images: np.ndarray,
    degrees: np.ndarray,
    mode: str = "nearest",
    fill: np.ndarray | float = 0.0,
    size: tuple[int, int] | None = None,
    centre: tuple[float, float] | None = None,
) -> np.ndarray:
    """Images (N, C, H, W) turned by an angle each, degrees (N,) against the clock.

    `fill` is one number or one for each channel. `size` of the result, middle on middle, by default (H, W); or `centre`
    (x, y), the point that stays where it is, in pixels from the top left corner.
    """
    count, channels, height, width = images.shape
    rows, columns = size or (height, width)
    cx, cy = centre or (0.5 * width, 0.5 * height)
    stays_x, stays_y = (0.5 * columns, 0.5 * rows) if size else (cx, cy)
    dx, dy = np.arange(columns) + 0.5 - stays_x, (np.arange(rows) + 0.5 - stays_y)[:, None]
    out = np.empty((count, channels, rows, columns), images.dtype)
    filling = np.broadcast_to(np.asarray(fill, np.float64).reshape(-1, 1, 1), (channels, 1, 1))
    for i, angle in enumerate(np.deg2rad(np.asarray(degrees, np.float64))):
        cos, sin = math.cos(angle), math.sin(angle)
        x = cx + cos * dx - sin * dy - 0.5  # in pixels, 0 the middle of the first
        y = cy + sin * dx + cos * dy - 0.5
        out[i] = _nearest(images[i], x, y, filling) if mode == "nearest" else _bilinear(images[i], x, y, filling)
    return out


def expanded_size(height: int, width: int, degrees: float) -> tuple[int, int]:
    """The size that a turned image needs to be seen whole."""
    cos, sin = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    rows, columns = height * cos + width * sin, height * sin + width * cos
    return math.ceil(rows - 1e-3), math.ceil(columns - 1e-3)  # a thousandth of a pixel is rounding


def _read(image: np.ndarray, row: np.ndarray, column: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """(C, H', W'): the pixels at integer places, `fill` outside."""
    height, width = image.shape[1:]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    values = image[:, np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    return np.where(inside, values, fill)


def _nearest(image: np.ndarray, x: np.ndarray, y: np.ndarray, fill: np.ndarray) -> np.ndarray:
    return _read(image, np.rint(y).astype(np.int64), np.rint(x).astype(np.int64), fill).astype(image.dtype)


def _bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray, fill: np.ndarray) -> np.ndarray:
    left, top = np.floor(x), np.floor(y)
    right_share, low_share = x - left, y - top
    column, row = left.astype(np.int64), top.astype(np.int64)
    value = (
        _read(image, row, column, fill) * (1 - right_share) * (1 - low_share)
        + _read(image, row, column + 1, fill) * right_share * (1 - low_share)
        + _read(image, row + 1, column, fill) * (1 - right_share) * low_share
        + _read(image, row + 1, column + 1, fill) * right_share * low_share
    )
    return (np.rint(value) if image.dtype.kind in "ui" else value).astype(image.dtype)
