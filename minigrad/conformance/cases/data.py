"""Cases of utils.data: data sets, samplers and loaders, and the order of what they give under a seed."""

import itertools
from collections import namedtuple

from minigrad.conformance.case import cases_of
from minigrad.conformance.exercises import errors, numbers

case = cases_of("data")

Point = namedtuple("Point", "x y")


def points(torch, count=7):
    """A data set of pairs."""
    return torch.utils.data.TensorDataset(numbers(torch, count, 2), torch.arange(count))


@case("Dataset", "ConcatDataset", "Subset", "TensorDataset")
def data_sets(torch):
    data = torch.utils.data

    class Squares(data.Dataset):  # type: ignore[name-defined, misc]
        def __init__(self, count):
            self.count = count

        def __len__(self):
            return self.count

        def __getitem__(self, i):
            if i >= self.count:
                raise IndexError(i)
            return i * i

    squares, tensors = Squares(4), points(torch, 3)
    joined, part = squares + Squares(3), data.Subset(squares, [3, 1])
    return {
        "told": [len(squares), list(squares), type(joined).__name__, list(joined), len(joined), joined[-1]],
        "joined": [joined.cumulative_sizes, list(data.ConcatDataset([part, part]))],
        "part": [len(part), part[0], list(part), part.indices, list(data.Subset(part, (1,)))],
        "tensors": [len(tensors), tensors[1], tensors[-1], tensors[:2], [x.shape for x in tensors.tensors]],
        "errors": errors(
            lambda: data.Dataset()[0],
            lambda: len(data.Dataset()),
            lambda: data.ConcatDataset([]),
            lambda: joined[9],
            lambda: joined[-9],
            lambda: part[2],
            lambda: data.TensorDataset(torch.ones(2), torch.ones(3)),
            lambda: data.ConcatDataset([data.DataLoader(squares)]),
        ),
    }


@case("random_split", "functions:Generator", "functions:manual_seed")
def splits(torch):
    split, tensors = torch.utils.data.random_split, points(torch)
    torch.manual_seed(0)
    told = [part.indices for part in split(tensors, [4, 2, 1])]
    fractions = [part.indices for part in split(tensors, [0.5, 0.3, 0.2], torch.Generator().manual_seed(42))]
    return {
        "told": [told, fractions, split(range(5), [5])[0][2], len(split(tensors, [7, 0])[1])],
        "errors": errors(
            lambda: split(tensors, [3, 3]), lambda: split(tensors, [0.5, 0.6]), lambda: split(tensors, [-0.5, 1.5])
        ),
    }


@case("Sampler", "SequentialSampler", "RandomSampler", "BatchSampler")
def samplers(torch):
    data = torch.utils.data

    class Backwards(data.Sampler):  # type: ignore[name-defined, misc]
        def __init__(self, source):
            self.source = source

        def __iter__(self):
            return iter(range(len(self.source) - 1, -1, -1))

        def __len__(self):
            return len(self.source)

    def drawn(seed, **options):
        torch.manual_seed(seed)
        sampler = data.RandomSampler(range(6), **options)
        return [len(sampler), list(sampler), list(sampler)]

    torch.manual_seed(0)
    endless = data.RandomSampler(range(100), replacement=True, num_samples=int(1e10))
    generator = torch.Generator().manual_seed(3)
    return {
        "in order": [list(data.SequentialSampler(range(4))), len(data.SequentialSampler("abc"))],
        "own": list(Backwards("abc")),
        "shuffled": [drawn(0), drawn(1, generator=generator), drawn(2, num_samples=9), drawn(3, num_samples=2)],
        "replaced": [drawn(0, replacement=True), drawn(1, replacement=True, num_samples=40)],
        "endless": [len(endless), list(itertools.islice(endless, 5))],
        "batches": [
            list(data.BatchSampler(data.SequentialSampler(range(5)), 2, False)),
            list(data.BatchSampler(Backwards("abcde"), batch_size=2, drop_last=True)),
            len(data.BatchSampler(range(5), 2, False)), len(data.BatchSampler(range(5), 2, True)),
        ],
        "errors": errors(
            lambda: data.RandomSampler(range(3), replacement="x"), lambda: data.RandomSampler(range(3), num_samples=0),
            lambda: data.RandomSampler(range(3), num_samples=1.5), lambda: data.BatchSampler(range(3), 0, False),
            lambda: data.BatchSampler(range(3), 2, "no"), lambda: list(data.Sampler()), lambda: data.RandomSampler([]),
        ),
    }  # fmt: skip


@case("default_collate")
def collate(torch):
    gather = torch.utils.data.default_collate
    nested = [
        {"a": 1, "b": [0.5, "x"], "c": (True, torch.ones(2))},
        {"a": 2, "b": [1.5, "y"], "c": (False, torch.zeros(2))},
    ]
    named = gather([Point(1, 2.0), Point(3, 4.0)])
    arrays = [torch.ones(2).numpy(), torch.zeros(2).numpy()]
    return {
        "told": [gather([1, 2]), gather([0.5, 1.5]), gather(["a", "b"]), gather([torch.ones(2), torch.zeros(2)])],
        "nested": [gather(nested), type(named).__name__, named, gather(arrays), gather([(1, 2), (3, 4)])],
        "errors": errors(
            lambda: gather([torch.ones(2), torch.ones(3)]), lambda: gather([object(), object()]),
            lambda: gather([[1, 2], [3]]), lambda: gather([None, None]), lambda: gather([]), lambda: gather([{1}, {2}]),
        ),
    }  # fmt: skip


@case("DataLoader", "TensorDataset")
def loaders(torch):
    data, tensors = torch.utils.data, points(torch)

    def orders(seed=0, epochs=2, **options):
        torch.manual_seed(seed)
        loader = data.DataLoader(tensors, **options)
        return [len(loader), [[y.tolist() for _, y in loader] for _ in range(epochs)]]

    torch.manual_seed(0)
    loader = data.DataLoader(tensors, batch_size=3, shuffle=True)
    x, y = next(iter(loader))
    weights = data.WeightedRandomSampler([0.1, 0.7, 0.2, 0.0, 0.0, 0.0, 0.0], 6)
    hints = {"num_workers": 0, "pin_memory": False, "timeout": 0, "prefetch_factor": None, "persistent_workers": False}
    return {
        "first": [x, y, torch.rand(1)],  # a loader draws a seed of its own, and a permutation
        "shuffled": [orders(batch_size=2, shuffle=True), orders(3, batch_size=3, shuffle=True, drop_last=True)],
        "generator": orders(batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(5)),
        "in order": [orders(batch_size=3), orders(batch_size=3, drop_last=True), orders(epochs=1, **hints)],
        "samplers": [
            orders(batch_size=3, sampler=[4, 2, 0, 6]),
            orders(batch_sampler=[[0, 1, 2], [5]]),
            orders(batch_size=3, sampler=weights),
        ],
        "one by one": [[len(item), item[1].tolist()] for item in data.DataLoader(tensors, batch_size=None)],
        "own collate": list(data.DataLoader([3, 1, 2], batch_size=2, collate_fn=sorted)),
        "attributes": [loader.batch_size, loader.drop_last, len(loader.dataset), type(loader.sampler).__name__],
        "errors": errors(
            lambda: data.DataLoader(tensors, batch_size=0),
            lambda: data.DataLoader(tensors, batch_size=2.5),
            lambda: data.DataLoader(tensors, shuffle=True, sampler=[1]),
            lambda: data.DataLoader(tensors, batch_sampler=[[1]], batch_size=2),
            lambda: data.DataLoader(tensors, batch_sampler=[[1]], drop_last=True),
            lambda: data.DataLoader(tensors, batch_size=None, drop_last=True),
            lambda: data.DataLoader(tensors, num_workers=-1),
            lambda: data.DataLoader(tensors, timeout=-1),
            lambda: data.DataLoader(tensors, prefetch_factor=2),
            lambda: data.DataLoader(tensors, shuffle="yes"),
            lambda: data.DataLoader([], shuffle=True),
            lambda: list(data.DataLoader([None])),
            lambda: setattr(loader, "batch_size", 2),
        ),
    }


@case("IterableDataset", "DataLoader")
def streams(torch):
    data = torch.utils.data

    class Stream(data.IterableDataset):  # type: ignore[name-defined, misc]
        def __init__(self, count):
            self.count = count

        def __iter__(self):
            return iter(range(self.count))

    class Known(Stream):
        def __len__(self):
            return self.count

    loader = data.DataLoader(Stream(5), batch_size=2)
    chained = Stream(2) + Stream(3)
    return {
        "told": [list(loader), list(data.DataLoader(Stream(5), batch_size=2, drop_last=True)), list(chained)],
        "length": [len(data.DataLoader(Known(5), batch_size=2)), type(chained).__name__],
        "one by one": list(data.DataLoader(Stream(2), batch_size=None)),
        "errors": errors(
            lambda: len(loader),
            lambda: data.DataLoader(Stream(3), shuffle=True),
            lambda: data.DataLoader(Stream(3), sampler=[1]),
            lambda: data.DataLoader(Stream(3), batch_sampler=[[1]]),
            lambda: Stream(3)[0],
            lambda: list(data.IterableDataset()),
        ),
    }
