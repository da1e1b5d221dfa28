"""From a folder to answers, in this process and in a fresh one; and what does not fit."""

import json
import subprocess
import sys

import pytest

import minigrad as mg
from minigrad import text
from models.bert import BertConfig, BertForQuestionAnswering, BertForSequenceClassification, BertForTokenClassification
from models.gpt import GPT, GPTConfig
from models.llama import Llama, LlamaConfig
from models.text_classifier import TextClassifier, TextClassifierConfig
from models.transformer import Transformer, TransformerConfig

TEXTS = ["a good film", "a bad film that was far too long", "床前明月光", ""]
LINES = ["a good film", "a bad film that was too long", "far away", "床前明月光", "where is the film ?"]


def words():
    return text.WordTokenizer.from_texts(LINES)


def bert(kind, **changes):
    mg.manual_seed(0)
    tokenizer = words()
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12,
             "max_position_embeddings": 16, "initializer_range": 0.5, "num_labels": 3, **changes}  # fmt: skip
    return kind(BertConfig(vocab_size=len(tokenizer), **sizes)), tokenizer


def classifier():
    mg.manual_seed(0)
    tokenizer = text.CharacterTokenizer.from_texts(LINES)
    config = TextClassifierConfig(len(tokenizer), classes=1, channels=8, heads=2, hidden=8)
    return TextClassifier(config), tokenizer


def decoder(kind):
    mg.manual_seed(0)
    tokenizer = text.ByteTokenizer()
    if kind is GPT:
        model = GPT(GPTConfig(len(tokenizer), block_size=64, n_layer=1, n_head=2, n_embd=8))
    else:
        model = Llama(LlamaConfig(len(tokenizer), context=64, layers=1, heads=2, key_heads=1, channels=8, hidden=8))
    with mg.no_grad():
        for p in model.parameters():
            p.mul_(10)
    return model, tokenizer


def translator():
    mg.manual_seed(0)
    tokenizer = text.train_bpe(LINES, 300, special_tokens=["<pad>", "<s>", "</s>"])
    config = TransformerConfig(
        len(tokenizer), encoder_layers=1, decoder_layers=1, heads=2, channels=8, hidden=8,
        pad_token=tokenizer.pad_token_id, begin_token=tokenizer.bos_token_id, end_token=tokenizer.eos_token_id,
    )  # fmt: skip
    return Transformer(config), tokenizer


FOLDERS = {
    "classify": lambda: bert(BertForSequenceClassification),
    "classify by character": classifier,
    "tag": lambda: bert(BertForTokenClassification),
    "answer": lambda: bert(BertForQuestionAnswering),
    "write": lambda: decoder(GPT),
    "write with a Llama": lambda: decoder(Llama),
    "translate": translator,
}
CALLS = """
import json, sys
import minigrad
pipe = minigrad.pipeline(sys.argv[1])
texts = json.loads(sys.argv[2])
if pipe.task == "answer":
    out = [pipe(question="where is the film ?", context=t or "far away " * 20) for t in texts]
elif pipe.task == "write":
    out = [pipe(texts[:3], max_new_tokens=6), list(pipe.stream(texts[0], max_new_tokens=6))]
elif pipe.task == "translate":
    out = pipe(texts[:3], max_new_tokens=5)
else:
    out = pipe(texts)
print(json.dumps(out))
"""


def call(pipe):
    if pipe.task == "answer":
        return [pipe(question="where is the film ?", context=t or "far away " * 20) for t in TEXTS]
    if pipe.task == "write":
        return [pipe(TEXTS[:3], max_new_tokens=6), list(pipe.stream(TEXTS[0], max_new_tokens=6))]
    if pipe.task == "translate":
        return pipe(TEXTS[:3], max_new_tokens=5)
    return pipe(TEXTS)


@pytest.mark.parametrize("name", FOLDERS)
def test_saved_and_called(name, tmp_path):
    model, tokenizer = FOLDERS[name]()
    labels = ["bad", "so so", "good"] if name == "classify" else ["bad", "good"] if "character" in name else None
    model.eval().save(tmp_path, tokenizer, labels=labels)
    pipe = mg.pipeline(tmp_path)
    assert pipe.task == name.split()[0]
    found = call(pipe)
    assert len(found) == len(call(pipe))
    if pipe.task == "classify":
        for row in found:
            assert set(row["probabilities"]) == set(labels)
            assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
            assert row["score"] == max(row["probabilities"].values()) == row["probabilities"][row["label"]]
        assert pipe(TEXTS[0])["label"] == found[0]["label"]
    if pipe.task == "tag":
        assert [tag["token"] for tag in found[0]] == ["a", "good", "film"]
        assert all(TEXTS[0][tag["start"] : tag["end"]] == tag["token"] for tag in found[0])
    if pipe.task == "answer":
        assert all(answer["answer"] in (given or "far away " * 20) for answer, given in zip(found, TEXTS, strict=True))
        assert all(answer["answer"] and 0 < answer["score"] <= 1 for answer in found)
    if pipe.task == "write":
        whole, pieces = found
        assert all(row.startswith(given) for row, given in zip(whole, TEXTS, strict=False))
        assert TEXTS[0] + "".join(pieces) == whole[0]


def test_a_fresh_process_gives_the_same(tmp_path):
    """One process for all folders: what it prints is what this one computes."""
    expected = {}
    for name in FOLDERS:
        model, tokenizer = FOLDERS[name]()
        model.eval().save(tmp_path / name, tokenizer)
        expected[name] = call(mg.pipeline(tmp_path / name))
    loop = "import sys, json\nfor name in json.loads(sys.argv[3]):\n    sys.argv[1] = f'{sys.argv[4]}/{name}'\n"
    code = loop + "\n".join("    " + line for line in CALLS.strip().splitlines())
    arguments = ["", json.dumps(TEXTS), json.dumps(list(FOLDERS)), str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for name, line in zip(FOLDERS, done.stdout.splitlines(), strict=True):
        assert json.loads(line) == json.loads(json.dumps(expected[name])), name


def test_long_texts_are_cut_and_long_contexts_are_read_in_windows(tmp_path):
    model, tokenizer = bert(BertForSequenceClassification)
    model.eval().save(tmp_path / "c", tokenizer)
    assert mg.pipeline(tmp_path / "c")("film " * 100)["label"].startswith("LABEL_")
    model, tokenizer = bert(BertForQuestionAnswering)
    model.eval().save(tmp_path / "a", tokenizer)
    answer = mg.pipeline(tmp_path / "a")
    windows = list(answer.windows("where is the film ?", "far away " * 20))
    assert len(windows) > 2
    assert all(("far away " * 20)[shift:].startswith(part) for shift, part in windows)
    assert windows[-1][0] + len(windows[-1][1]) == len(("far away " * 20).rstrip())
    with pytest.raises(ValueError, match="the model reads 16 at most"):
        answer("film " * 30, "far away")


def test_padding_in_a_batch_changes_no_answer(tmp_path):
    model, tokenizer = decoder(GPT)
    model.eval().save(tmp_path, tokenizer)
    write = mg.pipeline(tmp_path)
    assert write(TEXTS[:3], max_new_tokens=8) == [write(t, max_new_tokens=8) for t in TEXTS[:3]]


def test_bad_input(tmp_path):
    model, tokenizer = bert(BertForSequenceClassification)
    model.eval().save(tmp_path, tokenizer)
    classify = mg.pipeline(tmp_path)
    with pytest.raises(TypeError, match="entry 1 is a int"):
        classify(["a", 3])
    with pytest.raises(FileNotFoundError, match="minigrad downloads no models"):
        mg.pipeline("bert-base-uncased")
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        mg.pipeline(tmp_path, batch_size=0)
    big = text.WordTokenizer.from_texts([*LINES, "and many more words than the model has"])
    model.save(tmp_path, big)
    with pytest.raises(ValueError, match=r"the tokenizer in .* knows \d+ tokens, the model's embedding has \d+ rows"):
        mg.pipeline(tmp_path)
    (tmp_path / "minigrad_tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match="tokenizer"):
        mg.pipeline(tmp_path)
    model, tokenizer = decoder(GPT)
    model.eval().save(tmp_path / "w", tokenizer)
    write = mg.pipeline(tmp_path / "w")
    with pytest.raises(ValueError, match="longer than the model's context of 64"):
        write("x" * 100)
    with pytest.raises(ValueError, match="beam search knows its text only at the end"):
        list(write.stream("x", num_beams=3))


def test_rows_of_the_embedding_that_have_no_text_are_never_written(tmp_path):
    """Vocabularies are often rounded up: 50257 tokens, 50304 rows."""
    tokenizer = text.ByteTokenizer()
    model = GPT(GPTConfig(len(tokenizer) + 9, block_size=32, n_layer=1, n_head=2, n_embd=8))
    with mg.no_grad():
        model.transformer.ln_f.bias.fill_(1.0)
        model.lm_head.weight[len(tokenizer) :] += 9.0  # by far the likeliest
    model.save(tmp_path, tokenizer)
    write = mg.pipeline(tmp_path)
    for how in ({}, {"temperature": 1.0}, {"num_beams": 2}):
        assert write("ab", max_new_tokens=4, **how).startswith("ab")
    assert "".join(write.stream("ab", max_new_tokens=4)) == write("ab", max_new_tokens=4)[2:]


def test_what_is_no_text_is_refused(tmp_path):
    tokenizer = text.ByteTokenizer()
    GPT(GPTConfig(len(tokenizer), block_size=32, n_layer=1, n_head=2, n_embd=8)).save(tmp_path, tokenizer)
    with pytest.raises(TypeError, match="takes a text or a list of texts, got a int"):
        mg.pipeline(tmp_path)(5)
