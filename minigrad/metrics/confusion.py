"""How often each class was taken for each other one: the table, and its picture."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from minigrad.metrics.base import Metric


class Counts(Metric):
    """Counts pairs of (true class, predicted class). Without `num_classes` the table grows with the classes seen."""

    settings: ClassVar[tuple[str, ...]] = ("num_classes", "threshold")

    def __init__(self, num_classes: int | None = None, threshold: float = 0.5):
        if num_classes is not None and num_classes < 2:
            raise ValueError(f"{type(self).__name__}: num_classes must be at least 2, got {num_classes}")
        self.num_classes, self.threshold = num_classes, threshold
        self.reset()

    def reset(self) -> None:
        self.count = 0
        size = self.num_classes or 2
        self.matrix = np.zeros((size, size), np.int64)

    def _update(self, predictions: np.ndarray, targets: np.ndarray) -> None:
        predicted, true = self._decide(predictions, targets, self.threshold)
        if not len(true):
            return
        largest = max(int(predicted.max()), int(true.max()))
        if predictions.ndim > targets.ndim:  # a class that has scores exists, even where it never wins
            largest = max(largest, predictions.shape[1] - 1)
        if self.num_classes is not None and largest >= self.num_classes:
            raise ValueError(f"{self}: there is a class {largest}, but classes are 0 to {self.num_classes - 1}")
        self._grow(largest + 1)
        size = len(self.matrix)
        self.matrix += np.bincount(true * size + predicted, minlength=size * size).reshape(size, size)
        self.count += len(true)

    def _grow(self, size: int) -> None:
        more = size - len(self.matrix)
        if more > 0:
            self.matrix = np.pad(self.matrix, ((0, more), (0, more)))

    def _merge(self, other: Any) -> None:
        self._grow(len(other.matrix))
        self.matrix[: len(other.matrix), : len(other.matrix)] += other.matrix
        self.count += other.count


class ConfusionMatrix(Counts):
    """compute() gives an int64 array (C, C): row the true class, column the predicted one."""

    def _compute(self) -> np.ndarray:
        return self.matrix.copy()

    def picture(self, path: "str | os.PathLike", classes: Sequence[str] | None = None) -> None:
        """Draw the table to a file (PNG, SVG, PDF by its name): the shade is the share of the row, the number a count.

        ValueError where `classes` are not as many names as there are classes. Needs matplotlib.
        """
        matrix = self.compute()
        size = len(matrix)
        names = [str(i) for i in range(size)] if classes is None else [str(c) for c in classes]
        if len(names) != size:
            raise ValueError(f"{self}: {len(names)} names of classes were given for {size} classes")
        share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        figure, axes = _canvas(3 + 0.5 * size)
        axes.imshow(share, vmin=0, vmax=1, cmap="Blues")
        axes.set_xticks(range(size), names, rotation=90 if max(map(len, names)) > 2 else 0)
        axes.set_yticks(range(size), names)
        axes.set(xlabel="predicted", ylabel="true")
        for i, j in np.argwhere(matrix) if size <= 40 else ():  # in a larger table no number could be read
            axes.text(
                j, i, str(matrix[i, j]), ha="center", va="center", color="white" if share[i, j] > 0.5 else "black"
            )
        figure.savefig(path, dpi=130)


def _canvas(inches: float) -> tuple[Any, Any]:
    """A square figure with one plot, apart from pyplot and its global state."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("ConfusionMatrix.picture needs matplotlib: pip install 'minigrad[examples]'") from error
    figure = Figure(figsize=(inches, inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()
