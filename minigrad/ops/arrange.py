"""Arrangements of entries: splits and joins, turns, blocks, products of sets, powers, writing into a part of a copy."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

from minigrad.backend import is_wrapped, kernels_of
from minigrad.indices import broadcast_shape
from minigrad.ops.elementwise import mul, where
from minigrad.ops.indexing import getitem, index_write
from minigrad.ops.pieces import diag, narrow
from minigrad.ops.shape import (
    cat,
    expand,
    flip,
    meshgrid,
    pad,
    reshape,
    stack,
    tensors_of,
)
from minigrad.tensor import Tensor, from_raw, one_dim


def tensor_split(x: Tensor, parts: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of a dim: `parts` of nearly equal size (the first ones longer by one), or cut before the places listed."""
    if not x.array.ndim:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    dim = one_dim(dim, x.array.ndim)
    size = x.array.shape[dim]
    parts = parts.tolist() if isinstance(parts, Tensor) else parts
    if isinstance(parts, int):
        if parts <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {parts}")
        cuts = [size // parts * i + min(i, size % parts) for i in range(1, parts)]
    else:
        cuts = [min(max(int(c) + size if c < 0 else int(c), 0), size) for c in parts]
    bounds = [0, *cuts, size]
    return tuple(narrow(x, dim, a, max(b - a, 0)) for a, b in itertools.pairwise(bounds))


def split_along(name: str, x: Tensor, parts: Any, dim: int, least: int) -> tuple[Tensor, ...]:
    """hsplit, vsplit and dsplit: tensor_split along their dim, into equal pieces where a number is given."""
    if x.array.ndim < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {x.array.ndim} "
            f"dimensions!"
        )
    if isinstance(parts, int) and (parts <= 0 or x.array.shape[dim] % parts):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension "
            f"{x.array.shape[dim]} is not divisible by the split_size {parts}!"
        )
    return tensor_split(x, parts, dim)


def rot90(x: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """x turned k times by a quarter in the plane of two dims, from the first towards the second."""
    if len(dims) != 2 or x.array.ndim < 2:
        raise RuntimeError(
            f"expected total rotation dims == 2 and total dims >= 2, but got dims {list(dims)} of {x.ndim}"
        )
    a, b = (one_dim(d, x.array.ndim) for d in dims)
    if a == b:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    if k % 4 == 1:
        return flip(x, dims=(b,)).transpose(a, b)
    if k % 4 == 3:
        return flip(x, dims=(a,)).transpose(a, b)
    return flip(x, dims=(a, b)) if k % 4 else x.clone()


def atleast_3d(x: Tensor) -> Tensor:
    """x with three dims or more: a vector becomes (1, n, 1), a matrix (n, m, 1)."""
    if x.array.ndim >= 3:
        return x
    shape = x.array.shape
    return reshape(x, shape=(*shape, 1) if len(shape) == 2 else (1, shape[0] if shape else 1, 1))


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Vectors as the columns of a matrix; matrices side by side."""
    matrices = tensors_of(tensors, "column_stack")
    return cat([reshape(x, shape=(x.array.size, 1)) if x.array.ndim <= 1 else x for x in matrices], 1)


def block_diag(*tensors: Tensor) -> Tensor:
    """The matrices on the diagonal of one matrix of zeros; vectors and numbers are rows."""
    if not tensors:
        from minigrad.creation import empty

        return empty(1, 0)
    blocks = []
    for x in tensors:
        if not isinstance(x, Tensor) or x.array.ndim > 2:
            raise RuntimeError("torch.block_diag: Input tensors must be Tensors of 2 or fewer dimensions")
        blocks.append(reshape(x, shape=(1,) * (2 - x.array.ndim) + x.array.shape))
    width = sum(x.array.shape[1] for x in blocks)
    rows, left = [], 0
    for x in blocks:
        n = x.array.shape[1]
        rows.append(pad(x, pads=((0, 0), (left, width - left - n)), value=0))
        left += n
    return cat(rows, 0)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples of one entry of each vector, one a row, the last varying fastest; of one vector itself."""
    vectors = tensors_of(list(tensors), "cartesian_prod")
    for x in vectors:
        if x.array.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(x.shape)}")
    return vectors[0] if len(vectors) == 1 else stack([reshape(g, shape=(-1,)) for g in meshgrid(*vectors)], 1)


def combinations(x: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of r entries of a vector, one a row, in the order of itertools."""
    if x.array.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(x.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return x.new_empty(0)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = list(choose(range(x.array.size), r))
    if not rows:
        return x.new_empty(0, r)
    from minigrad.creation import tensor

    return x[tensor(rows, device=x.device)]


def kron(a: Tensor, b: Tensor) -> Tensor:
    """Kronecker's product: every entry of a times the whole of b, in its place."""
    ndim = max(a.array.ndim, b.array.ndim)
    a, b = (reshape(x, shape=(1,) * (ndim - x.array.ndim) + x.array.shape) for x in (a, b))
    wide = reshape(a, shape=tuple(n for m in a.array.shape for n in (m, 1)))
    fine = reshape(b, shape=tuple(n for m in b.array.shape for n in (1, m)))
    return reshape(mul(wide, fine), shape=tuple(n * m for n, m in zip(a.array.shape, b.array.shape, strict=True)))


def diagflat(x: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all entries of x on a diagonal."""
    return diag(reshape(x, shape=(-1,)), offset)


def vander(x: Tensor, columns: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of the entries of x as a last dim: x^(n-1) ... x, 1, or increasing 1, x, x^2 ..."""
    from minigrad.creation import arange

    columns = x.shape[-1] if columns is None else columns
    if columns < 0:
        raise RuntimeError("N must be non-negative.")
    powers = arange(columns, device=x.device) if increasing else arange(columns, device=x.device).flip(0)
    return x.unsqueeze(-1) ** powers


# ---------------------------------------------------------------- places in the flattened tensor


def take(x: Tensor, index: Tensor) -> Tensor:
    """The entries of the flattened x at these places, in the shape of `index`."""
    if not isinstance(index, Tensor) or index.array.dtype != "int64":
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {getattr(index, 'dtype', type(index))}")
    return reshape(x, shape=(-1,))[index]


def put(x: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of x with `source` written (or added) at these places of the flattened tensor."""
    if index.array.size != source.array.size:
        raise IndexError(
            f"put_(): Expected source and index to have the same number of elements, but got {source.array.size} and "
            f"{index.array.size}"
        )
    flat = reshape(x, shape=(-1,)).index_put((reshape(index, shape=(-1,)),), reshape(source, shape=(-1,)), accumulate)
    return reshape(flat, shape=x.array.shape)


def unravel_index(index: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """The places in a tensor of that shape of places in the flattened tensor, one tensor a dim."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(n < 0 for n in shape):
        raise ValueError(f"'shape' cannot have negative values, but got {shape}")
    steps = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    return tuple((index // step) % n for step, n in zip(steps, shape, strict=True))


# ---------------------------------------------------------------- a copy with a part replaced


def masked_scatter(x: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """x with its entries where the mask holds replaced by those of `source`, one by one; x and mask broadcast."""
    if mask.array.dtype.kind != "b":
        raise RuntimeError(f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype}")
    if source.array.dtype != x.array.dtype:
        raise RuntimeError(
            f"masked_scatter: expected self and source to have same dtypes but got {x.dtype} and {source.dtype}"
        )
    shape = broadcast_shape(x.array.shape, mask.array.shape)
    x, mask = expand(x, shape), expand(mask, shape)
    flat = reshape(mask.detach(), shape=(-1,))
    if not is_wrapped(flat.array) and source.array.size < int(flat.sum()):  # (under vmap each example has its own)
        raise RuntimeError("masked_scatter: Number of elements of source < number of ones in mask")
    if not source.array.size:
        return x.clone()
    number = (flat.cumsum(0) - 1).clamp(0, source.array.size - 1)  # of each place, how many come before it
    return where(mask, reshape(getitem(reshape(source, shape=(-1,)), index=(number.array,)), shape=shape), x)


def select_scatter(x: Tensor, source: Tensor, dim: int, index: int) -> Tensor:
    """A copy of x with x[index] on a dim replaced."""
    dim = one_dim(dim, x.array.ndim)
    return _replaced(x, (slice(None),) * dim + (int(index),), source)


def slice_scatter(x: Tensor, source: Tensor, dim: int, start: Any, end: Any, step: int) -> Tensor:
    """A copy of x with x[start:end:step] on a dim replaced."""
    dim = one_dim(dim, x.array.ndim)
    return _replaced(x, (slice(None),) * dim + (slice(start, end, step),), source)


def diagonal_scatter(x: Tensor, source: Tensor, offset: int, dim1: int, dim2: int) -> Tensor:
    """A copy of x with a diagonal replaced."""
    places = from_raw(kernels_of(x.array).arange(x.array.size, x.array)).reshape(x.shape)
    places = places.diagonal(offset, dim1, dim2)
    _must_fit(source, places.array.shape)
    return put(x, places, source.to(x.dtype))


def _replaced(x: Tensor, index: tuple, source: Tensor) -> Tensor:
    _must_fit(source, x.array[index].shape)
    return index_write(x, source.to(x.dtype), index=index)


def _must_fit(source: Tensor, part: tuple[int, ...]) -> None:
    if source.array.shape != part:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(source.shape)}, slice size = "
            f"{list(part)}"
        )


def sum_to_size(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """The sum over the dims that would have to be stretched for `size` to broadcast to x's shape."""
    from minigrad.autograd import sum_to

    shape = x.array.shape
    pairs = zip(reversed(size), reversed(shape), strict=False)
    if len(size) > len(shape) or any(n not in (1, m) for n, m in pairs):
        raise RuntimeError(f"size {list(size)} is not expandable to size {list(x.shape)}.")
    return sum_to(x, size)
