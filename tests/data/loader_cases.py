"""What the data tests try, written for any library with `torch.utils.data`'s names.

`scripts/record_data.py` runs it on PyTorch and keeps the answers; the tests run it on minigrad and compare. A `Library`
says where the names are; nothing here imports either one.
"""

from collections import OrderedDict, UserDict, namedtuple
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

SEEDS = (0, 1, 42, 1337)
Point = namedtuple("Point", ["x", "y"])


@dataclass(frozen=True)
class Library:
    top: ModuleType  # torch or minigrad: manual_seed, Generator, rand, randint, tensor
    data: ModuleType  # torch.utils.data or minigrad.data


def eager(lib: Library, n: int, batch_size: int | None = None) -> Any:
    """A sampler whose `__iter__` draws at once, as samplers written with `iter(randperm(n).tolist())` do."""

    class Eager(lib.data.Sampler):
        def __iter__(self) -> Any:
            order = lib.top.randperm(n).tolist()
            return iter(order if batch_size is None else [order[i : i + batch_size] for i in range(0, n, batch_size)])

        def __len__(self) -> int:
            return n if batch_size is None else -(-n // batch_size)

    return Eager()


def stream(lib: Library, n: int, sized: bool = False) -> Any:
    """An IterableDataset over 0..n-1 whose `__iter__` draws one number at once."""

    class Stream(lib.data.IterableDataset):
        def __iter__(self) -> Any:
            start = int(lib.top.randint(0, 1000, (1,)).tolist()[0])
            return iter(range(start, start + n))

    class SizedStream(Stream):
        def __len__(self) -> int:
            return n

    return SizedStream() if sized else Stream()


def _sampled(name: str, *args: Any, **options: Any) -> Any:
    """A loader over range(n) with the sampler of that name; "n" among the arguments stands for the dataset."""

    def build(lib: Library, n: int, generator: Any) -> Any:
        filled = [list(range(n)) if arg == "n" else arg for arg in args]
        sampler = getattr(lib.data, name)(*filled, **options, generator=generator)
        return lib.data.DataLoader(list(range(n)), batch_size=4, sampler=sampler)

    return build


def _plain(**options: Any) -> Any:
    def build(lib: Library, n: int, generator: Any) -> Any:
        return lib.data.DataLoader(list(range(n)), generator=generator, **options)

    return build


WEIGHTS = [0.1, 0.9, 0.4, 0.7, 3.0, 0.6, 0.0, 2.5, 0.05, 1.0]

# name -> build(library, n, generator or None); n is 10 or more
LOADERS = {
    "sequential": _plain(batch_size=4),
    "shuffle": _plain(batch_size=4, shuffle=True),
    "shuffle, drop_last": _plain(batch_size=4, shuffle=True, drop_last=True),
    "shuffle, one sample a batch": _plain(shuffle=True),
    "shuffle, not batched": _plain(batch_size=None, shuffle=True),
    "shuffle, batch of everything": _plain(batch_size=1000, shuffle=True),
    "shuffle, workers": _plain(batch_size=4, shuffle=True, num_workers=1),
    "shuffle, workers that stay": _plain(batch_size=4, shuffle=True, num_workers=1, persistent_workers=True),
    "with replacement": _sampled("RandomSampler", "n", replacement=True),
    "with replacement, more than a block": _sampled("RandomSampler", "n", replacement=True, num_samples=75),
    "two permutations and a half": _sampled("RandomSampler", "n", num_samples=25),
    "subset": _sampled("SubsetRandomSampler", [7, 3, 5, 1, 8]),
    "weighted": _sampled("WeightedRandomSampler", WEIGHTS, 30),
    "weighted, one draw": _sampled("WeightedRandomSampler", WEIGHTS, 1),
    "weighted, without replacement": _sampled("WeightedRandomSampler", WEIGHTS, 6, replacement=False),
    "eager sampler": lambda lib, n, g: lib.data.DataLoader(range(n), 4, sampler=eager(lib, n), generator=g),
    "eager sampler, not batched": lambda lib, n, g: lib.data.DataLoader(
        range(n), None, sampler=eager(lib, n), generator=g
    ),
    "eager batch_sampler": lambda lib, n, g: lib.data.DataLoader(range(n), batch_sampler=eager(lib, n, 3), generator=g),
    "stream": lambda lib, n, g: lib.data.DataLoader(stream(lib, n), 4, generator=g),
    "stream, drop_last": lambda lib, n, g: lib.data.DataLoader(stream(lib, n), 4, drop_last=True, generator=g),
    "stream, not batched": lambda lib, n, g: lib.data.DataLoader(stream(lib, n), None, generator=g),
    "split by counts": lambda lib, n, g: _splits(lib, n, [n - 3, 3], g),
    "split by fractions": lambda lib, n, g: _splits(lib, n, [0.6, 0.3, 0.1], g),
}


def _splits(lib: Library, n: int, lengths: list[Any], generator: Any) -> Any:
    return [list(part) for part in lib.data.random_split(range(n), lengths, generator or lib.top.default_generator)]


def plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def run_loader(lib: Library, name: str, n: int, seed: int, own_generator: bool) -> dict[str, Any]:
    """Two whole passes and one broken off after two batches; after each, what the streams give next.

    PyTorch's workers run ahead of the program, which shows in a generator of the user's when a pass is broken off:
    that one case is left out.
    """
    lib.top.manual_seed(seed)
    generator = lib.top.Generator().manual_seed(seed + 1) if own_generator else None
    loader = LOADERS[name](lib, n, generator)
    passes, after = [], []
    for limit in (None, None) if own_generator and "workers" in name else (None, None, 2):
        batches = []
        for batch in loader:
            batches.append(plain(batch))
            if len(batches) == limit:
                break
        passes.append(batches)
        after.append(lib.top.randint(0, 2**31, (2,)).tolist())
        if generator is not None:
            after.append(lib.top.randint(0, 2**31, (2,), generator=generator).tolist())
    return {"passes": passes, "after": after}


def collate_cases(lib: Library) -> dict[str, Any]:
    """Batches for default_collate and default_convert, by name."""
    tensor, f32 = lib.top.tensor, np.float32
    return {
        "tensors": [tensor([1.0, 2.0]), tensor([3.0, 4.0])],
        "0-d tensors": [tensor(1.0), tensor(2.0)],
        "int tensors": [tensor([1, 2]), tensor([3, 4])],
        "bool tensors": [tensor([True]), tensor([False])],
        "arrays": [np.arange(3, dtype=f32), np.ones(3, f32)],
        "float64 arrays": [np.zeros((2, 1)), np.ones((2, 1))],
        "uint8 arrays": [np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8)],
        "0-d arrays": [np.array(1, np.int32), np.array(2, np.int32)],
        "float32 scalars": [f32(0.5), f32(1.5)],
        "float64 scalars": [np.float64(0.5), np.float64(1.5)],
        "int32 scalars": [np.int32(1), np.int32(-2)],
        "bool scalars": [np.bool_(True), np.bool_(False)],
        "ints": [1, 2, -3],
        "floats": [0.5, 2.0],
        "bools": [True, False],
        "int and float": [1, 2.5],
        "float and int": [2.5, 1],
        "bool and int": [True, 3],
        "strings": ["a", "bc"],
        "bytes": [b"a", b"bc"],
        "numpy strings": [np.str_("a"), np.str_("bc")],
        "tuples": [(1, 2.0), (3, 4.0)],
        "lists": [[1, 2.0], [3, 4.0]],
        "tensor and label": [(tensor([0.5]), 3), (tensor([1.5]), 4)],
        "nested": [((1, [2.0, "a"]), {"k": (1,)}), ((3, [4.0, "b"]), {"k": (2,)})],
        "dicts": [{"a": 1, "b": "x"}, {"b": "y", "a": 2}],
        "ordered dicts": [OrderedDict(a=1, b=2), OrderedDict(a=3, b=4)],
        "user dicts": [UserDict(a=1), UserDict(a=2)],
        "named tuples": [Point(0, 0.5), Point(1, 1.5)],
        "ranges": [range(2), range(3, 5)],
        "empty tuples": [(), ()],
        "one sample": [(1, "a")],
    }


def bad_collate_cases(lib: Library) -> dict[str, Any]:
    """Batches that default_collate refuses."""
    tensor = lib.top.tensor
    return {
        "objects": [object(), object()],
        "None": [None, None],
        "sets": [{1}, {2}],
        "shapes": [tensor([1.0, 2.0]), tensor([1.0, 2.0, 3.0])],
        "array shapes": [np.zeros(2), np.zeros(3)],
        "lengths": [(1, 2), (1, 2, 3)],
        "keys": [{"a": 1}, {"b": 1}],
        "string arrays": [np.array(["a"]), np.array(["b"])],
        "object arrays": [np.array([None]), np.array([None])],
        "empty": [],
    }


def describe(value: Any) -> Any:
    """A value as JSON that tells types apart: a Tensor by dtype, shape and values, a container by its type."""
    if hasattr(value, "requires_grad"):
        dtype = str(value.dtype).split(".")[-1]
        return {"type": "Tensor", "dtype": dtype, "shape": list(value.shape), "values": value.tolist()}
    if hasattr(value, "keys"):
        return {"type": type(value).__name__, "items": {key: describe(value[key]) for key in value}}
    if isinstance(value, list | tuple):
        return {"type": type(value).__name__, "items": [describe(item) for item in value]}
    if isinstance(value, np.ndarray):
        return {"type": "ndarray", "values": value.tolist()}
    return {"type": type(value).__name__, "value": repr(value)}


def bad_calls(lib: Library) -> dict[str, Any]:
    """Calls that raise, by name; each is a function without arguments."""
    data, tensor = lib.data, lib.top.tensor
    ten, flow = range(10), stream(lib, 10)
    concat = data.ConcatDataset([[1, 2], [3]])

    class HalfSubset(data.Subset):
        def __getitem__(self, index: Any) -> Any:
            return 0

    def assign() -> None:
        data.DataLoader(ten).batch_size = 5

    return {
        "dataset without getitem": lambda: data.Dataset()[0],
        "dataset without len": lambda: len(data.Dataset()),
        "sizes differ": lambda: data.TensorDataset(tensor([1, 2]), tensor([1])),
        "0-d tensor": lambda: data.TensorDataset(tensor(1)),
        "nothing to stack": lambda: data.StackDataset(),
        "both kinds to stack": lambda: data.StackDataset(ten, a=ten),
        "stacked lengths differ": lambda: data.StackDataset([1], [1, 2]),
        "nothing to concatenate": lambda: data.ConcatDataset([]),
        "stream to concatenate": lambda: data.ConcatDataset([flow]),
        "concat index too low": lambda: concat[-4],
        "concat index too high": lambda: concat[3],
        "chain of lists": lambda: list(data.ChainDataset([[1, 2]])),
        "subset without getitems": lambda: HalfSubset(ten, [1]),
        "split sum": lambda: data.random_split(ten, [3, 8]),
        "split fractions sum": lambda: data.random_split(ten, [0.5, 0.6]),
        "split fraction range": lambda: data.random_split(ten, [1.5, -0.5]),
        "replacement": lambda: data.RandomSampler(ten, replacement=1),
        "num_samples": lambda: data.RandomSampler(ten, num_samples=0),
        "num_samples type": lambda: data.RandomSampler(ten, num_samples=2.5),
        "shuffle nothing": lambda: data.DataLoader([], shuffle=True),
        "weighted num_samples": lambda: data.WeightedRandomSampler([1.0], 0),
        "weighted num_samples bool": lambda: data.WeightedRandomSampler([1.0], True),
        "weighted replacement": lambda: data.WeightedRandomSampler([1.0], 1, replacement=1),
        "weights 2-d": lambda: data.WeightedRandomSampler([[1.0]], 1),
        "too many without replacement": lambda: list(data.WeightedRandomSampler([1.0], 2, replacement=False)),
        "negative weight": lambda: list(data.WeightedRandomSampler([1.0, -1.0], 1)),
        "batch_size 0": lambda: data.BatchSampler(ten, 0, False),
        "batch_size bool": lambda: data.BatchSampler(ten, True, False),
        "batch_size float": lambda: data.DataLoader(ten, batch_size=2.0),
        "drop_last": lambda: data.BatchSampler(ten, 2, 1),
        "sampler and shuffle": lambda: data.DataLoader(ten, sampler=ten, shuffle=True),
        "batch_sampler and batch_size": lambda: data.DataLoader(ten, batch_size=2, batch_sampler=[[1]]),
        "batch_sampler and drop_last": lambda: data.DataLoader(ten, drop_last=True, batch_sampler=[[1]]),
        "batch_sampler and shuffle": lambda: data.DataLoader(ten, shuffle=True, batch_sampler=[[1]]),
        "no batches and drop_last": lambda: data.DataLoader(ten, batch_size=None, drop_last=True),
        "stream and shuffle": lambda: data.DataLoader(flow, shuffle=True),
        "stream and sampler": lambda: data.DataLoader(flow, sampler=ten),
        "stream and batch_sampler": lambda: data.DataLoader(flow, batch_sampler=[[1]]),
        "stream without len": lambda: len(data.DataLoader(flow)),
        "num_workers": lambda: data.DataLoader(ten, num_workers=-1),
        "timeout": lambda: data.DataLoader(ten, timeout=-1),
        "timeout without workers": lambda: iter(data.DataLoader(ten, timeout=1)),
        "prefetch_factor": lambda: data.DataLoader(ten, prefetch_factor=2),
        "prefetch_factor negative": lambda: data.DataLoader(ten, num_workers=1, prefetch_factor=-2),
        "persistent_workers": lambda: data.DataLoader(ten, persistent_workers=True),
        "multiprocessing_context": lambda: data.DataLoader(ten, multiprocessing_context="spawn"),
        "assigned later": assign,
        "unknown option": lambda: data.DataLoader(ten, colour="red"),
        "batch of nothing": lambda: list(data.DataLoader(ten, batch_sampler=[[]])),
        "index too high": lambda: list(data.DataLoader(ten, batch_sampler=[[0, 99]])),
        "tensor index too high": lambda: list(
            data.DataLoader(data.TensorDataset(tensor([1, 2])), batch_sampler=[[0, 99]])
        ),
    }
