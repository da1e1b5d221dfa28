"""How good a model is: figures gathered batch by batch, over groups, over folds, and on inputs made worse.

    accuracy = Accuracy()
    for x, y in loader:
        accuracy.update(model(x), y)
    accuracy.compute()

Every metric has `update(predictions_or_scores, targets)`, `compute()`, `reset()` and `merge(other)`; none keeps
a graph.
"""

from minigrad.metrics.base import Metric
from minigrad.metrics.classification import F1, Accuracy, Precision, Recall, TopK
from minigrad.metrics.confusion import ConfusionMatrix
from minigrad.metrics.groups import ByGroup, GroupResult
from minigrad.metrics.likelihood import Perplexity
from minigrad.metrics.ranking import PRAUC, ROCAUC
from minigrad.metrics.regression import MAE, MSE, R2
from minigrad.metrics.robustness import robustness
from minigrad.metrics.validation import CrossValidation, cross_validate

__all__ = [
    "F1",
    "MAE",
    "MSE",
    "PRAUC",
    "R2",
    "ROCAUC",
    "Accuracy",
    "ByGroup",
    "ConfusionMatrix",
    "CrossValidation",
    "GroupResult",
    "Metric",
    "Perplexity",
    "Precision",
    "Recall",
    "TopK",
    "cross_validate",
    "robustness",
]
