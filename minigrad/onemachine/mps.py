"""`torch.mps`: Apple's GPU, which minigrad does not use. As in PyTorch it may be seeded, and not waited for."""

from typing import NoReturn


def manual_seed(seed: int) -> None:
    """Has no effect: there is no such device to seed."""
    int(seed)


def device_count() -> int:
    """None are used."""
    return 0


def synchronize() -> NoReturn:
    """RuntimeError: there is nothing to wait for."""
    _refuse("synchronize")


def empty_cache() -> NoReturn:
    """RuntimeError: there is no such memory."""
    _refuse("empty_cache")


def current_allocated_memory() -> NoReturn:
    """RuntimeError: there is no such memory."""
    _refuse("current_allocated_memory")


def _refuse(name: str) -> NoReturn:
    raise RuntimeError(f"Cannot execute {name}() without MPS backend: ask minigrad.backends.mps.is_available() first")
