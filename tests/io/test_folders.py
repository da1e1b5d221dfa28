"""Folders in Hugging Face's layout: one file, shards, PyTorch files; written whole; and what is said of bad ones."""

import contextlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest

import minigrad as mg
from minigrad import nn
from minigrad.io import (
    labels_of,
    load_safetensors,
    model_type_of,
    read_config,
    read_folder,
    read_weights,
    save_safetensors,
    write_folder,
)

pytest.importorskip("safetensors")
PT = Path(__file__).parent.parent / "recorded" / "pt"
CONFIG = {"model_type": "toy", "width": 4, "note": "schön"}
TINY_GPT2 = Path(os.environ.get("MINIGRAD_DATA", "")) / "weights" / "hf-tiny-gpt2"


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.body, self.head = nn.Embedding(8, 4), nn.Linear(4, 4), nn.Linear(4, 8, bias=False)
        self.head.weight = self.embed.weight


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)


@pytest.mark.parametrize(("most", "files"), [(None, 1), (10**6, 1), (128, 2), (64, 3), (1, 3)])
def test_written_and_read(tmp_path, most, files):
    state = Tied().state_dict()
    write_folder(tmp_path / "new" / "model", CONFIG, state, max_shard_bytes=most)
    folder = tmp_path / "new" / "model"
    config, back = read_folder(folder)
    assert config == CONFIG and same(back, state)
    assert back["head.weight"] is back["embed.weight"]
    weights = sorted(path.name for path in folder.glob("*.safetensors"))
    if files == 1:
        assert weights == ["model.safetensors"] and len(os.listdir(folder)) == 2
    else:
        assert weights == [f"model-{i:05}-of-{files:05}.safetensors" for i in range(1, files + 1)]
        index = json.loads((folder / "model.safetensors.index.json").read_text())
        assert index["metadata"] == {"total_size": (8 * 4 + 4 * 4 + 4) * 4}
        assert list(index["weight_map"]) == ["embed.weight", "body.weight", "body.bias"]
        for name, shard in index["weight_map"].items():
            assert name in load_safetensors(folder / shard)
    assert sum(path.stat().st_size for path in folder.glob("*.safetensors")) < 208 + 600 * files  # the tied one is once


def test_an_older_model_is_replaced_and_other_files_stay(tmp_path):
    state = Tied().state_dict()
    (tmp_path / "vocab.txt").write_text("a")
    for most in (64, None, 128):
        write_folder(tmp_path, CONFIG, state, max_shard_bytes=most)
        names = set(os.listdir(tmp_path))
        expected = {"vocab.txt", "config.json"}
        if most is None:
            expected |= {"model.safetensors"}
        else:
            n = {64: 3, 128: 2}[most]
            expected |= {f"model-{i:05}-of-{n:05}.safetensors" for i in range(1, n + 1)}
            expected |= {"model.safetensors.index.json"}
        assert names == expected
        assert same(read_weights(tmp_path), state)


@pytest.mark.parametrize("most", [None, 64])
def test_a_save_cut_short_never_loads_as_a_mixture(tmp_path, monkeypatch, most):
    """At each call of the system in turn: the folder is the old one, the new one, or none."""
    old = {name: value + 1 for name, value in Tied().state_dict().items()}
    new = {name: value + 1 for name, value in old.items()}
    outcomes = []
    for name in ("fsync", "replace", "unlink"):
        genuine = getattr(os, name)
        for cut_at in range(1, 7):
            folder = tmp_path / f"{name} {cut_at}"
            write_folder(folder, CONFIG, old, max_shard_bytes=most)
            calls = []

            def cut(*args, genuine=genuine, calls=calls, cut_at=cut_at):
                calls.append(args)
                if len(calls) == cut_at:
                    raise KeyboardInterrupt
                return genuine(*args)

            with monkeypatch.context() as patch:
                patch.setattr(os, name, cut)
                with contextlib.suppress(KeyboardInterrupt):
                    write_folder(folder, {**CONFIG, "new": True}, new, max_shard_bytes=None if most else 64)
            try:
                config, state = read_folder(folder)
            except FileNotFoundError as error:
                assert "has no config.json, so it is no model's folder, or one that was not" in str(error)
                outcomes.append("none")
                continue
            assert same(state, new if "new" in config else old)
            outcomes.append("new" if "new" in config else "old")
    assert {"old", "none", "new"} <= set(outcomes)
    write_folder(tmp_path / "replace 1", CONFIG, new)  # what a crash left behind is in nobody's way
    assert same(read_weights(tmp_path / "replace 1"), new)
    for name in ("fsync 1", "replace 1"):
        assert not list((tmp_path / name).glob("*.part"))


def test_pytorch_files(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    shutil.copy(PT / "tied.pt", tmp_path / "pytorch_model.bin")
    _, state = read_folder(tmp_path)
    assert sorted(state) == ["count", "embed.weight", "head.weight"] and state["count"].item() == 5
    state["embed.weight"][0, 0] = 7.0
    assert state["head.weight"][0, 0] == 7.0


def shards_of_pytorch(folder: Path, **weight_map: str) -> None:
    (folder / "config.json").write_text("{}")
    shutil.copy(PT / "tied_legacy.pt", folder / "pytorch_model-00001-of-00002.bin")
    shutil.copy(PT / "parameter.pt", folder / "pytorch_model-00002-of-00002.bin")
    places = dict.fromkeys(["embed.weight", "head.weight", "count"], "pytorch_model-00001-of-00002.bin")
    places |= dict.fromkeys(["p", "q"], "pytorch_model-00002-of-00002.bin")
    index = {"metadata": {"total_size": 1}, "weight_map": places | weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def test_pytorch_shards(tmp_path):
    shards_of_pytorch(tmp_path)
    state = read_weights(tmp_path)
    assert list(state) == ["embed.weight", "head.weight", "count", "p", "q"]  # and not "leaf", which no index names
    assert state["p"].shape == (2, 3)
    save_safetensors({"first": mg.ones(1)}, tmp_path / "model.safetensors")
    assert list(read_weights(tmp_path)) == ["first"]  # safetensors come first


def test_indices_that_do_not_fit(tmp_path):
    shards_of_pytorch(tmp_path, lost="pytorch_model-00002-of-00002.bin", gone="pytorch_model-00002-of-00002.bin")
    message = "places tensors in pytorch_model-00002-of-00002.bin that are not in it: gone, lost"
    with pytest.raises(RuntimeError, match=message):
        read_weights(tmp_path)
    shards_of_pytorch(tmp_path, r="pytorch_model-00003-of-00003.bin")
    with pytest.raises(FileNotFoundError, match="names 3 shards, of which .* lacks pytorch_model-00003-of-00003.bin"):
        read_weights(tmp_path)
    for outside in ("../secret.bin", "/etc/passwd", "..", "a\\b.bin", ""):
        shards_of_pytorch(tmp_path, r=outside)
        with pytest.raises(ValueError, match="names shards that are no files of its folder"):
            read_weights(tmp_path)
    index = tmp_path / "pytorch_model.bin.index.json"
    for text in ("{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}', '{"weight_map": ["a"]}'):
        index.write_text(text)
        with pytest.raises(ValueError, match="has no weight_map from names of tensors to files"):
            read_weights(tmp_path)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("module", Exception, "pytorch_model.bin holds more than weights: it refers to torch.nn.modules"),
        ("tensor", RuntimeError, "holds a Tensor where tensors by name are expected"),
        (
            "checkpoint",
            RuntimeError,
            "must hold tensors by name; these entries are none: best, epoch, model, optimizer",
        ),
    ],
)
def test_pytorch_files_that_are_no_state_dict(tmp_path, source, error, message):
    shutil.copy(PT / f"{source}.pt", tmp_path / "pytorch_model.bin")
    with pytest.raises(error, match=message):
        read_weights(tmp_path)


def test_damaged_weights_are_named(tmp_path):
    write_folder(tmp_path, CONFIG, Tied().state_dict())
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RuntimeError, match=r"model\.safetensors is truncated"):
        read_folder(tmp_path)
    path.unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0")
    with pytest.raises(RuntimeError, match=r"pytorch_model\.bin is a git-lfs pointer"):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["gpt2", "bert-base-chinese", "org/model-7b.v1"])
def test_names_of_a_hub(name):
    with pytest.raises(FileNotFoundError) as caught:
        read_folder(name)
    for words in (f"there is no folder '{name}'", os.path.abspath(name), "downloads no models", "`git lfs`", "browser"):
        assert words in str(caught.value)


def test_folders_that_are_none(tmp_path):
    for path in (tmp_path / "a" / "b" / "c", "../nowhere/a", "./gpt2"):
        with pytest.raises(FileNotFoundError) as caught:
            read_folder(path)
        assert "hub" not in str(caught.value)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file is a file; give the folder that holds config.json"):
        read_folder(tmp_path / "file")
    with pytest.raises(FileNotFoundError, match="has no config.json.*; it has file$"):
        read_folder(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    message = (
        "has no weights: looked for model.safetensors and model.safetensors.index.json, pytorch_model.bin and "
        "pytorch_model.bin.index.json; it has config.json, file"
    )
    with pytest.raises(FileNotFoundError, match=message):
        read_folder(tmp_path)
    for i in range(30):
        (tmp_path / f"x{i:02}").write_text("")
    with pytest.raises(FileNotFoundError, match="x17 and 12 more$"):
        read_folder(tmp_path)


def test_damaged_configs(tmp_path):
    for data, message in (
        (b'{\n  "a": 1,\n  "b" 2\n}', r"config.json is no valid JSON: line 3, column 7: Expecting ':' delimiter"),
        (b"", "line 1, column 1"),
        (b'{"a": "\xff"}', "is no valid JSON: 'utf-8' codec can't decode"),
        (b"[" * 100_000, "is no valid JSON"),
        (b"[1]", "must hold a JSON object with names and values, it holds a list"),
    ):
        (tmp_path / "config.json").write_bytes(data)
        with pytest.raises(ValueError, match=message):
            read_config(tmp_path)


def test_nothing_is_written_for_what_cannot_be(tmp_path):
    folder = tmp_path / "new"
    for config, state, options, error, message in (
        ({"f": len}, {}, {}, TypeError, "config.json holds numbers, strings, lists and dicts: .*not JSON serializable"),
        ({}, {"x": 1}, {}, TypeError, "'x' is a int"),
        ({}, {}, {"max_shard_bytes": 0}, ValueError, "max_shard_bytes must be at least 1, got 0"),
        ({}, {}, {"labels": "ab"}, TypeError, "a list of strings, got 'ab'"),
        ({}, {}, {"labels": [1]}, TypeError, "a list of strings"),
        ({}, {}, {"labels": ["a", "a"]}, ValueError, "two classes have one name"),
    ):
        with pytest.raises(error, match=message):
            write_folder(folder, config, state, **options)
        assert not folder.exists()


def test_labels(tmp_path):
    config = dict(CONFIG)
    write_folder(tmp_path, config, {"x": mg.ones(1)}, labels=["negativ", "positiv"])
    assert config == CONFIG  # the caller's dict is as it was
    config = read_config(tmp_path)
    assert config["id2label"] == {"0": "negativ", "1": "positiv"} and config["label2id"] == {"negativ": 0, "positiv": 1}
    assert labels_of(config) == ["negativ", "positiv"] and labels_of({}) is None
    for bad in ({"1": "a"}, {"x": "a"}, ["a"]):
        with pytest.raises(ValueError, match="id2label of a config maps each of 0, 1, 2"):
            labels_of({"id2label": bad})


def test_model_types():
    assert model_type_of({"model_type": "llama", "architectures": ["GPT2Model"]}) == "llama"
    for name, kind in {
        "GPT2LMHeadModel": "gpt2", "GPT2Model": "gpt2", "BertForSequenceClassification": "bert",
        "LlamaForCausalLM": "llama", "DistilBertForMaskedLM": "distilbert",
    }.items():  # fmt: skip
        assert model_type_of({"architectures": [name]}) == kind
    for config in ({"width": 3}, {"model_type": ""}, {"model_type": 3, "architectures": []}, {"architectures": ["X"]}):
        message = f"does not say of which architecture.*It has {', '.join(sorted(config))}"
        with pytest.raises(ValueError, match=message):
            model_type_of(config)


@pytest.mark.skipif(not TINY_GPT2.is_dir(), reason="the folder is not there")
def test_a_folder_that_others_wrote():
    config, state = read_folder(TINY_GPT2)
    assert model_type_of(config) == "gpt2" and config["n_embd"] == 2
    assert state["wte.weight"].shape == (config["vocab_size"], 2)
    assert state["h.0.attn.c_attn.weight"].shape == (2, 6)  # Conv1D: (in, out)
    assert all(re.fullmatch(r"(h\.0|wte|wpe|ln_f)\..+", name) for name in state)
