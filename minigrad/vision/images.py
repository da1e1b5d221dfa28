"""What is an image: a Pillow image, an array (height, width[, channels]) or a tensor (..., channels, height, width)."""

import importlib.util
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.tensor import Tensor, from_raw

HAS_PILLOW = importlib.util.find_spec("PIL") is not None


def pillow(what: str) -> Any:
    """The module PIL.Image; ImportError that says what it was wanted for."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(f"{what} needs Pillow: pip install 'minigrad[examples]'") from error
    return Image


def is_pillow(image: Any) -> bool:
    """True for a Pillow image."""
    return HAS_PILLOW and isinstance(image, pillow("this").Image)


def shown(array: np.ndarray) -> Any:
    """A uint8 array as a Pillow image where there is Pillow; else the array itself."""
    return pillow("an image").fromarray(array) if HAS_PILLOW else array


def check(image: Any) -> None:
    """TypeError for what is no image."""
    if isinstance(image, Tensor):
        if image.ndim < 2:
            raise TypeError(
                f"an image tensor has the axes (..., channels, height, width), got shape {tuple(image.shape)}"
            )
    elif isinstance(image, np.ndarray):
        if image.ndim not in (2, 3):
            raise ValueError(f"an image array is (height, width) or (height, width, channels), got shape {image.shape}")
    elif not is_pillow(image):
        raise TypeError(f"expected a Tensor, a NumPy array or a Pillow image, got {type(image).__name__}")


def size_of(image: Any) -> tuple[int, int]:
    """(height, width)."""
    check(image)
    if isinstance(image, Tensor):
        return image.shape[-2], image.shape[-1]
    if isinstance(image, np.ndarray):
        return image.shape[0], image.shape[1]
    return image.height, image.width


def channels_of(image: Any) -> int:
    """The number of channels; 1 for a plain (height, width)."""
    check(image)
    if isinstance(image, Tensor):
        return image.shape[-3] if image.ndim > 2 else 1
    if isinstance(image, np.ndarray):
        return image.shape[2] if image.ndim == 3 else 1
    return len(image.getbands())


def on_rows_and_columns(image: Any, function: Any) -> Any:
    """`function(array, axis of the rows)` on the image's array; the columns are the next axis. Gives the same kind."""
    check(image)
    if isinstance(image, Tensor):
        changed = function(backend.to_host(image.array), image.ndim - 2)
        return from_raw(backend.to_device(np.ascontiguousarray(changed), image.device))
    if isinstance(image, np.ndarray):
        return np.ascontiguousarray(function(image, 0))
    if image.mode == "P":  # indices into a palette are no colours
        image = image.convert("RGB")
    return pillow("an image").fromarray(np.ascontiguousarray(function(np.asarray(image), 0)))
