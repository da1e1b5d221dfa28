"""Files of tokenizers in the layouts of published ones, a few lines long; and the published ones where they are."""

import json
import os
from pathlib import Path

import pytest

from minigrad.text import Llama2cTokenizer, WordPieceTokenizer
from minigrad.text.llama2c import write_llama2c

PIECES = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", ",", ".", "'", "the", "cat", "dog", "s", "t", "don",
    "play", "##ing", "##ed", "##s", "re", "我", "爱", "你", "é", "e", "a", "b", "c", "d",
]  # fmt: skip


def published(name: str) -> Path:
    """A file or folder of the data folder; the test is skipped where that is not there."""
    path = Path(os.environ.get("MINIGRAD_DATA", "no data")) / name
    if not path.exists():
        pytest.skip(f"needs {name} in $MINIGRAD_DATA")
    return path


def bert(**options) -> WordPieceTokenizer:
    return WordPieceTokenizer(PIECES, **options)


def write_bert(folder: Path, pieces=PIECES) -> Path:
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    return folder


def byte_symbols() -> list[str]:
    """GPT-2's characters for the 256 bytes: printable ones stand for themselves, the others from U+0100 on."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


MERGES = [("l", "o"), ("lo", "w"), ("Ġ", "low"), ("e", "r"), ("æ", "Ī"), ("æĪ", "ĳ")]  # the last two: 我


def write_gpt2(folder: Path, names=("vocab.json", "merges.txt"), version=True) -> Path:
    tokens = [*byte_symbols(), *("".join(pair) for pair in MERGES), "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    (folder / names[0]).write_text(json.dumps(vocabulary), encoding="utf-8")
    lines = ["#version: 0.2"] * version + [" ".join(pair) for pair in MERGES]
    (folder / names[1]).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def llama2c(
    words=("he", "ll", "hell", "o", " hell", " ", "h", "e", "l", " h", "我", "们", "我们", " w", "w"),
) -> Llama2cTokenizer:
    """A tokenizer of llama2.c, whose later words have lower scores."""
    raw = [b"<unk>", b"\n<s>\n", b"\n</s>\n", *(b"<0x%02X>" % byte for byte in range(256))]
    pieces = raw + [word.encode() for word in words]
    return Llama2cTokenizer(pieces, [0.0] * 259 + [-float(rank) for rank in range(len(words))])


def write_bin(path: Path, tokenizer: Llama2cTokenizer) -> Path:
    write_llama2c(path, tokenizer.pieces, tokenizer.scores)
    return path
