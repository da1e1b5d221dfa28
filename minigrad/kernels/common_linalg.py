"""Inverses, determinants and factorisations in plain array code, valid for NumPy and CuPy alike.

Both hand the last two axes to LAPACK (cuSOLVER), batches included. What differs is settled here: of a matrix that is
singular, or not positive definite, NumPy raises and CuPy gives nan; here both raise `LinAlgError`. That check makes the
host wait for a GPU, as it does in PyTorch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.backend import array_module


class LinAlgError(RuntimeError):
    """A matrix that has no inverse, no Cholesky factor, or whose factorisation did not converge."""


def inv(x):
    return _checked("linalg.inv", x, lambda a: array_module(a).linalg.inv(a), _SINGULAR.format("inversion"))


def solve(a, b):
    """The solution y of a y = b, for b with columns; batch axes broadcast."""
    xp = array_module(a)
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = xp.broadcast_to(a, (*lead, *a.shape[-2:])), xp.broadcast_to(b, (*lead, *b.shape[-2:]))
    return _checked("linalg.solve", a, lambda a, b: xp.linalg.solve(a, b), _SINGULAR.format("solver"), b)


def det(x):
    return array_module(x).linalg.det(x)


def slogdet(x):
    """(sign, log |det|): of a singular matrix 0 and -inf."""
    sign, logabsdet = array_module(x).linalg.slogdet(x)
    return sign, logabsdet


def cholesky(x):
    """The lower factor L of x = L L^T; the upper triangle of x is not read."""
    why = "the factorization could not be completed because the input is not positive-definite"
    return _checked("linalg.cholesky", x, lambda a: array_module(a).linalg.cholesky(a), why)


def qr(x, mode):
    """(q, r), both "reduced" or both "complete"."""
    q, r = array_module(x).linalg.qr(x, mode)
    return q, r


def eigh(x, uplo):
    """(eigenvalues in rising order, eigenvectors as columns) of symmetric matrices, read from one triangle."""
    return _converged("linalg.eigh", x, lambda a: array_module(a).linalg.eigh(a, uplo))


def eigvalsh(x, uplo):
    return _converged("linalg.eigvalsh", x, lambda a: array_module(a).linalg.eigvalsh(a, uplo))


def svd(x, full):
    """(u, s, vh), with s falling; `full`: u and vh square."""
    return _converged("linalg.svd", x, lambda a: array_module(a).linalg.svd(a, full))


def svdvals(x):
    return _converged("linalg.svdvals", x, lambda a: array_module(a).linalg.svd(a, False, False))


_SINGULAR = "the {} could not be completed because the input matrix is singular"


def _checked(name: str, x: Any, compute: Callable, why: str, *more: Any) -> Any:
    """compute(x, *more), or LinAlgError that says of which matrix of the batch it is impossible."""
    try:
        y = compute(x, *more)
    except np.linalg.LinAlgError:
        raise LinAlgError(f"{name}: {_which(x, compute, more)}{why}.") from None
    xp = array_module(x)
    if xp is not np and not bool(xp.isfinite(y).all()) and bool(xp.isfinite(x).all()):
        raise LinAlgError(f"{name}: {why}.")
    return y


def _which(x: Any, compute: Callable, more: tuple) -> str:
    for index in np.ndindex(x.shape[:-2]):
        try:
            compute(x[index], *(b[index] for b in more))
        except np.linalg.LinAlgError:
            break
    return f"(Batch element {np.ravel_multi_index(index, x.shape[:-2])}): " if x.ndim > 2 else ""


def _converged(name: str, x: Any, compute: Callable) -> Any:
    try:
        return compute(x)
    except np.linalg.LinAlgError as error:
        raise LinAlgError(
            f"{name}: the algorithm failed to converge because the input matrix is ill-conditioned, has too many "
            f"repeated values, or holds nan or inf."
        ) from error
