"""embedding_bag: sums, means and maxima of rows of a table, bag by bag."""

from typing import Any

import numpy as np

from minigrad import creation, ops
from minigrad.backend import to_host
from minigrad.grad_names import named
from minigrad.nn.functional.layers import embedding
from minigrad.tensor import Tensor


@ops.example_by_example
def embedding_bag(
    input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None, norm_type: float = 2.0,
    scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
    per_sample_weights: Tensor | None = None, include_last_offset: bool = False, padding_idx: int | None = None,
) -> Tensor:  # fmt: skip
    """The sum, mean or max over the rows weight[i] of each bag of indices i: (B, width).

    input (B, n): bags of n; or (N,) with `offsets` (B,), where each bag starts (the last offset is N with
    `include_last_offset`). Indices equal to `padding_idx` count for nothing; an empty bag gives zeros.
    `per_sample_weights`, of input's shape, multiply the rows of a "sum". Of equal entries the first takes the gradient
    of a max. `max_norm` is as in `embedding`; `scale_grad_by_freq` and `sparse` raise NotImplementedError.
    """
    _check(input, weight, offsets, mode, per_sample_weights)
    ids = to_host(input.array).reshape(-1)
    if ids.size and not 0 <= ids.min() <= ids.max() < weight.shape[0]:
        bad = ids[(ids < 0) | (ids >= weight.shape[0])][0]
        raise RuntimeError(f"embedding_bag: the input holds {bad}, which is not in the range [0, {weight.shape[0]})")
    bag = _bag_of_each(input, offsets, include_last_offset)
    bags = input.shape[0] if offsets is None else offsets.shape[0] - include_last_offset
    rows = embedding(input.reshape(-1), weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)  # (N, W)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    counts = np.ones(len(ids), bool) if padding_idx is None else ids != padding_idx % weight.shape[0]
    if not counts.all():
        kept = np.flatnonzero(counts)
        rows, bag = rows.index_select(0, creation.tensor(kept, device=rows.device)), bag[kept]
    if mode == "max":
        return named(_largest(rows, bag, bags), "EmbeddingBagBackward0")
    total = rows.new_zeros(bags, weight.shape[1]).index_add(0, creation.tensor(bag, device=rows.device), rows)
    if mode == "sum":
        return named(total, "EmbeddingBagBackward0")
    sizes = np.maximum(np.bincount(bag, minlength=bags), 1)[:, None]
    return named(total / creation.tensor(sizes, dtype=rows.dtype, device=rows.device), "EmbeddingBagBackward0")


def _largest(rows: Tensor, bag: np.ndarray, bags: int) -> Tensor:
    """The max of each bag: its rows side by side, up to the largest bag, and -inf where it has fewer."""
    if not bag.size:
        return rows.new_zeros(bags, rows.shape[1]) + rows.sum()
    sizes = np.bincount(bag, minlength=bags)
    starts = np.cumsum(sizes) - sizes
    column = np.arange(sizes.max())
    inside = column < sizes[:, None]  # (B, longest)
    places = np.where(inside, starts[:, None] + column, 0)
    spread = rows[creation.tensor(places, device=rows.device)]  # (B, longest, W)
    spread = ops.where(creation.tensor(inside[:, :, None], device=rows.device), spread, float("-inf"))
    top = spread.max(1).values
    return ops.where(creation.tensor(sizes[:, None] == 0, device=rows.device), 0.0, top)


def _bag_of_each(input: Tensor, offsets: Tensor | None, include_last_offset: bool) -> np.ndarray:
    """The number of the bag that each index belongs to, in rising order: (N,)."""
    if offsets is None:
        return np.repeat(np.arange(input.shape[0]), input.shape[1])
    starts, total = to_host(offsets.array), input.shape[0]
    if starts.size and (starts[0] != 0 or (np.diff(starts) < 0).any() or starts[-1] > total):
        raise RuntimeError(
            f"embedding_bag: offsets must start at 0, never fall, and end at {total} or before, got {starts.tolist()}"
        )
    if include_last_offset and starts.size:
        total, starts = int(starts[-1]), starts[:-1]
        if total != input.shape[0]:
            raise RuntimeError(f"embedding_bag: the last offset must be {input.shape[0]}, got {total}")
    return np.repeat(np.arange(len(starts)), np.diff(np.append(starts, total)))


def _check(input: Tensor, weight: Tensor, offsets: Tensor | None, mode: str, per_sample_weights: Any) -> None:
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the "
            f"same shape as the input ({input.shape})"
        )
    if weight.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if input.ndim not in (1, 2):
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if input.ndim == 2 and offsets is not None:
        raise ValueError(
            "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
            f"sequences. However, found offsets of shape {tuple(offsets.shape)}"
        )
    if input.ndim == 1 and (offsets is None or offsets.ndim != 1):
        raise ValueError(
            f"offsets has to be a 1D Tensor but got {None if offsets is None else f'shape {tuple(offsets.shape)}'}"
        )
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"mode has to be one of sum, mean or max, got {mode!r}")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}')."
        )
