"""The Bernoulli distribution: a coin."""

import math
from typing import Any

from minigrad import autograd, random
from minigrad.distributions.distribution import (
    Constraint,
    Distribution,
    boolean,
    broadcast_all,
    clamped,
    lazily,
    one_of,
    real,
    unit_interval,
)
from minigrad.nn.functional import binary_cross_entropy_with_logits
from minigrad.tensor import Tensor


class Bernoulli(Distribution):
    """1 with probability `probs` = sigmoid(`logits`), else 0; give one of the two."""

    arg_constraints: dict[str, Constraint] = {"probs": unit_interval, "logits": real}  # noqa: RUF012
    support = boolean

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        one_of(probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        else:
            (self.logits,) = broadcast_all(logits)
        self._is_probs = probs is not None
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def _param(self) -> Tensor:
        return self.probs if self._is_probs else self.logits

    @lazily
    def logits(self) -> Tensor:
        """The log-odds log(p / (1 - p))."""
        probs = clamped(self.probs)
        return probs.log() - (-probs).log1p()

    @lazily
    def probs(self) -> Tensor:
        return self.logits.sigmoid()

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        """0 or 1; nan where both are as likely."""
        return (self.probs >= 0.5).to(self.probs.dtype).masked_fill(self.probs == 0.5, math.nan)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with autograd.no_grad():
            return random.bernoulli(self.probs.expand(*self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
