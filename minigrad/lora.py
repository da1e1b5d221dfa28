"""Low-rank adaptation: a trained model learns something new by training small matrices beside its frozen weights.

    report = minigrad.lora.inject_lora(model, rank=8, alpha=16, targets=["c_attn"], also_train=["classifier"])
    print(report)                              # 12 layers of rank 8: 294,912 of 124,734,720 parameters train (0.24 %)
    ...                                        # train as ever: what is frozen has no gradient
    minigrad.lora.save_lora(model, "task.lora")        # the adapters alone; load_lora puts them into the base model

A layer y = x W^T + b computes y = x W^T + b + (alpha / rank) dropout(x) A^T B^T, with A (rank, in) and B (out, rank). B
starts as zeros, so training starts at the model as it is. Source: Hu et al. 2021, arXiv:2106.09685.
"""

import math
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from minigrad import autograd, creation, serialization
from minigrad.io.matching import load_into
from minigrad.nn import functional as F, init
from minigrad.nn.linear import Linear
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter, shared_parameters
from minigrad.tensor import Tensor

Targets = Callable[[str], bool] | Collection[str] | None
_ADAPTERS = ("lora_A", "lora_B")


class LoRALinear(Linear):
    """A Linear with an adapter. `inject_lora` makes it of a Linear that is there, which keeps its names and weights."""

    rank: int
    alpha: float
    dropout: float
    former: Tensor | None  # the weight without the adapter, while the two are merged

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    def forward(self, input: Tensor) -> Tensor:
        if self.former is None:
            low = F.linear(F.dropout(input, self.dropout, self.training), self.lora_A)  # (..., rank)
            return F.linear(input, self.weight, self.bias) + F.linear(low, self.lora_B) * self.scale
        if self.training:
            raise RuntimeError("the adapter is merged into the weight: call unmerge_lora(model) to go on training")
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        merged = ", merged" if self.former is not None else ""
        return f"{super().extra_repr()}, rank={self.rank}, alpha={self.alpha:g}, dropout={self.dropout:g}{merged}"


@dataclass(frozen=True)
class Report:
    """What `inject_lora` did: the layers' names, and the numbers of parameters that train and of all."""

    layers: list[str]
    rank: int
    trainable: int
    total: int

    @property
    def share(self) -> float:
        return self.trainable / self.total

    def __str__(self) -> str:
        return (
            f"{len(self.layers)} layers of rank {self.rank}: {self.trainable:,} of {self.total:,} parameters train "
            f"({self.share:.2%})".replace("%", " %")
        )


def inject_lora(
    model: Module, rank: int, alpha: float, targets: Targets = None, dropout: float = 0.0,
    also_train: Collection[str] = (),
) -> Report:  # fmt: skip
    """Give Linear layers of a model adapters, in place, and freeze all else; returns a Report.

    `targets`: names of layers or their last parts ("c_attn" stands for every "...c_attn"), or a predicate of the name;
    default: every layer of exactly the type Linear whose weight no other layer shares. `also_train`: names of modules
    or parameters, likewise, that are trained whole (a new head). Call it before the optimizer is made.

    Raises ValueError for a rank below 1, an alpha that is not above 0, a dropout outside [0, 1), for names that lead
    to nothing, a target that shares its weight with another layer, and where no layer is left.
    """
    if not (isinstance(rank, int) and rank >= 1):
        raise ValueError(f"rank must be an integer of at least 1, got {rank!r}")
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha must be above 0, got {alpha!r}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be in [0, 1), got {dropout!r}")
    for argument, names in (("targets", targets), ("also_train", also_train)):
        if isinstance(names, str):
            raise TypeError(f"{argument} is a list of names, got the string {names!r}: [{names!r}]")
    layers = _targets(model, targets)
    whole = {name for name, _ in model.named_parameters(remove_duplicate=False) if _leads(name, also_train)}
    if unknown := [name for name in also_train if not any(_leads(parameter, [name]) for parameter in whole)]:
        raise ValueError(f"also_train names no parameter of the model: {unknown}")
    for layer in layers.values():
        _adapt(layer, rank, alpha, dropout)
    _freeze(model, whole)
    parameters = list(model.parameters())
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    return Report(list(layers), rank, trainable, sum(p.numel() for p in parameters))


def merge_lora(model: Module) -> None:
    """W <- W + (alpha / rank) B A in every adapted layer: the same outputs, up to rounding, at the base model's cost.

    The former weights are kept until `unmerge_lora` puts them back, or `remove_lora` makes the layers plain.
    """
    for _, layer in _adapted(model):
        if layer.former is None:
            with autograd.no_grad():
                layer.former = layer.weight.detach().clone()
                layer.weight.add_(layer.lora_B @ layer.lora_A, alpha=layer.scale)


def unmerge_lora(model: Module) -> None:
    """Put the weights back, bit for bit, that `merge_lora` changed."""
    for _, layer in _adapted(model):
        if layer.former is not None:
            with autograd.no_grad():
                layer.weight.copy_(layer.former)
            layer.former = None


def remove_lora(model: Module) -> None:
    """Make every adapted layer a plain Linear again, with the weight it has: after `merge_lora` what it has learnt.

    Parameters stay frozen or not as they are. The model's names are then those from before `inject_lora`.
    """
    layer: Any
    for _, layer in _adapted(model):
        for name in (*_ADAPTERS, "rank", "alpha", "dropout", "former"):
            delattr(layer, name)
        layer.__class__ = Linear


def lora_state_dict(model: Module) -> dict[str, Tensor]:
    """The adapters, and what else of the model is trained, by name: what `save_lora` writes, for files of your own."""
    adapters = {f"{path}.{name}" for path, _ in _adapted(model) for name in _ADAPTERS}
    return {name: p.detach() for name, p in model.named_parameters() if name in adapters or p.requires_grad}


def save_lora(model: Module, path: "str | os.PathLike") -> None:
    """Write `lora_state_dict` and each layer's rank, alpha and dropout. ValueError for a model without adapters."""
    layers = {
        path: {"rank": layer.rank, "alpha": layer.alpha, "dropout": layer.dropout} for path, layer in _adapted(model)
    }
    if not layers:
        raise ValueError(f"{type(model).__name__} has no adapters: inject_lora gives it some")
    serialization.save({"lora": layers, "state": lora_state_dict(model)}, path)


def load_lora(model: Module, path: "str | os.PathLike") -> None:
    """Give a base model the adapters, and the other trained parameters, that `save_lora` wrote; all else is frozen.

    Adapters that the model had before are dropped, which needs them unmerged. Raises RuntimeError for another kind of
    file, and, with all names, for one that does not fit the model, which is then left without new adapters.
    """
    found = serialization.load(path)
    if not (isinstance(found, dict) and {"lora", "state"} <= found.keys()):
        raise RuntimeError(f"{path} was not written by save_lora")
    if any(layer.former is not None for _, layer in _adapted(model)):
        raise RuntimeError("the model's adapters are merged into its weights: call unmerge_lora(model) first")
    modules = dict(model.named_modules(remove_duplicate=False))
    if lacking := [name for name in found["lora"] if not isinstance(modules.get(name), Linear)]:
        raise RuntimeError(f"{path} adapts layers that are no Linear layers of the model: {', '.join(lacking)}")
    remove_lora(model)
    for name, settings in found["lora"].items():
        _adapt(modules[name], **settings)
    try:
        load_into(model, found["state"], fresh=lambda name: name not in found["state"])
    except RuntimeError:
        remove_lora(model)
        raise
    _freeze(model, set(found["state"]))


def _adapt(layer: Any, rank: int, alpha: float, dropout: float) -> None:
    # The object stays, of another class: names, hooks and whoever else holds the layer need no change.
    layer.__class__ = LoRALinear
    layer.rank, layer.alpha, layer.dropout, layer.former = rank, alpha, dropout, None
    place: dict[str, Any] = {"device": layer.weight.device, "dtype": layer.weight.dtype}
    layer.lora_A = Parameter(creation.empty((rank, layer.in_features), **place))
    layer.lora_B = Parameter(creation.zeros((layer.out_features, rank), **place))
    init.kaiming_uniform_(layer.lora_A, a=math.sqrt(5))  # as Linear's own weight


def _adapted(model: Module) -> Iterator[tuple[str, LoRALinear]]:
    return ((name, module) for name, module in list(model.named_modules()) if isinstance(module, LoRALinear))


def _freeze(model: Module, but: set[str]) -> None:
    adapters = {f"{path}.{name}" for path, _ in _adapted(model) for name in _ADAPTERS}
    trained = {id(p) for name, p in model.named_parameters(remove_duplicate=False) if name in adapters | but}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in trained)


def _targets(model: Module, targets: Targets) -> dict[str, Linear]:
    """The layers to adapt by name, each once."""
    linears = {name: module for name, module in model.named_modules() if type(module) is Linear}
    common = shared_parameters(model)
    shared = [name for name, layer in linears.items() if id(layer.weight) in common]
    if targets is None:
        chosen = {name: layer for name, layer in linears.items() if name not in shared}
    elif callable(targets):
        chosen = {name: layer for name, layer in linears.items() if targets(name)}
    else:
        chosen = {name: layer for name, layer in linears.items() if any(_is_last_part(t, name) for t in targets)}
        if unknown := [t for t in targets if not any(_is_last_part(t, name) for name in chosen)]:
            raise ValueError(f"targets name no Linear layer of the model: {unknown}; it has {', '.join(linears)}")
    if both := [name for name in chosen if name in shared]:
        raise ValueError(f"{', '.join(both)} shares its weight with another layer, which merging would change too")
    if not chosen:
        raise ValueError(f"nothing to adapt: no Linear layer of {type(model).__name__} is a target")
    return chosen


def _is_last_part(part: str, name: str) -> bool:
    return name == part or name.endswith("." + part)


def _leads(parameter: str, names: Collection[str]) -> bool:
    """Whether one of the names is that of the parameter or of a module that holds it, or the last part of such one."""
    parts = parameter.split(".")
    holders = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
    return any(_is_last_part(name, holder) for name in names for holder in holders)
