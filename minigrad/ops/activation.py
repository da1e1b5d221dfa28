"""Activations: ops that bend each entry on its own.

Each keeps one array, and its rule is built from ops, so that it can be differentiated again. At a kink the derivative
is PyTorch's: relu'(0) = 0, leaky_relu'(0) = the slope, hardtanh' = 0 at both bounds. A nan passes through.
"""

import math

from minigrad.backend import kernels_of
from minigrad.op import op
from minigrad.ops.comparison import (
    logical_and,
    logical_or,
)
from minigrad.ops.elementwise import (
    add,
    clamp,
    div,
    mul,
    where,
)
from minigrad.ops.transcendental import (
    exp,
    expm1,
    sigmoid,
    tanh,
)

# ---------------------------------------------------------------- rectifiers


@op(promotion="real")
def relu(x):
    """max(x, 0); the derivative at 0 is 0."""
    if x.dtype.kind == "b":
        raise RuntimeError("relu: Boolean inputs not supported for relu; convert the tensor with .float()")
    return kernels_of(x).relu(x)


@relu.vjp
def relu_vjp(dy, y):
    return relu_backward(dy, y)


@op
def relu_backward(gradient, output):
    """The gradient where relu's output > 0 (or is nan), else 0: from the gradient of the output to the input's."""
    return kernels_of(gradient).relu_backward(gradient, output)


@relu_backward.vjp
def relu_backward_vjp(dy, output, needs):  # linear in the gradient; a step function of the output
    return relu_backward(dy, output) if needs[0] else None, None


@op(promotion="real")
def leaky_relu(x, *, negative_slope):
    """x where x > 0, else negative_slope x."""
    return where(x > 0, x, mul(x, negative_slope))


@leaky_relu.vjp
def leaky_relu_vjp(dy, x, negative_slope):
    return where(x > 0, dy, dy * negative_slope)


@op(promotion="real")
def prelu(x, weight):
    """x where x > 0, else weight x, with a weight that is learned; it broadcasts to x."""
    return where(x > 0, x, mul(x, weight))


@prelu.vjp
def prelu_vjp(dy, x, weight, needs):
    dx = where(x > 0, dy, dy * weight) if needs[0] else None
    return dx, where(x > 0, 0.0, dy * x) if needs[1] else None


@op(promotion="real")
def threshold(x, *, threshold, value):
    """x where x > threshold, else value."""
    return where(x <= threshold, value, x)


@threshold.vjp
def threshold_vjp(dy, x, threshold):
    return where(x <= threshold, 0.0, dy)


@op(promotion="real")
def elu(x, *, alpha, scale, input_scale):
    """scale x where x > 0, else scale alpha (exp(input_scale x) - 1): elu, selu and celu by their constants."""
    below = where(x <= 0, x, 0.0)  # exp of a large x would be inf
    return where(x <= 0, mul(expm1(mul(below, input_scale)), alpha * scale), mul(x, scale))


@elu.vjp
def elu_vjp(dy, x, alpha, scale, input_scale):
    below = where(x <= 0, x, 0.0)
    return dy * where(x <= 0, exp(below * input_scale) * (alpha * scale * input_scale), scale)


# ---------------------------------------------------------------- smooth ones


@op(promotion="real")
def gelu(x):
    """x cdf(x), with the cdf of the normal distribution, (1 + erf(x / sqrt 2)) / 2. Source: arXiv:1606.08415."""
    return kernels_of(x).gelu(x)


@gelu.vjp
def gelu_vjp(dy, x):
    return gelu_backward(dy, x)


@op
def gelu_backward(gradient, x):
    """gradient (cdf(x) + x pdf(x)), with pdf(x) = exp(-x^2 / 2) / sqrt(2 pi): from gelu's output to its input."""
    return kernels_of(x).gelu_backward(gradient, x)


@gelu_backward.vjp
def gelu_backward_vjp(dy, gradient, x, needs):  # pdf' = -x pdf, so (cdf + x pdf)' = (2 - x^2) pdf
    return (
        gelu_backward(dy, x) if needs[0] else None,
        dy * gradient * ((2 - x * x) * exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))) if needs[1] else None,
    )


_TANH_SCALE, _TANH_CUBE = math.sqrt(2 / math.pi), 0.044715


@op(promotion="real")
def gelu_tanh(x):
    """x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2: GELU as GPT-2 computes it, within 5e-4 of the exact one."""
    inner = mul(add(mul(mul(x, x), _TANH_CUBE), 1), mul(x, _TANH_SCALE))
    return mul(mul(add(tanh(inner), 1), 0.5), x)


@gelu_tanh.vjp
def gelu_tanh_vjp(dy, x):
    square = x * x
    bent = tanh((square * _TANH_CUBE + 1) * (x * _TANH_SCALE))
    slope = (square * (3 * _TANH_CUBE) + 1) * _TANH_SCALE
    return dy * (0.5 * (bent + 1) + 0.5 * x * (1 - bent * bent) * slope)


@op(promotion="real")
def silu(x):
    """x sigmoid(x), also called swish. Source: arXiv:1702.03118."""
    return kernels_of(x).silu(x)


@silu.vjp
def silu_vjp(dy, x):
    return silu_backward(dy, x)


@op
def silu_backward(gradient, x):
    """gradient s (1 + x (1 - s)), s = sigmoid(x): from silu's output to its input."""
    return kernels_of(x).silu_backward(gradient, x)


@silu_backward.vjp
def silu_backward_vjp(dy, gradient, x, needs):  # s' = s (1 - s), so the slope's is s (1 - s) (2 + x (1 - 2 s))
    gate = sigmoid(x)
    return (
        silu_backward(dy, x) if needs[0] else None,
        dy * gradient * (gate * (1 - gate) * ((1 - 2 * gate) * x + 2)) if needs[1] else None,
    )


@op(promotion="real")
def mish(x):
    """x tanh(log(1 + exp(x))). Source: arXiv:1908.08681."""
    return x * kernels_of(x).tanh(kernels_of(x).softplus(x))


@mish.vjp
def mish_vjp(dy, x):
    bent = tanh(softplus(x, beta=1.0, threshold=math.inf))
    return dy * (bent + x * sigmoid(x) * (1 - bent * bent))


@op(promotion="real")
def softplus(x, *, beta, threshold):
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold."""
    scaled = mul(x, beta)
    return where(scaled > threshold, x, div(kernels_of(x).softplus(scaled), beta))


@softplus.vjp
def softplus_vjp(dy, x, beta, threshold):
    scaled = x * beta
    return where(scaled > threshold, dy, dy * sigmoid(scaled))


@op(promotion="real")
def logsigmoid(x):
    """log(sigmoid(x)) = -log(1 + exp(-x)), without overflow."""
    return -kernels_of(x).softplus(-x)


@logsigmoid.vjp
def logsigmoid_vjp(dy, x):
    return dy * sigmoid(-x)


# ---------------------------------------------------------------- straight pieces


@op(promotion="real")
def hardtanh(x, *, low, high):
    """x cut to [low, high]; the derivative is 0 at and beyond both bounds."""
    return clamp(x, low, high)


@hardtanh.vjp
def hardtanh_vjp(dy, x, low, high):
    return where(logical_or(x <= low, x >= high), 0.0, dy)


@op(promotion="real")
def hardsigmoid(x):
    """min(max(x + 3, 0), 6) / 6. Source: arXiv:1905.02244."""
    return div(clamp(add(x, 3), 0, 6), 6)


@hardsigmoid.vjp
def hardsigmoid_vjp(dy, x):
    return where(logical_and(x > -3, x < 3), dy / 6, 0.0)


@op(promotion="real")
def hardswish(x):
    """x min(max(x + 3, 0), 6) / 6. Source: arXiv:1905.02244."""
    return div(mul(x, clamp(add(x, 3), 0, 6)), 6)


@hardswish.vjp
def hardswish_vjp(dy, x):
    return where(x <= -3, 0.0, where(x < 3, dy * (x / 3 + 0.5), dy))
