"""Pinned host memory: pages that stay where they are, so that a GPU copies from them while the host goes on.

A copy from other memory is made by the driver through pinned memory of its own, and the host waits. What nobody may do
before an asynchronous copy is over: write to the pinned memory, or give it back. CuPy's pool hands memory on as soon as
its last array is gone, so each copy holds on to its array until an event recorded behind it has passed.
"""

import threading
from typing import Any

import numpy as np

from minigrad import backend


def is_pinned(array: Any) -> bool:
    """Whether a NumPy array lies in memory of `pinned_copy`, a part of it or the whole."""
    if type(array) is not np.ndarray or not backend.is_loaded("cuda"):
        return False
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    owner = owner.obj if isinstance(owner, memoryview) else owner
    return isinstance(owner, backend.backend_for("cuda").module.cuda.PinnedMemoryPointer)


def pinned_copy(array: np.ndarray) -> np.ndarray:
    """The same values in pinned memory, contiguous; the array itself where it is so already."""
    if not array.size or (is_pinned(array) and array.flags.c_contiguous):
        return array
    memory = backend.backend_for("cuda").module.cuda.alloc_pinned_memory(array.nbytes)
    copy = np.ndarray(array.shape, array.dtype, buffer=memory)
    copy[...] = array
    return copy


class Copies:
    """Asynchronous copies to the GPU, and the pinned arrays they read, held until they have."""

    def __init__(self) -> None:
        self._held: list[tuple[Any, np.ndarray]] = []  # (event behind the copy, its array)
        self._lock = threading.Lock()

    def upload(self, array: np.ndarray, stream: Any = None) -> tuple[Any, Any]:
        """(array on the GPU, event that passes when it is filled), from a contiguous pinned array.

        `stream`: which does the copy; None for the current one. The memory is the current stream's, so it is handed on
        in that stream's order; another stream first waits for what was asked of this one, which may still be reading
        what lay there before.
        """
        xp = backend.backend_for("cuda").module
        here = xp.cuda.get_current_stream()
        copy = xp.empty(array.shape, array.dtype)
        if stream is not None:
            stream.wait_event(here.record(xp.cuda.Event(disable_timing=True)))
        copy.set(array, stream=stream or here)
        event = (stream or here).record(xp.cuda.Event(disable_timing=True))
        with self._lock:
            self._held = [(each, kept) for each, kept in self._held if not each.done] + [(event, array)]
        return copy, event


copies = Copies()


def upload(array: np.ndarray) -> Any:
    """A host array on the GPU: without waiting, where it is pinned; else as ever."""
    from minigrad.kernels.cuda import graph

    if graph.recording is None and array.size and array.flags.c_contiguous and is_pinned(array):
        return copies.upload(array)[0]
    return backend.to_device(array, "cuda")
