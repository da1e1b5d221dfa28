"""Threaded kernels are compiled in a process of their own, and run as they were loaded from disk, always.

Numba optimises the body of a parallel loop twice: by itself, and again inside the kernel that goes to the disk. The
process that compiled it runs the first form, every later process the second, and the two may add numbers in another
order (softmax differed in the last bit). A run that was interrupted and resumed would then not repeat the undisturbed
one. So the process that wants a kernel has it compiled by a helper process, and loads the result as any later one will.

The helper is started when the first kernel is missing on disk and ends by itself. Where it cannot be started, or
nothing can be written, the kernel is compiled in place, as each later process will have to.
"""

import atexit
import contextlib
import importlib
import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from numba import types

IDLE_SECONDS = 10.0  # a helper that nobody asked for so long ends
_lock = threading.Lock()
_helper: subprocess.Popen | None = None


def from_disk(dispatcher: Any, module: str, name: str) -> Any:
    """Make a dispatcher load its machine code from disk, where the helper process has put it."""
    compile_here = dispatcher.compile_in_place = dispatcher.compile

    def load(signature: Any) -> Any:
        if not _is_on_disk(dispatcher, signature):
            _ask_helper(module, name, signature)
        return compile_here(signature)

    dispatcher.compile = load
    return dispatcher


def _is_on_disk(dispatcher: Any, signature: Any) -> bool:
    """Also True where there is no disk to look at: then nothing is gained by asking the helper."""
    try:
        cache = dispatcher._cache
        key = cache._index_key(tuple(signature), dispatcher.targetctx.codegen())
        return key in cache._cache_file._load_index()
    except (AttributeError, TypeError):  # no cache, or a Numba that files its code otherwise
        return True


def _ask_helper(module: str, name: str, signature: Any) -> None:
    """Have a kernel compiled to disk; whatever goes wrong, the caller compiles it itself."""
    global _helper
    try:
        request = json.dumps([module, name, [_tell(t) for t in signature]])
    except TypeError:
        return
    with _lock:
        for _ in range(2):  # the helper may have gone for its idleness between two requests
            try:
                if _helper is None or _helper.poll() is not None:
                    _stop()
                    _helper = _start()
                assert _helper.stdin is not None and _helper.stdout is not None
                _helper.stdin.write(request + "\n")
                _helper.stdin.flush()
                if _helper.stdout.readline():
                    return
            except OSError:
                _stop()


@atexit.register
def _stop() -> None:
    """End the helper: it goes when nothing more can come."""
    global _helper
    if _helper is not None:
        for pipe in (_helper.stdin, _helper.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        _helper.wait()
        _helper = None


def _in_child() -> None:
    """The helper is the parent's; a forked child runs serial kernels and needs none."""
    global _helper
    if _helper is not None:
        _helper.returncode = 0  # not the child's process to wait for
        _stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def _start() -> subprocess.Popen:
    root = str(Path(__file__).parents[3])
    path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH")) if p)
    return subprocess.Popen(
        [sys.executable, "-c", "from minigrad.kernels.cpu.compiler import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is for the program, and finds the kernel half compiled otherwise
    )


def _tell(kind: Any) -> Any:
    """A type in JSON: "int64", ["float32", axes, layout, writeable], or {"tuple": [...]}."""
    if isinstance(kind, types.Array) and kind.aligned:
        return [str(kind.dtype), kind.ndim, kind.layout, kind.mutable]
    if isinstance(kind, (types.Number, types.Boolean)):
        return str(kind)
    if isinstance(kind, (types.UniTuple, types.Tuple)):
        return {"tuple": [_tell(k) for k in kind.types]}
    raise TypeError(f"no form for {kind}")


def _understand(told: Any) -> Any:
    if isinstance(told, str):
        return types.boolean if told == "bool" else getattr(types, told)
    if isinstance(told, dict):
        return types.BaseTuple.from_types([_understand(t) for t in told["tuple"]])
    dtype, axes, layout, writeable = told
    return types.Array(_understand(dtype), axes, layout, readonly=not writeable)


def serve() -> None:
    """The helper: reads requests, compiles, answers each with a line."""
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0]:
        line = sys.stdin.readline()
        if not line:
            return
        module, name, told = json.loads(line)
        try:
            kernel = getattr(importlib.import_module(module), name).threaded
            kernel.compile_in_place(tuple(_understand(t) for t in told))
            answer = "done"
        except Exception as error:  # the asker compiles it itself, and shows what is wrong
            answer = f"failed: {error}".replace("\n", " ")
        print(answer, flush=True)
