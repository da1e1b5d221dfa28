"""The categorical distribution: one of K classes."""

import math
from typing import Any

from minigrad import autograd, creation, random
from minigrad.distributions.distribution import (
    Constraint,
    Distribution,
    clamped,
    lazily,
    one_of,
    real_vector,
    simplex,
)
from minigrad.dtype import finfo
from minigrad.indices import broadcast_shape
from minigrad.tensor import Size, Tensor


class Categorical(Distribution):
    """Class k of 0 .. K - 1 with probability probs[..., k], or softmax(logits)[..., k]; give one of the two.

    `probs` (..., K) need not sum to one; both are kept normalised: `logits` are log-probabilities.
    """

    arg_constraints: dict[str, Constraint] = {"probs": simplex, "logits": real_vector}  # noqa: RUF012

    def __init__(self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None):
        one_of(probs, logits)
        name, given = ("probs", probs) if probs is not None else ("logits", logits)
        if given.ndim < 1:  # type: ignore[union-attr]
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = logits - logits.logsumexp(-1, keepdim=True)  # type: ignore[union-attr,operator]
        self._is_probs, self._num_events = probs is not None, given.shape[-1]  # type: ignore[union-attr]
        super().__init__(self._param.shape[:-1], validate_args=validate_args)

    @property
    def _param(self) -> Tensor:
        return self.probs if self._is_probs else self.logits

    @lazily
    def logits(self) -> Tensor:
        return clamped(self.probs).log()

    @lazily
    def probs(self) -> Tensor:
        return self.logits.softmax(-1)

    @property
    def param_shape(self) -> Size:
        return self._param.shape

    @property
    def support(self) -> Constraint:
        last = self._num_events - 1
        text = f"IntegerInterval(lower_bound=0, upper_bound={last})"
        return Constraint(text, lambda x: (x % 1 == 0) & (x >= 0) & (x <= last))

    @property
    def mean(self) -> Tensor:
        """nan: classes are names, not numbers."""
        return creation.full(self._extended_shape(), math.nan, dtype=self.probs.dtype, device=self.probs.device)

    variance = mean

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """int64, sample_shape + batch_shape."""
        shape = self._extended_shape(sample_shape)
        with autograd.no_grad():
            rows = self.probs.reshape(-1, self._num_events)
            return random.multinomial(rows, math.prod(sample_shape), True).t().reshape(*shape)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        index = value.long().unsqueeze(-1)
        lead = broadcast_shape(tuple(value.shape), tuple(self.batch_shape))
        logits = self.logits.expand(*lead, self._num_events)
        return logits.gather(-1, index.expand(*lead, 1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """-sum p log p, where 0 log 0 = 0."""
        return -(self.logits.clamp(min=finfo(self.logits.dtype).min) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All classes along a new first dim: (K, *batch_shape), or (K, 1, ...) without `expand`."""
        classes = creation.arange(self._num_events, device=self._param.device)
        classes = classes.reshape(-1, *[1] * len(self.batch_shape))
        return classes.expand(-1, *self.batch_shape) if expand else classes
