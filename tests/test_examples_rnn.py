"""train_rnn.py: words and letters, resumed bit for bit, and given wrong input."""

import os

import pytest
from example_scripts import losses

import minigrad as mg

TINY = ["--steps", "6", "--channels", "12", "--batch-size", "4", "--bptt", "8", "--eval-every", "3", "--samples", "5",
        "--print-losses"]  # fmt: skip


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    lines = [f"the {who} sat on the {where} ." for who in ("cat", "dog", "cow") for where in ("mat", "rug", "log")]
    path.write_text("\n".join(lines * 16), encoding="utf-8")
    return path


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_words(tmp_path, text, examples, cell):
    output = examples.run("train_rnn", "--data", text, *TINY, "--cell", cell, "--out", tmp_path / "out")
    assert "perplexity" in output and len(losses(output)) == 6
    assert set(os.listdir(tmp_path / "out")) == {"checkpoint.mg", "loss.png", "model"}
    assert mg.pipeline(tmp_path / "out" / "model")("the cat", max_new_tokens=3).startswith("the cat")


def test_resumes_bit_for_bit(tmp_path, text, examples):
    whole = losses(examples.run("train_rnn", "--data", text, *TINY, "--out", tmp_path / "whole"))
    head = losses(examples.stopped("train_rnn", "--data", text, *TINY, "--out", tmp_path / "half", after=4))
    rest = losses(examples.run("train_rnn", "--data", text, *TINY, "--out", tmp_path / "half", "--resume"))
    assert head + rest == whole and len(head) == 4


def test_wrong_input_is_answered(tmp_path, examples):
    assert "--dropout must be in [0, 1)" in examples.refused("train_rnn", "--dropout", "1.5")
    assert "none.txt" in examples.refused("train_rnn", "--data", tmp_path / "none.txt", "--out", tmp_path)
