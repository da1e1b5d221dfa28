"""In-place writes: `x[i] = v`, `x += y`, `x.add_(y)`, `x.copy_(y)` all come through here.

Two cases, by whether a graph is being recorded for the write:

- **Not recorded** (under `no_grad`, or nothing involved requires grad): the memory itself is written, so every view of
  it sees the change, and its version goes up by one. A backward that still needs the old values then says so.
- **Recorded**: the new value is an ordinary op, and the tensor is rebound to it: same Python object, new node, and a
  new array, unless somebody else holds the old one (a `.data` twin, a NumPy array, a node that kept it): then the value
  is copied into that memory, so that all see it. The version goes up, too, and a backward that still needs the old
  value says so, as in PyTorch. The op itself may keep what it overwrites.

So that tensors which share memory keep sharing it after a recorded write, a view knows its root and the steps that lead
there, each an op with its parameters: `x.view(2, 3)[0]` is (x, [reshape, getitem]). A write to a view is carried back
along the steps into the root, which is rebound; then the root's living views are looked up in it anew. Where that is
impossible (the root is gone but other views live, the view is expanded, or was made without a graph) the write raises:
it is never lost in silence.
"""

import sys
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minigrad import autograd
from minigrad.backend import is_array, same_memory
from minigrad.dtype import of
from minigrad.explain import noted
from minigrad.kernels.batched.array import fitted

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

_EXPANDED = (
    "unsupported operation: more than one element of the written-to tensor refers to a single memory location "
    "(it was expanded). Please clone() the tensor before performing the operation."
)
DETACHED = "detached"  # a step of a view: from here on without the graph


class VersionCell:
    """One per memory: how often it was written, and, once there are several, weak references to the tensors on it."""

    __slots__ = ("count", "tensors")

    def __init__(self) -> None:
        self.count = 0
        self.tensors: list[weakref.ref] | None = None  # the hot path makes a cell per result, and few are ever shared

    def share(self, tensor: "Tensor", view: "Tensor") -> None:
        known = self.tensors or [weakref.ref(tensor)]
        count = len(known)
        if count >= 8 and count & (count - 1) == 0:
            known = [ref for ref in known if ref() is not None]  # sweep at 8, 16, 32 ... entries
        known.append(weakref.ref(view))
        self.tensors = known


def version_of(tensor: "Tensor") -> VersionCell:
    """The version cell of a tensor's memory, made when first needed."""
    cell = tensor.version
    if cell is None:
        cell = tensor.version = VersionCell()
    return cell


# ---------------------------------------------------------------- views


def mark_view(view: "Tensor", base: "Tensor", op: Any, params: dict) -> None:
    """Note that `view` shares memory with `base`, if the op did give a view.

    Under `no_grad` the graph does not follow the view, but it requires grad if its base does, as in PyTorch.
    """
    owner = getattr(view.array, "base", view.array)
    if owner is None:
        return
    one_owner = owner is base.array or owner is getattr(base.array, "base", base)
    if not (one_owner or same_memory(view.array, base.array)):
        return
    if autograd.mode.enabled:
        _link(view, base, (op, params))
        return
    _link(view, base, (op, params, DETACHED))
    if base.requires_grad:  # without a graph, and it says so still: a leaf of its own, as in PyTorch
        view.requires_grad_()


def alias(tensor: "Tensor", other: "Tensor") -> "Tensor":
    """Make `other` (a detached twin) share the version cell of `tensor`."""
    _link(other, tensor, (None, {}, DETACHED))
    return other


def _link(view: "Tensor", base: "Tensor", step: tuple) -> None:
    root, steps = (base, ()) if base.base is None else _root(base)
    view.version = cell = base.version or version_of(base)
    cell.share(base, view)
    view.base = (weakref.ref(root), (*steps, step))


def _root(tensor: "Tensor") -> tuple["Tensor", tuple]:
    """The tensor whose memory this one looks into, and the steps from there; itself if there is none alive."""
    if tensor.base is not None:
        root = tensor.base[0]()
        if root is not None and root.version is tensor.version:
            return root, tensor.base[1]
    return tensor, ()


def reshaped(tensor: "Tensor") -> None:
    """`tensor` is about to take another shape in place: the steps of its views, and its own, no longer hold."""
    living = [] if tensor.version is None else [x for ref in tensor.version.tensors or () if (x := ref()) is not None]
    for x in living:
        x.base = None


def _without_graph(steps: tuple) -> bool:
    return any(DETACHED in step for step in steps)


# ---------------------------------------------------------------- what may be written, and how


def refuse_leaf(tensor: "Tensor") -> None:
    """Leaves that require grad are written under no_grad only: their gradient would belong to no one."""
    if not autograd.mode.enabled:
        return
    root, steps = _root(tensor)
    for x, what in ((tensor, "a leaf"), (root, "a view of a leaf")):
        node = x.node
        if node is not None and node.requires_grad and node.op is None and (x is tensor or not _without_graph(steps)):
            raise noted(
                RuntimeError(f"{what} Variable that requires grad is being used in an in-place operation."),
                "write under no_grad(), or into a clone()",
            )


def is_recorded(tensor: "Tensor", *others: Any) -> bool:
    if not autograd.mode.enabled:
        return False
    return tensor.requires_grad or any(getattr(other, "requires_grad", False) for other in others)


def write_raw(tensor: "Tensor", index: Any, value: Any, fill: bool = False) -> None:
    """Write into the memory itself (`index` raw, `value` a raw array or number) and count it.

    Where the part that is written is expanded, its entries are the same memory: RuntimeError, unless it is filled with
    one number, or picked entry by entry with index arrays.
    """
    array = tensor.array
    flags = array.flags
    if not getattr(flags, "writeable", True):
        raise RuntimeError("this tensor's memory is read-only (it wraps a read-only NumPy array): write into a clone()")
    # Each entry of contiguous memory has a place of its own, and so has each of any part of it.
    shared = not (fill or flags.c_contiguous or has_arrays(index))
    if shared and _is_expanded(array if index is Ellipsis else array[index]):
        raise RuntimeError(_EXPANDED)
    array[index] = fitted(value, array)
    tensor.bump_version()


def _is_expanded(array: Any) -> bool:
    return array.size and any(stride == 0 and n > 1 for stride, n in zip(array.strides, array.shape, strict=True))


def has_arrays(index: Any) -> bool:
    """Whether a raw index holds index arrays (it then copies, and may name an entry twice)."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(is_array(p) for p in parts)


def update(tensor: "Tensor", function: Callable, *operands: Any, **params: Any) -> "Tensor":
    """`tensor <- function(tensor, *operands)`, in place; the shape and dtype of `tensor` stay."""
    from minigrad.tensor import from_raw

    refuse_leaf(tensor)
    if not is_recorded(tensor, *operands, *params.values()):
        result = function(from_raw(tensor.array), *operands, **params)
        _check_fits(tensor, result, function)
        write_raw(tensor, ..., result.array)
        return tensor
    result = function(tensor, *operands, **params)
    _check_fits(tensor, result, function)
    if result.array.dtype != tensor.array.dtype:
        result = result.to(of(tensor.array.dtype))
    rebind(tensor, result)
    return tensor


def _check_fits(tensor: "Tensor", result: "Tensor", function: Any) -> None:
    fitted(result.array, tensor.array)
    name = getattr(function, "name", getattr(function, "__name__", "the operation"))
    if tuple(result.array.shape) != tuple(tensor.array.shape):
        raise RuntimeError(
            f"{name}_: output with shape {list(tensor.array.shape)} doesn't match the broadcast shape "
            f"{list(result.array.shape)}; an in-place result must have the tensor's own shape"
        )
    have, want = of(tensor.array.dtype), of(result.array.dtype)
    if want.kind > have.kind:
        raise RuntimeError(
            f"{name}_: result type {want} can't be cast to the desired output type {have}; "
            f"convert the tensor first or use the out-of-place form"
        )


def set_item(tensor: "Tensor", index: Any, value: Any, fill: bool = False) -> None:
    """`tensor[index] = value`, with `index` already raw (see ops/indexing.py) and `value` a Tensor or number."""
    from minigrad import ops
    from minigrad.indices import as_view

    refuse_leaf(tensor)
    index = tuple(fitted(part, tensor.array) for part in index)
    fitted(getattr(value, "array", value), tensor.array)
    if is_recorded(tensor, value):
        if not _is_there_already(tensor, index, value):
            rebind(tensor, ops.index_write(tensor, value, index=index))
        return
    raw = value.array if hasattr(value, "array") else value
    try:
        write_raw(tensor, as_view(index), raw, fill)
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise ops.explain_write(error, tensor, index, value) from error


def _is_there_already(tensor: "Tensor", index: Any, value: Any) -> bool:
    """Of `x[i] += y` Python makes v = x[i]; v += y; x[i] = v: the last finds v, a view of x, in place."""
    if getattr(value, "base", None) is None or value.version is not tensor.version:
        return False
    (root, steps), (base, before) = _root(value), _root(tensor)
    if root is not base or steps[:-1] != before or getattr(steps[-1][0], "name", "") != "getitem":
        return False
    there = steps[-1][1]["index"]
    return len(there) == len(index) and all(type(a) is type(b) and a == b for a, b in zip(there, index, strict=True))


# ---------------------------------------------------------------- recorded writes


def rebind(tensor: "Tensor", new: "Tensor") -> None:
    """Give `tensor` the array and node of `new`, and all that share its memory a place in that array."""
    if _is_expanded(tensor.array):
        raise RuntimeError(_EXPANDED)
    root, steps = _root(tensor)
    living = [] if root.version is None else [x for ref in root.version.tensors or () if (x := ref()) is not None]
    views = [x for x in living if x is not root]
    if _without_graph(steps) or any(_root(x)[0] is not root for x in views):
        raise RuntimeError(
            "an in-place write that the graph has to record was made to a tensor that shares its memory with others "
            "which the graph cannot follow (a detached twin, a view made under no_grad(), a view whose base is gone): "
            "they would silently keep the old values. Use the out-of-place form (y = x.add(...), y = x.index_put(...)) "
            "or write into a clone()."
        )
    cell, node, before = version_of(root), new.node, _what_it_overwrites(new.node, tensor)
    whole = _written_back(root, steps, new)
    if views or _references(root) > _ALONE + (before is not None) or getattr(root.array, "base", None) is not None:
        if before is not None:
            node.kept[before] = node.kept[before].copy()
        write_raw(root, ..., whole.array)
    else:
        root.array = whole.array
        cell.count += 1
    root.node, root.base = whole.node, None
    if node is not None and node.versions:  # the op may have kept its result: that is the memory of `root` now
        node.versions = [(name, cell, cell.count) if c is new.version else (name, c, n) for name, c, n in node.versions]
    for view in views:
        _look_up(view, root)


def _what_it_overwrites(node: Any, tensor: "Tensor") -> str | None:
    """An in-place op may need what it overwrites, an input of its (x.pow_(2)): the name, no longer watched."""
    if node is None or not node.versions:
        return None
    name = next((name for name in node.op.inputs if node.kept.get(name) is tensor.array), None)
    node.versions = [watch for watch in node.versions if watch[0] != name]
    return name


def _references(tensor: Any) -> int:
    """How many refer to the array of a tensor."""
    return sys.getrefcount(tensor.array)


class _Alone:
    array = object()


_ALONE = _references(_Alone)


def _written_back(x: "Tensor", steps: tuple, value: "Tensor") -> "Tensor":
    """x with `value` in place of the part that `steps` lead to."""
    from minigrad import ops

    if not steps:
        return value
    if any(op.name == "expand_to" for op, *_ in steps):
        return _written_by_position(x, steps, value)
    (op, params, *_), *rest = steps
    if rest:
        value = _written_back(op(x, **params), tuple(rest), value)
    if op.name == "getitem":
        return ops.index_write(x, value, index=params["index"])
    if op.name == "last_diagonal":
        return ops.index_write(x, value, index=ops.index_of_diagonal(value, **params))
    if x.array.dtype != value.array.dtype:
        raise RuntimeError(
            f"an in-place write that the graph has to record was made to the parts of a complex tensor ({op.name}): "
            f"the graph cannot carry it back. Compute the complex tensor anew, or write under no_grad()."
        )
    # Reshapes and permutations move every entry to one place: their adjoint is their inverse.
    kept = {name: x.array.shape if what == "shape" else params[name] for name, what, _ in op.keeps}
    return op.rule(value, **kept)


def _written_by_position(x: "Tensor", steps: tuple, value: "Tensor") -> "Tensor":
    """The same where the steps lead through an expanded tensor, as long as no entry is met twice: x.expand(2, 3)[0]."""
    from minigrad import ops
    from minigrad.backend import kernels_of

    position = kernels_of(x.array).arange(x.array.size, x.array).reshape(x.array.shape)
    for op, params, *_ in steps:
        position = op(position, **params)
    if _is_expanded(position):
        raise RuntimeError(_EXPANDED)
    flat = ops.index_write(x.reshape(-1), value.reshape(-1), index=(position.reshape(-1),))
    return flat.reshape(x.array.shape)


def _look_up(view: "Tensor", root: "Tensor") -> None:
    found = root
    steps = view.base[1]
    for op, params, *_ in steps:
        found = found if op is None else op(found, **params)
    view.array = found.array
    if not _without_graph(steps):
        view.node = found.node
