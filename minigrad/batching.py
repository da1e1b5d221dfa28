"""What is different while a `vmap` runs: how ops are called, and how random numbers are drawn.

Inside, an op that is given one Batched array is given nothing else: other tensors go through `batch_share`, raw arrays
among its inputs and parameters (labels, indices, masks) are shared as they are. Ops without a Batched array run as
always. Both calls of an op and the draws of the generator are replaced on entering and put back on leaving; the plain
ones know nothing of it.
"""

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.backend import is_array
from minigrad.generator import Generator
from minigrad.kernels import batched as kernels
from minigrad.kernels.batched import Batched, Level, crossing, refuse_host
from minigrad.op import FusedOp, Op
from minigrad.ops import batch_share
from minigrad.philox import PhiloxGenerator
from minigrad.tensor import Tensor

_METHODS = [(Op, "__call__"), (FusedOp, "__call__"), (FusedOp, "vjp_on_arrays")]
_DRAWS = ("uniform", "normal", "trunc_normal", "exponential", "cauchy", "log_normal", "geometric", "randint",
          "random_integers", "random", "randperm", "bernoulli", "dropout_mask", "multinomial")  # fmt: skip
_lock = threading.Lock()
_here = threading.local()  # .levels: the vmaps running in this thread, from the outermost in; .drawing: inside a draw
_running = 0
_former: dict[tuple[type, str], Any] = {}


@contextmanager
def region(size: int, randomness: str) -> Iterator[Level]:
    """A `with` block inside which a new level of that many examples is there."""
    level = Level(size, randomness)
    try:
        with inside_of((*levels(), level)):
            yield level
    finally:
        level.active = False


@contextmanager
def inside_of(those: Sequence[Level]) -> Iterator[None]:
    """A `with` block in which calls are made as they were inside those levels, running or not: code that was written
    there (a backward, a checkpointed segment) runs again.
    """
    former = levels()
    _here.levels = list(those)
    if those:
        _switch(+1)
    try:
        yield
    finally:
        if those:
            _switch(-1)
        _here.levels = former


def levels() -> list[Level]:
    """The vmaps that are running in this thread, from the outermost in."""
    try:
        return _here.levels
    except AttributeError:
        _here.levels = []
        return _here.levels


def _switch(step: int) -> None:
    """Replace the methods for the first region, and put back what was found after the last."""
    global _running
    with _lock:
        _running += step
        if step > 0 and _running == 1:
            for kind, name in _METHODS:
                _former[kind, name] = kind.__dict__[name]
                setattr(kind, name, (_admitting if name == "__call__" else _admitting_vjp)(kind.__dict__[name]))
            for kind, name in ((kind, name) for kind in (Generator, PhiloxGenerator) for name in _DRAWS):
                if name in kind.__dict__:
                    _former[kind, name] = kind.__dict__[name]
                    setattr(kind, name, _for_each_example(kind.__dict__[name]))
        elif step < 0 and _running == 0:
            for (kind, name), method in _former.items():
                setattr(kind, name, method)
            _former.clear()


# ---------------------------------------------------------------- calls of ops


def _admitting(call: Callable) -> Callable:
    @functools.wraps(call)
    def admitted(self: Op, *inputs: Any, **params: Any) -> Any:
        found = levels_among(inputs, params)
        if found and (len(inputs) > 1 or params):
            inputs = tuple(shared(x, found) for x in inputs)
            params = {name: _shared_parameter(value, found) for name, value in params.items()}
        return call(self, *inputs, **params)

    return admitted


def _admitting_vjp(vjp: Callable) -> Callable:
    """Kernels of fused rules are those of the incoming gradient: it has to be Batched where what was kept is."""

    @functools.wraps(vjp)
    def admitted(self: FusedOp, node: Any, parents: Any, dy: Any) -> Any:
        found = levels_among((dy, *node.kept["the call"][0]), {})
        return vjp(self, node, parents, shared(dy, found) if found else dy)

    return admitted


def levels_among(inputs: Any, params: dict) -> list[Level]:
    """The levels at which some array is Batched, the oldest first."""
    found: dict[Level, None] = {}
    for x in (*inputs, *params.values()) if params else inputs:
        array = x.array if isinstance(x, Tensor) else x
        for part in array if type(array) is tuple else (array,):
            while type(part) is Batched:
                found[part.level] = None
                part = part.value
    return sorted(found, key=lambda level: level.serial) if len(found) > 1 else list(found)


def shared(x: Any, found: list[Level]) -> Any:
    """x as an array (or a tensor of one) of all those levels."""
    array = x.array if isinstance(x, Tensor) else x
    if not is_array(array) or isinstance(array, np.generic):  # NumPy's numbers are weak, as Python's are
        return x
    for level in found:
        if not _is_of(array, level):
            x = batch_share(x, level=level) if x is not array else crossing.share(x, level)
            array = x.array if isinstance(x, Tensor) else x
    return x


def _is_of(array: Any, level: Level) -> bool:
    while type(array) is Batched:
        if array.level is level:
            return True
        array = array.value
    return False


def _shared_parameter(value: Any, found: list[Level]) -> Any:
    if type(value) is tuple:
        return tuple(shared(part, found) for part in value)
    return shared(value, found)


# ---------------------------------------------------------------- random numbers


@functools.cache  # entering a vmap should cost little
def _for_each_example(draw: Callable) -> Callable:
    signature = inspect.signature(draw)

    @functools.wraps(draw)
    def drawn(self: Generator, *args: Any, **kwargs: Any) -> Any:
        running = levels()
        if not running or getattr(_here, "drawing", False):
            return draw(self, *args, **kwargs)
        if any(level.randomness == "error" for level in running):
            raise RuntimeError(
                "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
                "'different' randomness flags on vmap or perform the randomness operation out of vmap"
            )
        given = signature.bind(self, *args, **kwargs)
        given.apply_defaults()
        _here.drawing = True
        try:
            return _drawn(draw, given, [level for level in running if level.randomness == "different"])
        finally:
            _here.drawing = False

    return drawn


def _drawn(draw: Callable, given: inspect.BoundArguments, different: list[Level]) -> Any:
    """One draw of all examples' numbers: with the batch sizes of `different` in front of the shape."""
    wide = given.arguments
    sizes = tuple(level.size for level in different)
    weights = next((name for name in ("p", "probs") if type(wide.get(name)) is Batched), None)
    if weights is not None:
        wide[weights] = values = backend.to_device(_of_all_examples(wide[weights], different), wide["self"].device)
    if "shape" in wide:
        shape = wide["shape"]
        if shape is not None:
            wide["shape"] = (*sizes, *(shape if isinstance(shape, (tuple, list)) else (shape,)))
        found = draw(*given.args, **given.kwargs)
    elif weights is not None:  # multinomial: the rows of all examples, one below the other
        wide[weights] = values.reshape((-1, values.shape[-1]))
        found = draw(*given.args, **given.kwargs)
        found = found.reshape((*values.shape[:-1], found.shape[-1]))
    else:  # permutations, and rows of weights that all examples share: one draw an example
        count = int(np.prod(sizes, dtype=int))
        rows = [draw(*given.args, **given.kwargs) for _ in range(count)]
        found = backend.array_module(rows[0]).stack(rows).reshape((*sizes, *rows[0].shape))
    for level in different:
        found = Batched(found, level, True)
    return found


def _of_all_examples(weights: Any, different: list[Level]) -> Any:
    """The probabilities that Batched ones stand for, with the batch axes in front."""
    if type(weights) is not Batched:
        return weights
    if weights.level in different:
        return _of_all_examples(crossing.leave(weights, weights.level, 0), different)
    if weights.split:
        raise RuntimeError(
            "Vmap does not currently support same randomness with a batched tensor input: the probabilities differ "
            "from example to example. Use randomness='different'"
        )
    return _of_all_examples(weights.value, different)


# ---------------------------------------------------------------- what the rest of the house asks of an array library


def _empty_like(x: Batched) -> Batched:
    return x.each(lambda value: backend.array_module(value).empty_like(value))


backend.register_around(
    backend.Backend(
        device_type="batched",
        array_type=Batched,
        module=SimpleNamespace(__name__="batched", empty_like=_empty_like),
        kernels=kernels,
        to_device=lambda array: array,
        to_host=refuse_host,
        each=Batched.each,
    )
)
