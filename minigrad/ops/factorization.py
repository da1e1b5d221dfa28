"""Inverses, determinants and factorisations of matrices: ops on the last two axes, any number of batch axes before.

Each rule is the adjoint of the first-order change of the result. Sources: M. Giles, "An extended collection of matrix
derivative results" (2008); I. Murray, "Differentiation of the Cholesky decomposition" (2016); M. Seeger et al.,
"Auto-differentiating linear algebra" (2017); G. Golub and V. Pereyra, "The differentiation of pseudo-inverses" (1973).

An op has one output that carries gradient, so a factorisation gives its factors as one flat array, which `unpacked`
takes apart. `linalg.py` checks the arguments and gives the results PyTorch's names.
"""

from typing import Any

from minigrad.backend import kernels_of
from minigrad.op import op
from minigrad.ops.comparison import eq
from minigrad.ops.elementwise import sign, where
from minigrad.ops.linalg import matmul, mT
from minigrad.ops.pieces import last_diagonal
from minigrad.ops.reduce import product_of_others
from minigrad.ops.shape import cat_arrays, tril
from minigrad.tensor import numel


def pack(*factors: Any) -> Any:
    """Factors with the same batch axes, flattened and one after another on one axis."""
    lead = factors[0].shape[:-2]
    return cat_arrays(*(x.reshape((*lead, numel(x.shape[-2:]))) for x in factors), axis=len(lead))


def unpacked(y: Any, *shapes: tuple[int, int]) -> list:
    """The matrices of these shapes that `pack` laid into y."""
    found, start = [], 0
    for shape in shapes:
        stop = start + numel(shape)
        found.append(y[..., start:stop].reshape((*y.shape[:-1], *shape)))
        start = stop
    return found


def _over_gaps(x: Any, values: Any) -> Any:
    """x_ij / (values_j - values_i), and 0 where two values are equal: there the result may not depend on x."""
    gaps = values[..., None, :] - values[..., :, None]
    same = eq(gaps, 0)
    return where(same, 0.0, x / where(same, 1.0, gaps))


# ---------------------------------------------------------------- inverses


@op
def inv(x):
    """The inverse of each matrix. From d(x y) = 0: dy = -y dx y."""
    return kernels_of(x).inv(x)


@inv.vjp
def inv_vjp(dy, y):
    return -matmul(mT(y), matmul(dy, mT(y)))


@op
def solve(a, b):
    """y with a y = b, where b holds columns. From da y + a dy = db."""
    return kernels_of(a).solve(a, b)


@solve.vjp
def solve_vjp(dy, a, y, needs):
    db = solve(mT(a), dy)
    return -matmul(db, mT(y)) if needs[0] else None, db


@op
def pinv(x, *, atol, rtol):
    """The pseudo-inverse: singular values up to max(atol, rtol * the largest) count as zero."""
    k = kernels_of(x)
    u, s, vh = k.svd(x, False)
    if not s.shape[-1]:
        return k.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype, x)
    kept = s > k.maximum(rtol * s[..., :1], atol)
    inverse = k.where(kept, 1 / k.where(kept, s, 1.0), 0.0).astype(x.dtype)
    return k.matmul(mT(vh) * inverse[..., None, :], mT(u))


@pinv.vjp
def pinv_vjp(dy, x, y):
    # dy = -y dx y + y y^T dx^T (1 - x y) + (1 - y x) dx^T y^T y, while the rank stays what it is.
    yt, dyt = mT(y), mT(dy)
    left = matmul(dyt, matmul(y, yt))
    right = matmul(matmul(yt, y), dyt)
    return (left - matmul(x, matmul(y, left))) + (right - matmul(matmul(right, y), x)) - matmul(yt, matmul(dy, yt))


# ---------------------------------------------------------------- determinants


@op
def det(x):
    """The determinant; its gradient, the matrix of cofactors, is exact for singular matrices too."""
    return kernels_of(x).det(x)


@det.vjp
def det_vjp(dy, x):
    return dy.reshape((*dy.shape, 1, 1)) * cofactors(x)


@op
def cofactors(x):
    """The derivative of det(x). With x = u s v^T it is det(u v^T) u c v^T, c_i being the product of the other s."""
    k = kernels_of(x)
    u, s, vh = k.svd(x, True)
    return _flip(u, vh) * k.matmul(u * product_of_others(s)[..., None, :], vh)


@cofactors.vjp
def cofactors_vjp(dy, x):
    return cofactors_slope(dy, x)


def _flip(u: Any, vh: Any) -> Any:
    """det(u v^T), 1 or -1, for each matrix."""
    turned = sign(det(matmul(u, vh)))
    return turned.reshape((*turned.shape, 1, 1))


@op
def cofactors_slope(direction, x):
    """The change of `cofactors(x)` along `direction`: the second derivative of det, which is symmetric.

    For a diagonal x, with p_ij the product of its entries other than i and j, entry (i, j) changes by -p_ij times entry
    (j, i) of the direction, and (i, i) by the sum of p_ij times the others' (j, j). The third derivative wants an
    invertible x.
    """
    k = kernels_of(x)
    u, s, vh = k.svd(x, True)
    n = s.shape[-1]
    position = k.arange(n, x)
    diagonal = position[:, None] == position
    others = product_of_others(k.where(diagonal, 1.0, k.broadcast_to(s[..., None, :], x.shape)).astype(x.dtype))
    p = k.where(diagonal, 0.0, others).astype(x.dtype)
    turned = k.matmul(k.matmul(mT(u), direction), mT(vh))
    along = k.matmul(p, k.diagonal(turned, 0)[..., None])
    return _flip(u, vh) * k.matmul(k.matmul(u, k.where(diagonal, along, -p * mT(turned))), vh)


@cofactors_slope.vjp
def cofactors_slope_vjp(dy, direction, x, needs):
    if not needs[1]:
        return cofactors_slope(dy, x), None
    b = inv(x)  # in the directions e, f, g det(x) changes by det(x) times the alternating traces of be, bf, bg
    be, bf = matmul(b, dy), matmul(b, direction)
    e, f = _trace(be), _trace(bf)
    slope = (e * f - _trace(matmul(be, bf))) * b - e * matmul(bf, b) - f * matmul(be, b)
    slope = slope + matmul(matmul(be, bf) + matmul(bf, be), b)
    d = det(x)
    return cofactors_slope(dy, x) if needs[0] else None, d.reshape((*d.shape, 1, 1)) * mT(slope)


def _trace(x: Any) -> Any:
    return last_diagonal(x, offset=0).sum(axis=-1, keepdims=True)[..., None]


@op
def logabsdet(x):
    """(log |det x|, the sign of det x, which carries no gradient). The derivative is the transposed inverse."""
    sign_, value = kernels_of(x).slogdet(x)
    return value, sign_


@logabsdet.vjp
def logabsdet_vjp(dy, x):
    return dy.reshape((*dy.shape, 1, 1)) * mT(inv(x))


# ---------------------------------------------------------------- factorisations


@op
def cholesky(x):
    """The lower triangular L of x = L L^T; the gradient is given as a symmetric matrix."""
    return kernels_of(x).cholesky(x)


@cholesky.vjp
def cholesky_vjp(dy, y):
    inner = matmul(mT(y), dy)
    inner = 0.5 * (tril(inner, diagonal=0) + tril(inner, diagonal=-1))  # the lower triangle, its diagonal halved
    half = solve(mT(y), mT(solve(mT(y), mT(inner))))  # y^-T inner y^-1
    return 0.5 * (half + mT(half))


@op
def qr(x):
    """q and r of x = q r, packed, for at least as many rows as columns: q's columns are orthonormal, r is upper."""
    q, r = kernels_of(x).qr(x, "reduced")
    return pack(q, r)


@qr.vjp
def qr_vjp(dy, x_shape, y):
    m, n = x_shape[-2:]
    q, r = unpacked(y, (m, n), (n, n))
    dq, dr = unpacked(dy, (m, n), (n, n))
    inner = matmul(r, mT(dr)) - matmul(mT(dq), q)
    mirrored = tril(inner, diagonal=0) + mT(tril(inner, diagonal=-1))
    return mT(solve(r, mT(dq + matmul(q, mirrored))))


@op
def qr_complete(x):
    """As qr, with q square and zeros below r: q's last columns are any that complete it, so they have no derivative."""
    q, r = kernels_of(x).qr(x, "complete")
    return pack(q, r)


@qr_complete.vjp
def qr_complete_vjp(dy):
    raise RuntimeError(
        "The QR decomposition is not differentiable when mode='complete' and nrows > ncols: use mode='reduced'"
    )


@op
def eigh(x, *, uplo):
    """The eigenvalues (as one row) and eigenvectors (as columns) of symmetric matrices, packed."""
    values, vectors = kernels_of(x).eigh(x, uplo)
    return pack(values[..., None, :], vectors)


@eigh.vjp
def eigh_vjp(dy, x_shape, y):
    n = x_shape[-1]
    values, vectors = unpacked(y, (1, n), (n, n))
    dvalues, dvectors = unpacked(dy, (1, n), (n, n))
    turn = _over_gaps(matmul(mT(vectors), dvectors), values[..., 0, :])
    return matmul(vectors, matmul(turn, mT(vectors)) + mT(vectors * dvalues))


@op
def eigvalsh(x, *, uplo):
    """The eigenvalues of symmetric matrices, in rising order."""
    return kernels_of(x).eigvalsh(x, uplo)


@eigvalsh.vjp
def eigvalsh_vjp(dy, x, uplo):
    n = x.shape[-1]
    _, vectors = unpacked(eigh(x, uplo=uplo), (1, n), (n, n))
    return matmul(vectors * dy[..., None, :], mT(vectors))


@op
def svd(x):
    """u, s (as one row) and v^T of x = u s v^T, packed; s has the smaller of the two sizes and falls."""
    u, s, vh = kernels_of(x).svd(x, False)
    return pack(u, s[..., None, :], vh)


@svd.vjp
def svd_vjp(dy, x_shape, y):
    m, n = x_shape[-2:]
    k = min(m, n)
    u, s, vh = unpacked(y, (m, k), (1, k), (k, n))
    du, ds, dvh = unpacked(dy, (m, k), (1, k), (k, n))
    turn_u, turn_v = matmul(mT(u), du), matmul(vh, mT(dvh))
    squares = (s * s)[..., 0, :]
    inner = _over_gaps(turn_u - mT(turn_u), squares) * s + mT(s) * _over_gaps(turn_v - mT(turn_v), squares)
    dx = matmul(matmul(u, inner) + u * ds, vh)
    if m > k:
        dx = dx + matmul((du - matmul(u, turn_u)) / s, vh)
    if n > k:
        dx = dx + matmul(u, (dvh - matmul(mT(turn_v), vh)) / mT(s))
    return dx


@op
def svdvals(x):
    """The singular values, falling."""
    return kernels_of(x).svdvals(x)


@svdvals.vjp
def svdvals_vjp(dy, x):
    m, n = x.shape[-2:]
    k = min(m, n)
    u, _, vh = unpacked(svd(x), (m, k), (1, k), (k, n))
    return matmul(u * dy[..., None, :], vh)
