"""What the training programs share: filling in the weights, and the step."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from workloads.arrays import weight


@torch.no_grad()
def fill(model: nn.Module) -> nn.Module:
    """Give every parameter its value from arrays.py."""
    for name, parameter in model.named_parameters():
        parameter.copy_(torch.from_numpy(weight(name, tuple(parameter.shape))))
    return model


def rounded(model: nn.Module, bits: int) -> nn.Module:
    """minigrad's weights in fewer bits; PyTorch has no such call, and keeps float32."""
    if bits < 32 and torch.Tensor.__module__.startswith("minigrad"):
        from minigrad.quantization import quantize

        quantize(model, {16: "bfloat16", 8: "int8"}[bits])
    return model


def tensors(arrays: Sequence[Any]) -> list[torch.Tensor]:
    """NumPy arrays as tensors."""
    return [torch.from_numpy(array) for array in arrays]


def training_step(
    loss_of: Callable[..., torch.Tensor],
    batch: Sequence[torch.Tensor],
    optimizer: torch.optim.Optimizer,
    clipped: Sequence[torch.Tensor] = (),
    max_norm: float = 1.0,
) -> Callable[[], float]:
    """A function that does one step on the same batch every time; the norm of the `clipped` gradients is limited."""

    def step() -> float:
        loss = loss_of(*batch)
        optimizer.zero_grad()
        loss.backward()
        if clipped:
            nn.utils.clip_grad_norm_(clipped, max_norm)
        optimizer.step()
        return loss.item()

    return step
