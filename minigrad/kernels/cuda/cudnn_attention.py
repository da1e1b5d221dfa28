"""Attention in float16 and bfloat16 by cuDNN, where its Python frontend (package nvidia-cudnn-frontend) is installed.

A graph of one op is described and built for each shape, layout and scale, and kept: CUDA graphs hold on to its kernels.
It is run on the addresses of arrays, on the current stream, with a workspace that our pool gives, so that it can be
captured; a graph is never built while a stream captures. Causal attention, or without a mask; all else is declined, as
is what cuDNN itself declines, and gpu.py's own kernel takes it. Backward is asked to give the same bits every run.

Strides go into the graph: q, k and v may be slices of one projection, in any order of their leading axes.
"""

import functools
import math
import threading
import warnings
from typing import Any

from minigrad.backend import array_module
from minigrad.kernels.cuda import graph as captures

MOST_GRAPHS = 128  # a text of ever new lengths must not fill the memory: what comes later is declined
ALIGNMENT = 16  # bytes; of addresses and strides
FORWARD, BACKWARD = ("q", "k", "v"), ("q", "k", "v", "o", "dO", "stats")
OUTPUTS = {FORWARD: ("o", "stats"), BACKWARD: ("dQ", "dK", "dV")}
UIDS = {name: i + 1 for i, name in enumerate((*BACKWARD, *OUTPUTS[BACKWARD]))}
_TYPES = {"float16": "HALF", "bfloat16": "BFLOAT16"}

enabled = True  # torch.backends.cuda.enable_cudnn_sdp
_lock = threading.Lock()  # a handle is not to be used by two threads at once
_handles: dict[int, Any] = {}  # by device
_graphs: dict[tuple, Any] = {}  # (graph, bytes of workspace), or None where it was declined


@functools.cache
def library() -> Any:
    """The module `cudnn`, if it is there and finds the library that it is the frontend of; else None."""
    try:
        import cudnn

        cudnn.backend_version()
        return cudnn if hasattr(cudnn, "pygraph") else None
    except (ImportError, OSError, RuntimeError, AttributeError):  # RuntimeError: no libcudnn
        return None


def forward(q: Any, k: Any, v: Any, scale: float, causal: bool) -> tuple[Any, Any] | None:
    """(out, lse) as gpu.attention_fwd gives them; None where cuDNN does not take it."""
    if not _takes(q, k, v):
        return None
    xp = array_module(q)
    out, lse = xp.empty(q.shape, q.dtype), xp.empty(q.shape[:-1], "float32")
    found = {"q": _readable(q), "k": _readable(k), "v": _readable(v), "o": _four(out), "stats": _statistics(lse)}
    return (out, lse) if _run(FORWARD, found, scale, causal) else None


def backward(
    dout: Any, q: Any, k: Any, v: Any, out: Any, lse: Any, scale: float, causal: bool
) -> tuple[Any, Any, Any] | None:
    """(dq, dk, dv); None where cuDNN does not take it."""
    if not _takes(q, k, v):
        return None
    xp = array_module(q)
    gradients = tuple(xp.empty(x.shape, x.dtype) for x in (q, k, v))
    inputs = _readable(q), _readable(k), _readable(v), _readable(out), _readable(dout), _statistics(lse)
    found = dict(zip((*BACKWARD, *OUTPUTS[BACKWARD]), (*inputs, *map(_four, gradients)), strict=True))
    return gradients if _run(BACKWARD, found, scale, causal) else None


def _takes(q: Any, k: Any, v: Any) -> bool:
    """One query alone is quicker done by our kernel than a graph is built, for each length of what it looks at."""
    alike = q.dtype == k.dtype == v.dtype and q.shape[-1] == v.shape[-1]
    fits = q.dtype.name in _TYPES and q.shape[-2] > 1 and q.shape[-1] % 8 == 0
    return enabled and alike and fits and library() is not None


# ---------------------------------------------------------------- arrays


def _four(x: Any) -> Any:
    """(B, H, T, D) of (..., T, D): no copy of a contiguous array."""
    if x.ndim == 4:
        return x
    heads = x.shape[-3] if x.ndim > 2 else 1
    return x.reshape((math.prod(x.shape[:-3]), heads, *x.shape[-2:]))


def _statistics(lse: Any) -> Any:
    """(B, H, T, 1) of (..., T)."""
    return _four(array_module(lse).ascontiguousarray(lse).reshape((*lse.shape, 1)))


def _readable(x: Any) -> Any:
    """The array in four axes, itself where its layout is one that cuDNN reads."""
    x = _four(x)
    steps = [step for step, n in zip(x.strides[:-1], x.shape[:-1], strict=True) if n > 1]
    fits = x.strides[-1] == x.dtype.itemsize and x.data.ptr % ALIGNMENT == 0
    return x if fits and all(s > 0 and s % ALIGNMENT == 0 for s in steps) else array_module(x).ascontiguousarray(x)


def _layout(x: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(dim, stride), strides in entries; of an axis of one as in a contiguous array, as it may say anything."""
    steps = [step // x.dtype.itemsize for step in x.strides]
    return tuple(x.shape), tuple(math.prod(x.shape[i + 1 :]) if n == 1 else steps[i] for i, n in enumerate(x.shape))


# ---------------------------------------------------------------- graphs


def _run(kind: tuple[str, ...], arrays: dict[str, Any], scale: float, causal: bool) -> bool:
    """Compute the outputs among the arrays; False where that is declined."""
    q = arrays["q"]
    layouts = {name: _layout(x) for name, x in arrays.items()}
    key = q.device.id, kind, q.dtype.name, tuple(layouts.values()), scale, bool(causal)
    cudnn, xp = library(), array_module(q)
    with _lock:
        if key not in _graphs:
            if captures.recording is not None or len(_graphs) >= MOST_GRAPHS:
                return False
            _graphs[key] = _built_or_none(cudnn, kind, layouts, q, scale, causal)
        if _graphs[key] is None:
            return False
        graph, size = _graphs[key]
        handle, workspace = _handle(cudnn, q.device.id), xp.empty(max(size, 1), "uint8")
        cudnn.set_stream(handle=handle, stream=xp.cuda.get_current_stream().ptr)
        addresses = {UIDS[name]: int(x.data.ptr) for name, x in arrays.items()}
        graph.execute(addresses, int(workspace.data.ptr), handle=handle)
    return True


def _handle(cudnn: Any, device: int) -> Any:
    if device not in _handles:
        _handles[device] = cudnn.create_handle()
    return _handles[device]


def _built_or_none(cudnn: Any, kind: tuple, layouts: dict, q: Any, scale: float, causal: bool) -> Any:
    try:
        graph = _described(cudnn, kind, layouts, q, scale, causal)
        _build(cudnn, graph)
        return graph, graph.get_workspace_size()
    except cudnn.cudnnGraphNotSupportedError:
        return None
    except Exception as error:  # of another version, say: attention goes on without it, and the reason is told
        warnings.warn(
            f"attention is computed without cuDNN, whose graph could not be built: {type(error).__name__}: {error}. To "
            "do without it from the start: torch.backends.cuda.enable_cudnn_sdp(False)",
            stacklevel=2,
        )
        return None


def _described(cudnn: Any, kind: tuple, layouts: dict, q: Any, scale: float, causal: bool) -> Any:
    types = cudnn.data_type
    short = getattr(types, _TYPES[q.dtype.name])
    graph = cudnn.pygraph(
        io_data_type=short, intermediate_data_type=types.FLOAT, compute_data_type=types.FLOAT,
        handle=_handle(cudnn, q.device.id),
    )  # fmt: skip

    def data_type(name: str) -> Any:
        return types.FLOAT if name == "stats" else short

    given = {}
    for name in kind:
        dim, stride = layouts[name]
        given[name] = graph.tensor(
            dim=list(dim), stride=list(stride), data_type=data_type(name), uid=UIDS[name], name=name
        )
    # Key j is seen by query i where j - i <= 0.
    band = {"diagonal_alignment": cudnn.diagonal_alignment.TOP_LEFT, "diagonal_band_right_bound": 0} if causal else {}
    if kind is FORWARD:
        made = graph.sdpa(name="attention", **given, attn_scale=scale, generate_stats=True, **band)
    else:
        made = graph.sdpa_backward(
            name="attention_backward", **given, attn_scale=scale, use_deterministic_algorithm=True, **band
        )
    for name, tensor in zip(OUTPUTS[kind], made, strict=True):
        dim, stride = layouts[name]
        tensor.set_output(True).set_dim(list(dim)).set_stride(list(stride))
        tensor.set_data_type(data_type(name)).set_uid(UIDS[name])
    return graph


def _build(cudnn: Any, graph: Any) -> None:
    """Build the first plan of the library itself that can be: newer frontends rank among them engines in Python, which
    compile when they are first run.
    """
    graph.validate()
    graph.build_operation_graph()
    graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
    if not hasattr(graph, "plans"):
        graph.check_support()
        graph.build_plans()
        return
    refused: Exception = cudnn.cudnnGraphNotSupportedError("the library itself has no plan")
    for i in range(len(graph.plans)):
        graph.select_plan(i)
        if graph.selected_engine is None:
            try:
                graph.check_support()
                graph.build_plans()
                return
            except cudnn.cudnnGraphNotSupportedError as error:
                refused = error
    raise refused
