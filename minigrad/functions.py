"""What tells a function of PyTorch from the Tensor method of its name: `minigrad.add(input=x, other=y, out=z)`.

The tensor that the method belongs to may be named `input`, and `out=` gives a tensor for the result to be written into:
its dtype stays (RuntimeError where the result's does not fit), its shape becomes the result's, and it is returned. No
gradient flows through such a call.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from minigrad import autograd, inplace
from minigrad.dtype import of
from minigrad.tensor import Tensor


def of_method(method: Callable) -> Callable:
    """The function beside a Tensor method."""

    @functools.wraps(method)
    def function(input: Any, *args: Any, out: Any = None, **options: Any) -> Any:
        try:
            if out is None:
                return method(input, *args, **options)
            return written(out, method, input, *args, **options)
        except AttributeError as error:
            if isinstance(input, Tensor):
                raise
            raise TypeError(
                f"{method.__name__}(): argument 'input' must be Tensor, not {type(input).__name__}"
            ) from error

    return function


def takes_out(function: Callable) -> Callable:
    """The same function with `out=` besides; a function with a `dtype` parameter computes in the dtype of `out`."""
    has_dtype = "dtype" in inspect.signature(function).parameters

    @functools.wraps(function)
    def with_out(*args: Any, out: Any = None, **options: Any) -> Any:
        if out is None:
            return function(*args, **options)
        if has_dtype:
            options = {"dtype": out.dtype, "device": out.device, **options}
        return written(out, function, *args, **options)

    return with_out


def written(out: Any, function: Callable, *args: Any, **options: Any) -> Any:
    """Call a function and write what it returns into `out`: a tensor, or a tuple of as many as are returned."""
    outs = out if isinstance(out, (tuple, list)) else (out,)
    for x in outs:
        if not isinstance(x, Tensor):
            raise TypeError(f"{function.__name__}(): argument 'out' must be Tensor, not {type(x).__name__}")
    if autograd.mode.enabled and any(getattr(x, "requires_grad", False) for x in (*args, *options.values(), *outs)):
        raise RuntimeError(
            f"{function.__name__}(): functions with out=... arguments don't support automatic differentiation, but "
            f"one of the arguments requires grad."
        )
    found = function(*args, **options)
    results = found if isinstance(found, tuple) else (found,)
    if len(results) != len(outs):
        raise TypeError(f"{function.__name__}(): returns {len(results)} tensors, got {len(outs)} in out")
    for x, result in zip(outs, results, strict=True):
        _write_whole(x, result, function.__name__)
    return out


def _write_whole(x: Tensor, result: Tensor, name: str) -> None:
    have, want = of(x.array.dtype), of(result.array.dtype)
    if want.kind > have.kind:
        raise RuntimeError(f"{name}(): result type {want} can't be cast to the desired output type {have}")
    if x.array.shape != result.array.shape:
        x.data = result.to(have)
    else:
        inplace.write_raw(x, ..., result.array)
