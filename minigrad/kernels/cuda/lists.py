"""Kernels on lists of arrays and on rows of a table (tables.cu): optimizer steps, clipping, gradients of embeddings."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.backend import array_module
from minigrad.kernels import common, optim_reference
from minigrad.kernels.cuda import BLOCK, graph, launch

CHUNK = 4096  # entries of an array that one block takes: 16 a thread
MOST_SORTED = 1 << 17  # ids that are sorted by comparing each with each


def fits(arrays: Sequence[Any]) -> bool:
    """Whether the kernels take all these arrays: float32 and contiguous."""
    return all(a.dtype == "float32" and a.flags.c_contiguous for a in arrays)


MOST_TABLES = 256
_tables: dict[tuple, Any] = {}


class _Tables:
    """Which piece of which array each block takes, on the device."""

    def __init__(self, arrays: Sequence[Any]):
        sizes = [a.size for a in arrays]
        pieces = [(k, start) for k, size in enumerate(sizes) for start in range(0, size, CHUNK)]
        self.blocks, self.count = len(pieces), len(sizes)
        of, start = np.array(pieces, np.int64).reshape(-1, 2).T
        self.gpu = arrays[0].device.id
        heads = (of, self.blocks), (start, self.blocks), (sizes, self.count)
        self.head = tuple((_table(values, self.gpu), count) for values, count in heads)

    def addresses(self, arrays: Sequence[Any] | None) -> Any:
        return None if arrays is None else (_table([a.data.ptr for a in arrays], self.gpu), self.count)


def _table(values: Any, gpu: int) -> Any:
    """int64 values on the device, uploaded when they are first asked for: addresses and sizes are the same each step.

    In a capture, where nothing can be uploaded, new ones are written when it is over.
    """
    values = np.ascontiguousarray(values, np.int64)
    device = backend.backend_for("cuda")
    key = device.module, gpu, values.tobytes()
    array = _tables.pop(key, None)
    if array is None:
        if graph.recording is not None:
            return graph.recording.constant(values)
        array = device.to_device(values)
        while len(_tables) >= MOST_TABLES:
            del _tables[next(iter(_tables))]
    _tables[key] = array  # now the last to go
    return array if graph.recording is None else graph.recording.keep(array)


def adam_update(
    params: Sequence[Any],
    grads: Sequence[Any],
    exp_avgs: Sequence[Any],
    exp_avg_sqs: Sequence[Any],
    max_exp_avg_sqs: Sequence[Any] | None,
    *,
    lr: Any,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    step: Any,
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
    tables = _Tables(params)
    lists = [tables.addresses(arrays) for arrays in (params, grads, exp_avgs, exp_avg_sqs, tops)]
    if backend.is_array(lr):
        scalars = _scalars_on_device(tables, steps, **options)
    else:
        values = np.array([optim_reference.adam_scalars(t, **options) for t in steps], np.float32)
        scalars = backend.backend_for("cuda").to_device(values)
    launch("adam", tables.blocks, *tables.head, *lists, (scalars, 4 * tables.count), CHUNK, beta1, beta2, eps,
           -1.0 if maximize else 1.0)  # fmt: skip


def _scalars_on_device(
    tables: _Tables, steps: Sequence[Any], *, lr: Any, beta1: float, beta2: float, weight_decay: float, decoupled: bool
) -> Any:
    """`adam_scalars` of step counts and a rate that lie in device memory."""
    scalars = array_module(lr).empty((tables.count, 4), "float32")
    launch("adam_scalars", -(-tables.count // BLOCK), tables.addresses(steps), (lr, 1), (scalars, 4 * tables.count),
           tables.count, beta1, beta2, weight_decay, decoupled)  # fmt: skip
    return scalars


def count_up(steps: Sequence[Any]) -> None:
    """Add one to each of the float32 numbers, which lie somewhere in device memory."""
    addresses = _table([s.data.ptr for s in steps], steps[0].device.id)
    launch("count_up", -(-len(steps) // BLOCK), (addresses, len(steps)), len(steps))


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
    n, width = ids.size, rows.size // ids.size
    ids, order = _sorted(array_module(ids).ascontiguousarray(ids.reshape(-1).astype("int64")))
    launch("add_rows", (n, -(-width // BLOCK)), (buffer, buffer.size), (ids, n), (order, n), (rows, rows.size), n,
           width, buffer.shape[0])  # fmt: skip


def _sorted(ids: Any) -> tuple[Any, Any]:
    """The ids in order, and where each stood; of equal ones the first comes first."""
    xp, n = array_module(ids), ids.size
    if n > MOST_SORTED and graph.recording is None:
        order = xp.argsort(ids).astype("int64")  # CuPy's sort is stable, and waits for the device
        return ids[order], order
    ordered, order = xp.empty(n, "int64"), xp.empty(n, "int64")
    launch("sort_ids", -(-n // BLOCK), (ids, n), (ordered, n), (order, n), n)
    return ordered, order
