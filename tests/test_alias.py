"""The torch alias in a session: what is found, what is missing, what stays as it was."""

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import minigrad as mg
from minigrad import alias as switch
from minigrad.alias import TABLE, VERSION, AliasModule, _behind, missing

PRESENT = sorted(name for name in TABLE if _behind(name) is not None)


@pytest.fixture
def on() -> Iterator[None]:
    with mg.alias():
        yield
    assert not [name for name in sys.modules if name.partition(".")[0] in ("torch", "torchvision")]


@pytest.mark.parametrize("name", PRESENT)
def test_every_module_of_the_table_is_found(on, name) -> None:
    module = importlib.import_module(name)
    assert isinstance(module, AliasModule) and module.__name__ == name
    parent, _, child = name.rpartition(".")
    if parent:
        found = getattr(importlib.import_module(parent), child)
        assert found is module or found is getattr(module, child)  # torch.autograd.gradcheck: a function in a file
    for public in dir(module):
        assert getattr(module, public, module) is not module, f"dir({name}) lists {public}, which it has not"


def test_the_names_are_minigrads_own_objects(on) -> None:
    import torch
    import torch.nn as nn
    import torch.utils.data
    from torch import Tensor, optim
    from torch.autograd.variable import Variable
    from torch.nn import functional as F
    from torch.nn.modules.linear import Linear
    from torch.nn.parameter import Parameter
    from torch.optim.lr_scheduler import StepLR, _LRScheduler
    from torch.optim.optimizer import Optimizer
    from torch.utils.data.dataset import Dataset

    assert (nn.Linear, Linear, Tensor) == (mg.nn.Linear, mg.nn.Linear, mg.Tensor)
    assert (F.relu, Parameter, optim.SGD) == (mg.nn.functional.relu, mg.nn.Parameter, mg.optim.SGD)
    assert (Optimizer, StepLR) == (mg.optim.Optimizer, mg.optim.lr_scheduler.StepLR)
    assert _LRScheduler is mg.optim.lr_scheduler.LRScheduler
    assert Dataset is mg.data.Dataset and torch.utils.data.DataLoader is mg.data.DataLoader
    assert Variable(torch.ones(2), requires_grad=True).requires_grad
    assert isinstance(mg.ones(1), torch.Tensor) and isinstance(torch.float32, torch.dtype)
    assert torch.__version__ == torch.version.__version__ == VERSION
    assert int(torch.__version__.split(".")[0]) >= 2


def test_submodules_are_there_without_being_imported(on) -> None:
    import torch

    assert torch.nn.functional.softmax is mg.nn.functional.softmax
    assert torch.optim.lr_scheduler.StepLR is mg.optim.lr_scheduler.StepLR
    assert torch.utils.data.DataLoader is mg.data.DataLoader
    assert torch.cuda.is_available() in (True, False)


def test_import_star_gives_functions_and_no_submodules(on) -> None:
    scope: dict = {}
    exec("from torch import *", scope)
    assert scope["tensor"] is mg.tensor and scope["Tensor"] is mg.Tensor
    assert "nn" not in scope and "kernels" not in scope
    exec("from torch.nn import *", scope)
    assert scope["Linear"] is mg.nn.Linear


@pytest.mark.parametrize(
    "name", ["torch.nonsense", "torch.nn.Nonsense", "torch.nn.functional.nonsense", "torch.kernels"]
)
def test_a_missing_name_says_so(on, name) -> None:
    module, _, last = name.rpartition(".")
    found = importlib.import_module(module)
    with pytest.raises(AttributeError, match=rf"minigrad has no `{name}`: dir\({module}\) lists the names"):
        getattr(found, last)
    assert not hasattr(found, last)
    with pytest.raises(ImportError, match=rf"minigrad has no `{name}`"):
        exec(f"from {module} import {last}")
    with pytest.raises(ModuleNotFoundError, match=rf"minigrad has no `{name}`"):
        importlib.import_module(name)


def test_minigrad_itself_says_what_it_has_not() -> None:
    with pytest.raises(AttributeError, match="minigrad has no `minigrad.nonsense`"):
        mg.nonsense  # noqa: B018
    assert missing("torch") == "minigrad has no `torch`: see README.md"


def test_what_a_program_sets_is_set_in_minigrad(on, monkeypatch) -> None:
    import torch
    import torch.backends.cudnn as cudnn

    # So that they are put back after the test; of the alias's module pytest would delete them.
    monkeypatch.setattr(mg.nn.functional, "relu", mg.nn.functional.relu)
    monkeypatch.setattr(mg.backends.cudnn, "benchmark", False)
    torch.nn.functional.relu = abs  # as a program that wraps a function does
    assert mg.nn.functional.relu is abs
    cudnn.benchmark = True
    assert mg.backends.cudnn.benchmark is True
    with pytest.raises(AttributeError, match=r"no switch `backends.cudnn.benchmrk`; it has .*benchmark"):
        cudnn.benchmrk = True
    torch.note = 1
    assert mg.note == 1
    del torch.note
    assert not hasattr(mg, "note")


def test_off_is_the_default_and_is_restored() -> None:
    assert "torch" not in sys.modules
    with mg.alias():
        import torch

        with mg.alias(False):
            assert "torch" not in sys.modules
        assert importlib.import_module("torch") is not torch  # made anew
    assert "torch" not in sys.modules and repr(mg.alias(False)) == "<minigrad.alias: off>"
    assert torch.ones(2).sum() == 2  # what was imported keeps working
    now = mg.alias()
    assert repr(now) == "<minigrad.alias: on>" and importlib.util.find_spec("torch") is not None
    mg.alias(False)
    with pytest.raises(TypeError, match="alias takes True or False, got 'on'"):
        mg.alias("on")


@pytest.fixture
def installed(tmp_path, monkeypatch) -> Iterator[None]:
    """A package torch of somebody else's, on the path."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("__version__ = 'theirs'\n")
    (tmp_path / "torch" / "nn.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("torch", "torch.nn"):
        sys.modules.pop(name, None)


def test_an_installed_torch_is_found_when_the_alias_is_off(installed) -> None:
    with mg.alias():
        assert importlib.import_module("torch").__version__ == VERSION
    assert importlib.import_module("torch").__version__ == "theirs"


def test_submodules_are_found_after_the_alias_is_off(installed) -> None:
    with mg.alias():
        from torch import nn
    assert nn.utils.clip_grad_norm_ is mg.nn.utils.clip_grad_norm_  # nn.utils was never imported
    assert nn.functional.relu is mg.nn.functional.relu and "torch.nn.utils" not in sys.modules


def test_a_torch_that_is_imported_already_is_not_mixed_with_the_alias(installed) -> None:
    theirs = importlib.import_module("torch.nn")
    with pytest.raises(RuntimeError, match="torch is imported already in this process"):
        mg.alias()
    assert sys.modules["torch.nn"] is theirs and "off" in repr(mg.alias(False))


def test_libraries_that_look_torch_up_among_the_modules(on) -> None:
    """As einops and Matplotlib do: they never import torch, but ask whether somebody did, and for its Tensor."""
    import torch

    x = torch.arange(3.0)
    kind = getattr(sys.modules.get("torch"), "Tensor", None)
    assert isinstance(kind, type) and isinstance(x, kind)
    assert isinstance(sys.modules["torch"].nn.Module, type)


def test_matplotlib_plots_tensors(on) -> None:
    import torch
    from matplotlib.figure import Figure

    (line,) = Figure().add_subplot().plot(torch.arange(3), torch.arange(3.0) ** 2)
    assert isinstance(line.get_ydata(), np.ndarray) and line.get_ydata().tolist() == [0, 1, 4]


class EinopsBackend:
    """How einops finds the library of a tensor and reshapes it, in few lines."""

    def __init__(self) -> None:
        self.torch = sys.modules["torch"]

    def reduce_last(self, x):
        assert isinstance(x, self.torch.Tensor)
        return x.reshape(x.shape[0], -1).permute(1, 0).mean(dim=(0,))


def test_einops_finds_tensors(on) -> None:
    import torch

    assert EinopsBackend().reduce_last(torch.arange(6.0).reshape(2, 3)).tolist() == [1.0, 4.0]
    if importlib.util.find_spec("einops") is not None:  # the library itself, where it is installed
        einops = importlib.import_module("einops")
        x = torch.arange(24.0, requires_grad=True).reshape(2, 3, 4)
        y = einops.rearrange(x, "a b c -> (a c) b")
        assert isinstance(y, torch.Tensor) and y.shape == (8, 3) and y.requires_grad
        assert einops.reduce(x, "a b c -> a c", "mean").shape == (2, 4)


def test_the_alias_costs_nothing_when_it_is_off() -> None:
    code = "import sys, minigrad; print([m for m in sys.modules if 'onemachine.' in m or m.split('.')[0] == 'torch'])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['minigrad.onemachine.amp', 'minigrad.onemachine.settings']"
    assert switch is mg.alias
