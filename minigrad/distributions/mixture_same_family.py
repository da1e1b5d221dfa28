"""Mixtures of distributions of one kind."""

from typing import Any

from minigrad import autograd
from minigrad.distributions.categorical import Categorical
from minigrad.distributions.distribution import Constraint, Distribution
from minigrad.tensor import Tensor


class MixtureSameFamily(Distribution):
    """sum_k w_k p_k(x): the last batch dim of the components holds the K of them, their weights are a Categorical's."""

    arg_constraints: dict[str, Constraint] = {}  # noqa: RUF012

    def __init__(
        self, mixture_distribution: Categorical, component_distribution: Distribution,
        validate_args: bool | None = None,
    ):  # fmt: skip
        weights, parts = mixture_distribution, component_distribution
        if not isinstance(weights, Categorical):
            raise ValueError(" The Mixture distribution needs to be an  instance of torch.distributions.Categorical")
        if not isinstance(parts, Distribution):
            raise ValueError("The Component distribution needs to be an instance of torch.distributions.Distribution")
        batch = parts.batch_shape[:-1]
        for own, other in zip(reversed(weights.batch_shape), reversed(batch), strict=False):
            if own != 1 and other != 1 and own != other:
                raise ValueError(
                    f"`mixture_distribution.batch_shape` ({weights.batch_shape}) is not compatible with "
                    f"`component_distribution.batch_shape`({batch})"
                )
        k, have = weights.logits.shape[-1], parts.batch_shape[-1]
        if k != have:
            raise ValueError(
                f"`mixture_distribution component` ({k}) does not equal `component_distribution.batch_shape[-1]` "
                f"({have})"
            )
        self.mixture_distribution, self.component_distribution = weights, parts
        super().__init__(batch, parts.event_shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        inner, at = self.component_distribution.support, -1 - len(self.event_shape)
        return Constraint(
            f"MixtureSameFamilyConstraint({inner!r})",
            lambda x: inner.check(x.unsqueeze(at)).all(-1),
            inner.event_dim,
        )

    @property
    def mean(self) -> Tensor:
        return self._weighted(self.component_distribution.mean)

    @property
    def variance(self) -> Tensor:
        """Within the components and between them."""
        means = self.component_distribution.mean
        within = self._weighted(self.component_distribution.variance)
        return within + self._weighted((means - self._spread(self.mean)).square())

    def cdf(self, value: Tensor) -> Tensor:
        of_each = self.component_distribution.cdf(self._spread(value))
        return (of_each * self.mixture_distribution.probs).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        of_each = self.component_distribution.log_prob(self._spread(value))
        return (of_each + self.mixture_distribution.logits.log_softmax(-1)).logsumexp(-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """A component is drawn, then a value from each, of which the drawn component's is taken."""
        with autograd.no_grad():
            chosen = self.mixture_distribution.sample(sample_shape)
            values = self.component_distribution.sample(sample_shape)
            events = len(self.event_shape)
            index = chosen.reshape(*chosen.shape, *[1] * (events + 1))
            index = index.expand(*values.shape[: values.ndim - events - 1], 1, *self.event_shape)
            return values.gather(values.ndim - events - 1, index).squeeze(-1 - events)

    def expand(self, batch_shape: Any) -> "MixtureSameFamily":
        k = self.component_distribution.batch_shape[-1]
        parts = self.component_distribution.expand((*batch_shape, k))
        return MixtureSameFamily(self.mixture_distribution.expand(batch_shape), parts, self._validate_args)

    def _spread(self, value: Tensor) -> Tensor:
        """The value with a dim for the components, before the dims of an event."""
        return value.unsqueeze(-1 - len(self.event_shape))

    def _weighted(self, values: Tensor) -> Tensor:
        """The mean over the components."""
        events = len(self.event_shape)
        weights = self.mixture_distribution.probs
        weights = weights.reshape(*weights.shape, *[1] * events)
        return (weights * values).sum(-1 - events)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
