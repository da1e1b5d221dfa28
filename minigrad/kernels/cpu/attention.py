"""Scaled dot-product attention without the T x T matrix in memory.

    out = softmax(scale q k^T) v      q (..., T, K)   k (..., S, K)   v (..., S, V)   out (..., T, V)

The forward pass goes through the queries a few rows at a time and keeps, besides the output, one number a row: lse, the
log of the sum of the exponentials of the row's scores (Rabe & Staats 2021). From it the backward pass recomputes the
probabilities tile by tile, P = exp(scale q k^T - lse), instead of storing them (Dao et al. 2022, FlashAttention):

    dv = P^T dout      dP = dout v^T      dS = P (dP - delta), delta = sum over V of dout out
    dq = scale dS k    dk = scale dS^T q

A mask, boolean or added to the scores, is read through its strides, too, however it is broadcast. A query that it lets
see nothing gets zeros. Under a causal mask the query i sees the keys 0 .. i (top-left aligned, as PyTorch's is_causal),
and tiles that are masked wholly are never computed.

A head is read through its strides out of whatever buffer it lives in, such as the packed output of one projection to
q, k and v; within the kernel the keys and values of one head are copied once to rows padded to whole vectors.
"""

import numpy as np
from numba import carray, prange

from minigrad.kernels.cpu import threads
from minigrad.kernels.cpu.intrinsics import f4, inline, kernel, plain
from minigrad.kernels.cpu.threads import share, threaded
from minigrad.kernels.cpu.tiles import (
    LANES,
    bytes_at,
    floats_at,
    matmul,
    row_exponentials,
    row_gradients,
    row_maximum,
    transpose_block,
)

# Milliseconds on one thread (Zen 5), causal, forward / backward; c: (B, H, T, K) = (12, 4, 64, 32), b: (8, 6, 256, 64)
#                                                                      c               b
#   PyTorch 2.13 eager, one thread                                     0.51 / 0.91     10.7 / 24.8
#   these tiles, softmax as plain loops                                0.57 / 0.59      6.1 /  8.4
#   softmax rows as vector instructions (row_maximum ...)              0.20 / 0.34      4.2 /  8.8
#   panels 16 floats wider, so that no stride is a power of two        0.20 / 0.33      3.7 /  7.1
#   a maximum that is one instruction                                  0.17 / 0.32      3.1 /  7.2   <- this file
#   the same, half of the batch on a second Python thread              0.25 / 0.42      2.6 /  5.2
# With matrix products before and after, whose own threads are still awake, the second thread gained nothing (b: 26.6 ms
# against 27.4). Tiles of 8, 16 and 32 rows are within 5 % of each other, but for 8 in the backward pass (30 % slower).
TILE_ROWS = 16
FEW_QUERIES = 4
SMALLEST_PART = 1 << 18  # multiplications that repay another thread
ADDED, SHOWN = 1, 2  # kinds of masks: floats added to the scores, or True where the query may see the key

_NOTHING = f4(-np.inf)


@inline
def _head(operands, which, batch, head):
    """The address of one head of an operand; a row of `operands` is (address, batch, head and row stride in bytes)."""
    return operands[which, 0] + batch * operands[which, 1] + head * operands[which, 2]


@inline
def _row(operands, which, batch, head, row):
    return _head(operands, which, batch, head) + row * operands[which, 3]


@inline
def _hide(mask, address, step, row, seen):
    """Add a row of a float mask to the scores, or set those to -inf where a boolean mask is False."""
    scores = floats_at(row)
    if mask == ADDED and step == 4:
        added = floats_at(address)
        for s in range(seen):
            scores[s] += added[s]
    elif mask == ADDED:
        for s in range(seen):
            scores[s] += floats_at(address + s * step)[0]
    elif step == 1:
        shown = bytes_at(address)
        for s in range(seen):
            scores[s] = scores[s] if shown[s] else _NOTHING
    else:
        for s in range(seen):
            scores[s] = scores[s] if bytes_at(address + s * step)[0] else _NOTHING


@inline
def _softmax(mask, row, seen, padded):
    """Scores become exponentials; (log of their sum, their sum). A row that a mask hides wholly becomes zeros."""
    top = row_maximum(row, seen, padded)
    if mask and top == _NOTHING:
        total = row_exponentials(row, seen, padded, f4(0.0))  # of zeros, or of a NaN that the maximum passed over
        return np.log(total), total if total != f4(0.0) else f4(1.0)
    total = row_exponentials(row, seen, padded, top)
    return top + np.log(total), total


@inline
def _read_rows(address, row_stride, rows, columns, factor, target):
    for r in range(rows):
        source, row = carray(floats_at(address + r * row_stride), (columns,)), target[r]
        for c in range(columns):
            row[c] = source[c] * factor


@inline
def _write_rows(source, rows, columns, factor, address, row_stride):
    for r in range(rows):
        target, row = carray(floats_at(address + r * row_stride), (columns,)), source[r]
        for c in range(columns):
            target[c] = row[c] * factor


@inline
def _transpose(source, target):
    for r in range(0, source.shape[0], LANES):
        for c in range(0, source.shape[1], LANES):
            transpose_block(
                source.ctypes.data + r * source.strides[0] + 4 * c,
                source.strides[0],
                target.ctypes.data + c * target.strides[0] + 4 * r,
                target.strides[0],
            )


@inline
def _wide(n):
    return max((n + LANES - 1) // LANES * LANES, LANES)


@threaded
def _forward(operands, pairs, sizes, scale, causal, lse, parts):
    """(batch, head) pairs, shared out. operands: q, k, v, out, perhaps a mask; sizes: heads, T, S, K, V, the mask's
    kind (0: there is none) and the bytes from one key of it to the next.

    What pads a row of scratch to whole vectors is zero and never written: it must not be a NaN.
    """
    heads, queries, keys, width_k, width_v, mask, mask_step = sizes
    wide_k, wide_v, wide_s = _wide(width_k), _wide(width_v), _wide(keys)
    one = f4(1.0)
    for part in prange(parts):
        q_rows, k_rows = np.zeros((TILE_ROWS, wide_k), np.float32), np.zeros((wide_s, wide_k), np.float32)
        k_columns, v_rows = np.zeros((wide_k, wide_s + LANES), np.float32), np.zeros((wide_s, wide_v), np.float32)
        scores, output = np.zeros((TILE_ROWS, wide_s + LANES), np.float32), np.zeros((TILE_ROWS, wide_v), np.float32)
        sums = np.zeros(TILE_ROWS, np.float32)
        for pair in range(*share(pairs, part, parts)):
            batch, head = pair // heads, pair % heads
            q, out = _head(operands, 0, batch, head), _head(operands, 3, batch, head)
            _read_rows(_head(operands, 1, batch, head), operands[1, 3], keys, width_k, one, k_rows)
            _read_rows(_head(operands, 2, batch, head), operands[2, 3], keys, width_v, one, v_rows)
            _transpose(k_rows, k_columns)
            for start in range(0, queries, TILE_ROWS):
                rows = min(TILE_ROWS, queries - start)
                visible = min(keys, start + rows) if causal else keys
                padded = (visible + LANES - 1) // LANES * LANES
                _read_rows(q + start * operands[0, 3], operands[0, 3], rows, width_k, scale, q_rows)
                matmul(
                    rows,
                    padded,
                    width_k,
                    q_rows.ctypes.data,
                    q_rows.strides[0],
                    4,
                    k_columns.ctypes.data,
                    k_columns.strides[0],
                    scores.ctypes.data,
                    scores.strides[0],
                    0,
                )
                for r in range(rows):
                    seen = min(keys, start + r + 1) if causal else keys
                    row = scores.ctypes.data + r * scores.strides[0]
                    if mask:
                        _hide(mask, _row(operands, 4, batch, head, start + r), mask_step, row, seen)
                    lse[pair, start + r], sums[r] = _softmax(mask, row, seen, padded)
                matmul(
                    rows,
                    output.shape[1],
                    visible,
                    scores.ctypes.data,
                    scores.strides[0],
                    4,
                    v_rows.ctypes.data,
                    v_rows.strides[0],
                    output.ctypes.data,
                    output.strides[0],
                    0,
                )
                for r in range(rows):
                    _write_rows(
                        output[r : r + 1], 1, width_v, one / sums[r], out + (start + r) * operands[3, 3], operands[3, 3]
                    )


@threaded
def _backward(operands, pairs, sizes, scale, causal, lse, parts):
    """(batch, head) pairs, shared out. operands: q, k, v, out, dout, dq, dk, dv, perhaps a mask; the rest as
    _forward's."""
    heads, queries, keys, width_k, width_v, mask, mask_step = sizes
    wide_k, wide_v, wide_s = _wide(width_k), _wide(width_v), _wide(keys)
    one = f4(1.0)
    for part in prange(parts):
        q_rows, dout_rows = np.zeros((TILE_ROWS, wide_k), np.float32), np.zeros((TILE_ROWS, wide_v), np.float32)
        k_rows, k_columns = np.zeros((wide_s, wide_k), np.float32), np.zeros((wide_k, wide_s + LANES), np.float32)
        v_rows, v_columns = np.zeros((wide_s, wide_v), np.float32), np.zeros((wide_v, wide_s + LANES), np.float32)
        scores = np.zeros((TILE_ROWS, wide_s + LANES), np.float32)
        dscores = np.zeros((TILE_ROWS, wide_s + LANES), np.float32)
        dq_rows, dk_rows = np.zeros((TILE_ROWS, wide_k), np.float32), np.zeros((wide_s, wide_k), np.float32)
        dv_rows = np.zeros((wide_s, wide_v), np.float32)
        for pair in range(*share(pairs, part, parts)):
            batch, head = pair // heads, pair % heads
            q, out, dout = (
                _head(operands, 0, batch, head),
                _head(operands, 3, batch, head),
                _head(operands, 4, batch, head),
            )
            dq = _head(operands, 5, batch, head)
            _read_rows(_head(operands, 1, batch, head), operands[1, 3], keys, width_k, one, k_rows)
            _read_rows(_head(operands, 2, batch, head), operands[2, 3], keys, width_v, one, v_rows)
            _transpose(k_rows, k_columns)
            _transpose(v_rows, v_columns)
            dk_rows[:] = 0.0
            dv_rows[:] = 0.0
            for start in range(0, queries, TILE_ROWS):
                rows = min(TILE_ROWS, queries - start)
                visible = min(keys, start + rows) if causal else keys
                padded = (visible + LANES - 1) // LANES * LANES
                _read_rows(q + start * operands[0, 3], operands[0, 3], rows, width_k, scale, q_rows)
                _read_rows(dout + start * operands[4, 3], operands[4, 3], rows, width_v, one, dout_rows)
                matmul(
                    rows,
                    padded,
                    width_k,
                    q_rows.ctypes.data,
                    q_rows.strides[0],
                    4,
                    k_columns.ctypes.data,
                    k_columns.strides[0],
                    scores.ctypes.data,
                    scores.strides[0],
                    0,
                )
                matmul(
                    rows,
                    padded,
                    width_v,
                    dout_rows.ctypes.data,
                    dout_rows.strides[0],
                    4,
                    v_columns.ctypes.data,
                    v_columns.strides[0],
                    dscores.ctypes.data,
                    dscores.strides[0],
                    0,
                )
                for r in range(rows):
                    seen = min(keys, start + r + 1) if causal else keys
                    out_row, dout_row = carray(floats_at(out + (start + r) * operands[3, 3]), (width_v,)), dout_rows[r]
                    delta = f4(0.0)
                    for c in range(width_v):
                        delta += dout_row[c] * out_row[c]
                    row, shift = scores.ctypes.data + r * scores.strides[0], lse[pair, start + r]
                    if mask:
                        _hide(mask, _row(operands, 8, batch, head, start + r), mask_step, row, seen)
                        shift = f4(0.0) if shift == _NOTHING else shift  # a blind row: exp(-inf) is 0
                    row_gradients(row, dscores.ctypes.data + r * dscores.strides[0], seen, padded, shift, delta)
                matmul(
                    rows,
                    dq_rows.shape[1],
                    visible,
                    dscores.ctypes.data,
                    dscores.strides[0],
                    4,
                    k_rows.ctypes.data,
                    k_rows.strides[0],
                    dq_rows.ctypes.data,
                    dq_rows.strides[0],
                    0,
                )
                _write_rows(dq_rows, rows, width_k, scale, dq + start * operands[5, 3], operands[5, 3])
                matmul(
                    visible,
                    dk_rows.shape[1],
                    rows,
                    dscores.ctypes.data,
                    4,
                    dscores.strides[0],
                    q_rows.ctypes.data,
                    q_rows.strides[0],
                    dk_rows.ctypes.data,
                    dk_rows.strides[0],
                    1,
                )
                matmul(
                    visible,
                    dv_rows.shape[1],
                    rows,
                    scores.ctypes.data,
                    4,
                    scores.strides[0],
                    dout_rows.ctypes.data,
                    dout_rows.strides[0],
                    dv_rows.ctypes.data,
                    dv_rows.strides[0],
                    1,
                )
            _write_rows(dk_rows, keys, width_k, one, _head(operands, 6, batch, head), operands[6, 3])
            _write_rows(dv_rows, keys, width_v, one, _head(operands, 7, batch, head), operands[7, 3])


@threaded
def _forward_few(operands, pairs, sizes, scale, causal, lse, parts):
    """As _forward for a few queries, as when a text is written token by token: keys and values are read where they lie,
    once, as copying them would take as long as all the rest."""
    heads, queries, keys, width_k, width_v, mask, mask_step = sizes
    wide_s = _wide(keys)
    for part in prange(parts):
        scores, q_row = np.zeros(wide_s + LANES, np.float32), np.zeros(width_k, np.float32)
        row, output = scores.ctypes.data, np.zeros(width_v, np.float32)
        for pair in range(*share(pairs, part, parts)):
            batch, head = pair // heads, pair % heads
            k, v = _head(operands, 1, batch, head), _head(operands, 2, batch, head)
            for t in range(queries):
                seen = min(keys, t + 1) if causal else keys
                padded = (seen + LANES - 1) // LANES * LANES
                q = floats_at(_row(operands, 0, batch, head, t))
                for c in range(width_k):
                    q_row[c] = q[c] * scale
                for s in range(seen):
                    key, total = floats_at(k + s * operands[1, 3]), f4(0.0)
                    for c in range(width_k):
                        total += key[c] * q_row[c]
                    scores[s] = total
                if mask:
                    _hide(mask, _row(operands, 4, batch, head, t), mask_step, row, seen)
                lse[pair, t], total = _softmax(mask, row, seen, padded)
                output[:] = f4(0.0)
                for s in range(seen):
                    value, weight = floats_at(v + s * operands[2, 3]), scores[s]
                    for c in range(width_v):
                        output[c] += weight * value[c]
                out = floats_at(_row(operands, 3, batch, head, t))
                for c in range(width_v):
                    out[c] = output[c] / total


# --------------------------------------------------------------------------------------------------------------------
# From arrays to addresses
# --------------------------------------------------------------------------------------------------------------------
def _four_axes(x: np.ndarray) -> np.ndarray:
    """(..., T, K) as (B, H, T, K) with contiguous rows: a view unless the strides forbid it."""
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim != 4:
        x = x.reshape(-1, 1, *x.shape[-2:])
    if (x.strides[-1] != 4 and x.shape[-1] > 1) or not x.flags.aligned:
        x = np.array(x, order="C")
    return x


@kernel
def _locate(x, row):
    """Where x (B, H, T, K) lies: its address, and the bytes from example to example, head to head, row to row."""
    row[0], row[1], row[2], row[3] = x.ctypes.data, x.strides[0], x.strides[1], x.strides[2]


def _operands(*arrays: np.ndarray) -> np.ndarray:
    table = np.empty((len(arrays), 4), np.int64)
    for x, row in zip(arrays, table, strict=True):
        _locate(x, row)  # a fifth of the time of asking NumPy for x.ctypes.data
    return table


def _as_operand(mask: np.ndarray | None, shape: tuple[int, ...]) -> tuple[list[np.ndarray], tuple[int, int]]:
    """([the mask as (B, H, T, S), broadcast without a copy], (its kind, bytes from key to key)); [] for None."""
    if mask is None:
        return [], (0, 0)
    if mask.dtype != np.float32:
        mask = mask.view(np.uint8)
    spread = np.broadcast_to(mask, shape)
    if spread.ndim == 3:
        spread = spread[:, None]
    elif spread.ndim != 4:
        spread = spread.reshape(-1, 1, *shape[-2:])
    return [spread], (ADDED if mask.dtype == np.float32 else SHOWN, spread.strides[3])


def _parts(pairs: int, sizes: tuple[int, ...]) -> int:
    _, queries, keys, width_k, width_v, _, _ = sizes
    return max(1, min(pairs, threads.parts(pairs * queries * keys * (width_k + width_v), SMALLEST_PART)))


def attention_fwd(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None, scale: float, causal: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(out, lse); with no keys at all out is 0, as an empty sum, and lse -inf."""
    q4, k4, v4 = _four_axes(q), _four_axes(k), _four_axes(v)
    (b, h, t, width_k), s, width_v = q4.shape, k4.shape[2], v4.shape[3]
    out = np.empty((b, t, h, width_v), np.float32).swapaxes(1, 2)
    lse = np.empty((b * h, t), np.float32)
    if s == 0:
        out[...], lse[...] = 0.0, -np.inf
    else:
        more, kind = _as_operand(mask, (*q.shape[:-1], s))
        sizes, operands = (h, t, s, width_k, width_v, *kind), _operands(q4, k4, v4, out, *more)
        forward = _forward_few if t <= FEW_QUERIES else _forward
        forward(_parts(b * h, sizes), operands, b * h, sizes, np.float32(scale), bool(causal), lse)
    return out.reshape(*q.shape[:-1], width_v), lse.reshape(q.shape[:-1])


def attention_bwd(
    dout: np.ndarray,
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    out: np.ndarray,
    lse: np.ndarray,
    mask: np.ndarray | None,
    scale: float,
    causal: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dq, dk, dv); of q, k and v of one shape (B, H, T, K), views of one array (B, T, 3, H, K)."""
    d4, q4, k4, v4, o4 = (_four_axes(x) for x in (dout, q, k, v, out))
    (b, h, t, width_k), s, width_v = q4.shape, k4.shape[2], v4.shape[3]
    if q4.shape == k4.shape == v4.shape:
        packed = np.empty((b, t, 3, h, width_k), np.float32)
        dq, dk, dv = (packed[:, :, i].swapaxes(1, 2) for i in range(3))
    else:
        dq, dk, dv = (np.empty(x.shape, np.float32) for x in (q4, k4, v4))
    more, kind = _as_operand(mask, (*q.shape[:-1], s))
    sizes = (h, t, s, width_k, width_v, *kind)
    operands, lse = _operands(q4, k4, v4, o4, d4, dq, dk, dv, *more), plain(lse).reshape(b * h, t)
    _backward(_parts(b * h, sizes), operands, b * h, sizes, np.float32(scale), bool(causal), lse)
    return dq.reshape(q.shape), dk.reshape(k.shape), dv.reshape(v.shape)
