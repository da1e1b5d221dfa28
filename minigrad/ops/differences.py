"""Means without nans, differences of neighbours, areas under lines, the norm of a difference, slices held to a norm."""

from typing import Any

from minigrad.dtype import is_differentiable
from minigrad.ops.comparison import isnan, ne
from minigrad.ops.elementwise import where
from minigrad.ops.pieces import narrow
from minigrad.ops.reduce import vector_norm
from minigrad.ops.shape import cat
from minigrad.tensor import Tensor, one_dim


def nanmean(x: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """The mean of the entries that are not nan; nan where there are none."""
    if not is_differentiable(x.array.dtype):
        raise RuntimeError(f"nanmean(): expected input to have floating point or complex dtype but got {x.dtype}")
    there = ~isnan(x.detach())
    return where(there, x, 0.0).sum(dim, keepdim) / there.sum(dim, keepdim)


# ---------------------------------------------------------------- differences and areas


def diff(x: Tensor, n: int, dim: int, prepend: Tensor | None, append: Tensor | None) -> Tensor:
    """The differences of neighbours along a dim, n times; `prepend` and `append` are joined to the ends first."""
    if not x.array.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = one_dim(dim, x.array.ndim)
    parts = [part for part in (prepend, x, append) if part is not None]
    x = cat(parts, dim) if len(parts) > 1 else x
    for _ in range(min(n, x.array.shape[dim])):
        size = x.array.shape[dim]
        after, before = narrow(x, dim, 1, size - 1), narrow(x, dim, 0, size - 1)
        x = ne(after, before) if x.array.dtype.kind == "b" else after - before
    return x.clone() if n == 0 else x


def _slabs(y: Tensor, x: Tensor | None, dx: Any, dim: int) -> tuple[Tensor, int]:
    """The areas under the lines between neighbours of y along a dim, as the last dim."""
    y = y.movedim(one_dim(dim, y.array.ndim), -1)
    width = dx
    if x is not None:
        x = x if x.array.ndim == 1 else x.movedim(one_dim(dim, x.array.ndim), -1)
        width = x[..., 1:] - x[..., :-1]
    return (y[..., 1:] + y[..., :-1]) / 2 * width, one_dim(dim, y.array.ndim)


def trapezoid(y: Tensor, x: Tensor | None, dx: Any, dim: int) -> Tensor:
    """The area under the lines through the points (x, y) along a dim; without x they are `dx` apart."""
    return _slabs(y, x, dx, dim)[0].sum(-1)


def cumulative_trapezoid(y: Tensor, x: Tensor | None, dx: Any, dim: int) -> Tensor:
    """The running areas of `trapezoid`, one fewer than points."""
    areas, dim = _slabs(y, x, dx, dim)
    return areas.cumsum(-1).movedim(-1, dim)


# ---------------------------------------------------------------- norms


def dist(x: Tensor, other: Tensor, p: Any) -> Tensor:
    """The p-norm of the difference."""
    return vector_norm(x - other, float(p), None, False)


def renorm(x: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """x with every slice of a dim whose p-norm is above `maxnorm` scaled down to it."""
    dim = one_dim(dim, x.array.ndim)
    others = tuple(i for i in range(x.array.ndim) if i != dim)
    norms = vector_norm(x, float(p), others, True)
    return x * where(norms > maxnorm, maxnorm / (norms + 1e-7), 1.0)
