"""What all metrics share: the four methods, and the reading of predictions, scores and targets."""

from typing import Any, ClassVar, Self

import numpy as np

from minigrad import backend
from minigrad.tensor import Tensor


def host(values: Any) -> np.ndarray:
    """The values of a Tensor, an array or a list as an array on the host."""
    return backend.to_host(values.detach().array) if isinstance(values, Tensor) else np.asarray(values)


class Metric:
    """A figure gathered batch by batch.

    A subclass lists in `settings` the attributes that two metrics must share to be merged, and writes `reset` (forget
    everything), `_update` (take a batch in), `_merge` (take the state of another one in) and `_compute`.
    """

    settings: ClassVar[tuple[str, ...]] = ()
    count: int  # how many targets there were so far

    def update(self, predictions: Any, targets: Any) -> Self:
        """Take a batch in; returns the metric itself. Tensors on any device, arrays and lists are read."""
        self._update(self._numbers("predictions", predictions), self._numbers("targets", targets))
        return self

    def compute(self) -> Any:
        """The figure over everything taken in. ValueError where there is nothing yet, or where it is undefined."""
        if self.count == 0:
            raise ValueError(f"{self}: nothing to compute from: call update(predictions, targets) first")
        return self._compute()

    def merge(self, other: "Metric") -> Self:
        """Take in what `other`, a metric of the same kind and settings, has seen: as if its batches had come here."""
        if type(other) is not type(self):
            raise TypeError(f"{self} can be merged with another {type(self).__name__}, got {type(other).__name__}")
        for name in self.settings:
            if getattr(self, name) != getattr(other, name):
                raise ValueError(
                    f"{self} and {other} cannot be merged: {name} is {getattr(self, name)!r} and "
                    f"{getattr(other, name)!r}"
                )
        self._merge(other)
        return self

    def reset(self) -> None:
        """Forget everything taken in."""
        raise NotImplementedError

    def _update(self, predictions: np.ndarray, targets: np.ndarray) -> None:
        raise NotImplementedError

    def _merge(self, other: Any) -> None:
        raise NotImplementedError

    def _compute(self) -> Any:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.settings)})"

    def _numbers(self, what: str, values: Any) -> np.ndarray:
        """An array on the host; NaN is refused, for no comparison with it means anything."""
        array = host(values)
        if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
            raise TypeError(f"{self}: {what} have to be numbers, got dtype {array.dtype}")
        if array.dtype.kind not in "biu":
            array = array.astype(np.float64)
            if np.isnan(array).any():
                raise ValueError(f"{self}: the {what} hold NaN")
        return array

    def _class_numbers(self, what: str, array: np.ndarray) -> np.ndarray:
        """int64 class numbers, flat. Floats are taken where they are whole, as binary losses have their targets."""
        if array.dtype.kind == "f" and not (array == np.floor(array)).all():
            raise TypeError(f"{self}: {what} have to be class numbers 0, 1, ..., got fractions")
        if array.size and array.min() < 0:
            raise ValueError(f"{self}: {what} have to be class numbers 0, 1, ..., got {int(array.min())}")
        return array.astype(np.int64).ravel()

    def _check_same_shape(self, predictions: np.ndarray, targets: np.ndarray) -> None:
        if predictions.shape != targets.shape:
            raise ValueError(
                f"{self}: predictions {predictions.shape} and targets {targets.shape} must have the same shape"
            )

    def _score_table(self, scores: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores (N, C, ...) and targets (N, ...) as (M, C) and (M,). Classes are on axis 1, as in F.cross_entropy."""
        if scores.ndim != targets.ndim + 1 or (scores.shape[:1] + scores.shape[2:]) != targets.shape:
            raise ValueError(
                f"{self}: scores {scores.shape} and targets {targets.shape} do not belong together: expected scores "
                "(N, C, ...) with the classes on axis 1, and targets (N, ...)"
            )
        classes = scores.shape[1]
        if classes == 0:
            raise ValueError(f"{self}: scores {scores.shape} are of no class")
        flat = self._class_numbers("targets", targets)
        if flat.size and flat.max() >= classes:
            raise ValueError(f"{self}: a target is class {flat.max()}, but there are scores for {classes} classes")
        return np.moveaxis(scores, 1, -1).reshape(-1, classes), flat

    def _decide(
        self, predictions: np.ndarray, targets: np.ndarray, threshold: float = 0.5
    ) -> tuple[np.ndarray, np.ndarray]:
        """(predicted, true) class numbers, flat. Three forms of predictions:

        class numbers, shaped as the targets; scores (N, C, ...), of which the highest decides (the first of equals);
        floats shaped as the targets: scores of class 1 of two, which are decided for it from `threshold` on.
        """
        if predictions.ndim == targets.ndim + 1:
            table, true = self._score_table(predictions, targets)
            return table.argmax(axis=1), true
        self._check_same_shape(predictions, targets)
        true = self._class_numbers("targets", targets)
        if predictions.dtype.kind != "f":
            return self._class_numbers("predictions", predictions), true
        if true.size and true.max() > 1:
            raise ValueError(
                f"{self}: floats shaped as the targets are scores of class 1 of two, but a target is class "
                f"{true.max()}: give class numbers as integers, or scores (N, C, ...)"
            )
        return (predictions.ravel() >= threshold).astype(np.int64), true
