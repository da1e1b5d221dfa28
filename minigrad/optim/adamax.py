"""Adamax: Adam with the largest gradient in the place of their root mean square."""

from typing import Any

from minigrad.backend import kernels_of
from minigrad.kernels.optim_reference import fitted, wide
from minigrad.optim.optimizer import Closure, Optimizer, Params
from minigrad.optim.update import (
    advance,
    check_at_least_zero,
    check_betas,
    number,
    refuse_differentiable,
    write,
    zeros_for,
)
from minigrad.tensor import Tensor


def adamax_update(
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_inf: Any,
    *,
    step: Any,
    lr: Any,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Step number `step` (from 1) for one parameter; writes into `param`, `exp_avg` and `exp_inf`."""
    g = -grad if maximize else grad
    if weight_decay:
        g = g + weight_decay * param
    exp_avg += (1 - beta1) * (g - exp_avg)
    exp_inf[...] = kernels_of(param).maximum(exp_inf * beta2, abs(g) + eps)
    param -= fitted(lr / (1 - beta1 ** wide(step)), param) * exp_avg / exp_inf


class Adamax(Optimizer):
    r"""Adamax: Adam whose denominator is a decaying maximum, the limit of its norm for ever higher powers.

        m_t = beta1 m_{t-1} + (1 - beta1) g_t            u_t = max(beta2 u_{t-1}, |g_t| + eps)
        p <- p - lr / (1 - beta1^t) m_t / u_t

    with g the gradient plus `weight_decay` p. `foreach` is accepted and changes nothing; `capturable` is as in Adam.

    Kingma and Ba, "Adam: a method for stochastic optimization" (2015), section 7.1.
    """

    can_be_captured = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        refuse_differentiable(options)
        check_at_least_zero(options, lr="learning rate", eps="epsilon value", weight_decay="weight_decay value")
        check_betas(options)

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient; returns what `closure` returns."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            options = {name: number(group[name]) for name in ("eps", "weight_decay", "maximize")}
            options["lr"] = self._rate(group)
            options["beta1"], options["beta2"] = map(number, group["betas"])
            for p, grad in self._gradients(group):
                state = self.state[p]
                if not state:
                    state.update(step=self._first_count(group), exp_avg=zeros_for(p), exp_inf=zeros_for(p))
                write(adamax_update, p, grad, state["exp_avg"], state["exp_inf"], step=advance(state), **options)
        return loss
