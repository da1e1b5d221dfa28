"""Reductions: sums, products, extremes, norms, running sums, orders.

`axis` is a tuple of axes counted from the front, or None for all (the Tensor methods see to that). Gradients at the
edges: ties in `amax` / `amin` share the gradient; `max` over one dim gives it to the entry whose index it returns;
`prod` and `cumprod` are exact with zeros in the input; the 2-norm's gradient at 0 is 0.
"""

import math
from typing import Any

from minigrad import dtype as dtypes
from minigrad.backend import holds_anywhere, kernels_of
from minigrad.dtype import is_complex, is_differentiable, is_floating, refuse_complex
from minigrad.explain import noted
from minigrad.grad_names import named
from minigrad.op import op
from minigrad.ops.comparison import (
    eq,
    isnan,
)
from minigrad.ops.elementwise import (
    abs,
    refuse_bools,
    sign,
    where,
    zeros_as,
)
from minigrad.ops.scatter import along_axis
from minigrad.ops.shape import cat_arrays, expand_to, flip, permute
from minigrad.ops.transcendental import (
    exp,
    power,
)
from minigrad.return_types import RETURN_TYPES
from minigrad.tensor import Tensor, from_raw, numel, one_dim

_OLD_NAMES = {"int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool"}


def keep_axes(shape: tuple, axis: tuple | None) -> tuple[int, ...]:
    """The shape with the reduced axes kept as 1: how a reduced gradient lines up with its input."""
    return (1,) * len(shape) if axis is None else tuple(1 if i in axis else n for i, n in enumerate(shape))


def _dropped(shape: tuple, axis: tuple | None) -> tuple[int, ...]:
    """The shape without the reduced axes."""
    return () if axis is None else tuple(n for i, n in enumerate(shape) if i not in axis)


def _count(shape: tuple, axis: tuple | None) -> int:
    return numel(shape) if axis is None else numel([shape[i] for i in axis])


@op
def sum(x, *, axis, keepdims):
    """The sum over `axis`; integers and bools add up as int64."""
    return kernels_of(x).sum(x, axis, keepdims)


@sum.vjp
def sum_vjp(dy, x_shape, axis):
    return expand_to(dy.reshape(keep_axes(x_shape, axis)) if dy.ndim or axis else dy, shape=x_shape)


@op
def mean(x, *, axis, keepdims):
    """The sum divided by the count; nan over nothing."""
    if not is_differentiable(x.dtype):
        raise noted(
            RuntimeError(
                "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
                f"Got: {_OLD_NAMES.get(x.dtype.name, x.dtype.name)}"
            ),
            "use x.float().mean()",
        )
    total = kernels_of(x).sum(x, axis, keepdims)
    count = _count(x.shape, axis)
    return (total / count if count else total * math.nan).astype(x.dtype)


@mean.vjp
def mean_vjp(dy, x_shape, axis):
    count = _count(x_shape, axis)
    dy = dy / count if count else dy
    return expand_to(dy.reshape(keep_axes(x_shape, axis)), shape=x_shape)


@op
def var(x, *, axis, correction, keepdims):
    """sum((x - mean)^2) / (n - correction): correction 1 is the unbiased estimate; nan where n <= correction."""
    return _variance("var", x, axis, correction, keepdims).astype(x.dtype)


def _variance(name: str, x: Any, axis: tuple | None, correction: float, keepdims: bool) -> Any:
    """The variance of an array, in float32 for halves."""
    if not is_floating(x.dtype):
        raise RuntimeError(f"{name} takes floating-point tensors, got {dtypes.of(x.dtype)}; use x.float().{name}()")
    count = _count(x.shape, axis)
    wide = x.astype("float32") if x.dtype.itemsize == 2 else x
    centred = wide - (kernels_of(x).sum(wide, axis, True) / count if count else 0)
    total = kernels_of(x).sum(centred * centred, axis, keepdims)
    freedom = count - correction
    if freedom <= 0:
        return total * math.nan + (math.inf if count > 1 else math.nan)
    return total / freedom


@var.vjp
def var_vjp(dy, x, axis, correction):
    centred = x - x.mean(axis=axis, keepdims=True)
    freedom = _count(x.shape, axis) - correction
    scale = 2 / freedom if freedom > 0 else math.nan
    return dy.reshape(keep_axes(x.shape, axis)) * (scale * centred)


@op
def std(x, *, axis, correction, keepdims):
    """The square root of the variance; the gradient is 0 where it is 0."""
    return kernels_of(x).sqrt(_variance("std", x, axis, correction, keepdims)).astype(x.dtype)


@std.vjp
def std_vjp(dy, x, y, axis, correction):
    zero = eq(y, 0)  # all entries equal: the slope of the root is infinite, that of the variance 0
    return var_vjp(where(zero, 0.0, dy / (2 * where(zero, 1.0, y))), x, axis, correction)


@op
def prod(x, *, axis, keepdims):
    """The product over `axis`; integers as int64."""
    return kernels_of(x).prod(x, axis, keepdims)


@prod.vjp
def prod_vjp(dy, x, axis):
    # d prod / dx_i is the product of the others: prod / x_i, exact with zeros when the products from the left and from
    # the right are multiplied instead of divided out. The reduced axes are laid out as one for that.
    axes = tuple(range(x.ndim)) if axis is None else axis
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    order = rest + axes
    kept = tuple(x.shape[i] for i in rest)
    rows = permute(x, dims=order).reshape((*kept, numel([x.shape[i] for i in axes])))
    others = product_of_others(rows)
    back = permute(others.reshape(tuple(x.shape[i] for i in order)), dims=tuple(order.index(i) for i in range(x.ndim)))
    return dy.reshape(keep_axes(x.shape, axis)) * back


def product_of_others(rows: Any) -> Any:
    """For each entry of the last axis the product of the other entries: running products from both ends."""
    if rows.shape[-1] == 0:
        return rows
    last = rows.ndim - 1
    left = running_products_before(rows)
    right = flip(running_products_before(flip(rows, dims=(last,))), dims=(last,))
    return left * right


def running_products_before(rows: Any) -> Any:
    """1, x0, x0 x1, ...: at each entry of the last axis the product of those before it."""
    last = rows.ndim - 1
    ones = zeros_as(rows[..., :1]) + 1
    return cat_arrays(ones, cumprod(rows[..., :-1], axis=last), axis=last)


@op
def cumsum(x, *, axis):
    """Running sums along an axis."""
    return kernels_of(x).cumsum(x, axis)


@cumsum.vjp
def cumsum_vjp(dy, axis):
    if not dy.ndim:
        return dy
    return flip(cumsum(flip(dy, dims=(axis,)), axis=axis), dims=(axis,))


@op
def cumprod(x, *, axis):
    """Running products along an axis."""
    return kernels_of(x).cumprod(x, axis)


@cumprod.vjp
def cumprod_vjp(dy, x, y, axis):
    # dx_i = sum over j >= i of dy_j y_j / x_i. Up to the first zero the quotient is exact; from there on, dx at the
    # zero needs the product of the others, so a row with a zero takes the n^2 form.
    if not x.ndim:
        return dy
    quotient = flip(cumsum(flip(dy * y, dims=(axis,)), axis=axis), dims=(axis,)) / x
    return _cumprod_vjp_with_zeros(dy, x, axis) if holds_anywhere(eq(x, 0)) else quotient


def _cumprod_vjp_with_zeros(dy: Any, x: Any, axis: int) -> Any:
    """dx_i = (product before i) * sum over j >= i of dy_j * (product of the x between i and j)."""
    last = x.ndim - 1
    x, dy = x.swapaxes(axis, last), dy.swapaxes(axis, last)
    before = running_products_before(x)
    columns = []
    for i in range(x.shape[last]):
        one_then_rest = cat_arrays(zeros_as(x[..., :1]) + 1, x[..., i + 1 :], axis=last)
        tail = (dy[..., i:] * cumprod(one_then_rest, axis=last)).sum(axis=last, keepdims=True)
        columns.append(before[..., i : i + 1] * tail)
    return cat_arrays(*columns, axis=last).swapaxes(axis, last)


# ---------------------------------------------------------------- extremes


@op(promotion="real")
def amax(x, *, axis, keepdims):
    """The largest entry; nan if any is. Ties share the gradient."""
    _refuse_empty_dims("amax", x, axis)
    return kernels_of(x).amax(x, axis, keepdims)


@amax.vjp
def amax_vjp(dy, x, y, axis):
    return _shared_among_ties(dy, x, y, axis)


@op(promotion="real")
def amin(x, *, axis, keepdims):
    """The smallest entry; nan if any is. Ties share the gradient."""
    _refuse_empty_dims("amin", x, axis)
    return kernels_of(x).amin(x, axis, keepdims)


@amin.vjp
def amin_vjp(dy, x, y, axis):
    return _shared_among_ties(dy, x, y, axis)


def _shared_among_ties(dy: Any, x: Any, y: Any, axis: tuple | None) -> Any:
    kept = keep_axes(x.shape, axis)
    ties = where(eq(x, y.reshape(kept)), 1.0, 0.0)  # none where y is nan: the gradient is nan
    return ties * (dy.reshape(kept) / ties.sum(axis=axis, keepdims=True))


@op(promotion="real")
def argmax(x, *, axis, keepdims):
    """The position of the largest entry (the first of several), in the flattened tensor if `axis` is None."""
    _refuse_empty("argmax", x, axis)
    return kernels_of(x).argmax(x, axis, keepdims)


@op(promotion="real")
def argmin(x, *, axis, keepdims):
    """The position of the smallest entry (the first of several), in the flattened tensor if `axis` is None."""
    _refuse_empty("argmin", x, axis)
    return kernels_of(x).argmin(x, axis, keepdims)


def _refuse_empty_dims(name: str, x: Any, axis: tuple | None) -> None:
    for i in axis or ():
        _refuse_empty(name, x, i)


def _refuse_empty(name: str, x: Any, axis: int | None) -> None:
    if (x.size if axis is None else x.shape[axis] if x.ndim else 1) == 0:
        raise IndexError(f"{name}(): Expected reduction dim {axis} to have non-zero size")


def _gathered(name: str, x: Tensor, order: Tensor, dim: int, keepdims: bool = True) -> Tensor:
    if not x.array.ndim:
        return x
    values = along_axis(x, indices=order.array, axis=dim)
    return named(values if keepdims else values.squeeze(dim), name)


def max_along(x: Tensor, dim: int, keepdim: bool) -> Any:
    """(values, indices) of the largest entries along a dim; the gradient goes to the entry that `indices` names."""
    order = argmax(x.detach(), axis=dim if x.array.ndim else None, keepdims=True)
    kept = keepdim or not x.array.ndim
    return RETURN_TYPES["max"](_gathered("MaxBackward0", x, order, dim, keepdim), order if kept else order.squeeze(dim))


def min_along(x: Tensor, dim: int, keepdim: bool) -> Any:
    """(values, indices) of the smallest entries along a dim; the gradient goes to the entry that `indices` names."""
    order = argmin(x.detach(), axis=dim if x.array.ndim else None, keepdims=True)
    kept = keepdim or not x.array.ndim
    return RETURN_TYPES["min"](_gathered("MinBackward0", x, order, dim, keepdim), order if kept else order.squeeze(dim))


@op(promotion="real")
def argsort(x, *, dim, descending):
    """The order that sorts along a dim, stable."""
    return kernels_of(x).argsort(x, dim, descending) if x.ndim else kernels_of(x).zeros((), "int64", x)


@op(promotion="real")
def top_places(x, *, dim, k, largest):
    """Where the k largest (or smallest) entries along a dim are, in order; ties and nan as argsort has them."""
    return kernels_of(x).top_places(x, dim, k, largest)


def sort(x: Tensor, dim: int, descending: bool) -> Any:
    """(values, indices), stable; nan counts as the largest."""
    order = argsort(x.detach(), dim=dim, descending=descending)
    return RETURN_TYPES["sort"](_gathered("SortBackward0", x, order, dim), order)


def topk(x: Tensor, k: int, dim: int, largest: bool) -> Any:
    """(values, indices) of the k largest (or smallest) entries along a dim, in order."""
    if x.array.dtype == "bool":
        raise RuntimeError("topk(): not implemented for Bool: convert the tensor with .int()")
    size = x.array.shape[dim] if x.array.ndim else 1
    if not 0 <= k <= size:
        raise RuntimeError(f"selected index k out of range: k is {k}, dimension {dim} has {size} entries")
    if x.array.ndim:
        order = top_places(x.detach(), dim=dim, k=k, largest=largest)
    else:
        order = argsort(x.detach(), dim=dim, descending=largest)
    return RETURN_TYPES["topk"](_gathered("TopkBackward0", x, order, dim), order.contiguous())


def median(x: Tensor, dim: int | None, keepdim: bool) -> Any:
    """The entry at position (n - 1) // 2 of the sorted values: the lower of two middle ones."""
    refuse_bools("median", x.array)
    if dim is None:
        flat = x.reshape(-1)
        order = argsort(flat.detach(), dim=0, descending=False)
        return named(flat[order[(flat.array.size - 1) // 2]], "MedianBackward0")
    dim = one_dim(dim, x.array.ndim)
    if not x.array.ndim:
        return RETURN_TYPES["median"](*(part.reshape(()) for part in median(x.reshape(1), 0, False)))
    order = argsort(x.detach(), dim=dim, descending=False).narrow(dim, (x.array.shape[dim] - 1) // 2, 1)
    return RETURN_TYPES["median"](
        _gathered("MedianBackward1", x, order, dim, keepdim), order if keepdim else order.squeeze(dim)
    )


@op
def all(x, *, axis, keepdims):
    """True where every entry is nonzero; for uint8, the old type of masks, a uint8."""
    y = kernels_of(x).all(x, axis, keepdims)
    return y.astype("uint8") if x.dtype == "uint8" else y


@op
def any(x, *, axis, keepdims):
    """True where some entry is nonzero; for uint8, the old type of masks, a uint8."""
    y = kernels_of(x).any(x, axis, keepdims)
    return y.astype("uint8") if x.dtype == "uint8" else y


def unique(x: Tensor, return_inverse: bool, return_counts: bool, dim: int | None) -> Any:
    """The sorted distinct values (slices along `dim`), with the inverse index and the counts if asked for."""
    dim = None if dim is None else one_dim(dim, x.array.ndim)
    values, inverse, counts = kernels_of(x.array).unique(x.array, dim)
    results = [values] + [inverse] * return_inverse + [counts] * return_counts
    wrapped = tuple(from_raw(r) for r in results)
    return wrapped if len(wrapped) > 1 else wrapped[0]


@op
def bincount(x, weights, *, minlength):
    """How often each integer 0, 1, ... occurs, or the sum of `weights` there."""
    return kernels_of(x).bincount(x, weights, minlength)


# ---------------------------------------------------------------- norms and log-sum-exp


@op(promotion="float")
def logsumexp(x, *, axis, keepdims):
    """log(sum(exp(x))), shifted by the largest entry so that nothing overflows; over -inf alone the gradient is nan."""
    refuse_complex(x)
    k = kernels_of(x)
    wide = x.astype("float32") if x.dtype.itemsize == 2 else x
    largest = k.amax(wide, axis, True)
    shift = k.where(k.isfinite(largest), largest, 0.0)
    total = (k.log(k.sum(k.exp(wide - shift), axis, True)) + shift).astype(x.dtype)
    return total if keepdims else total.reshape(_dropped(x.shape, axis))


@logsumexp.vjp
def logsumexp_vjp(dy, x, y, axis):
    kept = keep_axes(x.shape, axis)
    return dy.reshape(kept) * exp(x - y.reshape(kept))


def vector_norm(x: Tensor, p: float, axis: tuple | None, keepdim: bool) -> Tensor:
    """(sum |x|^p)^(1/p) over `axis`; p may be inf, -inf, 0 (count of nonzeros), 1, 2 or any other number."""
    if not is_differentiable(x.array.dtype):
        raise RuntimeError(f"norm takes floating-point tensors, got {x.dtype}; use x.float()")
    return named(_real_norm(abs(x) if is_complex(x) else x, p, axis, keepdim), "LinalgVectorNormBackward0")


def _real_norm(x: Tensor, p: float, axis: tuple | None, keepdim: bool) -> Tensor:
    if p == 2:
        return two_norm(x, axis=axis, keepdims=keepdim)
    if p == math.inf:
        return amax(abs(x), axis=axis, keepdims=keepdim)
    if p == -math.inf:
        return amin(abs(x), axis=axis, keepdims=keepdim)
    if p == 0:  # 1 for all but 0; sign has a gradient, of 0
        return sum(where(isnan(x), 1.0, abs(sign(x))), axis=axis, keepdims=keepdim)
    if p == 1:
        return sum(abs(x), axis=axis, keepdims=keepdim)
    size = abs(x)
    if p < 1:  # |x|^p is steep at 0: the gradient there is 0 by definition
        at_zero = eq(x, 0)
        powers = where(at_zero, 0.0 if p > 0 else math.inf, power(where(at_zero, 1.0, size), p))
    else:
        powers = power(size, p)
    total = sum(powers, axis=axis, keepdims=keepdim)
    zero = eq(total, 0)  # the p-th root has an infinite slope there; the norm's gradient is 0
    return where(zero, 0.0, power(where(zero, 1.0, total), 1 / p))


@op
def two_norm(x, *, axis, keepdims):
    """sqrt(sum x^2); the gradient x / norm is 0 where the norm is 0."""
    return kernels_of(x).sqrt(kernels_of(x).sum(x * x, axis, keepdims))


@two_norm.vjp
def two_norm_vjp(dy, x, y, axis):
    kept = keep_axes(x.shape, axis)
    zero = eq(y.reshape(kept), 0)
    return where(zero, 0.0, dy.reshape(kept) / where(zero, 1.0, y.reshape(kept))) * x
