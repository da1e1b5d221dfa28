"""Where a name is defined: the file and line behind `torch.nn.Linear` or `torch.Tensor.cumsum`.

A function or class is found where it is written, an op at its forward, a name that is another one's alias or a value
(float32, pi, contiguous_format) where it is assigned. What only a `__getattr__` would answer has no such place, and is
not there.
"""

import ast
import functools
import importlib
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigrad.alias import _behind
from minigrad.op import Op

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Place:
    """A line of a file of the repository."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def place_of(path: str) -> Place | None:
    """The place of `torch.…`; None where minigrad does not have it. The torch alias must be on."""
    first, *between, last = path.split(".")
    owner: Any = importlib.import_module(first)
    try:
        for name in between:
            owner = getattr(owner, name)
    except AttributeError:
        return None
    owner = _behind(owner.__name__) if inspect.ismodule(owner) else owner
    if not (inspect.ismodule(owner) or inspect.isclass(owner)):  # a switch of backends.cudnn
        return place_of(path.rpartition(".")[0]) if last in vars(owner) else None
    found = getattr(owner, last, None)
    return _definition(found, last) or _binding(owner, last)


def _definition(found: Any, name: str) -> Place | None:
    """Where a function, method, property, op or class of that name is written."""
    if isinstance(found, property):
        found = found.fget
    found = inspect.unwrap(getattr(found, "__func__", found))
    if isinstance(found, Op):
        found = found.forward
    home, qualified = getattr(found, "__module__", None), getattr(found, "__qualname__", "")
    if not isinstance(home, str) or not home.startswith("minigrad") or qualified.rpartition(".")[2] != name:
        return None
    body = _body(home)
    for part in qualified.split("."):
        node = next((n for n in body if isinstance(n, _DEFINITIONS) and n.name == part), None)
        if node is None:
            return None
        body = node.body
    assert node is not None
    return Place(_file(home), node.lineno)


_DEFINITIONS = (ast.FunctionDef, ast.ClassDef)
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign)


def _binding(owner: Any, name: str) -> Place | None:
    """Where a module or class gives the name its value: an assignment, an import (followed), `self.name = ...`."""
    if inspect.isclass(owner):
        homes = [kind for kind in owner.__mro__ if kind.__module__.startswith("minigrad")]
        return next((place for kind in homes if (place := _in_class(kind, name))), None)
    module = owner.__name__
    for node in ast.walk(ast.Module(_body(module), [])):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    home = str(node.module)
                    followed = _binding(importlib.import_module(home), alias.name) if "minigrad" in home else None
                    return followed or Place(_file(module), node.lineno)
        elif isinstance(node, _ASSIGNMENTS) and name in _assigned(node):
            return Place(_file(module), node.lineno)
    return None


def _in_class(kind: type, name: str) -> Place | None:
    written = next(
        n
        for n in ast.walk(ast.Module(_body(kind.__module__), []))
        if isinstance(n, _DEFINITIONS) and n.name == kind.__name__
    )
    for node in ast.walk(written):
        if isinstance(node, _ASSIGNMENTS) and not {name, f"self.{name}"}.isdisjoint(_assigned(node)):
            return Place(_file(kind.__module__), node.lineno)
    return None


def _assigned(node: ast.Assign | ast.AnnAssign) -> list[str]:
    """The targets of an assignment, as they are written."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    flat = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [ast.unparse(target) for target in flat]


@functools.cache
def _body(module: str) -> list[ast.stmt]:
    return ast.parse((ROOT / _file(module)).read_text(encoding="utf-8")).body


def _file(module: str) -> str:
    return Path(str(importlib.import_module(module).__file__)).resolve().relative_to(ROOT).as_posix()
