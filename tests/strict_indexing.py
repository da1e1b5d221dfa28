"""Indexing on the stand-in of strict_cupy.py: which keys there are, what they mean, in which order writes arrive.

A key is held as a tuple in which NumPy's arrays, each in a list, stand for those of the device: a graph, as played by
strict_graphs.py, holds on to memory, not to the arrays of a program.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from strict_modes import wait

_order = np.random.default_rng(0)  # in which order atomics happen to arrive


def refusal(function: str, value: Any) -> TypeError:
    return TypeError(
        f"{function}: Unsupported type {type(value)}: CuPy refuses it or uploads it silently. Move arrays with "
        "to_device() first; write shapes and axes as tuples"
    )


def held_key(key: Any) -> tuple:
    """The key as it is held; TypeError for arrays and lists of the host in it."""
    return tuple(map(_held, key if isinstance(key, tuple) else (key,)))


def _held(entry: Any) -> Any:
    if hasattr(entry, "_host"):
        return [entry._host]
    number = isinstance(entry, (int, np.integer)) and not isinstance(entry, bool)
    if number or entry is None or entry is Ellipsis or isinstance(entry, slice):
        return entry
    raise refusal("index", entry)


def host_key(array: np.ndarray, held: tuple) -> tuple[tuple, bool]:
    """The key for NumPy, index arrays wrapped into range, and whether one of them holds integers."""
    arrays = [entry[0] if isinstance(entry, list) else entry for entry in held]
    axes = [e.ndim if isinstance(e, np.ndarray) and e.dtype == bool else int(e is not None) for e in arrays]
    host, axis, by_integers = [], 0, False
    for entry, count in zip(arrays, axes, strict=True):
        if entry is Ellipsis:
            count = array.ndim - (sum(axes) - 1)
        elif isinstance(entry, np.ndarray) and entry.dtype == bool:
            wait("indexing by a mask")
        elif isinstance(entry, np.ndarray):
            by_integers = True
            size = array.shape[axis] if axis < array.ndim else 0
            entry = np.mod(entry, size) if size and entry.dtype.kind in "iu" else entry
        axis += count
        host.append(entry)
    if not any(entry is Ellipsis for entry in host):
        host.append(Ellipsis)  # so that x[0] is a 0-d view, not a scalar
    return tuple(host), by_integers


def scatter(array: np.ndarray, key: tuple, value: Any, store: Callable) -> None:
    """Calls `store(array, where, values)` with the elements in the order in which they happen to arrive."""
    positions = np.arange(array.size).reshape(array.shape)[key]
    values = np.broadcast_to(value, positions.shape).astype(array.dtype).ravel()
    order = _order.permutation(positions.size)
    store(array, np.unravel_index(positions.ravel()[order], array.shape), values[order])
