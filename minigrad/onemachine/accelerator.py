"""`torch.accelerator`: the device beside the CPU, if there is one; here that is a CUDA device through CuPy."""

from typing import Any

from minigrad import backend
from minigrad.onemachine import cuda


def is_available() -> bool:
    """True where there is an accelerator."""
    return backend.is_cuda_available()


def current_accelerator(check_available: bool = False) -> backend.device | None:
    """The accelerator's device type, or None. It is only given where it can be used, so `check_available` is met."""
    return backend.device("cuda") if is_available() else None


def device_count() -> int:
    """How many there are."""
    return cuda.device_count()


def current_device_index() -> int:
    """The one in use. RuntimeError without an accelerator."""
    _must_have_one()
    return cuda.current_device()


def set_device_index(device: Any) -> None:
    """Use another. RuntimeError without an accelerator."""
    _must_have_one()
    cuda.set_device(device)


def synchronize(device: Any = None) -> None:
    """Wait until its work is done. RuntimeError without an accelerator."""
    _must_have_one()
    cuda.synchronize(device)


def _must_have_one() -> None:
    if not is_available():
        raise RuntimeError(
            "Cannot access accelerator device when none is available: ask minigrad.accelerator.is_available() first"
        )
