"""How many floating-point operations an op takes.

Products and convolutions are counted, each multiply-add as two, biases not: as PyTorch's flop counter does. Everything
else grows with the size of its output only and is left out. Papers often give multiply-adds, half of these numbers.
"""

import math
from collections.abc import Callable
from typing import Any

from minigrad.op import Op
from minigrad.tensor import Tensor
from minigrad.viz.watching import watching

Shape = tuple[int, ...]


def _matmul(a: Shape, b: Shape, params: dict, out: Shape) -> int:
    return math.prod(out) * a[-1]


def _linear(x: Shape, weight: Shape, bias: Any, params: dict, out: Shape) -> int:
    return math.prod(out) * x[-1]


def _conv(x: Shape, weight: Shape, bias: Any, params: dict, out: Shape) -> int:
    return math.prod(out) * math.prod(weight[1:])  # weight (O, C / groups, kernel): each output sees that many numbers


def _conv_transpose(x: Shape, weight: Shape, bias: Any, params: dict, out: Shape) -> int:
    return math.prod(x) * math.prod(weight[1:])  # weight (C, O / groups, kernel): each input goes to that many numbers


def _attention(q: Shape, k: Shape, v: Shape, mask: Any, params: dict, out: Shape) -> int:
    return math.prod(q[:-1]) * k[-2] * (q[-1] + v[-1])  # q k^T, and the weights times v


def _lstm(gates: Shape, h: Shape, c: Shape, weight: Shape, params: dict, out: Shape) -> int:
    return gates[0] * math.prod(weight)  # a row of gates for each step of each sequence


def _rnn(gates: Shape, h: Shape, weight: Shape, *others: Any) -> int:
    return gates[0] * math.prod(weight)


MULTIPLY_ADDS: dict[str, Callable[..., int]] = {
    "matmul": _matmul,
    "linear": _linear,
    "linear_activation": _linear,
    "conv2d": _conv,
    "conv_transpose2d": _conv_transpose,
    "attention": _attention,
    "rnn": _rnn,
    "lstm": _lstm,
    "gru": _rnn,
}


def flops_of(op: Op, inputs: tuple, params: dict, output: Any) -> int:
    """The floating-point operations of one call, 0 for an op that is not counted."""
    out = output[0] if type(output) is tuple else output
    if op.name == "quantized_linear":
        return 2 * out.numel() * inputs[0].shape[-1]
    rule = MULTIPLY_ADDS.get(op.name)
    return 0 if rule is None else 2 * rule(*[_shape(x) for x in inputs], params, tuple(out.shape))


def _shape(x: Any) -> Shape | None:
    return tuple(x.shape) if hasattr(x, "shape") else None


def count_flops(function: Callable[..., Any], *inputs: Any) -> int:
    """The floating-point operations of `function(*inputs)`, a model or any function of Tensors, forward only.

    TypeError where no input is a Tensor.
    """
    if not any(isinstance(x, Tensor) for x in inputs):
        raise TypeError(f"count_flops runs the function on Tensors, got {', '.join(type(x).__name__ for x in inputs)}")
    total = 0

    def add(*call: Any) -> None:
        nonlocal total
        total += flops_of(*call)

    with watching(add):
        function(*inputs)
    return total
