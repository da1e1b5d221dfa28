"""`utils.data.distributed`: each process's share of a dataset."""

from collections.abc import Iterator, Sized
from typing import Any

from minigrad import random
from minigrad.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every `num_replicas`-th index, from `rank` on, of a permutation that `seed` and the epoch decide.

    The dataset is filled up from its start (or, with `drop_last`, cut) so that all shares are of one length. Call
    `set_epoch(n)` before each epoch, or all have the same order. `num_replicas` and `rank` are asked of `distributed`
    where they are not given. ValueError for a rank outside 0 .. num_replicas - 1.
    """

    def __init__(
        self, dataset: Sized, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = True,
        seed: int = 0, drop_last: bool = False,
    ) -> None:  # fmt: skip
        from minigrad.onemachine import distributed

        self.dataset: Any = dataset
        self.num_replicas = distributed.get_world_size() if num_replicas is None else num_replicas
        self.rank = distributed.get_rank() if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(f"Invalid rank {self.rank}, rank should be in the interval [0, {self.num_replicas - 1}]")
        self.shuffle, self.seed, self.drop_last, self.epoch = shuffle, seed, drop_last, 0
        short = len(self.dataset) // self.num_replicas
        uneven = len(self.dataset) % self.num_replicas and not drop_last
        self.num_samples = short + bool(uneven)
        self.total_size = self.num_samples * self.num_replicas

    def __iter__(self) -> Iterator[int]:
        n = len(self.dataset)
        if self.shuffle:
            indices = random.randperm(n, generator=random.Generator().manual_seed(self.seed + self.epoch)).tolist()
        else:
            indices = list(range(n))
        if n:
            indices = [indices[i % n] for i in range(self.total_size)]
        return iter(indices[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation of this epoch."""
        self.epoch = epoch
