"""Byte-level BPE, WordPiece, and any tokenizer.json, through the library `tokenizers`.

The library cuts texts into tokens and joins them again. Special tokens around texts, truncation and padding are the
base class's, for all kinds alike; what the file says of them becomes a `Template` here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from minigrad.text.batching import Pieces
from minigrad.text.extra import library
from minigrad.text.special import Template, around, as_bert, sort_by_role
from minigrad.text.tokenizer import Tokenizer
from minigrad.text.vocabulary import read_merges, read_vocabulary, read_wordpieces

__all__ = ["BPETokenizer", "LibraryTokenizer", "WordPieceTokenizer"]

END_OF_TEXT = "<|endoftext|>"  # GPT-2 has one special token for all purposes


class LibraryTokenizer(Tokenizer):
    """A `tokenizers.Tokenizer`, or the path of its file tokenizer.json.

    Without `special_tokens`, those that the file marks as special have the roles of their spelling (`WELL_KNOWN`).
    """

    def __init__(
        self,
        tokenizer: Any,
        special_tokens: Mapping[str, Any] | Iterable[str] | None = None,
        template: Template | None = None,
        **settings: Any,
    ) -> None:
        if isinstance(tokenizer, (str, Path)):
            tokenizer = _read(Path(tokenizer))
        self.library = tokenizer
        self.library.no_padding()
        self.library.no_truncation()
        self._size = 1 + max(self.library.get_vocab(with_added_tokens=False).values(), default=-1)
        marked = self.library.get_added_tokens_decoder()
        special = [token.content for _, token in sorted(marked.items()) if token.special]
        roles, additional = sort_by_role(special if special_tokens is None else special_tokens)
        additional += [token for token in special if token not in (*roles.values(), *additional)]
        given = template_of(self.library.post_processor) if template is None else template
        super().__init__({**roles, "additional_special_tokens": additional}, given, **settings)
        if template is not None and template.specials():
            self.library.post_processor = self._processor(template)
        self.added.update({token.content: i for i, token in sorted(marked.items()) if i >= self._size})

    def _processor(self, template: Template) -> Any:
        """The template in the library's own form, so that others who read our tokenizer.json have it too."""
        processors = library("tokenizers").processors
        single, pair = ([f"{part}:{kind}" for part, kind in parts] for parts in (template.single, template.pair))
        ids = [(token, self.token_to_id(token)) for token in template.specials()]
        around_texts = processors.TemplateProcessing(single=single, pair=pair, special_tokens=ids)
        before = self.library.post_processor
        return around_texts if before is None else processors.Sequence([before, around_texts])

    def _encode_text(self, text: str, spans: bool) -> Pieces:
        self.library.encode_special_tokens = self.split_special_tokens
        encoding = self.library.encode(text, add_special_tokens=False)
        return Pieces(encoding.ids, encoding.offsets if spans else [])

    def _decode_ids(self, ids: list[int]) -> str:
        text: str = self.library.decode(ids, skip_special_tokens=False)
        return text

    def _id_of(self, token: str) -> int | None:
        found: int | None = self.library.token_to_id(token)
        return found

    def _token_of(self, token_id: int) -> str | None:
        token: str | None = self.library.id_to_token(token_id)
        return token

    def _own_size(self) -> int:
        return self._size

    def _cuts(self) -> Sequence[str]:
        return []  # the library finds special tokens itself

    def _add(self, token: str) -> None:
        if self.token_to_id(token) is None:
            self.library.add_tokens([token])
            self.added[token] = self.library.token_to_id(token)

    def _mark_special(self, token: str) -> None:
        self.library.add_special_tokens([token])

    def _write(self, folder: Path) -> None:
        self.library.save(str(folder / "tokenizer.json"))
        write_config(folder, {"tokenizer_class": "PreTrainedTokenizerFast", **self.settings()})


class BPETokenizer(LibraryTokenizer):
    """GPT-2's tokenizer: byte-level BPE, from its vocabulary (id by token) and its merges, the first ones first.

    A text is cut into words, a word's bytes into one symbol each; then the pair of neighbours that comes first in
    `merges` becomes one, until no pair is left (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with
    Subword Units"; on bytes: Radford et al. 2019). Any text can be written.

    add_prefix_space   a text starts as if a space stood before it
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        merges: Sequence[tuple[str, str]],
        special_tokens: Mapping[str, Any] | Iterable[str] = (),
        *,
        add_prefix_space: bool = False,
        add_bos_token: bool = False,
        add_eos_token: bool = False,
        **settings: Any,
    ) -> None:
        tokenizers = library("tokenizers")
        given, additional = sort_by_role(special_tokens)
        known = ("bos_token", "eos_token", "unk_token") if END_OF_TEXT in vocabulary else ()
        roles = {**dict.fromkeys(known, END_OF_TEXT), **given}
        alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
        missing, unknown = sorted(set(alphabet) - set(vocabulary)), roles.get("unk_token")
        if missing and unknown not in vocabulary:
            raise ValueError(
                f"the vocabulary lacks {len(missing)} of the 256 symbols for bytes ({missing[0]!r} first) and has no "
                "unk_token for them; is it that of a byte-level BPE?"
            )
        try:
            model = tokenizers.models.BPE(dict(vocabulary), list(merges), unk_token=unknown if missing else None)
        except Exception as error:  # the library raises no narrower one
            raise ValueError(f"vocabulary and merges do not fit together: {error}") from None
        inner = tokenizers.Tokenizer(model)
        inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
        inner.decoder = tokenizers.decoders.ByteLevel()
        inner.post_processor = tokenizers.processors.ByteLevel(trim_offsets=False)
        template = around(
            roles.get("bos_token") if add_bos_token else None, roles.get("eos_token") if add_eos_token else None
        )
        super().__init__(inner, {**roles, "additional_special_tokens": additional}, template, **settings)

    @classmethod
    def from_files(cls, vocabulary: str | Path, merges: str | Path, **settings: Any) -> Self:
        """From vocab.json and merges.txt, or encoder.json and vocab.bpe; both pairs have one form."""
        return cls(read_vocabulary(Path(vocabulary)), read_merges(Path(merges)), **settings)


class WordPieceTokenizer(LibraryTokenizer):
    """BERT's tokenizer, from its list of word pieces, of which those inside a word start with ##.

    A word becomes the longest piece it starts with, then the longest that its rest starts with, and so on; [UNK]
    where that fails (Schuster and Nakajima 2012; Devlin et al. 2019). Chinese characters are words of their own.

    do_lower_case   small letters, accents dropped; None: so where no piece of the vocabulary has a capital A to Z
    strip_accents   None: as `do_lower_case`
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        special_tokens: Mapping[str, Any] | Iterable[str] = (),
        *,
        do_lower_case: bool | None = None,
        strip_accents: bool | None = None,
        tokenize_chinese_chars: bool = True,
        **settings: Any,
    ) -> None:
        tokenizers = library("tokenizers")
        ids = {token: i for i, token in enumerate(vocabulary)}
        given, additional = sort_by_role(special_tokens)
        usual, _ = sort_by_role([token for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") if token in ids])
        roles = {**usual, **given}
        if missing := [role for role in ("unk_token", "cls_token", "sep_token") if roles.get(role) not in ids]:
            raise ValueError(f"the vocabulary of {len(ids)} pieces has no {missing[0]}; is it a BERT vocab.txt?")
        if do_lower_case is None:
            do_lower_case = not any("A" <= c <= "Z" for token in vocabulary if token[0] not in "[<" for c in token)
        inner = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, unk_token=roles["unk_token"]))
        inner.normalizer = tokenizers.normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=tokenize_chinese_chars,
            strip_accents=strip_accents,
            lowercase=do_lower_case,
        )
        inner.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
        inner.decoder = tokenizers.decoders.WordPiece(prefix="##")
        settings.setdefault("clean_up_tokenization_spaces", True)
        template = as_bert(roles["cls_token"], roles["sep_token"])
        super().__init__(inner, {**roles, "additional_special_tokens": additional}, template, **settings)

    @classmethod
    def from_file(cls, vocabulary: str | Path, **settings: Any) -> Self:
        """From vocab.txt, one piece a line."""
        return cls(read_wordpieces(Path(vocabulary)), **settings)


def template_of(processor: Any) -> Template:
    """What a post-processor of the library puts around texts. Raises ValueError for one that is not known here."""
    return _template(json.loads(processor.__getstate__())) if processor is not None else Template()


def _template(state: Mapping[str, Any]) -> Template:
    kind = state["type"]
    if kind == "ByteLevel":
        return Template()
    if kind == "Sequence":
        found = [one for one in map(_template, state["processors"]) if one.specials()]
        if len(found) > 1:
            raise ValueError("tokenizer.json puts special tokens around texts twice, which is not supported")
        return found[0] if found else Template()
    if kind == "BertProcessing":
        return as_bert(state["cls"][0], state["sep"][0])
    if kind == "RobertaProcessing":
        cls, sep = state["cls"][0], state["sep"][0]
        single = [(cls, 0), ("$A", 0), (sep, 0)]
        return Template(single, [*single, (sep, 0), ("$B", 0), (sep, 0)])
    if kind == "TemplateProcessing":
        tokens = {name: special["tokens"] for name, special in state["special_tokens"].items()}
        return Template(_parts(state["single"], tokens), _parts(state["pair"], tokens))
    raise ValueError(f"tokenizer.json has a post-processor of type {kind!r}, which is not known here")


def _parts(pieces: list[Any], tokens: Mapping[str, list[str]]) -> list[tuple[str, int]]:
    parts = []
    for piece in pieces:
        ((kind, what),) = piece.items()
        texts = [f"${what['id']}"] if kind == "Sequence" else tokens[what["id"]]
        parts += [(text, what["type_id"]) for text in texts]
    return parts


def _read(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    tokenizers = library("tokenizers")
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises no narrower one
        raise ValueError(f"{path} is no tokenizer.json that can be read: {error}") from None


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """tokenizer_config.json, without what is not known."""
    known = {name: value for name, value in config.items() if value is not None}
    text = json.dumps(known, ensure_ascii=False, indent=2)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")
