"""Schedules that follow a cosine: annealing, annealing with warm restarts, and the one-cycle policy."""

import math
from typing import Any, Literal

from minigrad.optim.lr_scheduler.base import LRScheduler, one_per_group, set_option
from minigrad.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the base rate down to `eta_min` in `T_max` epochs, and up again in the next.

        rate(t) = eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017), without the restarts.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        if T_max == 0:
            raise ValueError("Expected T_max other than 0: the number of epochs from the base rate down to eta_min")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        t = self.last_epoch
        if t == 0:
            return self._rates()
        if self._step_count == 1:  # resumed
            return self._get_closed_form_lr()
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # the epoch before was at eta_min: no ratio leads away from it
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            rates = zip(self._rates(), self.base_lrs, strict=False)
            return [rate + (base - self.eta_min) * rise for rate, base in rates]
        ratio = (1 + math.cos(math.pi * t / self.T_max)) / (1 + math.cos(math.pi * (t - 1) / self.T_max))
        return [ratio * (rate - self.eta_min) + self.eta_min for rate in self._rates()]

    def _get_closed_form_lr(self) -> list[float]:
        return [_cosine(base, self.eta_min, self.last_epoch / self.T_max) for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Cosine annealing that starts again from the base rate after T_0, then T_0 T_mult, then T_0 T_mult^2 ... epochs.

        rate = eta_min + (base - eta_min) (1 + cos(pi T_cur / T_i)) / 2

    with T_cur epochs since the last restart, T_i between it and the next. `step(epoch)` may be called within an
    epoch with a fraction: `step(epoch + batch / batches)`.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017).
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1):
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (int, float)):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        self.T_0, self.T_i, self.T_mult, self.eta_min = T_0, T_0, T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [_cosine(base, self.eta_min, self.T_cur / self.T_i) for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on by one epoch, or to the epoch given, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur - self.T_i, self.T_i * self.T_mult
        elif epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        else:
            self.T_cur, self.T_i = epoch, self.T_0
            if self.T_mult == 1:
                self.T_cur = epoch % self.T_0
            while self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur - self.T_i, self.T_i * self.T_mult
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())


class OneCycleLR(LRScheduler):
    """Up to `max_lr` and down far below the start, once in the whole training; call `step()` after each batch.

    The rate rises from max_lr / div_factor to `max_lr` in the first `pct_start` of the steps, and falls to the
    first rate / final_div_factor in the rest; `three_phase` comes down symmetrically first. The steps between
    follow half a cosine, or a line (`anneal_strategy`). With `cycle_momentum`, momentum (or Adam's beta1) goes the
    other way, between `max_momentum` and `base_momentum`. The number of steps is `total_steps`, or `epochs` times
    `steps_per_epoch`.

    Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates" (2018).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.total_steps = _count_of_steps(total_steps, epochs, steps_per_epoch)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = "betas" in optimizer.defaults
        if cycle_momentum and not self.use_beta1 and "momentum" not in optimizer.defaults:
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        if last_epoch == -1:
            highest = one_per_group(optimizer, max_lr, "max_lr")
            low_momenta = one_per_group(optimizer, base_momentum, "base_momentum")
            high_momenta = one_per_group(optimizer, max_momentum, "max_momentum")
            for group, top, low, high in zip(optimizer.param_groups, highest, low_momenta, high_momenta, strict=True):
                group["initial_lr"] = top / div_factor
                group["max_lr"] = top
                group["min_lr"] = group["initial_lr"] / final_div_factor
                if cycle_momentum:
                    self._set_momentum(group, high)
                    group["max_momentum"], group["base_momentum"] = high, low
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates at `last_epoch`; sets the momenta besides."""
        t = self.last_epoch
        if t > self.total_steps:
            raise ValueError(f"Tried to step {t} times. The specified number of total steps is {self.total_steps}")
        start = 0.0
        for phase in self._schedule_phases:
            end = phase["end_step"]
            if t <= end or phase is self._schedule_phases[-1]:
                break
            start = end
        anneal = _cosine if self._anneal_func_type == "cos" else _line
        fraction = (t - start) / (end - start)
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(anneal(group[phase["start_lr"]], group[phase["end_lr"]], fraction))
            if self.cycle_momentum:
                self._set_momentum(
                    group, anneal(group[phase["start_momentum"]], group[phase["end_momentum"]], fraction)
                )
        return rates

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            set_option(group, "momentum", momentum)


def _count_of_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is not None:
        if not isinstance(total_steps, int) or total_steps <= 0:
            raise ValueError(f"Expected positive integer total_steps, but got {total_steps}")
        return total_steps
    if epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"Expected positive integer {name}, but got {value}")
    return epochs * steps_per_epoch


def _phases(total_steps: int, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
    """Where each phase ends, and between which options of a group rate and momentum move in it."""
    rise = pct_start * total_steps - 1
    if three_phase:
        ends = [(rise, "max_lr"), (2 * pct_start * total_steps - 2, "initial_lr"), (total_steps - 1, "min_lr")]
    else:
        ends = [(rise, "max_lr"), (total_steps - 1, "min_lr")]
    phases = []
    rate, momentum = "initial_lr", "max_momentum"
    for end_step, end_rate in ends:
        end_momentum = "base_momentum" if end_rate == "max_lr" else "max_momentum"
        phases.append(
            {
                "end_step": end_step,
                "start_lr": rate,
                "end_lr": end_rate,
                "start_momentum": momentum,
                "end_momentum": end_momentum,
            }
        )
        rate, momentum = end_rate, end_momentum
    return phases


def _cosine(start: float, end: float, fraction: float) -> float:
    """From `start` at fraction 0 to `end` at 1 along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


def _line(start: float, end: float, fraction: float) -> float:
    return start + (end - start) * fraction
