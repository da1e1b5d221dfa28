"""Out of memory: the caches are given back, the op tries once more, and if that fails the error says who holds what.

Nothing is counted while there is memory: who holds it is found out afterwards, by going through all living tensors and
all nodes of graphs.
"""

import gc
from collections import defaultdict
from typing import Any

from minigrad import backend
from minigrad.backend import backend_of, is_array

SHOWN = 6  # holders in the message


class OutOfMemoryError(RuntimeError):
    """There is not enough memory for a result. PyTorch's `torch.OutOfMemoryError`."""


def try_again(op: Any, arrays: list, params: dict) -> Any:
    """The op's result, after what nobody uses has been given back; OutOfMemoryError where that is not enough."""
    where = next((backend_of(a) for a in arrays if is_array(a)), backend.backend_for("cpu"))
    gc.collect()  # tensors in cycles
    if where.device_type == "cuda":
        where.module.get_default_memory_pool().free_all_blocks()
    try:
        return op.forward(*(arrays if op.promote is None else op.promote(arrays)), **params)
    except MemoryError as second:
        raise OutOfMemoryError(message(op.name, second, where)) from second


def message(op_name: str, error: MemoryError, where: Any) -> str:
    """The request, what is held, and what to do."""
    start = "CUDA out of memory." if where.device_type == "cuda" else "not enough memory."
    found = sorted(holders(where.device_type).items(), key=lambda item: -item[1][0])
    listed = [f"{name} {spoken(size)} ({count} arrays)" for name, (size, count) in found[:SHOWN]]
    whole = sum(size for size, _ in dict(found).values())
    text = f"{start} {op_name} asked for too much: {str(error).rstrip('.')}. "
    text += f"Tensors hold {spoken(whole)}: {', '.join(listed) or 'nothing'}. "
    if where.device_type == "cuda":
        free, total = where.module.cuda.runtime.memGetInfo()
        text += f"Of the GPU's {spoken(total)} are {spoken(free)} free. "
    return text + (
        "Take a smaller batch; run what needs no gradient under no_grad(); keep less for the backward pass with "
        "utils.checkpoint, or in 16 bits with autocast; and let go of what is not needed, a loss kept as a tensor "
        "above all (.item() gives the number)"
    )


def holders(device_type: str) -> dict[str, tuple[int, int]]:
    """(bytes, arrays) by who holds them: the op that made a tensor, or for whose backward an array is kept."""
    from minigrad.autograd import Node
    from minigrad.nn.parameter import Parameter
    from minigrad.tensor import Tensor

    # By type: isinstance() would ask a weak proxy, which is in the list too, for the object that it may have lost.
    objects = [x for x in gc.get_objects() if issubclass(type(x), (Node, Tensor))]
    sizes: dict[str, int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    seen: set[int] = set()

    def count(array: Any, name: str) -> None:
        while is_array(getattr(array, "base", None)):  # a view holds the whole of what it looks into
            array = array.base
        if is_array(array) and backend_of(array).device_type == device_type and id(array) not in seen:
            seen.add(id(array))
            sizes[name] += array.nbytes
            counts[name] += 1

    for x in objects:
        if isinstance(x, Parameter):
            count(x.array, "parameters")
            if x.grad is not None:
                count(x.grad.array, "gradients of parameters")
    for x in objects:
        if isinstance(x, Node):
            for kept in (x.kept or {}).values():
                for array in kept if isinstance(kept, (tuple, list)) else (kept,):
                    count(array, f"the backward pass of {x.op.name}" if x.op is not None else "leaves")
    for x in objects:
        if isinstance(x, Tensor):
            made_by = x.node.op if x.node is not None else None
            count(x.array, f"results of {made_by.name}" if made_by is not None else "tensors without a graph")
    return {name: (sizes[name], counts[name]) for name in sizes}


def spoken(size: int) -> str:
    """1536 -> '1.50 KiB'."""
    number, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if number < 1024:
            break
        number, unit = number / 1024, larger
    return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.2f} {unit}"
