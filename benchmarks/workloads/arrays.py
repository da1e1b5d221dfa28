"""Weights and data of the workloads, as NumPy arrays: the same for every engine."""

import zlib

import numpy as np


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The first value of the parameter of that name: normal with variance 1 / fan-in; biases 0, norm weights 1.

    Seeded by the name, so that the order in which an engine asks does not matter.
    """
    if len(shape) == 1:
        return np.zeros(shape, np.float32) if "bias" in name else np.ones(shape, np.float32)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    fan_in = np.float32(np.prod(shape[1:]))
    return rng.standard_normal(shape, dtype=np.float32) / np.sqrt(fan_in)


def moons(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved half circles (count, 2), and a label of +1 or -1 for each point (count, 1)."""
    rng = np.random.default_rng(1)
    angle = np.pi * rng.random((count, 1))
    label = np.where(np.arange(count)[:, None] % 2, 1.0, -1.0)
    points = np.hstack([label * np.cos(angle) + (label > 0), label * np.sin(angle) - 0.5 * label])
    noise = 0.1 * rng.standard_normal((count, 2))
    return (points + noise).astype(np.float32), label.astype(np.float32)


def images(shape: tuple[int, ...], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels in [0, 1) of that shape, the batch first, and a class for each image."""
    rng = np.random.default_rng(2)
    return rng.random(shape, dtype=np.float32), rng.integers(0, classes, shape[0])


def text(batch: int, length: int, vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    """Random tokens (batch, length), and for each the token that follows it."""
    tokens = np.random.default_rng(3).integers(0, vocabulary, (batch, length + 1))
    return tokens[:, :-1].copy(), tokens[:, 1:].copy()


def sentences(batch: int, length: int, vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    """Random tokens (batch, length), and one of two classes for each sentence."""
    rng = np.random.default_rng(4)
    return rng.integers(0, vocabulary, (batch, length)), rng.integers(0, 2, batch)
