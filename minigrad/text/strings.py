"""Strings and token ids as they come from outside: checked, cut at special tokens, tidied."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["checked_text", "clean_up", "integers", "split_at"]


def split_at(specials: Sequence[str], text: str) -> list[tuple[int, str, bool]]:
    """(place, part, whether it is a special token) for the parts of a text; longer special tokens go first."""
    if not specials:
        return [(0, text, False)] if text else []
    pattern = "|".join(re.escape(token) for token in sorted(specials, key=len, reverse=True))
    parts, place = [], 0
    for i, part in enumerate(re.split(f"({pattern})", text)):  # what the group matched has the odd places
        if part:
            parts.append((place, part, i % 2 == 1))
        place += len(part)
    return parts


def checked_text(text: Any) -> str:
    """The text, if it is one that can be written as UTF-8."""
    if isinstance(text, bytes):
        raise TypeError("the text is bytes; decode it first: data.decode('utf-8', errors='replace')")
    if not isinstance(text, str):
        raise TypeError(f"a text must be a string, got {type(text).__name__}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"the text has half a surrogate pair, {text[error.start]!r}, at position {error.start}, as invalid "
                "UTF-8 that was read with errors='surrogateescape' does; read it with errors='replace'"
            ) from None
    return text


def integers(ids: Any) -> list[int]:
    """One row of token ids as a list of ints."""
    if isinstance(ids, (int, np.integer)) and not isinstance(ids, bool):
        return [int(ids)]
    values = np.asarray(ids.tolist() if hasattr(ids, "tolist") else list(ids))
    if values.size == 0 and values.ndim < 2:
        return []
    if values.dtype.kind not in "iu" or values.ndim > 1:
        more = "; batch_decode takes several rows" if values.ndim > 1 else ""
        raise TypeError(f"tokens must be integers in one dimension, got {values.dtype} of shape {values.shape}{more}")
    found: list[int] = values.reshape(-1).tolist()
    return found


def clean_up(text: str) -> str:
    """Without the spaces that word tokens leave before punctuation and in English contractions."""
    for mark in (".", "?", "!", ","):
        text = text.replace(f" {mark}", mark)
    text = text.replace(" ' ", "'")
    for ending in ("n't", "'m", "'s", "'ve", "'re"):
        text = text.replace(f" {ending}", ending)
    return text
