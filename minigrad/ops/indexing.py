"""Indexing: reading and writing parts of a tensor, by slices, integers, masks and index tensors.

A raw index is what the array library takes: ints, slices, None, Ellipsis and integer or boolean raw arrays, alone or in
a tuple; `raw_index` of indices.py makes one from what a user wrote. Reading and adding-into are each other's adjoint
(`getitem` / `scatter_into`, `along_axis` / `add_along`), which closes the set under differentiation; their gradients
are added straight into the parent's buffer where one exists (`vjp_into`), so that reading a sequence step by step costs
no array of zeros a step.
"""

import math
from collections.abc import Sequence
from typing import Any

from minigrad import inplace
from minigrad.backend import array_module, backend_of, kernels_of, to_device
from minigrad.dtype import of
from minigrad.indices import as_value, as_view, broadcast_shape, has_arrays, is_mask, is_plain, raw_index
from minigrad.op import op
from minigrad.ops.elementwise import (
    mul,
    where,
)
from minigrad.ops.shape import expand_to, reshape
from minigrad.tensor import Tensor, from_raw, one_dim

# ---------------------------------------------------------------- reading and writing


def read(x: Tensor, index: Any) -> Tensor:
    """x[index], with PyTorch's meaning of lists, masks, None, Ellipsis and integer tensors."""
    if is_plain(index, x.array.shape):
        return getitem(x, index=index if type(index) is tuple else (index,))
    for step in raw_index(x, index):
        x = getitem(x, index=step)
    return x


@op(view=True)
def getitem(x, *, index):
    """x[index] for a raw index: a view for slices, a copy for arrays."""
    y = x[index]
    return y if y.ndim else x[as_view(index)]


@getitem.vjp
def getitem_vjp(dy, index, x_shape):
    return scatter_into(dy, index=index, shape=x_shape)


@getitem.vjp_into
def getitem_vjp_into(buffer, dy, index):
    if has_arrays(index) and not is_mask(index):
        kernels_of(buffer).add_at(buffer, index, dy)
    else:
        buffer[index] += dy


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
    y = kernels_of(x).copy(x)
    y[as_view(index)] = value
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
    value = as_value(x, value)
    steps = raw_index(x, index)
    if isinstance(value, Tensor):
        if value.array.ndim == 0 and backend_of(value.array) is not backend_of(x.array):
            value = value.to(x.device)
        raw = value.array
        if raw.dtype != x.array.dtype:
            value = value.to(of(x.array.dtype))
    if len(steps) == 1:
        inplace.set_item(x, steps[0], value)
    elif inplace.is_recorded(x, value):
        _write_two(x, steps, value)
    else:
        inplace.set_item(getitem(x, index=steps[0]), steps[1], value)


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
        f"shape mismatch: value tensor of shape {list(shape)} cannot be broadcast to indexing result of shape "
        f"{list(target)} in a tensor of shape {list(x.shape)}"
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
        given = getattr(index, "dtype", type(index).__name__)
        raise RuntimeError(f"{name}(): Expected dtype int64 for index, got {given}")
    if index.array.ndim != x.array.ndim and x.array.ndim and index.array.ndim:
        raise RuntimeError(
            f"{name}(): Index tensor must have the same number of dimensions as input tensor: "
            f"{list(index.shape)} against {list(x.shape)}"
        )
    size = x.array.shape[dim] if x.array.ndim else 1
    if index.array.size and not 0 <= int(index.array.min()) <= int(index.array.max()) < size:
        bad = int(index.array.min()) if int(index.array.min()) < 0 else int(index.array.max())
        raise RuntimeError(f"{name}(): index {bad} is out of bounds for dimension {dim} with size {size}")
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
    fits = all(i == dim or n == m for i, (n, m) in enumerate(zip(shape, x.array.shape, strict=True)))
    return x if fits else getitem(x, index=index)


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
    common = broadcast_shape(
        tuple(1 if i == dim else n for i, n in enumerate(x.array.shape)),
        tuple(1 if i == dim else n for i, n in enumerate(indices.array.shape)),
    )
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


def _source(src: Tensor, shape: tuple, name: str) -> Tensor:
    """The part of src that an index of `shape` takes."""
    if src.array.ndim != len(shape) or any(n > m for n, m in zip(shape, src.array.shape, strict=True)):
        raise RuntimeError(
            f"{name}(): Expected index {list(shape)} to be no larger than src {list(src.shape)} in any dimension"
        )
    return getitem(src, index=tuple(slice(0, n) for n in shape))


def scatter(x: Tensor, dim: int, index: Tensor, src: Any, reduce: str | None = None) -> Tensor:
    """A copy of x with src[i][j] put at out[index[i][j]][j] for dim 0; `reduce` "add" or "multiply" combines."""
    raw = _index_for(x, index, dim, "scatter")
    if not x.array.ndim:
        return scatter(reshape(x, shape=(1,)), 0, index.reshape(-1), src, reduce).reshape(())
    value = src
    if isinstance(src, Tensor):
        if src.array.dtype != x.array.dtype:
            raise RuntimeError(
                f"scatter(): Expected self.dtype to be equal to src.dtype, got {x.dtype} and {src.dtype}"
            )
        value = _source(src, raw.shape, "scatter") if src.array.ndim else src
    if reduce is None:
        return scatter_write(x, value, indices=raw, axis=dim)
    if reduce == "add":
        return scatter_plus(x, value, indices=raw, axis=dim)
    if reduce == "multiply":
        value = value if isinstance(value, Tensor) else x.new_full(raw.shape, value)
        return scatter_reduce(x, dim, index, value, "prod", True)
    raise RuntimeError(f"reduce argument must be either add or multiply, got {reduce!r}")


def scatter_reduce(x: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, include_self: bool) -> Tensor:
    """out[index[i][j]][j] combined with src[i][j] by "sum", "prod", "mean", "amax" or "amin"; entries not hit stay."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    raw = _index_for(x, index, dim, "scatter_reduce")
    src = _source(src, raw.shape, "scatter_reduce")
    counts = scatter_plus(x.detach().zeros_like(), 1.0, indices=raw, axis=dim)
    hit = counts > 0
    if reduce in ("sum", "mean"):
        start = x if include_self else where(hit, 0, x)
        total = scatter_plus(start, src, indices=raw, axis=dim)
        return total if reduce == "sum" else total / (counts + int(include_self)).clamp(min=1)
    from minigrad.ops.reduce import amax, amin, prod

    # One slot per source entry: slot s holds src there and the neutral element elsewhere; then reduce over the slots.
    neutral = {"prod": 1.0, "amax": -math.inf, "amin": math.inf}[reduce]
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
    if not isinstance(index, Tensor) or index.array.dtype.kind not in "iu":
        raise RuntimeError(f"{name}(): Expected an integer index tensor, got {getattr(index, 'dtype', type(index))}")
    if index.array.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, got one of shape {list(index.shape)}")
    raw = to_device(index.array.reshape(-1), str(x.device))
    size = x.array.shape[dim] if x.array.ndim else 1
    if raw.size and not 0 <= int(raw.min()) <= int(raw.max()) < size:
        raise IndexError(f"{name}(): index out of range in self: dimension {dim} has size {size}")
    return (slice(None),) * dim + (raw,)


def _check_same_device(x: Tensor, source: Tensor, name: str) -> None:
    if backend_of(x.array) is not backend_of(source.array):
        raise RuntimeError(
            f"{name}: Expected all tensors to be on the same device, but found at least two devices: "
            f"{x.device}, {source.device}"
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
    fits = tuple(where_to[-1].size if i == dim else n for i, n in enumerate(x.array.shape))
    if x.array.ndim and source.array.shape != fits:
        raise RuntimeError(
            f"index_add(): source has shape {list(source.shape)}, expected {list(fits)} for {where_to[-1].size} indices"
        )
    source = source if alpha == 1 else mul(source, alpha)
    return x + scatter_into(source, index=where_to, shape=x.array.shape)


def index_copy(x: Tensor, dim: int, index: Tensor, source: Any) -> Tensor:
    """A copy of x with source[i] written at position index[i] of a dim."""
    return index_write(x, source, index=_positions(x, index, dim, "index_copy"))


def index_put(x: Tensor, indices: tuple, values: Any, accumulate: bool = False) -> Tensor:
    """A copy of x with x[indices] = values, or += values where repeated indices add up."""
    (step,) = raw_index(x, indices)
    if isinstance(values, Tensor) and values.array.dtype != x.array.dtype:
        raise RuntimeError(
            f"Index put requires the source and destination dtypes match, got {x.dtype} for the destination and "
            f"{values.dtype} for the source."
        )
    if not accumulate:
        return index_write(x, values, index=step)
    shape = x.array[step].shape
    values = values if isinstance(values, Tensor) else x.new_full((), values)
    _check_same_device(x, values, "index_put")
    return x + scatter_into(expand_to(values, shape=shape), index=step, shape=x.array.shape)


def masked_fill(x: Tensor, mask: Tensor, value: Any) -> Tensor:
    """x with `value` where the mask holds; the mask broadcasts to x."""
    if not isinstance(mask, Tensor) or mask.array.dtype.kind != "b":
        given = getattr(mask, "dtype", type(mask).__name__)
        raise RuntimeError(f"masked_fill only supports boolean masks, but got dtype {given}")
    if isinstance(value, Tensor) and value.array.ndim:
        raise RuntimeError(
            f"masked_fill_ only supports a 0-dimensional value tensor, but got {value.array.ndim} dimensions"
        )
    if isinstance(value, float) and x.array.dtype.kind in "iub" and not isinstance(value, bool):
        value = int(value)
    value = value.to(x.dtype) if isinstance(value, Tensor) else value
    return where(mask, value, x)


def masked_select(x: Tensor, mask: Tensor) -> Tensor:
    """The entries of x where the mask holds, as a 1-d tensor, both broadcast."""
    if mask.array.dtype.kind != "b":
        raise RuntimeError(f"masked_select: expected BoolTensor for mask, got {mask.dtype}")
    shape = broadcast_shape(x.array.shape, mask.array.shape)
    raw = kernels_of(mask.array).broadcast_to(mask.array, shape)
    return getitem(expand_to(x, shape=shape), index=(raw,))


def nonzero(x: Tensor, as_tuple: bool = False) -> Any:
    """The positions of the nonzero entries: a (count, ndim) tensor, or a tuple of one index tensor a dim."""
    found = array_module(x.array).nonzero(x.array if x.array.ndim else x.array.reshape(1))
    if as_tuple:
        return tuple(from_raw(f) for f in found)
    rows = array_module(x.array).stack(found, axis=1)
    return from_raw(rows[:, : x.array.ndim])
