"""Folders in the layout of Hugging Face: config.json, weights in one file or in several, and what else the model needs.

    model.safetensors                       all weights, or
    model-00001-of-00002.safetensors, ...   shards, with
    model.safetensors.index.json            {"metadata": {"total_size"}, "weight_map": {"name of tensor": "shard"}}
    pytorch_model.bin (.index.json)         the same as older PyTorch files, which are read and never written

PyTorch's files are read by `minigrad.load`, which runs no code in them.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from minigrad import serialization
from minigrad.io import safetensors_files
from minigrad.tensor import Tensor

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there, alone or by its index, is read
_INDEX = ".index.json"
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def read_folder(folder: "str | os.PathLike") -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(config, state): the contents of config.json and all tensors by name, on the host, as the files have them.

    Raises FileNotFoundError for a folder, config, weights or shard that is not there, ValueError for damaged JSON and
    RuntimeError for damaged weights, each with the file's path and what to do.
    """
    return read_config(folder), read_weights(folder)


def read_config(folder: "str | os.PathLike") -> dict[str, Any]:
    """The contents of a folder's config.json."""
    folder = _must_be_folder(folder)
    path = os.path.join(folder, "config.json")
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"{folder} has no config.json, so it is no model's folder, or one that was not written to its end; "
            f"it has {_listed(os.listdir(folder))}"
        )
    return _read_json(path)


def read_weights(folder: "str | os.PathLike") -> dict[str, Tensor]:
    """All tensors of a folder by name: from safetensors files if it has them, else from PyTorch's."""
    folder = _must_be_folder(folder)
    for name in _WEIGHTS:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return _read_file(path)
        if os.path.isfile(path + _INDEX):
            return _read_shards(folder, path + _INDEX)
    looked_for = ", ".join(f"{name} and {name}{_INDEX}" for name in _WEIGHTS)
    raise FileNotFoundError(f"{folder} has no weights: looked for {looked_for}; it has {_listed(os.listdir(folder))}")


def write_folder(
    folder: "str | os.PathLike", config: Mapping[str, Any], state: Mapping[str, Tensor], *,
    max_shard_bytes: int | None = None, labels: Iterable[str] | None = None,
) -> None:  # fmt: skip
    """Write config.json and the weights of a state dict, in shards of at most `max_shard_bytes` where it is given.

    `labels`, the classes' names in order, go into the config as `id2label` and `label2id`. Tensors on one memory are
    written once. Weights that the folder had as safetensors are replaced; other files (a tokenizer) stay. The weights
    come first under temporary names, config.json last: a folder whose writing was cut short does not load.

    Raises TypeError for a config that JSON does not hold and for what is no tensor, ValueError for a shard size
    below 1, before anything is written.
    """
    folder = os.fspath(folder)
    if max_shard_bytes is not None and max_shard_bytes < 1:
        raise ValueError(f"max_shard_bytes must be at least 1, got {max_shard_bytes}")
    text = _config_text(config, labels)
    arrays, notes = safetensors_files.prepare(state)
    shards = _shards(arrays, max_shard_bytes)
    contents: dict[str, Any] = dict(shards)
    if len(shards) > 1:
        index = {
            "metadata": {"total_size": sum(array.nbytes for array in arrays.values())},
            "weight_map": {name: shard for shard, part in shards.items() for name in part},
        }
        contents[_WEIGHTS[0] + _INDEX] = _json_text(index)
    contents["config.json"] = text
    os.makedirs(folder, exist_ok=True)
    _replace_all(folder, contents, notes)


def model_type_of(config: Mapping[str, Any]) -> str:
    """Which architecture a config is for, such as "gpt2": its `model_type`, else told by its first architecture's name
    ("GPT2LMHeadModel" is "gpt2"). ValueError where it has neither."""
    kind = config.get("model_type")
    if isinstance(kind, str) and kind:
        return kind
    architectures = config.get("architectures")
    first = architectures[0] if isinstance(architectures, list) and architectures else None
    if isinstance(first, str) and (found := re.fullmatch(r"(\w+?)(LMHeadModel|For[A-Z]\w*|Model)", first)):
        return found[1].lower()
    raise ValueError(
        f"the config does not say of which architecture the model is: it has neither a model_type nor architectures "
        f'that tell it; add e.g. "model_type": "gpt2" to config.json. It has {_listed(map(str, config))}'
    )


def labels_of(config: Mapping[str, Any]) -> list[str] | None:
    """The classes' names in order, as `id2label` of a config has them; None without. ValueError for one with gaps."""
    names = config.get("id2label")
    if names is None:
        return None
    try:
        by_number = {int(number): str(name) for number, name in names.items()}
        return [by_number[i] for i in range(len(names))]
    except (AttributeError, ValueError, KeyError) as error:
        raise ValueError(f"id2label of a config maps each of 0, 1, 2 ... to a name, got {names!r}") from error


# ---------------------------------------------------------------- reading


def _must_be_folder(folder: "str | os.PathLike") -> str:
    name = os.fspath(folder)
    if os.path.isdir(name):
        return name
    if os.path.exists(name):
        raise NotADirectoryError(f"{name} is a file; give the folder that holds config.json and the weights")
    message = f"there is no folder {name!r} (looked for {os.path.abspath(name)})"
    if _HUB_NAME.fullmatch(name):
        message += (
            f". If {name!r} is a model's name on a hub: minigrad downloads no models. Clone the model's repository "
            f"with `git lfs`, or download its files (config.json, model.safetensors, the tokenizer's) with a browser "
            f"into one folder, and give the path of that folder"
        )
    raise FileNotFoundError(message)


def _read_json(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no valid JSON: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is no valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} must hold a JSON object with names and values, it holds a {type(found).__name__}")
    return found


def _read_file(path: str) -> dict[str, Tensor]:
    """All tensors of one file of either kind."""
    if not path.endswith(".bin"):
        return safetensors_files.load_safetensors(path)
    safetensors_files.must_be_weights(path)
    found = serialization.load(path)
    if not isinstance(found, Mapping):
        raise RuntimeError(f"{path} holds a {type(found).__name__} where tensors by name are expected")
    if odd := [str(name) for name, value in found.items() if not (isinstance(name, str) and isinstance(value, Tensor))]:
        raise RuntimeError(f"{path} must hold tensors by name; these entries are none: {_listed(odd)}")
    return dict(found)


def _read_shards(folder: str, index: str) -> dict[str, Tensor]:
    """The tensors that an index names, each from its shard."""
    places = _read_json(index).get("weight_map")
    if not (isinstance(places, dict) and places and all(isinstance(shard, str) for shard in places.values())):
        raise ValueError(f"{index} has no weight_map from names of tensors to files")
    shards = list(dict.fromkeys(places.values()))
    if outside := [shard for shard in shards if shard in ("", ".", "..") or re.search(r"[/\\:]", shard)]:
        raise ValueError(f"{index} names shards that are no files of its folder: {_listed(outside)}")
    if absent := [shard for shard in shards if not os.path.isfile(os.path.join(folder, shard))]:
        raise FileNotFoundError(f"{index} names {len(shards)} shards, of which {folder} lacks {_listed(absent)}")
    state: dict[str, Tensor] = {}
    ties: dict[str, Tensor] = {}
    for shard in shards:
        found = _read_file(os.path.join(folder, shard))
        wanted = [name for name, place in places.items() if place == shard]
        if lacking := [name for name in wanted if name not in found]:
            raise RuntimeError(f"{index} places tensors in {shard} that are not in it: {_listed(lacking)}")
        state |= {name: found[name] for name in wanted}
        ties |= {name: value for name, value in found.items() if name not in places}
    memory = {id(value) for value in state.values()}
    return state | {name: value for name, value in ties.items() if id(value) in memory}


def _listed(names: Iterable[str], most: int = 20) -> str:
    names = sorted(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more or "nothing"


# ---------------------------------------------------------------- writing


def _config_text(config: Mapping[str, Any], labels: Iterable[str] | None) -> str:
    config = dict(config)
    if labels is not None:
        names = list(labels)
        if isinstance(labels, str) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"labels are the classes' names, a list of strings, got {labels!r}")
        if len(set(names)) < len(names):
            raise ValueError(f"two classes have one name: {names}")
        config["id2label"] = {str(i): name for i, name in enumerate(names)}
        config["label2id"] = {name: i for i, name in enumerate(names)}
    try:
        return _json_text(config)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"config.json holds numbers, strings, lists and dicts: {error}") from error


def _json_text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _shards(arrays: dict[str, Any], most: int | None) -> dict[str, dict[str, Any]]:
    """{file: {name: array}}: in order, a new file where the next array would make one too large."""
    parts: list[dict[str, Any]] = [{}]
    size = 0
    for name, array in arrays.items():
        if most is not None and parts[-1] and size + array.nbytes > most:
            parts.append({})
            size = 0
        parts[-1][name] = array
        size += array.nbytes
    if len(parts) == 1:
        return {_WEIGHTS[0]: parts[0]}
    return {f"model-{i:05}-of-{len(parts):05}.safetensors": part for i, part in enumerate(parts, 1)}


def _replace_all(folder: str, contents: dict[str, Any], notes: dict[str, str]) -> None:
    """Write text and arrays under temporary names, then give them theirs, config.json's last."""
    paths = {name: os.path.join(folder, name) for name in contents}
    try:
        for name, content in contents.items():
            if isinstance(content, str):
                _write_text(content, paths[name] + ".part")
            else:
                safetensors_files.write(content, paths[name] + ".part", notes)
    except BaseException:  # Ctrl-C too
        for path in paths.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + ".part")
        raise
    # From here until its last line the folder has no config.json: should the program end in between, it does not load.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, "config.json"))
    for entry in os.listdir(folder):
        name = entry.removesuffix(".part")  # which an earlier end left behind
        former = name in (_WEIGHTS[0], _WEIGHTS[0] + _INDEX) or _SHARD.fullmatch(name)
        if former and name not in contents:
            os.unlink(os.path.join(folder, entry))
    for path in paths.values():
        os.replace(path + ".part", path)


def _write_text(text: str, path: str) -> None:
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
