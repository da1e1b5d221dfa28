"""In-place writes: `x[i] = v`, `x += y`, `x.add_(y)`, `x.copy_(y)` all come through here.

Two cases, by whether a graph is being recorded for the write:

- **Not recorded** (under `no_grad`, or nothing involved requires grad): the memory itself is written, so every view of it
  sees the change, and its version goes up by one. A backward that still needs the old values then says so.
- **Recorded**: memory that the graph may hold is never touched. The new value is an ordinary op on a fresh array, and the
  tensor is rebound to it: same Python object, new array, new node. Other tensors that share the old memory (views) would
  silently keep the old values, so such a write raises, with one exception: a write to `base[i]` while `base` lives is
  carried out on `base`, which is what `x[0].add_(h)` means.
"""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minigrad import autograd
from minigrad.dtype import of

if TYPE_CHECKING:
    from minigrad.tensor import Tensor


class VersionCell:
    """One per memory, shared by all tensors on it: how often it was written, and weak references to those tensors."""

    __slots__ = ("count", "tensors")

    def __init__(self) -> None:
        self.count = 0
        self.tensors: list[weakref.ref] = []

    def add(self, tensor: "Tensor") -> None:
        if len(self.tensors) >= 8 and len(self.tensors) & (len(self.tensors) - 1) == 0:
            self.tensors = [ref for ref in self.tensors if ref() is not None]  # sweep at 8, 16, 32 ... entries
        self.tensors.append(weakref.ref(tensor))


def version_of(tensor: "Tensor") -> VersionCell:
    """The version cell of a tensor's memory, made when first needed."""
    cell = tensor.version
    if cell is None:
        cell = tensor.version = VersionCell()
        cell.add(tensor)
    return cell


def mark_view(view: "Tensor", base: "Tensor", op: Any, params: dict) -> None:
    """Note that `view` shares memory with `base`, if the op did give a view."""
    memory = view.array.base
    if memory is None or (memory is not base.array and memory is not base.array.base):
        return  # the library had to copy (it names the array that owns the memory, not the chain of views)
    cell = base.version or version_of(base)
    view.version = cell
    cell.add(view)
    view.base = (weakref.ref(base), params["index"] if op.name == "getitem" else None, op.name)


def alias(tensor: "Tensor", other: "Tensor") -> "Tensor":
    """Make `other` (a detached twin) share the version cell of `tensor`."""
    cell = version_of(tensor)
    other.version = cell
    cell.add(other)
    other.base = (weakref.ref(tensor), None, "detach")
    return other


def refuse_leaf(tensor: "Tensor") -> None:
    """Leaves that require grad are written under no_grad only: their gradient would belong to no one."""
    node = tensor.node
    if node is not None and node.requires_grad and node.op is None and autograd.mode.enabled:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation; "
            "write under no_grad(), or into a clone()"
        )
    base = tensor.base and tensor.base[0]()
    if base is not None and tensor.base[2] != "detach":
        base_node = base.node
        if base_node is not None and base_node.requires_grad and base_node.op is None and autograd.mode.enabled:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place operation; "
                "write under no_grad(), or into a clone()"
            )


def is_recorded(tensor: "Tensor", *others: Any) -> bool:
    if not autograd.mode.enabled:
        return False
    return tensor.requires_grad or any(getattr(other, "requires_grad", False) for other in others)


def write_raw(tensor: "Tensor", index: Any, value: Any) -> None:
    """Write into the memory itself (`index` raw, `value` a raw array or number) and count it."""
    array = tensor.array
    if any(stride == 0 and n > 1 for stride, n in zip(array.strides, array.shape, strict=True)):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location "
            "(it was expanded). Please clone() the tensor before performing the operation."
        )
    if getattr(array, "flags", None) is not None and not getattr(array.flags, "writeable", True):
        raise RuntimeError("this tensor's memory is read-only (it wraps a read-only NumPy array): write into a clone()")
    array[index] = value
    tensor.bump_version()


def update(tensor: "Tensor", function: Callable, *operands: Any, **params: Any) -> "Tensor":
    """`tensor <- function(tensor, *operands)`, in place; the shape and dtype of `tensor` stay."""
    refuse_leaf(tensor)
    if not is_recorded(tensor, *operands):
        with autograd.no_grad():
            result = function(tensor.detach(), *operands, **params)
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


def set_item(tensor: "Tensor", index: Any, value: Any) -> None:
    """`tensor[index] = value`, with `index` already raw (see ops/indexing.py) and `value` a Tensor or number."""
    from minigrad import ops

    refuse_leaf(tensor)
    if is_recorded(tensor, value):
        rebind(tensor, ops.index_write(tensor, value, index=index))
        return
    raw = value.array if hasattr(value, "array") else value
    try:
        write_raw(tensor, index, raw)
    except (ValueError, IndexError, TypeError) as error:
        raise ops.explain_write(error, tensor, index, value) from error


def rebind(tensor: "Tensor", new: "Tensor") -> None:
    """Give `tensor` the array and node of `new`; carry a write to `base[i]` over to `base`; refuse what would be lost."""
    from minigrad import ops

    base = tensor.base[0]() if tensor.base is not None else None
    if base is not None and tensor.base[2] == "getitem" and _is_alone(tensor, base):
        index = tensor.base[1]
        refuse_leaf(base)
        rebind(base, ops.index_write(base, new, index=index))
        view = ops.getitem(base, index=index)
        tensor.array, tensor.node, tensor.version, tensor.base = view.array, view.node, None, None
        inherit(tensor, view)
        return
    if not _is_alone(tensor):
        how = "a view of another tensor" if base is not None else "shared by live views (or a detached twin)"
        raise RuntimeError(
            f"an in-place write that the graph has to record was made to a tensor whose memory is {how}: the others "
            f"would silently keep the old values. Use the out-of-place form (y = x.add(...), x = index_put(...)), write "
            f"into a clone(), or index the base tensor directly: base[i] = value."
        )
    tensor.array, tensor.node, tensor.version, tensor.base = new.array, new.node, None, None


def inherit(tensor: "Tensor", view: "Tensor") -> None:
    """Put `tensor` in the place of `view` as a view of its base."""
    if view.version is not None:
        tensor.version, tensor.base = view.version, view.base
        view.version.add(tensor)


def _is_alone(tensor: "Tensor", *allowed: "Tensor") -> bool:
    if tensor.version is None:
        return True
    alive = [other for ref in tensor.version.tensors if (other := ref()) is not None]
    return all(other is tensor or any(other is a for a in allowed) for other in alive)
