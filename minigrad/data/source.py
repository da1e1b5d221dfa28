"""The Python source that every installation carries, as text to learn from."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

from minigrad.data.text import _sha256

__all__ = ["FILE_BREAK", "python_source"]

FILE_BREAK = "\n\n\n\n"  # stands between the files of python_source and nowhere else in it

# Installed packages differ from machine to machine; tests are data and repetition; tables of characters are no code.
LEFT_OUT = {"__pycache__", "dist-packages", "encodings", "idle_test", "pydoc_data", "site-packages", "test", "tests"}
SHORTEST_COPY = 4  # lines: shorter functions (`__len__`, `__enter__`) are alike by nature


def python_source(folder: str | Path | None = None) -> str:
    """The standard library of this Python, its `.py` files joined by FILE_BREAK: some nine million characters.

    All is ASCII: the dozen files that are not are left out; so are tests, character tables, installed packages and what
    the build wrote down about the machine.
    The text differs between Python versions. `train_validation_split(text, boundary=FILE_BREAK)` cuts between two
    files, and two things are done so that its validation part is honest:

    - *No function or class of four lines or more comes twice.* Modules copy from each other. Of definitions that are
      equal up to white space, the one in the shortest file stays.
    - *The order is a fixed shuffle* (by the SHA-256 of the file's name), so that packages lie in both parts.

    `folder`: another folder of Python files. Raises FileNotFoundError where there is none or it holds no such file.
    """
    import sysconfig  # here, because `import minigrad` has no use for it

    root = Path(folder if folder is not None else sysconfig.get_paths()["stdlib"])
    files = {path.relative_to(root).as_posix(): path for path in _files(root)}
    seen: set[str] = set()
    kept = {}
    for name in sorted(files, key=lambda name: (files[name].stat().st_size, name)):
        raw = files[name].read_bytes()
        if not raw.isascii():
            continue
        text = raw.decode("ascii").replace("\r\n", "\n").expandtabs()
        try:
            text = _without_copies(text, seen)
        except (SyntaxError, ValueError):  # a template or a file for another version of Python
            continue
        while FILE_BREAK in text:
            text = text.replace(FILE_BREAK, FILE_BREAK[1:])
        if text.strip():
            kept[name] = text.strip("\n") + "\n"
    if not kept:
        raise FileNotFoundError(
            f"no Python source in {root}: some distributions ship the standard library compiled, or in a zip file; "
            "give a folder with .py files, or use a Python from python.org"
        )
    return FILE_BREAK.join(kept[name] for name in sorted(kept, key=_sha256))


def _files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*.py"):
        if not LEFT_OUT.intersection(path.relative_to(root).parts) and not path.name.startswith("_sysconfigdata"):
            yield path


def _without_copies(text: str, seen: set[str]) -> str:
    """The source without the definitions that are in `seen`; those that stay are added to it."""
    lines = text.split("\n")
    gone: set[int] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of doubtful escapes in other people's strings
        tree = ast.parse(text)
    for start, stop in _copies(tree, lines, seen):
        gone.update(range(start, stop))
    return "\n".join(line for i, line in enumerate(lines) if i not in gone)


def _copies(parent: ast.Module | ast.ClassDef, lines: list[str], seen: set[str]) -> Iterator[tuple[int, int]]:
    """The lines [start, stop) of definitions seen before, in a module or class; a body keeps one statement at least."""
    left = len(parent.body)
    for node in parent.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        start = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
        stop = node.end_lineno or node.lineno
        code = " ".join(" ".join(lines[start:stop]).split())
        if stop - start >= SHORTEST_COPY and code in seen and (left > 1 or isinstance(parent, ast.Module)):
            left -= 1
            yield start, stop
            continue
        seen.add(code)
        if isinstance(node, ast.ClassDef):
            yield from _copies(node, lines, seen)
