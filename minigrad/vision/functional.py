"""`torchvision.transforms.functional`: the transforms as functions of an image and all that they need to know."""

import enum
import numbers
from typing import Any

import numpy as np

from minigrad import backend, creation, dtype as dtypes
from minigrad.tensor import Tensor, from_raw
from minigrad.vision import images, resample, rotation
from minigrad.vision.images import channels_of, is_pillow, on_rows_and_columns, pillow, size_of


class InterpolationMode(enum.Enum):
    """How values between pixels are found."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


def get_image_size(image: Any) -> list[int]:
    """[width, height], in this order, as torchvision has it."""
    height, width = size_of(image)
    return [width, height]


def get_dimensions(image: Any) -> list[int]:
    """[channels, height, width]."""
    return [channels_of(image), *size_of(image)]


def to_tensor(pic: Any) -> Tensor:
    """(height, width[, channels]) to (channels, height, width); bytes 0..255 become floats 0..1, others stay.

    Raises TypeError for what is no array or Pillow image, ValueError for an array without two or three axes.
    """
    if isinstance(pic, Tensor):
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    images.check(pic)
    array = pic
    if is_pillow(pic):
        array = np.asarray(pic.convert("RGB") if pic.mode == "P" else pic)
        if pic.mode == "1":
            array = array.astype(np.uint8) * 255
        elif pic.mode in ("I", "I;16"):
            array = array.astype(np.int32 if pic.mode == "I" else np.int16)
    if array.ndim == 2:
        array = array[:, :, None]
    array = np.ascontiguousarray(array.transpose(2, 0, 1))
    if array.dtype == np.uint8:
        return from_raw(np.divide(array, 255, dtype=dtypes.get_default_dtype().numpy))
    return creation.tensor(array)


def pil_to_tensor(pic: Any) -> Tensor:
    """As `to_tensor`, with the values as they are."""
    images.check(pic)
    array = np.asarray(pic)
    return creation.tensor(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A tensor (channels, height, width) or array (height, width, channels) as a Pillow image; floats are 0 to 1.

    1, 3 or 4 channels. Raises ImportError without Pillow, TypeError and ValueError for what is no image.
    """
    Image = pillow("to_pil_image")
    if not isinstance(pic, (Tensor, np.ndarray)):
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    if isinstance(pic, Tensor):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        pic = pic.detach()
        if pic.is_floating_point() and mode != "F":
            pic = pic.mul(255).byte()
        host = backend.to_host(pic.array)
        array = host if host.ndim == 2 else host.transpose(1, 2, 0)
    else:
        images.check(pic)
        array = pic
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3 and array.shape[2] not in (3, 4):
        raise ValueError(f"pic has {array.shape[2]} channels: images have 1, 3 or 4")
    image = Image.fromarray(np.ascontiguousarray(array))
    return image if mode in (None, image.mode) else image.convert(mode)


def normalize(tensor: Tensor, mean: Any, std: Any, inplace: bool = False) -> Tensor:
    """(tensor - mean) / std, with a mean and a std for each channel. Floating tensors (..., C, H, W) only."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {tensor.shape}"
        )
    mean, std = (creation.as_tensor(x, dtype=tensor.dtype, device=tensor.device) for x in (mean, std))
    if (std == 0).any():
        raise ValueError(f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero.")
    mean, std = (x.view(-1, 1, 1) if x.ndim == 1 else x for x in (mean, std))
    return tensor.sub_(mean).div_(std) if inplace else (tensor - mean) / std


def resize(
    img: Any, size: Any, interpolation: InterpolationMode = InterpolationMode.BILINEAR, max_size: int | None = None,
    antialias: bool = True,
) -> Any:  # fmt: skip
    """The image brought to `size` (height, width), or with one number its smaller edge to it, keeping the proportions.

    Pillow images are resized by Pillow; arrays and tensors by `resample.py`, which agrees with PyTorch's interpolation
    with antialias=True. With `max_size` the longer edge stays below it.
    """
    if not isinstance(interpolation, InterpolationMode):
        raise TypeError(f"interpolation is one of InterpolationMode, got {interpolation!r}")
    height, width = size_of(img)
    target = _target_size(height, width, size, max_size)
    if target == (height, width):
        return img
    if is_pillow(img):
        Image = pillow("resize")
        return img.resize(target[::-1], getattr(Image.Resampling, interpolation.name))
    return on_rows_and_columns(img, lambda a, axis: resample.resize(a, axis, target, interpolation.value, antialias))


def _target_size(height: int, width: int, size: Any, max_size: int | None) -> tuple[int, int]:
    if isinstance(size, int):
        size = (size,)
    if len(size) not in (1, 2):
        raise ValueError(f"size is one number or (height, width), got {size!r}")
    if len(size) == 2:
        if max_size is not None:
            raise ValueError("max_size goes with a size of one number")
        return int(size[0]), int(size[1])
    short, long = sorted((height, width))
    new_short, new_long = int(size[0]), int(size[0] * long / short)
    if max_size is not None:
        if max_size <= size[0]:
            raise ValueError(f"max_size = {max_size} must be strictly greater than the requested size = {size[0]}")
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_short, new_long) if height <= width else (new_long, new_short)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """The part of `height` rows and `width` columns from (top, left) on; outside the image it is 0."""
    rows, columns = size_of(img)
    around = (max(-left, 0), max(-top, 0), max(left + width - columns, 0), max(top + height - rows, 0))
    if any(around):
        img = pad(img, list(around))
        top, left = top + around[1], left + around[0]

    def part(array: np.ndarray, axis: int) -> np.ndarray:
        index = (slice(None),) * axis + (slice(top, top + height), slice(left, left + width))
        return array[index]

    return on_rows_and_columns(img, part)


def center_crop(img: Any, output_size: Any) -> Any:
    """The middle of the image, filled up with 0 where the image is smaller."""
    height, width = _pair(output_size)
    rows, columns = size_of(img)
    if height > rows or width > columns:
        down, right = max(height - rows, 0), max(width - columns, 0)
        img = pad(img, [right // 2, down // 2, (right + 1) // 2, (down + 1) // 2])
        rows, columns = size_of(img)
    return crop(img, round((rows - height) / 2.0), round((columns - width) / 2.0), height, width)


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """The image with a border: one width, (left and right, top and bottom), or (left, top, right, bottom).

    `padding_mode`: "constant" (of `fill`), "edge", "reflect" or "symmetric".
    """
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError(f"Padding mode should be either constant, edge, reflect or symmetric, got {padding_mode!r}")
    sides = [padding] if isinstance(padding, int) else list(padding)
    if len(sides) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(sides)} element tuple")
    left, top, right, bottom = sides * (4 // len(sides))

    def widened(array: np.ndarray, axis: int) -> np.ndarray:
        widths = [(0, 0)] * array.ndim
        widths[axis], widths[axis + 1] = (top, bottom), (left, right)
        if padding_mode == "constant":
            return np.pad(array, widths, constant_values=fill)
        return np.pad(array, widths, mode=padding_mode)  # type: ignore[call-overload]

    return on_rows_and_columns(img, widened)


def hflip(img: Any) -> Any:
    """Left and right exchanged."""
    return on_rows_and_columns(img, lambda array, axis: np.flip(array, axis + 1))


def vflip(img: Any) -> Any:
    """Top and bottom exchanged."""
    return on_rows_and_columns(img, lambda array, axis: np.flip(array, axis))


def rotate(
    img: Any, angle: float, interpolation: InterpolationMode = InterpolationMode.NEAREST, expand: bool = False,
    center: Any = None, fill: Any = 0,
) -> Any:  # fmt: skip
    """The image turned by `angle` degrees against the clock, about its middle or `center` (x, y); `fill` around it.

    With `expand` the result is as large as it takes to see all of it, and `center` is its middle. `interpolation` is
    NEAREST or BILINEAR.
    """
    modes = (InterpolationMode.NEAREST, InterpolationMode.BILINEAR)
    if interpolation not in modes:
        raise ValueError(f"rotate: interpolation is NEAREST or BILINEAR, got {interpolation!r}")
    if not isinstance(angle, numbers.Real):
        raise TypeError("Argument angle should be int or float")
    if center is not None and len(center) != 2:
        raise ValueError(f"rotate: center is (x, y), got {center!r}")
    size = rotation.expanded_size(*size_of(img), float(angle)) if expand else None
    centre = None if center is None or expand else (float(center[0]), float(center[1]))

    def turned(array: np.ndarray, axis: int) -> np.ndarray:
        planes = array[None] if axis == array.ndim - 2 else array.transpose(2, 0, 1)[None]  # (1, ..., H, W)
        planes = planes.reshape(1, -1, *planes.shape[-2:])
        out = rotation.rotate(planes, np.array([float(angle)]), interpolation.value, fill, size, centre)[0]
        if axis == array.ndim - 2:
            return out.reshape(*array.shape[:-2], *out.shape[-2:])
        return out.transpose(1, 2, 0)

    return on_rows_and_columns(img, turned)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Tensor:
    """A tensor (..., C, H, W) with the rectangle of h rows and w columns from (i, j) on set to `v`."""
    if not isinstance(img, Tensor):
        raise TypeError(f"img should be a Tensor, got {type(img).__name__}: use ToTensor before")
    out = img if inplace else img.clone()
    out[..., i : i + h, j : j + w] = v
    return out


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Luminance 0.2989 R + 0.587 G + 0.114 B (ITU-R BT.601), in 1 channel or the same in 3."""
    if num_output_channels not in (1, 3):
        raise ValueError(f"num_output_channels should be either 1 or 3, got {num_output_channels}")
    if is_pillow(img):
        grey = img.convert("L")
        return grey if num_output_channels == 1 else pillow("to_grayscale").merge("RGB", [grey] * 3)
    count = channels_of(img)
    if count not in (1, 3):
        raise TypeError(f"Input image tensor permitted channel values are 1 or 3, but found {count}")
    if isinstance(img, np.ndarray):
        return pad_channels(_luminance(np.atleast_3d(img), 2), 2, num_output_channels)
    array = backend.to_host(img.array)
    grey = pad_channels(_luminance(array, array.ndim - 3), array.ndim - 3, num_output_channels)
    return from_raw(backend.to_device(grey, img.device))


def _luminance(array: np.ndarray, axis: int) -> np.ndarray:
    if array.shape[axis] == 1:
        return array
    red, green, blue = np.split(array, 3, axis=axis)
    return (0.2989 * red + 0.587 * green + 0.114 * blue).astype(array.dtype)


def pad_channels(array: np.ndarray, axis: int, count: int) -> np.ndarray:
    """One channel, repeated."""
    return array if count == 1 else np.repeat(array, count, axis=axis)


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, numbers.Integral):
        return int(size), int(size)
    height, width = (size[0], size[0]) if len(size) == 1 else size
    return int(height), int(width)


rgb_to_grayscale = to_grayscale
