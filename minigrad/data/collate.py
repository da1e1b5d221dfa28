"""From a list of samples to a batch: `default_collate`, and `default_convert` for one sample that is not batched.

What becomes of what:

    sample                         batch of them
    Tensor, shape S                Tensor, shape (B, *S), same dtype
    NumPy array, shape S           Tensor, shape (B, *S), same dtype
    NumPy scalar                   Tensor, shape (B,), same dtype
    bool, int, float               Tensor, shape (B,): bool, int64, float64
    str, bytes                     the list of them, unchanged
    dict, other mapping            the same type, each value collated
    namedtuple                     the same type, each field collated
    tuple                          a list, each place collated
    list, other sequence           the same type, each place collated
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from minigrad import creation
from minigrad.dtype import float64
from minigrad.ops.shape import stack
from minigrad.tensor import Tensor

__all__ = ["collate", "default_collate", "default_collate_fn_map", "default_convert"]

CollateTable = dict[Any, Callable[..., Any]]

WANTED = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
NOT_NUMBERS = "SUO"  # kinds of NumPy dtypes (bytes, str, object) that no Tensor holds


def default_collate(batch: Sequence[Any]) -> Any:
    """Collate a list of samples by the table at the top of this file.

    Raises IndexError for an empty batch, RuntimeError where samples differ in shape or length, KeyError where a
    mapping lacks a key of the first, TypeError for a sample of a type that the table lacks.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch: Sequence[Any], *, collate_fn_map: CollateTable | None = None) -> Any:
    """As default_collate, with a table of the caller's: {type or tuple of types: f(batch, *, collate_fn_map)}.

    The first sample's exact type is looked up first, then the entries in their order with isinstance.
    """
    if len(batch) == 0:
        raise IndexError("cannot collate an empty batch: the sampler or the dataset gave no sample to put into it")
    first = batch[0]
    table = collate_fn_map or {}
    rule = table.get(type(first)) or next((table[kind] for kind in table if isinstance(first, kind)), None)
    if rule is not None:
        return rule(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        values = {key: collate([sample[key] for sample in batch], collate_fn_map=collate_fn_map) for key in first}
        return _rebuild_mapping(first, values)
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            lengths = [len(sample) for sample in batch]
            raise RuntimeError(
                f"each element in list of batch should be of equal size, got lengths {lengths}; "
                "pad the samples or pass the DataLoader a collate_fn"
            )
        places = [collate(place, collate_fn_map=collate_fn_map) for place in zip(*batch, strict=True)]
        return _rebuild_sequence(first, places)
    raise TypeError(WANTED.format(type(first)))


def default_convert(data: Any) -> Any:
    """Turn the NumPy arrays and scalars in one sample into Tensors, at any depth; leave everything else as it is."""
    if isinstance(data, Tensor | str | bytes):
        return data
    if isinstance(data, np.ndarray | np.generic):
        return data if data.dtype.kind in NOT_NUMBERS else creation.as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuild_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, Sequence):
        return _rebuild_sequence(data, [default_convert(item) for item in data])
    return data


def _rebuild_mapping(like: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    """A mapping of the type of `like`, which may carry more than its items and is therefore copied where it can be."""
    try:
        if isinstance(like, MutableMapping):
            clone = copy.copy(like)
            clone.update(values)
            return clone
        return type(like)(values)  # type: ignore[call-arg]
    except TypeError:  # no copy, no update, or no constructor from a dict
        return values


def _rebuild_sequence(like: Sequence[Any], values: list[Any]) -> Any:
    """A sequence of the type of `like`; a plain tuple becomes a list, as in PyTorch."""
    if isinstance(like, tuple):
        return type(like)(*values) if hasattr(like, "_fields") else values
    try:
        if isinstance(like, MutableSequence):
            clone = copy.copy(like)
            for i, value in enumerate(values):
                clone[i] = value
            return clone
        return type(like)(values)  # type: ignore[call-arg]
    except TypeError:  # for example a range, or an array.array that holds no Tensors
        return values


def _collate_tensors(batch: Sequence[Tensor], *, collate_fn_map: CollateTable | None = None) -> Tensor:
    try:
        return stack(list(batch), 0)
    except RuntimeError as error:
        raise RuntimeError(f"{error}; crop or pad the samples, or give the DataLoader a collate_fn") from error


def _collate_arrays(batch: Sequence[np.ndarray], *, collate_fn_map: CollateTable | None = None) -> Any:
    if batch[0].dtype.kind in NOT_NUMBERS:
        raise TypeError(WANTED.format(batch[0].dtype))
    return collate([creation.as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def _collate_numpy_scalars(batch: Sequence[Any], *, collate_fn_map: CollateTable | None = None) -> Tensor:
    return creation.as_tensor(np.asarray(batch))


def _collate_floats(batch: Sequence[float], *, collate_fn_map: CollateTable | None = None) -> Tensor:
    return creation.tensor(list(batch), dtype=float64)


def _collate_ints(batch: Sequence[int], *, collate_fn_map: CollateTable | None = None) -> Tensor:
    return creation.tensor(list(batch))


def _collate_text(batch: Sequence[Any], *, collate_fn_map: CollateTable | None = None) -> Sequence[Any]:
    return batch


default_collate_fn_map: CollateTable = {
    Tensor: _collate_tensors,
    np.ndarray: _collate_arrays,
    (np.bool_, np.number, np.object_): _collate_numpy_scalars,  # before float: np.float64 is one
    float: _collate_floats,
    int: _collate_ints,
    str: _collate_text,
    bytes: _collate_text,
}
