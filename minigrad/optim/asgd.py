"""ASGD: SGD whose average over the steps is the answer."""

from typing import Any

from minigrad.backend import kernels_of
from minigrad.kernels.optim_reference import fitted, wide
from minigrad.optim.optimizer import Closure, Optimizer, Params
from minigrad.optim.update import (
    advance,
    check_at_least_zero,
    number,
    on_gpu,
    refuse_differentiable,
    write,
    zeros_for,
)
from minigrad.tensor import Tensor


def asgd_update(
    param: Any, grad: Any, average: Any, *, eta: Any, mu: Any, lambd: float, weight_decay: float, maximize: bool
) -> None:
    """One step for one parameter; writes into `param` and `average`."""
    g = -grad if maximize else grad
    if weight_decay:
        g = g + weight_decay * param
    param *= fitted(1 - lambd * eta, param)
    param -= fitted(eta, param) * g
    if hasattr(mu, "astype"):  # in device memory, where it cannot be asked for
        average[...] = kernels_of(param).where(mu == 1, param, average + (param - average) * fitted(mu, param))
    elif mu == 1:
        average[...] = param
    else:
        average += (param - average) * mu


class ASGD(Optimizer):
    r"""Averaged stochastic gradient descent: SGD with a falling rate, and a mean of the parameters.

        p <- (1 - lambd eta_t) p - eta_t g_t             eta_{t+1} = lr / (1 + lambd lr t)^alpha,  eta_1 = lr
        ax <- ax + mu_t (p - ax)                         mu_{t+1} = 1 / max(1, t - t0),  mu_1 = 1

    with g the gradient plus `weight_decay` p. The average, over the steps from t0 + 2 on, is in `state[p]["ax"]`; p
    itself is not replaced. `foreach` is accepted and changes nothing; `capturable` is as in Adam.

    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992).
    """

    can_be_captured = True

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
            lr, (lambd, alpha, t0) = self._rate(group), (number(group[name]) for name in ("lambd", "alpha", "t0"))
            for p, grad in self._gradients(group):
                state = self.state[p]
                if not state:
                    state.update(step=self._first_count(group), eta=self._first_count(group, number(group["lr"])))
                    state.update(mu=self._first_count(group, 1.0), ax=zeros_for(p))
                step = wide(advance(state))
                there = on_gpu(state["step"])
                eta, mu = (
                    wide(s.array) if there else number(s) for s in (state["eta"], state["mu"])
                )  # float32 numbers
                write(asgd_update, p, grad, state["ax"], eta=eta, mu=mu, **options)
                state["eta"].array[...] = lr / (1 + lambd * lr * step) ** alpha
                steps_averaged = kernels_of(step).maximum(step - t0, 1) if there else max(1, step - t0)
                state["mu"].array[...] = 1 / steps_averaged
        return loss
