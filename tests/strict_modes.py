"""What the stand-in of strict_cupy.py allows at the moment: uploads, waiting for the device, products."""

import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

state = types.SimpleNamespace(uploads=False, no_sync=False, capturing=False, product=False, recording=None, pool=None)
state.check = lambda arrays: None  # of strict_streams.py: are copies into them done?


@contextmanager
def _mode(**switches: bool) -> Iterator[None]:
    former = dict(vars(state))
    vars(state).update(switches)
    try:
        yield
    finally:
        vars(state).update(former)


def uploads_allowed() -> AbstractContextManager[None]:
    """`strict.asarray` and `strict.array` may copy from the host here."""
    return _mode(uploads=True)


def no_sync() -> AbstractContextManager[None]:
    """Whatever must wait for the device to know a value raises RuntimeError here."""
    return _mode(no_sync=True)


def capturing() -> AbstractContextManager[None]:
    """As `no_sync`; besides, uploads and products outside `product_function()` raise, as in a CUDA graph."""
    return _mode(no_sync=True, capturing=True)


def product_function() -> AbstractContextManager[None]:
    """Marks the inside of the one product function that may be captured."""
    return _mode(product=True)


def arrays_in(value: Any) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [a for v in value for a in arrays_in(v)] if isinstance(value, (tuple, list)) else []


def run(compute: Callable[[], Any], given: Any) -> Any:
    """`compute()`, a function of the arrays in `given`; while a stream captures it is written down instead."""
    state.check(arrays_in(given))
    return compute() if state.recording is None else state.recording.add(compute, given)


def wait(what: str) -> None:
    if state.recording is not None:
        state.recording.spoilt = True
    if state.no_sync:
        raise RuntimeError(f"{what} waits for the device: not allowed inside no_sync() or capturing()")
