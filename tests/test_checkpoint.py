"""Activation checkpointing: the same gradients bit for bit, for less memory."""

import gc
import tracemalloc
import weakref

import pytest

import minigrad as mg
from minigrad import autograd
from minigrad.utils.checkpoint import checkpoint, checkpoint_sequential


def block(width, dropout=0.0):
    return mg.nn.Sequential(mg.nn.Linear(width, width), mg.nn.GELU(), mg.nn.Dropout(dropout), mg.nn.LayerNorm(width))


def gradients(run, model, x):
    x.grad = None
    model.zero_grad()
    mg.manual_seed(3)
    y = run(x)
    (y * y).sum().backward()
    return [y.tolist(), x.grad.tolist(), *[p.grad.tolist() for p in model.parameters()], mg.rand(2).tolist()]


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_bit_for_bit(dropout):
    model, x = block(8, dropout), mg.randn(4, 8).requires_grad_()
    plain = gradients(model, model, x)
    assert gradients(lambda h: checkpoint(model, h), model, x) == plain
    assert gradients(lambda h: checkpoint(lambda: model(h)), model, x) == plain  # everything by closure
    assert gradients(lambda h: checkpoint(lambda g: checkpoint(model, g), h), model, x) == plain


def test_random_numbers_without_restoring():
    x = mg.ones(1000, requires_grad=True)
    y = checkpoint(mg.nn.Dropout(0.5), x, preserve_rng_state=False)
    y.sum().backward()
    assert x.grad.tolist() != y.tolist()  # another mask: what the option means


@pytest.mark.parametrize("segments", [1, 2, 3])
def test_sequential(segments):
    model, x = mg.nn.Sequential(*[block(6, 0.1) for _ in range(5)]), mg.randn(3, 6).requires_grad_()
    assert gradients(lambda h: checkpoint_sequential(model, segments, h), model, x) == gradients(model, model, x)


def test_to_second_order():
    x, w = mg.tensor([0.5, -1.0], requires_grad=True), mg.tensor([2.0, 3.0], requires_grad=True)

    def f(h):
        return (h * w).tanh() * h

    def second(run):
        (g,) = autograd.grad(run(x).sum(), x, create_graph=True)
        return [a.tolist() for a in autograd.grad((g * g).sum(), [x, w])]

    assert second(lambda h: checkpoint(f, h)) == second(f)


def test_autograd_grad_by_a_parameter_inside():
    w = mg.tensor([2.0], requires_grad=True)
    (g,) = autograd.grad(checkpoint(lambda h: h * w * w, mg.tensor([3.0])), w)
    assert g.tolist() == [12]
    assert w.grad is None


def test_containers_come_back_as_they_were():
    x = mg.ones(2, requires_grad=True)
    outputs = checkpoint(lambda h: [h * 2, (h > 0), "note", h.sum()], x)
    assert type(outputs) is list
    assert outputs[2] == "note"
    assert outputs[1].tolist() == [True, True]
    (outputs[0].sum() + outputs[3]).backward()
    assert x.grad.tolist() == [3, 3]


def test_inner_arrays_are_freed_and_come_back_one_segment_at_a_time():
    width, depth = 20_000, 8
    x = mg.ones(width, requires_grad=True)

    def deep(h):
        for _ in range(10):
            h = h.sin()
        return h

    def held_and_peak(run):
        gc.collect()
        tracemalloc.start()
        h = x
        for _ in range(depth):
            h = run(h)
        held = tracemalloc.get_traced_memory()[0]
        h.backward(mg.ones(width))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held / (4 * width), peak / (4 * width)

    plain_held, plain_peak = held_and_peak(deep)
    held, peak = held_and_peak(lambda h: checkpoint(deep, h))
    assert plain_held > 10 * depth - 10
    assert held < 3 * depth
    assert peak < 3 * depth + 20 < plain_peak


def test_the_graph_inside_is_gone_after_the_forward():
    inner = []

    def f(h):
        y = h.exp()
        inner.append(weakref.ref(y.array))
        return y * 2

    x = mg.ones(3, requires_grad=True)
    y = checkpoint(f, x)
    assert inner[0]() is None
    y.sum().backward()
    assert len(inner) == 2
    assert inner[1]() is None


def test_a_residual_added_in_place_to_the_input():
    x = mg.tensor([0.5, 1.0], requires_grad=True)

    def run(layer):
        h = x * 2
        h += layer(h)  # the gradient of the layer needs h as it was
        return autograd.grad(h.sum(), x)

    for layer in (lambda h: checkpoint(lambda g: g * g, h), lambda h: h * h):
        with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
            run(layer)


def test_an_input_written_over_is_noticed():
    x, h = mg.ones(2, requires_grad=True), mg.ones(2)
    y = checkpoint(lambda a, b: a * b * b, x, h)
    h.add_(1)
    with pytest.raises(RuntimeError, match="'argument 1' of 'checkpoint' was at version 0"):
        y.sum().backward()


def test_under_no_grad_it_is_a_plain_call():
    with mg.no_grad():
        y = checkpoint(lambda h: h * 2, mg.ones(2, requires_grad=True))
    assert not y.requires_grad
