"""New vocabularies: the same from the same texts, in every process, and what goes into them."""

import hashlib
import json
import subprocess
import sys

import pytest

from minigrad.text import train_bpe, train_sentencepiece, train_wordpiece

pytest.importorskip("tokenizers")
pytest.importorskip("sentencepiece")

TEXTS = ["the cat sat on the mat", "The other cat's hat, 我爱北京。", "low lower lowest\nnew newer newest"] * 4


def fingerprints() -> list[str]:
    made = [
        train_bpe(TEXTS, 300, ["<pad>", "<s>", "</s>"]),
        train_wordpiece(TEXTS, 90),
        train_sentencepiece(TEXTS, 300),
        train_sentencepiece(TEXTS, 290, model_type="unigram"),
    ]
    return [hashlib.sha256(json.dumps(list(one.get_vocab().items())).encode()).hexdigest() for one in made]


def test_the_same_in_every_process():
    """Hash tables are seeded anew in each process; ids that depended on their order would differ."""
    program = f"import sys; sys.path[:0] = {sys.path!r}; import test_text_train as t; print(t.fingerprints())"
    outputs = [subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout]
    outputs.append(f"{fingerprints()}\n")
    assert outputs[0] == outputs[1]


def test_bpe():
    tokenizer = train_bpe(TEXTS, 275, ["<pad>", "<s>", "</s>"])
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, len(tokenizer)) == (0, 1, 2, 275)
    assert tokenizer.encode("the</s>")[-1] == 2 and len(tokenizer.encode("the cat")) < 7
    assert tokenizer.decode(tokenizer.encode("Zürich 😀\n")) == "Zürich 😀\n"
    roles = train_bpe(iter(TEXTS), 260, {"eos_token": "<e>", "additional_special_tokens": ["<x>"]}, add_eos_token=True)
    assert (roles.encode("<x>"), roles.pad_token, len(roles)) == ([1, 0], None, 260)
    assert train_bpe([], 1000).get_vocab()["<|endoftext|>"] == 0  # special tokens and bytes


def test_wordpiece():
    tokenizer = train_wordpiece(TEXTS, 80)
    assert list(tokenizer.get_vocab())[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] and len(tokenizer) <= 80
    assert tokenizer.encode("the [MASK]")[0] == 2 and tokenizer.all_special_ids == [0, 1, 2, 3, 4]
    assert tokenizer.tokenize("The 北京 lowest") == ["the", "北", "京", "lowest"]
    assert tokenizer.tokenize("newz") == ["[UNK]"]
    assert "The" in train_wordpiece(["The The The"], 30, do_lower_case=False).get_vocab()
    small = train_wordpiece(TEXTS, 20)  # the most frequent characters, each with its ## where it comes inside words
    assert len(small) == 20 and {"t", "##t", "e", "##e"} <= set(small.get_vocab())


def test_sentencepiece():
    tokenizer = train_sentencepiece(TEXTS, 310, ["<pad>", "<x>"])
    names = ["<unk>", "<s>", "</s>", "<pad>", "<x>", "<0x00>"]
    assert tokenizer.convert_ids_to_tokens(range(6)) == names and tokenizer.pad_token_id == 3
    assert tokenizer.encode("the cat<x>") == [1, *tokenizer.encode("the cat")[1:], 4] and len(tokenizer) == 310
    assert tokenizer.decode(tokenizer.encode("  Zürich 😀\n"), skip_special_tokens=True) == "  Zürich 😀\n"


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (lambda: train_bpe(TEXTS, 256), "vocab_size=256 is too small: 1 special tokens and 256 bytes need 257"),
        (lambda: train_bpe(TEXTS, 300, "<pad>"), "must be a mapping or a list of tokens, got the string '<pad>'"),
        (lambda: train_bpe(["a", "\ud800"], 300), "half a surrogate pair"),
        (lambda: train_bpe([b"a"], 300), "decode it first"),
        (lambda: train_wordpiece(TEXTS, 5), "nothing is left for a vocabulary"),
        (lambda: train_wordpiece([], 90), "nothing is left for a vocabulary"),
        (lambda: train_wordpiece(TEXTS, 90, ["<pad>"]), "has no unk_token"),
        (
            lambda: train_sentencepiece(TEXTS, 258),
            "vocab_size=258 is too small: 3 special tokens and 256 bytes need 259",
        ),
        (lambda: train_sentencepiece(TEXTS, 5000), "these texts give no vocabulary of 5000 pieces"),
        (lambda: train_sentencepiece([""], 300), "these texts give no vocabulary of 300 pieces"),
        (lambda: train_sentencepiece(TEXTS, 300, model_type="word"), "must be 'bpe' or 'unigram', got 'word'"),
    ],
)
def test_what_cannot_be_trained(train, message):
    with pytest.raises((ValueError, TypeError), match=message):
        train()
