"""Muon: momentum, with every matrix of updates made orthogonal."""

import math
import operator
from typing import Any

from minigrad.backend import array_module, kernels_of
from minigrad.kernels.optim_reference import fitted
from minigrad.optim.optimizer import Closure, Optimizer, Params
from minigrad.optim.update import check_at_least_zero, number, write, zeros_for
from minigrad.tensor import Tensor

# The quintic of Jordan's post: as steep at 0 as it can be while singular values in [0, 1] end up in about [0.7, 1.2].
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
EPS = 1e-7


def _rounded(x: Any) -> Any:
    """float32 rounded to the 8 significant bits of bfloat16, to even at ties."""
    bits = x.astype("float32").view("uint32")
    bits = (bits + (((bits >> 16) & 1) + 0x7FFF)) & 0xFFFF0000
    return bits.astype("uint32").view("float32")


def orthogonalized(g: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """About U V^T for a matrix with the singular value decomposition g = U S V^T, by Newton-Schulz iteration.

        X <- a X + (b X X^T + c (X X^T)^2) X             starting from X = g / |g|

    Each step takes every singular value s to a s + b s^3 + c s^5. The products are rounded to bfloat16, as on the
    hardware the method was written for; the result is float32.
    """
    a, b, c = coefficients
    tall = g.shape[0] > g.shape[1]
    x = _rounded(g.T if tall else g)
    kernels, xp = kernels_of(x), array_module(x)
    product = operator.matmul if xp.__name__ == "numpy" else kernels.matmul  # which a CUDA graph can capture
    norm = _rounded(kernels.sqrt((x * x).sum()).reshape((1, 1)))
    x = _rounded(x / xp.maximum(norm, eps))
    for _ in range(steps):
        gram = _rounded(product(x, x.T))
        x = _rounded(a * x + product(_rounded(b * gram + c * product(gram, gram)), x))
    return x.T if tall else x


def muon_update(
    param: Any,
    grad: Any,
    momentum_buffer: Any,
    *,
    lr: Any,
    weight_decay: float,
    momentum: float,
    nesterov: bool,
    ns_coefficients: tuple[float, float, float],
    eps: float,
    ns_steps: int,
    scale: float,
) -> None:
    """One step for one matrix; writes into `param` and `momentum_buffer`."""
    momentum_buffer += (1 - momentum) * (grad - momentum_buffer)
    update = grad + momentum * (momentum_buffer - grad) if nesterov else momentum_buffer
    direction = orthogonalized(update, ns_coefficients, ns_steps, eps)
    param *= fitted(1 - lr * weight_decay, param)
    param -= fitted(lr * scale, param) * direction.astype(param.dtype)


class Muon(Optimizer):
    r"""Muon: the momentum of a matrix, made orthogonal, so that all its directions are learnt at one speed.

        m_t = mu m_{t-1} + (1 - mu) g_t                  u_t = mu m_t + (1 - mu) g_t with `nesterov`, else m_t
        p <- (1 - lr `weight_decay`) p - lr s O_t        O_t = `orthogonalized` u_t

    For the matrices of hidden layers: a parameter of other than 2 axes raises ValueError; give embeddings, biases and
    the last layer to AdamW. `adjust_lr_fn` sets s for a parameter (A, B): "original" (the default) sqrt(max(1, A / B)),
    "match_rms_adamw" 0.2 sqrt(max(A, B)), with which AdamW's rates and weight decay can be kept.

    Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024); Liu et al., "Muon is scalable for
    LLM training" (2025, arXiv:2502.16982).
    """

    can_be_captured = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = COEFFICIENTS,
        eps: float = EPS,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ):
        defaults = {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        check_at_least_zero(options, lr="learning rate", momentum="momentum value", weight_decay="weight_decay value")
        if options["adjust_lr_fn"] not in (None, "original", "match_rms_adamw"):
            raise ValueError(
                f"Adjust learning rate function {options['adjust_lr_fn']} is not supported: use 'original' or "
                "'match_rms_adamw'"
            )
        if options["ns_steps"] >= 100:
            raise ValueError(
                f"Number of steps must be less than 100 for computational efficiency, got {options['ns_steps']}"
            )
        if len(options["ns_coefficients"]) != 3:
            raise ValueError(f"Coefficients must be a tuple of exactly 3 values, got {options['ns_coefficients']}")

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        for p in param_group["params"]:
            if p.ndim != 2:
                raise ValueError(
                    f"Muon only supports 2D parameters whereas we found a parameter with size: {p.shape}; give the "
                    "others to AdamW"
                )

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient; returns what `closure` returns."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            names = ("weight_decay", "momentum", "nesterov", "ns_coefficients", "eps", "ns_steps")
            options = {"lr": self._rate(group), **{name: number(group[name]) for name in names}}
            for p, grad in self._gradients(group):
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = zeros_for(p)
                scale = _scale(p, group["adjust_lr_fn"])
                write(muon_update, p, grad, state["momentum_buffer"], scale=scale, **options)
        return loss


def _scale(p: Tensor, rule: str | None) -> float:
    rows, columns = p.shape
    if rule == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1.0, rows / columns))
