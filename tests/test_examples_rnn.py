"""train_rnn.py: words and letters, resumed bit for bit, and given wrong input."""

import os
import signal
import sys
from pathlib import Path

import pytest

import minigrad as mg

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
TINY = ["--steps", "6", "--channels", "12", "--batch-size", "4", "--bptt", "8", "--eval-every", "3", "--samples", "5",
        "--print-losses"]  # fmt: skip


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    lines = [f"the {who} sat on the {where} ." for who in ("cat", "dog", "cow") for where in ("mat", "rug", "log")]
    path.write_text("\n".join(lines * 16), encoding="utf-8")
    return path


@pytest.fixture
def run(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import train_rnn

    def call(*flags: object) -> str:
        monkeypatch.setattr(sys, "argv", ["train_rnn.py", *map(str, flags)])
        train_rnn.main()
        return capsys.readouterr().out

    yield call
    for name in ("train_rnn", "training"):
        sys.modules.pop(name, None)


def losses(output: str) -> list[str]:
    return [line.split()[2] for line in output.splitlines() if line.startswith("loss ")]


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_words(tmp_path, text, run, cell):
    output = run("--data", text, *TINY, "--cell", cell, "--out", tmp_path / "out")
    assert "perplexity" in output and len(losses(output)) == 6
    assert set(os.listdir(tmp_path / "out")) == {"checkpoint.mg", "loss.png", "model"}
    assert mg.pipeline(tmp_path / "out" / "model")("the cat", max_new_tokens=3).startswith("the cat")


def test_resumes_bit_for_bit(tmp_path, text, run, monkeypatch, capsys):
    whole = losses(run("--data", text, *TINY, "--out", tmp_path / "whole"))
    import training

    record = training.Run.record

    def interrupted(self, step, loss, **others):
        record(self, step, loss, **others)
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(training.Run, "record", interrupted)
    with pytest.raises(SystemExit):
        run("--data", text, *TINY, "--out", tmp_path / "half")
    head = losses(capsys.readouterr().out)
    monkeypatch.setattr(training.Run, "record", record)
    rest = losses(run("--data", text, *TINY, "--out", tmp_path / "half", "--resume"))
    assert head + rest == whole and len(head) == 4


def test_wrong_input_is_answered(tmp_path, run, capsys):
    with pytest.raises(SystemExit):
        run("--dropout", "1.5")
    assert "--dropout must be in [0, 1)" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        run("--data", tmp_path / "none.txt", "--out", tmp_path)
    assert "none.txt" in str(stop.value) + capsys.readouterr().err
