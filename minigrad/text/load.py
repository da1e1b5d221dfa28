"""`load_tokenizer`: the tokenizer that lies in a folder, whatever kind it is, with what its settings files say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from minigrad.text.library import BPETokenizer, LibraryTokenizer, WordPieceTokenizer
from minigrad.text.llama2c import Llama2cTokenizer
from minigrad.text.own import OWN_FILE, ListTokenizer
from minigrad.text.sentencepieces import SentencePieceTokenizer
from minigrad.text.special import ROLES
from minigrad.text.tokenizer import Tokenizer
from minigrad.text.vocabulary import read_json

__all__ = ["load_tokenizer"]

NO_LIMIT = 10**18  # settings files write 10**30 where they know no length


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """The tokenizer in a folder, or of one of these files (the first that is there):

        minigrad_tokenizer.json                            our own, by character, byte or word
        tokenizer.json                                     any, by the library `tokenizers`
        vocab.json + merges.txt, encoder.json + vocab.bpe  BPE as GPT-2 has it
        vocab.txt                                          WordPiece as BERT has it
        tokenizer.model                                    SentencePiece (Llama 2, T5)
        tokenizer.bin, tok*.bin                            llama2.c

    tokenizer_config.json, special_tokens_map.json and added_tokens.json beside it give special tokens, sides and
    lengths. Raises FileNotFoundError where there is no such file, ValueError where one is broken.
    """
    path = Path(folder)
    if path.is_dir():
        file, load = _found_in(path)
    elif path.is_file():
        file, load = path, _loader_by_name(path)
    else:
        raise FileNotFoundError(
            f"there is no file or folder {path}; if it names a model on a hub, download its files into a folder first "
            "(with a browser or `git clone`) and give that folder's path"
        )
    settings = _settings(file.parent)
    tokenizer = load(file, settings)
    for token_id, token in _added(settings).items():
        if (found := tokenizer.token_to_id(token)) != token_id:
            raise ValueError(f"{file.parent}: its settings say that {token!r} is token {token_id}, but it is {found}")
    return tokenizer


def _found_in(folder: Path) -> tuple[Path, Loader]:
    names = sorted(entry.name for entry in folder.iterdir())
    for _, pattern, load in KINDS:
        found = next((name for name in names if re.fullmatch(pattern, name)), None)
        if found and BESIDE.get(found, found) in names:
            return folder / found, load
    raise FileNotFoundError(
        f"{folder} holds no tokenizer: looked for {_known()}; found {', '.join(names) or 'nothing'}"
    )


def _loader_by_name(path: Path) -> Loader:
    for _, pattern, load in KINDS:
        if re.fullmatch(pattern, path.name):
            return load
    if path.suffix not in BY_ENDING:
        raise ValueError(f"{path} is no tokenizer by its name; known are {_known()}")
    return BY_ENDING[path.suffix]


def _own(path: Path, settings: Settings) -> Tokenizer:
    try:
        return ListTokenizer.from_dict(read_json(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _library(path: Path, settings: Settings) -> Tokenizer:
    chosen = _chosen(settings)
    del chosen["added_tokens"]  # they are in the file
    if not any(role in settings for role in ROLES):
        del chosen["special_tokens"]  # the file knows them, by their spelling
    return LibraryTokenizer(path, **chosen)


def _bpe(path: Path, settings: Settings) -> Tokenizer:
    vocabulary = path if path.suffix == ".json" else path.with_name(BESIDE[path.name])
    chosen = _chosen(settings, "add_prefix_space", "add_bos_token", "add_eos_token")
    return BPETokenizer.from_files(vocabulary, path.with_name(BESIDE[vocabulary.name]), **chosen)


def _wordpiece(path: Path, settings: Settings) -> Tokenizer:
    return WordPieceTokenizer.from_file(
        path, **_chosen(settings, "do_lower_case", "strip_accents", "tokenize_chinese_chars")
    )


def _sentencepiece(path: Path, settings: Settings) -> Tokenizer:
    return SentencePieceTokenizer(path, **_chosen(settings, "add_bos_token", "add_eos_token"))


def _llama2c(path: Path, settings: Settings) -> Tokenizer:
    return Llama2cTokenizer.from_file(path, **_chosen(settings, "add_bos_token", "add_eos_token"))


Settings = dict[str, Any]
Loader = Callable[[Path, Settings], Tokenizer]

# What a kind is called, the name of the file by which it is known, and what reads it. The first that fits is taken.
KINDS: tuple[tuple[str, str, Loader], ...] = (
    (OWN_FILE, re.escape(OWN_FILE), _own),
    ("tokenizer.json", r"tokenizer\.json", _library),
    ("vocab.json with merges.txt", r"vocab\.json|merges\.txt", _bpe),
    ("encoder.json with vocab.bpe", r"encoder\.json|vocab\.bpe", _bpe),
    ("vocab.txt", r"vocab\.txt", _wordpiece),
    ("tokenizer.model", r"tokenizer\.model", _sentencepiece),
    ("tokenizer.bin or tok*.bin", r"tok.*\.bin", _llama2c),
)
BY_ENDING: dict[str, Loader] = {".json": _library, ".txt": _wordpiece, ".model": _sentencepiece, ".bin": _llama2c}
BESIDE = {
    "vocab.json": "merges.txt",
    "encoder.json": "vocab.bpe",
    "merges.txt": "vocab.json",
    "vocab.bpe": "encoder.json",
}


def _known() -> str:
    return ", ".join(name for name, _, _ in KINDS)


def _settings(folder: Path) -> Settings:
    """What the settings files of a folder say; tokenizer_config.json has the last word."""
    said: Settings = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            said.update({key: value for key, value in read_json(folder / name).items() if value is not None})
    if (folder / "added_tokens.json").is_file():
        added = read_json(folder / "added_tokens.json")
        said.setdefault("added_tokens_decoder", {str(token_id): token for token, token_id in added.items()})
    return said


def _added(said: Mapping[str, Any]) -> dict[int, str]:
    """{id: token} of the tokens that were added to the vocabulary."""
    added = said.get("added_tokens_decoder") or {}
    try:
        return {i: _text(added[str(i)]) for i in sorted(map(int, added))}
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"added_tokens_decoder must be an object of tokens by their ids, got {added!r}") from error


def _chosen(said: Mapping[str, Any], *own: str) -> dict[str, Any]:
    """The arguments of a tokenizer among what the files say: those of every kind, and the kind's `own`."""
    special: dict[str, Any] = {role: _text(said[role]) for role in ROLES if role in said}
    additional = [_text(token) for token in said.get("additional_special_tokens") or ()]
    decoder = said.get("added_tokens_decoder") or {}
    additional += [_text(t) for t in decoder.values() if isinstance(t, Mapping) and t.get("special")]
    special["additional_special_tokens"] = [t for t in dict.fromkeys(additional) if t not in special.values()]
    chosen: dict[str, Any] = {"special_tokens": special, "added_tokens": list(_added(said).values())}
    for name in ("padding_side", "truncation_side", "model_input_names", "clean_up_tokenization_spaces", *own):
        if name in said:
            chosen[name] = said[name]
    if isinstance(length := said.get("model_max_length"), (int, float)) and 0 < length < NO_LIMIT:
        chosen["model_max_length"] = int(length)
    return chosen


def _text(token: Any) -> str:
    """A special token's text; settings files have it as such, or in an object with its other properties."""
    text = token.get("content") if isinstance(token, Mapping) else token
    if not isinstance(text, str):
        raise ValueError(f"a special token must be a string or have a 'content', got {token!r}")
    return text
