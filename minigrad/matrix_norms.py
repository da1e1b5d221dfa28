"""Norms of vectors and matrices, as `torch.linalg` spells them: norm, vector_norm, matrix_norm, and cond."""

import math
from collections.abc import Sequence
from typing import Any

from minigrad import ops
from minigrad.tensor import Tensor, dims as dims_of, one_dim


def _floating(name: str, x: Tensor, dtype: Any) -> Tensor:
    if not x.dtype.is_floating_point:
        raise RuntimeError(f"{name}: Expected a floating point tensor as input. Got {x.dtype}; use .float()")
    return x if dtype is None else x.to(dtype)


def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """(sum |x|^ord)^(1 / ord) over `dim` (None: over all), for any number ord; inf: the largest |x|, 0: how many are
    not zero. The gradient at 0 is 0.
    """
    if isinstance(ord, str) or not isinstance(ord, (int, float)):
        raise TypeError(f"linalg_vector_norm(): argument 'ord' must be Number, not {type(ord).__name__}")
    x = _floating("linalg.vector_norm", x, dtype)
    axes = dims_of(dim, x.ndim)
    reduced = x.shape if axes is None else [x.shape[i] for i in axes]
    if 0 in reduced and (ord < 0 or ord == math.inf):
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {ord} norm on an empty tensor because the operation does not have "
            f"an identity"
        )
    return ops.vector_norm(x, float(ord), axes, keepdim)


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Sequence[int] = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """A norm of the matrices in two dims:

    - "fro": the square root of the sum of squares; "nuc": the sum of the singular values
    - 2, -2: the largest, the smallest singular value
    - 1, -1: the largest, the smallest sum of |entries| of a column; inf, -inf: of a row
    """
    name = "linalg.matrix_norm"
    A = _floating(name, A, dtype)
    if A.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if not isinstance(dim, (tuple, list)) or len(dim) != 2:
        raise RuntimeError(f"{name}: dim must be a 2-tuple. Got {dim}")
    row, column = (one_dim(d, A.ndim) for d in dim)
    if row == column:
        raise RuntimeError(f"{name}: dims must be different. Got {tuple(dim)}")
    if ord == "fro":
        return ops.vector_norm(A, 2.0, (row, column), keepdim)
    if ord == "nuc" or ord in (2, -2):
        s = ops.svdvals(A.movedim((row, column), (-2, -1)))
        y = s.sum(-1) if ord == "nuc" else s.amax(-1) if ord == 2 else s.amin(-1)
    elif ord in (1, -1, math.inf, -math.inf):
        added, compared = (row, column) if abs(ord) == 1 else (column, row)
        sums = A.abs().sum(added, keepdim=True)
        y = (sums.amax if ord > 0 else sums.amin)(compared, keepdim=True).squeeze((row, column))
    else:
        raise RuntimeError(f"{name}: Order {ord} not supported.")
    if keepdim:
        for d in sorted((row, column)):
            y = y.unsqueeze(d)
    return y


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The vector norm over one dim, the matrix norm over two. Without ord the 2-norm of all entries in `dim`.

    With ord and no dim, A must have one dim (a vector) or two (a matrix).
    """
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None and A.ndim not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D."
        )
    several = isinstance(dim, (tuple, list))
    if several and len(dim) not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {dim}")
    if isinstance(ord, str) or (several and len(dim) == 2) or (dim is None and A.ndim == 2):
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)


def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition number ||A|| ||A^-1||, in the norm p of `matrix_norm`; inf for a singular matrix.

    None, the default, is p = 2: the largest singular value divided by the smallest, for matrices of any shape.
    """
    from minigrad.linalg import LinAlgError, inv

    if p is None or p in (2, -2):
        s = ops.svdvals(_floating("linalg.cond", A, None))
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    try:
        return matrix_norm(A, p) * matrix_norm(inv(A), p)
    except LinAlgError:
        if A.ndim > 2:
            return ops.stack([cond(matrix, p) for matrix in A.reshape(-1, *A.shape[-2:])]).reshape(A.shape[:-2])
        return matrix_norm(A, p) + math.inf
