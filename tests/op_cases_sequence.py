"""The table of ops, labels in sequences: bags of embeddings, and CTC by counting all paths."""

import itertools
from typing import Any

import numpy as np
from case import Case
from makers import apart, values

from minigrad.nn import functional as F

IDS, BAGS = np.array([2, 0, 1, 1, 3, 0]), np.array([0, 3, 3, 4])


def bags(ids: Any, weight: Any, offsets: Any = None, scale: Any = None, *, mode: str = "mean", padding_idx: int = -9,
         include_last_offset: bool = False) -> Any:  # fmt: skip
    if offsets is None:
        starts, ends = range(0, ids.size, ids.shape[1]), range(ids.shape[1], ids.size + 1, ids.shape[1])
    elif include_last_offset:
        starts, ends = offsets[:-1], offsets[1:]
    else:
        starts, ends = offsets, [*offsets[1:], ids.size]
    flat, factors = ids.reshape(-1), np.ones(ids.size) if scale is None else scale.reshape(-1)
    y = np.zeros((len(starts), weight.shape[1]))
    for b, (start, end) in enumerate(zip(starts, ends, strict=True)):
        rows = [weight[flat[i]] * factors[i] for i in range(start, end) if flat[i] != padding_idx]
        if rows:
            y[b] = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode](rows, axis=0)
    return y


def in_order(ids: Any, weight: Any, offsets: Any = None, scale: Any = None, **options: Any) -> Any:
    return F.embedding_bag(ids, weight, offsets, per_sample_weights=scale, **options)


def weighted(ids: Any, weight: Any, scale: Any, **options: Any) -> Any:
    return F.embedding_bag(ids, weight, per_sample_weights=scale, **options)


BAG = "nn.functional.embedding_bag"
CASES = [
    case
    for mode in ("sum", "mean", "max")
    for case in (
        Case(BAG, in_order, (values(IDS), apart((4, 3)), values(BAGS)), {"mode": mode}, oracle=bags, note=mode),
        Case(BAG, in_order, (values(IDS.reshape(2, 3)), apart((4, 3))), {"mode": mode, "padding_idx": 0}, oracle=bags,
             note=f"{mode}, rows, padding"),
        Case(BAG, in_order, (values(IDS), apart((4, 3)), values([0, 2, 6])),
             {"mode": mode, "include_last_offset": True}, oracle=bags, note=f"{mode}, last offset"),
        Case(BAG, in_order, (values(np.zeros((2, 0), int)), (4, 3)), {"mode": mode}, oracle=lambda ids, w, mode:
             np.zeros((2, 3)), note=f"{mode}, empty"),
    )
] + [
    Case(BAG, weighted, (values(IDS.reshape(3, 2)), (4, 3), (3, 2)), {"mode": "sum"},
         oracle=lambda ids, w, scale, mode: bags(ids, w, None, scale, mode=mode), note="weights of samples"),
]  # fmt: skip


def reads_as(path: tuple[int, ...], blank: int) -> list[int]:
    return [c for c, _ in itertools.groupby(path) if c != blank]


def every_path(x: Any, targets: Any, inputs: Any, lengths: Any, blank: int = 0, reduction: str = "none") -> Any:
    rows = targets if targets.ndim == 2 else np.split(targets, np.cumsum(lengths)[:-1])
    losses = []
    for n, (steps, length) in enumerate(zip(inputs, lengths, strict=True)):
        wanted = rows[n][:length].tolist()
        total = -np.inf
        for path in itertools.product(range(x.shape[2]), repeat=steps):
            if reads_as(path, blank) == wanted:
                total = np.logaddexp(total, sum(x[t, n, c] for t, c in enumerate(path)))
        losses.append(-total)
    losses = np.array(losses)
    if reduction == "none":
        return losses
    return (losses / np.maximum(lengths, 1)).mean() if reduction == "mean" else losses.sum()


def ctc(x: Any, targets: Any, **options: Any) -> Any:
    return F.ctc_loss(x, targets, **options)


def oracle(x: Any, targets: Any, input_lengths: Any, target_lengths: Any, **options: Any) -> Any:
    return every_path(x, targets, input_lengths, target_lengths, **options)


PADDED, IN_A_ROW = np.array([[1, 2, 1], [2, 2, 0], [1, 0, 0], [0, 0, 0]]), np.array([0, 1, 2, 2, 1])
CTC = "nn.functional.ctc_loss"
CASES += [
    Case(CTC, ctc, ((5, 4, 3), values(PADDED)), {"input_lengths": [5, 4, 1, 3], "target_lengths": [3, 2, 1, 0],
         "reduction": reduction}, oracle=oracle, note=reduction)
    for reduction in ("none", "mean", "sum")
] + [
    Case(CTC, ctc, ((4, 2, 4), values(IN_A_ROW)), {"input_lengths": (4, 4), "target_lengths": (2, 3), "blank": 3,
         "reduction": "sum"}, oracle=oracle, note="targets in a row, other blank"),
    Case(CTC, ctc, ((2, 2, 3), values(PADDED[:2])), {"input_lengths": (2, 2), "target_lengths": (2, 2),
         "reduction": "none"}, oracle=oracle, note="a target that does not fit", gradient=False),
]  # fmt: skip
