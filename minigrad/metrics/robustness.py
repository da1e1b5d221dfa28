"""How much of its accuracy a classifier keeps when its inputs are made worse."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad import autograd, creation, data as datasets, random
from minigrad.metrics.classification import Accuracy
from minigrad.metrics.validation import _as_dataset
from minigrad.nn import functional as F
from minigrad.nn.module import Module
from minigrad.tensor import Tensor


def robustness(
    model: Module,
    data: Any,
    *,
    noise: float = 0.1,
    blur: float = 1.0,
    word_dropout: float = 0.1,
    epsilon: float = 0.03,
    unknown: int = 0,
    value_range: tuple[float, float] | None = (0.0, 1.0),
    batch_size: int = 256,
    generator: random.Generator | None = None,
) -> dict[str, float]:
    """The accuracy on inputs as they are ("clean"), and on the same inputs made worse:

    "noise"          x + normal noise of standard deviation `noise`           floating inputs
    "blur"           x smoothed by a Gaussian of `blur` pixels                images (N, C, H, W)
    "gradient_sign"  x + `epsilon` sign(dL/dx), L the cross-entropy: one step of Goodfellow, Shlens and Szegedy (2015)
    "word_dropout"   each token replaced by the token `unknown` with probability `word_dropout`    integer inputs (N, T)

    Only what the inputs allow is in the answer: pixels have no words, and tokens no direction to step in. Floating
    inputs have to lie in `value_range` and are brought back into it; None for inputs without a range, such as
    normalised ones. `data`: a DataLoader, a dataset, or a pair (inputs, targets). The model is asked in eval mode and
    left as it was, its gradients too.
    """
    draw = generator or random.default_generator

    def versions(x: Tensor, y: Tensor) -> Iterator[tuple[str, Tensor]]:
        yield "clean", x
        if not x.is_floating_point():
            yield "word_dropout", _without_words(x, word_dropout, unknown, draw)
            return
        _check_range(x, value_range)
        low, high = value_range or (-math.inf, math.inf)
        disturbance = draw.normal(tuple(x.shape), std=noise, dtype=x.array.dtype)
        yield "noise", (x + creation.tensor(disturbance, device=x.device)).clamp(low, high)
        if x.ndim == 4:
            yield "blur", _blurred(x, blur).clamp(low, high)
        yield "gradient_sign", (x + epsilon * _gradient(model, x, y).sign()).clamp(low, high)

    accuracies: dict[str, Accuracy] = {}
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        for x, y in _batches(data, batch_size):
            for name, inputs in versions(x, y):
                with autograd.no_grad():
                    accuracies.setdefault(name, Accuracy()).update(model(inputs), y)
    finally:
        for module, mode in modes:
            module.training = mode
    if not accuracies:
        raise ValueError("robustness: the data are empty")
    return {name: accuracy.compute() for name, accuracy in accuracies.items()}


def _batches(data: Any, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    if isinstance(data, datasets.DataLoader):
        return iter(data)
    return iter(datasets.DataLoader(_as_dataset(data), batch_size=batch_size))


def _check_range(x: Tensor, value_range: tuple[float, float] | None) -> None:
    if value_range is None or x.numel() == 0:
        return
    low, high = x.min().item(), x.max().item()
    if not value_range[0] <= low <= high <= value_range[1]:
        raise ValueError(
            f"robustness: the inputs reach from {low:.4g} to {high:.4g}, outside value_range {value_range}: give their "
            "range, or value_range=None for inputs without one"
        )


def _gradient(model: Module, x: Tensor, y: Tensor) -> Tensor:
    """dL/dx of the cross-entropy, summed over the batch so that its size does not matter."""
    x = x.detach().requires_grad_()
    with autograd.enable_grad():
        loss = F.cross_entropy(model(x), y, reduction="sum")
        (gradient,) = autograd.grad(loss, [x])
    return gradient


def _blurred(x: Tensor, sigma: float) -> Tensor:
    """The images (N, C, H, W) smoothed along rows and columns; beyond an edge its pixels go on."""
    radius = max(1, round(3 * sigma))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weight = creation.tensor((taps / taps.sum()).astype(x.array.dtype), device=x.device)
    planes = x.reshape(-1, 1, *x.shape[2:])  # (N C, 1, H, W): each channel by itself
    with autograd.no_grad():
        planes = F.pad(planes, (radius,) * 4, mode="replicate")
        planes = F.conv2d(F.conv2d(planes, weight.view(1, 1, 1, -1)), weight.view(1, 1, -1, 1))
    return planes.reshape(x.shape)


def _without_words(tokens: Tensor, p: float, unknown: int, draw: random.Generator) -> Tensor:
    """(N, T) with each token replaced by `unknown` with probability p (as in Iyyer et al., 2015)."""
    gone = creation.tensor(draw.uniform(tuple(tokens.shape)) < p, device=tokens.device)
    return tokens.masked_fill(gone, unknown)
