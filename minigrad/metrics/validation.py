"""Cross-validation: each sample is tested once, by a model that has not seen it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minigrad import autograd, creation, data as datasets, random
from minigrad.metrics.base import Metric, host
from minigrad.metrics.classification import Accuracy
from minigrad.nn import functional as F
from minigrad.nn.module import Module


class CrossValidation(NamedTuple):
    """The figure of each fold, their mean, and their standard deviation (of the sample: divided by k - 1)."""

    scores: list[float]
    mean: float
    std: float


def cross_validate(
    make_model: Callable[[], Module],
    data: Any,
    k: int = 5,
    *,
    train: Callable[[Module, datasets.Dataset], Any] | None = None,
    metric: Callable[[], Metric] = Accuracy,
    stratified: bool | None = None,
    batch_size: int = 256,
    generator: random.Generator | None = None,
) -> CrossValidation:
    """Train on k - 1 of k parts and test on the part left out, k times. (Stone, 1974)

    make_model   makes a fresh model for each fold, so that none has seen another's samples
    data         a dataset of (input, target) samples, or a pair (inputs, targets) of arrays or tensors
    train        trains a model on a dataset: `train(model, part)`; by default `fit_classifier` below
    metric       makes the metric of a fold; it is updated with the model's output and the targets
    stratified   deal each class evenly over the folds; by default where the targets are integers

    Raises ValueError for k below 2 or above the number of samples, and where a class has no sample outside a fold: the
    model tested on that fold would never have seen it.
    """
    whole = _as_dataset(data)
    count = len(whole)
    if not isinstance(k, int) or not 2 <= k <= count:
        raise ValueError(f"cross_validate: k has to be an integer from 2 to the number of samples {count}, got {k!r}")
    targets = np.asarray([host(whole[i][1]) for i in range(count)])
    classes = targets.ndim == 1 and targets.dtype.kind in "biu"
    if stratified and not classes:
        raise ValueError("cross_validate: stratified folds need integer targets, one a sample")
    order = (generator or random.default_generator).randperm(count)
    if classes and stratified is not False:
        order = order[np.argsort(targets[order], kind="stable")]  # dealt in turn below, class by class
    scores = []
    for fold in range(k):
        test = order[fold::k]
        rest = np.setdiff1d(order, test)
        if classes and (missing := np.setdiff1d(targets[test], targets[rest])).size:
            raise ValueError(
                f"cross_validate: class {missing[0]} has no sample outside fold {fold + 1} of {k}, so no model could "
                "learn it: give more samples of it, leave it out, or use stratified folds"
            )
        model = make_model()
        (train or fit_classifier)(model, datasets.Subset(whole, rest.tolist()))
        scores.append(float(_evaluate(model, datasets.Subset(whole, test.tolist()), metric(), batch_size)))
    return CrossValidation(scores, float(np.mean(scores)), float(np.std(scores, ddof=1)))


def fit_classifier(
    model: Module, part: datasets.Dataset, epochs: int = 20, batch_size: int = 32, lr: float = 1e-2
) -> None:
    """Train with Adam on the cross-entropy of the model's logits."""
    from minigrad.optim import Adam

    optimizer = Adam(model.parameters(), lr=lr)
    model.train()
    for _ in range(epochs):
        for x, y in datasets.DataLoader(part, batch_size=batch_size, shuffle=True):
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@autograd.no_grad()
def _evaluate(model: Module, part: datasets.Dataset, metric: Metric, batch_size: int) -> Any:
    model.eval()
    for x, y in datasets.DataLoader(part, batch_size=batch_size):
        metric.update(model(x), y)
    return metric.compute()


def _as_dataset(data: Any) -> Any:
    """`data` where it is a dataset; else the dataset of its pair of arrays or tensors."""
    if isinstance(data, datasets.Dataset):
        return data
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise TypeError(f"expected a dataset of (input, target) samples or a pair (inputs, targets), got {type(data)}")
    inputs, targets = (creation.as_tensor(part) for part in data)
    if len(inputs) != len(targets):
        raise ValueError(f"there are {len(inputs)} inputs and {len(targets)} targets: each input has one target")
    return datasets.TensorDataset(inputs, targets)
