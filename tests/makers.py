"""Makers of inputs for the table of ops: numbers away from kinks, numbers apart from each other, integers, masks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from case import Maker


def away_from(points: Sequence[float], shape: tuple[int, ...], low: float = -2.0, high: float = 2.0) -> Maker:
    """Uniform in [low, high), 0.05 or more from each of `points`: where derivatives jump, differences prove nothing."""

    def make(rng: np.random.Generator) -> np.ndarray:
        x = rng.uniform(low, high, shape)
        for point in points:
            x = np.where(np.abs(x - point) < 0.05, point + np.where(x < point, -0.05, 0.05), x)
        return np.asarray(x)

    return make


def apart(shape: tuple[int, ...], low: float = -2.0, high: float = 2.0) -> Maker:
    """Distinct numbers in random order, evenly spaced: for sorting and for extremes, which jump at ties."""

    def make(rng: np.random.Generator) -> np.ndarray:
        size = int(np.prod(shape))
        return rng.permutation(np.linspace(low, high, size)).reshape(shape) + 0.01

    return make


def with_zeros(shape: tuple[int, ...], *places: tuple[int, ...]) -> Maker:
    """Numbers of size 0.5 to 1.5 of either sign, and 0 at each of `places`."""

    def make(rng: np.random.Generator) -> np.ndarray:
        x = rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)
        for place in places:
            x[place] = 0.0
        return x

    return make


def integers(low: int, high: int, shape: tuple[int, ...], dtype: str = "int64") -> Maker:
    """Random integers in [low, high)."""
    return lambda rng: rng.integers(low, high, shape).astype(dtype)


def booleans(shape: tuple[int, ...]) -> Maker:
    """A random mask."""
    return lambda rng: rng.integers(0, 2, shape) == 1


def values(data: Any, dtype: str | None = None) -> Maker:
    """These values; floats as float64."""
    return lambda rng: np.array(data, dtype=dtype)
