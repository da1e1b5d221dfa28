"""save and load: tensors, state dicts and plain containers, in a format that holds no code.

The file is a zip: `structure.json` describes the object (containers, numbers, strings, references to arrays) and
`arrays/N.npy` holds each array once, however often it occurs, so tied weights stay tied. Nothing in it is executed on
loading: arrays are read with NumPy's own reader and pickling refused. Writing goes to a temporary file beside the
target, which replaces it when complete: an interruption leaves the old file.
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

    TypeError names the place of anything else, before a byte is written.
    """
    arrays: list[np.ndarray] = []
    places: dict[int, int] = {}
    keep: list[Any] = []  # ids stay valid while the objects live
    structure = {"format": _MAGIC, "object": _describe(obj, arrays, places, keep, "the object")}
    text = json.dumps(structure)
    with _target(f) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("structure.json", text)
        for i, array in enumerate(arrays):
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


def _describe(obj: Any, arrays: list, places: dict, keep: list, where: str) -> Any:
    if obj is None or isinstance(obj, (bool, str)):
        return obj
    if isinstance(obj, np.generic):
        return _describe(obj.item(), arrays, places, keep, where)
    if isinstance(obj, int):
        return obj if abs(obj) < 2**53 else {"int": str(obj)}
    if isinstance(obj, float):
        return {"float": obj.hex() if math.isfinite(obj) else repr(obj)}
    if isinstance(obj, Tensor):
        from minigrad.nn import Parameter

        if not obj.is_leaf:
            obj = obj.detach()
        kind = "parameter" if isinstance(obj, Parameter) else "tensor"
        number = _place(obj.array, arrays, places, keep)
        return {kind: number, "dtype": obj.dtype.name, "requires_grad": obj.requires_grad}
    if isinstance(obj, np.ndarray):
        if obj.dtype.kind not in "biuf":
            raise TypeError(f"cannot save {where}: a NumPy array of {obj.dtype}; numbers and bools are saved")
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
    raise TypeError(
        f"cannot save {where}: a {type(obj).__name__}. Tensors, numbers, strings and plain containers of them can be; "
        f"for a module save module.state_dict()"
    )


def _place(array: Any, arrays: list, places: dict, keep: list) -> int:
    if id(array) not in places:
        keep.append(array)
        places[id(array)] = len(arrays)
        host = backend.to_host(array)
        arrays.append(host.view(np.uint16) if host.dtype.name == "bfloat16" else host)
    return places[id(array)]


def load(
    f: "str | os.PathLike | BinaryIO", map_location: Any = None, *, weights_only: bool = True, mmap: bool | None = None
) -> Any:
    """Read what `save` wrote, or a file of PyTorch's torch.save (`torch_files.py`); its content tells which.

    `map_location`: the device for all tensors (default: the host), a dict from the names of devices to others, or a
    function of (storage, name) as PyTorch takes it. `weights_only` is accepted and always so.

    RuntimeError for a truncated, altered or foreign file, with its name. In a file of PyTorch, whatever is no tensor,
    number, string or plain container is refused by name: `unpickle.Refused`, a pickle.UnpicklingError.
    """
    if not (isinstance(f, (str, os.PathLike)) or (hasattr(f, "read") and hasattr(f, "seek"))):
        raise TypeError(f"load takes a path or a file that was opened for reading bytes, got {type(f).__name__}")
    name = os.fspath(f) if isinstance(f, (str, os.PathLike)) else getattr(f, "name", "the file")
    with open(f, "rb") if isinstance(f, (str, os.PathLike)) else nullcontext(f) as file:
        return _read(file, name, map_location)


def _read(file: BinaryIO, name: str, map_location: Any) -> Any:
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
            return _restore(structure["object"], archive, {}, torch_files.placed(map_location, "cpu"))
    except Refused as error:
        raise Refused(f"{name} holds more than weights: {error}") from error
    except _SIGNS_OF_DAMAGE as error:
        raise RuntimeError(
            f"{name} is truncated, altered or not a file of minigrad.save or torch.save: {error}"
        ) from error


def _restore(d: Any, archive: zipfile.ZipFile, made: dict[int, np.ndarray], device: Any) -> Any:
    if not isinstance(d, dict):
        return d
    kind, value = next(iter(d.items()))
    if kind == "float":
        return float.fromhex(value) if "x" in value else float(value)
    if kind == "int":
        return int(value)
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
            made[value] = np.lib.format.read_array(io.BytesIO(archive.read(f"arrays/{value}.npy")), allow_pickle=False)
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
