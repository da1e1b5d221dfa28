"""SentencePiece vocabularies (Llama 2, T5): tokenizer.model, through the library `sentencepiece`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from minigrad.text.batching import Pieces
from minigrad.text.extra import library
from minigrad.text.library import write_config
from minigrad.text.special import around, sort_by_role
from minigrad.text.tokenizer import Tokenizer

__all__ = ["SentencePieceTokenizer", "text_of_pieces"]

SPACE = "▁"  # U+2581, what a piece has for a space


class SentencePieceTokenizer(Tokenizer):
    """The model in a file tokenizer.model, given by its path or as bytes.

    Spaces are part of the pieces and a text starts as if a space stood before it; a character that no piece has is
    written in bytes where the model has pieces for them, otherwise it is the unknown token (Kudo and Richardson 2018).

    add_bos_token   <s> before each text; None: where the model has one
    add_eos_token   </s> after each text; None: where the model has no <s>
    added_tokens    tokens with the ids after the model's
    """

    def __init__(
        self,
        model: str | Path | bytes,
        special_tokens: Mapping[str, Any] | Iterable[str] = (),
        *,
        add_bos_token: bool | None = None,
        add_eos_token: bool | None = None,
        **settings: Any,
    ) -> None:
        self.processor = _read(model)
        names = {}
        for role in ("unk", "bos", "eos", "pad"):
            token_id = getattr(self.processor, f"{role}_id")()
            if token_id >= 0:
                names[f"{role}_token"] = self.processor.id_to_piece(token_id)
        given, additional = sort_by_role(special_tokens)
        roles = {**names, **given}
        self.add_bos_token = "bos_token" in roles if add_bos_token is None else add_bos_token
        self.add_eos_token = not self.add_bos_token if add_eos_token is None else add_eos_token
        template = around(
            roles.get("bos_token") if self.add_bos_token else None,
            roles.get("eos_token") if self.add_eos_token else None,
        )
        self._starts_with_space = self.processor.encode("a", return_type=str)[0].startswith(SPACE)
        super().__init__({**roles, "additional_special_tokens": additional}, template, **settings)

    def _encode_text(self, text: str, spans: bool) -> Pieces:
        if not spans:
            return Pieces(self.processor.encode(text))
        found = self.processor.encode(text, return_type="offset_mapping")
        return Pieces(found["ids"], found["offsets"])

    def _decode_ids(self, ids: list[int]) -> str:
        pieces = []
        for token in ids:
            piece = self.id_to_token(token)
            own = token < self._own_size()
            if own and self.processor.is_byte(token):
                pieces.append(bytes([int(piece[3:5], 16)]))
            else:
                pieces.append((piece.replace(SPACE, " ") if own else piece).encode())
        return text_of_pieces(pieces, self._starts_with_space)

    def _id_of(self, token: str) -> int | None:
        found: int = self.processor.piece_to_id(token)
        return found if self.processor.id_to_piece(found) == token else None  # the unknown token answers for others

    def _token_of(self, token_id: int) -> str | None:
        piece: str = self.processor.id_to_piece(token_id)
        return piece

    def _own_size(self) -> int:
        size: int = self.processor.get_piece_size()
        return size

    def _write(self, folder: Path) -> None:
        (folder / "tokenizer.model").write_bytes(self.processor.serialized_model_proto())
        write_config(folder, {"tokenizer_class": "LlamaTokenizer", **around_texts(self), **self.settings()})


def around_texts(tokenizer: Any) -> dict[str, Any]:
    """The entries of tokenizer_config.json for what stands around a text and for added tokens."""
    added = {str(i): {"content": token, "special": True} for token, i in tokenizer.added.items()}
    return {
        "add_bos_token": tokenizer.add_bos_token,
        "add_eos_token": tokenizer.add_eos_token,
        "added_tokens_decoder": added or None,
    }


def text_of_pieces(pieces: Iterable[bytes], starts_with_space: bool) -> str:
    """The text of pieces given as the bytes of their text: without the space before its first word.

    Bytes that make no character become U+FFFD.
    """
    text = b"".join(pieces).decode("utf-8", errors="replace")
    return text.removeprefix(" ") if starts_with_space else text


def _read(model: str | Path | bytes) -> Any:
    sentencepiece = library("sentencepiece")
    if isinstance(model, (str, Path)):
        if not Path(model).is_file():
            raise FileNotFoundError(f"there is no file {model}")
        data, name = Path(model).read_bytes(), str(model)
    else:
        data, name = model, f"what was given ({len(model)} bytes)"
    try:
        if not data:
            raise RuntimeError("it is empty")
        return sentencepiece.SentencePieceProcessor(model_proto=data)
    except RuntimeError as error:
        raise ValueError(f"{name} is no SentencePiece model: {error}") from None
