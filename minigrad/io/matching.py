"""Putting a state dict from elsewhere into a model: names, orientation and dtype made to fit, or nothing done."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import translate
from typing import Any

import numpy as np

from minigrad.nn.module import Module
from minigrad.nn.parameter import is_lazy
from minigrad.nn.state import Incompatible
from minigrad.tensor import Tensor, from_array

Names = Callable[[str], bool] | Collection[str]  # a predicate, or patterns in which * stands for anything
_MOST = 20  # names listed in an error


def load_into(
    model: Module, state: Mapping[str, Any], *, rename: Callable[[str], str | None] | None = None, ignore: Names = (),
    tied: Mapping[str, str] | Collection[str] = (), transpose: Names = (), fresh: Names = (),
    prefix: str | Collection[str] = (),
) -> Incompatible:  # fmt: skip
    """Copy the tensors of `state` into the parameters and persistent buffers of `model`, by name.

    rename     of a name in the file makes the model's, or None to leave the tensor out
    prefix     such as "transformer.": files may have it where the model has not, and the other way round
    ignore     names in the file that are left out: buffers that the model computes
    fresh      names in the model that the file may lack, and then keep their values: a new head
    tied       {name in the model: the model's name whose value it takes where the file lacks it}. Names that share
               memory in the model need no mention, and may be listed without
    transpose  names in the model whose tensors the file has as (in, out) and the model as (out, in), as it is with
               GPT-2's Conv1D; only tensors of two axes are turned

    `ignore`, `fresh` and `transpose` are predicates, or patterns such as "*.attn.bias". Values are cast to the dtype
    of what they fill, and moved to its device. Returns what was left as it was: (missing_keys, unexpected_keys), by
    the names of the model and of the file. Every other name must be in both, once, with one shape: else one
    RuntimeError lists all that does not fit, and the model is unchanged.
    """
    homes = model.state_dict(keep_vars=True)
    is_ignored, is_fresh, is_turned = _predicate(ignore), _predicate(fresh), _predicate(transpose)
    prefixes = (prefix,) if isinstance(prefix, str) else tuple(prefix)
    sources: dict[str, str] = {}  # by name in the model, the name in the file
    left_out, unexpected, twice = [], [], []
    for name in state:
        renamed = name if rename is None else rename(name)
        if renamed is None or is_ignored(name):
            left_out.append(name)
            continue
        home = _home(renamed, homes, prefixes)
        if home is None:
            unexpected.append(name)
        elif home in sources:
            twice.append(f"{sources[home]} and {name} are both for {home}")
        else:
            sources[home] = name
    values, misfits = {}, []
    for home, name in sources.items():
        value, problem = _fitting(name, state[name], home, homes[home], is_turned(home))
        values[home] = value
        misfits += [problem] if problem else []
    missing = _fill_ties(homes, values, tied)
    lacking = [name for name in missing if not is_fresh(name)]
    problems = [*_counted("Missing", lacking, len(homes)), *_counted("Unexpected", unexpected, len(state))]
    problems += _first(twice) + _first(misfits)
    if problems:
        listed = "\n\t".join(problems)
        raise RuntimeError(f"Error(s) in loading weights into {type(model).__name__}, which is unchanged:\n\t{listed}")
    model.load_state_dict(values, strict=False)
    return Incompatible(missing, left_out)


def _predicate(names: Names) -> Callable[[str], bool]:
    if callable(names):
        return names
    if isinstance(names, str):
        raise TypeError(f"expected a predicate or a list of patterns, got the string {names!r}: write ({names!r},)")
    patterns = [re.compile(translate(name)) for name in names]
    return lambda name: any(pattern.match(name) for pattern in patterns)


def _home(name: str, homes: Mapping[str, Tensor], prefixes: Iterable[str]) -> str | None:
    """The model's name for a name, with a prefix taken away or put before if need be."""
    candidates = [name]
    candidates += [name.removeprefix(prefix) for prefix in prefixes] + [prefix + name for prefix in prefixes]
    return next((candidate for candidate in candidates if candidate in homes), None)


def _fitting(name: str, value: Any, home: str, tensor: Tensor, turned: bool) -> tuple[Any, str | None]:
    """The value as `tensor` takes it, and what is wrong with it if anything is."""
    if isinstance(value, np.ndarray):
        value = from_array(value, "cpu")
    if not isinstance(value, Tensor):
        return value, f"{name} is a {type(value).__name__}, not a tensor"
    if value.is_complex() and not tensor.is_complex():
        return value, f"{name} is complex, and {home} in the model is not"
    if turned and value.ndim == 2:
        value = value.t()
    if is_lazy(tensor) or value.shape == tensor.shape or (tensor.ndim == 0 and value.shape == (1,)):
        return value, None
    problem = (
        f"size mismatch for {home}: copying a param with shape {value.shape} from checkpoint, the shape in current "
        f"model is {tensor.shape}"
    )
    if value.ndim == 2 and value.shape[::-1] == tensor.shape:
        problem += "; transposed it would fit: see transpose="
    return value, problem


def _fill_ties(
    homes: Mapping[str, Tensor], values: dict[str, Any], tied: Mapping[str, str] | Collection[str]
) -> list[str]:
    """Give tied names their values; the names that have none then."""
    filled = {id(homes[name]) for name in values}
    missing = []
    for name, tensor in homes.items():
        source = tied.get(name) if isinstance(tied, Mapping) else None
        if name in values or id(tensor) in filled:
            continue
        if source in values:
            values[name] = values[source]
        else:
            missing.append(name)
    return missing


def _counted(kind: str, names: list[str], of: int) -> list[str]:
    if not names:
        return []
    more = f", and {len(names) - _MOST} more" if len(names) > _MOST else ""
    listed = ", ".join(f'"{name}"' for name in names[:_MOST])
    return [f"{kind} key(s) in state_dict, {len(names)} of {of}: {listed}{more}"]


def _first(problems: list[str]) -> list[str]:
    more = [f"and {len(problems) - _MOST} more"] if len(problems) > _MOST else []
    return problems[:_MOST] + more
