"""Recurrent layers over a whole sequence, forward and backward, in float32.

Each step is one product with the weight and one compiled pass over the gates. A step has few rows, so the weight is
turned once for all steps: what the product reads then lies as it is read. The states live where
their last values are wanted, in the rows below the outputs; `before` keeps the states that each row started from, so
that the weight's gradient is one product over all rows at the end.
"""

from typing import Any

import numpy as np

from minigrad.kernels.cpu.gemm import gemm
from minigrad.kernels.cpu.intrinsics import exp, f4, inline, kernel, plain

SMALLEST_PRODUCT = 1 << 18  # multiplications; below, NumPy's call is as fast

# tanh(x) / x - 1 as x^2 times a polynomial in x^2 for |x| < 0.625: a least-squares fit of our own, 5e-9 relative.
_T0, _T1, _T2 = f4(-0.33333282880457), f4(0.13331464531442), f4(-0.0537413978329)
_T3, _T4 = f4(0.02064412804919), f4(-0.00571021783409)
_NEAR, _ONE, _TWO = f4(0.625), f4(1.0), f4(2.0)


@inline
def _sigmoid(x):
    return _ONE / (_ONE + exp(-x))


@inline
def _tanh(x):
    z = x * x
    near = x + x * z * (_T0 + z * (_T1 + z * (_T2 + z * (_T3 + z * _T4))))
    far = _ONE - _TWO / (_ONE + exp(_TWO * x))
    return near if abs(x) < _NEAR else far


def _steps(sizes: tuple[int, ...], reverse: bool) -> list[tuple[int, int, int]]:
    """(first row, row after the last, number of rows) of every time step, in the order in which they are taken."""
    places, start = [], 0
    for n in sizes:
        places.append((start, start + n, n))
        start += n
    return places[::-1] if reverse else places


def _product(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """a @ b, by our own product where it is not small."""
    return gemm(a, b, None, out) if a.size * b.shape[1] >= SMALLEST_PRODUCT else np.matmul(a, b, out=out)


def _turned(weight: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(weight.T)


# --------------------------------------------------------------------------------------------------------------------
# The plain recurrence
# --------------------------------------------------------------------------------------------------------------------
def rnn_fwd(
    gates: np.ndarray, h0: np.ndarray, weight: np.ndarray, sizes: tuple[int, ...], reverse: bool, nonlinearity: str
) -> tuple[np.ndarray, np.ndarray]:
    """(outputs and last state (N + B, H), the state before each row (N, H))."""
    rows = len(gates)
    y, before = np.empty((rows + len(h0), h0.shape[1]), np.float32), np.empty(gates.shape, np.float32)
    h, turned = y[rows:], _turned(weight)
    h[...] = h0
    for start, stop, n in _steps(sizes, reverse):
        before[start:stop] = h[:n]
        x = y[start:stop]
        _product(h[:n], turned, x)
        x += gates[start:stop]
        np.tanh(x, out=x) if nonlinearity == "tanh" else np.maximum(x, 0, out=x)
        h[:n] = x
    return y, before


def rnn_bwd(
    dy: np.ndarray, y: np.ndarray, weight: np.ndarray, before: np.ndarray, sizes: tuple[int, ...], reverse: bool,
    nonlinearity: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """The gradients of the gates, of the first state and of the weight."""
    rows = len(before)
    dgates, dh = np.empty(before.shape, np.float32), dy[rows:].copy()
    out = y[:rows]
    slope = 1 - out * out if nonlinearity == "tanh" else (out > 0).astype(np.float32)
    for start, stop, n in reversed(_steps(sizes, reverse)):
        d = dgates[start:stop]
        np.add(dh[:n], dy[start:stop], out=d)
        d *= slope[start:stop]
        _product(d, weight, dh[:n])
    return dgates, dh, _product(dgates.T, before)


# --------------------------------------------------------------------------------------------------------------------
# LSTM
# --------------------------------------------------------------------------------------------------------------------
@kernel
def _lstm_step(act, gates, h_before, c_before, tanh_c, y, h, c, start, n):
    width = h.shape[1]
    for row in range(n):
        to = start + row
        own, x, old_h, old_c, bent, out = act[to], gates[to], h_before[to], c_before[to], tanh_c[to], y[to]
        new_h, new_c = h[row], c[row]
        for j in range(width):
            i = _sigmoid(own[j] + x[j])
            f = _sigmoid(own[width + j] + x[width + j])
            g = _tanh(own[2 * width + j] + x[2 * width + j])
            o = _sigmoid(own[3 * width + j] + x[3 * width + j])
            old_h[j] = new_h[j]
            old_c[j] = new_c[j]
            cell = f * new_c[j] + i * g
            t = _tanh(cell)
            own[j] = i
            own[width + j] = f
            own[2 * width + j] = g
            own[3 * width + j] = o
            bent[j] = t
            new_c[j] = cell
            new_h[j] = o * t
            out[j] = o * t


@kernel
def _lstm_step_back(dgates, act, c_before, tanh_c, dy, dh, dc, start, n):
    width = dh.shape[1]
    for row in range(n):
        to = start + row
        d, own, old_c, bent, dout, dstate, dcell = (
            dgates[to],
            act[to],
            c_before[to],
            tanh_c[to],
            dy[to],
            dh[row],
            dc[row],
        )
        for j in range(width):
            i, f, g, o = own[j], own[width + j], own[2 * width + j], own[3 * width + j]
            t, flow = bent[j], dout[j] + dstate[j]
            into = dcell[j] + flow * o * (_ONE - t * t)
            d[j] = into * g * i * (_ONE - i)
            d[width + j] = into * old_c[j] * f * (_ONE - f)
            d[2 * width + j] = into * i * (_ONE - g * g)
            d[3 * width + j] = flow * t * o * (_ONE - o)
            dcell[j] = into * f


def lstm_fwd(
    gates: np.ndarray, h0: np.ndarray, c0: np.ndarray, weight: np.ndarray, sizes: tuple[int, ...], reverse: bool
) -> tuple[np.ndarray, ...]:
    """(outputs, last h and last c (N + 2 B, H); sigmoid and tanh of the gates (N, 4 H); h and c before each row and
    tanh of its new c, (N, H) each)."""
    (rows, _), (batch, width) = gates.shape, h0.shape
    y, act = np.empty((rows + 2 * batch, width), np.float32), np.empty(gates.shape, np.float32)
    h_before, c_before, tanh_c = np.empty((3, rows, width), np.float32)
    h, c, gates = y[rows : rows + batch], y[rows + batch :], plain(gates)
    h[...], c[...] = h0, c0
    turned = _turned(weight)
    for start, stop, n in _steps(sizes, reverse):
        _product(h[:n], turned, act[start:stop])
        _lstm_step(act, gates, h_before, c_before, tanh_c, y, h, c, start, n)
    return y, act, h_before, c_before, tanh_c


def lstm_bwd(
    dy: np.ndarray, weight: np.ndarray, act: np.ndarray, h_before: np.ndarray, c_before: np.ndarray, tanh_c: np.ndarray,
    sizes: tuple[int, ...], reverse: bool,
) -> tuple[np.ndarray, ...]:  # fmt: skip
    """The gradients of the gates, of the first h and c, and of the weight."""
    rows, batch = len(act), (len(dy) - len(act)) // 2
    dgates, dy, act = np.empty(act.shape, np.float32), plain(dy), plain(act)
    h_before, c_before, tanh_c = plain(h_before), plain(c_before), plain(tanh_c)
    dh, dc = dy[rows : rows + batch].copy(), dy[rows + batch :].copy()
    for start, stop, n in reversed(_steps(sizes, reverse)):
        _lstm_step_back(dgates, act, c_before, tanh_c, dy, dh, dc, start, n)
        _product(dgates[start:stop], weight, dh[:n])
    return dgates, dh, dc, _product(dgates.T, h_before)


# --------------------------------------------------------------------------------------------------------------------
# GRU
# --------------------------------------------------------------------------------------------------------------------
@kernel
def _gru_step(act, gates, bias, own_n, before, y, h, start, n):
    width = h.shape[1]
    for row in range(n):
        to = start + row
        own, x, kept, old, out, state = act[to], gates[to], own_n[to], before[to], y[to], h[row]
        for j in range(width):
            r = _sigmoid(own[j] + bias[j] + x[j])
            z = _sigmoid(own[width + j] + bias[width + j] + x[width + j])
            from_h = own[2 * width + j] + bias[2 * width + j]
            new = _tanh(x[2 * width + j] + r * from_h)
            own[j] = r
            own[width + j] = z
            own[2 * width + j] = new
            kept[j] = from_h
            old[j] = state[j]
            new = new + z * (state[j] - new)
            state[j] = new
            out[j] = new


@kernel
def _gru_step_back(dgates, down, act, own_n, before, dy, dh, start, n):
    width = dh.shape[1]
    for row in range(n):
        to = start + row
        dx, ds, own, kept, old, dout, dstate = dgates[to], down[to], act[to], own_n[to], before[to], dy[to], dh[row]
        for j in range(width):
            r, z, new = own[j], own[width + j], own[2 * width + j]
            flow = dout[j] + dstate[j]
            into = flow * (_ONE - z) * (_ONE - new * new)
            by_r = into * kept[j] * r * (_ONE - r)
            by_z = flow * (old[j] - new) * z * (_ONE - z)
            dx[j] = by_r
            ds[j] = by_r
            dx[width + j] = by_z
            ds[width + j] = by_z
            dx[2 * width + j] = into
            ds[2 * width + j] = into * r
            dstate[j] = flow * z


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
    h, gates = y[rows:], plain(gates)
    added = np.zeros(columns, np.float32) if bias is None else plain(bias)
    h[...] = h0
    turned = _turned(weight)
    for start, stop, n in _steps(sizes, reverse):
        _product(h[:n], turned, act[start:stop])
        _gru_step(act, gates, added, own_n, before, y, h, start, n)
    return y, act, own_n, before, bias is not None


def gru_bwd(
    dy: np.ndarray, weight: np.ndarray, act: np.ndarray, own_n: np.ndarray, before: np.ndarray, biased: bool,
    sizes: tuple[int, ...], reverse: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """The gradients of the gates, of the first h, of the weight and of the bias."""
    rows = len(act)
    dgates, down = np.empty((2, *act.shape), np.float32)  # by the inputs' and by the state's share of the gates
    dy, act, own_n, before = plain(dy), plain(act), plain(own_n), plain(before)
    dh = dy[rows:].copy()
    for start, stop, n in reversed(_steps(sizes, reverse)):
        _gru_step_back(dgates, down, act, own_n, before, dy, dh, start, n)
        dh[:n] += _product(down[start:stop], weight)
    return dgates, dh, _product(down.T, before), down.sum(axis=0) if biased else None
