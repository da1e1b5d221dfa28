"""The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn (Alpaydin and Kaynak 1998): no download."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.data.dataset import Dataset

__all__ = ["Digits"]


class Digits(Dataset[tuple[np.ndarray, int]]):
    """Sample i is (image, label): a uint8 array (8, 8) with values 0..16, and an int 0..9.

    `images` is all of them, uint8 (N, 8, 8); `labels` is int64 (N,). In the order they come, the first 1,437 are for
    training and the last 360 for testing. Raises ModuleNotFoundError without scikit-learn.
    """

    train_size = 1437
    classes = tuple("0123456789")

    def __init__(self, train: bool = True) -> None:
        try:
            from sklearn.datasets import load_digits
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                'the digits come with scikit-learn, which is not installed; pip install "minigrad[examples]"',
                name=error.name,
            ) from error
        bunch = load_digits()
        part = slice(None, self.train_size) if train else slice(self.train_size, None)
        self.train = train
        self.images = bunch.images[part].astype(np.uint8)
        self.labels = bunch.target[part].astype(np.int64)

    def __getitem__(self, index: Any) -> tuple[np.ndarray, int]:
        return self.images[index], int(self.labels[index])

    def __len__(self) -> int:
        return len(self.labels)

    def pixels(self) -> np.ndarray:
        """The images as float32 (N, 8, 8) in [0, 1]: value / 16."""
        return np.divide(self.images, 16, dtype=np.float32)
