"""PyTorch's `torch.linalg`: inverses, determinants, systems of equations, factorisations and norms of matrices.

All take batches: the matrices are the last two dims of a float32 or float64 tensor, any dims before them count through
the batch. The ops with their gradients are in `ops/factorization.py`; what is here checks the arguments and puts the
ops together. `LinAlgError`, a RuntimeError, says of which matrix something is impossible.
"""

from collections.abc import Sequence
from typing import Any

from minigrad import dtype as dtypes, ops
from minigrad.backend import holds_everywhere, kernels_of
from minigrad.kernels.common_linalg import LinAlgError as LinAlgError
from minigrad.matrix_norms import cond as cond, matrix_norm as matrix_norm, norm as norm, vector_norm as vector_norm
from minigrad.mixed_precision import full_precision
from minigrad.ops.linalg import mT
from minigrad.return_types import RETURN_TYPES
from minigrad.tensor import Tensor, from_raw, one_dim

matmul = Tensor.matmul


# ---------------------------------------------------------------- what is taken


def floating(name: str, *tensors: Tensor) -> None:
    """RuntimeError unless all are float32, or all float64."""
    for x in tensors:
        if not isinstance(x, Tensor):
            raise TypeError(f"{name}: expected a Tensor, got {type(x).__name__}")
        if not x.dtype.is_floating_point:
            raise RuntimeError(f"{name}: Expected a floating point tensor as input. Got {x.dtype}; use .float()")
        if x.dtype.itemsize == 2:
            raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {x.dtype}; use .float()")
        if x.dtype is not tensors[0].dtype:
            raise RuntimeError(
                f"{name}: Expected A and B to have the same dtype, but found A of type {tensors[0].dtype} and B of "
                f"type {x.dtype} instead"
            )


def matrices(name: str, x: Tensor, square: bool = False) -> Tensor:
    """x, or RuntimeError unless it holds floating matrices (square ones, if asked for)."""
    floating(name, x)
    if x.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions, got shape {list(x.shape)}.")
    rows, columns = x.shape[-2:]
    if square and rows != columns:
        raise RuntimeError(f"{name}: A must be batches of square matrices, but they are {rows} by {columns} matrices")
    return x


# ---------------------------------------------------------------- inverses and determinants


@full_precision
def inv(A: Tensor) -> Tensor:
    """The inverse of each matrix; LinAlgError where one is singular. Prefer `solve(A, B)` to `inv(A) @ B`."""
    return ops.inv(matrices("linalg.inv", A, square=True))


@full_precision
def det(A: Tensor) -> Tensor:
    """The determinant of each matrix. The gradient is the matrix of cofactors, for singular matrices too."""
    return ops.det(matrices("linalg.det", A, square=True))


@full_precision
def slogdet(A: Tensor) -> Any:
    """(sign, logabsdet): det A = sign exp(logabsdet), without overflow; 0 and -inf for a singular matrix."""
    value, sign = ops.logabsdet(matrices("linalg.slogdet", A, square=True))
    return RETURN_TYPES["linalg_slogdet"](sign, value)


@full_precision
def logdet(A: Tensor) -> Tensor:
    """log det A; -inf where it is 0, nan where it is negative."""
    value, sign = ops.logabsdet(matrices("logdet", A, square=True))
    return ops.where(ops.lt(sign, 0), float("nan"), value)


@full_precision
def pinv(A: Tensor, *, atol: float | None = None, rtol: float | None = None, hermitian: bool = False) -> Tensor:
    """The pseudo-inverse (Moore-Penrose): singular values up to max(atol, rtol times the largest) count as zero.

    rtol is the larger side times the dtype's eps unless it or atol is given. `hermitian` promises a symmetric A.
    """
    matrices("linalg.pinv", A, square=hermitian)
    atol, rtol = _tolerances(A, atol, rtol)
    return ops.pinv(A, atol=atol, rtol=rtol)


def _tolerances(A: Tensor, atol: Any, rtol: Any) -> tuple[float, float]:
    atol, rtol = (None if t is None else float(t) for t in (atol, rtol))
    if rtol is None:
        rtol = 0.0 if atol else max(A.shape[-2:]) * dtypes.finfo(A.dtype).eps
    return atol or 0.0, rtol


@full_precision
def matrix_rank(
    A: Tensor, tol: Any = None, *, atol: float | None = None, rtol: float | None = None, hermitian: bool = False
) -> Tensor:
    """How many singular values are above max(atol, rtol times the largest); tolerances as in `pinv`."""
    matrices("linalg.matrix_rank", A, square=hermitian)
    atol, rtol = _tolerances(A, atol if tol is None else tol, 0.0 if tol is not None else rtol)
    s = ops.svdvals(A.detach())
    return (s > (rtol * s[..., :1]).clamp(min=atol)).sum(-1)


def matrix_power(A: Tensor, n: int) -> Tensor:
    """A times itself, n factors, by repeated squaring; n = 0 gives the identity, a negative n powers of the inverse."""
    matrices("linalg.matrix_power", A, square=True)
    if n < 0:
        return matrix_power(inv(A), -n)
    result = None
    while n:
        if n & 1:
            result = A if result is None else ops.matmul(result, A)
        n >>= 1
        A = ops.matmul(A, A) if n else A
    return _identity(A) if result is None else result


def _identity(A: Tensor) -> Tensor:
    from minigrad.creation import eye

    return eye(A.shape[-1], dtype=A.dtype, device=A.device).expand(A.shape).clone()


def matrix_exp(A: Tensor) -> Tensor:
    """1 + A + A^2 / 2! + ..., by scaling A down until its 1-norm is below 1/2, Taylor's series, and squaring back.

    The series stops after 18 terms: 0.5^19 / 19! is far below float64's eps.
    """
    matrices("linalg.matrix_exp", A, square=True)
    columns = A.detach().abs().sum(-2).array
    size = kernels_of(columns).bounds(columns)[1] if A.numel() else 0.0
    squarings = 0
    while size > 0.5 and size != float("inf"):
        size, squarings = size / 2, squarings + 1
    scaled, one = A / 2.0**squarings, _identity(A)
    result = one
    for i in range(18, 0, -1):  # Horner: 1 + A (1 + A / 2 (1 + A / 3 ...))
        result = one + ops.matmul(scaled, result) / i
    for _ in range(squarings):
        result = ops.matmul(result, result)
    return result


# ---------------------------------------------------------------- systems of equations


def _is_vector(A: Tensor, B: Tensor) -> bool:
    """Whether B holds vectors, one a matrix of A, not matrices with columns."""
    return B.ndim == 1 or (A.ndim - 1 == B.ndim and A.shape[:-1] == B.shape)


@full_precision
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with A X = B (X A = B for left=False), for square A; LinAlgError where one is singular.

    B holds matrices (..., n, k), or vectors (..., n) if it has one dim, or all dims of A but the last.
    """
    matrices("linalg.solve", A, square=True)
    floating("linalg.solve", A, B)
    vector = _is_vector(A, B)
    if vector and not left:
        raise RuntimeError("linalg.solve: Vector broadcasting of the left hand side is not supported for left=False")
    columns = B.unsqueeze(-1) if vector else B if left else mT(B)
    if columns.ndim < 2 or columns.shape[-2] != A.shape[-1]:
        shapes = " and ".join("x".join(map(str, x.shape[-2:])) for x in (A, columns if left else B))
        equation = "AX = B" if left else "XA = B"
        raise RuntimeError(f"linalg.solve: Incompatible shapes of A and B for the equation {equation} ({shapes})")
    X = ops.solve(A if left else mT(A), columns)
    return X.squeeze(-1) if vector else X if left else mT(X)


@full_precision
def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """X with A X = B (X A = B for left=False), reading one triangle of A; with `unitriangular` its diagonal is 1."""
    matrices("linalg.solve_triangular", A, square=True)
    floating("linalg.solve_triangular", A, B)
    if B.ndim < 2:
        raise RuntimeError("linalg.solve_triangular: The input tensor B must have at least 2 dimensions.")
    offset = int(unitriangular)
    triangle = ops.triu(A, diagonal=offset) if upper else ops.tril(A, diagonal=-offset)
    return solve(triangle + _identity(A) if unitriangular else triangle, B, left=left)


_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


@full_precision
def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """(solution, residuals, rank, singular_values): X that makes ||A X - B|| least, and of these the shortest.

    Computed as pinv(A) B. The drivers are LAPACK's and decide what comes besides, as in PyTorch: "gelsy" (the default)
    gives the rank, "gelsd" and "gelss" the singular values and residuals too, "gels", for A of full rank, the residuals
    alone. Residuals, ||A X - B||^2 a column, are given where all A have more rows than columns and full rank.
    """
    matrices("torch.linalg.lstsq", A)
    floating("torch.linalg.lstsq", A, B)
    driver = "gelsy" if driver is None else driver
    if driver not in _DRIVERS:
        raise RuntimeError(
            f"torch.linalg.lstsq: parameter `driver` should be one of ({', '.join(_DRIVERS)}), got {driver!r}"
        )
    vector = _is_vector(A, B)
    columns = B.unsqueeze(-1) if vector else B
    if columns.ndim < 2 or columns.shape[-2] != A.shape[-2]:
        raise RuntimeError(
            f"torch.linalg.lstsq: input.size(-2) should match other.size(-2), got {list(A.shape)} and {list(B.shape)}"
        )
    rtol = max(A.shape[-2:]) * dtypes.finfo(A.dtype).eps if rcond is None else float(rcond)
    X = ops.matmul(ops.pinv(A, atol=0.0, rtol=rtol), columns)
    s = ops.svdvals(A.detach())
    rank = (s > rtol * s[..., :1]).sum(-1)
    none = from_raw(s.array[:0].reshape(0))
    residuals = none
    if driver != "gelsy" and A.shape[-2] > A.shape[-1] and holds_everywhere(rank == A.shape[-1]):
        residuals = (ops.matmul(A, X) - columns).square().sum(-2)
    return RETURN_TYPES["linalg_lstsq"](
        X.squeeze(-1) if vector else X,
        residuals,
        none.long() if driver == "gels" else rank,
        s if driver in ("gelsd", "gelss") else none,
    )


# ---------------------------------------------------------------- factorisations


@full_precision
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L with A = L L^T (upper=True: L^T) of a symmetric positive definite A.

    One triangle of A is read. LinAlgError where A is not positive definite.
    """
    matrices("linalg.cholesky", A, square=True)
    return mT(ops.cholesky(mT(A))) if upper else ops.cholesky(A)


@full_precision
def qr(A: Tensor, mode: str = "reduced") -> Any:
    """(Q, R) with A = Q R, orthonormal columns in Q and R upper triangular.

    mode "reduced": Q (m, k) and R (k, n), k the smaller of m and n; "complete": Q (m, m), R (m, n); "r": R alone, Q
    empty. Differentiable where the first k columns of A are independent; not in mode "complete" with m > n.
    """
    matrices("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    m, n = A.shape[-2:]
    if m < n:  # the first m columns make Q; the others are Q times their part of R
        Q, R = ops.unpacked(ops.qr(A[..., :m]), (m, m), (m, m))
        R = ops.cat([R, ops.matmul(mT(Q), A[..., m:])], -1)
    elif mode == "complete" and m > n:
        Q, R = ops.unpacked(ops.qr_complete(A), (m, m), (m, n))
    else:
        Q, R = ops.unpacked(ops.qr(A), (m, n), (n, n))
    return RETURN_TYPES["linalg_qr"](from_raw(A.array.reshape(-1)[:0]) if mode == "r" else Q, R)


@full_precision
def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """(eigenvalues, eigenvectors) of symmetric A: the values rise, the vectors are columns. UPLO: the triangle read.

    The gradient through the vectors of equal eigenvalues, which are not determined, counts as zero.
    """
    n = matrices("linalg.eigh", A, square=True).shape[-1]
    values, vectors = ops.unpacked(ops.eigh(A, uplo=_triangle("linalg.eigh", UPLO)), (1, n), (n, n))
    return RETURN_TYPES["linalg_eigh"](values.squeeze(-2), vectors)


@full_precision
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric A, rising. UPLO: the triangle read."""
    return ops.eigvalsh(matrices("linalg.eigvalsh", A, square=True), uplo=_triangle("linalg.eigvalsh", UPLO))


def _triangle(name: str, uplo: str) -> str:
    if not isinstance(uplo, str) or uplo.upper() not in ("L", "U"):
        raise RuntimeError(f"{name}: Expected UPLO argument to be 'L' or 'U', but got {uplo}")
    return uplo.upper()


@full_precision
def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """(U, S, Vh) with A = U diag(S) Vh, S falling; U and Vh square (full_matrices), or of k = min(m, n) columns, rows.

    Their gradient is that of the k first; the columns that complete them are not determined and carry none.
    """
    m, n = matrices("linalg.svd", A).shape[-2:]
    k = min(m, n)
    U, S, Vh = ops.unpacked(ops.svd(A), (m, k), (1, k), (k, n))
    if full_matrices and m != n:
        full_u, _, full_vh = kernels_of(A.array).svd(A.array, True)
        U = ops.cat([U, from_raw(full_u[..., k:])], -1)
        Vh = ops.cat([Vh, from_raw(full_vh[..., k:, :])], -2)
    return RETURN_TYPES["linalg_svd"](U, S.squeeze(-2), Vh)


@full_precision
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, falling."""
    return ops.svdvals(matrices("linalg.svdvals", A))


# ---------------------------------------------------------------- products


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of two or more matrices in the order that takes the fewest multiplications.

    The first may be a vector (a row), the last too (a column). Order: Cormen et al., "Matrix-chain multiplication".
    """
    chain = ops.tensors_of(tensors, "multi_dot")
    if len(chain) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(chain)}")
    row, column = chain[0].ndim == 1, chain[-1].ndim == 1
    chain[0] = chain[0].unsqueeze(0) if row else chain[0]
    chain[-1] = chain[-1].unsqueeze(-1) if column else chain[-1]
    for i, x in enumerate(chain):
        if x.ndim != 2:
            raise RuntimeError(f"multi_dot(): tensor {i} must be 2D but got {x.ndim}D")
    sizes = [x.shape[0] for x in chain] + [chain[-1].shape[1]]
    best: dict[tuple[int, int], tuple[int, int]] = {(i, i): (0, i) for i in range(len(chain))}
    for length in range(1, len(chain)):
        for i in range(len(chain) - length):
            j = i + length
            best[i, j] = min(
                (best[i, k][0] + best[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )

    def product(i: int, j: int) -> Tensor:
        return chain[i] if i == j else product(i, best[i, j][1]) @ product(best[i, j][1] + 1, j)

    y = product(0, len(chain) - 1)
    return y.reshape(tuple(n for n, gone in zip(y.shape, (row, column), strict=True) if not gone))


def chain_matmul(*tensors: Any) -> Tensor:
    """`multi_dot` of matrices given one by one."""
    return multi_dot(tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sum of products along a dim; the other dims broadcast."""
    return (x * y).sum(dim)


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross product of vectors of three along a dim; the other dims broadcast."""
    if input.ndim != other.ndim:
        raise RuntimeError(
            f"linalg.cross: inputs must have the same number of dimensions, got {input.ndim}, {other.ndim}"
        )
    dim = one_dim(dim, input.ndim)
    if input.shape[dim] != 3 or other.shape[dim] != 3:
        sizes = f"{input.shape[dim]} and {other.shape[dim]}"
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {sizes}")
    return input.roll(-1, dim) * other.roll(-2, dim) - input.roll(-2, dim) * other.roll(-1, dim)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers 1, x, x^2 ... x^(N-1) of the entries of x, as a last dim."""
    return ops.vander(x, N, increasing=True)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonal of the last two dims, as a last dim."""
    return A.diagonal(offset, dim1, dim2)
