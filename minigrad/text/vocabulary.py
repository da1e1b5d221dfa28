"""The plain vocabulary files: vocab.json and merges.txt of GPT-2, vocab.txt of BERT. Each error names file and line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["read_json", "read_merges", "read_vocabulary", "read_wordpieces"]


def read_vocabulary(path: Path) -> dict[str, int]:
    """vocab.json or encoder.json: {token: id}. Raises ValueError where that is not what it holds."""
    vocabulary = read_json(path)
    owners: dict[int, str] = {}
    for token, token_id in vocabulary.items():
        if not isinstance(token_id, int) or isinstance(token_id, bool) or token_id < 0:
            raise ValueError(f"{path}: the id of {token!r} must be an integer from 0 on, got {token_id!r}")
        if token_id in owners:
            raise ValueError(f"{path}: {owners[token_id]!r} and {token!r} both have id {token_id}")
        owners[token_id] = token
    if not vocabulary:
        raise ValueError(f"{path} has no tokens")
    return vocabulary


def read_merges(path: Path) -> list[tuple[str, str]]:
    """merges.txt or vocab.bpe: two symbols a line, and a first line "#version: ..." that may be missing."""
    merges: list[tuple[str, str]] = []
    found: dict[tuple[str, str], int] = {}
    for number, line in enumerate(_lines(path), start=1):
        if (number == 1 and line.startswith("#version")) or not line.strip():
            continue
        pair = tuple(line.split(" "))
        if len(pair) != 2 or not all(pair):
            raise ValueError(f"{path}, line {number}: expected two symbols with a space between, got {line!r}")
        if pair in found:
            raise ValueError(f"{path}, line {number}: {line!r} is there already, in line {found[pair]}")
        found[pair] = number
        merges.append(pair)
    return merges


def read_wordpieces(path: Path) -> list[str]:
    """vocab.txt: a piece a line, its id the number of the line from 0 on."""
    lines = _lines(path)
    found: dict[str, int] = {}
    for number, token in enumerate(lines, start=1):
        if not token:
            raise ValueError(f"{path}, line {number} is empty; each line of a vocabulary holds a token")
        if token in found:
            raise ValueError(f"{path}, line {number}: {token!r} is there already, in line {found[token]}")
        found[token] = number
    if not found:
        raise ValueError(f"{path} has no tokens")
    return list(found)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ValueError for broken JSON, another value, and a key that comes twice."""

    def without_twins(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ValueError(f"{path}: {key!r} is there twice")
            found[key] = value
        return found

    text = _text(path)
    try:
        value = json.loads(text, object_pairs_hook=without_twins)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON, or a part of it is missing: {error}") from None
    except RecursionError:
        raise ValueError(f"{path} is nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} must hold an object, got {type(value).__name__}")
    return value


def _lines(path: Path) -> list[str]:
    lines = _text(path).replace("\r\n", "\n").split("\n")  # splitlines would split at more than line ends
    return lines[:-1] if lines[-1] == "" else lines


def _text(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}, line {line}: byte {data[error.start]:#04x} is no valid UTF-8") from None
