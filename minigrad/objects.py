"""Whole objects in the files of `save`: modules, the records that programs keep in them, and names of functions.

A file says which class an object is of by a name, "package.module:Class", and gives its attributes as plain data. Read
back, the name is looked up among the modules that the running program has imported (`__main__` included): nothing is
imported, called or evaluated for a file. Nor is a name enough: objects are made of these classes only, by setting
attributes on an empty object, without their own code:

- subclasses of `nn.Module`;
- records: dataclasses, `argparse.Namespace`, `types.SimpleNamespace`; members of an Enum;
- classes that the program vouches for with `add_safe_globals`.

Of functions, which a module may keep as its activation, only the library's own are found, and the classes of layers.
"""

import argparse
import dataclasses
import enum
import sys
import types
from collections.abc import Mapping
from typing import Any

from minigrad.unpickle import Refused

_RECORDS = (argparse.Namespace, types.SimpleNamespace)
_LIBRARY = ("minigrad.nn.", "minigrad.ops.", "minigrad.tensor", "minigrad.linalg", "minigrad.functions")
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def name_of(thing: Any) -> str:
    """The name under which a class or function is found again; AttributeError for what has none (a lambda)."""
    home, qualified = thing.__module__, thing.__qualname__
    found: Any = sys.modules.get(home)
    for part in qualified.split("."):
        found = None if found is None else vars(found).get(part)
    if found is None:
        raise AttributeError(
            f"Can't save local object {qualified!r}: no name at the top of the module {home} leads to it. "
            f"Define it there, or save the state_dict() alone"
        )
    return f"{home}:{qualified}"


def named(name: str) -> Any:
    """What the running program has under a name; Refused where it has nothing."""
    home, _, qualified = name.partition(":")
    found: Any = sys.modules.get(home)
    if found is None:
        raise Refused(
            f"it needs {qualified} of the module {home}, which this program has not imported: import it first"
        )
    for part in qualified.split("."):
        found = vars(found).get(part) if hasattr(found, "__dict__") else None
        if found is None:
            raise Refused(f"it needs {qualified} of the module {home}, which has no such name in this program")
    return found


def kind_of(obj: Any, trusted: Mapping[Any, type]) -> str | None:
    """How an object is written: "module", "record", "object" (of a class vouched for), "enum", "name"; None: not."""
    from minigrad.nn import Module
    from minigrad.op import Op

    if isinstance(obj, enum.Enum):
        return "enum"
    if isinstance(obj, (type, types.FunctionType, Op)):
        return "name"
    return _kind_of_objects(type(obj), trusted, Module)


def _kind_of_objects(kind: type, trusted: Mapping[Any, type], module: type) -> str | None:
    if issubclass(kind, module):
        return "module"
    if dataclasses.is_dataclass(kind) or kind in _RECORDS:
        return "record"
    return "object" if kind in trusted.values() else None


def state_of(obj: Any, where: str) -> dict[str, Any]:
    """The attributes of an object; TypeError for a module with hooks, which are code."""
    if dataclasses.is_dataclass(obj) and not hasattr(obj, "__dict__"):
        return {field.name: getattr(obj, field.name) for field in dataclasses.fields(obj)}
    state = dict(vars(obj))
    if any(state.get(name) for name in HOOKS):
        raise TypeError(
            f"cannot save {where}: it has hooks, which are code; remove them first, or save its state_dict()"
        )
    return {name: value for name, value in state.items() if name not in HOOKS}


def empty(kind: str, name: str, trusted: Mapping[Any, type]) -> Any:
    """An object of the class of that name, without attributes; Refused where the class is not of that kind."""
    from minigrad.nn import Module

    found = named(name)
    if not isinstance(found, type) or _kind_of_objects(found, trusted, Module) != kind:
        raise Refused(
            f"it wants an object of {name.replace(':', '.')}, which is no module, dataclass or namespace; if you trust "
            f"it, say so with minigrad.serialization.add_safe_globals([...])"
        )
    made: Any = (found if found in _RECORDS else object).__new__(found)
    if kind == "module":
        Module.__init__(made)
    return made


def fill(obj: Any, state: dict[str, Any]) -> None:
    """Set the attributes, past __setattr__ and any code of the class."""
    if not all(isinstance(name, str) for name in state) or not set(state).isdisjoint(HOOKS):
        raise ValueError(f"attributes named {list(state)[:3]}")
    if hasattr(obj, "__dict__"):
        vars(obj).update(state)
    else:
        for name, value in state.items():
            object.__setattr__(obj, name, value)


def member(name: str, of: str) -> Any:
    """A member of an Enum."""
    found = named(of)
    if not (isinstance(found, type) and issubclass(found, enum.Enum)):
        raise Refused(f"it wants a member of {of.replace(':', '.')}, which is no Enum")
    return found.__members__[name]


def function_or_class(name: str, trusted: Mapping[Any, type]) -> Any:
    """The function of the library, or the class of layers, of that name."""
    from minigrad.nn import Module

    found = named(name)
    if name.startswith(_LIBRARY) or found in trusted.values():
        return found
    if isinstance(found, type) and (issubclass(found, (Module, enum.Enum)) or dataclasses.is_dataclass(found)):
        return found
    raise Refused(f"it refers to {name.replace(':', '.')}, which is no function of minigrad and no class of layers")
