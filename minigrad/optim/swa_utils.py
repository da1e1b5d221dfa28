"""Averages of a model's weights along its training: equal ones (SWA) and exponential ones (EMA).

    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.999))
    for batch in loader:
        ...                                  # a step of the optimizer on `model`
        averaged.update_parameters(model)
    update_bn(loader, averaged)              # batch norm's statistics belong to the weights they were taken with

Sources: Izmailov et al., arXiv:1803.05407 (SWA, with the learning rate that stays up: SWALR); Polyak and Juditsky,
SIAM J. Control Optim. 30 (1992), 838.
"""

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from minigrad import autograd, creation, nn
from minigrad.dtype import int64
from minigrad.nn.batchnorm import _BatchNorm
from minigrad.optim.lr_scheduler.base import LRScheduler, one_per_group
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.update import number
from minigrad.tensor import Tensor

Average = Callable[[Tensor, Tensor, Any], Tensor]
AverageOfAll = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]

# ---------------------------------------------------------------- the averages


def get_swa_avg_fn() -> Average:
    """average <- average + (new - average) / (n + 1): all models that were averaged weigh the same."""

    def swa_update(averaged: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        return averaged + (current - averaged) / (num_averaged + 1)

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """average <- decay average + (1 - decay) new. ValueError for a decay outside [0, 1]."""
    _check_decay(decay)

    def ema_update(averaged: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        return decay * averaged + (1 - decay) * current

    return ema_update


def get_swa_multi_avg_fn() -> AverageOfAll:
    """`get_swa_avg_fn` for lists of parameters, which are written into."""

    def swa_update(averaged: Sequence[Tensor], current: Sequence[Tensor], num_averaged: Any) -> None:
        for mine, theirs in zip(averaged, current, strict=True):
            mine.lerp_(theirs, 1 / (float(num_averaged) + 1))

    return swa_update


def get_ema_multi_avg_fn(decay: float = 0.999) -> AverageOfAll:
    """`get_ema_avg_fn` for lists of parameters, which are written into."""
    _check_decay(decay)

    def ema_update(averaged: Sequence[Tensor], current: Sequence[Tensor], num_averaged: Any) -> None:
        for mine, theirs in zip(averaged, current, strict=True):
            mine.lerp_(theirs, 1 - decay)

    return ema_update


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


# ---------------------------------------------------------------- the averaged model


class AveragedModel(nn.Module):
    """A copy of a model, as `module`, whose parameters are averages of the model's; it is called as the model is.

    `update_parameters(model)` takes the model into the average, the first time by copying it. How they are averaged is
    said by `avg_fn` (average, new, n) -> average or by `multi_avg_fn`, which writes into lists of averages; equally,
    by default. Buffers, such as batch norm's statistics, are copied, or with `use_buffers` averaged as well.
    `n_averaged` counts. AssertionError for both functions.
    """

    n_averaged: Tensor

    def __init__(
        self, model: nn.Module, device: Any = None, avg_fn: Average | None = None,
        multi_avg_fn: AverageOfAll | None = None, use_buffers: bool = False,
    ):  # fmt: skip
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", creation.tensor(0, dtype=int64, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def update_parameters(self, model: nn.Module) -> None:
        """Take the model's weights into the average."""
        with autograd.no_grad():
            mine, theirs = (self._averaged_of(m) for m in (self.module, model))
            pairs = [(a, b.to(a.device)) for a, b in zip(mine, theirs, strict=False)]
            if not int(self.n_averaged):
                for a, b in pairs:
                    a.copy_(b)
            elif self.multi_avg_fn is not None:
                self.multi_avg_fn([a for a, _ in pairs], [b for _, b in pairs], self.n_averaged)
            else:
                average = self.avg_fn or get_swa_avg_fn()
                for a, b in pairs:
                    a.copy_(average(a, b, self.n_averaged))
            if not self.use_buffers:
                for a, b in zip(self.module.buffers(), model.buffers(), strict=False):
                    a.copy_(b.to(a.device))
            self.n_averaged += 1

    def _averaged_of(self, model: nn.Module) -> list[Tensor]:
        tensors = itertools.chain(model.parameters(), model.buffers() if self.use_buffers else ())
        return [tensor.detach() for tensor in tensors]


def update_bn(loader: Iterable, model: nn.Module, device: Any = None) -> None:
    """Take the running statistics of all batch norms anew: the means over the batches of `loader`.

    A batch that is a tuple or list gives its first entry. The model runs in training mode, without gradients, and is
    left in the mode it was in.
    """
    momenta = {module: module.momentum for module in model.modules() if isinstance(module, _BatchNorm)}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None  # statistics become means over all batches
    with autograd.no_grad():
        for batch in loader:
            batch = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(batch if device is None else batch.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


# ---------------------------------------------------------------- the rate it is averaged at


class SWALR(LRScheduler):
    """From the rate that is there to `swa_lr` in `anneal_epochs` steps, by a cosine or a line, and constant then.

    `swa_lr` is a number or one for each parameter group. ValueError for another `anneal_strategy`, or epochs below 0.
    """

    def __init__(
        self, optimizer: Optimizer, swa_lr: float | list[float], anneal_epochs: int = 10, anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ):  # fmt: skip
        for rate, group in zip(one_per_group(optimizer, swa_lr, "swa_lr"), optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """How far the rate has gone towards swa_lr: 0 at the start, 1 from `anneal_epochs` on."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self.anneal_strategy == "cos" else t

    def get_lr(self) -> list[float]:
        step = self._step_count - 1
        step = step if self.anneal_epochs else max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for rate, group in zip(self._rates(), self.optimizer.param_groups, strict=True):
            goal = number(group["swa_lr"])
            start = goal if before == 1 else (rate - before * goal) / (1 - before)
            rates.append(goal * now + start * (1 - now))
        return rates
