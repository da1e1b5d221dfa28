"""`load_tokenizer`: which kind it takes for what, and what the settings files change."""

import json
import subprocess
import sys

import pytest
from small_vocabularies import bert, llama2c, write_bert, write_bin, write_gpt2

import minigrad as mg
from minigrad.text import (
    BPETokenizer,
    ByteTokenizer,
    LibraryTokenizer,
    Llama2cTokenizer,
    WordPieceTokenizer,
    load_tokenizer,
)


def test_kinds_by_their_files(tmp_path):
    """The later a file is written here, the earlier it is looked for."""
    write_bin(tmp_path / "tok512.bin", llama2c())
    assert type(load_tokenizer(tmp_path)) is Llama2cTokenizer
    assert type(load_tokenizer(write_bert(tmp_path))) is WordPieceTokenizer
    assert type(load_tokenizer(write_gpt2(tmp_path, ("encoder.json", "vocab.bpe")))) is BPETokenizer
    assert type(load_tokenizer(write_gpt2(tmp_path))) is BPETokenizer
    bert().save(tmp_path)
    assert type(load_tokenizer(tmp_path)) is LibraryTokenizer
    ByteTokenizer().save(tmp_path)
    assert type(load_tokenizer(tmp_path)) is ByteTokenizer


@pytest.mark.parametrize("names", [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")])
@pytest.mark.parametrize("version", [True, False])
def test_both_pairs_of_gpt2(names, version, tmp_path):
    write_gpt2(tmp_path, names, version)
    for path in (tmp_path, str(tmp_path), tmp_path / names[0], tmp_path / names[1]):
        assert load_tokenizer(path).encode("low lower<|endoftext|>") == [257, 258, 259, 262]
    (tmp_path / names[1]).unlink()
    with pytest.raises(FileNotFoundError, match=names[1]):
        load_tokenizer(tmp_path / names[0])


def test_lines_that_end_as_on_windows(tmp_path):
    write_bert(tmp_path)
    data = (tmp_path / "vocab.txt").read_bytes()
    (tmp_path / "vocab.txt").write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"))
    assert load_tokenizer(tmp_path).encode("hello cat") == [2, 5, 11, 3]


def test_settings_of_a_bert_folder(tmp_path):
    config = {"do_lower_case": False, "model_max_length": 5, "padding_side": "left", "tokenizer_class": "BertTokenizer"}
    (write_bert(tmp_path) / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.tokenize("Hello hello") == ["[UNK]", "hello"]
    assert tokenizer("cat", padding="max_length").input_ids == [0, 0, 2, 11, 3]
    assert len(tokenizer("the cat the cat", truncation=True).input_ids) == 5


def test_settings_of_a_gpt2_folder(tmp_path):
    write_gpt2(tmp_path)
    token = {"content": "<|endoftext|>", "lstrip": False}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"bos_token": token, "pad_token": "low"}))
    config = {
        "pad_token": token, "eos_token": None, "add_bos_token": True, "add_prefix_space": True,
        "model_max_length": 1e30, "clean_up_tokenization_spaces": True,
    }  # fmt: skip
    tool, more = {"content": "<tool>", "special": True}, {"content": "<more>"}
    config["added_tokens_decoder"] = {"262": token, "263": tool, "264": more}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.pad_token == tokenizer.bos_token == tokenizer.eos_token == "<|endoftext|>"
    assert tokenizer.encode("low<tool><more>") == [262, 258, 263, 264] and tokenizer.model_max_length is None
    assert tokenizer.decode([263, 264, 257], skip_special_tokens=True) == "<more>low"
    assert tokenizer.decode(tokenizer.encode("a ."), skip_special_tokens=True) == " a."


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder bert-base-uncased; .* download its files"):
        load_tokenizer("bert-base-uncased")
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(FileNotFoundError) as raised:
        load_tokenizer(tmp_path)
    for expected in (
        "tokenizer.json",
        "vocab.json with merges.txt",
        "vocab.txt",
        "tokenizer.model",
        "tok*.bin",
        "pytorch_model",
    ):
        assert expected in str(raised.value)
    with pytest.raises(ValueError, match="model.safetensors is no tokenizer by its name"):
        load_tokenizer(tmp_path / "model.safetensors")
    for make, name in (
        (WordPieceTokenizer.from_file, "vocab.txt"),
        (Llama2cTokenizer.from_file, "x.bin"),
        (LibraryTokenizer, "t.json"),
    ):
        with pytest.raises(FileNotFoundError, match=name):
            make(tmp_path / name)


@pytest.mark.parametrize("name", ["tokenizers", "sentencepiece"])
def test_without_the_library(name, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "tokenizer.model").write_bytes(b"x")
    with pytest.raises(ModuleNotFoundError, match=f"needs the package {name}: pip install 'minigrad\\[text\\]'"):
        load_tokenizer(write_bert(tmp_path) if name == "tokenizers" else tmp_path)


def test_importing_is_cheap():
    """Neither library, nor the package itself, before it is asked for."""
    program = (
        "import sys, minigrad; assert 'minigrad.text' not in sys.modules; minigrad.text.ByteTokenizer().encode('a'); "
        "assert not {'tokenizers', 'sentencepiece'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
    assert "text" in dir(mg) and set(mg.text.__all__) <= set(dir(mg.text))
