"""`torch.jit`: decorators that compile in PyTorch and leave the function as it is here."""

from collections.abc import Callable
from typing import Any, NoReturn


def script(obj: Any, example_inputs: Any = None) -> Any:
    """The function, class or module itself."""
    return _callable(obj, "script")


def trace(func: Callable, example_inputs: Any = None, *, strict: bool = True, check_trace: bool = True) -> Callable:
    """The function or module itself; it is run on the example once, as tracing would, so that its errors show."""
    _callable(func, "trace")(*(example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)))
    return func


def ignore(drop: Any = False) -> Any:
    """A decorator that leaves the function as it is."""
    return drop if callable(drop) else lambda function: function


def export(function: Callable) -> Callable:
    """The function itself."""
    return function


unused = export


def is_scripting() -> bool:
    """Never."""
    return False


is_tracing = is_scripting


def save(m: Any, f: Any) -> NoReturn:
    """NotImplementedError: there is no compiled program to save."""
    raise NotImplementedError(
        "minigrad compiles no programs: save the weights, minigrad.save(module.state_dict(), file)"
    )


def load(f: Any, map_location: Any = None) -> NoReturn:
    """NotImplementedError: a TorchScript file is a program in PyTorch's own language."""
    raise NotImplementedError("minigrad reads no TorchScript programs: in PyTorch save the state_dict() and load that")


def _callable(obj: Any, name: str) -> Any:
    if not callable(obj):
        raise TypeError(f"jit.{name} takes a function, class or module, got {type(obj).__name__}")
    return obj
