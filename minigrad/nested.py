"""Nested lists as arrays: their shape, and the dtype that what is in them asks for.

A tensor of one number among the items is that number, as in PyTorch; arrays, and tensors of more (which PyTorch
refuses), are lists. Every item has a say in the dtype: a Python float stands for the default float, an int for int64,
NumPy's numbers, arrays and tensors for their own, and the result is of the type they promote to.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import dtype as dtypes
from minigrad.dtype import DType, dtype_of_scalar, promote_types, to_numpy_dtype
from minigrad.explain import noted
from minigrad.tensor import Tensor

_PYTHON = frozenset((float, int, bool, complex))


def array_of(data: Sequence, dtype: Any = None) -> np.ndarray:
    """The array of a nested list, tuple, range or deque; of its own dtype where `dtype` is None.

    ValueError where lists of one depth differ in length, for strings and for integers beyond int64; RuntimeError for
    other things that are no numbers.
    """
    found: set[DType] = set()
    opened = _opened(data, found)
    try:
        array = np.asarray(opened)
    except (ValueError, OverflowError) as error:
        raise _ragged(opened) or error from None
    if array.dtype.kind not in "biufc" or (array.dtype == np.uint64 and dtypes.int64 in found):
        overflow = ValueError("Overflow when unpacking long long")
        raise _ragged(opened) or noted(overflow, "an integer does not fit int64: pass floats")
    if dtype is None:
        dtype = functools.reduce(promote_types, found) if found else dtypes.get_default_dtype()
    return array.astype(to_numpy_dtype(dtype), copy=False)


def _opened(data: Any, found: set[DType]) -> Any:
    """`data` with numbers for its tensors; the dtypes that its items stand for are added to `found`."""
    kinds = set(map(type, data))
    if kinds <= _PYTHON:  # nearly always, and quickly told
        found.update(dtype_of_scalar(kind()) for kind in kinds)
        return list(data)
    return [_item(x, found) for x in data]


def _item(x: Any, found: set[DType]) -> Any:
    if isinstance(x, Tensor):
        found.add(x.dtype)
        return x.item() if x.array.size == 1 else x.tolist()
    if isinstance(x, (np.ndarray, np.generic)):
        found.add(dtypes.of(x.dtype))
        return x
    if isinstance(x, Sequence) and not isinstance(x, (str, bytes)):
        return _opened(x, found)
    if isinstance(x, (bool, int, float, complex)):
        found.add(dtype_of_scalar(x))
        return x
    kind = ValueError if isinstance(x, (str, bytes)) else RuntimeError
    raise noted(kind(f"Could not infer dtype of {type(x).__name__}"), f"expected numbers, got {x!r} among them")


def _ragged(data: Any, depth: int = 1) -> Exception | None:
    """What is wrong with nested lists that are no array, if it is their lengths."""
    if not isinstance(data, list):
        return None
    lengths = [len(x) if isinstance(x, list) or np.ndim(x) else "a number" for x in data]
    for n in lengths:
        if n != lengths[0]:
            ragged = ValueError(f"expected sequence of length {lengths[0]} at dim {depth} (got {n})")
            return noted(ragged, "the nested lists are ragged")
    return next((error for x in data if (error := _ragged(x, depth + 1))), None)
