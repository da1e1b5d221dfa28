"""Kernels on lists of arrays and on rows of a table (tables.cu): optimizer steps, clipping, gradients of embeddings."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.backend import array_module
from minigrad.kernels import common, optim_reference
from minigrad.kernels.cuda import BLOCK, launch

CHUNK = 4096  # entries of an array that one block takes: 16 a thread


def fits(arrays: Sequence[Any]) -> bool:
    """Whether the kernels take all these arrays: float32 and contiguous."""
    return all(a.dtype == "float32" and a.flags.c_contiguous for a in arrays)


class _Tables:
    """Which piece of which array each block takes, on the device."""

    def __init__(self, arrays: Sequence[Any]):
        sizes = [a.size for a in arrays]
        pieces = [(k, start) for k, size in enumerate(sizes) for start in range(0, size, CHUNK)]
        self.blocks, self.count = len(pieces), len(sizes)
        of, start = np.array(pieces, np.int64).reshape(-1, 2).T
        self.head = (_table(of), self.blocks), (_table(start), self.blocks), (_table(sizes), self.count)

    def addresses(self, arrays: Sequence[Any] | None) -> Any:
        return None if arrays is None else (_table([a.data.ptr for a in arrays]), self.count)


def _table(values: Any, dtype: Any = np.int64) -> Any:
    return backend.backend_for("cuda").to_device(np.ascontiguousarray(values, dtype))


def adam_update(
    params: Sequence[Any],
    grads: Sequence[Any],
    exp_avgs: Sequence[Any],
    exp_avg_sqs: Sequence[Any],
    max_exp_avg_sqs: Sequence[Any] | None,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    step: float | Sequence[float],
    maximize: bool = False,
    amsgrad: bool = False,
) -> None:
    """One step of Adam or AdamW in place, all arrays in one launch; the formula is optim_reference.adam_update's."""
    tops = max_exp_avg_sqs if amsgrad else None
    grads = [array_module(g).ascontiguousarray(g) for g in grads]
    if not fits([*params, *grads, *exp_avgs, *exp_avg_sqs, *(tops or [])]):
        return common.adam_update(
            params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, lr=lr, beta1=beta1, beta2=beta2, eps=eps,
            weight_decay=weight_decay, decoupled=decoupled, step=step, maximize=maximize, amsgrad=amsgrad,
        )  # fmt: skip
    steps = step if isinstance(step, Sequence) else [step] * len(params)
    options: dict[str, Any] = {
        "lr": lr,
        "beta1": beta1,
        "beta2": beta2,
        "weight_decay": weight_decay,
        "decoupled": decoupled,
    }
    scalars = [optim_reference.adam_scalars(t, **options) for t in steps]
    tables = _Tables(params)
    lists = [tables.addresses(arrays) for arrays in (params, grads, exp_avgs, exp_avg_sqs, tops)]
    launch("adam", tables.blocks, *tables.head, *lists, (_table(scalars, np.float32), 4 * tables.count),
           CHUNK, beta1, beta2, eps, -1.0 if maximize else 1.0)  # fmt: skip


def total_norm(arrays: Sequence[Any]) -> Any:
    """The root of the sum of all squares, a 0-d array: nobody waits for it."""
    if not fits(arrays):
        return optim_reference.total_norm(arrays)
    tables, xp = _Tables(arrays), array_module(arrays[0])
    sums = xp.zeros(tables.blocks, "float32")
    launch("square_sums", tables.blocks, *tables.head, tables.addresses(arrays), (sums, tables.blocks), CHUNK)
    return xp.sqrt(sums.astype("float64").sum()).astype("float32")


def scale_by(arrays: Sequence[Any], factor: Any) -> None:
    """Multiply every array, in place, by a factor in device memory."""
    if not fits([*arrays, factor]):
        return optim_reference.scale_by(arrays, factor)
    tables = _Tables(arrays)
    launch("scale_all", tables.blocks, *tables.head, tables.addresses(arrays), (factor, 1), CHUNK)


def add_rows(buffer: Any, ids: Any, rows: Any) -> None:
    """buffer[ids[n]] += rows[n] in place, repeated ids in the order of n."""
    if not (rows.size and fits([buffer, rows])):
        return common.add_rows(buffer, ids, rows)
    xp, width = array_module(buffer), rows.size // ids.size
    ids = ids.reshape(-1).astype("int64")
    order = xp.argsort(ids)  # CuPy's sort is stable
    launch("add_rows", (ids.size, -(-width // BLOCK)), (buffer, buffer.size), (ids[order], ids.size),
           (order.astype("int64"), ids.size), (rows, rows.size), ids.size, width)  # fmt: skip
