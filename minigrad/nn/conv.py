"""Convolution layers: Conv1d, Conv2d and their transposes."""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from minigrad import creation
from minigrad.nn import functional as F, init
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

Sizes = int | tuple[int, ...]
_PADDING_MODES = ("zeros", "circular", "reflect", "replicate")


def _each(value: Any, dims: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * dims


class _ConvNd(Module):
    """What all convolutions share: the numbers that describe them, the weights and how they start.

    Weight and bias start uniform on +-1 / sqrt(fan_in), fan_in the number of weights that one output sums over (for
    transposes: weight.shape[1] times the size of the kernel): PyTorch's choice, `kaiming_uniform_` with a = sqrt(5).
    """

    dims: ClassVar[int]
    transposed: ClassVar[bool] = False
    weight: Any
    bias: Any

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
        output_padding: Any, groups: int, bias: bool, padding_mode: str, device: Any, dtype: Any,
    ):  # fmt: skip
        super().__init__()
        if groups <= 0:
            raise ValueError(f"groups must be a positive integer, got {groups}")
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"{name} must be divisible by groups, got {channels} and {groups}")
        if padding_mode not in _PADDING_MODES:
            listed = "{" + ", ".join(repr(mode) for mode in _PADDING_MODES) + "}"
            raise ValueError(f"padding_mode must be one of {listed}, but got padding_mode='{padding_mode}'")
        self.in_channels, self.out_channels, self.groups, self.padding_mode = (
            in_channels, out_channels, groups, padding_mode,
        )  # fmt: skip
        self.kernel_size, self.stride = _each(kernel_size, self.dims), _each(stride, self.dims)
        self.dilation, self.output_padding = _each(dilation, self.dims), _each(output_padding, self.dims)
        self.padding: Any = padding if isinstance(padding, str) else _each(padding, self.dims)
        self._reversed_padding_repeated_twice = self._border()
        a, b = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = (a, b // groups, *self.kernel_size)
        self._make_weights(shape, bias, device, dtype)
        self.reset_parameters()

    def _make_weights(self, shape: tuple, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = Parameter(creation.empty(shape, device=device, dtype=dtype))
        self.register_parameter("bias", None)
        if bias:
            self.bias = Parameter(creation.empty(self.out_channels, device=device, dtype=dtype))

    def _border(self) -> list[int]:
        """The padding as `F.pad` takes it: (before, after) of the last dim first."""
        if not isinstance(self.padding, str):
            return [n for p in reversed(self.padding) for n in (p, p)]
        if self.padding not in ("same", "valid"):
            raise ValueError(f"Invalid padding string '{self.padding}', should be one of {{'valid', 'same'}}")
        if self.padding == "same" and any(s != 1 for s in self.stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
        totals = [
            d * (k - 1) if self.padding == "same" else 0 for d, k in zip(self.dilation, self.kernel_size, strict=True)
        ]
        return [n for total in reversed(totals) for n in (total // 2, total - total // 2)]

    def reset_parameters(self) -> None:
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in:
                init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def _convolve(self, function: Callable, input: Tensor) -> Tensor:
        if self.padding_mode == "zeros":
            return function(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
        return function(input, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        defaults: tuple[tuple[str, int], ...] = ("padding", 0), ("dilation", 1), ("output_padding", 0)
        for name, plain in defaults:
            value = getattr(self, name)
            text += "" if value == (plain,) * self.dims else f", {name}={value}"
        text += f", groups={self.groups}" if self.groups != 1 else ""
        text += ", bias=False" if self.bias is None else ""
        return text + (f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "")


class Conv1d(_ConvNd):
    """F.conv1d with a weight (out_channels, in_channels / groups, kernel_size) and a bias of its own.

    `padding` is a number of entries on either side, "same" or "valid"; `padding_mode` says what they hold: "zeros",
    "reflect", "replicate" or "circular".
    """

    dims = 1

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes = 1, padding: "str | Sizes" = 0,
        dilation: Sizes = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
        dtype: Any = None,
    ):  # fmt: skip
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        return self._convolve(F.conv1d, input)


class Conv2d(_ConvNd):
    """F.conv2d with a weight (out_channels, in_channels / groups, kh, kw) and a bias of its own; arguments as
    Conv1d.
    """

    dims = 2

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes = 1, padding: "str | Sizes" = 0,
        dilation: Sizes = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
        dtype: Any = None,
    ):  # fmt: skip
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        return self._convolve(F.conv2d, input)


class _ConvTransposeNd(_ConvNd):
    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes = 1, padding: Sizes = 0,
        output_padding: Sizes = 0, groups: int = 1, bias: bool = True, dilation: Sizes = 1, padding_mode: str = "zeros",
        device: Any = None, dtype: Any = None,
    ):  # fmt: skip
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: "Sequence[int] | None") -> tuple[int, ...]:
        """What to add so that the output has `output_size`; ValueError where no output padding gives it."""
        if output_size is None:
            return self.output_padding
        lead, wanted = input.ndim - self.dims, list(output_size)
        if len(wanted) == input.ndim:
            wanted = wanted[lead:]
        if len(wanted) != self.dims:
            raise ValueError(
                f"ConvTranspose{self.dims}D: for {input.ndim}D input, output_size must have {self.dims} or "
                f"{input.ndim} elements (got {len(output_size)})"
            )
        size = input.shape[lead:]
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(size, self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        ]
        most = [n + s - 1 for n, s in zip(least, self.stride, strict=True)]
        if any(not lo <= n <= hi for lo, n, hi in zip(least, wanted, most, strict=True)):
            raise ValueError(
                f"requested an output size of {wanted}, but valid sizes range from {least} to {most} (for an input of "
                f"{size})"
            )
        return tuple(n - lo for n, lo in zip(wanted, least, strict=True))

    def _transpose(self, function: Callable, input: Tensor, output_size: "Sequence[int] | None") -> Tensor:
        extra = self._output_padding(input, output_size)
        return function(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


class ConvTranspose1d(_ConvTransposeNd):
    """F.conv_transpose1d with a weight (in_channels, out_channels / groups, kernel_size) and a bias of its own.

    `forward(input, output_size)` works out the output padding for that length. ValueError where none gives it.
    """

    dims = 1

    def forward(self, input: Tensor, output_size: "Sequence[int] | None" = None) -> Tensor:
        return self._transpose(F.conv_transpose1d, input, output_size)


class ConvTranspose2d(_ConvTransposeNd):
    """F.conv_transpose2d with a weight (in_channels, out_channels / groups, kh, kw) and a bias; as ConvTranspose1d."""

    dims = 2

    def forward(self, input: Tensor, output_size: "Sequence[int] | None" = None) -> Tensor:
        return self._transpose(F.conv_transpose2d, input, output_size)
