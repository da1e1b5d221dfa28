"""Finding CuPy, or saying what keeps it from being used and which command mends that."""

import importlib
from importlib import metadata
from typing import Any

PACKAGES = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x")
INSTALL = {13: "pip install 'minigrad[cuda]'", 12: "pip install 'cupy-cuda12x[ctk]'"}  # by what the driver can run


def load() -> Any:
    """The module cupy, on a machine where it can compute; RuntimeError with the way to get there."""
    found = installed()
    if len(found) > 1:
        raise RuntimeError(
            f"two CuPy packages are installed, {' and '.join(found)}, and overwrite each other's files: "
            f"pip uninstall -y {' '.join(found)}, then {INSTALL[13]} (CUDA 13 driver) or {INSTALL[12]} (CUDA 12)"
        )
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        if found:
            raise RuntimeError(
                f"device 'cuda': {found[0]} is installed and cannot be imported ({error}); its libraries come with "
                f"pip install '{found[0]}[ctk]'"
            ) from error
        raise RuntimeError(
            f"device 'cuda' needs CuPy, which is not installed: {INSTALL[13]} (CUDA 13 driver) or {INSTALL[12]} "
            "(CUDA 12 driver)"
        ) from error
    if not cupy.cuda.is_available():
        raise RuntimeError(_why_not(cupy))
    return cupy


def installed() -> list[str]:
    """The CuPy packages of this environment; there should be at most one."""
    found = []
    for name in PACKAGES:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        found.append(name)
    return found


def _why_not(cupy: Any) -> str:
    """What keeps an imported CuPy from finding a GPU. Versions are 1000 major + 10 minor; 0 is no driver."""
    start = "device 'cuda' was asked for, but CuPy finds no NVIDIA GPU or driver on this machine"
    try:
        driver, built_for = cupy.cuda.runtime.driverGetVersion(), cupy.cuda.runtime.runtimeGetVersion()
    except Exception as error:  # CuPy's own error types, which are not importable by name without it
        return f"{start} ({type(error).__name__}: {error})"
    if not driver:
        return f"{start}: install NVIDIA's driver, and check with nvidia-smi"
    if driver // 1000 < built_for // 1000:
        fitting = INSTALL.get(driver // 1000, "update the driver")
        names = " ".join(installed()) or "cupy"
        return (
            f"device 'cuda': this CuPy is for CUDA {built_for // 1000} and the driver is for CUDA {driver // 1000}: "
            f"pip uninstall -y {names}, then {fitting}; or update the driver"
        )
    return f"{start}: the driver is there, but shows no GPU (is CUDA_VISIBLE_DEVICES empty?)"


def describe() -> str:
    """One line for `show_config()`: what is installed, without loading it."""
    found = installed()
    return ", ".join(f"{name} {metadata.version(name)}" for name in found) or f"not installed ({INSTALL[13]})"


EXTRAS = {
    "cuda-fast": (("nvmath-python",), "CuPy's products, and a kernel of our own in captured steps"),
    "cudnn": (("nvidia-cudnn-frontend",), "attention by our own kernel, 16-bit numbers widened to float32"),
    "nccl": (("nvidia-nccl-cu13", "nvidia-nccl-cu12"), "one GPU, which is all that minigrad trains on so far"),
}


def describe_extra(extra: str) -> str:
    """What is installed for an extra; or what is used in its place, and how to install it."""
    packages, instead = EXTRAS[extra]
    for name in packages:
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return f"not installed: {instead} (pip install 'minigrad[{extra}]')"
