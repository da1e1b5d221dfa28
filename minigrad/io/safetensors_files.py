"""safetensors files: named tensors, a JSON header and raw bytes, no code.

    8 bytes, little-endian: length of the header | {"name": {"dtype", "shape", "data_offsets"}, ...} | the bytes

The library `safetensors` reads and writes them and checks header, offsets and length; here its arrays become Tensors,
tied tensors stay tied, files are replaced whole, and errors say what to do.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import backend, dtype as dtypes
from minigrad.tensor import Tensor, from_array

TIES = "minigrad.tied"  # in a file's metadata: which names stood for the memory of which other ones, as JSON
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_DTYPES = {
    "F64": dtypes.float64, "F32": dtypes.float32, "F16": dtypes.float16, "BF16": dtypes.bfloat16, "I64": dtypes.int64,
    "I32": dtypes.int32, "I16": dtypes.int16, "I8": dtypes.int8, "U8": dtypes.uint8, "BOOL": dtypes.bool_,
    "C64": dtypes.complex64,
}  # fmt: skip
_NAMES = {dtype.name for dtype in _DTYPES.values()}


def load_safetensors(path: "str | os.PathLike") -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, in the file's dtypes, on the host.

    Names that `save_safetensors` found to share memory share it again. Raises FileNotFoundError, RuntimeError for a
    file that is truncated, altered, only a git-lfs pointer or no safetensors file, and TypeError for a dtype that
    minigrad has not (float8, unsigned integers of more than 8 bits).
    """
    library = _library()
    path = os.fspath(path)
    must_be_weights(path)
    tensors: dict[str, Tensor] = {}
    try:
        with library.safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118  it is no dict
                kind = file.get_slice(name).get_dtype()
                if kind not in _DTYPES:
                    known = ", ".join(_DTYPES)
                    raise TypeError(f"{path}: {name!r} is of dtype {kind}; minigrad reads {known}")
                array = file.get_tensor(name).astype(_DTYPES[kind].numpy, copy=False)  # .numpy: NumPy learns bfloat16
                tensors[name] = from_array(array, "cpu")
            ties = (file.metadata() or {}).get(TIES)
    except library.SafetensorError as error:
        raise RuntimeError(
            f"{path} is truncated, altered or not a safetensors file ({error}); it has {os.path.getsize(path):,} "
            f"bytes: compare that with its source, and copy or download it again"
        ) from error
    for name, kept in _ties(ties, path).items():
        if kept in tensors:
            tensors.setdefault(name, tensors[kept])
    return tensors


def save_safetensors(
    tensors: Mapping[str, Any], path: "str | os.PathLike", metadata: Mapping[str, str] | None = None
) -> None:
    """Write Tensors or NumPy arrays by name; the file appears whole or not at all.

    Tensors on one memory are written once, under their first name, and a note in the metadata names the others.
    `metadata` is text by text, beside {"format": "pt"}, which other readers ask for. Raises TypeError for what is no
    tensor or has a dtype that the format lacks, FileNotFoundError where the folder does not exist.
    """
    path = os.fspath(path)
    arrays, notes = prepare(tensors, metadata)
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot save to {path}: the folder {folder} does not exist; create it first")
    with replacing(path) as temporary:
        write(arrays, temporary, notes)


def drop_shared(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """(`state` with each memory under its first name only, {dropped name: the name that stayed}).

    Two tensors share if they are the same part of the same memory in the same layout; views that merely overlap are
    kept, each in full.
    """
    first: dict[tuple, str] = {}
    kept, dropped = {}, {}
    for name, tensor in state.items():
        array = tensor.array if isinstance(tensor, Tensor) else tensor
        place = first.setdefault(_place(array), name) if array.size else name
        if place == name:
            kept[name] = tensor
        else:
            dropped[name] = place
    return kept, dropped


def _place(array: Any) -> tuple:
    interface = getattr(array, "__cuda_array_interface__", None) or array.__array_interface__
    return interface["data"][0], array.shape, array.strides, array.dtype


def prepare(
    tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """(arrays, metadata) as the library takes them: on the host, in row-major order, each memory once."""
    for name, tensor in tensors.items():
        if not isinstance(name, str):
            raise TypeError(f"names of tensors are strings, got {name!r}")
        if not (isinstance(tensor, (Tensor, np.ndarray)) or backend.is_array(tensor)):
            raise TypeError(f"{name!r} is a {type(tensor).__name__}; Tensors and NumPy arrays can be saved")
    kept, dropped = drop_shared(tensors)
    arrays = {name: _on_host(name, tensor) for name, tensor in kept.items()}
    notes = {"format": "pt", **(metadata or {})}
    for key, value in notes.items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise TypeError(f"metadata is text by text, got {key!r}: {value!r}")
    return arrays, notes | ({TIES: json.dumps(dropped)} if dropped else {})


def _on_host(name: str, tensor: Any) -> np.ndarray:
    array = backend.to_host(tensor.array if isinstance(tensor, Tensor) else tensor)
    if array.dtype.name not in _NAMES:
        raise TypeError(f"{name!r} is of {array.dtype}; safetensors files hold {', '.join(sorted(_NAMES))}")
    return np.asarray(array, order="C")


def write(arrays: dict[str, np.ndarray], path: str, metadata: dict[str, str]) -> None:
    """Write what `prepare` made to `path`, down to the disk."""
    _library().numpy.save_file(arrays, path, metadata)
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def replacing(path: str) -> Iterator[str]:
    """A temporary path beside `path`: it takes that place when the block ends well, and is removed when it does not."""
    temporary = path + ".part"  # one name, so that what a crash leaves behind is overwritten by the next save
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def must_be_weights(path: str) -> None:
    """FileNotFoundError where there is no file, RuntimeError where git left a pointer in its place."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file {path}")
    with open(path, "rb") as file:
        if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
            raise RuntimeError(
                f"{path} is a git-lfs pointer of {os.path.getsize(path)} bytes, not the weights themselves: run "
                f"`git lfs pull` in that folder, or download the file with a browser"
            )


def _ties(note: str | None, path: str) -> dict[str, str]:
    try:
        ties = json.loads(note or "{}")
    except ValueError:
        ties = None
    if not (isinstance(ties, dict) and all(isinstance(kept, str) for kept in ties.values())):
        raise RuntimeError(f"{path} is altered: its note of tied tensors is {note!r}")
    return ties


def _library() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError("safetensors files need the package safetensors: pip install 'minigrad[hub]'") from error
    return safetensors
