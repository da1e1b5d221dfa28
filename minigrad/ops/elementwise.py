"""Elementwise ops: arithmetic, powers and logarithms, trigonometry, rounding, comparison, choice.

Shapes broadcast as in NumPy, dtypes by `dtype.promote`. No rule here sums broadcast axes or casts: the walk does
(`autograd.sum_to`). Derivatives at the edges: |x|'(0) = 0; sqrt'(0) = inf; `maximum` / `minimum` share the gradient
half and half where the two are equal; `clamp` passes it at the bounds; sign, floor, ceil, round and trunc have zero.
"""

import math
from typing import Any

from minigrad import dtype as dtypes
from minigrad.backend import is_array, kernels_of
from minigrad.dtype import is_floating, promote
from minigrad.op import op
from minigrad.tensor import Tensor

_HOST_SCALAR = dtypes.bool_.numpy.type(False)  # stands for the CPU where a rule has Python bools only

# ---------------------------------------------------------------- arithmetic


@op(promotion="common")
def add(a, b):
    """a + b."""
    return a + b


@add.vjp
def add_vjp(dy):
    return dy, dy


@op(promotion="common")
def sub(a, b):
    """a - b."""
    return a - b


@sub.vjp
def sub_vjp(dy, needs):
    return dy, -dy if needs[1] else None


@op(promotion="common")
def mul(a, b):
    """a b, entry by entry."""
    return a * b


@mul.vjp
def mul_vjp(dy, a, b, needs):
    return dy * b if needs[0] else None, dy * a if needs[1] else None


@op(promotion="float")
def div(a, b):
    """a / b; integers divide to the default float. x / 0 is inf or nan, silently."""
    return a / b


@div.vjp
def div_vjp(dy, b, y, needs):
    da = dy / b
    return da if needs[0] else None, -da * y if needs[1] else None


def _refuse_bools(name: str, *operands: Any) -> None:
    """NotImplementedError (a RuntimeError) where all operands are bools: NumPy would give int8."""
    if all(isinstance(x, bool) or (is_array(x) and x.dtype == "bool") for x in operands):
        raise NotImplementedError(f"{name}: not implemented for 'Bool': convert the tensor with .long()")


def _check_division(name: str, a: Any, b: Any) -> None:
    _refuse_bools(name, a, b)
    if not is_array(b) and b == 0 and not is_floating(a.dtype):
        raise RuntimeError(f"ZeroDivisionError: {name} of integers by zero")


@op(promotion="common")
def floor_divide(a, b):
    """The largest integer not above a / b. No gradient."""
    _check_division("floor_divide", a, b)
    return kernels_of(a if is_array(a) else b).floor_divide(a, b)


def divide(a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    """a / b, rounded by `rounding_mode`: None (true division), "floor" or "trunc" (towards zero)."""
    if rounding_mode is None:
        return div(a, b)
    if rounding_mode == "floor":
        return floor_divide(a, b)
    if rounding_mode == "trunc":
        quotient = trunc(div(a, b))
        floating = any(is_floating(x.array.dtype) for x in (a, b) if isinstance(x, Tensor))
        integers = not floating and not isinstance(b, float)
        return quotient.to(a.dtype) if integers else quotient
    raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")


@op(promotion="common")
def remainder(a, b):
    """a - b floor(a / b): the sign of b, as Python's %. Gradient by b: -floor(a / b)."""
    _check_division("remainder", a, b)
    return kernels_of(a if is_array(a) else b).remainder(a, b)


@remainder.vjp
def remainder_vjp(dy, a, b, needs):
    return dy, -dy * floor(div(a, b)) if needs[1] else None


@op(promotion="common")
def fmod(a, b):
    """a - b trunc(a / b): the sign of a, as C's fmod."""
    _check_division("fmod", a, b)
    return kernels_of(a if is_array(a) else b).fmod(a, b)


@fmod.vjp
def fmod_vjp(dy, a, b, needs):
    return dy, -dy * trunc(div(a, b)) if needs[1] else None


@op
def neg(x):
    """-x."""
    return -x


@neg.vjp
def neg_vjp(dy):
    return -dy


@op
def abs(x):
    """|x|; the gradient at 0 is 0."""
    return kernels_of(x).abs(x)


@abs.vjp
def abs_vjp(dy, x):
    return dy * sign(x)


def lerp(start: Any, end: Any, weight: Any) -> Any:
    """start + weight (end - start), computed from the nearer end."""
    distance = sub(end, start)
    if not isinstance(weight, Tensor):
        return add(start, mul(distance, weight)) if weight < 0.5 else sub(end, mul(distance, 1 - weight))
    near_start = add(start, mul(weight, distance))
    return where(lt(abs(weight), 0.5), near_start, sub(end, mul(distance, sub(1, weight))))


# ---------------------------------------------------------------- powers, exponentials, logarithms


@op(promotion="common")
def power(a, b):
    """a ** b. The gradient by a is 0 where b is 0; the gradient by b is 0 where a is 0 and b is not negative."""
    if not is_array(a) or not is_floating(a.dtype):
        _refuse_bools("pow", a, b)
        if is_array(a) and not is_array(b) and b < 0:
            raise ValueError("Integers to negative integer powers are not allowed; convert to float first")
    return a**b


@power.vjp
def power_vjp(dy, a, b, y, needs):
    da = db = None
    if needs[0]:
        if isinstance(b, (int, float)):
            da = zeros_as(dy) if b == 0 else dy * (b * a ** (b - 1))
        else:
            da = where(eq(b, 0), 0.0, dy * (b * a ** (b - 1)))
    if needs[1]:
        if isinstance(a, (int, float)):
            db = dy * y * math.log(a) if a > 0 else zeros_as(dy)
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
    return kernels_of(x).erf(x)


@erf.vjp
def erf_vjp(dy, x):
    return dy * (2 / math.sqrt(math.pi) * exp(-x * x))


# ---------------------------------------------------------------- rounding, signs


@op
def zeros_as(x):
    """Zeros like x: the derivative of a step function, to any order."""
    return kernels_of(x).zeros(x.shape, x.dtype, x)


@zeros_as.vjp
def zeros_as_vjp(dy):
    return zeros_as(dy)


@op
def sign(x):
    """-1, 0 or 1."""
    return kernels_of(x).sign(x)


@sign.vjp
def sign_vjp(dy):
    return zeros_as(dy)


@op
def floor(x):
    """The largest integer not above x."""
    return kernels_of(x).floor(x)


@floor.vjp
def floor_vjp(dy):
    return zeros_as(dy)


@op
def ceil(x):
    """The smallest integer not below x."""
    return kernels_of(x).ceil(x)


@ceil.vjp
def ceil_vjp(dy):
    return zeros_as(dy)


@op
def trunc(x):
    """The nearest integer towards zero."""
    return kernels_of(x).trunc(x)


@trunc.vjp
def trunc_vjp(dy):
    return zeros_as(dy)


@op
def round(x, *, decimals=0):
    """The nearest integer (or multiple of 10^-decimals), halves to the even one."""
    return kernels_of(x).round(x, decimals)


@round.vjp
def round_vjp(dy):
    return zeros_as(dy)


# ---------------------------------------------------------------- choosing


@op(promotion="common")
def maximum(a, b):
    """The larger of two; nan if either is. Equal entries share the gradient."""
    return kernels_of(a if is_array(a) else b).maximum(a, b)


@maximum.vjp
def maximum_vjp(dy, a, b, needs):
    half = where(eq(a, b), 0.5 * dy, 0.0)
    return (
        half + where(gt(a, b), dy, 0.0) if needs[0] else None,
        half + where(lt(a, b), dy, 0.0) if needs[1] else None,
    )


@op(promotion="common")
def minimum(a, b):
    """The smaller of two; nan if either is. Equal entries share the gradient."""
    return kernels_of(a if is_array(a) else b).minimum(a, b)


@minimum.vjp
def minimum_vjp(dy, a, b, needs):
    half = where(eq(a, b), 0.5 * dy, 0.0)
    return (
        half + where(lt(a, b), dy, 0.0) if needs[0] else None,
        half + where(gt(a, b), dy, 0.0) if needs[1] else None,
    )


@op(promotion="common")
def clamp(x, low, high):
    """min(max(x, low), high), a bound of None being absent; the gradient passes where low <= x <= high."""
    if low is not None:
        x = kernels_of(x).maximum(x, low)
    return x if high is None else kernels_of(x).minimum(x, high)


@clamp.vjp
def clamp_vjp(dy, x, low, high, needs):
    below = False if low is None else lt(x, low)
    above = False if high is None else gt(x, high)
    clear = True if low is None or high is None else le(low, high)  # else high wins everywhere
    inside = logical_not(logical_or(below, above))
    return (
        where(inside, dy, 0.0) if needs[0] else None,
        where(logical_and(below, clear), dy, 0.0) if needs[1] else None,
        where(logical_or(above, logical_not(clear)), dy, 0.0) if needs[2] else None,
    )


@op
def where(condition, a, b):
    """a where the condition holds, else b."""
    a, b = promote([a, b])
    return _kernels(condition, a, b).where(condition, a, b)


@where.vjp
def where_vjp(dy, condition, needs):
    return None, where(condition, dy, 0.0) if needs[1] else None, where(condition, 0.0, dy) if needs[2] else None


# ---------------------------------------------------------------- comparison and logic: no gradient


@op(promotion="common")
def eq(a, b):
    """a == b."""
    return a == b


@op(promotion="common")
def ne(a, b):
    """a != b."""
    return a != b


@op(promotion="common")
def lt(a, b):
    """a < b."""
    return a < b


@op(promotion="common")
def le(a, b):
    """a <= b."""
    return a <= b


@op(promotion="common")
def gt(a, b):
    """a > b."""
    return a > b


@op(promotion="common")
def ge(a, b):
    """a >= b."""
    return a >= b


@op(promotion="common")
def isclose(a, b, *, rtol=1e-5, atol=1e-8, equal_nan=False):
    """|a - b| <= atol + rtol |b|."""
    return kernels_of(a).isclose(a, b, rtol, atol, equal_nan)


@op
def isfinite(x):
    """True where x is neither infinite nor nan."""
    return kernels_of(x).isfinite(x)


@op
def isinf(x):
    """True where x is infinite."""
    return kernels_of(x).isinf(x)


@op
def isnan(x):
    """True where x is nan."""
    return kernels_of(x).isnan(x)


@op
def logical_and(a, b):
    """True where both are nonzero."""
    return _kernels(a, b).logical_and(a, b)


@op
def logical_or(a, b):
    """True where either is nonzero."""
    return _kernels(a, b).logical_or(a, b)


@op
def logical_xor(a, b):
    """True where exactly one is nonzero."""
    return _kernels(a, b).logical_xor(a, b)


@op
def logical_not(x):
    """True where x is zero."""
    return _kernels(x).logical_not(x)


@op(promotion="common")
def bitwise_and(a, b):
    """a & b on integers and bools."""
    return a & b


@op(promotion="common")
def bitwise_or(a, b):
    """a | b on integers and bools."""
    return a | b


@op(promotion="common")
def bitwise_xor(a, b):
    """a ^ b on integers and bools."""
    return a ^ b


@op
def bitwise_not(x):
    """~x on integers and bools."""
    return ~x


def _kernels(*operands: Any) -> Any:
    """The kernels of the first array; those of the CPU when all are Python numbers."""
    for x in operands:
        if is_array(x):
            return kernels_of(x)
    return kernels_of(_HOST_SCALAR)


# ---------------------------------------------------------------- memory, dtype, device


@op
def clone(x):
    """A copy, in C order."""
    return kernels_of(x).copy(x)


@clone.vjp
def clone_vjp(dy):
    return dy


@op
def cast_to(x, *, dtype):
    """The same values in another dtype; the walk casts the gradient back."""
    return x.astype(dtype)


@cast_to.vjp
def cast_to_vjp(dy):
    return dy


def cast(x: Tensor, dtype: Any) -> Tensor:
    """`cast_to`; what becomes integer or bool leaves the graph."""
    return cast_to(x if is_floating(dtype) else x.detach(), dtype=dtype)
