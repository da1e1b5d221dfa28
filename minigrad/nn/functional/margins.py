"""Losses that ask for a margin between the scores of right and wrong labels.

`reduction`, `size_average` and `reduce` are those of the other losses.
"""

from collections.abc import Callable

from minigrad import late_checks, ops
from minigrad.dtype import int64
from minigrad.mixed_precision import full_precision
from minigrad.nn.functional.activation import logsigmoid
from minigrad.nn.functional.distance import pairwise_distance
from minigrad.nn.functional.reduction import reduced, reduction_of
from minigrad.ops.nn import needs_floating
from minigrad.tensor import Tensor


@full_precision
def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """sum over the wrong classes i of w_t max(0, margin - x_t + x_i)^p / C, for the label t: the multi-class hinge.

    input (N, C) with target (N,), or (C,) with one label. `weight` has one number a class; p is 1 or 2.
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    needs_floating("multi_margin_loss", input.array)
    rows, labels = _rows("multi_margin_loss", input, target)
    classes = rows.array.shape[1]
    if weight is not None and tuple(weight.array.shape) != (classes,):
        raise RuntimeError(f"inconsistent weight size, expected {classes} but got {list(weight.shape)}")
    late_checks.refuse((labels < 0) | (labels >= classes), RuntimeError("target out of range"))
    short = (margin - rows.gather(1, labels.unsqueeze(1)) + rows).clamp(min=0)
    short = short if p == 1 else short * short
    wrong = labels.unsqueeze(1) != labels.new_tensor(list(range(classes)))
    loss = ops.where(wrong.array, short, 0.0).sum(1) / classes
    if weight is not None:
        loss = loss * weight.detach()[labels]
    return reduced(loss if input.array.ndim == 2 else loss.squeeze(0), reduction, "MultiMarginLossBackward0")


@full_precision
def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """sum of max(0, 1 - (x_t - x_i)) / C over a row's labels t and its classes i that are no labels.

    input (N, C) or (C,); target of the same shape lists the labels of each row, up to the first -1.
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if target.array.shape != input.array.shape or input.array.ndim not in (1, 2):
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    needs_floating("multilabel_margin_loss", input.array)
    if target.dtype is not int64:
        raise RuntimeError(f"multilabel_margin_loss: expected target of dtype int64 but found {target.dtype}")
    shape = input.array.shape if input.array.ndim == 2 else (1, *input.array.shape)
    rows, labels = input.reshape(shape), target.reshape(shape)
    classes = shape[1]
    out_of_range = RuntimeError("argument #2 'target' is out of range")
    late_checks.refuse((labels < -1) | (labels >= classes), out_of_range)
    listed = ((labels == -1).long().cumsum(1) == 0).array if labels.numel() else labels.array == 0
    places = ops.where(listed, labels, 0)
    is_label = rows.detach().new_zeros(shape).scatter_add(1, places, ops.where(listed, rows.detach() * 0 + 1, 0.0)) > 0
    of_labels = rows.gather(1, places)
    short = (1 - of_labels.unsqueeze(2) + rows.unsqueeze(1)).clamp(min=0)  # (N, labels, classes)
    counts = ops.where((~is_label).unsqueeze(1).array, short, 0.0).sum(2)
    loss = ops.where(listed, counts, 0.0).sum(1) / classes
    return reduced(loss if input.array.ndim == 2 else loss.squeeze(0), reduction, "MultilabelMarginLossBackward0")


@full_precision
def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """log(1 + exp(-t x)) for targets t of 1 and -1."""
    reduction = reduction_of(reduction, size_average, reduce)
    return reduced(ops.log1p(ops.exp(-target * input)), reduction, "SoftMarginLossBackward0")


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-(t log sigmoid(x) + (1 - t) log sigmoid(-x)), weighted by class, averaged over the last dim, the classes."""
    reduction = reduction_of(reduction, size_average, reduce, stacklevel=3)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    loss = loss if weight is None else loss * weight
    return reduced(loss.sum(-1) / loss.array.shape[-1], reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0, swap: bool = False,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, d(a, p) - d(a, n) + margin) with d any function of two tensors, by default `pairwise_distance`.

    `swap` takes min(d(a, n), d(p, n)) for d(a, n).
    """
    reduction = reduction_of(reduction, None, None)
    distance = pairwise_distance if distance_function is None else distance_function
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.array.ndim == positive.array.ndim == negative.array.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.array.ndim}D, positive {positive.array.ndim}D, and negative {negative.array.ndim}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = ops.minimum(far, distance(positive, negative))
    return reduced((margin + near - far).clamp(min=0), reduction)


def _rows(name: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """input as (N, C) and its labels as (N,)."""
    if input.array.ndim not in (1, 2) or not input.array.shape[-1]:
        raise RuntimeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}"
        )
    rows = input if input.array.ndim == 2 else input.unsqueeze(0)
    if target.numel() != rows.array.shape[0] or target.array.ndim > 1:
        raise RuntimeError(
            f"{name}: target tensor should be 1-D with size equal to the number of input samples (batch size). "
            f"Expected target size [{rows.array.shape[0]}], but got {list(target.shape)}. Input has shape "
            f"{list(input.shape)}."
        )
    if target.dtype is not int64:
        raise RuntimeError(f"{name}: expected target of dtype int64 but found {target.dtype}")
    return rows, target.reshape(rows.array.shape[0])
