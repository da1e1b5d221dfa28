"""Training steps on a GPU: an MLP, a convolutional network and a GPT, as gpu.py measures and checks them.

One PyTorch program, run by both engines. Under minigrad a step can be captured besides, and replays as a CUDA graph.
"""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from workloads import arrays, flops
from workloads.common import fill, tensors
from workloads.gpt import GPT
from workloads.gpu_rates import DEVICE, timed, use_precision


def _mlp(size: dict[str, Any]) -> tuple[nn.Module, Any]:
    layers = nn.Linear(size["pixels"], size["hidden"]), nn.ReLU(), nn.Linear(size["hidden"], size["classes"])
    return nn.Sequential(*layers), arrays.images((size["batch"], size["pixels"]), size["classes"])


def _cnn(size: dict[str, Any]) -> tuple[nn.Module, Any]:
    side, channels, classes = size["side"], size["channels"], size["classes"]
    model = nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(size.get("dropout", 0.0)), nn.Linear(2 * channels * (side // 4) ** 2, classes),
    )  # fmt: skip
    return model, arrays.images((size["batch"], 1, side, side), classes)


def _gpt(size: dict[str, Any]) -> tuple[nn.Module, Any]:
    names = "vocabulary", "block", "layers", "heads", "channels"
    model = GPT(*(size[name] for name in names), size.get("dropout", 0.0))
    return model, arrays.text(size["batch"], size["block"], size["vocabulary"])


MODELS: dict[str, Callable[[dict[str, Any]], tuple[nn.Module, Any]]] = {"mlp": _mlp, "cnn": _cnn, "gpt": _gpt}


def build(model: str, precision: str, size: dict[str, Any]) -> tuple[Callable, list, list[torch.Tensor]]:
    """(step, what it changes, its batch): `step(*batch)` does one step and gives the loss, and waits for nothing."""
    use_precision(precision)
    torch.manual_seed(0)
    network, batch = MODELS[model](size)
    network = fill(network).to(DEVICE)
    parameters = list(network.parameters())
    if model == "gpt":
        decayed = [p for p in parameters if p.dim() >= 2], [p for p in parameters if p.dim() < 2]
        groups = [{"params": some, "weight_decay": decay} for some, decay in zip(decayed, (0.1, 0.0), strict=True)]
        optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)
    else:
        optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    lower = precision if precision in ("float16", "bfloat16") else "bfloat16"

    def step(inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(DEVICE, dtype=getattr(torch, lower), enabled=precision == lower):
            logits = network(inputs)
            loss = F.cross_entropy(logits.flatten(0, -2), labels.flatten())
        optimizer.zero_grad()
        loss.backward()
        if model == "gpt":
            nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return loss.detach()

    return step, [network, optimizer], [tensor.to(DEVICE) for tensor in tensors(batch)]


def training(model: str, precision: str, size: dict[str, Any], captured: bool = False, **how: Any) -> dict[str, Any]:
    """A step's time, its rate in teraflops and samples or tokens, the most memory it had, and its first losses."""
    step, changes, batch = build(model, precision, size)
    said: list[str] = []
    if captured:  # by minigrad, which alone is asked to
        from minigrad import graphs

        step = graphs.captured(step, *changes)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        losses = [step(*batch).item() for _ in range(5)]
        said = sorted({str(warning.message) for warning in caught})
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    for _ in range(2):
        step(*batch)
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated()
    seconds = timed(lambda: step(*batch), **how)
    found: dict[str, Any] = {
        "ms": 1e3 * seconds,
        "TF/s": flops.FLOPS[model](size) / seconds / 1e12,
        "peak MB": peak / 2**20,
        "losses": losses,
    }
    found["tokens/s" if model == "gpt" else "samples/s"] = size["batch"] * size.get("block", 1) / seconds
    if captured:
        found["replays"] = step.replays
    return found | ({"warnings": said} if said else {})
