"""Who may use the machine's cores: one team of threads, Numba's, handed to one kernel at a time.

A kernel that loops with `prange` over parts of its work comes in two compiled forms. The threaded one hands the parts
to Numba's team (1.5 us to wake and join it where it is OpenMP). The serial one runs the same parts one after another in
the calling thread; the numbers are the same but for the last bits of sums, as each form is vectorised by itself. It is
used

- for small work, which would not repay the hand-over,
- where another Python thread has the team at the moment (Numba's simplest layer would end the process),
- in a forked child: OpenMP's threads do not survive a fork, and Numba ends the child that asks for them,
- with one thread.

Beside this team no other may be awake: NumPy's OpenBLAS keeps threads of its own, which spin for a while after each
product on the cores the team wants (8 ms for a hand-over, measured). So the first threaded kernel sets OpenBLAS to one
thread. MINIGRAD_BLAS_THREADS=keep leaves it alone, and the kernels serial.
"""

import os
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba

from minigrad import runtime
from minigrad.kernels.cpu import compiler
from minigrad.kernels.cpu.intrinsics import inline, kernel

# How often a waiting thread of GNU OpenMP looks before it sleeps: some 0.1 ms, longer than from kernel to kernel. By
# default it looks for milliseconds, and then the system takes the core from it for another program just when its work
# comes (a GPT step beside four other processes on two cores, Zen 4, 2026-11-26: 7 steps a second, 15 with this).
if not any(name in os.environ for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")):
    os.environ["GOMP_SPINCOUNT"] = "3000"  # read when Numba loads the library

_team = threading.Lock()
_forked = False
_blas_is_ours = False


def _in_child() -> None:
    global _forked, _team
    _forked, _team = True, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def count() -> int:
    """How many parts a kernel's work is cut into: `minigrad.get_num_threads()`, but never more than Numba's team."""
    return 1 if _forked else min(runtime.kernel_threads(), numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def parts(work: float, smallest: float) -> int:
    """Into how many parts to cut `work`, so that none is below `smallest` (both in any one unit)."""
    if work < 2 * smallest:
        return 1
    return max(1, min(count(), int(work // smallest)))


# Only the loops written with prange are shared out. Numba would also do so with array expressions, reductions and
# assignments to slices, and treat the operands as if they never overlapped.
_ONLY_PRANGE = {
    "prange": True, "comprehension": False, "fusion": False, "inplace_binop": False, "numpy": False,
    "reduction": False, "setitem": False, "stencil": False,
}  # fmt: skip


class Threaded:
    """A kernel in both forms; `kernel(parts, ...)` calls the one that fits and hands `parts` on as last argument."""

    def __init__(self, function: Callable):
        self.serial = kernel(function)
        twin = kernel(_renamed(function), parallel=_ONLY_PRANGE)
        self.threaded = compiler.from_disk(twin, function.__module__, function.__name__)
        self.__name__, self.__doc__ = function.__name__, function.__doc__

    def __call__(self, parts: int, *arguments: Any) -> Any:
        if parts > 1 and not _forked and _team.acquire(blocking=False):
            try:
                if not _blas_is_ours:
                    _take_over_blas()
                return self.threaded(*arguments, parts)
            finally:
                _team.release()
        return self.serial(*arguments, parts)


threaded = Threaded  # the decorator


@inline
def share(n, part, parts):
    """Part `part` of 0 .. n: (first, last + 1)."""
    return n * part // parts, n * (part + 1) // parts


def _renamed(function: Any) -> Callable:
    """The function under another name: Numba files compiled code under name and line, whatever its options."""
    twin = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    twin.__qualname__, twin.__module__ = f"{function.__qualname__}_threaded", function.__module__
    return twin


def _take_over_blas() -> None:
    global _blas_is_ours
    runtime.take_over_blas()
    _blas_is_ours = True
