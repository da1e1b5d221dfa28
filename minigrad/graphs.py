"""Training steps that cost no Python: run a few times, captured as a CUDA graph, and then replayed.

    step = graphs.captured(step, model, optimizer)      step(x, y) -> loss, as before
    for x, y in loader:
        loss = step(x, y)

A small model spends its time in Python: each op costs it some microseconds, in which a GPU could do more. The kernels
that a step starts are the same each time, so they are recorded once (kernels/cuda/graph.py) and started all together.
What that asks of the step: it works on tensors alone, waits for none of them, and computes the same things each time.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import autograd, late_checks, pytree
from minigrad.backend import array_module, kernels_of, to_host
from minigrad.kernels.cuda.graph import CannotCapture, Graph
from minigrad.kernels.cuda.product import capturable
from minigrad.optim.update import on_gpu
from minigrad.step_state import Fingerprint, Outside, StepState, copies, keep_memory, put_back, same_bits
from minigrad.tensor import Tensor, from_raw

MOST_GRAPHS = 4  # of one step, for batches of different shapes
MOST_CAPTURES = 8  # before something that changes all the time is taken for what it is


def captured(step: Callable, *changes: Any, warmup: int = 2, check_every: int = 100) -> "Captured":
    """`step`, which trains on the batch it is given, as a function that replays itself on a GPU.

    `changes` are the modules, optimizers and tensors that the step changes, and its GradScaler. For each shape of batch
    the first `warmup` calls run as ever; the next captures the step, runs it both ways from the same state, and
    compares every tensor, the outputs and the gradients to the bit. Only if all agree is the graph used from then on;
    else there is a warning, and the step goes on as ever. So do batches of new shapes, with a warning, until they have
    been seen as often.

    The batch may be any tensors, in tuples, lists and dicts; they are moved to the GPU. Whatever else is handed over is
    part of the "shape". The outputs come without a graph, in memory of their own. On the host the step simply runs.

    Between calls everything may change that lies in tensors, and the learning rates, by a scheduler or by hand. A step
    must not call one itself: Python runs only when it is captured. Where a tensor has been given other memory, or a
    setting has changed (`train()` and `eval()`, the p of a Dropout, a momentum), the step is captured anew. That goes
    for tensors in the closure or among the globals of the step, too; what it reaches in other ways must stay in place.

    Labels and indices out of range, and outputs that are not finite, are noted on the GPU and looked at every
    `check_every` calls, or by `look()`: IndexError or RuntimeError with the number of the call that it was.
    RuntimeError for a step that waits for the GPU, with the line where it does; NotImplementedError for an optimizer
    that cannot be captured.
    """
    return Captured(step, changes, warmup, check_every)


class Captured:
    """What `captured` makes. `replays` counts the calls that were replays."""

    def __init__(self, step: Callable, changes: tuple, warmup: int, check_every: int):
        if warmup < 1 or check_every < 1:
            raise ValueError(f"captured: warmup and check_every start at 1, got {warmup} and {check_every}")
        self._step, self._state = step, StepState(changes)
        self._warmup, self._check_every = warmup, check_every
        self._seen: dict[Any, int] = {}  # how often each shape has run eagerly
        self._graphs: dict[Any, _Replay] = {}
        self._beside: Graph | None = None
        self._refused: set[Any] = set()  # shapes that will not be captured
        self._captures = 0
        self.calls = self.replays = 0
        self._device: Any = None  # the GPU, once it is known that there is one
        self._on_host: Tensor | None = None  # one of the tensors, where there is none

    def __call__(self, *batch: Any, **named: Any) -> Any:
        if self._device is None:
            if self._on_host is None or on_gpu(self._on_host):
                self._find_device()
            if self._device is None:
                return self._run_on_host(batch, named)
        self.calls += 1
        leaves, spec = pytree.flatten((batch, named))
        leaves = [x.detach().to(self._device) if isinstance(x, Tensor) else x for x in leaves]
        shape = _shape_of(leaves, spec)
        replay = self._graphs.get(shape)
        if replay is not None:
            change = replay.change()
            if change is None:
                return self._replayed(replay, leaves)
            del self._graphs[shape]
            replay.look()
            self._note(f"{change} has changed since the step was captured: it is captured anew")
            self._seen[shape] = max(self._warmup - 1, 1)
        return self._not_yet(shape, leaves, spec)

    def look(self) -> None:
        """Wait for the GPU, and raise for what went wrong since the last look."""
        for replay in self._graphs.values():
            replay.look()

    # ------------------------------------------------------------------ one call

    def _find_device(self) -> None:
        self._device = self._state.device()
        if self._device is None:
            warnings.warn("captured: nothing of this step is on a GPU, it simply runs", stacklevel=3)
            self._on_host = next(iter(self._state.tensors().values()), None)
        else:
            self._state.make_capturable()

    def _run_on_host(self, batch: tuple, named: dict[str, Any]) -> Any:
        self.calls += 1
        return pytree.map_leaves(_detached, self._step(*batch, **named))

    def _replayed(self, replay: "_Replay", leaves: list) -> Any:
        self.replays += 1
        outputs = replay.run(leaves, self.calls)
        if self.replays % self._check_every == 0:
            self.look()
        return outputs

    def _not_yet(self, shape: Any, leaves: list, spec: Any) -> Any:
        seen = self._seen.get(shape, 0)
        self._seen[shape] = seen + 1
        if shape in self._refused:
            return self._eagerly(leaves, spec)
        if not seen and self._graphs:
            self._note(f"a batch of another shape, {_spoken(leaves)}, runs without the graph until it has been seen "
                       f"{self._warmup} times")  # fmt: skip
        if seen < self._warmup:
            self._beside = self._beside or Graph()
            with self._beside.beside():  # where it will be captured: kernels are compiled, tables uploaded
                return self._eagerly(leaves, spec)
        if len(self._graphs) == MOST_GRAPHS or self._captures == MOST_CAPTURES:
            self._refused.add(shape)
            self._note(f"{self._captures} captures are enough: this one goes on without a graph")
            return self._eagerly(leaves, spec)
        return self._first_replay(shape, leaves, spec)

    def _first_replay(self, shape: Any, leaves: list, spec: Any) -> Any:
        """Capture the step and run it both ways."""
        graph, self._beside = self._beside or Graph(), None
        try:
            replay = _Replay(graph, self._state, self._step, leaves, spec)
        except CannotCapture as error:
            self._refused.add(shape)
            self._note(f"the step goes on without a graph, as it has no other way: {error}")
            return self._eagerly(leaves, spec)
        self._captures += 1
        outputs, different = replay.verified(lambda: self._eagerly(leaves, spec), leaves, self.calls)
        if different is None:
            self._graphs[shape] = replay
        else:
            self._refused.add(shape)
            self._note(f"a replay gave other bits than the step itself, in {different}: it goes on without a graph. "
                       "Does the step change something that captured() was not given, add to the gradients of the "
                       "step before, or add in an order that changes?")  # fmt: skip
        return outputs

    def _eagerly(self, leaves: list, spec: Any) -> Any:
        with capturable(), late_checks.postponed(wait=True):
            return pytree.map_leaves(_detached, _called(self._step, spec, leaves))

    def _note(self, text: str) -> None:
        warnings.warn(f"captured: {text}", stacklevel=4)


class _Replay:
    """A step captured for one shape of batch."""

    def __init__(self, graph: Graph, state: StepState, step: Callable, leaves: list, spec: Any):
        self._graph, self._state = graph, state
        self._named = state.tensors()
        self._tensors = list(self._named.values())
        self._arrays = [tensor.array for tensor in self._tensors]
        self._leaves = state.leaves()
        self._had_gradients = any(p.grad is not None for p in self._leaves)
        before = [p.grad for p in self._leaves]
        self._inputs = [x.detach().clone() if isinstance(x, Tensor) else x for x in leaves]
        rates = _rates(state)
        for optimizer in state.optimizers:
            optimizer.write_rates()
        _set_gradients(self._leaves, [None] * len(before))

        def recorded() -> Any:
            with capturable(), late_checks.postponed() as checks:
                outputs = pytree.map_leaves(_detached, _called(step, spec, self._inputs))
                keep_memory(self._tensors, self._arrays)
                found, self._spec = pytree.flatten(outputs)
                for i, x in enumerate(found):
                    if isinstance(x, Tensor) and x.is_floating_point():
                        late_checks.note(_is_bad(x.array), RuntimeError, _not_finite(i, found))
            self._watch = _Watch(graph, checks)
            return found

        with graph.beside():
            _compile_the_checks(self._tensors)
        try:
            self._outputs = graph.capture(recorded)
        except BaseException:
            for tensor, array in zip(self._tensors, self._arrays, strict=True):
                tensor.array = array
            _set_gradients(self._leaves, before)
            raise
        self._gradients = [p.grad for p in self._leaves]
        for gradient in self._gradients:
            if gradient is not None:
                gradient.graph = graph  # type: ignore[attr-defined]  # whose memory it is in: while it lives, so does that
        _set_gradients(self._leaves, before)
        if _rates(state) != rates:
            raise RuntimeError(
                "the captured step changes a learning rate: Python runs only while a step is captured, so call the "
                "scheduler outside, after the step"
            )
        self._fingerprint, self._outside = Fingerprint(state), Outside(step)

    def change(self) -> str | None:
        """What makes this graph unfit for the next call; None if nothing does."""
        if not self._had_gradients and any(p.grad is not None for p in self._leaves):
            return "that there are gradients from before the step"
        return self._outside.change() or self._fingerprint.change()

    def verified(self, eagerly: Callable[[], Any], leaves: list, call: int) -> tuple[Any, str | None]:
        """The outputs of this call, and the name of a tensor that differs between the step and its replay."""
        drawn = {generator: generator.get_state() for generator in self._graph.generators}
        before = copies(self._tensors)
        wanted = eagerly()
        if self._state.tensors().keys() != self._named.keys():
            raise RuntimeError(
                "the step makes new state at each call: what it changes has to be there after the warm-up"
            )
        keep_memory(self._tensors, self._arrays)
        after, gradients = copies(self._tensors), [p.grad for p in self._leaves]
        offsets = {generator: generator.offset for generator in drawn}
        for generator, state in drawn.items():
            generator.set_state(state)
        put_back(self._tensors, before)
        del before
        outputs = self.run(leaves, call)
        different = self._difference(wanted, outputs, after, gradients, offsets)
        if different is not None:
            put_back(self._tensors, after)
            _set_gradients(self._leaves, gradients)
            return wanted, different
        return outputs, None

    def _difference(self, wanted: Any, outputs: Any, after: list, gradients: list, offsets: dict) -> str | None:
        for i, (a, b) in enumerate(zip(pytree.leaves_of(wanted), pytree.leaves_of(outputs), strict=True)):
            if isinstance(a, Tensor) != isinstance(b, Tensor) or (
                not same_bits(a.array, b.array) if isinstance(a, Tensor) else a != b
            ):
                return f"output {i}"
        for name, tensor, array in zip(self._named, self._tensors, after, strict=True):
            if not same_bits(tensor.array, array):
                return name
        for p, gradient in zip(self._leaves, gradients, strict=True):
            if (p.grad is None) != (gradient is None) or (
                p.grad is not None and not same_bits(p.grad.array, gradient.array)
            ):
                return f"the gradient of {next(name for name, tensor in self._named.items() if tensor is p)}"
        if any(generator.offset != offset for generator, offset in offsets.items()):
            return "how many random numbers are drawn"
        return None

    def run(self, leaves: list, call: int) -> Any:
        """Replay the step on a batch; the outputs, copied out of the graph's memory."""
        for fixed, x in zip(self._inputs, leaves, strict=True):
            if isinstance(x, Tensor):
                fixed.array[...] = x.array
        for optimizer in self._state.optimizers:
            optimizer.write_rates()
        self._graph.replay()
        self._watch.calls.append(call)
        _set_gradients(self._leaves, self._gradients)
        for tensor in self._tensors:
            if tensor.version is not None:
                tensor.bump_version()
        return pytree.unflatten(
            self._spec, [from_raw(x.array.copy()) if isinstance(x, Tensor) else x for x in self._outputs]
        )

    def look(self) -> None:
        self._watch.look()


class _Watch:
    """The checks of a captured step: on the GPU stands, for each, the replay in which it failed first, or 0."""

    def __init__(self, graph: Graph, checks: list[late_checks.Check]):
        self._checks = [(check.error, check.text) for check in checks]
        self.calls: list[int] = []  # the number of the call that each replay since the last look was
        self._count = graph.constant(np.zeros(1, np.int64))
        self._when = graph.constant(np.zeros(max(len(checks), 1), np.int64))
        _note_failures(self._count, self._when, [check.failed for check in checks])

    def look(self) -> None:
        when, calls = to_host(self._when), self.calls
        self.calls = []
        self._when[...] = 0
        self._count[...] = 0
        failed = [(int(w), i) for i, w in enumerate(when) if w]
        if failed:
            replay, i = min(failed)
            error, text = self._checks[i]
            raise error(f"{text} (call {calls[replay - 1]} of a captured step, found at call {calls[-1]})")


def _note_failures(count: Any, when: Any, failed: list) -> None:
    """Count a replay, and put its number down for each check that has failed for the first time."""
    count += 1
    for i, each in enumerate(failed):
        place = when[i : i + 1]
        place[...] = kernels_of(place).where((place == 0) & each.reshape((1,)), count, place)


def _is_bad(array: Any) -> Any:
    array = array.astype("float32") if array.dtype.itemsize == 2 else array
    return ~array_module(array).isfinite(array)


def _compile_the_checks(tensors: list[Tensor]) -> None:
    """Run what a capture adds to a step once, as a capture must not wait for the compiler."""
    like = next(tensor.array for tensor in tensors if on_gpu(tensor))
    xp = array_module(like)
    failed = [_is_bad(xp.zeros(1, dtype)).any() for dtype in ("float16", "float32", "float64")]
    _note_failures(xp.zeros(1, "int64"), xp.zeros(3, "int64"), failed)
    offset = xp.zeros(2, "uint64")
    offset[1:2] += 1  # as the offset of random numbers is moved on


def _not_finite(i: int, outputs: list) -> str:
    name = "the loss" if len(outputs) == 1 else f"output {i}"
    return (
        f"{name} is not finite: lower the learning rate, clip the gradients, or look for what the step divides by. The "
        "steps after it are of no use: go back to a state saved before"
    )


def _called(step: Callable, spec: Any, leaves: list) -> Any:
    batch, named = pytree.unflatten(spec, leaves)
    return step(*batch, **named)


def _rates(state: StepState) -> list:
    return [group["lr"] for optimizer in state.optimizers for group in optimizer.param_groups]


def _set_gradients(leaves: list[Tensor], gradients: list) -> None:
    for p, gradient in zip(leaves, gradients, strict=True):
        p.node.grad = gradient


def _detached(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) else x


def _shape_of(leaves: list, spec: Any) -> Any:
    """What a graph is for: shapes and dtypes, all that is no tensor, and whether gradients are recorded."""
    parts = tuple((x.array.shape, x.array.dtype.name) if isinstance(x, Tensor) else x for x in leaves)
    return parts, repr(spec), autograd.mode.enabled


def _spoken(leaves: list) -> str:
    return ", ".join(str(tuple(x.shape)) if isinstance(x, Tensor) else repr(x) for x in leaves)
