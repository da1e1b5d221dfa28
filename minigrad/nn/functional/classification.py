"""Losses with labels: cross-entropy over classes, negative log-likelihood, binary cross-entropy."""

from typing import Any

from minigrad import late_checks, ops
from minigrad.arguments import must_share_dtype
from minigrad.backend import bare, holds_anywhere, kernels_of
from minigrad.explain import noted
from minigrad.grad_names import named
from minigrad.mixed_precision import full_precision
from minigrad.nn.functional.layers import same_device
from minigrad.nn.functional.reduction import reduced, reduction_of
from minigrad.tensor import Tensor, from_raw


@full_precision
def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """-sum_c w_c q_c log softmax(x)_c, from logits x.

    input (C,), (N, C) or (N, C, d1, ...); target either labels, int64 without the dim C, where q is one at the label,
    or probabilities q of the input's shape. `label_smoothing` e makes q into (1 - e) q + e / C (arXiv:1512.00567).
    Labels equal to `ignore_index` count nothing. "mean" divides by the sum of the labels' class weights w (their
    number, without weights), for probabilities by the number of rows; over nothing it is nan. IndexError names a label
    outside the classes.
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    _check_class_weight(input, weight)
    if target.array.shape == input.array.shape and input.array.ndim:
        return _soft_cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)
    rows, labels, all_count = _rows_and_labels(input, target, ignore_index)
    if weight is None:
        loss = ops.cross_entropy(rows, target=labels, ignore_index=ignore_index, label_smoothing=label_smoothing)
        share = None if all_count else _counted(labels, ignore_index)
        return _reduced_over(share, loss, reduction, target, smoothed=bool(label_smoothing))
    log_p = ops.log_softmax(rows, dim=1)
    loss, share = _weighted_nll(log_p, weight, labels, ignore_index)
    if label_smoothing:
        everywhere = ops.where(ops.eq(labels, ignore_index), 0.0, -(log_p * weight.detach()).sum(1))
        loss = loss * (1 - label_smoothing) + everywhere * (label_smoothing / rows.array.shape[1])
    return _reduced_over(share, loss, reduction, target, smoothed=bool(label_smoothing))


@full_precision
def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-w_t x_t for the label t, from log-probabilities x.

    Shapes, `weight`, `ignore_index`, reductions and errors are those of `cross_entropy` with labels.
    """
    reduction = reduction_of(reduction, size_average, reduce)
    _check_class_weight(input, weight)
    rows, labels, all_count = _rows_and_labels(input, target, ignore_index)
    if weight is None:
        loss = ops.nll(rows, target=labels, ignore_index=ignore_index)
        share = None if all_count else _counted(labels, ignore_index)
    else:
        loss, share = _weighted_nll(rows, weight, labels, ignore_index)
    return _reduced_over(share, loss, reduction, target)


def _soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, label_smoothing: float
) -> Tensor:
    """Cross-entropy against probabilities of the input's shape."""
    if not target.dtype.is_floating_point:
        raise RuntimeError(f"Expected floating point type for target with class probabilities, got {target.dtype}")
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    dim = 0 if input.array.ndim == 1 else 1
    classes = input.array.shape[dim]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    weighted = ops.log_softmax(input, dim=dim) * target
    if weight is not None:
        weighted = weighted * weight.detach().reshape([classes if i == dim else 1 for i in range(input.array.ndim)])
    return reduced(-weighted.sum(dim), reduction, "DivBackward1" if reduction == "mean" else None)


def _check_class_weight(input: Tensor, weight: Tensor | None) -> None:
    classes = input.array.shape[min(1, input.array.ndim - 1)] if input.array.ndim else 0
    if weight is not None and tuple(weight.array.shape) != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}"
        )


def _rows_and_labels(input: Tensor, target: Tensor, ignore_index: int) -> tuple[Tensor, Any, bool]:
    """input as (rows, C), the labels as a raw (rows,), checked, and whether none of them can be `ignore_index`."""
    shape, labels = input.array.shape, target.array
    same_device("a loss with labels", input, target)
    if labels.dtype not in ("int64", "uint8"):
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but got {target.dtype}: labels are int64, .long()"
        )
    if not shape:
        raise RuntimeError(
            f"cross_entropy and nll_loss expect an input (C,), (N, C) or (N, C, d1, ...), got {tuple(shape)}"
        )
    if len(shape) == 1:
        expected, rows = (), input.reshape(1, -1)
    else:
        expected = (shape[0], *shape[2:])
        rows = input if len(shape) == 2 else input.movedim(1, -1).reshape(-1, shape[1])
    if labels.shape != expected:
        if len(shape) > 1 and labels.ndim and len(labels) != shape[0]:
            raise ValueError(
                f"Expected input batch_size ({shape[0]}) to match target batch_size ({len(labels)}): input "
                f"{list(shape)}, target {list(labels.shape)}"
            )
        raise RuntimeError(
            f"Expected target size {list(expected)} for an input {list(shape)}, got {list(labels.shape)}"
        )
    labels = labels.reshape(-1).astype("int64", copy=False)
    return rows, labels, check_labels(labels, rows.array.shape[1], ignore_index)


def check_labels(labels: Any, classes: int, ignore_index: int) -> bool:
    """IndexError for the first label outside 0 .. classes - 1 that is not `ignore_index`; True if none is that."""
    if not labels.size:
        return True
    kernels, later = kernels_of(labels), late_checks.is_postponed(labels)
    low, high = (-1, classes) if later else kernels.bounds(labels)
    if low >= 0 and high < classes:
        return not low <= ignore_index <= high
    outside = kernels.logical_and(kernels.logical_or(labels < 0, labels >= classes), labels != ignore_index)
    if later:
        late_checks.note(outside, IndexError, f"a target is out of bounds: labels go from 0 to {classes - 1}")
    elif holds_anywhere(outside):
        bad = int(bare(labels).reshape(-1)[int(bare(outside).reshape(-1).argmax())])
        raise noted(
            IndexError(f"Target {bad} is out of bounds."),
            f"labels of {classes} classes go from 0 to {classes - 1}; {ignore_index} is ignored",
        )
    return False


def _weighted_nll(log_p: Tensor, weight: Tensor, labels: Any, ignore_index: int) -> tuple[Tensor, Tensor]:
    """The losses times their labels' class weights, and those weights (0 where ignored)."""
    ignored = ops.eq(labels, ignore_index)
    share = from_raw(ops.where(ignored, 0.0, ops.getitem(weight.array, index=(ops.where(ignored, 0, labels),))))
    return ops.nll(log_p, target=labels, ignore_index=ignore_index) * share, share


def _counted(labels: Any, ignore_index: int) -> Tensor:
    """1 for each label that counts, 0 for each that is ignored."""
    return from_raw(labels != ignore_index)


def _reduced_over(share: Tensor | None, loss: Tensor, reduction: str, target: Tensor, smoothed: bool = False) -> Tensor:
    """The losses in the target's shape, their sum, or their sum over the sum of the shares (None: 1 each)."""
    if reduction == "none":
        loss = loss if loss.array.shape == target.array.shape else loss.reshape(target.shape)
    elif reduction == "sum":
        loss = loss.sum()
    else:
        loss = loss.mean() if share is None else loss.sum() / share.sum()
    return named(loss, "AddBackward0" if smoothed else f"NllLoss{'' if target.array.ndim < 2 else '2D'}Backward0")


# ---------------------------------------------------------------- two classes


@full_precision
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-w (t log p + (1 - t) log(1 - p)) for probabilities p of the target's shape, each logarithm not below -100.

    Numbers that come from a sigmoid go better, unrounded, into `binary_cross_entropy_with_logits`. RuntimeError where p
    is outside [0, 1], ValueError where the shapes differ.
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if target.array.shape != input.array.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    must_share_dtype("binary_cross_entropy", input=input, target=target)
    inside = ops.logical_and(input.array >= 0, input.array <= 1)
    error = noted(
        RuntimeError("all elements of input should be between 0 and 1"),
        "binary_cross_entropy takes probabilities; for scores there is binary_cross_entropy_with_logits",
    )
    late_checks.refuse(ops.logical_not(inside), error)
    loss = ops.bce(input, target)
    return reduced(loss if weight is None else loss * weight, reduction, "BinaryCrossEntropyBackward0")


@full_precision
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """-w (v t log s + (1 - t) log(1 - s)) for logits x, with s = sigmoid(x) and v = pos_weight, without overflow.

    As log(1 - s) = log s - x, this is w ((1 - t) x - (1 + (v - 1) t) log s).
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if target.array.shape != input.array.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    log_s = ops.logsigmoid(input)
    if pos_weight is not None:
        log_s = (1 + (pos_weight - 1) * target) * log_s
    loss = (1 - target) * input - log_s
    return reduced(loss if weight is None else loss * weight, reduction, "BinaryCrossEntropyWithLogitsBackward0")
