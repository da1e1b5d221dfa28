"""The multinomial distribution: how often each of K classes came up in n draws."""

import math
from typing import Any

import numpy as np

from minigrad import creation
from minigrad.backend import to_host
from minigrad.distributions.categorical import Categorical
from minigrad.distributions.distribution import Constraint, Distribution, clamped, real_vector, simplex
from minigrad.tensor import Size, Tensor, from_array


class Multinomial(Distribution):
    """P(x) = n! / (x_1! ... x_K!) p_1^x_1 ... p_K^x_K for counts x that sum to n = `total_count`.

    `probs` or `logits` (..., K) as in Categorical. A sample holds counts, as floats: (..., K).
    """

    arg_constraints: dict[str, Constraint] = {"probs": simplex, "logits": real_vector}  # noqa: RUF012

    def __init__(
        self, total_count: int = 1, probs: Tensor | None = None, logits: Tensor | None = None,
        validate_args: bool | None = None,
    ):  # fmt: skip
        if not isinstance(total_count, int):
            raise NotImplementedError(
                f"inhomogeneous total_count is not supported: it must be an int, got {type(total_count).__name__}"
            )
        self.total_count = total_count
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args)

    def expand(self, batch_shape: Any) -> "Multinomial":
        new = type(self).__new__(type(self))
        vars(new).update(vars(self))
        new._categorical, new._batch_shape = self._categorical.expand(batch_shape), Size(batch_shape)
        return new

    @property
    def logits(self) -> Tensor:
        return self._categorical.logits

    @property
    def probs(self) -> Tensor:
        return self._categorical.probs

    @property
    def param_shape(self) -> Size:
        return self._categorical.param_shape

    @property
    def support(self) -> Constraint:
        n = self.total_count
        text = f"Multinomial(upper_bound={n})"
        return Constraint(text, lambda x: (x >= 0).all(-1) & (x.sum(-1) <= n), 1)

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        draws = self._categorical.sample((self.total_count, *sample_shape)).movedim(0, -1)  # (..., n)
        counts = creation.zeros(self._extended_shape(sample_shape), dtype=draws.dtype, device=draws.device)
        return counts.scatter_add(-1, draws, draws.ones_like()).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Differentiable by the parameters, not by the counts."""
        self._check_value(value)
        impossible = (value == 0) & (self.logits == -math.inf)  # 0 log 0 = 0
        powers = (self.logits.masked_fill(impossible, 0.0) * value).sum(-1)
        return log_factorial(value.sum(-1)) - log_factorial(value).sum(-1) + powers

    def entropy(self) -> Tensor:
        """n H(p) - log n! + sum over classes of E log x!, where x is binomial."""
        n, probs = self.total_count, clamped(self.probs)
        expected: Any = 0.0
        for x in range(2, n + 1):
            ways = math.lgamma(n + 1) - math.lgamma(x + 1) - math.lgamma(n - x + 1)
            chance = (ways + x * probs.log() + (n - x) * (-probs).log1p()).exp()
            expected = expected + math.lgamma(x + 1) * chance.sum(-1)
        return n * self._categorical.entropy() - math.lgamma(n + 1) + expected


def log_factorial(counts: Tensor) -> Tensor:
    """log(n!) of each entry, as a Tensor without a graph."""
    host = to_host(counts.array).astype(np.float64)
    values = np.vectorize(math.lgamma, otypes=[np.float64])(host + 1)
    return from_array(values.astype(counts.array.dtype), counts.device)
