"""Pieces of a tensor: slices, splits, diagonals, windows, repeats. All are readings at an index, so `getitem` and
`scatter_into` give their gradients.
"""

from typing import Any

from minigrad.backend import kernels_of
from minigrad.grad_names import named
from minigrad.indices import index_of_diagonal, repeated_positions
from minigrad.op import op
from minigrad.ops.indexing import getitem, scatter_into
from minigrad.ops.shape import permute, reshape
from minigrad.tensor import Tensor, one_dim

_unbound, _split = getitem.printed_as("UnbindBackward0"), getitem.printed_as("SplitBackward0")


def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    """x[start : start + length] on a dim; a negative start counts from the end."""
    if not x.array.ndim:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor")
    size = x.array.shape[dim]
    if not -size <= start <= size:
        raise IndexError(f"start out of range (expected to be in range of [{-size}, {size}], but got {start})")
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
    if not x.array.ndim:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    size = x.array.shape[dim]
    if isinstance(split_size, (tuple, list)):
        lengths = [int(n) for n in split_size]
        if min(lengths, default=0) < 0:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={lengths}"
            )
        if sum(lengths) != size:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size at dimension "
                f"{dim}), but got split_sizes={lengths}"
            )
    else:
        step = int(split_size)
        if step <= 0:
            raise RuntimeError(f"split expects split_size be positive, but got split_size={step}")
        lengths = [min(step, size - start) for start in range(0, size, step)] or [0]
    before, pieces, start = (slice(None),) * dim, [], 0
    for length in lengths:
        pieces.append(_split(x, index=(*before, slice(start, start + length))))
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
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    return tuple(_unbound(x, index=(slice(None),) * dim + (i,)) for i in range(x.array.shape[dim]))


def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of the plane of two dims, as a last dim; offset above (positive) or below the main one."""
    a, b = one_dim(dim1, x.array.ndim), one_dim(dim2, x.array.ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    rest = tuple(i for i in range(x.array.ndim) if i not in (a, b))
    return last_diagonal(permute(x, dims=(*rest, a, b)), offset=offset)


@op(view=True)
def last_diagonal(x, *, offset):
    """The diagonal of the last two axes, as one axis."""
    return kernels_of(x).diagonal(x, offset)


@last_diagonal.vjp
def last_diagonal_vjp(dy, x_shape, offset):
    return scatter_into(dy, index=index_of_diagonal(dy, offset), shape=x_shape)


def diag_embed(x: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Zeros with the last dim of x on the diagonal of the plane of two new dims."""
    n = x.array.shape[-1] + (offset if offset > 0 else -offset)
    planes = scatter_into(x, index=index_of_diagonal(x, offset), shape=(*x.array.shape[:-1], n, n))
    a, b = one_dim(dim1, planes.array.ndim), one_dim(dim2, planes.array.ndim)
    return named(planes.movedim((-2, -1), (a, b)), "DiagEmbedBackward0")


def diag(x: Tensor, diagonal_: int = 0) -> Tensor:
    """A vector as a diagonal matrix; of a matrix, its diagonal."""
    if x.array.ndim == 1:
        return diag_embed(x, diagonal_)
    if x.array.ndim == 2:
        return diagonal(x, diagonal_)
    raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {x.array.ndim}D")


def unfold(x: Tensor, dim: int, size: int, step: int) -> Tensor:
    """Windows of `size` every `step` along a dim; the window is a new last dim."""
    if not x.array.ndim:
        return unfold(reshape(x, shape=(1,)), dim, size, step)[0]
    length = x.array.shape[dim]
    if not 0 <= size <= length or step <= 0:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {length} but size is {size} (step {step})")
    kernels = kernels_of(x.array)
    starts = kernels.arange((length - size) // step + 1, x.array) * step
    windows = starts.reshape(-1, 1) + kernels.arange(size, x.array)
    picked = getitem(x, index=(slice(None),) * dim + (windows,))  # (..., windows, size, ...)
    return named(picked.movedim(dim + 1, -1), "UnfoldBackward0")


def repeat_interleave(x: Tensor, repeats: Any, dim: int | None = None) -> Tensor:
    """Each slice of a dim `repeats` times (a number, or one a slice) in a row; without dim, of the flattened x."""
    if dim is None:
        x, dim = reshape(x, shape=(-1,)), 0
    dim = one_dim(dim, x.array.ndim)
    order = repeated_positions(x, repeats, dim)
    y = getitem(x, index=(slice(None),) * dim + (order,))
    return named(y, "ViewBackward0" if isinstance(repeats, int) else "IndexSelectBackward0")
