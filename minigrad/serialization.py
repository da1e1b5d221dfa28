"""save and load: tensors, state dicts and plain containers, in a format that holds no code.

The file is a zip: `structure.json` describes the object (containers, numbers, strings, references to arrays) and
`arrays/N.npy` holds each array once, however often it occurs, so tied weights stay tied. Nothing in it is executed on
loading: arrays are read with NumPy's own reader and pickling refused. Writing goes to a temporary file beside the
target, which replaces it when complete: an interruption leaves the old file.

An object that is more than plain data (a whole module) is pickled instead, as `object.pkl`. A pickle may run code, so
such a file is read only where the caller says that it may: `load(f, weights_only=False)`.
"""

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

from minigrad import backend, dtype as dtypes, torch_files
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
    """Write tensors, numbers, strings, bytes, None and (nested) dicts, lists, tuples of them to a path or binary file.

    Any other object is pickled whole; what pickle cannot do raises as there, with a note on which part of the object
    is no plain data, before a byte is written.
    """
    arrays: list[np.ndarray] = []
    places: dict[int, int] = {}
    keep: list[Any] = []  # ids stay valid while the objects live
    try:
        structure = {"format": _MAGIC, "object": _describe(obj, arrays, places, keep, "the object")}
    except _NotPlain as reason:
        _save_whole(obj, f, str(reason))
        return
    _write(f, structure, arrays)


class _NotPlain(Exception):
    """The object holds something that is no plain data; the message says where, and what it is."""


class _Pickler(pickle.Pickler):
    """Writes an object whose tensors stay outside, in `arrays`; one that occurs twice is one tensor again later."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.arrays: list[np.ndarray] = []
        self.places: dict[int, int] = {}
        self.keep: list[Any] = []
        self.numbers: dict[int, int] = {}

    def persistent_id(self, obj: Any) -> tuple | None:
        from minigrad.nn import Parameter

        if type(obj) not in (Tensor, Parameter):
            return None
        self.keep.append(obj)
        number = self.numbers.setdefault(id(obj), len(self.numbers))
        return number, _describe(obj, self.arrays, self.places, self.keep, "")


class _Pickled:
    """A pickled object in its archive, on the way to the one place that decides to run it."""

    def __init__(self, archive: zipfile.ZipFile, device: Any):
        self.code = archive.read("object.pkl")
        names = [name for name in archive.namelist() if name.startswith("arrays/")]
        self.arrays = {int(name[7:-4]): _array(archive, int(name[7:-4])) for name in names}
        self.device = device
        self.tensors: dict[int, Tensor] = {}

    def load(self) -> Any:
        reader = pickle.Unpickler(io.BytesIO(self.code))
        reader.persistent_load = self.tensor  # type: ignore[method-assign]
        return reader.load()

    def tensor(self, identity: tuple[int, dict]) -> Tensor:
        number, d = identity
        if number not in self.tensors:
            kind, place = next(iter(d.items()))
            self.tensors[number] = _tensor(kind, self.arrays[place], d, self.device)
        return self.tensors[number]


def _save_whole(obj: Any, f: "str | os.PathLike | BinaryIO", reason: str) -> None:
    code = io.BytesIO()
    pickler = _Pickler(code)
    try:
        pickler.dump(obj)
    except Exception as error:
        error.add_note(f"{reason}, and pickle cannot write it. For a module save module.state_dict()")
        raise
    _write(f, {"format": _MAGIC, "pickled": reason}, pickler.arrays, code.getvalue())


def _write(f: Any, structure: dict, arrays: list[np.ndarray], code: bytes | None = None) -> None:
    text = json.dumps(structure)
    with _target(f) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("structure.json", text)
        for i, array in enumerate(arrays):
            with archive.open(f"arrays/{i}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
        if code is not None:
            archive.writestr("object.pkl", code)


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


def _describe(obj: Any, arrays: list, places: dict, keep: list, where: str) -> Any:
    if obj is None or isinstance(obj, (bool, str)):
        return obj
    if isinstance(obj, np.generic):
        return _describe(obj.item(), arrays, places, keep, where)
    if isinstance(obj, int):
        return obj if abs(obj) < 2**53 else {"int": str(obj)}
    if isinstance(obj, float):
        return {"float": obj.hex() if math.isfinite(obj) else repr(obj)}
    if isinstance(obj, complex):
        return {"complex": [_describe(part, arrays, places, keep, where) for part in (obj.real, obj.imag)]}
    if isinstance(obj, Tensor):
        from minigrad.nn import Parameter

        if not obj.is_leaf:
            obj = obj.detach()
        kind = "parameter" if isinstance(obj, Parameter) else "tensor"
        number = _place(obj.array, arrays, places, keep)
        return {kind: number, "dtype": obj.dtype.name, "requires_grad": obj.requires_grad}
    if isinstance(obj, np.ndarray):
        if obj.dtype.kind not in "biufc":
            raise _NotPlain(f"{where} is a NumPy array of {obj.dtype}")
        return {"ndarray": _place(obj, arrays, places, keep)}
    if isinstance(obj, (bytes, bytearray)):
        return {"bytes": bytes(obj).hex()}
    if isinstance(obj, dtypes.DType):
        return {"DType": obj.name}
    if isinstance(obj, dict):
        items = [
            [
                _describe(k, arrays, places, keep, f"a key of {where}"),
                _describe(v, arrays, places, keep, f"{where}[{k!r}]"),
            ]
            for k, v in obj.items()
        ]
        return {"OrderedDict" if isinstance(obj, OrderedDict) else "dict": items}
    if isinstance(obj, (list, tuple, set)):
        kind = "list" if isinstance(obj, list) else "set" if isinstance(obj, set) else "tuple"
        return {kind: [_describe(v, arrays, places, keep, f"{where}[{i}]") for i, v in enumerate(obj)]}
    raise _NotPlain(f"{where} is a {type(obj).__name__}")


def _place(array: Any, arrays: list, places: dict, keep: list) -> int:
    if id(array) not in places:
        keep.append(array)
        places[id(array)] = len(arrays)
        host = backend.to_host(array)
        arrays.append(host.view(np.uint16) if host.dtype.name == "bfloat16" else host)
    return places[id(array)]


def load(
    f: "str | os.PathLike | BinaryIO", map_location: Any = None, pickle_module: Any = None, *,
    weights_only: bool | None = None, mmap: bool | None = None,
) -> Any:  # fmt: skip
    """Read what `save` wrote, or a file of PyTorch's torch.save (`torch_files.py`); its content tells which.

    `map_location`: the device for all tensors (default: the host), a dict from the names of devices to others, or a
    function of (storage, name) as PyTorch takes it. `weights_only=False` lets a whole object be read that `save` had
    to pickle, which runs the code that its pickle names: only for files that you trust. (`pickle_module` is ignored.)

    RuntimeError for a truncated, altered or foreign file, with its name. Without `weights_only=False`, and in a file of
    PyTorch always, whatever is no tensor, number, string or plain container is refused by name: `unpickle.Refused`, a
    pickle.UnpicklingError.
    """
    if not (isinstance(f, (str, os.PathLike)) or (hasattr(f, "read") and hasattr(f, "seek"))):
        raise TypeError(f"load takes a path or a file that was opened for reading bytes, got {type(f).__name__}")
    name = os.fspath(f) if isinstance(f, (str, os.PathLike)) else getattr(f, "name", "the file")
    with open(f, "rb") if isinstance(f, (str, os.PathLike)) else nullcontext(f) as file:
        found = _read(file, name, map_location, weights_only is False)
    return found.load() if isinstance(found, _Pickled) else found


def _read(file: BinaryIO, name: str, map_location: Any, trusted: bool) -> Any:
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
            device = torch_files.placed(map_location, "cpu")
            if "pickled" not in structure:
                return _restore(structure["object"], archive, {}, device)
            if not trusted:
                raise Refused(
                    f"{structure['pickled']}. To read it, which runs the code that it names, pass weights_only=False; "
                    f"save the weights alone with save(module.state_dict(), file)"
                )
            return _Pickled(archive, device)
    except Refused as error:
        raise Refused(f"{name} holds more than weights: {error}") from error
    except _SIGNS_OF_DAMAGE as error:
        raise RuntimeError(
            f"{name} is truncated, altered or not a file of minigrad.save or torch.save: {error}"
        ) from error


def _array(archive: zipfile.ZipFile, place: int) -> np.ndarray:
    return np.lib.format.read_array(io.BytesIO(archive.read(f"arrays/{place}.npy")), allow_pickle=False)


def _restore(d: Any, archive: zipfile.ZipFile, made: dict[int, np.ndarray], device: Any) -> Any:
    if not isinstance(d, dict):
        return d
    kind, value = next(iter(d.items()))
    if kind == "float":
        return float.fromhex(value) if "x" in value else float(value)
    if kind == "int":
        return int(value)
    if kind == "complex":
        return complex(*(_restore(part, archive, made, device) for part in value))
    if kind == "bytes":
        return bytes.fromhex(value)
    if kind == "DType":
        return dtypes._by_name(value)
    if kind in ("dict", "OrderedDict"):
        items = [(_restore(k, archive, made, device), _restore(v, archive, made, device)) for k, v in value]
        return OrderedDict(items) if kind == "OrderedDict" else dict(items)
    if kind in ("list", "tuple", "set"):
        items = [_restore(v, archive, made, device) for v in value]
        return items if kind == "list" else tuple(items) if kind == "tuple" else set(items)
    if kind in ("tensor", "parameter", "ndarray"):
        if value not in made:
            made[value] = _array(archive, value)
        if kind == "ndarray":
            return made[value]
        return _tensor(kind, made[value], d, device)
    raise RuntimeError(f"unknown entry {kind!r}: the file was written by a newer minigrad")


def _tensor(kind: str, array: np.ndarray, d: dict, device: Any) -> Tensor:
    from minigrad.nn import Parameter

    raw = dtypes._by_name(d["dtype"]).numpy
    x = from_array(array if array.dtype == raw else array.view(raw), device)
    if kind == "parameter":
        return Parameter(x, requires_grad=d["requires_grad"])
    return x.requires_grad_() if d["requires_grad"] else x
