"""Stochastic gradient descent, with momentum."""

from typing import Any

from minigrad.backend import kernels_of
from minigrad.optim.optimizer import Closure, Optimizer, Params
from minigrad.optim.update import (
    check_at_least_zero,
    fitting,
    number,
    refuse_differentiable,
    write,
    zeros_for,
)
from minigrad.tensor import Tensor


def sgd_update(param: Any, grad: Any, momentum_buffer: Any, **options: Any) -> None:
    """One step for one parameter. The formula is `minigrad.kernels.optim_reference.sgd_update`, which takes lists."""
    buffers = None if momentum_buffer is None else [momentum_buffer]
    kernels_of(param).sgd_update([param], [grad], buffers, **options)


class SGD(Optimizer):
    r"""Stochastic gradient descent: p <- p - lr g, with g the gradient plus `weight_decay` p.

    With momentum m and dampening d, the step follows a running sum of gradients instead:

        b_1 = g_1;  b_t = m b_{t-1} + (1 - d) g_t        p <- p - lr b_t              (heavy ball)
                                                         p <- p - lr (g_t + m b_t)    (`nesterov`)

    `maximize` climbs instead of descending. `foreach` and `fused` are accepted and change nothing.

    Polyak, "Some methods of speeding up the convergence of iteration methods" (1964); Nesterov (1983), in the form of
    Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning" (2013).
    """

    can_be_captured = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
            "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        refuse_differentiable(options)
        check_at_least_zero(options, lr="learning rate", momentum="momentum value", weight_decay="weight_decay value")
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient; returns what `closure` returns."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            names = ("momentum", "dampening", "weight_decay", "nesterov", "maximize")
            options = {"lr": self._rate(group), **{name: number(group[name]) for name in names}}
            batches: dict[tuple, list] = {}  # by kind of array and by whether it is the first step: nearly always one
            for p, grad in self._gradients(group):
                buffer, first = None, False
                if options["momentum"]:
                    state = self.state[p]
                    first = state.get("momentum_buffer") is None  # also where a state dict of PyTorch's says None
                    buffer = state["momentum_buffer"] = zeros_for(p) if first else state["momentum_buffer"]
                if p.array.dtype.itemsize == 2:
                    write(sgd_update, p, grad, buffer, first=first, **options)
                else:
                    batches.setdefault((type(p.array), first), []).append((p, grad, buffer))
            for (_, first), batch in batches.items():
                params, grads, buffers = ([row[i] for row in batch] for i in range(3))
                arrays = [p.array for p in params]
                moving = [fitting(b, p) for b, p in zip(buffers, params, strict=True)] if options["momentum"] else None
                kernels_of(arrays[0]).sgd_update(arrays, grads, moving, first=first, **options)
                for p in params:
                    p.bump_version()
        return loss
