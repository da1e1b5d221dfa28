"""Adagrad: a rate for each entry, smaller the larger its gradients have been."""

from typing import Any

from minigrad.backend import array_module
from minigrad.optim.optimizer import Closure, Optimizer, Params
from minigrad.optim.update import (
    advance_all,
    check_at_least_zero,
    number,
    refuse_differentiable,
    step_count,
    write_all,
)
from minigrad.tensor import Tensor, from_raw


class Adagrad(Optimizer):
    r"""Adagrad: each entry's rate shrinks with the sum of its squared gradients, so that rare features keep large ones.

        s_t = s_{t-1} + g_t^2                            s_0 = `initial_accumulator_value`
        p <- p - lr / (1 + (t - 1) `lr_decay`) g_t / (sqrt(s_t) + eps)

    with g the gradient plus `weight_decay` p. `foreach` and `fused` are accepted and change nothing.

    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization" (2011).
    """

    can_be_captured = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        refuse_differentiable(options)
        check_at_least_zero(
            options,
            lr="learning rate",
            lr_decay="lr_decay value",
            weight_decay="weight_decay value",
            initial_accumulator_value="initial_accumulator_value value",
            eps="epsilon value",
        )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        for p in param_group["params"]:  # PyTorch's state dict has them before the first step
            full = array_module(p.array).full_like(p.array, number(param_group["initial_accumulator_value"]))
            self.state[p] = {"step": step_count(), "sum": from_raw(full)}

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient; returns what `closure` returns."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            names = ("lr_decay", "weight_decay", "eps", "maximize")
            options = {"lr": self._rate(group), **{name: number(group[name]) for name in names}}
            rows = [(p, grad, self.state[p]["sum"]) for p, grad in self._gradients(group)]
            steps = advance_all([self.state[p] for p, _, _ in rows])
            write_all("adagrad_update", rows, steps=steps, **options)
        return loss
