"""Tokenizers of our own: by character, by byte, by word. Each is a list of strings; a token is its rank there."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from minigrad.text.batching import Pieces
from minigrad.text.special import ROLES, around, as_bert, sort_by_role
from minigrad.text.strings import checked_text, split_at
from minigrad.text.tokenizer import Tokenizer

__all__ = ["OWN_FILE", "ByteTokenizer", "CharacterTokenizer", "ListTokenizer", "WordTokenizer"]

OWN_FILE = "minigrad_tokenizer.json"
FORMAT = "minigrad tokenizer 1"
LIKE_BERT = {
    "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]",
}  # fmt: skip
LIKE_LLAMA = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]

Unit = tuple[str, int, int]  # a string, and where in the text it starts and ends


class ListTokenizer(Tokenizer):
    """What the three kinds share: a vocabulary that is a list, one JSON file, plain dicts for checkpoints.

    With the roles cls_token and sep_token, texts stand between them as BERT has it; otherwise `add_bos_token` and
    `add_eos_token` say what stands around a text.
    """

    kind: ClassVar[str]  # in the file
    options: ClassVar[tuple[str, ...]] = ()  # attributes that the file keeps and __init__ takes

    def __init__(
        self,
        vocabulary: Sequence[str],
        special_tokens: Mapping[str, Any] | Iterable[str] = LIKE_BERT,
        *,
        add_bos_token: bool = False,
        add_eos_token: bool = False,
        **settings: Any,
    ) -> None:
        self.vocabulary = list(vocabulary)
        if not all(isinstance(token, str) and token for token in self.vocabulary):
            raise ValueError("a vocabulary is a list of strings that are not empty")
        self._ids = {token: i for i, token in enumerate(self.vocabulary)}
        if len(self._ids) < len(self.vocabulary):
            twice = next(token for i, token in enumerate(self.vocabulary) if self._ids[token] != i)
            raise ValueError(f"the vocabulary has {twice!r} more than once")
        roles, additional = sort_by_role(special_tokens)
        if (add_bos_token and "bos_token" not in roles) or (add_eos_token and "eos_token" not in roles):
            raise ValueError(f"add_bos_token and add_eos_token need the tokens; the roles given are {sorted(roles)}")
        self.add_bos_token, self.add_eos_token = add_bos_token, add_eos_token
        if "cls_token" in roles and "sep_token" in roles:
            template = as_bert(roles["cls_token"], roles["sep_token"])
        else:
            template = around(
                roles["bos_token"] if add_bos_token else None, roles["eos_token"] if add_eos_token else None
            )
        super().__init__({**roles, "additional_special_tokens": additional}, template, **settings)

    def _encode_text(self, text: str, spans: bool) -> Pieces:
        unknown = self.unk_token_id
        pieces = Pieces([])
        for unit, start, end in self._units(text):
            token = self._ids.get(unit, unknown)
            if token is None:
                raise ValueError(
                    f"{unit!r} (U+{ord(unit[0]):04X}) at position {start} is not in the vocabulary of {len(self)} "
                    "tokens, which has no unk_token for it; remove it, or make the tokenizer from texts that have it"
                )
            pieces.ids.append(token)
            if spans:
                pieces.spans.append((start, end))
        return pieces

    def _units(self, text: str) -> Iterator[Unit]:
        """The strings of which each is a token."""
        raise NotImplementedError

    def _id_of(self, token: str) -> int | None:
        return self._ids.get(token)

    def _token_of(self, token_id: int) -> str | None:
        return self.vocabulary[token_id]

    def _own_size(self) -> int:
        return len(self.vocabulary)

    def _add(self, token: str) -> None:
        if token not in self._ids:
            self._ids[token] = len(self.vocabulary)
            self.vocabulary.append(token)

    def to_dict(self) -> dict[str, Any]:
        """A plain dict to keep in a checkpoint or a JSON file; `from_dict` takes it back."""
        options = {name: getattr(self, name) for name in ("add_bos_token", "add_eos_token", *self.options)}
        vocabulary = list(self.vocabulary)
        return {"format": FORMAT, "kind": self.kind, "vocabulary": vocabulary, **options, **self.settings()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """The tokenizer that `to_dict` described, of any kind on ListTokenizer. Raises ValueError for another's."""
        if not isinstance(state, Mapping) or state.get("format") != FORMAT:
            found = state.get("format") if isinstance(state, Mapping) else type(state).__name__
            raise ValueError(f"not the dict of a tokenizer: expected format {FORMAT!r}, got {found!r}")
        kind = next((one for one in KINDS if one.kind == state.get("kind") and issubclass(one, cls)), None)
        if kind is None:
            raise ValueError(f"kind {state.get('kind')!r} is no {cls.__name__}; kinds: {[k.kind for k in KINDS]}")
        rest = {name: value for name, value in state.items() if name not in ("format", "kind", "vocabulary")}
        special = {role: rest.pop(role) for role in (*ROLES, "additional_special_tokens") if role in rest}
        if not isinstance(state.get("vocabulary"), list):
            raise ValueError("the vocabulary of a tokenizer must be a list of strings")
        try:
            return kind(vocabulary=state["vocabulary"], special_tokens=special, **rest)
        except TypeError as error:
            raise ValueError(f"not the dict of a {kind.__name__}: {error}") from None

    def _write(self, folder: Path) -> None:
        state = json.dumps(self.to_dict(), ensure_ascii=False, indent=1)
        (folder / OWN_FILE).write_text(state + "\n", encoding="utf-8")

    @classmethod
    def from_texts(
        cls,
        texts: str | Iterable[str],
        vocab_size: int | None = None,
        min_count: int = 1,
        special_tokens: Mapping[str, Any] | Iterable[str] = LIKE_BERT,
        **options: Any,
    ) -> Self:
        """The tokenizer for texts: the special tokens, then what the texts consist of, the most frequent first.

        vocab_size   how many tokens at most, special ones included; None: no limit
        min_count    how often a token must occur to have a place
        options      those of `__init__`

        Equal counts go by code points, so the same texts give the same tokens. Raises ValueError where no token but
        the special ones has a place.
        """
        roles, additional = sort_by_role(special_tokens)
        special = list(dict.fromkeys([*roles.values(), *additional]))
        options["special_tokens"] = {**roles, "additional_special_tokens": additional}
        draft = cls(vocabulary=special, **options)
        counts: Counter[str] = Counter()
        for text in [texts] if isinstance(texts, str) else texts:
            for _, part, is_special in split_at(special, checked_text(text)):
                if not is_special:
                    counts.update(unit for unit, _, _ in draft._units(part))
        ranked = sorted((unit for unit, count in counts.items() if count >= min_count), key=lambda u: (-counts[u], u))
        room = None if vocab_size is None else max(vocab_size - len(special), 0)
        if not ranked[:room]:
            raise ValueError(
                f"nothing is left for a vocabulary: {sum(counts.values())} units of {len(counts)} kinds, "
                f"vocab_size={vocab_size} with {len(special)} special tokens, min_count={min_count}"
            )
        return cls(vocabulary=[*special, *ranked[:room]], **options)


class CharacterTokenizer(ListTokenizer):
    """One token for each character, spaces and line ends included: Chinese, poems, names.

        tokenizer = CharacterTokenizer.from_texts(texts, vocab_size=5000, min_count=2)

    Where `special_tokens={}`, a `minigrad.data.CharTokenizer` t and `CharacterTokenizer(t.characters, {})` have the
    same tokens. `lowercase` makes small letters of capitals.
    """

    kind = "character"
    options = ("lowercase",)

    def __init__(
        self,
        vocabulary: Sequence[str],
        special_tokens: Mapping[str, Any] | Iterable[str] = LIKE_BERT,
        *,
        lowercase: bool = False,
        **settings: Any,
    ) -> None:
        self.lowercase = lowercase
        super().__init__(vocabulary, special_tokens, **settings)

    def _units(self, text: str) -> Iterator[Unit]:
        for i, character in enumerate(text):
            for unit in character.lower() if self.lowercase else character:
                yield unit, i, i + 1

    def _decode_ids(self, ids: list[int]) -> str:
        return "".join(self.vocabulary[token] for token in ids)


class WordTokenizer(ListTokenizer):
    """One token for each word and each punctuation mark, in small letters.

        tokenizer = WordTokenizer.from_texts(texts, vocab_size=10000, min_count=2)

    lowercase   whether capitals become small letters
    split       "words": letters, digits and apostrophes between them are a word, any other mark is a token of its own;
                "spaces": what stands between white space is a token, for texts that come cut into words

    Decoding puts one space between words; white space of the text is not kept.
    """

    kind = "word"
    options = ("lowercase", "split")
    patterns: ClassVar = {"words": re.compile(r"\w+(?:['’]\w+)*|[^\w\s]"), "spaces": re.compile(r"\S+")}

    def __init__(
        self,
        vocabulary: Sequence[str],
        special_tokens: Mapping[str, Any] | Iterable[str] = LIKE_BERT,
        *,
        lowercase: bool = True,
        split: str = "words",
        **settings: Any,
    ) -> None:
        if split not in self.patterns:
            raise ValueError(f"split must be 'words' or 'spaces', got {split!r}")
        self.lowercase, self.split = lowercase, split
        settings.setdefault("clean_up_tokenization_spaces", split == "words")
        super().__init__(vocabulary, special_tokens, **settings)

    def _units(self, text: str) -> Iterator[Unit]:
        for match in self.patterns[self.split].finditer(text):
            yield (match[0].lower() if self.lowercase else match[0]), *match.span()

    def _decode_ids(self, ids: list[int]) -> str:
        return " ".join(self.vocabulary[token] for token in ids)


class ByteTokenizer(ListTokenizer):
    """One token for each byte of the text in UTF-8: tokens 0 to 255 are the bytes, special tokens come after.

    Any text can be written, none is unknown; what is no valid UTF-8 decodes to U+FFFD.
    """

    kind = "byte"

    def __init__(
        self,
        special_tokens: Mapping[str, Any] | Iterable[str] = LIKE_LLAMA,
        *,
        vocabulary: Sequence[str] | None = None,
        **settings: Any,
    ) -> None:
        """`vocabulary` is for files: the 256 bytes as <0x00> to <0xFF>, then the special tokens in their order."""
        roles, additional = sort_by_role(special_tokens)
        if vocabulary is None:
            vocabulary = [*BYTES, *dict.fromkeys([*roles.values(), *additional])]
        if list(vocabulary[:256]) != BYTES:
            raise ValueError("the vocabulary of a ByteTokenizer starts with the bytes <0x00> to <0xFF>")
        super().__init__(vocabulary, {**roles, "additional_special_tokens": additional}, **settings)

    def _encode_text(self, text: str, spans: bool) -> Pieces:
        if not spans:
            return Pieces(list(text.encode()))
        sizes = [len(character.encode()) for character in text]
        return Pieces(list(text.encode()), [(i, i + 1) for i, size in enumerate(sizes) for _ in range(size)])

    def _decode_ids(self, ids: list[int]) -> str:
        data = b"".join(bytes([token]) if token < 256 else self.vocabulary[token].encode() for token in ids)
        return data.decode("utf-8", errors="replace")


KINDS: tuple[type[ListTokenizer], ...] = (CharacterTokenizer, WordTokenizer, ByteTokenizer)
