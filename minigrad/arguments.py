"""Checks of what a function was given, with PyTorch's types of errors."""

from typing import Any

from minigrad.dtype import is_floating
from minigrad.tensor import Tensor


def must_be_tensor(function: str, argument: str, value: Any) -> Tensor:
    """The value itself; TypeError where it is no Tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{function}(): argument '{argument}' must be Tensor, not {type(value).__name__}")
    return value


def must_share_dtype(function: str, **tensors: Any) -> None:
    """RuntimeError where the Tensors among the arguments are not of one dtype."""
    dtypes = {name: x.dtype for name, x in tensors.items() if isinstance(x, Tensor)}
    if len(set(dtypes.values())) > 1:
        given = ", ".join(f"{name} of {dtype}" for name, dtype in dtypes.items())
        raise RuntimeError(f"{function}: expected one dtype, got {given}: convert with .to(dtype)")


def must_not_be_fraction(function: str, argument: str, value: Any, *tensors: Any) -> None:
    """RuntimeError where a number with a fraction would scale integers."""
    if isinstance(value, float) and not any(is_floating(x.array.dtype) for x in tensors if isinstance(x, Tensor)):
        raise RuntimeError(
            f"{function}: for integral input tensors, argument {argument} must not be a floating point number, "
            f"got {value}: convert a tensor with .float()"
        )


def must_be_condition(x: Any) -> Tensor:
    """A tensor of bools (or uint8, the old type of masks)."""
    if must_be_tensor("where", "condition", x).array.dtype not in ("bool", "uint8"):
        raise RuntimeError(f"where expected condition to be a boolean tensor, but got {x.dtype}; use x != 0")
    return x


def refuse_bools(function: str, x: Tensor) -> None:
    """RuntimeError for a tensor of bools."""
    if x.array.dtype.kind == "b":
        raise RuntimeError(f"{function} is not implemented for bool tensors; use x.int().{function}()")
