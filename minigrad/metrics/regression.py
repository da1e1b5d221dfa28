"""How far predicted numbers are from true ones."""

from typing import Any

import numpy as np

from minigrad.metrics.base import Metric


class _MeanError(Metric):
    """The mean of a function of prediction - target over all numbers taken in."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.total, self.count = 0.0, 0

    def _update(self, predictions: np.ndarray, targets: np.ndarray) -> None:
        self._check_same_shape(predictions, targets)
        self.total += float(self._error(np.subtract(predictions, targets, dtype=np.float64)).sum())
        self.count += targets.size

    def _error(self, difference: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _merge(self, other: Any) -> None:
        self.total += other.total
        self.count += other.count

    def _compute(self) -> float:
        return self.total / self.count


class MSE(_MeanError):
    """The mean squared error."""

    def _error(self, difference: np.ndarray) -> np.ndarray:
        return difference * difference


class MAE(_MeanError):
    """The mean absolute error."""

    def _error(self, difference: np.ndarray) -> np.ndarray:
        return np.abs(difference)


class R2(Metric):
    """1 - sum (y - p)^2 / sum (y - mean y)^2: the share of the variance that the predictions explain.

    Targets (N,) or (N, D): the figure is the mean over the D columns. The spread of the targets is gathered without
    keeping them, by the update of Chan, Golub and LeVeque (1979). compute() raises ValueError where a column of targets
    has one value only: there is no variance to explain.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.count = 0
        self.mean = self.spread = self.residual = np.zeros(())
        self.low, self.high = np.full((), np.inf), np.full((), -np.inf)

    def _update(self, predictions: np.ndarray, targets: np.ndarray) -> None:
        self._check_same_shape(predictions, targets)
        if targets.ndim not in (1, 2):
            raise ValueError(f"R2: targets have to be (N,) or (N, D), got {targets.shape}")
        if not len(targets):
            return
        y, p = targets.astype(np.float64), predictions.astype(np.float64)
        mean = y.mean(axis=0)
        self._gather(len(y), mean, ((y - mean) ** 2).sum(0), ((y - p) ** 2).sum(0), y.min(0), y.max(0))

    def _gather(
        self, n: int, mean: np.ndarray, spread: np.ndarray, residual: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> None:
        if self.count and self.mean.shape != mean.shape:
            raise ValueError(f"R2: targets have columns {mean.shape} now, and had {self.mean.shape} before")
        total, shift = self.count + n, mean - self.mean
        self.spread = self.spread + spread + shift**2 * self.count * n / total
        self.mean = self.mean + shift * n / total
        self.residual = self.residual + residual
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)
        self.count = total

    def _merge(self, other: Any) -> None:
        if other.count:
            self._gather(other.count, other.mean, other.spread, other.residual, other.low, other.high)

    def _compute(self) -> float:
        if (self.low == self.high).any():
            raise ValueError("R2 is undefined: the targets are all the same, so there is no variance to explain")
        return float((1 - self.residual / self.spread).mean())
