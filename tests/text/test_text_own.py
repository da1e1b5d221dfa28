"""Our own tokenizers: by character, byte and word."""

import json

import pytest
from hypothesis import given, strategies as st

from minigrad.data import CharTokenizer
from minigrad.text import ByteTokenizer, CharacterTokenizer, ListTokenizer, WordTokenizer, load_tokenizer

# Every character but halves of surrogate pairs, which are no text.
any_text = st.text(st.characters(exclude_categories=["Cs"]))


def test_characters_by_frequency():
    tokenizer = CharacterTokenizer.from_texts(["我爱你", "你爱我吗", "爱"])
    assert tokenizer.vocabulary == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "爱", "你", "我", "吗"]
    assert (
        tokenizer.encode("你 好") == [2, 6, 1, 1, 3]
        and tokenizer.decode([2, 6, 7, 3], skip_special_tokens=True) == "你我"
    )
    assert tokenizer.encode("爱[MASK]", add_special_tokens=False) == [5, 4]
    assert CharacterTokenizer.from_texts(["我爱你", "你爱我吗", "爱"], min_count=2).vocabulary[5:] == ["爱", "你", "我"]
    assert CharacterTokenizer.from_texts("aabbc", vocab_size=7).vocabulary[5:] == ["a", "b"]
    small = CharacterTokenizer.from_texts(["AaİB"], lowercase=True)
    assert small.tokenize("ABab") == list("abab")
    assert small("bİ", return_offsets_mapping=True).offset_mapping == [(0, 0), (0, 1), (1, 2), (1, 2), (0, 0)]


def test_characters_without_special_tokens_are_those_of_chartokenizer():
    old = CharTokenizer.from_text("hello world\n")
    new = CharacterTokenizer(old.characters, {})
    assert new.encode("hello\nworld") == old.encode("hello\nworld").tolist() and len(new) == len(old)
    with pytest.raises(ValueError, match=r"'ü' \(U\+00FC\) at position 1 is not in the vocabulary of 9 tokens"):
        new.encode("hü")


def test_words():
    tokenizer = WordTokenizer.from_texts(["The cat's mat, the end.", "The END"], min_count=1)
    assert tokenizer.vocabulary[5:] == ["the", "end", ",", ".", "cat's", "mat"]
    assert tokenizer.tokenize("the  CAT'S dog.") == ["the", "cat's", "[UNK]", "."]
    assert tokenizer.decode(tokenizer.encode("The mat, the end."), skip_special_tokens=True) == "the mat, the end."
    assert tokenizer("the mat", return_offsets_mapping=True).offset_mapping == [(0, 0), (0, 3), (4, 7), (0, 0)]
    spaces = WordTokenizer.from_texts(
        ["the <unk> @-@ cat , <unk>"], split="spaces", lowercase=False, add_eos_token=True,
        special_tokens=["<pad>", "<unk>", "<eos>"],
    )  # fmt: skip
    assert spaces.vocabulary == ["<pad>", "<unk>", "<eos>", ",", "@-@", "cat", "the"]
    assert spaces.encode("the dog , cat") == [6, 1, 3, 5, 2] and spaces.decode([6, 3, 5]) == "the , cat"
    assert (spaces.pad_token_id, spaces.unk_token_id, spaces.eos_token_id, spaces.cls_token) == (0, 1, 2, None)
    assert "token_type_ids" not in spaces("the") and "token_type_ids" in tokenizer("the")


def test_bytes():
    tokenizer = ByteTokenizer()
    assert len(tokenizer) == 259 and tokenizer.encode("é</s>") == [0xC3, 0xA9, 258]
    assert tokenizer.decode([0x41, 0xFF, 0xC3, 258, 0xC3, 0xA9]) == "A\ufffd\ufffd</s>é"
    assert tokenizer("é!", return_offsets_mapping=True).offset_mapping == [(0, 1), (0, 1), (1, 2)]
    assert tokenizer.convert_ids_to_tokens([0x41, 256]) == ["<0x41>", "<pad>"] and tokenizer.encode("<0x41>") == list(
        b"<0x41>"
    )


@given(any_text)
def test_bytes_and_characters_give_the_text_back(text):
    tokenizer = ByteTokenizer({})
    assert tokenizer.decode(tokenizer.encode(text)) == text
    if text:
        characters = CharacterTokenizer.from_texts([text], special_tokens={})
        assert characters.decode(characters.encode(text)) == text


OWN = [
    CharacterTokenizer.from_texts(["我爱你\n", "\u2028é"], padding_side="left", model_max_length=7, lowercase=True),
    WordTokenizer.from_texts(["The cat"], special_tokens={"eos_token": "<e>", "unk_token": "<u>"}, add_eos_token=True),
    ByteTokenizer({"bos_token": "<b>", "additional_special_tokens": ["<x>"]}, add_bos_token=True),
]


@pytest.mark.parametrize("tokenizer", OWN, ids=repr)
def test_saved_and_loaded(tokenizer, tmp_path):
    tokenizer.add_special_tokens({"additional_special_tokens": ["<new>"]})
    tokenizer.save(tmp_path / "new" / "folder")
    for again in (load_tokenizer(tmp_path / "new" / "folder"), ListTokenizer.from_dict(tokenizer.to_dict())):
        assert type(again) is type(tokenizer) and again.to_dict() == tokenizer.to_dict()
        assert again("我<new> the Cat") == tokenizer("我<new> the Cat")
    assert load_tokenizer(tmp_path / "new" / "folder" / "minigrad_tokenizer.json").roles == tokenizer.roles


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CharacterTokenizer("aba", {}), "the vocabulary has 'a' more than once"),
        (lambda: CharacterTokenizer(["a", ""], {}), "strings that are not empty"),
        (lambda: CharacterTokenizer("ab"), r"pad_token='\[PAD\]' is not in the vocabulary of 2 tokens"),
        (lambda: CharacterTokenizer.from_texts([]), "nothing is left for a vocabulary: 0 units of 0 kinds"),
        (lambda: WordTokenizer.from_texts(["a b"], vocab_size=5), "2 units of 2 kinds, vocab_size=5"),
        (lambda: WordTokenizer.from_texts(["a b"], min_count=2), "min_count=2"),
        (lambda: WordTokenizer.from_texts(["a b"], split="letters"), "must be 'words' or 'spaces', got 'letters'"),
        (lambda: WordTokenizer.from_texts(["a"], add_bos_token=True), "add_eos_token need the tokens"),
        (lambda: ByteTokenizer(vocabulary=["a"]), "starts with the bytes"),
        (lambda: ByteTokenizer({"eos_token": 5}), "a special token must be a string of one character or more, got 5"),
        (lambda: ListTokenizer.from_dict({"kind": "char", "characters": "ab"}), "expected format 'minigrad"),
        (lambda: WordTokenizer.from_dict(OWN[0].to_dict()), "kind 'character' is no WordTokenizer"),
        (lambda: ListTokenizer.from_dict({**OWN[0].to_dict(), "vocabulary": "ab"}), "must be a list of strings"),
        (lambda: ListTokenizer.from_dict({**OWN[0].to_dict(), "case": 1}), "dict of a CharacterTokenizer: .*'case'"),
    ],
)  # fmt: skip
def test_bad_vocabularies(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_broken_files_are_named(tmp_path):
    OWN[0].save(tmp_path)
    file = tmp_path / "minigrad_tokenizer.json"
    state = json.loads(file.read_text(encoding="utf-8"))
    for text in ("{", "[]", json.dumps({**state, "kind": "rune"}), json.dumps({**state, "vocabulary": ["a", "a"]})):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="minigrad_tokenizer.json"):
            load_tokenizer(tmp_path)
