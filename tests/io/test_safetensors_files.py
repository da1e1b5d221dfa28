"""safetensors files: every dtype, tied names, whole or not at all, and what is wrong with a bad one."""

import json
import os
import struct
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.io import drop_shared, load_safetensors, save_safetensors

safetensors = pytest.importorskip("safetensors")
ml_dtypes = pytest.importorskip("ml_dtypes")

DTYPES = [
    mg.float64, mg.float32, mg.float16, mg.bfloat16, mg.int64, mg.int32, mg.int16, mg.int8, mg.uint8, mg.bool,
    mg.complex64,
]  # fmt: skip


def by_hand(path, header, data: bytes = b"") -> None:
    """A file of the format's parts, written without the library."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_comes_back(tmp_path, dtype):
    x = mg.tensor([[0, 1, 2], [3, 100, 5]]).to(dtype)
    save_safetensors({"x": x, "scalar": x[0, 1], "none": x[:0]}, tmp_path / "t.safetensors")
    back = load_safetensors(tmp_path / "t.safetensors")
    assert sorted(back) == ["none", "scalar", "x"]
    assert back["x"].dtype is dtype and back["x"].equal(x)
    assert back["scalar"].shape == () and back["scalar"].equal(x[0, 1])
    assert back["none"].shape == (0, 3) and back["none"].dtype is dtype


def test_bytes_are_those_of_the_format(tmp_path):
    path = tmp_path / "t.safetensors"
    by_hand(
        path,
        {
            "__metadata__": {"format": "pt"},
            "half": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
            "row": {"dtype": "F32", "shape": [1, 2], "data_offsets": [4, 12]},
        },
        b"\x80\x3f\x00\xc0" + np.array([1.5, -2], "<f4").tobytes(),
    )
    state = load_safetensors(path)
    assert state["half"].tolist() == [1.0, -2.0] and state["half"].dtype is mg.bfloat16
    assert state["row"].tolist() == [[1.5, -2.0]]
    state["row"] += 1  # the memory is our own
    save_safetensors({"row": state["row"]}, path, metadata={"by": "a test"})
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    assert header["__metadata__"] == {"format": "pt", "by": "a test"}
    assert header["row"] == {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}
    assert raw[8 + length :] == np.array([2.5, -1], "<f4").tobytes()


def test_layouts_and_numpy_arrays(tmp_path):
    x = mg.arange(6.0).view(2, 3)
    state = {
        "turned": x.t(),
        "every second": x[:, ::2],
        "numpy": np.arange(4, dtype=">i4"),
        "parameter": nn.Parameter(x),
    }
    save_safetensors(state, tmp_path / "t.safetensors")
    back = load_safetensors(tmp_path / "t.safetensors")
    assert back["turned"].tolist() == [[0, 3], [1, 4], [2, 5]] and back["every second"].tolist() == [[0, 2], [3, 5]]
    assert back["numpy"].tolist() == [0, 1, 2, 3] and back["parameter"].equal(x)


def test_shared_memory_is_written_once_and_shared_again(tmp_path):
    w = nn.Parameter(mg.randn(100, 10))
    state = {"embed.weight": w, "head.weight": w.detach(), "turned": w.t(), "rows": w[:50], "copy": w.clone()}
    kept, dropped = drop_shared(state)
    assert list(kept) == ["embed.weight", "turned", "rows", "copy"] and dropped == {"head.weight": "embed.weight"}
    path = tmp_path / "t.safetensors"
    save_safetensors({"embed.weight": w, "head.weight": w}, path)
    assert path.stat().st_size < 100 * 10 * 4 + 500
    back = load_safetensors(path)
    assert back["head.weight"] is back["embed.weight"] and back["embed.weight"].equal(w)
    assert drop_shared({"a": mg.zeros(0), "b": mg.zeros(0)})[1] == {}  # no memory is shared by nothing


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "t.safetensors"
    save_safetensors({"x": mg.ones(2)}, path)

    def cut(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", cut)
    with pytest.raises(KeyboardInterrupt):
        save_safetensors({"x": mg.zeros(2)}, path)
    assert os.listdir(tmp_path) == ["t.safetensors"] and load_safetensors(path)["x"].tolist() == [1, 1]


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
DAMAGED = {
    "cut": (({"x": ENTRY}), b"\0" * 7),
    "too long": ({"x": ENTRY}, b"\0" * 9),
    "overlapping": ({"x": ENTRY, "y": {**ENTRY, "data_offsets": [4, 12]}}, b"\0" * 12),
    "out of range": ({"x": {**ENTRY, "data_offsets": [8, 16]}}, b"\0" * 8),
    "shape and bytes differ": ({"x": {**ENTRY, "shape": [3]}}, b"\0" * 8),
    "unknown dtype": ({"x": {**ENTRY, "dtype": "F99"}}, b"\0" * 8),
    "no JSON": (b"<html>", b""),
    "a name twice": (
        b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        b"\0" * 8,
    ),
}


@pytest.mark.parametrize("parts", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files(tmp_path, parts):
    path = tmp_path / "bad.safetensors"
    by_hand(path, *parts)
    with pytest.raises(RuntimeError, match=r"bad\.safetensors is truncated, altered or not a safetensors file.*bytes"):
        load_safetensors(path)


def test_every_truncation_is_noticed(tmp_path):
    path = tmp_path / "t.safetensors"
    save_safetensors({"x": mg.arange(20.0), "y": mg.ones(3)}, path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(RuntimeError, match="is truncated"):
            load_safetensors(path)


def test_other_bad_files(tmp_path):
    path = tmp_path / "t.safetensors"
    with pytest.raises(FileNotFoundError, match=r"there is no file .*t\.safetensors"):
        load_safetensors(path)
    path.write_bytes(b"\xff" * 100)  # a header of 2^64 bytes
    with pytest.raises(RuntimeError, match="is truncated"):
        load_safetensors(path)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 548105171\n")
    with pytest.raises(RuntimeError, match="is a git-lfs pointer of 71 bytes, .* run `git lfs pull`"):
        load_safetensors(path)
    by_hand(path, {"x": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}, b"\0\0")
    with pytest.raises(TypeError, match="'x' is of dtype F8_E4M3; minigrad reads F64, F32, F16, BF16"):
        load_safetensors(path)
    for note in ("[1]", "{", '{"y": 1}'):
        by_hand(path, {"__metadata__": {"minigrad.tied": note}, "x": ENTRY}, b"\0" * 8)
        with pytest.raises(RuntimeError, match="is altered: its note of tied tensors is"):
            load_safetensors(path)


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "t.safetensors"
    for state, message in (
        ({"x": [1.0]}, "'x' is a list; Tensors and NumPy arrays can be saved"),
        ({1: mg.ones(1)}, "names of tensors are strings, got 1"),
        ({"x": mg.ones(1).to(mg.complex128)}, "'x' is of complex128; safetensors files hold bfloat16, bool"),
        ({"x": np.array(["a"])}, "'x' is of <U1"),
    ):
        with pytest.raises(TypeError, match=message):
            save_safetensors(state, path)
    with pytest.raises(TypeError, match="metadata is text by text, got 'epoch': 3"):
        save_safetensors({}, path, metadata={"epoch": 3})
    with pytest.raises(FileNotFoundError, match="the folder .*nowhere does not exist; create it first"):
        save_safetensors({}, tmp_path / "nowhere" / "t.safetensors")
    assert os.listdir(tmp_path) == []


def test_without_the_library_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"need the package safetensors: pip install 'minigrad\[hub\]'"):
        load_safetensors(tmp_path / "t.safetensors")
