"""Whole sequences through the recurrent kernels, forward and backward, against the definitions in float64."""

import numpy as np
import pytest
from kernel_checks import close

import minigrad as mg
from minigrad.ops import recurrent

pytestmark = pytest.mark.usefixtures("both_forms")

# More hidden units than a panel has columns, fewer, and one; more rows than pass the weight at a time; ragged ends.
SHAPES = [
    pytest.param(70, (41, 41, 41), id="two panels and a part"),
    pytest.param(33, (9, 7, 7, 2), id="a panel and one unit, ragged"),
    pytest.param(5, (3, 1, 1), id="less than a panel"),
    pytest.param(1, (2, 2), id="one unit"),
    pytest.param(64, (1,), id="one row, one step"),
]
CELLS = {"tanh": 1, "relu": 1, "lstm": 4, "gru": 3}


def run(cell, arrays, sizes, reverse, dtype, dy=None):
    """(y, the gradients of all inputs for the gradient dy of y)."""
    inputs = [None if a is None else mg.tensor(a, dtype=dtype, requires_grad=True) for a in arrays]
    more = {"nonlinearity": cell} if cell in ("tanh", "relu") else {}
    op = recurrent.rnn if more else getattr(recurrent, cell)
    y = op(*inputs, sizes=sizes, reverse=reverse, **more)
    y.backward(mg.ones_like(y) if dy is None else mg.tensor(dy, dtype=dtype))
    return [y.detach().numpy(), *(x.grad.numpy() for x in inputs if x is not None)]


def arrays_of(cell, width, sizes, rng):
    gates, batch = CELLS[cell] * width, sizes[0]
    shapes = [(sum(sizes), gates), (batch, width)]
    shapes += {"lstm": [(batch, width), (gates, width)], "gru": [(gates, width), (gates,)]}.get(cell, [(gates, width)])
    return [rng.standard_normal(s).astype(np.float32) / (width**0.5 if s[0] == gates else 1) for s in shapes]


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize(("width", "sizes"), SHAPES)
@pytest.mark.parametrize("cell", CELLS)
def test_values_and_gradients(cell, width, sizes, reverse):
    rng = np.random.default_rng(width)
    arrays = arrays_of(cell, width, sizes, rng)
    states = 2 if cell == "lstm" else 1
    dy = rng.standard_normal((sum(sizes) + states * sizes[0], width))
    wanted = run(cell, arrays, sizes, reverse, mg.float64, dy)
    for got, want in zip(run(cell, arrays, sizes, reverse, mg.float32, dy), wanted, strict=True):
        close(got, want)


def test_gru_without_a_bias():
    arrays = arrays_of("gru", 40, (6, 4), np.random.default_rng(0))
    arrays[-1] = None
    wanted = run("gru", arrays, (6, 4), False, mg.float64)
    for got, want in zip(run("gru", arrays, (6, 4), False, mg.float32), wanted, strict=True):
        close(got, want)


@pytest.mark.parametrize("cell", CELLS)
def test_a_nan_in_one_sequence_spoils_no_other(cell):
    sizes = (3, 3, 2)
    arrays = arrays_of(cell, 40, sizes, np.random.default_rng(1))
    arrays[0][1, 7] = np.nan  # the first step of the second sequence
    y = run(cell, arrays, sizes, False, mg.float32)[0]
    assert np.isnan(y[[1, 4, 7]]).any(axis=1).all()
    assert np.isfinite(y[[0, 3, 6, 2, 5]]).all()


@pytest.mark.parametrize("cell", CELLS)
def test_the_kernel_is_what_runs(cell, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the definition ran")

    monkeypatch.setattr(recurrent, "run_cells", refuse)
    run(cell, arrays_of(cell, 8, (2, 1), np.random.default_rng(2)), (2, 1), False, mg.float32)
