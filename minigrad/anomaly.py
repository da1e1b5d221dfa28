"""Anomaly mode: the first op that makes a nan or inf, forward or backward, is named with the user's own line.

    with minigrad.autograd.detect_anomaly():
        loss = model(x)
        loss.backward()

While the mode is on, `Op.__call__` and the two vjp methods are replaced by checking ones; off, the plain methods run
and know nothing of it. It costs a pass over every result and a stack walk per op: for looking for a fault, not for
training.
"""

import os
import sys
import weakref
from typing import Any

from minigrad.autograd import Node
from minigrad.backend import kernels_of
from minigrad.op import FusedOp, Op
from minigrad.tensor import Tensor

_HERE = os.path.dirname(os.path.abspath(__file__))
_METHODS = [(kind, name) for kind in (Op, FusedOp) for name in ("__call__", "vjp_on_arrays", "vjp_on_tensors")]
_plain: dict[tuple[type, str], Any] = {}  # what the mode found on entering: plain methods, or those of another mode
_lines: "weakref.WeakKeyDictionary[Node, str]" = weakref.WeakKeyDictionary()
_depth = 0


class detect_anomaly:
    """Context manager that turns anomaly mode on (process-wide) and restores what it found; `check_nan=False`: does
    nothing.
    """

    def __init__(self, check_nan: bool = True):
        self.check_nan = check_nan

    def __enter__(self) -> "detect_anomaly":
        if self.check_nan:
            _enter()
        return self

    def __exit__(self, *_: object) -> None:
        if self.check_nan:
            _leave()


class set_detect_anomaly:
    """Turn anomaly mode on or off; as a context manager, restores the former state after."""

    def __init__(self, mode: bool, check_nan: bool = True):
        self.former = is_anomaly_enabled()
        self._switch(mode and check_nan)

    def _switch(self, mode: bool) -> None:
        if mode and not is_anomaly_enabled():
            _enter()
        while not mode and is_anomaly_enabled():
            _leave()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._switch(self.former)


def is_anomaly_enabled() -> bool:
    return _depth > 0


def _enter() -> None:
    global _depth
    _depth += 1
    if _depth > 1:
        return
    for kind, name in _METHODS:
        method = _plain[kind, name] = kind.__dict__[name]
        setattr(kind, name, _checked_call(method) if name == "__call__" else _checked_vjp(method))


def _leave() -> None:
    global _depth
    _depth -= 1
    if _depth == 0:
        for (kind, name), method in _plain.items():
            setattr(kind, name, method)


def _checked_call(call: Any) -> Any:
    def checked(self: Op, *inputs: Any, **params: Any) -> Any:
        out = call(self, *inputs, **params)
        y = out[0] if type(out) is tuple else out
        if not isinstance(y, Tensor):
            return out  # a rule at work: its results are checked as gradients
        where = _users_line()
        if y.node is not None:
            _lines[y.node] = where
        bad = _anomaly(y.array)
        if bad and not any(isinstance(x, Tensor) and _anomaly(x.array) for x in inputs):
            raise RuntimeError(
                f"anomaly: '{self.name}' made {bad} in its forward from inputs that had none, at {where}"
            )
        return out

    return checked


def _checked_vjp(vjp: Any) -> Any:
    def checked(self: Op, node: Node, parents: Any, dy: Any) -> Any:
        gradients = vjp(self, node, parents, dy)
        for i, gradient in enumerate(gradients):
            if gradient is None or parents[i] is None:
                continue
            bad = _anomaly(getattr(gradient, "array", gradient))
            if bad and not _anomaly(getattr(dy, "array", dy)):
                where = _lines.get(node, "a line before anomaly mode was on")
                raise RuntimeError(
                    f"anomaly: Function '{self.name}' returned {bad} in the gradient of its input {i}; "
                    f"its forward was called at {where}"
                )
        return gradients

    return checked


def _anomaly(array: Any) -> str | None:
    if array.dtype.kind in "iub" or not array.size:
        return None
    kernels = kernels_of(array)
    if bool(kernels.isfinite(array).all()):
        return None
    return "nan values" if bool(kernels.isnan(array).any()) else "inf values"


def _users_line() -> str:
    """The innermost stack line outside minigrad: file:line and its text."""
    import linecache

    frame = sys._getframe(2)
    while frame.f_back is not None and os.path.abspath(frame.f_code.co_filename).startswith(_HERE):
        frame = frame.f_back
    name, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(name, line).strip()
    return f"{name}:{line}" + (f": {text}" if text else "")
