"""Weights from a file into a model, by name."""

import importlib
import os
from collections.abc import Mapping
from typing import Any

import minigrad as mg
from minigrad import nn

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")  # under which keys training scripts keep the weights
PREFIXES = ("module.", "_orig_mod.")  # what DataParallel and compile put before every name


def read_weights(path: str | os.PathLike) -> dict[str, mg.Tensor]:
    """The tensors in a `.pt` / `.pth` / `.th` file, one of minigrad.save, or a `.safetensors` file, by name.

    A checkpoint such as {'state_dict': ..., 'epoch': ...} is unwrapped, and what wrappers of modules put before all
    names is taken off. RuntimeError where there are no tensors.
    """
    if os.fspath(path).endswith(".safetensors"):
        state: Any = importlib.import_module("minigrad.io").load_safetensors(path)
    else:
        state = mg.load(path, map_location="cpu")
    while isinstance(state, Mapping) and (
        key := next((k for k in WRAPPERS if isinstance(state.get(k), Mapping)), None)
    ):
        state = state[key]
    if not isinstance(state, Mapping) or not state or not all(isinstance(x, mg.Tensor) for x in state.values()):
        held = f"a dict with {', '.join(map(repr, state))}" if isinstance(state, Mapping) else type(state).__name__
        raise RuntimeError(
            f"{path} holds no weights: expected tensors by name, or a dict with them under one of "
            f"{', '.join(WRAPPERS)}; it is {held}"
        )
    names = list(state)
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in names)), None):
        names = [name.removeprefix(prefix) for name in names]
    return dict(zip(names, state.values(), strict=True))


def load_weights(model: nn.Module, path: str | os.PathLike) -> nn.Module:
    """Give `model` the weights in a file (see `read_weights`), and return it.

    Where a model has `other_names`, such as {"linear": "fc"}, a part of a name in the file that the model does not have
    may be the other one. Counts of batches (num_batches_tracked) may be missing. RuntimeError lists the names that only
    the model has, those that only the file has, and the shapes that differ; the model is then left as it was.
    """
    own, given = model.state_dict(), read_weights(path)
    given = {_home(name, own, getattr(model, "other_names", {})): x for name, x in given.items()}
    missing = [name for name in own if name not in given and not name.endswith("num_batches_tracked")]
    left_over = [name for name in given if name not in own]
    shapes = [
        f"{name}: {tuple(own[name].shape)} and {tuple(x.shape)}"
        for name, x in given.items()
        if name in own and x.shape != own[name].shape
    ]
    if missing or left_over or shapes:
        raise RuntimeError(
            f"the weights in {path} do not fit this {type(model).__name__}\n"
            + f"  only the model has ({len(missing)} of {len(own)} names): {', '.join(missing) or 'none'}\n"
            + f"  only the file has ({len(left_over)} of {len(given)} names): {', '.join(left_over) or 'none'}\n"
            + f"  shapes that differ (model and file): {'; '.join(shapes) or 'none'}"
        )
    model.load_state_dict(given)
    return model


def _home(name: str, own: Mapping, other_names: Mapping[str, str]) -> str:
    """The model's name for what the file calls `name`."""
    if name in own:
        return name
    other = {**other_names, **{b: a for a, b in other_names.items()}}
    translated = ".".join(other.get(part, part) for part in name.split("."))
    return translated if translated in own else name
