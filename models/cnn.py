"""Convolutional networks for pictures: LeNet, VGG, and residual networks for large and for small pictures.

- LeNet (LeCun et al., 1998): convolution, pooling, twice; then fully connected layers
- VGG (Simonyan and Zisserman, arXiv:1409.1556): nothing but 3 x 3 convolutions, and pooling between them
- ResNet (He et al., arXiv:1512.03385): blocks that add to what they are given, y = relu(x + f(x))

Parameters have torchvision's names, or those of the public CIFAR ResNets, so that weights load by name (weights.py).
Letters in shape comments: N images, C channels, H x W pixels, K classes.
"""

import os
from dataclasses import dataclass
from typing import Any, ClassVar

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

from .weights import load_weights, read_weights


def must_be_images(x: mg.Tensor, channels: int, size: int | None = None) -> None:
    """ValueError where x is not a batch of images (N, channels, H, W) of floats."""
    fits = x.dim() == 4 and x.shape[1] == channels and (size is None or tuple(x.shape[2:]) == (size, size))
    if not fits or not x.is_floating_point():
        wanted = f"(N, {channels}, {size or 'H'}, {size or 'W'})"
        raise ValueError(f"expected floating images of shape {wanted}, got {tuple(x.shape)} of {x.dtype}")


@dataclass
class LeNetConfig:
    """For Fashion-MNIST and MNIST by default."""

    in_channels: int = 1
    image_size: int = 28
    channels: tuple[int, int] = (6, 16)
    hidden: tuple[int, int] = (120, 84)
    num_classes: int = 10


class LeNet(nn.Module):
    """LeNet-5 with ReLU and max pooling for its scaled tanh and trained means: 61,706 parameters."""

    def __init__(self, config: LeNetConfig | None = None):
        super().__init__()
        self.config = c = config or LeNetConfig()
        side = (c.image_size // 2 - 4) // 2  # the first convolution keeps the size, the second loses 4
        if side < 1:
            raise ValueError(f"LeNet needs images of at least 12 x 12 pixels, got image_size {c.image_size}")
        self.conv1 = nn.Conv2d(c.in_channels, c.channels[0], 5, padding=2)
        self.conv2 = nn.Conv2d(c.channels[0], c.channels[1], 5)
        self.fc1 = nn.Linear(c.channels[1] * side * side, c.hidden[0])
        self.fc2 = nn.Linear(*c.hidden)
        self.fc3 = nn.Linear(c.hidden[1], c.num_classes)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        must_be_images(x, self.config.in_channels, self.config.image_size)
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # (N, 6, H / 2, W / 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # (N, 16, H / 4 - 2, W / 4 - 2)
        x = F.relu(self.fc1(x.flatten(1)))  # (N, 16 (H / 4 - 2)^2) -> (N, 120)
        return self.fc3(F.relu(self.fc2(x)))  # (N, 84) -> (N, K)


VGG11 = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")  # channels of a convolution; "M" pooling


@dataclass
class VGGConfig:
    """A small one for CIFAR by default; VGG11 with image_size 224 and hidden 4096 is torchvision's vgg11."""

    layers: tuple[int | str, ...] = (32, 32, "M", 64, 64, "M", 128, 128, "M")
    batch_norm: bool = True
    hidden: int = 256
    dropout: float = 0.5
    in_channels: int = 3
    image_size: int = 32
    num_classes: int = 10


class VGG(nn.Module):
    def __init__(self, config: VGGConfig | None = None):
        super().__init__()
        self.config = c = config or VGGConfig()
        features: list[nn.Module] = []
        channels, side = c.in_channels, c.image_size
        for layer in c.layers:
            if layer == "M":
                features.append(nn.MaxPool2d(2))
                side //= 2
                continue
            features.append(nn.Conv2d(channels, layer, 3, padding=1))
            features += [nn.BatchNorm2d(layer), nn.ReLU()] if c.batch_norm else [nn.ReLU()]
            channels = layer
        if side < 1:
            raise ValueError(f"images of {c.image_size} pixels are too small for {c.layers.count('M')} poolings")
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(
            nn.Linear(channels * side * side, c.hidden), nn.ReLU(), nn.Dropout(c.dropout),
            nn.Linear(c.hidden, c.hidden), nn.ReLU(), nn.Dropout(c.dropout),
            nn.Linear(c.hidden, c.num_classes),
        )  # fmt: skip
        self.apply(kaiming_init)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        must_be_images(x, self.config.in_channels, self.config.image_size)
        return self.classifier(self.features(x).flatten(1))  # (N, C, h, w) -> (N, C h w) -> (N, K)


def kaiming_init(module: nn.Module) -> None:
    """Convolutions drawn so that gradients keep their variance through ReLU (He et al., arXiv:1502.01852)."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@dataclass
class ResNetConfig:
    """ResNet-18 for ImageNet by default."""

    blocks: tuple[int, ...] = (2, 2, 2, 2)  # in each stage; from one to the next, half the size and twice the channels
    width: int = 64  # channels of the first stage
    small_images: bool = False  # begin with a 3 x 3 convolution, in place of 7 x 7 with stride 2 and pooling
    # Where size and channels change, x cannot be added as it is. "B": a 1 x 1 convolution with a norm brings it to the
    # new shape; "A": every other pixel, and channels of zeros around the old ones, without parameters.
    shortcut: str = "B"
    in_channels: int = 3
    num_classes: int = 1000

    def __post_init__(self) -> None:
        if self.shortcut not in ("A", "B"):
            raise ValueError(
                f'shortcut is "A" (without parameters) or "B" (a 1 x 1 convolution), got {self.shortcut!r}'
            )


class BasicBlock(nn.Module):
    """relu(x + f(x)), f two 3 x 3 convolutions, each with a norm."""

    def __init__(self, channels: int, out: int, stride: int, shortcut: str):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels != out:
            self.downsample = (
                ShortcutA(out - channels, stride) if shortcut == "A" else shortcut_b(channels, out, stride)
            )

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))  # (N, C, H, W) -> (N, C', H / stride, W / stride)
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def shortcut_b(channels: int, out: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))


class ShortcutA(nn.Module):
    def __init__(self, more: int, stride: int):
        super().__init__()
        self.more, self.stride = more, stride

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        before = self.more // 2
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.more - before))


class ResNet(nn.Module):
    """Names are torchvision's. With shortcut "A" the last layer is `linear`, as in the public files of that kind."""

    other_names: ClassVar[dict[str, str]] = {"linear": "fc", "shortcut": "downsample"}

    def __init__(self, config: ResNetConfig | None = None):
        super().__init__()
        self.config = c = config or ResNetConfig()
        kernel = {"kernel_size": 3, "padding": 1} if c.small_images else {"kernel_size": 7, "stride": 2, "padding": 3}
        self.conv1 = nn.Conv2d(c.in_channels, c.width, bias=False, **kernel)
        self.bn1 = nn.BatchNorm2d(c.width)
        channels = c.width
        for i, count in enumerate(c.blocks):
            out = c.width * 2**i
            stage = [
                BasicBlock(channels if j == 0 else out, out, 2 if i and not j else 1, c.shortcut) for j in range(count)
            ]
            self.add_module(f"layer{i + 1}", nn.Sequential(*stage))
            channels = out
        self.add_module(self.head, nn.Linear(channels, c.num_classes))
        self.apply(kaiming_init)

    @property
    def head(self) -> str:
        return "linear" if self.config.shortcut == "A" else "fc"

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        must_be_images(x, self.config.in_channels)
        x = F.relu(self.bn1(self.conv1(x)))
        if not self.config.small_images:
            x = F.max_pool2d(x, 3, stride=2, padding=1)  # (N, 64, H / 4, W / 4)
        for i in range(len(self.config.blocks)):
            x = getattr(self, f"layer{i + 1}")(x)  # (N, width 2^i, H / 2^i, W / 2^i)
        return getattr(self, self.head)(x.mean(dim=(2, 3)))  # (N, C) -> (N, K)


def resnet18(num_classes: int = 1000) -> ResNet:
    """ResNet-18, torchvision's names: 11,689,512 parameters."""
    return ResNet(ResNetConfig(num_classes=num_classes))


def cifar_resnet(depth: int = 20, num_classes: int = 10, shortcut: str = "A", in_channels: int = 3) -> ResNet:
    """The ResNet for CIFAR of section 4.2 of the paper: three stages of (depth - 2) / 6 blocks of 16, 32, 64 channels.

    depth 20, 32, 44, 56: 269,722, 464,154, 658,586 and 853,018 parameters with the paper's shortcut "A", and 2,752 more
    with "B". Published accuracies on CIFAR-10 are 91 to 94 %.
    """
    if depth < 8 or (depth - 2) % 6:
        raise ValueError(f"depth has to be 6 n + 2, such as 20, 32, 44 or 56, got {depth}")
    blocks = ((depth - 2) // 6,) * 3
    return ResNet(
        ResNetConfig(blocks, 16, small_images=True, shortcut=shortcut, in_channels=in_channels, num_classes=num_classes)
    )


def load_cifar_resnet(path: str | os.PathLike) -> ResNet:
    """A CIFAR ResNet with the weights in a file; depth, classes and shortcut are read off the names and shapes.

    Public files expect pixels in [0, 1] less a mean, divided by a standard deviation: those of ImageNet for files with
    shortcut "A" (mean 0.485, 0.456, 0.406; std 0.229, 0.224, 0.225), of CIFAR-10 for those with "B" (mean 0.4914,
    0.4822, 0.4465; std 0.2023, 0.1994, 0.2010 by the one that trained them). RuntimeError for what is no such network.
    """
    state = read_weights(path)
    count = len({name.split(".")[1] for name in state if name.startswith("layer1.")})
    head: Any = state.get("fc.weight", state.get("linear.weight"))
    if not count or head is None or "conv1.weight" not in state or any(name.startswith("layer4.") for name in state):
        raise RuntimeError(
            f"{path} is no CIFAR ResNet: expected conv1, layer1, layer2, layer3, and fc or linear, found "
            + ", ".join(state)
        )
    projected = any(".downsample." in name or ".shortcut." in name for name in state)
    model = cifar_resnet(6 * count + 2, head.shape[0], "B" if projected else "A", state["conv1.weight"].shape[1])
    return load_weights(model, path)
