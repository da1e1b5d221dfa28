"""Augmentation of whole batches: each image of (N, C, H, W) gets a draw of its own, without a loop over images.

Tensors and NumPy arrays are taken, bytes and floats, and given back as the same kind; nothing is written in place. The
draws come from minigrad's default generator, or from `generator`. The transforms of `transforms.py` do the same to one
image at a time, in torchvision's order of draws; given a batch, they treat all images alike.
"""

import math
from typing import Any

import numpy as np

from minigrad import backend, random
from minigrad.tensor import Tensor, from_raw
from minigrad.vision import rotation


def check_batch(name: str, images: Any) -> None:
    """TypeError and ValueError for what is no batch of images (N, C, H, W) of bytes or floats."""
    if not isinstance(images, (Tensor, np.ndarray)):
        raise TypeError(f"{name}: expected a Tensor or an array (N, C, H, W), got {type(images).__name__}")
    shape = tuple(images.shape)
    if len(shape) != 4:
        advice = {2: "images[None, None]", 3: "images[:, None] for grey ones, images[None] for one image"}
        raise ValueError(
            f"{name}: expected a batch of images (N, C, H, W), got shape {shape}"
            + (f": write {advice[len(shape)]}" if len(shape) in advice else "")
        )
    if shape[1] > 4 and shape[3] in (1, 3, 4):
        raise ValueError(
            f"{name}: expected (N, C, H, W), got {shape}, which looks like (N, H, W, C): permute(0, 3, 1, 2)"
        )
    dtype = _array(images).dtype
    if dtype != np.uint8 and dtype.kind != "f" and dtype.name != "bfloat16":
        raise TypeError(f"{name}: images are bytes (uint8) or floats, got {dtype}")


def _array(images: Any) -> np.ndarray:
    return backend.to_host(images.detach().array) if isinstance(images, Tensor) else images


def _like(images: Any, array: np.ndarray) -> Any:
    """The array as the kind of thing that `images` is, on the same device."""
    return from_raw(backend.to_device(array, images.device)) if isinstance(images, Tensor) else array


def random_crop(
    images: Any, padding: int = 4, size: int | tuple[int, int] | None = None, fill: float = 0,
    generator: random.Generator | None = None,
) -> Any:  # fmt: skip
    """A part of `size` (default: the images' own) of each image, from anywhere in it and a border of `padding`."""
    check_batch("random_crop", images)
    draw = generator or random.default_generator
    array = _array(images)
    count, _, height, width = array.shape
    rows, columns = (height, width) if size is None else (size, size) if isinstance(size, int) else size
    down, right = height + 2 * padding - rows, width + 2 * padding - columns
    if padding < 0 or rows < 1 or columns < 1 or down < 0 or right < 0:
        raise ValueError(
            f"random_crop: a crop of {(rows, columns)} does not fit into images of {(height, width)} with a border of "
            f"{padding}"
        )
    around = np.pad(array, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2), constant_values=fill)
    top, left = draw.randint(0, down + 1, (count,)), draw.randint(0, right + 1, (count,))
    windows = np.lib.stride_tricks.sliding_window_view(
        around, (rows, columns), axis=(2, 3)
    )  # (N, C, down, right, h, w)
    return _like(images, windows[np.arange(count), :, top, left])


def random_horizontal_flip(images: Any, p: float = 0.5, generator: random.Generator | None = None) -> Any:
    """Left and right exchanged in each image with probability `p`."""
    check_batch("random_horizontal_flip", images)
    _check_probability("random_horizontal_flip", p)
    array = _array(images)
    flipped = (generator or random.default_generator).uniform((len(array),)) < p
    out = array.copy()
    out[flipped] = array[flipped, :, :, ::-1]
    return _like(images, out)


def random_rotation(
    images: Any, degrees: float | tuple[float, float], interpolation: str = "nearest", fill: float = 0,
    generator: random.Generator | None = None,
) -> Any:  # fmt: skip
    """Each image turned about its middle by an angle from (-degrees, degrees), or from a given (low, high)."""
    check_batch("random_rotation", images)
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError(f'random_rotation: interpolation is "nearest" or "bilinear", got {interpolation!r}')
    low, high = degrees if isinstance(degrees, (tuple, list)) else (-degrees, degrees)
    if low > high:
        raise ValueError(f"random_rotation: degrees go from low to high, got {degrees}")
    array = _array(images)
    angles = (generator or random.default_generator).uniform((len(array),), low, high)
    return _like(images, rotation.rotate(array, angles, interpolation, fill))


def random_erasing(
    images: Any, p: float = 0.5, scale: tuple[float, float] = (0.02, 0.33), ratio: tuple[float, float] = (0.3, 3.3),
    value: float = 0, generator: random.Generator | None = None,
) -> Any:  # fmt: skip
    """A rectangle of each image set to `value` with probability `p`. (Zhong et al., arXiv:1708.04896)

    Its share of the area is drawn from `scale`, its height over its width from `ratio`, evenly on a log scale; a side
    that would be too long is cut to the image's.
    """
    check_batch("random_erasing", images)
    _check_probability("random_erasing", p)
    if not 0 <= scale[0] <= scale[1] <= 1 or not 0 < ratio[0] <= ratio[1]:
        raise ValueError(f"random_erasing: scale is a part of [0, 1] and ratio positive, got {scale} and {ratio}")
    draw = generator or random.default_generator
    array = _array(images)
    count, _, height, width = array.shape

    def uniform(low: float = 0.0, high: float = 1.0) -> np.ndarray:
        return draw.uniform((count,), low, high, np.float64)

    chosen = uniform() < p
    area, aspect = height * width * uniform(*scale), np.exp(uniform(math.log(ratio[0]), math.log(ratio[1])))
    h = np.minimum(np.rint(np.sqrt(area * aspect)), height)
    w = np.minimum(np.rint(np.sqrt(area / aspect)), width)
    top = np.floor(uniform() * (height - h + 1))  # even over the places where it fits
    left = np.floor(uniform() * (width - w + 1))
    return _like(images, _overwritten(array, top, left, np.where(chosen, h, 0), w, value))


def cutout(images: Any, size: int, value: float = 0, generator: random.Generator | None = None) -> Any:
    """A square of `size` pixels of each image set to `value`. (DeVries and Taylor, arXiv:1708.04552)

    Its middle is any pixel, so that a square at the edge is cut off there.
    """
    check_batch("cutout", images)
    if size < 1:
        raise ValueError(f"cutout: size must be at least 1 pixel, got {size}")
    draw = generator or random.default_generator
    array = _array(images)
    count, _, height, width = array.shape
    top = draw.randint(0, height, (count,)) - size // 2
    left = draw.randint(0, width, (count,)) - size // 2
    sides = np.full(count, size)
    return _like(images, _overwritten(array, top, left, sides, sides, value))


def _overwritten(
    array: np.ndarray, top: np.ndarray, left: np.ndarray, height: np.ndarray, width: np.ndarray, value: float
) -> np.ndarray:
    """The images with `value` in a rectangle each."""
    row, column = np.arange(array.shape[2]), np.arange(array.shape[3])
    rows = (row >= top[:, None]) & (row < (top + height)[:, None])  # (N, H)
    columns = (column >= left[:, None]) & (column < (left + width)[:, None])  # (N, W)
    inside = rows[:, None, :, None] & columns[:, None, None, :]  # (N, 1, H, W)
    return np.where(inside, np.asarray(value, array.dtype), array)


def _check_probability(name: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: p is a probability, got {p!r}")


def channel_statistics(images: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(mean, std) of each channel, for `Normalize`, in units of [0, 1]: bytes are divided by 255.

    `images` are those of the training split, (N, C, H, W) or (N, H, W), or a dataset that has them as `images`: what is
    measured on test images leaks into the model. So a dataset read with train=False is refused, as are floats outside
    [0, 1], which have been normalised already. The std is that of the population.
    """
    if getattr(images, "train", True) is False:
        raise ValueError("channel_statistics: these are test images; statistics come from the training split alone")
    images = getattr(images, "images", images)
    if isinstance(images, (Tensor, np.ndarray)) and len(images.shape) == 3:
        images = images[:, None]
    check_batch("channel_statistics", images)
    array = _array(images)
    if array.size == 0:
        raise ValueError(f"channel_statistics: there are no pixels in images of shape {array.shape}")
    if array.dtype == np.uint8:
        counts = [np.bincount(array[:, c].ravel(), minlength=256) for c in range(array.shape[1])]  # exact, in one pass
        levels = np.arange(256) / 255
        means = [float(n @ levels) / n.sum() for n in counts]
        variances = [float(n @ (levels - m) ** 2) / n.sum() for n, m in zip(counts, means, strict=True)]
    else:
        low, high = float(array.min()), float(array.max())
        if not 0 <= low <= high <= 1:
            raise ValueError(f"channel_statistics: floats have to be in [0, 1], got {low:.4g} to {high:.4g}")
        means = [float(array[:, c].mean(dtype=np.float64)) for c in range(array.shape[1])]
        variances = [float(array[:, c].var(dtype=np.float64)) for c in range(array.shape[1])]
    return tuple(means), tuple(math.sqrt(v) for v in variances)
