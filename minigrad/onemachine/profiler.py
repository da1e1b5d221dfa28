"""`torch.profiler`: which ops a program spends its time in.

    with profile(activities=[ProfilerActivity.CPU]) as prof:
        model(x).sum().backward()
    print(prof.key_averages().table(sort_by="cpu_time_total", row_limit=10))

While a profile records, `Op.__call__` and the vjp methods are replaced by timing ones; otherwise the plain ones run.
An event is (name, start, end) in seconds of `time.perf_counter`; ops called inside other ops count for both, as
"total", and for the inner one alone as "self".
"""

import enum
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from minigrad.op import FusedOp, Op
from minigrad.tensor import Tensor

_METHODS = [(kind, name) for kind in (Op, FusedOp) for name in ("__call__", "vjp_on_arrays", "vjp_on_tensors")]


class ProfilerActivity(enum.Enum):
    """What to watch. Only the CPU's time is taken: it includes waiting for a GPU where the program waits."""

    CPU = 0
    CUDA = 2


class ProfilerAction(enum.Enum):
    """What a profile does in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0
) -> Callable[[int], ProfilerAction]:
    """The action of each step: after `skip_first`, `repeat` cycles (0: for ever) of `wait` + `warmup` + `active`."""
    if min(wait, warmup, repeat, skip_first) < 0 or active < 1:
        raise AssertionError(
            f"schedule: active must be 1 or more and the others not negative, got {active=} {wait=} {warmup=}"
        )
    cycle = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if step < 0 or (repeat and step // cycle >= repeat) or step % cycle < wait:
            return ProfilerAction.NONE
        if step % cycle < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if step % cycle == cycle - 1 else ProfilerAction.RECORD

    return action


@dataclass
class Event:
    """One call: its name, when it ran, the time of calls inside it, and the shapes of the tensors it was given."""

    name: str
    start: float
    end: float = 0.0
    inside: float = 0.0
    shapes: list[tuple[int, ...]] = field(default_factory=list)


class _Recorder:
    """The events of one recording; `open` is the stack of calls that are running."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.open: list[Event] = []

    def begin(self, name: str, inputs: Iterable[Any] = ()) -> None:
        shapes = [tuple(x.shape) for x in inputs if isinstance(x, Tensor)]
        self.open.append(Event(name, time.perf_counter(), shapes=shapes))

    def finish(self) -> None:
        event = self.open.pop()
        event.end = time.perf_counter()
        if self.open:
            self.open[-1].inside += event.end - event.start
        self.events.append(event)


_recorder: _Recorder | None = None


class record_function:
    """`with record_function("name"):` gives a part of the program a line of its own in the profile; a decorator too."""

    def __init__(self, name: str, args: str | None = None):
        self.name = name
        self.recorder: _Recorder | None = None

    def __enter__(self) -> "record_function":
        self.recorder = _recorder
        if self.recorder is not None:
            self.recorder.begin(self.name)
        return self

    def __exit__(self, *_: object) -> None:
        if self.recorder is not None and self.recorder.open:
            self.recorder.finish()

    def __call__(self, function: Callable) -> Callable:
        def call(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name):
                return function(*args, **kwargs)

        return call


class profile:
    """Record the calls of ops inside a `with` block (or between `start()` and `stop()`), with the time each took.

    With a `schedule`, `step()` moves on and `on_trace_ready(profile)` is called after each cycle; without, once at the
    end. NotImplementedError for `profile_memory`, `with_stack`, `with_flops` and `with_modules`, which are not
    recorded.
    """

    def __init__(
        self, *, activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[["profile"], Any] | None = None, record_shapes: bool = False,
        profile_memory: bool = False, with_stack: bool = False, with_flops: bool = False, with_modules: bool = False,
    ):  # fmt: skip
        asked = {
            "profile_memory": profile_memory,
            "with_stack": with_stack,
            "with_flops": with_flops,
            "with_modules": with_modules,
        }
        if wrong := [name for name, wanted in asked.items() if wanted]:
            raise NotImplementedError(
                f"minigrad's profile records calls, times and shapes: leave out {', '.join(wrong)}=True"
            )
        if bad := [a for a in activities or () if not isinstance(a, ProfilerActivity)]:
            raise TypeError(f"activities are of ProfilerActivity, got {bad[0]!r}")
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self.on_trace_ready, self.record_shapes = on_trace_ready, record_shapes
        self.step_num = 0
        self.action = ProfilerAction.NONE
        self._done: list[Event] = []

    def __enter__(self) -> "profile":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin with step 0."""
        if _recorder is not None:
            raise RuntimeError("a profile is being recorded already; end it first")
        self._move_to(self.schedule(self.step_num))

    def stop(self) -> None:
        """End, and hand over what was recorded since the last cycle's end."""
        self._move_to(ProfilerAction.NONE)

    def step(self) -> None:
        """The next step of the program begins."""
        self.step_num += 1
        after, before = self.schedule(self.step_num), self.action
        if before is ProfilerAction.RECORD_AND_SAVE and after in (
            ProfilerAction.RECORD,
            ProfilerAction.RECORD_AND_SAVE,
        ):
            self._move_to(ProfilerAction.NONE)
        self._move_to(after)

    def _move_to(self, action: ProfilerAction) -> None:
        global _recorder
        recording = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        if action in recording and self.action not in recording:
            _recorder = _Recorder()
            self._plain = {(kind, name): kind.__dict__[name] for kind, name in _METHODS}
            for (kind, name), method in self._plain.items():
                setattr(kind, name, _timed_call(method) if name == "__call__" else _timed_vjp(method))
        elif action not in recording and self.action in recording and _recorder is not None:
            self._done, _recorder = _recorder.events, None
            for (kind, name), method in self._plain.items():
                setattr(kind, name, method)
            if self.on_trace_ready is not None:
                self.on_trace_ready(self)
        self.action = action

    def events(self) -> list[Event]:
        """The calls of the last finished cycle, in the order in which they ended."""
        return self._done

    def key_averages(self, group_by_input_shape: bool = False) -> "Averages":
        """The calls, summed by name (and by the shapes of their inputs)."""
        if group_by_input_shape and not self.record_shapes:
            raise ValueError("group_by_input_shape needs profile(record_shapes=True)")
        return Averages(self._done, group_by_input_shape)

    def export_chrome_trace(self, path: str) -> None:
        """Write the calls as JSON that chrome://tracing and ui.perfetto.dev show."""
        calls = [
            {"ph": "X", "name": e.name, "ts": e.start * 1e6, "dur": (e.end - e.start) * 1e6,
             "pid": os.getpid(), "tid": 0, "args": {"Input Dims": e.shapes} if self.record_shapes else {}}
            for e in self._done
        ]  # fmt: skip
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"traceEvents": calls}, file)


def _timed_call(call: Callable) -> Callable:
    def timed(self: Op, *inputs: Any, **params: Any) -> Any:
        recorder = _recorder
        if recorder is None or not any(isinstance(x, Tensor) for x in inputs):
            return call(self, *inputs, **params)
        if recorder.open and recorder.open[-1].name == self.name and isinstance(self, FusedOp):
            return call(self, *inputs, **params)  # FusedOp.__call__ goes on to Op.__call__: one call, not two
        recorder.begin(self.name, inputs)
        try:
            return call(self, *inputs, **params)
        finally:
            recorder.finish()

    return timed


def _timed_vjp(vjp: Callable) -> Callable:
    def timed(self: Op, node: Any, parents: Any, dy: Any) -> Any:
        recorder = _recorder
        if recorder is None:
            return vjp(self, node, parents, dy)
        recorder.begin(f"{self.name}_vjp")
        try:
            return vjp(self, node, parents, dy)
        finally:
            recorder.finish()

    return timed


@dataclass
class Average:
    """The calls under one key: how many, their total time and the part of it outside inner calls, in microseconds."""

    key: str
    count: int
    cpu_time_total: float
    self_cpu_time_total: float

    @property
    def cpu_time(self) -> float:
        return self.cpu_time_total / self.count


class Averages(list):
    """A list of `Average`, with `table()`."""

    def __init__(self, events: Iterable[Event], by_shape: bool = False):
        groups: dict[tuple, list[Event]] = defaultdict(list)
        for event in events:
            groups[event.name, tuple(event.shapes) if by_shape else None].append(event)
        for (name, shapes), calls in groups.items():
            total = sum(e.end - e.start for e in calls) * 1e6
            inside = sum(e.inside for e in calls) * 1e6
            self.append(
                Average(name if shapes is None else f"{name} {list(shapes)}", len(calls), total, total - inside)
            )

    def total_average(self) -> Average:
        """All keys together; the total is the time outside any other call."""
        own = sum(a.self_cpu_time_total for a in self)
        return Average("Total", sum(a.count for a in self), own, own)

    def table(self, sort_by: str | None = None, row_limit: int = 100) -> str:
        """Text of one line a key. `sort_by`: "cpu_time_total", "self_cpu_time_total", "cpu_time" or "count"."""
        keys = ("cpu_time_total", "self_cpu_time_total", "cpu_time", "count")
        if sort_by is not None and sort_by not in keys:
            raise ValueError(f"sort_by must be one of {', '.join(keys)}, got {sort_by!r}")
        rows = sorted(self, key=lambda a: -getattr(a, sort_by)) if sort_by else list(self)
        own = self.total_average().self_cpu_time_total
        width = max([len(a.key) for a in rows[:row_limit]] + [4])
        lines = [
            f"{'Name':>{width}}  {'Self CPU':>12}  {'Self CPU %':>10}  {'CPU total':>12}  {'CPU time avg':>12}  "
            f"{'# of Calls':>10}"
        ]
        for a in rows[:row_limit]:
            share = a.self_cpu_time_total / own if own else 0.0
            lines.append(
                f"{a.key:>{width}}  {_time(a.self_cpu_time_total):>12}  {share:>10.2%}  {_time(a.cpu_time_total):>12}  "
                f"{_time(a.cpu_time):>12}  {a.count:>10}"
            )
        rule = "  ".join("-" * n for n in (width, 12, 10, 12, 12, 10))
        return "\n".join([rule, lines[0], rule, *lines[1:], rule, f"Self CPU time total: {_time(own)}", ""])


def _time(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3f}{unit}"
    return f"{microseconds:.3f}us"


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None) -> Callable[[profile], None]:
    """An `on_trace_ready` that writes each trace to a file `*.pt.trace.json` in a folder, which it makes."""

    def handle(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        name = f"{worker_name or f'minigrad_{os.getpid()}'}.{time.time_ns()}.pt.trace.json"
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return handle
