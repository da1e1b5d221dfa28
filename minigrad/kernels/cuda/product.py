"""The product a @ b on the GPU, the one function that all of them end in. Three ways, the first that can be gone:

- cuBLASLt through nvmath-python (cublaslt.py): every dtype, layout and batch, captured or not;
- without it, inside `capturable()`, a kernel of our own (products.cu) for float32, float16 and bfloat16, as CuPy
  refuses cuBLAS while a stream captures. In the runs before a capture too: they compute to the bit what a replay does;
- CuPy's `matmul`, asked in the form that it does well: two matrices go to cuBLAS as they are, transposed views without
  a copy, 16-bit numbers with float32 sums. On arrays of three axes and more it copies operands, widens float16 and
  refuses bfloat16.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from minigrad.backend import array_module
from minigrad.kernels import common
from minigrad.kernels.cuda import cublaslt, launch

TILE = 64  # products.cu says the same
MOST_BLOCKS_Y = 65535  # CUDA's limit for the second axis of a grid
_KERNELS = {"float32": "matmul", "float16": "matmul_half", "bfloat16": "matmul_bfloat"}
allow_tf32 = False  # float32 products on tensor cores: set_float32_matmul_precision() sets it, cuBLASLt can do it
_capturable = False


@contextmanager
def capturable(on: bool = True) -> Iterator[None]:
    """Inside, products may be captured; or not."""
    global _capturable
    former, _capturable = _capturable, on
    try:
        yield
    finally:
        _capturable = former


def matmul(a: Any, b: Any, bias: Any = None) -> Any:
    """a @ b (+ bias): (..., n, k) @ (..., k, m) -> (..., n, m), leading axes broadcast; bias (m,) or None."""
    y = cublaslt.product(a, b, bias, tf32=allow_tf32)
    if y is not None:
        return y
    if _capturable and (y := _own(a, b, bias)) is not None:
        return y
    if a.ndim > 2 and b.ndim == 2 and a.flags.c_contiguous and a.size:
        rows = a.reshape((a.size // a.shape[-1], a.shape[-1]))  # one product for all leading axes together
        return common.matmul(rows, b, bias).reshape((*a.shape[:-1], b.shape[-1]))
    if max(a.ndim, b.ndim) > 2 and a.dtype.name == b.dtype.name == "bfloat16" and min(a.ndim, b.ndim) >= 2:
        y = _one_by_one(a, b)
        return y if bias is None else y + bias
    return common.matmul(a, b, bias)


def _one_by_one(a: Any, b: Any) -> Any:
    """Matrix by matrix."""
    xp = array_module(a)
    lead = xp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    count = math.prod(lead)
    y = xp.empty((count, a.shape[-2], b.shape[-1]), a.dtype)
    a = xp.broadcast_to(a, (*lead, *a.shape[-2:])).reshape((count, *a.shape[-2:]))
    b = xp.broadcast_to(b, (*lead, *b.shape[-2:])).reshape((count, *b.shape[-2:]))
    for i in range(count):
        y[i] = common.matmul(a[i], b[i])
    return y.reshape((*lead, *y.shape[-2:]))


def _own(a: Any, b: Any, bias: Any) -> Any:
    """The product by our kernel; None for what it does not take."""
    (n, k), m = a.shape[-2:], b.shape[-1]
    arrays = [x for x in (a, b, bias) if x is not None]
    fits = k == b.shape[-2] and (bias is None or bias.shape == (m,)) and len({x.dtype.name for x in arrays}) == 1
    if not fits or a.dtype.name not in _KERNELS or not all(x.size for x in arrays):
        return None
    if b.ndim == 2 and a.ndim > 2 and a.flags.c_contiguous:
        y = _own(a.reshape((-1, k)), b, bias)  # all leading axes together
        return None if y is None else y.reshape((*a.shape[:-1], m))
    lead = array_module(a).broadcast_shapes(a.shape[:-2], b.shape[:-2])
    count, rows = math.prod(lead), -(-n // TILE)
    if count * rows > MOST_BLOCKS_Y:
        return None
    y = array_module(a).empty((*lead, n, m), a.dtype)
    (left, a_step, a_turned), (right, b_step, b_turned) = (_operand(x, lead) for x in (a, b))
    given = None if bias is None else (array_module(a).ascontiguousarray(bias), m)
    launch(_KERNELS[a.dtype.name], (-(-m // TILE), count * rows), (left, left.size), (right, right.size), given,
           (y, y.size), n, m, k, a_step, b_step, a_turned, b_turned)  # fmt: skip
    return y


def _operand(x: Any, lead: tuple[int, ...]) -> tuple[Any, int, int]:
    """(contiguous memory, from one matrix to the next in it, whether they lie transposed); no copy of one for all."""
    if x.ndim > 2 and x.shape[:-2] != lead:
        x = array_module(x).broadcast_to(x, (*lead, *x.shape[-2:]))
    turned = x.swapaxes(-1, -2)
    transposed = turned.flags.c_contiguous and not x.flags.c_contiguous
    memory = turned if transposed else array_module(x).ascontiguousarray(x)
    return memory, x.shape[-1] * x.shape[-2] if x.ndim > 2 else 0, int(transposed)
