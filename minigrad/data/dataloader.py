"""DataLoader: batches of a dataset, in an order that a seed decides exactly as in PyTorch.

What one pass draws from a generator, and when (so that the numbers a program draws afterwards agree too):

1. `iter(loader)` draws one 63-bit number from `generator`, or from the default one. PyTorch seeds its workers with
   it; there are none here, but the place in the stream counts.
2. the first `next` draws what the sampler wants: for `shuffle=True` a permutation from `generator`; without one, a
   seed from the default generator for a generator of the sampler's own.

PyTorch's workers let the sampler run some batches ahead. Here it never does, which shows only in a `generator` of the
user's, after a pass that was broken off.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from minigrad import pytree, random
from minigrad.backend import is_cuda_available
from minigrad.data.collate import default_collate, default_convert
from minigrad.data.dataset import Dataset, IterableDataset, fetch_samples
from minigrad.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, draw_seed

__all__ = ["DataLoader", "get_worker_info"]

SampleT = TypeVar("SampleT", covariant=True)

FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class DataLoader(Generic[SampleT]):
    """Iterate over the batches of a dataset: `for x, y in DataLoader(dataset, batch_size=32, shuffle=True)`.

    dataset         map-style (`dataset[i]`, `len(dataset)`) or an IterableDataset
    batch_size      samples in a batch (default 1); None gives single samples, not collated
    shuffle         a new random order each pass
    sampler         the order instead of `shuffle`: an iterable of indices
    batch_sampler   an iterable of lists of indices, instead of batch_size, shuffle, sampler and drop_last
    collate_fn      from a list of samples to a batch (default `default_collate`; with batch_size=None it is given one
                    sample, default `default_convert`)
    drop_last       leave out a last batch that is shorter
    generator       where the order is drawn from (default: the default generator)

    pin_memory      put the tensors of a batch into pinned memory, from which `x.to("cuda", non_blocking=True)` does not
                    wait; `data.Prefetcher` copies them ahead of their use. Without a GPU: a warning, and no effect

    Everything runs in the calling process. `num_workers`, `prefetch_factor`, `persistent_workers`, `pin_memory_device`,
    `timeout`, `worker_init_fn`, `multiprocessing_context` and `in_order` are checked as PyTorch checks them and have no
    further effect (`worker_init_fn` is never called).

    Raises ValueError for options that exclude each other, naming them.
    """

    _initialised = False

    def __init__(
        self,
        dataset: Dataset[SampleT],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[Any] | Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: random.Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_hints(num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context)
        streaming = isinstance(dataset, IterableDataset)
        _check_order(streaming, batch_size, shuffle, sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        if sampler is None:
            if streaming:
                sampler = _Forever()
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)  # type: ignore[arg-type]
            else:
                sampler = SequentialSampler(dataset)  # type: ignore[arg-type]
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)

        self.dataset: Any = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler: Any = sampler
        self.batch_sampler: Any = batch_sampler
        self.generator = generator
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order
        self._reported_length: int | None = None  # what len() said of a stream
        self._base_seed: int | None = None
        self._initialised = True

    def __setattr__(self, name: str, value: Any) -> None:
        if self._initialised and name in FIXED:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized; make a new one"
            )
        super().__setattr__(name, value)

    def __iter__(self) -> Iterator[Any]:
        if self.timeout != 0 and self.num_workers == 0:
            raise AssertionError(f"timeout is for workers: expected timeout=0 with num_workers=0, got {self.timeout}")
        if self.pin_memory and self.pin_memory_device:
            warnings.warn(
                "pin_memory_device is deprecated, the current accelerator will be used as the device,"
                f"ignore pin_memory_device='{self.pin_memory_device}'.",
                stacklevel=2,
            )
        if self.pin_memory and not is_cuda_available():
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device pinned memory won't be "
                "used.",
                stacklevel=2,
            )
        return _StreamPass(self) if isinstance(self.dataset, IterableDataset) else _MapPass(self)

    def __len__(self) -> int:
        """Batches in a pass (samples, with batch_size=None). TypeError where the dataset or sampler has no length."""
        if not isinstance(self.dataset, IterableDataset):
            return len(self._index_sampler)
        length = self._reported_length = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)

    @property
    def _index_sampler(self) -> Any:
        return self.sampler if self.batch_sampler is None else self.batch_sampler


class _MapPass:
    """One pass over a map-style dataset. A sample that fails to load costs its batch, not the rest of the pass."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self.loader, self.pins = loader, loader.pin_memory and is_cuda_available()
        self.places = iter(loader._index_sampler)  # first: a sampler's own __iter__ may draw at once
        if not (loader.persistent_workers and loader._base_seed is not None):  # workers that stay are seeded once
            loader._base_seed = draw_seed(loader.generator)

    def __iter__(self) -> _MapPass:
        return self

    def __len__(self) -> int:
        return len(self.loader._index_sampler)

    def __next__(self) -> Any:
        batch = self.next_batch()
        return pinned_batch(batch) if self.pins else batch

    def next_batch(self) -> Any:
        loader, place = self.loader, next(self.places)
        if loader.batch_sampler is None:
            return loader.collate_fn(loader.dataset[place])
        fetch = getattr(loader.dataset, "collated_batch", None)
        if fetch is not None and loader.collate_fn is default_collate:
            batch = fetch(place)
            if batch is not None:
                return batch
        return loader.collate_fn(fetch_samples(loader.dataset, place))


def pinned_batch(batch: Any) -> Any:
    """The batch with its tensors in pinned memory, and whatever else has a `pin_memory()`."""
    return pytree.map_leaves(lambda x: x.pin_memory() if hasattr(x, "pin_memory") else x, batch)


class _StreamPass(_MapPass):
    """One pass over an IterableDataset; a place is None, or a list of None as long as the batch shall be."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__(loader)
        self.samples = iter(loader.dataset)
        self.ended = False
        self.given = 0

    def next_batch(self) -> Any:
        if self.ended:
            raise StopIteration
        loader, place = self.loader, next(self.places)
        data = next(self.samples) if place is None else [sample for _, sample in zip(place, self.samples, strict=False)]
        if place is not None and len(data) < len(place):
            self.ended = True
            if not data or loader.drop_last:
                raise StopIteration
        batch = loader.collate_fn(data)
        self.given += 1
        if loader._reported_length is not None and self.given > loader._reported_length:
            warnings.warn(
                f"Length of IterableDataset {loader.dataset} was reported to be {loader._reported_length} (when "
                f"accessing len(dataloader)), but {self.given} samples have been fetched.",
                stacklevel=2,
            )
        return batch


class _Forever(Sampler[None]):
    """The sampler of a stream, which decides its own order: None, for ever."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


def get_worker_info() -> None:
    """None: data is loaded in the calling process, as PyTorch answers there."""
    return None


def _check_hints(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool, context: Any
) -> None:
    if num_workers < 0:
        raise ValueError(
            f"num_workers option should be non-negative, got {num_workers}; num_workers=0 is the calling process"
        )
    if timeout < 0:
        raise ValueError(f"timeout option should be non-negative, got {timeout}")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing: "
            "let num_workers > 0, or leave prefetch_factor out"
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError(f"prefetch_factor option should be non-negative, got {prefetch_factor}")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0, got num_workers=0")
    if context is not None and num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > 0), got num_workers=0"
        )


def _check_order(
    streaming: bool, batch_size: int | None, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool
) -> None:
    """Refuse options that exclude each other; the dataset's kind comes first, it leaves least to choose."""
    if streaming:
        for name, value in (("shuffle", shuffle or None), ("sampler", sampler), ("batch_sampler", batch_sampler)):
            if value is not None:
                raise ValueError(
                    f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}; "
                    "a stream decides its own order"
                )
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle: the sampler decides the order")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
    if batch_sampler is None and batch_size is None and drop_last:
        raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
