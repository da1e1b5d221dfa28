"""New vocabularies from texts: BPE, WordPiece, SentencePiece. The same texts always give the same vocabulary."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from minigrad.text.extra import library
from minigrad.text.library import END_OF_TEXT, BPETokenizer, WordPieceTokenizer
from minigrad.text.own import LIKE_BERT
from minigrad.text.sentencepieces import SentencePieceTokenizer
from minigrad.text.special import sort_by_role
from minigrad.text.strings import checked_text

__all__ = ["train_bpe", "train_sentencepiece", "train_wordpiece"]

SpecialTokens = Mapping[str, Any] | Iterable[str]


def train_bpe(
    texts: str | Iterable[str],
    vocab_size: int,
    special_tokens: SpecialTokens = (END_OF_TEXT,),
    min_count: int = 2,
    **options: Any,
) -> BPETokenizer:
    """A byte-level BPE vocabulary, as GPT-2 has it, of `vocab_size` tokens: the special tokens in the order given,
    the 256 bytes, then merges as long as a pair of neighbours comes `min_count` times.

    `special_tokens` is a list, or a mapping of roles; `options` are those of `BPETokenizer`. There are fewer tokens
    where the texts are short. Raises ValueError where `vocab_size` is too small for special tokens and bytes.
    """
    tokenizers = library("tokenizers")
    special, given = _ordered(special_tokens)
    _must_hold(vocab_size, len(special) + 256, f"{len(special)} special tokens and 256 bytes")
    draft = tokenizers.Tokenizer(tokenizers.models.BPE())
    draft.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=options.get("add_prefix_space", False))
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_count,
        special_tokens=special,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    draft.train_from_iterator(_each(texts), trainer)
    state = _model_of(draft)
    merges = [tuple(pair) for pair in state["merges"]]
    return BPETokenizer(state["vocab"], merges, given, **options)


def train_wordpiece(
    texts: str | Iterable[str],
    vocab_size: int,
    special_tokens: SpecialTokens = LIKE_BERT,
    min_count: int = 2,
    do_lower_case: bool = True,
    **options: Any,
) -> WordPieceTokenizer:
    """A WordPiece vocabulary, as BERT has it, of `vocab_size` pieces: the special tokens in the order given, the
    characters, the characters inside words (##), then pieces joined as BPE joins them.

    Where the characters alone are too many, the most frequent ones have a place. `special_tokens` is a list, or a
    mapping of roles, with tokens for unk, cls and sep; `options` are those of `WordPieceTokenizer`.
    """
    tokenizers = library("tokenizers")
    special, given = _ordered(special_tokens)
    draft = WordPieceTokenizer(special, given, do_lower_case=do_lower_case, **options).library
    words: Counter[str] = Counter()
    for text in _each(texts):
        normal = draft.normalizer.normalize_str(text)
        words.update(word for word, _ in draft.pre_tokenizer.pre_tokenize_str(normal))
    first, inside = _characters(words, vocab_size - len(special))
    # Left alone, the trainer numbers the ##-characters as it meets them in a hash table, and breaks ties between merges
    # by these numbers: another vocabulary with each run. As "special tokens" they have numbers from the start.
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=min_count,
        special_tokens=[*special, *first, *inside],
        limit_alphabet=len(first),
        initial_alphabet=first,
        show_progress=False,
    )
    learner = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token=given["unk_token"]))
    learner.train_from_iterator((word for word, count in sorted(words.items()) for _ in range(count)), trainer)
    ids = _model_of(learner)["vocab"]
    return WordPieceTokenizer(sorted(ids, key=ids.__getitem__), given, do_lower_case=do_lower_case, **options)


def _characters(words: Counter[str], room: int) -> tuple[list[str], list[str]]:
    """The characters of words and, with ##, those that come inside words; the most frequent where room is short."""
    counts: Counter[tuple[bool, str]] = Counter()
    for word, count in words.items():
        for i, character in enumerate(word):
            counts[i > 0, character] += count
    # A character inside a word needs its piece without ##, or the trainer drops it: both or neither has a place.
    whole: Counter[str] = Counter()
    for (_, character), count in counts.items():
        whole[character] += count
    first, inside = [], []
    for character in sorted(whole, key=lambda c: (-whole[c], c)):
        needed = 1 + ((True, character) in counts)
        if needed > room:
            break
        room -= needed
        first.append(character)
        inside += [f"##{character}"] * (needed - 1)
    if not first:
        raise ValueError("nothing is left for a vocabulary: no texts, or vocab_size is too small for one character")
    return sorted(first), sorted(inside)


def train_sentencepiece(
    texts: str | Iterable[str],
    vocab_size: int,
    special_tokens: Iterable[str] = (),
    model_type: str = "bpe",
    **options: Any,
) -> SentencePieceTokenizer:
    """A SentencePiece model, as Llama 2 has it, of `vocab_size` pieces: <unk>, <s>, </s>, the `special_tokens`, the
    256 bytes, then pieces learnt from the lines of the texts. `model_type` is "bpe" or "unigram".

    Text is kept as it is (no normalization), digits are pieces of their own, what has no piece is written in bytes.
    `options` are those of `SentencePieceTokenizer`. Raises ValueError where the texts do not fill such a vocabulary, or
    it is too small for their characters.
    """
    if model_type not in ("bpe", "unigram"):
        raise ValueError(f"model_type must be 'bpe' or 'unigram', got {model_type!r}")
    special, given = _ordered(special_tokens)
    special = [token for token in special if token not in ("<unk>", "<s>", "</s>")]
    _must_hold(vocab_size, len(special) + 259, f"{len(special) + 3} special tokens and 256 bytes")
    model = io.BytesIO()
    lines = [line for text in _each(texts) for line in text.splitlines() if line]
    try:
        library("sentencepiece").SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=model,
            model_type=model_type,
            vocab_size=vocab_size,
            control_symbols=special,
            byte_fallback=True,
            split_digits=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            max_sentence_length=1 << 20,
            num_threads=1,  # more would share out the sums, and their order is chance
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        raise ValueError(f"these texts give no vocabulary of {vocab_size} pieces: {error}") from None
    return SentencePieceTokenizer(model.getvalue(), given, **options)


def _each(texts: str | Iterable[str]) -> Iterator[str]:
    for text in [texts] if isinstance(texts, str) else texts:
        yield checked_text(text)


def _ordered(special_tokens: SpecialTokens) -> tuple[list[str], dict[str, Any]]:
    """Every special token once, in the order given; and the mapping of roles that says the same."""
    named = special_tokens if isinstance(special_tokens, (Mapping, str)) else list(special_tokens)
    roles, additional = sort_by_role(named)
    order = [*roles.values(), *additional] if isinstance(named, Mapping) else named
    return list(dict.fromkeys(order)), {**roles, "additional_special_tokens": additional}


def _model_of(tokenizer: Any) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    return state


def _must_hold(vocab_size: int, needed: int, what: str) -> None:
    if vocab_size < needed:
        raise ValueError(f"vocab_size={vocab_size} is too small: {what} need {needed}")
