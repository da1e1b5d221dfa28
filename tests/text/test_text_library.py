"""BPE, WordPiece and tokenizer.json: through the library `tokenizers`."""

import json

import pytest
from hypothesis import given, strategies as st
from small_vocabularies import MERGES, PIECES, bert, byte_symbols, published, write_bert, write_gpt2

from minigrad.text import BPETokenizer, LibraryTokenizer, WordPieceTokenizer, load_tokenizer
from minigrad.text.special import Template

tokenizers = pytest.importorskip("tokenizers")


def gpt2(**options):
    tokens = [*byte_symbols(), *("".join(pair) for pair in MERGES), "<|endoftext|>"]
    return BPETokenizer({token: i for i, token in enumerate(tokens)}, MERGES, **options)


# BPE


def test_bpe_merges_the_first_pair_first():
    tokenizer = gpt2()
    assert tokenizer.tokenize("low lower 我") == ["low", "Ġlow", "er", "Ġ", "æĪĳ"]
    assert tokenizer.encode("low<|endoftext|>") == [257, 262] and tokenizer.eos_token_id == 262
    assert tokenizer("low 我", return_offsets_mapping=True).offset_mapping == [(0, 3), (3, 4), (4, 5)]
    assert "token_type_ids" not in tokenizer("low") and tokenizer.pad_token is None
    assert gpt2(add_prefix_space=True).tokenize("low") == ["Ġlow"]
    around = gpt2(add_bos_token=True, add_eos_token=True)
    assert around.encode("low") == [262, 257, 262] and around.encode("low", "er") == [262, 257, 262, 262, 259, 262]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_bpe_gives_the_text_back(text):
    tokenizer = gpt2()
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_half_a_character_decodes_to_a_replacement():
    tokenizer = gpt2()
    ids = tokenizer.convert_tokens_to_ids(["æĪ", "low", "æĪĳ"])
    assert tokenizer.decode(ids) == "\ufffdlow我"


def test_gpt2_as_published():
    tokenizer = load_tokenizer(published("tokenizers/gpt2"))
    assert tokenizer.encode("Hello world") == [15496, 995]
    assert (len(tokenizer), tokenizer.eos_token_id, tokenizer.bos_token_id) == (50257, 50256, 50256)
    assert tokenizer.encode("<|endoftext|>I'm 我") == [50256, 40, 1101, 10545, 230, 239]
    for text in ("  Two  spaces .", "我们\n\t😀", "naïve"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_tiny_gpt2_has_unknown_bytes():
    tokenizer = load_tokenizer(published("weights/hf-tiny-gpt2"))
    assert (len(tokenizer), tokenizer.unk_token_id, tokenizer.eos_token_id) == (21, 19, 20)
    assert tokenizer.tokenize("low Z") == ["l", "o", "w", "Ġ", "<unk>"]
    assert tokenizer.model_max_length is None


# WordPiece


def test_wordpiece_takes_the_longest_piece_and_each_chinese_character():
    tokenizer = bert()
    assert tokenizer.tokenize("Hello, PLAYING cats 我爱café") == [
        "hello",
        ",",
        "play",
        "##ing",
        "cat",
        "##s",
        "我",
        "爱",
        "[UNK]",
    ]
    assert (
        tokenizer.decode(tokenizer.encode("hello, playing cats.", "don't"))
        == "[CLS] hello, playing cats. [SEP] don't [SEP]"
    )
    assert tokenizer("Playing cat", return_offsets_mapping=True).offset_mapping[1:4] == [(0, 4), (4, 7), (8, 11)]
    assert tokenizer.tokenize("É") == ["e"] and bert(strip_accents=False).tokenize("É") == ["é"]
    assert bert(do_lower_case=False).tokenize("Hello hello") == ["[UNK]", "hello"]
    assert WordPieceTokenizer([*PIECES, "Hello"]).tokenize("Hello hello") == [
        "Hello",
        "hello",
    ]  # capitals: a cased vocabulary
    assert bert(tokenize_chinese_chars=False).tokenize("我爱") == ["[UNK]"]


def test_bert_as_published():
    tokenizer = load_tokenizer(published("tokenizers/bert-base-uncased"))
    ids = [101, 7592, 1010, 2026, 3899, 2003, 10140, 102]
    assert tokenizer.encode("Hello, my dog is cute") == ids
    assert tokenizer.decode(ids) == "[CLS] hello, my dog is cute [SEP]"
    assert tokenizer.encode("[MASK]", add_special_tokens=False) == [103] and tokenizer.pad_token_id == 0
    assert tokenizer.tokenize("unaffable") == ["una", "##ffa", "##ble"]


def test_chinese_bert_as_published():
    tokenizer = load_tokenizer(published("tokenizers/bert-base-chinese"))
    assert tokenizer.tokenize("我爱北京ABC。") == ["我", "爱", "北", "京", "abc", "。"]
    assert tokenizer.encode("我爱你") == [101, 2769, 4263, 872, 102]


# tokenizer.json


@pytest.mark.parametrize(
    "make", [bert, gpt2, lambda: gpt2(add_bos_token=True, model_max_length=9, padding_side="left")]
)
def test_saved_and_loaded(make, tmp_path):
    tokenizer = make()
    tokenizer.add_special_tokens({"pad_token": "<|pad|>", "additional_special_tokens": ["<x>"]})
    tokenizer.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.settings() == tokenizer.settings() and again.get_vocab() == tokenizer.get_vocab()
    for texts in (("Hello <x> low 我",), ("hello", "cat<|pad|>")):
        assert again(*texts) == tokenizer(*texts)
    own = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))  # as others read it
    assert own.encode("hello", "cat").ids == tokenizer.encode("hello", "cat")
    alone = LibraryTokenizer(tmp_path / "tokenizer.json")  # without tokenizer_config.json: roles by spelling
    assert alone.eos_token == tokenizer.eos_token and alone.cls_token == tokenizer.cls_token
    assert len(alone) == len(tokenizer) and alone.encode("cat <x>") == tokenizer.encode("cat <x>")


def test_templates_of_the_library():
    """What its post-processors put around texts, against what they put there."""
    processors = tokenizers.processors
    cls, sep = ("[CLS]", 2), ("[SEP]", 3)
    twice = {"id": "twice", "ids": [3, 4], "tokens": ["[SEP]", "[MASK]"]}
    template = processors.TemplateProcessing(
        single="[SEP] $A:1", pair="$B:1 twice [CLS]:2 $A", special_tokens=[cls, sep, twice]
    )
    plain = processors.ByteLevel()
    for processor in (
        processors.BertProcessing(sep, cls), processors.RobertaProcessing(sep, cls, add_prefix_space=False), template,
        processors.Sequence([plain, template]), plain, None,
    ):  # fmt: skip
        inner = bert().library
        if processor is None:
            inner = tokenizers.Tokenizer.from_str(json.dumps({**json.loads(inner.to_str()), "post_processor": None}))
        else:
            inner.post_processor = processor
        for texts in (("hello cat",), ("hello cat", "dog")):
            expected = inner.encode(*texts)
            found = LibraryTokenizer(inner)(*texts, return_token_type_ids=True, return_special_tokens_mask=True)
            assert found.input_ids == expected.ids and found.special_tokens_mask == expected.special_tokens_mask
            assert found.token_type_ids == expected.type_ids or processor in (None, plain)
    assert LibraryTokenizer(inner).template == Template()


def test_padding_and_truncation_of_the_file_do_not_act(tmp_path):
    inner = bert().library
    inner.enable_truncation(3)
    inner.enable_padding(length=9)
    inner.save(str(tmp_path / "tokenizer.json"))
    assert load_tokenizer(tmp_path).encode("hello cat dog") == [2, 5, 11, 12, 3]


# Broken files


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.json", b"{", "vocab.json is no JSON, or a part of it is missing"),
        ("vocab.json", b"[1]", "vocab.json must hold an object, got list"),
        ("vocab.json", b"{}", "vocab.json has no tokens"),
        ("vocab.json", b'{"a": 0, "a": 1}', "'a' is there twice"),
        ("vocab.json", b'{"a": 0, "b": 0}', "'a' and 'b' both have id 0"),
        ("vocab.json", b'{"a": "0"}', "the id of 'a' must be an integer from 0 on, got '0'"),
        ("vocab.json", b'{"a": 0}', "lacks 255 of the 256 symbols for bytes"),
        ("vocab.json", b'{"\xff": 0}', "line 1: byte 0xff is no valid UTF-8"),
        ("vocab.json", b"[" * 100_000, "nested too deep|no JSON"),
        ("merges.txt", b"#version: 0.2\nl o\nl o w\n", "merges.txt, line 3: expected two symbols .* got 'l o w'"),
        ("merges.txt", b"l o\n\nl o\n", "line 3: 'l o' is there already, in line 1"),
        ("merges.txt", b"x yz\n", "vocabulary and merges do not fit together"),
        ("merges.txt", b"l o\n\xe6\n", "line 2: byte 0xe6 is no valid UTF-8"),
        ("tokenizer_config.json", b'{"pad_token": 5}', "a special token must be a string or have a 'content', got 5"),
        ("tokenizer_config.json", b'{"pad_token": "<pad>"}', "pad_token='<pad>' is not in the vocabulary"),
        ("tokenizer_config.json", b'{"padding_side": "top"}', "padding_side must be"),
        ("tokenizer_config.json", b'{"added_tokens_decoder": {"x": "y"}}', "added_tokens_decoder must be an object"),
        ("tokenizer_config.json", b'{"added_tokens_decoder": {"300": "yy"}}', "'yy' is token 300, but it is 263"),
    ],
)  # fmt: skip
def test_broken_gpt2_files(name, content, message, tmp_path):
    write_gpt2(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([*PIECES, "cat"], "vocab.txt, line 31: 'cat' is there already, in line 12"),
        ([*PIECES[:7], "", "cat"], "vocab.txt, line 8 is empty"),
        ([], "vocab.txt has no tokens"),
        (PIECES[5:], "the vocabulary of 25 pieces has no unk_token"),
    ],
)
def test_broken_bert_files(pieces, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        load_tokenizer(write_bert(tmp_path, pieces))


def test_broken_tokenizer_json(tmp_path):
    file = tmp_path / "tokenizer.json"
    bert().save(tmp_path)
    text = file.read_text(encoding="utf-8")
    for broken in (text[: len(text) // 2], "{}", '{"model": 5}'):
        file.write_text(broken, encoding="utf-8")
        with pytest.raises(ValueError, match="tokenizer.json is no tokenizer.json that can be read"):
            load_tokenizer(tmp_path)
