"""Every CuPy name and keyword that the sources use is one that CuPy has, by the table recorded from it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import cupy_names
import pytest

ROOT = Path(__file__).parent.parent
NAMES = cupy_names.CUPY["all names"]
MODULE_NAMES = {"cupy", "xp"}  # what the module is called where it is used
MODULE_CALLS = {"array_module", "_cupy", "_module_of_either"}  # or what gives it
NUMPYS_ALONE = {"__name__"}


def is_module(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in MODULE_NAMES
    if isinstance(node, ast.Attribute):
        return node.attr == "_xp"
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MODULE_CALLS


def dotted(node: ast.AST) -> str | None:
    """`cuda.runtime.getDevice` for that attribute of the module; None for what is no name of it."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and not is_module(node):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed(parts)) if parts and is_module(node) else None


def uses(tree: ast.AST) -> Iterator[tuple[str, list[str], int]]:
    """(name, keywords of the call, line) of each use."""
    keywords = {id(n.func): [k.arg for k in n.keywords if k.arg] for n in ast.walk(tree) if isinstance(n, ast.Call)}
    inner = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        name = dotted(node)
        if name is not None and id(node) not in inner:
            yield name, keywords.get(id(node), []), node.lineno  # type: ignore[attr-defined]


def known(name: str) -> str | None:
    """The recorded name that a dotted use begins with: `add.reduce` is a method of `add`, say. Modules do not count."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        start = ".".join(parts[:end])
        if start in NAMES and not any(other.startswith(f"{start}.") for other in NAMES):
            return start
    return None


def faults(text: str) -> list[str]:
    found = []
    for name, keywords, line in uses(ast.parse(text)):
        recorded = known(name)
        if recorded is None and name not in NUMPYS_ALONE:
            found.append(f"line {line}: CuPy has no {name}")
        elif recorded == name and NAMES[name] is not None:
            taken = {token.strip("*=") for token in NAMES[name]}
            if not any(token.startswith("**") for token in NAMES[name]):
                found += [f"line {line}: cupy.{name} takes no {k}=" for k in keywords if k not in taken]
    return found


SOURCES = sorted({*ROOT.glob("minigrad/**/*.py"), *ROOT.glob("benchmarks/**/*.py")})


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_cupy_has_what_is_used(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


def test_the_sources_do_use_it() -> None:
    names = {name for path in SOURCES for name, _, _ in uses(ast.parse(path.read_text(encoding="utf-8")))}
    assert {"RawModule", "cuda.runtime.getDeviceCount", "argsort", "add.reduceat"} <= names and len(names) > 80


def test_the_check_finds_faults() -> None:
    text = "xp = array_module(x)\nxp.exp(x, out=y)\nxp.sort(x, stable=True)\nxp.geomspace(1, 2)\ncupy.cuda.Nothing()"
    assert faults(text) == [
        "line 3: cupy.sort takes no stable=",
        "line 4: CuPy has no geomspace",
        "line 5: CuPy has no cuda.Nothing",
    ]
