"""Indexing: reading and writing parts of a tensor, by slices, integers, masks and index tensors.

A raw index is what the array library takes: ints, slices, None, Ellipsis and integer or boolean raw arrays, alone or in a
tuple. `raw_index` makes one from what a user wrote. Reading and adding-into are each other's adjoint
(`getitem` / `scatter_into`, `along_axis` / `add_along`), which closes the set under differentiation; their gradients are
added straight into the parent's buffer where one exists (`vjp_into`), so that reading a sequence step by step costs no
array of zeros a step.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import inplace
from minigrad.backend import array_module, backend_of, is_array, kernels_of, to_device, to_host
from minigrad.dtype import of
from minigrad.op import op
from minigrad.ops.elementwise import mul, where
from minigrad.ops.shape import expand_to, permute, reshape
from minigrad.tensor import Tensor, from_array, from_raw, one_dim

# ---------------------------------------------------------------- from the user's index to a raw one


def raw_index(x: Tensor, index: Any) -> list[Any]:
    """Raw indices to apply one after the other: a basic one (ints, slices, None), then, if need be, one with arrays.

    NumPy counts an int beside an index array as an array; PyTorch applies ints first. Two steps give PyTorch's meaning.
    Out-of-range entries raise IndexError here: a GPU would wrap them round in silence.
    """
    parts = list(index) if isinstance(index, tuple) else [index]
    parts = [_raw_part(x, part) for part in parts]
    arrays = [p for p in parts if is_array(p)]
    parts = _without_ellipsis(parts, x.array.ndim) if arrays else parts
    axis = 0
    for part in parts:  # check arrays against the axes they meet
        if part is None:
            continue
        if part is Ellipsis:
            break
        if is_array(part):
            axis += _check_array_part(x, part, axis)
        else:
            _check_basic_part(x, part, axis)
            axis += 1
    if axis > x.array.ndim:
        raise IndexError(f"too many indices for tensor of dimension {x.array.ndim}")
    has_int = any(isinstance(p, int) for p in parts)
    if not arrays or not has_int:
        return [tuple(parts)]
    basic: list[Any] = []
    for p in parts:
        basic += [slice(None)] * (p.ndim if p.dtype.kind == "b" else 1) if is_array(p) else [p]
    return [tuple(basic), tuple(p if is_array(p) else slice(None) for p in parts if not isinstance(p, int))]


def is_plain(index: Any, shape: tuple) -> bool:
    """Whether an index is raw already: ints in range and slices, which most are. It saves them the long way round."""
    parts = index if type(index) is tuple else (index,)
    if len(parts) > len(shape):
        return False
    for part, size in zip(parts, shape, strict=False):
        if type(part) is int:
            if not -size <= part < size:
                return False
        elif type(part) is slice:
            for bound in (part.start, part.stop):
                if bound is not None and type(bound) is not int:
                    return False
            if part.step is not None and (type(part.step) is not int or part.step <= 0):
                return False
        else:
            return False
    return True


def _raw_part(x: Tensor, part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, bool):
        return np.asarray(part) if isinstance(part, bool) else part
    if isinstance(part, slice):
        bounds = [b if b is None else int(b) for b in (part.start, part.stop, part.step)]
        if bounds[2] is not None and bounds[2] <= 0:
            raise ValueError("step must be greater than zero; use flip for a reversed order")
        return slice(*bounds)
    if isinstance(part, (int, np.integer)):
        return int(part)
    if isinstance(part, Tensor):
        array = part.array
    elif is_array(part):
        array = part
    elif isinstance(part, (list, range, tuple)):
        array = _array_of_list(part)
    else:
        raise TypeError(
            f"tensors are indexed by integers, slices, None, ..., lists and integer or bool tensors, got {type(part).__name__}"
        )
    if array.dtype.kind not in "iub":
        raise IndexError(f"tensors used as indices must be long, int, byte or bool tensors, got {of(array.dtype)}")
    if array.ndim == 0 and array.dtype.kind in "iu" and isinstance(part, Tensor):
        return int(array)
    if array.dtype.kind == "u":
        array = array != 0  # PyTorch reads uint8 as a mask
    source = backend_of(x.array)
    return array if backend_of(array) is source else source.to_device(to_host(array))


def _array_of_list(part: Any) -> np.ndarray:
    items = [int(i) if isinstance(i, Tensor) and i.array.ndim == 0 else i for i in part]
    items = [to_host(i.array) if isinstance(i, Tensor) else i for i in items]
    array = np.asarray(items)
    return array if array.size else array.astype(np.int64)


def _without_ellipsis(parts: list, ndim: int) -> list:
    used = sum(p.ndim if is_array(p) and p.dtype.kind == "b" else 1 for p in parts if p is not None and p is not Ellipsis)
    full: list[Any] = []
    for p in parts:
        full += [slice(None)] * (ndim - used) if p is Ellipsis else [p]
    return full


def _check_array_part(x: Tensor, part: Any, axis: int) -> int:
    """IndexError where a mask or index array does not fit; returns how many axes it takes up."""
    shape = x.array.shape
    if part.dtype.kind == "b":
        if part.shape != shape[axis : axis + part.ndim]:
            raise IndexError(
                f"The shape of the mask {list(part.shape)} at index {axis} does not match the shape of the indexed tensor "
                f"{list(shape)} at index {axis}"
            )
        return part.ndim
    if axis >= len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    check_range(part, shape[axis], axis)
    return 1


def check_range(index: Any, size: int, axis: int) -> None:
    """IndexError naming the first entry of an index array outside [-size, size)."""
    if not index.size:
        return
    low, high = int(index.min()), int(index.max())
    if low < -size or high >= size:
        bad = low if low < -size else high
        raise IndexError(f"index {bad} is out of bounds for dimension {axis} with size {size}")


def _check_basic_part(x: Tensor, part: Any, axis: int) -> None:
    if axis >= x.array.ndim:
        raise IndexError(
            "invalid index of a 0-dim tensor: use tensor.item() to convert it to a Python number"
            if x.array.ndim == 0
            else f"too many indices for tensor of dimension {x.array.ndim}"
        )
    size = x.array.shape[axis]
    if isinstance(part, int) and not -size <= part < size:
        raise IndexError(f"index {part} is out of bounds for dimension {axis} with size {size}")


def has_arrays(index: Any) -> bool:
    """Whether a raw index holds index arrays (it then copies, and may name an entry twice)."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(is_array(p) for p in parts)


# ---------------------------------------------------------------- reading and writing


def read(x: Tensor, index: Any) -> Tensor:
    """x[index], with PyTorch's meaning of lists, masks, None, Ellipsis and integer tensors."""
    if is_plain(index, x.array.shape):
        return getitem(x, index=index)
    for step in raw_index(x, index):
        x = getitem(x, index=step)
    return x


@op(view=True)
def getitem(x, *, index):
    """x[index] for a raw index: a view for slices, a copy for arrays."""
    return x[index]


@getitem.vjp
def getitem_vjp(dy, index, x_shape):
    return scatter_into(dy, index=index, shape=x_shape)


@getitem.vjp_into
def getitem_vjp_into(buffer, dy, index):
    if has_arrays(index) and not is_mask(index):
        kernels_of(buffer).add_at(buffer, index, dy)
    else:
        buffer[index] += dy


def is_mask(index: Any) -> bool:
    """One boolean array: it names no entry twice, so plain += will do."""
    parts = index if isinstance(index, tuple) else (index,)
    return len(parts) == 1 and is_array(parts[0]) and parts[0].dtype.kind == "b"


@op
def scatter_into(x, *, index, shape):
    """Zeros of `shape` with x added at a raw index: the adjoint of reading there. Repeated entries add up."""
    y = kernels_of(x).zeros(shape, x.dtype, x)
    getitem_vjp_into(y, x, index)
    return y


@scatter_into.vjp
def scatter_into_vjp(dy, index):
    return getitem(dy, index=index)


@op
def index_write(x, value, *, index):
    """A copy of x with `value` written at a raw index; the gradient of what was overwritten is 0."""
    y = x.copy()
    y[index] = value
    return y


@index_write.vjp
def index_write_vjp(dy, value_shape, index, needs):
    dvalue = None
    if needs[1]:
        dvalue = getitem(dy, index=index)
        extra = len(value_shape) - dvalue.ndim  # NumPy lets a value carry leading axes of size 1
        dvalue = dvalue.reshape((1,) * max(extra, 0) + dvalue.shape)
    return index_write(dy, 0.0, index=index) if needs[0] else None, dvalue


def write(x: Tensor, index: Any, value: Any) -> None:
    """x[index] = value."""
    if not isinstance(value, Tensor):
        value = value if isinstance(value, (int, float, bool, np.generic)) else from_array(np.asarray(value), x.device)
    steps = raw_index(x, index)
    if isinstance(value, Tensor):
        if value.array.ndim == 0 and backend_of(value.array) is not backend_of(x.array):
            value = value.to(x.device)
        raw = value.array
        if raw.dtype != x.array.dtype:
            value = value.to(of(x.array.dtype))
    if len(steps) == 1:
        inplace.set_item(x, steps[0], value)
    else:
        inplace.set_item(getitem(x, index=steps[0]), steps[1], value) if not inplace.is_recorded(x, value) else _write_two(
            x, steps, value
        )


def _write_two(x: Tensor, steps: list, value: Any) -> None:
    """A recorded write through a basic index and then an array one: the part is rewritten, then put back whole."""
    part = index_write(getitem(x, index=steps[0]), value, index=steps[1])
    inplace.set_item(x, steps[0], part)


def explain_write(error: Exception, x: Tensor, index: Any, value: Any) -> Exception:
    """Word a failed x[index] = value."""
    shape = tuple(getattr(value, "shape", ()))
    try:
        target = tuple(x.array[index].shape)
    except (IndexError, ValueError, TypeError):
        return IndexError(f"index {index!r} does not fit a tensor of shape {tuple(x.shape)}: {error}")
    return RuntimeError(
        f"shape mismatch: value tensor of shape {list(shape)} cannot be broadcast to indexing result of shape {list(target)} "
        f"in a tensor of shape {list(x.shape)}"
    )


# ---------------------------------------------------------------- along one axis: gather, scatter


@op
def along_axis(x, *, indices, axis):
    """y[i][j][k] = x[i][indices[i][j][k]][k] for axis 1, and so on: one index per entry of the result."""
    return kernels_of(x).take_along_axis(x, indices, axis)


@along_axis.vjp
def along_axis_vjp(dy, x_shape, indices, axis):
    return add_along(dy, indices=indices, axis=axis, shape=x_shape)


@op
def add_along(x, *, indices, axis, shape):
    """Zeros of `shape` with x added where `along_axis` would read: its adjoint."""
    y = kernels_of(x).zeros(shape, x.dtype, x)
    kernels_of(x).add_along_axis(y, indices, x, axis)
    return y


@add_along.vjp
def add_along_vjp(dy, indices, axis):
    return along_axis(dy, indices=indices, axis=axis)


def _index_for(x: Tensor, index: Tensor, dim: int, name: str) -> Any:
    """The raw int64 index of gather and scatter, checked: same number of dims, entries in [0, size)."""
    if not isinstance(index, Tensor) or index.array.dtype.kind not in "iu":
        raise RuntimeError(f"{name}(): Expected dtype int64 for index, got {getattr(index, 'dtype', type(index).__name__)}")
    if index.array.ndim != x.array.ndim and x.array.ndim and index.array.ndim:
        raise RuntimeError(
            f"{name}(): Index tensor must have the same number of dimensions as input tensor: "
            f"{list(index.shape)} against {list(x.shape)}"
        )
    size = x.array.shape[dim] if x.array.ndim else 1
    if index.array.size and not 0 <= int(index.array.min()) <= int(index.array.max()) < size:
        bad = int(index.array.min()) if int(index.array.min()) < 0 else int(index.array.max())
        raise IndexError(f"{name}(): index {bad} is out of bounds for dimension {dim} with size {size}")
    return to_device(index.array, str(x.device))


def _cut(x: Tensor, shape: Sequence[int], dim: int, name: str) -> Tensor:
    """x cut to the index's size on the dims other than `dim`."""
    for i, n in enumerate(shape):
        if i != dim and n > x.array.shape[i]:
            raise RuntimeError(
                f"Size does not match at dimension {i} expected index {list(shape)} to be no larger than self "
                f"{list(x.shape)} apart from dimension {dim} ({name})"
            )
    index = tuple(slice(None) if i == dim else slice(0, n) for i, n in enumerate(shape))
    return x if all(i == dim or n == m for i, (n, m) in enumerate(zip(shape, x.array.shape, strict=True))) else getitem(x, index=index)


def gather(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """out[i][j] = x[index[i][j]][j] for dim 0; index has x's number of dims and may be smaller on the others."""
    raw = _index_for(x, index, dim, "gather")
    if not x.array.ndim:
        return expand_to(x, shape=raw.shape)
    return along_axis(_cut(x, raw.shape, dim, "gather"), indices=raw, axis=dim)


def take_along_dim(x: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """gather where x and indices broadcast against each other on the other dims; without dim, on flattened tensors."""
    if dim is None:
        return gather(reshape(x, shape=(-1,)), 0, reshape(indices, shape=(-1,)))
    dim = one_dim(dim, x.array.ndim)
    common = list(np.broadcast_shapes(
        [1 if i == dim else n for i, n in enumerate(x.array.shape)],
        [1 if i == dim else n for i, n in enumerate(indices.array.shape)],
    ))  # fmt: skip
    wide = [x.array.shape[dim] if i == dim else n for i, n in enumerate(common)]
    picked = [indices.array.shape[dim] if i == dim else n for i, n in enumerate(common)]
    return gather(expand_to(x, shape=tuple(wide)), dim, expand_to(indices, shape=tuple(picked)))


@op
def scatter_write(x, value, *, indices, axis):
    """A copy of x with value[i][j] written to y[indices[i][j]][j] for axis 0, and so on."""
    y = x.copy()
    kernels_of(x).put_along_axis(_window(y, indices.shape, axis), indices, value, axis)
    return y


@scatter_write.vjp
def scatter_write_vjp(dy, indices, axis, needs):
    return (
        scatter_write(dy, 0.0, indices=indices, axis=axis) if needs[0] else None,
        along_axis(dy[_window_index(indices.shape, axis)], indices=indices, axis=axis) if needs[1] else None,
    )


@op(promotion="common")
def scatter_plus(x, value, *, indices, axis):
    """A copy of x with value[i][j] added to y[indices[i][j]][j] for axis 0, and so on; repeated entries add up."""
    y = x.copy()
    kernels_of(x).add_along_axis(_window(y, indices.shape, axis), indices, value, axis)
    return y


@scatter_plus.vjp
def scatter_plus_vjp(dy, indices, axis, needs):
    return dy, along_axis(dy[_window_index(indices.shape, axis)], indices=indices, axis=axis) if needs[1] else None


def _window_index(shape: tuple, axis: int) -> tuple:
    return tuple(slice(None) if i == axis else slice(0, n) for i, n in enumerate(shape))


def _window(y: Any, shape: tuple, axis: int) -> Any:
    return y[_window_index(shape, axis)]


def scatter(x: Tensor, dim: int, index: Tensor, src: Any, reduce: str | None = None) -> Tensor:
    """A copy of x with src[i][j] put at out[index[i][j]][j] for dim 0; `reduce` "add" or "multiply" combines."""
    raw = _index_for(x, index, dim, "scatter")
    if not x.array.ndim:
        return scatter(reshape(x, shape=(1,)), 0, index.reshape(-1), src, reduce).reshape(())
    value = src
    if isinstance(src, Tensor):
        if src.array.dtype != x.array.dtype:
            raise RuntimeError(f"scatter(): Expected self.dtype to be equal to src.dtype, got {x.dtype} and {src.dtype}")
        value = getitem(src, index=tuple(slice(0, n) for n in raw.shape)) if src.array.ndim else src
    if reduce is None:
        return scatter_write(x, value, indices=raw, axis=dim)
    if reduce == "add":
        return scatter_plus(x, value, indices=raw, axis=dim)
    if reduce == "multiply":
        return scatter_reduce(x, dim, index, value if isinstance(value, Tensor) else x.new_full(raw.shape, value), "prod", True)
    raise RuntimeError(f"reduce argument must be either add or multiply, got {reduce!r}")


def scatter_reduce(x: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, include_self: bool) -> Tensor:
    """out[index[i][j]][j] combined with src[i][j] by "sum", "prod", "mean", "amax" or "amin"; entries not hit stay."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    raw = _index_for(x, index, dim, "scatter_reduce")
    src = getitem(src, index=tuple(slice(0, n) for n in raw.shape))
    counts = scatter_plus(x.detach().zeros_like(), 1.0, indices=raw, axis=dim)
    hit = counts > 0
    if reduce in ("sum", "mean"):
        start = x if include_self else where(hit, 0, x)
        total = scatter_plus(start, src, indices=raw, axis=dim)
        return total if reduce == "sum" else total / (counts + int(include_self)).clamp(min=1)
    from minigrad.ops.reduce import amax, amin, prod

    # One slot per source entry: slot s holds src there and the neutral element elsewhere; then reduce over the slots.
    neutral = {"prod": 1.0, "amax": -np.inf, "amin": np.inf}[reduce]
    slots = []
    for s in range(raw.shape[dim]):
        at = tuple(slice(s, s + 1) if i == dim else slice(None) for i in range(raw.ndim))
        slots.append(scatter_write(x.detach() * 0 + neutral, getitem(src, index=at), indices=raw[at], axis=dim))
    from minigrad.ops.shape import stack

    start = [x if include_self else where(hit, neutral, x)]
    combine = {"prod": prod, "amax": amax, "amin": amin}[reduce]
    return combine(stack(start + slots), axis=(0,), keepdims=False)


# ---------------------------------------------------------------- by a list of positions on one dim, by a mask


def _positions(x: Tensor, index: Any, dim: int, name: str) -> tuple:
    """The raw index that picks positions `index` on `dim`."""
    if not isinstance(index, Tensor) or index.array.dtype.kind not in "iu" or index.array.ndim > 1:
        raise RuntimeError(f"{name}(): Expected a 0-d or 1-d integer index tensor, got {getattr(index, 'dtype', type(index))}")
    raw = to_device(index.array.reshape(-1), str(x.device))
    size = x.array.shape[dim] if x.array.ndim else 1
    if raw.size and not 0 <= int(raw.min()) <= int(raw.max()) < size:
        raise IndexError(f"{name}(): index out of range in self: dimension {dim} has size {size}")
    return (slice(None),) * dim + (raw,)


def _check_same_device(x: Tensor, source: Tensor, name: str) -> None:
    if backend_of(x.array) is not backend_of(source.array):
        raise RuntimeError(
            f"{name}: Expected all tensors to be on the same device, but found at least two devices: {x.device}, {source.device}"
        )


def index_select(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of x at positions `index` of a dim."""
    if not x.array.ndim:
        return x.clone()
    return getitem(x, index=_positions(x, index, dim, "index_select"))


def index_add(x: Tensor, dim: int, index: Tensor, source: Tensor, alpha: Any = 1) -> Tensor:
    """A copy of x with alpha * source[i] added at position index[i] of a dim; repeated positions add up."""
    where_to = _positions(x, index, dim, "index_add")
    _check_same_device(x, source, "index_add")
    source = source if alpha == 1 else mul(source, alpha)
    return x + scatter_into(source, index=where_to, shape=x.array.shape)


def index_copy(x: Tensor, dim: int, index: Tensor, source: Any) -> Tensor:
    """A copy of x with source[i] written at position index[i] of a dim."""
    return index_write(x, source, index=_positions(x, index, dim, "index_copy"))


def index_put(x: Tensor, indices: tuple, values: Any, accumulate: bool = False) -> Tensor:
    """A copy of x with x[indices] = values, or += values where repeated indices add up."""
    (step,) = raw_index(x, indices)
    if not accumulate:
        return index_write(x, values, index=step)
    shape = x.array[step].shape
    values = values if isinstance(values, Tensor) else x.new_full((), values)
    _check_same_device(x, values, "index_put")
    return x + scatter_into(expand_to(values, shape=shape), index=step, shape=x.array.shape)


def masked_fill(x: Tensor, mask: Tensor, value: Any) -> Tensor:
    """x with `value` where the mask holds; the mask broadcasts to x."""
    if not isinstance(mask, Tensor) or mask.array.dtype.kind != "b":
        raise RuntimeError(f"masked_fill only supports boolean masks, but got dtype {getattr(mask, 'dtype', type(mask).__name__)}")
    if isinstance(value, Tensor) and value.array.ndim:
        raise RuntimeError(f"masked_fill_ only supports a 0-dimensional value tensor, but got {value.array.ndim} dimensions")
    if isinstance(value, float) and x.array.dtype.kind in "iub" and not isinstance(value, bool):
        value = int(value)
    value = value.to(x.dtype) if isinstance(value, Tensor) else value
    return where(mask, value, x)


def masked_select(x: Tensor, mask: Tensor) -> Tensor:
    """The entries of x where the mask holds, as a 1-d tensor, both broadcast."""
    if mask.array.dtype.kind != "b":
        raise RuntimeError(f"masked_select: expected BoolTensor for mask, got {mask.dtype}")
    shape = np.broadcast_shapes(x.array.shape, mask.array.shape)
    raw = kernels_of(mask.array).broadcast_to(mask.array, shape)
    return getitem(expand_to(x, shape=shape), index=(raw,))


def nonzero(x: Tensor, as_tuple: bool = False) -> Any:
    """The positions of the nonzero entries: a (count, ndim) tensor, or a tuple of one index tensor a dim."""
    found = array_module(x.array).nonzero(x.array if x.array.ndim else x.array.reshape(1))
    if as_tuple:
        return tuple(from_raw(f) for f in found)
    rows = array_module(x.array).stack(found, axis=1)
    return from_raw(rows[:, : x.array.ndim])


def repeat_interleave(x: Tensor, repeats: Any, dim: int | None = None) -> Tensor:
    """Each slice of a dim repeated `repeats` times (a number, or one a slice) in a row; without dim, of the flattened x."""
    if dim is None:
        x, dim = reshape(x, shape=(-1,)), 0
    dim = one_dim(dim, x.array.ndim)
    size = x.array.shape[dim]
    counts = to_host(repeats.array).reshape(-1) if isinstance(repeats, Tensor) else np.asarray(repeats).reshape(-1)
    if len(counts) not in (1, size):
        raise RuntimeError(f"repeats must be 0-dim or have the same size as input along dim {dim}: {len(counts)} against {size}")
    if (counts < 0).any():
        raise RuntimeError("repeats can not be negative")
    order = to_device(np.repeat(np.arange(size), counts if len(counts) == size else int(counts[0])), str(x.device))
    return getitem(x, index=(slice(None),) * dim + (order,))


# ---------------------------------------------------------------- pieces, as slices


def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    """x[start : start + length] on a dim."""
    size = x.array.shape[dim]
    start = start + size if start < 0 else start
    if length < 0 or not 0 <= start <= size - length:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size})")
    return getitem(x, index=(slice(None),) * dim + (slice(start, start + length),))


def select(x: Tensor, dim: int, index: int) -> Tensor:
    """x[index] on a dim, which goes away."""
    if not x.array.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    size = x.array.shape[dim]
    if not -size <= index < size:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(x.shape)} at dimension {dim}")
    return getitem(x, index=(slice(None),) * dim + (int(index),))


def split(x: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Consecutive pieces of a dim: each of `split_size` (the last may be shorter), or of the sizes listed."""
    size = x.array.shape[dim] if x.array.ndim else 1
    if isinstance(split_size, (tuple, list)):
        lengths = [int(n) for n in split_size]
        if sum(lengths) != size:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size at dimension {dim}), "
                f"but got split_sizes={lengths}"
            )
    else:
        step = int(split_size)
        if step <= 0:
            raise RuntimeError(f"split expects split_size be positive, but got split_size={step}")
        lengths = [min(step, size - start) for start in range(0, size, step)] or [0]
    pieces, start = [], 0
    for length in lengths:
        pieces.append(narrow(x, dim, start, length))
        start += length
    return tuple(pieces)


def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size, the last perhaps shorter."""
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    size = x.array.shape[dim]
    return split(x, max(-(-size // chunks), 1), dim)


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices of a dim, one by one, without it."""
    if not x.array.ndim:
        raise RuntimeError("Dimension specified as 0 but tensor has no dimensions")
    return tuple(getitem(x, index=(slice(None),) * dim + (i,)) for i in range(x.array.shape[dim]))


def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of the plane of two dims, as a last dim; offset above (positive) or below the main one."""
    a, b = one_dim(dim1, x.array.ndim), one_dim(dim2, x.array.ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    rest = tuple(i for i in range(x.array.ndim) if i not in (a, b))
    planes = permute(x, dims=(*rest, a, b))
    rows, columns = planes.array.shape[-2:]
    n = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    i = kernels_of(x.array).arange(n, x.array)
    return getitem(planes, index=(Ellipsis, i - min(offset, 0), i + max(offset, 0)))


def diag_embed(x: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Zeros with the last dim of x on the diagonal of the plane of two new dims."""
    n = x.array.shape[-1] + (offset if offset > 0 else -offset)
    i = kernels_of(x.array).arange(x.array.shape[-1], x.array)
    index = (Ellipsis, i - min(offset, 0), i + max(offset, 0))
    planes = scatter_into(x, index=index, shape=(*x.array.shape[:-1], n, n))
    a, b = one_dim(dim1, planes.array.ndim), one_dim(dim2, planes.array.ndim)
    return planes.movedim((-2, -1), (a, b))


def diag(x: Tensor, diagonal_: int = 0) -> Tensor:
    """A vector as a diagonal matrix; of a matrix, its diagonal."""
    if x.array.ndim == 1:
        return diag_embed(x, diagonal_)
    if x.array.ndim == 2:
        return diagonal(x, diagonal_)
    raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {x.array.ndim}D")


def unfold(x: Tensor, dim: int, size: int, step: int) -> Tensor:
    """Windows of `size` every `step` along a dim; the window is a new last dim."""
    length = x.array.shape[dim]
    if not 0 <= size <= length or step <= 0:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {length} but size is {size} (step {step})")
    kernels = kernels_of(x.array)
    starts = kernels.arange((length - size) // step + 1, x.array) * step
    windows = starts.reshape(-1, 1) + kernels.arange(size, x.array)
    picked = getitem(x, index=(slice(None),) * dim + (windows,))  # (..., windows, size, ...)
    return picked.movedim(dim + 1, -1)


