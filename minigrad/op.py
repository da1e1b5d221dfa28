"""How an op is written, and what happens when it is called.

    @op
    def mul(a, b):                        # the forward, on raw arrays
        return a * b

    @mul.vjp
    def mul_vjp(dy, a, b, needs):         # the gradient of each input, given the gradient of the output
        return dy * b if needs[0] else None, dy * a if needs[1] else None

Positional arguments are arrays (or numbers, or None), keyword-only arguments are parameters. The argument names of the
vjp rule say what the graph keeps alive: an input by its name, `y` the output, `<input>_shape`, a parameter and, for
fused ops, `residuals`; `needs`, last, says which inputs want a gradient. They are resolved here, once; an unknown
name fails at import. `@mul.vjp(kept_for={"a": "b", "b": "a"})` says besides that a is kept for the gradient of b
alone: where b wants none, the rule gets None for a, and a may be freed, or written in place.

Given raw arrays an op returns a raw array; given Tensors, a Tensor with a Node. A rule therefore runs on both: on raw
arrays in a plain backward, and on Tensors when the gradient is to be differentiated again. `sum_to` of autograd.py
undoes broadcasting and the walk casts gradients to their input's dtype: no rule does either.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad import autograd, inplace
from minigrad.autograd import Node, mode
from minigrad.backend import is_array, kernels_of
from minigrad.dtype import of, promote, promote_for_difference, promote_ordered, promote_to_float, real_only
from minigrad.explain import explain
from minigrad.grad_names import name_of_op, named
from minigrad.mixed_precision import casts_of
from minigrad.out_of_memory import try_again
from minigrad.tensor import Tensor, from_raw

_new, _ndarray = object.__new__, np.ndarray
REGISTRY: dict[str, "Op"] = {}
_PROMOTIONS: dict[str | None, Callable[[list], list] | None] = {
    None: None,
    "common": promote,
    "difference": promote_for_difference,
    "float": promote_to_float,
    "ordered": promote_ordered,
    "real": real_only,
}
_KEEPS_NOTHING: tuple[dict, None] = ({}, None)
_RESERVED = frozenset(("dy", "y", "needs", "residuals"))


class Op:
    """A differentiable function of arrays; made by `@op`. `rule` is its vjp, None where no gradient exists."""

    reference: Any = None  # a function, of fused ops
    rerun: Callable | None = None  # see utils/checkpoint.py
    label: str | None = None  # what its nodes are printed as, where grad_names.py does not say it

    def __init__(
        self, forward: Callable, *, promotion: str | None = None, view: bool = False, holomorphic: bool = True
    ):
        functools.update_wrapper(self, forward)
        self.forward = forward
        self.name = forward.__name__
        self.promote = _PROMOTIONS[promotion]
        self.casts = casts_of(self.name)
        self.view = view
        self.holomorphic = holomorphic  # see autograd.conjugated
        self.rule: Any = None  # a function
        self.into: Callable | None = None
        self.into_names: list[str] = []
        self.keeps: list[tuple[str, str, Any]] = []  # (name the rule uses, what it is, its key)
        self.kept_inputs: set[str] = set()  # the names among them that are one input
        self.kept_for: dict[str, int] = {}  # names kept for one input's gradient only: the input's number
        self.wants_needs = False
        self.signature = inspect.signature(forward)
        parameters = self.signature.parameters.values()
        self.inputs = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        if taken := _RESERVED & {p.name for p in parameters}:
            raise TypeError(f"op {self.name}: the names {sorted(taken)} are reserved")
        REGISTRY[self.name] = self

    def __repr__(self) -> str:
        return f"<op {self.name}{self.signature}>"

    def __reduce__(self) -> str:
        return self.name  # pickled by name, as functions are

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        for x in inputs:
            if type(x) is not _ndarray and isinstance(x, Tensor):  # isinstance is slow to say no
                break
        else:
            return self.on_arrays(inputs, params)
        arrays, parents, recording = [], [], False
        if mode.enabled:
            for x in inputs:
                if isinstance(x, Tensor):
                    node = x.node
                    if node is not None:
                        if node.requires_grad:
                            recording = True
                        else:
                            node = None
                    arrays.append(x.array)
                    parents.append(node)
                else:
                    arrays.append(x)
                    parents.append(None)
        else:
            for x in inputs:
                arrays.append(x.array if isinstance(x, Tensor) else x)
        if self.casts is not None:
            arrays = self.casts(arrays)
        try:
            if self.promote is not None:
                arrays = self.promote(arrays)
            out = self.forward(*arrays, **params) if params else self.forward(*arrays)
        except MemoryError:
            out = try_again(self, arrays, params)
        except (ValueError, IndexError, TypeError, AttributeError) as error:
            raise explain(self, error, arrays, params) from error
        recording = recording and self.rule is not None
        if type(out) is tuple:
            return self.wrap_several(out, inputs, arrays, parents, params, recording)
        if type(out) is not _ndarray:
            out = Op.unwrapped(self, out)
        y = _new(Tensor)  # from_raw(out), without the call
        y.array, y.node = out, None
        if self.view:
            inplace.mark_view(y, inputs[0], self, params)
        if recording:
            kept, versions = self.keep(inputs, arrays, parents, params, y, None) if self.keeps else _KEEPS_NOTHING
            y.node = Node(self, parents, kept, versions, out)
        return y

    def printed_as(self, label: str) -> "Op":
        """This op once more, for a function of another name: its nodes are printed under `label`."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, label=label)
        return twin

    def on_arrays(self, arrays: Any, params: dict) -> Any:
        """The call in a rule, where there is nothing to record."""
        try:
            if self.promote is not None:
                arrays = self.promote(arrays)
            out = self.forward(*arrays, **params) if params else self.forward(*arrays)
        except MemoryError:
            out = try_again(self, arrays, params)
        except (ValueError, IndexError, TypeError, AttributeError) as error:
            raise explain(self, error, list(arrays), params) from error
        return out if type(out) is _ndarray else self.unwrapped(out)

    def keep(
        self, inputs: Sequence, arrays: list, parents: Sequence, params: dict, y: Tensor, residuals: Any
    ) -> tuple[dict, list]:
        """What the rule asks for, by argument name, and the version of all kept memory that a write could change."""
        kept: dict[str, Any] = {}
        versions: list[tuple] = []
        kept_for = self.kept_for
        for name, what, key in self.keeps:
            if name in kept_for and parents[kept_for[name]] is None:
                kept[name] = None
            elif what == "input":
                kept[name] = arrays[key]
                x = inputs[key]
                if isinstance(x, Tensor):
                    cell = x.version or inplace.version_of(x)
                    versions.append((name, cell, cell.count))
            elif what == "shape":
                kept[name] = getattr(arrays[key], "shape", ())
            elif what == "parameter":
                kept[name] = params.get(name, self.defaults[name])
            elif what == "output":
                kept[name] = y.array
                cell = inplace.version_of(y)
                versions.append((name, cell, cell.count))
            elif what == "residuals":
                kept[name] = residuals
            elif what == "inputs":  # the variadic (*xs), from its position on
                kept[name] = tuple(arrays[key:])
                cells = [(name, inplace.version_of(x)) for x in inputs[key:] if isinstance(x, Tensor)]
                versions.extend((name, cell, cell.count) for name, cell in cells)
            else:
                kept[name] = tuple(x.shape for x in arrays[key:])
        return kept, versions

    def unwrapped(self, out: Any) -> Any:
        return np.asarray(out) if isinstance(out, np.generic) else out

    def wrap_several(self, out: tuple, inputs: Any, arrays: list, parents: list, params: dict, recording: bool) -> Any:
        """An op may return more outputs, which carry no gradient (indices, batch statistics)."""
        y, *others = (from_raw(o) for o in out)
        if recording:
            y.node = Node(self, parents, *self.keep(inputs, arrays, parents, params, y, None), y.array)
        return y, *others

    def vjp(self, rule: Callable | None = None, *, kept_for: dict[str, str] | None = None) -> Callable:
        """Decorator: the rule that gives the gradient of each input; its argument names are what the graph keeps.

        `kept_for` maps a name to the one input whose gradient it is needed for; the rule sees None where that input
        wants no gradient.
        """
        if rule is None:
            return functools.partial(self.vjp, kept_for=kept_for)
        self.keeps, self.wants_needs = self.resolve(rule)
        self.kept_inputs = {name for name, what, _ in self.keeps if what == "input"}
        self.kept_for = {name: self.inputs.index(other) for name, other in (kept_for or {}).items()}
        self.rule = rule
        return rule

    def vjp_into(self, rule: Callable) -> Callable:
        """Decorator: `rule(buffer, dy, ...)` adds the first input's gradient into `buffer`, allocating nothing."""
        names = list(inspect.signature(rule).parameters)[2:]
        kept = {name for name, _, _ in self.keeps}
        if not set(names) <= kept:
            raise TypeError(
                f"{rule.__name__} asks for {sorted(set(names) - kept)}, which {self.name}'s vjp does not keep"
            )
        self.into, self.into_names = rule, names
        return rule

    def resolve(self, rule: Callable) -> tuple[list, bool]:
        names = list(inspect.signature(rule).parameters)
        if rule.__name__ not in (f"{self.name}_vjp", f"{self.name.rstrip('_')}_vjp") or not names or names[0] != "dy":
            raise TypeError(
                f"the vjp of {self.name} must be named {self.name}_vjp and take dy first, got {rule.__name__}"
            )
        keeps: list[tuple[str, str, Any]] = []
        for name in names[1:]:
            stem = name.removesuffix("_shape")
            starred = self.variadic and stem == self.inputs[-1]
            if name in self.inputs:
                keeps.append((name, "inputs" if starred else "input", self.inputs.index(name)))
            elif name.endswith("_shape") and stem in self.inputs:
                keeps.append((name, "shapes" if starred else "shape", self.inputs.index(stem)))
            elif name in self.defaults:
                keeps.append((name, "parameter", name))
            elif name == "y":
                keeps.append((name, "output", None))
            elif name == "residuals" and isinstance(self, FusedOp):
                keeps.append((name, "residuals", None))
            elif name != "needs":
                raise TypeError(
                    f"{rule.__name__} asks for '{name}', which is no input ({', '.join(self.inputs)}), <input>_shape, "
                    f"parameter ({', '.join(self.defaults)}), y, needs or (fused ops) residuals of {self.name}"
                )
        if "needs" in names[:-1]:
            raise TypeError(f"{rule.__name__}: needs must be the last argument, got {', '.join(names)}")
        return keeps, "needs" in names

    def vjp_on_arrays(self, node: Node, parents: Sequence, dy: Any) -> Sequence:
        """The gradients of the inputs, as raw arrays."""
        # By position, a third of the cost of by name: `keep` fills the dict in the order of the rule's arguments.
        if self.wants_needs:
            gradients = self.rule(dy, *node.kept.values(), [p is not None for p in parents])
        else:
            gradients = self.rule(dy, *node.kept.values())
        return gradients if type(gradients) in (tuple, list) else (gradients,)

    def vjp_on_tensors(self, node: Node, parents: Sequence, dy: Tensor) -> Sequence:
        """The gradients of the inputs as Tensors with a graph: kept arrays go back on the nodes they came from."""
        kept = dict(node.kept or {})
        for name, what, key in self.keeps:
            if what == "input":
                kept[name] = _on_node(kept[name], node.parents[key])
            elif what == "inputs":
                kept[name] = tuple(_on_node(a, p) for a, p in zip(kept[name], node.parents[key:], strict=True))
            elif what == "output":
                kept[name] = _on_node(kept[name], node)
        if self.wants_needs:
            kept["needs"] = [p is not None for p in parents]
        gradients = self.rule(dy, **kept)
        return gradients if type(gradients) in (tuple, list) else (gradients,)


class FusedOp(Op):
    """An op whose forward and vjp are kernels, with a `reference` written in ordinary ops.

    The reference is the definition: it runs where no kernel fits (another dtype, no Numba), it is differentiated when
    the gradient is to have a graph, and the tests compare the kernels with it.
    """

    def __init__(self, forward: Callable, reference: Callable):
        super().__init__(forward)
        self.reference = reference
        theirs, ours = inspect.signature(reference).parameters, self.signature.parameters
        if list(theirs) != list(ours):
            raise TypeError(
                f"{self.name}{self.signature} and its reference must take the same arguments, got {list(theirs)}"
            )

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
        if self.casts is not None and (cast := self.casts(arrays)) is not arrays:
            pairs = zip(inputs, cast, strict=True)
            inputs = tuple(x.to(of(a.dtype)) if isinstance(x, Tensor) else x for x, a in pairs)
            arrays = cast
        if not kernels_of(arrays[0]).supports(self.name, arrays):
            y = self.reference(*inputs, **params)
            return named(y, name_of_op(self)) if isinstance(y, Tensor) else y
        if not mode.enabled and isinstance(inputs[0], Tensor):  # no graph: the arrays are all that is needed
            return from_raw(self.on_arrays(arrays, params))
        return Op.__call__(self, *inputs, **params)

    def unwrapped(self, out: Any) -> Any:
        return super().unwrapped(out[0])

    def wrap_several(self, out: tuple, inputs: Any, arrays: list, parents: list, params: dict, recording: bool) -> Any:
        """A fused forward returns its output, and what its vjp wants besides."""
        y = from_raw(out[0])
        if recording:
            kept, versions = self.keep(inputs, arrays, parents, params, y, out[1])
            kept["the call"] = (arrays, params)  # its reference may have to run again
            y.node = Node(self, parents, kept, versions, y.array)
        return y

    def vjp_on_arrays(self, node: Node, parents: Sequence, dy: Any) -> Sequence:
        kept = {name: node.kept[name] for name, _, _ in self.keeps}
        if self.wants_needs:
            kept["needs"] = [p is not None for p in parents]
        gradients = self.rule(dy, **kept)
        return gradients if type(gradients) in (tuple, list) else (gradients,)

    def vjp_on_tensors(self, node: Node, parents: Sequence, dy: Tensor) -> Sequence:
        arrays, params = node.kept["the call"]
        # An identity node for each occurrence: layer_norm(x, w, w) must get two gradients, not their sum twice.
        inputs = [a if a is None else identity(_on_node(a, p)) for a, p in zip(arrays, node.parents, strict=True)]
        y = self.reference(*inputs, **params)
        wanted = [x for x, p in zip(inputs, parents, strict=True) if p is not None]
        found = iter(autograd.grad(y, wanted, dy, create_graph=True, allow_unused=True))
        return [None if p is None else next(found) for p in parents]


def _on_node(array: Any, node: Node | None) -> Any:
    if not is_array(array):
        return array  # a number
    x = from_raw(array)
    x.node = node
    return x


def op(
    forward: Callable | None = None, *, promotion: str | None = None, view: bool = False, holomorphic: bool = True
) -> Any:
    """Make a function of raw arrays an op.

    `promotion="common"` casts the inputs to their common dtype first (arithmetic, comparisons), "float" also turns
    integers into the default float (exp, true division), "ordered" (comparisons) and "real" refuse complex numbers;
    None takes them as they are. `view=True`: the result may share memory with the first input. `holomorphic=False`: the
    rule states the gradient of complex numbers itself. Without a vjp the op has no gradient (comparisons, argmax).
    """
    if forward is None:
        return lambda function: Op(function, promotion=promotion, view=view, holomorphic=holomorphic)
    return Op(forward, promotion=promotion, view=view, holomorphic=holomorphic)


def fused(*, reference: Callable) -> Callable[[Callable], FusedOp]:
    """Make a function that calls kernels an op, with its definition in ordinary ops beside it."""
    return lambda forward: FusedOp(forward, reference)


@op
def identity(x):
    """The input itself, under a node of its own."""
    return x


@identity.vjp
def identity_vjp(dy):
    return dy
