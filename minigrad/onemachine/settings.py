"""Switches of the whole process that choose between faster and more exact arithmetic, and `compile`.

The precision of float32 products is one for the GPU, where cuBLASLt can round their operands (TF32). On the CPU they
are float32's own, and its kernels add in one fixed order for a given number of threads: there the switches remember
what they were set to, for those who ask, and change nothing.
"""

import warnings
from collections.abc import Callable
from typing import Any

from minigrad.kernels.cuda import product

_PRECISIONS = ("highest", "high", "medium")
_state: dict[str, Any] = {"precision": "highest", "deterministic": False, "warn_only": False}


def set_float32_matmul_precision(precision: str) -> None:
    """How exact float32 products on the GPU are: 'highest' (at the start) keeps float32's 23 bits of mantissa; 'high'
    and 'medium' let cuBLASLt round the operands to TF32's 10 bits, for tensor cores, with sums in float32. The same
    switch as `backends.cuda.matmul.allow_tf32`. Needs the extra cuda-fast; without it, and on the CPU, all are
    'highest'.

    A name that is none of these warns and changes nothing, as in PyTorch.
    """
    if precision not in _PRECISIONS:
        warnings.warn(f"{precision} is not one of 'highest', 'high', or 'medium'; the setting stays", stacklevel=2)
        return
    _state["precision"] = precision
    product.allow_tf32 = precision != "highest"


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was last given ('highest' at the start)."""
    return _state["precision"]


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for results that repeat bit for bit. They do on the CPU with the same number of threads, asked or not."""
    if not isinstance(mode, bool):
        raise TypeError(f"use_deterministic_algorithms takes True or False, got {mode!r}")
    _state["deterministic"], _state["warn_only"] = mode, warn_only


def are_deterministic_algorithms_enabled() -> bool:
    """What `use_deterministic_algorithms` was last given (False at the start)."""
    return _state["deterministic"]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """True after `use_deterministic_algorithms(True, warn_only=True)`."""
    return _state["deterministic"] and _state["warn_only"]


def compile(
    model: Callable | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str = "inductor",
    mode: str | None = None,
    options: dict | None = None,
    disable: bool = False,
) -> Any:
    """The module or function itself, which runs op by op; as a decorator too. The arguments are hints about speed.

    Unlike PyTorch's, what comes back has no `_orig_mod` around it, so the names in its state dict do not change.
    Raises TypeError for what cannot be called and for a `backend` that is a function: it would have to be run.
    """
    if not isinstance(backend, str):
        raise TypeError(
            f"compile: backend must be a name, got {backend!r}; minigrad runs models op by op and calls no backend"
        )
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if model is None:
        return lambda function: compile(function)
    if not callable(model):
        raise TypeError(f"compile takes a module or a function, got {type(model).__name__}")
    return model
