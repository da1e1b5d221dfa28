"""`torch.distributed` for one process: rank 0 of a world of size 1, where every collective finds itself alone.

A sum over one process is the tensor itself. Asking for more processes raises, rather than training on a part.
"""

import enum
import os
from typing import Any

from minigrad.tensor import Tensor


class ReduceOp(enum.Enum):
    """How tensors of several processes become one; of one tensor all of these give the tensor."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4


class Work:
    """What `async_op=True` gives: work that is done."""

    def wait(self, timeout: Any = None) -> bool:
        return True

    def is_completed(self) -> bool:
        return True


_backend: str | None = None  # the name given to init_process_group; None: there is no group


def is_available() -> bool:
    return True


def is_initialized() -> bool:
    """True between `init_process_group` and `destroy_process_group`."""
    return _backend is not None


def is_nccl_available() -> bool:
    return False


def is_torchelastic_launched() -> bool:
    return False


def init_process_group(
    backend: str | None = None, init_method: str | None = None, timeout: Any = None, world_size: int = -1,
    rank: int = -1, store: Any = None, group_name: str = "", pg_options: Any = None, device_id: Any = None,
) -> None:  # fmt: skip
    """Begin as rank 0 of one. `world_size` and `rank` are read from WORLD_SIZE and RANK where they are not given.

    RuntimeError for a world of more than one process; ValueError if there is a group already.
    """
    global _backend
    if is_initialized():
        raise ValueError("trying to initialize the default process group twice!")
    world_size = int(os.environ.get("WORLD_SIZE", 1)) if world_size < 0 else world_size
    rank = int(os.environ.get("RANK", 0)) if rank < 0 else rank
    if world_size != 1 or rank != 0:
        raise RuntimeError(
            f"minigrad trains in one process: expected world_size=1 and rank=0, got {world_size} and {rank}"
        )
    _backend = backend or "gloo"


def destroy_process_group(group: Any = None) -> None:
    """End the group."""
    global _backend
    assert is_initialized(), "Process group cannot be None"
    _backend = None


def get_rank(group: Any = None) -> int:
    """0. ValueError without a group."""
    _must_have_begun()
    return 0


def get_world_size(group: Any = None) -> int:
    """1. ValueError without a group."""
    _must_have_begun()
    return 1


def get_backend(group: Any = None) -> str:
    """The name that `init_process_group` was given."""
    _must_have_begun()
    return str(_backend)


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> Work | None:
    """Wait for the other processes, of which there are none."""
    _must_have_begun()
    return Work() if async_op else None


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Replace the tensor by the sum (average, ...) over all processes: itself."""
    return _alone(tensor, op, async_op)


def reduce(
    tensor: Tensor, dst: int = 0, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """As `all_reduce`, for the process `dst` alone."""
    _must_be_here(dst)
    return _alone(tensor, op, async_op)


def broadcast(tensor: Tensor, src: int = 0, group: Any = None, async_op: bool = False) -> Work | None:
    """Give the tensor of `src` to all: it has it."""
    _must_be_here(src)
    return _alone(tensor, ReduceOp.SUM, async_op)


def all_gather(tensor_list: list[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """Write the tensors of all processes into the list, which has one entry."""
    if len(tensor_list) != 1:
        raise ValueError(f"all_gather: the list must have a tensor for each of 1 process, it has {len(tensor_list)}")
    work = _alone(tensor, ReduceOp.SUM, async_op)
    tensor_list[0].copy_(tensor)
    return work


def _alone(tensor: Tensor, op: ReduceOp, async_op: bool) -> Work | None:
    _must_have_begun()
    if not isinstance(tensor, Tensor):
        raise TypeError(f"expected a Tensor, got {type(tensor).__name__}")
    if not isinstance(op, ReduceOp):
        raise TypeError(f"expected a ReduceOp, got {op!r}")
    return Work() if async_op else None


def _must_be_here(rank: int) -> None:
    if rank != 0:
        raise ValueError(f"there is no rank {rank}: minigrad trains in one process, rank 0")


def _must_have_begun() -> None:
    if not is_initialized():
        raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")
