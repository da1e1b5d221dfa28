"""The CIFAR-10 archives (Krizhevsky, "Learning multiple layers of features from tiny images", 2009).

60,000 colour images of 32 x 32 in ten classes, in five training batches and a test batch. The "binary" archive has
records of a label byte and 3 x 1024 bytes, red plane first; the "python" archive has pickles of a dict, which are read
by `unpickle.Unpickler`. Either is read as a folder, or from its tar.gz as it was downloaded.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.data.cache import DataFile, cache_dir, fetch
from minigrad.data.cifar import CIFAR10, FOLDER, members, records
from minigrad.unpickle import StandIn, Unpickler

CLASSES = CIFAR10.classes
PYTHON, BINARY = "cifar-10-batches-py", FOLDER
ARCHIVES = {
    PYTHON: DataFile(
        "cifar-10/cifar-10-python.tar.gz", "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce", 170_498_071,
    ),
    BINARY: CIFAR10.archive,
}  # fmt: skip


def read(root: Path, train: bool, download: bool) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 32, 32, 3) and labels int64 (N,), from `root` or the data cache.

    RuntimeError where there is neither and `download` is off; else the binary archive is fetched into the cache.
    """
    numbers = CIFAR10.batches[bool(train)]
    for base in (root, cache_dir() / "cifar-10"):
        for kind, archive in ARCHIVES.items():
            if (base / kind).is_dir():
                return _joined([_batch((base / kind / _file(kind, n)).read_bytes(), kind, n) for n in numbers])
            packed = base / Path(archive.name).name
            if packed.is_file():
                return _from_archive(fetch(archive) if base != root else packed, kind, numbers)
    if not download:
        raise RuntimeError(
            f"Dataset not found: neither {root} nor {cache_dir() / 'cifar-10'} holds CIFAR-10 "
            f"({', '.join(ARCHIVES)} or their tar.gz). You can use download=True to download it"
        )
    return _from_archive(fetch(ARCHIVES[BINARY]), BINARY, numbers)


def _file(kind: str, batch: str) -> str:
    return batch if kind == PYTHON else f"{batch}.bin"


def _from_archive(path: Path, kind: str, numbers: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    wanted = {number: f"{kind}/{_file(kind, number)}" for number in numbers}
    contents = members(path, list(wanted.values()))
    return _joined([_batch(contents[name], kind, number) for number, name in wanted.items()])


def _batch(data: bytes, kind: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    if kind == BINARY:
        return records(data, name)
    batch = Unpickler(io.BytesIO(data), _NAMES, {}).load()
    batch = {key.decode() if isinstance(key, bytes) else key: value for key, value in batch.items()}
    pixels, labels = batch["data"].array(), np.array(batch["labels"], np.int64)
    if pixels.shape != (len(labels), 3072):
        raise RuntimeError(f"{name}: images {pixels.shape} and {len(labels)} labels do not belong together")
    return pixels, labels


def _joined(batches: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.concatenate([images for images, _ in batches]).reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)), np.concatenate([labels for _, labels in batches])


class _PickledArray(StandIn):
    """A NumPy array in a pickle: made empty, then given (version, shape, dtype, order, bytes)."""

    def __init__(self, *_: Any):
        self.state: tuple = ()

    def set_state(self, state: tuple) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        """The array, which must be of bytes."""
        _, shape, dtype, fortran, data = self.state
        if not (isinstance(dtype, _PickledDtype) and dtype.name == "u1" and not fortran):
            raise RuntimeError("the batch holds an array of something else than bytes")
        return np.frombuffer(data.encode("latin1") if isinstance(data, str) else data, np.uint8).reshape(shape)


class _PickledDtype(StandIn):
    """A NumPy dtype in a pickle: its name."""

    def __init__(self, name: str, *_: Any):
        self.name = name

    def set_state(self, state: tuple) -> None:
        pass


_NAMES: dict[tuple[str, str], Any] = {}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _NAMES[_module, "_reconstruct"] = _PickledArray
_NAMES["numpy", "ndarray"] = "ndarray"
_NAMES["numpy", "dtype"] = _PickledDtype
_NAMES["_codecs", "encode"] = lambda text, encoding: text.encode("latin1")
