"""Datasets, samplers, DataLoader and collation: what PyTorch answers, and what only we promise."""

import builtins
import inspect
import itertools
import json
from pathlib import Path

import loader_cases as cases
import numpy as np
import pytest

import minigrad
from minigrad import data
from minigrad.data import DataLoader, Subset, TensorDataset

LIB = cases.Library(minigrad, data)
RECORDED = json.loads((Path(__file__).parent.parent / "recorded" / "data.json").read_text(encoding="utf-8"))


def test_the_recording_is_of_the_pytorch_we_follow():
    assert RECORDED["torch"].startswith("2.13.")
    assert {run["name"] for run in RECORDED["loaders"]} == set(cases.LOADERS)


@pytest.mark.parametrize("run", RECORDED["loaders"], ids=lambda run: f"{run['name']}, seed {run['seed']}")
def test_orders_and_next_random_numbers_are_pytorchs(run):
    found = cases.run_loader(LIB, run["name"], run["n"], run["seed"], run["own_generator"])
    assert found["passes"] == run["passes"]
    assert found["after"] == run["after"]


@pytest.mark.parametrize("name", cases.collate_cases(LIB))
def test_collated_batches_are_pytorchs(name):
    batch = cases.collate_cases(LIB)[name]
    assert cases.describe(data.default_collate(batch)) == RECORDED["collate"][name]
    assert cases.describe(data.default_convert(batch)) == RECORDED["convert"][name]


COLLATE_MESSAGES = {
    "objects": "found <class 'object'>",
    "None": "found <class 'NoneType'>",
    "sets": "found <class 'set'>",
    "shapes": "[2] at entry 0 and [3] at entry 1; crop or pad",
    "array shapes": "[2] at entry 0 and [3] at entry 1",
    "lengths": "lengths [2, 3]",
    "keys": "'a'",
    "string arrays": "found <U1",
    "object arrays": "found object",
    "empty": "empty batch",
}


@pytest.mark.parametrize("name", cases.bad_collate_cases(LIB))
def test_refused_batches(name):
    kind = getattr(builtins, RECORDED["collate errors"][name])
    with pytest.raises(kind) as caught:
        data.default_collate(cases.bad_collate_cases(LIB)[name])
    assert type(caught.value) is kind
    assert COLLATE_MESSAGES[name] in str(caught.value)


MESSAGES = {  # what the message has to say, besides being of PyTorch's type
    "dataset without getitem": "must implement __getitem__",
    "dataset without len": "has no len()",
    "sizes differ": "(2,), (1,)",
    "0-d tensor": "0-d Tensor",
    "nothing to stack": "At least one dataset",
    "both kinds to stack": "got both",
    "stacked lengths differ": "[1, 2]",
    "nothing to concatenate": "empty",
    "stream to concatenate": "ChainDataset",
    "concat index too low": "-4 for 3 samples",
    "concat index too high": "3 samples",
    "chain of lists": "got list",
    "subset without getitems": "HalfSubset overrides __getitem__ but not __getitems__",
    "split sum": "sum to 11, for 10 samples",
    "split fractions sum": "[0.5, 0.6]",
    "split fraction range": "index 0 is not between 0 and 1: got 1.5",
    "replacement": "replacement=1",
    "num_samples": "num_samples=0",
    "num_samples type": "num_samples=2.5",
    "shuffle nothing": "the data source is empty",
    "weighted num_samples": "num_samples=0",
    "weighted num_samples bool": "num_samples=True",
    "weighted replacement": "replacement=1",
    "weights 2-d": "(1, 1)",
    "too many without replacement": "2",
    "negative weight": "negative",
    "batch_size 0": "batch_size=0",
    "batch_size bool": "batch_size=True",
    "batch_size float": "batch_size=2.0",
    "drop_last": "drop_last=1",
    "sampler and shuffle": "mutually exclusive with shuffle",
    "batch_sampler and batch_size": "mutually exclusive",
    "batch_sampler and drop_last": "mutually exclusive",
    "batch_sampler and shuffle": "mutually exclusive",
    "no batches and drop_last": "drop_last",
    "stream and shuffle": "shuffle=True",
    "stream and sampler": "sampler=range(0, 10)",
    "stream and batch_sampler": "batch_sampler=[[1]]",
    "stream without len": "has no len()",
    "num_workers": "got -1",
    "timeout": "got -1",
    "timeout without workers": "got 1",
    "prefetch_factor": "num_workers > 0",
    "prefetch_factor negative": "got -2",
    "persistent_workers": "num_workers > 0",
    "multiprocessing_context": "num_workers > 0",
    "assigned later": "batch_size attribute should not be set",
    "unknown option": "colour",
    "batch of nothing": "empty batch",
    "index too high": "out of range",
    "tensor index too high": "out of",
}


@pytest.mark.parametrize("name", cases.bad_calls(LIB))
def test_bad_calls_raise_as_pytorch_does_and_say_why(name):
    kind = getattr(builtins, RECORDED["errors"][name])
    with pytest.raises(kind) as caught:
        cases.bad_calls(LIB)[name]()
    assert type(caught.value) is kind
    assert MESSAGES[name] in str(caught.value)


def test_what_we_refuse_and_pytorch_does_not():
    with pytest.raises(TypeError, match="got ndarray at position 1"):
        TensorDataset(minigrad.tensor([1]), np.array([1]))
    with pytest.raises(ValueError, match="at least one Tensor"):
        TensorDataset()
    with pytest.raises(ValueError, match="index 1 is negative: got -1"):
        data.random_split(range(10), [11, -1])


# Datasets


def test_datasets_add_up():
    pairs = TensorDataset(minigrad.tensor([1, 2])) + TensorDataset(minigrad.tensor([3]))
    assert isinstance(pairs, data.ConcatDataset) and len(pairs) == 3 and pairs.cumulative_sizes == [2, 3]
    assert [pairs[i][0].item() for i in (0, 1, 2, -1, -3)] == [1, 2, 3, 3, 1]
    first, second = cases.stream(LIB, 2, sized=True), cases.stream(LIB, 3, sized=True)
    assert isinstance(first + second, data.ChainDataset) and len(first + second) == 5
    assert len(list(first + second)) == 5


def test_concatenation_skips_empty_datasets():
    assert [data.ConcatDataset([[], [1], [], [2, 3]])[i] for i in range(3)] == [1, 2, 3]


def test_stacked_datasets_give_tuples_or_dicts():
    x, y = TensorDataset(minigrad.tensor([1, 2])), [10, 20]
    assert data.StackDataset(x, y)[1] == (x[1], 20)
    assert data.StackDataset(a=y, b=y).__getitems__([1, 0]) == [{"a": 20, "b": 20}, {"a": 10, "b": 10}]
    batch = next(iter(DataLoader(data.StackDataset(y, Subset(y, [1, 0])), batch_size=2)))
    assert [part.tolist() for part in batch] == [[10, 20], [20, 10]]


def test_a_stacked_dataset_that_returns_too_few_samples_is_named():
    class Forgetful(data.Dataset):
        def __len__(self):
            return 2

        def __getitems__(self, indices):
            return [0]

    with pytest.raises(ValueError, match="Expected 2, got 1"):
        data.StackDataset(Forgetful()).__getitems__([0, 1])


def test_an_empty_part_of_a_split_warns():
    with pytest.warns(UserWarning, match="index 1 is 0"):
        parts = data.random_split([1], [0.9, 0.1])
    assert [len(part) for part in parts] == [1, 0]


def test_a_subset_takes_lists_of_places_and_nests():
    base = np.arange(10) * 10
    inner = Subset(Subset(base, [9, 8, 7]), [2, 0])
    assert [int(value) for value in inner] == [70, 90]
    assert Subset(base, [9, 8, 7])[[0, 2]].tolist() == [90, 70]


# The batch by one indexing operation


def _both_ways(dataset, **options):
    """The batches with the short cut, and those put together sample by sample."""
    one_by_one = DataLoader(dataset, collate_fn=lambda samples: data.default_collate(samples), **options)
    return list(DataLoader(dataset, **options)), list(one_by_one)


@pytest.mark.parametrize(
    "wrap", [lambda d: d, lambda d: Subset(d, [5, 0, 3, 3]), lambda d: Subset(Subset(d, [6, 5, 1]), [2, 0])]
)
def test_the_short_cut_gives_the_same_batches(wrap):
    x = minigrad.tensor(np.arange(14, dtype=np.float32).reshape(7, 2))
    y = minigrad.tensor(np.arange(7))
    mask = minigrad.tensor(np.arange(7) > 3)
    fast, slow = _both_ways(wrap(TensorDataset(x, y, mask)), batch_size=2)
    assert cases.describe(fast) == cases.describe(slow)


def test_the_short_cut_is_taken():
    asked = []

    class Watched(TensorDataset):
        def collated_batch(self, indices):
            asked.append(indices)
            return super().collated_batch(indices)

    dataset = Watched(minigrad.tensor([1, 2, 3]))
    assert [batch[0].tolist() for batch in DataLoader(dataset, batch_size=2)] == [[1, 2], [3]]
    assert asked == [[0, 1], [2]]
    assert dataset.collated_batch([2, 0])[0].tolist() == [3, 1]
    list(DataLoader(dataset, batch_size=2, collate_fn=list))
    assert len(asked) == 3  # a collate_fn of the user's is given samples


def test_the_short_cut_copies():
    x = minigrad.tensor([1.0, 2.0, 3.0])
    (batch,) = next(iter(DataLoader(TensorDataset(x), batch_size=3)))
    batch[0] = 9.0
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_a_subclass_that_changes_samples_is_heard():
    class Doubled(TensorDataset):
        def __getitem__(self, index):
            return tuple(2 * value for value in super().__getitem__(index))

    dataset = Doubled(minigrad.tensor([1, 2, 3]))
    assert next(iter(DataLoader(dataset, batch_size=3)))[0].tolist() == [2, 4, 6]
    assert next(iter(DataLoader(Subset(dataset, [2, 1]), batch_size=2)))[0].tolist() == [6, 4]


def test_indices_that_are_not_plain_go_one_by_one():
    dataset = TensorDataset(minigrad.tensor([10, 20, 30]))
    assert dataset.collated_batch(np.array([1, 2])) is None and dataset.collated_batch([True, False, True]) is None
    (batch,) = next(iter(DataLoader(Subset(dataset, np.array([2, 0])), batch_size=2)))
    assert batch.tolist() == [30, 10]
    (batch,) = next(iter(DataLoader(dataset, batch_sampler=[[-1, 0]])))
    assert batch.tolist() == [30, 10]


def test_gradients_reach_a_dataset_of_parameters():
    x = minigrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (batch,) = next(iter(DataLoader(TensorDataset(x), batch_sampler=[[2, 0, 2]])))
    batch.sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 2.0]


def test_getitems_is_used_where_a_dataset_has_it():
    class Many(data.Dataset):
        def __getitems__(self, indices):
            return [(index, "many") for index in indices]

    values, words = next(iter(DataLoader(Many(), sampler=[3, 1], batch_size=2)))
    assert values.tolist() == [3, 1] and words == ("many", "many")


# Samplers and the loader


def test_a_huge_sampler_is_lazy():
    sampler = data.RandomSampler(range(5), replacement=True, num_samples=int(1e10))
    loader = DataLoader(range(5), batch_size=3, sampler=sampler)
    assert len(sampler) == int(1e10) and len(loader) == 3_333_333_334
    assert all(0 <= index < 5 for index in itertools.islice(sampler, 100))
    assert next(iter(loader)).shape == (3,)


def test_a_growing_dataset_is_sampled_whole():
    grown = [0, 1]
    loader = DataLoader(grown, shuffle=True)
    grown.append(2)
    assert len(loader) == 3 and sorted(batch.item() for batch in loader) == [0, 1, 2]


def test_lengths():
    n = 10
    assert len(DataLoader(range(n), batch_size=4)) == 3
    assert len(DataLoader(range(n), batch_size=4, drop_last=True)) == 2
    assert len(DataLoader(range(n), batch_size=None)) == n
    assert len(DataLoader(range(n), batch_sampler=[[1], [2, 3]])) == 2
    flow = cases.stream(LIB, n, sized=True)
    assert len(DataLoader(flow, batch_size=4)) == 3
    assert len(DataLoader(flow, batch_size=4, drop_last=True)) == 2
    assert len(DataLoader(flow, batch_size=None)) == n
    assert len(iter(DataLoader(range(n), batch_size=4))) == 3


def test_a_stream_longer_than_it_said_warns():
    class Liar(data.IterableDataset):
        def __iter__(self):
            return iter(range(3))

        def __len__(self):
            return 1

    loader = DataLoader(Liar(), batch_size=None)
    assert [*iter(loader)] == [0, 1, 2]  # nobody asked for the length, as list(loader) would
    assert len(loader) == 1
    with pytest.warns(UserWarning, match="reported to be 1"):
        assert [*iter(loader)] == [0, 1, 2]


def test_hints_have_no_effect():
    hints = {"num_workers": 3, "pin_memory": True, "pin_memory_device": "cuda", "persistent_workers": True}
    hints |= {"prefetch_factor": 4, "timeout": 5, "multiprocessing_context": "fork", "worker_init_fn": print}
    loader = DataLoader(range(5), batch_size=2, in_order=False, **hints)
    with pytest.warns(UserWarning, match="pin_memory"):  # as in PyTorch: there is no GPU, and its name is not asked for
        assert [batch.tolist() for batch in loader] == [[0, 1], [2, 3], [4]]
    assert all(getattr(loader, name) == value for name, value in hints.items())
    assert DataLoader(range(5), num_workers=2).prefetch_factor == 2
    assert data.get_worker_info() is None


def test_a_bad_sample_costs_its_batch_alone():
    def refuse_one(samples):
        if 1 in samples:
            raise OSError("unreadable")
        return samples

    batches = iter(DataLoader(range(6), batch_size=2, collate_fn=refuse_one))
    with pytest.raises(OSError, match="unreadable"):
        next(batches)
    assert list(batches) == [[2, 3], [4, 5]]


def test_a_loader_can_be_read_twice_at_a_time():
    loader = DataLoader(range(3))
    assert [(a.item(), b.item()) for a, b in zip(loader, loader, strict=True)] == [(0, 0), (1, 1), (2, 2)]


def test_collate_takes_a_table_of_the_users():
    def count(batch, *, collate_fn_map):
        return len(batch)

    assert data.collate([{"a": {1}}, {"a": {2}}], collate_fn_map={set: count}) == {"a": 2}
    with pytest.raises(TypeError, match="found <class 'int'>"):
        data.collate([1, 2])


def test_the_signature_is_pytorchs():
    assert list(inspect.signature(DataLoader).parameters) == [
        "dataset", "batch_size", "shuffle", "sampler", "batch_sampler", "num_workers", "collate_fn", "pin_memory",
        "drop_last", "timeout", "worker_init_fn", "multiprocessing_context", "generator", "prefetch_factor",
        "persistent_workers", "pin_memory_device", "in_order",
    ]  # fmt: skip
