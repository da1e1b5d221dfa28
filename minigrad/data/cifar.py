"""CIFAR-10 (Krizhevsky, "Learning multiple layers of features from tiny images", 2009), from its binary archive.

60,000 colour images of 32 x 32 in ten classes: five batches for training and one for testing, 10,000 records each of
a label byte and 3 x 1024 bytes, the red plane first. (The "python" archive holds pickles instead; not used here.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minigrad.data.cache import DataFile, fetch
from minigrad.data.dataset import Dataset
from minigrad.data.reading import tar_members

__all__ = ["CIFAR10"]

FOLDER = "cifar-10-batches-bin"
RECORD = 1 + 3 * 32 * 32  # bytes


class CIFAR10(Dataset[tuple[np.ndarray, int]]):
    """Sample i is (image, label): a uint8 array (3, 32, 32) and an int 0..9, of which `classes` has the names.

    `images` is all of them, uint8 (N, 3, 32, 32), N = 50,000 for training and 10,000 for testing; `labels` is int64
    (N,). The archive (170 MB) is looked for in the data cache and downloaded where missing, and read where it lies.

    Raises RuntimeError for an archive that lacks a batch or has a damaged one; else errors as `minigrad.data.fetch`.
    """

    classes: ClassVar[tuple[str, ...]] = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip
    archive: ClassVar[DataFile] = DataFile(
        "cifar-10/cifar-10-binary.tar.gz", "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", 170_052_171,
    )  # fmt: skip
    batches: ClassVar[dict[bool, tuple[str, ...]]] = {
        True: tuple(f"data_batch_{i}" for i in range(1, 6)),
        False: ("test_batch",),
    }

    def __init__(self, train: bool = True) -> None:
        self.train = train
        names = [f"{FOLDER}/{batch}.bin" for batch in self.batches[bool(train)]]
        path = fetch(self.archive)
        contents = members(path, names)
        parts = [records(contents[name], f"{path}: {name}") for name in names]
        self.images = np.concatenate([images for images, _ in parts])
        self.labels = np.concatenate([labels for _, labels in parts])

    def __getitem__(self, index: Any) -> tuple[np.ndarray, int]:
        return self.images[index], int(self.labels[index])

    def __len__(self) -> int:
        return len(self.labels)

    def pixels(self) -> np.ndarray:
        """The images as float32 (N, 3, 32, 32) in [0, 1]: value / 255."""
        return np.divide(self.images, 255, dtype=np.float32)


def members(path: Path, names: Sequence[str]) -> dict[str, bytes]:
    """The contents of the named members of a tar.gz. Raises RuntimeError where one is missing."""
    contents = dict(tar_members(path, set(names).__contains__))
    if missing := sorted(set(names) - set(contents)):
        raise RuntimeError(f"{path} lacks {', '.join(missing)}")
    return contents


def records(data: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 3, 32, 32) and labels int64 (N,) of one batch. RuntimeError where it is not made of records."""
    if len(data) % RECORD:
        raise RuntimeError(f"{name} is truncated: its {len(data):,} bytes are no multiple of {RECORD}")
    rows = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    labels = rows[:, 0].astype(np.int64)
    if labels.size and labels.max() > 9:
        raise RuntimeError(f"{name} is damaged: record {labels.argmax()} has the label {labels.max()}, expected 0 to 9")
    return rows[:, 1:].reshape(-1, 3, 32, 32), labels
