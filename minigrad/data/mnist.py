"""MNIST (LeCun, Cortes, Burges 1998) and Fashion-MNIST (Xiao, Rasul, Vollgraf 2017), and the IDX files they come in.

Both have 60,000 training and 10,000 test images of 28 x 28 grey pixels in ten classes.
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from minigrad.data.cache import DataFile, fetch
from minigrad.data.dataset import Dataset
from minigrad.data.reading import opened

__all__ = ["MNIST", "FashionMNIST", "read_idx"]

IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """The array in an IDX file, plain or gzipped, in the machine's byte order.

    The format, all big-endian: two zero bytes, one byte for the dtype, one for the number of dimensions, a 4-byte
    size for each of them, the values in C order (described with the MNIST data at yann.lecun.com/exdb/mnist).

    Raises ValueError for a file of another format, truncated, damaged, or with bytes left over.
    """
    with opened(path) as stream:
        return _parse_idx(stream, Path(path))


def _parse_idx(stream: IO[bytes], path: Path) -> np.ndarray:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in IDX_DTYPES:
        raise ValueError(
            f"{path} is not an IDX file: it starts with {magic.hex(' ') or 'nothing'}, "
            f"expected 00 00, a dtype out of {' '.join(f'{code:02x}' for code in IDX_DTYPES)}, the number of dimensions"
        )
    dtype, ndim = np.dtype(IDX_DTYPES[magic[2]]).newbyteorder(">"), magic[3]
    sizes = stream.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise ValueError(f"{path} is truncated: it ends inside its header")
    shape = struct.unpack(f">{ndim}I", sizes)
    expected = math.prod(shape) * dtype.itemsize
    values = stream.read(expected + 1)
    if len(values) != expected:
        state = "truncated" if len(values) < expected else "longer than its header says"
        found = f"{len(values):,}" if len(values) < expected else "more"
        raise ValueError(f"{path} is {state}: its shape {shape} wants {expected:,} bytes of values, found {found}")
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="))


class MNIST(Dataset[tuple[np.ndarray, int]]):
    """Handwritten digits. Sample i is (image, label): a uint8 array (28, 28), 0 the background, and an int 0..9.

    `images` is all of them, uint8 (N, 28, 28); `labels` is int64 (N,), as losses want it. The files are looked for in
    the data cache and downloaded where missing (train 9.9 MB, test 1.7 MB); errors as `minigrad.data.fetch`.
    """

    folder: ClassVar[str] = "mnist"
    address: ClassVar[str] = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    classes: ClassVar[tuple[str, ...]] = tuple("0123456789")
    files: ClassVar[dict[str, tuple[str, int]]] = {
        "train-images-idx3-ubyte.gz": ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9_912_422),
        "train-labels-idx1-ubyte.gz": ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881),
        "t10k-images-idx3-ubyte.gz": ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1_648_877),
        "t10k-labels-idx1-ubyte.gz": ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542),
    }

    def __init__(self, train: bool = True) -> None:
        part = "train" if train else "t10k"
        self.train = train
        self.images = self._read(f"{part}-images-idx3-ubyte.gz")
        self.labels = self._read(f"{part}-labels-idx1-ubyte.gz").astype(np.int64)
        if self.images.ndim != 3 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"{type(self).__name__}: images {self.images.shape} and labels {self.labels.shape} do not belong "
                "together, expected (N, height, width) and (N,)"
            )

    def _read(self, name: str) -> np.ndarray:
        sha256, size = self.files[name]
        return read_idx(fetch(DataFile(f"{self.folder}/{name}", self.address + name, sha256, size)))

    def __getitem__(self, index: Any) -> tuple[np.ndarray, int]:
        return self.images[index], int(self.labels[index])

    def __len__(self) -> int:
        return len(self.labels)

    def pixels(self) -> np.ndarray:
        """The images as float32 (N, 28, 28) in [0, 1]: value / 255."""
        return np.divide(self.images, 255, dtype=np.float32)


class FashionMNIST(MNIST):
    """Articles of clothing, in MNIST's format and sizes (train 26.5 MB, test 4.4 MB). `classes` names the labels."""

    folder = "fashion-mnist"
    address = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    classes = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip
    files: ClassVar[dict[str, tuple[str, int]]] = {
        "train-images-idx3-ubyte.gz": ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26_421_880),
        "train-labels-idx1-ubyte.gz": ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515),
        "t10k-images-idx3-ubyte.gz": ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4_422_102),
        "t10k-labels-idx1-ubyte.gz": ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5_148),
    }
