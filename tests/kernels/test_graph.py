"""The capture of a CUDA graph and its replay, on the stand-in for CuPy, and what the stand-in notices about them."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from graph_steps import card as card

import minigrad as mg
from minigrad.kernels.cuda.graph import Graph


def test_the_stand_in_knows_memory_that_is_gone(on_card):
    if on_card:
        pytest.skip("on a card the memory is read as it is: run without --device")
    weights = [mg.ones(3, device="cuda")]
    graph = Graph()
    y = graph.capture(lambda: weights[0] * 2)
    weights[0].add_(1)
    graph.replay()
    assert y.tolist() == [4, 4, 4]
    del weights[0]
    with pytest.raises(RuntimeError, match=r"uses memory freed since its capture: float32 \(3,\)"):
        graph.replay()


def test_the_stand_in_knows_arrays_that_have_outlived_their_pool(on_card):
    if on_card:
        pytest.skip("on a card the memory is read as it is: run without --device")
    graph = Graph()
    y = graph.capture(lambda: mg.ones(3, device="cuda") * 2)
    graph.replay()
    assert y.tolist() == [2, 2, 2]
    del graph
    assert np.isnan(y.tolist()).all()


def test_nothing_is_computed_while_capturing(on_card):
    if on_card:
        pytest.skip("what memory holds that nobody wrote is known on the stand-in alone: run without --device")
    x, graph = mg.ones(3, device="cuda"), Graph()

    def fill():
        x.add_(1)
        return x * 2

    y = graph.capture(fill)
    assert x.tolist() == [1, 1, 1] and np.isnan(y.tolist()).all()
    graph.replay()
    graph.replay()
    assert x.tolist() == [3, 3, 3] and y.tolist() == [6, 6, 6]


def test_random_numbers_go_on_from_replay_to_replay_and_after_other_draws():
    def draws(source):
        found = [source().tolist() for _ in range(2)]
        mg.randn(5, device="cuda")
        found += [source().tolist() for _ in range(2)]
        mg.manual_seed(9)
        return [*found, source().tolist()]

    mg.manual_seed(4)
    mg.rand(1, device="cuda")
    eager = draws(lambda: mg.rand(6, device="cuda"))
    mg.manual_seed(4)
    mg.rand(1, device="cuda")
    graph = Graph()
    y = graph.capture(lambda: mg.rand(6, device="cuda"))

    def replayed():
        graph.replay()
        return y

    assert draws(replayed) == eager


def test_a_constant_is_the_same_in_every_replay():
    graph = Graph()
    y = graph.capture(lambda: mg.arange(3, device="cuda").add_(1))
    for _ in range(2):
        graph.replay()
        assert y.tolist() == [1, 2, 3]


def test_replay_before_capture_and_a_capture_within_one():
    with pytest.raises(RuntimeError, match="captured nothing"):
        Graph().replay()
    with pytest.raises(RuntimeError, match="a capture inside a capture"):
        Graph().capture(lambda: Graph().capture(lambda: None))


def test_other_threads_may_upload_during_a_capture():
    usual = mg.backend.backend_for("cuda")
    mg.backend.register(dataclasses.replace(usual, to_device=lambda array: "theirs"))
    try:
        with ThreadPoolExecutor(1) as others:
            found = Graph().capture(lambda: others.submit(mg.backend.to_device, np.ones(1), "cuda").result())
        with pytest.raises(RuntimeError, match="it uploads float64 values"):
            Graph().capture(lambda: mg.backend.to_device(np.ones(1), "cuda"))
    finally:
        mg.backend.register(usual)
    assert found == "theirs"
