"""The tokenizer files of llama2.c (tokenizer.bin, tok512.bin), read and applied by hand.

    int32 length of the longest token, then for each token: float32 score, int32 length, the bytes

All numbers are little-endian. Token 0 is unknown, 1 starts and 2 ends a text, 3 to 258 are the bytes, written <0x00>
to <0xFF>, the rest are what a SentencePiece BPE model learnt. How many there are, the file does not say: count them.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from minigrad.text.batching import Pieces
from minigrad.text.library import write_config
from minigrad.text.sentencepieces import around_texts, text_of_pieces
from minigrad.text.special import around, sort_by_role
from minigrad.text.tokenizer import Tokenizer

__all__ = ["Llama2cTokenizer", "read_llama2c", "write_llama2c"]

FIRST_BYTE, FIRST_PIECE = 3, 259
SPECIAL = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}  # tokens 0, 1, 2


class Llama2cTokenizer(Tokenizer):
    """Pieces and their scores, as `Llama2cTokenizer.from_file(path)` reads them.

    A text starts as if a space stood before it. It is cut into characters (into bytes, where there is no token for a
    character); then the two neighbours whose union is the token of the highest score become one, the leftmost of
    equals, until no union is a token.
    """

    def __init__(
        self,
        pieces: Sequence[bytes],
        scores: Sequence[float],
        special_tokens: Mapping[str, Any] | Iterable[str] = (),
        *,
        add_bos_token: bool = True,
        add_eos_token: bool = False,
        **settings: Any,
    ) -> None:
        self.pieces, self.scores = list(pieces), list(scores)
        if self.pieces[FIRST_BYTE:FIRST_PIECE] != [b"<0x%02X>" % byte for byte in range(256)]:
            raise ValueError("tokens 3 to 258 must be the bytes <0x00> to <0xFF>; is this a tokenizer of llama2.c?")
        if len(self.scores) != len(self.pieces):
            raise ValueError(f"{len(self.pieces)} pieces need as many scores, got {len(self.scores)}")
        self._ids: dict[bytes, int] = {}
        for token in range(FIRST_PIECE, len(self.pieces)):
            first = self._ids.setdefault(self.pieces[token], token)
            if first != token:
                raise ValueError(f"tokens {first} and {token} are both {self.pieces[token]!r}")
        self.add_bos_token, self.add_eos_token = add_bos_token, add_eos_token
        given, additional = sort_by_role(special_tokens)
        roles = {**SPECIAL, **given}
        template = around(roles["bos_token"] if add_bos_token else None, roles["eos_token"] if add_eos_token else None)
        super().__init__({**roles, "additional_special_tokens": additional}, template, **settings)

    @classmethod
    def from_file(cls, path: str | Path, **settings: Any) -> Llama2cTokenizer:
        """From tokenizer.bin or its like."""
        pieces, scores = read_llama2c(Path(path))
        try:
            return cls(pieces, scores, **settings)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def _encode_text(self, text: str, spans: bool) -> Pieces:
        ids: list[int] = []
        starts: list[int] = []  # the character that each symbol starts with
        for place, character in enumerate(f" {text}", start=-1):
            data = character.encode()
            token = self._ids.get(data)
            symbols = [FIRST_BYTE + byte for byte in data] if token is None else [token]
            ids += symbols
            starts += [place] * len(symbols)
        kept = self._merge(ids)
        places = [starts[i] for i in kept] + [len(text)]
        found = [ids[i] for i in kept]
        return Pieces(found, _spans(found, places) if spans else [])

    def _merge(self, ids: list[int]) -> list[int]:
        """Merge neighbours in `ids` in place; the places of those that are left.

        `after[i]` and `before[i]` are the neighbours of the symbol at i. A heap holds the unions that are tokens, best
        score first; one whose parts have changed since is passed over. That takes n log n steps, where looking
        for the best pair anew each time takes n².
        """
        count = len(ids)
        before, after = list(range(-1, count - 1)), list(range(1, count + 1))
        gone = [False] * count
        heap: list[tuple[float, int, int]] = []

        def union(i: int) -> int | None:
            return self._ids.get(self.pieces[ids[i]] + self.pieces[ids[after[i]]]) if after[i] < count else None

        def offer(i: int) -> None:
            token = union(i)
            if token is not None:
                heapq.heappush(heap, (-self.scores[token], i, token))

        for i in range(count):
            offer(i)
        while heap:
            _, i, token = heapq.heappop(heap)
            if gone[i] or union(i) != token:
                continue
            merged = after[i]
            ids[i], gone[merged] = token, True
            after[i] = after[merged]
            if after[i] < count:
                before[after[i]] = i
            offer(i)
            if before[i] >= 0:
                offer(before[i])
        return [i for i in range(count) if not gone[i]]

    def _decode_ids(self, ids: list[int]) -> str:
        return text_of_pieces(map(self._bytes_of, ids), starts_with_space=True)

    def _bytes_of(self, token: int) -> bytes:
        if FIRST_PIECE <= token < len(self.pieces):
            return self.pieces[token]
        return bytes([token - FIRST_BYTE]) if FIRST_BYTE <= token < FIRST_PIECE else self.id_to_token(token).encode()

    def _id_of(self, token: str) -> int | None:
        named = {name: i for i, name in enumerate(SPECIAL.values())}
        if token in named:
            return named[token]
        byte = token.encode(errors="surrogateescape")
        if byte in self.pieces[FIRST_BYTE:FIRST_PIECE]:
            return FIRST_BYTE + int(token[3:5], 16)
        return self._ids.get(byte)

    def _token_of(self, token_id: int) -> str | None:
        if token_id < FIRST_BYTE:
            return list(SPECIAL.values())[token_id]
        return self.pieces[token_id].decode(errors="surrogateescape")

    def _own_size(self) -> int:
        return len(self.pieces)

    def _write(self, folder: Path) -> None:
        write_llama2c(folder / "tokenizer.bin", self.pieces, self.scores)
        write_config(folder, {"tokenizer_class": "Llama2cTokenizer", **around_texts(self), **self.settings()})


def _spans(ids: list[int], places: list[int]) -> list[tuple[int, int]]:
    """From which characters each token comes, from the places where they start: -1 is the space before the text."""
    spans = []
    for i, start in enumerate(places[:-1]):
        end = next(place for place in places[i + 1 :] if place > start or place == places[-1])
        spans.append((max(start, 0), max(end, 0)))
    return spans


def read_llama2c(path: Path) -> tuple[list[bytes], list[float]]:
    """(pieces, scores) of a tokenizer of llama2.c. Raises ValueError where the file is cut off or is none."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    data = path.read_bytes()
    if len(data) < 4:
        raise ValueError(f"{path} is no tokenizer of llama2.c: {len(data)} bytes")
    (longest,) = struct.unpack_from("<i", data)
    pieces: list[bytes] = []
    scores: list[float] = []
    place = 4
    while place < len(data):
        if place + 8 > len(data):
            raise ValueError(f"{path} is cut off in token {len(pieces)}")
        score, length = struct.unpack_from("<fi", data, place)
        place += 8
        if not 0 <= length <= longest:
            raise ValueError(
                f"{path} is no tokenizer of llama2.c: token {len(pieces)} has {length} bytes, the longest {longest}"
            )
        if place + length > len(data):
            raise ValueError(f"{path} is cut off in token {len(pieces)}")
        pieces.append(data[place : place + length])
        scores.append(score)
        place += length
    return pieces, scores


def write_llama2c(path: Path, pieces: Sequence[bytes], scores: Sequence[float]) -> None:
    """Write what `read_llama2c` reads."""
    with path.open("wb") as stream:
        stream.write(struct.pack("<i", max(map(len, pieces))))
        for piece, score in zip(pieces, scores, strict=True):
            stream.write(struct.pack("<fi", score, len(piece)) + piece)
