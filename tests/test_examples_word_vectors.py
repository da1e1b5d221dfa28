"""word_vectors.py on a made-up text: words of one kind end up near each other; a stopped run resumes bit for bit."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
KINDS = [["red", "green", "blue"], ["cat", "dog", "cow"], ["one", "two", "six"]]
SMALL = ["--batch-size", "256", "--channels", "8", "--window", "2", "--print-losses", "--lr", "0.02"]


@pytest.fixture
def text(tmp_path):
    """Runs of words of one kind."""
    rng = np.random.default_rng(0)
    path = tmp_path / "text.txt"
    path.write_text(
        " ".join(" ".join(rng.choice(KINDS[k], 12)) for k in rng.integers(len(KINDS), size=400)), encoding="utf-8"
    )
    return path


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import word_vectors

    monkeypatch.setattr(word_vectors, "SKIP_ABOVE", 1.0)  # nine words: all are frequent
    yield word_vectors
    for name in ("word_vectors", "training"):
        sys.modules.pop(name, None)


@pytest.fixture
def run(script, monkeypatch, capsys):
    def call(*flags: object) -> str:
        monkeypatch.setattr(sys, "argv", ["word_vectors.py", *map(str, flags)])
        script.main()
        return capsys.readouterr().out

    return call


def losses(output: str) -> list[str]:
    return [line.split()[2] for line in output.splitlines() if line.startswith("loss ")]


def test_words_of_a_kind_are_near_each_other(tmp_path, text, run, script):
    output = run("--data", text, *SMALL, "--steps", "150", "--out", tmp_path / "out", "--near", "red")
    assert "red: " in output and "scores above a drawn word" in output
    assert set(os.listdir(tmp_path / "out")) == {"checkpoint.mg", "loss.png", "vectors.mg"}
    saved = mg.load(tmp_path / "out" / "vectors.mg")
    embedding = mg.nn.Embedding.from_pretrained(saved["vectors"])
    for kind in KINDS:
        for word in kind:
            assert {near for near, _ in script.nearest(embedding, saved["words"], word, 2)} == set(kind) - {word}


def test_resumes_bit_for_bit(tmp_path, text, run, monkeypatch, capsys):
    flags = ["--data", text, *SMALL, "--steps", "8", "--eval-every", "4"]
    whole = losses(run(*flags, "--out", tmp_path / "whole"))
    import training

    record = training.Run.record

    def interrupted(self, step, loss, **others):
        record(self, step, loss, **others)
        if step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(training.Run, "record", interrupted)
    with pytest.raises(SystemExit):
        run(*flags, "--out", tmp_path / "half")
    head = losses(capsys.readouterr().out)
    monkeypatch.setattr(training.Run, "record", record)
    assert head + losses(run(*flags, "--out", tmp_path / "half", "--resume")) == whole and len(head) == 5


def test_wrong_input_is_answered(tmp_path, text, run, capsys):
    (tmp_path / "few.txt").write_text("one two", encoding="utf-8")
    for flags, said in (
        (["--data", tmp_path / "few.txt"], "too few"),
        (["--data", tmp_path / "none.txt"], "none.txt"),
        (["--data", text, "--near", "yellow"], "yellow does not occur"),
        (["--window", "0"], "--window must be at least 1"),
    ):
        with pytest.raises(SystemExit) as stop:
            run(*flags, "--out", tmp_path / "out")
        assert said in str(stop.value) + capsys.readouterr().err
