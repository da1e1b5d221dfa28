"""What attends to what: the weights of every attention that a model computes."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import autograd, backend
from minigrad.nn.module import Module
from minigrad.op import Op
from minigrad.tensor import Tensor, from_raw
from minigrad.viz.pictures import canvas
from minigrad.viz.watching import in_eval_mode, watching


def attention_maps(model: Module, *inputs: Any, **named: Any) -> list[Tensor]:
    """The weights (N, heads, queries, keys) of each attention in `model(*inputs)`, in the order they are computed.

    The kernel never writes them down; they are computed anew from its queries and keys. A softmax of four axes over
    the last one counts as an attention written out by hand. ValueError where there is none.
    """
    maps: list[Tensor] = []

    def see(op: Op, given: tuple, params: dict, output: Any) -> None:
        if op.name == "attention":
            maps.append(_weights(*given, **params))
        elif op.name == "softmax" and output.ndim == 4 and params.get("dim") in (-1, 3):
            maps.append(output)

    with in_eval_mode(model), autograd.no_grad(), watching(see):
        model(*inputs, **named)
    if not maps:
        raise ValueError(f"{type(model).__name__} computes no attention")
    return maps


def _weights(q: Tensor, k: Tensor, v: Tensor, mask: Any, *, scale: float, causal: bool) -> Tensor:
    """softmax(q k^T scale), masked as the op does it; queries that see no key have zeros."""
    host = [backend.to_host(x.array).astype(np.float64) for x in (q, k)]
    scores = host[0] @ host[1].swapaxes(-1, -2) * scale  # (..., T, S)
    if causal:
        T, S = scores.shape[-2:]
        scores = np.where(np.arange(S) <= np.arange(T)[:, None], scores, -math.inf)
    if mask is not None:
        added = backend.to_host(getattr(mask, "array", mask))
        scores = np.where(added, scores, -math.inf) if added.dtype.kind == "b" else scores + added
    highest = scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(highest), highest, 0.0))
    weights /= np.maximum(weights.sum(axis=-1, keepdims=True), 1e-300)
    return from_raw(backend.to_device(weights.astype(q.array.dtype), q.device))


def save_attention(
    maps: Tensor | Sequence[Tensor], path: str | os.PathLike, tokens: Sequence[str] | None = None
) -> None:
    """Draw the weights of the first example: a row for each layer, a column for each head; queries down, keys across.

    `tokens` are written at the axes. ValueError where they are not as many as the keys. Needs matplotlib.
    """
    layers = [maps] if isinstance(maps, Tensor) else list(maps)
    arrays = [backend.to_host(m.detach().array) for m in layers]
    if not arrays or any(a.ndim != 4 for a in arrays):
        raise ValueError(f"expected weights (N, heads, queries, keys), got {[a.shape for a in arrays]}")
    heads = max(a.shape[1] for a in arrays)
    if tokens is not None and any(len(tokens) != a.shape[3] for a in arrays):
        raise ValueError(f"{len(tokens)} tokens were given for {arrays[0].shape[3]} keys")
    figure = canvas((2.2 * heads, 2.2 * len(arrays)), "save_attention")
    axes = figure.subplots(len(arrays), heads, squeeze=False)
    for i, array in enumerate(arrays):
        for j in range(heads):
            plot = axes[i, j]
            if j >= array.shape[1]:
                plot.axis("off")
                continue
            plot.imshow(array[0, j].astype(np.float64), vmin=0, cmap="viridis")
            plot.set_title(f"layer {i}, head {j}", fontsize=7)
            if tokens is None:
                plot.set_xticks([])
                plot.set_yticks([])
            else:
                plot.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=5)
                if array.shape[2] == array.shape[3]:
                    plot.set_yticks(range(len(tokens)), tokens, fontsize=5)
    figure.savefig(path, dpi=150)
