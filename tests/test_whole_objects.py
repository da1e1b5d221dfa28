"""Whole modules in files: they come back as they were, from classes of the running program; no code is in a file."""

import argparse
import dataclasses
import enum
import io
import json
import pickle
import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.serialization import safe_globals

sys.path.insert(0, str(Path(__file__).parent / "nn"))
import layer_cases

ROOT = Path(__file__).resolve().parent.parent


class Mode(enum.Enum):
    FAST, SLOW = 1, 2


@dataclasses.dataclass
class Config:
    width: int
    mode: Mode = Mode.FAST
    sizes: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        assert self.width < 100, "runs when the program makes a Config, not when a file is read"


@dataclasses.dataclass(frozen=True, slots=True)
class Small:
    rate: float


class Net(nn.Module):
    made = 0

    def __init__(self, config):
        super().__init__()
        type(self).made += 1
        self.config, self.small = config, Small(0.5)
        self.embed, self.head = nn.Embedding(5, config.width), nn.Linear(config.width, 5, bias=False)
        self.head.weight = self.embed.weight
        self.blocks = nn.ModuleList([nn.Linear(config.width, config.width) for _ in range(2)])
        self.act, self.layer = F.relu, nn.LayerNorm
        self.options = {"args": argparse.Namespace(lr=0.1), "space": types.SimpleNamespace(a=(1, None))}
        self.place, self.kind, self.limit = mg.device("cpu"), mg.float16, float("inf")
        self.register_buffer("count", mg.tensor(3))
        self.register_buffer("hidden", mg.ones(2), persistent=False)

    def forward(self, x):
        x = self.embed(x)
        for block in self.blocks:
            x = self.act(block(x))
        return self.head(x)


def through(obj, **options):
    file = io.BytesIO()
    mg.save(obj, file)
    file.seek(0)
    return mg.load(file, weights_only=False, **options)


def test_a_module_comes_back_as_it_was(tmp_path):
    mg.manual_seed(0)
    net = Net(Config(4, Mode.SLOW, [1, 2])).eval()
    made = Net.made
    mg.save(net, tmp_path / "net.pt")
    back = mg.load(tmp_path / "net.pt", weights_only=False)
    assert Net.made == made  # __init__ has not run again
    x = mg.tensor([0, 3])
    assert type(back) is Net and not back.training and repr(back) == repr(net) and back(x).equal(net(x))
    assert back.head.weight is back.embed.weight and type(back.head.weight) is nn.Parameter
    assert list(back.state_dict()) == list(net.state_dict()) and back.hidden.tolist() == [1, 1]
    assert back.config == net.config and back.config is not net.config and back.small == Small(0.5)
    assert back.act is F.relu and back.layer is nn.LayerNorm
    assert back.options == net.options and back.limit == float("inf")
    assert (back.place, back.kind) == (mg.device("cpu"), mg.float16)
    back(x).sum().backward()
    mg.optim.SGD(back.parameters(), lr=0.1).step()
    assert not back.head.weight.equal(net.head.weight)


def test_modules_among_other_things_and_more_than_once(tmp_path):
    layer = nn.Linear(2, 2)
    layer.owner = [layer]  # a circle
    back = through({"epoch": 3, "a": layer, "b": [layer], "w": layer.weight})
    assert back["epoch"] == 3 and back["a"] is back["b"][0] is back["a"].owner[0] and back["w"] is back["a"].weight
    with zipfile.ZipFile(_saved(layer, tmp_path)) as archive:
        assert sum(name.startswith("arrays/") for name in archive.namelist()) == 2


@pytest.mark.parametrize("case", layer_cases.REPRS, ids=lambda case: case[0])
def test_every_layer_comes_back(case):
    name, args, kwargs = case
    layer = getattr(nn, name)(*args, **kwargs)
    back = through(layer)
    assert repr(back) == repr(layer) and list(vars(back)) == list(vars(layer))
    for (key, p), q in zip(layer.state_dict().items(), back.state_dict().values(), strict=True):
        assert isinstance(p, nn.UninitializedParameter) or p.equal(q), key


def test_classes_vouched_for():
    class Local:
        pass

    class_of_ours = Stranger()
    class_of_ours.words = {"a": mg.ones(1)}
    with pytest.raises(TypeError, match="vouch for a class of yours with serialization.add_safe_globals"):
        through(class_of_ours)
    with safe_globals([Stranger]):
        assert through(class_of_ours).words["a"].tolist() == [1.0]
        file = io.BytesIO()
        mg.save(class_of_ours, file)
    with pytest.raises(pickle.UnpicklingError, match=r"Stranger, which is no module.*add_safe_globals"):
        mg.load(file, weights_only=False)
    with safe_globals([Local]), pytest.raises(AttributeError, match="Can't save local object.*Local"):
        through(Local())


class Stranger:
    def __setstate__(self, state):
        raise AssertionError("no code of the class runs")


# ---------------------------------------------------------------- what is refused


def _saved(obj, tmp_path):
    mg.save(obj, tmp_path / "file.pt")
    return tmp_path / "file.pt"


def test_a_module_is_rebuilt_on_request_only(tmp_path):
    path = _saved([1, nn.Linear(1, 1)], tmp_path)
    for options in ({}, {"weights_only": True}, {"weights_only": None}):
        with pytest.raises(
            pickle.UnpicklingError, match=r"the object\[1\] is a Linear. To have it rebuilt.*pass weights"
        ):
            mg.load(path, **options)


def test_what_no_name_leads_to_cannot_be_saved():
    class Inner(nn.Module):
        pass

    layer = nn.Linear(1, 1)
    layer.act = lambda x: x
    for obj in (Inner(), layer):
        with pytest.raises(AttributeError, match="Can't save local object '.*<locals>.*Define it there"):
            through(obj)
    layer.act = Stranger()
    with pytest.raises(TypeError, match="cannot save the object.act: a Stranger"):
        through(layer)
    layer.act = None
    layer.register_forward_hook(lambda *args: None)
    with pytest.raises(TypeError, match="cannot save the object: it has hooks, which are code"):
        through(layer)


def edited(obj, change):
    """The file of an object, its description changed by hand."""
    file, out = io.BytesIO(), io.BytesIO()
    mg.save(obj, file)
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(out, "w") as target:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "structure.json":
                structure = json.loads(content)
                change(structure)
                content = json.dumps(structure).encode()
            target.writestr(name, content)
    out.seek(0)
    return out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.to:Be", "it needs Be of the module nowhere.to, which this program has not imported: import it first"),
        ("minigrad.nn:Nothing", "it needs Nothing of the module minigrad.nn, which has no such name"),
        ("os:system", "it wants an object of os.system, which is no module, dataclass or namespace"),
        ("subprocess:Popen", "it wants an object of subprocess.Popen"),
        ("os:path.join", "it wants an object of os.path.join"),
        ("minigrad.nn.linear:Linear.forward", "it wants an object of minigrad.nn.linear.Linear.forward"),
        ("builtins:eval", "it wants an object of builtins.eval"),
    ],
)
def test_a_file_names_only_modules_that_are_there(name, message):
    __import__("subprocess")

    def change(structure):
        structure["object"]["module"] = name

    with pytest.raises(pickle.UnpicklingError, match=message):
        mg.load(edited(nn.Linear(1, 1), change), weights_only=False)


@pytest.mark.parametrize("name", ["os:system", "builtins:eval", "minigrad.serialization:load", "subprocess:Popen"])
def test_a_file_names_only_functions_of_layers(name):
    layer = nn.Linear(1, 1)
    layer.act = F.relu

    def change(structure):
        structure["object"]["state"]["act"]["name"] = name

    with pytest.raises(pickle.UnpicklingError, match="which is no function of minigrad and no class of layers"):
        mg.load(edited(layer, change), weights_only=False)


def test_nothing_is_imported_for_a_file(tmp_path):
    marker = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"from pathlib import Path\nPath({str(marker)!r}).touch()\n")

    def change(structure):
        structure["object"]["module"] = "evil:Net"

    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(pickle.UnpicklingError, match="has not imported"):
            mg.load(edited(nn.Linear(1, 1), change), weights_only=False)
    finally:
        sys.path.remove(str(tmp_path))
    assert not marker.exists() and "evil" not in sys.modules


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["object"]["state"].update(_forward_hooks={"dict": []}),
        lambda s: s["object"].update(state={"weight": {"again": 7}}),
        lambda s: s["object"].pop("state"),
        lambda s: s["object"]["state"].update(training={"again": 99}),
        lambda s: s["object"]["state"].update(training={"enum": "A", "of": "tests:B"}),
    ],
)
def test_descriptions_that_nobody_wrote_so(change):
    for options in ({"weights_only": False}, {}):
        with pytest.raises((RuntimeError, pickle.UnpicklingError), match=r"truncated, altered|holds more than weights"):
            mg.load(edited(nn.Linear(1, 1), change), **options)


PROGRAM = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
    def forward(self, x):
        return self.fc(x)

if __name__ == "__main__":
    torch.manual_seed(0)
    model = Net()
    torch.save(model, "model.pt")
    again = torch.load("model.pt", weights_only=False)
    again.eval()
    print(type(again).__name__, again.training, torch.equal(again(torch.ones(1, 3)), model(torch.ones(1, 3))))
"""


def test_a_head_that_hides_what_follows():
    hidden = edited(nn.Linear(1, 1), lambda structure: structure.pop("whole"))
    with pytest.raises(RuntimeError, match="an entry 'module', which its head does not tell of"):
        mg.load(hidden)


def test_a_program_saves_and_loads_its_model(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "other.py").write_text(
        "import torch\ntry:\n    torch.load('model.pt', weights_only=False)\nexcept Exception as error:\n"
        "    print(type(error).__name__, 'has no such name in this program' in str(error))\n"
        "from program import Net\nprint(torch.load('model.pt', weights_only=False).fc.weight.shape)\n"
    )
    printed = []
    for script in ("program.py", "other.py"):
        command = [sys.executable, "-m", "minigrad.run", script]
        environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        printed += done.stdout.splitlines()
    assert printed == ["Net False True", "Refused True", "torch.Size([2, 3])"]
