"""Smaller weights for trained models: int8 or bfloat16 instead of float32, computed with in float32.

    report = minigrad.quantization.quantize(model, "int8")      # in place; the model is for use, or a frozen base
    print(report)                                               # 13 layers to int8: 652.1 MB -> 163.5 MB

Writing token by token, a language model reads all its weights for each token, so a quarter of the bytes is up to four
times as fast. Weights only are rounded; no data is needed. int8 has one scale for each row (output channel), as in
Dettmers et al. 2022 (arXiv:2208.07339) without their outlier columns.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from minigrad.nn.embedding import Embedding
from minigrad.nn.linear import Linear
from minigrad.nn.module import Module
from minigrad.nn.quantized import DTYPES, QuantizedEmbedding, QuantizedLinear, quantize_rows
from minigrad.tensor import Tensor


@dataclass(frozen=True)
class Report:
    """What `quantize` did: the layers' names, and the bytes of all parameters and buffers before and after."""

    dtype: str
    layers: list[str] = field(default_factory=list)
    bytes_before: int = 0
    bytes_after: int = 0

    def __str__(self) -> str:
        before, after = self.bytes_before / 1e6, self.bytes_after / 1e6
        return f"{len(self.layers)} layers to {self.dtype}: {before:.1f} MB -> {after:.1f} MB"


def size_in_bytes(model: Module) -> int:
    """The bytes of a model's parameters and buffers; memory that several names share counts once."""
    tensors: Iterable[Tensor] = [*model.parameters(), *model.buffers()]
    return sum({id(t.array): t.array.nbytes for t in tensors}.values())


def quantize(
    model: Module, dtype: str = "int8", layers: Iterable[str] | None = None, embeddings: str = "tied"
) -> Report:
    """Replace the Linear layers of a model, in place, by ones whose weights are kept as `dtype`; returns a Report.

    `dtype` is "int8" or "bfloat16". `layers` names the ones to replace, as `named_modules` does (default: all of
    exactly the type Linear). `embeddings`: "tied" replaces tables whose matrix a replaced Linear shares (they go on
    sharing it), "all" every Embedding, "none" none. The model answers almost as before; its weights are no longer
    trained. Raises ValueError for an unknown dtype or layer, for weights that are not finite, and where nothing
    could be replaced.
    """
    if dtype not in DTYPES:
        raise ValueError(f"quantize knows the dtypes {' and '.join(map(repr, DTYPES))}, got {dtype!r}")
    if embeddings not in ("tied", "all", "none"):
        raise ValueError(f"embeddings must be 'tied', 'all' or 'none', got {embeddings!r}")
    before = size_in_bytes(model)
    # Of several names of one layer all are replaced, by one layer.
    places = [(name, module) for name, module in model.named_modules(remove_duplicate=False) if name]
    wanted = None if layers is None else set(layers)
    linears = [(n, m) for n, m in places if type(m) is Linear and (wanted is None or n in wanted)]
    if unknown := (wanted or set()) - {name for name, _ in linears}:
        raise ValueError(f"these are no Linear layers of the model: {sorted(unknown)}")
    if not linears:
        raise ValueError(f"nothing to quantize: {type(model).__name__} holds no Linear layer")
    shared = {id(m.weight) for _, m in linears}
    tables = [
        (n, m)
        for n, m in places
        if type(m) is Embedding and (embeddings == "all" or (embeddings == "tied" and id(m.weight) in shared))
    ]
    rounded: dict[int, tuple[Tensor, Tensor | None]] = {}  # by the weight that it was: a tied one is rounded once
    made: dict[int, Module] = {}
    for _, module in (*linears, *tables):
        if id(module) in made:
            continue
        weight = module.weight
        if id(weight) not in rounded:
            rounded[id(weight)] = quantize_rows(weight, dtype)
        numbers = rounded[id(weight)]
        linear = isinstance(module, Linear)
        made[id(module)] = (
            QuantizedLinear.around(*numbers, module.bias) if linear else QuantizedEmbedding.around(*numbers)
        ).train(module.training)
    for name, module in (*linears, *tables):
        path, _, last = name.rpartition(".")
        setattr(model.get_submodule(path), last, made[id(module)])
    return Report(dtype, [name for name, _ in (*linears, *tables)], before, size_in_bytes(model))
