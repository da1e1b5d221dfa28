"""Shares of right answers, and what is found and what is false among the answers for one class."""

from typing import Any

import numpy as np

from minigrad.metrics.base import Metric
from minigrad.metrics.confusion import Counts


class Accuracy(Metric):
    """The share of right predictions. See `Metric._decide` for the forms that predictions may have.

    Targets equal to `ignore_index`, such as padding, do not count.
    """

    settings = ("threshold", "ignore_index")

    def __init__(self, threshold: float = 0.5, ignore_index: int | None = None):
        self.threshold, self.ignore_index = threshold, ignore_index
        self.reset()

    def reset(self) -> None:
        self.right = self.count = 0

    def _update(self, predictions: np.ndarray, targets: np.ndarray) -> None:
        counted = np.ones(targets.size, bool)
        if self.ignore_index is not None:
            counted = (targets != self.ignore_index).ravel()
            targets = np.where(targets == self.ignore_index, 0, targets)
        predicted, true = self._decide(predictions, targets, self.threshold)
        self.right += int(((predicted == true) & counted).sum())
        self.count += int(counted.sum())

    def _merge(self, other: Any) -> None:
        self.right += other.right
        self.count += other.count

    def _compute(self) -> float:
        return self.right / self.count


class TopK(Metric):
    """The share of targets that are among the `k` classes of highest score; of equal scores the lower class is first.

    Scores (N, C, ...), targets (N, ...). ValueError where there are fewer than `k` classes.
    """

    settings = ("k",)

    def __init__(self, k: int = 5):
        if not isinstance(k, int) or k < 1:
            raise ValueError(f"TopK: k must be an integer of at least 1, got {k!r}")
        self.k = k
        self.reset()

    def reset(self) -> None:
        self.right = self.count = 0

    def _update(self, predictions: np.ndarray, targets: np.ndarray) -> None:
        table, true = self._score_table(predictions, targets)
        if table.shape[1] < self.k:
            raise ValueError(f"{self}: there are scores for {table.shape[1]} classes only")
        own = table[np.arange(len(true)), true][:, None]  # the score of the target itself
        earlier = np.arange(table.shape[1]) < true[:, None]
        rank = ((table > own) | ((table == own) & earlier)).sum(axis=1)  # how many classes come before it
        self.right += int((rank < self.k).sum())
        self.count += len(true)

    def _merge(self, other: Any) -> None:
        self.right += other.right
        self.count += other.count

    def _compute(self) -> float:
        return self.right / self.count


class _FromCounts(Counts):
    """A figure of each class made from its hits, its predictions and its targets, and the mean of them.

    average   "binary": of class 1 of two; "micro": hits, predictions and targets of all classes summed first; "macro":
              the mean over the classes that occur in targets or predictions; None: an array with each class
    undefined the value of a 0 / 0, as that of the precision of a class which was never predicted
    """

    settings = ("average", "num_classes", "threshold", "undefined")

    def __init__(
        self,
        average: str | None = "binary",
        num_classes: int | None = None,
        threshold: float = 0.5,
        undefined: float = 0.0,
    ):
        if average not in ("binary", "micro", "macro", None):
            raise ValueError(f'{type(self).__name__}: average is "binary", "micro", "macro" or None, got {average!r}')
        self.average, self.undefined = average, undefined
        super().__init__(2 if average == "binary" else num_classes, threshold)

    def _compute(self) -> Any:
        hits, predicted, true = self.matrix.diagonal(), self.matrix.sum(axis=0), self.matrix.sum(axis=1)
        if self.average == "binary":
            return float(self._figure(hits[1:2], predicted[1:2], true[1:2])[0])
        if self.average == "micro":
            return float(self._figure(*(n.sum(keepdims=True) for n in (hits, predicted, true)))[0])
        each = self._figure(hits, predicted, true)
        return each if self.average is None else float(each[predicted + true > 0].mean())

    def _figure(self, hits: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _ratio(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.where(b == 0, float(self.undefined), a / np.maximum(b, 1))


class Precision(_FromCounts):
    """Of those predicted to be of a class, the share that is: TP / (TP + FP)."""

    def _figure(self, hits: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
        return self._ratio(hits, predicted)


class Recall(_FromCounts):
    """Of those of a class, the share that was predicted to be: TP / (TP + FN)."""

    def _figure(self, hits: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
        return self._ratio(hits, true)


class F1(_FromCounts):
    """The harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN). (van Rijsbergen, 1979)"""

    def _figure(self, hits: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
        return self._ratio(2 * hits, predicted + true)
