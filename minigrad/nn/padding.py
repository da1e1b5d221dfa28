"""Layers that widen the borders of a line (N, C, L) or an image (N, C, H, W); see `F.pad`.

`padding` is one number for all sides, or (left, right) for lines and (left, right, top, bottom) for images.
"""

from typing import Any, ClassVar

from minigrad.nn import functional as F
from minigrad.nn.module import Module
from minigrad.tensor import Tensor


class _Pad(Module):
    sides: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: Any):
        super().__init__()
        self.padding = (padding,) * self.sides if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != self.sides:
            raise ValueError(
                f"{type(self).__name__}: padding must be one number or {self.sides}, got {len(self.padding)}: {padding}"
            )

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: Any, value: float):
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """`value` on both sides of a line."""

    sides = 2


class ConstantPad2d(_ConstantPad):
    """`value` around an image."""

    sides = 4


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Any):
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad):
    """Zeros on both sides of a line."""

    sides = 2


class ZeroPad2d(_ZeroPad):
    """Zeros around an image."""

    sides = 4


class ReflectionPad1d(_Pad):
    """A line mirrored at its first and last entry: c b | a b c | b a."""

    sides, mode = 2, "reflect"


class ReflectionPad2d(_Pad):
    """An image mirrored at its border entries."""

    sides, mode = 4, "reflect"


class ReplicationPad1d(_Pad):
    """The first and last entry of a line repeated: a a | a b c | c c."""

    sides, mode = 2, "replicate"


class ReplicationPad2d(_Pad):
    """The border entries of an image repeated."""

    sides, mode = 4, "replicate"


class CircularPad1d(_Pad):
    """A line continued from its other end: b c | a b c | a b."""

    sides, mode = 2, "circular"


class CircularPad2d(_Pad):
    """An image continued from its other side."""

    sides, mode = 4, "circular"
