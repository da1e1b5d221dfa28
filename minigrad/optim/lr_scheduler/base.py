"""LRScheduler: where a learning rate schedule reads and writes the rates of an optimizer."""

import warnings
from typing import Any

from minigrad import autograd
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.update import number
from minigrad.tensor import Tensor


class LRScheduler:
    """Base of the schedules: sets `group["lr"]` of every parameter group of `optimizer`, once per `step()`.

    Call `step()` after `optimizer.step()`, usually once an epoch. Making a scheduler already performs step 0. A
    rate that a group has at that moment is its base rate, kept as `group["initial_lr"]`. `last_epoch` is the number
    of steps taken; pass it to go on with a schedule whose groups carry `initial_lr` (after
    `optimizer.load_state_dict`).

    A subclass writes `get_lr()`: the rates of the groups at `self.last_epoch`, given those of the epoch before,
    which the groups hold. Written so, schedules multiply when several act on one optimizer. Where the rate can be
    had from the epoch alone, `_get_closed_form_lr()` gives it, and `step(epoch)` jumps.
    """

    optimizer: Optimizer
    last_epoch: int

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", number(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with "
                    f"last_epoch >= 0: load the optimizer's state dict first, or start with last_epoch=-1"
                )
        self.optimizer = optimizer
        self.base_lrs = [number(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self.step()

    def step(self, epoch: int | None = None) -> None:
        """Go on by one epoch, or (an old habit) to the epoch given, and set the rates."""
        self._count_step()
        if epoch is None:
            self.last_epoch += 1
            self._set(self.get_lr())
        else:
            warn_of_epoch()
            self._jump(epoch)

    def _count_step(self) -> None:
        if self._step_count == 1 and not self.optimizer._opt_called and "step" not in vars(self.optimizer):
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call `optimizer.step()` first: "
                "otherwise the first value of the learning rate schedule is skipped.",
                UserWarning,
                stacklevel=3,
            )
        self._step_count += 1

    def get_lr(self) -> list[float]:
        """The rates at `last_epoch`, from those the groups hold. For subclasses: programs ask `get_last_lr()`."""
        raise NotImplementedError(f"{type(self).__name__} must write get_lr()")

    def get_last_lr(self) -> list[float]:
        """The rates that this scheduler set last, one per group."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """All that the scheduler holds, except the optimizer."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave. The rates themselves are in the optimizer's state dict: load that too."""
        self.__dict__.update(state_dict)

    def _rates(self) -> list[float]:
        return [number(group["lr"]) for group in self.optimizer.param_groups]

    def _jump(self, epoch: int) -> None:
        self.last_epoch = epoch
        closed_form = getattr(self, "_get_closed_form_lr", None)
        self._set(self.get_lr() if closed_form is None else closed_form())

    def _set(self, rates: list[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=False):  # groups may have been added since
            set_option(group, "lr", rate)
        self._last_lr = self._rates()


def set_option(group: dict[str, Any], name: str, value: float) -> None:
    """Change an option of a group; where it is a tensor, in place, so that whoever holds the tensor sees it."""
    if isinstance(group[name], Tensor):
        with autograd.no_grad():
            group[name].fill_(value)
    else:
        group[name] = value


def warn_of_epoch() -> None:
    warnings.warn(
        "The epoch parameter in `scheduler.step()` is deprecated: call `scheduler.step()` once an epoch. With an epoch "
        "given, the rate is computed from the epoch alone, where the schedule has such a formula.",
        UserWarning,
        stacklevel=3,
    )


def one_per_group(optimizer: Optimizer, value: Any, name: str) -> list:
    """`value` as a list with one entry for each parameter group."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * groups
    if len(value) != groups:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, "
            f"param_groups has {groups}."
        )
    return list(value)
