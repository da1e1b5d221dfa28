"""The training scripts, run as a user runs them: a few steps each, resumed, interrupted, and given wrong input."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from example_scripts import losses

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
TINY = [
    "--layers",
    "1",
    "--channels",
    "16",
    "--heads",
    "2",
    "--block-size",
    "16",
    "--batch-size",
    "4",
    "--eval-every",
    "4",
    "--print-losses",
]


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the quick brown fox jumps over the lazy dog.\n" * 60, encoding="utf-8")
    return str(path)


def command(script: str, *flags: str) -> list[str]:
    return [sys.executable, os.path.join(ROOT, "examples", script), *flags]


def run(script: str, *flags: str) -> subprocess.CompletedProcess:
    return subprocess.run(command(script, *flags), capture_output=True, text=True, timeout=300)


def test_train_gpt_runs_saves_and_resumes(tmp_path, text_file):
    out = str(tmp_path / "whole")
    flags = [*TINY, "--data", text_file, "--steps", "8", "--sample-length", "40"]
    whole = run("train_gpt.py", *flags, "--out", out)
    assert whole.returncode == 0, whole.stderr
    assert "validation loss" in whole.stdout and "a bigram model's" in whole.stdout
    assert "of the words of this sample occur in the training text" in whole.stdout
    assert sorted(os.listdir(out)) == ["checkpoint.mg", "loss.png", "sample.txt"]
    assert os.path.getsize(os.path.join(out, "loss.png")) > 10_000
    assert len(losses(whole.stdout)) == 8

    # Ctrl-C after the third loss: the step is finished, the state saved, and the rest comes out as if nothing happened.
    stopped = str(tmp_path / "stopped")
    process = subprocess.Popen(
        command("train_gpt.py", *flags, "--out", stopped), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    head = []
    for line in process.stdout:
        head.append(line)
        if line.startswith("loss 3 "):
            process.send_signal(signal.SIGINT)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=300) == 130, errors
    assert "--resume" in head[-1] and "Traceback" not in errors
    rest = run("train_gpt.py", *flags, "--out", stopped, "--resume")
    assert rest.returncode == 0, rest.stderr
    assert losses("".join(head)) + losses(rest.stdout) == losses(whole.stdout)


def test_train_gpt_stops_at_nan_and_keeps_the_last_good_checkpoint(tmp_path, text_file):
    flags = [*TINY, "--data", text_file, "--out", str(tmp_path), "--sample-length", "0"]
    assert run("train_gpt.py", *flags, "--steps", "4").returncode == 0
    before = (tmp_path / "checkpoint.mg").read_bytes()
    broken = run("train_gpt.py", *flags, "--steps", "40", "--lr", "1e30", "--warmup", "0")
    assert broken.returncode == 1
    assert "the loss became" in broken.stderr and "at step" in broken.stderr and "checkpoint stays in" in broken.stderr
    assert (tmp_path / "checkpoint.mg").read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--resume"], "there is no checkpoint at"),
        (["--data", "no-such-file.txt"], "no such file: no-such-file.txt"),
        (["--steps", "0"], "--steps must be at least 1, got 0"),
        (["--lr", "nan"], "--lr must be 0 or a positive number, got nan"),
        (["--temperature", "-1"], "--temperature must be 0 or a positive number, got -1"),
        (["--heads", "3"], "--channels (128) must be a multiple of --heads (3)"),
        (["--device", "tpu"], "cpu, cuda"),
        (["--stpes", "3"], "unrecognized arguments: --stpes"),
    ],
)
def test_train_gpt_wrong_input_ends_with_a_sentence(tmp_path, flags, message):
    result = run("train_gpt.py", "--out", str(tmp_path / "out"), *flags)
    assert result.returncode != 0
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_train_gpt_names_the_place_of_what_is_no_utf8(tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 " * 50)
    result = run("train_gpt.py", "--out", str(tmp_path / "out"), "--data", str(tmp_path / "latin.txt"))
    assert result.returncode == 1 and "latin.txt is not UTF-8: byte 0xe9 at position 3 (line 1)" in result.stderr


def test_train_gpt_resume_refuses_other_settings(tmp_path, text_file):
    flags = [*TINY, "--data", text_file, "--out", str(tmp_path), "--steps", "4", "--sample-length", "0"]
    assert run("train_gpt.py", *flags).returncode == 0
    other = run("train_gpt.py", *flags, "--resume", "--channels", "32")
    assert other.returncode == 1 and "made with --channels 16, now --channels 32" in other.stderr
    (tmp_path / "checkpoint.mg").write_bytes((tmp_path / "checkpoint.mg").read_bytes()[:200])
    cut = run("train_gpt.py", *flags, "--resume")
    assert cut.returncode == 1 and "truncated" in cut.stderr and "Traceback" not in cut.stderr


def test_train_mlp_runs_and_resumes_on_digits(tmp_path):
    flags = ["--data", "digits", "--hidden", "16", "--batch-size", "256", "--print-losses"]
    board = str(tmp_path / "board")
    whole = run("train_mlp.py", *flags, "--epochs", "3", "--out", str(tmp_path / "whole"), "--tensorboard", board)
    assert any(name.startswith("events") for name in os.listdir(board))
    assert whole.returncode == 0, whole.stderr
    assert "epoch 3: test accuracy" in whole.stdout
    assert sorted(os.listdir(tmp_path / "whole")) == ["checkpoint.mg", "loss.png"]
    first = run("train_mlp.py", *flags, "--epochs", "2", "--out", str(tmp_path / "two"), "--capture")
    assert "captured: nothing of this step is on a GPU, it simply runs" in first.stderr
    rest = run("train_mlp.py", *flags, "--epochs", "3", "--out", str(tmp_path / "two"), "--resume")
    assert rest.returncode == 0, rest.stderr
    assert losses(first.stdout) + losses(rest.stdout) == losses(whole.stdout)


def test_train_mlp_learns_from_files_in_mnist_format(tmp_path, monkeypatch):
    """MNIST itself where the cache has it; else made-up images in the same files fail their checksum, and say so."""
    cache = os.environ.get("MINIGRAD_DATA")
    if cache and os.path.exists(os.path.join(cache, "mnist", "train-images-idx3-ubyte.gz")):
        result = run("train_mlp.py", "--epochs", "1", "--batch-size", "4096", "--out", str(tmp_path))
        assert result.returncode == 0, result.stderr
        accuracy = float(result.stdout.split("epoch 1: test accuracy ")[1].split("%")[0])
        assert accuracy > 70
        return
    folder = tmp_path / "cache" / "mnist"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(np.zeros(100, np.uint8).tobytes())
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "cache"))
    result = run("train_mlp.py", "--out", str(tmp_path))
    assert result.returncode != 0 and "train-images-idx3-ubyte.gz" in result.stderr


@pytest.mark.parametrize("script", ["train_gpt.py", "train_mlp.py"])
def test_help_says_what_each_flag_does(script):
    result = run(script, "--help")
    assert result.returncode == 0
    for flag in ("--out", "--resume", "--seed", "--device", "--data"):
        assert flag in result.stdout
