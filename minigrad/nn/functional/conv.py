"""Convolutions: a kernel slid over a line or an image, and their transposes."""

from collections.abc import Sequence
from typing import Any

from minigrad import ops
from minigrad.grad_names import named
from minigrad.mixed_precision import made_alike
from minigrad.nn.functional.layers import same_device
from minigrad.tensor import Tensor

Sizes = int | Sequence[int]


def sizes(name: str, value: Any, dims: int, what: str = "convolution") -> tuple[int, ...]:
    """One number for every dim, or a list of one number for each, as a tuple."""
    given = [value] if isinstance(value, int) else list(value)
    if len(given) not in (1, dims) or not all(isinstance(n, int) for n in given):
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {dims} values to match the {what} dimensions, "
            f"but got {name}={given}"
        )
    return tuple(given) if len(given) == dims else (given[0],) * dims


def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1, padding: "Sizes | str" = 0,
    dilation: Sizes = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """y[n, o, i] = b[o] + sum over c, p of w[o, c, p] x[n, c, i stride + p dilation - padding], 0 outside x.

    input (N, C, L) or (C, L), weight (O, C / groups, k), bias (O,) -> (N, O, L') or (O, L'), with
    L' = floor((L + 2 padding - dilation (k - 1) - 1) / stride) + 1. padding "valid" is 0; "same" makes L' = L and needs
    stride 1 (an odd zero goes behind). Output o sees the C / groups inputs of its group. RuntimeError says what does
    not fit.
    """
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1, padding: "Sizes | str" = 0,
    dilation: Sizes = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """conv1d over height and width: input (N, C, H, W) or (C, H, W), weight (O, C / groups, kh, kw) -> (N, O, H', W').

    stride, padding and dilation are one number or (for height, for width).
    """
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1, padding: Sizes = 0,
    output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1,
) -> Tensor:  # fmt: skip
    """The gradient of conv1d by its input, as a layer: each entry puts a copy of the kernel into y, `stride` apart.

    input (N, C, L) or (C, L), weight (C, O / groups, k), bias (O,) -> (N, O, L'), with
    L' = (L - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1. A conv1d of the same parameters takes L'
    back to L; as it does so for several L', output_padding (below stride or dilation) says which is meant.
    """
    return _conv_transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1, padding: Sizes = 0,
    output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1,
) -> Tensor:  # fmt: skip
    """conv_transpose1d over height and width: input (N, C, H, W) or (C, H, W), weight (C, O / groups, kh, kw)."""
    return _conv_transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


# ---------------------------------------------------------------- one and two dimensions, with and without a batch


def _are_integers(*tensors: Tensor | None) -> bool:
    return all(x is None or x.array.dtype.kind in "iu" for x in tensors)


def _conv(
    dims: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    if _are_integers(input, weight, bias):
        x, w, b = input.double(), weight.double(), None if bias is None else bias.double()  # exact up to 2^53
        return _conv(dims, x, w, b, stride, padding, dilation, groups).to(input.dtype)
    stride, dilation = _steps(f"conv{dims}d", dims, input, weight, stride, dilation, groups)
    kernel = tuple(weight.array.shape[2:])
    pairs = _padding(padding, dims, kernel, stride, dilation)
    channels = weight.array.shape[1] * groups
    _check_weight(dims, input, weight, bias, groups, channels, weight.array.shape[0], f"groups={groups}")
    size = [n + lo + hi for n, (lo, hi) in zip(input.array.shape[-dims:], pairs, strict=True)]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(r > n for r, n in zip(reach, size, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({_by(size)}). Kernel size: ({_by(reach)}). Kernel size can't "
            "be "
            "greater than actual input size"
        )
    place = {"padding": _two(pairs, (0, 0)), "stride": _two(stride, 1), "dilation": _two(dilation, 1)}
    y = ops.conv2d(_four(input, dims), _four(weight, dims), bias, **place, groups=groups)
    return named(_restored(y, input, dims), "ConvolutionBackward0")


def _conv_transpose(
    dims: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, output_padding: Any,
    groups: int, dilation: Any,
) -> Tensor:  # fmt: skip
    if _are_integers(input, weight, bias):
        x, w, b = input.double(), weight.double(), None if bias is None else bias.double()  # exact up to 2^53
        return _conv_transpose(dims, x, w, b, stride, padding, output_padding, groups, dilation).to(input.dtype)
    stride, dilation = _steps(f"conv_transpose{dims}d", dims, input, weight, stride, dilation, groups)
    kernel = tuple(weight.array.shape[2:])
    pairs, extra = _padding(padding, dims, kernel, stride, dilation), sizes("output_padding", output_padding, dims)
    channels = weight.array.shape[0]
    _check_weight(dims, input, weight, bias, groups, channels, weight.array.shape[1] * groups, "transposed=1")
    if min(extra) < 0:
        raise RuntimeError(f"negative output_padding is not supported, got {extra}")
    if any(e >= s and e >= d for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise RuntimeError(
            f"output padding must be smaller than either stride or dilation, but got output_padding {extra}, stride "
            f"{stride} and dilation {dilation}"
        )
    size = tuple(
        (n - 1) * s - lo - hi + d * (k - 1) + e + 1
        for n, s, (lo, hi), d, k, e in zip(
            input.array.shape[-dims:], stride, pairs, dilation, kernel, extra, strict=True
        )
    )
    if min(size) < 1:
        raise RuntimeError(
            f"Given input size per channel: ({_by(input.array.shape[-dims:])}). Calculated output size per channel: "
            f"({_by(size)}). Output size is too small"
        )
    place = {"padding": _two(pairs, (0, 0)), "stride": _two(stride, 1), "dilation": _two(dilation, 1)}
    y = ops.conv_transpose2d(_four(input, dims), _four(weight, dims), bias, size=_two(size, 1), **place, groups=groups)
    return named(_restored(y, input, dims), "ConvolutionBackward0")


def _two(values: tuple, missing: Any) -> tuple:
    """Parameters for height and width: a line is an image of height 1."""
    return values if len(values) == 2 else (missing, values[0])


def _four(x: Tensor, dims: int) -> Tensor:
    """(N, C, H, W), with the axes that are missing at size 1."""
    shape = x.array.shape
    if len(shape) == dims + 1:
        shape = (1, *shape)
    if dims == 1:
        shape = (*shape[:2], 1, shape[2])
    return x if shape == x.array.shape else ops.reshape(x, shape=shape)


def _restored(y: Tensor, like: Tensor, dims: int) -> Tensor:
    shape = y.array.shape
    wanted = shape[4 - like.array.ndim :] if dims == 2 else (*shape[3 - like.array.ndim : 2], shape[3])
    return y if wanted == shape else ops.reshape(y, shape=wanted)


# ---------------------------------------------------------------- checks


def _by(numbers: Sequence[int]) -> str:
    return " x ".join(str(n) for n in numbers)


def _steps(
    name: str, dims: int, input: Tensor, weight: Tensor, stride: Any, dilation: Any, groups: int
) -> tuple[tuple, tuple]:
    """The stride and dilation for each dim; RuntimeError where these, groups or the numbers of dims do not fit."""
    if weight.array.ndim != dims + 2:
        shape = "(out, in / groups, " + ", ".join(("kernel",) if dims == 1 else ("height", "width")) + ")"
        raise RuntimeError(f"{name} expects a weight of {dims + 2} dims {shape}, got {list(weight.shape)}")
    if input.array.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {name}, but got input of size: "
            f"{list(input.shape)}"
        )
    stride, dilation = sizes("stride", stride, dims), sizes("dilation", dilation, dims)
    if min(stride) < 1:
        raise RuntimeError(f"non-positive stride is not supported, got {stride}")
    if min(dilation) < 1:
        raise RuntimeError(f"dilation should be greater than zero, but got {list(dilation)}")
    if groups < 1:
        raise RuntimeError(f"non-positive groups is not supported, got {groups}")
    return stride, dilation


def _padding(padding: Any, dims: int, kernel: tuple, stride: tuple, dilation: tuple) -> tuple[tuple[int, int], ...]:
    """The zeros (before, after) each dim."""
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * dims
        if padding != "same":
            raise RuntimeError(f"Invalid padding string: '{padding}'; use 'valid', 'same' or numbers")
        if max(stride) > 1:
            raise RuntimeError("padding='same' is not supported for strided convolutions")
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((n // 2, n - n // 2) for n in total)
    padding = sizes("padding", padding, dims)
    if min(padding) < 0:
        raise RuntimeError(f"negative padding is not supported, got {padding}")
    return tuple((n, n) for n in padding)


def _check_weight(
    dims: int, input: Tensor, weight: Tensor, bias: Tensor | None, groups: int, channels: int, outputs: int, given: str
) -> None:
    shape = list(weight.shape)
    if shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of "
            "size "
            f"[{shape}] instead"
        )
    if input.array.shape[-dims - 1] != channels:
        raise RuntimeError(
            f"Given {given}, weight of size {shape}, expected input{list(input.shape)} to have {channels} channels, "
            "but "
            f"got {input.array.shape[-dims - 1]} channels instead"
        )
    same_device("convolution", *(t for t in (input, weight, bias) if t is not None))
    for name, parameter in (("bias", bias), ("weight", weight)):
        if (
            parameter is not None
            and parameter.array.dtype != input.array.dtype
            and not made_alike(input.array, parameter.array)
        ):
            raise RuntimeError(
                f"Input type ({input.dtype}) and {name} type ({parameter.dtype}) should be the same: convert one with "
                ".to()"
            )
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f"convolution is not implemented for {input.dtype}: convert with .float()")
    if bias is not None and tuple(bias.array.shape) != (outputs,):
        raise RuntimeError(
            f"Given {'transposed=1, ' if given == 'transposed=1' else ''}weight of size {shape}, expected bias to be "
            f"1-dimensional with {outputs} elements, but got bias of size {list(bias.shape)} instead"
        )
