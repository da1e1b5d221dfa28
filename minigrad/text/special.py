"""Special tokens: the parts they play, and the templates that put them around a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from minigrad.text.tokenizer import Tokenizer

__all__ = ["ROLES", "WELL_KNOWN", "Role", "RoleId", "Template", "around", "as_bert", "sort_by_role"]

ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")

# The parts that tokens of these spellings play in published vocabularies.
WELL_KNOWN = {
    "<s>": ("bos_token",),
    "<bos>": ("bos_token",),
    "</s>": ("eos_token",),
    "<eos>": ("eos_token",),
    "<|endoftext|>": ("bos_token", "eos_token"),
    "<unk>": ("unk_token",),
    "[UNK]": ("unk_token",),
    "<pad>": ("pad_token",),
    "[PAD]": ("pad_token",),
    "<cls>": ("cls_token",),
    "[CLS]": ("cls_token",),
    "<sep>": ("sep_token",),
    "[SEP]": ("sep_token",),
    "<mask>": ("mask_token",),
    "[MASK]": ("mask_token",),
}


def sort_by_role(special_tokens: Mapping[str, Any] | Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """(token by role, the tokens without one), from a mapping of roles or a list of tokens.

    A mapping may have the key `additional_special_tokens`, a list. In a list the well-known spellings get their roles
    (`WELL_KNOWN`), the first that claims a role has it. Raises ValueError for a role that does not exist.
    """
    if isinstance(special_tokens, Mapping):
        roles = {role: token for role, token in special_tokens.items() if role != "additional_special_tokens"}
        additional = list(special_tokens.get("additional_special_tokens") or ())
        if unknown := sorted(set(roles) - set(ROLES)):
            raise ValueError(f"{unknown[0]!r} is no special token's role; the roles are {', '.join(ROLES)}")
        return {role: _text(token) for role, token in roles.items()}, [_text(token) for token in additional]
    if isinstance(special_tokens, str):
        raise TypeError(f"special_tokens must be a mapping or a list of tokens, got the string {special_tokens!r}")
    found: dict[str, str] = {}
    additional = []
    for token in map(_text, special_tokens):
        if token not in WELL_KNOWN:
            additional.append(token)
        for role in WELL_KNOWN.get(token, ()):
            found.setdefault(role, token)
    return found, additional


def _text(token: Any) -> str:
    if not isinstance(token, str) or not token:
        raise ValueError(f"a special token must be a string of one character or more, got {token!r}")
    return token


class Role:
    """The attribute `tokenizer.pad_token` and its like: the special token's text, None where there is none.

    Setting it gives the role to a token of the vocabulary (ValueError where it is none of that), None takes it away.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, tokenizer: None, owner: type) -> Role: ...
    @overload
    def __get__(self, tokenizer: Tokenizer, owner: type) -> str | None: ...
    def __get__(self, tokenizer: Tokenizer | None, owner: type) -> Any:
        return self if tokenizer is None else tokenizer.roles.get(self.name)

    def __set__(self, tokenizer: Tokenizer, token: str | None) -> None:
        tokenizer.set_role(self.name, token)


class RoleId:
    """The attribute `tokenizer.pad_token_id` and its like: the id of that special token, None where there is none."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.role = name.removesuffix("_id")

    @overload
    def __get__(self, tokenizer: None, owner: type) -> RoleId: ...
    @overload
    def __get__(self, tokenizer: Tokenizer, owner: type) -> int | None: ...
    def __get__(self, tokenizer: Tokenizer | None, owner: type) -> Any:
        if tokenizer is None:
            return self
        token = tokenizer.roles.get(self.role)
        return None if token is None else tokenizer.token_to_id(token)

    def __set__(self, tokenizer: Tokenizer, token_id: int | None) -> None:
        tokenizer.set_role(self.role, None if token_id is None else tokenizer.id_to_token(token_id))


@dataclass(frozen=True)
class Template:
    """What stands around a text (`single`) and around a pair of texts (`pair`).

    Each part is "$A" (the text), "$B" (its pair) or a special token, with the token type that it carries:
    BERT's pair is [CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1.
    """

    single: list[tuple[str, int]] = field(default_factory=lambda: [("$A", 0)])
    pair: list[tuple[str, int]] = field(default_factory=lambda: [("$A", 0), ("$B", 1)])

    def parts(self, paired: bool) -> list[tuple[str, int]]:
        return self.pair if paired else self.single

    def specials(self) -> list[str]:
        """The special tokens it needs, each once."""
        return sorted({part for part, _ in [*self.single, *self.pair]} - {"$A", "$B"})


def as_bert(cls: str, sep: str) -> Template:
    """[CLS] A [SEP], and [CLS] A [SEP] B [SEP] with type 1 from B on."""
    single = [(cls, 0), ("$A", 0), (sep, 0)]
    return Template(single, [*single, ("$B", 1), (sep, 1)])


def around(bos: str | None, eos: str | None) -> Template:
    """bos A eos, and bos A eos bos B eos with type 1 from the second bos on; either may be None."""

    def one(slot: str, kind: int) -> list[tuple[str, int]]:
        return [(part, kind) for part in (bos, slot, eos) if part is not None]

    return Template(one("$A", 0), one("$A", 0) + one("$B", 1))
