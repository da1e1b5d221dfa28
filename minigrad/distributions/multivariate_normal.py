"""The normal distribution of vectors."""

import math
from typing import Any

from minigrad import autograd, linalg, random
from minigrad.distributions.distribution import Constraint, Distribution, lazily, real_vector
from minigrad.indices import broadcast_shape
from minigrad.tensor import Tensor


def _is_positive_definite(x: Tensor) -> Tensor:
    symmetric = x.isclose(x.mT, atol=1e-6).all(-1).all(-1)
    return symmetric & (linalg.eigvalsh(x) > 0).all(-1)


def _is_lower_cholesky(x: Tensor) -> Tensor:
    return (x.tril() == x).all(-1).all(-1) & (x.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


positive_definite = Constraint("PositiveDefinite()", _is_positive_definite, 2)
lower_cholesky = Constraint("LowerCholesky()", _is_lower_cholesky, 2)


class MultivariateNormal(Distribution):
    """p(x) = exp(-(x - loc)^T C^-1 (x - loc) / 2) / sqrt((2 pi)^D det C), for vectors x of D numbers.

    C is given as `covariance_matrix`, by its inverse `precision_matrix`, or by `scale_tril`, the lower triangular L of
    C = L L^T that all formulas work with; the other two are worked out when asked for. loc (..., D) and the matrices
    (..., D, D) broadcast.
    """

    has_rsample = True
    arg_constraints: dict[str, Constraint] = {  # noqa: RUF012
        "loc": real_vector,
        "covariance_matrix": positive_definite,
        "precision_matrix": positive_definite,
        "scale_tril": lower_cholesky,
    }
    support = real_vector

    def __init__(
        self, loc: Tensor, covariance_matrix: Tensor | None = None, precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None, validate_args: bool | None = None,
    ):  # fmt: skip
        given = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        named = [(name, matrix) for name, matrix in given.items() if matrix is not None]
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        if len(named) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = named
        if matrix.ndim < 2:
            raise ValueError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
        batch = broadcast_shape(tuple(matrix.shape[:-2]), tuple(loc.shape[:-1]))
        self.loc = loc.expand(*batch, -1)
        vars(self)[name] = matrix.expand(*batch, -1, -1)
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)

    @lazily
    def scale_tril(self) -> Tensor:
        if "covariance_matrix" in vars(self):
            return linalg.cholesky(self.covariance_matrix)
        return linalg.cholesky(linalg.inv(self.precision_matrix))

    @lazily
    def covariance_matrix(self) -> Tensor:
        return self.scale_tril @ self.scale_tril.mT

    @lazily
    def precision_matrix(self) -> Tensor:
        return linalg.inv(self.covariance_matrix)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self._tril.square().sum(-1).expand(*self.batch_shape, *self.event_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """loc + L eps with eps ~ N(0, 1)."""
        eps = random.normal(0.0, 1.0, self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + (self._tril @ eps.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """With y of L y = x - loc: -(D log 2 pi + |y|^2) / 2 - log det L."""
        self._check_value(value)
        tril = self._tril
        distance = (value - self.loc).unsqueeze(-1)
        shape = broadcast_shape(tuple(tril.shape[:-2]), tuple(distance.shape[:-2]))
        y = linalg.solve_triangular(tril.expand(*shape, -1, -1), distance.expand(*shape, -1, -1), upper=False)
        constant = self.event_shape[0] * math.log(2 * math.pi)
        return -0.5 * (constant + y.square().sum(-1).sum(-1)) - self._half_log_det()

    def entropy(self) -> Tensor:
        """D (1 + log 2 pi) / 2 + log det L."""
        return 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi)) + self._half_log_det()

    @property
    def _tril(self) -> Tensor:
        """L, under a name of its own: what is asked for is listed by repr from then on, and this was not."""
        known = vars(self)
        if "scale_tril" in known:
            return known["scale_tril"]
        if "_kept_tril" not in known:
            with autograd.enable_grad():
                known["_kept_tril"] = type(self).scale_tril.func(self)
        return known["_kept_tril"]

    def _half_log_det(self) -> Tensor:
        return self._tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def expand(self, batch_shape: Any) -> "MultivariateNormal":
        new = super().expand(batch_shape)
        vars(new).pop("_kept_tril", None)
        return new
