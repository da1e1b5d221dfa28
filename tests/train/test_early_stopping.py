"""EarlyStopping: counts, resumes, and refuses senseless settings."""

import pytest

import minigrad as mg
from minigrad.train import EarlyStopping


def test_it_stops_after_patience_figures_without_a_better_one():
    stopping = EarlyStopping(patience=2)
    assert [stopping.step(v) for v in (3.0, 2.0, 2.5, 1.9, 1.9, mg.tensor(2.0))] == [False] * 5 + [True]
    assert stopping.best == 1.9 and stopping.best_step == 3 and stopping.waited == 2 and not stopping.improved


def test_higher_may_be_better_and_by_how_much():
    stopping = EarlyStopping(patience=2, mode="max", min_delta=0.5)
    assert [stopping.step(v) for v in (0.0, 0.4, 0.6, 1.0, 1.05)] == [False, False, False, False, True]
    assert stopping.best == 0.6
    assert repr(stopping) == "EarlyStopping(patience=2, mode='max', min_delta=0.5)"


def test_nan_is_never_better():
    stopping = EarlyStopping(patience=2)
    assert [stopping.step(float("nan")), stopping.step(float("nan"))] == [False, True]
    stopping = EarlyStopping(patience=3)
    stopping.step(1.0)
    assert not stopping.step(float("nan")) and stopping.best == 1.0


def test_resumed(tmp_path):
    values = [3.0, 2.0, 2.5, 2.4, 1.0, 1.1, 1.2, 1.3]
    whole, first, second = (EarlyStopping(patience=3) for _ in range(3))
    expected = [whole.step(v) for v in values]
    found = [first.step(v) for v in values[:3]]
    mg.save(first.state_dict(), tmp_path / "stopping.mg")
    second.load_state_dict(mg.load(tmp_path / "stopping.mg"))
    assert found + [second.step(v) for v in values[3:]] == expected and second.state_dict() == whole.state_dict()
    with pytest.raises(KeyError, match="best"):
        second.load_state_dict({})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patience": 0}, "at least 1, got 0"),
        ({"patience": 1.5}, "at least 1, got 1.5"),
        ({"patience": 1, "mode": "up"}, "mode must be 'min' .* or 'max' .*, got 'up'"),
        ({"patience": 1, "min_delta": -1}, "min_delta must be 0 or more, got -1"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**arguments)
