"""Records which names CuPy has and which arguments they take, for tests/strict_cupy.py and tests/test_cupy_use.py.

    python scripts/record_cupy_names.py   (CuPy must be installed, no GPU needed; writes tests/recorded/cupy_names.json)

Each callable is stored as the list of its parameters: ``"a"`` is required, ``"axis="`` has a default, and ``"/"``,
``"*"``, ``"*args"``, ``"**kwargs"`` mean what they mean in Python. Properties are stored as null. The tables of
functions hold names that NumPy has too; "all names" holds whatever CuPy has, by dotted path, null where no parameters
are known.
"""

import functools
import inspect
import json
import re
from pathlib import Path
from typing import Any

import cupy
import numpy as np

# `where=` is taken by the call but missing from the text that CuPy's ufuncs carry.
UFUNC_PARAMETERS = ["/", "out=", "*", "where=", "casting=", "dtype="]


def from_signature(signature: inspect.Signature) -> list[str]:
    tokens: list[str] = []
    kinds = [p.kind for p in signature.parameters.values()]
    for i, p in enumerate(signature.parameters.values()):
        if p.kind is p.KEYWORD_ONLY and "*" not in tokens and p.VAR_POSITIONAL not in kinds:
            tokens.append("*")
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        tokens.append(f"{stars}{p.name}" + ("" if p.default is p.empty else "="))
        if p.kind is p.POSITIONAL_ONLY and (i + 1 == len(kinds) or kinds[i + 1] is not p.POSITIONAL_ONLY):
            tokens.append("/")
    return tokens


def from_text(text: str) -> list[str]:
    """Reads ``name(self, Py_ssize_t axis1, out=None) -> type``, the form in which compiled functions carry theirs."""
    inside = re.search(r"\((.*?)\)(?: ->|$)", text.split("\n")[0])
    if inside is None:
        raise ValueError(f"no parameter list in {text!r}")
    tokens = []
    for part in re.split(r",\s*", inside.group(1)):
        name, equals, _ = part.partition("=")
        name = name.split()[-1] if name.split() else ""
        if name not in ("", "self"):
            tokens.append(name + equals)
    return tokens


def parameters(thing: Any) -> list[str] | None:
    if isinstance(thing, cupy.ufunc):
        return [f"x{i + 1}" for i in range(thing.nin)] + UFUNC_PARAMETERS
    if not callable(thing):
        return None
    try:
        tokens = from_signature(inspect.signature(thing))
    except ValueError:
        tokens = from_text(thing.__doc__ or "")
    return tokens[1:] if tokens[:1] == ["self"] else tokens


def table(of: Any, also_in: Any = None) -> dict[str, list[str] | None]:
    names = [n for n in dir(of) if not n.startswith("_") and (also_in is None or hasattr(also_in, n))]
    found = {}
    for name in names:
        thing = getattr(of, name)
        if not isinstance(thing, type) and not inspect.ismodule(thing) and (also_in is None or callable(thing)):
            found[name] = parameters(thing)
    return found


MODULES = ("", "cuda", "cuda.runtime", "lib.stride_tricks", "linalg", "fft")


def all_names() -> dict[str, list[str] | None]:
    """Every public name of the modules above, classes by what makes one."""
    found: dict[str, list[str] | None] = {}
    for module in MODULES:
        thing = functools.reduce(getattr, filter(None, module.split(".")), cupy)
        for name in dir(thing):
            if not name.startswith("_"):
                found[f"{module}.{name}".lstrip(".")] = known_parameters(getattr(thing, name))
    return dict(sorted(found.items()))


def known_parameters(thing: Any) -> list[str] | None:
    if inspect.ismodule(thing):
        return None
    try:
        return parameters(thing)
    except (ValueError, TypeError):
        return None


def scatters(thing: Any) -> bool:
    return isinstance(thing, cupy.ufunc) and thing._scatter_op is not None


def main() -> None:
    tables = {
        "functions": table(cupy, np),
        "linalg": table(cupy.linalg, np.linalg),
        "ndarray": table(cupy.ndarray),
        "special methods of ndarray": {n: None for n in dir(cupy.ndarray) if n.startswith("__")},
        "ufuncs": {n: None for n in dir(cupy) if isinstance(getattr(cupy, n), cupy.ufunc)},
        "ufuncs with at": {n: None for n in dir(cupy) if scatters(getattr(cupy, n))},
        "all names": all_names(),
    }
    path = Path(__file__).parent.parent / "tests" / "recorded" / "cupy_names.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f'{{"recorded_from": "CuPy {cupy.__version__}"']
    for title, entries in tables.items():
        rows = [f"{json.dumps(name)}: {json.dumps(tokens)}" for name, tokens in entries.items()]
        if any(tokens is not None for tokens in entries.values()):
            lines.append(f',"{title}": {{\n' + ",\n".join(rows) + "}")
        else:
            lines.append(f',"{title}": {json.dumps(list(entries))}')
    path.write_text("\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{path.name}: {', '.join(f'{len(t)} {title}' for title, t in tables.items())}, CuPy {cupy.__version__}")


if __name__ == "__main__":
    main()
