"""What every tokenizer can do. The kinds differ in five short methods, listed at the end of the class.

The names and their meaning are those of Hugging Face's `transformers`, so that what is written for its tokenizers runs
with these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minigrad.text.batching import Pieces, assemble, encoding_of, plan, texts_and_pairs
from minigrad.text.encoding import SIDES, Encoding
from minigrad.text.special import ROLES, Role, RoleId, Template, sort_by_role
from minigrad.text.strings import checked_text, clean_up, integers, split_at

__all__ = ["OWN_FILE", "Tokenizer"]

OWN_FILE = "minigrad_tokenizer.json"  # of own.py, and the first that `load_tokenizer` looks for


class Tokenizer:
    """Text to tokens and back. Use one of its subclasses, or `load_tokenizer(folder)`.

        tokenizer("Hello world")                                           # lists: input_ids, attention_mask
        tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="mg")
        tokenizer(questions, contexts, truncation="only_second", max_length=384)

    The text of a special token inside a text, as in "Paris is the [MASK] of France.", is that token;
    `split_special_tokens = True` makes ordinary text of it (do so for the text of strangers).

    padding_side, truncation_side   "right" or "left"
    model_max_length                the longest row that the model takes, None where that is not known
    model_input_names               the entries of an encoding
    clean_up_tokenization_spaces    decode takes the spaces before punctuation away again
    """

    read_before: ClassVar[tuple[str, ...]] = ()  # files that `load_tokenizer` prefers to the kind's own

    bos_token, eos_token, unk_token, sep_token = Role(), Role(), Role(), Role()
    pad_token, cls_token, mask_token = Role(), Role(), Role()
    bos_token_id, eos_token_id, unk_token_id, sep_token_id = RoleId(), RoleId(), RoleId(), RoleId()
    pad_token_id, cls_token_id, mask_token_id = RoleId(), RoleId(), RoleId()

    def __init__(
        self,
        special_tokens: Mapping[str, Any] | Iterable[str],
        template: Template,
        *,
        added_tokens: Iterable[str] = (),
        padding_side: str = "right",
        truncation_side: str = "right",
        model_max_length: int | None = None,
        model_input_names: Sequence[str] | None = None,
        clean_up_tokenization_spaces: bool = False,
    ) -> None:
        """Called by the kinds, once they know their vocabulary: it is asked for the special tokens."""
        for name, side in (("padding_side", padding_side), ("truncation_side", truncation_side)):
            if side not in SIDES:
                raise ValueError(f"{name} must be 'right' or 'left', got {side!r}")
        self.roles: dict[str, str] = {}
        self.additional_special_tokens: list[str] = []
        self.added: dict[str, int] = {}  # tokens besides the kind's own vocabulary, which have the ids after it
        for token in added_tokens:
            self._add(token)
        roles, additional = sort_by_role(special_tokens)
        for role, token in roles.items():
            self.set_role(role, token)
        for token in additional:
            self._make_special(token, "additional_special_tokens")
            self.additional_special_tokens.append(token)
        self.template = template
        for token in template.specials():
            if self.token_to_id(token) is None:
                raise ValueError(f"{token!r} stands around every text, but is not in the vocabulary")
        self.padding_side, self.truncation_side = padding_side, truncation_side
        self.model_max_length = model_max_length
        typed = bool(self.cls_token) and any(kind for _, kind in template.pair)
        names = ["input_ids", "token_type_ids", "attention_mask"] if typed else ["input_ids", "attention_mask"]
        self.model_input_names = list(model_input_names or names)
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self.split_special_tokens = False

    # Text to tokens

    def __call__(
        self,
        text: Any,
        text_pair: Any = None,
        *,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
    ) -> Encoding:
        """The tokens of a text or of a list of texts, each with its pair where `text_pair` (or a tuple) has one.

        padding         True or "longest": to the longest row; "max_length": to `max_length`
        truncation      True or "longest_first": the longer of the two texts first; "only_first", "only_second"
        max_length      tokens of a row, special tokens included; alone, it truncates
        return_tensors  "np": int64 arrays, "mg" (or "pt"): int64 Tensors; None: lists

        `max_length` is `model_max_length` where it is needed and not given. Raises ValueError where a padding token,
        a length or a pair that the options need is missing, and for rows of unequal length that should be an array.
        """
        batch = isinstance(text, (list, tuple))
        texts, pairs = texts_and_pairs(text, text_pair)
        how = plan(padding, truncation, max_length, self.model_max_length)
        template = self.template if add_special_tokens else Template()
        rows = []
        for first, second in zip(texts, pairs, strict=True):
            a = self._pieces(first, return_offsets_mapping)
            b = None if second is None else self._pieces(second, return_offsets_mapping)
            rows.append(assemble(template, self.token_to_id, how, self.truncation_side, a, b))
        wanted = {"token_type_ids": return_token_type_ids, "attention_mask": return_attention_mask}
        names = [name for name in self.model_input_names if wanted.get(name) in (None, True)]
        names += [name for name, asked in wanted.items() if asked and name not in names]
        names += ["special_tokens_mask"] * return_special_tokens_mask + ["offset_mapping"] * return_offsets_mapping
        encoding = encoding_of(rows, names, how, self.pad_token_id, self.padding_side, return_tensors)
        if batch or return_tensors:
            return encoding
        return Encoding({name: column[0] for name, column in encoding.items()})

    encode_plus = batch_encode_plus = __call__

    def encode(self, text: str, pair: str | None = None, add_special_tokens: bool = True, **options: Any) -> Any:
        """The tokens of a text, a list of ints; `options` are those of a call (`return_tensors="mg"`: a (1, n) Tensor).

        An empty text has no tokens but the special ones.
        """
        if isinstance(text, (list, tuple)):
            raise TypeError("encode takes one text; call the tokenizer itself for a list of them")
        return self(text, pair, add_special_tokens=add_special_tokens, **options)["input_ids"]

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text as strings, no special tokens around them."""
        return [self.id_to_token(token) for token in self._pieces(text, False).ids]

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens stand around a text, or around a pair."""
        return sum(part not in ("$A", "$B") for part, _ in self.template.parts(pair))

    def _pieces(self, text: Any, spans: bool) -> Pieces:
        """The tokens of a text in which special tokens may stand, none around it."""
        found = Pieces([])
        for place, part, special in split_at(self._cuts(), checked_text(text)):
            if special:
                pieces = Pieces([self.convert_tokens_to_ids(part)], [(0, len(part))] * spans)
            else:
                pieces = self._encode_text(part, spans)
            found.ids += pieces.ids
            found.spans += [(start + place, end + place) for start, end in pieces.spans]
        return found

    # Tokens to text

    def decode(
        self, ids: Any, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool | None = None
    ) -> str:
        """The text of tokens: an int, a list of ints, an integer array or a Tensor, of one dimension.

        `clean_up_tokenization_spaces` is the tokenizer's own unless given. What is no valid UTF-8 comes as U+FFFD.
        Raises IndexError for a token that the vocabulary does not have, TypeError for what is not one row of integers.
        """
        tokens = integers(ids)
        for token in set(tokens):
            self.id_to_token(token)  # raises for one that does not exist
        if skip_special_tokens:
            special = set(self.all_special_ids)
            tokens = [token for token in tokens if token not in special]
        text = self._decode_ids(tokens)
        cleans = clean_up_tokenization_spaces
        return clean_up(text) if (self.clean_up_tokenization_spaces if cleans is None else cleans) else text

    def batch_decode(
        self, rows: Any, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool | None = None
    ) -> list[str]:
        """`decode` of each row."""
        return [self.decode(row, skip_special_tokens, clean_up_tokenization_spaces) for row in rows]

    # The vocabulary

    def __len__(self) -> int:
        """How many tokens there are, added ones included."""
        return self.vocab_size + len(self.added)

    @property
    def vocab_size(self) -> int:
        """How many tokens there are without those that were added to the vocabulary afterwards."""
        return self._own_size()

    def token_to_id(self, token: str) -> int | None:
        """The id of a token given by its string, None where there is no such token."""
        added = self.added.get(token)
        return self._id_of(token) if added is None else added

    def id_to_token(self, token_id: int) -> str:
        """The string of a token. Raises IndexError for an id that the vocabulary does not have."""
        if 0 <= token_id < (size := self._own_size()):
            token = self._token_of(token_id)
        else:
            token = next((token for token, added in self.added.items() if added == token_id), None)
        if token is None:
            last = f"ids 0 to {max([size - 1, *self.added.values()])}" if token_id >= 0 else "no negative ids"
            raise IndexError(f"token {token_id} is not in the vocabulary of {len(self)} tokens, which has {last}")
        return token

    def convert_tokens_to_ids(self, tokens: str | Iterable[str]) -> Any:
        """The id of a token, or of each of a list; that of the unknown token (or None) for one that does not exist."""
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        found = self.token_to_id(tokens)
        return self.unk_token_id if found is None else found

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """The string of a token, or of each of a row."""
        if isinstance(ids, (int, np.integer)):
            return self.id_to_token(int(ids))
        special = set(self.all_special_ids) if skip_special_tokens else ()
        return [self.id_to_token(token) for token in integers(ids) if token not in special]

    def get_vocab(self) -> dict[str, int]:
        """The id of every token."""
        own = {token: i for i in range(self._own_size()) if (token := self._token_of(i)) is not None}
        return {**own, **self.added}

    # Special tokens

    @property
    def all_special_tokens(self) -> list[str]:
        """Every special token once."""
        return list(dict.fromkeys([*self.roles.values(), *self.additional_special_tokens]))

    @property
    def all_special_ids(self) -> list[int]:
        """Their ids, in the same order."""
        return [found for token in self.all_special_tokens if (found := self.token_to_id(token)) is not None]

    def set_role(self, role: str, token: str | None) -> None:
        """Give a special token's role to a token of the vocabulary, None: to none. `pad_token = ...` calls this.

        The token that had the role stays a special one.
        """
        if token is not None:
            self._make_special(token, role)
        before = self.roles.pop(role, None)
        if token is not None:
            self.roles[role] = token
        if before is not None and before not in self.all_special_tokens:
            self.additional_special_tokens.append(before)

    def _make_special(self, token: str, role: str) -> None:
        if not isinstance(token, str) or self.token_to_id(token) is None:
            raise ValueError(
                f"{role}={token!r} is not in the vocabulary of {len(self)} tokens; choose one that is, or add it with "
                f"add_special_tokens({{{role!r}: {token!r}}}) and enlarge the model's embedding"
            )
        self._mark_special(token)

    def add_special_tokens(self, special_tokens: Mapping[str, Any]) -> int:
        """Give roles to tokens, and ids after the last to those that are not in the vocabulary; how many these were.

        The model's embedding must then have `len(tokenizer)` rows.
        """
        before = len(self)
        roles, additional = sort_by_role(special_tokens)
        for token in [*roles.values(), *additional]:
            if self.token_to_id(token) is None:
                self._add(token)
        for role, token in roles.items():
            self.set_role(role, token)
        for token in additional:
            self._make_special(token, "additional_special_tokens")
            if token not in self.additional_special_tokens:
                self.additional_special_tokens.append(token)
        return len(self) - before

    # Files

    def save(self, folder: str | Path) -> None:
        """Write what `load_tokenizer(folder)` makes the same tokenizer of again. The folder is made if need be.

        Raises FileExistsError where another tokenizer's file lies there that would be read instead.
        """
        path = Path(folder)
        if other := next((name for name in self.read_before if (path / name).exists()), None):
            raise FileExistsError(
                f"{path} holds another tokenizer, {other}, which load_tokenizer would read instead of a "
                f"{type(self).__name__}; remove it or choose another folder"
            )
        path.mkdir(parents=True, exist_ok=True)
        self._write(path)

    save_pretrained = save

    def settings(self) -> dict[str, Any]:
        """What `__init__` was told besides the vocabulary, under the names that tokenizer_config.json has for it."""
        return {
            **{role: self.roles[role] for role in ROLES if role in self.roles},
            "additional_special_tokens": self.additional_special_tokens,
            "padding_side": self.padding_side,
            "truncation_side": self.truncation_side,
            "model_max_length": self.model_max_length,
            "model_input_names": self.model_input_names,
            "clean_up_tokenization_spaces": self.clean_up_tokenization_spaces,
        }

    def __repr__(self) -> str:
        roles = "".join(f", {role}={token!r}" for role, token in self.roles.items())
        return f"{type(self).__name__}({len(self)} tokens{roles})"

    # What a kind of tokenizer says

    def _encode_text(self, text: str, spans: bool) -> Pieces:
        """The tokens of a text, with their spans of characters where asked for."""
        raise NotImplementedError

    def _decode_ids(self, ids: list[int]) -> str:
        """The text of tokens that exist, special ones with their own text."""
        raise NotImplementedError

    def _id_of(self, token: str) -> int | None:
        """The id of a token of the kind's own vocabulary."""
        raise NotImplementedError

    def _token_of(self, token_id: int) -> str | None:
        """The string of an id below `_own_size()`; None where there is a gap."""
        raise NotImplementedError

    def _own_size(self) -> int:
        raise NotImplementedError

    def _write(self, folder: Path) -> None:
        raise NotImplementedError

    # What a kind may say besides

    def _cuts(self) -> Sequence[str]:
        """The tokens to look for in a text before `_encode_text` has what lies between them."""
        return [] if self.split_special_tokens else [*self.all_special_tokens, *self.added]

    def _add(self, token: str) -> None:
        """Take up a token that the vocabulary does not have."""
        if self.token_to_id(token) is None:
            self.added[token] = len(self)

    def _mark_special(self, token: str) -> None:
        """Hear that a token of the vocabulary is a special one."""
