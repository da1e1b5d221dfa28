"""The scripts that train an encoder-decoder: a few steps on made-up pairs, stopped, resumed, and given wrong input."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from example_scripts import losses

import minigrad as mg

pytest.importorskip("tokenizers")
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
TINY = ["--layers", "1", "--channels", "16", "--heads", "2", "--hidden", "16", "--vocabulary", "300", "--warmup", "4",
        "--beams", "2", "--average", "0.5", "--print-losses"]  # fmt: skip
WRITTEN = ["attention.png", "checkpoint.mg", "loss.png", "model"]


@pytest.fixture
def pairs_file(tmp_path):
    """A language whose words are those of the other, spelt backwards."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcde"), 3)) for _ in range(12)]
    rows = [[words[i].capitalize() for i in rng.integers(12, size=rng.integers(2, 6))] for _ in range(60)]
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{' '.join(row)}\t{' '.join(w[::-1] for w in row)}\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def scripts(monkeypatch):
    """The scripts as modules, run in this process: four runs of each take seconds that way, not a minute."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import sequences
    import train_summary
    import train_translation
    import training

    yield {"train_translation.py": train_translation, "train_summary.py": train_summary, "training": training,
           "sequences": sequences}  # fmt: skip
    for name in ("train_translation", "train_summary", "sequences", "training"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("script", "flags", "said", "shown"),
    [
        ("train_translation.py", ["--epochs", "2", "--batch-tokens", "120"], "test BLEU", "\n> "),
        (
            "train_summary.py",
            ["--steps", "8", "--batch-size", "8", "--eval-every", "4"],
            "words as the title",
            "model:  ",
        ),
    ],
)
def test_runs_stops_and_resumes_bit_for_bit(
    tmp_path, pairs_file, scripts, monkeypatch, capsys, script, flags, said, shown
):
    def run(out: str, *more: str) -> str:
        monkeypatch.setattr(sys, "argv", [script, "--data", pairs_file, *TINY, *flags, "--out", out, *more])
        scripts[script].main()
        return capsys.readouterr().out

    out = str(tmp_path / "whole")
    whole = run(out, "--tensorboard", str(tmp_path / "board"))
    assert said in whole
    assert sorted(os.listdir(out)) == WRITTEN and os.listdir(tmp_path / "board")
    assert all(os.path.getsize(os.path.join(out, name)) > 5_000 for name in ("attention.png", "loss.png"))

    # The folder holds all that writing needs.
    from minigrad.text import load_tokenizer
    from models.transformer import Transformer

    model, tokenizer = Transformer.load(os.path.join(out, "model")), load_tokenizer(os.path.join(out, "model"))
    sequences = scripts["sequences"]
    source = sequences.pairs_of_file(pairs_file, 1337)[2][0][0]
    (written,) = sequences.write(model, tokenizer, [sequences.ids_of(tokenizer, source)], num_beams=2)
    assert len(tokenizer) == model.config.vocab_size and f"{shown}{written}\n" in whole

    # Ctrl-C after all but three losses, when weights are being averaged already: the rest is as if nothing happened.
    record, total = scripts["training"].Run.record, len(losses(whole))

    def interrupted(self, step, loss, **others):
        record(self, step, loss, **others)
        if step + 1 == total - 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(scripts["training"].Run, "record", interrupted)
    with pytest.raises(SystemExit) as stop:
        run(str(tmp_path / "stopped"))
    head = capsys.readouterr().out
    assert stop.value.code == 130 and "--resume" in head
    monkeypatch.setattr(scripts["training"].Run, "record", record)
    rest = run(str(tmp_path / "stopped"), "--resume")
    assert losses(head) + losses(rest) == losses(whole) and len(losses(rest)) == 3
    for name, there in mg.load(os.path.join(out, "checkpoint.mg"))["kept"]["average"].items():
        assert mg.equal(there, mg.load(tmp_path / "stopped" / "checkpoint.mg")["kept"]["average"][name]), name

    # A finished run goes straight to its end, where other beams may be asked for; a flag that made it may not change.
    again = run(out, "--resume", "--beams", "1")
    assert not losses(again) and "saved in" in again
    with pytest.raises(SystemExit, match="made with --seed 1337, now --seed 3"):
        run(out, "--resume", "--seed", "3")


def test_batches_hold_every_pair_once_and_repeat(scripts):
    from models.transformer import Transformer, TransformerConfig

    rng = np.random.default_rng(0)
    sources = [[3 + i % 7] * rng.integers(1, 9) for i in range(50)]
    targets = [[i + 3] * rng.integers(1, 9) for i in range(50)]
    model = Transformer(
        TransformerConfig(vocab_size=60, encoder_layers=1, decoder_layers=1, heads=2, channels=4, hidden=4)
    )
    batches = scripts["sequences"].Batches(sources, targets, model, 60, seed=5)
    again = scripts["sequences"].Batches(sources, targets, model, 60, seed=5)
    orders = []
    for epoch in range(2):
        seen = []
        for step in range(epoch * len(batches), (epoch + 1) * len(batches)):
            batch = batches.at(step)
            assert batch["source"].numel() + batch["tokens"].numel() <= 60
            assert mg.equal(batch["tokens"], again.at(step)["tokens"])
            assert (batch["tokens"][:, 0] == 1).all() and (batch["targets"][batch["mask"]] != 0).all()
            assert (batch["mask"].sum(1) == (batch["targets"] != 0).sum(1)).all()
            seen += (batch["tokens"][:, 1] - 3).tolist()
        assert sorted(seen) == list(range(50))
        orders.append(seen)
    assert orders[0] != orders[1]
    assert len(list(batches.in_order())) == len(batches)


def test_the_mean_loss_weighs_tokens_not_batches(scripts):
    from models.transformer import Transformer, TransformerConfig

    model = Transformer(
        TransformerConfig(vocab_size=9, encoder_layers=1, decoder_layers=1, heads=2, channels=4, hidden=4)
    )
    sequences = scripts["sequences"]
    sources, targets = [[3], [4, 5], [6, 7, 8, 3]], [[3, 4, 5, 6, 7], [8], [3, 3]]
    many, one = (sequences.Batches(sources, targets, model, size, 0) for size in (1, 10_000))
    assert len(many) == 3 and len(one) == 1
    assert sequences.mean_loss(model, many) == pytest.approx(sequences.mean_loss(model, one), rel=1e-5)


def test_rouge_l(scripts):
    rouge_l = scripts["train_summary.py"].rouge_l
    assert rouge_l("police kill the gunman", "police killed the gunman") == pytest.approx(3 / 4)  # Lin's own example
    assert rouge_l("the gunman kill police", "police killed the gunman") == pytest.approx(2 / 4)  # and order counts
    assert rouge_l("The Moon (1902)", "moon 1902 !") == pytest.approx(4 / 5)
    assert rouge_l("", "a") == rouge_l("a", "b") == rouge_l("", "") == 0.0


def test_swapped_words_are_the_same_in_text_and_title(scripts):
    script = scripts["train_summary.py"]
    pair = ("The Moon Rabbit is in Japan , and the Moon in China .", "Moon Rabbit")
    rng = np.random.default_rng(0)
    text, title = script.swapped(pair, 0.999, ["Xa", "Yb", "Zc"], rng)
    first, second = title.split()
    assert {first, second} <= {"Xa", "Yb", "Zc"}
    assert text.startswith(f"The {first} {second} is in ") and f"and the {first} in" in text
    assert script.swapped(pair, 0.0, ["Xa"], rng) == pair
    assert script.plain("a role @-@ playing <unk> of 1 @,@ 000") == "a role-playing unk of 1,000"


def test_pairs_of_a_file_share_nothing(scripts, tmp_path):
    sequences, path = scripts["sequences"], tmp_path / "pairs.tsv"
    path.write_text("".join(f"s{i % 40}\tt{i % 40}\n" for i in range(100)) + "\n", encoding="utf-8")
    parts = sequences.pairs_of_file(str(path), 0)
    assert [len(part) for part in parts] == [36, 2, 2]
    assert len({pair for part in parts for pair in part}) == 40
    assert parts == sequences.pairs_of_file(str(path), 0) != sequences.pairs_of_file(str(path), 1)
    for text, message in (("a\tb\nc\n", "line 2: expected 'source<TAB>target', got 'c'"), ("a\tb\n", "1 different")):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            sequences.pairs_of_file(str(path), 0)


@pytest.mark.parametrize("script", ["train_translation.py", "train_summary.py"])
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data", "no-such-file.tsv"], "--data: no such file: no-such-file.tsv"),
        (["--heads", "0"], "--heads must be at least 1, got 0"),
        (["--average", "1.5"], "--average must be in [0, 1), got 1.5"),
        (["--heads", "3"], "must be a multiple of heads (3)"),
        (["--resume"], "there is no checkpoint at"),
    ],
    ids=["file", "heads", "average", "sizes", "resume"],
)
def test_wrong_input_ends_with_a_sentence(scripts, pairs_file, tmp_path, monkeypatch, capsys, script, flags, message):
    data = [] if "--data" in flags else ["--data", pairs_file]
    monkeypatch.setattr(sys, "argv", [script, *TINY, "--out", str(tmp_path), *data, *flags])
    with pytest.raises(SystemExit) as end:
        scripts[script].main()
    assert message in f"{end.value} {capsys.readouterr().err}"


@pytest.mark.parametrize("script", ["train_translation.py", "train_summary.py"])
def test_help(script):
    result = subprocess.run([sys.executable, str(EXAMPLES / script), "--help"], capture_output=True, text=True)
    assert result.returncode == 0
    for flag in ("--out", "--resume", "--seed", "--device", "--tensorboard", "--data"):
        assert flag in result.stdout
