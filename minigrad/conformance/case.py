"""What a case is: a small program, and the names of the surface that it proves.

    case = cases_of("functions")

    @case("cumsum", "tensor:cumsum")
    def cumsum(torch):
        x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        y = torch.cumsum(x, 0)
        y.pow(2).sum().backward()
        return {"value": y, "method": x.cumsum(1), "gradient": x.grad, "error": error_of(lambda: x.cumsum(5))}

A name is one of the module's own section, or `section:name` of another. A case must use each name that it claims:
`trace.py` watches it. What PyTorch made of it is in `recorded/`, written by `scripts/record_torch.py`.
"""

import importlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigrad.conformance.outcome import TOLERANCES, Program, error_of
from minigrad.conformance.surface import SURFACE

__all__ = ["CASES", "Case", "case_list", "cases_of", "error_of", "everywhere", "recorded"]

RECORDED = Path(__file__).parent / "recorded"
CASE_FILES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """A program, where it is kept (the section and its name there), and the names it proves, as `section:name`."""

    section: str
    name: str
    program: Program
    names: tuple[str, ...]
    float32: float  # the relative tolerance of float32 results

    def __str__(self) -> str:
        return f"{self.section}/{self.name}"


CASES: dict[str, dict[str, Case]] = {key: {} for key in SURFACE}


def cases_of(section: str) -> Callable[..., Callable[[Program], Program]]:
    """The decorator `case(*names)` of a section: it refuses names that stand in no list, and a second case so named."""

    def case(*names: str, float32: float = TOLERANCES["float32"]) -> Callable[[Program], Program]:
        qualified = tuple(name if _is_qualified(name) else f"{section}:{name}" for name in names)
        if not names:
            raise ValueError("a case must prove a name: case('cumsum')")
        for name in qualified:
            where, _, own = name.partition(":")
            if own not in SURFACE[where].names:
                raise ValueError(f"'{own}' is no name of the section '{where}' of conformance/surface.py")

        def register(program: Program) -> Program:
            name = program.__name__
            if name in CASES[section]:
                raise ValueError(f"the section '{section}' has a case {name} already")
            CASES[section][name] = Case(section, name, program, qualified, float32)
            return program

        return register

    return case


def everywhere(*names: str) -> list[str]:
    """The names as those of torch, of Tensor and of the ops, wherever they are listed: torch.exp, x.exp, the op exp."""
    return [f"{key}:{name}" for name in names for key in ("functions", "tensor", "ops") if name in SURFACE[key].names]


def _is_qualified(name: str) -> bool:
    return name.partition(":")[0] in SURFACE and ":" in name


def case_list(sections: Iterable[str] = SURFACE) -> list[Case]:
    """The cases of the sections; every module of cases/ is imported, as a section may have several."""
    for path in sorted(CASE_FILES.glob("[!_]*.py")):
        importlib.import_module(f"minigrad.conformance.cases.{path.stem}")
    return [case for section in sections for case in CASES[section].values()]


def recorded(section: str) -> dict[str, Any]:
    """What PyTorch made of the section's cases, by their names; empty where none are recorded."""
    path = RECORDED / f"{section}.json"
    return json.loads(path.read_text(encoding="utf-8"))["cases"] if path.exists() else {}
