"""What minigrad sets in the process, and what it found: `show_config()` tells.

The one setting made at import: glibc's allocator is asked to keep freed memory instead of giving it back to the system.
A training step frees and takes the same tens of megabytes every time; given back, each page of it is faulted in and
zeroed anew, which costs several times the arithmetic. The peak stays what it was; the resident size no longer falls
after it. MINIGRAD_MALLOC=0 leaves the allocator alone; other C libraries are left alone anyway.
"""

import ctypes
import functools
import glob
import os
import platform
import sys
import warnings
from typing import Any

import numpy as np

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h
_malloc = "not set"


def keep_freed_memory() -> None:
    """mallopt: no mmap for large blocks, no trimming of the heap's top, grow it 64 MB at a time. glibc only."""
    global _malloc
    if os.environ.get("MINIGRAD_MALLOC") == "0":
        _malloc = "left alone (MINIGRAD_MALLOC=0)"
        return
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        _malloc = "left alone (not glibc)"
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        _malloc = "left alone (no mallopt)"
        return
    done = [
        mallopt(_M_MMAP_MAX, 0),
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1),
        mallopt(_M_TOP_PAD, 64 << 20),
    ]
    _malloc = "keeps freed memory (mallopt)" if all(done) else f"mallopt refused: {done}"


@functools.cache
def _openblas() -> Any:
    """The OpenBLAS that NumPy's wheels carry, already loaded; None for other builds (MKL, Accelerate)."""
    folder = os.path.join(os.path.dirname(np.__file__), os.pardir, "numpy.libs")
    found = glob.glob(os.path.join(folder, "libscipy_openblas64*"))
    if not found:
        return None
    try:
        library = ctypes.CDLL(found[0])
        library.scipy_openblas_get_corename64_.restype = ctypes.c_char_p
    except (OSError, AttributeError):
        return None
    return library


def _threads_at_start() -> int:
    """As many as there are cores this process may use, or fewer where the user's environment says so."""
    limits = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1]
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "").split(",")[0].strip()
        if value.isdigit() and int(value) > 0:
            limits.append(int(value))
    return min(limits)


_threads = _threads_at_start()
_blas_threads_before: int | None = None  # once the kernels have taken the BLAS over


def kernel_threads() -> int:
    """How many threads the compiled kernels share; 1 where MINIGRAD_BLAS_THREADS=keep leaves the BLAS its threads."""
    return 1 if _keeps_blas() else _threads


@functools.cache  # the environment of the process is read once: this is asked at every kernel call
def _keeps_blas() -> bool:
    return os.environ.get("MINIGRAD_BLAS_THREADS") == "keep"


def take_over_blas() -> None:
    """Set NumPy's BLAS to one thread, as the compiled kernels, products included, bring their own. Called by the first
    kernel that runs in several threads, not at import.
    """
    global _blas_threads_before
    library = _openblas()
    if library is not None and _blas_threads_before is None:
        _blas_threads_before = library.scipy_openblas_get_num_threads64_()
        library.scipy_openblas_set_num_threads64_(1)


def set_num_threads(count: int) -> None:
    """How many threads products and kernels use. With other programs running, fewer than there are cores is often
    faster: the threads of one product wait for each other.

    Where the kernels do not run (no Numba, float64) the number goes to NumPy's BLAS; if that is not the OpenBLAS of
    NumPy's wheels, nothing can be set and a warning says what to do instead.
    """
    global _threads
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"set_num_threads takes an int, got {count!r}")
    if count < 1:
        raise RuntimeError(f"set_num_threads expects a positive integer, got {count}")
    _threads = count
    library = _openblas()
    if library is None:
        told = "this NumPy's BLAS cannot be told its threads from here: set OMP_NUM_THREADS before Python starts"
        warnings.warn(told, stacklevel=2)
    elif _blas_threads_before is None:
        library.scipy_openblas_set_num_threads64_(count)


def get_num_threads() -> int:
    """How many threads products and kernels use."""
    return _threads


def _core_name() -> str:
    """Which processor OpenBLAS computes for; Haswell on one with AVX-512 means half its speed."""
    library = _openblas()
    return "" if library is None else f" with {library.scipy_openblas_get_corename64_().decode()} kernels"


def _blas_threads() -> str:
    library = _openblas()
    if library is None:
        return "threads unknown"
    count = library.scipy_openblas_get_num_threads64_()
    taken = "" if _blas_threads_before is None else " (set when the first threaded kernel ran)"
    return f"{count} thread{'s' * (count > 1)}{taken}"


def config() -> dict[str, str]:
    """The versions, libraries and settings that decide speed and numbers, by name."""
    from minigrad import backend, find_cupy
    from minigrad.kernels import cpu

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[index, call-overload]
    return {
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "numpy": np.__version__,
        "blas": f"{blas.get('name', '?')} {blas.get('version', '')}{_core_name()}, {get_num_threads()} threads",
        "cpu kernels": cpu.describe(),
        "cuda": find_cupy.describe(),
        "cuda-fast": find_cupy.describe_extra("cuda-fast") + _unusable(),
        "cudnn": find_cupy.describe_extra("cudnn"),
        "nccl": find_cupy.describe_extra("nccl"),
        "float32 products": _precision(),
        "threads": f"{kernel_threads()} for kernels",
        "malloc": _malloc,
        "default device": str(backend.get_default_device()),
        "cores": str(os.cpu_count()),
    }


def _unusable() -> str:
    """Why cuBLASLt cannot be used although its bindings are installed. It is not asked before CuPy is in use."""
    from minigrad import backend, find_cupy
    from minigrad.kernels.cuda import cublaslt

    missing = find_cupy.describe_extra("cuda-fast").startswith("not installed")
    if missing or not backend.is_cuda_available() or cublaslt.bindings() is not None:
        return ""
    return f", which does not work ({cublaslt.why_not()}): {find_cupy.EXTRAS['cuda-fast'][1]}"


def _precision() -> str:
    from minigrad.kernels.cuda import cublaslt, product

    if not product.allow_tf32:
        return "float32"
    there = "" if cublaslt.bindings() is not None else ", once cuda-fast is installed; float32 until then"
    return f"TF32 on the GPU (set_float32_matmul_precision){there}"


def show_config() -> None:
    """Print `config()`, one line each."""
    for name, value in config().items():
        print(f"{name:16} {value}")


keep_freed_memory()
