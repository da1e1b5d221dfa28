"""The scripts about pictures: a few steps on digits, resumed bit for bit, and given wrong input."""

import importlib
import os
import signal
import sys
from pathlib import Path

import pytest

import minigrad as mg

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
DIGITS = ["--data", "digits", "--batch-size", "256"]
RUNS = {  # flags, what is said at the end, what is written besides the checkpoint, the picture of losses and the model
    "train_images": (["--epochs", "2", "--mixup", "0.2", "--cutout", "3", "--rotate", "10", "--balance", "sampler"],
                     "each class counted alike", {"confusion.png", "augmented.png"}),
    "train_vae": (["--epochs", "2", "--hidden", "16", "--latent", "4"], "nats a picture",
                  {"samples.png", "again.png", "between.png"}),
    "train_gan": (["--epochs", "2", "--width", "8", "--noise", "8"], "saved in", {"epoch-01.png", "epoch-02.png"}),
    "train_diffusion": (["--steps", "4", "--width", "8", "--eval-every", "2", "--sample-steps", "4"], "saved in",
                        {"step-00002.png", "step-00004.png", "samples.png", "few-steps.png"}),
}  # fmt: skip


@pytest.fixture
def script(monkeypatch):
    """script(name, flags...) runs an example in this process."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    before = set(sys.modules)

    def run(name: str, *flags: object) -> None:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, flags)])
        importlib.import_module(name).main()

    yield run
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "") or "").startswith(str(EXAMPLES)):
            del sys.modules[name]


def losses(output: str) -> list[str]:
    return [line.split()[2] for line in output.splitlines() if line.startswith("loss ")]


@pytest.mark.parametrize("name", RUNS)
def test_runs_and_writes_its_pictures(tmp_path, script, capsys, name):
    flags, said, pictures = RUNS[name]
    script(name, *DIGITS, *flags, "--out", tmp_path / "out", "--tensorboard", tmp_path / "board", "--print-losses")
    output = capsys.readouterr().out
    assert said in output and losses(output) and os.listdir(tmp_path / "board")
    written = set(os.listdir(tmp_path / "out"))
    assert written == pictures | {"checkpoint.mg", "loss.png", "model.mg"}
    assert all((tmp_path / "out" / picture).stat().st_size > 500 for picture in pictures)


@pytest.mark.parametrize("name", RUNS)
def test_a_stopped_run_resumes_bit_for_bit(tmp_path, script, capsys, monkeypatch, name):
    flags = [*DIGITS, *RUNS[name][0], "--print-losses"]
    script(name, *flags, "--out", tmp_path / "whole")
    whole = losses(capsys.readouterr().out)
    import training

    record, stop = training.Run.record, len(whole) // 2 + 1

    def interrupted(self, step, loss, **others):
        record(self, step, loss, **others)
        if step + 1 == stop:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(training.Run, "record", interrupted)
    with pytest.raises(SystemExit) as stopped:
        script(name, *flags, "--out", tmp_path / "half")
    assert stopped.value.code == 130
    head = losses(capsys.readouterr().out)
    monkeypatch.setattr(training.Run, "record", record)
    script(name, *flags, "--out", tmp_path / "half", "--resume")
    rest = losses(capsys.readouterr().out)
    assert head + rest == whole and len(head) == stop
    ours, theirs = (mg.load(tmp_path / folder / "model.mg") for folder in ("half", "whole"))
    ours, theirs = (each.get("model", each) for each in (ours, theirs))
    for key, value in theirs.items():
        if isinstance(value, mg.Tensor):
            assert mg.equal(ours[key], value), key


@pytest.mark.parametrize("model", ["resnet", "vit", "vgg"])
def test_every_model_takes_a_step(tmp_path, script, capsys, model):
    size = ["--depth", "8"] if model == "resnet" else []
    script("train_images", "--data", "digits", "--batch-size", "700", "--epochs", "1", "--model", model, *size,
           "--out", tmp_path)  # fmt: skip
    assert "test: loss" in capsys.readouterr().out


def test_search_is_interrupted_and_resumed(tmp_path, script, capsys, monkeypatch):
    pytest.importorskip("optuna")
    flags = [*DIGITS, "--epochs", "2", "--final-epochs", "1", "--pictures", "400", "--random", "2"]
    script("search", *flags, "--trials", "3", "--out", tmp_path / "whole")
    whole = capsys.readouterr().out
    assert "3 trials" in whole and "test accuracy" in whole
    assert set(os.listdir(tmp_path / "whole")) == {"study.db", "search.png", "model.mg"}
    import search

    train, calls = search.train, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return train(*args, **kwargs)

    monkeypatch.setattr(search, "train", interrupted)
    with pytest.raises(SystemExit):
        script("search", *flags, "--trials", "3", "--out", tmp_path / "half")
    assert "--resume" in capsys.readouterr().out
    monkeypatch.setattr(search, "train", train)
    script("search", *flags, "--trials", "3", "--out", tmp_path / "half", "--resume")
    again = capsys.readouterr().out
    said = [line for line in whole.splitlines() if "best: " in line or "test accuracy" in line]
    assert said and said == [line for line in again.splitlines() if "best: " in line or "test accuracy" in line]


def test_wrong_input_is_answered(tmp_path, script, capsys):
    for flags, message in (
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--rare", "2"], "--rare must be in (0, 1]"),
        (["--cutout", "-1"], "--cutout must not be negative"),
        (["--data", "flowers"], "invalid choice"),
    ):
        with pytest.raises(SystemExit):
            script("train_images", *flags, "--out", tmp_path)
        assert message in capsys.readouterr().err
    missing = tmp_path / "none.pth"
    with pytest.raises(SystemExit) as stop:
        script("train_images", *DIGITS, "--weights", missing, "--out", tmp_path)
    assert "none.pth" in str(stop.value) + capsys.readouterr().err
