"""Text to learn from, one character at a time: readers, a tokenizer, a split, and two yardsticks for a model.

`python_docs` needs no download. The usual way through this file:

    text = python_docs()
    train, val = train_validation_split(text, boundary=TOPIC_BREAK)
    tokenizer = CharTokenizer.from_text(text)
    train_ids, val_ids = tokenizer.encode(train), tokenizer.encode(val)
    print(bigram_loss(train_ids, val_ids, len(tokenizer)))     # what a model has to beat
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad.data.cache import DataFile, fetch

__all__ = [
    "TOPIC_BREAK",
    "CharTokenizer",
    "bigram_loss",
    "known_word_share",
    "names",
    "python_docs",
    "tinyshakespeare",
    "train_validation_split",
]

TOPIC_BREAK = "\n\n\n\n"  # stands between the topics of python_docs and nowhere else in it

TINYSHAKESPEARE = DataFile(
    "tinyshakespeare/input.txt",
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    1_115_394,
)
NAMES = DataFile(
    "names/names.txt",
    "https://raw.githubusercontent.com/karpathy/makemore/master/names.txt",
    "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
    228_145,
)


def tinyshakespeare() -> str:
    """1,115,394 characters of Shakespeare's plays, 65 different ones (Karpathy 2015); 1.1 MB where not yet cached."""
    return fetch(TINYSHAKESPEARE).read_bytes().decode("utf-8")


def names() -> list[str]:
    """32,033 given names, a to z in lower case (the makemore list); 0.2 MB where not yet cached."""
    return fetch(NAMES).read_bytes().decode("utf-8").split()


def python_docs() -> str:
    """The English text of the Python language reference that `help()` shows: `pydoc_data.topics` of this installation.

    About 370,000 characters, some hundred different ones, none removed (a dozen are not ASCII: quotes, dashes).
    The text differs a little between Python versions. Two things are done so that a validation part is honest:

    - *No paragraph comes twice.* Topics overlap: "compound" repeats "if", "for", "with" and more, so a fifth of the
      raw text is copies, and a model could answer from memory. Of paragraphs that are equal up to spaces and
      underlines the one in the shortest topic stays.
    - *The order is a fixed shuffle* (by the SHA-256 of the topic's name). Sorted by name, the last tenth would be
      little else than the topics "types...", easier than the rest.

    Topics are joined by TOPIC_BREAK; `train_validation_split(text, boundary=TOPIC_BREAK)` cuts between two of them.

    Raises ModuleNotFoundError where the installation was stripped of `pydoc_data`.
    """
    try:
        topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    except (ModuleNotFoundError, AttributeError) as error:
        raise ModuleNotFoundError(
            f"this Python ({sys.version.split()[0]}, {sys.executable}) carries no documentation text: "
            f"pydoc_data.topics is missing ({error}). Some distributions strip it; install their full Python, use one "
            "from python.org, or read another text, for example minigrad.data.tinyshakespeare()",
            name="pydoc_data.topics",
        ) from error
    kept = _without_copies(topics)
    return TOPIC_BREAK.join(kept[name] for name in sorted(kept, key=lambda name: _sha256(name)))


def _sha256(text: str) -> str:
    import hashlib  # here, because it is slow to import and `import minigrad` has no use for it

    return hashlib.sha256(text.encode()).hexdigest()


def _without_copies(topics: dict[str, str]) -> dict[str, str]:
    """Each topic without the paragraphs that a shorter topic has; topics of which nothing stays are left out."""
    seen: set[str] = set()
    kept = {}
    for name in sorted(topics, key=lambda name: (len(topics[name]), name)):
        paragraphs = []
        for paragraph in topics[name].split("\n\n"):
            worded = [" ".join(line.split()) for line in paragraph.split("\n") if re.search(r"\w", line)]
            meaning = " ".join(worded)
            if meaning not in seen:
                paragraphs.append(paragraph)
            if meaning:
                seen.add(meaning)
        text = re.sub(r"\n{4,}", "\n\n\n", "\n\n".join(paragraphs)).strip("\n")
        if text:
            kept[name] = text
    return kept


def train_validation_split(text: str, fraction: float = 0.9, boundary: str | None = None) -> tuple[str, str]:
    """Cut a text in two at `int(fraction * len(text))`: what comes first is for training, the rest for validation.

    With a `boundary`, the cut is moved to the end of the nearest occurrence of that string, so that no document lies
    in both parts. Raises ValueError where one of the parts would be empty or the boundary does not occur.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
    cut = int(fraction * len(text))
    if boundary is not None:
        after = [match.end() for match in re.finditer(re.escape(boundary), text)]
        if not after:
            raise ValueError(f"the boundary {boundary!r} does not occur in the text of {len(text)} characters")
        cut = min(after, key=lambda end: abs(end - cut))
    if not 0 < cut < len(text):
        raise ValueError(f"a text of {len(text)} characters cut at {cut} leaves one part empty; give a longer text")
    return text[:cut], text[cut:]


class CharTokenizer:
    """One token for each character; the token of a character is its rank by code point among the vocabulary.

    `len(tokenizer)` is the size V of the vocabulary, `tokenizer.characters` the V characters in order.
    """

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = "".join(sorted(set("".join(characters))))
        if not self.characters:
            raise ValueError("a CharTokenizer needs at least one character, got none")
        self._codes = _code_points(self.characters)

    @classmethod
    def from_text(cls, text: str) -> CharTokenizer:
        """The vocabulary of all characters that occur in `text`."""
        return cls(text)

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> np.ndarray:
        """The tokens of `text`, int64 (len(text),). Raises ValueError for a character outside the vocabulary."""
        codes = _code_points(text)
        tokens = np.searchsorted(self._codes, codes)
        unknown = np.flatnonzero(self._codes[np.minimum(tokens, len(self) - 1)] != codes)
        if len(unknown):
            position = int(unknown[0])
            character = text[position]
            raise ValueError(
                f"character {character!r} (U+{ord(character):04X}) at position {position} is not in the vocabulary of "
                f"{len(self)} characters {self.characters!r}; remove it, or make the tokenizer from a text that has it"
            )
        return tokens.astype(np.int64)

    def decode(self, tokens: Any) -> str:
        """The text of `tokens`: a list of ints, an integer array or a Tensor, of one dimension.

        Raises IndexError for a token that is negative or not below V, TypeError for tokens that are not integers.
        """
        values = np.asarray(tokens.tolist() if hasattr(tokens, "tolist") else list(tokens))
        if values.size == 0:
            return ""
        if values.dtype.kind not in "iu" or values.ndim != 1:
            raise TypeError(f"tokens must be integers in one dimension, got {values.dtype} of shape {values.shape}")
        outside = values[(values < 0) | (values >= len(self))]
        if len(outside):
            raise IndexError(f"token {outside[0]} is out of range: the vocabulary has tokens 0 to {len(self) - 1}")
        return self._codes[values].tobytes().decode("utf-32-le", "surrogatepass")

    def to_dict(self) -> dict[str, str]:
        """A plain dict to keep in a checkpoint; `from_dict` takes it back."""
        return {"kind": "char", "characters": self.characters}

    @classmethod
    def from_dict(cls, state: dict[str, str]) -> CharTokenizer:
        """The tokenizer that `to_dict` described. Raises ValueError where the dict is another's or was changed."""
        characters = state.get("characters")
        if state.get("kind") != "char" or not isinstance(characters, str):
            raise ValueError(
                f"not the dict of a CharTokenizer: expected kind 'char' and characters, got {sorted(state)}"
            )
        tokenizer = cls(characters)
        if tokenizer.characters != characters:
            raise ValueError("the characters of a CharTokenizer must be different and in order of their code points")
        return tokenizer


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def bigram_loss(train_ids: np.ndarray, val_ids: np.ndarray, vocab: int) -> float:
    """Cross-entropy of a bigram model with add-one smoothing, in nats per token: the mean over the validation text of

        -log p(b | a),    p(b | a) = (count(a, b) + 1) / (count(a) + V)

    for each token b and the token a before it, with counts of neighbours in the training text and V = `vocab`.

    Raises ValueError where a text has fewer than two tokens or one of them is not in 0..V-1.
    """
    for name, ids in (("training", train_ids), ("validation", val_ids)):
        if len(ids) < 2:
            raise ValueError(f"a bigram needs two tokens, the {name} text has {len(ids)}")
        if np.min(ids) < 0 or np.max(ids) >= vocab:
            raise ValueError(
                f"the {name} text has tokens {np.min(ids)} to {np.max(ids)}, expected 0 to {vocab - 1} (vocab={vocab})"
            )
    pairs = train_ids[:-1].astype(np.int64) * vocab + train_ids[1:]
    counts = np.bincount(pairs, minlength=vocab * vocab).reshape(vocab, vocab)
    log_p = np.log(counts + 1) - np.log(counts.sum(axis=1, keepdims=True) + vocab)
    return float(-log_p[val_ids[:-1], val_ids[1:]].mean())


def known_word_share(sample: str, text: str) -> float:
    """Which share of the words of `sample` occur in `text`, 0 to 1 (0 where the sample has no word).

    A word is a longest run of letters, upper and lower case alike; words that come twice count twice.
    """
    known = set(_words(text))
    words = _words(sample)
    return sum(word in known for word in words) / len(words) if words else 0.0


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.casefold())
