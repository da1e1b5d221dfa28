"""Schedules made of schedules: one after another, or all at once."""

import bisect
from collections.abc import Sequence
from typing import Any

from minigrad.optim.lr_scheduler.base import LRScheduler, set_option
from minigrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from minigrad.optim.optimizer import Optimizer


class _ComposedLR(LRScheduler):
    """What the two share: their schedulers have state of their own, and belong to one optimizer."""

    _schedulers: list[LRScheduler]

    def _take(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> None:
        name = type(self).__name__
        for i, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise TypeError(f"{name} at index {i} should have `optimizer` as its attribute.")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"{name} does not support `ReduceLROnPlateau` scheduler as its step() needs the metric, but got "
                    f"one at index {i} in the given schedulers sequence."
                )
            optimizer = scheduler.optimizer if optimizer is None else optimizer
            if scheduler.optimizer is not optimizer:
                raise ValueError(
                    f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                    f"{type(scheduler).__name__} at index {i} with another {type(scheduler.optimizer).__name__}."
                )
        assert optimizer is not None
        self.optimizer = optimizer
        self._schedulers = list(schedulers)

    def get_lr(self) -> list[float]:
        return self._rates()

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        rest = dict(state_dict)
        for scheduler, saved in zip(self._schedulers, rest.pop("_schedulers"), strict=True):
            scheduler.load_state_dict(saved)
        super().load_state_dict(rest)


class SequentialLR(_ComposedLR):
    """One schedule after another: `schedulers[i]` takes over at epoch `milestones[i - 1]`, counting from 0 again.

    Warm-up followed by a cosine is SequentialLR(o, [LinearLR(o, 0.01, 1.0, 10), CosineAnnealingLR(o, 90)], [10]). A
    sequence that is itself the first of a sequence reaches its milestones one epoch early, as in PyTorch.
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ):
        if len(schedulers) < 1:
            raise ValueError("SequentialLR expects at least one scheduler, but got no scheduler.")
        self._take(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"Sequential Schedulers expects number of schedulers provided to be one more than the number of "
                f"milestone points, but got number of schedulers {len(schedulers)} and the number of milestones to be "
                f"equal to {len(milestones)}"
            )
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        # Making the schedulers has stepped each of them once: take the rates back, and let the first one alone begin.
        for group in optimizer.param_groups:
            set_option(group, "lr", group["initial_lr"])
        for scheduler in self._schedulers:
            _undo_step(scheduler)
        called, optimizer._opt_called = optimizer._opt_called, True  # this step 0 comes before any of the optimizer
        self._schedulers[0].step()
        optimizer._opt_called = called
        self._last_lr = self._schedulers[0].get_last_lr()
        self._step_count = 1

    def step(self) -> None:  # type: ignore[override]
        """Go on by one epoch."""
        self._count_step()
        self.last_epoch += 1
        i = bisect.bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[i]
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            scheduler._jump(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_ComposedLR):
    """Several schedules at once: each step steps them all, and their factors multiply."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None):
        if len(schedulers) < 1:
            raise ValueError("ChainedScheduler expects at least one scheduler to be chained, but got no scheduler.")
        self._take(schedulers, optimizer)
        self._last_lr = self._rates()

    def step(self) -> None:  # type: ignore[override]
        """Go on by one epoch."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._rates()


def _undo_step(scheduler: LRScheduler) -> None:
    if isinstance(scheduler, _ComposedLR):  # its own count stays, as in PyTorch
        for inner in scheduler._schedulers:
            _undo_step(inner)
    else:
        scheduler.last_epoch -= 1
