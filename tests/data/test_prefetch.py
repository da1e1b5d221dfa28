"""Pinned memory and batches copied ahead, on the stand-in: streams wait for each other where they must."""

import functools
import gc
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
import strict_streams
from strict_cupy import as_cuda, strict
from strict_graphs import cuda
from strict_modes import no_sync

import minigrad as mg
from minigrad import nn
from minigrad.data import DataLoader, Prefetcher, TensorDataset
from minigrad.kernels import common
from minigrad.kernels.cuda import graph, pinned


@pytest.fixture
def card() -> Iterator[None]:
    with as_cuda(common):
        yield
        pinned.copies._held.clear()
        gc.collect()
    assert strict_streams.violations == [] and strict_streams.outstanding() == 0


def values(*shape: int, start: int = 0) -> mg.Tensor:
    count = int(np.prod(shape))
    return mg.tensor(np.arange(start, start + count, dtype=np.float32).reshape(shape), device="cpu")


def dataset(rows: int = 6) -> TensorDataset:
    return TensorDataset(values(rows, 2), mg.arange(rows, device="cpu"))


def test_a_pinned_copy_is_known_by_its_memory(card):
    x = values(3, 4)
    y = x.pin_memory()
    assert not x.is_pinned() and y.is_pinned() and y[1:].is_pinned() and y.tolist() == x.tolist()
    assert y.pin_memory() is y and not y.clone().is_pinned() and y.dtype == x.dtype
    assert y.t().pin_memory().tolist() == x.t().tolist()
    empty = mg.zeros(0, 3)
    assert empty.pin_memory() is empty and not empty.is_pinned()
    with pytest.raises(RuntimeError, match="only tensors on the CPU can be pinned"):
        x.to("cuda").pin_memory()


def test_without_a_gpu_nothing_is_pinned(monkeypatch):
    monkeypatch.setattr(mg.backend, "is_cuda_available", lambda: False)
    x = values(2)
    assert x.pin_memory() is x and not x.is_pinned() and x.to("cpu", non_blocking=True) is x
    loader = DataLoader(dataset(), batch_size=4, pin_memory=True)
    with pytest.warns(UserWarning, match="no accelerator is found, then device pinned memory won't be used"):
        batches = list(loader)
    assert [y.tolist() for _, y in batches] == [[0, 1, 2, 3], [4, 5]] and not batches[0][0].is_pinned()


@pytest.mark.parametrize("how", ["to", "by position", "cuda", "copy_", "module"])
def test_a_pinned_tensor_goes_without_waiting(card, how):
    x = values(2, 3).pin_memory()
    target = mg.zeros(2, 3, device="cuda")
    layer = nn.Linear(3, 2)
    layer.weight.data = x
    with no_sync():
        if how == "to":
            y = x.to("cuda", non_blocking=True)
        elif how == "by position":
            y = x.to("cuda", mg.float32, True)
        elif how == "cuda":
            y = x.cuda(non_blocking=True)
        elif how == "module":
            layer.bias.data = layer.bias.data.pin_memory()
            y = layer.to("cuda", non_blocking=True).weight
        else:
            y = target.copy_(x, non_blocking=True)
    assert strict_streams.outstanding() == (0 if how == "copy_" else 1 + (how == "module"))
    del x, layer  # the copy holds on to the memory
    gc.collect()
    assert (y + 0).tolist() == [[0, 1, 2], [3, 4, 5]]
    del y


def test_what_is_copied_keeps_its_gradient(card):
    x = values(2, 3).pin_memory().requires_grad_()
    (x.to("cuda", non_blocking=True) * 2).sum().backward()
    assert x.grad.tolist() == [[2, 2, 2], [2, 2, 2]] and x.grad.device == mg.device("cpu")


def test_memory_that_is_not_pinned_or_has_gaps_goes_the_usual_way(card):
    for x in (values(2, 3), values(3, 2).pin_memory().t()):
        assert x.to("cuda", non_blocking=True).tolist() == x.tolist()
        assert strict_streams.outstanding() == 0


def test_an_array_is_let_go_when_its_copy_is_done(card):
    for i in range(4):
        y = values(3, start=i).pin_memory().to("cuda", non_blocking=True)
        assert (y + 1).tolist() == [i + 1, i + 2, i + 3]
        del y
    assert len(pinned.copies._held) <= 2


def test_a_capture_refuses_a_pinned_batch_as_any_other(card):
    x = values(3).pin_memory()
    with pytest.raises(RuntimeError, match=r"it uploads float32 values of shape \(3,\)"):
        graph.Graph().capture(lambda: x.to("cuda", non_blocking=True))


class Pair(NamedTuple):
    x: mg.Tensor
    name: str


@pytest.mark.parametrize("pin", [False, True])
def test_batches_come_in_order_each_once_filled(card, pin):
    loader = Prefetcher(DataLoader(dataset(), batch_size=4, pin_memory=pin), "cuda")
    for _ in range(2):  # as often as wanted
        seen = []
        for x, y in loader:
            with no_sync():
                total = x * 2
            seen.append((total.tolist(), y.tolist()))
            assert x.is_cuda and y.is_cuda
        del x, y, total
        assert seen == [([[0, 2], [4, 6], [8, 10], [12, 14]], [0, 1, 2, 3]), ([[16, 18], [20, 22]], [4, 5])]
    assert len(loader) == 2


def test_the_copy_of_the_next_batch_is_asked_for_before_this_one_is_handed_out(card):
    asked = []

    def batches():
        for i in range(3):
            asked.append(i)
            yield {"pair": Pair(values(2, start=i), f"batch {i}"), "rows": [mg.zeros(0), None]}

    with no_sync():
        for i, batch in enumerate(Prefetcher(batches(), "cuda")):
            assert asked == list(range(min(i + 2, 3)))
            assert batch["pair"].name == f"batch {i}" and batch["rows"][1] is None and batch["rows"][0].is_cuda
            assert strict_streams.outstanding() >= (i < 2)
            _ = batch["pair"].x + 1
        del batch, _


def test_a_stream_that_computes_elsewhere_waits_too(card):
    stream = cuda.Stream(non_blocking=True)
    with stream:
        found = [(x + 0).tolist() for x in Prefetcher([values(2), values(2, start=5)], "cuda")]
    assert found == [[0, 1], [5, 6]]


def test_a_pass_may_be_left_at_any_time(card):
    for x, _ in Prefetcher(DataLoader(dataset(), batch_size=2), "cuda"):
        del x, _
        break
    gc.collect()
    batches = iter(Prefetcher(DataLoader(dataset(), batch_size=2), "cuda"))
    next(batches)
    del batches


@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt])
def test_an_error_of_the_loader_comes_when_its_batch_is_due(card, kind):
    def batches():
        yield values(2), values(3)
        yield values(2), values(3)
        raise kind("unreadable")

    seen = []
    with pytest.raises(kind, match="unreadable"):
        for x, y in Prefetcher(batches(), "cuda"):
            seen.append((x + 0).tolist() + (y + 0).tolist())
    assert len(seen) == (2 if kind is OSError else 1)  # Ctrl-C does not wait for its turn
    x = y = None


def test_an_error_inside_a_batch_leaves_no_copy_behind(card):
    class Bad:
        def __iter__(self):
            yield values(2)
            yield {"x": values(2), "y": mg.tensor([1.0], device="cpu")}

    usual = pinned.pinned_copy
    try:
        pinned.pinned_copy = lambda array: usual(array) if array.shape == (2,) else 1 / 0
        with pytest.raises(ZeroDivisionError):
            for x in Prefetcher(Bad(), "cuda"):
                del x
    finally:
        pinned.pinned_copy = usual


def test_on_the_cpu_batches_come_as_they_are():
    inner = [(values(2), "a"), (values(3), "b")]
    assert [name for _, name in Prefetcher(inner, "cpu")] == ["a", "b"]
    assert next(iter(Prefetcher(inner)))[0] is inner[0][0]
    if not mg.cuda.is_available():
        with pytest.raises(RuntimeError, match="device 'cuda' needs CuPy"):
            Prefetcher(inner, "cuda")


def test_a_loader_pins_its_batches(card):
    class Own:
        def pin_memory(self):
            return "pinned"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batches = list(DataLoader(dataset(), batch_size=4, pin_memory=True))
    assert all(x.is_pinned() and y.is_pinned() for x, y in batches)
    loader = DataLoader([0, 1], batch_size=2, collate_fn=lambda rows: {"own": Own(), "n": 3}, pin_memory=True)
    assert list(loader) == [{"own": "pinned", "n": 3}]
    with pytest.raises(RuntimeError, match="can be pinned"):
        next(iter(DataLoader(TensorDataset(values(2).to("cuda")), pin_memory=True)))
    with pytest.warns(UserWarning, match="pin_memory_device is deprecated"):
        next(iter(DataLoader([0], pin_memory=True, pin_memory_device="cuda", collate_fn=lambda rows: rows)))


# ---------------------------------------------------------------- the stand-in itself


def test_the_stand_in_finds_what_a_fast_card_hides(card):
    side, here = cuda.Stream(non_blocking=True), cuda.get_current_stream()
    source = pinned.pinned_copy(np.ones(3, np.float32))
    array = strict.empty(3, "float32")
    with pytest.raises(RuntimeError, match="its own stream may still be using"):
        array.set(source, stream=side)
    side.wait_event(here.record())
    array.set(source, stream=side)
    for use in (functools.partial(strict.add, array, 1), array.get, functools.partial(strict.sum, array)):
        with pytest.raises(RuntimeError, match="before the copy into it has been waited for"):
            use()
    event = side.record()
    assert not event.done
    here.wait_event(event)
    assert (array + 1).get().tolist() == [2, 2, 2] and event.done
    array.set(source, stream=side)
    here.wait_event(side.record())
    del source
    with pytest.raises(RuntimeError, match="given back before the copy"):
        _ = array + 1
    array = strict.empty(3, "float32")
    side.wait_event(here.record())
    array.set(pinned.pinned_copy(np.ones(3, np.float32)), stream=side)
    del array, use
    gc.collect()
    assert len(strict_streams.violations) == 1
    strict_streams.violations.clear()
