"""Small programs of behaviour, written for PyTorch's names, and how their results are told.

A program takes the library `m` (torch or minigrad) and returns tensors, numbers, strings or lists of them.
`scripts/record_engine.py` runs all of them on PyTorch and keeps what came out (values, shapes, dtypes, or the type of
the error); the tests run them on minigrad and compare. How outcomes are told is in minigrad/conformance/outcome.py.
"""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from minigrad.conformance.outcome import Program, differs, error_of, outcome, tell

__all__ = ["check", "collect", "error_of", "outcome", "recorded", "tell"]

RECORDED = Path(__file__).parent.parent / "recorded" / "engine.json"


def collect(module: ModuleType) -> dict[str, Program]:
    """The programs of a module: its table `CASES`, and its functions that take `m`, by name."""
    functions = {
        name: f
        for name, f in vars(module).items()
        if callable(f) and getattr(f, "__module__", "") == module.__name__ and not name.startswith("_")
    }
    return {**module.CASES, **functions}


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
