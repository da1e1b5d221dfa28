"""Reverse-mode automatic differentiation: read this file first.

Every op that touches a tensor requiring a gradient leaves a `Node` behind: which op it was, which nodes its inputs came
from, and the arrays its vjp rule asked for. `backward` walks the nodes from the youngest to the oldest. A parent is
always older than its child, so when a node's turn comes, every gradient that flows into it has already arrived:

    x = leaf          node 0        y is used twice; its gradient is complete only after both users,
    y = x * x         node 1        nodes 2 and 3, have run. Taking the nodes in falling order of birth
    a = sin(y)        node 2        (4, 3, 2, 1, 0) guarantees it: no recursion, no topological sort.
    b = y * a         node 3
    z = a + b         node 4

A node links to arrays and to older nodes, never to a Tensor, so no reference cycle forms and memory is freed at once.
The same walk differentiates again: with create_graph=True the gradients that flow are Tensors instead of raw arrays,
and the same rules, applied to them, record a graph of their own.
"""

import functools
import heapq
import importlib
import itertools
import threading
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minigrad import grad_names
from minigrad.backend import is_array, is_wrapped, kernels_of
from minigrad.dtype import is_complex
from minigrad.explain import noted
from minigrad.grad_mode import (
    enable_grad as enable_grad,
    inference_mode as inference_mode,
    is_grad_enabled as is_grad_enabled,
    is_inference_mode_enabled as is_inference_mode_enabled,
    mode as mode,
    no_grad as no_grad,
    set_grad_enabled as set_grad_enabled,
)
from minigrad.kernels.batched.array import fits

_births = itertools.count()
_accumulation_lock = threading.Lock()  # two threads may run backward into the same leaf


_ELSEWHERE = {  # names that PyTorch keeps here; their modules import this one
    "Function": "function",
    "Variable": "legacy",
    "detect_anomaly": "anomaly",
    "functional": "func.autograd_functional",
    "gradcheck": "gradcheck",
    "gradgradcheck": "gradcheck",
    "set_detect_anomaly": "anomaly",
}


def __getattr__(name: str) -> Any:
    if name in _ELSEWHERE:
        module = importlib.import_module(f"minigrad.{_ELSEWHERE[name]}")
        return module if name == "functional" else getattr(module, name)
    raise AttributeError(f"module 'minigrad.autograd' has no attribute {name!r}")


class Node:
    """One step of the graph; a leaf (a tensor that requires a gradient and came from no op) has `op` None.

    `parents` holds a node, or None, per input of the op; `kept` what the vjp asked for, by argument name; `versions`
    the (name, version cell, count) of kept memory; `shape` and `dtype` describe the output, hence the gradient. `grad`
    is a Tensor: a leaf's accumulated gradient, or that of an inner tensor after `retain_grad()`.
    """

    __slots__ = ("__dict__", "__weakref__", "birth", "dtype", "kept", "op", "parents", "shape", "versions")

    # What few nodes have is looked up on the class until it is set: making a node is the hottest line of the library.
    requires_grad = True
    hooks: Any = None  # a dict, once there is one
    after_hooks: Any = None  # of a leaf, called when its .grad has been added to
    grad: Any = None
    retains_grad = False
    label: Any = None  # the name it is printed under, where that is not its op's: see grad_names.py

    kept: Any  # a dict; None once freed

    def __init__(self, op: Any, parents: Sequence["Node | None"], kept: dict | None, versions: list | None, out: Any):
        self.op = op
        self.parents = parents
        self.kept = kept
        self.versions = versions
        self.shape = out.shape
        self.dtype = out.dtype
        self.birth = next(_births)

    def name(self) -> str:
        """PyTorch's name of the node, such as AddBackward0."""
        return grad_names.name_of(self)

    def __repr__(self) -> str:
        return f"<{self.name().removeprefix('torch::autograd::')} object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple:
        """The nodes of the inputs, as PyTorch gives them: (node or None, 0) each."""
        return tuple((grad_names.dressed(parent), 0) for parent in self.parents)


def sum_to(gradient: Any, shape: tuple[int, ...]) -> Any:
    """Undo broadcasting: the gradient of an input of `shape` that was stretched to `gradient.shape`.

    Broadcasting copies an entry along new and stretched axes; every copy feeds the output, so the entry's gradient is
    the sum over those axes. No vjp rule does this: the walk calls it wherever the shapes differ. Works on raw arrays
    and on Tensors alike.
    """
    new = gradient.ndim - len(shape)
    stretched = tuple(range(new)) + tuple(
        new + i for i, n in enumerate(shape) if n == 1 and gradient.shape[new + i] != 1
    )
    if new < 0 or any(n not in (1, gradient.shape[new + i]) for i, n in enumerate(shape)):
        raise RuntimeError(
            f"a gradient of shape {tuple(gradient.shape)} cannot belong to an input of shape {tuple(shape)}"
        )
    if stretched:
        on_raw = is_array(gradient)
        gradient = kernels_of(gradient).sum(gradient, stretched, True) if on_raw else gradient.sum(stretched, True)
    return gradient.reshape(shape)


def walk(
    seeds: Iterable[tuple[Node, Any]],
    *,
    retain_graph: bool,
    create_graph: bool,
    wanted: set[Node] | None = None,
    on_path: set[Node] | None = None,
) -> dict[Node, Any]:
    """Send gradients from the seed nodes back to the leaves.

    `seeds` pairs nodes with their gradients: raw arrays, or Tensors when `create_graph`. Without `wanted`, the
    gradients of leaves are added to their `.grad`. With it, nothing is written: the gradients of the wanted nodes are
    returned, and only nodes `on_path` to them are visited.
    """
    heappush, heappop = heapq.heappush, heapq.heappop
    queue: list[int] = []  # births, negated: heapq gives the smallest first, the walk wants the youngest
    pending: dict[int, list] = {}  # birth -> [node, its gradient so far, do we own that array]
    found: dict[Node, Any] = {}
    for node, gradient in seeds:
        _arrive(pending, queue, node, gradient, create_graph)
    while queue:
        node, dy, ours = pending.pop(-heappop(queue))
        if node.hooks:
            dy, ours = _run_hooks(node, dy, ours, create_graph)
        if wanted is not None and node in wanted:
            found[node] = dy if ours or create_graph else dy.copy()
        op = node.op
        if op is None:
            if wanted is None:
                accumulate(node, dy, ours, create_graph)
                if node.after_hooks:
                    for hook in list(node.after_hooks.values()):
                        hook()
            continue
        if node.retains_grad and wanted is None:
            accumulate(node, dy, False, create_graph)
        if node.kept is None:
            raise noted(
                RuntimeError(
                    "Trying to backward through the graph a second time (or directly access saved tensors after they "
                    "have already been freed). Saved intermediate values of the graph are freed when you call "
                    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
                    "graph a second time or if you need to access saved tensors after calling backward."
                ),
                f"what '{op.name}' kept was freed: or compute the output again",
            )
        for name, cell, count in node.versions or ():
            if cell.count != count:
                raise _modified(name, op, cell, count)
        if op.rerun is not None:  # a checkpointed segment: its graph is made now, and is younger than all that waits
            again = op.rerun()
            if on_path is not None:
                on_path |= _nodes_between([again], wanted or set())
            _arrive(pending, queue, again, dy, create_graph)
            continue
        parents = node.parents
        if on_path is not None:
            parents = [p if p in on_path else None for p in parents]
        if node.dtype.kind == "c" and op.holomorphic:
            gradients = conjugated(op, node, parents, dy, create_graph)
        elif create_graph:
            gradients = op.vjp_on_tensors(node, parents, dy)
        elif op.into is not None:
            gradients = _scatter_into_parent(op, node, parents, dy, pending, queue)
        else:
            gradients = op.vjp_on_arrays(node, parents, dy)
        if len(gradients) != len(parents):
            raise RuntimeError(f"the vjp of '{op.name}' gave {len(gradients)} gradients for {len(parents)} inputs")
        # Not zip(strict=True), which takes three times as long: the lengths have just been compared.
        for parent, gradient in zip(parents, gradients):  # noqa: B905
            if parent is None or gradient is None:
                continue
            if gradient.shape != parent.shape:
                gradient = sum_to(gradient, parent.shape)
            if gradient.dtype is not parent.dtype:
                gradient = _cast(gradient, parent.dtype)
            birth = parent.birth
            entry = pending.get(birth)
            if entry is None:  # the first arrival is borrowed, unless it goes to a leaf and is nobody else's
                fresh = parent.op is None and not create_graph and _is_fresh(gradient, dy, node, gradients)
                pending[birth] = [parent, gradient, fresh]
                heappush(queue, -birth)
            else:
                _add_to(entry, gradient, create_graph)
        if (
            not retain_graph and node.kept and (node.versions or _holds_arrays(node))
        ):  # what keeps no array may be walked again
            node.kept = node.versions = None
    return found


def conjugated(op: Any, node: Node, parents: Sequence, dy: Any, create_graph: bool) -> list:
    """The gradients of a function w = f(z) of complex numbers: dz = dw conj(f'(z)), see ops/complex_numbers.py.

    The rule, written for real numbers, multiplies by f'(z); conj(conj(dw) f'(z)) is what is wanted.
    """
    from minigrad.ops import conj

    rule = op.vjp_on_tensors if create_graph else op.vjp_on_arrays
    return [g if g is None else conj(g) for g in rule(node, parents, conj(dy))]


def _is_fresh(gradient: Any, dy: Any, node: Node, gradients: Sequence) -> bool:
    """Whether a gradient may become `.grad` without a copy: not dy, not kept, no view, and sent to one input only, be
    it as itself or as the base of a view.
    """
    if gradient is dy or getattr(gradient, "base", gradient) is not None:
        return False
    sent = 0
    for g in gradients:
        if gradient is g or gradient is getattr(g, "base", None):
            sent += 1
    if sent > 1:
        return False
    for value in node.kept.values():
        if gradient is value or (type(value) is tuple and any(gradient is array for array in value)):
            return False
    return True


def _holds_arrays(node: Node) -> bool:
    """Arrays, or the number that x * 2 and x / 2 keep: PyTorch keeps it as a tensor."""
    inputs = getattr(node.op, "kept_inputs", ())
    for name, value in node.kept.items():
        kind = type(value)
        if kind is tuple:
            for item in value:
                if is_array(item):
                    return True
        elif is_array(value) or (name in inputs and value is not None):
            return True
    return False


def _add_to(entry: list, gradient: Any, create_graph: bool) -> None:
    """Add a gradient to a node's sum: the second arrival allocates, later ones add in place."""
    if entry[2] and not create_graph and (type(gradient) is np.ndarray or fits(entry[1], gradient)):
        entry[1] += gradient
    else:
        entry[1], entry[2] = entry[1] + gradient, True


def _arrive(pending: dict, queue: list, node: Node, gradient: Any, create_graph: bool) -> None:
    entry = pending.get(node.birth)
    if entry is None:
        pending[node.birth] = [node, gradient, False]
        heapq.heappush(queue, -node.birth)
    else:
        _add_to(entry, gradient, create_graph)


def _scatter_into_parent(op: Any, node: Node, parents: Sequence, dy: Any, pending: dict, queue: list) -> list:
    """Let an indexing op add its gradient straight into its parent's buffer, instead of into an array of zeros."""
    parent = parents[0]
    if parent is None:
        return [None] * len(parents)
    entry = pending.get(parent.birth)
    if entry is None:
        entry = pending[parent.birth] = [parent, kernels_of(dy).zeros(parent.shape, parent.dtype, dy), True]
        heapq.heappush(queue, -parent.birth)
    elif not entry[2] or not fits(entry[1], dy):
        entry[1], entry[2] = kernels_of(dy).writable(entry[1], dy), True
    op.into(entry[1], dy, **{name: node.kept[name] for name in op.into_names})
    return [None] * len(parents)


def _cast(gradient: Any, dtype: Any) -> Any:
    """The gradient in its input's dtype. Of a complex one that came to a real input the real part counts."""
    if gradient.dtype == dtype:
        return gradient
    if dtype.kind != "c" and is_complex(gradient):
        gradient = gradient.real
    return gradient.astype(dtype) if not hasattr(gradient, "array") else _cast_tensor(gradient, dtype)


def _cast_tensor(gradient: Any, dtype: Any) -> Any:
    return gradient if gradient.array.dtype == dtype else gradient.to(dtype)


def _modified(name: str, op: Any, cell: Any, count: int) -> RuntimeError:
    return RuntimeError(
        f"one of the variables needed for gradient computation has been modified by an inplace operation: '{name}' of "
        f"'{op.name}' was at version {count} when it was kept and is at version {cell.count} now. Write into a clone() "
        f"of it, or use the out-of-place form."
    )


def _run_hooks(node: Node, dy: Any, ours: bool, create_graph: bool) -> tuple[Any, bool]:
    """Call a node's hooks on its finished gradient; what a hook returns replaces it."""
    if not (ours or create_graph):
        dy, ours = dy.copy(), True  # what a user sees is writeable, and nobody else's
    gradient = dy if create_graph else _as_tensor(dy)
    for hook in list(node.hooks.values()):
        replaced = hook(gradient)
        if replaced is not None:
            if not hasattr(replaced, "array"):
                raise TypeError(f"a hook returns a Tensor or None, got {type(replaced).__name__}")
            if tuple(replaced.shape) != tuple(node.shape):
                raise RuntimeError(
                    f"a hook returned a gradient of shape {tuple(replaced.shape)} for one of shape {tuple(node.shape)}"
                )
            gradient, ours = replaced, False
    return (gradient if create_graph else gradient.array), ours


def accumulate(node: Node, gradient: Any, ours: bool, create_graph: bool) -> None:
    """Add a gradient to `node.grad`, the tensor a user sees: writeable, and not sharing memory with the walk."""
    with _accumulation_lock:
        if create_graph:
            node.grad = gradient if node.grad is None else node.grad + gradient
        elif node.grad is None:
            node.grad = _as_tensor(gradient if ours and gradient.ndim else gradient.copy())
        else:
            node.grad.array[...] += gradient  # in place: whoever holds .grad sees it, as in PyTorch
            node.grad.bump_version()


def _as_tensor(array: Any) -> Any:
    return _from_raw()(array)


@functools.cache
def _from_raw() -> Any:
    from minigrad.tensor import from_raw  # not above: tensor.py imports this file

    return from_raw


def _nodes_between(outputs: Iterable[Node], inputs: set[Node]) -> set[Node]:
    """The nodes on some path from `outputs` down to `inputs`, both ends included."""
    oldest = min((node.birth for node in inputs), default=0)
    reached: dict[int, Node] = {}
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node.birth in reached or node.birth < oldest:
            continue
        reached[node.birth] = node
        stack.extend(parent for parent in node.parents if parent is not None)
    useful: set[Node] = set()
    for birth in sorted(reached):  # oldest first: a node is useful if it is wanted or has a useful parent
        node = reached[birth]
        if node in inputs or any(parent in useful for parent in node.parents):
            useful.add(node)
    return useful


def _seeds(tensors: Sequence[Any], gradients: Any, create_graph: bool) -> list[tuple[Node, Any]]:
    from minigrad.tensor import Tensor

    if gradients is None or not isinstance(gradients, (tuple, list)):
        gradients = (gradients,) * len(tensors) if gradients is None else (gradients,)
    if len(gradients) != len(tensors):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(gradients)} gradients")
    seeds = []
    for tensor, gradient in zip(tensors, gradients, strict=True):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"backward starts from tensors, got {type(tensor).__name__}")
        if not tensor.requires_grad:
            raise noted(
                RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn"),
                "nothing it was computed from has requires_grad=True, or it was computed under no_grad() or after "
                "detach()",
            )
        if gradient is not None and not isinstance(gradient, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(gradient).__name__}")
        if gradient is None:
            if is_complex(tensor):
                raise RuntimeError(
                    f"grad can be implicitly created only for real scalar outputs but got {tensor.dtype}: take .abs(), "
                    f".real or .imag of it, or pass gradient="
                )
            if tensor.array.size != 1:
                raise noted(
                    RuntimeError("grad can be implicitly created only for scalar outputs"),
                    f"this one has shape {tuple(tensor.array.shape)}: reduce it (.sum(), .mean()) or pass gradient=",
                )
            one = kernels_of(tensor.array).zeros(tensor.array.shape, tensor.array.dtype, tensor.array)
            one[...] = 1
            seeds.append((tensor.node, _as_tensor(one) if create_graph else one))
            continue
        if tuple(gradient.shape) != tuple(tensor.array.shape):
            raise RuntimeError(
                f"Mismatch in shape: the gradient has shape {tuple(gradient.shape)}, "
                f"the output {tuple(tensor.array.shape)}"
            )
        if gradient.array.dtype != tensor.array.dtype:
            gradient = gradient.to(tensor.array.dtype)
        seeds.append((tensor.node, gradient if create_graph else gradient.array))
    return seeds


def _listed(tensors: Any) -> list:
    """One tensor, or any iterable of them, as a list."""
    return [tensors] if is_array(getattr(tensors, "array", None)) else list(tensors)


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add to `.grad` of every leaf (or only of `inputs`) the derivative of the sum of `tensors * grad_tensors`.

    `retain_graph` (default: `create_graph`) keeps what the graph holds for another backward. Raises RuntimeError for an
    output that is not a scalar and has no gradient given, that requires no gradient, or whose graph was freed.
    """
    tensors = _listed(tensors)
    seeds = _seeds(tensors, grad_tensors, create_graph)
    if any(is_wrapped(getattr(gradient, "array", gradient)) for _, gradient in seeds):
        raise RuntimeError(
            "backward() called inside a functorch transform: .grad would be another one for each example of the vmap. "
            "Use func.grad or func.vjp inside, or call backward() outside of it"
        )
    retain = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        with set_grad_enabled(create_graph):
            walk(seeds, retain_graph=retain, create_graph=create_graph)
        return
    inputs = _listed(inputs)
    if not inputs:
        raise RuntimeError("'inputs' argument to backward() cannot be empty")
    wanted = {tensor.node for tensor in inputs if _must_require_grad(tensor)}
    found = _gradients(seeds, wanted, retain, create_graph)
    for node, gradient in found.items():
        accumulate(node, gradient, True, create_graph)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple:
    """The derivatives of the sum of `outputs * grad_outputs` by each of `inputs`, as a tuple; no `.grad` is touched.

    With `create_graph=True` the result can be differentiated again. An input that the outputs do not depend on raises
    RuntimeError, or gives None with `allow_unused=True`, or zeros with `materialize_grads=True`. With
    `is_grads_batched=True` the first dim of each of `grad_outputs` counts vectors, and so does that of each result: one
    walk for all of them. `only_inputs` is always so, as in PyTorch; False warns.
    """
    if not only_inputs:
        warnings.warn("only_inputs=False has no effect: use backward() to fill .grad", FutureWarning, stacklevel=2)
    outputs = _listed(outputs)
    inputs = _listed(inputs)
    if is_grads_batched:
        from minigrad.func.jacobians import grads_of_batch

        return grads_of_batch(
            outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads
        )
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: False")
    wanted = {tensor.node for tensor in inputs if _must_require_grad(tensor)}
    seeds = _seeds(outputs, grad_outputs, create_graph)
    retain = create_graph if retain_graph is None else retain_graph
    found = _gradients(seeds, wanted, retain, create_graph)
    results = []
    for tensor in inputs:
        gradient = found.get(tensor.node)
        if gradient is None and materialize_grads:
            results.append(tensor.detach().zeros_like())
        elif gradient is None and not allow_unused:
            raise RuntimeError(
                "One of the differentiated Tensors appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
        else:
            results.append(gradient if gradient is None or create_graph else _as_tensor(gradient))
    return tuple(results)


def _must_require_grad(tensor: Any) -> bool:
    if not tensor.requires_grad:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return True


def _gradients(seeds: list, wanted: set[Node], retain: bool, create_graph: bool) -> dict[Node, Any]:
    on_path = _nodes_between([node for node, _ in seeds], wanted)
    seeds = [(node, gradient) for node, gradient in seeds if node in on_path]
    with set_grad_enabled(create_graph):
        return walk(seeds, retain_graph=retain, create_graph=create_graph, wanted=wanted, on_path=on_path)
