"""Distribution: shapes, checks of parameters and samples, and what follows from the methods of a subclass."""

import functools
from collections.abc import Callable
from typing import Any

from minigrad import autograd, creation
from minigrad.dtype import finfo
from minigrad.indices import broadcast_shape
from minigrad.tensor import Size, Tensor


class Constraint:
    """A condition on values: `check` gives booleans, `str` says it. `event_dim` dims of a value are judged as one."""

    def __init__(self, text: str, check: Callable[[Tensor], Tensor], event_dim: int = 0):
        self.text, self.check, self.event_dim = text, check, event_dim

    def __repr__(self) -> str:
        return self.text


def is_sum_one(value: Tensor) -> Tensor:
    return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


real = Constraint("Real()", lambda x: x == x)
positive = Constraint("GreaterThan(lower_bound=0.0)", lambda x: x > 0)
unit_interval = Constraint("Interval(lower_bound=0.0, upper_bound=1.0)", lambda x: (x >= 0) & (x <= 1))
boolean = Constraint("Boolean()", lambda x: (x == 0) | (x == 1))
simplex = Constraint("Simplex()", is_sum_one, 1)
real_vector = Constraint("IndependentConstraint(Real(), 1)", lambda x: (x == x).all(-1), 1)


class Distribution:
    """Base of the distributions. Samples have the shape sample_shape + batch_shape + event_shape.

    The batch is of distributions with parameters of their own; an event is one draw, a scalar or a vector. A subclass
    sets its parameters before it calls `__init__`, and lists them in `arg_constraints`. With `validate_args` (the
    default) parameters and the values given to `log_prob` are checked: ValueError for those outside their range.
    """

    has_rsample = False
    _validate_args = True

    def __init__(
        self,
        batch_shape: Any = (),
        event_shape: Any = (),
        validate_args: bool | None = None,
    ):
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check what they are given, unless they are told by `validate_args`."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args takes True or False, got {value!r}")
        Distribution._validate_args = value

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        """Parameter -> the condition on it."""
        raise NotImplementedError(f"{type(self).__name__} must list arg_constraints")

    @property
    def support(self) -> Constraint:
        """The condition on values."""
        raise NotImplementedError(f"{type(self).__name__} has no support")

    @property
    def batch_shape(self) -> Size:
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        return self._event_shape

    # ------------------------------------------------------------------ what a subclass writes

    @property
    def mean(self) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no mean")

    @property
    def variance(self) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no variance")

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        raise NotImplementedError(f"{type(self).__name__} has no mode")

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """A sample that is differentiable by the parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no rsample: its samples are not differentiable")

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """A sample of shape sample_shape + batch_shape + event_shape, without a graph."""
        with autograd.no_grad():
            return self.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or probability, at `value`: sample_shape + batch_shape."""
        raise NotImplementedError(f"{type(self).__name__} has no log_prob")

    def entropy(self) -> Tensor:
        """-E log p, in nats: batch_shape."""
        raise NotImplementedError(f"{type(self).__name__} has no entropy")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        raise NotImplementedError(f"{type(self).__name__} has no cdf")

    def expand(self, batch_shape: Any) -> Any:
        """The same distribution with its parameters broadcast to another batch_shape."""
        new, batch_shape = type(self).__new__(type(self)), Size(batch_shape)
        for name, value in vars(self).items():
            is_parameter = name in self.arg_constraints
            vars(new)[name] = value.expand(*batch_shape, *self._dims_of(name, value)) if is_parameter else value
        new._batch_shape = batch_shape
        return new

    def perplexity(self) -> Tensor:
        """exp(entropy)."""
        return self.entropy().exp()

    # ------------------------------------------------------------------ shapes and checks

    def _dims_of(self, name: str, value: Tensor) -> tuple[int, ...]:
        """The dims of a parameter that belong to no batch."""
        event_dim = self.arg_constraints[name].event_dim
        return tuple(value.shape[value.ndim - event_dim :])

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _check_parameters(self) -> None:
        for name, constraint in self.arg_constraints.items():
            value = vars(self).get(name)
            if value is not None and not constraint.check(value.detach()).all():
                raise ValueError(
                    f"Expected parameter {name} (Tensor of shape {tuple(value.shape)}) of distribution {self!r} to "
                    f"satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    def _check_value(self, value: Tensor) -> None:
        """ValueError for a value of log_prob that has another shape or lies outside the support."""
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError(f"The value argument to log_prob must be a Tensor, got {type(value).__name__}")
        shape, wanted = value.shape, self._extended_shape()
        events = len(self._event_shape)
        if tuple(shape[len(shape) - events :]) != tuple(self._event_shape):
            raise ValueError(f"The right-most size of value must match event_shape: {shape} vs {self._event_shape}.")
        for given, own in zip(reversed(shape), reversed(wanted), strict=False):
            if given != own and 1 not in (given, own):
                raise ValueError(f"Value is not broadcastable with batch_shape+event_shape: {value.shape} vs {wanted}.")
        if not self.support.check(value.detach()).all():
            raise ValueError(
                f"Expected value argument (Tensor of shape {tuple(shape)}) to be within the support "
                f"({self.support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
            )

    def __repr__(self) -> str:
        known = {name: vars(self)[name] for name in self.arg_constraints if name in vars(self)}
        shown = [f"{name}: {value if value.numel() == 1 else value.shape}" for name, value in known.items()]
        return f"{type(self).__name__}({', '.join(shown)})"


# ---------------------------------------------------------------- what subclasses share


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and Tensors as Tensors of one shape; numbers take the dtype and device of the first Tensor."""
    like = next((v for v in values if isinstance(v, Tensor)), None)
    for v in values:
        if not isinstance(v, (Tensor, int, float)):
            raise ValueError(f"distribution parameters must be numbers or Tensors, got {type(v).__name__}: {v!r}")
    place = {"dtype": creation.tensor(0.0).dtype} if like is None else {"dtype": like.dtype, "device": like.device}
    tensors = [v if isinstance(v, Tensor) else creation.tensor(float(v), **place) for v in values]
    shape = broadcast_shape(*[tuple(v.shape) for v in tensors])
    return tuple(v if tuple(v.shape) == shape else v.expand(*shape) for v in tensors)


def one_of(probs: Any, logits: Any) -> None:
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


def clamped(probs: Tensor) -> Tensor:
    """Probabilities kept off 0 and 1 by the dtype's epsilon, so that their logarithms are finite."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


class lazily(functools.cached_property):
    """A parameter computed from its twin when first asked for, with gradients on, and kept from then on."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        with autograd.enable_grad():
            return super().__get__(instance, owner)
