"""Distances between all rows of one matrix and all of another, or of the same."""

import math
from typing import Any

from minigrad.dtype import int64
from minigrad.grad_names import named
from minigrad.mixed_precision import full_precision
from minigrad.ops.elementwise import abs, where
from minigrad.ops.linalg import matmul, mT
from minigrad.ops.reduce import vector_norm
from minigrad.ops.shape import cat
from minigrad.tensor import Tensor

_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


@full_precision
def cdist(
    x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary"
) -> Tensor:
    """|x1_i - x2_j|_p for all rows i of x1 (..., P, M) and j of x2 (..., R, M) -> (..., P, R).

    Over 25 rows the Euclidean distance comes from |a|^2 - 2 a b + |b|^2, one matrix product, as in PyTorch: quick, and
    inexact where a and b are near each other. `compute_mode` "use_mm_for_euclid_dist" does so for any number of rows,
    "donot_use_mm_for_euclid_dist" for none. The gradient is 0 where the distance is 0.
    """
    _check(x1, x2, p, compute_mode)
    rows = max(x1.array.shape[-2], x2.array.shape[-2])
    if p == 2 and (compute_mode == _MODES[1] or (compute_mode in (None, _MODES[0]) and rows > 25)):
        return named(_euclidean_by_product(x1, x2), "ViewBackward0")
    return named(_sizes(x1.unsqueeze(-2) - x2.unsqueeze(-3), p), "CdistBackward0")


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """|x_i - x_j|_p for i < j, the rows of (N, M): the upper triangle of `cdist`, row by row, as (N (N - 1) / 2,)."""
    if input.array.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.array.ndim}D")
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"pdist only supports floating-point dtypes, got {input.dtype}")
    if p < 0:
        raise RuntimeError(f"pdist only supports non-negative p values, got {p}")
    n = input.array.shape[0]
    first = [i for i in range(n) for _ in range(i + 1, n)]
    second = [j for i in range(n) for j in range(i + 1, n)]
    pairs = [input[input.new_tensor(rows, dtype=int64)] for rows in (first, second)]
    return named(_sizes(pairs[0] - pairs[1], p), "PdistBackward0")


def _sizes(difference: Tensor, p: float) -> Tensor:
    """|d|_p over the last dim; of the largest entries, where p is infinite, each takes the whole gradient."""
    largest = vector_norm(difference.detach() if p == math.inf else difference, p, (difference.array.ndim - 1,), False)
    if p != math.inf:
        return largest
    sizes = abs(difference)
    at_largest = (sizes == largest.unsqueeze(-1)).array
    return largest + where(at_largest, sizes - sizes.detach(), 0.0).sum(-1)


def _euclidean_by_product(x1: Tensor, x2: Tensor) -> Tensor:
    """sqrt(|a|^2 - 2 a b + |b|^2) as one product of [-2 a, |a|^2, 1] and [b, 1, |b|^2]."""
    squares = [(x * x).sum(-1, keepdim=True) for x in (x1, x2)]
    ones = [s.detach() * 0 + 1 for s in squares]
    left = cat([x1 * -2, squares[0], ones[0]], -1)
    total = matmul(left, mT(cat([x2, ones[1], squares[1]], -1)))
    apart = (total > 0).array
    return where(apart, where(apart, total, 1.0).sqrt(), 0.0)


def _check(x1: Tensor, x2: Tensor, p: float, compute_mode: Any) -> None:
    for name, x in (("X1", x1), ("X2", x2)):
        if x.array.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {x.array.ndim}D")
        if not x.dtype.is_floating_point:
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {x.dtype}")
    if x1.array.shape[-1] != x2.array.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.array.shape[-1]} X2: {x2.array.shape[-1]}"
        )
    if x1.array.dtype != x2.array.dtype:
        raise RuntimeError(f"cdist: X1 and X2 must have the same dtype, got {x1.dtype} and {x2.dtype}")
    if p < 0:
        raise RuntimeError(f"cdist only supports non-negative p values, got {p}")
    if compute_mode is not None and compute_mode not in _MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode: {', '.join(_MODES)}")
