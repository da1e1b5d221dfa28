"""Elementwise ops: arithmetic, rounding, choice; copies and casts.

Shapes broadcast as in NumPy, dtypes by `dtype.promote`. No rule here sums broadcast axes or casts: the walk does
(`autograd.sum_to`). Derivatives at the edges: |x|'(0) = 0; `maximum` / `minimum` share the gradient half and half where
the two are equal; `clamp` passes it at the bounds; sign, floor, floor_divide, ceil, round and trunc have zero.
"""

from typing import Any

from minigrad.arguments import must_be_tensor, must_not_be_fraction, must_share_dtype
from minigrad.backend import is_array, kernels_of
from minigrad.dtype import is_complex, is_differentiable, is_floating, promote
from minigrad.op import op
from minigrad.ops.comparison import eq, ge, gt, kernels_of_any, le, logical_and, logical_or, lt
from minigrad.tensor import Tensor

# ---------------------------------------------------------------- arithmetic


@op(promotion="common")
def add(a, b):
    """a + b."""
    return a + b


@add.vjp
def add_vjp(dy):
    return dy, dy


@op(promotion="difference")
def sub(a, b):
    """a - b; RuntimeError for bools."""
    return a - b


@sub.vjp
def sub_vjp(dy, needs):
    return dy, -dy if needs[1] else None


reversed_sub = sub.printed_as("RsubBackward1")


@op(promotion="common")
def mul(a, b):
    """a b, entry by entry."""
    return a * b


@mul.vjp(kept_for={"a": "b", "b": "a"})
def mul_vjp(dy, a, b, needs):
    return dy * b if needs[0] else None, dy * a if needs[1] else None


def scaled(function: str, a: Any, b: Any, alpha: Any) -> Any:
    """alpha b, as it is added to a or subtracted from it: a bool where both are bools."""
    if alpha == 1:
        return b
    must_not_be_fraction(function, "alpha", alpha, a, b)
    product = mul(b, alpha)
    both_bool = all(isinstance(x, Tensor) and x.array.dtype == "bool" for x in (a, b))
    return product.bool() if both_bool else product


@op(promotion="float")
def div(a, b):
    """a / b; integers divide to the default float. x / 0 is inf or nan, silently."""
    return a / b


@div.vjp(kept_for={"a": "b"})
def div_vjp(dy, a, b, needs):
    da = dy / b
    return da if needs[0] else None, -da * (a / b) if needs[1] else None


def refuse_bools(name: str, *operands: Any) -> None:
    """NotImplementedError (a RuntimeError) where all operands are bools: NumPy would give int8."""
    for x in operands:
        if not (x.dtype.kind == "b" if is_array(x) else isinstance(x, bool)):
            return
    raise NotImplementedError(f"{name}: not implemented for 'Bool': convert the tensor with .long()")


def check_division(name: str, a: Any, b: Any) -> None:
    refuse_bools(name, a, b)
    if is_floating(a.dtype if is_array(a) else b.dtype):
        return
    if (b == 0).any() if is_array(b) else b == 0:
        raise RuntimeError(f"ZeroDivisionError: {name} of integers by zero")


@op(promotion="ordered")
def floor_divide(a, b):
    """The largest integer not above a / b; the gradient is zero."""
    check_division("floor_divide", a, b)
    return kernels_of(a if is_array(a) else b).floor_divide(a, b)


@floor_divide.vjp
def floor_divide_vjp(dy):
    return zeros_as(dy), zeros_as(dy)


def divide(a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    """a / b, rounded by `rounding_mode`: None (true division), "floor" or "trunc" (towards zero)."""
    if rounding_mode is None:
        return div(a, b)
    if rounding_mode == "floor":
        return floor_divide(a, b)
    if rounding_mode == "trunc":
        floating = any(is_floating(x.array.dtype) for x in (a, b) if isinstance(x, Tensor))
        if floating or isinstance(b, float):
            return trunc(div(a, b))
        return floor_divide(sub(a, fmod(a, b)), b)  # exact
    raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")


@op(promotion="ordered")
def remainder(a, b):
    """a - b floor(a / b): the sign of b, as Python's %. Gradient by b: -floor(a / b)."""
    check_division("remainder", a, b)
    return kernels_of(a if is_array(a) else b).remainder(a, b)


@remainder.vjp(kept_for={"a": "b", "b": "b"})
def remainder_vjp(dy, a, b, needs):
    return dy, -dy * floor(div(a, b)) if needs[1] else None


@op(promotion="ordered")
def fmod(a, b):
    """a - b trunc(a / b): the sign of a, as C's fmod."""
    check_division("fmod", a, b)
    return kernels_of(a if is_array(a) else b).fmod(a, b)


@fmod.vjp(kept_for={"a": "b", "b": "b"})
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
    refuse_bools("abs", x)
    return kernels_of(x).abs(x)


@abs.vjp
def abs_vjp(dy, x):
    if is_complex(x):
        from minigrad.ops.complex_numbers import sgn  # not above: that file needs this one

        return dy * sgn(x)
    return dy * sign(x)


def lerp(start: Any, end: Any, weight: Any) -> Any:
    """start + weight (end - start), computed from the nearer end; the three are of one dtype."""
    must_share_dtype("lerp", start=start, end=end, weight=weight)
    distance = sub(end, start)
    if not isinstance(weight, Tensor):
        return add(start, mul(distance, weight)) if weight < 0.5 else sub(end, mul(distance, 1 - weight))
    near_start = add(start, mul(weight, distance))
    return where(lt(abs(weight), 0.5), near_start, sub(end, mul(distance, sub(1, weight))))


def addcmul(x: Any, a: Any, b: Any, value: Any) -> Any:
    """x + value a b."""
    must_be_tensor("addcmul", "tensor1", a), must_be_tensor("addcmul", "tensor2", b)
    must_not_be_fraction("addcmul", "value", value, x, a, b)
    return add(x, mul(mul(a, b), value))


def addcdiv(x: Any, a: Any, b: Any, value: Any) -> Any:
    """x + value a / b; RuntimeError where a and b are integers, whose quotient would be of another kind."""
    must_be_tensor("addcdiv", "tensor1", a), must_be_tensor("addcdiv", "tensor2", b)
    if not any(is_floating(t.array.dtype) for t in (a, b)):
        raise RuntimeError(
            f"addcdiv: integer division is not supported, got tensors of {a.dtype} and {b.dtype}: convert one with "
            ".float(), or write x + value * torch.div(a, b, rounding_mode=...)"
        )
    return add(x, mul(div(a, b), value))


# ---------------------------------------------------------------- rounding, signs


@op
def zeros_as(x):
    """Zeros like x: the derivative of a step function, to any order."""
    return kernels_of(x).zeros(x.shape, x.dtype, x)


@zeros_as.vjp
def zeros_as_vjp(dy):
    return zeros_as(dy)


@op(promotion="real")
def sign(x):
    """-1, 0 or 1; 0 for nan."""
    return kernels_of(x).sign(x)


@sign.vjp
def sign_vjp(dy):
    return zeros_as(dy)


@op
def floor(x):
    """The largest integer not above x."""
    refuse_bools("floor", x)
    return kernels_of(x).floor(x)


@floor.vjp
def floor_vjp(dy):
    return zeros_as(dy)


@op
def ceil(x):
    """The smallest integer not below x."""
    refuse_bools("ceil", x)
    return kernels_of(x).ceil(x)


@ceil.vjp
def ceil_vjp(dy):
    return zeros_as(dy)


@op
def trunc(x):
    """The nearest integer towards zero."""
    refuse_bools("trunc", x)
    return kernels_of(x).trunc(x)


@trunc.vjp
def trunc_vjp(dy):
    return zeros_as(dy)


@op(promotion="real")
def round(x, *, decimals=0):
    """The nearest integer (or multiple of 10^-decimals), halves to the even one."""
    refuse_bools("round", x)
    return kernels_of(x).round(x, decimals)


@round.vjp
def round_vjp(dy):
    return zeros_as(dy)


# ---------------------------------------------------------------- choosing


@op(promotion="ordered")
def maximum(a, b):
    """The larger of two; nan if either is. Equal entries share the gradient; beside a nan both get all of it."""
    return kernels_of(a if is_array(a) else b).maximum(a, b)


@maximum.vjp
def maximum_vjp(dy, a, b, needs):
    shared = where(eq(a, b), 0.5 * dy, dy)
    return where(lt(a, b), 0.0, shared) if needs[0] else None, where(gt(a, b), 0.0, shared) if needs[1] else None


@op(promotion="ordered")
def minimum(a, b):
    """The smaller of two; nan if either is. Equal entries share the gradient; beside a nan both get all of it."""
    return kernels_of(a if is_array(a) else b).minimum(a, b)


@minimum.vjp
def minimum_vjp(dy, a, b, needs):
    shared = where(eq(a, b), 0.5 * dy, dy)
    return where(gt(a, b), 0.0, shared) if needs[0] else None, where(lt(a, b), 0.0, shared) if needs[1] else None


@op(promotion="ordered")
def clamp(x, low, high):
    """min(max(x, low), high), a bound of None being absent; the gradient passes where low <= x <= high."""
    if low is not None:
        x = kernels_of(x).maximum(x, low)
    return x if high is None else kernels_of(x).minimum(x, high)


@clamp.vjp
def clamp_vjp(dy, x, low, high, needs):
    if low is None:
        inside, below, above = le(x, high), False, gt(x, high)  # a nan is neither
    elif high is None:
        inside, below, above = ge(x, low), lt(x, low), False
    else:
        inside = logical_and(ge(x, low), le(x, high))
        below = logical_and(lt(x, low), le(low, high))  # where the bounds cross, high wins everywhere
        above = logical_or(gt(x, high), gt(low, high))
    return (
        where(inside, dy, 0.0) if needs[0] else None,
        where(below, dy, 0.0) if needs[1] else None,
        where(above, dy, 0.0) if needs[2] else None,
    )


@op
def where(condition, a, b):
    """a where the condition holds, else b."""
    a, b = promote([a, b])
    return kernels_of_any(condition, a, b).where(condition, a, b)


@where.vjp
def where_vjp(dy, condition, needs):
    return None, where(condition, dy, 0.0) if needs[1] else None, where(condition, 0.0, dy) if needs[2] else None


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
    """The same values in another dtype; the walk casts the gradient back. Complex to real keeps the real part."""
    if x.dtype.kind == "c" and dtype.kind not in "cb":
        x = x.real
    return x.astype(dtype)


@cast_to.vjp
def cast_to_vjp(dy):
    return dy


def cast(x: Tensor, dtype: Any) -> Tensor:
    """`cast_to`; what becomes integer or bool leaves the graph."""
    return cast_to(x if is_differentiable(dtype) else x.detach(), dtype=dtype)
