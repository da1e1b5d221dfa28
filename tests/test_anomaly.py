"""Anomaly mode names the first op that makes a nan or inf, with the user's own line, and leaves no trace when off."""

import inspect
import re

import pytest

import minigrad as mg
from minigrad import anomaly
from minigrad.autograd import detect_anomaly, set_detect_anomaly
from minigrad.op import FusedOp, Op


def line_of(text):
    """This file's path and the number of the line that holds `text`, as messages write them."""
    lines = inspect.getsource(inspect.getmodule(line_of)).splitlines()
    (number,) = [i + 1 for i, line in enumerate(lines) if text in line and "line_of(" not in line]
    return re.escape(f"{__file__}:{number}")


def test_forward():
    x = mg.tensor([1.0, 0.0], requires_grad=True)
    with detect_anomaly(), pytest.raises(RuntimeError) as raised:
        y = x * 2
        z = y.log()  # the forward that fails
        z.sum()
    assert re.search(r"'log' made inf values in its forward.*" + line_of("# the forward that fails"), str(raised.value))
    assert "z = y.log()" in str(raised.value)


def test_the_first_op_is_named_not_those_after_it():
    with detect_anomaly(), pytest.raises(RuntimeError, match="'div' made nan values"):
        ((mg.zeros(2) / 0) + 1).sum().exp()


def test_inputs_that_are_anomalous_already_are_not_the_ops_fault():
    mask = mg.tensor([0.0, -float("inf")], requires_grad=True)
    with detect_anomaly():
        p = (mask + 1).softmax(0)
    assert p.tolist() == [1, 0]


def test_backward():
    x = mg.tensor([0.0, 1.0], requires_grad=True)
    with detect_anomaly():
        y = x.sqrt()  # the line whose gradient fails
        loss = (y * 0).sum()
        with pytest.raises(RuntimeError) as raised:
            loss.backward()
    assert re.search(
        r"Function 'sqrt' returned nan values in the gradient of its input 0.*" + line_of("# the line whose"),
        str(raised.value),
    )


def test_second_order():
    x = mg.tensor([0.0], requires_grad=True)
    with detect_anomaly():
        (g,) = mg.autograd.grad((x**1.5).sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match=r"anomaly: .*(returned|made) (nan|inf) values"):
            mg.autograd.grad(g.sum(), x)


def test_inside_a_module_the_users_line_is_named():
    layer = mg.nn.Linear(2, 2)
    with mg.no_grad():
        layer.weight.fill_(1e38)
    with detect_anomaly(), pytest.raises(RuntimeError) as raised:
        layer(mg.full((1, 2), 1e5))  # the call of the layer
    assert re.search(line_of("# the call of the layer"), str(raised.value))


def test_a_graph_from_before_the_mode():
    x = mg.tensor([0.0], requires_grad=True)
    loss = (x.sqrt() * 0).sum()
    with detect_anomaly(), pytest.raises(RuntimeError, match="a line before anomaly mode was on"):
        loss.backward()


def methods():
    return [kind.__dict__[name] for kind in (Op, FusedOp) for name in ("__call__", "vjp_on_arrays", "vjp_on_tensors")]


def test_the_plain_path_comes_back():
    plain = methods()
    with pytest.raises(KeyError), detect_anomaly():
        assert methods() != plain
        raise KeyError
    assert methods() == plain
    with detect_anomaly():
        with detect_anomaly():
            pass
        assert mg.is_anomaly_enabled()
    assert methods() == plain
    assert not mg.is_anomaly_enabled()
    noted = len(anomaly._lines)
    ((mg.zeros(1, requires_grad=True) / 0).sum() + 1).backward()
    assert len(anomaly._lines) == noted


def test_set_detect_anomaly():
    plain = methods()
    set_detect_anomaly(True)
    assert mg.is_anomaly_enabled()
    set_detect_anomaly(False)
    with set_detect_anomaly(True):
        assert mg.is_anomaly_enabled()
        with set_detect_anomaly(False):
            assert not mg.is_anomaly_enabled()
        assert mg.is_anomaly_enabled()
    assert methods() == plain


def test_check_nan_off_lets_values_pass():
    with detect_anomaly(check_nan=False):
        y = mg.zeros(1) / 0
    assert y.isnan().all()


def test_a_sound_step_passes():
    model = mg.nn.Sequential(mg.nn.Linear(3, 4), mg.nn.GELU(), mg.nn.LayerNorm(4), mg.nn.Linear(4, 2))
    with detect_anomaly():
        loss = mg.nn.functional.cross_entropy(model(mg.ones(5, 3)), mg.tensor([0, 1, 0, 1, 1]))
        loss.backward()
    plain = [p.grad.tolist() for p in model.parameters()]
    model.zero_grad()
    mg.nn.functional.cross_entropy(model(mg.ones(5, 3)), mg.tensor([0, 1, 0, 1, 1])).backward()
    assert [p.grad.tolist() for p in model.parameters()] == plain
