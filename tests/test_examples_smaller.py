"""quantize.py and distill.py on a small classifier: sizes, agreement, a student that is taught; and wrong input."""

import os
import signal
import sys
from pathlib import Path

import pytest

import minigrad as mg
from minigrad.text import WordTokenizer
from models.text_classifier import TextClassifier, TextClassifierConfig

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
LINES = [f"{label}\t{adjective} film {i}" for i in range(20)
         for label, adjective in (("good", "fine"), ("good", "great"), ("bad", "dull"), ("bad", "awful"))]  # fmt: skip


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text("label\ttext\n" + "\n".join(LINES) + "\n", encoding="utf-8")
    return path


def folder(path, labels):
    mg.manual_seed(0)
    tokenizer = WordTokenizer.from_texts([line.split("\t")[1] for line in LINES])
    model = TextClassifier(TextClassifierConfig(len(tokenizer), classes=2, channels=32, heads=2, hidden=64))
    model.eval().save(path, tokenizer, labels=labels)
    return path


@pytest.fixture
def run(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import quantize

    def call(*flags: object) -> str:
        monkeypatch.setattr(sys, "argv", ["quantize.py", *map(str, flags)])
        quantize.main()
        return capsys.readouterr().out

    yield call
    for name in ("quantize", "train_classifier", "training"):
        sys.modules.pop(name, None)


def test_sizes_and_agreement(tmp_path, table, run):
    output = run(folder(tmp_path / "model", ["bad", "good"]), "--data", table, "--repeats", "1")
    rows = {words[0]: words[1:] for words in map(str.split, output.splitlines()[2:])}
    size = {dtype: int(row[0].replace(",", "")) for dtype, row in rows.items()}
    assert size["bfloat16"] < 0.65 * size["float32"] and size["int8"] < 0.45 * size["float32"]
    assert rows["float32"][2] == "100.00%" and float(rows["int8"][2].rstrip("%")) >= 75


def test_wrong_input_is_answered(tmp_path, table, run):
    for flags, said in (
        ([tmp_path / "none", "--data", table], "there is no folder"),
        ([folder(tmp_path / "other", ["no", "yes"]), "--data", table], "knows no label 'bad'"),
        ([tmp_path / "none", "--data", tmp_path / "none.tsv"], "no such file"),
    ):
        with pytest.raises(SystemExit, match=said):
            run(*flags)


def test_a_student_is_taught_and_the_run_resumes(tmp_path, table, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import distill
    import training

    teacher = folder(tmp_path / "teacher", ["bad", "good"])

    def run(*flags: object) -> str:
        monkeypatch.setattr(sys, "argv", ["distill.py", *map(str, flags)])
        distill.main()
        return capsys.readouterr().out

    flags = [teacher, "--data", table, "--channels", "8", "--batch-size", "16", "--epochs", "2", "--print-losses"]
    losses = [line for line in run(*flags, "--out", tmp_path / "whole").splitlines() if line.startswith("loss ")]
    assert len(losses) == 16 and losses[:8] != losses[8:]
    record = training.Run.record

    def interrupted(self, step, loss, **others):
        record(self, step, loss, **others)
        if step == 2 and Path(self.path).parent.name == "taught":
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(training.Run, "record", interrupted)
    with pytest.raises(SystemExit):
        run(*flags, "--out", tmp_path / "half")
    head = [line for line in capsys.readouterr().out.splitlines() if line.startswith("loss ")]
    monkeypatch.setattr(training.Run, "record", record)
    rest = run(*flags, "--out", tmp_path / "half", "--resume")
    assert head + [line for line in rest.splitlines() if line.startswith("loss ")] == losses and len(head) == 11
    rows = {words[0]: words[1:] for words in map(str.split, rest.splitlines()[-4:-1])}
    assert set(rows) == {"teacher", "alone", "taught"} and rows["taught"][0] == rows["alone"][0]
    assert mg.pipeline(tmp_path / "half" / "taught" / "model")("a fine film")["label"] in ("bad", "good")
    with pytest.raises(SystemExit, match="there is no folder"):
        run(tmp_path / "none", "--data", table)
    for name in ("distill", "train_classifier", "training"):
        sys.modules.pop(name, None)
