"""RAdam: Adam that trusts its denominator only once it has seen enough gradients."""

import math
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


def radam_update(
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    *,
    step: Any,
    lr: Any,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled_weight_decay: bool,
    maximize: bool,
) -> None:
    """Step number `step` (from 1) for one parameter; writes into `param`, `exp_avg` and `exp_avg_sq`."""
    g = -grad if maximize else grad
    if weight_decay and decoupled_weight_decay:
        param *= fitted(1 - lr * weight_decay, param)
    elif weight_decay:
        g = g + weight_decay * param
    exp_avg += (1 - beta1) * (g - exp_avg)
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * g * g
    step = wide(step)
    change = exp_avg * fitted(lr / (1 - beta1**step), param)
    rectification = radam_rectification(step, beta2)
    if rectification is not None:
        denominator = kernels_of(param).sqrt(exp_avg_sq)
        denominator += eps
        rectified = change * fitted((1 - beta2**step) ** 0.5 * rectification, param)
        rectified /= denominator
        # A count in device memory cannot be asked here whether there is anything to rectify; its factor is 0 then.
        in_memory = hasattr(step, "astype")
        change = kernels_of(param).where(rectification > 0, rectified, change) if in_memory else rectified
    param -= change


def radam_rectification(step: Any, beta2: float) -> Any:
    """The factor r_t; while the running mean of squares covers 5 steps or fewer, None, or 0 for a count in memory."""
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / (1 - beta2**step)
    in_memory = hasattr(step, "astype")
    if not in_memory and length <= 5:
        return None
    square = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return abs(square) ** 0.5 * (length > 5) if in_memory else math.sqrt(square)


class RAdam(Optimizer):
    r"""RAdam: Adam times a factor that makes up for the variance of its denominator, which is large in the first steps.

        rho_t = rho - 2 t beta2^t / (1 - beta2^t)        rho = 2 / (1 - beta2) - 1
        r_t = sqrt((rho_t - 4) (rho_t - 2) rho / ((rho - 4) (rho - 2) rho_t))
        p <- p - lr r_t m' / (sqrt(v_t) + eps) sqrt(1 - beta2^t)    where rho_t > 5;   else  p <- p - lr m'

    with m', v and `weight_decay` as in Adam; `decoupled_weight_decay` shrinks p by lr `weight_decay` p instead.
    `foreach` is accepted and changes nothing; `capturable` is as in Adam.

    Liu et al., "On the variance of the adaptive learning rate and beyond" (2020, arXiv:1908.03265).
    """

    can_be_captured = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
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
            names = ("eps", "weight_decay", "decoupled_weight_decay", "maximize")
            options = {"lr": self._rate(group), **{name: number(group[name]) for name in names}}
            options["beta1"], options["beta2"] = map(number, group["betas"])
            for p, grad in self._gradients(group):
                state = self.state[p]
                if not state:
                    state.update(step=self._first_count(group), exp_avg=zeros_for(p), exp_avg_sq=zeros_for(p))
                write(radam_update, p, grad, state["exp_avg"], state["exp_avg_sq"], step=advance(state), **options)
        return loss
