"""RMSprop: Adagrad that forgets."""

from typing import Any

from minigrad.optim.optimizer import Closure, Optimizer, Params
from minigrad.optim.update import (
    advance_all,
    check_at_least_zero,
    number,
    refuse_differentiable,
    write_all,
    zeros_for,
)
from minigrad.tensor import Tensor


class RMSprop(Optimizer):
    r"""RMSprop: the gradient divided by a running root mean square of itself.

        v_t = alpha v_{t-1} + (1 - alpha) g_t^2          u_t = g_t / (sqrt(v_t) + eps)
        p <- p - lr u_t                                  with momentum m:  b_t = m b_{t-1} + u_t,  p <- p - lr b_t

    with g the gradient plus `weight_decay` p. `centered` divides by the standard deviation, v_t less the square of the
    running mean of g, instead. `foreach` is accepted and changes nothing; `capturable` is as in Adam.

    Hinton, "Neural networks for machine learning", lecture 6e (2012); centered: Graves, "Generating sequences with
    recurrent neural networks" (2013), where eps stands inside the root.
    """

    can_be_captured = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        refuse_differentiable(options)
        check_at_least_zero(
            options,
            lr="learning rate",
            eps="epsilon value",
            momentum="momentum value",
            weight_decay="weight_decay value",
            alpha="alpha value",
        )

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient; returns what `closure` returns."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            names = ("alpha", "eps", "weight_decay", "momentum", "maximize")
            options = {"lr": self._rate(group), **{name: number(group[name]) for name in names}}
            rows = []
            for p, grad in self._gradients(group):
                state = self.state[p]
                if not state:
                    state["step"] = self._first_count(group)
                    state["square_avg"] = zeros_for(p)
                if group["momentum"] and "momentum_buffer" not in state:
                    state["momentum_buffer"] = zeros_for(p)
                if group["centered"] and "grad_avg" not in state:
                    state["grad_avg"] = zeros_for(p)
                mean = state["grad_avg"] if group["centered"] else None
                moving = state["momentum_buffer"] if group["momentum"] else None
                rows.append((p, grad, state["square_avg"], mean, moving))
            advance_all([self.state[row[0]] for row in rows])
            write_all("rmsprop_update", rows, **options)
        return loss
