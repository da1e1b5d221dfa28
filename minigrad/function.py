"""`autograd.Function`: an op of the user's own, with a backward written by hand.

    class Exp(Function):
        @staticmethod
        def forward(ctx, x):                  # tensors in, tensors out; no graph is recorded in here
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, dy):                # the gradient of each output in, of each input out (None: it has none)
            (y,) = ctx.saved_tensors
            return dy * y

    z = Exp.apply(x)

The backward runs on tensors, so it is differentiated again when the gradient is to have a graph. A node of the graph
has one output; a Function with several gives each a node of its own, which hands its gradient on to the node of the
call, laid end to end with those of the others. Ops that belong to the library are written with `@op` instead: see
`op.py`.
"""

import functools
import math
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad import autograd, batching, inplace, ops
from minigrad.autograd import Node
from minigrad.backend import kernels_of
from minigrad.tensor import Tensor, from_raw

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


class FunctionCtx:
    """What forward hands to backward: saved tensors, and any attributes the user sets.

    `needs_input_grad[i]` tells whether argument i requires a gradient; where it is False backward may return None.
    """

    needs_input_grad: tuple[bool, ...] = ()

    def __init__(self) -> None:
        self.to_save: tuple = ()
        self.dirty: tuple = ()
        self.non_differentiable: tuple = ()
        self.materialize_grads = True
        self.restored: tuple | None = None

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for backward. Writes to them meanwhile are noticed; those that are inputs or outputs keep their
        place in the graph for gradients of higher order. TypeError for anything but tensors and None.
        """
        for i, x in enumerate(tensors):
            if x is not None and not isinstance(x, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {i} is of type {type(x).__name__}: "
                    f"set other things as attributes, ctx.name = value"
                )
        self.to_save = tensors

    @property
    def saved_tensors(self) -> tuple:
        """The tensors saved, inside backward."""
        if self.restored is None:
            raise RuntimeError(
                "ctx.saved_tensors is there while backward runs: between, the graph holds what was saved"
            )
        return self.restored

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """These outputs get no gradient; backward sees zeros for them. Integer outputs are so without being marked."""
        self.non_differentiable = outputs

    def mark_dirty(self, *inputs: Tensor) -> None:
        """Forward wrote into these inputs, and returns them."""
        self.dirty = inputs

    def set_materialize_grads(self, value: bool) -> None:
        """False: backward gets None, in place of zeros, for an output that nothing was computed from."""
        self.materialize_grads = bool(value)


class Function:
    """Base of ops with a backward written by hand; call `apply`, never the class.

    `forward(ctx, *args)`, or `forward(*args)` with `setup_context(ctx, inputs, output)` beside it, and
    `backward(ctx, *grads)`, all static. Tensors among the arguments themselves (not inside lists) get gradients.

    Under `vmap` both see one example, whose tensors hold all of them. Code that cannot do with that (it calls NumPy)
    gives `vmap(info, in_dims, *args) -> (outputs, out_dims)` as well, which gets whole tensors: `in_dims` says which
    dim of each argument counts the `info.batch_size` examples, `out_dims` which of each output does (None: none).
    """

    generate_vmap_rule = False  # accepted: it is what happens without a `vmap`
    vmap: Callable | None = None

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> Any:
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = type(self).__name__
        raise RuntimeError(
            f"Legacy autograd function with non-static forward method is deprecated: make forward and backward of "
            f"{name} static methods that take ctx, and call {name}.apply(...)"
        )

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run forward, and record the call where an argument requires a gradient."""
        if batching.levels():
            found = batching.levels_among(args, {})
            if found and cls.vmap is not None:
                return ops.by_own_rule(cls.vmap, args, found[-1])
            args = tuple(batching.shared(x, found) for x in args)
        ctx = FunctionCtx()
        nodes = [x.node if isinstance(x, Tensor) and x.requires_grad else None for x in args]
        ctx.needs_input_grad = tuple(node is not None for node in nodes)
        with autograd.no_grad():
            if cls.setup_context is Function.setup_context:
                output = cls.forward(ctx, *args)
            else:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
        recording = any(ctx.needs_input_grad) and autograd.is_grad_enabled()
        outputs = list(output) if isinstance(output, tuple) else [output]
        if recording:
            _check_dirty(ctx, args)
        outputs = [_own(x, args, ctx) for x in outputs]
        if recording:
            _Call(cls, ctx, nodes, args, outputs)
        return tuple(outputs) if isinstance(output, tuple) else outputs[0]


def _own(x: Any, args: Sequence, ctx: FunctionCtx) -> Any:
    """An output as a tensor that may get a node: not one of the inputs, unless forward wrote into it."""
    if isinstance(x, Tensor) and any(x is other for other in args) and not any(x is other for other in ctx.dirty):
        return inplace.alias(x, from_raw(x.array))
    return x


def _check_dirty(ctx: FunctionCtx, args: Sequence) -> None:
    for x in ctx.dirty:
        if not any(x is other for other in args):
            raise RuntimeError("mark_dirty takes inputs of the function that it wrote into")
        if x.node is not None and x.requires_grad and x.is_leaf:
            raise RuntimeError("a leaf Variable that requires grad has been used in an in-place operation.")
        shared = [
            other for ref in inplace.version_of(x).tensors or () if (other := ref()) is not None and other is not x
        ]
        if shared:
            raise RuntimeError(
                "mark_dirty on a tensor that shares its memory with others (it is a view, or has views): their place "
                "in the graph would be lost. Give the function a clone()"
            )


class _Call:
    """Stands where an Op stands in the node of one call; `outputs` says what each output of forward was."""

    rerun = None
    holomorphic = False  # what backward() returns is the gradient
    into = None

    def __init__(self, function: type[Function], ctx: FunctionCtx, nodes: list, args: Sequence, outputs: list):
        self.function, self.ctx = function, ctx
        self.name = function.__name__
        self.label = f"{self.name}Backward"
        self.arrived: set[int] = set()
        self.levels = tuple(batching.levels())
        differentiable = [i for i, x in enumerate(outputs) if self.gets_gradient(x)]
        self.outputs = [(tuple(x.shape), x.array.dtype) if isinstance(x, Tensor) else None for x in outputs]
        self.differentiable = differentiable
        ends = np.cumsum([outputs[i].array.size for i in differentiable]).tolist()
        self.places = dict(zip(differentiable, zip([0, *ends], ends, strict=False), strict=True))
        self.like = next((x.array for x in outputs if isinstance(x, Tensor)), None)
        if not differentiable:
            return
        saved, versions = self.saved(args, nodes, outputs)
        first = outputs[differentiable[0]]
        if len(differentiable) == 1:
            first.node = Node(self, nodes, {"saved": saved}, versions, first.array)
            return
        dtype = np.result_type(*(outputs[i].array.dtype for i in differentiable))
        node = Node(self, nodes, {"saved": saved}, versions, types.SimpleNamespace(shape=(ends[-1],), dtype=dtype))
        for i in differentiable:
            outputs[i].node = Node(_Output(self, i), [node], {}, None, outputs[i].array)

    def gets_gradient(self, x: Any) -> bool:
        marked = any(x is other for other in self.ctx.non_differentiable)
        return isinstance(x, Tensor) and x.dtype.kind >= 2 and not marked

    def saved(self, args: Sequence, nodes: list, outputs: list) -> tuple[tuple, list]:
        """The saved arrays, and versions to check; where each stood in the graph is kept in `origins`."""
        self.origins: list[tuple[str, Any]] = []
        arrays, versions = [], []
        for number, x in enumerate(self.ctx.to_save):
            arrays.append(None if x is None else x.array)
            if x is None:
                self.origins.append(("nowhere", None))
                continue
            cell = inplace.version_of(x)
            versions.append((f"saved tensor {number}", cell, cell.count))
            place = next((i for i, y in enumerate(outputs) if y is x), None)
            given = next((i for i, y in enumerate(args) if y is x), None)
            if place in self.places:
                self.origins.append(("output", place))
            else:
                self.origins.append(("input", nodes[given]) if given is not None else ("nowhere", None))
        self.ctx.to_save = ()
        return tuple(arrays), versions

    def restore(self, node: Node) -> tuple:
        """The saved tensors, back in their places in the graph."""
        found: list[Tensor | None] = []
        for array, (kind, where) in zip(node.kept["saved"], self.origins, strict=True):  # type: ignore[index]
            x = None if array is None else from_raw(array)
            if x is not None and kind == "input":
                x.node = where
            elif x is not None and kind == "output":
                alone = len(self.differentiable) == 1
                x.node = node if alone else Node(_Output(self, where), [node], {}, None, array)
            found.append(x)
        return tuple(found)

    def vjp_on_arrays(self, node: Node, parents: Sequence, dy: Any) -> list:
        gradients = self.run(node, parents, from_raw(dy))
        # A view, so that the walk copies it before it becomes a .grad: the user may hold on to what backward returned.
        return [None if g is None else g.array[...] for g in gradients]

    def vjp_on_tensors(self, node: Node, parents: Sequence, dy: Tensor) -> list:
        return self.run(node, parents, dy)

    def run(self, node: Node, parents: Sequence, dy: Tensor) -> list[Tensor | None]:
        """The user's backward."""
        self.ctx.restored = self.restore(node)
        try:
            with batching.inside_of(self.levels):
                gradients = self.function.backward(self.ctx, *self.split(dy))
        finally:
            self.ctx.restored = None
            self.arrived.clear()
        return self.checked(gradients if isinstance(gradients, tuple) else (gradients,), node.parents)

    def split(self, dy: Tensor) -> list[Any]:
        """The gradient of each output of forward."""
        several = len(self.differentiable) > 1
        found: list[Any] = []
        for i, output in enumerate(self.outputs):
            if output is None or (
                i in self.places and several and i not in self.arrived and not self.ctx.materialize_grads
            ):
                found.append(None)
            elif i not in self.places:
                shape, dtype = output
                zeros = from_raw(kernels_of(self.like).zeros(shape, dtype, self.like))
                found.append(zeros if self.ctx.materialize_grads else None)
            elif several:
                start, end = self.places[i]
                found.append(_like(dy[start:end].reshape(output[0]), output[1]))
            else:
                found.append(dy)
        return found

    def checked(self, gradients: tuple, parents: Sequence) -> list[Tensor | None]:
        """The gradients of the arguments, or RuntimeError for what backward returned."""
        if len(gradients) < len(parents) or any(g is not None for g in gradients[len(parents) :]):
            raise RuntimeError(
                f"function {self.label} returned an incorrect number of gradients "
                f"(expected {len(parents)}, got {len(gradients)}): one for each argument of forward, or None for it"
            )
        for i, (gradient, parent) in enumerate(zip(gradients, parents, strict=False)):
            if gradient is not None and not isinstance(gradient, Tensor):
                raise RuntimeError(f"expected Variable or None (got {type(gradient).__name__}) from {self.label}")
            if gradient is not None and parent is not None and not _fits(tuple(gradient.shape), tuple(parent.shape)):
                raise RuntimeError(
                    f"Function {self.label} returned an invalid gradient at index {i} - got "
                    f"{list(gradient.shape)} but expected shape compatible with {list(parent.shape)}"
                )
        return [g if p is not None else None for g, p in zip(gradients, parents, strict=False)]


class _Output:
    """Stands in the node of one of several outputs: puts its gradient in its place among those of the others."""

    rerun = None
    holomorphic = False
    into_names: tuple = ()

    def __init__(self, call: _Call, index: int):
        self.call, self.index = call, index
        self.name, self.label = call.name, call.label

    def into(self, buffer: Any, dy: Any) -> None:
        self.call.arrived.add(self.index)
        start, end = self.call.places[self.index]
        buffer[start:end] += dy.reshape((-1,))

    def vjp_on_arrays(self, node: Node, parents: Sequence, dy: Any) -> list:
        parent = node.parents[0]
        buffer = kernels_of(dy).zeros(parent.shape, parent.dtype, dy)  # type: ignore[union-attr]
        self.into(buffer, dy)
        return [buffer]

    def vjp_on_tensors(self, node: Node, parents: Sequence, dy: Tensor) -> list:
        from minigrad.ops import cat

        self.call.arrived.add(self.index)
        start, end = self.call.places[self.index]
        parent = node.parents[0]
        dy = _like(dy, parent.dtype)  # type: ignore[union-attr]
        size = parent.shape[0]  # type: ignore[union-attr]
        return [cat([dy.new_zeros(start), dy.reshape(-1), dy.new_zeros(size - end)], 0)]


def _like(x: Tensor, dtype: Any) -> Tensor:
    return x if x.array.dtype == dtype else x.to(dtype)


def _fits(shape: tuple, wanted: tuple) -> bool:
    """Whether a gradient of `shape` is one of an input of `wanted`, broadcasting undone, or both have one element."""
    if len(shape) < len(wanted):
        return False
    ends = shape[len(shape) - len(wanted) :]
    return all(n in (1, m) for n, m in zip(wanted, ends, strict=True)) or math.prod(shape) == math.prod(wanted) == 1


def once_differentiable(backward: Callable) -> Callable:
    """Decorator of a backward that cannot be differentiated itself: trying to raises RuntimeError."""

    @functools.wraps(backward)
    def once(ctx: Any, *grads: Any) -> Any:
        with autograd.no_grad():
            result = backward(ctx, *grads)
        roots = [g.node for g in grads if isinstance(g, Tensor) and g.requires_grad]
        if not (autograd.is_grad_enabled() and roots):
            return result
        results = result if isinstance(result, tuple) else (result,)
        ended = tuple(_ended(x, roots) if isinstance(x, Tensor) else x for x in results)
        return ended if isinstance(result, tuple) else ended[0]

    return once


def _ended(x: Tensor, roots: list) -> Tensor:
    y = from_raw(x.array)
    y.node = Node(_Once(), roots, {}, None, y.array)
    return y


class _Once:
    """Stands in the node of a gradient that has no derivative."""

    rerun = None
    holomorphic = False
    into = None
    name = "once_differentiable"
    label = "torch::autograd::Error"

    def vjp_on_arrays(self, node: Node, parents: Sequence, dy: Any) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")

    vjp_on_tensors = vjp_on_arrays
