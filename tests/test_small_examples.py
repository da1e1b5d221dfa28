"""The scripts of examples/small: each runs (a step or two) and prints its figure beside a baseline's; their helpers."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import minigrad as mg

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "small"
FLAGS = {
    "anomaly": ["--epochs", "1"], "caption": ["--steps", "2"], "detect": ["--steps", "2"],
    "forecast": ["--epochs", "1"], "policy": ["--updates", "2"], "recommend": ["--epochs", "1"],
    "segment": ["--steps", "2"], "speech": ["--steps", "2"],
}  # fmt: skip
FIGURES = {
    "anomaly": r"ROC-AUC 0\.\d{3} \(wanted 0.95\), by distance from the mean 0\.\d{3}",
    "caption": r"captions right \d+\.\d%, always 'one' \d\.\d%",
    "detect": r"AP50 0\.\d{3} \(wanted 0.8\), of fixed boxes 0\.\d{4}",
    "forecast": r"mean absolute error \d\.\d{3}, as a week ago \(seasonal naive\) \d\.\d{3}",
    "policy": r"mean return \d+ \(wanted 400\), at random \d+",
    "recommend": r"recall@10: popularity 0\.\d{3}, matrix factorisation 0\.\d{3}, two towers 0\.\d{3}",
    "segment": r"mean IoU 0\.\d{3} \(wanted 0.9\), by brightness 0\.\d{3}",
    "speech": r"word error rate \d+\.\d% \(wanted 5 %\), of always 'zero one two' \d+\.\d%",
}


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"small_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_it_runs_and_prints_its_figure(name: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", [name, *FLAGS[name]])
    script(name).main()
    assert re.search(FIGURES[name] + r".*; \d+ s$", capsys.readouterr().out.splitlines()[-1])
    assert len((FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 120


def test_boxes_and_average_precision_by_hand() -> None:
    detect = script("detect")
    a, b = np.array([0, 0, 4, 4.0]), np.array([2, 0, 6, 4.0])
    assert detect.iou(a, a) == 1.0 and detect.iou(a, b) == pytest.approx(8 / 24) and detect.iou(a, a + 9) == 0
    every = np.arange(10).reshape(5, 2)
    boxes = np.tile(np.stack([a, b + 20]), (5, 1, 1))
    found = [(n, 1.0, every[n, j], boxes[n, j]) for n in range(5) for j in range(2)]
    assert detect.ap50(found, boxes, every) == 1.0
    assert detect.ap50(found + found, boxes, every) == 1.0  # second boxes come after the recall is complete
    assert detect.ap50([(n, s, c, box + 9) for n, s, c, box in found], boxes, every) == 0.0
    wrong_first = [(0, 2.0, every[0, 0], a + 9), *found]
    assert detect.ap50(wrong_first, boxes, every) == pytest.approx(0.95)  # one class has precision 1/2


def test_scenes_of_detection_hold_their_boxes() -> None:
    detect, rng = script("detect"), np.random.default_rng(0)
    canvas, boxes, classes = detect.scenes(mg.data.Digits(train=False), 20, rng)
    assert canvas.shape == (20, 1, 48, 48) and boxes.min() >= 0 and boxes.max() <= 48 and classes.shape == (20, 2)
    for n in range(20):
        assert detect.iou(*boxes[n]) == 0
        ink = np.zeros((48, 48), bool)
        for x, y, x2, y2 in boxes[n].astype(int):
            ink[y:y2, x:x2] = True
        assert canvas[n, 0][ink].mean() > 0.2 and abs(canvas[n, 0][~ink].mean()) < 0.03


def test_edits_and_text() -> None:
    speech = script("speech")
    for a, b, expected in (("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0)):
        assert speech.edits(list(a), list(b)) == expected
    letters = [0, 3, 3, 0, 3, 5, 5, 0, 0]
    assert speech.text_of(np.array(letters)) == "".join(speech.LETTERS[i - 1] for i in (3, 3, 5))


def test_a_pole_falls_and_a_balanced_one_is_symmetric() -> None:
    policy = script("policy")
    world = policy.CartPoles(2, np.random.default_rng(0))
    world.state = np.array([[0, 0, 0.1, 0], [0, 0, -0.1, 0.0]])
    for _ in range(10):
        world.step(np.array([True, False]))
    assert np.allclose(world.state[0], -world.state[1]) and world.alive.all()
    while world.alive.any():
        before = world.state.copy()
        world.step(np.array([True, False]))
    assert np.abs(world.state[:, 2]).max() > np.deg2rad(12) and not np.array_equal(before, world.state)
    assert world.step(np.array([True, False])).tolist() == [0, 0]
    assert policy.returns_to_go(np.ones((3, 1), np.float32), 0.5)[:, 0].tolist() == [1.75, 1.5, 1.0]


def test_recall_and_mean_iou() -> None:
    recommend, segment = script("recommend"), script("segment")
    scores = np.array([[9.0, 8, 7, 6, 5]])
    assert recommend.recall(scores, np.array([[0]]), np.array([[1, 4]]), k=2) == 0.5
    y = np.array([[0, 0, 1, 2]])
    assert segment.mean_iou(y, y) == pytest.approx(3 / 11)  # a class that does not occur counts as 0
    assert segment.mean_iou(np.array([[0, 1, 1, 2]]), y) == pytest.approx((1 / 2 + 1 / 2 + 1) / 11)
