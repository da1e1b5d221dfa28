"""Whether ops record the graph: a switch of each thread, as context managers and decorators."""

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any


class _GradMode(threading.local):
    enabled = True
    inference = False


mode = _GradMode()  # the hot path reads mode.enabled
_mode = mode  # where an argument is named mode


def is_grad_enabled() -> bool:
    return mode.enabled


class set_grad_enabled:
    """Record the graph or not. A call switches at once; as `with` or decorator it restores the former state after."""

    def __init__(self, mode: bool):
        self.former = _mode.enabled
        self.enabled = bool(mode)
        _mode.enabled = self.enabled

    def __enter__(self) -> None:
        mode.enabled = self.enabled

    def __exit__(self, *_: object) -> None:
        mode.enabled = self.former

    def __call__(self, function: Callable) -> Callable:
        mode.enabled = self.former  # used as a decorator: the switch belongs to the calls, not to this line
        return _under(lambda: set_grad_enabled(self.enabled), function)


class _Switch:
    """A context manager that is a decorator too; entered any number of times, it restores what it found."""

    enabled: bool
    inference = False

    def __new__(cls, function: Callable | None = None) -> Any:  # @no_grad as well as @no_grad()
        self = super().__new__(cls)
        self.former = []
        return self if function is None else self(function)

    former: list[tuple[bool, bool]]

    def __enter__(self) -> None:
        self.former.append((mode.enabled, mode.inference))
        mode.enabled, mode.inference = self.enabled, self.inference

    def __exit__(self, *_: object) -> None:
        mode.enabled, mode.inference = self.former.pop()

    def __call__(self, function: Callable) -> Callable:
        return _under(type(self), function)


class no_grad(_Switch):
    """`with no_grad():` or `@no_grad()`: ops record nothing, in-place writes go to the memory."""

    enabled = False


class enable_grad(_Switch):
    """Record again inside a `no_grad` block."""

    enabled = True


class inference_mode(_Switch):
    """As `no_grad`; `is_inference_mode_enabled()` answers True inside. `inference_mode(False)` does nothing."""

    enabled = False
    inference = True

    def __new__(cls, on: Any = True) -> Any:
        if callable(on):
            return super().__new__(cls, on)
        self = super().__new__(cls)
        self.on = bool(on)
        return self

    on: bool

    def __init__(self, on: Any = True):
        pass

    def __enter__(self) -> None:
        super().__enter__()
        if not self.on:
            mode.enabled, mode.inference = self.former[-1]

    def __call__(self, function: Callable) -> Callable:
        return _under(lambda: inference_mode(self.on), function)


def _under(make_context: Callable[[], Any], function: Callable) -> Callable:
    if hasattr(function, "__next__") or not callable(function):
        raise TypeError(f"a grad mode decorates functions, got {type(function).__name__}")

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with make_context():
            return function(*args, **kwargs)

    @functools.wraps(function)
    def generate(*args: Any, **kwargs: Any) -> Any:  # the mode holds while the generator runs, not while it waits
        steps, value = function(*args, **kwargs), None
        advance = steps.send
        while True:
            with make_context():
                try:
                    item = advance(value)
                except StopIteration as stop:
                    return stop.value
            try:
                advance, value = steps.send, (yield item)
            except BaseException as error:
                advance, value = steps.throw, error

    return generate if inspect.isgeneratorfunction(function) else call


def is_inference_mode_enabled() -> bool:
    return mode.inference
