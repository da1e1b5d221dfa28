"""Optimizer steps and the sum of squares that gradient clipping asks for, over all parameters in one call.

A model has dozens of arrays of very different sizes. A call hands the kernel a table of their addresses and sizes; the
kernel sees them as one long sequence of numbers and cuts it into equal parts, one a thread, wherever a cut falls.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import carray, prange

from minigrad.kernels import optim_reference as reference
from minigrad.kernels.cpu import threads
from minigrad.kernels.cpu.intrinsics import f4, inline, kernel, maximum, plain
from minigrad.kernels.cpu.threads import share, threaded
from minigrad.kernels.cpu.tiles import floats_at

SMALLEST_PART = 1 << 15  # numbers that repay another thread


@kernel
def _address(x):
    """Where an array lies: 0.1 us, a tenth of what `x.ctypes.data` takes."""
    return x.ctypes.data


@inline
def _piece(address, first, last):
    return carray(floats_at(address + 4 * first), (last - first,))


@inline
def _adam_piece(p, g, m, v, shrink, l2, sign, one_minus_beta1, beta2, one_minus_beta2, step_size, correction, eps):
    for i in range(p.size):
        weight = p[i] * shrink
        gradient = g[i] * sign + weight * l2
        first = m[i] + (gradient - m[i]) * one_minus_beta1
        second = v[i] * beta2 + gradient * gradient * one_minus_beta2
        m[i] = first
        v[i] = second
        p[i] = weight - step_size * (first / (np.sqrt(second) / correction + eps))


@inline
def _amsgrad_piece(
    p, g, m, v, top, shrink, l2, sign, one_minus_beta1, beta2, one_minus_beta2, step_size, correction, eps
):
    for i in range(p.size):
        weight = p[i] * shrink
        gradient = g[i] * sign + weight * l2
        first = m[i] + (gradient - m[i]) * one_minus_beta1
        second = v[i] * beta2 + gradient * gradient * one_minus_beta2
        largest = maximum(top[i], second)
        m[i] = first
        v[i] = second
        top[i] = largest
        p[i] = weight - step_size * (first / (np.sqrt(largest) / correction + eps))


@threaded
def _adam(table, scalars, amsgrad, parts):
    """Rows of the table: addresses of p, g, m, v, top, and where the array begins and ends in the long sequence."""
    shrink, l2, sign, one_minus_beta1, beta2 = scalars[0], scalars[1], scalars[2], scalars[3], scalars[4]
    one_minus_beta2, step_size, correction, eps = scalars[5], scalars[6], scalars[7], scalars[8]
    for part in prange(parts):
        first, last = share(table[-1, 6], part, parts)
        for row in table:
            low, high = max(first, row[5]) - row[5], min(last, row[6]) - row[5]
            if low < high:
                p, g, m = _piece(row[0], low, high), _piece(row[1], low, high), _piece(row[2], low, high)
                v, top = _piece(row[3], low, high), _piece(row[4], low, high)
                if amsgrad:
                    _amsgrad_piece(
                        p, g, m, v, top, shrink, l2, sign, one_minus_beta1, beta2, one_minus_beta2, step_size,
                        correction, eps,
                    )  # fmt: skip
                else:
                    _adam_piece(
                        p, g, m, v, shrink, l2, sign, one_minus_beta1, beta2, one_minus_beta2, step_size, correction,
                        eps,
                    )  # fmt: skip


def _fits(array: np.ndarray) -> bool:
    return array.dtype == np.float32 and array.flags.carray


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
    batches: dict[float, list[tuple[np.ndarray, ...]]] = {}  # by step count: nearly always all have the same
    for i, (p, g, m, v) in enumerate(zip(params, grads, exp_avgs, exp_avg_sqs, strict=True)):
        count = step[i] if isinstance(step, Sequence) else step
        top = max_exp_avg_sqs[i] if amsgrad and max_exp_avg_sqs is not None else v
        if not (_fits(p) and _fits(m) and _fits(v) and _fits(top)) or g.dtype != np.float32:
            reference.adam_update(
                [p], [g], [m], [v], [top], eps=eps, step=count, maximize=maximize, amsgrad=amsgrad, **options
            )
        elif p.size:
            batches.setdefault(count, []).append((p, plain(g), m, v, top))
    for count, rows in batches.items():
        shrink, l2, step_size, correction = reference.adam_scalars(count, **options)
        sign = -1.0 if maximize else 1.0
        scalars = (shrink, l2, sign, 1.0 - beta1, beta2, 1.0 - beta2, step_size, correction, eps)
        table = _table(rows)
        parts = threads.parts(int(table[-1, -1]), SMALLEST_PART)
        _adam(parts, table, tuple(f4(s) for s in scalars), bool(amsgrad))


@threaded
def _sgd(table, scalars, first_step, nesterov, parts):
    """Rows of the table: addresses of p, g and b (that of p without momentum), and the array's begin and end."""
    lr, momentum, keep, weight_decay, sign = scalars
    for part in prange(parts):
        first, last = share(table[-1, 4], part, parts)
        for row in table:
            low, high = max(first, row[3]) - row[3], min(last, row[4]) - row[3]
            if low < high:
                p, g, b = _piece(row[0], low, high), _piece(row[1], low, high), _piece(row[2], low, high)
                if momentum == f4(0.0):
                    for i in range(p.size):
                        p[i] -= lr * (g[i] * sign + p[i] * weight_decay)
                else:
                    for i in range(p.size):
                        gradient = g[i] * sign + p[i] * weight_decay
                        moving = gradient if first_step else b[i] * momentum + gradient * keep
                        b[i] = moving
                        p[i] -= lr * (gradient + moving * momentum if nesterov else moving)


def sgd_update(
    params: Sequence[np.ndarray],
    grads: Sequence[np.ndarray],
    momentum_buffers: Sequence[np.ndarray] | None,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """optim_reference.sgd_update; an array that is not contiguous float32 is left to that."""
    buffers = params if momentum_buffers is None else momentum_buffers
    rows = []
    for p, g, b in zip(params, grads, buffers, strict=True):
        if not (_fits(p) and (b is p or _fits(b))) or g.dtype != np.float32:
            reference.sgd_update(
                [p], [g], None if momentum_buffers is None else [b], lr=lr, momentum=momentum, dampening=dampening,
                weight_decay=weight_decay, nesterov=nesterov, maximize=maximize, first=first,
            )  # fmt: skip
        elif p.size:
            rows.append((p, plain(g), b))
    if rows:
        table, sign = _table(rows), -1.0 if maximize else 1.0
        scalars = (f4(lr), f4(momentum), f4(1 - dampening), f4(weight_decay), f4(sign))
        _sgd(threads.parts(int(table[-1, -1]), SMALLEST_PART), table, scalars, bool(first), bool(nesterov))


@threaded
def _rmsprop(table, scalars, centered, moving, parts):
    """Rows of the table: addresses of p, g, s, a and b (of s where they are not used), the array's begin and end."""
    lr, alpha, one_minus_alpha, eps, weight_decay, momentum, sign = scalars
    for part in prange(parts):
        first, last = share(table[-1, 6], part, parts)
        for row in table:
            low, high = max(first, row[5]) - row[5], min(last, row[6]) - row[5]
            if low < high:
                p, g, s = _piece(row[0], low, high), _piece(row[1], low, high), _piece(row[2], low, high)
                a, b = _piece(row[3], low, high), _piece(row[4], low, high)
                for i in range(p.size):
                    gradient = g[i] * sign + p[i] * weight_decay
                    spread = s[i] * alpha + one_minus_alpha * gradient * gradient
                    s[i] = spread
                    if centered:
                        mean = a[i] + one_minus_alpha * (gradient - a[i])
                        a[i] = mean
                        spread -= mean * mean
                    step = gradient / (np.sqrt(spread) + eps)
                    if moving:
                        step += b[i] * momentum
                        b[i] = step
                    p[i] -= lr * step


def rmsprop_update(
    params: Sequence[np.ndarray],
    grads: Sequence[np.ndarray],
    square_avgs: Sequence[np.ndarray],
    grad_avgs: Sequence[np.ndarray] | None,
    momentum_buffers: Sequence[np.ndarray] | None,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """optim_reference.rmsprop_update; an array that is not contiguous float32 is left to that."""
    rows = []
    for i, (p, g, s) in enumerate(zip(params, grads, square_avgs, strict=True)):
        a = s if grad_avgs is None else grad_avgs[i]
        b = s if momentum_buffers is None else momentum_buffers[i]
        if not (_fits(p) and _fits(s) and _fits(a) and _fits(b)) or g.dtype != np.float32:
            reference.rmsprop_update(
                [p], [g], [s], None if grad_avgs is None else [a], None if momentum_buffers is None else [b], lr=lr,
                alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, maximize=maximize,
            )  # fmt: skip
        elif p.size:
            rows.append((p, plain(g), s, a, b))
    if rows:
        table, sign = _table(rows), -1.0 if maximize else 1.0
        scalars = tuple(f4(x) for x in (lr, alpha, 1 - alpha, eps, weight_decay, momentum, sign))
        parts = threads.parts(int(table[-1, -1]), SMALLEST_PART)
        _rmsprop(parts, table, scalars, grad_avgs is not None, momentum_buffers is not None)


@threaded
def _adagrad(table, rates, scalars, parts):
    """Rows of the table: addresses of p, g and s, and the array's begin and end; `rates`: the rate of each array."""
    eps, weight_decay, sign = scalars
    for part in prange(parts):
        first, last = share(table[-1, 4], part, parts)
        for k in range(len(table)):
            row, rate = table[k], rates[k]
            low, high = max(first, row[3]) - row[3], min(last, row[4]) - row[3]
            if low < high:
                p, g, s = _piece(row[0], low, high), _piece(row[1], low, high), _piece(row[2], low, high)
                for i in range(p.size):
                    gradient = g[i] * sign + p[i] * weight_decay
                    total = s[i] + gradient * gradient
                    s[i] = total
                    p[i] -= rate * gradient / (np.sqrt(total) + eps)


def adagrad_update(
    params: Sequence[np.ndarray],
    grads: Sequence[np.ndarray],
    sums: Sequence[np.ndarray],
    *,
    steps: Sequence[float],
    lr: float,
    lr_decay: float,
    weight_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """optim_reference.adagrad_update; an array that is not contiguous float32 is left to that."""
    rows, rates = [], []
    for p, g, s, step in zip(params, grads, sums, steps, strict=True):
        if not (_fits(p) and _fits(s)) or g.dtype != np.float32:
            reference.adagrad_update(
                [p], [g], [s], steps=[step], lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps,
                maximize=maximize,
            )  # fmt: skip
        elif p.size:
            rows.append((p, plain(g), s))
            rates.append(lr / (1 + (step - 1) * lr_decay))
    if rows:
        table = _table(rows)
        scalars = (f4(eps), f4(weight_decay), f4(-1.0 if maximize else 1.0))
        _adagrad(threads.parts(int(table[-1, -1]), SMALLEST_PART), table, np.array(rates, np.float32), scalars)


def _table(rows: Sequence[tuple[np.ndarray, ...]]) -> np.ndarray:
    """For each row of arrays of one size: their addresses, and the first and last place in the sequence of all."""
    table: list[int] = []
    end = 0
    for arrays in rows:
        size = arrays[0].size
        table += [_address(a) for a in arrays]
        table += (end, end + size)
        end += size
    return np.array(table, np.int64).reshape(len(rows), -1)  # a flat list is read in half the time of a list of lists


@threaded
def _sum_of_squares(table, sums, parts):
    for part in prange(parts):
        first, last = share(table[-1, 2], part, parts)
        total = 0.0
        for row in table:
            low, high = max(first, row[1]) - row[1], min(last, row[2]) - row[1]
            if low < high:
                x = _piece(row[0], low, high)
                for i in range(x.size):
                    value = np.float64(x[i])
                    total += value * value
        sums[part] = total


def sum_of_squares(arrays: Sequence[np.ndarray]) -> float:
    """Over float32 arrays, accumulated in float64: neither their length nor entries up to 3e38 cost digits."""
    rows = [(plain(x),) for x in arrays if x.size]
    if not rows:
        return 0.0
    table = _table(rows)
    parts = threads.parts(int(table[-1, -1]), SMALLEST_PART)
    sums = np.empty(parts)
    _sum_of_squares(parts, table, sums)
    return float(sums.sum())


@threaded
def _scale(table, factor, parts):
    for part in prange(parts):
        first, last = share(table[-1, 2], part, parts)
        for row in table:
            low, high = max(first, row[1]) - row[1], min(last, row[2]) - row[1]
            if low < high:
                x = _piece(row[0], low, high)
                for i in range(x.size):
                    x[i] *= factor


def scale(arrays: Sequence[np.ndarray], factor: float) -> None:
    """Multiply contiguous float32 arrays in place."""
    rows = [(x,) for x in arrays if x.size]
    if rows:
        table = _table(rows)
        _scale(threads.parts(int(table[-1, -1]), SMALLEST_PART), table, f4(factor))
