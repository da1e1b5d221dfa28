"""Which inputs a score of a model depends on: input gradients, integrated gradients, Grad-CAM.

All take a model of scores (N, classes), inputs with the batch axis first, and `target`, the class whose score is asked
about: one number, one for each input, or None for the class of the highest score. The model is run in eval mode and
left as it was, its gradients too.
"""

from typing import Any

import numpy as np

from minigrad import autograd, creation
from minigrad.nn import functional as F
from minigrad.nn.module import Module
from minigrad.tensor import Tensor
from minigrad.viz.watching import in_eval_mode


def input_gradients(model: Module, x: Tensor, target: Any = None) -> Tensor:
    """d score / d x, shaped as x. (Simonyan, Vedaldi and Zisserman, arXiv:1312.6034)"""
    with in_eval_mode(model):
        x = _asked(x)
        scores = model(x)
        (gradient,) = autograd.grad(_chosen(scores, target).sum(), [x])
    return gradient


def integrated_gradients(
    model: Module, x: Tensor, target: Any = None, baseline: Tensor | float = 0.0, steps: int = 50
) -> Tensor:
    """(x - b) times the mean of the gradient on the straight way from the baseline b to x, shaped as x.

    The sum over an input is the score of x less that of b, up to the error of the midpoint rule in `steps` steps.
    (Sundararajan, Taly and Yan, arXiv:1703.01365.) ValueError for fewer than one step.
    """
    if steps < 1:
        raise ValueError(f"integrated_gradients: steps must be at least 1, got {steps}")
    x = _asked(x).detach()
    way = x - baseline
    with in_eval_mode(model):
        with autograd.no_grad():
            target = _targets(model(x), target)  # the class is that of x, all the way
        total = creation.zeros(x.shape, dtype=x.dtype, device=x.device)
        for i in range(steps):
            at = x - way * (1 - (i + 0.5) / steps)
            total = total + input_gradients(model, at, target)
    return way * total / steps


def grad_cam(model: Module, x: Tensor, layer: Module, target: Any = None) -> Tensor:
    """Where in a picture the score comes from: (N, H, W) in [0, 1], at the size of x (N, C, H, W).

    relu(sum over the channels of mean gradient times map), of the maps (N, K, h, w) that `layer` gives, brought to the
    size of x and divided by its maximum. (Selvaraju et al., arXiv:1610.02391.) ValueError where the layer is not a part
    of the model's way to the score, or gives no maps.
    """
    _check_pictures("grad_cam", x)
    kept: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, args, output: kept.append(output))
    try:
        with in_eval_mode(model), autograd.enable_grad():
            scores = model(_asked(x))
    finally:
        handle.remove()
    if not kept:
        raise ValueError(f"grad_cam: the model does not run the layer {type(layer).__name__} that was given")
    maps = kept[-1]
    if not isinstance(maps, Tensor) or maps.ndim != 4:
        given = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
        raise ValueError(f"grad_cam: the layer has to give maps (N, K, h, w), it gives {given}: take a convolution")
    (gradient,) = autograd.grad(_chosen(scores, target).sum(), [maps], allow_unused=True)
    if gradient is None:
        raise ValueError("grad_cam: the score does not depend on what the layer gives")
    with autograd.no_grad():
        weights = gradient.mean((2, 3), keepdim=True)  # (N, K, 1, 1)
        heat = (weights * maps.detach()).sum(1, keepdim=True).relu()  # (N, 1, h, w)
        heat = F.interpolate(heat, size=tuple(x.shape[2:]), mode="bilinear")[:, 0]  # (N, H, W)
        return heat / heat.amax((1, 2), keepdim=True).clamp(min=1e-12)


def _asked(x: Tensor) -> Tensor:
    """A leaf with the values of x, whose gradient is asked for."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(
            f"a gradient by the input needs a floating Tensor, got {kind}: for tokens, ask by the embedding"
        )
    return x.detach().requires_grad_()


def _targets(scores: Tensor, target: Any) -> Tensor:
    """(N,) class numbers."""
    if not isinstance(scores, Tensor) or scores.ndim != 2:
        given = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(f"the model has to give scores (N, classes), it gives {given}")
    count, classes = scores.shape
    if target is None:
        return scores.detach().argmax(1)
    numbers = creation.as_tensor(np.broadcast_to(np.asarray(getattr(target, "array", target)), (count,)).copy())
    if numbers.min() < 0 or numbers.max() >= classes:
        raise ValueError(f"target {target} is no class: the model has scores for classes 0 to {classes - 1}")
    return numbers.to(scores.device)


def _chosen(scores: Tensor, target: Any) -> Tensor:
    """(N,): the score of each input's class."""
    return scores.gather(1, _targets(scores, target).unsqueeze(1))[:, 0]


def _check_pictures(name: str, x: Any) -> None:
    if not isinstance(x, Tensor) or x.ndim != 4:
        given = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"{name}: expected pictures (N, C, H, W), got {given}")
