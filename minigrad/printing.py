"""The text of tensors and modules, character for character as PyTorch 2.13 prints them.

Everything here works on raw NumPy arrays, so it can be read and tested without the engine:

    tensor_text(np.array([1.0, 2.5], dtype=np.float32))   ->  'tensor([1.0000, 2.5000])'

One choice is made for a whole tensor: how a number is written, and the width every number is padded to. The numbers
that will be shown decide it: integers as they are, floats without a fraction as ``1.``, floats of like size with
``precision`` decimals, and floats of very different or extreme size as ``1.0000e+10``. For complex numbers it is made
twice, for the real and for the imaginary parts.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from minigrad.backend import is_wrapped, to_host
from minigrad.dtype import get_default_dtype
from minigrad.grad_names import name_of

__all__ = [
    "format_scalar",
    "get_printoptions",
    "list_repr",
    "module_repr",
    "printoptions",
    "set_printoptions",
    "tensor_repr",
    "tensor_text",
]


@dataclass(frozen=True, slots=True)
class PrintOptions:
    """How tensors are printed; see :func:`set_printoptions`."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}
_options = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Sets how tensors are printed from now on; an option left at None keeps its value.

    Args:
        precision: digits after the decimal point (4).
        threshold: tensors with more elements than this are shortened to their edges (1000; ``math.inf``: never).
        edgeitems: elements shown at each end of a shortened dimension (3).
        linewidth: characters a line holds (80).
        profile: ``'default'``, ``'short'`` or ``'full'``: starting values that the other arguments then change.
        sci_mode: True or False forces scientific notation on or off; None, which every call without the argument
            goes back to, lets the values decide.

    Raises:
        ValueError: for an unknown profile, a negative number, or a line width below 1.
        TypeError: for an option that is not a number.
    """
    global _options
    if profile is not None and profile not in _PROFILES:
        raise ValueError(f"set_printoptions(): profile is {profile!r}, expected one of {', '.join(_PROFILES)}")
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name, value in changes.items():
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole and not (name == "threshold" and isinstance(value, float)):
            raise TypeError(f"set_printoptions(): {name} is {value!r}, expected a whole number")
        least = 1 if name == "linewidth" else 0
        if not value >= least:  # nan included
            raise ValueError(f"set_printoptions(): {name} is {value!r}, expected {least} or more")
    start = _options if profile is None else _PROFILES[profile]
    _options = replace(start, sci_mode=sci_mode, **changes)


def get_printoptions() -> dict[str, Any]:
    """Returns the options in force, by name."""
    return asdict(_options)


@contextlib.contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Sets print options inside a ``with`` block; arguments as for :func:`set_printoptions`."""
    global _options
    before = _options
    try:
        set_printoptions(**options)
        yield
    finally:
        _options = before


# ---- numbers -------------------------------------------------------------------------------------------------------


def _fixed_point(precision: int) -> Callable[[Any], str]:
    return lambda value: f"{value:.{precision}f}"


def _scientific(precision: int) -> Callable[[Any], str]:
    return lambda value: f"{value:.{precision}e}"


def _whole(value: float) -> str:
    return f"{value:.0f}." if math.isfinite(value) else str(value)


def _number_style(shown: np.ndarray, options: PrintOptions) -> tuple[Callable[[Any], str], int]:
    """Chooses how the numbers in ``shown`` are written; returns the function that writes one, and the width to pad to.

    Scientific notation is chosen when the largest magnitude is over 1000 times the smallest, or over 1e8, or (unless
    every number is whole) the smallest is below 1e-4. Zeros, infinities and nan take no part in that choice, nor in
    the width.
    """
    write: Callable[[Any], str]
    if shown.dtype.kind in "biu":
        write, counted = str, shown.ravel().tolist()
    else:
        finite = shown[np.isfinite(shown) & (shown != 0)]
        counted = finite.tolist()
        all_whole = bool((finite == np.ceil(finite)).all())
        if counted and _is_scientific(counted, all_whole, options.sci_mode):
            write = _scientific(options.precision)
        else:
            write = _whole if all_whole else _fixed_point(options.precision)
    return write, max((len(write(value)) for value in counted), default=1)


def _cell_style(shown: np.ndarray, options: PrintOptions) -> tuple[Callable[[Any], str], int]:
    """The function that writes a number as it stands in its place, and how many characters that takes."""
    if shown.dtype.kind == "c":
        real, real_width = _cell_style(shown.real, options)
        imag, imag_width = _cell_style(shown.imag, options)

        def write_complex(value: complex) -> str:
            part = imag(value.imag).lstrip() + "j"
            return real(value.real) + (part if part[0] in "+-" else "+" + part)

        return write_complex, real_width + imag_width + 1
    write, width = _number_style(shown, options)
    return lambda value: write(value).rjust(width), width


def _is_scientific(values: list[float], all_whole: bool, forced: bool | None) -> bool:
    if forced is not None:
        return forced
    smallest, largest = min(map(abs, values)), max(map(abs, values))
    return largest / smallest > 1000 or largest > 1e8 or (not all_whole and smallest < 1e-4)


# ---- layout --------------------------------------------------------------------------------------------------------


def _edges(array: np.ndarray, edgeitems: int) -> np.ndarray:
    """Returns the part of an array that a shortened print shows: both ends of every dimension that is too long."""
    for axis, size in enumerate(array.shape):
        if size > 2 * edgeitems:
            ends = np.r_[0:edgeitems, size - edgeitems : size]
            array = array.take(ends, axis=axis)
    return array


def _row(cells: list[str], indent: int, width: int, linewidth: int) -> str:
    """Writes the innermost dimension: as many cells a line as fit beside ``indent`` characters."""
    per_line = max(1, (linewidth - indent) // (width + len(", ")))
    lines = [", ".join(cells[i : i + per_line]) for i in range(0, len(cells), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _nested(shown: np.ndarray, full_shape: Sequence[int], indent: int, style: tuple, options: PrintOptions) -> str:
    """Writes ``shown`` as nested brackets, with ``...`` where it is shorter than ``full_shape``."""
    write, width = style
    if shown.ndim == 0:
        return write(shown.item())
    edge = options.edgeitems
    shortened = len(shown) < full_shape[0]
    if shown.ndim == 1:
        cells = [write(value) for value in shown.tolist()]
        if shortened:
            cells.insert(edge, " ...")
        return _row(cells, indent, width, options.linewidth)
    blocks = [_nested(part, full_shape[1:], indent + 1, style, options) for part in shown]
    if shortened:
        blocks.insert(edge, "...")
    return "[" + ("," + "\n" * (shown.ndim - 1) + " " * (indent + 1)).join(blocks) + "]"


def _values_text(array: np.ndarray, indent: int, options: PrintOptions) -> str:
    if array.dtype.kind not in "biufc" and "float" not in array.dtype.name:  # bfloat16 is of kind V
        raise TypeError(f"cannot print an array of dtype {array.dtype}: expected numbers or booleans")
    if array.size == 0:
        return "[]"
    shown = _edges(array, options.edgeitems) if array.size > options.threshold else array
    if shown.size == 0:
        return "[...]"
    if shown.dtype.kind not in "biuc":
        shown = shown.astype(np.float64)  # exact for every narrower float, bfloat16 included
    return _nested(shown, array.shape, indent, _cell_style(shown, options), options)


def tensor_text(array: np.ndarray, *, prefix: str = "tensor(", suffixes: Iterable[str] | None = None) -> str:
    """Returns the text of an array of numbers, as PyTorch prints a tensor of the same dtype.

    Args:
        array: a NumPy array of booleans or numbers (float16, bfloat16 and complex included), of any shape.
        prefix: what stands before the values; lines after the first are indented to its end.
        suffixes: what follows the values, such as ``'requires_grad=True'``. None: the size and dtype where PyTorch
            shows them.

    Raises:
        TypeError: for text or object arrays.
    """
    options, indent = _options, len(prefix)
    text = prefix + _values_text(array, indent, options)
    column = len(text) - text.rfind("\n") + 1
    for suffix in _shape_and_dtype(array) if suffixes is None else suffixes:
        if column + len(suffix) + 2 > options.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def _shape_and_dtype(array: np.ndarray) -> list[str]:
    dtype, default = f"torch.{array.dtype.name}", repr(get_default_dtype())
    if array.dtype.kind == "c" and array.size:
        default = repr(get_default_dtype().to_complex())
    suffixes = []
    if array.ndim != 1 if array.size == 0 else _options.edgeitems == 0:
        suffixes.append(f"size={array.shape}")
    # The values tell int64 from bool and both from a float; where there are no values nothing does.
    inferable = {default} if array.size == 0 else {default, "torch.int64", "torch.bool"}
    if dtype not in inferable:
        suffixes.append(f"dtype={dtype}")
    return suffixes


def _of_all_examples(array: Any) -> str:
    """What a tensor inside `vmap` holds for all examples, level by level."""
    from minigrad.tensor import from_raw

    inner = repr(from_raw(array.value))
    if not array.split:
        return inner
    depth, below = 1, array.value
    while is_wrapped(below):
        depth, below = depth + below.split, below.value
    indented = "\n".join(f"    {line}" for line in inner.splitlines())
    return f"BatchedTensor(lvl={depth}, bdim=0, value=\n{indented}\n)"


def tensor_repr(tensor: Any) -> str:
    """Returns ``repr(tensor)``: values, device unless it is the CPU, size and dtype where they cannot be seen from the
    values, and how it stands to the graph (``requires_grad=True``, or ``grad_fn=<AddBackward0>`` for a result of add).

    Reads ``array``, ``device``, ``requires_grad`` and ``node`` of the tensor.
    """
    if is_wrapped(tensor.array):
        return _of_all_examples(tensor.array)
    array = to_host(tensor.array)
    device = str(tensor.device)
    suffixes = [] if device == "cpu" else [f"device='{device}'"]
    suffixes += _shape_and_dtype(array)
    if getattr(tensor.node, "op", None) is not None:
        suffixes.append(f"grad_fn=<{name_of(tensor.node)}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    names = [cls.__name__ for cls in type(tensor).__mro__]
    if names[0] in ("Tensor", "Parameter"):
        text = tensor_text(array, suffixes=suffixes)
    else:
        text = tensor_text(array, prefix=f"{names[0]}(", suffixes=suffixes)
        if "Parameter" in names:
            text = f"Parameter({text})"
    return f"Parameter containing:\n{text}" if "Parameter" in names else text


def format_scalar(tensor: Any, spec: str) -> str:
    """Returns ``format(tensor, spec)``: a tensor of no dimensions is formatted as its number, so ``f"{loss:.4f}"``
    works; any other tensor has only its plain text.

    Raises:
        TypeError: for a spec on a tensor with dimensions, or on a Parameter; take ``.item()`` or ``.tolist()`` first.
    """
    name = type(tensor).__name__
    if tensor.array.ndim == 0 and name == "Tensor":
        return format(tensor.array.item(), spec)
    if spec:
        raise TypeError(
            f"unsupported format string passed to {name}.__format__: {spec!r} formats one number, and this is a {name} "
            f"of shape {tuple(tensor.array.shape)}; format .item() or the elements of .tolist()"
        )
    return str(tensor)


# ---- modules -------------------------------------------------------------------------------------------------------


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _bracketed(name: str, lines: list[str]) -> str:
    return f"{name}(" + "".join(f"\n  {line}" for line in lines) + ("\n)" if lines else ")")


def module_repr(module: Any) -> str:
    """Returns ``repr(module)``: its name, its ``extra_repr()`` and its children, each indented below it.

    Reads ``_modules`` (name -> module or None), ``extra_repr()`` and ``_get_name()``.
    """
    extra = module.extra_repr()
    own = extra.split("\n") if extra else []
    children = [f"({key}): {_indented(repr(child))}" for key, child in module._modules.items()]
    if len(own) == 1 and not children:
        return f"{module._get_name()}({extra})"
    return _bracketed(module._get_name(), own + children)


def list_repr(module: Any) -> str:
    """Returns ``repr(module)`` of a ModuleList: like :func:`module_repr`, but neighbours with equal text are written
    once, as ``(0-3): 4 x Block(...)``.
    """
    lines, first = [], 0
    for text, group in groupby(map(repr, module._modules.values())):
        count = sum(1 for _ in group)
        where = f"({first}): " if count == 1 else f"({first}-{first + count - 1}): {count} x "
        lines.append(where + _indented(text))
        first += count
    return _bracketed(module._get_name(), lines)
