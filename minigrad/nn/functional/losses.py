"""Losses on numbers, distributions and distances.

All take `reduction`: "none" gives the losses one by one, "mean" (the default) and "sum" bring them together;
`size_average` and `reduce` are its older forms.
"""

import warnings
from collections.abc import Callable

from minigrad import late_checks, ops
from minigrad.mixed_precision import full_precision
from minigrad.nn.functional.distance import pairwise_distance
from minigrad.nn.functional.reduction import reduced, reduction_of, warn_of_broadcast
from minigrad.ops.nn import needs_floating
from minigrad.tensor import Tensor

# ---------------------------------------------------------------- distance of each number from its target


@full_precision
def mse_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """(x - t)^2. With `weight`, w (x - t)^2, and "mean" divides by the sum of the weights."""
    return _pointwise("mse_loss", ops.square, input, target, (size_average, reduce, reduction), weight)


@full_precision
def l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """|x - t|; the derivative at 0 is 0. With `weight`, w |x - t|, and "mean" divides by the sum of the weights."""
    return _pointwise("l1_loss", ops.abs, input, target, (size_average, reduce, reduction), weight)


@full_precision
def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", beta: float = 1.0,
) -> Tensor:  # fmt: skip
    """(x - t)^2 / (2 beta) where |x - t| < beta, else |x - t| - beta / 2. Source: arXiv:1504.08083."""
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, got {beta}.")
    if beta == 0:
        return _pointwise("smooth_l1_loss", ops.abs, input, target, (size_average, reduce, reduction))

    def smooth(difference: Tensor) -> Tensor:
        return ops.huber(difference, delta=beta) / beta

    return _pointwise("smooth_l1_loss", smooth, input, target, (size_average, reduce, reduction))


@full_precision
def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """(x - t)^2 / 2 where |x - t| <= delta, else delta (|x - t| - delta / 2). Source: Ann. Math. Statist. 35 (1964) 73.

    With `weight`, w times that; unlike in `mse_loss`, "mean" divides by the number of entries all the same.
    """
    if delta <= 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta, got {delta}.")

    def huber(difference: Tensor) -> Tensor:
        return ops.huber(difference, delta=delta)

    if weight is None or reduction != "mean":
        return _pointwise("huber_loss", huber, input, target, (None, None, reduction), weight)
    return _pointwise("huber_loss", huber, input, target, (None, None, "none"), weight).mean()


_PRINTED = {
    "mse_loss": "MseLossBackward0",
    "smooth_l1_loss": "SmoothL1LossBackward0",
    "huber_loss": "HuberLossBackward0",
}


def _pointwise(
    name: str, function: Callable, input: Tensor, target: Tensor, how: tuple, weight: Tensor | None = None
) -> Tensor:
    """function(input - target), weighted and reduced; `how` is (size_average, reduce, reduction)."""
    reduction = reduction_of(how[2], how[0], how[1], stacklevel=5)
    warn_of_broadcast(input, target, stacklevel=5)
    difference = ops.sub(input, target)
    needs_floating(name, difference.array)
    loss = function(difference)
    if weight is None:
        return reduced(loss, reduction, _PRINTED.get(name))
    if weight.array.shape != input.array.shape:
        raise ValueError(
            f"Weights and input must have the same size, got {tuple(weight.shape)} and {tuple(input.shape)}."
        )
    loss = loss * weight
    return loss.sum() / weight.sum() if reduction == "mean" else reduced(loss, reduction)


# ---------------------------------------------------------------- distributions


@full_precision
def kl_div(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", log_target: bool = False,
) -> Tensor:  # fmt: skip
    """p (log p - log q), the Kullback-Leibler divergence: `input` is log q, `target` is p, with `log_target` log p.

    "batchmean" divides the sum by the first dim, which is the divergence's definition; "mean" by the number of entries.
    """
    reduction = reduction_of(reduction, size_average, reduce, "batchmean")
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. 'batchmean' "
            "divides only by the batch size, and aligns with the KL div math definition.",
            stacklevel=3,
        )
    loss = ops.kl(input, target, log_target=log_target)
    if reduction == "batchmean":
        return loss.sum() / input.array.shape[0] if input.array.ndim else loss
    return reduced(loss, reduction)


@full_precision
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, size_average: bool | None = None,
    eps: float = 1e-8, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """exp(x) - t x for log-rates x; x - t log(x + eps) for rates, with log_input=False.

    `full` adds Stirling's approximation of log(t!), t log t - t + log(2 pi t) / 2, where t > 1.
    """
    reduction = reduction_of(reduction, size_average, reduce)
    return reduced(ops.poisson_nll(input, target, log_input=log_input, full=full, eps=eps), reduction)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """(log v + (x - t)^2 / v) / 2 with v = max(var, eps), a cut the gradient does not see; `full` adds log(2 pi) / 2.

    `var` has the input's shape, or that with the last dim 1 or absent, or is a number. ValueError where it is negative.
    """
    reduction = reduction_of(reduction, None, None)
    if not isinstance(var, Tensor):
        var = input.new_full(input.shape, var)
    shape = tuple(input.array.shape)
    if tuple(var.array.shape) == shape[:-1] and shape:
        var = var.unsqueeze(-1)
    elif tuple(var.array.shape) not in (shape, (*shape[:-1], 1)):
        raise ValueError(f"var is of incorrect size: {tuple(var.shape)} for an input {shape}")
    late_checks.refuse(var.detach() < 0, ValueError("var has negative entry/entries"))
    fixed = var.detach()
    variance = var + (fixed.clamp(min=eps) - fixed)
    return reduced(ops.gaussian_nll(input, target, variance, full=full), reduction)


# ---------------------------------------------------------------- margins


@full_precision
def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """For a distance x: x where the target is 1 (alike), max(0, margin - x) where it is -1."""
    reduction = reduction_of(reduction, size_average, reduce)
    alike = ops.where(target.array != -1, input, 0.0)
    apart = ops.where(target.array != 1, (margin - input).clamp(min=0), 0.0)
    return reduced(alike + apart, reduction)


@full_precision
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, -t (x1 - x2) + margin): a target of 1 wants x1 ranked above x2, -1 below."""
    reduction = reduction_of(reduction, size_average, reduce)
    if not input1.array.ndim == input2.array.ndim == target.array.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: "
            f"{tuple(input1.shape)}, input2: {tuple(input2.shape)}, target: {tuple(target.shape)} "
        )
    return reduced((margin - target * (input1 - input2)).clamp(min=0), reduction)


@full_precision
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """1 - cos(x1, x2) where the target is 1, max(0, cos(x1, x2) - margin) where it is -1.

    input1 (N, D), input2 (N, D), target (N,); or all three without N.
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if input1.array.ndim != target.array.ndim + 1 or input1.array.ndim not in (1, 2):
        raise RuntimeError(
            f"cosine_embedding_loss expects (N, D), (N, D), (N,) or (D,), (D,), (): got {tuple(input1.shape)}, "
            f"{tuple(input2.shape)}, {tuple(target.shape)}"
        )
    tiny = 1e-12
    lengths = ((input1 * input1).sum(-1) + tiny) * ((input2 * input2).sum(-1) + tiny)
    cosine = (input1 * input2).sum(-1) / ops.sqrt(lengths)
    alike = ops.where(target.array == 1, 1 - cosine, 0.0)
    apart = ops.where(target.array == -1, (cosine - margin).clamp(min=0), 0.0)
    return reduced(alike + apart, reduction)


@full_precision
def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, d(a, p) - d(a, n) + margin) with d = `pairwise_distance`.

    `swap` takes min(d(a, n), d(p, n)) for d(a, n). Source: V. Balntas et al., BMVC 2016.
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if not anchor.array.ndim == positive.array.ndim == negative.array.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.array.ndim}D, positive {positive.array.ndim}D, and negative {negative.array.ndim}D inputs"
        )
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    near, far = pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = ops.minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduced((margin + near - far).clamp(min=0), reduction)
