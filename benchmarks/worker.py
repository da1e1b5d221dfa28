"""The process that one engine runs in; engines.py starts it and talks to it, a line of JSON each way.

    python benchmarks/worker.py LIBRARY THREADS [compiled]

Requests: {"do": "prepare", "workload": NAME, "size": {...}, "tiny": {...}} builds a workload and does its first steps,
{"do": "piece", "name": NAME, "backward": bool} builds an op of workloads/pieces.py, {"do": "pieces"} lists them,
{"do": "time", "seconds": S} times whichever was built last, {"do": "on_gpu", "program": NAME, "options": {...}} runs
one of gpu.py's programs. The end of the input ends the process.
"""

import contextlib
import ctypes
import gc
import importlib.metadata
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import workloads

FIRST_STEPS = 3  # whose losses are compared


def open_library(library: str, threads: int, compiled: bool) -> tuple[Callable, dict[str, str]]:
    """(build(workload, size) -> step, versions by name) of minigrad, torch or jax; ImportError where it is missing."""
    if library == "jax":
        import jax

        return workloads.build_in_jax, {"jax": jax.__version__}
    if library == "minigrad":
        import minigrad
        from minigrad import runtime

        minigrad.alias()  # from here on `import torch` means minigrad, in the workloads as here
    import torch

    torch.set_num_threads(threads)
    if compiled:
        return lambda name, size: workloads.build(name, size, torch.compile), {"torch": torch.__version__}
    if library == "torch":
        return workloads.build, {"torch": torch.__version__}
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "numba")}
    return workloads.build, {**versions, "blas": runtime.config()["blas"]}


class Job:
    """What this process has built, and what it says of it."""

    def __init__(self, library: str, threads: int, compiled: bool):
        self.compiled = compiled or library == "jax"
        self.library = library
        self.build, self.versions = open_library(library, threads, compiled)
        self.step: Callable[[], Any] = lambda: None

    def prepare(self, workload: str, size: dict[str, int], tiny: dict[str, int]) -> dict[str, Any]:
        """Build the workload; the losses and seconds of its first steps, and what memory they took (MB).

        A tiny step goes first where nothing is compiled for one size, or libraries that an engine loads late would
        count as memory of the step.
        """
        if not self.compiled:
            self.build(workload, tiny)()
        start = time.perf_counter()
        step = self.build(workload, size)
        built = time.perf_counter() - start
        collect()
        before = resident()
        forget_peak()
        start = time.perf_counter()
        losses = [step() for _ in range(FIRST_STEPS)]
        first = time.perf_counter() - start
        self.step = step
        gc.freeze()  # so that the collector does not walk the objects of the imports while steps are timed
        return {
            "losses": losses,
            "built_s": round(built, 3),
            "first_steps_s": round(first, 3),
            "built_mb": round(before / 2**20, 1),
            "growth_mb": round((peak() - before) / 2**20, 1),
        }

    def pieces(self) -> dict[str, Any]:
        """The names of the ops that `piece` builds: (whether it has a backward, ops in one call)."""
        from workloads.pieces import PIECES

        return {name: (piece.backward, piece.ops) for name, piece in PIECES.items()}

    def piece(self, name: str, backward: bool) -> dict[str, Any]:
        """Build one op; numbers that tell whether both engines computed the same."""
        from workloads import pieces

        self.step = pieces.build(name, backward)
        return {"check": pieces.check(name) if not backward else []}

    def time(self, seconds: float, cpu_time: bool = False) -> dict[str, Any]:
        """The seconds of each step, two or more for about `seconds`, after one that wakes the threads; by the clock, or
        of processor time, all threads of this process together.
        """
        step, now = self.step, time.process_time if cpu_time else time.perf_counter
        step()
        times: list[float] = []
        end = time.perf_counter() + seconds
        while len(times) < 2 or time.perf_counter() < end:
            start = now()
            step()
            times.append(now() - start)
        return {"times": times}

    def on_gpu(self, program: str, options: dict[str, Any]) -> dict[str, Any]:
        """What a program of gpu_rates.py, gpu_training.py or gpu_checks.py finds."""
        import torch
        from workloads import gpu_rates, gpu_training

        homes: list[Any] = [gpu_rates, gpu_training]
        if self.library == "minigrad":
            import gpu_checks

            homes.append(gpu_checks)
        run = next(getattr(home, program) for home in homes if hasattr(home, program))
        try:
            return {"found": run(**options)}
        finally:
            gc.collect()
            torch.cuda.empty_cache()  # the card is shared with the other engine's process


# ---------------------------------------------------------------- memory: Linux tells, elsewhere the maximum alone


def collect() -> None:
    """Free what is garbage, and give free memory back to the system, so that a later peak is seen as growth."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # where the C library is not glibc
        ctypes.CDLL(None).malloc_trim(0)


def resident() -> int:
    """Bytes in memory now."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return peak()


def peak() -> int:
    """The most bytes that were in memory, since the start or the last `forget_peak`."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak() -> None:
    """Begin a new maximum at what is in memory now."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:  # else the maximum since the start
        file.write("5")


def main() -> None:
    library, threads, compiled = sys.argv[1], int(sys.argv[2]), "compiled" in sys.argv[3:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends this process
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to stderr, the replies to the pipe alone

    def reply(content: dict[str, Any]) -> None:
        replies.write(json.dumps(content) + "\n")
        replies.flush()

    try:
        job = Job(library, threads, compiled)
    except ImportError as error:
        reply({"missing": str(error)})
        return
    reply(job.versions)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply(getattr(job, request.pop("do"))(**request))
        except Exception as error:
            reply({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"})


if __name__ == "__main__":
    main()
