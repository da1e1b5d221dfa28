"""Samplers: in which order a DataLoader visits a dataset. Names, draws and their order are those of PyTorch.

A sampler is an iterable of indices; `iter()` alone draws nothing, the first `next()` does. That moment matters: it
decides the order in which the samplers, the DataLoader and the user's program take numbers from the default generator.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from minigrad import backend, creation, random
from minigrad.dtype import float64

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

IndexT = TypeVar("IndexT", covariant=True)

DRAW_BLOCK = 32  # indices drawn at a time with replacement: PyTorch's number, so that a half-used sampler agrees too


class Sampler(Generic[IndexT]):
    """An iterable of indices, or of lists of indices. Subclasses write `__iter__` and, where it is known, `__len__`."""

    def __iter__(self) -> Iterator[IndexT]:
        raise NotImplementedError(f"{type(self).__name__} is a Sampler and must implement __iter__()")


class SequentialSampler(Sampler[int]):
    """0, 1, ..., N - 1."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Random indices of `data_source`: permutations one after another, or independent draws with `replacement`.

    `num_samples` (default N) indices are given in all. Draws with replacement are made as they are asked for, so
    `num_samples=int(1e10)` costs nothing. Without a `generator`, each pass takes a 63-bit seed from the default
    generator for one of its own.

    Raises TypeError where `replacement` is not a bool, ValueError where `num_samples` is not a positive int.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: random.Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement!r}")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            empty = " (the data source is empty)" if num_samples is None else ""
            raise ValueError(
                f"num_samples should be a positive integer value, but got num_samples={self.num_samples!r}{empty}"
            )

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples  # a dataset may grow

    def __iter__(self) -> Iterator[int]:
        n = len(self.data_source)
        generator = self.generator
        if generator is None:
            generator = random.Generator().manual_seed(draw_seed(None))
        if self.replacement:
            for left in range(self.num_samples, -1, -DRAW_BLOCK):
                yield from generator.randint(0, n, min(left, DRAW_BLOCK)).tolist()
        else:
            for _ in range(self.num_samples // n):
                yield from generator.randperm(n).tolist()
            # drawn even where nothing is left to give: a generator that is shared has then moved on as PyTorch's has
            yield from generator.randperm(n).tolist()[: self.num_samples % n]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order, each once."""

    def __init__(self, indices: Sequence[int], generator: random.Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in stream_of(self.generator).randperm(len(self.indices)).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` indices drawn with probabilities weights / sum(weights), with or without replacement.

    Raises ValueError where `num_samples` is not a positive int, `replacement` not a bool or `weights` not 1-d.
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: random.Generator | None = None,
    ) -> None:
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={num_samples!r}")
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got replacement={replacement!r}")
        self.weights = creation.as_tensor(weights, dtype=float64)
        if len(self.weights.shape) != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        weights = backend.to_host(self.weights.array)
        yield from stream_of(self.generator).multinomial(weights, self.num_samples, self.replacement).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` indices of another sampler; a shorter last one is given unless `drop_last`.

    Raises ValueError where `batch_size` is not a positive int or `drop_last` not a bool.
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(f"batch_size should be a positive integer value, but got batch_size={batch_size!r}")
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last!r}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


def stream_of(generator: random.Generator | None) -> random.Generator:
    """The generator to draw from: the given one, or the default one."""
    return random.default_generator if generator is None else generator


def draw_seed(generator: random.Generator | None) -> int:
    """A seed in [0, 2^63) from a generator (the default one where None): PyTorch's `empty((), int64).random_()`."""
    return int(stream_of(generator).random((), np.int64))
