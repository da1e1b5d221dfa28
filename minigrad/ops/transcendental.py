"""Powers, exponentials, logarithms, trigonometric and hyperbolic functions, erf.

As in elementwise.py, shapes broadcast and the walk undoes it. Derivatives at the edges: sqrt'(0) = inf; a power of 0
has the gradient 0 by its base where the exponent is 0, and by its exponent where that is not negative.
"""

import math
from typing import Any

from minigrad.backend import is_array, kernels_of
from minigrad.dtype import is_complex, is_differentiable, refuse_complex
from minigrad.op import op
from minigrad.ops.comparison import eq, ge, logical_and
from minigrad.ops.elementwise import refuse_bools, where, zeros_as

# ---------------------------------------------------------------- powers, exponentials, logarithms


@op(promotion="common")
def power(a, b):
    """a ** b. The gradient by a is 0 where b is 0; the gradient by b is 0 where a is 0 and b is not negative."""
    if not is_array(a) or not is_differentiable(a.dtype):
        if b is True and is_array(a):
            return kernels_of(a).copy(a)
        refuse_bools("pow", a, b)
        if is_array(a) and not is_array(b) and b < 0:
            raise ValueError("Integers to negative integer powers are not allowed; convert to float first")
        if is_array(b) and b.dtype.kind in "iu" and (b < 0).any():
            return _with_negative_exponents(a, b)
    return a**b


def _with_negative_exponents(a: Any, b: Any) -> Any:
    """Integer powers, those with a negative exponent rounded to 0; of 1 and -1 they are whole numbers."""
    k = kernels_of(b)
    natural = a ** k.where(b < 0, 0, b)
    units = k.where(a == 1, 1, k.where(a == -1, 1 - 2 * (b % 2), 0))
    return k.where(b < 0, units, natural).astype(natural.dtype)


@power.vjp(kept_for={"y": "b"})
def power_vjp(dy, a, b, y, needs):
    da = db = None
    if needs[0]:
        if isinstance(b, (int, float, complex)):
            da = zeros_as(dy) if b == 0 else dy * (b * a ** (b - 1))
        else:
            da = where(eq(b, 0), 0.0, dy * (b * a ** (b - 1)))
    if needs[1]:
        if isinstance(a, (int, float)):
            db = dy * y * math.log(a) if a > 0 else zeros_as(dy)
        elif is_complex(b):
            db = where(eq(a, 0), 0.0, dy * y * log(a))
        else:
            db = where(logical_and(eq(a, 0), ge(b, 0)), 0.0, dy * y * log(a))
    return da, db


@op(promotion="float")
def exp(x):
    """e ** x."""
    return kernels_of(x).exp(x)


@exp.vjp
def exp_vjp(dy, y):  # keeps y alone; x dies
    return dy * y


@op(promotion="float")
def expm1(x):
    """e ** x - 1, exact near 0."""
    return kernels_of(x).expm1(x)


@expm1.vjp
def expm1_vjp(dy, y):
    return dy * (y + 1)


@op(promotion="float")
def log(x):
    """The natural logarithm; log 0 = -inf, silently."""
    return kernels_of(x).log(x)


@log.vjp
def log_vjp(dy, x):
    return dy / x


@op(promotion="float")
def log1p(x):
    """log(1 + x), exact near 0."""
    return kernels_of(x).log1p(x)


@log1p.vjp
def log1p_vjp(dy, x):
    return dy / (x + 1)


@op(promotion="float")
def log2(x):
    """The logarithm to base 2."""
    return kernels_of(x).log2(x)


@log2.vjp
def log2_vjp(dy, x):
    return dy / (x * math.log(2))


@op(promotion="float")
def log10(x):
    """The logarithm to base 10."""
    return kernels_of(x).log10(x)


@log10.vjp
def log10_vjp(dy, x):
    return dy / (x * math.log(10))


@op(promotion="float")
def sqrt(x):
    """The square root; its derivative at 0 is inf."""
    return kernels_of(x).sqrt(x)


@sqrt.vjp
def sqrt_vjp(dy, y):
    return dy / (2 * y)


@op(promotion="float")
def rsqrt(x):
    """1 / sqrt(x)."""
    return 1 / kernels_of(x).sqrt(x)


@rsqrt.vjp
def rsqrt_vjp(dy, y):
    return dy * (-0.5 * (y * y * y))


@op
def square(x):
    """x x; of bools, integers."""
    return x * x if x.dtype.kind != "b" else x.astype("int64")


@square.vjp
def square_vjp(dy, x):
    return dy * (2 * x)


@op(promotion="float")
def reciprocal(x):
    """1 / x."""
    return 1 / x


@reciprocal.vjp
def reciprocal_vjp(dy, y):
    return -dy * (y * y)


# ---------------------------------------------------------------- trigonometric, hyperbolic, special


@op(promotion="float")
def sin(x):
    """Sine of radians."""
    return kernels_of(x).sin(x)


@sin.vjp
def sin_vjp(dy, x):
    return dy * cos(x)


@op(promotion="float")
def cos(x):
    """Cosine of radians."""
    return kernels_of(x).cos(x)


@cos.vjp
def cos_vjp(dy, x):
    return -dy * sin(x)


@op(promotion="float")
def tan(x):
    """Tangent of radians; the derivative is 1 + tan(x)^2."""
    return kernels_of(x).tan(x)


@tan.vjp
def tan_vjp(dy, y):
    return dy * (1 + y * y)


@op(promotion="float")
def asin(x):
    """The angle in [-pi/2, pi/2] whose sine is x; nan outside [-1, 1]."""
    return kernels_of(x).asin(x)


@asin.vjp
def asin_vjp(dy, x):
    return dy * rsqrt(1 - x * x)


@op(promotion="float")
def acos(x):
    """The angle in [0, pi] whose cosine is x; nan outside [-1, 1]."""
    return kernels_of(x).acos(x)


@acos.vjp
def acos_vjp(dy, x):
    return -dy * rsqrt(1 - x * x)


@op(promotion="float")
def atan(x):
    """The angle in [-pi/2, pi/2] whose tangent is x."""
    return kernels_of(x).atan(x)


@atan.vjp
def atan_vjp(dy, x):
    return dy / (x * x + 1)


@op(promotion="float")
def atan2(a, b):
    """The angle of the point (b, a), in (-pi, pi]; its gradient is (b, -a) / (a^2 + b^2)."""
    return kernels_of(a if is_array(a) else b).atan2(a, b)


@atan2.vjp
def atan2_vjp(dy, a, b, needs):
    scaled = dy / (a * a + b * b)
    return scaled * b if needs[0] else None, -scaled * a if needs[1] else None


@op(promotion="float")
def sinh(x):
    """(e^x - e^-x) / 2."""
    return kernels_of(x).sinh(x)


@sinh.vjp
def sinh_vjp(dy, x):
    return dy * cosh(x)


@op(promotion="float")
def cosh(x):
    """(e^x + e^-x) / 2."""
    return kernels_of(x).cosh(x)


@cosh.vjp
def cosh_vjp(dy, x):
    return dy * sinh(x)


@op(promotion="float")
def tanh(x):
    """sinh / cosh; the derivative is 1 - tanh(x)^2."""
    return kernels_of(x).tanh(x)


@tanh.vjp
def tanh_vjp(dy, y):
    return dy * (1 - y * y)


@op(promotion="float")
def sigmoid(x):
    """1 / (1 + e^-x); the derivative is y (1 - y)."""
    return kernels_of(x).sigmoid(x)


@sigmoid.vjp
def sigmoid_vjp(dy, y):
    return dy * (y * (1 - y))


@op(promotion="float")
def erf(x):
    """2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x."""
    refuse_complex(x)
    return kernels_of(x).erf(x)


@erf.vjp
def erf_vjp(dy, x):
    return dy * (2 / math.sqrt(math.pi) * exp(-x * x))
