"""Recurrent layers: one op runs a whole sequence through tanh, LSTM or GRU cells.

The inputs' share of the gates, x W_ih^T + b for all time steps at once, comes in as `gates`; what is left to a step is
the state's share, h W_hh^T, and the cell. The rows of `gates` are those of a packed sequence: `sizes[t]` of them for
time step t, never more than for the step before, so that the sequences are sorted from long to short and step t goes on
with the first `sizes[t]` states. (A batch of equal lengths has `sizes` B, B, ..., B.) `reverse` takes the last step
first.

Each op gives the new h of every row, in the order of the rows, and below them the states that are left at the end: one
array, so that one gradient comes back. The kernels keep the gates of all steps and multiply into the gradient of W_hh
once, after the last step, instead of adding up a matrix a step.
"""

from collections.abc import Callable
from typing import Any

from minigrad.backend import kernels_of
from minigrad.op import fused
from minigrad.ops.activation import relu
from minigrad.ops.linalg import matmul, mT
from minigrad.ops.shape import cat_arrays
from minigrad.ops.transcendental import (
    sigmoid,
    tanh,
)


def time_steps(sizes: tuple[int, ...], reverse: bool) -> list[tuple[int, int]]:
    """(first row, number of rows) of every time step, in the order in which the steps are taken."""
    places, start = [], 0
    for n in sizes:
        places.append((start, n))
        start += n
    return places[::-1] if reverse else places


def run_cells(cell: Callable, gates: Any, states: list, sizes: tuple[int, ...], reverse: bool) -> Any:
    """cell(gates of a step, *states) -> new states, over all steps; states that a step leaves alone stay."""
    outputs, states = _steps(cell, gates, states, sizes, reverse)
    return cat_arrays(*outputs, *states, axis=0)


def _steps(
    cell: Callable, gates: Any, states: list, sizes: tuple[int, ...], reverse: bool
) -> tuple[list[Any], list[Any]]:
    """The first new state of every step, in the order of the rows, and all states after the last."""
    outputs = {}
    for start, n in time_steps(sizes, reverse):
        fresh = cell(gates[start : start + n], *[state[:n] for state in states])
        outputs[start] = fresh[0]
        states = [
            new if new.shape[0] == old.shape[0] else cat_arrays(new, old[n:], axis=0)
            for new, old in zip(fresh, states, strict=True)
        ]
    return [outputs[start] for start in sorted(outputs)], states


def part(gates: Any, i: int, width: int) -> Any:
    """The columns of gate number i."""
    return gates[:, i * width : (i + 1) * width]


# ---------------------------------------------------------------- the plain recurrence


def rnn_reference(gates, h, weight, *, sizes, reverse, nonlinearity):
    activation, weight = {"tanh": tanh, "relu": relu}[nonlinearity], mT(weight)

    def cell(x, h):
        return (activation(x + matmul(h, weight)),)

    return run_cells(cell, gates, [h], sizes, reverse)


@fused(reference=rnn_reference)
def rnn(gates, h, weight, *, sizes, reverse, nonlinearity):
    """h' = tanh(x + h W^T), or relu of it: gates (N, H), h (B, H), weight (H, H) -> the new h of each row, and the last
    h, (N + B, H). Source: Elman, "Finding structure in time" (1990).
    """
    y, before = kernels_of(gates).rnn_fwd(gates, h, weight, sizes, reverse, nonlinearity)
    return y, (before,)


@rnn.vjp
def rnn_vjp(dy, y, weight, residuals, sizes, reverse, nonlinearity):
    return kernels_of(dy).rnn_bwd(dy, y, weight, *residuals, sizes, reverse, nonlinearity)


# ---------------------------------------------------------------- LSTM


def lstm_reference(gates, h, c, weight, *, sizes, reverse):
    width, weight = h.shape[1], mT(weight)

    def cell(x, h, c):
        x = x + matmul(h, weight)
        i, f, o = (sigmoid(part(x, k, width)) for k in (0, 1, 3))
        c = f * c + i * tanh(part(x, 2, width))
        return o * tanh(c), c

    return run_cells(cell, gates, [h, c], sizes, reverse)


@fused(reference=lstm_reference)
def lstm(gates, h, c, weight, *, sizes, reverse):
    """Long short-term memory: gates (N, 4 H), h and c (B, H), weight (4 H, H) -> (N + 2 B, H): h of each row, last h,
    last c.

        i, f, g, o = the quarters of x + h W^T        c' = sigmoid(f) c + sigmoid(i) tanh(g)
                                                      h' = sigmoid(o) tanh(c')

    Sources: Hochreiter and Schmidhuber (1997); the forget gate f: Gers, Schmidhuber and Cummins (2000).
    """
    y, *residuals = kernels_of(gates).lstm_fwd(gates, h, c, weight, sizes, reverse)
    return y, tuple(residuals)


@lstm.vjp
def lstm_vjp(dy, weight, residuals, sizes, reverse):
    return kernels_of(dy).lstm_bwd(dy, weight, *residuals, sizes, reverse)


def projected_lstm(
    gates: Any, h: Any, c: Any, weight: Any, projection: Any, *, sizes: tuple[int, ...], reverse: bool
) -> tuple[Any, list[Any]]:
    """An LSTM whose h is W_hr (sigmoid(o) tanh(c')): h (B, P), weight (4 H, P), projection (P, H), c (B, H) and gates
    (N, 4 H) -> h of each row (N, P), and the last h and c. Source: Sak, Senior and Beaufays (2014), arXiv:1402.1128.
    """
    width, weight, projection = c.shape[1], mT(weight), mT(projection)

    def cell(x, h, c):
        x = x + matmul(h, weight)
        i, f, o = (sigmoid(part(x, k, width)) for k in (0, 1, 3))
        c = f * c + i * tanh(part(x, 2, width))
        return matmul(o * tanh(c), projection), c

    outputs, states = _steps(cell, gates, [h, c], sizes, reverse)
    return cat_arrays(*outputs, axis=0), states


# ---------------------------------------------------------------- GRU


def gru_reference(gates, h, weight, bias, *, sizes, reverse):
    width, weight = h.shape[1], mT(weight)

    def cell(x, h):
        own = matmul(h, weight)
        own = own if bias is None else own + bias
        r, z = (sigmoid(part(x, k, width) + part(own, k, width)) for k in (0, 1))
        n = tanh(part(x, 2, width) + r * part(own, 2, width))
        return (n + z * (h - n),)

    return run_cells(cell, gates, [h], sizes, reverse)


@fused(reference=gru_reference)
def gru(gates, h, weight, bias, *, sizes, reverse):
    """Gated recurrent unit: gates (N, 3 H), h (B, H), weight (3 H, H), bias (3 H,) or None -> (N + B, H): h of each
    row, last h.

        r, z = sigmoid of two thirds of x + (h W^T + b)        n = tanh(x_n + r (h W_n^T + b_n))
        h' = (1 - z) n + z h

    The reset gate r acts after the product with W_n, where the paper has it before. Source: arXiv:1406.1078.
    """
    y, *residuals = kernels_of(gates).gru_fwd(gates, h, weight, bias, sizes, reverse)
    return y, tuple(residuals)


@gru.vjp
def gru_vjp(dy, weight, residuals, sizes, reverse):
    return kernels_of(dy).gru_bwd(dy, weight, *residuals, sizes, reverse)
