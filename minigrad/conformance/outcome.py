"""How the outcome of a small program is told in plain values, and how two outcomes are compared.

A program takes a library (PyTorch, or minigrad under PyTorch's names) and returns tensors, numbers, strings, lists or
dicts of them. Told, they are what JSON can hold: a tensor is its dtype, shape and values. Nothing here needs either
library.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Program = Callable[[Any], Any]

TOLERANCES = {  # relative, by dtype
    "float32": 2e-6, "float64": 1e-12, "float16": 1e-3, "bfloat16": 8e-3, "complex64": 2e-6, "complex128": 1e-12,
}  # fmt: skip


def outcome(program: Program, library: Any) -> Any:
    """What the program returned, told in plain values; {"error": type} where it raised."""
    try:
        return tell(program(library))
    except Exception as error:
        return {"error": _kind(error)}


def error_of(call: Callable[[], Any]) -> str:
    """The name of the error a call raises."""
    try:
        call()
    except Exception as error:
        return _kind(error)
    return "no error"


def _kind(error: Exception) -> str:
    """The name of the error's type; of a type that a library made for itself, that of the standard one behind it."""
    standard = (kind for kind in type(error).__mro__ if kind.__module__.partition(".")[0] not in ("torch", "minigrad"))
    return next(standard).__name__


def tell(x: Any) -> Any:
    """A result in plain values."""
    if x is None or isinstance(x, (bool, int, float, str)):
        return x
    if isinstance(x, complex):
        return [x.real, x.imag]
    if isinstance(x, np.ndarray):
        return {"numpy": x.dtype.name, "shape": list(x.shape), "values": tell(x.reshape(-1).tolist())}
    if isinstance(x, np.generic):
        return {"numpy scalar": x.dtype.name, "value": tell(x.item())}
    if hasattr(x, "requires_grad") and hasattr(x, "detach"):
        flat = x.detach().reshape(-1)
        values = tell((flat.float() if "float16" in str(x.dtype) else flat).tolist())
        told = {"dtype": str(x.dtype).removeprefix("torch."), "shape": list(x.shape), "values": values}
        return told | ({"requires_grad": True} if x.requires_grad else {})
    if isinstance(x, dict):
        return {str(k): tell(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [tell(v) for v in x]
    return str(x)


def differs(got: Any, want: Any, rtol: float = 1e-5, float32: float = TOLERANCES["float32"]) -> str:
    """The first place where two outcomes differ, in words; empty where they agree."""
    if isinstance(want, dict) and isinstance(got, dict):
        if set(want) != set(got):
            return f"got {got}, expected {want}"
        tolerance = (TOLERANCES | {"float32": float32}).get(want["dtype"], rtol) if _is_tensor(want) else rtol
        found = (f"{key}: {d}" for key in want if (d := differs(got[key], want[key], tolerance, float32)))
        return next(found, "")
    if isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            return f"got {got}, expected {want}"
        found = (
            f"[{i}]: {d}" for i, (g, w) in enumerate(zip(got, want, strict=True)) if (d := differs(g, w, rtol, float32))
        )
        return next(found, "")
    if isinstance(want, float) and isinstance(got, float):
        same = math.isclose(got, want, rel_tol=rtol, abs_tol=rtol * 1e-2) or (math.isnan(got) and math.isnan(want))
        return "" if same else f"got {got!r}, expected {want!r}"
    return "" if type(got) is type(want) and got == want else f"got {got!r}, expected {want!r}"


def _is_tensor(told: dict) -> bool:
    return {"dtype", "shape", "values"} <= set(told)


def compact(told: Any) -> Any:
    """The same with the digits that are compared: 9 for float32 and narrower, 14 for float64; more would only fill the
    file."""
    if isinstance(told, dict):
        kind = told.get("dtype") if _is_tensor(told) else told.get("numpy")
        if kind in TOLERANCES and "values" in told:
            return told | {"values": _rounded(told["values"], 14 if kind in ("float64", "complex128") else 9)}
        return {key: compact(value) for key, value in told.items()}
    return [compact(value) for value in told] if isinstance(told, list) else told


def _rounded(values: list, digits: int) -> list:
    return [_rounded(v, digits) if isinstance(v, list) else float(f"{v:.{digits}g}") for v in values]
