"""One pass over memory for an optimizer step, and the sum of squares that gradient clipping asks for."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.kernels import optim_reference as reference
from minigrad.kernels.cpu.intrinsics import f4, kernel, maximum, plain


@kernel
def _adam(p, g, m, v, shrink, l2, sign, one_minus_beta1, beta2, one_minus_beta2, step_size, root_correction, eps):
    shrink, l2, sign, step_size = f4(shrink), f4(l2), f4(sign), f4(step_size)
    one_minus_beta1, beta2, one_minus_beta2 = f4(one_minus_beta1), f4(beta2), f4(one_minus_beta2)
    root_correction, eps = f4(root_correction), f4(eps)
    for i in range(p.size):
        weight = p[i] * shrink
        gradient = g[i] * sign + weight * l2
        first = m[i] + (gradient - m[i]) * one_minus_beta1
        second = v[i] * beta2 + gradient * gradient * one_minus_beta2
        m[i] = first
        v[i] = second
        p[i] = weight - step_size * (first / (np.sqrt(second) / root_correction + eps))


@kernel
def _adam_amsgrad(
    p, g, m, v, top, shrink, l2, sign, one_minus_beta1, beta2, one_minus_beta2, step_size, root_correction, eps
):
    shrink, l2, sign, step_size = f4(shrink), f4(l2), f4(sign), f4(step_size)
    one_minus_beta1, beta2, one_minus_beta2 = f4(one_minus_beta1), f4(beta2), f4(one_minus_beta2)
    root_correction, eps = f4(root_correction), f4(eps)
    for i in range(p.size):
        weight = p[i] * shrink
        gradient = g[i] * sign + weight * l2
        first = m[i] + (gradient - m[i]) * one_minus_beta1
        second = v[i] * beta2 + gradient * gradient * one_minus_beta2
        largest = maximum(top[i], second)
        m[i] = first
        v[i] = second
        top[i] = largest
        p[i] = weight - step_size * (first / (np.sqrt(largest) / root_correction + eps))


def _fits(array: np.ndarray) -> bool:
    return array.dtype == np.float32 and array.flags.carray


# A loop over tensors in Python: a call costs 0.5 us, and the four flat views 0.5 us more. One call for all tensors with
# a table of addresses was slower: NumPy takes 1.5 us to tell an address, four times a tensor.
def adam_update(
    params: Sequence[np.ndarray],
    grads: Sequence[np.ndarray],
    exp_avgs: Sequence[np.ndarray],
    exp_avg_sqs: Sequence[np.ndarray],
    max_exp_avg_sqs: Sequence[np.ndarray] | None,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    step: float | Sequence[float],
    maximize: bool = False,
    amsgrad: bool = False,
) -> None:
    """optim_reference.adam_update; an array that is not contiguous float32 is left to that."""
    options: dict[str, Any] = {"lr": lr, "beta1": beta1, "beta2": beta2, "weight_decay": weight_decay}
    options["decoupled"] = decoupled
    sign, scalars, count = -1.0 if maximize else 1.0, None, None
    for i, (p, g, m, v) in enumerate(zip(params, grads, exp_avgs, exp_avg_sqs, strict=True)):
        own_count = step[i] if isinstance(step, Sequence) else step
        top = max_exp_avg_sqs[i] if amsgrad and max_exp_avg_sqs is not None else v
        if not (_fits(p) and _fits(m) and _fits(v) and _fits(top)) or g.dtype != np.float32:
            reference.adam_update(
                [p], [g], [m], [v], [top], eps=eps, step=own_count, maximize=maximize, amsgrad=amsgrad, **options
            )
            continue
        if scalars is None or own_count != count:
            count = own_count
            shrink, l2, step_size, root_correction = reference.adam_scalars(count, **options)
            scalars = (shrink, l2, sign, 1.0 - beta1, float(beta2), 1.0 - beta2, step_size, root_correction, float(eps))
        g = plain(g)
        if p.ndim != 1:
            p, g, m, v, top = p.reshape(-1), g.reshape(-1), m.reshape(-1), v.reshape(-1), top.reshape(-1)
        if amsgrad:
            _adam_amsgrad(p, g, m, v, top, *scalars)
        else:
            _adam(p, g, m, v, *scalars)


@kernel
def _sum_of_squares(x):
    total = 0.0
    for i in range(x.size):
        value = np.float64(x[i])
        total += value * value
    return total


def sum_of_squares(x: np.ndarray) -> float:
    """Accumulated in float64: neither the length of x nor entries up to 3e38 cost digits."""
    return _sum_of_squares(plain(x).reshape(-1))
