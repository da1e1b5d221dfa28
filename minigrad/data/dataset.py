"""Datasets: what a sample is and how many there are. Names and meaning are those of `torch.utils.data`.

A map-style dataset answers `dataset[i]` and, usually, `len(dataset)`; an iterable-style one is a stream. Two optional
methods fetch a whole batch at once:

- `__getitems__(indices) -> list of samples` is PyTorch's protocol, used whenever a dataset has it;
- `collated_batch(indices) -> batch | None` is used only when the default collation would follow: it returns what
  `default_collate([dataset[i] for i in indices])` returns, or None where it cannot. One indexing operation then
  takes the place of one per sample and a stack.
"""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from minigrad import random
from minigrad.data.sampler import stream_of
from minigrad.tensor import Tensor

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]

SampleT = TypeVar("SampleT", covariant=True)


class Dataset(Generic[SampleT]):
    """A map from an index to a sample. Subclasses write `__getitem__`, and `__len__` where the size is known.

    There is no default `__len__` on purpose: `list()` and the samplers must be able to tell "unknown" from "zero".
    """

    def __getitem__(self, index: Any) -> SampleT:
        raise NotImplementedError(f"{type(self).__name__} is a Dataset and must implement __getitem__(index)")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[SampleT], Iterable[SampleT]):
    """A stream of samples: subclasses write `__iter__` (TypeError names it where they do not). Joined by `+` into a
    ChainDataset.
    """

    def __add__(self, other: Dataset[Any]) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Sample i is the tuple of the i-th entries of tensors that share the size N of their first dimension.

    Raises AssertionError where the sizes differ, TypeError where something is not a Tensor.
    """

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ValueError("TensorDataset needs at least one Tensor, got none")
        for position, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    f"TensorDataset holds Tensors, got {type(tensor).__name__} at position {position}; "
                    "wrap an array with minigrad.from_numpy and a list with minigrad.tensor"
                )
            if not tensor.shape:
                raise IndexError(f"TensorDataset needs a first dimension to index, got a 0-d Tensor at {position}")
        if len({tensor.shape[0] for tensor in tensors}) > 1:
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
            raise AssertionError(f"Size mismatch between tensors: the first dimensions of {shapes} must be equal")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def collated_batch(self, indices: Sequence[Any]) -> list[Tensor] | None:
        """The batch by one indexing a tensor; None for a subclass that changes samples, or for indices not plain."""
        if type(self).__getitem__ is not TensorDataset.__getitem__ or not _plain_indices(indices):
            return None
        places = np.array(indices)  # once, not once a tensor: reading a list takes longer than a small batch
        return [tensor[places] for tensor in self.tensors]


class StackDataset(Dataset[Any]):
    """Datasets of one length side by side: sample i is the tuple (or, by keywords, the dict) of their i-th samples."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError("StackDataset takes datasets by position (tuples) or by keyword (dicts), got both")
        parts: list[Any] = list(args) if args else list(kwargs.values())
        if not parts:
            raise ValueError("At least one dataset should be passed")
        sizes = [len(part) for part in parts]
        if len(set(sizes)) > 1:
            raise ValueError(f"Size mismatch between datasets: StackDataset got lengths {sizes}")
        self.datasets: tuple[Any, ...] | dict[str, Any] = args or kwargs
        self._length = sizes[0]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {key: dataset[index] for key, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __getitems__(self, indices: list[Any]) -> list[Any]:
        parts = self.datasets.values() if isinstance(self.datasets, dict) else self.datasets
        columns = [fetch_samples(part, indices) for part in parts]
        for column in columns:
            if len(column) != len(indices):
                raise ValueError(
                    f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(column)}: "
                    "__getitems__ must return one sample for each index"
                )
        rows = zip(*columns, strict=True)
        if isinstance(self.datasets, dict):
            return [dict(zip(self.datasets, row, strict=True)) for row in rows]
        return list(rows)

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[Any]):
    """Datasets one after another; `cumulative_sizes[k]` is where dataset k ends."""

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets: list[Any] = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset; join streams with ChainDataset")
        self.cumulative_sizes = list(itertools.accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if index < 0:
            if -index > len(self):
                raise ValueError(
                    f"absolute value of index should not exceed dataset length: got {index} for {len(self)} samples"
                )
            index += len(self)
        if index >= len(self):
            raise IndexError(f"index {index} is out of range for a ConcatDataset of {len(self)} samples")
        which = bisect.bisect_right(self.cumulative_sizes, index)
        start = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][index - start]


class ChainDataset(IterableDataset[Any]):
    """Streams one after another, each opened when the one before has ended."""

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = datasets

    def _streams(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError(f"ChainDataset only supports IterableDataset, got {type(dataset).__name__}")
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for dataset in self._streams():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self._streams())


class Subset(Dataset[SampleT]):
    """The samples of `dataset` at `indices`, in that order."""

    def __init__(self, dataset: Dataset[SampleT], indices: Sequence[int]) -> None:
        self.dataset: Any = dataset
        self.indices = indices
        kind = type(self)
        if kind.__getitem__ is not Subset.__getitem__ and kind.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{kind.__name__} overrides __getitem__ but not __getitems__, which the DataLoader would call instead; "
                "add: def __getitems__(self, indices): return [self[i] for i in indices]"
            )

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[Any]) -> list[SampleT]:
        return fetch_samples(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)

    def collated_batch(self, indices: Sequence[Any]) -> Any:
        """The batch of the inner dataset where that has a fast one and this class changes no sample, else None."""
        fetch = getattr(self.dataset, "collated_batch", None)
        if fetch is None or type(self).__getitems__ is not Subset.__getitems__:
            return None
        return fetch([self.indices[i] for i in indices])


def fetch_samples(dataset: Any, indices: Sequence[Any]) -> list[Any]:
    """The samples at `indices`: in one call where the dataset has `__getitems__`, one by one elsewhere."""
    fetch_many = getattr(dataset, "__getitems__", None)
    return fetch_many(indices) if callable(fetch_many) else [dataset[i] for i in indices]


def _plain_indices(indices: Sequence[Any]) -> bool:
    return len(indices) > 0 and all(type(i) is int for i in indices)


def random_split(
    dataset: Dataset[SampleT],
    lengths: Sequence[int | float],
    generator: random.Generator | None = None,
) -> list[Subset[SampleT]]:
    """Cut a random permutation of the dataset into consecutive Subsets.

    `lengths` are sample counts that sum to `len(dataset)`, or fractions that sum to 1: part k then has
    floor(fraction_k * N) samples, and what rounding left over goes to the first parts, one each. The permutation is
    drawn from `generator` (the default one where None), so a seed gives PyTorch's very split.

    Raises ValueError where the lengths do not add up or one is negative, UserWarning where a part is empty.
    """
    total: int = len(dataset)  # type: ignore[arg-type]
    sizes = _split_sizes(lengths, total)
    if sum(sizes) != total:
        raise ValueError(
            f"Sum of input lengths does not equal the length of the input dataset! Got {list(lengths)}, which sum to "
            f"{sum(lengths)}, for {total} samples; give counts that sum to {total} or fractions that sum to 1"
        )
    order = stream_of(generator).randperm(total).tolist()
    ends = itertools.accumulate(sizes)
    return [Subset(dataset, order[end - size : end]) for end, size in zip(ends, sizes, strict=True)]


def _split_sizes(lengths: Sequence[int | float], total: int) -> list[int]:
    fractional = math.isclose(sum(lengths), 1) and sum(lengths) <= 1
    for position, length in enumerate(lengths):
        if fractional and not 0 <= length <= 1:
            raise ValueError(f"Fraction at index {position} is not between 0 and 1: got {length}")
        if length < 0:
            raise ValueError(f"Length at index {position} is negative: got {length}")
    if not fractional:
        return lengths  # type: ignore[return-value]
    sizes = [math.floor(total * fraction) for fraction in lengths]
    for position in range(total - sum(sizes)):
        sizes[position % len(sizes)] += 1
    for position, size in enumerate(sizes):
        if size == 0:
            warnings.warn(
                f"Length of split at index {position} is 0. This might result in an empty dataset.", stacklevel=3
            )
    return sizes
