"""NAdam: Adam with Nesterov's look ahead."""

from typing import Any

from minigrad.backend import kernels_of
from minigrad.kernels.optim_reference import fitted, wide
from minigrad.optim.optimizer import Closure, Optimizer, Params
from minigrad.optim.update import (
    advance,
    check_at_least_zero,
    check_betas,
    number,
    on_gpu,
    refuse_differentiable,
    write,
    zeros_for,
)
from minigrad.tensor import Tensor


def nadam_update(
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    *,
    step: Any,
    by_gradient: Any,
    by_average: Any,
    lr: Any,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled_weight_decay: bool,
    maximize: bool,
) -> None:
    """Step number `step` (from 1) for one parameter, with the factors of g and m, lr included; writes into `param`,
    `exp_avg` and `exp_avg_sq`.
    """
    g = -grad if maximize else grad
    if weight_decay and decoupled_weight_decay:
        param *= fitted(1 - lr * weight_decay, param)
    elif weight_decay:
        g = g + weight_decay * param
    exp_avg += (1 - beta1) * (g - exp_avg)
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * g * g
    denominator = kernels_of(param).sqrt(exp_avg_sq / fitted(1 - beta2 ** wide(step), param))
    denominator += eps
    param -= fitted(by_gradient, param) * g / denominator
    param -= fitted(by_average, param) * exp_avg / denominator


class NAdam(Optimizer):
    r"""NAdam: Adam that steps with the momentum of the next step, as Nesterov's method does.

        mu_t = beta1 (1 - 0.96^(t psi) / 2)              psi = `momentum_decay`;  M_t = mu_1 mu_2 ... mu_t
        p <- p - lr (mu_{t+1} m_t / (1 - M_{t+1}) + (1 - mu_t) g_t / (1 - M_t)) / (sqrt(v') + eps)

    with m, v, v' and `weight_decay` as in Adam; `decoupled_weight_decay` shrinks p by lr `weight_decay` p instead.
    `foreach` is accepted and changes nothing; `capturable` is as in Adam.

    Dozat, "Incorporating Nesterov momentum into Adam" (2016).
    """

    can_be_captured = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        refuse_differentiable(options)
        check_at_least_zero(
            options,
            lr="learning rate",
            eps="epsilon value",
            weight_decay="weight_decay value",
            momentum_decay="momentum_decay value",
        )
        check_betas(options)

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient; returns what `closure` returns."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            names = ("eps", "weight_decay", "decoupled_weight_decay", "maximize")
            options = {"lr": self._rate(group), **{name: number(group[name]) for name in names}}
            beta1, beta2 = map(number, group["betas"])
            for p, grad in self._gradients(group):
                state = self.state[p]
                if not state:
                    state.update(step=self._first_count(group), mu_product=self._first_count(group, 1.0))
                    state.update(exp_avg=zeros_for(p), exp_avg_sq=zeros_for(p))
                step = wide(advance(state))
                mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
                product = state["mu_product"].array
                product[...] = product * mu
                so_far = wide(product) if on_gpu(state["mu_product"]) else float(product)
                factors = {
                    "by_gradient": options["lr"] * (1 - mu) / (1 - so_far),
                    "by_average": options["lr"] * mu_next / (1 - so_far * mu_next),
                }
                averages = state["exp_avg"], state["exp_avg_sq"]
                write(nadam_update, p, grad, *averages, step=step, beta1=beta1, beta2=beta2, **factors, **options)
        return loss
