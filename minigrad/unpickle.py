"""A reader of pickles that runs no code of theirs.

A pickle is a program for a stack machine; two of its instructions look up any function by name and call it, which is
why Python's own reader must never see a file from a stranger. This one knows the instructions for numbers, strings and
plain containers, and resolves names in a table: whatever is not in the table is refused, by name, before anything is
called. The instructions are those of Python's `pickletools`, which also splits the bytes into them.
"""

import pickle
import pickletools
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import IO, Any

_MARK = object()

# Instructions whose argument is the value that they push.
_PUSHES = frozenset(
    (
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
        "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
        "BINBYTES8", "BYTEARRAY8",
    )
)  # fmt: skip
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_EMPTY: dict[str, Callable] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}


class Refused(pickle.UnpicklingError):
    """The pickle is sound, and wants something that is not read from files."""


class Unpickler:
    """Reads one object from `file`, from its position on.

    `names` maps (module, name) to what stands for it: something to call on the arguments, or a value such as a dtype.
    `trusted` maps names of classes that the user vouches for: these are made as pickle makes them. `persistent` gives
    the object for a persistent id (in PyTorch's files, a storage). Raises Refused for a name that is in neither
    table and an instruction that is not known, and pickle.UnpicklingError for bytes that are no pickle.
    """

    def __init__(
        self, file: IO[bytes], names: Mapping[tuple[str, str], Any], trusted: Mapping[tuple[str, str], type],
        persistent: Callable[[Any], Any] | None = None, advice: str = "",
    ):  # fmt: skip
        self.file, self.names, self.trusted, self.persistent, self.advice = file, names, trusted, persistent, advice
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The object. The position of the file is then right behind it."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # damaged text may have odd escapes
                for instruction, argument, _ in pickletools.genops(self.file):
                    if instruction.name == "STOP":
                        (result,) = self.stack
                        return result
                    self.run(instruction.name, argument)
        except pickle.UnpicklingError:
            raise
        except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, EOFError) as error:
            raise pickle.UnpicklingError(f"the pickle is truncated or altered: {error}") from error
        raise pickle.UnpicklingError("the pickle is truncated: it has no end")

    def run(self, name: str, argument: Any) -> None:
        """One instruction."""
        push = self.stack.append
        if name in _PUSHES:
            push(argument)
        elif name in _CONSTANTS:
            push(_CONSTANTS[name])
        elif name in _EMPTY:
            push(_EMPTY[name]())
        elif name == "MARK":
            push(_MARK)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            push(self.memo[argument])
        elif name.startswith("TUPLE"):
            count = name.removeprefix("TUPLE")
            push(tuple(self.above_mark()) if not count else self.top(int(count)))
        else:
            method = getattr(self, f"do_{name.lower()}", None)
            if method is None:
                raise Refused(f"the pickle has the instruction {name}, which plain data has no use for")
            method(argument)

    def top(self, count: int) -> tuple:
        """Take the last `count` values off the stack."""
        values = tuple(self.stack[-count:])
        if len(values) < count:
            raise ValueError("it takes from an empty stack")
        del self.stack[-count:]
        return values

    def above_mark(self) -> list[Any]:
        """Take all values since the last mark off the stack."""
        values = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def do_proto(self, version: int) -> None:
        if version > pickle.HIGHEST_PROTOCOL:
            raise ValueError(f"protocol {version} is not known")

    def do_frame(self, size: int) -> None:
        pass

    def do_pop(self, _: Any) -> None:
        self.stack.pop()

    def do_dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def do_pop_mark(self, _: Any) -> None:
        self.above_mark()

    def do_list(self, _: Any) -> None:
        self.stack.append(self.above_mark())

    def do_dict(self, _: Any) -> None:
        values = self.above_mark()
        self.stack.append(dict(zip(values[::2], values[1::2], strict=True)))

    def do_frozenset(self, _: Any) -> None:
        self.stack.append(frozenset(self.above_mark()))

    def do_append(self, _: Any) -> None:
        (value,) = self.top(1)
        self.target(list).append(value)

    def do_appends(self, _: Any) -> None:
        values = self.above_mark()
        self.target(list).extend(values)

    def do_setitem(self, _: Any) -> None:
        key, value = self.top(2)
        self.target(dict)[key] = value

    def do_setitems(self, _: Any) -> None:
        values = self.above_mark()
        self.target(dict).update(zip(values[::2], values[1::2], strict=True))

    def do_additems(self, _: Any) -> None:
        values = self.above_mark()
        self.target(set).update(values)

    def target(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise TypeError(f"it fills a {type(self.stack[-1]).__name__} as a {kind.__name__}")
        return self.stack[-1]

    def do_global(self, argument: str) -> None:
        module, name = argument.split(" ")
        self.stack.append(self.named(module, name))

    def do_stack_global(self, _: Any) -> None:
        module, name = self.top(2)
        self.stack.append(self.named(module, name))

    def named(self, module: str, name: str) -> Any:
        """What the table has under a name."""
        if (module, name) in self.names:
            return self.names[module, name]
        if (module, name) in self.trusted:
            return Trusted(self.trusted[module, name])
        raise Refused(f"it refers to {module}.{name}, which is no plain data. {self.advice}")

    def do_reduce(self, _: Any) -> None:
        function, args = self.top(2)
        if isinstance(function, Trusted):
            self.stack.append(function.kind(*args))
            return
        if not (callable(function) and any(function is known for known in self.names.values())):
            raise TypeError(f"it calls {function!r}")
        self.stack.append(function(*args))

    def do_newobj(self, _: Any) -> None:
        function, args = self.top(2)
        if isinstance(function, Trusted):
            self.stack.append(function.kind.__new__(function.kind, *args))
            return
        self.stack += [function, args]
        self.do_reduce(None)

    def do_build(self, _: Any) -> None:
        """Give an object its state. Of plain data PyTorch's state dicts have one: the versions of their modules."""
        (state,) = self.top(1)
        obj = self.stack[-1]
        if type(obj) in self.trusted.values():
            if hasattr(obj, "__setstate__"):
                obj.__setstate__(state)
            else:
                vars(obj).update(state)
        elif isinstance(obj, StandIn):
            obj.set_state(state)
        elif type(obj) is OrderedDict and type(state) is dict and set(state) <= {"_metadata"}:
            vars(obj).update(state)
        else:
            raise TypeError(f"it sets attributes of a {type(obj).__name__}")

    def do_binpersid(self, _: Any) -> None:
        (identity,) = self.top(1)
        if self.persistent is None:
            raise TypeError("it refers to an object outside itself")
        self.stack.append(self.persistent(identity))


class StandIn:
    """What a table of names makes in place of an object whose pickle has a state besides."""

    def set_state(self, state: Any) -> None:
        """Take the state."""
        raise NotImplementedError(f"{type(self).__name__} must write set_state(state)")


class Trusted:
    """A class that the user vouches for, on the stack of an Unpickler."""

    def __init__(self, kind: type):
        self.kind = kind
