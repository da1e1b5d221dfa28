"""The layers' computations: linear, with or without an activation, bilinear, embedding, dropout, norms."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

from minigrad import autograd, inplace as writing, ops, random
from minigrad.arguments import must_be_tensor
from minigrad.backend import kernels_of, to_device
from minigrad.dtype import finfo, is_floating
from minigrad.mixed_precision import as_given, in_full, mode
from minigrad.tensor import Tensor

# ---------------------------------------------------------------- products with a weight


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y = x W^T + b.

    input (..., in), weight (out, in), bias (out,) -> (..., out); a weight (in,) without the dim `out` gives (...).
    RuntimeError where the shapes do not fit or the dtypes differ.
    """
    if weight.array.ndim == 2:
        return ops.linear(input, weight, bias)
    if weight.array.ndim != 1:
        raise RuntimeError(f"linear expects a weight of shape (out, in) or (in,), got {tuple(weight.shape)}")
    y = ops.matmul_any(input, weight)
    return y if bias is None else y + bias


def linear_activation(input: Tensor, weight: Tensor, bias: Tensor | None = None, activation: str = "gelu") -> Tensor:
    """act(x W^T + b) as one op, for act "relu", "gelu" (exact) or "silu": (..., in), (out, in), (out,) -> (..., out).

    The activation is applied to a block of the product while that is in the cache, and in the backward pass the bias's
    gradient is added up as the activation's is made. Values and gradients are those of the two ops. minigrad's own.
    """
    if activation not in ("relu", "gelu", "silu"):
        raise ValueError(f"activation must be 'relu', 'gelu' or 'silu', got {activation!r}")
    return ops.linear_activation(input, weight, bias, activation=activation)


@as_given()
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_o = x1^T W_o x2 + b_o: input1 (..., n), input2 (..., m), weight (out, n, m), bias (out,) -> (..., out)."""
    if weight.array.ndim != 3 or (input1.shape[-1], input2.shape[-1]) != tuple(weight.shape[1:]):
        raise RuntimeError(
            f"bilinear expects (..., n), (..., m) and a weight (out, n, m), got {tuple(input1.shape)}, "
            f"{tuple(input2.shape)} and {tuple(weight.shape)}"
        )
    y = ops.einsum("...n,onm,...m->...o", input1, weight, input2)
    return y if bias is None else y + bias


# ---------------------------------------------------------------- integers to rows


def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """weight[input]: integers of any shape and a table (rows, width) -> (*input.shape, width).

    Row `padding_idx` gets no gradient. With `max_norm` the rows that are looked up, and whose `norm_type`-norm is
    larger, are first scaled down to it, in the table itself. IndexError names an id outside the table.
    `scale_grad_by_freq` and `sparse` are not supported: they raise NotImplementedError.
    """
    for name, given in (("scale_grad_by_freq", scale_grad_by_freq), ("sparse", sparse)):
        if given:
            raise NotImplementedError(f"embedding does not support {name}; leave it at its default")
    if input.array.dtype.kind not in "iu":
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"{input.dtype} instead (while checking arguments for embedding)"
        )
    if weight.array.ndim != 2:
        raise RuntimeError(f"'weight' must be 2-D: embedding expects a table (rows, width), got {tuple(weight.shape)}")
    if padding_idx is not None:
        rows = weight.array.shape[0]
        if not -rows <= padding_idx < rows:
            raise AssertionError(f"Padding_idx must be within num_embeddings: got {padding_idx} for {rows} rows")
        padding_idx %= rows
    same_device("embedding", input, weight)
    if max_norm is not None:
        _limit_rows(weight, input, max_norm, norm_type)
    return ops.embedding(weight, ids=input.array, padding_idx=padding_idx)


def _limit_rows(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows of `weight` that `input` names down to a norm of at most max_norm, in place."""
    ids = input.detach().unique()
    rows = weight.detach()[ids]
    norms = rows.norm(norm_type, dim=1, keepdim=True)
    with autograd.no_grad():
        weight[ids] = ops.where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64 (...) -> (..., num_classes): 1 at the place the integer names; -1 takes the largest integer + 1 classes."""
    if tensor.array.dtype != "int64":
        raise RuntimeError(f"one_hot is only applicable to index tensor of type LongTensor, got {tensor.dtype}.")
    if not tensor.array.size:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return ops.one_hot(tensor, classes=num_classes)
    low, high = kernels_of(tensor.array).bounds(tensor.array)
    if low < 0:
        raise RuntimeError(f"Class values must be non-negative, got {low}.")
    if num_classes != -1 and high >= num_classes:
        raise RuntimeError(f"Class values must be smaller than num_classes: got {high} of {num_classes} classes.")
    return ops.one_hot(tensor, classes=high + 1 if num_classes == -1 else num_classes)


# ---------------------------------------------------------------- dropout


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each entry 0 with probability p, else x / (1 - p); the input itself when not training.

    The mask comes from the default generator: the same seed gives the same mask. Source: JMLR 15 (2014) 1929.
    """
    _check_probability(p)
    must_be_tensor("dropout", "input", input)
    if not training or p == 0 or not input.array.size:
        return input
    drawn = random.generator_of(input.device).dropout_mask(input.array.size, p, input.array.dtype)
    return _drop(input, random.laid_out_like(input.array, drawn), inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels dropped: input (N, C, L) or (C, L), one draw for each channel."""
    if input.array.ndim not in (2, 3):
        raise RuntimeError(f"dropout1d: Expected 2D or 3D input, but received a {input.array.ndim}D input.")
    return _drop_channels(input, p, training, inplace, channels_at=input.array.ndim - 2)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels dropped: input (N, C, H, W), one draw for each sample and channel. Source: arXiv:1411.4280."""
    if input.array.ndim not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.array.ndim}-D input to dropout2d, which is deprecated: it drops along dims "
            "0 and 1. Use dropout to drop single entries.",
            stacklevel=2,
        )
    return _drop_channels(input, p, training, inplace, channels_at=1)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels dropped: input (N, C, D, H, W) or (C, D, H, W), one draw for each channel."""
    if input.array.ndim not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.array.ndim}-D input to dropout3d, which is deprecated: it drops the "
            "channels of (N, C, D, H, W) and (C, D, H, W).",
            stacklevel=2,
        )
    return _drop_channels(input, p, training, inplace, channels_at=0 if input.array.ndim == 4 else 1)


def _drop_channels(input: Tensor, p: float, training: bool, inplace: bool, channels_at: int) -> Tensor:
    _check_probability(p)
    if not training or p == 0 or not input.array.size:
        return input
    if input.array.ndim <= channels_at:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    kept = input.array.shape[: channels_at + 1]
    shape = kept + (1,) * (input.array.ndim - len(kept))
    return _drop(input, random.generator_of(input.device).dropout_mask(shape, p, input.array.dtype), inplace)


def _check_probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _drop(input: Tensor, mask: Any, inplace: bool) -> Tensor:
    mask = to_device(mask, str(input.device))
    return writing.update(input, ops.dropout, mask=mask) if inplace else ops.dropout(input, mask=mask)


# ---------------------------------------------------------------- norms


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """(x - mean) / sqrt(variance + eps) weight + bias over the last dims, which have the shape `normalized_shape`.

    The variance divides by n. weight and bias have that shape too, or are None. Source: arXiv:1607.06450; the gradient
    is derived in `minigrad/ops/nn.py`.
    """
    shape = _normalized("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    input = in_full("layer_norm", input) if mode.blocks else input
    if len(shape) == 1 and not any(t is not None and t.array.dtype.itemsize == 2 for t in (input, weight, bias)):
        return ops.layer_norm(input, weight, bias, eps=eps)
    x, weight, bias = (_with_one_axis(t, len(shape)) for t in (input, weight, bias))
    return _restored(ops.layer_norm(x, weight, bias, eps=eps), input)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / sqrt(mean(x^2) + eps) weight over the last dims, which have the shape `normalized_shape`.

    eps None takes the epsilon of the input's dtype. Source: arXiv:1910.07467.
    """
    shape = _normalized("rms_norm", input, normalized_shape, weight=weight)
    input = in_full("rms_norm", input) if mode.blocks else input
    x, weight = (_with_one_axis(t, len(shape)) for t in (input, weight))
    return _restored(ops.rms_norm(x, weight, eps=finfo(input.dtype).eps if eps is None else eps), input)


def add_layer_norm(
    input: Tensor, residual: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    bias: Tensor | None = None, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """layer_norm(input + residual) in one pass over memory, as post-norm Transformers have it; minigrad's own name.

    Of more than one normalized dim, or of tensors that have to broadcast, it is the two ops one after the other.
    """
    if len(tuple(normalized_shape)) != 1 or input.array.shape != residual.array.shape or input.dtype != residual.dtype:
        return layer_norm(input + residual, normalized_shape, weight, bias, eps)
    _normalized("add_layer_norm", input, normalized_shape, weight=weight, bias=bias)
    return ops.add_layer_norm(input, residual, weight, bias, eps=eps)


def add_rms_norm(
    input: Tensor, residual: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:  # fmt: skip
    """rms_norm(input + residual) in one pass over memory; minigrad's own name. Otherwise as add_layer_norm."""
    if len(tuple(normalized_shape)) != 1 or input.array.shape != residual.array.shape or input.dtype != residual.dtype:
        return rms_norm(input + residual, normalized_shape, weight, eps)
    _normalized("add_rms_norm", input, normalized_shape, weight=weight)
    return ops.add_rms_norm(input, residual, weight, eps=finfo(input.dtype).eps if eps is None else eps)


def _normalized(
    name: str, input: Tensor, normalized_shape: Sequence[int], **parameters: Tensor | None
) -> tuple[int, ...]:
    """The normalized shape as a tuple; RuntimeError where it does not fit the input or a parameter."""
    if isinstance(normalized_shape, int):
        raise TypeError(f"{name}: normalized_shape must be a tuple of ints, such as ({normalized_shape},)")
    shape = tuple(normalized_shape)
    if not is_floating(input.array.dtype):
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype}: convert the tensor with .float()')
    if not shape or tuple(input.array.shape[-len(shape) :]) != shape:
        given = "".join(f", {n}" for n in shape)
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*{given}], but got input of "
            f"size{list(input.shape)}"
        )
    for label, parameter in parameters.items():
        if parameter is not None and tuple(parameter.array.shape) != shape:
            raise RuntimeError(
                f"Expected {label} to be of same shape as normalized_shape, but got {label} of shape "
                f"{list(parameter.shape)} and normalized_shape = {list(shape)}"
            )
    return shape


def _with_one_axis(x: Tensor | None, axes: int) -> Tensor | None:
    """The last `axes` merged into one; two-byte floats as float32, in which norms are computed."""
    if x is None:
        return None
    if x.array.dtype.itemsize == 2:
        x = x.float()
    if axes == 1:
        return x
    lead = x.array.ndim - axes
    return ops.reshape(x, shape=(*x.array.shape[:lead], math.prod(x.array.shape[lead:])))


def _restored(y: Tensor, like: Tensor) -> Tensor:
    y = y if y.array.shape == like.array.shape else ops.reshape(y, shape=like.array.shape)
    return y if y.array.dtype == like.array.dtype else ops.cast(y, like.array.dtype)


def same_device(name: str, *tensors: Tensor) -> None:
    """RuntimeError that names the devices where the tensors are not on one."""
    places = dict.fromkeys(str(t.device) for t in tensors)
    if len(places) > 1:
        raise RuntimeError(f"{name}: expected all tensors to be on the same device, but found {' and '.join(places)}")
