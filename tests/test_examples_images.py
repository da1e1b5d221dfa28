"""The scripts about pictures: a few steps on digits, resumed bit for bit, and given wrong input."""

import os
import signal

import pytest
from example_scripts import losses

import minigrad as mg

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


@pytest.mark.parametrize("name", RUNS)
def test_runs_and_writes_its_pictures(tmp_path, examples, name):
    flags, said, pictures = RUNS[name]
    output = examples.run(
        name, *DIGITS, *flags, "--out", tmp_path / "out", "--tensorboard", tmp_path / "board", "--print-losses"
    )
    assert said in output and losses(output) and os.listdir(tmp_path / "board")
    written = set(os.listdir(tmp_path / "out"))
    assert written == pictures | {"checkpoint.mg", "loss.png", "model.mg"}
    assert all((tmp_path / "out" / picture).stat().st_size > 500 for picture in pictures)


@pytest.mark.parametrize("name", RUNS)
def test_a_stopped_run_resumes_bit_for_bit(tmp_path, examples, name):
    flags = [*DIGITS, *RUNS[name][0], "--print-losses"]
    whole = losses(examples.run(name, *flags, "--out", tmp_path / "whole"))
    stop = len(whole) // 2 + 1
    head = losses(examples.stopped(name, *flags, "--out", tmp_path / "half", after=stop))
    rest = losses(examples.run(name, *flags, "--out", tmp_path / "half", "--resume"))
    assert head + rest == whole and len(head) == stop
    ours, theirs = (mg.load(tmp_path / folder / "model.mg") for folder in ("half", "whole"))
    ours, theirs = (each.get("model", each) for each in (ours, theirs))
    for key, value in theirs.items():
        if isinstance(value, mg.Tensor):
            assert mg.equal(ours[key], value), key


@pytest.mark.parametrize("model", ["resnet", "vit", "vgg"])
def test_every_model_takes_a_step(tmp_path, examples, model):
    size = ["--depth", "8"] if model == "resnet" else []
    flags = [*size, "--data", "digits", "--batch-size", "700", "--epochs", "1", "--model", model]
    assert "test: loss" in examples.run("train_images", *flags, "--out", tmp_path)


def test_search_is_interrupted_and_resumed(tmp_path, examples, monkeypatch, capsys):
    flags = [*DIGITS, "--epochs", "2", "--final-epochs", "1", "--pictures", "400", "--random", "2", "--trials", "3"]
    whole = examples.run("search", *flags, "--out", tmp_path / "whole")
    assert "3 trials" in whole and "test accuracy" in whole
    assert set(os.listdir(tmp_path / "whole")) == {"study.db", "search.png", "model.mg"}
    search = examples.module("search")
    train, calls = search.train, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return train(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(search, "train", interrupted)
        with pytest.raises(SystemExit):
            examples.run("search", *flags, "--out", tmp_path / "half")
    assert "--resume" in capsys.readouterr().out
    again = examples.run("search", *flags, "--out", tmp_path / "half", "--resume")
    said = [line for line in whole.splitlines() if "best: " in line or "test accuracy" in line]
    assert said and said == [line for line in again.splitlines() if "best: " in line or "test accuracy" in line]


def test_wrong_input_is_answered(tmp_path, examples):
    for flags, message in (
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--rare", "2"], "--rare must be in (0, 1]"),
        (["--cutout", "-1"], "--cutout must not be negative"),
        (["--data", "flowers"], "invalid choice"),
        ([*DIGITS, "--weights", tmp_path / "none.pth"], "none.pth"),
    ):
        assert message in examples.refused("train_images", *flags, "--out", tmp_path)
