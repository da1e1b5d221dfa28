"""From the tokens of texts to rows for a model: special tokens around them, truncation, padding, arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigrad.creation import from_numpy
from minigrad.text.encoding import SIDES, Encoding, kept_lengths, pad
from minigrad.text.special import Template

__all__ = ["Pieces", "Plan", "Row", "assemble", "encoding_of", "plan", "texts_and_pairs"]

Span = tuple[int, int]


@dataclass
class Pieces:
    """The tokens of one text without special tokens around it, and from which characters each comes."""

    ids: list[int]
    spans: list[Span] = field(default_factory=list)  # empty where nobody asked for them

    def keep(self, count: int, side: str) -> Pieces:
        """The first `count` tokens, or the last where truncation is on the left."""
        start = 0 if side == "right" else len(self.ids) - count
        return Pieces(self.ids[start : start + count], self.spans[start : start + count])


@dataclass
class Row:
    """One text or pair with its special tokens, not yet padded."""

    input_ids: list[int] = field(default_factory=list)
    token_type_ids: list[int] = field(default_factory=list)
    special_tokens_mask: list[int] = field(default_factory=list)
    offset_mapping: list[Span] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """How long rows may be and are made: what `padding`, `truncation` and `max_length` of a call mean together."""

    padding: str | None  # None, "longest" or "max_length"
    truncation: str | None  # None or one of TRUNCATIONS
    max_length: int | None


def texts_and_pairs(text: Any, text_pair: Any) -> tuple[list[Any], list[Any]]:
    """Texts and their pairs (None where there is none), as two lists of one length."""
    if not isinstance(text, (list, tuple)):
        if isinstance(text_pair, (list, tuple)):
            raise TypeError("one text and a list of pairs: text and text_pair must both be strings or both be lists")
        return [text], [text_pair]
    if text_pair is None:
        pairs = [item if isinstance(item, tuple) and len(item) == 2 else (item, None) for item in text]
        return [first for first, _ in pairs], [second for _, second in pairs]
    if not isinstance(text_pair, (list, tuple)) or len(text) != len(text_pair):
        size = len(text_pair) if isinstance(text_pair, (list, tuple)) else f"a {type(text_pair).__name__}"
        raise ValueError(f"each text needs its pair: got {len(text)} texts and text_pair is {size}")
    return list(text), list(text_pair)


def plan(padding: Any, truncation: Any, max_length: int | None, model_max_length: int | None) -> Plan:
    """The plan of a call. A `max_length` alone, with neither padding nor truncation spoken of, truncates."""
    if padding not in (False, None, True, "longest", "max_length", "do_not_pad"):
        raise ValueError(f"padding must be False, True, 'longest' or 'max_length', got {padding!r}")
    if max_length is not None and (isinstance(max_length, bool) or not isinstance(max_length, (int, np.integer))):
        raise TypeError(f"max_length must be an integer, got {max_length!r}")
    if max_length is not None and max_length < 1:
        raise ValueError(f"max_length must be 1 or more, got {max_length}")
    pads = {True: "longest", "do_not_pad": None, False: None, None: None}.get(padding, padding)
    if truncation is None and max_length is not None and pads is None:
        truncation = True
    cuts = {True: "longest_first", "do_not_truncate": None, False: None, None: None}.get(truncation, truncation)
    if max_length is None and (cuts or pads == "max_length"):
        max_length = model_max_length
        if max_length is None:
            cause = f"truncation={truncation!r}" if cuts else "padding='max_length'"
            raise ValueError(f"{cause} needs max_length: this tokenizer knows no length of its model's inputs")
    return Plan(pads, cuts, max_length)


def assemble(
    template: Template, id_of: Callable[[str], int | None], plan: Plan, side: str, first: Pieces, second: Pieces | None
) -> Row:
    """A text (and its pair), truncated on `side` as the plan says, in the places that the template has for them."""
    parts = template.parts(second is not None)
    if plan.truncation:
        assert plan.max_length is not None  # see plan()
        others = len(parts) - (1 if second is None else 2)
        room = plan.max_length - others
        if room < 0:
            raise ValueError(f"max_length={plan.max_length} leaves no room for the {others} special tokens of a row")
        lengths = kept_lengths(len(first.ids), None if second is None else len(second.ids), room, plan.truncation)
        first = first.keep(lengths[0], side)
        second = None if second is None else second.keep(lengths[1], side)
    row, slots = Row(), {"$A": first, "$B": second}
    for part, kind in parts:
        pieces = slots.get(part)
        ids: list[Any] = [id_of(part)] if pieces is None else pieces.ids
        row.input_ids += ids
        row.token_type_ids += [kind] * len(ids)
        row.special_tokens_mask += [int(pieces is None)] * len(ids)
        row.offset_mapping += [(0, 0)] if pieces is None else pieces.spans
    return row


def encoding_of(
    rows: Sequence[Row], names: Sequence[str], plan: Plan, pad_id: int | None, side: str, tensors: str | None
) -> Encoding:
    """The rows as an Encoding with the entries `names`, padded as the plan says; lists, or arrays for `tensors`."""
    if tensors not in (None, "np", "mg", "pt"):
        raise ValueError(f"return_tensors must be None, 'np', 'mg' or 'pt', got {tensors!r}")
    if side not in SIDES:
        raise ValueError(f"padding_side must be 'right' or 'left', got {side!r}")
    lengths = [len(row.input_ids) for row in rows]
    width = max(lengths, default=0) if plan.padding == "longest" else plan.max_length if plan.padding else None
    if plan.padding and pad_id is None:
        raise ValueError(
            "padding needs a padding token and this tokenizer has none; "
            "give it one first, for example tokenizer.pad_token = tokenizer.eos_token"
        )
    if tensors and len(set(lengths) if width is None else {max(width, n) for n in lengths}) > 1:
        raise ValueError(
            f"rows of {min(lengths)} to {max(lengths)} tokens make no array: use padding=True"
            + ("" if plan.truncation else ", and truncation=True with max_length where rows are too long")
        )
    fills = {"input_ids": pad_id, "token_type_ids": 0, "attention_mask": 0, "special_tokens_mask": 1}
    found = Encoding()
    for name in names:
        columns = [[1] * n for n in lengths] if name == "attention_mask" else [getattr(row, name) for row in rows]
        if tensors:
            found[name] = _array(columns, fills.get(name), side, width, tensors)
        else:
            found[name] = [_filled(column, fills.get(name, (0, 0)), side, width) for column in columns]
    return found


def _filled(column: list[Any], value: Any, side: str, width: int | None) -> list[Any]:
    padding = [value] * ((width or 0) - len(column))
    return column + padding if side == "right" else padding + column


def _array(columns: list[list[Any]], value: int | None, side: str, width: int | None, kind: str) -> Any:
    if value is None and columns and columns[0] and isinstance(columns[0][0], tuple):  # offsets: two numbers a token
        halves = [[[pair[i] for pair in column] for column in columns] for i in (0, 1)]
        array = np.stack([pad(half, 0, side, width)[0] for half in halves], axis=-1)
    else:
        array = pad(columns, value or 0, side, width)[0]
    return array if kind == "np" else from_numpy(array)
