"""Optimizer steps in plain array code: the definition that every compiled step is compared with."""

import math
from collections.abc import Sequence
from typing import Any


def sum_of_squares(arrays: Sequence[Any]) -> float:
    """The sum of the squares of all entries of all arrays, accumulated in float64."""
    total = 0.0
    for array in arrays:
        wide = array.astype("float64").reshape(-1)
        total += float(wide @ wide)
    return total


def scale(arrays: Sequence[Any], factor: float) -> None:
    """Multiply every array by a number, in place."""
    for array in arrays:
        array *= array.dtype.type(factor)


def total_norm(arrays: Sequence[Any]) -> Any:
    """The root of the sum of the squares of all entries of all arrays, where they are: a 0-d array on their device."""
    squares = [(wide * wide).sum() for wide in (array.astype("float64") for array in arrays)]
    return (sum(squares[1:], squares[0]) ** 0.5).astype(arrays[0].dtype)


def scale_by(arrays: Sequence[Any], factor: Any) -> None:
    """Multiply every array, in place, by a 0-d array on their device."""
    for array in arrays:
        array *= factor.astype(array.dtype)


def adam_scalars(
    step: Any, *, lr: Any, beta1: float, beta2: float, weight_decay: float, decoupled: bool
) -> tuple[Any, float, Any, Any]:
    """What a step needs besides the arrays: (shrink factor of p, L2 factor, step size, sqrt of bias correction 2).

    `step` and `lr` are numbers, or 0-d arrays in device memory, which then stay there.
    """
    step = wide(step)
    shrink = 1.0 - lr * weight_decay if decoupled and weight_decay else 1.0
    correction = 1.0 - beta2**step
    root = math.sqrt(correction) if isinstance(correction, float) else correction**0.5
    return shrink, 0.0 if decoupled else float(weight_decay), lr / (1.0 - beta1**step), root


def wide(value: Any) -> Any:
    """A number as it is; a 0-d array in float64, in which Python's numbers are, too."""
    return value.astype("float64") if hasattr(value, "astype") else value


def fitted(value: Any, array: Any) -> Any:
    """A number as it is; a 0-d array in the dtype of the array it is to be multiplied with, which it would widen."""
    return value.astype(array.dtype) if hasattr(value, "astype") else value


def count_up(steps: Sequence[Any]) -> None:
    """Add one to each of the 0-d arrays, in place."""
    for step in steps:
        step += 1


def adam_update(
    params: Sequence[Any],
    grads: Sequence[Any],
    exp_avgs: Sequence[Any],
    exp_avg_sqs: Sequence[Any],
    max_exp_avg_sqs: Sequence[Any] | None,
    *,
    lr: Any,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    step: Any,
    maximize: bool = False,
    amsgrad: bool = False,
) -> None:
    """One step of Adam, in place, on lists of arrays of any floating dtype; `step` counts from 1, alike or per array.
    Here as below `step` and `lr` may be 0-d arrays in the memory of the device.

        g = -g if maximize
        p = p (1 - lr wd)                    decoupled (AdamW);   else   g = g + wd p
        m = m + (1 - beta1) (g - m)          v = beta2 v + (1 - beta2) g^2
        w = max of all v so far              amsgrad;             else   w = v
        p = p - lr / (1 - beta1^t) * m / (sqrt(w) / sqrt(1 - beta2^t) + eps)

    Sources: Kingma & Ba 2015 (Adam), Reddi et al. 2018 (amsgrad), Loshchilov & Hutter 2019 (AdamW).
    """
    for i, (p, g, m, v) in enumerate(zip(params, grads, exp_avgs, exp_avg_sqs, strict=True)):
        count = step[i] if isinstance(step, Sequence) else step
        shrink, l2, step_size, root_correction = adam_scalars(
            count, lr=lr, beta1=beta1, beta2=beta2, weight_decay=weight_decay, decoupled=decoupled
        )
        step_size, root_correction = fitted(step_size, p), fitted(root_correction, p)
        if maximize:
            g = -g
        if decoupled and weight_decay:
            p[...] = p * fitted(shrink, p)
        if l2 != 0.0:
            g = g + p * l2
        m[...] = m + (g - m) * (1.0 - beta1)
        v[...] = v * beta2 + g * g * (1.0 - beta2)
        top = v
        if amsgrad:
            assert max_exp_avg_sqs is not None, "amsgrad needs max_exp_avg_sqs"
            top = max_exp_avg_sqs[i]
            # NumPy and CuPy have no maximum operator; where v is NaN the comparison is false, and NaN must stay.
            keep = top >= v
            top[...] = top * keep + v * ~keep
        p[...] = p - m / (top**0.5 / root_correction + eps) * step_size


def sgd_update(
    params: Sequence[Any],
    grads: Sequence[Any],
    momentum_buffers: Sequence[Any] | None,
    *,
    lr: Any,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """One step of SGD, in place, on lists of arrays; the buffers are None without momentum.

    g = -g if maximize               the direction that lowers the objective is -g
    g = g + wd p                     the gradient of wd / 2 |p|^2
    b = g                            `first`: the first gradient is not dampened
    b = momentum b + (1 - d) g       after it
    p = p - lr (g + momentum b)      nesterov;   else   p = p - lr b;   without momentum   p = p - lr g
    """
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        if maximize:
            g = -g
        if weight_decay:
            g = g + p * weight_decay
        if momentum:
            assert momentum_buffers is not None, "momentum needs buffers"
            b = momentum_buffers[i]
            b[...] = g if first else b * momentum + g * (1 - dampening)
            g = g + b * momentum if nesterov else b
        p -= g * fitted(lr, p)


def rmsprop_update(
    params: Sequence[Any],
    grads: Sequence[Any],
    square_avgs: Sequence[Any],
    grad_avgs: Sequence[Any] | None,
    momentum_buffers: Sequence[Any] | None,
    *,
    lr: Any,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """One step of RMSprop, in place, on lists of arrays; `grad_avgs` is None unless centered, the buffers are without
    momentum.

    g = -g if maximize                  g = g + wd p
    s = alpha s + (1 - alpha) g^2       a = a + (1 - alpha) (g - a)          centered
    u = g / (sqrt(s) + eps)             u = g / (sqrt(s - a^2) + eps)        centered
    p = p - lr u                        b = momentum b + u,  p = p - lr b    with momentum
    """
    for i, (p, g, s) in enumerate(zip(params, grads, square_avgs, strict=True)):
        if maximize:
            g = -g
        if weight_decay:
            g = g + weight_decay * p
        s *= alpha
        s += (1 - alpha) * g * g
        if grad_avgs is None:
            denominator = s**0.5
        else:
            grad_avgs[i][...] += (1 - alpha) * (g - grad_avgs[i])
            denominator = (s - grad_avgs[i] * grad_avgs[i]) ** 0.5  # the standard deviation of g
        denominator += eps
        if momentum_buffers is None:
            p -= fitted(lr, p) * g / denominator
        else:
            momentum_buffers[i][...] = momentum * momentum_buffers[i] + g / denominator
            p -= fitted(lr, p) * momentum_buffers[i]


def adagrad_update(
    params: Sequence[Any],
    grads: Sequence[Any],
    sums: Sequence[Any],
    *,
    steps: Sequence[Any],
    lr: Any,
    lr_decay: float,
    weight_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """One step of Adagrad, in place, on lists of arrays; `steps` count from 1, one for each array.

    g = -g if maximize                  g = g + wd p
    s = s + g^2                         p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)
    """
    for p, g, s, step in zip(params, grads, sums, steps, strict=True):
        if maximize:
            g = -g
        if weight_decay:
            g = g + weight_decay * p
        s += g * g
        denominator = s**0.5
        denominator += eps
        p -= fitted(lr / (1 + (wide(step) - 1) * lr_decay), p) * g / denominator
