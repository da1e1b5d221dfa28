"""That a case uses the names it claims: the library is handed to it in a wrapper that notes what is asked for.

`torch.nn.Linear` is noted where the case asks the wrapper for it; `x.cumsum` where code of a case, not of minigrad,
asks a Tensor for it. So nobody can claim a name without calling for it.
"""

import contextlib
import sys
from collections.abc import Iterator
from types import CodeType, ModuleType
from typing import Any

from minigrad.conformance.case import CASE_FILES
from minigrad.conformance.outcome import Program
from minigrad.nn import Module
from minigrad.optim import Optimizer
from minigrad.optim.lr_scheduler import LRScheduler
from minigrad.tensor import Tensor

_CASES = str(CASE_FILES)
_WATCHED = {
    Tensor: "torch.Tensor",
    Module: "torch.nn.Module",
    Optimizer: "torch.optim.Optimizer",
    LRScheduler: "torch.optim.lr_scheduler.LRScheduler",
}


class Wrapper:
    """A module that notes the dotted path of each name it is asked for."""

    def __init__(self, module: ModuleType, path: str, uses: set[str]):
        self.__dict__.update(_module=module, _path=path, _uses=uses)

    def __getattr__(self, name: str) -> Any:
        value, path = getattr(self._module, name), f"{self._path}.{name}"
        self._uses.add(path)
        return Wrapper(value, path, self._uses) if isinstance(value, ModuleType) else value

    def __setattr__(self, name: str, value: Any) -> None:
        self._uses.add(f"{self._path}.{name}")
        setattr(self._module, name, value)


@contextlib.contextmanager
def watched(library: ModuleType) -> Iterator[tuple[Any, set[str]]]:
    """The library in its wrapper, and the set in which the paths of used names appear for as long as the block runs."""
    uses: set[str] = set()
    before = {kind: (kind.__dict__.get("__getattribute__"), kind.__dict__.get("__setattr__")) for kind in _WATCHED}
    for kind, path in _WATCHED.items():
        _watch(kind, path, uses)
    try:
        yield Wrapper(library, "torch", uses), uses
    finally:
        for kind, (get, set_) in before.items():
            _restore(kind, "__getattribute__", get)
            _restore(kind, "__setattr__", set_)


def _watch(kind: type, path: str, uses: set[str]) -> None:
    get: Any = kind.__getattribute__
    set_: Any = kind.__setattr__

    def __getattribute__(self: Any, name: str) -> Any:
        if sys._getframe(1).f_code.co_filename.startswith(_CASES):
            uses.add(f"{path}.{name}")
        return get(self, name)

    def __setattr__(self: Any, name: str, value: Any) -> None:
        if sys._getframe(1).f_code.co_filename.startswith(_CASES):
            uses.add(f"{path}.{name}")
        set_(self, name, value)

    kind.__getattribute__ = __getattribute__  # type: ignore[method-assign, assignment]
    kind.__setattr__ = __setattr__  # type: ignore[method-assign, assignment]


def _restore(kind: type, name: str, value: Any) -> None:
    if value is None:
        delattr(kind, name)
    else:
        setattr(kind, name, value)


def uses_name(paths: tuple[str, ...], uses: set[str], program: Program) -> bool:
    """True if one of the paths was used. What hangs on a class (nn.Embedding.from_pretrained) is read in the code."""
    if not uses.isdisjoint(paths):
        return True
    spelt = set(_spelt(program.__code__))
    return any(owner in uses and last in spelt for owner, _, last in (path.rpartition(".") for path in paths))


def _spelt(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _spelt(constant)
