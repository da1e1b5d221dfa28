"""save and load: all comes back as it was, damage is noticed, nothing is executed, an interruption loses nothing."""

import contextlib
import io
import json
import math
import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

import minigrad as mg


def through(obj, **options):
    file = io.BytesIO()
    mg.save(obj, file)
    file.seek(0)
    return mg.load(file, **options)


DTYPES = [mg.float64, mg.float32, mg.float16, mg.bfloat16, mg.int64, mg.int32, mg.int16, mg.int8, mg.uint8, mg.bool]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_every_dtype(dtype, shape):
    x = (mg.rand(shape) * 5).to(dtype)
    back = through(x)
    assert (back.dtype, back.shape, back.tolist()) == (dtype, x.shape, x.tolist())


def test_floats_to_the_last_bit():
    values = [math.inf, -math.inf, math.nan, -0.0, 5e-324, 1.7976931348623157e308, 0.1]
    back = through(mg.tensor(values, dtype=mg.float64))
    assert back.numpy().tobytes() == np.array(values).tobytes()


@pytest.mark.parametrize(
    "obj",
    [
        None,
        True,
        0,
        -1,
        2**53,
        2**200,
        -(2**64),
        0.1,
        -0.0,
        1e308,
        math.inf,
        -math.inf,
        "",
        "text \u00e9 \U0001f600",
        b"",
        b"\x00\xff",
        [],
        (),
        {},
        {1: "a", "1": "b", None: 3, (1, 2): [4]},
        [1, [2, (3, {"a": [None]})]],
        {1, 2},
        OrderedDict(b=1, a=2),
        mg.float16,
        [1, 1.0, True],
    ],
    ids=repr,
)
def test_plain_values(obj):
    back = through(obj)
    assert back == obj
    assert type(back) is type(obj)
    assert repr(back) == repr(obj)


def test_nan():
    assert math.isnan(through(math.nan))


def test_numpy_values():
    back = through({"a": np.arange(3, dtype=np.int16), "s": np.float32(0.5), "i": np.int64(3)})
    assert back["a"].dtype == np.int16
    assert (back["a"].tolist(), back["s"], back["i"]) == ([0, 1, 2], 0.5, 3)


def test_leaves_parameters_and_inner_tensors():
    x = mg.ones(2, requires_grad=True)
    back = through(
        {
            "leaf": x,
            "inner": x * 2,
            "parameter": mg.nn.Parameter(mg.ones(1)),
            "frozen": mg.nn.Parameter(mg.ones(1), False),
        }
    )
    assert [back[k].requires_grad for k in back] == [True, False, True, False]
    assert [type(back[k]) for k in back] == [mg.Tensor, mg.Tensor, mg.nn.Parameter, mg.nn.Parameter]


def test_tied_tensors_stay_tied():
    x = mg.ones(2)
    back = through([x, x, x.detach(), mg.ones(2)])
    back[0].add_(1)
    assert [b.tolist() for b in back] == [[2, 2], [2, 2], [2, 2], [1, 1]]


def test_slices_and_transposes():
    x = mg.arange(6.0).reshape(2, 3)
    back = through([x.t(), x[:, 1], x[::2]])
    assert [b.tolist() for b in back] == [x.t().tolist(), [1, 4], [[0, 1, 2]]]
    back[0][0] = 9
    assert back[1].tolist() == [1, 4]


def test_loaded_tensors_are_writeable():
    through(mg.zeros(2)).add_(1)


def test_a_model_and_its_optimizer(tmp_path):
    model = mg.nn.Linear(3, 2)
    optimizer = mg.optim.AdamW(model.parameters(), lr=0.1)
    model(mg.ones(1, 3)).sum().backward()
    optimizer.step()
    mg.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 7}, tmp_path / "checkpoint.pt")
    back = mg.load(tmp_path / "checkpoint.pt")
    assert back["step"] == 7
    assert type(back["model"]) is type(model.state_dict())
    twin = mg.nn.Linear(3, 2)
    twin.load_state_dict(back["model"])
    assert twin.weight.tolist() == model.weight.tolist()
    assert back["optimizer"]["param_groups"] == optimizer.state_dict()["param_groups"]


# ---------------------------------------------------------------- what is refused


class Stranger:
    pass


@pytest.mark.parametrize(
    ("obj", "place"),
    [
        (Stranger(), "the object: a Stranger"),
        ({"a": [1, Stranger()]}, r"the object\['a'\]\[1\]: a Stranger"),
        ({Stranger(): 1}, "a key of the object: a Stranger"),
        ([len], r"the object\[0\]: a builtin_function_or_method"),
        (range(3), "the object: a range"),
        (np.array(["a"]), "the object: a NumPy array of <U1"),
        ([os.path.join], r"the object\[0\]: it refers to posixpath.join, which is no function of minigrad"),
    ],
)
def test_objects_that_are_refused_are_named_with_their_place(obj, place, tmp_path):
    with pytest.raises(TypeError, match=f"cannot save {place}"):
        mg.save(obj, tmp_path / "file.pt")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .*missing does not exist; create it first"):
        mg.save(1, tmp_path / "missing" / "file.pt")


# ---------------------------------------------------------------- damage


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "file.pt"
    mg.save({"w": mg.arange(100.0), "n": [1, 2]}, path)
    return path


def test_every_truncation_is_noticed(saved):
    whole = saved.read_bytes()
    for length in {0, 1, 10, len(whole) // 2, len(whole) - 30, len(whole) - 1}:
        saved.write_bytes(whole[:length])
        with pytest.raises(RuntimeError, match=r"file\.pt is truncated, altered or not a file of minigrad\.save"):
            mg.load(saved)


def test_altered_bytes_are_noticed(saved):
    whole = saved.read_bytes()
    at = whole.index(np.arange(100, dtype=np.float32).tobytes()) + 50
    saved.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(RuntimeError, match=r"truncated, altered.*Bad CRC"):
        mg.load(saved)


def test_random_damage_never_raises_anything_else(saved):
    whole, rng = saved.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[rng.integers(len(whole))] = rng.integers(256)
        saved.write_bytes(bytes(damaged))
        with contextlib.suppress(RuntimeError):
            mg.load(saved)


def rewritten(path, structure):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("structure.json", structure if isinstance(structure, str) else json.dumps(structure))
    return path


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        ({"format": "minigrad-9", "object": 1}, "is of format 'minigrad-9'; this version reads 'minigrad-1'"),
        (
            {"format": "minigrad-1", "object": {"code": "import os"}},
            "unknown entry 'code': the file was written by a newer minigrad",
        ),
        ({"format": "minigrad-1"}, "truncated, altered"),
        ([1, 2], "truncated, altered"),
        ({"format": "minigrad-1", "object": {}}, "truncated, altered"),
        ({"format": "minigrad-1", "object": {"tensor": 0}}, "truncated, altered"),
        ({"format": "minigrad-1", "object": {"dict": [1]}}, "truncated, altered"),
        ("[" * 100_000, "truncated, altered"),
        ("nonsense", "truncated, altered"),
    ],
)
def test_structures_that_no_save_wrote(structure, message, tmp_path):
    with pytest.raises(RuntimeError, match=message):
        mg.load(rewritten(tmp_path / "file.pt", structure))


def test_files_of_other_programs(tmp_path):
    path = tmp_path / "file.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/other.pkl", pickle.dumps([1]))
    with pytest.raises(RuntimeError, match=r"was not written by minigrad.save \(no structure.json"):
        mg.load(path)
    path.write_bytes(pickle.dumps([1]))
    with pytest.raises(RuntimeError, match="truncated, altered or not a file"):
        mg.load(path)
    with pytest.raises(FileNotFoundError):
        mg.load(tmp_path / "nowhere.pt")


def test_pickled_arrays_are_not_read(tmp_path):
    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("code in a file was run",))

    path = tmp_path / "file.pt"
    array = io.BytesIO()
    np.lib.format.write_array(array, np.array([Evil()], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        entry = {"tensor": 0, "dtype": "float32", "requires_grad": False}
        archive.writestr("structure.json", json.dumps({"format": "minigrad-1", "object": entry}))
        archive.writestr("arrays/0.npy", array.getvalue())
    with pytest.raises(RuntimeError, match="Object arrays cannot be loaded when allow_pickle=False"):
        mg.load(path)


# ---------------------------------------------------------------- writing is all or nothing


def test_an_interrupted_write_leaves_the_old_file(saved, monkeypatch):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(np.lib.format, "write_array", interrupt)
    with pytest.raises(KeyboardInterrupt):
        mg.save({"w": mg.zeros(5)}, saved)
    monkeypatch.undo()
    assert mg.load(saved)["n"] == [1, 2]
    assert os.listdir(saved.parent) == ["file.pt"]


def test_files_get_the_usual_permissions(saved):
    plain = saved.parent / "plain"
    plain.write_bytes(b"")
    assert saved.stat().st_mode == plain.stat().st_mode


def test_file_objects_and_map_location():
    file = io.BytesIO()
    mg.save(mg.ones(1), file)
    file.seek(0)
    assert str(mg.load(file, map_location="cpu", weights_only=True).device) == "cpu"
