"""Shape ops: the same entries, laid out anew. All are linear, and each is the adjoint of another in this file:
reshape / reshape, permute / permute, expand / the sum the walk makes, cat / slices, pad / slice, flip / flip.

Ops marked `view=True` share memory with their input where NumPy can.
"""

import math
from collections.abc import Sequence
from typing import Any

from minigrad.backend import kernels_of, same_memory
from minigrad.dtype import promote
from minigrad.explain import noted
from minigrad.grad_names import named
from minigrad.op import op
from minigrad.ops.elementwise import (
    clone,
)
from minigrad.tensor import Tensor, dims_tuple, full_shape, one_dim


@op(view=True)
def reshape(x, *, shape):
    """The same entries in row-major order under another shape."""
    return x.reshape(shape)


@reshape.vjp
def reshape_vjp(dy, x_shape):
    return dy.reshape(x_shape)


_unsqueezed = reshape.printed_as("UnsqueezeBackward0")
_squeezed, _squeezed_one = reshape.printed_as("SqueezeBackward0"), reshape.printed_as("SqueezeBackward1")
_repeated = reshape.printed_as("RepeatBackward0")


def view(x: Tensor, shape: Sequence[int]) -> Tensor:
    """reshape that must not copy: RuntimeError where the strides make that impossible."""
    y = reshape(x, shape=tuple(shape))
    if y.base is None and x.array.size and not same_memory(x.array, y.array):  # a view knows its base
        raise RuntimeError(
            f"view size {list(shape)} is not compatible with input tensor's size {list(x.shape)} and stride "
            f"{x.stride()} (at least one dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return y


@op(view=True)
def permute(x, *, dims):
    """Axis i of the result is axis dims[i] of the input."""
    return kernels_of(x).transpose(x, dims)


@permute.vjp
def permute_vjp(dy, dims):
    return permute(dy, dims=tuple(sorted(range(len(dims)), key=dims.__getitem__)))


@op(view=True)
def swapaxes(x, *, dim0, dim1):
    """Two axes exchanged."""
    return x.swapaxes(dim0, dim1) if x.ndim else x[...]


@swapaxes.vjp
def swapaxes_vjp(dy, dim0, dim1):
    return dy.swapaxes(dim0, dim1) if dy.ndim else dy


@op(view=True)
def expand_to(x, *, shape):
    """x repeated along new axes and axes of size 1 up to `shape`, without copying: the adjoint of summing."""
    return kernels_of(x).broadcast_to(x, shape)


@expand_to.vjp
def expand_to_vjp(dy):
    return dy  # the walk sums the repeated axes


@op
def flip(x, *, dims):
    """The order reversed along each of `dims`."""
    return kernels_of(x).flip(x, dims)


@flip.vjp
def flip_vjp(dy, dims):
    return flip(dy, dims=dims)


@op
def roll_by(x, *, shifts, dims):
    """Entries moved by `shifts` along `dims`; those that fall off the end come in at the front."""
    return kernels_of(x).roll(x, shifts, dims)


@roll_by.vjp
def roll_by_vjp(dy, shifts, dims):
    return roll_by(dy, shifts=tuple(-s for s in shifts), dims=dims)


@op
def tril(x, *, diagonal=0):
    """The lower triangle of the last two axes, zeros above the diagonal."""
    return kernels_of(x).tril(_matrix(x, "tril"), diagonal)


@tril.vjp
def tril_vjp(dy, diagonal):
    return tril(dy, diagonal=diagonal)


@op
def triu(x, *, diagonal=0):
    """The upper triangle of the last two axes, zeros below the diagonal."""
    return kernels_of(x).triu(_matrix(x, "triu"), diagonal)


@triu.vjp
def triu_vjp(dy, diagonal):
    return triu(dy, diagonal=diagonal)


def _matrix(x: Any, name: str) -> Any:
    if x.ndim < 2:
        raise ValueError(f"{name}: input tensor must have at least 2 dimensions, got {x.ndim}")
    return x


@op
def cat_arrays(*xs, axis):
    """The inputs one after another along an axis."""
    return kernels_of(xs[0]).concatenate(promote(list(xs)), axis)


@cat_arrays.vjp
def cat_arrays_vjp(dy, xs_shape, axis):
    gradients, start = [], 0
    for shape in xs_shape:
        stop = start + shape[axis]
        gradients.append(dy[(slice(None),) * axis + (slice(start, stop),)])
        start = stop
    return gradients


@op
def stack_arrays(*xs, axis):
    """The inputs side by side along a new axis."""
    return kernels_of(xs[0]).stack(promote(list(xs)), axis)


@stack_arrays.vjp
def stack_arrays_vjp(dy, axis):
    return [dy[(slice(None),) * axis + (i,)] for i in range(dy.shape[axis])]


@op
def pad(x, *, pads, value=0.0):
    """`value` added around x: pads[i] = (before, after) on axis i."""
    return kernels_of(x).pad(x, pads, value)


@pad.vjp
def pad_vjp(dy, x_shape, pads):
    return dy[tuple(slice(before, before + n) for n, (before, _) in zip(x_shape, pads, strict=True))]


# ---------------------------------------------------------------- compositions, in PyTorch's call forms


def tensors_of(tensors: Any, name: str) -> list[Tensor]:
    if not isinstance(tensors, (tuple, list)):
        raise TypeError(f"{name}: expected a tuple or list of Tensors, got {type(tensors).__name__}")
    for i, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise TypeError(f"{name}: expected a sequence of Tensors, but element {i} is {type(x).__name__}")
    if not tensors:
        raise (ValueError if name == "cat" else RuntimeError)(f"{name}: expected a non-empty list of Tensors")
    return list(tensors)


def cat(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Join tensors along an existing dim; all other dims must agree. Legacy: 1-d empty tensors are skipped."""
    tensors = tensors_of(tensors, "cat")
    kept = [x for x in tensors if x.array.shape != (0,)] or tensors[:1]
    ndim = kept[0].array.ndim
    dim = one_dim(dim if axis is None else axis, ndim)
    if ndim == 0:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated; use stack")
    for i, x in enumerate(kept):
        others = [n for j, n in enumerate(x.array.shape) if j != dim]
        if x.array.ndim != ndim or others != [n for j, n in enumerate(kept[0].array.shape) if j != dim]:
            raise _do_not_join(kept[0], x, i, dim)
    return cat_arrays(*kept, axis=dim)


def _do_not_join(first: Tensor, x: Tensor, i: int, dim: int) -> Exception:
    if x.array.ndim != first.array.ndim:
        return RuntimeError(f"Tensors must have same number of dimensions: got {first.array.ndim} and {x.array.ndim}")
    wanted, got = next((n, m) for d, (n, m) in enumerate(zip(first.shape, x.shape, strict=True)) if n != m and d != dim)
    return noted(
        RuntimeError(
            f"Sizes of tensors must match except in dimension {dim}. Expected size {wanted} but got size {got} for "
            f"tensor number {i} in the list."
        ),
        f"cat: the first tensor has shape {list(first.shape)}, tensor number {i} {list(x.shape)}",
    )


def stack(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Join tensors of one shape along a new dim."""
    tensors = tensors_of(tensors, "stack")
    first = tensors[0].array.shape
    for i, x in enumerate(tensors):
        if x.array.shape != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and {list(x.shape)} at "
                f"entry {i}"
            )
    return stack_arrays(*tensors, axis=one_dim(dim if axis is None else axis, len(first) + 1))


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along dim 1, 1-d tensors along dim 0."""
    tensors = [atleast_1d(x) for x in tensors_of(tensors, "hstack")]
    return cat(tensors, 0 if tensors[0].array.ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along dim 0; 1-d tensors are rows."""
    return cat([atleast_2d(x) for x in tensors_of(tensors, "vstack")], 0)


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along dim 2."""
    rows = [atleast_2d(x) for x in tensors_of(tensors, "dstack")]
    return cat([x.unsqueeze(2) if x.array.ndim == 2 else x for x in rows], 2)


def atleast_1d(x: Tensor) -> Tensor:
    return x.reshape(1) if x.array.ndim == 0 else x


def atleast_2d(x: Tensor) -> Tensor:
    return x.reshape(1, -1) if x.array.ndim < 2 else x


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dims from `start_dim` to `end_dim` merged into one."""
    start, end = one_dim(start_dim, x.array.ndim), one_dim(end_dim, x.array.ndim)
    if start > end:
        raise RuntimeError(f"flatten() has invalid args: start_dim {start_dim} cannot come after end_dim {end_dim}")
    shape = x.array.shape
    return reshape(x, shape=(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def unflatten(x: Tensor, dim: int, sizes: tuple[int, ...]) -> Tensor:
    """One dim split into several."""
    shape = x.array.shape
    return reshape(x, shape=(*shape[:dim], *full_shape(sizes, shape[dim]), *shape[dim + 1 :]))


def squeeze(x: Tensor, dim: Any = None) -> Tensor:
    """Dims of size 1 removed: all of them, or those named that have size 1."""
    ndim, shape = x.array.ndim, x.array.shape
    wanted = range(ndim) if dim is None else dims_tuple(dim if isinstance(dim, (tuple, list)) else (dim,), ndim)
    squeezed = _squeezed if dim is None else _squeezed_one
    return squeezed(x, shape=tuple(n for i, n in enumerate(shape) if n != 1 or i not in wanted))


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """A dim of size 1 put in at `dim`."""
    dim = one_dim(dim, x.array.ndim + 1)
    return _unsqueezed(x, shape=(*x.array.shape[:dim], 1, *x.array.shape[dim:]))


def expand(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Dims of size 1 repeated to `shape` without copying; -1 keeps a dim; new dims come in front."""
    have = x.array.shape
    new = len(shape) - len(have)
    if new < 0:
        raise RuntimeError(
            f"expand: the number of sizes provided ({len(shape)}) must be greater or equal to the number of dimensions "
            f"in the tensor ({len(have)})"
        )
    full = tuple(have[i - new] if n == -1 and i >= new else n for i, n in enumerate(shape))
    for i, n in enumerate(have):
        if n not in (1, full[new + i]):
            raise RuntimeError(
                f"The expanded size of the tensor ({full[new + i]}) must match the existing size ({n}) at "
                f"non-singleton dimension {new + i}.  Target sizes: {list(shape)}.  Tensor sizes: {list(have)}"
            )
    return expand_to(x, shape=full) if full != have else reshape(x, shape=have)  # a view that can be written


def repeat(x: Tensor, repeats: tuple[int, ...]) -> Tensor:
    """The whole tensor repeated repeats[i] times along dim i, copied."""
    new = len(repeats) - x.array.ndim
    if new < 0:
        raise RuntimeError(
            f"Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor: "
            f"{len(repeats)} < {x.array.ndim}"
        )
    shape = (1,) * new + x.array.shape
    paired = reshape(x, shape=tuple(m for n in shape for m in (1, n)))  # each axis behind one of size 1 to stretch
    stretched = expand_to(paired, shape=tuple(m for r, n in zip(repeats, shape, strict=True) for m in (r, n)))
    return _repeated(clone(stretched), shape=tuple(r * n for r, n in zip(repeats, shape, strict=True)))


def movedim(x: Tensor, source: Any, destination: Any) -> Tensor:
    """The dims `source` moved to the places `destination`, the others in order around them."""
    ndim = x.array.ndim
    source = dims_tuple(source if isinstance(source, (tuple, list)) else (source,), ndim)
    destination = dims_tuple(destination if isinstance(destination, (tuple, list)) else (destination,), ndim)
    if len(source) != len(destination):
        raise RuntimeError(f"movedim: source {source} and destination {destination} must be of one length")
    rest = iter([i for i in range(ndim) if i not in source])
    came_from = dict(zip(destination, source, strict=True))
    return permute(x, dims=tuple(came_from[i] if i in came_from else next(rest) for i in range(ndim)))


def roll(x: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Entries moved by `shifts` along `dims`, round the end; without dims, along the flattened tensor."""
    shifts = tuple(shifts) if isinstance(shifts, (tuple, list)) else (shifts,)
    if dims is None:
        flat = roll_by(reshape(x, shape=(-1,)), shifts=shifts, dims=(0,))
        return named(reshape(flat, shape=x.array.shape), "RollBackward0")
    dims = dims_tuple(dims if isinstance(dims, (tuple, list)) else (dims,), x.array.ndim)
    if len(shifts) != len(dims):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}")
    return roll_by(x, shifts=shifts, dims=dims)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Coordinates of a grid: the i-th result varies along dim i (indexing="xy" exchanges the first two)."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f"meshgrid: indexing must be one of 'xy' or 'ij', but received: {indexing}")
    if longer := [list(x.shape) for x in tensors if x.array.ndim > 1]:
        raise RuntimeError(f"meshgrid: Expected 0D or 1D tensors, but got one of shape {longer[0]}")
    if len({x.dtype for x in tensors}) > 1:
        raise RuntimeError(f"meshgrid expects all tensors to have the same dtype, got {[x.dtype for x in tensors]}")
    shape = tuple(x.array.size for x in tensors)
    grids = []
    for i, x in enumerate(tensors):
        line = reshape(x, shape=tuple(shape[i] if i == j else 1 for j in range(len(shape))))
        grids.append(expand_to(line, shape=shape))
    if indexing == "xy" and len(grids) > 1:
        grids = [g.swapaxes(0, 1) for g in grids]
    return tuple(grids)
