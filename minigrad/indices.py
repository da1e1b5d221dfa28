"""What a user writes between brackets, as indices for an array library: read, checked and put on the right device.

A raw index is what the array library takes: ints, slices, None, Ellipsis and integer or boolean raw arrays, alone or in
a tuple. This is work for the host, with NumPy: `ops/` gets raw indices only. Out-of-range entries raise IndexError
here, as a GPU would wrap them round in silence.
"""

from typing import Any

import numpy as np

from minigrad import late_checks
from minigrad.backend import backend_of, is_array, is_wrapped, kernels_of, to_device, to_host
from minigrad.dtype import of
from minigrad.tensor import Tensor


def raw_index(x: Tensor, index: Any) -> list[Any]:
    """Raw indices to apply one after the other: a basic one (ints, slices, None), then, if need be, one with arrays.

    NumPy counts an int beside an index array as an array; PyTorch applies ints first. Two steps give PyTorch's meaning.
    """
    parts = list(index) if isinstance(index, tuple) or _is_tuple_in_brackets(index) else [index]
    parts = _without_idle_ellipses([_raw_part(x, part) for part in parts])
    arrays = [p for p in parts if is_array(p)]
    parts = _without_ellipsis(parts, x.array.ndim) if arrays else parts
    axis = 0
    for part in parts:  # check arrays against the axes they meet
        if part is None:
            continue
        if part is Ellipsis:
            break
        if is_array(part):
            axis += _check_array_part(x, part, axis)
        else:
            _check_basic_part(x, part, axis)
            axis += 1
    if axis > x.array.ndim:
        raise IndexError(f"too many indices for tensor of dimension {x.array.ndim}")
    has_int = any(isinstance(p, int) for p in parts)
    if not arrays or not has_int:
        return [tuple(parts)]
    basic: list[Any] = []
    for p in parts:
        basic += [slice(None)] * (p.ndim if p.dtype.kind == "b" else 1) if is_array(p) else [p]
    return [tuple(basic), tuple(p if is_array(p) else slice(None) for p in parts if not isinstance(p, int))]


def is_plain(index: Any, shape: tuple) -> bool:
    """Whether an index is raw already: ints in range and slices, which most are. It saves them the long way round."""
    parts = index if type(index) is tuple else (index,)
    if len(parts) > len(shape):
        return False
    for part, size in zip(parts, shape, strict=False):
        if type(part) is int:
            if not -size <= part < size:
                return False
        elif type(part) is slice:
            for bound in (part.start, part.stop):
                if bound is not None and type(bound) is not int:
                    return False
            if part.step is not None and (type(part.step) is not int or part.step <= 0):
                return False
        else:
            return False
    return True


def _raw_part(x: Tensor, part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, bool):
        return np.asarray(part) if isinstance(part, bool) else part
    if isinstance(part, slice):
        bounds = [b if b is None else int(b) for b in (part.start, part.stop, part.step)]
        if bounds[2] is not None and bounds[2] <= 0:
            raise ValueError("step must be greater than zero; use flip for a reversed order")
        return slice(*bounds)
    if isinstance(part, (int, np.integer)):
        return int(part)
    if isinstance(part, Tensor):
        array = part.array
    elif is_array(part):
        array = part
    elif isinstance(part, (list, range, tuple)):
        array = _array_of_list(part)
    else:
        raise (TypeError if isinstance(part, str) else IndexError)(
            f"tensors are indexed by integers, slices, None, ..., lists and integer or bool tensors, "
            f"got {type(part).__name__}"
        )
    if array.dtype.kind not in "iub":
        raise IndexError(f"tensors used as indices must be long, int, byte or bool tensors, got {of(array.dtype)}")
    if array.ndim == 0 and array.dtype.kind in "iu" and isinstance(part, Tensor) and not is_wrapped(array):
        return int(array)
    if array.dtype.kind == "u":
        array = array != 0  # PyTorch reads uint8 as a mask
    return array if backend_of(array) is backend_of(x.array) else to_device(array, str(x.device))


def _array_of_list(part: Any) -> np.ndarray:
    items = [int(i) if isinstance(i, Tensor) and i.array.ndim == 0 else i for i in part]
    items = [to_host(i.array) if isinstance(i, Tensor) else i for i in items]
    array = np.asarray(items)
    return array if array.size else array.astype(np.int64)


def _is_tuple_in_brackets(index: Any) -> bool:
    """PyTorch reads x[[a, b]] as x[a, b] where a part is itself a list, a tensor, a slice, None or an Ellipsis."""
    inner = (list, tuple, range, slice, Tensor, np.ndarray)
    return isinstance(index, list) and any(p is None or p is Ellipsis or isinstance(p, inner) for p in index)


def _without_idle_ellipses(parts: list) -> list:
    """Ellipses at the end that stand for no axes, as a first one stands for all that are left: x[..., 0, ...]."""
    first = next((i for i, p in enumerate(parts) if p is Ellipsis), None)
    while first is not None and parts[-1] is Ellipsis and first < len(parts) - 1:
        parts.pop()
    return parts


def _without_ellipsis(parts: list, ndim: int) -> list:
    named = [p for p in parts if p is not None and p is not Ellipsis]
    used = sum(p.ndim if is_array(p) and p.dtype.kind == "b" else 1 for p in named)
    full: list[Any] = []
    for p in parts:
        full += [slice(None)] * (ndim - used) if p is Ellipsis else [p]
    return full


def _check_array_part(x: Tensor, part: Any, axis: int) -> int:
    """IndexError where a mask or index array does not fit; returns how many axes it takes up."""
    shape = x.array.shape
    if part.dtype.kind == "b":
        if part.shape != shape[axis : axis + part.ndim]:
            raise IndexError(
                f"The shape of the mask {list(part.shape)} at index {axis} does not match the shape of the indexed "
                f"tensor {list(shape)} at index {axis}"
            )
        return part.ndim
    if axis >= len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    check_range(part, shape[axis], axis)
    return 1


def check_range(index: Any, size: int, axis: int) -> None:
    """IndexError naming the first entry of an index array outside [-size, size)."""
    if not index.size:
        return
    text = f"an index is out of bounds for dimension {axis} with size {size}"
    low, high = late_checks.bounds(index, -size, size - 1, IndexError, text)
    if low < -size or high >= size:
        bad = low if low < -size else high
        raise IndexError(f"index {bad} is out of bounds for dimension {axis} with size {size}")


def _check_basic_part(x: Tensor, part: Any, axis: int) -> None:
    if axis >= x.array.ndim:
        raise IndexError(
            "invalid index of a 0-dim tensor: use tensor.item() to convert it to a Python number"
            if x.array.ndim == 0
            else f"too many indices for tensor of dimension {x.array.ndim}"
        )
    size = x.array.shape[axis]
    if isinstance(part, int) and not -size <= part < size:
        raise IndexError(f"index {part} is out of bounds for dimension {axis} with size {size}")


def is_mask(index: Any) -> bool:
    """One boolean array: it names no entry twice, so plain += will do."""
    parts = index if isinstance(index, tuple) else (index,)
    return len(parts) == 1 and is_array(parts[0]) and parts[0].dtype.kind == "b"


def index_of_diagonal(like: Any, offset: int) -> tuple:
    """The raw index that picks the diagonal `like` of the last two axes."""
    raw = like.array if isinstance(like, Tensor) else like
    i = kernels_of(raw).arange(raw.shape[-1], raw)
    return Ellipsis, i - min(offset, 0), i + max(offset, 0)


def as_view(index: tuple) -> tuple:
    """The index with an Ellipsis: where it names one entry NumPy would give a scalar, a copy; now it gives a view."""
    return index if any(part is Ellipsis for part in index) else (*index, Ellipsis)


def must_be_value(x: Tensor, value: Any) -> None:
    """TypeError for what cannot be written into x: anything but a Tensor or a Python number."""
    if not isinstance(value, (Tensor, int, float, np.integer)):  # of NumPy's floats float64 alone is a float
        raise TypeError(
            f"can't assign a {type(value).__name__} to a tensor of {x.dtype}: write minigrad.tensor(...) of it, or a "
            f"Python number"
        )


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that shapes broadcast to; RuntimeError where they do not."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise RuntimeError(f"shapes {[list(shape) for shape in shapes]} do not broadcast") from error


def repeated_positions(x: Tensor, repeats: Any, dim: int) -> Any:
    """0, 0, 1, 1, ...: each position on a dim of x `repeats` times (a number, or one a position), as a raw array."""
    size = x.array.shape[dim]
    counts = to_host(repeats.array).reshape(-1) if isinstance(repeats, Tensor) else np.asarray(repeats).reshape(-1)
    if len(counts) not in (1, size):
        raise RuntimeError(
            f"repeats must be 0-dim or have the same size as input along dim {dim}: {len(counts)} against {size}"
        )
    if (counts < 0).any():
        raise RuntimeError("repeats can not be negative")
    return to_device(np.repeat(np.arange(size), counts if len(counts) == size else int(counts[0])), str(x.device))
