"""Moving between devices: the one op whose result lives elsewhere."""

from minigrad.backend import to_device
from minigrad.op import op


@op
def move_to(x, *, device, source):
    """The same values on another device."""
    return to_device(x, device)


@move_to.vjp
def move_to_vjp(dy, device, source):
    return move_to(dy, device=source, source=device)


def move(x, *, device):
    return move_to(x, device=device, source=str(x.device))
