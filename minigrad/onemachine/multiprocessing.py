"""`torch.multiprocessing`: Python's own `multiprocessing`, and `spawn` for one process.

Tensors travel between processes as copies; `share_memory_()` puts one into memory that forked children share.
A child started by "spawn" or "forkserver" begins as a fresh Python, where the torch alias is off until it is turned on.
"""

import mmap
from collections.abc import Callable
from multiprocessing import (
    Array,
    Event,
    JoinableQueue,
    Lock,
    Manager,
    Pipe,
    Pool,
    Process,
    Queue,
    Value,
    cpu_count,
    current_process,
    freeze_support,
    get_all_start_methods,
    get_context,
    get_start_method,
    set_start_method,
)
from typing import Any

import numpy as np

from minigrad.tensor import Tensor, from_raw

__all__ = [
    "Array", "Event", "JoinableQueue", "Lock", "Manager", "Pipe", "Pool", "Process", "Queue", "Value", "cpu_count",
    "current_process", "freeze_support", "get_all_start_methods", "get_context", "get_start_method",
    "set_sharing_strategy", "set_start_method", "spawn",
]  # fmt: skip


class Finished:
    """What `spawn(..., join=False)` gives: processes that have ended."""

    def join(self, timeout: float | None = None) -> bool:
        return True


def spawn(
    fn: Callable,
    args: tuple = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> Finished | None:
    """Run `fn(0, *args)`, in this process. RuntimeError for more: processes could not exchange gradients."""
    if nprocs > 1:
        raise RuntimeError(f"minigrad trains in one process, got nprocs={nprocs}; use nprocs=1 (and world_size=1)")
    if nprocs == 1:
        fn(0, *args)
    return None if join else Finished()


def set_sharing_strategy(new_strategy: str) -> None:
    """Has no effect: 'file_descriptor' and 'file_system' say how PyTorch passes tensors on; here they are copied."""
    if new_strategy not in ("file_descriptor", "file_system"):
        raise ValueError(f"expected 'file_descriptor' or 'file_system', got {new_strategy!r}")


def share(tensor: Tensor) -> Tensor:
    """Move a tensor of the host, in place, into memory that this process and its forks write and read in common."""
    if is_shared(tensor):
        return tensor
    if tensor.is_cuda or not tensor.is_leaf:
        raise RuntimeError("share_memory_() takes leaf tensors on the CPU; detach() or cpu() it first")
    memory = mmap.mmap(-1, max(tensor.array.nbytes, 1))
    shared = np.frombuffer(memory, tensor.array.dtype, tensor.array.size).reshape(tensor.array.shape)
    shared[...] = tensor.array
    tensor.data = from_raw(shared)
    return tensor


def is_shared(tensor: Tensor) -> bool:
    """True after `share_memory_()`."""
    owner: Any = tensor.array
    while isinstance(owner, (np.ndarray, memoryview)):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    return isinstance(owner, mmap.mmap)
