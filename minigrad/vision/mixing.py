"""Two images in one, and labels to match: mixup, CutMix, and labels that are not quite sure.

The partner of each image is the one before it in the batch, and one share lambda, drawn from Beta(alpha, alpha), holds
for the whole batch, as in torchvision's `v2.MixUp` and `v2.CutMix`.
"""

import math
from typing import Any

import numpy as np

from minigrad import creation, random
from minigrad.nn import functional as F
from minigrad.nn.module import Module
from minigrad.tensor import Tensor
from minigrad.vision.augment import check_batch


def smooth_labels(labels: Any, num_classes: int, smoothing: float = 0.1) -> Tensor:
    """(N,) class numbers to (N, C) probabilities: 1 - e + e / C for the class, e / C for the others.

    Szegedy et al., arXiv:1512.00567. `F.cross_entropy(..., label_smoothing=e)` does it inside the loss. ValueError for
    a class that is not in 0 .. C - 1 and for e outside [0, 1].
    """
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing must be between 0 and 1, got {smoothing}")
    return _one_hot("smooth_labels", labels, num_classes) * (1 - smoothing) + smoothing / num_classes


def mixup(
    images: Any, labels: Any, num_classes: int | None = None, alpha: float = 1.0,
    generator: random.Generator | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """lambda x + (1 - lambda) x', and the same of the labels. (Zhang et al., arXiv:1710.09412)

    `images` are a floating tensor or array (N, C, H, W); `labels` are class numbers (N,), with `num_classes`, or
    probabilities (N, C). Returns the images and probabilities (N, C), which F.cross_entropy takes as targets.
    """
    images = _floating("mixup", images)
    target = _probabilities("mixup", images, labels, num_classes)
    share = _beta(alpha, generator)
    return _mixed(images, share), _mixed(target, share)


def cutmix(
    images: Any, labels: Any, num_classes: int | None = None, alpha: float = 1.0,
    generator: random.Generator | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """A rectangle of each image replaced by its partner's, and the labels mixed by area. (Yun et al., arXiv:1905.04899)

    The rectangle has a share 1 - lambda of the area, and its middle anywhere; what lies outside the image is cut off.
    Arguments and result as those of `mixup`.
    """
    images = _floating("cutmix", images)
    target = _probabilities("cutmix", images, labels, num_classes)
    share, draw = _beta(alpha, generator), generator or random.default_generator
    height, width = images.shape[-2:]
    x, y = (int(draw.randint(0, n, (1,))[0]) for n in (width, height))
    half = 0.5 * math.sqrt(1.0 - share)
    left, right = max(x - int(half * width), 0), min(x + int(half * width), width)
    top, bottom = max(y - int(half * height), 0), min(y + int(half * height), height)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
    return mixed, _mixed(target, 1.0 - (right - left) * (bottom - top) / (width * height))


class MixUp(Module):
    """`mixup` as a transform of a batch: `MixUp(alpha=0.2, num_classes=10)(images, labels)`."""

    function = staticmethod(mixup)

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None):
        super().__init__()
        if not alpha > 0:
            raise ValueError(f"alpha must be positive, got {alpha}")
        self.alpha, self.num_classes = float(alpha), num_classes

    def forward(self, images: Any, labels: Any) -> tuple[Tensor, Tensor]:
        return self.function(images, labels, self.num_classes, self.alpha)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(alpha={self.alpha}, num_classes={self.num_classes})"


class CutMix(MixUp):
    """`cutmix` as a transform of a batch."""

    function = staticmethod(cutmix)


def _mixed(x: Tensor, share: float) -> Tensor:
    return x * share + x.roll(1, 0) * (1.0 - share)


def _floating(name: str, images: Any) -> Tensor:
    check_batch(name, images)
    tensor = creation.as_tensor(images)
    if not tensor.is_floating_point():
        raise TypeError(f"{name}: images have to be floats (N, C, H, W), got {tensor.dtype}: divide bytes by 255 first")
    return tensor


def _probabilities(name: str, images: Tensor, labels: Any, num_classes: int | None) -> Tensor:
    """The labels as (N, C) probabilities."""
    labels = creation.as_tensor(labels)
    if len(labels.shape) not in (1, 2) or labels.shape[0] != images.shape[0]:
        raise ValueError(
            f"{name}: labels are class numbers (N,) or probabilities (N, C), got shape {tuple(labels.shape)} for "
            f"{images.shape[0]} images"
        )
    if labels.ndim == 2:
        return labels.to(dtype=images.dtype)
    if num_classes is None:
        raise ValueError(f"{name}: num_classes is needed to mix class numbers")
    return _one_hot(name, labels, num_classes).to(dtype=images.dtype)


def _one_hot(name: str, labels: Any, num_classes: int) -> Tensor:
    labels = creation.as_tensor(labels)
    if labels.dtype.kind >= 2 or labels.ndim != 1:
        raise TypeError(f"{name}: labels are class numbers (N,), got {labels.dtype} of shape {tuple(labels.shape)}")
    if labels.numel() and not 0 <= labels.min().item() <= labels.max().item() < num_classes:
        raise ValueError(
            f"{name}: labels reach from {labels.min().item()} to {labels.max().item()}, classes are 0 to "
            f"{num_classes - 1}"
        )
    return F.one_hot(labels.long(), num_classes).float()


def _beta(alpha: float, generator: random.Generator | None) -> float:
    """A number from Beta(alpha, alpha): X / (X + Y) of two from Gamma(alpha)."""
    draw = generator or random.default_generator
    x, y = _log_gamma_variate(alpha, draw), _log_gamma_variate(alpha, draw)
    return 1.0 / (1.0 + math.exp(min(y - x, 700.0)))  # in logarithms: for a small alpha both underflow


def _log_gamma_variate(shape: float, draw: random.Generator) -> float:
    """The logarithm of a number from Gamma(shape, 1). (Marsaglia and Tsang, 2000)"""
    if shape < 1:  # one from Gamma(shape + 1), times U^(1 / shape)
        u = float(draw.uniform((1,), dtype=np.float64)[0])
        return _log_gamma_variate(shape + 1, draw) + math.log(1.0 - u) / shape
    d = shape - 1 / 3
    c = 1 / math.sqrt(9 * d)
    while True:
        x = float(draw.normal((1,), dtype=np.float64)[0])
        v = (1 + c * x) ** 3
        u = 1.0 - float(draw.uniform((1,), dtype=np.float64)[0])
        if v > 0 and math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
            return math.log(d * v)
