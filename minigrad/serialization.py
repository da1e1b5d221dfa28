"""save and load: tensors, state dicts and plain containers, in a format that holds no code.

The file is a zip: `structure.json` describes the object (containers, numbers, strings, references to arrays) and
`arrays/N.npy` holds each array once, however often it occurs, so tied weights stay tied. Nothing in it is executed on
loading: arrays are read with NumPy's own reader and pickling refused. Writing goes to a temporary file beside the
target, which replaces it when complete: an interruption leaves the old file.

A whole module is described too: the name of its class and its attributes (`objects.py`). It is rebuilt on request only,
`load(f, weights_only=False)`, from a class that the running program has; no code comes from the file.
"""

import enum
import io
import json
import math
import os
import pickle
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, BinaryIO

import numpy as np

from minigrad import backend, dtype as dtypes, objects, torch_files
from minigrad.tensor import Tensor, from_array
from minigrad.torch_files import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from minigrad.unpickle import Refused

__all__ = ["add_safe_globals", "clear_safe_globals", "get_safe_globals", "load", "safe_globals", "save"]

_MAGIC = "minigrad-1"
_SIGNS_OF_DAMAGE = (  # what the readers of zip, JSON and NumPy files raise on bytes that nobody wrote so
    zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError,
    StopIteration, NotImplementedError, RecursionError, MemoryError, OSError, pickle.UnpicklingError,
)  # fmt: skip


def save(obj: Any, f: "str | os.PathLike | BinaryIO") -> None:
    """Write tensors, numbers, strings, bytes, None and (nested) dicts, lists, tuples of them to a path or binary file,
    and modules whole.

    A module may hold besides: modules, dataclasses, namespaces, members of Enums, functions of minigrad, and objects of
    classes vouched for with `add_safe_globals`. TypeError names the place of anything else, AttributeError a class or
    function that no name leads to, before a byte is written.
    """
    writer = _Writer()
    structure = {"format": _MAGIC, "object": writer.describe(obj, "the object")}
    if writer.whole:
        structure["whole"] = writer.whole
    text = json.dumps(structure)
    with _target(f) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("structure.json", text)
        for i, array in enumerate(writer.arrays):
            with archive.open(f"arrays/{i}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


@contextmanager
def _target(f: "str | os.PathLike | BinaryIO") -> Iterator[BinaryIO]:
    if not isinstance(f, (str, os.PathLike)):
        yield f
        return
    path = os.path.abspath(os.fspath(f))
    if not os.path.isdir(os.path.dirname(path)):
        raise FileNotFoundError(
            f"cannot save to {path}: the folder {os.path.dirname(path)} does not exist; create it first"
        )
    temporary = path + ".part"  # one name, so that what a crash leaves behind is overwritten by the next save
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


class _Writer:
    """Describes an object, and collects the arrays in it; each array, tensor and whole object once."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []
        self.whole = ""  # the first object that is more than plain data
        self.places: dict[int, int] = {}  # of arrays, by id
        self.numbers: dict[int, int] = {}  # of tensors and objects, by id
        self.keep: list[Any] = []  # ids stay valid while the objects live

    def describe(self, obj: Any, where: str) -> Any:
        if obj is None or isinstance(obj, (bool, str)):
            return obj
        if isinstance(obj, np.generic):
            return self.describe(obj.item(), where)
        if isinstance(obj, enum.Enum):
            return self.describe_object(obj, where)
        if isinstance(obj, int):
            return obj if abs(obj) < 2**53 else {"int": str(obj)}
        if isinstance(obj, float):
            return {"float": obj.hex() if math.isfinite(obj) else repr(obj)}
        if isinstance(obj, complex):
            return {"complex": [self.describe(part, where) for part in (obj.real, obj.imag)]}
        if isinstance(obj, Tensor):
            return self.describe_tensor(obj)
        if isinstance(obj, np.ndarray):
            if obj.dtype.kind not in "biufc":
                raise TypeError(f"cannot save {where}: a NumPy array of {obj.dtype}; numbers and bools are saved")
            return {"ndarray": self.place(obj)}
        if isinstance(obj, (bytes, bytearray)):
            return {"bytes": bytes(obj).hex()}
        if isinstance(obj, dtypes.DType):
            return {"DType": obj.name}
        if isinstance(obj, backend.device):
            return {"device": str(obj)}
        if isinstance(obj, dict):
            items = [
                [self.describe(k, f"a key of {where}"), self.describe(v, f"{where}[{k!r}]")] for k, v in obj.items()
            ]
            return {"OrderedDict" if isinstance(obj, OrderedDict) else "dict": items}
        if isinstance(obj, (list, tuple, set)):
            kind = "list" if isinstance(obj, list) else "set" if isinstance(obj, set) else "tuple"
            return {kind: [self.describe(v, f"{where}[{i}]") for i, v in enumerate(obj)]}
        return self.describe_object(obj, where)

    def describe_tensor(self, x: Tensor) -> dict:
        from minigrad.nn import Parameter

        if id(x) in self.numbers:
            return {"again": self.numbers[id(x)]}
        number = self.number(x)
        leaf = x if x.is_leaf else x.detach()
        kind = "parameter" if isinstance(x, Parameter) else "tensor"
        place = self.place(leaf.array)
        return {kind: place, "dtype": leaf.dtype.name, "requires_grad": leaf.requires_grad, "id": number}

    def describe_object(self, obj: Any, where: str) -> dict:
        kind = objects.kind_of(obj, torch_files.trusted)
        if kind is None:
            raise TypeError(
                f"cannot save {where}: a {type(obj).__name__}. Tensors, numbers, strings and plain containers of them "
                f"can be, modules and dataclasses too; vouch for a class of yours with serialization.add_safe_globals"
            )
        self.whole = self.whole or f"{where} is a {type(obj).__name__}"
        if kind == "enum":
            return {"enum": obj.name, "of": objects.name_of(type(obj))}
        if kind == "name":
            name = objects.name_of(obj)
            try:
                objects.function_or_class(name, torch_files.trusted)
            except Refused as error:
                raise TypeError(f"cannot save {where}: {error}") from None
            return {"name": name}
        if id(obj) in self.numbers:
            return {"again": self.numbers[id(obj)]}
        number, name = self.number(obj), objects.name_of(type(obj))
        state = objects.state_of(obj, where)
        return {kind: name, "id": number, "state": {k: self.describe(v, f"{where}.{k}") for k, v in state.items()}}

    def number(self, obj: Any) -> int:
        self.keep.append(obj)
        return self.numbers.setdefault(id(obj), len(self.numbers))

    def place(self, array: Any) -> int:
        if id(array) not in self.places:
            self.keep.append(array)
            self.places[id(array)] = len(self.arrays)
            host = backend.to_host(array)
            self.arrays.append(host.view(np.uint16) if host.dtype.name == "bfloat16" else host)
        return self.places[id(array)]


def load(
    f: "str | os.PathLike | BinaryIO", map_location: Any = None, pickle_module: Any = None, *,
    weights_only: bool | None = None, mmap: bool | None = None,
) -> Any:  # fmt: skip
    """Read what `save` wrote, or a file of PyTorch's torch.save (`torch_files.py`); its content tells which.

    `map_location`: the device for all tensors (default: the host), a dict from the names of devices to others, or a
    function of (storage, name) as PyTorch takes it. `weights_only=False` lets whole modules be rebuilt, from classes
    that this program has (import them first); no code in a file is ever run. `pickle_module` is ignored.

    RuntimeError for a truncated, altered or foreign file, with its name. What is more than tensors, numbers, strings
    and plain containers is refused by name without `weights_only=False`, as is what a file may not name, and in a file
    of PyTorch always: `unpickle.Refused`, a pickle.UnpicklingError.
    """
    if not (isinstance(f, (str, os.PathLike)) or (hasattr(f, "read") and hasattr(f, "seek"))):
        raise TypeError(f"load takes a path or a file that was opened for reading bytes, got {type(f).__name__}")
    name = os.fspath(f) if isinstance(f, (str, os.PathLike)) else getattr(f, "name", "the file")
    with open(f, "rb") if isinstance(f, (str, os.PathLike)) else nullcontext(f) as file:
        return _read(file, name, map_location, whole=weights_only is False)


def _read(file: BinaryIO, name: str, map_location: Any, whole: bool) -> Any:
    try:
        start = file.tell()
        first = file.read(len(torch_files.LEGACY_START))
        file.seek(start)
        if first == torch_files.LEGACY_START:
            return torch_files.load_stream(file, map_location)
        with zipfile.ZipFile(file) as archive:
            if torch_files.is_torch_zip(archive):
                return torch_files.load_zip(archive, map_location)
            if "structure.json" not in archive.namelist():
                raise RuntimeError(f"{name} was not written by minigrad.save (no structure.json in the archive)")
            structure = json.loads(archive.read("structure.json"))
            if structure.get("format") != _MAGIC:
                raise RuntimeError(f"{name} is of format {structure.get('format')!r}; this version reads {_MAGIC!r}")
            if "whole" in structure and not whole:
                raise Refused(
                    f"{structure['whole']}. To have it rebuilt, from a class of this program, pass weights_only=False; "
                    f"save the weights alone with save(module.state_dict(), file)"
                )
            return _Reader(archive, torch_files.placed(map_location, "cpu"), whole).restore(structure["object"])
    except Refused as error:
        raise Refused(f"{name} holds more than weights: {error}") from error
    except _SIGNS_OF_DAMAGE as error:
        raise RuntimeError(
            f"{name} is truncated, altered or not a file of minigrad.save or torch.save: {error}"
        ) from error


class _Reader:
    """Makes what a `_Writer` described."""

    def __init__(self, archive: zipfile.ZipFile, device: Any, whole: bool):
        self.archive, self.device, self.whole = archive, device, whole
        self.arrays: dict[int, np.ndarray] = {}
        self.made: dict[int, Any] = {}  # tensors and objects, by number

    def restore(self, d: Any) -> Any:
        if not isinstance(d, dict):
            return d
        kind, value = next(iter(d.items()))
        if kind == "float":
            return float.fromhex(value) if "x" in value else float(value)
        if kind == "int":
            return int(value)
        if kind == "complex":
            return complex(*map(self.restore, value))
        if kind == "bytes":
            return bytes.fromhex(value)
        if kind == "DType":
            return dtypes._by_name(value)
        if kind == "device":
            return backend.device(value)
        if kind in ("dict", "OrderedDict"):
            items = [(self.restore(k), self.restore(v)) for k, v in value]
            return OrderedDict(items) if kind == "OrderedDict" else dict(items)
        if kind in ("list", "tuple", "set"):
            items = [self.restore(v) for v in value]
            return items if kind == "list" else tuple(items) if kind == "tuple" else set(items)
        if kind == "ndarray":
            return self.array(value)
        if kind in ("tensor", "parameter"):
            x = _tensor(kind, self.array(value), d, self.device)
            self.made[d.get("id", -1)] = x
            return x
        if kind == "again":
            return self.made[value]
        return self.restore_object(kind, value, d)

    def restore_object(self, kind: str, value: str, d: dict) -> Any:
        if kind not in ("module", "record", "object", "enum", "name"):
            raise RuntimeError(f"unknown entry {kind!r}: the file was written by a newer minigrad")
        if not self.whole:
            raise ValueError(f"an entry {kind!r}, which its head does not tell of")
        if kind == "enum":
            return objects.member(value, d["of"])
        if kind == "name":
            return objects.function_or_class(value, torch_files.trusted)
        made = self.made[d["id"]] = objects.empty(kind, value, torch_files.trusted)
        objects.fill(made, {name: self.restore(v) for name, v in d["state"].items()})
        return made

    def array(self, place: int) -> np.ndarray:
        if place not in self.arrays:
            code = io.BytesIO(self.archive.read(f"arrays/{place}.npy"))
            self.arrays[place] = np.lib.format.read_array(code, allow_pickle=False)
        return self.arrays[place]


def _tensor(kind: str, array: np.ndarray, d: dict, device: Any) -> Tensor:
    from minigrad.nn import Parameter

    raw = dtypes._by_name(d["dtype"]).numpy
    x = from_array(array if array.dtype == raw else array.view(raw), device)
    if kind == "parameter":
        return Parameter(x, requires_grad=d["requires_grad"])
    return x.requires_grad_() if d["requires_grad"] else x
