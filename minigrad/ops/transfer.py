"""Moving between devices: the one op whose result lives elsewhere."""

from minigrad.backend import to_device
from minigrad.kernels.cuda import pinned
from minigrad.op import op


@op
def move_to(x, *, device, source, non_blocking=False):
    """The same values on another device; without waiting where asked to, from pinned memory to a GPU."""
    return pinned.upload(x) if non_blocking and pinned.is_pinned(x) else to_device(x, device)


@move_to.vjp
def move_to_vjp(dy, device, source):
    return move_to(dy, device=source, source=device)


def move(x, *, device, non_blocking=False):
    return move_to(x, device=device, source=str(x.device), non_blocking=non_blocking)
