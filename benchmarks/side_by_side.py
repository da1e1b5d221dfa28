"""How the benchmarks time two programs fairly: alternating, many rounds, medians, one thread count for both."""

import gc
import os
import statistics
import sys
import time
from collections.abc import Callable

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))


def need_torch(threads: int):
    """PyTorch with that many threads, or a sentence that says how to get it."""
    try:
        import torch
    except ImportError:
        sys.exit("this benchmark compares with PyTorch: pip install torch")
    torch.set_num_threads(threads)
    return torch


def compare(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int, warm_up: int = 3
) -> tuple[float, float]:
    """The median seconds of each, taken in turn with the collector off, so that both meet the same machine."""
    for _ in range(warm_up):
        ours(), theirs()
    times: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for run, taken in zip((ours, theirs), times, strict=True):
                start = time.perf_counter()
                run()
                taken.append(time.perf_counter() - start)
    finally:
        gc.enable()
    return statistics.median(times[0]), statistics.median(times[1])


def machine() -> str:
    """The processor, for the record."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
        return f"{len(names)} x {names[0]}"
    except (OSError, IndexError):
        import platform

        return f"{os.cpu_count()} x {platform.processor() or platform.machine()}"
