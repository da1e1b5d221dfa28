"""How well scores put the positives before the negatives, whatever the threshold."""

from typing import Any

import numpy as np

from minigrad.metrics.base import Metric


class _Ranking(Metric):
    """Keeps every score and target: the exact figure needs the order of all of them."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.count = 0
        self.scores: list[np.ndarray] = []
        self.targets: list[np.ndarray] = []

    def _update(self, predictions: np.ndarray, targets: np.ndarray) -> None:
        self._check_same_shape(predictions, targets)
        true = self._class_numbers("targets", targets)
        if true.size and true.max() > 1:
            raise ValueError(
                f"{self}: targets have to be 0 or 1, got {true.max()}; for several classes, take one against the others"
            )
        self.scores.append(predictions.astype(np.float64).ravel())
        self.targets.append(true == 1)
        self.count += len(true)

    def _merge(self, other: Any) -> None:
        self.scores += other.scores
        self.targets += other.targets
        self.count += other.count

    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        """(true positives, false positives) at each threshold, from the highest down; equal scores are one step."""
        scores, positive = np.concatenate(self.scores), np.concatenate(self.targets)
        order = np.argsort(-scores, kind="stable")
        scores, positive = scores[order], positive[order]
        last = np.append(scores[1:] != scores[:-1], True)  # where a run of equal scores ends
        found = positive.cumsum()[last]
        return found, np.flatnonzero(last) + 1 - found


class ROCAUC(_Ranking):
    """The area under the curve of true positive rate over false positive rate.

    It is the chance that a positive has a higher score than a negative, where equal scores count half (Hanley and
    McNeil, 1982). `update(scores, targets)`: scores of class 1, targets 0 or 1, of one shape. compute() raises
    ValueError where all targets are of one class: there is no pair to compare.
    """

    def _compute(self) -> float:
        found, false = (np.insert(n, 0, 0).astype(np.float64) for n in self._curve())
        if not found[-1] or not false[-1]:
            only, absent = ("positives", "negatives") if found[-1] else ("negatives", "positives")
            raise ValueError(
                f"ROCAUC is undefined: the {self.count} targets are all of one class ({only}), there are no {absent}"
            )
        return float(np.trapezoid(found, false) / (found[-1] * false[-1]))


class PRAUC(_Ranking):
    """Average precision: sum over the thresholds of (recall_n - recall_(n-1)) precision_n.

    Equal scores are one threshold, so their order does not matter. Nothing is interpolated: between two points of a
    precision-recall curve a straight line promises too much (Davis and Goadrich, 2006). compute() raises ValueError
    where there are no positives; where there is nothing else it is 1, whatever the scores.
    """

    def _compute(self) -> float:
        found, false = self._curve()
        if not found[-1]:
            raise ValueError(
                f"PRAUC is undefined: the {self.count} targets are all of one class (negatives), there are no positives"
            )
        precision, recall = found / (found + false), found / found[-1]
        return float((np.diff(recall, prepend=0.0) * precision).sum())
