"""Orders among entries: running extremes, the k-th smallest, the median without nans, places in a sorted row, runs."""

from typing import Any

from minigrad.backend import kernels_of
from minigrad.grad_names import named
from minigrad.op import op
from minigrad.ops.comparison import isnan
from minigrad.ops.indexing import nonzero
from minigrad.ops.pieces import narrow
from minigrad.ops.reduce import amax, amin, argsort, sum as sum_of
from minigrad.ops.scatter import along_axis
from minigrad.ops.shape import cat
from minigrad.ops.special import logaddexp
from minigrad.return_types import RETURN_TYPES
from minigrad.tensor import Tensor, from_raw, one_dim


def _pair(name: str, x: Tensor, places: Any, dim: int, keepdim: bool) -> Any:
    """(values, indices) of the entries of x at `places` along a dim; the gradient goes to these entries."""
    values, indices = along_axis(x, indices=places, axis=dim), from_raw(places)
    if not keepdim:
        values, indices = values.squeeze(dim), indices.squeeze(dim)
    return RETURN_TYPES[name](named(values, f"{name.title()}Backward0"), indices)


def _row(x: Tensor, dim: int) -> tuple[Tensor, int]:
    """x with at least one dim, and the dim counted from the front."""
    dim = one_dim(dim, x.array.ndim)
    return (x if x.array.ndim else x.reshape(1)), dim


# ---------------------------------------------------------------- running extremes


@op(promotion="real")
def running_places(x, *, dim, largest):
    """The place of the largest (smallest) entry so far along a dim: the last of equal ones; a nan stays."""
    return kernels_of(x).running_places(x, dim, largest)


def cummax(x: Tensor, dim: int) -> Any:
    """(values, indices) of the largest entry so far along a dim; of equal ones the last."""
    dim = one_dim(dim, x.array.ndim)
    if not x.array.ndim:
        return RETURN_TYPES["cummax"](x.clone(), x.detach().long() * 0)
    return _pair("cummax", x, running_places(x.detach(), dim=dim, largest=True).array, dim, True)


def cummin(x: Tensor, dim: int) -> Any:
    """(values, indices) of the smallest entry so far along a dim; of equal ones the last."""
    dim = one_dim(dim, x.array.ndim)
    if not x.array.ndim:
        return RETURN_TYPES["cummin"](x.clone(), x.detach().long() * 0)
    return _pair("cummin", x, running_places(x.detach(), dim=dim, largest=False).array, dim, True)


def logcumsumexp(x: Tensor, dim: int) -> Tensor:
    """log of the running sums of exp(x) along a dim, without overflow: of 2, 4, 8 ... entries, each from two halves."""
    dim = one_dim(dim, x.array.ndim)
    n = x.array.shape[dim] if x.array.ndim else 0
    y, step = x, 1
    while step < n:
        joined = logaddexp(narrow(y, dim, step, n - step), narrow(y, dim, 0, n - step))
        y, step = cat([narrow(y, dim, 0, step), joined], dim), 2 * step
    return named(y if y is not x else x.clone(), "LogcumsumexpBackward0")


# ---------------------------------------------------------------- one of a row


def kthvalue(x: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """(values, indices) of the k-th smallest entry along a dim, counted from 1; nan counts as the largest."""
    x, dim = _row(x, dim)
    if not 1 <= k <= x.array.shape[dim]:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}: {k}")
    order = argsort(x.detach(), dim=dim, descending=False)
    return _pair("kthvalue", x, narrow(order, dim, k - 1, 1).array, dim, keepdim)


def nanmedian(x: Tensor, dim: int | None, keepdim: bool) -> Any:
    """The median of the entries that are not nan: the lower of two middle ones, nan where there are none."""
    if dim is None:
        return nanmedian(x.reshape(-1), 0, False).values
    x, dim = _row(x, dim)
    order = argsort(x.detach(), dim=dim, descending=False)
    there = sum_of(~isnan(x.detach()), axis=(dim,), keepdims=True)
    places = along_axis(order, indices=((there - 1).clamp(min=0) // 2).array, axis=dim)
    return _pair("nanmedian", x, places.array, dim, keepdim)


def aminmax(x: Tensor, dim: int | None, keepdim: bool) -> Any:
    """(min, max), of all entries or along a dim."""
    axis = None if dim is None else (one_dim(dim, x.array.ndim),)
    axis = axis if x.array.ndim else None
    return RETURN_TYPES["aminmax"](amin(x, axis=axis, keepdims=keepdim), amax(x, axis=axis, keepdims=keepdim))


# ---------------------------------------------------------------- places, membership, runs


@op(promotion="common")
def places_among(edges, x, *, right):
    """How many of the last axis of `edges`, in rising order, come before each x."""
    return kernels_of(edges).searchsorted(edges, x, right)


def searchsorted(
    edges: Tensor, x: Any, out_int32: bool = False, right: bool = False, side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where each x would go into the last dim of `edges`, which rises, to keep it in order: before equal entries, with
    `right` (or side="right") behind them. `edges` is 1-d, or has the leading dims of x. int64, or int32 if asked for.
    """
    if side not in (None, "left", "right"):
        raise RuntimeError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left and right=True"
        )
    x = x if isinstance(x, Tensor) else edges.new_tensor(x)
    if edges.ndim != 1 and edges.shape[:-1] != x.shape[:-1]:
        raise RuntimeError(
            f"torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            f"tensor and input value tensor must match, but we got {list(edges.shape)} and {list(x.shape)}"
        )
    if sorter is not None:
        edges = edges.gather(-1, sorter)
    found = places_among(edges.detach(), x.detach(), right=right or side == "right")
    return found.int() if out_int32 else found


def isin(x: Any, test: Any, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """True where an entry is among those of `test`; `invert`: where it is not."""
    like = x if isinstance(x, Tensor) else test
    if not isinstance(like, Tensor):
        raise TypeError("isin(): one of elements and test_elements must be a Tensor")
    x, test = (t if isinstance(t, Tensor) else like.new_tensor(t) for t in (x, test))
    found = from_raw(kernels_of(x.array).isin(x.array, test.array))
    return ~found if invert else found


def unique_consecutive(x: Tensor, return_inverse: bool, return_counts: bool, dim: int | None) -> Any:
    """The first of each run of equal entries (slices along `dim`), with the inverse index and the lengths if asked."""
    shape = x.array.shape
    rows = x.array.reshape(-1) if dim is None else x.array
    values, inverse, counts = kernels_of(rows).runs(rows, 0 if dim is None else one_dim(dim, x.array.ndim))
    inverse = inverse.reshape(shape) if dim is None else inverse
    results = tuple(from_raw(r) for r in [values] + [inverse] * return_inverse + [counts] * return_counts)
    return results if len(results) > 1 else results[0]


def argwhere(x: Tensor) -> Tensor:
    """The positions of the nonzero entries, one a row."""
    return nonzero(x)
