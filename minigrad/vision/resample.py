"""Resizing arrays: nearest, and bilinear or bicubic with the filter widened when shrinking (antialiasing).

Output sample i lies at c = (i + 1/2) * scale of the input, scale = input size / output size, and is the weighted mean
of the inputs around it: w_j = f((j + 1/2 - c) / max(scale, 1)), with f the triangle 1 - |t| or Keys' cubic with
a = -1/2. (R. Keys, "Cubic convolution interpolation for digital image processing", 1981.) It is done along one axis,
then the other.
"""

from collections.abc import Callable

import numpy as np


def _triangle(t: np.ndarray) -> np.ndarray:
    return np.clip(1 - np.abs(t), 0, None)


def _cubic(t: np.ndarray) -> np.ndarray:
    t, a = np.abs(t), -0.5
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = a * (((t - 5) * t + 8) * t - 4)
    return np.where(t < 1, near, np.where(t < 2, far, 0.0))


_FILTERS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "bilinear": (_triangle, 1.0),
    "bicubic": (_cubic, 2.0),
}


def weights(size: int, target: int, mode: str, antialias: bool) -> np.ndarray:
    """The matrix (target, size) that resizes one axis."""
    shape, support = _FILTERS[mode]
    scale = size / target
    stretch = max(scale, 1.0) if antialias else 1.0
    centre = (np.arange(target) + 0.5) * scale
    first = np.maximum(np.floor(centre - support * stretch + 0.5), 0)
    last = np.minimum(np.floor(centre + support * stretch + 0.5), size)
    j = np.arange(size)
    inside = (j >= first[:, None]) & (j < last[:, None])
    w = np.where(inside, shape((j + 0.5 - centre[:, None]) / stretch), 0.0)
    return w / w.sum(axis=1, keepdims=True)


def resize(array: np.ndarray, axis: int, size: tuple[int, int], mode: str, antialias: bool = True) -> np.ndarray:
    """The array with the axes `axis` and `axis + 1` brought to `size`; integers are rounded and clipped."""
    if mode == "nearest":
        for k in range(2):
            n = array.shape[axis + k]
            array = array.take(np.minimum(np.arange(size[k]) * n // size[k], n - 1), axis=axis + k)
        return array
    values = array.astype(np.float64)
    for k in (1, 0):  # columns first, as image libraries do
        if size[k] != array.shape[axis + k]:
            matrix = weights(array.shape[axis + k], size[k], mode, antialias)
            values = np.moveaxis(np.moveaxis(values, axis + k, -1) @ matrix.T, -1, axis + k)
            if array.dtype.kind in "ui":
                limits = np.iinfo(array.dtype)
                values = np.clip(np.floor(values + 0.5), limits.min, limits.max)
    return values.astype(array.dtype)
