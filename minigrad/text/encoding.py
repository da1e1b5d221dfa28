"""Rows of tokens made equal in length: what a tokenizer's call returns, padding, and which tokens truncation drops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["SIDES", "TRUNCATIONS", "Encoding", "kept_lengths", "pad"]

SIDES = ("right", "left")
TRUNCATIONS = ("longest_first", "only_first", "only_second")


class Encoding(dict[str, Any]):
    """What a tokenizer's call returns: a dict whose entries are attributes too, `model(**encoding)` fits.

    input_ids       the tokens
    token_type_ids  0 for the first text, 1 for the second; for models that take it
    attention_mask  1 where there is a token of the text, 0 where there is padding
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the encoding has no {name!r}; it has {', '.join(self) or 'nothing'}") from None

    def to(self, device: Any) -> Encoding:
        """This encoding, its Tensors moved to `device` in place."""
        for name, value in self.items():
            if hasattr(value, "to"):
                self[name] = value.to(device)
        return self


def pad(
    sequences: Sequence[Sequence[int]], value: int, side: str = "right", length: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(tokens, mask), both int64 (n, length): rows of unequal length filled up with `value`; the mask has 1 for what
    was there and 0 for what was filled in.

    `length` is that of the longest row where it is not given; `side` says on which side the padding goes: "left" where
    a decoder writes on, so that all rows end in their last token. Raises ValueError for a row longer than `length`.
    """
    if side not in SIDES:
        raise ValueError(f"side must be 'right' or 'left', got {side!r}")
    longest = max(map(len, sequences), default=0)
    if length is None:
        length = longest
    elif longest > length:
        raise ValueError(f"a sequence of {longest} tokens does not fit into length={length}; truncate it first")
    tokens = np.full((len(sequences), length), value, dtype=np.int64)
    mask = np.zeros_like(tokens)
    for row, sequence in enumerate(sequences):
        place = slice(0, len(sequence)) if side == "right" else slice(length - len(sequence), length)
        tokens[row, place] = np.asarray(sequence, dtype=np.int64)
        mask[row, place] = 1
    return tokens, mask


def kept_lengths(first: int, second: int | None, room: int, strategy: str) -> tuple[int, int]:
    """How many tokens stay of a text of `first` tokens and its pair of `second` where there is room for `room`.

    "longest_first" shortens the longer until both are equal, then both, so that of an odd room the second has one
    more (as the Rust library `tokenizers` shares it out); "only_first" and "only_second" shorten that one. Raises
    ValueError where nothing would stay of that one, or it is missing.
    """
    if strategy not in TRUNCATIONS:
        raise ValueError(f"truncation must be False, True or one of {', '.join(TRUNCATIONS)}, got {strategy!r}")
    if strategy == "only_second" and second is None:
        raise ValueError("truncation='only_second' needs a text_pair, got a single text; use truncation=True")
    other = second or 0
    excess = first + other - room
    if excess <= 0:
        return first, other
    if second is None:
        return room, 0
    if strategy == "longest_first":
        shorter = min(first, other)
        longer = max(shorter, room - shorter)
        if shorter + longer > room:
            shorter, longer = room // 2, room - room // 2
        return (longer, shorter) if first > other else (shorter, longer)
    length, name = (first, "first") if strategy == "only_first" else (other, "second")
    if excess >= length:  # nothing of it would stay
        raise ValueError(
            f"truncation='only_{name}' must save {excess} tokens, but the {name} text has {length}; use 'longest_first'"
        )
    return (first - excess, other) if strategy == "only_first" else (first, other - excess)
