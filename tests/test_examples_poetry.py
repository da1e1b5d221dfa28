"""train_poetry.py on made-up poems: trained, saved for the pipeline, resumed bit for bit, and given wrong input."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
TINY = ["--steps", "6", "--eval-every", "3", "--layers", "1", "--heads", "2", "--channels", "16", "--block-size", "26",
        "--batch-size", "8", "--poems", "3", "--print-losses"]  # fmt: skip


@pytest.fixture
def poems(tmp_path):
    rng = np.random.default_rng(0)
    line = lambda: "".join(rng.choice(list("天地玄黃宇宙洪荒日月盈昃"), 5))  # noqa: E731
    path = tmp_path / "poems.txt"
    path.write_text("\n".join(f"{line()}，{line()}。{line()}，{line()}。" for _ in range(100)), encoding="utf-8")
    return path


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import train_poetry

    yield train_poetry
    for name in ("train_poetry", "training"):
        sys.modules.pop(name, None)


@pytest.fixture
def run(script, monkeypatch, capsys):
    def call(*flags: object) -> str:
        monkeypatch.setattr(sys, "argv", ["train_poetry.py", *map(str, flags)])
        script.main()
        return capsys.readouterr().out

    return call


def losses(output: str) -> list[str]:
    return [line.split()[2] for line in output.splitlines() if line.startswith("loss ")]


def test_runs_and_resumes_bit_for_bit(tmp_path, poems, run, monkeypatch, capsys):
    whole = run("--data", poems, *TINY, "--out", tmp_path / "whole")
    assert "of all poems held out, 100%" in whole and len(losses(whole)) == 6
    assert set(os.listdir(tmp_path / "whole")) == {"checkpoint.mg", "loss.png", "model"}
    write = mg.pipeline(tmp_path / "whole" / "model")
    assert write("天地玄", max_new_tokens=3).startswith("天地玄")

    import training

    record = training.Run.record

    def interrupted(self, step, loss, **others):
        record(self, step, loss, **others)
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(training.Run, "record", interrupted)
    with pytest.raises(SystemExit):
        run("--data", poems, *TINY, "--out", tmp_path / "half")
    head = losses(capsys.readouterr().out)
    monkeypatch.setattr(training.Run, "record", record)
    rest = run("--data", poems, *TINY, "--out", tmp_path / "half", "--resume", "--first", "日月盈昃天，")
    assert head + losses(rest) == losses(whole) and "\n日月盈昃天，" in rest


def test_a_batch_begins_where_poems_do(script):
    tokenizer = script.CharacterTokenizer.from_texts(["abc", "de"], special_tokens={"eos_token": "\n"})
    poems = script.Poems(["abc", "de"], tokenizer, 3, mg.device("cpu"))
    x, y = poems.batch(np.array([0, 1]))
    assert [tokenizer.decode(row, skip_special_tokens=False) for row in x.tolist()] == ["abc", "de\n"]
    assert [tokenizer.decode(row, skip_special_tokens=False) for row in y.tolist()] == ["bc\n", "e\n\n"]


def test_forms(script):
    assert (
        script.is_regular("天地玄，宇宙洪。")
        and not script.is_regular("天地玄，宇宙。")
        and not script.is_regular("天")
    )


def test_wrong_input_is_answered(tmp_path, poems, run, capsys):
    (tmp_path / "few.txt").write_text("天地\n", encoding="utf-8")
    for flags, said in (
        (["--data", tmp_path / "few.txt"], "1 poems are too few"),
        (["--data", tmp_path / "none.txt"], "none.txt"),
        (["--data", poems, "--first", "貓"], "'貓'"),
        (["--data", poems, "--first", "天" * 30], "leaves no room in 26"),
        (["--channels", "15"], "must be a multiple of --heads"),
    ):
        with pytest.raises(SystemExit) as stop:
            run(*TINY, *flags, "--out", tmp_path / "out")
        assert said in str(stop.value) + capsys.readouterr().err
