"""train_poetry.py on made-up poems: trained, saved for the pipeline, resumed bit for bit, and given wrong input."""

import os

import numpy as np
import pytest
from example_scripts import losses

import minigrad as mg

TINY = ["--steps", "6", "--eval-every", "3", "--layers", "1", "--heads", "2", "--channels", "16", "--block-size", "26",
        "--batch-size", "8", "--poems", "3", "--print-losses"]  # fmt: skip


@pytest.fixture
def poems(tmp_path):
    rng = np.random.default_rng(0)
    line = lambda: "".join(rng.choice(list("天地玄黃宇宙洪荒日月盈昃"), 5))  # noqa: E731
    path = tmp_path / "poems.txt"
    path.write_text("\n".join(f"{line()}，{line()}。{line()}，{line()}。" for _ in range(100)), encoding="utf-8")
    return path


def test_runs_and_resumes_bit_for_bit(tmp_path, poems, examples):
    whole = examples.run("train_poetry", "--data", poems, *TINY, "--out", tmp_path / "whole")
    assert "of all poems held out, 100%" in whole and len(losses(whole)) == 6
    assert set(os.listdir(tmp_path / "whole")) == {"checkpoint.mg", "loss.png", "model"}
    write = mg.pipeline(tmp_path / "whole" / "model")
    assert write("天地玄", max_new_tokens=3).startswith("天地玄")

    flags = ["--data", poems, *TINY, "--out", tmp_path / "half"]
    head = losses(examples.stopped("train_poetry", *flags, after=4))
    rest = examples.run("train_poetry", *flags, "--resume", "--first", "日月盈昃天，")
    assert head + losses(rest) == losses(whole) and len(head) == 4 and "\n日月盈昃天，" in rest


def test_a_batch_begins_where_poems_do(examples):
    script = examples.module("train_poetry")
    tokenizer = script.CharacterTokenizer.from_texts(["abc", "de"], special_tokens={"eos_token": "\n"})
    poems = script.Poems(["abc", "de"], tokenizer, 3, mg.device("cpu"))
    x, y = poems.batch(np.array([0, 1]))
    assert [tokenizer.decode(row, skip_special_tokens=False) for row in x.tolist()] == ["abc", "de\n"]
    assert [tokenizer.decode(row, skip_special_tokens=False) for row in y.tolist()] == ["bc\n", "e\n\n"]


def test_forms(examples):
    script = examples.module("train_poetry")
    assert (
        script.is_regular("天地玄，宇宙洪。")
        and not script.is_regular("天地玄，宇宙。")
        and not script.is_regular("天")
    )


def test_wrong_input_is_answered(tmp_path, poems, examples):
    (tmp_path / "few.txt").write_text("天地\n", encoding="utf-8")
    for flags, said in (
        (["--data", tmp_path / "few.txt"], "1 poems are too few"),
        (["--data", tmp_path / "none.txt"], "none.txt"),
        (["--data", poems, "--first", "貓"], "'貓'"),
        (["--data", poems, "--first", "天" * 30], "leaves no room in 26"),
        (["--channels", "15"], "must be a multiple of --heads"),
    ):
        assert said in examples.refused("train_poetry", *TINY, *flags, "--out", tmp_path / "out")
