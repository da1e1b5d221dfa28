"""pretrain_bert.py, finetune_bert.py and train_qa.py on made-up texts: learn, save, resume bit for bit, refuse."""

import os
import re

import numpy as np
import pytest
from example_scripts import losses

import minigrad as mg
from minigrad import lora
from models.bert import (
    IGNORED,
    Bert,
    BertConfig,
    BertForPreTraining,
    BertForSequenceClassification,
    start_small,
)

SIZES = ["--layers", "1", "--heads", "2", "--channels", "16", "--hidden", "16", "--batch-size", "8"]
PRETRAIN = [*SIZES, "--steps", "6", "--eval-every", "3", "--length", "24", "--context", "48", "--print-losses"]
FINETUNE = ["--epochs", "4", "--batch-size", "8", "--lr", "0.005", "--head-lr", "0.02", "--dropout", "0",
            "--print-losses"]  # fmt: skip
ADJECTIVES = {"good": ["fine", "great", "lovely"], "bad": ["dull", "awful", "boring"]}


@pytest.fixture
def texts(tmp_path):
    rng = np.random.default_rng(0)
    words = [word for many in ADJECTIVES.values() for word in many]
    lines = [" ".join(f"a {words[rng.integers(6)]} film number {i} ." for _ in range(4)) for i in range(60)]
    path = tmp_path / "texts.txt"
    path.write_text("\n\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def table(tmp_path):
    lines = [
        f"{label}\ta {word} film number {i}" for i in range(30) for label in ADJECTIVES for word in ADJECTIVES[label]
    ]
    path = tmp_path / "table.tsv"
    path.write_text("label\ttext\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path, texts, examples):
    """What pretrain_bert.py writes."""
    examples.run("pretrain_bert", "--data", texts, *PRETRAIN, "--out", tmp_path / "pretrained")
    return tmp_path / "pretrained" / "model"


# ---------------------------------------------------------------- pretrain_bert.py


def test_pretraining_runs_and_resumes_bit_for_bit(tmp_path, texts, examples):
    board = tmp_path / "board"
    whole = examples.run(
        "pretrain_bert", "--data", texts, *PRETRAIN, "--out", tmp_path / "whole", "--tensorboard", board
    )
    assert len(losses(whole)) == 6 and "hidden, guessed:" in whole and os.listdir(board)
    assert set(os.listdir(tmp_path / "whole")) == {"checkpoint.mg", "loss.png", "model"}
    assert BertForPreTraining.load(tmp_path / "whole" / "model").config.num_hidden_layers == 1

    flags = ["--data", texts, *PRETRAIN, "--out", tmp_path / "half"]
    head = losses(examples.stopped("pretrain_bert", *flags, after=2))
    rest = examples.run("pretrain_bert", *flags, "--resume")
    assert head + losses(rest) == losses(whole) and len(head) == 2


def test_rows_for_pretraining(texts, examples, monkeypatch):
    """Two passages of a text or of two, with marks; about the share asked for is hidden, each word to its fate."""
    script = examples.module("pretrain_bert")
    monkeypatch.setattr("sys.argv", ["pretrain_bert.py", "--length", "40"])
    args = script.arguments()
    learn, held, by_character = script.read_texts(str(texts), 0)
    assert not set(learn) & set(held) and not by_character
    tokenizer = script.tokenizer_for(args, learn, by_character)
    rows = script.Rows([script.tokens_of(tokenizer, text) for text in learn], tokenizer, args, mg.device("cpu"))
    assert all(tokenizer.decode(t.tokens[t.starts[1] - 1 : t.starts[1]].tolist()) == "." for t in rows.texts)
    batch = {name: t.numpy() for name, t in rows.batch(np.random.default_rng(0), 400).items()}
    tokens, labels = batch["tokens"], batch["labels"]
    asked, marks = labels != IGNORED, np.isin(np.where(labels == IGNORED, tokens, labels), tokenizer.all_special_ids)
    assert not (asked & marks).any() and asked.any(axis=1).all()
    assert 0.13 < asked.sum() / (~marks).sum() < 0.17
    hidden = tokens[asked] == tokenizer.mask_token_id
    same = tokens[asked] == labels[asked]
    assert 0.77 < hidden.mean() < 0.83 and 0.07 < same.mean() < 0.14
    assert 0.4 < batch["next_label"].mean() < 0.6
    assert (batch["segments"].sum(axis=1) > 2).all() and (tokens[:, 0] == tokenizer.cls_token_id).all()
    numbers = re.compile(r"number (\d+)")
    for i in range(50):  # a passage and the next one are of the same text, whose sentences have its number
        whole = np.where(labels[i] == IGNORED, tokens[i], labels[i])
        two = [numbers.findall(tokenizer.decode(whole[batch["segments"][i] == part].tolist())) for part in (0, 1)]
        if batch["next_label"][i] == 0 and all(two):
            assert set(two[0]) == set(two[1])


# ---------------------------------------------------------------- finetune_bert.py


def test_fine_tuning_learns_and_resumes_bit_for_bit(tmp_path, table, folder, examples):
    whole = examples.run("finetune_bert", folder, "--data", table, *FINETUNE, "--out", tmp_path / "whole")
    assert float(re.search(r"([\d.]+)% after", whole)[1]) > 90
    assert "fresh: classifier.weight, classifier.bias" in whole and "precision     recall" in whole
    assert set(os.listdir(tmp_path / "whole")) == {"checkpoint.mg", "confusion.png", "loss.png", "model"}
    classify = mg.pipeline(tmp_path / "whole" / "model")
    assert classify("a great film number 3")["label"] == "good" and classify("a dull film number 3")["label"] == "bad"

    flags = [folder, "--data", table, *FINETUNE, "--out", tmp_path / "half"]
    head = losses(examples.stopped("finetune_bert", *flags, after=20))
    rest = examples.run("finetune_bert", *flags, "--resume")
    assert head + losses(rest) == losses(whole) and len(head) == 20
    assert rest.split("test: ")[1] == whole.split("test: ")[1].replace(str(tmp_path / "whole"), str(tmp_path / "half"))


def test_adapters_are_saved_apart_and_merged(tmp_path, table, folder, examples):
    """The merged model and the base model with the adapters put in say the same; little trains."""
    out = examples.run("finetune_bert", folder, "--data", table, *FINETUNE, "--lora", 2, "--out", tmp_path / "out")
    trained, total = re.search(r"([\d,]+) of ([\d,]+) parameters train", out).groups()
    assert int(trained.replace(",", "")) < 0.3 * int(total.replace(",", "")) and "with the adapters merged" in out
    merged = BertForSequenceClassification.load(tmp_path / "out" / "model")
    based = BertForSequenceClassification.load(folder, num_labels=2)
    lora.load_lora(based, tmp_path / "out" / "adapters.lora")
    tokens = mg.arange(5, 12).view(1, 7)
    for a, b in zip(
        merged.probabilities(tokens)[0].tolist(), based.eval().probabilities(tokens)[0].tolist(), strict=True
    ):
        assert abs(a - b) < 1e-5
    assert not any("lora" in name for name in merged.state_dict())


def test_frozen_parts_stay_and_rates_differ(tmp_path, table, folder, examples):
    out = examples.run("finetune_bert", folder, "--data", table, *FINETUNE, "--freeze", 1, "--class-weights", "--out",
                       tmp_path / "out")  # fmt: skip
    before, after = (BertForSequenceClassification.load(f).state_dict() for f in (folder, tmp_path / "out" / "model"))
    changed = {name for name in before if not mg.equal(before[name], after[name])}
    assert changed == {"bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"}
    assert " parameters train (" in out


# ---------------------------------------------------------------- train_qa.py


QA = [*SIZES, "--stories", "60", "--held-out", "20", "--steps", "6", "--eval-every", "3", "--print-losses"]


def test_questions_run_and_resume_bit_for_bit(tmp_path, examples):
    whole = examples.run("train_qa", *QA, "--out", tmp_path / "whole")
    assert len(losses(whole)) == 6 and "exact match" in whole
    assert set(os.listdir(tmp_path / "whole")) == {"checkpoint.mg", "loss.png", "model"}
    said = mg.pipeline(tmp_path / "whole" / "model")("What did Ida buy?", "Ida bought a red hat for 7 coins.")
    assert said["answer"] in "Ida bought a red hat for 7 coins."

    flags = [*QA, "--out", tmp_path / "half"]
    head = losses(examples.stopped("train_qa", *flags, after=4))
    own = ["--story", "Ida is a nurse from Rome.", "--ask", "Where does Ida come from?"]
    rest = examples.run("train_qa", *flags, "--resume", *own)
    assert head + losses(rest) == losses(whole) and len(head) == 4 and "> Where does Ida come from?" in rest


def test_every_question_has_one_answer_and_the_model_is_shown_where(examples):
    """The answer stands where it is said to; the tokens that the model is to point at are its first and last."""
    script, stories = examples.module("train_qa"), examples.module("stories")
    made = stories.stories(0, 300)
    assert made == stories.stories(0, 300) and len({(e.text, e.question) for e in made}) == 300
    for e in made:
        assert e.text[e.start : e.start + len(e.answer)] == e.answer
    assert {e.question.split()[0] for e in made} == {"What", "Where", "Who", "When", "How", "Which"}
    tokenizer = script.WordTokenizer.from_texts([part for e in made for part in (e.text, e.question)])
    questions = script.Questions(made, tokenizer, 192, mg.device("cpu"))
    for i, e in enumerate(made):
        first, last = questions.start[i], questions.end[i]
        assert e.text[questions.spans[i, first, 0] : questions.spans[i, last, 1]] == e.answer
        assert questions.segments[i, first] == 1
    assert script.exact([e.answer for e in made], made) == 1.0
    assert script.word_f1("a red hat", "a green hat") == pytest.approx(2 / 3) and script.word_f1("x", "y") == 0


# ---------------------------------------------------------------- wrong input


def test_wrong_input_is_answered(tmp_path, texts, table, folder, examples):
    (tmp_path / "few.txt").write_text("one\n\ntwo", encoding="utf-8")
    for script, flags, said in (
        ("pretrain_bert", ["--data", tmp_path / "few.txt"], "20 are needed"),
        ("pretrain_bert", ["--data", "none.txt"], "no such file: none.txt (or one of: chnsenticorp, wikitext2)"),
        ("pretrain_bert", ["--data", texts, "--length", "500"], "--length must be from 16 to --context (256), got 500"),
        ("pretrain_bert", ["--data", texts, "--hide", "0"], "--hide 0 leaves nothing to learn from"),
        ("pretrain_bert", ["--data", texts, "--heads", "5"], "multiple of num_attention_heads"),
        ("pretrain_bert", ["--data", texts, "--tokenizer", tmp_path / "no"], "--tokenizer: "),
        ("finetune_bert", [tmp_path / "no", "--data", table], "folder: "),
        ("finetune_bert", [folder, "--data", table, "--freeze", "3"], "the model has 1 layers, 3 were to be frozen"),
        ("finetune_bert", [folder, "--data", table, "--lora", "-1"], "--lora RANK is at least 1"),
        ("finetune_bert", [folder, "--data", table, "--lora", "2", "--freeze", "0"], "leave --freeze out"),
        ("train_qa", [*QA, "--context", "20"], "words, --context is 20"),
        ("train_qa", [*QA, "--ask", "Who?"], "--story and --ask belong together"),
    ):
        assert said in examples.refused(script, "--out", tmp_path / "out", *flags), flags


# ---------------------------------------------------------------- two_tasks.py

TWO = ["--layers", "1", "--heads", "2", "--channels", "16", "--hidden", "16", "--batch-size", "8", "--max-length", "12",
       "--vocabulary", "100", "--steps", "6", "--eval-every", "3", "--print-losses"]  # fmt: skip


@pytest.fixture
def three_kinds(examples, monkeypatch):
    """The readers of the three data sets, answered with a few made-up texts."""
    script = examples.module("two_tasks")
    opinions = [f"{word} film number {i}" for i in range(12) for words in ADJECTIVES.values() for word in words]
    labels = np.array([i % 6 < 3 for i in range(72)]).astype(np.int64)
    parts = {
        part: (opinions[i * 24 : i * 24 + 24], labels[i * 24 : i * 24 + 24]) for i, part in enumerate(script.PARTS)
    }
    monkeypatch.setattr(script, "read_splits", lambda source, seed: (parts, ["negative", "positive"], False))
    captions = {
        split: [("", f"A man sits on bench {k} {split} .") for k in range(20)] for split in ("train", "val", "test")
    }
    captions["test"].append(captions["train"][0])
    monkeypatch.setattr(script.data, "Multi30k", captions.__getitem__)

    class Articles:
        def __init__(self, split):
            self.split = split

        def articles(self):
            sentences = (f"The <unk> river {k} flows @-@ on in {self.split}" for k in range(20))
            return [mg.data.Article("River", [" . ".join(sentences)])]

    monkeypatch.setattr(script.data, "WikiText2", Articles)
    return script


def test_two_tasks_run_and_resume_bit_for_bit(tmp_path, three_kinds, examples):
    whole = examples.run("two_tasks", *TWO, "--out", tmp_path / "whole")
    assert len(losses(whole)) == 18 and "one encoder " in whole and "two encoders" in whole
    runs = ["kind", "sentiment", "sentiment-and-kind"]
    assert sorted(os.listdir(tmp_path / "whole")) == runs
    assert set(os.listdir(tmp_path / "whole" / "kind")) == {"checkpoint.mg", "loss.png", "model.mg"}
    half = [*TWO, "--out", tmp_path / "half"]
    head = losses(examples.stopped("two_tasks", *half, after=2, of="sentiment"))
    rest = examples.run("two_tasks", *half, "--resume")
    assert len(head) == 8 and head[6:] + losses(rest) == losses(whole)[6:]


def test_texts_of_three_kinds(three_kinds):
    """No text is in two parts; what gives a kind away is taken off; a task's loss is of the texts it knows."""
    found = three_kinds.read_texts(15, 0)
    texts = {part: set(found[part][0]) for part in three_kinds.PARTS}
    assert not mg.data.shared_rows(*texts.values())
    assert "a man sits on bench 0 train" not in texts["train"]  # it is in the test
    for part in three_kinds.PARTS:
        rows, labels = found[part]
        assert all(text == text.lower() and "@" not in text and "<unk>" not in text for text in rows)
        assert ((labels["sentiment"] == three_kinds.UNKNOWN) == (labels["kind"] != 0)).all()
    logits = {task: mg.randn(4, len(classes)) for task, classes in three_kinds.TASKS.items()}
    labels = {"sentiment": mg.tensor([-100, 1, -100, -100]), "kind": mg.tensor([1, 0, 2, 2])}
    apart = mg.nn.functional.cross_entropy
    expected = apart(logits["sentiment"][1:2], labels["sentiment"][1:2]) + apart(logits["kind"], labels["kind"])
    assert abs(float(three_kinds.loss_of(logits, labels) - expected)) < 1e-6
    nothing = three_kinds.loss_of(logits, {**labels, "sentiment": mg.full((4,), -100)})
    assert abs(float(nothing - apart(logits["kind"], labels["kind"]))) < 1e-6


def test_a_small_start():
    """Words of the size asked for, places as sines, and a first layer that looks at copies of a word."""
    config = BertConfig(
        vocab_size=500, hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    bert = Bert(config)
    start_small(bert, words=0.3, places=0.2, matching=True)
    table = bert.embeddings
    assert abs(float(table.word_embeddings.weight.std()) - 0.3) < 0.01
    assert float(table.position_embeddings.weight[0, 1]) == pytest.approx(0.2)  # cos(0)
    attention = bert.encoder.layer[0].attention.self
    assert mg.equal(attention.key.weight, attention.query.weight)
    assert attention.key.weight is not attention.query.weight and attention.key.weight.requires_grad
