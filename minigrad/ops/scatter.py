"""Gather and scatter: reading, writing and adding along one axis, at an index for each entry.

`along_axis` and `add_along` are each other's adjoint, and the scatters write what `gather` would read.
"""

import math
from collections.abc import Sequence
from typing import Any

from minigrad import late_checks
from minigrad.backend import kernels_of, to_device
from minigrad.dtype import iinfo, is_floating, of
from minigrad.grad_names import named
from minigrad.indices import broadcast_shape
from minigrad.op import op
from minigrad.ops.elementwise import divide, where
from minigrad.ops.indexing import getitem
from minigrad.ops.shape import expand_to, reshape, stack
from minigrad.tensor import Tensor, one_dim


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
    text = f"{name}(): an index is out of bounds for dimension {dim} with size {size}"
    low, high = late_checks.bounds(index.array, 0, size - 1, RuntimeError, text) if index.array.size else (0, -1)
    if low < 0 or high >= size:
        bad = low if low < 0 else high
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
    if isinstance(index, Tensor) and not index.array.size and index.array.ndim != x.array.ndim:
        return reshape(getitem(reshape(x, shape=(-1,)), index=(slice(0, 0),)), shape=index.array.shape)
    raw = _index_for(x, index, dim, "gather")
    if not x.array.ndim:
        return expand_to(x, shape=raw.shape)
    return along_axis(_cut(x, raw.shape, dim, "gather"), indices=raw, axis=dim)


def take_along_dim(x: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """gather where x and indices broadcast against each other on the other dims; without dim, on flattened tensors.

    A negative index counts from the end.
    """
    if dim is None:
        return take_along_dim(reshape(x, shape=(-1,)), reshape(indices, shape=(-1,)), 0)
    dim = one_dim(dim, x.array.ndim)
    indices = where(indices < 0, indices + (x.array.shape[dim] if x.array.ndim else 1), indices)
    if x.array.ndim != indices.array.ndim:
        raise RuntimeError(
            f"take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{x.array.ndim} and {indices.array.ndim} dimensions"
        )
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
    y = kernels_of(x).writable(x, value, indices)
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
    y = kernels_of(x).writable(x, value, indices)
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
        src = reshape(src, shape=(-1,)) if isinstance(src, Tensor) else src
        return reshape(scatter(reshape(x, shape=(1,)), 0, index.reshape(-1), src, reduce), shape=())
    value = src
    if isinstance(src, Tensor):
        if src.array.dtype != x.array.dtype:
            raise RuntimeError(
                f"scatter(): Expected self.dtype to be equal to src.dtype, got {x.dtype} and {src.dtype}"
            )
        value = _source(src, raw.shape, "scatter") if src.array.ndim else src
    if reduce is None:
        y = scatter_write(x, value, indices=raw, axis=dim)
        return y if isinstance(src, Tensor) else named(y, "ScatterBackward1")
    value = value if isinstance(value, Tensor) else x.new_full(raw.shape, value)
    if reduce == "add":
        return scatter_plus(x, value, indices=raw, axis=dim)
    if reduce == "multiply":
        return scatter_reduce(x, dim, index, value, "prod", True)
    raise RuntimeError(f"reduce argument must be either add or multiply, got {reduce!r}")


def scatter_reduce(x: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, include_self: bool) -> Tensor:
    """out[index[i][j]][j] combined with src[i][j] by "sum", "prod", "mean", "amax" or "amin"; entries not hit stay."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    raw, raw_kind = _index_for(x, index, dim, "scatter_reduce"), x.array.dtype
    if not x.array.ndim:
        x, index, src = (reshape(t, shape=(-1,)) for t in (x, index, src))
        return reshape(scatter_reduce(x, 0, index, src, reduce, include_self), shape=())
    src = _source(src, raw.shape, "scatter_reduce")
    counts = scatter_plus(x.detach().zeros_like(), 1, indices=raw, axis=dim)
    hit = counts > 0
    if reduce in ("sum", "mean"):
        start = x if include_self else where(hit, 0, x)
        total = scatter_plus(start, src, indices=raw, axis=dim)
        if reduce == "sum":
            return total.to(x.dtype)
        return divide(total, (counts + int(include_self)).clamp(min=1), None if is_floating(raw_kind) else "floor")
    from minigrad.ops.reduce import amax, amin, prod

    # One slot per source entry: slot s holds src there and the neutral element elsewhere; then reduce over the slots.
    low, high = _bounds(raw_kind)
    neutral = {"prod": 1, "amax": low, "amin": high}[reduce]
    empty = x.new_full(x.array.shape, neutral)
    slots = []
    for s in range(raw.shape[dim]):
        at = tuple(slice(s, s + 1) if i == dim else slice(None) for i in range(raw.ndim))
        slots.append(scatter_write(empty, getitem(src, index=at), indices=raw[at], axis=dim))
    start = [x if include_self else where(hit, neutral, x)]
    combine = {"prod": prod, "amax": amax, "amin": amin}[reduce]
    return combine(stack(start + slots), axis=(0,), keepdims=False).to(x.dtype)  # products of ints are int64


def _bounds(raw: Any) -> tuple[Any, Any]:
    """What no entry of a dtype is below, and above."""
    if is_floating(raw):
        return -math.inf, math.inf
    return (False, True) if raw == "bool" else (iinfo(of(raw)).min, iinfo(of(raw)).max)
