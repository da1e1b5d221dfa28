"""Reading PyTorch's own files: `.pt` / `.pth` zip archives, and the stream of pickles from before PyTorch 1.6.

Both hold a pickle that describes the object, and storages, the flat memory under the tensors, beside it:

    zip:      NAME/data.pkl, NAME/data/KEY (raw bytes, one entry a storage), NAME/byteorder
    stream:   pickles of a magic number, a version, the system, the object and the list of keys; then for each key its
              number of elements (8 bytes) and raw bytes

A tensor is a storage with an offset, sizes and strides, so tensors on one storage share memory here as they did there:
tied weights stay tied. The pickle is read by `unpickle.Unpickler`, which runs no code: tensors, parameters, numbers,
strings and plain containers are admitted, anything else is refused by name.
"""

import math
import os
import sys
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import IO, Any

import numpy as np

from minigrad import backend, dtype as dtypes, inplace
from minigrad.backend import array_module
from minigrad.dtype import DType
from minigrad.tensor import Size, Tensor, from_raw
from minigrad.unpickle import Refused, Unpickler

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C  # what an old file begins with, as a pickle
LEGACY_START = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_ADVICE = (
    "minigrad.load reads tensors and plain containers: in PyTorch, save the weights alone with "
    "torch.save(model.state_dict(), file), or vouch for a class of yours with minigrad.serialization.add_safe_globals"
)

_STORAGES = {
    "DoubleStorage": dtypes.float64, "FloatStorage": dtypes.float32, "HalfStorage": dtypes.float16,
    "BFloat16Storage": dtypes.bfloat16, "LongStorage": dtypes.int64, "IntStorage": dtypes.int32,
    "ShortStorage": dtypes.int16, "CharStorage": dtypes.int8, "ByteStorage": dtypes.uint8, "BoolStorage": dtypes.bool_,
    "ComplexFloatStorage": dtypes.complex64, "ComplexDoubleStorage": dtypes.complex128,
}  # fmt: skip

trusted: dict[tuple[str, str], type] = {}


def add_safe_globals(classes: Iterable[Any]) -> None:
    """Vouch for classes: `load` then makes objects of them, which runs their code; (class, "module.name") names one."""
    for entry in classes:
        kind, name = entry if isinstance(entry, tuple) else (entry, f"{entry.__module__}.{entry.__qualname__}")
        if not isinstance(kind, type):
            raise TypeError(f"add_safe_globals takes classes, or (class, name) pairs, got {kind!r}")
        module, _, last = name.rpartition(".")
        trusted[module, last] = kind


def get_safe_globals() -> list[type]:
    """The classes vouched for."""
    return list(trusted.values())


def clear_safe_globals() -> None:
    """Vouch for nothing any more."""
    trusted.clear()


class safe_globals:
    """Vouch for classes inside a `with` block; see `add_safe_globals`."""

    def __init__(self, classes: Iterable[Any]):
        self.classes = list(classes)

    def __enter__(self) -> None:
        self.former = dict(trusted)
        add_safe_globals(self.classes)

    def __exit__(self, *_: object) -> None:
        trusted.clear()
        trusted.update(self.former)


def is_torch_zip(archive: zipfile.ZipFile) -> bool:
    """True for an archive that torch.save (or torch.jit.save) wrote."""
    return any(name.count("/") == 1 and name.endswith("/data.pkl") for name in archive.namelist())


def load_zip(archive: zipfile.ZipFile, map_location: Any) -> Any:
    """The object in a zip archive of PyTorch."""
    names = set(archive.namelist())
    (record,) = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
    folder = record.removesuffix("data.pkl")
    if folder + "constants.pkl" in names:
        raise Refused("it is a TorchScript program (torch.jit.save). " + _ADVICE)
    order = archive.read(folder + "byteorder").decode() if folder + "byteorder" in names else "little"

    def raw_bytes(key: str, size: int) -> bytearray:
        entry = archive.getinfo(f"{folder}data/{key}")
        if entry.file_size != size:
            raise ValueError(f"storage {key} has {entry.file_size} bytes where the tensors need {size}")
        memory = bytearray(size)
        with archive.open(entry) as file:
            filled = 0
            while filled < size and (count := file.readinto(memoryview(memory)[filled:])):  # type: ignore[attr-defined]
                filled += count
        return memory

    builder = _Builder(raw_bytes, order, map_location)
    with archive.open(record) as file:
        return builder.read(file)


def load_stream(file: IO[bytes], map_location: Any) -> Any:
    """The object in a file of PyTorch before 1.6. The file stands at its start."""
    position = file.tell()
    length = file.seek(0, os.SEEK_END)
    file.seek(position)
    start = [Unpickler(file, {}, {}).load() for _ in range(3)]
    if start[0] != MAGIC_NUMBER or start[1] != 1001:
        raise ValueError(f"it begins with {start[0]!r} and {start[1]!r}")
    order = "little" if start[2].get("little_endian", True) else "big"
    sizes: dict[str, int] = {}

    def remember(key: str, size: int) -> bytearray:
        if size > length:
            raise ValueError(f"storage {key} of {size} bytes is larger than the file")
        sizes[key] = size
        return bytearray(size)

    # The bytes come after the pickle that says what they are: it is read once to learn their sizes, and once for good.
    position = file.tell()
    _Builder(remember, order, "cpu").read(file)
    memory: dict[str, bytearray] = {}
    for key in Unpickler(file, {}, {}).load():
        file.read(8)  # the number of elements, which the pickle has told already
        memory[key] = bytearray(file.read(sizes[key]))
        if len(memory[key]) < sizes[key]:
            raise EOFError(f"storage {key} ends after {len(memory[key])} of {sizes[key]} bytes")
    file.seek(position)
    return _Builder(lambda key, size: memory[key], order, map_location).read(file)


class _Storage:
    """Flat memory: a raw array of one dtype, or of bytes."""

    def __init__(self, array: Any, device: str):
        self.array, self.device = array, device
        self.tensors: dict[tuple, Tensor] = {}

    def cpu(self) -> "_Storage":
        return _Storage(self.array, "cpu")

    def cuda(self, device: int | None = None) -> "_Storage":
        return _Storage(self.array, "cuda" if device is None else f"cuda:{device}")


class _Builder:
    """Makes the tensors of one file. `raw_bytes(key, size)` gives the bytes of a storage."""

    def __init__(self, raw_bytes: Callable[[str, int], bytearray], order: str, map_location: Any):
        self.raw_bytes, self.order, self.map_location = raw_bytes, order, map_location
        self.storages: dict[str, _Storage] = {}
        self.names: dict[tuple[str, str], Any] = {
            ("torch._utils", "_rebuild_tensor"): self.tensor,
            ("torch._utils", "_rebuild_tensor_v2"): self.tensor,
            ("torch._utils", "_rebuild_tensor_v3"): self.typed_tensor,
            ("torch._utils", "_rebuild_parameter"): self.parameter,
            ("torch", "Size"): lambda sizes: Size(sizes),
            ("torch", "device"): lambda *place: backend.device(*place),
            ("torch.storage", "UntypedStorage"): dtypes.uint8,
            ("collections", "OrderedDict"): lambda items=(): OrderedDict(items),
            ("collections", "Counter"): lambda counts=(): Counter(counts),
            ("_codecs", "encode"): _latin1_bytes,
        }
        self.names |= {("torch", name): dtype for name, dtype in _STORAGES.items()}
        self.names |= {("torch", dtype.name): dtype for dtype in dtypes.ALL}
        for module in ("builtins", "__builtin__"):
            self.names |= {(module, kind.__name__): kind for kind in (set, frozenset, complex, bytearray)}

    def read(self, file: IO[bytes]) -> Any:
        return Unpickler(file, self.names, trusted, self.storage, _ADVICE).load()

    def storage(self, identity: tuple) -> _Storage:
        """The storage of a persistent id ("storage", type, key, location, number of elements, ...)."""
        kind, dtype, key, location, count = identity[:5]
        if kind != "storage" or not isinstance(dtype, DType) or not isinstance(count, int) or count < 0:
            raise ValueError(f"unknown kind of storage {identity[:1]!r}")
        if len(identity) > 5 and identity[5] is not None:
            raise ValueError(
                "it has views of storages, which PyTorch before 0.4 wrote; save it anew with a later PyTorch"
            )
        if key not in self.storages:
            array = np.frombuffer(self.raw_bytes(key, count * dtype.itemsize), f"u{dtype.to_real().itemsize}")
            if self.order != sys.byteorder:
                array.byteswap(inplace=True)
            device = placed(self.map_location, location, _Storage(array, location))
            self.storages[key] = _Storage(backend.to_device(array.view(dtype.numpy), device), str(device))
        return self.storages[key]

    def tensor(
        self, storage: _Storage, offset: int, size: tuple, stride: tuple, requires_grad: bool = False,
        hooks: Any = None, metadata: Any = None,
    ) -> Tensor:  # fmt: skip
        """The view of `storage` from `offset` on, in elements; views that are the same share their version."""
        place = (offset, tuple(size), tuple(stride))
        x = from_raw(_strided(storage.array, *place))
        if place in storage.tensors:
            inplace.alias(storage.tensors[place], x)
        else:
            storage.tensors[place] = x
        return x.requires_grad_() if requires_grad else x

    def typed_tensor(
        self, storage: _Storage, offset: int, size: tuple, stride: tuple, requires_grad: bool, hooks: Any, dtype: DType,
        metadata: Any = None,
    ) -> Tensor:  # fmt: skip
        """The same on a storage of bytes."""
        return self.tensor(
            _Storage(storage.array.view(dtype.numpy), storage.device), offset, size, stride, requires_grad
        )

    def parameter(self, data: Tensor, requires_grad: bool, hooks: Any = None) -> Tensor:
        from minigrad.nn import Parameter

        return Parameter(data, requires_grad=requires_grad)


def _strided(flat: Any, offset: int, size: tuple, stride: tuple) -> Any:
    """The array at `offset` of `flat` with these sizes and strides, all of it inside; ValueError where it is not."""
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or any(not isinstance(n, int) or n < 0 for n in numbers):
        raise ValueError(f"a tensor of sizes {size}, strides {stride} at {offset}")
    count = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if count else offset - 1
    if last >= flat.size:
        raise ValueError(f"a tensor of sizes {size}, strides {stride} at {offset} needs more than {flat.size} elements")
    packed = [math.prod(size[i + 1 :]) for i in range(len(size))]
    if count == 0 or all(n == 1 or step == want for n, step, want in zip(size, stride, packed, strict=True)):
        return flat[offset : offset + count].reshape(size)
    steps = tuple(step * flat.itemsize for step in stride)
    return array_module(flat).lib.stride_tricks.as_strided(flat[offset:], shape=tuple(size), strides=steps)


def _latin1_bytes(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError(f"bytes are encoded as latin1, not {encoding}")
    return text.encode("latin1")


def placed(map_location: Any, location: str, storage: Any = None) -> backend.device:
    """The device for what was saved on `location`: None means the host, else a device, its name, a dict from names to
    names, or a function of the storage and the name that gives a storage or None (`lambda storage, loc: storage`).
    """
    if isinstance(map_location, dict):
        map_location = map_location.get(location)
    elif callable(map_location) and not isinstance(map_location, backend.device):
        moved = map_location(_Storage(None, "cpu") if storage is None else _Storage(storage.array, "cpu"), location)
        map_location = getattr(moved, "device", moved)
    return backend.device("cpu" if map_location is None else map_location)
