"""A CUDA graph: what a function does on the GPU, recorded once and done again without Python.

While a stream captures, kernels are not run but written down, with the addresses of their arrays. So a graph always
reads and writes the same memory, and whatever differs from one replay to the next has to lie in it: the batch, step
counts, rates, the offset of the random numbers. The rules that follow from this:

- a graph has a memory pool of its own. What is freed during the capture may be used again later in the graph, and by
  nobody else;
- nothing may wait for the GPU, for nothing runs. What tries to raises RuntimeError, which names the call;
- nothing may be uploaded: the copy would be repeated from host memory that belongs to others by then. Tables that the
  host knows during the capture (`constant`) are written once it is over.
"""

import contextlib
import dataclasses
import gc
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad import backend

_SPOKEN = {
    "__array__": "a conversion to NumPy", "__bool__": "bool() (an `if` or `while`)", "__complex__": "complex()",
    "__contains__": "`in`", "__float__": "float()", "__format__": "a formatted print", "__index__": "use as an index",
    "__int__": "int()", "__iter__": "iteration", "__repr__": "print() or repr()", "__str__": "print() or str()",
}  # fmt: skip
_HOME = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "")

recording: "Graph | None" = None  # the one whose capture is going on


class Graph:
    """`capture(function)`, then `replay()` as often as wanted.

    Arrays that the function makes live in `pool`, and no longer than the graph: CuPy's pools take the memory of their
    arrays with them. Whoever hands one out holds on to the graph as well. Random numbers move on from replay to
    replay: the graph advances the offset of each generator it draws from.
    """

    def __init__(self) -> None:
        self._xp = backend.backend_for("cuda").module
        self.pool = self._xp.cuda.MemoryPool()
        self._stream = self._xp.cuda.Stream(non_blocking=True)  # the default stream cannot capture
        self._before, self._after = (self._xp.cuda.Event(disable_timing=True) for _ in range(2))
        self._kept: list[Any] = []  # arrays whose addresses are in the graph
        self._constants: list[tuple[Any, np.ndarray]] = []
        self._generators: dict[Any, int] = {}  # and how many blocks each gives in a replay
        self._graph: Any = None

    @contextlib.contextmanager
    def beside(self) -> Iterator[None]:
        """Inside, work goes to the graph's stream: for runs before the capture, after which all kernels are compiled
        and all tables uploaded. Memory is taken from the usual pool, as what such a run makes may outlive the graph.
        """
        here = self._xp.cuda.get_current_stream()
        self._stream.wait_event(here.record(self._before))
        try:
            with self._stream:
                yield
        finally:
            here.wait_event(self._stream.record(self._after))

    def capture(self, function: Callable[[], Any]) -> Any:
        """What `function()` gives, made of arrays whose values each replay writes anew; none has been written yet.

        RuntimeError where it waits for the GPU or uploads something, CannotCapture for what CuPy does not capture.
        """
        if recording is not None:
            raise RuntimeError("a capture inside a capture: a captured step cannot call another one")
        gc.collect()  # so that no memory of former graphs is given back in the middle of it
        with self.beside(), self._xp.cuda.using_allocator(self.pool.malloc), _recorded_by(self):
            self._stream.begin_capture()
            try:
                result = function()
                for generator, start in self._generators.items():
                    self._generators[generator] = generator.end_capture(start)
            except BaseException as error:
                with contextlib.suppress(Exception):
                    self._stream.end_capture()  # of a capture that an error has spoilt: this raises, too
                for generator, start in self._generators.items():
                    generator.end_capture(start, undone=True)
                if isinstance(error, Exception) and _is_refusal(error):
                    kind = CannotCapture if isinstance(error, NotImplementedError) else RuntimeError
                    raise kind(explained(error)) from error
                raise
            self._graph = self._stream.end_capture()
        for array, values in self._constants:
            array[...] = backend.backend_for("cuda").to_device(values)
        self._kept += [array for array, _ in self._constants]
        self._constants = []
        return result

    def replay(self) -> None:
        """Do it all again. The host does not wait."""
        if self._graph is None:
            raise RuntimeError("replay() of a graph that has captured nothing: call capture(function) first")
        for generator in self._generators:
            generator.begin_replay()
        here = self._xp.cuda.get_current_stream()
        self._stream.wait_event(here.record(self._before))
        self._graph.launch(self._stream)
        here.wait_event(self._stream.record(self._after))
        for generator, blocks in self._generators.items():
            generator.end_replay(blocks)

    @property
    def generators(self) -> list[Any]:
        """Those that the graph draws from."""
        return list(self._generators)

    # ------------------------------------------------------------------ for those who are captured

    def constant(self, values: np.ndarray) -> Any:
        """An array on the GPU that holds `values` in every replay."""
        array = self._xp.empty(values.shape, values.dtype)
        self._constants.append((array, values))
        return array

    def fresh_constant(self, values: np.ndarray) -> Any:
        """An array that holds `values` at this point of every replay, whatever is written into it afterwards."""
        return self.constant(values).copy()

    def keep(self, array: Any) -> Any:
        """Hold on to an array made before, whose address the graph is about to take."""
        self._kept.append(array)
        return array

    def draws_from(self, generator: Any) -> None:
        """Called by a generator at each draw."""
        if generator not in self._generators:
            self._generators[generator] = generator.begin_capture()


class CannotCapture(RuntimeError):
    """The step uses a library that CuPy does not capture, such as its cuBLAS: there is no graph for it."""


@contextlib.contextmanager
def _recorded_by(graph: Graph) -> Iterator[None]:
    """Refuse moves between host and GPU, of this thread; others may go on with theirs."""
    global recording
    usual, owner = backend.backend_for("cuda"), threading.get_ident()

    def only_here(refuse: Callable, move: Callable) -> Callable:
        return lambda array: (refuse if threading.get_ident() == owner else move)(array)

    ours = dataclasses.replace(
        usual,
        to_device=only_here(_refuse_upload, usual.to_device),
        to_host=only_here(_refuse_download, usual.to_host),
        constant=only_here(graph.fresh_constant, usual.to_device),
    )
    backend.register(ours)
    recording = graph
    try:
        yield
    finally:
        recording = None
        backend.register(usual)


class _Refused(RuntimeError):
    pass


def _refuse_upload(array: Any) -> Any:
    raise _Refused(f"it uploads {array.dtype} values of shape {tuple(array.shape)}, which a replay could not renew")


def _refuse_download(array: Any) -> Any:
    raise _Refused("it waits for the GPU to know a value")


def _is_refusal(error: Exception) -> bool:
    """CuPy's words are `cudaErrorStreamCapture...`, and `... during stream capture is currently unsupported`."""
    return isinstance(error, _Refused) or "captur" in str(error).lower()


def _is_above_kernels(file: str) -> bool:
    below = os.path.join(_HOME, "kernels"), os.path.join(_HOME, "backend.py")
    return file.startswith(_HOME) and not file.startswith(below)


def explained(error: Exception) -> str:
    """Which call of the program cannot be captured, and what to do."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame.filename.startswith(_HOME) for frame in frames]
    entries = [i for i in range(1, len(frames)) if ours[i] and not ours[i - 1]]
    if not entries:
        return f"a captured step did what cannot be captured: {error}"
    caller, called = frames[entries[-1] - 1], frames[entries[-1]].name
    if called == "__call__":  # of a module: what it came to in there, above the kernels
        called = [frame.name for frame in frames if _is_above_kernels(frame.filename)][-1]
    name = _SPOKEN.get(called, f"{called}()")
    reason = str(error) if isinstance(error, _Refused) else f"it cannot be captured ({error})"
    place = f"{os.path.basename(caller.filename)}:{caller.lineno} ({(caller.line or '').strip()})"
    if isinstance(error, NotImplementedError):
        return f"{name} at {place}: {reason}"
    return (
        f"{name} inside a captured step, at {place}: {reason}. A captured step is recorded once and replayed without "
        "Python: return the tensor and look at it outside, or make it before the step and hand it in"
    )
