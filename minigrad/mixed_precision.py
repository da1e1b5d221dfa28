"""Which ops compute in 16 bits, and which in float32, inside `with autocast(...)`.

    with mg.autocast("cpu", dtype=mg.bfloat16):
        logits = model(x)                       products in bfloat16, what follows them in bfloat16 too
        loss = F.cross_entropy(logits, y)       in float32 again

Products are most of a model's work, and hardware has units for them that take two bytes a number; a sum of products
loses little by it. Losses and what sums many small numbers would lose much. All other ops take what they are given. The
table is PyTorch's, one for each device.

The casts happen on the way into an op, to raw arrays: they leave no node, and the walk casts a gradient back to its
input's dtype (autograd.py). So weights stay float32 for the optimizer, as master weights, and so do their gradients.
Backward computes in the dtypes that forward has chosen, inside of the block or out. Source: Micikevicius et al., "Mixed
Precision Training", arXiv:1710.03740.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from minigrad.backend import backend_of, is_array
from minigrad.dtype import DType, is_floating

Function = TypeVar("Function", bound=Callable)

LOWER = frozenset(  # ops that compute in the block's dtype
    {"attention", "conv2d", "conv_transpose2d", "linear", "linear_activation", "lstm", "matmul", "prelu", "rnn"}
)
_FULL_ANYWHERE = {"bce", "cholesky", "cross_entropy", "det", "eigh", "eigvalsh", "huber", "inv", "logabsdet", "pinv",
                  "prod", "qr", "qr_complete", "solve", "svd", "svdvals"}  # fmt: skip
FULL = {  # ops that compute in float32
    "cpu": frozenset(_FULL_ANYWHERE),
    "cuda": frozenset(
        {*_FULL_ANYWHERE, "acos", "asin", "cosh", "cumprod", "cumsum", "erfinv", "exp", "expm1", "layer_norm", "log",
         "log10", "log1p", "log2", "log_softmax", "power", "reciprocal", "rms_norm", "rsqrt", "sinh", "softmax",
         "softplus", "sum", "tan", "two_norm"}
    ),
}  # fmt: skip


class _Blocks(threading.local):
    """The autocast blocks around this line, of this thread: (device type, dtype, or None where it is disabled)."""

    blocks: tuple[tuple[str, DType | None], ...] = ()


mode = _Blocks()


def fast_dtype(device: str) -> DType | None:
    """The dtype of the innermost block for that device; None outside, and inside a disabled one."""
    return next((dtype for kind, dtype in reversed(mode.blocks) if kind == device), None)


def casts_of(op_name: str) -> Callable[[list], list] | None:
    """What an op does to its arrays before all else: None for the many that take what they are given."""
    if op_name in LOWER:
        return _to_lower
    if op_name in FULL["cuda"]:
        return functools.partial(_to_full, op_name)
    return None


def _to_lower(arrays: list) -> list:
    """Floating arrays in the block's dtype; float64 was asked for by hand and stays."""
    dtype = _asked(arrays) if mode.blocks else None
    if dtype is None:
        return arrays
    return [a.astype(dtype.numpy) if _is_short(a) and a.dtype != dtype.numpy else a for a in arrays]


def _to_full(op_name: str, arrays: list) -> list:
    """Arrays of two-byte floats in float32."""
    if not mode.blocks or _asked(arrays) is None or op_name not in FULL[_device(arrays)]:
        return arrays
    return [a.astype("float32") if _is_short(a) and a.dtype.itemsize == 2 else a for a in arrays]


def in_full(op_name: str, x: Any) -> Any:
    """The tensor in float32 where that op computes so: for functions that give back the dtype they were given."""
    full = mode.blocks and _is_short(x.array) and op_name in FULL[_device([x.array])] and _asked([x.array]) is not None
    return x.float() if full else x


def made_alike(a: Any, b: Any) -> bool:
    """Whether an op of LOWER casts both arrays to one dtype here, so that theirs may differ."""
    return bool(mode.blocks) and _asked([a]) is not None and _is_short(a) and _is_short(b)


def full_precision(function: Function) -> Function:
    """Decorator: a function of tensors that autocast runs in float32, written as several ops."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if mode.blocks:
            args = tuple(_widened(x) for x in args)
            kwargs = {name: _widened(x) for name, x in kwargs.items()}
        return function(*args, **kwargs)

    return cast(Function, call)


@contextlib.contextmanager
def as_given() -> Iterator[None]:
    """As outside of all blocks, for products that PyTorch's table leaves out; a decorator too."""
    former, mode.blocks = mode.blocks, ()
    try:
        yield
    finally:
        mode.blocks = former


def _widened(x: Any) -> Any:
    array = getattr(x, "array", None)
    if array is None or not _is_short(array) or array.dtype.itemsize != 2 or _asked([array]) is None:
        return x
    return x.float()


def _device(arrays: list) -> str:
    return next((backend_of(a).device_type for a in arrays if is_array(a)), "cpu")


def _asked(arrays: list) -> DType | None:
    return fast_dtype(_device(arrays))


def _is_short(a: Any) -> bool:
    return is_array(a) and is_floating(a.dtype) and a.dtype.itemsize <= 4
