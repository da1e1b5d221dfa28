"""Losses, one entry or one row at a time; `nn.functional` puts the reductions and PyTorch's call forms around them.

Labels are raw integer arrays, handed over as parameters: they carry no gradient.
"""

import math
from typing import Any

from minigrad.backend import kernels_of
from minigrad.op import fused, op
from minigrad.ops.comparison import (
    eq,
)
from minigrad.ops.elementwise import (
    abs,
    clamp,
    maximum,
    mul,
    sub,
    where,
)
from minigrad.ops.nn import log_softmax
from minigrad.ops.scatter import along_axis
from minigrad.ops.transcendental import (
    exp,
    log,
    log1p,
)

# ---------------------------------------------------------------- classes


def nll(log_p: Any, *, target: Any, ignore_index: int) -> Any:
    """-log_p[i][target[i]] for each row i of (N, C), and 0 where target[i] is `ignore_index`."""
    ignored = eq(target, ignore_index)
    column = where(ignored, 0, target).reshape((target.shape[0], 1))  # ignore_index need not be a class
    picked = along_axis(log_p, indices=column, axis=1).reshape(target.shape)
    return where(ignored, 0.0, -picked)


def cross_entropy_reference(logits, *, target, ignore_index=-100, label_smoothing=0.0):
    log_p = log_softmax(logits, dim=1)
    loss = nll(log_p, target=target, ignore_index=ignore_index)
    if not label_smoothing:
        return loss
    uniform = where(eq(target, ignore_index), 0.0, -log_p.mean(axis=1, keepdims=False))
    return loss * (1 - label_smoothing) + uniform * label_smoothing


@fused(reference=cross_entropy_reference)
def cross_entropy(logits, *, target, ignore_index=-100, label_smoothing=0.0):
    """-sum_c q_c log softmax(x)_c for each row x of (N, C), where q is one at the label.

    A label smoothing of e makes that (1 - e) at the label, and e / C more everywhere. Source: arXiv:1512.00567.
    The gradient is softmax(x) - q. The kernel keeps the log-sum-exp of each row, not its probabilities.
    """
    loss, lse = kernels_of(logits).cross_entropy_fwd(logits, target, ignore_index, label_smoothing)
    return loss, (lse,)


@cross_entropy.vjp
def cross_entropy_vjp(dy, logits, residuals, target, ignore_index, label_smoothing):
    return kernels_of(dy).cross_entropy_bwd(dy, logits, target, *residuals, ignore_index, label_smoothing)


# ---------------------------------------------------------------- probabilities


@op
def bce(p, target):
    """-(t log p + (1 - t) log(1 - p)), each logarithm not below -100, so that a wrong 0 or 1 costs 100 and not inf."""
    return -(mul(target, maximum(log(p), -100)) + mul(sub(1, target), maximum(log1p(-p), -100)))


@bce.vjp
def bce_vjp(dy, p, target, needs):
    return (
        dy * (p - target) / maximum(p * (1 - p), 1e-12) if needs[0] else None,
        dy * (log1p(-p) - log(p)) if needs[1] else None,
    )


def kl(log_q: Any, target: Any, *, log_target: bool) -> Any:
    """p (log p - log q), from log q and from p or log p; 0 where p is 0."""
    if log_target:
        return exp(target) * (target - log_q)
    positive = where(eq(target, 0), 1.0, target)  # keeps the gradient of p log p finite at 0
    return target * log(positive) - target * log_q


# ---------------------------------------------------------------- distances


@op
def huber(x, *, delta):
    """x^2 / 2 where |x| <= delta, else delta (|x| - delta / 2). Source: Huber, Ann. Math. Statist. 35 (1964) 73."""
    size = abs(x)
    return where(size <= delta, mul(mul(x, x), 0.5), mul(sub(size, 0.5 * delta), delta))


@huber.vjp
def huber_vjp(dy, x, delta):
    return dy * clamp(x, -delta, delta)


# ---------------------------------------------------------------- counts and normal distributions


def poisson_nll(x: Any, target: Any, *, log_input: bool, full: bool, eps: float) -> Any:
    """exp(x) - t x for a log-rate x, x - t log(x + eps) for a rate; `full` adds Stirling's log(t!) where t > 1."""
    loss = exp(x) - target * x if log_input else x - target * log(x + eps)
    if not full:
        return loss
    large = where(target > 1, target, 1.0)
    return loss + where(target > 1, large * log(large) - large + 0.5 * log(large * (2 * math.pi)), 0.0)


def gaussian_nll(x: Any, target: Any, variance: Any, *, full: bool) -> Any:
    """(log v + (x - t)^2 / v) / 2; `full` adds log(2 pi) / 2."""
    distance = x - target
    loss = 0.5 * (log(variance) + distance * distance / variance)
    return loss + 0.5 * math.log(2 * math.pi) if full else loss
