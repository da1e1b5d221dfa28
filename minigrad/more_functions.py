"""Functions of PyTorch's top level that are no Tensor methods: places in a sorted row, joins, areas, windows."""

import math
from typing import Any

import numpy as np

from minigrad import backend, creation, dtype as dtypes, ops
from minigrad.dtype import DType, to_numpy_dtype
from minigrad.tensor import Tensor, from_array

# ---------------------------------------------------------------- orders


def searchsorted(
    sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where each value would go into the last dim of `sorted_sequence`, in order; `right`: behind equal ones."""
    return ops.searchsorted(sorted_sequence, input, out_int32, right, side, sorter)


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of the bucket between `boundaries`, which rise, that holds each value; `right`: buckets hold their
    lower boundary instead of their upper one.
    """
    if boundaries.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})")
    return ops.searchsorted(boundaries, input, out_int32, right)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """True where an element is among `test_elements`; `invert`: where it is not."""
    return ops.isin(elements, test_elements, assume_unique, invert)


# ---------------------------------------------------------------- joins, products of sets


def column_stack(tensors: Any) -> Tensor:
    """Vectors as the columns of a matrix; matrices side by side."""
    return ops.column_stack(tensors)


def block_diag(*tensors: Tensor) -> Tensor:
    """The matrices on the diagonal of one matrix of zeros."""
    return ops.block_diag(*tensors)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples of one entry of each vector, one a row."""
    return ops.cartesian_prod(*tensors)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of r entries of a vector, one a row."""
    return ops.combinations(input, r, with_replacement)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers x^(N-1) ... x, 1 of a vector, a row an entry (increasing: from 1 on)."""
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    return ops.vander(x, N, increasing)


def atleast_1d(*tensors: Any) -> Any:
    """Each tensor with one dim or more."""
    return _each(ops.atleast_1d, tensors)


def atleast_2d(*tensors: Any) -> Any:
    """Each tensor with two dims or more; a vector becomes a row."""
    return _each(ops.atleast_2d, tensors)


def atleast_3d(*tensors: Any) -> Any:
    """Each tensor with three dims or more; a matrix (n, m) becomes (n, m, 1)."""
    return _each(ops.atleast_3d, tensors)


def _each(function: Any, tensors: tuple) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return function(tensors[0])
    several = tensors[0] if len(tensors) == 1 else tensors
    return tuple(function(x) for x in several)


def unravel_index(indices: Tensor, shape: Any) -> tuple:
    """The places in a tensor of that shape of places in the flattened tensor, one tensor a dim."""
    return ops.unravel_index(indices, shape)


# ---------------------------------------------------------------- areas, special functions


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """The area under the lines through the points (x, y) along a dim; without x they are `dx` apart."""
    return ops.trapezoid(y, x, dx, dim)


trapz = trapezoid


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """The running areas of `trapezoid`, one fewer than points."""
    return ops.cumulative_trapezoid(y, x, dx, dim)


def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of digamma."""
    return ops.polygamma(n, input)


def xlogy(input: Any, other: Any) -> Tensor:
    """x log y, and 0 where x is 0; either may be a number."""
    return ops.xlogy(input, other)


# ---------------------------------------------------------------- new tensors


def range(start: float = 0, end: float | None = None, step: float = 1, **options: Any) -> Tensor:
    """start, start + step ... up to and with `end`, as the default float: `arange`, end included."""
    start, end = (0, start) if end is None else (start, end)
    count = math.floor((end - start) / step) + 1
    dtype = options.pop("dtype", None) or dtypes.get_default_dtype()
    return (creation.arange(count, dtype=dtypes.float64) * step + start).to(dtype).to(options.pop("device", "cpu"))


def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A 0-d tensor, of the default float unless a dtype is given."""
    return creation.full((), s, dtype=dtype or dtypes.get_default_dtype(), device=device, requires_grad=requires_grad)


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A 1-d tensor on the memory of an object with Python's buffer protocol, such as a bytearray."""
    return from_array(np.frombuffer(buffer, to_numpy_dtype(dtype), count, offset), "cpu", requires_grad)


def _window(name: str, length: int, periodic: bool, terms: tuple[float, ...], options: dict) -> Tensor:
    """The sum of terms_k cos(2 pi k i / n), n being the period: `length`, or length - 1 for a symmetric window."""
    dtype = options.get("dtype") or dtypes.get_default_dtype()
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    if length < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got window_length={length}")
    turn = 2 * math.pi * np.arange(length) / max(length if periodic else length - 1, 1)
    values = sum(a * np.cos(k * turn) for k, a in enumerate(terms)) if length != 1 else np.ones(1)
    x = from_array(np.asarray(values).astype(dtype.numpy), options.get("device"))
    return x.requires_grad_() if options.get("requires_grad") else x


def hann_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """(1 - cos(2 pi i / n)) / 2."""
    return _window("hann_window", window_length, periodic, (0.5, -0.5), options)


def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, **options: Any
) -> Tensor:
    """alpha - beta cos(2 pi i / n)."""
    return _window("hamming_window", window_length, periodic, (alpha, -beta), options)


def blackman_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """0.42 - 0.5 cos(2 pi i / n) + 0.08 cos(4 pi i / n)."""
    return _window("blackman_window", window_length, periodic, (0.42, -0.5, 0.08), options)


def bartlett_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """A triangle from 0 over 1 to 0."""
    flat = _window("bartlett_window", window_length, periodic, (1.0,), options)
    period = max(window_length if periodic else window_length - 1, 1)
    i = creation.arange(window_length, dtype=flat.dtype, device=flat.device)
    return flat if window_length == 1 else 1 - (2 * i / period - 1).abs()


# ---------------------------------------------------------------- questions, settings


def can_cast(from_: DType, to: DType) -> bool:
    """Whether a conversion keeps the kind of number: integers become floats, not the other way round."""
    return to.kind >= from_.kind and not (from_.is_signed and to is dtypes.uint8 and from_.kind == 1)


def typename(obj: Any) -> str:
    """The name of a tensor's type, or of another object's class."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    return f"{kind.__module__}.{kind.__qualname__}" if kind.__module__ not in ("builtins",) else kind.__qualname__


def set_default_tensor_type(t: Any) -> None:
    """The old way to set the default dtype and device: DoubleTensor, or "torch.cuda.FloatTensor"."""
    from minigrad.legacy import dtype_named

    dtypes.set_default_dtype(dtype_named(t))
    backend.set_default_device("cuda" if ".cuda." in str(t) else None)


def set_flush_denormal(mode: bool) -> bool:
    """False: NumPy computes with denormal numbers always."""
    return False
