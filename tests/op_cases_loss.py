"""The table of ops, losses: with labels, entry by entry, and the distances they are made of. The formulas in NumPy."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from case import Case, Maker
from makers import apart, away_from, integers, values

from minigrad.nn import functional as F


def uniform(low: float, high: float, shape: tuple[int, ...]) -> Maker:
    """Uniform in [low, high)."""
    return lambda rng: np.asarray(rng.uniform(low, high, shape))


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def log_softmax(x: Any, dim: int) -> Any:
    return x - np.log(np.exp(x).sum(axis=dim, keepdims=True))


# ---------------------------------------------------------------- losses with labels


def reduced(loss: Any, reduction: str, count: Any = None) -> Any:
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.sum() / (loss.size if count is None else count)


def class_loss(log_p: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float) -> Any:
    """Entry by entry: rows of (N, C, ...) with their labels."""
    classes = log_p.shape[1]
    weight = np.ones(classes) if weight is None else weight
    loss, count = np.zeros(target.shape), 0.0
    for place in np.ndindex(*target.shape):
        label = target[place]
        if label != ignore_index:
            row = log_p[(place[0], slice(None), *place[1:])]
            loss[place] = -(1 - smoothing) * weight[label] * row[label] - smoothing / classes * (weight * row).sum()
            count += weight[label]
    return reduced(loss, reduction, count)


def cross_entropy(x: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Any:  # fmt: skip
    if target.shape != x.shape:
        return class_loss(log_softmax(x, 1), target, weight, ignore_index, reduction, label_smoothing)
    target = (1 - label_smoothing) * target + label_smoothing / x.shape[1]
    return reduced(-(log_softmax(x, 1) * target).sum(axis=1), reduction)


def nll_loss(x: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    return class_loss(x, target, weight, ignore_index, reduction, 0.0)


def weighted(function: Callable) -> Callable:
    """With class weights 1, 2, 3, ... in the type of the input: Tensors for F, arrays for an oracle."""

    def call(x: Any, target: Any, **params: Any) -> Any:
        weight = np.arange(1.0, x.shape[1] + 1)
        return function(x, target, weight if isinstance(x, np.ndarray) else x.new_tensor(weight), **params)

    return call


LABELS = {
    "(N, C)": ((5, 4), integers(0, 4, (5,))),
    "some ignored": ((4, 3), values([1, -100, 0, -100])),
    "(N, C, d1, d2)": ((2, 3, 4, 2), integers(0, 3, (2, 4, 2))),
}


def label_cases() -> list[Case]:
    cases = []
    for reduction in ("mean", "sum", "none"):
        for shape, inputs in LABELS.items():
            how, note = {"reduction": reduction}, f"{reduction}, {shape}"
            smooth = {**how, "label_smoothing": 0.2}
            for name, function, oracle, params, more in (
                ("cross_entropy", F.cross_entropy, cross_entropy, how, ""),
                ("cross_entropy", F.cross_entropy, cross_entropy, smooth, ", smoothed"),
                ("cross_entropy", weighted(F.cross_entropy), weighted(cross_entropy), smooth, ", weighted, smoothed"),
                ("nll_loss", F.nll_loss, nll_loss, how, ""),
                ("nll_loss", weighted(F.nll_loss), weighted(nll_loss), how, ", weighted"),
            ):
                cases.append(Case(f"nn.functional.{name}", function, inputs, params, oracle=oracle, note=note + more))
        cases.append(
            Case("nn.functional.cross_entropy", F.cross_entropy, ((5, 4), uniform(0, 1, (5, 4))),
                 {"reduction": reduction, "label_smoothing": 0.1}, oracle=cross_entropy,
                 note=f"{reduction}, probabilities")
        )  # fmt: skip
    return cases


# ---------------------------------------------------------------- losses entry by entry

S34, UNIT, INSIDE = (3, 4), uniform(0, 1, (3, 4)), uniform(0.05, 0.95, (3, 4))
GAP = away_from([0], S34)  # against a target of zeros: the difference keeps from the kink
NONE = values(np.zeros(S34))


def huber(d: Any, delta: float = 1.0) -> Any:
    return np.where(np.abs(d) <= delta, d * d / 2, delta * (np.abs(d) - delta / 2))


def bce(p: Any, t: Any) -> Any:
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


def smooth_l1(x: Any, t: Any, beta: float = 1.0) -> Any:
    d = np.abs(x - t)
    return np.where(d < beta, d * d / (2 * beta), d - beta / 2)


def kl_div(x: Any, t: Any, log_target: bool = False) -> Any:
    return np.exp(t) * (t - x) if log_target else t * (np.log(t) - x)


def poisson(x: Any, t: Any, log_input: bool = True, full: bool = False) -> Any:
    loss = np.exp(x) - t * x if log_input else x - t * np.log(x + 1e-8)
    stirling = t * np.log(t) - t + 0.5 * np.log(2 * np.pi * t)
    return loss + np.where(t > 1, stirling, 0) if full else loss


def gaussian(x: Any, t: Any, v: Any, full: bool = False) -> Any:
    return 0.5 * (np.log(v) + (x - t) ** 2 / v) + (0.5 * math.log(2 * math.pi) if full else 0)


def distance(a: Any, b: Any, p: float = 2) -> Any:
    return (np.abs(a - b + 1e-6) ** p).sum(axis=-1) ** (1 / p)


def cosine(a: Any, b: Any, dim: int = 1) -> Any:
    return (a * b).sum(axis=dim) / np.sqrt((a * a).sum(axis=dim) * (b * b).sum(axis=dim))


def normalize(x: Any, p: float, dim: int) -> Any:
    return x / (np.abs(x) ** p).sum(axis=dim, keepdims=True) ** (1 / p)


def cosine_embedding(a: Any, b: Any, t: Any, margin: float = 0.0) -> Any:
    return np.where(t == 1, 1 - cosine(a, b), np.maximum(cosine(a, b) - margin, 0))


def triplet(a: Any, p: Any, n: Any, margin: float = 1.0, swap: bool = False) -> Any:
    far = np.minimum(distance(a, n), distance(p, n)) if swap else distance(a, n)
    return np.maximum(distance(a, p) - far + margin, 0)


SIGNS = values([[1.0, -1.0, 1.0, -1.0]] * 3)
POINTWISE: list[tuple[str, Callable, tuple, dict]] = [
    ("mse_loss", lambda x, t: (x - t) ** 2, (S34, S34), {}),
    ("l1_loss", lambda x, t: np.abs(x - t), (GAP, NONE), {}),
    ("smooth_l1_loss", smooth_l1, (away_from([-1, 1], S34), NONE), {}),
    ("smooth_l1_loss", smooth_l1, (away_from([-0.3, 0.3], S34), NONE), {"beta": 0.3}),
    ("smooth_l1_loss", lambda x, t, beta: np.abs(x - t), (GAP, NONE), {"beta": 0.0}),
    ("huber_loss", lambda x, t: huber(x - t), (away_from([-1, 1], S34), NONE), {}),
    ("huber_loss", lambda x, t, delta: huber(x - t, delta), (away_from([-0.4, 0.4], S34), NONE), {"delta": 0.4}),
    ("binary_cross_entropy", bce, (INSIDE, UNIT), {}),
    ("binary_cross_entropy_with_logits", lambda x, t: bce(sigmoid(x), t), (S34, UNIT), {}),
    ("kl_div", kl_div, (S34, uniform(0.1, 1, S34)), {}),
    ("kl_div", kl_div, (S34, S34), {"log_target": True}),
    ("poisson_nll_loss", poisson, (S34, uniform(0.1, 3, S34)), {}),
    ("poisson_nll_loss", poisson, (uniform(0.5, 2, S34), uniform(0.1, 3, S34)), {"log_input": False}),
    ("poisson_nll_loss", poisson, (S34, away_from([1], S34, 0.2, 3)), {"full": True}),
    ("gaussian_nll_loss", gaussian, (S34, S34, uniform(0.2, 2, S34)), {}),
    ("gaussian_nll_loss", gaussian, (S34, S34, uniform(0.2, 2, (3, 1))), {"full": True}),
    ("margin_ranking_loss", lambda a, b, t, margin: np.maximum(margin - t * (a - b), 0),
     (uniform(0.5, 2, S34), uniform(-2, -0.5, S34), SIGNS), {"margin": 0.2}),
    ("cosine_embedding_loss", cosine_embedding, (S34, S34, values([1, -1, 1])), {"margin": -0.9}),
    ("triplet_margin_loss", triplet, (S34, S34, S34), {"margin": 8.0}),
    ("triplet_margin_loss", triplet, (S34, S34, S34), {"margin": 8.0, "swap": True}),
]  # fmt: skip


def with_reduction(oracle: Callable) -> Callable:
    return lambda *arrays, reduction, **params: reduced(oracle(*arrays, **params), reduction)


def pointwise_cases() -> list[Case]:
    cases = []
    for name, oracle, inputs, params in POINTWISE:
        for reduction in ("mean", "sum", "none"):
            if (name, reduction) != ("kl_div", "mean"):  # which warns; see tests/nn/test_functional.py
                note = ", ".join([reduction, *(f"{k} {v}" for k, v in params.items())])
                cases.append(
                    Case(f"nn.functional.{name}", getattr(F, name), inputs, {**params, "reduction": reduction},
                         oracle=with_reduction(oracle), note=note)
                )  # fmt: skip
    return cases


def fixed_labels(function: Callable) -> Callable:
    """With labels of 1 and -1 that are no input: a loss is no smooth function of them."""

    def call(x: Any, **params: Any) -> Any:
        labels = np.array([[1.0, -1.0, 1.0, -1.0]] * 3)
        return function(x, labels if isinstance(x, np.ndarray) else x.new_tensor(labels), **params)

    return call


def hinge(x: Any, t: Any, margin: float) -> Any:
    return np.where(t == 1, x, np.maximum(margin - x, 0)).mean()


def multi_margin(x: Any, t: Any, p: int) -> Any:
    return np.array([sum(max(0, 9 - x[n, t[n]] + x[n, i]) ** p for i in range(4) if i != t[n]) / 4 for n in range(3)])


def several_labels(x: Any, t: Any) -> Any:
    rows = [[label for k, label in enumerate(row) if -1 not in row[: k + 1]] for row in t]
    return np.array([
        sum(max(0, 1 - x[n, k] + x[n, i]) for k in row for i in range(4) if i not in row) / 4
        for n, row in enumerate(rows)
    ])  # fmt: skip


MARGINS = [
    *(
        Case("nn.functional.multi_margin_loss", F.multi_margin_loss, (S34, values([3, 0, 0])),
             {"p": p, "margin": 9.0, "reduction": "none"}, note=f"p {p}",
             oracle=lambda x, t, p, margin, reduction: multi_margin(x, t, p))
        for p in (1, 2)
    ),
    Case("nn.functional.multi_margin_loss", lambda x, t, w: F.multi_margin_loss(x, t, 1, 9.0, w),
         (S34, values([3, 0, 0]), values([0.5, 1.0, 1.0, 2.0])), gradient=False, note="weights",
         oracle=lambda x, t, w: (multi_margin(x, t, 1) * w[t]).mean()),
    Case("nn.functional.multilabel_margin_loss", F.multilabel_margin_loss,
         (apart(S34), values([[3, 0, -1, 1], [-1, 0, 1, 2], [2, 1, 0, 3]])), {"reduction": "none"},
         oracle=lambda x, t, reduction: several_labels(x, t)),
    Case("nn.functional.soft_margin_loss", F.soft_margin_loss, (S34, SIGNS),
         oracle=lambda x, t: np.log1p(np.exp(-t * x)).mean()),
    Case("nn.functional.multilabel_soft_margin_loss", F.multilabel_soft_margin_loss, (S34, UNIT, uniform(1, 3, (4,))),
         oracle=lambda x, t, w: (w * bce(sigmoid(x), t)).mean()),
    Case("nn.functional.triplet_margin_with_distance_loss", lambda a, p, n: F.triplet_margin_with_distance_loss(
        a, p, n, distance_function=lambda x, y: (x - y).square().sum(-1), margin=50.0), (S34, S34, S34),
         oracle=lambda a, p, n: (((a - p) ** 2).sum(-1) - ((a - n) ** 2).sum(-1) + 50).mean()),
]  # fmt: skip


OTHER_LOSSES = [
    Case("nn.functional.hinge_embedding_loss", fixed_labels(F.hinge_embedding_loss), (away_from([0.7], S34),),
         {"margin": 0.7}, oracle=fixed_labels(hinge)),
    Case("nn.functional.mse_loss", lambda x, t, w: F.mse_loss(x, t, weight=w), (S34, S34, UNIT),
         oracle=lambda x, t, w: (w * (x - t) ** 2).sum() / w.sum(), note="weighted"),
    Case("nn.functional.huber_loss", lambda x, t, w: F.huber_loss(x, t, weight=w, delta=9.0), (S34, S34, UNIT),
         oracle=lambda x, t, w: (w * huber(x - t, 9.0)).mean(), note="weighted"),
    Case("nn.functional.binary_cross_entropy", F.binary_cross_entropy, (INSIDE, UNIT, UNIT),
         oracle=lambda p, t, w: (w * bce(p, t)).mean(), note="weighted"),
    Case("nn.functional.binary_cross_entropy_with_logits",
         lambda x, t, w, v: F.binary_cross_entropy_with_logits(x, t, w, pos_weight=v),
         (S34, UNIT, UNIT, uniform(1, 3, (4,))),
         oracle=lambda x, t, w, v: (w * -(v * t * np.log(sigmoid(x)) + (1 - t) * np.log(sigmoid(-x)))).mean(),
         note="weight and pos_weight"),
    Case("nn.functional.kl_div", F.kl_div, (S34, uniform(0.1, 1, S34)), {"reduction": "batchmean"},
         oracle=lambda x, t, reduction: kl_div(x, t).sum() / 3, note="batchmean"),
    *(
        Case("nn.functional.pairwise_distance", F.pairwise_distance, (uniform(1, 2, S34), uniform(-2, -1, S34)),
             {"p": p}, oracle=distance, note=f"p {p}")
        for p in (1.0, 2.0, 3.0)
    ),
    *(
        Case("nn.functional.normalize", F.normalize, (away_from([0], S34),), {"p": p, "dim": dim},
             note=f"p {p}, dim {dim}", oracle=normalize)
        for p, dim in ((2.0, 1), (1.0, 0), (3.0, -1))
    ),
    Case("nn.functional.cosine_similarity", F.cosine_similarity, (S34, S34), oracle=cosine),
    Case("nn.functional.cosine_similarity", F.cosine_similarity, ((2, 3, 4), (3, 1)), {"dim": -2}, note="broadcast",
         oracle=lambda a, b, dim: cosine(a, np.broadcast_to(b, a.shape), dim)),
]  # fmt: skip


CASES = [*label_cases(), *pointwise_cases(), *MARGINS, *OTHER_LOSSES]
