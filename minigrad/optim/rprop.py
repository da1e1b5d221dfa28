"""Rprop: steps that look at the sign of the gradient alone."""

from typing import Any

from minigrad.backend import array_module, kernels_of
from minigrad.optim.optimizer import Closure, Optimizer, Params
from minigrad.optim.update import (
    advance,
    check_at_least_zero,
    number,
    refuse_differentiable,
    write,
    zeros_for,
)
from minigrad.tensor import Tensor, from_raw


def rprop_update(
    param: Any,
    grad: Any,
    prev: Any,
    step_size: Any,
    *,
    eta_minus: float,
    eta_plus: float,
    smallest: float,
    largest: float,
    maximize: bool,
) -> None:
    """One step for one parameter; writes into `param`, `prev` and `step_size`."""
    kernels = kernels_of(param)
    g = -grad if maximize else grad
    agreement = g * prev
    turned = agreement < 0
    changed = kernels.where(agreement > 0, step_size * eta_plus, step_size)
    changed = kernels.where(turned, step_size * eta_minus, changed)
    step_size[...] = kernels.minimum(kernels.maximum(changed, smallest), largest)
    prev[...] = kernels.where(turned, 0, g)
    param -= kernels.sign(prev) * step_size


class Rprop(Optimizer):
    r"""Rprop: each entry has a step size of its own, which grows while its gradient keeps its sign. For full batches.

        s <- min(max(s eta, smallest), largest)          eta = `etas`[1] where g_t g_{t-1} > 0, `etas`[0] where < 0
        p <- p - s sign(g_t)                             where the sign has turned, g_t counts as 0

    s starts as lr; `step_sizes` are the smallest and the largest. `foreach` is accepted and changes nothing;
    `capturable` is as in Adam.

    Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm" (1993).
    """

    can_be_captured = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        defaults = {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        refuse_differentiable(options)
        check_at_least_zero(options, lr="learning rate")
        low, high = options["etas"]
        if not 0 < low < 1 < high:
            raise ValueError(f"Invalid eta values: {low}, {high}; they need 0 < first < 1 < second")

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient; returns what `closure` returns."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            options = dict(zip(("eta_minus", "eta_plus"), group["etas"], strict=True), maximize=group["maximize"])
            options["smallest"], options["largest"] = group["step_sizes"]
            for p, grad in self._gradients(group):
                state = self.state[p]
                if not state:
                    sizes = array_module(p.array).full_like(p.array, number(group["lr"]))
                    state.update(step=self._first_count(group), prev=zeros_for(p), step_size=from_raw(sizes))
                advance(state)
                write(rprop_update, p, grad, state["prev"], state["step_size"], **options)
        return loss
