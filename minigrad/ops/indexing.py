"""Indexing: reading and writing parts of a tensor, by slices, integers, masks and index tensors.

A raw index is what the array library takes: ints, slices, None, Ellipsis and integer or boolean raw arrays, alone or in
a tuple; `raw_index` of indices.py makes one from what a user wrote. Reading and adding-into are each other's adjoint
(`getitem` / `scatter_into`), which closes the set under differentiation; their gradients
are added straight into the parent's buffer where one exists (`vjp_into`), so that reading a sequence step by step costs
no array of zeros a step.
"""

from typing import Any

from minigrad import inplace, late_checks
from minigrad.arguments import must_be_tensor
from minigrad.backend import is_wrapped, kernels_of, to_device
from minigrad.dtype import of
from minigrad.grad_names import named
from minigrad.indices import as_view, broadcast_shape, is_mask, is_plain, must_be_value, raw_index
from minigrad.op import op
from minigrad.ops.elementwise import (
    scaled,
    where,
)
from minigrad.ops.shape import expand_to, reshape
from minigrad.tensor import Tensor, from_raw

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
    if inplace.has_arrays(index) and not is_mask(index):
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
    y = kernels_of(x).writable(x, value, *index)
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


def write(x: Tensor, index: Any, value: Any, fill: bool = False) -> None:
    """x[index] = value. `fill`: x may be expanded, as `value` is one number."""
    must_be_value(x, value)
    parts = index if type(index) is tuple else (index,)
    steps = [parts] if is_plain(parts, x.array.shape) else raw_index(x, index)
    if isinstance(value, Tensor):
        alike = type(value.array) is type(x.array) and not is_wrapped(x.array)  # nearly always: nothing is to be moved
        if not alike and value.device.type != x.device.type:
            picked = any(inplace.has_arrays(step) for step in steps)
            value = value if value.array.ndim and picked else value.to(x.device)
        raw = value.array
        if raw.dtype != x.array.dtype:
            value = value.to(of(x.array.dtype))
    if len(steps) == 1:
        inplace.set_item(x, steps[0], value, fill)
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
    if isinstance(error, OverflowError):
        return RuntimeError(f"value {value!r} cannot be converted to type {x.dtype} without overflow")
    shape = tuple(getattr(value, "shape", ()))
    try:
        target = tuple(x.array[index].shape)
    except (IndexError, ValueError, TypeError):
        return IndexError(f"index {index!r} does not fit a tensor of shape {tuple(x.shape)}: {error}")
    return RuntimeError(
        f"shape mismatch: value tensor of shape {list(shape)} cannot be broadcast to indexing result of shape "
        f"{list(target)} in a tensor of shape {list(x.shape)}"
    )


# ---------------------------------------------------------------- by a list of positions on one dim, by a mask


def _positions(x: Tensor, index: Any, dim: int, name: str) -> tuple:
    """The raw index that picks positions `index` on `dim`."""
    if not isinstance(index, Tensor) or index.array.dtype.kind not in "iu":
        raise RuntimeError(f"{name}(): Expected an integer index tensor, got {getattr(index, 'dtype', type(index))}")
    if index.array.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, got one of shape {list(index.shape)}")
    raw = to_device(index.array.reshape(-1), str(x.device))
    size = x.array.shape[dim] if x.array.ndim else 1
    error = RuntimeError if name == "index_add" else IndexError  # as PyTorch has them
    text = f"{name}(): index out of range in self: dimension {dim} has size {size}"
    low, high = late_checks.bounds(raw, 0, size - 1, error, text) if raw.size else (0, -1)
    if low < 0 or high >= size:
        raise error(text)
    return (slice(None),) * dim + (raw,)


def _check_same_device(x: Tensor, source: Tensor, name: str) -> None:
    if x.device.type != source.device.type:
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
    if x.array.dtype != source.array.dtype:
        raise RuntimeError(
            f"index_add(): self ({x.dtype}) and source ({source.dtype}) expected to have the same dtype; use .to()"
        )
    fits = tuple(where_to[-1].size if i == dim else n for i, n in enumerate(x.array.shape))
    if x.array.ndim and source.array.shape != fits:
        raise RuntimeError(
            f"index_add(): source has shape {list(source.shape)}, expected {list(fits)} for {where_to[-1].size} indices"
        )
    source = scaled("index_add", x, source, alpha)
    if not x.array.ndim:
        return x + reshape(source, shape=())
    return x + scatter_into(source, index=where_to, shape=x.array.shape)


def index_copy(x: Tensor, dim: int, index: Tensor, source: Any) -> Tensor:
    """A copy of x with source[i] written at position index[i] of a dim."""
    if not x.array.ndim:
        source = reshape(source, shape=(-1,)) if isinstance(source, Tensor) else source
        return reshape(index_copy(reshape(x, shape=(1,)), 0, index, source), shape=())
    return named(index_write(x, source, index=_positions(x, index, dim, "index_copy")), "IndexCopyBackward0")


def index_put(x: Tensor, indices: tuple, values: Any, accumulate: bool = False) -> Tensor:
    """A copy of x with x[indices] = values, or += values where repeated indices add up."""
    (step,) = raw_index(x, indices)
    if isinstance(values, Tensor) and values.array.dtype != x.array.dtype:
        raise RuntimeError(
            f"Index put requires the source and destination dtypes match, got {x.dtype} for the destination and "
            f"{values.dtype} for the source."
        )
    if not accumulate:
        return named(index_write(x, values, index=step), "IndexPutBackward0")
    shape = getitem(x.detach(), index=step).array.shape
    values = values if isinstance(values, Tensor) else x.new_full((), values)
    _check_same_device(x, values, "index_put")
    total = x + scatter_into(expand_to(values, shape=shape), index=step, shape=x.array.shape)
    return named(total, "IndexPutBackward0")


def masked_fill(x: Tensor, mask: Tensor, value: Any) -> Tensor:
    """x with `value` where the mask holds; the mask broadcasts to x."""
    if not isinstance(mask, Tensor) or mask.array.dtype.kind != "b":
        given = getattr(mask, "dtype", type(mask).__name__)
        raise RuntimeError(f"masked_fill only supports boolean masks, but got dtype {given}")
    if isinstance(value, Tensor) and value.array.ndim:
        raise RuntimeError(
            f"masked_fill_ only supports a 0-dimensional value tensor, but got {value.array.ndim} dimensions"
        )
    if not isinstance(value, Tensor) and x.array.dtype.kind in "iub":
        value = bool(value) if x.array.dtype.kind == "b" else int(value)
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
    must_be_tensor("nonzero", "input", x)
    kernels = kernels_of(x.array)
    found = kernels.nonzero(x.array if x.array.ndim else x.array.reshape(1))
    if as_tuple:
        return tuple(from_raw(f) for f in found)
    rows = kernels.stack(found, axis=1)
    return from_raw(rows[:, : x.array.ndim])
