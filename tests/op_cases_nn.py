"""The table of ops, neural networks: activations, softmax, layers, attention, padding (and losses,
from their own file).

The oracles are the formulas again, in NumPy and as plainly as they can be written: sums over rows, loops over labels.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import op_cases_loss
from case import Case
from makers import away_from, booleans, values

from minigrad import ops
from minigrad.nn import functional as F

erf = np.vectorize(math.erf, otypes=[float])


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softmax(x: Any, dim: int) -> Any:
    e = np.exp(x - x.max(axis=dim, keepdims=True))
    return e / e.sum(axis=dim, keepdims=True)


def log_softmax(x: Any, dim: int) -> Any:
    return np.log(softmax(x, dim))


# ---------------------------------------------------------------- activations: (name, oracle, kinks, parameters)

ACTIVATIONS: list[tuple[str, Callable, tuple, dict]] = [
    ("relu", lambda x: np.maximum(x, 0), (0,), {}),
    ("leaky_relu", lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x), (0,), {}),
    ("leaky_relu", lambda x, negative_slope: np.where(x > 0, x, negative_slope * x), (0,), {"negative_slope": 0.2}),
    (
        "threshold",
        lambda x, threshold, value: np.where(x > threshold, x, value),
        (0.3,),
        {"threshold": 0.3, "value": 7.0},
    ),
    ("elu", lambda x: np.where(x > 0, x, np.exp(x) - 1), (0,), {}),
    ("elu", lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(x) - 1)), (0,), {"alpha": 0.6}),
    ("selu", lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1)), (0,), {}),
    ("celu", lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(x / alpha) - 1)), (0,), {"alpha": 0.6}),
    ("gelu", lambda x: x * (1 + erf(x / math.sqrt(2))) / 2, (), {}),
    (
        "gelu",
        lambda x, approximate: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        (),
        {"approximate": "tanh"},
    ),
    ("silu", lambda x: x * sigmoid(x), (), {}),
    ("mish", lambda x: x * np.tanh(np.log(1 + np.exp(x))), (), {}),
    ("softplus", lambda x: np.log(1 + np.exp(x)), (), {}),
    (
        "softplus",
        lambda x, beta, threshold: np.where(beta * x > threshold, x, np.log(1 + np.exp(beta * x)) / beta),
        (1.5,),
        {"beta": 2.0, "threshold": 3.0},
    ),
    ("hardtanh", lambda x: np.clip(x, -1, 1), (-1, 1), {}),
    (
        "hardtanh",
        lambda x, min_val, max_val: np.clip(x, min_val, max_val),
        (-0.5, 2),
        {"min_val": -0.5, "max_val": 2.0},
    ),
    ("relu6", lambda x: np.clip(x, 0, 6), (0, 6), {}),
    ("hardsigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1), (-3, 3), {}),
    ("hardswish", lambda x: x * np.clip(x / 6 + 0.5, 0, 1), (-3, 3), {}),
    ("logsigmoid", lambda x: -np.log(1 + np.exp(-x)), (), {}),
    ("softsign", lambda x: x / (1 + np.abs(x)), (0,), {}),
    ("tanhshrink", lambda x: x - np.tanh(x), (), {}),
    ("sigmoid", sigmoid, (), {}),
    ("tanh", np.tanh, (), {}),
]


def activation_cases() -> list[Case]:
    cases = []
    for name, oracle, kinks, params in ACTIVATIONS:
        for shape in ((3, 4), (), (0, 3)):
            note = f"{', '.join(map(str, params.values())) or 'defaults'}, {shape}"
            maker = away_from(kinks, shape, -8.0, 8.0)
            function = getattr(F, name)
            cases.append(Case(f"nn.functional.{name}", function, (maker,), params, oracle=oracle, note=note))
    return cases


def glu(x: Any, dim: int) -> Any:
    a, b = np.split(x, 2, axis=dim)
    return a * sigmoid(b)


def prelu(x: Any, weight: Any) -> Any:
    shaped = weight if weight.size == 1 else weight.reshape([-1 if i == 1 else 1 for i in range(x.ndim)])
    return np.where(x > 0, x, shaped * x)


GATED = [
    Case("nn.functional.glu", F.glu, ((3, 4),), {"dim": -1}, oracle=glu),
    Case("nn.functional.glu", F.glu, ((2, 3, 2),), {"dim": 0}, oracle=glu, note="first dim"),
    Case("nn.functional.prelu", F.prelu, (away_from([0], (3, 4)), (1,)), oracle=prelu, note="one slope"),
    Case("nn.functional.prelu", F.prelu, (away_from([0], (2, 3, 4)), (3,)), oracle=prelu, note="one a channel"),
    Case("gelu_backward", ops.gelu_backward, ((3, 4), (3, 4)), oracle=lambda g, x: g * (
        (1 + erf(x / math.sqrt(2))) / 2 + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi))),
    Case("silu_backward", ops.silu_backward, ((3, 4), (3, 4)),
         oracle=lambda g, x: g * sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
    *(
        Case("linear_activation", F.linear_activation, ((2, 3, 4), (5, 4), (5,) if biased else None),
             {"activation": name}, note=name, oracle=lambda x, w, b, activation: {
                 "relu": lambda z: np.maximum(z, 0), "gelu": lambda z: z * (1 + erf(z / math.sqrt(2))) / 2,
                 "silu": lambda z: z * sigmoid(z)}[activation](x @ w.T + (0 if b is None else b)))
        for name, biased in (("relu", True), ("gelu", True), ("silu", False))
    ),
]  # fmt: skip


# ---------------------------------------------------------------- softmax


def softmax_backward(g: Any, p: Any, dim: int) -> Any:
    return p * (g - (g * p).sum(axis=dim, keepdims=True))


def log_softmax_backward(g: Any, log_p: Any, dim: int) -> Any:
    return g - np.exp(log_p) * g.sum(axis=dim, keepdims=True)


SOFTMAX = [
    case
    for dim in (0, 1, -1)
    for case in (
        Case("softmax", F.softmax, ((2, 3, 4),), {"dim": dim}, oracle=softmax, note=f"dim {dim}"),
        Case("log_softmax", F.log_softmax, ((2, 3, 4),), {"dim": dim}, oracle=log_softmax, note=f"dim {dim}"),
        Case("softmax_backward", ops.softmax_backward, ((2, 3, 4), (2, 3, 4)), {"dim": dim}, oracle=softmax_backward,
             note=f"dim {dim}"),
        Case("log_softmax_backward", ops.log_softmax_backward, ((2, 3, 4), (2, 3, 4)), {"dim": dim},
             oracle=log_softmax_backward, note=f"dim {dim}"),
    )
] + [
    Case("softmax", F.softmax, ((),), {"dim": 0}, oracle=lambda x, dim: np.ones(()), note="0-d"),
    Case("softmax", F.softmax, ((0, 3),), {"dim": 1}, oracle=lambda x, dim: x, note="no rows"),
    Case("softmax", F.softmax, ((3, 0),), {"dim": 1}, oracle=lambda x, dim: x, note="empty rows"),
    Case("softmax", F.softmax, ((3, 5),), {"dim": 1}, low=700, high=1500, oracle=softmax, note="large"),
    Case("log_softmax", F.log_softmax, ((),), {"dim": 0}, oracle=lambda x, dim: np.zeros(()), note="0-d"),
    Case("log_softmax", F.log_softmax, ((3, 0),), {"dim": 1}, oracle=lambda x, dim: x, note="empty rows"),
    Case("nn.functional.softmin", F.softmin, ((3, 4),), {"dim": 1}, oracle=lambda x, dim: softmax(-x, dim)),
]  # fmt: skip


# ---------------------------------------------------------------- layers


def linear(x: Any, weight: Any, bias: Any = 0.0) -> Any:
    return x @ weight.T + bias


def embedding(ids: Any, weight: Any, padding_idx: Any = None) -> Any:
    return weight[ids]


def scattered(x: Any, ids: Any, rows: int, padding_idx: int) -> Any:
    y = np.zeros((rows, x.shape[-1]))
    for i, row in zip(ids.reshape(-1), x.reshape(-1, x.shape[-1]), strict=True):
        y[i] += row if i != padding_idx else 0
    return y


def layer_norm(x: Any, *parameters: Any, normalized_shape: tuple[int, ...], eps: float = 1e-5) -> Any:
    axes = tuple(range(-len(normalized_shape), 0))
    y = (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + eps)
    for parameter, combine in zip(parameters, (np.multiply, np.add), strict=False):
        y = combine(y, parameter)
    return y


def rms_norm(x: Any, weight: Any = 1.0, *, normalized_shape: tuple[int, ...], eps: float = 2.0**-52) -> Any:
    axes = tuple(range(-len(normalized_shape), 0))
    return x / np.sqrt((x * x).mean(axis=axes, keepdims=True) + eps) * weight


def norm_of(function: Callable) -> Callable:
    """F's norm with all but the tensors by keyword."""
    return lambda x, *parameters, normalized_shape, **options: function(x, normalized_shape, *parameters, **options)


def one_hot(ids: Any, num_classes: int = 4) -> Any:
    return np.eye(num_classes, dtype="int64")[ids]


IDS = np.array([[1, 0, 2], [2, 2, 3]])
MASK = np.array([[2.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 0.0], [2.0, 2.0, 0.0, 2.0]])
LAYERS = [
    Case("nn.functional.linear", F.linear, ((5, 3), (4, 3), (4,)), oracle=linear),
    Case("nn.functional.linear", F.linear, ((2, 5, 3), (4, 3)), oracle=linear, note="3-d, no bias"),
    Case("nn.functional.linear", F.linear, ((3,), (4, 3), (4,)), oracle=linear, note="a vector"),
    Case("nn.functional.linear", F.linear, ((5, 3), (3,)), oracle=linear, note="one output"),
    Case("nn.functional.linear", F.linear, ((0, 3), (4, 3), (4,)), oracle=linear, note="no rows"),
    Case("nn.functional.linear", F.linear, ((2, 0), (4, 0), (4,)), oracle=linear, note="no columns"),
    Case("nn.functional.bilinear", F.bilinear, ((2, 3), (2, 4), (5, 3, 4), (5,)),
         oracle=lambda a, b, w, c: np.einsum("zn,onm,zm->zo", a, w, b) + c),
    Case("quantized_linear", ops.quantized_linear, ((2, 3, 4), (5,)),
         {"weight": np.arange(-10, 10, dtype=np.int8).reshape(5, 4), "scale": np.linspace(0.1, 0.5, 5)},
         oracle=lambda x, b, weight, scale: x @ (weight * scale[:, None]).T + b),
    Case("quantized_linear_input", ops.quantized_linear_input, ((2, 3, 5),),
         {"weight": np.arange(-10, 10, dtype=np.int8).reshape(5, 4), "scale": np.linspace(0.1, 0.5, 5)},
         oracle=lambda x, weight, scale: x @ (weight * scale[:, None])),
    Case("nn.functional.embedding", F.embedding, (values(IDS), (4, 3)), oracle=embedding),
    Case("nn.functional.embedding", F.embedding, (values([3, 3, 0]), (4, 3)), oracle=embedding, note="1-d ids"),
    Case("nn.functional.embedding", F.embedding, (values([], "int64"), (4, 3)), oracle=embedding, note="no ids"),
    Case("add_into_rows", ops.add_into_rows, ((2, 3, 4),), {"ids": IDS, "rows": 5, "padding_idx": 2}, oracle=scattered),
    Case("nn.functional.one_hot", F.one_hot, (values(IDS),), oracle=one_hot, gradient=False),
    Case("nn.functional.one_hot", F.one_hot, (values(IDS),), {"num_classes": 6}, oracle=one_hot, gradient=False,
         note="6"),
    Case("nn.functional.dropout", ops.dropout, ((3, 4),), {"mask": MASK}, oracle=lambda x, mask: x * mask),
    *(
        Case("add_layer_norm", lambda x, r, w, b: F.add_layer_norm(x, r, x.shape[-1:], w, b), inputs, note=note,
             oracle=lambda x, r, w, b: layer_norm(x + r, w, b, normalized_shape=(4,)))
        for note, inputs in (("rows", ((5, 4), (5, 4), (4,), (4,))), ("broadcast", ((2, 5, 4), (5, 4), (4,), (4,))))
    ),
    Case("add_rms_norm", lambda x, r, w: F.add_rms_norm(x, r, (4,), w, 1e-5), ((5, 4), (5, 4), (4,)),
         oracle=lambda x, r, w: (x + r) / np.sqrt(((x + r) ** 2).mean(-1, keepdims=True) + 1e-5) * w),
    *(
        Case("nn.functional.layer_norm", norm_of(F.layer_norm), inputs, {"normalized_shape": shape, **more},
             oracle=layer_norm, note=note)
        for note, inputs, shape, more in (
            ("weight and bias", ((5, 4), (4,), (4,)), (4,), {}),
            ("weight", ((2, 3, 4), (4,)), (4,), {"eps": 0.1}),
            ("plain", ((5, 4),), (4,), {}),
            ("two axes", ((2, 3, 4), (3, 4), (3, 4)), (3, 4), {}),
            ("no rows", ((0, 4), (4,), (4,)), (4,), {}),
        )
    ),
    *(
        Case("nn.functional.rms_norm", norm_of(F.rms_norm), inputs, {"normalized_shape": shape, **more},
             oracle=rms_norm, note=note)
        for note, inputs, shape, more in (
            ("weight", ((5, 4), (4,)), (4,), {}),
            ("plain", ((2, 3, 4),), (4,), {"eps": 0.1}),
            ("two axes", ((2, 3, 4), (3, 4)), (3, 4), {}),
            ("no rows", ((0, 4), (4,)), (4,), {}),
        )
    ),
]  # fmt: skip


# ---------------------------------------------------------------- attention


def attention(q: Any, k: Any, v: Any, attn_mask: Any = None, is_causal: bool = False, scale: Any = None) -> Any:
    scores = q @ np.swapaxes(k, -1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    seen = np.tril(np.ones(scores.shape[-2:], bool)) if is_causal else np.ones(scores.shape[-2:], bool)
    if attn_mask is not None:
        seen = attn_mask if attn_mask.dtype == bool else seen
        scores = scores if attn_mask.dtype == bool else scores + attn_mask
    e = np.where(seen, np.exp(scores - scores.max(axis=-1, keepdims=True)), 0)
    total = e.sum(axis=-1, keepdims=True)  # over the keys
    return e / np.where(total == 0, 1, total) @ v


def heads_shared(q: Any, k: Any, v: Any, enable_gqa: bool) -> Any:
    repeats = q.shape[-3] // k.shape[-3]
    return attention(q, np.repeat(k, repeats, axis=-3), np.repeat(v, repeats, axis=-3))


QKV = ((2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 2))
PARTLY_BLIND = np.array([[1, 0, 1, 1, 0, 1], [0] * 6, [0, 0, 0, 0, 0, 1], [1] * 6, [1, 1, 0, 0, 0, 0]]) == 1


def attention_case(note: str, *inputs: Any, oracle: Callable = attention, **params: Any) -> Case:
    name = "scaled_dot_product_attention"
    return Case(f"nn.functional.{name}", getattr(F, name), inputs, params, oracle=oracle, note=note)


ATTENTION = [
    attention_case("plain", *QKV),
    attention_case("causal", *QKV, is_causal=True),
    attention_case("causal, more queries", (6, 3), (4, 3), (4, 3), is_causal=True),
    attention_case("scale", *QKV, scale=0.3),
    attention_case("boolean mask", *QKV, booleans((2, 1, 5, 6))),
    attention_case("a row sees nothing", *QKV, values(PARTLY_BLIND)),
    attention_case("added mask", *QKV, (5, 6)),
    attention_case("broadcast", (2, 3, 5, 4), (3, 6, 4), (1, 6, 4)),
    attention_case("one query", (1, 4), (6, 4), (6, 4)),
    attention_case("no queries", (2, 0, 4), (2, 6, 4), (2, 6, 4)),
    attention_case("shared heads", (2, 4, 5, 3), (2, 2, 5, 3), (2, 2, 5, 3), oracle=heads_shared, enable_gqa=True),
    Case(
        "hide_future",
        ops.hide_future,
        ((2, 4, 3),),
        oracle=lambda x: np.where(np.tri(4, 3), x, -np.inf),
        gradient=False,
    ),
]


# ---------------------------------------------------------------- padding


def padded(x: Any, pad: Any, mode: str = "constant", value: float = 0.0) -> Any:
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + [tuple(pad[i : i + 2]) for i in range(len(pad) - 2, -1, -2)]
    if mode == "constant":
        return np.pad(x, pairs, constant_values=value)
    return np.pad(x, pairs, mode={"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode])


PADDING = [
    Case("nn.functional.pad", F.pad, ((2, 3, 4),), {"pad": (1, 2, 0, 3), "value": 1.5}, oracle=padded, note="constant"),
    Case("nn.functional.pad", F.pad, ((3, 0),), {"pad": (1, 1)}, oracle=padded, note="nothing inside"),
    Case("nn.functional.pad", F.pad, ((3, 5),), {"pad": (-1, 2, 1, -2)}, note="cropped",
         oracle=lambda x, pad: np.pad(x[:1, 1:], ((1, 0), (0, 2)))),
    *(
        Case("nn.functional.pad", F.pad, (shape,), {"pad": pad, "mode": mode}, oracle=padded,
             note=f"{mode}, {len(pad) // 2} of {len(shape)} dims")
        for mode in ("reflect", "replicate", "circular")
        for shape, pad in (((3, 4), (3, 2)), ((2, 3, 5, 4), (1, 2, 0, 3)), ((2, 3, 3, 3), (1, 1, 2, 0, 0, 2)))
    ),
]  # fmt: skip

CASES = [*activation_cases(), *GATED, *SOFTMAX, *LAYERS, *ATTENTION, *PADDING, *op_cases_loss.CASES]
