"""Recurrent layers over a whole sequence, forward and backward, in float32.

A step is one product of the state with the weight and one pass over the gates, too little work to hand around: so all
steps run inside one kernel. Each thread owns a block of hidden units, all their gates, and the part of the weight that
belongs to them; it copies that part once, in panels as the register tile reads them (gemm.py), and finds it in its own
cache at every step. A step is a parallel region: a thread multiplies the whole state before with its part of the
weight, goes on with its units (cells.py), and waits until all have written their part of the new state.

Backward it is the same: a thread multiplies the gradients of all gates of the step that follows in time with its
columns of the weight, which gives the gradient of its units' state. The weight's gradient is one product over all rows
at the end; `before` keeps the states that each row started from for it, and is what a step reads.
"""

from typing import Any

import numpy as np
from numba import prange

from minigrad.kernels.cpu import threads
from minigrad.kernels.cpu.cells import (
    gru_cell,
    gru_cell_back,
    lstm_cell,
    lstm_cell_back,
    rnn_cell,
    rnn_cell_back,
)
from minigrad.kernels.cpu.gemm import PANEL, aligned, gemm, keep, pack, rows_of_tiles
from minigrad.kernels.cpu.intrinsics import inline, plain
from minigrad.kernels.cpu.threads import share, threaded
from minigrad.kernels.cpu.tiles import ROWS, floats_at

TANH, RELU, LSTM, GRU = 0, 1, 2, 3
BLOCK = 32  # rows that pass the weight at a time, so that their gates are still in the cache when the cell takes them
SMALLEST_PART = 1 << 17  # multiplications in a step that repay another thread

_NONE = np.empty((0, 0), np.float32)


# --------------------------------------------------------------------------------------------------------------------
# The product of a step
# --------------------------------------------------------------------------------------------------------------------
@inline
def _pack_units(weight, weight_row, transposed, gates, width, inner, panels, first, last):
    """Copy what the panels first .. last of hidden units need of the weight: `inner` rows for each gate and panel.

    Forward, unit c of gate g is row g width + c of the weight, hence `transposed`; backward, unit c is its column c.
    """
    for u in range(first, last):
        for g in range(gates):
            source = weight + (g * width + u * PANEL) * weight_row if transposed else weight + 4 * u * PANEL
            target = panels + 4 * PANEL * inner * (u * gates + g)
            pack(source, weight_row, transposed, min(PANEL, width - u * PANEL), inner, target)


@inline
def _product(rows, inner, a, panels, gates, first, last, z):
    """z[row, gate, unit] = a[row] @ weight for the hidden units of panels first .. last; z and a are contiguous."""
    span = (last - first) * PANEL
    for u in range(first, last):
        for g in range(gates):
            weight, target = panels + 4 * PANEL * inner * (u * gates + g), z + 4 * (g * span + (u - first) * PANEL)
            row = 4 * inner
            rows_of_tiles(rows, inner, a, ROWS * row, row, 4, weight, 4 * PANEL, target, 4 * gates * span, 0, 0)


@inline
def _copy(count, source, target):
    source, target = floats_at(source), floats_at(target)
    for j in range(count):
        target[j] = source[j]


# --------------------------------------------------------------------------------------------------------------------
# All steps. `steps` is the table of _steps; arrays that a kind of cell does not have are empty
# --------------------------------------------------------------------------------------------------------------------
@threaded
def _forward(kind, gates, weight, bias, steps, act, before, own, tanh_c, y, h, c, parts):
    """Fill y, before and what else the backward pass wants; h and c are the states, the first and then the last ones.

    `own` is the cell before each row (LSTM) or the state's share of its new gate (GRU).
    """
    width, count_gates = h.shape[1], gates.shape[1] // h.shape[1]
    panels = (width + PANEL - 1) // PANEL
    space = np.empty(panels * count_gates * width * PANEL + 16, np.float32)
    packed = aligned(space)
    for part in prange(parts):
        first, last = share(panels, part, parts)
        _pack_units(weight.ctypes.data, weight.strides[0], True, count_gates, width, width, packed, first, last)
    for t in range(len(steps)):  # the first round has no rows: it only hands the first states on
        for part in prange(parts):
            start, n = steps[t, 0], steps[t, 1]
            next_start, next_n = (steps[t + 1, 0], steps[t + 1, 1]) if t + 1 < len(steps) else (start, 0)
            first, last = share(panels, part, parts)
            low, span = first * PANEL, (last - first) * PANEL
            count = min(width, last * PANEL) - low
            scratch = np.empty(BLOCK * count_gates * span + 16, np.float32)
            z = aligned(scratch)
            for block in range(0, n, BLOCK):
                rows = min(BLOCK, n - block)
                a = before.ctypes.data + 4 * width * (start + block)
                _product(rows, width, a, packed, count_gates, first, last, z)
                for r in range(rows):
                    row, own_z = 4 * (start + block + r), z + 4 * count_gates * span * r
                    at, at_gates = row * width + 4 * low, row * count_gates * width + 4 * low
                    x, out = gates.ctypes.data + at_gates, y.ctypes.data + at
                    if kind == LSTM:
                        state_c = c.ctypes.data + 4 * (width * (block + r) + low)
                        lstm_cell(
                            count, width, own_z, span, x, act.ctypes.data + at_gates, own.ctypes.data + at,
                            tanh_c.ctypes.data + at, state_c, out,
                        )  # fmt: skip
                    elif kind == GRU:
                        gru_cell(
                            count, width, own_z, span, x, bias.ctypes.data + 4 * low, act.ctypes.data + at_gates,
                            own.ctypes.data + at, before.ctypes.data + at, out,
                        )  # fmt: skip
                    else:
                        rnn_cell(count, kind == RELU, own_z, x, out)
                    _copy(count, out, h.ctypes.data + 4 * (width * (block + r) + low))
            # The states that the next step starts from; backwards in time, new rows join it with their first state.
            for r in range(next_n):
                target = before.ctypes.data + 4 * (width * (next_start + r) + low)
                _copy(count, h.ctypes.data + 4 * (width * r + low), target)
            keep(scratch)
    keep(space)


@threaded
def _backward(kind, dgates, dz, weight, steps, act, before, own, tanh_c, y, dy, dh, dc, parts):
    """Fill dgates (and dz, of the state's share, where it differs: GRU); dh and dc: gradients of the last states, and
    then of the first ones."""
    width, inner = dh.shape[1], dgates.shape[1]
    panels = (width + PANEL - 1) // PANEL
    space = np.empty(panels * inner * PANEL + 16, np.float32)
    packed = aligned(space)
    for part in prange(parts):
        first, last = share(panels, part, parts)
        _pack_units(weight.ctypes.data, weight.strides[0], False, 1, width, inner, packed, first, last)
    for t in range(len(steps), 0, -1):
        for part in prange(parts):
            # What the step behind, in time the following one, sends back; then the cell of the step here.
            behind, n_behind = (steps[t, 0], steps[t, 1]) if t < len(steps) else (steps[t - 1, 0], 0)
            start, n = steps[t - 1, 0], steps[t - 1, 1]
            first, last = share(panels, part, parts)
            low, span = first * PANEL, (last - first) * PANEL
            count = min(width, last * PANEL) - low
            scratch = np.empty(BLOCK * span + 16, np.float32)
            z = aligned(scratch)
            for block in range(0, n_behind, BLOCK):
                rows = min(BLOCK, n_behind - block)
                source = dz.ctypes.data if kind == GRU else dgates.ctypes.data
                _product(rows, inner, source + 4 * inner * (behind + block), packed, 1, first, last, z)
                for r in range(rows):
                    sent = floats_at(z + 4 * span * r)
                    state = floats_at(dh.ctypes.data + 4 * (width * (block + r) + low))
                    for j in range(count):
                        state[j] = state[j] + sent[j] if kind == GRU else sent[j]
            for r in range(n):
                row, dstate = 4 * (start + r), dh.ctypes.data + 4 * (width * r + low)
                at, at_gates = row * width + 4 * low, row * inner + 4 * low
                d, dout = dgates.ctypes.data + at_gates, dy.ctypes.data + at
                if kind == LSTM:
                    lstm_cell_back(
                        count, width, d, act.ctypes.data + at_gates, own.ctypes.data + at, tanh_c.ctypes.data + at,
                        dout, dstate, dc.ctypes.data + 4 * (width * r + low),
                    )  # fmt: skip
                elif kind == GRU:
                    gru_cell_back(
                        count, width, d, dz.ctypes.data + at_gates, act.ctypes.data + at_gates, own.ctypes.data + at,
                        before.ctypes.data + at, dout, dstate,
                    )  # fmt: skip
                else:
                    rnn_cell_back(count, kind == RELU, d, y.ctypes.data + at, dout, dstate)
            keep(scratch)
    keep(space)


# --------------------------------------------------------------------------------------------------------------------
# The three cells
# --------------------------------------------------------------------------------------------------------------------
def _steps(sizes: tuple[int, ...], reverse: bool) -> np.ndarray:
    """(first row, number of rows) of every time step in the order in which they are taken, behind a step of no rows."""
    table = np.zeros((len(sizes) + 1, 2), np.int64)
    table[1:, 1] = sizes
    table[2:, 0] = np.cumsum(table[1:-1, 1])
    if reverse:
        table[1:] = table[:0:-1].copy()
    return table


def _parts(sizes: tuple[int, ...], weight: np.ndarray) -> int:
    """How many threads share the hidden units: they take whole panels."""
    batch = max(sizes, default=0)
    return min(-(-weight.shape[1] // PANEL), threads.parts(batch * weight.size, SMALLEST_PART))


def rnn_fwd(
    gates: np.ndarray, h0: np.ndarray, weight: np.ndarray, sizes: tuple[int, ...], reverse: bool, nonlinearity: str
) -> tuple[np.ndarray, np.ndarray]:
    """(outputs and last state (N + B, H), the state before each row (N, H))."""
    rows = len(gates)
    y, before = np.empty((rows + len(h0), h0.shape[1]), np.float32), np.empty(gates.shape, np.float32)
    h = y[rows:]
    h[...] = h0
    kind = TANH if nonlinearity == "tanh" else RELU
    _forward(
        _parts(sizes, weight), kind, plain(gates), plain(weight), _NONE, _steps(sizes, reverse), _NONE, before, _NONE,
        _NONE, y, h, _NONE,
    )  # fmt: skip
    return y, before


def rnn_bwd(
    dy: np.ndarray, y: np.ndarray, weight: np.ndarray, before: np.ndarray, sizes: tuple[int, ...], reverse: bool,
    nonlinearity: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """The gradients of the gates, of the first state and of the weight."""
    dgates, dh = np.empty(before.shape, np.float32), dy[len(before) :].copy()
    kind = TANH if nonlinearity == "tanh" else RELU
    dh = _run_back(kind, dgates, _NONE, weight, sizes, reverse, _NONE, before, _NONE, _NONE, y, dy, dh, _NONE)
    return dgates, dh, gemm(dgates.T, before)


def _run_back(
    kind: int, dgates: np.ndarray, dz: np.ndarray, weight: np.ndarray, sizes: tuple[int, ...], reverse: bool,
    act: np.ndarray, before: np.ndarray, own: np.ndarray, tanh_c: np.ndarray, y: np.ndarray, dy: np.ndarray,
    dh: np.ndarray, dc: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Run all steps back; returns the gradient of the first states."""
    table = _steps(sizes, reverse)
    _backward(
        _parts(sizes, weight), kind, dgates, dz, plain(weight), table, plain(act), plain(before), plain(own),
        plain(tanh_c), plain(y), plain(dy), dh, dc,
    )  # fmt: skip
    return dh


def lstm_fwd(
    gates: np.ndarray, h0: np.ndarray, c0: np.ndarray, weight: np.ndarray, sizes: tuple[int, ...], reverse: bool
) -> tuple[np.ndarray, ...]:
    """(outputs, last h and last c (N + 2 B, H); sigmoid and tanh of the gates (N, 4 H); h and c before each row and
    tanh of its new c, (N, H) each)."""
    (rows, _), (batch, width) = gates.shape, h0.shape
    y, act = np.empty((rows + 2 * batch, width), np.float32), np.empty(gates.shape, np.float32)
    h_before, c_before, tanh_c = np.empty((3, rows, width), np.float32)
    h, c = y[rows : rows + batch], y[rows + batch :]
    h[...], c[...] = h0, c0
    _forward(
        _parts(sizes, weight), LSTM, plain(gates), plain(weight), _NONE, _steps(sizes, reverse), act, h_before,
        c_before, tanh_c, y, h, c,
    )  # fmt: skip
    return y, act, h_before, c_before, tanh_c


def lstm_bwd(
    dy: np.ndarray, weight: np.ndarray, act: np.ndarray, h_before: np.ndarray, c_before: np.ndarray, tanh_c: np.ndarray,
    sizes: tuple[int, ...], reverse: bool,
) -> tuple[np.ndarray, ...]:  # fmt: skip
    """The gradients of the gates, of the first h and c, and of the weight."""
    rows, batch = len(act), (len(dy) - len(act)) // 2
    dgates = np.empty(act.shape, np.float32)
    dh, dc = dy[rows : rows + batch].copy(), dy[rows + batch :].copy()
    _run_back(LSTM, dgates, _NONE, weight, sizes, reverse, act, h_before, c_before, tanh_c, _NONE, dy, dh, dc)
    return dgates, dh, dc, gemm(dgates.T, h_before)


def gru_fwd(
    gates: np.ndarray,
    h0: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    sizes: tuple[int, ...],
    reverse: bool,
) -> tuple[Any, ...]:
    """(outputs and last h (N + B, H); r, z and n (N, 3 H); h W_n^T + b_n and h before each row, (N, H) each; whether
    there is a bias)."""
    (rows, columns), (batch, width) = gates.shape, h0.shape
    y, act = np.empty((rows + batch, width), np.float32), np.empty(gates.shape, np.float32)
    own_n, before = np.empty((2, rows, width), np.float32)
    h = y[rows:]
    h[...] = h0
    added = np.zeros((1, columns), np.float32) if bias is None else plain(bias).reshape(1, -1)
    _forward(
        _parts(sizes, weight), GRU, plain(gates), plain(weight), added, _steps(sizes, reverse), act, before, own_n,
        _NONE, y, h, _NONE,
    )  # fmt: skip
    return y, act, own_n, before, bias is not None


def gru_bwd(
    dy: np.ndarray, weight: np.ndarray, act: np.ndarray, own_n: np.ndarray, before: np.ndarray, biased: bool,
    sizes: tuple[int, ...], reverse: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """The gradients of the gates, of the first h, of the weight and of the bias."""
    dgates, dz = np.empty((2, *act.shape), np.float32)  # by the inputs' and by the state's share of the gates
    dh = dy[len(act) :].copy()
    _run_back(GRU, dgates, dz, weight, sizes, reverse, act, before, own_n, _NONE, _NONE, dy, dh, _NONE)
    return dgates, dh, gemm(dz.T, before), dz.sum(axis=0) if biased else None
