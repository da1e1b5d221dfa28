"""The normal (Gaussian) distribution."""

import math
from typing import Any

from minigrad import autograd, random
from minigrad.distributions.distribution import Constraint, Distribution, broadcast_all, positive, real
from minigrad.tensor import Tensor


class Normal(Distribution):
    """p(x) = exp(-(x - loc)^2 / (2 scale^2)) / (scale sqrt(2 pi)); loc and scale > 0 broadcast."""

    has_rsample = True
    arg_constraints: dict[str, Constraint] = {"loc": real, "scale": positive}  # noqa: RUF012
    support = real

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def stddev(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        return self.scale**2

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with autograd.no_grad():
            return random.normal(self.loc.expand(*shape), self.scale.expand(*shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """loc + scale eps with eps ~ N(0, 1)."""
        shape = self._extended_shape(sample_shape)
        eps = random.normal(0.0, 1.0, shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + eps * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        distance = value - self.loc
        return -(distance**2) / (2 * self.scale**2) - self.scale.log() - 0.5 * math.log(2 * math.pi)

    def cdf(self, value: Tensor) -> Tensor:
        self._check_value(value)
        return 0.5 * (1 + ((value - self.loc) / (self.scale * math.sqrt(2))).erf())

    def entropy(self) -> Tensor:
        """log(scale sqrt(2 pi e))."""
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()
