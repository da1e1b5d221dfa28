"""Matrix products of float32: c = a @ b, every operand plain or transposed, a bias added while c is in the cache.

    c (m, n) = a (m, k) @ b (k, n) + bias (n,)

The work is cut as BLAS libraries cut it (Goto & van de Geijn 2008), with one level less, as the caches of today allow.
b is taken in panels of 32 columns; a panel is copied once to a small aligned buffer, row after row, transposed on the
way if need be, and stays in the nearest caches while all rows of a pass by. The innermost piece is the register tile of
tiles.py: 8 rows times 32 columns of c are held in vector registers along the inner dimension. The numbers of a are read
where they lie, a transposed `a` included.

Threads share out the panels, or the rows where panels are few: each copies what it needs and no two write one number,
so nothing is waited for but the end. The order of every sum is fixed by the shapes: the same product gives the same
bits whatever the number of threads.
"""

import numpy as np
from numba import carray, prange

from minigrad.kernels.cpu import threads
from minigrad.kernels.cpu.activations import RELU, activate
from minigrad.kernels.cpu.intrinsics import f4, inline, plain
from minigrad.kernels.cpu.threads import threaded
from minigrad.kernels.cpu.tiles import LANES, ROWS, WIDTH, copy_block_row, floats_at, register_tile, transpose_block

PANEL = WIDTH * LANES  # columns of b that are in work together
DEPTH = 512  # rows of a panel at a time: 64 KB, which the second cache holds beside the rows of a
GROUP = 1 << 16  # numbers of b that are copied at a time, 256 KB: all rows of a pass them before the next
BLOCK = 64  # rows of a that pass the panels of a group one after another: they, and their part of c, are near
STRIPE = 512  # rows of a transposed a that are interleaved at a time
INTERLEAVED = 4 * ROWS * DEPTH + 64  # bytes of a block of them; the 64 keep the blocks off each other's cache sets
FEW_ROWS = 96  # up to here copying a panel does not repay
SMALLEST_PART = 1 << 18  # multiplications that repay another thread: 5 us of work for 1.5 us of waiting

_tile, _tile4, _tile1 = (register_tile(rows, WIDTH) for rows in (ROWS, 4, 1))
_narrow, _narrow1 = register_tile(ROWS, 1), register_tile(1, 1)


@inline
def pack(b, b_row, b_transposed, width, depth, panel):
    """Copy b[:depth, :width] to `panel`, depth rows of PANEL numbers, the missing columns zero."""
    rows = carray(floats_at(panel), (depth, PANEL))
    if not b_transposed:
        for k in range(depth):
            source, row = carray(floats_at(b + k * b_row), (width,)), rows[k]
            if width == PANEL:
                for c in range(PANEL):
                    row[c] = source[c]
            else:
                for c in range(width):
                    row[c] = source[c]
                for c in range(width, PANEL):
                    row[c] = f4(0.0)
        return
    full_c, full_k = width - width % LANES, depth - depth % LANES  # column c of b is the row at b + c b_row
    for c in range(0, full_c, LANES):
        for k in range(0, full_k, LANES):
            transpose_block(b + c * b_row + 4 * k, b_row, panel + 4 * (k * PANEL + c), 4 * PANEL)
    for c in range(PANEL):
        if c < width:
            source = carray(floats_at(b + c * b_row), (depth,))
            for k in range(full_k if c < full_c else 0, depth):
                rows[k, c] = source[k]
        else:
            for k in range(depth):
                rows[k, c] = f4(0.0)


@inline
def rows_of_tiles(rows, depth, a, a_block, a_row, a_column, b, b_row, c, c_row, start, start_row):
    """c[:rows, :PANEL] = start + a[:rows, :depth] @ b[:depth, :PANEL], `start` as for the register tile.

    Blocks of ROWS rows of a are a_block bytes apart.
    """
    full, step = rows - rows % ROWS, start_row if start else 0
    for i in range(0, full, ROWS):
        row, first = c + i * c_row, start + i * step
        _tile(a + i // ROWS * a_block, a_row, a_column, b, b_row, row, c_row, depth, first, start_row)
    i, a = full, a + full // ROWS * a_block
    if rows - i >= 4:
        _tile4(a, a_row, a_column, b, b_row, c + i * c_row, c_row, depth, start + i * step, start_row)
        i, a = i + 4, a + 4 * a_row
    for r in range(i, rows):
        row, first = c + r * c_row, start + r * step
        _tile1(a + (r - i) * a_row, a_row, a_column, b, b_row, row, c_row, depth, first, start_row)


@inline
def _rows_of_narrow_tiles(rows, depth, a, a_block, a_row, a_column, panel, c):
    """c[:rows, :LANES] = a[:rows, :depth] @ panel[:, :LANES], rows of c PANEL numbers apart."""
    full, wide = rows - rows % ROWS, 4 * PANEL
    for i in range(0, full, ROWS):
        _narrow(a + i // ROWS * a_block, a_row, a_column, panel, wide, c + i * wide, wide, depth, 0, 0)
    a += full // ROWS * a_block
    for i in range(full, rows):
        _narrow1(a + (i - full) * a_row, a_row, a_column, panel, wide, c + i * wide, wide, depth, 0, 0)


@inline
def _interleave(a, a_column, rows, depth, target):
    """Copy a[:rows, :depth], whose columns are contiguous, to blocks of ROWS rows, in each column after column.

    So a tile reads its rows from one stream of memory, and copying moves whole vectors.
    """
    full = rows - rows % ROWS
    for k in range(depth):
        source, place = a + k * a_column, target + 4 * ROWS * k
        for r in range(0, full, ROWS):
            copy_block_row(source + 4 * r, place + r // ROWS * INTERLEAVED)
        if full < rows:
            rest, to = floats_at(source + 4 * full), floats_at(place + full // ROWS * INTERLEAVED)
            for r in range(rows - full):
                to[r] = rest[r]


@inline
def aligned(buffer):
    return (buffer.ctypes.data + 63) // 64 * 64


@inline
def keep(array):
    """Used after the addresses taken of it, so that Numba does not free the array before."""
    return array.size


@inline
def _write_margin(rows, width, block, target, c_row, adds, bias):
    """Add the columns of c that the last panel has to what is there (adds), to the bias, or to nothing."""
    for r in range(rows):
        row, out = carray(floats_at(block + 4 * PANEL * r), (width,)), carray(floats_at(target + r * c_row), (width,))
        for x in range(width):
            if adds:
                out[x] += row[x]
            else:
                out[x] = row[x] + bias[x] if bias.size else row[x]


@inline
def multiply(
    a, a_row, a_column, b, b_row, b_transposed, inner, c, c_row, start_row, end_row, first_panel, last_panel, n, bias,
    kind, y,
):  # fmt: skip
    """Rows start_row .. end_row and panels first_panel .. last_panel of c = a @ b + bias; a, b, c are addresses.

    A `kind` other than 0 is that of an activation, and its result goes to y, which lies as c does and may be c.
    """
    space = np.empty(GROUP + 16, np.float32)
    margin = np.empty(BLOCK * PANEL + 16, np.float32)
    stripe = np.empty(STRIPE // ROWS * INTERLEAVED // 4 + 16 if a_row == 4 else 0, np.float32)
    packed, block, blocks = aligned(space), aligned(margin), aligned(stripe)
    step = STRIPE if a_row == 4 else max(1, end_row - start_row)
    direct = not b_transposed and end_row - start_row <= FEW_ROWS
    for start in range(start_row, end_row, step):
        stop = min(end_row, start + step)
        for k in range(0, inner, DEPTH):
            depth = min(DEPTH, inner - k)
            panel_bytes, together = 4 * PANEL * depth, GROUP // (PANEL * depth)
            if a_row == 4:  # a is transposed
                _interleave(a + 4 * start + k * a_column, a_column, stop - start, depth, blocks)
            for group in range(first_panel, last_panel, together):
                end = min(last_panel, group + together)
                for p in range(group, end):
                    source = b + p * PANEL * b_row + 4 * k if b_transposed else b + k * b_row + 4 * p * PANEL
                    if not direct or (p + 1) * PANEL > n:
                        width = min(PANEL, n - p * PANEL)
                        pack(source, b_row, b_transposed, width, depth, packed + (p - group) * panel_bytes)
                for i in range(start, stop, BLOCK):
                    rows = min(BLOCK, stop - i)
                    if a_row == 4:
                        left, block_bytes = blocks + (i - start) // ROWS * INTERLEAVED, INTERLEAVED
                        column_bytes = 4 * ROWS
                    else:
                        left, block_bytes = a + i * a_row + k * a_column, ROWS * a_row
                        column_bytes = a_column
                    for p in range(group, end):
                        width, target = min(PANEL, n - p * PANEL), c + i * c_row + 4 * p * PANEL
                        panel, row_bytes = packed + (p - group) * panel_bytes, 4 * PANEL
                        if direct and width == PANEL:
                            panel, row_bytes = b + k * b_row + 4 * p * PANEL, b_row
                        own_bias = bias[p * PANEL : p * PANEL + width]
                        if width == PANEL:
                            first, first_row = (target, c_row) if k else (own_bias.ctypes.data if bias.size else 0, 0)
                            rows_of_tiles(
                                rows, depth, left, block_bytes, a_row, column_bytes, panel, row_bytes, target, c_row,
                                first, first_row,
                            )  # fmt: skip
                        # The last panel reaches beyond c: its tiles go to a block of their own first.
                        elif width > LANES:
                            rows_of_tiles(
                                rows, depth, left, block_bytes, a_row, column_bytes, panel, row_bytes, block,
                                4 * PANEL, 0, 0,
                            )  # fmt: skip
                        else:
                            _rows_of_narrow_tiles(rows, depth, left, block_bytes, a_row, column_bytes, panel, block)
                        if width < PANEL:
                            _write_margin(rows, width, block, target, c_row, k, own_bias)
                    if kind and k + depth == inner:
                        left_edge, count = c + 4 * group * PANEL, min(n, end * PANEL) - group * PANEL
                        for r in range(i, i + rows):
                            activate(kind, count, left_edge + r * c_row, left_edge + r * c_row + (y - c))
    keep(space), keep(margin), keep(stripe)


@threaded
def _gemm(a, a_transposed, b, b_transposed, bias, c, kind, activated, panel_parts, parts):
    m, n = c.shape
    inner = a.shape[0] if a_transposed else a.shape[1]
    a_row, a_column = (4, a.strides[0]) if a_transposed else (a.strides[0], 4)
    blocks, panels, row_parts = (m + ROWS - 1) // ROWS, (n + PANEL - 1) // PANEL, parts // panel_parts
    for part in prange(parts):
        r, p = part // panel_parts, part % panel_parts
        first_row, last_row = blocks * r // row_parts * ROWS, min(m, blocks * (r + 1) // row_parts * ROWS)
        first, last = panels * p // panel_parts, panels * (p + 1) // panel_parts
        multiply(
            a.ctypes.data, a_row, a_column, b.ctypes.data, b.strides[0], b_transposed, inner,
            c.ctypes.data, c.strides[0], first_row, last_row, first, last, n, bias,
            kind, activated.ctypes.data if activated.size else c.ctypes.data,
        )  # fmt: skip


@threaded
def _gemm_stack(a, a_step, a_transposed, b, b_step, b_transposed, bias, c, parts):
    count, m, n = c.shape
    inner = a.shape[1] if a_transposed else a.shape[2]
    a_row, a_column = (4, a.strides[1]) if a_transposed else (a.strides[1], 4)
    panels = (n + PANEL - 1) // PANEL
    for part in prange(parts):
        for s in range(count * part // parts, count * (part + 1) // parts):
            multiply(
                a[s * a_step].ctypes.data, a_row, a_column, b[s * b_step].ctypes.data, b.strides[1], b_transposed,
                inner, c[s].ctypes.data, c.strides[1], 0, m, 0, panels, n, bias, 0, c[s].ctypes.data,
            )  # fmt: skip


_NO_BIAS, _NOTHING = np.empty(0, np.float32), np.empty((0, 0), np.float32)


def gemm(a: np.ndarray, b: np.ndarray, bias: np.ndarray | None = None, out: np.ndarray | None = None) -> np.ndarray:
    """a @ b + bias for float32 matrices; one that is the transpose of a contiguous matrix is read as it lies. The
    result goes to `out`, a contiguous matrix that shares no memory with the others, if there is one.
    """
    (m, k), n = a.shape, b.shape[1]
    if not k:  # an empty sum
        c = np.empty((m, n), np.float32) if out is None else out
        c[...] = 0.0 if bias is None else bias
        return c
    c = np.empty((m, n), np.float32) if out is None else out
    _run(a, b, bias, c, 0, _NOTHING)
    return c


def gemm_activated(a: np.ndarray, b: np.ndarray, bias: np.ndarray | None, kind: int) -> tuple:
    """(y, z) with z = a @ b + bias and y its activation, which each block of z passes while it is in the cache.

    There is no z for relu, whose gradient is seen from y. The inner axis must not be empty.
    """
    z = np.empty((a.shape[0], b.shape[1]), np.float32)
    y = _NOTHING if kind == RELU else np.empty_like(z)
    _run(a, b, bias, z, kind, y)
    return (z, None) if kind == RELU else (y, z)


def _run(a: np.ndarray, b: np.ndarray, bias: np.ndarray | None, c: np.ndarray, kind: int, y: np.ndarray) -> None:
    (m, k), n = a.shape, b.shape[1]
    a_transposed, b_transposed = _is_turned(a), _is_turned(b)
    a, b = plain(a.T if a_transposed else a), plain(b.T if b_transposed else b)
    parts, side = grid(m, n, k, a_transposed)
    _gemm(parts, a, a_transposed, b, b_transposed, _NO_BIAS if bias is None else plain(bias), c, kind, y, side)


def gemm_stack(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b for float32 stacks of matrices (..., m, k) and (..., k, n), whose leading axes broadcast; the threads share
    out the stack.
    """
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    c = np.empty((*lead, a.shape[-2], b.shape[-1]), np.float32)
    if not (c.size and a.shape[-1]):
        c.fill(0.0)
        return c
    stack = c.reshape(-1, *c.shape[-2:])
    a, a_step, a_transposed = _as_stack(a, lead)
    b, b_step, b_transposed = _as_stack(b, lead)
    parts = min(max(1, len(stack)), threads.parts(c.size * a.shape[1 if a_transposed else 2], SMALLEST_PART))
    _gemm_stack(parts, a, a_step, a_transposed, b, b_step, b_transposed, _NO_BIAS, stack)
    return c


def _as_stack(x: np.ndarray, lead: tuple[int, ...]) -> tuple[np.ndarray, int, bool]:
    """(matrices as three contiguous axes, 1 or 0 where one matrix serves the whole stack, are they transposed)."""
    turned = _is_turned(x)
    x = x.swapaxes(-2, -1) if turned else x
    shared = x.ndim == 2 or x.size == x.shape[-2] * x.shape[-1]
    if not shared and x.shape[:-2] != lead:
        x = np.broadcast_to(x, (*lead, *x.shape[-2:]))
    return plain(x).reshape(-1, *x.shape[-2:]), 0 if shared else 1, turned


def _is_turned(x: np.ndarray) -> bool:
    return not x.flags.c_contiguous and x.swapaxes(-2, -1).flags.c_contiguous


def grid(m: int, n: int, k: int, a_transposed: bool = False) -> tuple[int, int]:
    """(parts, how many of them side by side): the way to cut (m, n) whose largest part has the fewest tiles.

    Among equals the one that copies least: parts side by side copy the same rows of a transposed a, parts one below the
    other the same panels of b.
    """
    parts = threads.parts(m * n * k, SMALLEST_PART)
    if parts == 1:
        return 1, 1
    blocks, panels = -(-m // ROWS), -(-n // PANEL)

    def cost(side: int) -> tuple[int, int]:
        below = parts // side
        return -(-panels // side) * -(-blocks // below), below * n + (side * m if a_transposed else 0)

    return parts, min((side for side in range(1, parts + 1) if parts % side == 0), key=cost)
