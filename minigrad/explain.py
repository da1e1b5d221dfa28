"""The wording of errors: what an array library raised, retold with the op, what it was given, and what fits."""

from typing import Any

import numpy as np

from minigrad.backend import device_of, is_array


def noted(error: Exception, note: str) -> Exception:
    """An error in PyTorch's own words, which programs print and search, with more under it where it is not caught."""
    error.add_note(note)
    return error


def explain(which: Any, error: Exception, arrays: list, params: dict) -> Exception:
    """Word an error that the array library raised: which op, what it was given, what fits. The one place that does."""
    raw = [a for a in arrays if is_array(a)]
    strangers = [a for a in arrays if not is_array(a) and not isinstance(a, (int, float, bool, type(None), np.generic))]
    name, given = which.name, _describe(which, arrays, params)
    if strangers:
        return TypeError(f"{name}: expected tensors or numbers, got {type(strangers[0]).__name__}. {given}")
    if len({device_of(a).type for a in raw}) > 1:
        places = ", ".join(str(d) for d in dict.fromkeys(device_of(a) for a in raw))
        return RuntimeError(
            f"{name}: Expected all tensors to be on the same device, but found at least two devices: {places}. "
            f"Move one with .to(device). {given}"
        )
    if isinstance(error, np.exceptions.AxisError):
        ndim = error.ndim if error.ndim is not None else 0
        bound = max(ndim, 1)
        return IndexError(
            f"{name}: Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], "
            f"but got {error.axis}). {given}"
        )
    if isinstance(error, ValueError):
        return noted(RuntimeError(_shape_problem(name, raw) or str(error)), f"{name}: {given}")
    if isinstance(error, IndexError):
        return noted(error, f"{name}: {given}")
    if "boolean subtract" in str(error) or "boolean negative" in str(error):
        return RuntimeError(
            f"{name}: the `-` operator does not take bool tensors; use logical_xor or logical_not. {given}"
        )
    if "not supported for the input types" in str(error) or "no implementation found" in str(error):
        return NotImplementedError(f"{name}: not implemented for these dtypes. {given}")
    return TypeError(f"{name}: {error}. {given}")


def _describe(which: Any, arrays: list, params: dict) -> str:
    names = which.inputs if not which.variadic else [f"{which.inputs[-1]}[{i}]" for i in range(len(arrays))]
    parts = [
        f"{n}: {tuple(a.shape)} {a.dtype}" if is_array(a) else f"{n}: {a!r}"
        for n, a in zip(names, arrays, strict=False)
    ]
    parts += [f"{n}={p!r}" for n, p in params.items() if not is_array(p)]
    return f"Given {', '.join(parts)}"


def _shape_problem(name: str, raw: list) -> str | None:
    """PyTorch's words for two shapes that do not fit, where that is what went wrong."""
    if len(raw) < 2:
        return None
    a, b = raw[0].shape, raw[1].shape
    if name == "matmul":
        if len(a) == 2 and len(b) == 2:
            return f"mat1 and mat2 shapes cannot be multiplied ({a[0]}x{a[1]} and {b[0]}x{b[1]})"
        return f"the last axis of {tuple(a)} must match the second last of {tuple(b)}, and batch axes must broadcast"
    for i, (n, m) in enumerate(zip(reversed(a), reversed(b), strict=False)):
        if n != m and 1 not in (n, m):
            axis = max(len(a), len(b)) - 1 - i
            return f"The size of tensor a ({n}) must match the size of tensor b ({m}) at non-singleton dimension {axis}"
    return None
