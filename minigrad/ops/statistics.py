"""Statistics of samples: the commonest value, covariance, correlation, quantiles."""

import warnings
from typing import Any

from minigrad.backend import holds_anywhere
from minigrad.dtype import int64
from minigrad.grad_names import named
from minigrad.ops.elementwise import ceil, clamp, floor, lerp, round, where
from minigrad.ops.reduce import argsort
from minigrad.ops.scatter import along_axis
from minigrad.ops.shape import expand_to
from minigrad.return_types import RETURN_TYPES
from minigrad.tensor import Tensor, one_dim

# ---------------------------------------------------------------- the commonest value


def mode(x: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """(values, indices) of the commonest entries along a dim: of several the smallest, and its last place.

    The gradient goes to the entry that `indices` names. nan equals nothing, itself neither.
    """
    dim = one_dim(dim, x.array.ndim)
    if not x.array.ndim:
        return RETURN_TYPES["mode"](x * 1, x.detach().new_zeros((), dtype=int64))
    if not x.array.shape[dim]:
        raise IndexError(f"mode(): Expected reduction dim {dim} to have non-zero size.")
    rows = x.detach().movedim(dim, -1)
    n = rows.array.shape[-1]
    flat = rows.reshape(-1, n)
    order = argsort(flat, dim=-1, descending=False)  # stable: equal entries stay in their order
    values = along_axis(flat, indices=order.array, axis=-1)
    starts = (values[:, 1:] != values[:, :-1]).long()  # where a run of equal entries begins
    run = starts.new_zeros(values.shape)
    run[:, 1:] = starts.cumsum(-1)
    line = run.new_tensor(list(range(run.array.shape[0])), dtype=int64).unsqueeze(1)
    lengths = (run + line * n).reshape(-1).bincount(minlength=run.numel()).reshape(run.shape)
    longest = lengths.argmax(-1, keepdim=True)
    last = along_axis(lengths.cumsum(-1), indices=longest.array, axis=-1) - 1
    indices = along_axis(order, indices=last.array, axis=-1).reshape(*rows.shape[:-1], 1).movedim(-1, dim)
    found = along_axis(x, indices=indices.array, axis=dim)
    found, indices = (y if keepdim else y.squeeze(dim) for y in (found, indices))
    return RETURN_TYPES["mode"](named(found, "ModeBackward0"), indices)


# ---------------------------------------------------------------- covariance


def cov(x: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
    """The covariances of variables, the rows of (D, N) or one (N,), over N observations, the columns: (D, D) or ().

    sum_n w_n (x_n - mean) (x_n - mean)^T / (sum w - correction), with w how often each was seen (`fweights`, integers)
    times how much it counts (`aweights`, for which the correction is scaled by sum w a / sum w).
    """
    if x.array.ndim > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {x.array.ndim} dimensions"
        )
    if x.array.dtype == "bool":
        raise RuntimeError("cov(): bool dtype is not supported for input")
    rows = x if x.dtype.is_floating_point else x.float()
    rows = rows if x.array.ndim == 2 else rows.reshape(1, x.numel())
    count = rows.array.shape[1]
    weights = _weights(count, fweights, aweights)
    if weights is None:
        total: Any = count
        centred = weighted = rows - rows.mean(1, keepdim=True)
        freedom: Any = count - correction
    else:
        weights = weights.to(rows.dtype)
        total = weights.sum()
        centred = rows - (rows * weights).sum(1, keepdim=True) / total
        weighted = centred * weights
        both = aweights is not None and correction != 0
        freedom = total - correction * ((weights * aweights).sum() / total if both else 1)
    if freedom <= 0:
        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.",
            stacklevel=3,
        )
        freedom = freedom * 0 if weights is not None else 0
    c = weighted @ centred.t() / freedom
    return named(c if x.array.ndim == 2 else c.reshape(()), "SqueezeBackward0")


def _weights(count: int, fweights: Tensor | None, aweights: Tensor | None) -> Tensor | None:
    """The product of the weights that are given, checked."""
    for name, w, right in (
        ("fweights", fweights, "integral"),
        ("aweights", aweights, "floating point"),
    ):
        if w is None:
            continue
        if w.dtype.is_floating_point != (name == "aweights"):
            raise RuntimeError(f"cov(): expected {name} to have {right} dtype but got {name} with {w.dtype}")
        if w.array.ndim > 1 or w.numel() != count:
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the input but got "
                f"{w.numel()} != {count}"
            )
        if holds_anywhere(w < 0):
            raise RuntimeError(f"cov(): {name} cannot be negative")
    if fweights is None or aweights is None:
        return aweights if fweights is None else fweights
    return fweights * aweights


def corrcoef(x: Tensor) -> Tensor:
    """The correlations of variables, the rows of (D, N): their covariances over their standard deviations."""
    if x.array.ndim > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {x.array.ndim} "
            "dimensions"
        )
    c = cov(x)
    if not c.array.ndim:
        return c / c
    spread = c.diagonal().sqrt()
    return clamp(c / spread.unsqueeze(-1) / spread, -1.0, 1.0)


# ---------------------------------------------------------------- quantiles


def quantile(
    x: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear",
    ignore_nan: bool = False,
) -> Tensor:  # fmt: skip
    """The value below which a part q of the entries lies, in [0, 1] a number or 1-d: (...) or (len(q), ...).

    Between the two entries around the place q (n - 1) of the sorted ones `interpolation` chooses: "linear", "lower",
    "higher", "midpoint" or "nearest". A nan makes the result nan, unless nans are ignored (`nanquantile`).
    """
    parts = _parts(x, q, interpolation)
    if dim is None:
        rows, axis = x.reshape(1, -1), None
    else:
        axis = one_dim(dim, x.array.ndim)
        rows = x.movedim(axis, -1) if x.array.ndim else x.reshape(1)
    if not rows.array.size:
        raise RuntimeError("quantile() input tensor must be non-empty")
    order = argsort(rows.detach(), dim=-1, descending=False)  # nan comes last
    values = along_axis(rows, indices=order.array, axis=rows.array.ndim - 1)
    missing = rows.isnan()
    count = (~missing).sum(-1, keepdim=True) if ignore_nan else rows.array.shape[-1]
    place = clamp(parts.reshape(-1) * (count - 1), 0, None)  # (..., len(q))
    if not ignore_nan:
        place = where(missing.any(-1).unsqueeze(-1).array, float(rows.array.shape[-1] - 1), place)
    found = _between(values, expand_to(place, shape=(*rows.array.shape[:-1], parts.numel())), interpolation)
    found = found.movedim(-1, 0)  # (len(q), ...)
    if dim is None:
        found = found.reshape(-1, *(1,) * (x.array.ndim if keepdim else 0))
    elif keepdim and x.array.ndim:
        found = found.unsqueeze(1 + axis)  # type: ignore[operator]
    elif not x.array.ndim:
        found = found.reshape(-1)
    return found if parts.array.ndim else found.squeeze(0)


def _between(values: Tensor, place: Tensor, interpolation: str) -> Tensor:
    """Sorted values (..., n) at fractional places (..., k)."""
    last = values.array.ndim - 1
    if interpolation == "nearest":
        return along_axis(values, indices=round(place).long().array, axis=last)
    low = along_axis(values, indices=floor(place).long().array, axis=last)
    high = along_axis(values, indices=ceil(place).long().array, axis=last)
    if interpolation == "lower":
        return low
    if interpolation == "higher":
        return high
    return lerp(low, high, 0.5 if interpolation == "midpoint" else place - floor(place))


def _parts(x: Tensor, q: Any, interpolation: str) -> Tensor:
    if x.dtype.name not in ("float32", "float64"):
        raise RuntimeError(f"quantile() input tensor must be either float or double dtype, got {x.dtype}")
    parts = q.detach() if isinstance(q, Tensor) else x.new_tensor(float(q))
    if parts.array.ndim > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    if parts.array.dtype != x.array.dtype:
        raise RuntimeError(f"quantile() q tensor must be same dtype as the input tensor, got {q.dtype} and {x.dtype}")
    if bad := [v for v in parts.reshape(-1).tolist() if not 0 <= v <= 1]:
        raise RuntimeError(f"quantile() q must be in the range [0, 1] but got {bad[0]:g}")
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got "
            f"{interpolation}"
        )
    return parts
