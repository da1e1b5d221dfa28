"""Magnitude pruning: the smallest weights of a trained model become zeros, and stay zeros while the others train on.

    report = minigrad.pruning.prune(model, 0.8)        # in place: of all weights together the smallest 80 %
    print(report)                                      # 13 layers: 80.0 % zeros, 652.1 MB -> 150.8 MB stored sparse
    ...                                                # train on: masked weights remain zero
    minigrad.pruning.make_permanent(model)             # plain layers again, with the zeros in their weights
    minigrad.save(minigrad.pruning.pack(model.state_dict()), "small.mg")   # and load_state_dict(unpack(load(...)))

A pruned layer computes with W * M. The mask M is a buffer `weight_mask` beside the weight, so it is saved with the
model (prune a new one by 0.0, and it has room for it), and the gradient of a masked weight is zero. Zeros save room in
a file, not time: the products are dense ones. Source: Han et al. 2015, arXiv:1506.02626.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigrad import autograd, backend
from minigrad.nn.conv import Conv1d, Conv2d
from minigrad.nn.linear import Linear
from minigrad.nn.module import Module
from minigrad.nn.parameter import shared_parameters
from minigrad.tensor import Tensor, from_array


class _Masked(Module):
    """What makes a pruned layer of a layer: its weight is read through its mask, by whoever reads it."""

    @property
    def weight(self) -> Any:
        return self._parameters["weight"] * self._buffers["weight_mask"]


class PrunedLinear(_Masked, Linear):  # type: ignore[override]  # Module.__setattr__ takes what is assigned to weight
    """A Linear of which `prune` has masked weights."""


class PrunedConv1d(_Masked, Conv1d):
    """A Conv1d of which `prune` has masked weights."""


class PrunedConv2d(_Masked, Conv2d):
    """A Conv2d of which `prune` has masked weights."""


_PRUNED: dict[type, type] = {Linear: PrunedLinear, Conv1d: PrunedConv1d, Conv2d: PrunedConv2d}
_PLAIN = {pruned: plain for plain, pruned in _PRUNED.items()}
_MASK = "weight_mask"


@dataclass(frozen=True)
class Report:
    """How a pruned model is: for each layer (masked weights, all weights), and the bytes of the model's parameters and
    buffers, masks not counted, as they are and as `pack` stores them."""

    layers: dict[str, tuple[int, int]] = field(default_factory=dict)
    bytes_dense: int = 0
    bytes_sparse: int = 0

    @property
    def sparsity(self) -> float:
        """The share of masked weights among all weights of these layers."""
        return sum(zeros for zeros, _ in self.layers.values()) / sum(count for _, count in self.layers.values())

    def __str__(self) -> str:
        dense, sparse = self.bytes_dense / 1e6, self.bytes_sparse / 1e6
        share = f"{100 * self.sparsity:.1f} % zeros"
        return f"{len(self.layers)} layers: {share}, {dense:.1f} MB -> {sparse:.1f} MB stored sparse"


def prune(model: Module, amount: float, scope: str = "global", layers: Iterable[str] | None = None) -> Report:
    """Mask the share `amount` of the weights that is smallest in magnitude, in place; returns a Report.

    `scope`: "global" takes the smallest of all layers together, "layer" the same share of each. `layers` names those to
    prune, as `named_modules` does (default: all of exactly the types Linear, Conv1d and Conv2d whose weight no other
    layer shares). Biases stay. What is masked already remains so and counts: 0.5 and then 0.8 leaves 20 %.

    Raises ValueError for an amount outside [0, 1), another scope, a layer that is unknown or shares its weight, weights
    that are not finite, and where there is nothing to prune; the model is then unchanged.
    """
    if not 0 <= amount < 1:
        raise ValueError(f"amount is the share of weights that become zero, in [0, 1), got {amount!r}")
    if scope not in ("global", "layer"):
        raise ValueError(f"scope must be 'global' or 'layer', got {scope!r}")
    chosen = _chosen(model, layers)
    magnitudes = []
    for name, layer in chosen.items():
        weight = backend.to_host(layer.weight.detach().abs().array)
        if not np.isfinite(weight).all():
            raise ValueError(f"the weight of {name} holds nan or inf: its magnitudes cannot be compared")
        magnitudes.append(weight.reshape(-1))
    if scope == "layer":
        zeros = [_smallest(each, amount) for each in magnitudes]
    else:
        ends = np.cumsum([each.size for each in magnitudes])
        zeros = np.split(_smallest(np.concatenate(magnitudes), amount), ends[:-1])
    for layer, zero in zip(chosen.values(), zeros, strict=True):
        mask = from_array(~zero.reshape(layer.weight.shape), layer.weight.device)
        if isinstance(layer, _Masked):
            mask = mask & layer.weight_mask
        layer.__class__ = _PRUNED.get(type(layer), type(layer))  # the object stays, with its names and hooks
        layer.register_buffer(_MASK, mask)
    return report_on(model)


def report_on(model: Module) -> Report:
    """The Report on a model as it is now; ValueError for a model without pruned layers."""
    pruned = {name: layer for name, layer in model.named_modules() if isinstance(layer, _Masked)}
    if not pruned:
        raise ValueError(f"{type(model).__name__} has no pruned layers")
    counts = {}
    tensors: dict[int, Tensor] = {}  # by memory: what several names share is stored once
    for name, tensor in model.state_dict().items():
        path, _, last = name.rpartition(".")
        if path in pruned and last == "weight":
            mask = pruned[path].weight_mask
            counts[path] = (mask.numel() - int(mask.sum()), mask.numel())
            tensors[id(tensor.array)] = tensor * mask
        elif not (path in pruned and last == _MASK):
            tensors[id(tensor.array)] = tensor
    dense = sum(t.array.nbytes for t in tensors.values())
    return Report(counts, dense, sum(_packed_bytes(backend.to_host(t.array)) for t in tensors.values()))


def make_permanent(model: Module) -> None:
    """Write the zeros into the weights and make every pruned layer a plain one again, without a mask."""
    for layer in list(model.modules()):
        if isinstance(layer, _Masked):
            with autograd.no_grad():
                layer._parameters["weight"].mul_(layer.weight_mask)
            delattr(layer, _MASK)
            layer.__class__ = _PLAIN[type(layer)]


def _chosen(model: Module, layers: Iterable[str] | None) -> dict[str, Any]:
    """The layers to prune by name, each once."""
    shared = shared_parameters(model)
    known = {name: m for name, m in model.named_modules() if type(m) in _PRUNED or type(m) in _PLAIN}
    if layers is None:
        chosen = {name: m for name, m in known.items() if id(m._parameters["weight"]) not in shared}
    else:
        wanted = set(layers)
        if unknown := wanted - known.keys():
            raise ValueError(f"these are no Linear, Conv1d or Conv2d layers of the model: {sorted(unknown)}")
        chosen = {name: m for name, m in known.items() if name in wanted}
        if both := [name for name, m in chosen.items() if id(m._parameters["weight"]) in shared]:
            raise ValueError(f"{', '.join(both)} shares its weight with another layer, which would go without the mask")
    if not chosen:
        raise ValueError(f"nothing to prune: {type(model).__name__} holds no Linear, Conv1d or Conv2d layer of its own")
    return chosen


def _smallest(magnitudes: np.ndarray, amount: float) -> np.ndarray:
    """True for the share `amount` that is smallest; of equal ones, as many as are needed."""
    zero = np.zeros(magnitudes.size, bool)
    count = round(amount * magnitudes.size)
    if count:
        zero[np.argpartition(magnitudes, count - 1)[:count]] = True
    return zero


# ---------------------------------------------------------------- stored sparse


def pack(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """A state dict with its zeros left out: of a tensor with enough of them one bit for each entry, and the others.

    Returns {name: Tensor, or {"shape", "bits", "values"}} for `minigrad.save`; `unpack` makes the state dict of it
    again, to the bit but for the sign of zeros. ValueError for a state with masks: `make_permanent` comes first.
    """
    made: dict[int, Any] = {}  # by memory: a tied weight is packed once
    for name, tensor in state.items():
        if name.rpartition(".")[2] == _MASK:
            raise ValueError(f"{name} is a mask: call make_permanent(model) and pack its state_dict() then")
        if id(tensor.array) not in made:
            made[id(tensor.array)] = _packed(tensor)
    return {name: made[id(tensor.array)] for name, tensor in state.items()}


def _packed(tensor: Tensor) -> Any:
    array = backend.to_host(tensor.array)
    if _packed_bytes(array) == array.nbytes:
        return tensor.detach()
    filled = array != 0
    bits = from_array(np.packbits(filled), "cpu")
    return {"shape": list(array.shape), "bits": bits, "values": from_array(array[filled], "cpu")}


def unpack(packed: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state dict that `pack` was given. ValueError for what `pack` did not make."""
    state = {}
    for name, entry in packed.items():
        if isinstance(entry, Tensor):
            state[name] = entry
            continue
        try:
            shape, bits, values = tuple(entry["shape"]), entry["bits"].array, entry["values"].array
            filled = np.unpackbits(bits, count=math.prod(shape)).astype(bool)
            if bits.size != (filled.size + 7) // 8 or values.shape != (filled.sum(),):
                raise ValueError(f"{bits.size} bytes of bits and {values.size} values for the shape {shape}")
            array = np.zeros(shape, values.dtype)
            array.reshape(-1)[filled] = values
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{name} is neither a tensor nor what pack makes of one: {error}") from error
        state[name] = from_array(array, "cpu")
    return state


def _packed_bytes(array: np.ndarray) -> int:
    """The bytes of what `pack` keeps of an array."""
    return min(array.nbytes, (array.size + 7) // 8 + int(np.count_nonzero(array)) * array.itemsize)
