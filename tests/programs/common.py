"""Small programs of behaviour, written for PyTorch's names, and how their results are told.

A program takes the library `m` (torch or minigrad) and returns tensors, numbers, strings or lists of them.
`scripts/record_engine.py` runs all of them on PyTorch and keeps what came out (values, shapes, dtypes, or the type of
the error); the tests run them on minigrad and compare. Nothing here imports either library.
"""

import importlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Program = Callable[[Any], Any]
RECORDED = Path(__file__).parent.parent / "recorded" / "engine.json"


def collect(module: ModuleType) -> dict[str, Program]:
    """The programs of a module: its table `CASES`, and its functions that take `m`, by name."""
    functions = {
        name: f
        for name, f in vars(module).items()
        if callable(f) and getattr(f, "__module__", "") == module.__name__ and not name.startswith("_")
    }
    return {**module.CASES, **functions}


def outcome(program: Program, m: Any) -> Any:
    """What the program returned, told in plain values; {"error": type} where it raised."""
    try:
        return tell(program(m))
    except Exception as error:
        return {"error": type(error).__name__}


def error_of(call: Callable[[], Any]) -> str:
    """The name of the error a call raises."""
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return "no error"


def tell(x: Any) -> Any:
    if x is None or isinstance(x, (bool, int, float, str)):
        return x
    if isinstance(x, np.ndarray):
        return {"numpy": x.dtype.name, "shape": list(x.shape), "values": x.reshape(-1).tolist()}
    if isinstance(x, np.generic):
        return {"numpy scalar": x.dtype.name, "value": x.item()}
    if hasattr(x, "requires_grad") and hasattr(x, "detach"):
        flat = x.detach().reshape(-1)
        values = (flat.float() if "float16" in str(x.dtype) else flat).tolist()
        told = {"dtype": str(x.dtype).removeprefix("torch."), "shape": list(x.shape), "values": values}
        return told | ({"requires_grad": True} if x.requires_grad else {})
    if isinstance(x, dict):
        return {str(k): tell(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [tell(v) for v in x]
    return str(x)


def differs(got: Any, want: Any, rtol: float = 1e-5) -> str:
    """The first place where two outcomes differ, in words; empty where they agree."""
    if isinstance(want, dict) and isinstance(got, dict):
        if set(want) != set(got):
            return f"got {got}, expected {want}"
        tolerance = {"float32": 2e-6, "float64": 1e-12, "float16": 1e-3, "bfloat16": 8e-3}.get(want.get("dtype"), rtol)
        found = (f"{key}: {d}" for key in want if (d := differs(got[key], want[key], tolerance)))
        return next(found, "")
    if isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            return f"got {got}, expected {want}"
        return next(
            (f"[{i}]: {d}" for i, (g, w) in enumerate(zip(got, want, strict=True)) if (d := differs(g, w, rtol))), ""
        )
    if isinstance(want, float) and isinstance(got, float):
        same = math.isclose(got, want, rel_tol=rtol, abs_tol=rtol * 1e-2) or (math.isnan(got) and math.isnan(want))
        return "" if same else f"got {got!r}, expected {want!r}"
    return "" if type(got) is type(want) and got == want else f"got {got!r}, expected {want!r}"


def recorded(topic: str) -> dict[str, tuple[Program, Any]]:
    """The programs of a topic by name, each with what PyTorch made of it."""
    wanted = json.loads(RECORDED.read_text(encoding="utf-8"))[topic]
    programs = collect(importlib.import_module(f"programs.{topic}"))
    if set(programs) != set(wanted):
        raise ValueError(f"{RECORDED.name} is older than programs/{topic}.py: run scripts/record_engine.py")
    return {name: (program, wanted[name]) for name, program in programs.items()}


def check(program: Program, wanted: Any, m: Any) -> None:
    """AssertionError where the library's outcome differs from the recorded one."""
    difference = differs(json.loads(json.dumps(outcome(program, m))), wanted)
    assert not difference, difference
