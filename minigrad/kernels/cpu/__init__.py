"""The CPU's kernels: common's primitives, the hot ones compiled by Numba, and the fused kernels besides.

This file is the front: it decides, call by call, whether a compiled kernel takes the arrays at hand. The kernels take
float32; every other dtype, and everything where Numba is missing or MINIGRAD_NUMBA=0, goes to `common` (primitives) or
is declined by `supports` (fused kernels, fused.py). Numba is imported at the first call that wants it: loading.py.

Reading order: rows.py (the simplest kernels), activations.py, scatter.py, optim.py, then intrinsics.py and tiles.py
(how loops become vector code) and attention.py, which uses them all. threads.py says who shares a kernel's work:
one team of threads, beside which NumPy's BLAS is set to one thread.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minigrad.kernels import optim_reference
from minigrad.kernels.cpu.fused import (
    add_layer_norm_fwd as add_layer_norm_fwd,
    add_rms_norm_fwd as add_rms_norm_fwd,
    attention_bwd as attention_bwd,
    attention_fwd as attention_fwd,
    batch_norm_bwd as batch_norm_bwd,
    batch_norm_fwd as batch_norm_fwd,
    cross_entropy_bwd as cross_entropy_bwd,
    cross_entropy_fwd as cross_entropy_fwd,
    gru_bwd as gru_bwd,
    gru_fwd as gru_fwd,
    layer_norm_bwd as layer_norm_bwd,
    layer_norm_fwd as layer_norm_fwd,
    linear_activation_bwd as linear_activation_bwd,
    linear_activation_fwd as linear_activation_fwd,
    lstm_bwd as lstm_bwd,
    lstm_fwd as lstm_fwd,
    max_pool2d_bwd as max_pool2d_bwd,
    max_pool2d_fwd as max_pool2d_fwd,
    rms_norm_bwd as rms_norm_bwd,
    rms_norm_fwd as rms_norm_fwd,
    rnn_bwd as rnn_bwd,
    rnn_fwd as rnn_fwd,
)
from minigrad.kernels.cpu.loading import common as _common, compiled as compiled

FUSED_OPS = frozenset(
    {
        "add_layer_norm",
        "add_rms_norm",
        "attention",
        "batch_norm",
        "cross_entropy",
        "gru",
        "layer_norm",
        "linear_activation",
        "lstm",
        "max_pool2d",
        "rms_norm",
        "rnn",
        "scaled_dot_product_attention",
    }
)

_FLOAT32 = np.dtype(np.float32)
_add_up: Any = np.add.reduce
SMALLEST_SUM = 1 << 12  # numbers; below, NumPy's call is as fast
SMALLEST_PRODUCT = 1 << 18  # multiplications; below, NumPy's call is as fast


def __getattr__(name: str) -> Any:
    """What is not defined here is common's. Found once, it is kept here, so this is off the hot path.

    Common has functions named sum, abs, all ...: the code of this file must not use those builtins.
    """
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(_common(), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *vars(_common())})


def describe() -> str:
    """What runs the hot loops, for `show_config()`."""
    if compiled() is None:
        return "NumPy definitions (Numba is missing or switched off)"
    from importlib.metadata import version

    team = compiled().threads.count()
    return f"compiled by Numba {version('numba')}, {team} thread{'s' if team > 1 else ''}"


def supports(op_name: str, arrays: Iterable[Any]) -> bool:
    """Whether a fused kernel of that op takes these arrays: float32, or integers, or None."""
    if op_name not in FUSED_OPS:
        return False
    for array in arrays:
        if array is not None:
            dtype = array.dtype
            if dtype is not _FLOAT32 and dtype.kind not in "iub" and dtype != _FLOAT32:
                return False
    return compiled() is not None


def _takes(x: Any, dim: int = -1) -> bool:
    """Whether a compiled primitive takes x along that axis: float32 and the last one."""
    return x.dtype == _FLOAT32 and x.ndim > 0 and (dim == -1 or dim == x.ndim - 1) and compiled() is not None


def _all_take(*arrays: Any) -> bool:
    """Whether compiled primitives take these arrays: float32, or None."""
    for array in arrays:
        if array is not None and array.dtype != _FLOAT32:
            return False
    return compiled() is not None


# ---------------------------------------------------------------- primitives, named and called as common's


def softmax(x: Any, dim: int) -> Any:
    return compiled().rows.softmax(x) if _takes(x, dim) else _common().softmax(x, dim)


def softmax_backward(dy: Any, y: Any, dim: int) -> Any:
    if _takes(y, dim) and dy.dtype == _FLOAT32:
        return compiled().rows.softmax_backward(dy, y)
    return _common().softmax_backward(dy, y, dim)


def log_softmax(x: Any, dim: int) -> Any:
    return compiled().rows.log_softmax(x) if _takes(x, dim) else _common().log_softmax(x, dim)


def log_softmax_backward(dy: Any, y: Any, dim: int) -> Any:
    if _takes(y, dim) and dy.dtype == _FLOAT32:
        return compiled().rows.log_softmax_backward(dy, y)
    return _common().log_softmax_backward(dy, y, dim)


def erf(x: Any) -> Any:
    return compiled().activations.erf(x) if _takes(x) else _common().erf(x)


def relu(x: Any) -> Any:
    return compiled().activations.relu(x) if _takes(x) else _common().relu(x)


def relu_backward(gradient: Any, y: Any) -> Any:
    return _back("relu_backward", gradient, y)


def gelu(x: Any) -> Any:
    return compiled().activations.gelu(x) if _takes(x) else _common().gelu(x)


def gelu_backward(gradient: Any, x: Any) -> Any:
    return _back("gelu_backward", gradient, x)


def sigmoid(x: Any) -> Any:
    return compiled().activations.sigmoid(x) if _takes(x) else _common().sigmoid(x)


def silu(x: Any) -> Any:
    return compiled().activations.silu(x) if _takes(x) else _common().silu(x)


def silu_backward(gradient: Any, x: Any) -> Any:
    return _back("silu_backward", gradient, x)


def _back(name: str, gradient: Any, saved: Any) -> Any:
    """The gradient of an activation, from what its forward saved."""
    if _takes(saved) and gradient.dtype == _FLOAT32 and gradient.shape == saved.shape:
        return getattr(compiled().activations, name)(gradient, saved)
    return getattr(_common(), name)(gradient, saved)


def matmul(a: Any, b: Any, bias: Any = None) -> Any:
    """a @ b (+ bias): our own product where it is float32 and not small, NumPy's BLAS for all else."""
    if a.dtype != _FLOAT32 or b.dtype != _FLOAT32:
        return _common().matmul(a, b, bias)
    if a.size * b.shape[-1] < SMALLEST_PRODUCT and (bias is None or bias.dtype == _FLOAT32):
        y = a.dot(b) if a.ndim == b.ndim == 2 else np.matmul(a, b)
        return y if bias is None else np.add(y, bias, y)
    if compiled() is not None:
        if a.ndim == 2 and b.ndim == 2:
            fits = bias is None or (bias.dtype == _FLOAT32 and bias.shape == b.shape[1:])
            if a.size * b.shape[1] >= SMALLEST_PRODUCT and a.shape[1] == b.shape[0] and fits:
                few = a.shape[0] <= compiled().gemv.FEW_ROWS
                return compiled().gemv.gemv(a, b, bias) if few else compiled().gemm.gemm(a, b, bias)
        elif a.size * b.shape[-1] >= SMALLEST_PRODUCT and a.shape[-1] == b.shape[-2] and bias is None:
            return compiled().gemm.gemm_stack(a, b)
    return _common().matmul(a, b, bias)


def quantized_linear(x: Any, bias: Any, weight: Any, scale: Any) -> Any:
    if x.dtype == _FLOAT32 and (bias is None or bias.dtype == _FLOAT32) and compiled() is not None:
        return compiled().quantized.quantized_linear(x, bias, weight, scale)
    return _common().quantized_linear(x, bias, weight, scale)


def quantized_linear_input(x: Any, weight: Any, scale: Any) -> Any:
    where = compiled().quantized if _all_take(x) else _common()
    return where.quantized_linear_input(x, weight, scale)


def sum(x: Any, axis: Any, keepdims: bool) -> Any:
    """The sum over axes; our own over the first axis of a float32 matrix, as for the gradient of every bias."""
    if x.dtype != _FLOAT32:
        return _common().sum(x, axis, keepdims)
    if axis == (0,) and x.ndim == 2 and x.size >= SMALLEST_SUM and compiled() is not None:
        return compiled().rows.sum_of_rows(x, keepdims)
    if x.size >= SMALLEST_SUM and x.flags.c_contiguous and compiled() is not None:
        return _sum_over_last(x, axis, keepdims)
    return _add_up(x, axis, None, None, keepdims)  # what x.sum() comes to, three calls later


def _sum_over_last(x: Any, axis: Any, keepdims: bool) -> Any:
    """As many of the last axes as are asked for go through our kernel, what is left through NumPy."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    wanted = {a % x.ndim for a in axes}
    last = 0
    while last < x.ndim and x.ndim - 1 - last in wanted:
        last += 1
    if not last:
        return _add_up(x, axis, None, None, keepdims)
    y = compiled().reductions.sum_of_last(x, last)
    if rest := tuple(a for a in wanted if a < x.ndim - last):
        y = _add_up(y, rest)
    return np.reshape(y, [1 if i in wanted else n for i, n in enumerate(x.shape)]) if keepdims else y


def top_places(x: Any, axis: int, k: int, largest: bool) -> Any:
    last = axis in (-1, x.ndim - 1)
    if last and 0 < k <= x.shape[-1] // 4 and x.dtype == _FLOAT32 and x.size and compiled() is not None:
        few = k <= compiled().reductions.MOST_PLACES
        if few and not np.isnan(x.max()):
            return compiled().reductions.top_places(x, k, largest)
    return _common().top_places(x, axis, k, largest)


def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """The array stretched to a shape, as a view that is as writeable as the array."""
    if x.size == 1 and len(shape) >= x.ndim:
        return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
    if not x.flags.c_contiguous or len(shape) < x.ndim or not x.size:
        return _common().broadcast_to(x, shape)
    new = len(shape) - x.ndim
    strides = [0] * new
    for n, size, stride in zip(x.shape, shape[new:], x.strides, strict=True):
        if n != size and n != 1:
            return _common().broadcast_to(x, shape)  # which says what is wrong
        strides.append(stride if n == size else 0)
    return np.ndarray(shape, x.dtype, x, 0, strides)  # a tenth of what np.broadcast_to takes


def add_rows(buffer: Any, ids: Any, rows: Any) -> None:
    """buffer[ids[n]] += rows[n] in place, in the order of n."""
    if _takes(buffer) and rows.dtype == _FLOAT32 and buffer.flags.carray and ids.dtype.kind == "i":
        compiled().scatter.add_rows(buffer, ids, rows)
    else:
        _common().add_rows(buffer, ids, rows)


def conv2d(x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    where = compiled().conv if _all_take(x, weight, bias) else _common()
    return where.conv2d(x, weight, bias, stride, padding, dilation, groups)


def conv2d_input(
    dy: Any, weight: Any, bias: Any, size: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    where = compiled().conv if _all_take(dy, weight, bias) else _common()
    return where.conv2d_input(dy, weight, bias, size, stride, padding, dilation, groups)


def conv2d_weight(x: Any, dy: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    where = compiled().conv if _all_take(x, dy) else _common()
    return where.conv2d_weight(x, dy, kernel, stride, padding, dilation, groups)


def channel_statistics(x: Any) -> tuple[Any, Any]:
    if x.dtype == _FLOAT32 and compiled() is not None:
        return compiled().channels.channel_statistics(x)
    return _common().channel_statistics(x)


def sum_of_squares(arrays: Sequence[Any]) -> float:
    """The sum of the squares of all entries of all arrays, accumulated in float64."""
    if compiled() is None:
        return optim_reference.sum_of_squares(arrays)
    ours = [array for array in arrays if array.dtype == _FLOAT32]
    others = [array for array in arrays if array.dtype != _FLOAT32]
    return compiled().optim.sum_of_squares(ours) + optim_reference.sum_of_squares(others)


def scale(arrays: Sequence[Any], factor: float) -> None:
    """Multiply every array by a number, in place."""
    ours, others = [], list(arrays)
    if compiled() is not None:
        ours = [a for a in arrays if a.dtype == _FLOAT32 and a.flags.carray]
        others = [a for a in arrays if not (a.dtype == _FLOAT32 and a.flags.carray)]
        compiled().optim.scale(ours, factor)
    optim_reference.scale(others, factor)


def adam_update(
    params: Sequence[Any],
    grads: Sequence[Any],
    exp_avgs: Sequence[Any],
    exp_avg_sqs: Sequence[Any],
    max_exp_avg_sqs: Sequence[Any] | None,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    step: float | Sequence[float],
    maximize: bool = False,
    amsgrad: bool = False,
) -> None:
    """One step of Adam or AdamW in place, all parameters in one call; the formula is optim_reference.adam_update's."""
    update = compiled().optim.adam_update if compiled() is not None else _common().adam_update
    update(
        params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, lr=lr, beta1=beta1, beta2=beta2, eps=eps,
        weight_decay=weight_decay, decoupled=decoupled, step=step, maximize=maximize, amsgrad=amsgrad,
    )  # fmt: skip


def sgd_update(
    params: Sequence[Any],
    grads: Sequence[Any],
    momentum_buffers: Sequence[Any] | None,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """One step of SGD in place, all parameters in one call; the formula is optim_reference.sgd_update's."""
    update = compiled().optim.sgd_update if compiled() is not None else optim_reference.sgd_update
    update(
        params, grads, momentum_buffers, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
        nesterov=nesterov, maximize=maximize, first=first,
    )  # fmt: skip


def rmsprop_update(
    params: Sequence[Any],
    grads: Sequence[Any],
    square_avgs: Sequence[Any],
    grad_avgs: Sequence[Any] | None,
    momentum_buffers: Sequence[Any] | None,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """One step of RMSprop in place, all parameters in one call; the formula is optim_reference.rmsprop_update's."""
    update = compiled().optim.rmsprop_update if compiled() is not None else optim_reference.rmsprop_update
    update(
        params, grads, square_avgs, grad_avgs, momentum_buffers, lr=lr, alpha=alpha, eps=eps,
        weight_decay=weight_decay, momentum=momentum, maximize=maximize,
    )  # fmt: skip


def adagrad_update(
    params: Sequence[Any],
    grads: Sequence[Any],
    sums: Sequence[Any],
    *,
    steps: Sequence[float],
    lr: float,
    lr_decay: float,
    weight_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """One step of Adagrad in place, all parameters in one call; the formula is optim_reference.adagrad_update's."""
    update = compiled().optim.adagrad_update if compiled() is not None else optim_reference.adagrad_update
    update(
        params, grads, sums, steps=steps, lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps,
        maximize=maximize,
    )  # fmt: skip
