"""Adadelta: steps in the units of the parameter, without a rate to choose."""

from typing import Any

from minigrad.backend import kernels_of
from minigrad.kernels.optim_reference import fitted
from minigrad.optim.optimizer import Closure, Optimizer, Params
from minigrad.optim.update import (
    advance,
    check_at_least_zero,
    number,
    refuse_differentiable,
    write,
    zeros_for,
)
from minigrad.tensor import Tensor


def adadelta_update(
    param: Any,
    grad: Any,
    square_avg: Any,
    acc_delta: Any,
    *,
    lr: Any,
    rho: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """One step for one parameter; writes into `param`, `square_avg` and `acc_delta`."""
    sqrt = kernels_of(param).sqrt
    g = -grad if maximize else grad
    if weight_decay:
        g = g + weight_decay * param
    square_avg *= rho
    square_avg += (1 - rho) * g * g
    delta = sqrt(acc_delta + eps) / sqrt(square_avg + eps) * g
    acc_delta *= rho
    acc_delta += (1 - rho) * delta * delta
    param -= fitted(lr, param) * delta


class Adadelta(Optimizer):
    r"""Adadelta: the gradient over its running root mean square, times that of the steps taken so far.

        v_t = rho v_{t-1} + (1 - rho) g_t^2
        d_t = sqrt(u_{t-1} + eps) / sqrt(v_t + eps) g_t            u_t = rho u_{t-1} + (1 - rho) d_t^2
        p <- p - lr d_t

    with g the gradient plus `weight_decay` p. `foreach` is accepted and changes nothing; `capturable` is as in Adam.

    Zeiler, "Adadelta: an adaptive learning rate method" (2012, arXiv:1212.5701), where lr is 1.
    """

    can_be_captured = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        defaults = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        refuse_differentiable(options)
        check_at_least_zero(
            options, lr="learning rate", rho="rho value", eps="epsilon value", weight_decay="weight_decay value"
        )
        if options["rho"] > 1:
            raise ValueError(f"Invalid rho value: {options['rho']}")

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient; returns what `closure` returns."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            options = {name: number(group[name]) for name in ("rho", "eps", "weight_decay", "maximize")}
            options["lr"] = self._rate(group)
            for p, grad in self._gradients(group):
                state = self.state[p]
                if not state:
                    state.update(step=self._first_count(group), square_avg=zeros_for(p), acc_delta=zeros_for(p))
                advance(state)
                write(adadelta_update, p, grad, state["square_avg"], state["acc_delta"], **options)
        return loss
