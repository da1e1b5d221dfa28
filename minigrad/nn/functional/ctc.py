"""Connectionist temporal classification: the loss of a label sequence whose places in time are not known."""

from typing import Any

import numpy as np

from minigrad import creation, ops
from minigrad.backend import to_host
from minigrad.dtype import finfo
from minigrad.mixed_precision import full_precision
from minigrad.nn.functional.reduction import reduced
from minigrad.tensor import Tensor


@ops.example_by_example
@full_precision
def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: str = "mean", zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """-log of the probability of the targets: the sum over all paths of T classes that read as the targets once repeats
    are merged and then blanks taken out.

    log_probs (T, N, C), or (T, C) without a batch, from log_softmax; targets (N, S) padded, or all in a row (sum of
    the lengths,); lengths (N,). The sum goes forward in time over the labels with blanks between them, in logarithms:

        alpha_t(s) = log_probs[t, label s] + logsumexp(alpha_{t-1}(s), alpha_{t-1}(s - 1), alpha_{t-1}(s - 2))

    where s - 2 leads to s only across a blank between two different labels. "mean" divides each loss by its target's
    length (at least 1) first. Targets that fit into no path cost inf, or 0 with `zero_infinity`, and give gradient 0.
    The gradient is the derivative by log_probs; PyTorch adds exp(log_probs) to it, which log_softmax takes out again.
    RuntimeError for lengths and labels that do not fit.

    Source: Graves, Fernandez, Gomez and Schmidhuber, "Connectionist temporal classification" (2006).
    """
    if not log_probs.is_floating_point():
        raise NotImplementedError(f"ctc_loss is not implemented for {log_probs.dtype}: convert with .float()")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction: none, mean, sum")
    batched = log_probs.ndim == 3
    x = log_probs if batched else log_probs.unsqueeze(1)  # (T, N, C)
    inputs, lengths = _host(input_lengths), _host(target_lengths)
    labels = _labels(x, targets, inputs, lengths, blank)  # (N, 2 S + 1)
    losses = -_log_likelihood(x, labels, inputs, lengths, blank)
    never = -finfo(x.dtype).min / 8
    losses = ops.where(losses > never, 0.0 if zero_infinity else float("inf"), losses)
    if reduction == "mean":
        losses = losses / creation.tensor(np.maximum(lengths, 1), device=x.device)
    losses = losses if batched else losses.squeeze(0)
    return reduced(losses, reduction)


def _host(lengths: Any) -> np.ndarray:
    """Lengths, given as a Tensor or as numbers, as a NumPy vector."""
    raw = to_host(lengths.array) if isinstance(lengths, Tensor) else np.asarray(lengths)
    if raw.dtype.kind not in "iu":
        raise RuntimeError(f"ctc_loss: lengths must be integers, got {raw.dtype}")
    return raw.reshape(-1)


def _labels(x: Tensor, targets: Tensor, inputs: np.ndarray, lengths: np.ndarray, blank: int) -> np.ndarray:
    """Each target with blanks before, between and after its labels, filled up with blanks: (N, 2 longest + 1)."""
    steps, batch, classes = x.shape
    if not 0 <= blank < classes:
        raise RuntimeError(f"blank must be in label range, got {blank} for {classes} classes")
    for name, given in (("input_lengths", inputs), ("target_lengths", lengths)):
        if len(given) != batch:
            raise RuntimeError(f"{name} must be of size batch_size, got {len(given)} for a batch of {batch}")
        if (given < 0).any():
            raise RuntimeError(f"Expected {name} to have value at least 0, but got value {given.min()}")
    if inputs.max(initial=0) > steps:
        raise RuntimeError(f"Expected input_lengths to have value at most {steps}, but got value {inputs.max()}")
    raw, longest = to_host(targets.array).astype(np.int64), int(lengths.max(initial=0))
    if raw.ndim == 2 and (raw.shape[0] != batch or raw.shape[1] < longest):
        raise RuntimeError(
            f"Expected targets of shape ({batch}, {longest} or more), one row for each of the batch, got {raw.shape}"
        )
    if raw.ndim == 1 and batch > 1 and raw.size != lengths.sum():
        raise RuntimeError(f"Expected tensor to have size {lengths.sum()} at dimension 0, but got size {raw.size}")
    rows = list(raw) if raw.ndim == 2 else np.split(raw, np.cumsum(lengths)[:-1])
    labels = np.full((batch, 2 * longest + 1), blank)
    for n, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        labels[n, 1 : 2 * length : 2] = row[:length]
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        bad = labels.min() if labels.min() < 0 else labels.max()
        raise RuntimeError(f"ctc_loss: target {bad} is out of bounds for {classes} classes")
    return labels


def _log_likelihood(x: Tensor, labels: np.ndarray, inputs: np.ndarray, lengths: np.ndarray, blank: int) -> Tensor:
    """log of the sum over paths, (N,); what no path reaches is a huge negative number, whose gradients are finite."""
    (batch, positions), device = labels.shape, x.device
    never = finfo(x.dtype).min / 4
    index = creation.tensor(labels, device=device).unsqueeze(0).expand(x.shape[0], batch, positions)
    emitted = x.gather(2, index)  # (T, N, 2 S + 1)
    place = np.arange(positions)
    first = (place < 2) & (place <= 2 * lengths[:, None])
    skips = (labels != blank) & (labels != np.roll(labels, 2, axis=1)) & (place >= 2)
    may_skip = creation.tensor(skips, device=device)
    alpha = ops.where(creation.tensor(first, device=device), emitted[0], never)
    for t in range(1, int(inputs.max(initial=0))):
        before = ops.pad(alpha, pads=((0, 0), (2, 0)), value=never)
        reached = ops.stack([alpha, before[:, 1:-1], ops.where(may_skip, before[:, :-2], never)], 0)
        fresh = reached.logsumexp(0) + emitted[t]
        going = inputs > t
        alpha = fresh if going.all() else ops.where(creation.tensor(going[:, None], device=device), fresh, alpha)
    ends = np.stack([2 * lengths, np.maximum(2 * lengths - 1, 0)], axis=1)
    last = alpha.gather(1, creation.tensor(ends, device=device))
    one_end = np.stack([np.zeros(batch, bool), lengths == 0], axis=1)
    likelihood = ops.where(creation.tensor(one_end, device=device), never, last).logsumexp(1)
    if (inputs > 0).all():
        return likelihood
    empty = np.where(lengths > 0, never, 0.0)  # of no time steps: only the empty target fits
    constant = creation.tensor(empty, dtype=x.dtype, device=device)
    return ops.where(creation.tensor(inputs > 0, device=device), likelihood, constant)
