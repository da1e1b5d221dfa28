"""Activation checkpointing: trade time for memory by keeping only a segment's inputs and running it again in backward.

Chen, Xu, Zhang, Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016. In a stack of n layers cut into
segments of k, the graph holds n / k segment inputs plus one segment's inner arrays at a time, for one forward more.
"""

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import autograd, batching, random
from minigrad.autograd import Node
from minigrad.inplace import version_of
from minigrad.ops import cat_arrays, getitem, reshape
from minigrad.tensor import Tensor, from_raw


class _Segment:
    """Stands where an Op stands in a node. Its gradient step runs the function again, this time leaving a graph whose
    nodes are younger than everything still waiting in the walk; handing the gradient to that graph's end lets the same
    walk go through it, down to the inputs and parameters themselves, to any order.
    """

    name = "checkpoint"

    def __init__(self, function: Callable, args: tuple, kwargs: dict, preserve_rng_state: bool):
        self.function, self.args, self.kwargs = function, _as_now(args), _as_now(kwargs)
        self.rng_state = random.get_rng_state() if preserve_rng_state else None
        self.levels = tuple(batching.levels())

    def run(self, args: tuple, kwargs: dict) -> tuple[Tensor, Any]:
        """The outputs laid end to end as one flat tensor (a node has one output), and their layout."""
        outputs = self.function(*args, **kwargs)
        several = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
        tensors = [x for x in several if isinstance(x, Tensor) and x.dtype.kind >= 2]
        if len(tensors) == 1:
            return reshape(tensors[0], shape=(-1,)), (outputs, several)
        return cat_arrays(*[reshape(x, shape=(-1,)) for x in tensors], axis=0), (outputs, several)

    def rerun(self) -> Node:
        """The end of the segment's graph, computed anew."""
        now = random.get_rng_state()
        if self.rng_state is not None:
            random.set_rng_state(self.rng_state)
        try:
            with autograd.enable_grad(), batching.inside_of(self.levels):
                return self.run(_as_now(self.args), _as_now(self.kwargs))[0].node
        finally:
            random.set_rng_state(now)


def checkpoint(
    function: Callable, *args: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True, **kwargs: Any
) -> Any:
    """`function(*args, **kwargs)`, without keeping its inner arrays for backward: they are computed again then.

    The function must be pure up to random numbers, whose state is restored (`preserve_rng_state`). Returns what the
    function returns: a Tensor, or a tuple or list of them.
    """
    segment = _Segment(function, args, kwargs, preserve_rng_state)
    if not autograd.is_grad_enabled():
        return function(*args, **kwargs)
    before = next(autograd._births)
    versions = [
        (f"argument {i}", version_of(x), version_of(x).count) for i, x in enumerate(args) if isinstance(x, Tensor)
    ]
    flat, (outputs, several) = segment.run(args, kwargs)
    if flat.node is None:
        return outputs
    node = Node(segment, _frontier(flat.node, before), {"the call": ()}, versions, flat.array)
    flat = from_raw(flat.array)
    flat.node = node
    results, start = [], 0
    for x in several:
        if isinstance(x, Tensor) and x.dtype.kind >= 2:
            piece = getitem(flat, index=(slice(start, start + x.array.size),))
            start += x.array.size
            x = reshape(piece, shape=x.array.shape)
        results.append(x)
    return type(outputs)(results) if isinstance(outputs, (tuple, list)) else results[0]


def _as_now(x: Any) -> Any:
    """Arguments with their tensors as they are now: a recorded in-place write rebinds the caller's objects."""
    if isinstance(x, (tuple, list)):
        return type(x)(_as_now(item) for item in x) if type(x) in (tuple, list) else x
    if type(x) is dict:
        return {name: _as_now(item) for name, item in x.items()}
    if not isinstance(x, Tensor):
        return x
    twin = from_raw(x.array)
    twin.node = x.node
    return twin


def _frontier(node: Node, before: int) -> list[Node]:
    """The nodes outside the segment (born before it) that its inner graph hangs on: inputs and parameters."""
    seen, outside, stack = set(), {}, [node]
    while stack:
        current = stack.pop()
        if current.birth in seen:
            continue
        seen.add(current.birth)
        if current.birth < before:
            outside[current.birth] = current
        else:
            stack.extend(p for p in current.parents if p is not None)
    return list(outside.values())


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True
) -> Any:
    """Run a Sequential (or a list of functions) in `segments` checkpointed pieces, the last one plainly."""
    functions = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(functions) // segments
    for i in range(segments - 1):
        piece = functions[i * size : (i + 1) * size]
        input = checkpoint(_chain(piece), input, preserve_rng_state=preserve_rng_state)
    return _chain(functions[(segments - 1) * size :])(input)


def _chain(functions: Sequence[Callable]) -> Callable:
    def run(x: Any) -> Any:
        for function in functions:
            x = function(x)
        return x

    return run
