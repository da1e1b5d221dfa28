"""Sums over the last axes, and the places of the largest or smallest entries of a row."""

import numpy as np
from numba import prange

from minigrad.kernels.cpu import threads
from minigrad.kernels.cpu.intrinsics import f4, maximum, plain
from minigrad.kernels.cpu.threads import share, threaded

SMALLEST_PART = 1 << 14  # numbers that repay another thread
BLOCK = 4096  # numbers added up in float32 before they go to a float64
RUN = 64  # numbers that are passed over together where none of them is among the best
MOST_PLACES = 256  # from here on sorting the row is as fast


@threaded
def _sums(x, sums, parts):
    for part in prange(parts):
        for r in range(*share(x.shape[0], part, parts)):
            row, total = x[r], 0.0
            for start in range(0, row.size, BLOCK):
                block, here = row[start : start + BLOCK], f4(0.0)
                for i in range(block.size):
                    here += block[i]
                total += np.float64(here)
            sums[r] = total


def sum_of_last(x: np.ndarray, axes: int) -> np.ndarray:
    """The sum over the last `axes` axes of a contiguous array. One long row is cut into blocks, added up by threads."""
    shape = x.shape[: x.ndim - axes]
    rows = int(np.prod(shape))
    if rows == 1 and x.size > 2 * BLOCK:
        flat, whole = x.reshape(-1), x.size - x.size % BLOCK
        sums = np.empty(whole // BLOCK, np.float64)
        _sums(threads.parts(whole, SMALLEST_PART), plain(flat[:whole]).reshape(-1, BLOCK), sums)
        return np.asarray(sums.sum() + flat[whole:].sum(dtype=np.float64), np.float32).reshape(shape)
    sums = np.empty(rows, np.float64)
    _sums(threads.parts(x.size, SMALLEST_PART), plain(x).reshape(rows, x.size // max(rows, 1)), sums)
    return sums.astype(np.float32).reshape(shape)


@threaded
def _top_places(x, largest, values, places, parts):
    """The best so far stand in order; equal ones keep the order of their places. No NaN may be among the numbers."""
    k, sign = places.shape[1], f4(1.0) if largest else f4(-1.0)
    for part in prange(parts):
        for r in range(*share(x.shape[0], part, parts)):
            row, best, place = x[r], values[r], places[r]
            kept = 0
            for start in range(0, row.size, RUN):
                run = row[start : start + RUN]
                if kept == k:
                    top = run[0] * sign
                    for i in range(run.size):
                        top = maximum(top, run[i] * sign)
                    if top <= best[k - 1]:
                        continue
                for i in range(run.size):
                    value = run[i] * sign
                    if kept == k and value <= best[k - 1]:
                        continue
                    j = kept if kept < k else k - 1
                    while j > 0 and best[j - 1] < value:
                        best[j], place[j] = best[j - 1], place[j - 1]
                        j -= 1
                    best[j], place[j] = value, start + i
                    kept = min(kept + 1, k)


def top_places(x: np.ndarray, k: int, largest: bool) -> np.ndarray:
    """(..., n) -> (..., k): where the k largest (smallest) entries of each row are, in order; x holds no NaN."""
    rows = plain(x).reshape(-1, x.shape[-1])
    values, places = np.empty((len(rows), k), np.float32), np.empty((len(rows), k), np.int64)
    _top_places(threads.parts(x.size, SMALLEST_PART), rows, bool(largest), values, places)
    return places.reshape(*x.shape[:-1], k)
