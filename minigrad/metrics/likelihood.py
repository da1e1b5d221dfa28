"""How much probability a model gives to what really came."""

import math
from typing import Any

import numpy as np

from minigrad.metrics.base import Metric


class Perplexity(Metric):
    """exp of the mean negative log-likelihood: the number of equally likely choices that would be as surprising.

    `update(scores, targets)`: logits or log-probabilities (N, C, ...) with the classes on axis 1, as in
    F.cross_entropy, and targets (N, ...); for a language model's (B, T, V), flatten the first two axes. Targets equal
    to `ignore_index` do not count.
    """

    settings = ("ignore_index",)

    def __init__(self, ignore_index: int = -100):
        self.ignore_index = ignore_index
        self.reset()

    def reset(self) -> None:
        self.total, self.count = 0.0, 0

    def _update(self, predictions: np.ndarray, targets: np.ndarray) -> None:
        counted = (targets != self.ignore_index).ravel()
        table, true = self._score_table(predictions, np.where(targets == self.ignore_index, 0, targets))
        table, true = table[counted].astype(np.float64), true[counted]
        if not len(true):
            return
        highest = table.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(table - highest).sum(axis=1)) + highest[:, 0]
        self.total += float((log_sum - table[np.arange(len(true)), true]).sum())
        self.count += len(true)

    def _merge(self, other: Any) -> None:
        self.total += other.total
        self.count += other.count

    def _compute(self) -> float:
        mean = self.total / self.count
        return math.exp(mean) if mean < 709 else math.inf  # where a float ends
