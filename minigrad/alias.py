"""The torch alias: `import torch` finds minigrad, for as long as the alias is on.

    minigrad.alias()                       # from here on
    with minigrad.alias(): import program  # or for a block
    python -m minigrad.run program.py      # or for a whole program

A finder at the front of `sys.meta_path` answers for the names in `TABLE`, and for nothing else: each becomes a thin
module that hands on what is asked of it to the module of minigrad in the table. Nothing is copied, so `torch.nn.Linear
is minigrad.nn.Linear`, and what a program sets (`torch.backends.cudnn.benchmark = True`) is set there. What minigrad
does not have raises, never answers silently: AttributeError for `torch.nn.Name`, ModuleNotFoundError for `import
torch.name` and `from torch import name`.

An installed PyTorch is not touched: off is the default, turning the alias on refuses a process that has imported the
real one already, and turning it off makes the real one importable again.
"""

import functools
import importlib
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any

VERSION = "2.13.0+minigrad"  # the PyTorch whose meaning the names have: programs compare it with "2.0"


def _files(package: str, names: str, where: str) -> dict[str, str]:
    """Files of PyTorch whose names minigrad keeps in one module."""
    return {f"{package}.{name}": where for name in names.split()}


_NN_FILES = _files(
    "torch.nn.modules",
    "activation adaptive batchnorm channelshuffle container conv distance dropout flatten fold instancenorm lazy "
    "linear loss module normalization padding pixelshuffle pooling rnn sparse transformer upsampling",
    "minigrad.nn",
)
_OPTIM_FILES = _files(
    "torch.optim", "adadelta adagrad adam adamax adamw asgd lbfgs nadam radam rmsprop rprop sgd", "minigrad.optim"
)
_DATA_FILES = _files("torch.utils.data", "dataset dataloader sampler _utils _utils.collate", "minigrad.data")
_DISTRIBUTION_FILES = _files(
    "torch.distributions",
    "bernoulli beta categorical dirichlet distribution exponential gamma independent kl mixture_same_family "
    "multinomial multivariate_normal normal one_hot_categorical poisson uniform",
    "minigrad.distributions",
)

# What stands behind each name: a module of minigrad, or "module:object" for a namespace inside one.
TABLE: dict[str, str] = {
    "torch": "minigrad",
    "torch.accelerator": "minigrad.onemachine.accelerator",
    "torch.amp": "minigrad.onemachine.amp",
    "torch.amp.autocast_mode": "minigrad.onemachine.amp",
    "torch.amp.grad_scaler": "minigrad.onemachine.amp",
    "torch.autograd": "minigrad.autograd",
    "torch.autograd.anomaly_mode": "minigrad.anomaly",
    "torch.autograd.function": "minigrad.function",
    "torch.autograd.functional": "minigrad.func.autograd_functional",
    "torch.autograd.grad_mode": "minigrad.autograd",
    "torch.autograd.gradcheck": "minigrad.gradcheck",
    "torch.autograd.variable": "minigrad.legacy",
    "torch.backends": "minigrad.onemachine.backends",
    "torch.backends.cuda": "minigrad.onemachine.backends:cuda",
    "torch.backends.cuda.matmul": "minigrad.onemachine.backends:cuda.matmul",
    "torch.backends.cudnn": "minigrad.onemachine.backends:cudnn",
    "torch.backends.mkl": "minigrad.onemachine.backends:mkl",
    "torch.backends.mkldnn": "minigrad.onemachine.backends:mkldnn",
    "torch.backends.mps": "minigrad.onemachine.backends:mps",
    "torch.backends.openmp": "minigrad.onemachine.backends:openmp",
    "torch.cuda": "minigrad.onemachine.cuda",
    "torch.cuda.amp": "minigrad.onemachine.cuda_amp",
    "torch.cuda.amp.autocast_mode": "minigrad.onemachine.cuda_amp",
    "torch.cuda.amp.grad_scaler": "minigrad.onemachine.cuda_amp",
    "torch.distributed": "minigrad.onemachine.distributed",
    "torch.distributions": "minigrad.distributions",
    **_DISTRIBUTION_FILES,
    "torch.func": "minigrad.func",
    "torch.jit": "minigrad.onemachine.jit",
    "torch.linalg": "minigrad.linalg",
    "torch.mps": "minigrad.onemachine.mps",
    "torch.multiprocessing": "minigrad.onemachine.multiprocessing",
    "torch.nn": "minigrad.nn",
    "torch.nn.functional": "minigrad.nn.functional",
    "torch.nn.init": "minigrad.nn.init",
    "torch.nn.modules": "minigrad.nn",
    **_NN_FILES,
    "torch.nn.modules.module": "minigrad.nn.module",
    "torch.nn.parallel": "minigrad.nn.parallel",
    "torch.nn.parallel.data_parallel": "minigrad.nn.parallel",
    "torch.nn.parallel.distributed": "minigrad.nn.parallel",
    "torch.nn.parameter": "minigrad.nn.parameter",
    "torch.nn.utils": "minigrad.nn.utils",
    "torch.nn.utils.clip_grad": "minigrad.nn.utils",
    "torch.nn.utils.convert_parameters": "minigrad.nn.utils",
    "torch.nn.utils.rnn": "minigrad.nn.utils.rnn",
    "torch.nn.utils.stateless": "minigrad.func.stateless",
    "torch.onnx": "minigrad.onemachine.onnx",
    "torch.optim": "minigrad.optim",
    **_OPTIM_FILES,
    "torch.optim.lr_scheduler": "minigrad.optim.lr_scheduler",
    "torch.optim.optimizer": "minigrad.optim.optimizer",
    "torch.optim.swa_utils": "minigrad.optim.swa_utils",
    "torch.profiler": "minigrad.onemachine.profiler",
    "torch.random": "minigrad.random",
    "torch.return_types": "minigrad.return_types",
    "torch.serialization": "minigrad.serialization",
    "torch.special": "minigrad.special",
    "torch.utils": "minigrad.utils",
    "torch.utils.checkpoint": "minigrad.utils.checkpoint",
    "torch.utils.data": "minigrad.data",
    **_DATA_FILES,
    "torch.utils.data.distributed": "minigrad.data.distributed",
    "torch.version": "minigrad.onemachine.version",
    "torchvision": "minigrad.vision",
    "torchvision.datasets": "minigrad.vision.datasets",
    "torchvision.datasets.cifar": "minigrad.vision.datasets",
    "torchvision.datasets.mnist": "minigrad.vision.datasets",
    "torchvision.transforms": "minigrad.vision.transforms",
    "torchvision.transforms.functional": "minigrad.vision.functional",
    "torchvision.transforms.transforms": "minigrad.vision.transforms",
    "torchvision.utils": "minigrad.vision.utils",
    "transformers": "minigrad.transformers",
}

# Names that a module of PyTorch has and minigrad keeps elsewhere, or under another name.
ELSEWHERE: dict[str, dict[str, str]] = {
    "torch": {"dtype": "minigrad.dtype:DType", "__version__": "minigrad.onemachine.version:__version__"},
    "torch.optim.lr_scheduler": {"_LRScheduler": "minigrad.optim.lr_scheduler:LRScheduler"},
    "torchvision": {"__version__": "minigrad.onemachine.version:__torchvision_version__"},
}

ROOTS = ("torch", "torchvision", "transformers")


def missing(name: str) -> str:
    """What an error says of a name that minigrad does not have; `name` as PyTorch spells it."""
    module = name.rpartition(".")[0]
    listed = f"dir({module}) lists the names it has there, and README.md what works" if module else "see README.md"
    return f"minigrad has no `{name}`: {listed}"


@functools.cache
def _behind(name: str) -> Any:
    """The module or namespace that stands behind `name`; None where the table has none, or minigrad lacks it."""
    where, _, inner = TABLE.get(name, "").partition(":")
    if not where:
        return None
    try:
        found: Any = importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name and (where == error.name or where.startswith(error.name + ".")):
            return None
        raise
    return functools.reduce(getattr, inner.split(".") if inner else [], found)


_HOMES = ("minigrad", "torch", "builtins")  # "torch": see run._alias


def _is_defined(module: Any, name: str) -> bool:
    """True for what a module without __all__ offers: no private names, and no Any or wraps that it imported."""
    home = getattr(getattr(module, name), "__module__", "minigrad")
    return not name.startswith("_") and isinstance(home, str) and home.partition(".")[0] in _HOMES


def _is_function(module: str, name: str) -> bool:
    """True for what is a function and a file in PyTorch, as torch.autograd.gradcheck: the attribute is the function."""
    found = None if name.startswith("__") else getattr(_behind(module), name, None)
    return callable(found) and not isinstance(found, types.ModuleType)


_OF_EVERY_MODULE = frozenset(name for name in dir(types) if name.startswith("__"))  # its own, never those behind it


class AliasModule(types.ModuleType):
    """A module named as PyTorch's, which has what the module or namespace of minigrad behind it has."""

    def __getattr__(self, name: str) -> Any:
        path = f"{self.__name__}.{name}"
        if path in TABLE and _behind(path) is not None and not _is_function(self.__name__, name):
            return importlib.import_module(path) if _is_on() else _unlisted(path)
        if (elsewhere := ELSEWHERE.get(self.__name__, {}).get(name)) is not None:
            where, _, attribute = elsewhere.partition(":")
            return getattr(importlib.import_module(where), attribute)
        if name == "__all__":  # what `import *` gives: no submodules, as in PyTorch
            return [x for x in dir(self) if not x.startswith("_") and f"{self.__name__}.{x}" not in TABLE]
        found = self if name in _OF_EVERY_MODULE else getattr(_behind(self.__name__), name, self)
        if found is self or isinstance(found, types.ModuleType):  # our own files are no names of PyTorch's
            raise AttributeError(missing(path), name=name, obj=self)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, AliasModule) and _is_function(self.__name__, name):
            return
        if name.startswith("__") or isinstance(value, AliasModule):
            super().__setattr__(name, value)
        else:
            setattr(_behind(self.__name__), name, value)

    def __delattr__(self, name: str) -> None:
        if name in self.__dict__:
            super().__delattr__(name)
        else:
            delattr(_behind(self.__name__), name)

    def __dir__(self) -> list[str]:
        behind, start = _behind(self.__name__), self.__name__ + "."
        names = getattr(behind, "__all__", None) or [name for name in dir(behind) if _is_defined(behind, name)]
        own = {name for name in names if not isinstance(getattr(behind, name), types.ModuleType)}
        below = {name.removeprefix(start) for name in TABLE if name.startswith(start) and _behind(name) is not None}
        return sorted(own | {name for name in below if "." not in name} | set(ELSEWHERE.get(self.__name__, ())))

    def __repr__(self) -> str:
        return f"<module '{self.__name__}' (minigrad)>"


@functools.cache
def _unlisted(name: str) -> AliasModule:
    """A module of the table for code that was imported while the alias was on, and asks for it now that it is off:
    importing it would fail, or find the installed PyTorch's."""
    return AliasModule(name, _behind(name).__doc__)


class _Finder:
    """Finds the modules of the table: an entry of sys.meta_path, and the loader of what it finds."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        if name.partition(".")[0] not in ROOTS:
            return None
        if _behind(name) is None:
            # Without a name=, or `from torch import x` would take it for "no such submodule" and word its own error.
            raise ModuleNotFoundError(missing(name))
        return importlib.machinery.ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: Any) -> types.ModuleType:
        return AliasModule(spec.name, _behind(spec.name).__doc__)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


_finder = _Finder()


def _is_on() -> bool:
    return _finder in sys.meta_path


def _loaded() -> dict[str, types.ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] in ROOTS}


def _switch(on: bool) -> None:
    if on == _is_on():
        return
    if not on:
        sys.meta_path.remove(_finder)  # type: ignore[arg-type]
        for name, module in _loaded().items():
            if isinstance(module, AliasModule):
                del sys.modules[name]
        return
    real = sorted(name for name in _loaded() if "." not in name)
    if real:
        raise RuntimeError(
            f"{' and '.join(real)} is imported already in this process, and code that holds it would see half of each: "
            f"call minigrad.alias() before anything imports {real[0]}, or use `python -m minigrad.run SCRIPT`"
        )
    sys.meta_path.insert(0, _finder)  # type: ignore[arg-type]


class alias:
    """Make `import torch` (and `torchvision`) give minigrad: at once, or for a `with` block.

    `alias(False)` turns it off: `import torch` then finds an installed PyTorch, or nothing. Names that were imported
    meanwhile keep working. RuntimeError if the real PyTorch was imported before.
    """

    def __init__(self, on: bool = True):
        if not isinstance(on, bool):
            raise TypeError(f"alias takes True or False, got {on!r}")
        self.former = _is_on()
        self.on = on
        _switch(on)

    def __enter__(self) -> "alias":
        _switch(self.on)
        return self

    def __exit__(self, *_: object) -> None:
        _switch(self.former)

    def __repr__(self) -> str:
        return f"<minigrad.alias: {'on' if _is_on() else 'off'}>"
