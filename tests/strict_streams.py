"""Streams beside each other, and pinned memory, for the stand-in of strict_cupy.py.

An asynchronous copy from pinned memory is done as late as it may be: when somebody who has waited for it uses the
array. So three slips show that a fast card hides: an array used before its copy has been waited for, pinned memory
given back before (RuntimeError, both), and memory of an array handed on while a stream works on it (`violations`).
"""

import weakref
from typing import Any

import numpy as np
from strict_modes import state, wait

violations: list[str] = []
_copies: list["_Copy"] = []  # that have been asked for and not been done
_made: dict[int, tuple["Clocked", int]] = {}  # for memory by id: on which stream, and when


class Event:
    """`cupy.cuda.Event`: how far the stream had come that recorded it, and all that this one had waited for."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False):
        self.seen: dict[Clocked, int] = {}

    @property
    def done(self) -> bool:
        """Whether no copy before it is outstanding: nothing gets done for being asked about."""
        return not any(self.seen.get(copy.stream, -1) >= copy.time for copy in _copies)

    def synchronize(self) -> None:
        wait("Event.synchronize()")
        for copy in [c for c in _copies if self.seen.get(c.stream, -1) >= c.time]:
            copy.do()


class Clocked:
    """What `strict.cuda.Stream` knows of time."""

    def __init__(self) -> None:
        self.time = 0
        self.seen: dict[Clocked, int] = {}

    def tick(self) -> int:
        self.time += 1
        return self.time

    def has_seen(self, stream: "Clocked", time: int) -> bool:
        return stream is self or self.seen.get(stream, 0) >= time

    def record(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.seen = {**self.seen, self: self.tick()}
        return event

    def wait_event(self, event: Event) -> None:
        assert isinstance(event, Event)
        for stream, time in event.seen.items():
            self.seen[stream] = max(time, self.seen.get(stream, 0))

    def synchronize(self) -> None:
        wait("synchronize()")
        for copy in [c for c in _copies if self.has_seen(c.stream, c.time)]:
            copy.do()


class PinnedMemoryPointer(bytearray):
    """`cupy.cuda.PinnedMemoryPointer`: memory that NumPy's arrays can lie in."""


def alloc_pinned_memory(size: int) -> PinnedMemoryPointer:
    assert size > 0
    return PinnedMemoryPointer(b"\xff" * (2 * size))  # CuPy's pool rounds up; nobody has written there


def _root(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


class _Copy:
    def __init__(self, to: np.ndarray, source: np.ndarray, pointer: PinnedMemoryPointer, stream: Clocked):
        self.to, self.owner = weakref.ref(to), id(_root(to))
        self.pointer = weakref.ref(pointer)
        start = np.frombuffer(pointer, np.uint8).ctypes.data
        self.form = source.shape, source.dtype, source.ctypes.data - start
        self.stream, self.time = stream, stream.tick()

    def do(self) -> None:
        _copies.remove(self)
        pointer, to = self.pointer(), self.to()
        if pointer is None:
            raise RuntimeError("pinned memory was given back before the copy from it was done")
        shape, dtype, offset = self.form
        to[...] = np.ndarray(shape, dtype, buffer=pointer, offset=offset)


def made(array: np.ndarray, current: Clocked) -> None:
    """An array was allocated."""
    key = id(_root(array))
    _made[key] = current, current.tick()
    weakref.finalize(_root(array), _gone, key)


def _gone(key: int) -> None:
    stream, _ = _made.pop(key)
    for copy in [c for c in _copies if c.owner == key]:
        _copies.remove(copy)
        if not stream.has_seen(copy.stream, copy.time):
            violations.append("memory was handed on while another stream was to copy into it")


def set_from(to: np.ndarray, source: np.ndarray, stream: Any, current: Clocked) -> None:
    """`cupy.ndarray.set(source, stream)`; from memory that is not pinned the host waits."""
    if not isinstance(source, np.ndarray) or source.shape != to.shape or source.dtype != to.dtype:
        raise TypeError(f"set() takes a NumPy array of {to.dtype} {to.shape}")
    pointer: Any = source
    while isinstance(pointer, np.ndarray):
        pointer = pointer.base
    if not isinstance(pointer, PinnedMemoryPointer) or not source.flags.c_contiguous:
        wait("set() from memory that is not pinned")
        to[...] = source
        return
    stream = stream or current
    if id(_root(to)) in _made and not stream.has_seen(*_made[id(_root(to))]):
        raise RuntimeError("a copy into memory that its own stream may still be using: wait for that stream first")
    _copies.append(_Copy(to, source, pointer, stream))


def check(arrays: list[np.ndarray], current: Clocked) -> None:
    """The arrays are about to be used on a stream, or by the host after that stream's work."""
    used = {id(_root(array)) for array in arrays}
    for copy in [c for c in _copies if c.owner in used]:
        if not current.has_seen(copy.stream, copy.time):
            raise RuntimeError("an array was used before the copy into it has been waited for")
        copy.do()


def outstanding() -> int:
    return len(_copies)


def _check(arrays: list[np.ndarray]) -> None:
    if _copies:
        from strict_graphs import get_current_stream

        check(arrays, get_current_stream())


state.check = _check
