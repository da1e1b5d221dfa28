"""The kernels of Batched arrays: one table, kernel by kernel, of the rule that runs it for all examples at once.

`kernels_of(batched_array)` is this package, under the names that `kernels/common.py` has. A kernel that is not in the
table runs once an example, in a Python loop: correct for all, and fast for those that are called rarely.
"""

from collections.abc import Callable
from typing import Any

from minigrad.backend import kernels_of
from minigrad.kernels.batched import conv, crossing as crossing, index, rules
from minigrad.kernels.batched.array import Batched, Level, inside, is_active, refuse_host, top
from minigrad.kernels.batched.rules import along, dynamic, elementwise, folded, into_axis, joined, leading, position

__all__ = ["RULES", "Batched", "Level", "is_active", "refuse_host", "supports"]

_BROADCASTING = """
    exp expm1 log log1p log2 log10 sqrt sin cos tan asin acos atan atan2 sinh cosh tanh erf sigmoid softplus gelu
    gelu_backward silu silu_backward relu relu_backward abs sign
    floor ceil trunc round floor_divide remainder fmod maximum minimum where
    isfinite isinf isnan isclose logical_and logical_or logical_xor logical_not copy ascontiguous
    solve with_parts angle sgn
    acosh asinh atanh erfc erfinv lgamma digamma polygamma logaddexp hypot copysign nextafter gcd lcm
    left_shift right_shift signbit
"""

_OF_MATRICES = "inv det slogdet cholesky qr eigh eigvalsh svd svdvals"

RULES: dict[str, Callable] = {
    **{name: elementwise(name) for name in _BROADCASTING.split()},
    **{name: rules.reduction(name) for name in ("sum", "prod", "amax", "amin", "all", "any")},
    **{name: position(name) for name in ("argmax", "argmin")},
    **{name: along(name) for name in ("cumsum", "cumprod", "argsort", "softmax", "log_softmax")},
    **{name: along(name) for name in ("running_places", "top_places")},
    **{name: along(name, arrays=2) for name in ("softmax_backward", "log_softmax_backward")},
    **{name: leading(name) for name in ("diagonal", "tril", "triu", "one_hot", "view_as_real", "frexp")},
    **{name: leading(name) for name in _OF_MATRICES.split()},
    **{name: leading(name) for name in ("window_argmax", "window_sums", "spread_windows", "tap_positions")},
    **{name: leading(name) for name in ("max_pool2d_fwd",)},
    **{name: leading(name, arrays=2) for name in ("take_taps", "put_taps", "max_pool2d_bwd")},
    **{name: leading(name, arrays=3) for name in ("attention_fwd",)},
    **{name: leading(name, arrays=6) for name in ("attention_bwd",)},
    **{name: folded(name) for name in ("im2col", "col2im")},
    **{name: folded(name, arrays=2) for name in ("cross_entropy_fwd",)},
    **{name: folded(name, arrays=4) for name in ("cross_entropy_bwd",)},
    **{name: joined(name) for name in ("concatenate", "stack")},
    **{name: into_axis(name) for name in ("put_along_axis", "add_along_axis")},
    **{name: dynamic(name) for name in ("nonzero", "unique")},
    "add_at": index.add_at,
    "add_rows": rules.add_rows,
    "arange": rules.arange,
    "bounds": rules.bounds,
    "broadcast_to": rules.broadcast_to,
    "channel_statistics": conv.channel_statistics,
    "conv2d": conv.conv2d,
    "conv2d_input": conv.conv2d_input,
    "conv2d_weight": conv.conv2d_weight,
    "flip": rules.flip,
    "matmul": rules.matmul,
    "pad": rules.pad,
    "quantized_linear": rules.quantized_linear,
    "quantized_linear_input": rules.quantized_linear_input,
    "roll": rules.roll,
    "take_along_axis": rules.take_along_axis,
    "take_rows": rules.take_rows,
    "transpose": rules.transpose,
    "writable": rules.writable,
    "zeros": rules.zeros,
}

_FUSED = frozenset(("attention", "cross_entropy", "max_pool2d"))  # the others run as their references, op by op


def supports(op_name: str, arrays: list) -> bool:
    """Whether a fused kernel of that op takes these arrays."""
    level = top(arrays)
    if level is None or op_name not in _FUSED:
        return False
    if op_name == "attention" and len(arrays) > 3 and arrays[3] is not None:  # a mask has axes of its own
        return False
    values = [inside(a, level) for a in arrays if a is not None]
    return kernels_of(values[0]).supports(op_name, values)


def __getattr__(name: str) -> Any:
    """The rule of a kernel, from the table or else the loop; kept here once found, so this is off the hot path."""
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    rule = globals()[name] = RULES.get(name) or rules.loop(name)
    return rule
