"""Schedules that multiply the base rate by a factor of the epoch."""

import bisect
import types
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from minigrad.optim.lr_scheduler.base import LRScheduler
from minigrad.optim.optimizer import Optimizer

Function = Callable[[int], float]


class _FactorLR(LRScheduler):
    """rate(t) = base rate x factor(t), one factor for all groups.

    Subclasses write `_factor(t)`, and `_ratio(t)` = factor(t) / factor(t - 1) in a form that is exact: the
    int 1 where nothing changes, so that a rate given as an int stays one.
    """

    def _factor(self, epoch: int) -> float:
        raise NotImplementedError

    def _ratio(self, epoch: int) -> float:
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        ratio = self._ratio(self.last_epoch)
        return [rate * ratio for rate in self._rates()]

    def _get_closed_form_lr(self) -> list[float]:
        factor = self._factor(self.last_epoch)
        return [base * factor for base in self.base_lrs]


class StepLR(_FactorLR):
    """The rate is multiplied by `gamma` every `step_size` epochs: factor(t) = gamma ^ floor(t / step_size)."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        if step_size < 1:
            raise ValueError(f"Expected positive integer step_size, but got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        return self.gamma ** (epoch // self.step_size)

    def _ratio(self, epoch: int) -> float:
        return self.gamma if epoch and epoch % self.step_size == 0 else 1


class MultiStepLR(_FactorLR):
    """The rate is multiplied by `gamma` at each of the `milestones`: factor(t) = gamma ^ (milestones up to t)."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        return self.gamma ** bisect.bisect_right(sorted(self.milestones.elements()), epoch)

    def _ratio(self, epoch: int) -> float:
        passed = self.milestones[epoch]
        return self.gamma**passed if passed else 1


class ConstantLR(_FactorLR):
    """The rate is multiplied by `factor` for the first `total_iters` epochs, and full from then on."""

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1):
        if not 0 <= factor <= 1:
            raise ValueError(f"Constant multiplicative factor expected to be between 0 and 1, got {factor}")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        return self.factor if epoch < self.total_iters else 1.0

    def _ratio(self, epoch: int) -> float:
        return self.factor if epoch == 0 else 1.0 / self.factor if epoch == self.total_iters else 1

    def get_lr(self) -> list[float]:
        if self.factor == 0 and self.last_epoch == self.total_iters:
            return list(self.base_lrs)  # no ratio leads back from a rate of zero
        return super().get_lr()


class LinearLR(_FactorLR):
    """The factor goes in a line from `start_factor` to `end_factor` in `total_iters` epochs, and stays there."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if not 0 < start_factor <= 1:
            raise ValueError(
                f"Starting multiplicative factor expected to be greater than 0 and less or equal to 1, "
                f"got {start_factor}"
            )
        if not 0 <= end_factor <= 1:
            raise ValueError(f"Ending multiplicative factor expected to be between 0 and 1, got {end_factor}")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        rise = self.end_factor - self.start_factor
        return self.start_factor + rise * min(self.total_iters, epoch) / self.total_iters

    def _ratio(self, epoch: int) -> float:
        if epoch == 0:
            return self.start_factor
        if epoch > self.total_iters:
            return 1
        rise = self.end_factor - self.start_factor
        return 1.0 + rise / (self.total_iters * self.start_factor + (epoch - 1) * rise)


class ExponentialLR(_FactorLR):
    """The rate is multiplied by `gamma` each epoch: factor(t) = gamma ^ t."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        return self.gamma**epoch

    def _ratio(self, epoch: int) -> float:
        return self.gamma if epoch else 1


class PolynomialLR(_FactorLR):
    """The rate falls to zero in `total_iters` epochs: factor(t) = (1 - t / total_iters) ^ power."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1):
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        return (1.0 - min(self.total_iters, epoch) / self.total_iters) ** self.power

    def _ratio(self, epoch: int) -> float:
        if epoch == 0 or epoch > self.total_iters:
            return 1
        return ((1.0 - epoch / self.total_iters) / (1.0 - (epoch - 1) / self.total_iters)) ** self.power


class _FunctionLR(LRScheduler):
    """A schedule by functions of the epoch: one for all groups, or a list with one for each.

    State dicts hold the attributes of a callable object, and None in place of a function: functions are not saved.
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Function | list[Function], last_epoch: int = -1):
        if isinstance(lr_lambda, (list, tuple)):
            if len(lr_lambda) != len(optimizer.param_groups):
                raise ValueError(f"Expected {len(optimizer.param_groups)} lr_lambdas, but got {len(lr_lambda)}")
            self.lr_lambdas = list(lr_lambda)
        else:
            self.lr_lambdas = [lr_lambda] * len(optimizer.param_groups)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(
                    f"lr_lambda must be a function of the epoch, got {type(function).__name__}: {function!r}"
                )
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        saved = [None if _is_function(f) else vars(f).copy() for f in self.lr_lambdas]
        return {**super().state_dict(), "lr_lambdas": saved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        rest = dict(state_dict)
        for function, saved in zip(self.lr_lambdas, rest.pop("lr_lambdas"), strict=True):
            if saved is not None:
                vars(function).update(saved)
        super().load_state_dict(rest)


class LambdaLR(_FunctionLR):
    """rate(t) = base rate x lr_lambda(t)."""

    def get_lr(self) -> list[float]:
        return [base * function(self.last_epoch) for base, function in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(_FunctionLR):
    """rate(t) = rate(t - 1) x lr_lambda(t), from t = 1 on."""

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return self._rates()
        return [
            rate * function(self.last_epoch) for rate, function in zip(self._rates(), self.lr_lambdas, strict=False)
        ]


def _is_function(function: Any) -> bool:
    return isinstance(function, (types.FunctionType, types.BuiltinFunctionType, types.MethodType)) or not hasattr(
        function, "__dict__"
    )
