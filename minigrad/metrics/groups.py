"""One metric for each group of samples, and how far the groups are apart."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minigrad.metrics.base import Metric, host


class GroupResult(NamedTuple):
    """`values` by group; `gap` between the groups `lowest` and `highest`, the largest between any two."""

    values: dict[Any, float]
    gap: float
    lowest: Any
    highest: Any


class ByGroup:
    """A metric of its own for each group: `ByGroup(Accuracy)`, `ByGroup(lambda: F1(average="macro"))`.

    `update(predictions, targets, groups)`: `groups` holds the group of each sample, a name or a number, along axis 0.
    """

    def __init__(self, metric_factory: Callable[[], Metric]):
        if not isinstance(metric_factory(), Metric):
            raise TypeError(f"ByGroup takes a function that makes a metric, such as Accuracy, got {metric_factory!r}")
        self.metric_factory = metric_factory
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in, the groups too."""
        self.metrics: dict[Any, Metric] = {}

    def update(self, predictions: Any, targets: Any, groups: Any) -> "ByGroup":
        """Take a batch in; returns itself."""
        predictions, targets, groups = host(predictions), host(targets), host(groups)
        if groups.ndim != 1 or {len(predictions), len(targets)} != {len(groups)}:
            raise ValueError(
                f"ByGroup: expected one group for each sample, got groups {groups.shape} for predictions "
                f"{predictions.shape} and targets {targets.shape}"
            )
        names, member = np.unique(groups, return_inverse=True)
        for i, name in enumerate(names.tolist()):
            if name not in self.metrics:
                self.metrics[name] = self.metric_factory()
            self.metrics[name].update(predictions[member == i], targets[member == i])
        return self

    def compute(self) -> GroupResult:
        """The figure of each group and the largest gap. ValueError where there is none, or where one is undefined."""
        if not self.metrics:
            raise ValueError("ByGroup: nothing to compute from: call update(predictions, targets, groups) first")
        values = {}
        for name in sorted(self.metrics):
            try:
                values[name] = float(self.metrics[name].compute())
            except (ValueError, TypeError) as error:
                raise ValueError(f"ByGroup, group {name!r}: {error}") from error
        lowest, highest = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
        return GroupResult(values, values[highest] - values[lowest], lowest, highest)

    def merge(self, other: "ByGroup") -> "ByGroup":
        """Take in what another one has seen."""
        if not isinstance(other, ByGroup):
            raise TypeError(f"ByGroup can be merged with another ByGroup, got {type(other).__name__}")
        for name, metric in other.metrics.items():
            self.metrics[name] = self.metrics.get(name, self.metric_factory()).merge(metric)
        return self
