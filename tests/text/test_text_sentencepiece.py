"""SentencePiece models, and the same vocabularies in llama2.c's format, applied by hand."""

import functools
import struct

import pytest
from hypothesis import given, strategies as st
from small_vocabularies import llama2c, published, write_bin

from minigrad.text import Llama2cTokenizer, SentencePieceTokenizer, load_tokenizer, train_sentencepiece
from minigrad.text.llama2c import read_llama2c

pytest.importorskip("sentencepiece")

SENTENCES = [
    "Hello world",
    "  two  spaces, and a tab\tand a line\nend ",
    "我们今天去北京，天气真好。",
    "Emoji 😀, a family 👩‍👩‍👧 and a flag 🇩🇪",
    "naïve café, Straße, ｆｕｌｌ width, אבג",
    "def f(x):\n    return x + 1  # 3.14\r\n",
    "\x00\x7f\u2028 a",
    "aaaaaaaaaaaaaaaaaaaaaaaaa",
]
TEXTS = [*SENTENCES, "the cat sat on the mat, the cat saw the other cat", "hello hello world, hello"] * 3


@functools.cache
def trained() -> SentencePieceTokenizer:
    return train_sentencepiece(TEXTS, 360)


@functools.cache
def by_hand() -> Llama2cTokenizer:
    """The same vocabulary, as llama2.c exports it."""
    model = trained().processor
    names = {1: "\n<s>\n", 2: "\n</s>\n"}
    pieces = [names.get(i, model.id_to_piece(i)).replace("▁", " ").encode() for i in range(len(model))]
    return Llama2cTokenizer(pieces, [model.get_score(i) for i in range(len(model))])


@given(
    st.text(st.sampled_from("helo wrdtac,\n我们😀é"))
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁"))
)
def test_by_hand_is_the_librarys(text):
    ids = by_hand().encode(text)
    assert ids == trained().encode(text)
    assert by_hand().decode(ids, skip_special_tokens=True) == trained().decode(ids, skip_special_tokens=True) == text


def test_llama2_as_published():
    library = load_tokenizer(published("tokenizers/llama2/tokenizer.model"))
    own = load_tokenizer(published("tokenizers/llama2/tokenizer.bin"))
    assert len(library) == len(own) == 32000
    assert library.encode("Hello world") == own.encode("Hello world") == [1, 15043, 3186]
    assert library.decode([1, 15043, 3186]) == own.decode([1, 15043, 3186]) == "<s> Hello world"
    for text in SENTENCES:
        ids = library.encode(text)
        assert own.encode(text) == ids
        assert library.decode(ids, skip_special_tokens=True) == own.decode(ids, skip_special_tokens=True) == text


def test_stories260k_as_published():
    tokenizer = load_tokenizer(published("weights/stories260K"))
    assert len(tokenizer) == 512 and tokenizer.encode("Once upon a time") == [1, 403, 407, 261, 378]
    assert tokenizer.tokenize("Once upon a time") == [" Once", " upon", " a", " time"]


def test_llama2c_by_hand():
    tokenizer = llama2c()
    assert tokenizer.tokenize("hello we") == [" hell", "o", " w", "e"]
    assert tokenizer.encode("hello") == [1, 263, 262]
    assert llama2c([" h", " he", *"helo ", "he"]).tokenize("he") == [" he"]  # " h" comes before "he"
    assert llama2c(["ab", "bc", *"abc "]).tokenize("abcab") == [" ", "ab", "c", "ab"]
    assert llama2c(["bc", "ab", *"abc "]).tokenize("abcab") == [" ", "a", "bc", "ab"]
    assert llama2c(["aa", "a", " "]).tokenize("aaaaa") == [" ", "aa", "aa", "a"]  # the leftmost of equals
    assert tokenizer.tokenize("我们") == [" ", "我们"] and tokenizer.tokenize("é") == [" ", "<0xC3>", "<0xA9>"]
    assert tokenizer.decode([3 + 0xE6, 3 + 0x88, 4]) == "\ufffd\x01"
    assert tokenizer("é hell", return_offsets_mapping=True).offset_mapping == [(0, 0), (0, 0), (0, 1), (0, 1), (1, 6)]
    assert tokenizer.encode("</s>hell", "") == [1, 2, 263, 1]
    assert tokenizer.encode("<0x41>") == [1, 264, *(3 + byte for byte in b"<0x41>")]  # text, no byte
    assert [tokenizer.token_to_id(token) for token in ("<unk>", "<s>", "<0x00>", "<0xFF>", "我", "nothing")] == [
        0,
        1,
        3,
        258,
        269,
        None,
    ]


def test_sentencepiece_spans_and_special_tokens():
    tokenizer = trained()
    assert tokenizer.roles == {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    assert tokenizer.token_to_id("nothing at all") is None and tokenizer.token_to_id("<unk>") == 0
    spans = tokenizer("cat 😀</s>", return_offsets_mapping=True)
    assert spans.input_ids[-1] == 2 and spans.offset_mapping[-1] == (5, 9) and spans.offset_mapping[0] == (0, 0)
    assert spans.offset_mapping[-2][1] == 5
    with_end = SentencePieceTokenizer(
        tokenizer.processor.serialized_model_proto(), add_bos_token=False, add_eos_token=True
    )
    assert with_end.encode("") == [2] and with_end.encode("", "") == [2, 2]


@pytest.mark.parametrize("make", [trained, by_hand], ids=["model", "bin"])
def test_saved_and_loaded(make, tmp_path):
    make().save(tmp_path / "plain")
    tokenizer = load_tokenizer(tmp_path / "plain")
    tokenizer.add_special_tokens({"pad_token": "<pad>", "additional_special_tokens": ["<x>"]})
    tokenizer.model_max_length = 77
    tokenizer.save(tmp_path / "more")
    again = load_tokenizer(tmp_path / "more")
    assert type(again) is type(make()) and again.settings() == tokenizer.settings() and again.added == tokenizer.added
    assert again("hello <x> 我", "cat<pad>") == tokenizer("hello <x> 我", "cat<pad>")
    assert again.decode([1, len(tokenizer) - 1, 0]) == "<s><x><unk>"
    assert again.vocab_size == len(again) - 2 == make().vocab_size
    with pytest.raises(IndexError, match=f"token {len(again)} is not in the vocabulary"):
        again.decode([len(again)])


def test_added_tokens_json(tmp_path):
    trained().save(tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "added_tokens.json").write_text('{"<pad>": 360}')
    assert load_tokenizer(tmp_path).token_to_id("<pad>") == 360
    (tmp_path / "added_tokens.json").write_text('{"<pad>": 361}')
    with pytest.raises(ValueError, match="'<pad>' is token 361, but it is 360"):
        load_tokenizer(tmp_path)


def test_the_file_of_llama2c(tmp_path):
    path = write_bin(tmp_path / "tok7.bin", llama2c())
    data = path.read_bytes()
    assert data[:17] == struct.pack("<ifi5s", 6, 0.0, 5, b"<unk>")
    pieces, scores = read_llama2c(path)
    assert (pieces, scores) == (llama2c().pieces, llama2c().scores)
    assert load_tokenizer(path).encode("hello") == load_tokenizer(tmp_path).encode("hello") == [1, 263, 262]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "is cut off in token 273"),
        (lambda data: data[:20], "is cut off in token 1"),
        (lambda data: data[:3], "is no tokenizer of llama2.c: 3 bytes"),
        (lambda data: data[: 4 + 8 + 5], "tokens 3 to 258 must be the bytes"),
        (lambda data: b"\x01" + data[1:], "token 0 has 5 bytes, the longest 1"),
        (lambda data: data.replace(b"<0x41>", b"<0x42>"), "tokens 3 to 258 must be the bytes"),
        (lambda data: data + struct.pack("<fi2s", 0, 2, b"he"), "tokens 259 and 274 are both b'he'"),
    ],
)
def test_broken_bin_files(change, message, tmp_path):
    path = write_bin(tmp_path / "tokenizer.bin", llama2c())
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=message) as raised:
        load_tokenizer(tmp_path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("data", [b"", b"abc", b"\n\x0c\n\x05<unk>"])
def test_broken_models(data, tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(data)
    with pytest.raises(ValueError, match=r"tokenizer.model is no SentencePiece model"):
        load_tokenizer(tmp_path)
