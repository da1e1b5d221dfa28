"""The engines that are compared, each in a process of its own, and how they take turns.

In one process the idle threads of one engine would spin on the cores that the other needs, and one's allocator settings
would be the other's. The processes of all engines live side by side and are asked in turn for a fraction of a second of
steps, round after round, so that all of them meet the same machine, however it changes meanwhile.
"""

import contextlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ANSWER_WITHIN = 900  # seconds: torch.compile needs up to a minute, a busy machine more

# What minigrad asks of glibc's allocator at import (minigrad/runtime.py), for the others by environment.
TUNED_MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_TOP_PAD_": str(64 << 20)}


@dataclass(frozen=True)
class Engine:
    """`library` is what the worker imports."""

    title: str
    library: str
    compiled: bool = False
    environment: dict[str, str] = field(default_factory=dict)


ENGINES: dict[str, Engine] = {
    "minigrad": Engine("minigrad", "minigrad"),
    "torch": Engine("PyTorch eager", "torch"),
    "torch-malloc": Engine("PyTorch eager, malloc tuned", "torch", environment=TUNED_MALLOC),
    "torch-compile": Engine("torch.compile", "torch", compiled=True),
    "jax": Engine("JAX jit", "jax"),
    "jax-malloc": Engine("JAX jit, malloc tuned", "jax", environment=TUNED_MALLOC),
}


class EngineError(RuntimeError):
    """An engine raised an error, or its process died: the message says which."""


def installed(names: Iterable[str]) -> tuple[list[str], str]:
    """Those of the engines whose library is installed, and a sentence about the others ("" where there are none)."""
    names = list(names)
    found = [name for name in names if importlib.util.find_spec(ENGINES[name].library) or name == "minigrad"]
    missing = sorted({ENGINES[name].library for name in names if name not in found})
    told = f"Not installed, so left out: {', '.join(missing)} (pip install {' '.join(missing)})"
    return found, told if missing else ""


def thread_settings(threads: int) -> dict[str, str]:
    """The environment that holds every library to that many threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {name: str(threads) for name in names}


class Worker:
    """A process of one engine; `with Worker(...) as worker` ends it."""

    def __init__(self, name: str, threads: int, answer_within: float = ANSWER_WITHIN):
        engine = ENGINES[name]
        self.name, self.title, self.answer_within = name, engine.title, answer_within
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed by close()
        command = [sys.executable, str(HERE / "worker.py"), engine.library, str(threads)]
        environment = {
            **os.environ,
            **thread_settings(threads),
            **engine.environment,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "TORCHINDUCTOR_COMPILE_THREADS": "1",  # or its pool of processes stays
            "JAX_PLATFORMS": "cpu",
        }
        self.process = subprocess.Popen(
            command + ["compiled"] * engine.compiled,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment,
        )  # fmt: skip
        if engine.library == "jax":
            hold_to_cores(self.process.pid, threads)
        try:
            self.versions = self._answer()
            if missing := self.versions.get("missing"):
                raise EngineError(f"cannot be imported ({missing})")
        except BaseException:  # Ctrl-C too
            self.close()
            raise

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Send a request (see worker.py) and wait for the answer; EngineError if it is an error, or none comes."""
        try:
            self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it is dead: the answer says so
        answer = self._answer()
        if "error" in answer:
            raise EngineError(answer["error"])
        return answer

    def _answer(self) -> dict[str, Any]:
        late = threading.Event()
        timer = threading.Timer(self.answer_within, lambda: (late.set(), self.process.kill()))
        timer.daemon = True  # an interrupted parent does not wait for it
        try:
            timer.start()
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        if line:
            return json.loads(line)
        code = self.process.wait()
        if late.is_set():
            raise EngineError(f"no answer within {self.answer_within:g} s")
        self.errors.seek(0)
        last = ([text.strip() for text in self.errors if text.strip()] or ["no word on stderr"])[-1]
        raise EngineError(f"its process ended with code {code}: {last[:300]}")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):  # a request to a process that had died is in its buffer still
            self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def hold_to_cores(process: int, threads: int) -> None:
    """Let a process use the first so many cores: JAX takes its number of threads from theirs, and has no setting."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > threads:
            os.sched_setaffinity(process, cores[:threads])


def take_turns(
    workers: Iterable[Worker],
    rounds: int,
    seconds: float,
    cpu_time: bool = False,
    say: Callable[[str], None] = lambda text: None,
    fail: Callable[[str, EngineError], None] = lambda name, error: None,
) -> dict[str, list[float]]:
    """The seconds of every step by engine: in each round each runs for about `seconds`, in an order that rotates.

    `cpu_time`: processor time instead of the clock's.
    """
    workers = list(workers)
    times: dict[str, list[float]] = {worker.name: [] for worker in workers}
    for turn in range(rounds):
        order = workers[turn % max(len(workers), 1) :] + workers[: turn % max(len(workers), 1)]
        for worker in order:
            if worker.name not in times:
                continue
            say(f"round {turn + 1} of {rounds}: {worker.title}")
            time.sleep(0.1)  # threads of the one before spin for a while after their last work
            try:
                times[worker.name] += worker.ask("time", seconds=seconds, cpu_time=cpu_time)["times"]
            except EngineError as error:
                fail(worker.name, error)
                del times[worker.name]
    return times


def summary(times: list[float]) -> dict[str, float]:
    """The median and the fastest tenth, in milliseconds, and how many steps they are of."""
    ordered = sorted(times)
    tenth = ordered[(len(ordered) - 1) // 10]
    return {"median_ms": statistics.median(ordered) * 1e3, "p10_ms": tenth * 1e3, "steps": len(ordered)}


class Progress:
    """A line on stderr that is overwritten; silent where stderr is no terminal."""

    def __init__(self, prefix: str = ""):
        self.prefix = prefix

    def __call__(self, text: str = "") -> None:
        if sys.stderr.isatty():
            shown = f"{self.prefix}: {text}" if text else ""
            print(f"\r\x1b[K{shown[:110]}", end="", file=sys.stderr, flush=True)
