"""word_vectors.py on a made-up text: words of one kind end up near each other; a stopped run resumes bit for bit."""

import os

import numpy as np
import pytest
from example_scripts import losses

import minigrad as mg

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
def nine_words(examples, monkeypatch):
    """All of them are frequent: none is skipped."""
    monkeypatch.setattr(examples.module("word_vectors"), "SKIP_ABOVE", 1.0)


def test_words_of_a_kind_are_near_each_other(tmp_path, text, examples, nine_words):
    flags = ["--data", text, *SMALL, "--steps", "150", "--near", "red"]
    output = examples.run("word_vectors", *flags, "--out", tmp_path / "out")
    assert "red: " in output and "scores above a drawn word" in output
    assert set(os.listdir(tmp_path / "out")) == {"checkpoint.mg", "loss.png", "vectors.mg"}
    saved = mg.load(tmp_path / "out" / "vectors.mg")
    embedding, nearest = mg.nn.Embedding.from_pretrained(saved["vectors"]), examples.module("word_vectors").nearest
    for kind in KINDS:
        for word in kind:
            assert {near for near, _ in nearest(embedding, saved["words"], word, 2)} == set(kind) - {word}


def test_resumes_bit_for_bit(tmp_path, text, examples, nine_words):
    flags = ["--data", text, *SMALL, "--steps", "8", "--eval-every", "4"]
    whole = losses(examples.run("word_vectors", *flags, "--out", tmp_path / "whole"))
    head = losses(examples.stopped("word_vectors", *flags, "--out", tmp_path / "half", after=5))
    rest = losses(examples.run("word_vectors", *flags, "--out", tmp_path / "half", "--resume"))
    assert head + rest == whole and len(head) == 5


def test_wrong_input_is_answered(tmp_path, text, examples):
    (tmp_path / "few.txt").write_text("one two", encoding="utf-8")
    for flags, said in (
        (["--data", tmp_path / "few.txt"], "too few"),
        (["--data", tmp_path / "none.txt"], "none.txt"),
        (["--data", text, "--near", "yellow"], "yellow does not occur"),
        (["--window", "0"], "--window must be at least 1"),
    ):
        assert said in examples.refused("word_vectors", *flags, "--out", tmp_path / "out")
