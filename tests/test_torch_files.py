"""PyTorch's own files, written by scripts/record_pt_files.py, read with no PyTorch; and what is refused in them."""

import io
import json
import pickle
import zipfile
from collections import Counter, OrderedDict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, serialization
from minigrad.torch_files import _strided
from minigrad.unpickle import Refused, Unpickler

FOLDER = Path(__file__).parent / "recorded" / "pt"
RECORDED = json.loads((FOLDER / "contents.json").read_text(encoding="utf-8"))
CONTENTS = RECORDED["contents"]
BOTH = ["", "_legacy"]


def told(x):
    """As in the script that recorded the files."""
    if isinstance(x, mg.Tensor):
        return {
            "values": told(x.detach().tolist()) if x.is_complex() else x.detach().double().tolist(),
            "dtype": str(x.dtype), "shape": list(x.shape),
            "stride": list(x.stride()), "requires_grad": x.requires_grad, "parameter": isinstance(x, nn.Parameter),
        }  # fmt: skip
    if isinstance(x, dict):
        return {str(key): told(value) for key, value in x.items()}
    if isinstance(x, (list, tuple, set)):
        return [told(value) for value in x]
    return x if isinstance(x, (int, str, type(None))) or (isinstance(x, float) and abs(x) < 1e300) else repr(x)


@pytest.mark.parametrize("suffix", BOTH)
@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_holds_what_pytorch_put_into_it(name, suffix) -> None:
    assert RECORDED["torch"].startswith("2.13")
    assert told(mg.load(FOLDER / f"{name}{suffix}.pt")) == CONTENTS[name]


@pytest.mark.parametrize("suffix", BOTH)
def test_containers_keep_their_kinds(suffix) -> None:
    plain = mg.load(FOLDER / f"plain{suffix}.pt")
    assert type(plain["size"]) is mg.Size and plain["dtype"] is mg.float16 and plain["device"] == mg.device("cpu")
    assert type(plain["ordered"]) is OrderedDict and list(plain["ordered"]) == ["b", "a"]
    assert type(plain["counter"]) is Counter and plain["counter"]["a"] == 2
    assert (
        plain["tuple"] == (1, (2, 3))
        and plain["set"] == {1, 2}
        and plain["complex"] == 1 + 2j
        and plain[7] == "int key"
    )
    assert plain["list"][-1] == b"\x00bytes\xff" and plain["list"][2] == 2**40


@pytest.mark.parametrize("suffix", BOTH)
def test_tensors_on_one_storage_share_memory(suffix) -> None:
    tied = mg.load(FOLDER / f"tied{suffix}.pt")
    assert type(tied) is OrderedDict and "" in tied._metadata
    tied["embed.weight"][0, 0] = 7.0
    assert tied["head.weight"][0, 0] == 7.0 and tied["head.weight"]._version == 1
    views = mg.load(FOLDER / f"views{suffix}.pt")
    assert np.may_share_memory(views["columns"].array, views["base"].array) and not views["columns"].is_contiguous()
    views["base"][2] = 50.0
    assert views["rows"][0, 2] == views["columns"][2, 0] == views["part"][0] == 50.0
    assert views["expanded"].tolist() == [[1.0] * 3, [2.0] * 3]


@pytest.mark.parametrize("suffix", BOTH)
def test_weights_go_into_a_model(suffix) -> None:
    saved = mg.load(FOLDER / f"tied{suffix}.pt")
    embed = nn.Embedding(3, 2)
    embed.load_state_dict({"weight": saved["embed.weight"]})
    assert embed.weight.equal(saved["embed.weight"])
    p = mg.load(FOLDER / f"parameter{suffix}.pt")
    (p["p"] * p["q"]).sum().backward()
    assert p["p"].grad.equal(p["q"].detach()) and p["q"].grad is None and p["leaf"].requires_grad


def test_file_objects_and_what_is_written_again(tmp_path) -> None:
    data = (FOLDER / "checkpoint.pt").read_bytes()
    checkpoint = mg.load(io.BytesIO(data))
    out = io.BytesIO()
    mg.save(checkpoint, out)
    out.seek(0)
    assert told(mg.load(out)) == told(checkpoint)
    with open(FOLDER / "tensor_legacy.pt", "rb") as file:
        assert mg.load(file, weights_only=True).tolist() == [1.0, 2.0]
    with pytest.raises(TypeError, match="load takes a path or a file that was opened for reading bytes, got dict"):
        mg.load({})


@pytest.mark.parametrize("suffix", BOTH)
def test_map_location(suffix) -> None:
    path = FOLDER / f"tensor{suffix}.pt"
    seen = []

    def keep(storage, location):
        seen.append(location)
        return storage

    places = ["cpu", mg.device("cpu"), {"cuda:0": "cpu"}, {"cpu": "cpu"}, keep, lambda storage, loc: None, None]
    places.append(lambda storage, loc: storage.cpu())
    for place in places:
        assert mg.load(path, map_location=place).device == mg.device("cpu")
    assert seen == ["cpu"]
    for place in ("mps", "cuda" if not mg.cuda.is_available() else "toaster"):
        with pytest.raises(RuntimeError, match="Expected one of cpu, cuda|needs CuPy|finds no NVIDIA GPU"):
            mg.load(path, map_location=place)
    if not mg.cuda.is_available():
        with pytest.raises(RuntimeError, match="needs CuPy|finds no NVIDIA GPU"):
            mg.load(path, map_location=lambda storage, loc: storage.cuda(0))


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("suffix", BOTH)
def test_a_whole_module_is_refused_by_name_with_the_fix(suffix) -> None:
    with pytest.raises(pickle.UnpicklingError) as caught:
        mg.load(FOLDER / f"module{suffix}.pt")
    for words in (f"module{suffix}.pt", "torch.nn.modules.linear.Linear", "torch.save(model.state_dict(), file)"):
        assert words in str(caught.value)


def test_a_torchscript_program_is_refused() -> None:
    with pytest.raises(Refused, match="script.pt holds more than weights: it is a TorchScript program"):
        mg.load(FOLDER / "script.pt")


def with_pickle(pickled: bytes, path: Path) -> Path:
    """tensor.pt with another pickle in it."""
    with zipfile.ZipFile(FOLDER / "tensor.pt") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, pickled if name.endswith("data.pkl") else source.read(name))
    return path


def run_code() -> None:
    raise AssertionError("code in a file was run")


class Calls:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("function", "args", "name"),
    [(run_code, (), "run_code"), (eval, ("1 + 1",), "eval"), (getattr, ([], "append"), "getattr")],
    ids=["a function", "eval", "getattr"],
)
def test_code_is_never_run(tmp_path, protocol, function, args, name) -> None:
    path = with_pickle(pickle.dumps({"w": Calls(function, *args)}, protocol), tmp_path / "evil.pt")
    with pytest.raises(Refused, match=rf"evil.pt holds more than weights: it refers to [\w.]+\.{name}, which"):
        mg.load(path)


class Settings:
    """A class of the user's own."""

    def __init__(self) -> None:
        self.layers = 2


class Slotted:
    __slots__ = ("state",)

    def __setstate__(self, state) -> None:
        self.state = state

    def __getstate__(self) -> int:
        return 3


@pytest.mark.parametrize("protocol", [2, 4])
def test_classes_that_the_user_vouches_for(tmp_path, protocol) -> None:
    path = with_pickle(pickle.dumps([Settings(), Slotted(), Fraction(1, 2)], protocol), tmp_path / "own.pt")
    with pytest.raises(Refused, match="test_torch_files.Settings"):
        mg.load(path)
    with serialization.safe_globals([Settings, Slotted, (Fraction, "fractions.Fraction")]):
        assert Settings in serialization.get_safe_globals()
        settings, slotted, half = mg.load(path)
    assert type(settings) is Settings and settings.layers == 2 and slotted.state == 3 and half == Fraction(1, 2)
    assert serialization.get_safe_globals() == []
    with pytest.raises(Refused):
        mg.load(path)
    serialization.add_safe_globals([Settings])
    serialization.clear_safe_globals()
    with pytest.raises(TypeError, match="add_safe_globals takes classes"):
        serialization.add_safe_globals([len])


# Pickles made by hand: each uses names that are admitted in a way that plain data never does.
ODD = {
    "attributes of a list": b"\x80\x02]}b.",
    "attributes of an OrderedDict": b"\x80\x02ccollections\nOrderedDict\n)R}U\x05itemsK\x01sb.",
    "a call of a number": b"\x80\x02K\x01)R.",
    "a call of a tensor": b"\x80\x02]K\x01\x85R.",
    "an append to a number": b"\x80\x02K\x01K\x02a.",
    "another encoding": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf16\x86R.",
    "a value left over": b"\x80\x02K\x01K\x02.",
    "an empty stack": b"\x80\x02\x86.",
    "no mark": b"\x80\x02K\x01t.",
    "no end": b"\x80\x02K\x01",
    "a storage of no kind": b"\x80\x02U\x03abcQ.",
    "an unknown value": b"\x80\x02h\x05.",
    "a protocol to come": b"\x80\x63N.",
}


@pytest.mark.parametrize("pickled", ODD.values(), ids=ODD)
def test_pickles_that_no_torch_save_wrote(tmp_path, pickled) -> None:
    with pytest.raises(
        RuntimeError, match=r"odd.pt is truncated, altered or not a file of minigrad.save or torch.save: "
    ):
        mg.load(with_pickle(pickled, tmp_path / "odd.pt"))


def test_instructions_that_plain_data_does_not_need(tmp_path) -> None:
    with pytest.raises(Refused, match="has the instruction INST, which plain data has no use for"):
        mg.load(with_pickle(b"(iminigrad\nTensor\n.", tmp_path / "file.pt"))
    assert Unpickler(io.BytesIO(pickle.dumps([{1: {2}}, frozenset([3]), bytearray(b"a")], 5)), {}, {}).load() == [
        {1: {2}}, frozenset([3]), bytearray(b"a"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "place",
    [
        (0, (13,), (1,)),
        (12, (1,), (1,)),
        (-1, (2,), (1,)),
        (0, (2, 2), (10, 2)),
        (0, (2,), (-1,)),
        (0, (2,), (1, 1)),
        (0, (2.0,), (1,)),
    ],
)
def test_a_tensor_reaches_no_further_than_its_storage(place) -> None:
    flat = np.arange(12.0)
    with pytest.raises(ValueError, match="a tensor of sizes"):
        _strided(flat, *place)
    assert _strided(flat, 0, (2, 2), (10, 1)).tolist() == [[0.0, 1.0], [10.0, 11.0]]
    assert _strided(flat, 12, (0, 3), (3, 1)).shape == (0, 3)


def test_a_storage_must_have_its_bytes(tmp_path) -> None:
    path = tmp_path / "short.pt"
    with zipfile.ZipFile(FOLDER / "tensor.pt") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data[:-4] if name.endswith("data/0") else data)
    with pytest.raises(RuntimeError, match="short.pt is truncated.*storage 0 has 4 bytes where the tensors need 8"):
        mg.load(path)


def test_big_endian_files_are_turned_round(tmp_path) -> None:
    path = tmp_path / "big.pt"
    with zipfile.ZipFile(FOLDER / "tensor.pt") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("data/0"):
                data = np.frombuffer(data, "<f4").astype(">f4").tobytes()
            target.writestr(name, b"big" if name.endswith("byteorder") else data)
    assert mg.load(path).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", ["checkpoint", "checkpoint_legacy"])
def test_truncated_files_are_noticed(tmp_path, name) -> None:
    whole, path = (FOLDER / f"{name}.pt").read_bytes(), tmp_path / "cut.pt"
    for length in [*range(0, len(whole) - 1, len(whole) // 40), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(RuntimeError, match=r"cut\.pt is truncated, altered or not a file"):
            mg.load(path)


@pytest.mark.parametrize("name", ["views", "views_legacy"])
def test_damage_never_raises_anything_else(tmp_path, name) -> None:
    whole, rng, path = (FOLDER / f"{name}.pt").read_bytes(), np.random.default_rng(0), tmp_path / "damaged.pt"
    noticed = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(bytes(damaged))
        try:
            mg.load(path)
        except (RuntimeError, Refused) as error:
            assert "damaged.pt" in str(error)
            noticed += 1
    assert noticed > 50
