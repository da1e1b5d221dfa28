"""`torchvision.transforms`: what is done to each image of a dataset, as objects that are called on it.

Random ones draw from minigrad's default generator, in torchvision's order.
"""

import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any

from minigrad import creation, random
from minigrad.nn.module import Module
from minigrad.tensor import Tensor
from minigrad.vision import functional
from minigrad.vision.functional import InterpolationMode, _pair
from minigrad.vision.mixing import CutMix, MixUp

__all__ = [
    "CenterCrop", "Compose", "CutMix", "Grayscale", "InterpolationMode", "Lambda", "MixUp", "Normalize", "PILToTensor",
    "Pad", "RandomCrop", "RandomErasing", "RandomHorizontalFlip", "RandomRotation", "RandomVerticalFlip", "Resize",
    "ToPILImage", "ToTensor", "functional",
]  # fmt: skip


class Compose:
    """Transforms one after another."""

    def __init__(self, transforms: Sequence[Callable]):
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return "\n".join([f"{type(self).__name__}(", *(f"    {transform}" for transform in self.transforms), ")"])


class ToTensor:
    """A Pillow image or array (H, W[, C]) to a tensor (C, H, W); bytes become floats in [0, 1]."""

    def __call__(self, pic: Any) -> Any:
        return functional.to_tensor(pic)

    def __repr__(self) -> str:
        return "ToTensor()"


class PILToTensor:
    """As ToTensor, with the values as they are."""

    def __call__(self, pic: Any) -> Any:
        return functional.pil_to_tensor(pic)

    def __repr__(self) -> str:
        return "PILToTensor()"


class ToPILImage:
    """A tensor (C, H, W) or array (H, W, C) to a Pillow image."""

    def __init__(self, mode: str | None = None):
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return functional.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return "ToPILImage()" if self.mode is None else f"ToPILImage(mode={self.mode})"


class Lambda:
    """A function of the user's."""

    def __init__(self, lambd: Callable):
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return "Lambda()"


class Normalize(Module):
    """(x - mean) / std for each channel of a tensor (..., C, H, W)."""

    def __init__(self, mean: Any, std: Any, inplace: bool = False):
        super().__init__()
        self.mean, self.std, self.inplace = mean, std, inplace

    def forward(self, tensor: Any) -> Any:
        return functional.normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"


class Resize(Module):
    """To (height, width), or the smaller edge to one number; see `functional.resize`."""

    def __init__(
        self, size: Any, interpolation: InterpolationMode = InterpolationMode.BILINEAR, max_size: int | None = None,
        antialias: bool = True,
    ):  # fmt: skip
        super().__init__()
        if not isinstance(size, (int, Sequence)):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size, self.interpolation, self.max_size, self.antialias = size, interpolation, max_size, antialias

    def forward(self, img: Any) -> Any:
        return functional.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self) -> str:
        return (
            f"Resize(size={self.size}, interpolation={self.interpolation.value}, max_size={self.max_size}, "
            f"antialias={self.antialias})"
        )


class CenterCrop(Module):
    """The middle (height, width), filled up with 0 where the image is smaller."""

    def __init__(self, size: Any):
        super().__init__()
        self.size = _pair(size)

    def forward(self, img: Any) -> Any:
        return functional.center_crop(img, self.size)

    def __repr__(self) -> str:
        return f"CenterCrop(size={self.size})"


class Pad(Module):
    """A border; see `functional.pad`."""

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant"):
        super().__init__()
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def forward(self, img: Any) -> Any:
        return functional.pad(img, self.padding, self.fill, self.padding_mode)

    def __repr__(self) -> str:
        return f"Pad(padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode})"


class RandomCrop(Module):
    """A part (height, width) from anywhere, each place as likely, after a border of `padding`.

    ValueError for an image that is smaller, unless `pad_if_needed`.
    """

    def __init__(
        self, size: Any, padding: Any = None, pad_if_needed: bool = False, fill: Any = 0, padding_mode: str = "constant"
    ):
        super().__init__()
        self.size, self.padding, self.pad_if_needed = _pair(size), padding, pad_if_needed
        self.fill, self.padding_mode = fill, padding_mode

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """(top, left, height, width). Draws the row, then the column; nothing where the whole image is wanted."""
        _, h, w = functional.get_dimensions(img)
        height, width = output_size
        if h < height or w < width:
            raise ValueError(f"Required crop size {(height, width)} is larger than input image size {(h, w)}")
        if (h, w) == (height, width):
            return 0, 0, h, w
        top = random.randint(0, h - height + 1, size=(1,)).item()
        left = random.randint(0, w - width + 1, size=(1,)).item()
        return top, left, height, width

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = functional.pad(img, self.padding, self.fill, self.padding_mode)
        _, h, w = functional.get_dimensions(img)
        if self.pad_if_needed and w < self.size[1]:
            img = functional.pad(img, [self.size[1] - w, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and h < self.size[0]:
            img = functional.pad(img, [0, self.size[0] - h], self.fill, self.padding_mode)
        return functional.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"RandomCrop(size={self.size}, padding={self.padding})"


class RandomHorizontalFlip(Module):
    """Left and right exchanged with probability `p`."""

    p: float

    def __init__(self, p: float = 0.5):
        super().__init__()
        if not isinstance(p, numbers.Real) or not 0 <= p <= 1:
            raise ValueError(f"p is a probability, got {p!r}")
        self.p = p

    def forward(self, img: Any) -> Any:
        return self.flip(img) if random.rand(1).item() < self.p else img

    flip = staticmethod(functional.hflip)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomVerticalFlip(RandomHorizontalFlip):
    """Top and bottom exchanged with probability `p`."""

    flip = staticmethod(functional.vflip)


class Grayscale(Module):
    """Luminance, in 1 channel or the same in 3."""

    def __init__(self, num_output_channels: int = 1):
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Any) -> Any:
        return functional.to_grayscale(img, self.num_output_channels)

    def __repr__(self) -> str:
        return f"Grayscale(num_output_channels={self.num_output_channels})"


class RandomRotation(Module):
    """Turned by an angle drawn from `degrees` (low, high), or (-degrees, degrees); see `functional.rotate`."""

    def __init__(
        self, degrees: Any, interpolation: InterpolationMode = InterpolationMode.NEAREST, expand: bool = False,
        center: Any = None, fill: Any = 0,
    ):  # fmt: skip
        super().__init__()
        if isinstance(degrees, numbers.Real):
            if degrees < 0:
                raise ValueError("If degrees is a single number, it must be positive.")
            degrees = (-degrees, degrees)
        if len(degrees) != 2:
            raise ValueError("degrees should be a sequence of length 2.")
        self.degrees = [float(d) for d in degrees]
        self.interpolation, self.expand, self.center, self.fill = interpolation, expand, center, fill

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """The angle."""
        return creation.empty(1).uniform_(float(degrees[0]), float(degrees[1])).item()

    def forward(self, img: Any) -> Any:
        angle = self.get_params(self.degrees)
        return functional.rotate(img, angle, self.interpolation, self.expand, self.center, self.fill)

    def __repr__(self) -> str:
        center = "" if self.center is None else f", center={self.center}"
        return (
            f"RandomRotation(degrees={self.degrees}, interpolation={self.interpolation.value}, expand={self.expand}"
            f"{center}, fill={self.fill})"
        )


class RandomErasing(Module):
    """With probability `p`, a rectangle of a tensor (..., C, H, W) is overwritten. (Zhong et al., arXiv:1708.04896)

    Its area is a share of the image's drawn from `scale`, its height over its width is drawn from `ratio`, evenly on a
    log scale. `value` is a number, one for each channel, or "random" for normal noise. A rectangle that does not fit is
    drawn anew, ten times at most; then the image stays.
    """

    def __init__(
        self, p: float = 0.5, scale: Sequence[float] = (0.02, 0.33), ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0, inplace: bool = False,
    ):  # fmt: skip
        super().__init__()
        if not isinstance(value, (numbers.Number, str, tuple, list)):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        for name, pair in (("Scale", scale), ("Ratio", ratio)):
            if not isinstance(pair, (tuple, list)):
                raise TypeError(f"{name} should be a sequence")
        if not 0 <= scale[0] <= scale[1] <= 1:
            raise ValueError("Scale should be between 0 and 1")
        if not 0 < ratio[0] <= ratio[1]:
            raise ValueError(f"ratio should be (min, max), both positive, got {ratio}")
        if not 0 <= p <= 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p, self.scale, self.ratio, self.value, self.inplace = p, scale, ratio, value, inplace

    @staticmethod
    def get_params(
        img: Tensor, scale: Sequence[float], ratio: Sequence[float], value: Sequence[float] | None = None
    ) -> tuple[int, int, int, int, Tensor]:
        """(top, left, height, width, values); the whole image and its own values where nothing fitted."""
        channels, height, width = functional.get_dimensions(img)
        log_ratio = [math.log(r) for r in ratio]
        for _ in range(10):
            area = height * width * creation.empty(1).uniform_(scale[0], scale[1]).item()
            aspect = math.exp(creation.empty(1).uniform_(log_ratio[0], log_ratio[1]).item())
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if not (h < height and w < width):
                continue
            if value is None:
                v = random.randn(channels, h, w)
            else:
                v = creation.tensor(value, dtype=img.dtype, device=img.device).view(-1, 1, 1)
            top = random.randint(0, height - h + 1, size=(1,)).item()
            left = random.randint(0, width - w + 1, size=(1,)).item()
            return top, left, h, w, v
        return 0, 0, height, width, img

    def forward(self, img: Tensor) -> Tensor:
        if random.rand(1).item() >= self.p:
            return img
        if not isinstance(img, Tensor):
            raise TypeError(f"RandomErasing takes a Tensor, got {type(img).__name__}: use ToTensor before")
        value = None if isinstance(self.value, str) else self.value
        if value is not None:
            value = list(value) if isinstance(value, (tuple, list)) else [value]
            channels = functional.get_dimensions(img)[0]
            if len(value) not in (1, channels):
                raise ValueError(
                    f"If value is a sequence, it should have either a single value or {channels} (number of input "
                    "channels)"
                )
        return functional.erase(img, *self.get_params(img, self.scale, self.ratio, value), self.inplace)

    def __repr__(self) -> str:
        return (
            f"RandomErasing(p={self.p}, scale={self.scale}, ratio={self.ratio}, value={self.value}, "
            f"inplace={self.inplace})"
        )
