"""The table of ops, recurrent layers: sequences of equal and of falling numbers of rows, from both ends.

The oracles go one row of the batch at a time, cell by cell, as the formulas are printed in textbooks.
"""

from typing import Any

import numpy as np
from case import Case

from minigrad import ops


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def sequences(gates: Any, sizes: tuple[int, ...], reverse: bool, states: list, cell: Any) -> Any:
    """Row b of the batch: its own gates, one after another; then the outputs go back to their places."""
    starts = np.cumsum((0, *sizes))[:-1]
    y = np.zeros((len(gates), states[0].shape[1]))
    lasts = [state.copy() for state in states]
    for b in range(states[0].shape[0]):
        rows = [start + b for start, n in zip(starts, sizes, strict=True) if b < n]
        for row in rows[::-1] if reverse else rows:
            new = cell(gates[row], *[last[b] for last in lasts])
            for last, value in zip(lasts, new, strict=True):
                last[b] = value
            y[row] = new[0]
    return np.concatenate([y, *lasts])


def rnn(gates: Any, h: Any, weight: Any, sizes: tuple[int, ...], reverse: bool, nonlinearity: str) -> Any:
    def cell(x: Any, h: Any) -> Any:
        x = x + weight @ h
        return (np.tanh(x) if nonlinearity == "tanh" else np.maximum(x, 0),)

    return sequences(gates, sizes, reverse, [h], cell)


def lstm(gates: Any, h: Any, c: Any, weight: Any, sizes: tuple[int, ...], reverse: bool) -> Any:
    def cell(x: Any, h: Any, c: Any) -> Any:
        i, f, g, o = np.split(x + weight @ h, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    return sequences(gates, sizes, reverse, [h, c], cell)


def gru(gates: Any, h: Any, weight: Any, bias: Any = 0.0, *, sizes: tuple[int, ...], reverse: bool) -> Any:
    def cell(x: Any, h: Any) -> Any:
        (xr, xz, xn), (hr, hz, hn) = np.split(x, 3), np.split(weight @ h + bias, 3)
        z = sigmoid(xz + hz)
        return ((1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h,)

    return sequences(gates, sizes, reverse, [h], cell)


def gru_of(gates: Any, h: Any, weight: Any, bias: Any = None, **params: Any) -> Any:
    return ops.gru(gates, h, weight, bias, **params)


SIZES = {"equal": (2, 2, 2), "falling": (3, 2, 2, 1), "one step": (2,), "no batch": (0, 0)}
CASES: list[Case] = []
for kind, sizes in SIZES.items():
    for reverse in (False, True):
        rows, batch, note = sum(sizes), sizes[0], f"{kind}{', reverse' * reverse}"
        params: dict[str, Any] = {"sizes": sizes, "reverse": reverse}
        state, narrow = (batch, 2), {"low": -1.0, "high": 1.0}
        CASES += [
            Case("rnn", ops.rnn, ((rows, 2), state, (2, 2)), {**params, "nonlinearity": "tanh"}, oracle=rnn, note=note,
                 **narrow),
            Case("lstm", ops.lstm, ((rows, 8), state, state, (8, 2)), params, oracle=lstm, note=note, **narrow),
            Case("gru", gru_of, ((rows, 6), state, (6, 2), (6,)), params, oracle=gru, note=note, **narrow),
        ]  # fmt: skip


def far_from_zero(rng: np.random.Generator) -> Any:
    """Gates further from relu's kink than a step can move them: weights are below 0.05, states below 1.1."""
    return rng.uniform(0.5, 0.9, (5, 2)) * rng.choice([-1.0, 1.0], (5, 2))


def small(rng: np.random.Generator) -> Any:
    return rng.uniform(-0.05, 0.05, (2, 2))


CASES += [
    Case("rnn", ops.rnn, (far_from_zero, lambda rng: rng.uniform(0, 1, (3, 2)), small),
         {"sizes": (3, 1, 1), "reverse": False, "nonlinearity": "relu"}, oracle=rnn, note="relu"),
    Case("gru", gru_of, ((4, 6), (2, 2), (6, 2)), {"sizes": (2, 2), "reverse": False}, oracle=gru, note="no bias"),
]  # fmt: skip
