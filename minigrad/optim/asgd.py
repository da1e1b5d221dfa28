"""ASGD: SGD whose average over the steps is the answer."""

from typing import Any

from minigrad.optim.optimizer import Closure, Optimizer, Params
from minigrad.optim.update import (
    advance,
    check_at_least_zero,
    number,
    refuse_differentiable,
    step_count,
    write,
    zeros_for,
)
from minigrad.tensor import Tensor


def asgd_update(
    param: Any, grad: Any, average: Any, *, eta: float, mu: float, lambd: float, weight_decay: float, maximize: bool
) -> None:
    """One step for one parameter; writes into `param` and `average`."""
    g = -grad if maximize else grad
    if weight_decay:
        g = g + weight_decay * param
    param *= 1 - lambd * eta
    param -= eta * g
    if mu == 1:
        average[...] = param
    else:
        average += (param - average) * mu


class ASGD(Optimizer):
    r"""Averaged stochastic gradient descent: SGD with a falling rate, and a mean of the parameters.

        p <- (1 - lambd eta_t) p - eta_t g_t             eta_{t+1} = lr / (1 + lambd lr t)^alpha,  eta_1 = lr
        ax <- ax + mu_t (p - ax)                         mu_{t+1} = 1 / max(1, t - t0),  mu_1 = 1

    with g the gradient plus `weight_decay` p. The average, over the steps from t0 + 2 on, is in `state[p]["ax"]`; p
    itself is not replaced. `foreach` and `capturable` are accepted and change nothing.

    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992).
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        defaults = {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        refuse_differentiable(options)
        check_at_least_zero(options, lr="learning rate", weight_decay="weight_decay value")

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient; returns what `closure` returns."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            options = {name: number(group[name]) for name in ("lambd", "weight_decay", "maximize")}
            lr, lambd, alpha, t0 = (number(group[name]) for name in ("lr", "lambd", "alpha", "t0"))
            for p, grad in self._gradients(group):
                state = self.state[p]
                if not state:
                    state.update(step=step_count(), eta=step_count(lr), mu=step_count(1.0), ax=zeros_for(p))
                step = advance(state)
                eta, mu = number(state["eta"]), number(state["mu"])  # float32, as PyTorch keeps them
                write(asgd_update, p, grad, state["ax"], eta=eta, mu=mu, **options)
                state["eta"].array[...] = lr / (1 + lambd * lr * step) ** alpha
                state["mu"].array[...] = 1 / max(1, step - t0)
        return loss
