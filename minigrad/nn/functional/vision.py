"""Images resized, rearranged, and taken apart into patches: interpolate, pixel_shuffle, unfold, fold."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

from minigrad import creation, ops
from minigrad.dtype import int64
from minigrad.grad_names import named
from minigrad.kernels.common_conv import Grid
from minigrad.nn.functional import averages
from minigrad.nn.functional.pooling import adaptive_avg_pool1d, adaptive_avg_pool2d
from minigrad.tensor import Tensor

_DIMS_OF_MODE = {"linear": 1, "bilinear": 2, "bicubic": 2}
_MODES = ("nearest", "linear", "bilinear", "bicubic", "area", "nearest-exact")

# ---------------------------------------------------------------- resizing


def interpolate(
    input: Tensor, size: "int | Sequence[int] | None" = None, scale_factor: "float | Sequence[float] | None" = None,
    mode: str = "nearest", align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:  # fmt: skip
    """Resize (N, C, L) or (N, C, H, W) to `size`, or to floor(size * scale_factor).

    mode "nearest" copies the entry at floor(i n / out) ("nearest-exact": at floor((i + 1/2) n / out)); "linear" (3-d)
    and "bilinear" (4-d) weigh the two neighbours along each dim by their distance; "bicubic" takes four (Keys, 1981);
    "area" is adaptive average pooling. align_corners: the outermost entries of input and output lie on each other;
    otherwise entries are cells and the outer edges of the cells do. The scale is the given scale_factor, unless
    recompute_scale_factor has it worked out from the sizes. antialias is not supported: NotImplementedError.
    """
    dims = input.array.ndim - 2
    if dims not in (1, 2) or mode not in _MODES:
        raise NotImplementedError(
            f"Input Error: Only 3D and 4D input Tensors supported (got {input.array.ndim}D) for the modes: "
            f"{' | '.join(_MODES)} (got {mode})"
        )
    if align_corners is not None and mode not in _DIMS_OF_MODE:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    if _DIMS_OF_MODE.get(mode, dims) != dims:
        raise NotImplementedError(
            f"Got {input.array.ndim}D input, but {mode} mode needs {_DIMS_OF_MODE[mode] + 2}D input"
        )
    if antialias:
        raise NotImplementedError(
            "interpolate does not support antialias=True; blur the image before making it smaller"
        )
    out, scales = _sizes(input, dims, size, scale_factor, recompute_scale_factor)
    if mode == "area":
        return adaptive_avg_pool1d(input, out) if dims == 1 else adaptive_avg_pool2d(input, out)
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f"interpolate is not implemented for {input.dtype}: convert with .float()")
    shape = input.array.shape
    if mode.startswith("nearest"):
        places = [
            averages.nearest_indices(*line, mode == "nearest-exact")
            for line in zip(shape[2:], out, scales, strict=True)
        ]
        return named(_picked(input, places), f"UpsampleNearest{dims}DBackward0")
    matrix = averages.cubic_matrix if mode == "bicubic" else averages.linear_matrix
    for dim, o, scale in zip(range(-dims, 0), out, scales, strict=True):
        input = averages.along(input, dim, matrix(shape[dim], o, scale, bool(align_corners)))
    return named(input, f"Upsample{mode.capitalize()}{dims}DBackward0")


def _picked(x: Tensor, places: list[list[int]]) -> Tensor:
    """x at `places` along each of its last dims."""
    size = x.array.shape[2:]
    times = [len(line) // n for line, n in zip(places, size, strict=True)]
    if all(line == [i // t for i in range(n * t)] for line, n, t in zip(places, size, times, strict=True)):
        # Each entry becomes a square of its own: windows spread out, whose gradient is the sum over each window.
        kernel = (1, *times) if len(times) == 1 else tuple(times)
        small = (1, *size) if len(times) == 1 else tuple(size)
        grid = Grid(kernel, kernel, ((0, 0), (0, 0)), (1, 1), (small[0] * kernel[0], small[1] * kernel[1]), small)
        image = ops.reshape(x, shape=(*x.array.shape[:2], *small))
        return ops.reshape(ops.spread_windows(image, grid=grid), shape=(*x.array.shape[:2], *map(len, places)))
    for dim, line in enumerate(places, 2):
        x = ops.index_select(x, dim, creation.tensor(line, dtype=int64, device=x.device))
    return x


def _sizes(input: Tensor, dims: int, size: Any, scale_factor: Any, recompute: bool | None) -> tuple[tuple, tuple]:
    """The output sizes, and the given scale for each dim or None."""
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    spatial = list(input.shape[2:])
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        out = (int(size),) * dims if not isinstance(size, (tuple, list)) else tuple(int(n) for n in size)
        if len(out) != dims:
            raise ValueError(
                "Input and output must have the same number of spatial dimensions, but got input with spatial "
                "dimensions "
                f"of {spatial} and output size of {size}. Please provide input tensor in (N, C, d1, d2, ...,dK) "
                "format and "
                "output size in (o1, o2, ...,oK) format."
            )
        scales: tuple = (None,) * dims
    else:
        given = (scale_factor,) * dims if not isinstance(scale_factor, (tuple, list)) else tuple(scale_factor)
        if len(given) != dims:
            raise ValueError(
                "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial "
                f"dimensions of {spatial} and scale_factor of shape {scale_factor}. Please provide input tensor in "
                "(N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format."
            )
        out = tuple(math.floor(n * float(s)) for n, s in zip(spatial, given, strict=True))
        scales = (None,) * dims if recompute else tuple(float(s) for s in given)
    if min(*out, *spatial) < 1:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input {tuple(spatial)} output {out}"
        )
    return out, scales


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """interpolate under its old name."""
    warnings.warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


# ---------------------------------------------------------------- channels to pixels and back


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(..., C r^2, H, W) -> (..., C, H r, W r): the r^2 channels of a pixel become a square of pixels.
    arXiv:1609.05158.
    """
    shape, r = input.array.shape, upscale_factor
    _check_shuffle("pixel_shuffle", input, r, "upscale_factor")
    *lead, channels, height, width = shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            "but "
            f"input.size(-3)={channels} is not divisible by {r * r}"
        )
    n = len(lead)
    split = ops.reshape(input, shape=(*lead, channels // (r * r), r, r, height, width))
    order = ops.permute(split, dims=(*range(n), n, n + 3, n + 1, n + 4, n + 2))  # C, H, r, W, r
    return named(ops.reshape(order, shape=(*lead, channels // (r * r), height * r, width * r)), "PixelShuffleBackward0")


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(..., C, H r, W r) -> (..., C r^2, H, W): the inverse of pixel_shuffle."""
    shape, r = input.array.shape, downscale_factor
    _check_shuffle("pixel_unshuffle", input, r, "downscale_factor")
    *lead, channels, height, width = shape
    for what, at, n in (("height", -2, height), ("width", -1, width)):
        if n % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {what} to be divisible by downscale_factor, but input.size({at})={n} is not "
                f"divisible by {r}"
            )
    n = len(lead)
    split = ops.reshape(input, shape=(*lead, channels, height // r, r, width // r, r))
    order = ops.permute(split, dims=(*range(n), n, n + 2, n + 4, n + 1, n + 3))  # C, r, r, H, W
    return named(
        ops.reshape(order, shape=(*lead, channels * r * r, height // r, width // r)), "PixelUnshuffleBackward0"
    )


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """(N, C, ...) with the channels of each of `groups` groups dealt out: the first of each, then the second of each.

    After a grouped convolution it lets the groups see each other. Source: arXiv:1707.01083.
    """
    shape = tuple(input.array.shape)
    if len(shape) < 3:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}")
    if groups < 1:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    if shape[1] % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {shape[1]} channels and {groups} groups."
        )
    split = ops.reshape(input, shape=(shape[0], groups, shape[1] // groups, math.prod(shape[2:])))
    return named(ops.reshape(ops.swapaxes(split, dim0=1, dim1=2), shape=shape), "ChannelShuffleBackward0")


def _check_shuffle(name: str, input: Tensor, factor: int, what: str) -> None:
    if input.array.ndim < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {input.array.ndim} dimension(s)"
        )
    if factor < 1:
        raise RuntimeError(f"{name} expects a positive {what}, but got {factor}")


# ---------------------------------------------------------------- patches


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """(N, C, H, W) or (C, H, W) -> (N, C kh kw, places): every patch that a kernel sees, as a column.

    Places go row by row; zeros lie beyond the border. A convolution is a product of its weight (O, C kh kw) with it.
    """
    if input.array.ndim not in (3, 4) or 0 in input.array.shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
            f"but got: {list(input.shape)}"
        )
    place = _patches(input.array.shape[-2:], kernel_size, dilation, padding, stride)
    if input.array.ndim == 4:
        return ops.im2col(input, **place)
    return ops.im2col(input.unsqueeze(0), **place).squeeze(0)


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """(N, C kh kw, places) or (C kh kw, places) -> (N, C, *output_size): patches put back where unfold takes them from.

    Where patches overlap they add up: fold(unfold(x)) is x times the number of patches that hold each entry.
    """
    if input.array.ndim not in (2, 3) or 0 in input.array.shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {list(input.shape)}"
        )
    size = _two("output_size", output_size)
    place = _patches(size, kernel_size, dilation, padding, stride)
    rows, columns = input.array.shape[-2:]
    area = math.prod(place["kernel"])
    if rows % area:
        raise RuntimeError(
            f"Expected size of input's dimension {input.array.ndim - 2} to be divisible by the product of "
            "kernel_size, but "
            f"got input.size({input.array.ndim - 2})={rows} and kernel_size={place['kernel']}."
        )
    counts = _counts(size, **place)
    if columns != math.prod(counts):
        raise RuntimeError(
            f"Given output_size={size}, kernel_size={place['kernel']}, dilation={place['dilation']}, "
            f"padding={padding}, "
            f"stride={place['stride']}, expected size of input's dimension {input.array.ndim - 1} to match the "
            "calculated "
            f"number of sliding blocks {counts[0]} * {counts[1]} = {math.prod(counts)}, but got "
            f"input.size({input.array.ndim - 1})={columns}."
        )
    if input.array.ndim == 3:
        return ops.col2im(input, size=size, **place)
    return ops.col2im(input.unsqueeze(0), size=size, **place).squeeze(0)


def _two(name: str, value: Any) -> tuple[int, int]:
    given = (value,) if isinstance(value, int) else tuple(value)
    if len(given) not in (1, 2):
        raise RuntimeError(f"It is expected {name} equals to 2, but got size {len(given)}")
    return given[0], given[-1]


def _patches(size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> dict[str, Any]:
    kernel, steps, gaps = _two("kernel_size", kernel_size), _two("stride", stride), _two("dilation", dilation)
    pads = _two("padding", padding)
    for name, pair, least in (
        ("kernel_size", kernel, 1),
        ("stride", steps, 1),
        ("dilation", gaps, 1),
        ("padding", pads, 0),
    ):
        if min(pair) < least:
            raise RuntimeError(
                f"{name} should be greater than {'zero' if least else 'or equal to zero'}, but got {pair}"
            )
    place = {"kernel": kernel, "stride": steps, "padding": tuple((p, p) for p in pads), "dilation": gaps}
    counts = _counts(size, **place)
    if min(counts) < 1:
        raise RuntimeError(
            f"Given input with spatial size {tuple(size)}, kernel_size={kernel}, dilation={gaps}, padding={pads}, "
            f"calculated shape of the array of sliding blocks as {counts}, but its components must be at least one."
        )
    return place


def _counts(size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> tuple[int, ...]:
    """The number of places along height and width."""
    return tuple(
        (n + lo + hi - d * (k - 1) - 1) // s + 1
        for n, k, s, (lo, hi), d in zip(size, kernel, stride, padding, dilation, strict=True)
    )
