"""Gradient clipping: hold the length of the gradient, or each of its entries, below a bound before a step."""

import functools
import math
from collections.abc import Iterable

from minigrad import autograd, creation, ops
from minigrad.backend import kernels_of
from minigrad.dtype import float32, promote_types
from minigrad.tensor import Tensor, from_raw

Tensors = Tensor | Iterable[Tensor]


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients, in place, by min(1, max_norm / (norm + 1e-6)); returns the norm they had together.

    The norm is that of the one long vector of all gradients: (sum |g|^p)^(1/p) with p = `norm_type`, inf for the
    largest entry. Parameters without a gradient are passed over. With `error_if_nonfinite`, a norm that is nan or
    inf raises RuntimeError; otherwise it makes the gradients nan or 0. `foreach` is accepted and changes nothing.

    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013).
    """
    parameters = _listed(parameters)
    total_norm = get_total_norm([p.grad for p in parameters if p.grad is not None], norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total_norm)
    return total_norm


@autograd.no_grad()
def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all tensors as one long vector, a 0-d tensor; 0 for no tensors."""
    tensors, norm_type = _listed(tensors), float(norm_type)
    if not tensors:
        return creation.zeros((), dtype=float32)
    dtype = functools.reduce(promote_types, (t.dtype for t in tensors))
    kernels = kernels_of(tensors[0].array)
    if norm_type == 2.0 and hasattr(kernels, "sum_of_squares") and len({t.device for t in tensors}) == 1:
        root = math.sqrt(kernels.sum_of_squares([t.array for t in tensors]))
        total = creation.full((), root, dtype=dtype, device=tensors[0].device)
    elif norm_type == 2.0 and dtype is float32 and len({t.device for t in tensors}) == 1:
        total = from_raw(kernels.total_norm([t.array for t in tensors]))  # stays on the GPU: nobody waits for it
    else:
        wide = promote_types(dtype, float32)  # the sums of 16-bit numbers
        norms = [ops.vector_norm(from_raw(t.array).to(wide), norm_type, None, False) for t in tensors]
        norms = [norm.to(tensors[0].device) for norm in norms]
        total = ops.vector_norm(ops.stack(norms), norm_type, None, False).to(dtype)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite ({total.item()}), so "
            f"it cannot be clipped. To scale the gradients by it anyway, set `error_if_nonfinite=False`"
        )
    return total


@autograd.no_grad()
def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale all gradients, in place, by min(1, max_norm / (total_norm + 1e-6)), for a norm computed before."""
    total_norm = total_norm.to(promote_types(total_norm.dtype, float32))  # 1e-6 is lost beside a 16-bit number
    scale = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    if scale.device.type == "cpu" and scale.item() == 1.0:  # on a GPU, asking would wait for the device
        return
    gradients = [p.grad for p in _listed(parameters) if p.grad is not None]
    if scale.device.type == "cpu" and all(g.device.type == "cpu" for g in gradients):
        kernels_of(scale.array).scale([g.array for g in gradients], scale.item())
    elif all(g.device == scale.device for g in gradients):
        kernels_of(scale.array).scale_by([g.array for g in gradients], scale.array)
    else:
        for g in gradients:
            g.array[...] = g.array * scale.to(device=g.device, dtype=g.dtype).array
    for g in gradients:
        g.bump_version()


@autograd.no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Hold every entry of every gradient between -clip_value and clip_value, in place."""
    bound = float(clip_value)
    for p in _listed(parameters):
        if p.grad is not None:
            p.grad.array[...] = from_raw(p.grad.array).clamp(-bound, bound).array
            p.grad.bump_version()


def _listed(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)
