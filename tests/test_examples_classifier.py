"""train_classifier.py on a small table: it learns, saves what a pipeline needs, resumes bit for bit, stops early."""

import argparse
import os
import subprocess
import sys

import numpy as np
import pytest
from example_scripts import losses

import minigrad as mg

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
TINY = ["--channels", "16", "--heads", "2", "--hidden", "16", "--batch-size", "8", "--print-losses", "--lr", "0.01"]


@pytest.fixture
def table(tmp_path):
    words = {"good": ["fine", "great", "lovely"], "bad": ["dull", "awful", "boring"]}
    lines = [
        f"{label}\t{'a ' * (i % 3)}{adjective} film number {i}" for i in range(40) for label in words
        for adjective in words[label]
    ]  # fmt: skip
    path = tmp_path / "table.tsv"
    path.write_text("label\ttext\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def run(*flags):
    command = [sys.executable, os.path.join(ROOT, "examples", "train_classifier.py"), *map(str, flags)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_learns_saves_and_resumes(tmp_path, table):
    out = tmp_path / "whole"
    whole = run("--data", table, *TINY, "--epochs", 2, "--out", out, "--tensorboard", tmp_path / "board")
    assert whole.returncode == 0, whole.stderr
    accuracy = float(whole.stdout.split("accuracy ")[-1].split("%")[0])
    assert accuracy > 90 and "the most frequent class alone: 50.0% of the test" in whole.stdout
    assert sorted(os.listdir(out)) == ["checkpoint.mg", "loss.png", "model"]
    classify = mg.pipeline(out / "model")
    assert classify("a great film")["label"] == "good" and classify("an awful film")["label"] == "bad"
    assert os.listdir(tmp_path / "board")
    assert classify.max_length == 256  # texts are cut where training cut them

    sys.path.insert(0, os.path.join(ROOT, "examples"))
    from train_classifier import Batches, evaluate, read_splits

    test = read_splits(table, 1337)[0]["test"]
    settings = argparse.Namespace(max_length=256, batch_size=8, seed=0)
    batches = Batches(test, classify.tokenizer, settings, mg.device("cpu"))
    loss = np.mean([-np.log(found["probabilities"][("bad", "good")[label]])
                    for found, label in zip(classify(test[0]), test[1], strict=True)])  # fmt: skip
    assert evaluate(classify.model, batches)[0] == pytest.approx(loss, rel=1e-4)  # a pipeline reads as training does

    # The state after the first epoch, made by killing the run that writes it: resumed, the rest comes out the same.
    half = tmp_path / "half"
    command = [sys.executable, "-u", os.path.join(ROOT, "examples", "train_classifier.py"), "--data", table, *TINY]
    with subprocess.Popen(
        [*command, "--epochs", "2", "--out", str(half)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        for line in process.stdout:
            if "validation loss" in line:
                break
        while not (half / "checkpoint.mg").exists():
            pass
        process.kill()
    rest = run("--data", table, *TINY, "--epochs", 2, "--out", half, "--resume")
    assert rest.returncode == 0, rest.stderr
    assert losses(rest.stdout) == losses(whole.stdout)[-len(losses(rest.stdout)) :] and losses(rest.stdout)


def test_one_logit_class_weights_and_an_early_end(tmp_path, table):
    flags = ["--data", table, "--preset", "wide", *TINY, "--class-weights", "--l1", "1e-5", "--patience", "1"]
    done = run(*flags, "--epochs", 12, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    epochs = done.stdout.count("validation loss")
    assert 2 <= epochs < 12  # at 100 % it cannot get better
    again = run(*flags, "--epochs", 12, "--out", tmp_path / "out", "--resume")
    assert again.returncode == 0 and not losses(again.stdout)  # it had ended, and ends again
    assert again.stdout.splitlines()[-2] == done.stdout.splitlines()[-2]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data", "none.tsv"], "no such file: none.tsv (or one of: sst2, chnsenticorp, imdb)"),
        (["--dropout", "1"], "--dropout must be in [0, 1), got 1.0"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--pooling", "sum"], "pooling must be one of mean, max, first, got 'sum'"),
        (["--heads", "5"], "multiple of heads (5)"),
    ],
)
def test_wrong_input_ends_with_a_sentence(tmp_path, table, flags, message):
    given = flags if "--data" in flags else ["--data", table, *flags]
    done = run("--out", tmp_path, *given)
    assert done.returncode != 0 and message in done.stderr and "Traceback" not in done.stderr
