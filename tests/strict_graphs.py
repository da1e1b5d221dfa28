"""CUDA graphs on the stand-in of strict_cupy.py: `strict.cuda`, as far as a capture needs it.

While a stream captures, nothing is computed: what is asked for is written down, with the memory it reads and writes,
and `Graph.launch` does it, again and again, in that very memory. So a name rebound in the step, a number read on the
host or a step count kept in Python shows as a wrong result, as it would on a card. What the capture has freed is spoilt
before each launch. A launch raises where memory from before the capture has been freed since, or the pool of the graph
is gone; a capture raises where memory is taken from another pool, and is spoilt by an error inside it.
"""

import contextlib
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import strict_streams
from strict_modes import arrays_in as _arrays_in, state
from strict_streams import Clocked, Event


def _as_array(value: Any) -> Any:
    """NumPy's scalars and Python's numbers as arrays, which have memory that a launch can write to."""
    if isinstance(value, (np.generic, bool, int, float)):
        return np.asarray(value)
    return type(value)(map(_as_array, value)) if type(value) in (tuple, list) else value


def _owner(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def spoil(array: np.ndarray) -> None:
    """What memory holds that nobody wrote: NaN, or an absurd integer."""
    kind = array.dtype.kind
    array[...] = np.iinfo(array.dtype).max if kind in "iu" else kind == "b" or np.nan


def _spoil_all(arrays: list[np.ndarray]) -> None:
    for array in arrays:
        spoil(array)


class Recording:
    """What a stream has been asked for since `begin_capture`."""

    def __init__(self, pool: "MemoryPool"):
        self.steps: list[Callable[[], None]] = []
        self.pool = weakref.ref(pool)
        self.read: list[np.ndarray] = []
        self.made: list[np.ndarray] = []
        weakref.finalize(pool, _spoil_all, self.made)  # CuPy's pools take the memory of their arrays with them
        self.spoilt = False

    def add(self, compute: Callable[[], Any], given: Any) -> Any:
        """Write `compute` down; what it will give, with nothing in it yet."""
        arrays = _arrays_in(given)
        before = [a.tobytes() for a in arrays]
        copies = [a.copy() for a in arrays]
        with np.errstate(all="ignore"):
            result = _as_array(compute())
        for array, old, copy in zip(arrays, before, copies, strict=True):
            if array.tobytes() != old:
                array[...] = copy  # it writes in place: not before a launch
        outputs = [o for o in _arrays_in(result) if not any(np.may_share_memory(o, a) for a in arrays)]
        places = {id(o): i for i, o in enumerate(_arrays_in(result))}

        def step() -> None:
            with np.errstate(all="ignore"):
                results = _arrays_in(_as_array(compute()))
            for output in outputs:
                output[...] = results[places[id(output)]]

        for output in outputs:
            self.allocated(output)
        self._note(step, arrays)
        return result

    def allocated(self, array: np.ndarray) -> np.ndarray:
        """Memory that the pool gave during the capture."""
        if state.pool is not self.pool():
            raise RuntimeError("memory taken outside the pool of the graph while its stream captures")
        spoil(array)
        self.made.append(array)
        return array

    def add_launch(self, launch: Callable[[], None], arrays: list[np.ndarray]) -> None:
        """Write the launch of a kernel down; which of its arrays it writes to is not known."""
        self._note(launch, arrays)

    def _note(self, step: Callable[[], None], arrays: list[np.ndarray]) -> None:
        self.steps.append(step)
        self.read += arrays


class Graph:
    """`cupy.cuda.Graph`: what a capture gives."""

    def __init__(self, recording: Recording):
        self._recording = recording
        self._made = {id(o): o for o in map(_owner, recording.made)}
        owners = {id(o): o for o in map(_owner, recording.read)}
        self._foreign = [o for key, o in owners.items() if key not in self._made]
        self.launches = 0

    def launch(self, stream: "Stream | None" = None) -> None:
        if self._recording.pool() is None:
            raise RuntimeError("a graph was launched whose memory pool is gone")
        from strict_cupy import living

        held = {id(_owner(x._host)) for x in living()}
        gone = [o for o in self._foreign if id(o) not in held]
        if gone:
            what = ", ".join(f"{o.dtype} {o.shape}" for o in gone)
            raise RuntimeError(f"a graph was launched that uses memory freed since its capture: {what}")
        for key, array in self._made.items():
            if key not in held:
                spoil(array)  # freed memory of the pool: others of the graph may have had it meanwhile
        self.launches += 1
        for step in self._recording.steps:
            step()


class Stream(Clocked):
    """`cupy.cuda.Stream(non_blocking=True)`."""

    def __init__(self, null: bool = False, non_blocking: bool = False):
        super().__init__()
        self._can_capture = non_blocking
        self.ptr = 0 if null else id(self)

    def __enter__(self) -> "Stream":
        self._former = _streams.current
        _streams.current = self
        return self

    def __exit__(self, *_: object) -> None:
        _streams.current = self._former

    def begin_capture(self, mode: Any = None) -> None:
        if not self._can_capture:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        assert _streams.current is self, "what is to be captured has to run on the capturing stream"
        if state.pool is None:
            raise RuntimeError("a capture without a memory pool of its own")
        state.recording = Recording(state.pool)
        self._before = state.no_sync, state.capturing
        state.no_sync = state.capturing = True

    def end_capture(self) -> Graph:
        recording, state.recording = state.recording, None
        state.no_sync, state.capturing = self._before
        if recording.spoilt:
            raise RuntimeError("cudaErrorStreamCaptureInvalidated: operation failed due to a previous error")
        return Graph(recording)


class MemoryPool:
    """`cupy.cuda.MemoryPool`, by name: what is allocated while it is in use belongs to it."""

    def malloc(self, size: int) -> Any:
        raise AssertionError("the stand-in takes its memory from NumPy")


@contextlib.contextmanager
def using_allocator(allocator: Any = None) -> Iterator[None]:
    former, state.pool = state.pool, allocator.__self__
    try:
        yield
    finally:
        state.pool = former


_streams = types.SimpleNamespace(current=Stream(null=True))


def get_current_stream(device_id: int = -1) -> Stream:
    return _streams.current


cuda = types.SimpleNamespace(
    Event=Event, Graph=Graph, MemoryPool=MemoryPool, Stream=Stream, get_current_stream=get_current_stream,
    using_allocator=using_allocator, PinnedMemoryPointer=strict_streams.PinnedMemoryPointer,
    alloc_pinned_memory=strict_streams.alloc_pinned_memory,
)  # fmt: skip
