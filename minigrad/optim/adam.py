"""Adam and AdamW: momentum and RMSprop together, with the bias of their zero start taken out."""

from typing import Any

from minigrad.backend import kernels_of
from minigrad.optim.optimizer import Closure, Optimizer, Params
from minigrad.optim.update import (
    advance_all,
    check_at_least_zero,
    check_betas,
    fitting,
    number,
    refuse_differentiable,
    write,
    zeros_for,
)
from minigrad.tensor import Tensor


def adam_update(param: Any, grad: Any, exp_avg: Any, exp_avg_sq: Any, max_exp_avg_sq: Any, **options: Any) -> None:
    """One step for one parameter. The formula is `minigrad.kernels.optim_reference.adam_update`, which takes lists."""
    top = None if max_exp_avg_sq is None else [max_exp_avg_sq]
    kernels_of(param).adam_update([param], [grad], [exp_avg], [exp_avg_sq], top, **options)


class Adam(Optimizer):
    r"""Adam: running means of the gradient (m) and of its square (v), each divided by what its zero start costs it.

        m_t = beta1 m_{t-1} + (1 - beta1) g_t            v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        p <- p - lr m' / (sqrt(v') + eps)                m' = m_t / (1 - beta1^t),  v' = v_t / (1 - beta2^t)

    with g the gradient plus `weight_decay` p; `decoupled_weight_decay` shrinks p by lr `weight_decay` p instead
    (AdamW). `amsgrad` divides by the largest v so far, so that rates never rise again. `maximize` climbs.
    `foreach` and `fused` are accepted and change nothing: all parameters of a group are updated in one kernel call
    anyway. `capturable` keeps rate and step counts of parameters on a GPU in its memory, for a step that is to be
    captured (minigrad.graphs, which sees to it itself).

    Kingma and Ba, "Adam: a method for stochastic optimization" (2015); amsgrad: Reddi, Kale and Kumar, "On the
    convergence of Adam and beyond" (2018).
    """

    can_be_captured = True

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ):
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "foreach": foreach, "capturable": capturable, "differentiable": differentiable,
            "fused": fused, "decoupled_weight_decay": decoupled_weight_decay,
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
            self._update_group(group)
        return loss

    def _update_group(self, group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        amsgrad = group["amsgrad"]
        options = {
            "lr": self._rate(group), "beta1": number(beta1), "beta2": number(beta2), "eps": number(group["eps"]),
            "weight_decay": number(group["weight_decay"]), "decoupled": group["decoupled_weight_decay"],
            "maximize": group["maximize"], "amsgrad": amsgrad,
        }  # fmt: skip
        batches: dict[type, _Batch] = {}  # by kind of array, since a kernel call has one device: nearly always just one
        given = list(self._gradients(group))
        states = [self.state[p] for p, _ in given]
        for (p, _), state in zip(given, states, strict=True):
            if not state:
                state["step"] = self._first_count(group)
                state["exp_avg"] = zeros_for(p)
                state["exp_avg_sq"] = zeros_for(p)
            if amsgrad and "max_exp_avg_sq" not in state:
                state["max_exp_avg_sq"] = zeros_for(p)
        for (p, grad), state, step in zip(given, states, advance_all(states), strict=True):
            m, v = state["exp_avg"], state["exp_avg_sq"]
            top = state["max_exp_avg_sq"] if amsgrad else None
            if p.array.dtype.itemsize == 2:
                write(adam_update, p, grad, m, v, top, step=step, **options)
                continue
            batch = batches.get(type(p.array))
            if batch is None:
                batch = batches[type(p.array)] = _Batch()
            batch.add(p, grad, m, v, top, step)
        for batch in batches.values():
            batch.update(options)


class _Batch:
    """Parallel lists for one kernel call."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.arrays: tuple[list, ...] = ([], [], [], [], [])  # parameters, gradients, m, v, largest v so far
        self.steps: list[Any] = []

    def add(self, p: Tensor, grad: Any, m: Tensor, v: Tensor, top: Tensor | None, step: Any) -> None:
        params, grads, ms, vs, tops = self.arrays
        params.append(p.array)
        grads.append(grad)
        ms.append(fitting(m, p))
        vs.append(fitting(v, p))
        if top is not None:
            tops.append(fitting(top, p))
        self.tensors.append(p)
        self.steps.append(step)

    def update(self, options: dict[str, Any]) -> None:
        *lists, tops = self.arrays
        kernels_of(lists[0][0]).adam_update(*lists, tops or None, step=self.steps, **options)
        for p in self.tensors:
            p.bump_version()


class AdamW(Adam):
    r"""Adam with decoupled weight decay: each step first shrinks the parameter, p <- p - lr `weight_decay` p.

    In Adam the decay passes through m / sqrt(v), which all but cancels its size; here it stays proportional to p.
    The rest is Adam's formula, with the gradient alone. Biases and gains of norms are usually given a group without
    decay.

    Loshchilov and Hutter, "Decoupled weight decay regularization" (2019).
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
