"""Stochastic gradient descent, with momentum."""

from typing import Any

from minigrad.optim.optimizer import Closure, Optimizer, Params
from minigrad.optim.update import (
    check_at_least_zero,
    number,
    refuse_differentiable,
    write,
    zeros_for,
)
from minigrad.tensor import Tensor


def sgd_update(
    param: Any,
    grad: Any,
    momentum_buffer: Any,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """One step for one parameter; writes into `param` and `momentum_buffer` (None without momentum)."""
    g = -grad if maximize else grad  # the direction that lowers the objective is -g
    if weight_decay:
        g = g + weight_decay * param  # the gradient of weight_decay / 2 * |param|^2
    if momentum:
        if first:
            momentum_buffer[...] = g  # b_1 = g_1: the first gradient is not dampened
        else:
            momentum_buffer *= momentum  # b_t = momentum b_{t-1} + (1 - dampening) g_t
            momentum_buffer += (1 - dampening) * g
        g = g + momentum * momentum_buffer if nesterov else momentum_buffer
    param -= lr * g


class SGD(Optimizer):
    r"""Stochastic gradient descent: p <- p - lr g, with g the gradient plus `weight_decay` p.

    With momentum m and dampening d, the step follows a running sum of gradients instead:

        b_1 = g_1;  b_t = m b_{t-1} + (1 - d) g_t        p <- p - lr b_t              (heavy ball)
                                                         p <- p - lr (g_t + m b_t)    (`nesterov`)

    `maximize` climbs instead of descending. `foreach` and `fused` are accepted and change nothing.

    Polyak, "Some methods of speeding up the convergence of iteration methods" (1964); Nesterov (1983), in the form of
    Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning" (2013).
    """

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
            names = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
            options = {name: number(group[name]) for name in names}
            for p, grad in self._gradients(group):
                buffer, first = None, False
                if options["momentum"]:
                    state = self.state[p]
                    first = state.get("momentum_buffer") is None  # also where a state dict of PyTorch's says None
                    buffer = state["momentum_buffer"] = zeros_for(p) if first else state["momentum_buffer"]
                write(sgd_update, p, grad, buffer, first=first, **options)
        return loss
