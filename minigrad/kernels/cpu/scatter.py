"""The gradient of an embedding: rows added into a table at given places."""

import numpy as np

from minigrad.kernels.cpu.intrinsics import kernel, plain


@kernel
def _add_rows(buffer, ids, rows):
    """Returns the position of the first id outside the table, before anything is written, or -1."""
    count = buffer.shape[0]
    for n in range(ids.size):
        if ids[n] < -count or ids[n] >= count:
            return n
    for n in range(ids.size):
        place = ids[n] if ids[n] >= 0 else ids[n] + count
        target, source = buffer[place], rows[n]
        for c in range(source.size):
            target[c] += source[c]
    return -1


def add_rows(buffer: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """buffer[ids[n]] += rows[n] for n = 0, 1, ... in this order, so the sums are the same in every run.

    Raises IndexError for an id outside [-V, V).
    """
    ids = plain(ids if ids.dtype == np.int64 else ids.astype(np.int64)).reshape(-1)
    bad = _add_rows(buffer, ids, plain(rows))
    if bad >= 0:
        raise IndexError(f"add_rows: index {ids[bad]} is out of range for a table of {buffer.shape[0]} rows")
