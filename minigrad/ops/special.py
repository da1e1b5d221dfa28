"""Special functions by entry: inverse hyperbolic, error and gamma functions, logarithms of sums; and of integers.

Derivatives at the edges are PyTorch's: sinc'(0) = 0, x log y has the gradient 0 by x where x = 0, hypot' at 0 is nan.
"""

import math
from typing import Any

from minigrad.backend import kernels_of
from minigrad.dtype import is_floating
from minigrad.op import op
from minigrad.ops.comparison import eq, ge, isnan, kernels_of_any, le, logical_and, logical_or
from minigrad.ops.elementwise import clamp, div, mul, neg, sub, where, zeros_as
from minigrad.ops.transcendental import exp, log, log1p, power, rsqrt, sigmoid, sin
from minigrad.return_types import RETURN_TYPES
from minigrad.tensor import Tensor

# ---------------------------------------------------------------- inverse hyperbolic functions


@op(promotion="float")
def acosh(x):
    """The y >= 0 with cosh(y) = x; nan below 1."""
    return kernels_of(x).acosh(x)


@acosh.vjp
def acosh_vjp(dy, x):
    return dy * rsqrt(x * x - 1)


@op(promotion="float")
def asinh(x):
    """The y with sinh(y) = x."""
    return kernels_of(x).asinh(x)


@asinh.vjp
def asinh_vjp(dy, x):
    return dy * rsqrt(x * x + 1)


@op(promotion="float")
def atanh(x):
    """The y with tanh(y) = x: inf at 1, nan outside [-1, 1]."""
    return kernels_of(x).atanh(x)


@atanh.vjp
def atanh_vjp(dy, x):
    return dy / (1 - x * x)


# ---------------------------------------------------------------- error and gamma functions


@op(promotion="float")
def erfc(x):
    """1 - erf(x), exact for large x too."""
    return kernels_of(x).erfc(x)


@erfc.vjp
def erfc_vjp(dy, x):
    return dy * (-2 / math.sqrt(math.pi) * exp(-x * x))


@op(promotion="float")
def erfinv(x):
    """The y with erf(y) = x, for x in [-1, 1]."""
    return kernels_of(x).erfinv(x)


@erfinv.vjp
def erfinv_vjp(dy, y):
    return dy * (math.sqrt(math.pi) / 2 * exp(y * y))


@op(promotion="float")
def lgamma(x):
    """log |Gamma(x)|; (n - 1)! is exp(lgamma(n))."""
    return kernels_of(x).lgamma(x)


@lgamma.vjp
def lgamma_vjp(dy, x):
    return dy * digamma(x)


@op(promotion="float")
def digamma(x):
    """The derivative of lgamma."""
    return kernels_of(x).digamma(x)


@digamma.vjp
def digamma_vjp(dy, x):
    return dy * polygamma_of(x, order=1)


@op(promotion="float")
def polygamma_of(x, *, order):
    """The derivative of digamma of an order of 1 or more."""
    return kernels_of(x).polygamma(x, order)


@polygamma_of.vjp
def polygamma_of_vjp(dy, x, order):
    return dy * polygamma_of(x, order=order + 1)


def polygamma(n: int, x: Tensor) -> Tensor:
    """The n-th derivative of digamma."""
    if not isinstance(n, int) or n < 0:
        raise RuntimeError(f"polygamma(n, x) does not support negative n, got {n}")
    return digamma(x) if n == 0 else polygamma_of(x, order=n)


# ---------------------------------------------------------------- of two


@op(promotion="common")
def logaddexp(a, b):
    """log(exp(a) + exp(b)), without overflow."""
    return kernels_of_any(a, b).logaddexp(a, b)


@logaddexp.vjp
def logaddexp_vjp(dy, a, b, needs):
    return dy * sigmoid(a - b) if needs[0] else None, dy * sigmoid(b - a) if needs[1] else None


def logaddexp2(a: Tensor, b: Tensor) -> Tensor:
    """log2(2^a + 2^b), without overflow."""
    return div(logaddexp(mul(a, math.log(2)), mul(b, math.log(2))), math.log(2))


@op(promotion="float")
def hypot(a, b):
    """sqrt(a^2 + b^2), without overflow."""
    return kernels_of_any(a, b).hypot(a, b)


@hypot.vjp
def hypot_vjp(dy, a, b, y, needs):
    return dy * (a / y) if needs[0] else None, dy * (b / y) if needs[1] else None


@op(promotion="float")
def copysign(a, b):
    """|a| with the sign of b. The gradient by a is its sign change, 0 where a is 0; by b there is none."""
    return kernels_of_any(a, b).copysign(a, b)


@copysign.vjp
def copysign_vjp(dy, a, y, needs):
    zero = eq(a, 0)
    da = where(zero, 0.0, dy * (y / where(zero, 1.0, a))) if needs[0] else None
    return da, zeros_as(dy) if needs[1] else None


def xlogy(x: Any, y: Any, logarithm: Any = log) -> Tensor:
    """x log y, and 0 where x is 0 (unless y is nan). With log1p for `logarithm`, x log(1 + y)."""
    zero = logical_and(eq(x, 0), le(y, 0 if logarithm is log else -1))  # elsewhere 0 log y is 0, with log y as slope
    return where(zero, 0.0, mul(x, logarithm(where(zero, 1.0, y))))


def sinc(x: Tensor) -> Tensor:
    """sin(pi x) / (pi x), and 1 at 0."""
    zero = eq(x, 0)
    turned = mul(where(zero, 1.0, x), math.pi)
    return where(zero, 1.0, div(sin(turned), turned))


def fmax(a: Tensor, b: Tensor) -> Tensor:
    """The larger of two, where a nan counts as missing."""
    return where(logical_or(ge(a, b), isnan(b)), a, b)


def fmin(a: Tensor, b: Tensor) -> Tensor:
    """The smaller of two, where a nan counts as missing."""
    return where(logical_or(ge(b, a), isnan(b)), a, b)


def logit(x: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), the inverse of the sigmoid; with `eps`, of x held in [eps, 1 - eps]."""
    x = x if eps is None else clamp(x, eps, 1 - eps)
    return log(div(x, sub(1, x)))


def ndtr(x: Tensor) -> Tensor:
    """The share of a standard normal distribution below x."""
    return mul(erfc(mul(x, -math.sqrt(0.5))), 0.5)


def ndtri(p: Tensor) -> Tensor:
    """The x below which a share p of a standard normal distribution lies."""
    return mul(erfinv(sub(mul(p, 2), 1)), math.sqrt(2))


def log_ndtr(x: Tensor) -> Tensor:
    """log ndtr(x); far below 0, towards where ndtr is 0, by the asymptotic series of the tail."""
    start = -20.0 if x.array.dtype == "float64" else -9.0
    far = x < start
    low = where(far, x, start)
    inverse = power(mul(low, low), -1)
    series = 1 - inverse * (1 - 3 * inverse * (1 - 5 * inverse * (1 - 7 * inverse * (1 - 9 * inverse))))
    tail = -0.5 * low * low - log(neg(low)) - 0.5 * math.log(2 * math.pi) + log(series)
    above = x > 0
    near = where(above, log1p(neg(ndtr(where(above, neg(x), -1.0)))), log(ndtr(where(far | above, -1.0, x))))
    return where(far, tail, near)


def entr(x: Tensor) -> Tensor:
    """-x log x, 0 at 0 and -inf below."""
    return where(x < 0, -math.inf, -xlogy(x, where(x < 0, 1.0, x)))


# ---------------------------------------------------------------- without a gradient


@op(promotion="common")
def heaviside(x, values):
    """0 below 0 (and for nan, as PyTorch has it), 1 above, `values` at 0. No gradient."""
    return kernels_of_any(x, values).where(x == 0, values, (x > 0).astype(x.dtype))


@op(promotion="common")
def nextafter(a, b):
    """The next representable number after a towards b."""
    return kernels_of_any(a, b).nextafter(a, b)


@op(promotion="common")
def gcd(a, b):
    """The greatest common divisor of integers."""
    return kernels_of_any(a, b).gcd(a, b)


@op(promotion="common")
def lcm(a, b):
    """The least common multiple of integers."""
    return kernels_of_any(a, b).lcm(a, b)


@op(promotion="common")
def bitwise_left_shift(a, b):
    """a 2^b for integers, by shifting its bits."""
    return kernels_of_any(a, b).left_shift(a, b)


@op(promotion="common")
def bitwise_right_shift(a, b):
    """a / 2^b for integers, rounded down, by shifting its bits."""
    return kernels_of_any(a, b).right_shift(a, b)


@op
def signbit(x):
    """True where the sign is negative, of -0.0 too."""
    return kernels_of(x).signbit(x)


def frexp(x: Tensor) -> Any:
    """(mantissa, exponent) with x = mantissa 2^exponent and 0.5 <= |mantissa| < 1; the exponents are int32."""
    from minigrad.tensor import from_raw

    if not is_floating(x.array.dtype):
        raise RuntimeError(f"torch.frexp() only supports floating-point dtypes, got {x.dtype}")
    mantissa, exponent = kernels_of(x.array).frexp(x.array)
    return RETURN_TYPES["frexp"](from_raw(mantissa), from_raw(exponent))
