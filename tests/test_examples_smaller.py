"""quantize.py and distill.py on a small classifier: sizes, agreement, a student that is taught; and wrong input."""

import pytest
from example_scripts import losses

import minigrad as mg
from minigrad.text import WordTokenizer
from models.text_classifier import TextClassifier, TextClassifierConfig

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


def test_sizes_and_agreement(tmp_path, table, examples):
    output = examples.run("quantize", folder(tmp_path / "model", ["bad", "good"]), "--data", table, "--repeats", "1")
    rows = {line[:11].strip(): line[11:].split() for line in output.splitlines()[2:]}
    size = {way: int(row[0].replace(",", "")) for way, row in rows.items()}
    assert size["bfloat16"] < 0.65 * size["float32"] and size["int8"] < 0.45 * size["float32"]
    assert size["80 % zeros"] < size["50 % zeros"] < size["float32"]
    assert rows["float32"][2] == "100.00%" and float(rows["int8"][2].rstrip("%")) >= 75


def test_wrong_input_is_answered(tmp_path, table, examples):
    other, none = folder(tmp_path / "other", ["no", "yes"]), tmp_path / "none"
    assert "there is no folder" in examples.refused("quantize", none, "--data", table)
    assert "knows no label 'bad'" in examples.refused("quantize", other, "--data", table)
    assert "--prune takes shares between 0 and 1, got 1.5" in examples.refused("quantize", other, "--prune", "1.5")
    assert "no such file" in examples.refused("quantize", none, "--data", tmp_path / "none.tsv")
    assert "there is no folder" in examples.refused("distill", none, "--data", table)


def test_a_student_is_taught_and_the_run_resumes(tmp_path, table, examples):
    teacher = folder(tmp_path / "teacher", ["bad", "good"])
    flags = [teacher, "--data", table, "--channels", "8", "--batch-size", "16", "--epochs", "2", "--print-losses"]
    whole = losses(examples.run("distill", *flags, "--out", tmp_path / "whole"))
    assert len(whole) == 16 and whole[:8] != whole[8:]
    head = losses(examples.stopped("distill", *flags, "--out", tmp_path / "half", after=3, of="taught"))
    rest = examples.run("distill", *flags, "--out", tmp_path / "half", "--resume")
    assert head + losses(rest) == whole and len(head) == 11
    rows = {words[0]: words[1:] for words in map(str.split, rest.splitlines()[-4:-1])}
    assert set(rows) == {"teacher", "alone", "taught"} and rows["taught"][0] == rows["alone"][0]
    assert mg.pipeline(tmp_path / "half" / "taught" / "model")("a fine film")["label"] in ("bad", "good")
