"""Watching a program run: which ops it calls with Tensors, and a model on its side run without a trace."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from minigrad import creation
from minigrad.dtype import int64
from minigrad.nn.embedding import Embedding, EmbeddingBag
from minigrad.nn.module import Module
from minigrad.op import FusedOp, Op
from minigrad.tensor import Tensor


@contextmanager
def watching(see: Callable[[Op, tuple, dict, Any], None]) -> Iterator[None]:
    """Inside the block, `see(op, inputs, params, output)` is called after each op that is called with a Tensor.

    Of ops called by an op (the reference of a fused one) only the outer one is seen. Like anomaly mode it replaces
    `Op.__call__`, for all threads, and puts back what it found.
    """
    found = {kind: kind.__dict__["__call__"] for kind in (Op, FusedOp)}
    depth = 0

    def watched(call: Any) -> Any:
        def run(self: Op, *inputs: Any, **params: Any) -> Any:
            nonlocal depth
            depth += 1
            try:
                output = call(self, *inputs, **params)
            finally:
                depth -= 1
            if depth == 0 and any(isinstance(x, Tensor) for x in inputs):
                see(self, inputs, params, output)
            return output

        return run

    for kind, call in found.items():
        setattr(kind, "__call__", watched(call))  # noqa: B010  a plain assignment mypy takes for a new method
    try:
        yield
    finally:
        for kind, call in found.items():
            setattr(kind, "__call__", call)  # noqa: B010


@contextmanager
def in_eval_mode(model: Module) -> Iterator[None]:
    """The model in eval mode (no dropout, batch norms at rest); afterwards every module as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def example_inputs(model: Module, shape: Any, dtype: Any = None) -> tuple[Tensor, ...]:
    """Tensors to run the model on: those given, or one of each given shape.

    `shape` is a shape with its batch axis, a Tensor, or a list of either for a model of several inputs. Made-up ones
    are of `dtype`; by default zeros of int64 where the first layer with parameters is an embedding, else random floats
    of the parameters' dtype.
    """
    if isinstance(shape, Tensor):
        return (shape,)
    if isinstance(shape, (list, tuple)) and shape and all(isinstance(s, (Tensor, list, tuple)) for s in shape):
        return tuple(x for s in shape for x in example_inputs(model, s, dtype))
    if not isinstance(shape, (list, tuple)) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise TypeError(f"expected a shape such as (1, 3, 32, 32), a Tensor, or a list of them, got {shape!r}")
    first = next((m for m in model.modules() if m._parameters), None)
    parameter = next(model.parameters(), None)
    device = None if parameter is None else parameter.device
    if dtype is None and isinstance(first, (Embedding, EmbeddingBag)):
        return (creation.zeros(tuple(shape), dtype=int64, device=device),)
    x = creation.zeros(tuple(shape), dtype=dtype or (None if parameter is None else parameter.dtype), device=device)
    if x.is_floating_point():
        x = x + creation.linspace(-1.0, 1.0, max(x.numel(), 1), dtype=x.dtype, device=device)[: x.numel()].view(x.shape)
    return (x,)


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in a value, also inside tuples, lists and dicts."""
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return [x for part in parts for x in tensors_in(part)]
