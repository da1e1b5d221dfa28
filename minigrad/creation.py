"""New tensors: from data, filled with a value, ranges, identity, and their `_like` forms.

Sizes come one by one or as one tuple; `dtype=None` is the default float (or, for data, what the data says: Python
floats become the default float, ints int64, NumPy arrays keep their type). `device=None` is the default device.
"""

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import backend, dtype as dtypes, nested
from minigrad.arguments import must_be_tensor
from minigrad.dtype import dtype_of_scalar, to_numpy_dtype
from minigrad.tensor import Tensor, from_array, from_raw, sizes as as_sizes


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A leaf with a copy of `data`: a number, nested lists, a NumPy array or a Tensor."""
    array = _array_from(data, dtype)
    return from_array(array.copy() if np.may_share_memory(array, _memory_of(data)) else array, device, requires_grad)


def _memory_of(data: Any) -> np.ndarray:
    array = data.array if isinstance(data, Tensor) else data
    return array if isinstance(array, np.ndarray) else np.empty(0)


def _array_from(data: Any, dtype: Any) -> np.ndarray:
    if isinstance(data, Tensor):
        host = backend.to_host(data.array)
        return host if dtype is None else host.astype(to_numpy_dtype(dtype), copy=False)
    if isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
        if dtype is None:
            dtypes.of(array.dtype)  # refuses strings, objects ...
            return array
        return array.astype(to_numpy_dtype(dtype), copy=False)
    if isinstance(data, (str, bytes)):
        raise TypeError(f"cannot make a tensor of a string: {data!r}")
    if isinstance(data, Sequence):  # a deque, too
        return nested.array_of(data, dtype)
    if not isinstance(data, (bool, int, float, complex)):
        raise RuntimeError(
            f"Could not infer dtype of {type(data).__name__}: expected numbers, nested lists, an array or a Tensor"
        )
    return nested.array_of([data], dtype).reshape(())


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """As `tensor`, without a copy where none is needed; a Tensor of the right dtype and device is returned itself."""
    if isinstance(data, Tensor):
        return data.to(device=device, dtype=dtype)
    return from_array(_array_from(data, dtype), device)


asarray = as_tensor


def from_numpy(array: np.ndarray) -> Tensor:
    """A Tensor on the memory of a NumPy array: writes to one are seen by the other."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    dtypes.of(array.dtype)
    if any(stride < 0 for stride in array.strides):
        raise ValueError("At least one stride in the given numpy array is negative: pass array.copy()")
    return from_raw(array if type(array) is np.ndarray else array.view(np.ndarray))  # of a memmap: its memory


def from_dlpack(x: Any) -> Tensor:
    """A Tensor on the memory of another library's array (NumPy, CuPy, PyTorch, JAX), on its device, without a copy.

    TypeError for what has no `__dlpack__`.
    """
    if not hasattr(x, "__dlpack__"):
        raise TypeError(f"from_dlpack expects an array with __dlpack__, got {type(x).__name__}")
    on_gpu = x.__dlpack_device__()[0] in (2, 13)  # CUDA's own and managed memory, by DLPack's numbers
    array = backend.backend_for("cuda" if on_gpu else "cpu").module.from_dlpack(x)
    dtypes.of(array.dtype)
    return from_raw(array)


def _filled(make: Any, given: tuple, named: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    shape = as_sizes(given, named)
    if any(n < 0 for n in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension: {list(shape)}")
    where = backend.backend_for(device)
    x = from_raw(make(where.module, shape, to_numpy_dtype(dtype)))
    return x.requires_grad_() if requires_grad else x


def zeros(
    *sizes: Any,
    size: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    return _filled(lambda xp, shape, raw: xp.zeros(shape, raw), sizes, size, dtype, device, requires_grad)


def ones(
    *sizes: Any,
    size: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    return _filled(lambda xp, shape, raw: xp.ones(shape, raw), sizes, size, dtype, device, requires_grad)


def empty(
    *sizes: Any,
    size: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Of that size, with whatever the memory held."""
    return _filled(lambda xp, shape, raw: xp.empty(shape, raw), sizes, size, dtype, device, requires_grad)


def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Filled with a value, whose type gives the dtype."""
    fill_value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    dtype = dtype_of_scalar(fill_value) if dtype is None else dtype
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"full(): argument 'size' must be a tuple of ints, not {type(size).__name__}: full((2,), 1.0)")
    return _filled(
        lambda xp, shape, raw: xp.full(shape, fill_value, raw), (tuple(size),), None, dtype, device, requires_grad
    )


def zeros_like(
    input: Tensor,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    must_be_tensor("zeros_like", "input", input)
    made = zeros(input.array.shape, dtype=dtype or input.dtype, device=device or input.device)
    return beside(input, made, requires_grad)


def ones_like(
    input: Tensor,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    must_be_tensor("ones_like", "input", input)
    made = ones(input.array.shape, dtype=dtype or input.dtype, device=device or input.device)
    return beside(input, made, requires_grad)


def empty_like(
    input: Tensor,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    must_be_tensor("empty_like", "input", input)
    made = empty(input.array.shape, dtype=dtype or input.dtype, device=device or input.device)
    return beside(input, made, requires_grad)


def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    must_be_tensor("full_like", "input", input)
    made = full(input.array.shape, fill_value, dtype=dtype or input.dtype, device=device or input.device)
    return beside(input, made, requires_grad)


def beside(input: Tensor, made: Tensor, requires_grad: bool = False) -> Tensor:
    """What was made after `input`: under vmap with memory of its own for each example, if `input` has that."""
    if backend.is_wrapped(input.array):
        made = from_raw(backend.kernels_of(input.array).writable(made.array, input.array))
    return made.requires_grad_() if requires_grad else made


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, ... below end; int64 when all are integers."""
    start, end = (0, start) if end is None else (start, end)
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError(f"upper bound and lower bound inconsistent with step sign: arange({start}, {end}, {step})")
    if dtype is None:
        dtype = dtypes.int64 if all(isinstance(v, int) for v in (start, end, step)) else dtypes.get_default_dtype()
    raw = to_numpy_dtype(dtype)
    if raw.kind in "iu":
        start, end, step = int(start), int(end), int(step)
        if step == 0:
            raise ValueError("step must be nonzero: as an integer it is 0")
    count = math.ceil((end - start) / step)
    values = (
        start + step * np.arange(count) if raw.kind == "f" or raw.name == "bfloat16" else np.arange(start, end, step)
    )
    x = from_raw(backend.constant(values.astype(raw), device))
    return x.requires_grad_() if requires_grad else x


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` values evenly spaced from start to end, both included, counted from the nearer end."""
    start, end = (v.item() if isinstance(v, Tensor) else v for v in (start, end))
    steps = operator.index(steps)  # TypeError for a fraction
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    raw = to_numpy_dtype(dtype)
    # The ends and the width of a step are of the dtype itself; a product and its sum are rounded once (float32: in
    # float64, then to float32), as PyTorch's fused multiply-add rounds them.
    kind = raw.type if raw.kind == "f" and raw.itemsize > 2 else np.float64
    first, last = (kind(int(v) if raw.kind in "iu" else v) for v in (start, end))
    width = np.float64((last - first) / kind(steps - 1) if steps > 1 else 0.0)
    i = np.arange(steps)
    upwards = np.float64(first) + width * i
    downwards = np.float64(last) - width * (steps - 1 - i)
    values = np.where(i < steps // 2, upwards, downwards) if steps > 1 else np.full(steps, first)
    return from_array(values.astype(raw), device, requires_grad)


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """base to the powers `linspace(start, end, steps)`."""
    powers = linspace(start, end, steps, dtype=dtypes.float64)
    x = (
        (base**powers)
        .to(dtype or dtypes.get_default_dtype())
        .to(backend.get_default_device() if device is None else device)
    )
    return x.requires_grad_() if requires_grad else x


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Ones on the diagonal of an n x m matrix (m defaults to n)."""
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(f"eye: sizes must not be negative, got {n} and {m}")
    where = backend.backend_for(device)
    x = from_raw(where.module.eye(n, n if m is None else m, dtype=to_numpy_dtype(dtype)))
    return x.requires_grad_() if requires_grad else x


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The (2, n) indices of the lower triangle of a row x col matrix."""
    return from_array(np.stack(np.tril_indices(row, offset, col)).astype(to_numpy_dtype(dtype or dtypes.int64)), device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The (2, n) indices of the upper triangle of a row x col matrix."""
    return from_array(np.stack(np.triu_indices(row, offset, col)).astype(to_numpy_dtype(dtype or dtypes.int64)), device)
