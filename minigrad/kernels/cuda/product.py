"""The product a @ b on the GPU: what CuPy's `matmul` does well is asked of it in the form that it does well.

CuPy hands two matrices to cuBLAS as they are: transposed views without a copy, two-byte floats with float32 sums.
Arrays of three axes and more go another way, on which operands are copied, float16 widened, and bfloat16 refused.
"""

import math
from typing import Any

from minigrad.backend import array_module
from minigrad.kernels import common


def matmul(a: Any, b: Any, bias: Any = None) -> Any:
    """a @ b (+ bias): (..., n, k) @ (..., k, m) -> (..., n, m), leading axes broadcast; bias (m,) or None."""
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
