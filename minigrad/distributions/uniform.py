"""The uniform distribution on an interval."""

from typing import Any

from minigrad import random
from minigrad.distributions.distribution import Constraint, Distribution, broadcast_all
from minigrad.tensor import Tensor


class Uniform(Distribution):
    """p(x) = 1 / (high - low) on [low, high), 0 elsewhere; low < high broadcast."""

    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None):
        self.low, self.high = broadcast_all(low, high)
        super().__init__(self.low.shape, validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        return {
            "low": Constraint(f"LessThan(upper_bound={self.high})", lambda low: low < self.high),
            "high": Constraint(f"GreaterThan(lower_bound={self.low})", lambda high: high > self.low),
        }

    @property
    def support(self) -> Constraint:
        text = f"Interval(lower_bound={self.low}, upper_bound={self.high})"
        return Constraint(text, lambda x: (x >= self.low) & (x <= self.high))

    @property
    def mean(self) -> Tensor:
        return (self.high + self.low) / 2

    @property
    def stddev(self) -> Tensor:
        return (self.high - self.low) / 12**0.5

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low) ** 2 / 12

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """low + (high - low) u with u uniform on [0, 1)."""
        drawn = random.rand(self._extended_shape(sample_shape), dtype=self.low.dtype, device=self.low.device)
        return self.low + drawn * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        """-log(high - low) inside, -inf at high and beyond (where it is not refused)."""
        self._check_value(value)
        inside = ((self.low <= value) & (self.high > value)).to(self.low.dtype)
        return inside.log() - (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        self._check_value(value)
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of cdf: low + (high - low) value."""
        return self.low + value * (self.high - self.low)

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()
