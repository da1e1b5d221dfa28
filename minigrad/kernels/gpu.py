"""The GPU's kernels: common's primitives, the hot ones in CUDA (kernels/cuda/*.cu), and the fused kernels besides.

The front, as kernels/cpu/__init__.py is for the CPU, under the same names: it decides call by call whether a CUDA
kernel takes the arrays at hand. They take float32; all else goes to `common`, or is declined by `supports`. Attention
takes float16 and bfloat16 besides: by cuDNN where that is installed, else widened. What is not written here is
common's. No kernel here waits for the device, and each gives the same bits every run: nothing is added by atomics.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from minigrad.backend import array_module
from minigrad.kernels import common
from minigrad.kernels.cuda import BLOCK, cudnn_attention, graph, launch
from minigrad.kernels.cuda.convolution import (
    conv2d as conv2d,
    conv2d_input as conv2d_input,
    conv2d_weight as conv2d_weight,
)
from minigrad.kernels.cuda.lists import (
    adam_update as adam_update,
    add_rows as add_rows,
    count_up as count_up,
    scale_by as scale_by,
    total_norm as total_norm,
)
from minigrad.kernels.cuda.product import matmul as matmul

FUSED_OPS = frozenset({"attention", "cross_entropy", "layer_norm", "linear_activation", "rms_norm"})
LARGEST_HEAD = 128  # attention.cu
MOST_BLOCKS_Y = 65535  # CUDA's limit for the second axis of a grid
_KINDS = {"relu": 0, "gelu": 1, "silu": 2}
_WARPS = BLOCK // 32
_all, _any, _round = all, any, round  # common has functions of these names, which __getattr__ puts here


def __getattr__(name: str) -> Any:
    """What is not defined here is common's; found once, it is kept here."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(common, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *vars(common)})


def supports(op_name: str, arrays: Sequence[Any]) -> bool:
    """Whether a fused kernel of that op takes these arrays: float32 (attention: 16 bits too), integers, None."""
    if op_name == "attention":
        return _can_attend(*arrays)
    if op_name not in FUSED_OPS or not _float32(a for a in arrays if a is not None and a.dtype.kind not in "iub"):
        return False
    x = arrays[0]
    return bool(x.size) and (op_name != "linear_activation" or _plain_bias(arrays[1], arrays[2]))


def _plain_bias(weight: Any, bias: Any) -> bool:
    return bias is None or bias.shape == weight.shape[:1]


def _float32(arrays: Iterable[Any]) -> bool:
    return _all(a.dtype == "float32" for a in arrays)


def _takes(*arrays: Any) -> bool:
    """Whether a CUDA kernel takes arrays of one shape, entry by entry."""
    return _float32(arrays) and arrays[0].size > 0 and _all(a.shape == arrays[0].shape for a in arrays)


def _ready(x: Any) -> Any:
    return array_module(x).ascontiguousarray(x)


def _new(like: Any, shape: Any = None) -> Any:
    return array_module(like).empty(like.shape if shape is None else shape, "float32")


def _per_entry(n: int) -> int:
    return -(-n // BLOCK)


# ---------------------------------------------------------------- joining

MOST_JOINED = 8  # CuPy joins more arrays by a table of their addresses, which it uploads: that cannot be captured


def concatenate(xs: Sequence[Any], axis: int) -> Any:
    if graph.recording is not None and len(xs) > MOST_JOINED:
        parts = [xs[i : i + MOST_JOINED] for i in range(0, len(xs), MOST_JOINED)]
        return concatenate([common.concatenate(part, axis) for part in parts], axis)
    return common.concatenate(xs, axis)


def stack(xs: Sequence[Any], axis: int) -> Any:
    return concatenate([array_module(x).expand_dims(x, axis) for x in xs], axis)


# ---------------------------------------------------------------- rows


def _by_row(kernel: str, dim: int, *arrays: Any) -> Any:
    """A kernel of the softmax family on the last axis, or None where it takes another."""
    x = arrays[0]
    if not _takes(*arrays) or x.ndim == 0 or dim not in (-1, x.ndim - 1):
        return None
    y, n = _new(x), x.shape[-1]
    launch(kernel, x.size // n, *((_ready(a), x.size) for a in arrays), (y, x.size), n)
    return y


def softmax(x: Any, dim: int) -> Any:
    y = _by_row("softmax", dim, x)
    return common.softmax(x, dim) if y is None else y


def softmax_backward(dy: Any, y: Any, dim: int) -> Any:
    dx = _by_row("softmax_backward", dim, dy, y)
    return common.softmax_backward(dy, y, dim) if dx is None else dx


def log_softmax(x: Any, dim: int) -> Any:
    y = _by_row("log_softmax", dim, x)
    return common.log_softmax(x, dim) if y is None else y


def log_softmax_backward(dy: Any, y: Any, dim: int) -> Any:
    dx = _by_row("log_softmax_backward", dim, dy, y)
    return common.log_softmax_backward(dy, y, dim) if dx is None else dx


def cross_entropy_fwd(logits: Any, target: Any, ignore_index: int, label_smoothing: float) -> tuple[Any, Any]:
    """(loss, lse), a number each for a row; the labels must be in [0, C), or ignore_index: the caller has checked."""
    rows, n = logits.shape
    loss, lse = _new(logits, rows), _new(logits, rows)
    labels = _ready(target.astype("int64", copy=False))
    launch("cross_entropy_fwd", rows, (_ready(logits), logits.size), (labels, rows), (loss, rows), (lse, rows), n,
           ignore_index, label_smoothing)  # fmt: skip
    return loss, lse


def cross_entropy_bwd(dloss: Any, logits: Any, target: Any, lse: Any, ignore_index: int, label_smoothing: float) -> Any:
    rows, n = logits.shape
    dx, labels = _new(logits), _ready(target.astype("int64", copy=False))
    launch("cross_entropy_bwd", rows, (_ready(dloss), rows), (_ready(logits), dx.size), (labels, rows), (lse, rows),
           (dx, dx.size), n, ignore_index, label_smoothing)  # fmt: skip
    return dx


def _norm_fwd(x: Any, weight: Any, bias: Any, eps: float, centred: bool) -> tuple[Any, Any, Any]:
    n, rows = x.shape[-1], x.size // x.shape[-1]
    y, rstd, mean = _new(x), _new(x, x.shape[:-1]), _new(x, x.shape[:-1]) if centred else None
    launch("norm_fwd", rows, (_ready(x), x.size), _or_none(weight, n), _or_none(bias, n), (y, x.size),
           _or_none(mean, rows), (rstd, rows), n, eps)  # fmt: skip
    return y, mean, rstd


def _norm_bwd(dy: Any, x: Any, weight: Any, mean: Any, rstd: Any, needs: Sequence[bool]) -> tuple[Any, Any, Any]:
    n, rows = x.shape[-1], x.size // x.shape[-1]
    dy, x, dx, dweight, dbias = (_ready(dy), x.size), (_ready(x), x.size), None, None, None
    means, rstds = _or_none(mean, rows), (rstd, rows)
    if needs[0]:
        dx = _new(x[0])
        launch("norm_bwd", rows, dy, x, _or_none(weight, n), means, rstds, (dx, dx.size), n)
    if _any(needs[1:]):
        chunk = max(32, -(-rows // 128))  # rows a block sums: enough blocks for the card, few sums left to add
        chunks = -(-rows // chunk)
        dweight, dbias = _new(x[0], (chunks, n)), _new(x[0], (chunks, n))
        launch("norm_columns", (_per_entry(n), chunks), dy, x, means, rstds, (dweight, chunks * n), (dbias, chunks * n),
               rows, n, chunk)  # fmt: skip
        dweight, dbias = dweight.sum(axis=0), dbias.sum(axis=0)
    return dx, dweight, dbias


def _or_none(array: Any, count: int) -> Any:
    return None if array is None else (_ready(array), count)


def layer_norm_fwd(x: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """(y, mean, rstd) over the last axis."""
    return _norm_fwd(x, weight, bias, eps, True)


def layer_norm_bwd(dy: Any, x: Any, weight: Any, mean: Any, rstd: Any, needs: Sequence[bool]) -> tuple[Any, Any, Any]:
    """(dx, dweight, dbias)."""
    return _norm_bwd(dy, x, weight, mean, rstd, needs)


def rms_norm_fwd(x: Any, weight: Any, eps: float) -> tuple[Any, Any]:
    """(y, rstd)."""
    y, _, rstd = _norm_fwd(x, weight, None, eps, False)
    return y, rstd


def rms_norm_bwd(dy: Any, x: Any, weight: Any, rstd: Any, needs: Sequence[bool]) -> tuple[Any, Any]:
    """(dx, dweight)."""
    return _norm_bwd(dy, x, weight, None, rstd, needs)[:2]


# ---------------------------------------------------------------- one entry at a time


def _activation(name: str, x: Any) -> Any:
    if not _takes(x):
        return getattr(common, name)(x)
    y = _new(x)
    launch("activation", _per_entry(x.size), (_ready(x), x.size), (y, x.size), x.size, _KINDS[name])
    return y


def _activation_backward(name: str, gradient: Any, saved: Any) -> Any:
    if not _takes(gradient, saved):
        return getattr(common, f"{name}_backward")(gradient, saved)
    dx, n = _new(saved), saved.size
    arrays = (_ready(gradient), n), (_ready(saved), n), (dx, n)
    launch("activation_backward", _per_entry(n), *arrays, n, _KINDS[name])
    return dx


def relu(x: Any) -> Any:
    return _activation("relu", x)


def relu_backward(gradient: Any, y: Any) -> Any:
    return _activation_backward("relu", gradient, y)


def gelu(x: Any) -> Any:
    return _activation("gelu", x)


def gelu_backward(gradient: Any, x: Any) -> Any:
    return _activation_backward("gelu", gradient, x)


def silu(x: Any) -> Any:
    return _activation("silu", x)


def silu_backward(gradient: Any, x: Any) -> Any:
    return _activation_backward("silu", gradient, x)


def linear_activation_fwd(x: Any, weight: Any, bias: Any, activation: str) -> tuple[Any, Any]:
    """(y, z): z = x W^T + b for a matrix x, y its relu, gelu or silu; no z for relu, whose gradient y tells.

    Not by epilogues of cuBLASLt: its gelu is the tanh form, its relu need not keep a nan, and what its backward wants
    of relu is a mask that we do not store.
    """
    z = _ready(matmul(x, weight.swapaxes(0, 1)))
    y, n = _new(z), z.size
    launch("bias_activation", _per_entry(n), (z, n), _or_none(bias, z.shape[1]), (y, n), n, z.shape[1],
           _KINDS[activation])  # fmt: skip
    return y, None if activation == "relu" else z


def linear_activation_bwd(dy: Any, saved: Any, activation: str) -> tuple[Any, Any]:
    """(dz, its sum over the rows), from y for relu, from z for gelu and silu."""
    dz = _activation_backward(activation, dy, saved)
    return dz, dz.sum(axis=0)


def _philox(kernel: str, state: Any, skip: int, n: int, dtype: str, *others: Any) -> Any:
    y = array_module(state).empty(n, dtype)
    launch(kernel, _per_entry((n + 3) // 4), (state, 2), (y, n), skip, n, *others)
    return y


def philox_words(state: Any, skip: int, n: int) -> Any:
    return _philox("philox_words", state, skip, n, "uint32")


def philox_uniform(state: Any, skip: int, n: int, dtype: str) -> Any:
    return _philox("philox_uniform", state, skip, n, dtype) if dtype == "float32" else common.philox_uniform(
        state, skip, n, dtype
    )  # fmt: skip


def philox_normal(state: Any, skip: int, n: int, dtype: str) -> Any:
    return _philox("philox_normal", state, skip, n, dtype) if dtype == "float32" else common.philox_normal(
        state, skip, n, dtype
    )  # fmt: skip


def philox_keep(state: Any, skip: int, n: int, p: float, dtype: Any) -> Any:
    if dtype != "float32":
        return common.philox_keep(state, skip, n, p, dtype)
    threshold = min(_round((1 - p) * 2**32), 2**32 - 1)
    return _philox("philox_keep", state, skip, n, "float32", threshold, 1 / (1 - p))


# ---------------------------------------------------------------- attention


def _attention_shapes(q: Any, k: Any, mask: Any) -> tuple[Any, ...]:
    """(B, T, S, D), and the mask as the kernels want it: (seen, added, whether it has the leading axes)."""
    *lead, T, D = q.shape
    B, S = math.prod(lead), k.shape[-2]
    if mask is None:
        return B, T, S, D, None, None, 0
    batched = int(math.prod(mask.shape[:-2]) != 1)
    whole = array_module(mask).broadcast_to(mask, (*lead, T, S) if batched else (*mask.shape[:-2], T, S))
    given = _ready(whole), whole.size
    return (B, T, S, D, given, None, batched) if mask.dtype.kind == "b" else (B, T, S, D, None, given, batched)


_ATTENTION_DTYPES = ("float32", "float16", "bfloat16")


def _can_attend(q: Any, k: Any, v: Any, mask: Any) -> bool:
    floats = [x for x in (q, k, v, mask) if x is not None and x.dtype.kind != "b"]
    if not (q.dtype == k.dtype == v.dtype and _all(x.dtype.name in _ATTENTION_DTYPES for x in floats)):
        return False
    fits = q.shape[-1] == v.shape[-1] <= LARGEST_HEAD and math.prod(q.shape[:-2]) <= MOST_BLOCKS_Y
    return bool(q.size and k.size and fits)


def _widened(x: Any) -> Any:
    return x if x is None or x.dtype.kind == "b" else x.astype("float32", copy=False)


def attention_fwd(q: Any, k: Any, v: Any, mask: Any, scale: float, causal: bool) -> tuple[Any, Any]:
    """(out, lse): out = softmax(scale q k^T) v, lse the log-sum-exp of each row of scores (+inf where none is seen)."""
    found = cudnn_attention.forward(q, k, v, scale, causal) if mask is None else None
    if found is not None:
        return found
    dtype = q.dtype
    q, k, v, mask = map(_widened, (q, k, v, mask))
    B, T, S, D, seen, added, batched = _attention_shapes(q, k, mask)
    out, lse = _new(q), _new(q, q.shape[:-1])
    launch("attention_fwd", (-(-T // _WARPS), B), (_ready(q), q.size), (_ready(k), k.size), (_ready(v), k.size), seen,
           added, (out, q.size), (lse, B * T), T, S, D, batched, causal, scale)  # fmt: skip
    return out.astype(dtype, copy=False), lse


def attention_bwd(
    dout: Any, q: Any, k: Any, v: Any, out: Any, lse: Any, mask: Any, scale: float, causal: bool
) -> tuple[Any, Any, Any]:
    """(dq, dk, dv), from probabilities worked out anew with lse."""
    found = cudnn_attention.backward(dout, q, k, v, out, lse, scale, causal) if mask is None else None
    if found is not None:
        return found
    dtype = q.dtype
    dout, q, k, v, out, mask = map(_widened, (dout, q, k, v, out, mask))
    B, T, S, D, seen, added, batched = _attention_shapes(q, k, mask)
    delta, dq, dk, dv = _new(q, B * T), _new(q), _new(k), _new(v)
    dout = _ready(dout), q.size
    launch("attention_delta", -(-B * T // _WARPS), dout, (_ready(out), q.size), (delta, B * T), B * T, D)
    arrays = dout, (_ready(q), q.size), (_ready(k), k.size), (_ready(v), k.size), seen, added, (lse, B * T)
    sizes = T, S, D, batched, causal, scale
    launch("attention_dq", (-(-T // _WARPS), B), *arrays, (delta, B * T), (dq, q.size), *sizes)
    launch("attention_dkv", (-(-S // _WARPS), B), *arrays, (delta, B * T), (dk, k.size), (dv, k.size), *sizes)
    return tuple(x.astype(dtype, copy=False) for x in (dq, dk, dv))  # type: ignore[return-value]
