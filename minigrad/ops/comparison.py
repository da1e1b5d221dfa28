"""Comparison and logic, entry by entry: bools come out, and no gradient flows."""

from typing import Any

from minigrad import dtype as dtypes
from minigrad.arguments import must_be_tensor, must_share_dtype
from minigrad.backend import is_array, kernels_of
from minigrad.op import op

_HOST_SCALAR = dtypes.bool_.numpy.type(False)  # stands for the CPU where a rule has Python bools only


@op(promotion="common")
def eq(a, b):
    """a == b."""
    return a == b


@op(promotion="common")
def ne(a, b):
    """a != b."""
    return a != b


@op(promotion="ordered")
def lt(a, b):
    """a < b."""
    return a < b


@op(promotion="ordered")
def le(a, b):
    """a <= b."""
    return a <= b


@op(promotion="ordered")
def gt(a, b):
    """a > b."""
    return a > b


@op(promotion="ordered")
def ge(a, b):
    """a >= b."""
    return a >= b


@op(promotion="common")
def isclose(a, b, *, rtol=1e-5, atol=1e-8, equal_nan=False):
    """|a - b| <= atol + rtol |b|."""
    return kernels_of(a).isclose(a, b, rtol, atol, equal_nan)


def near(a: Any, b: Any, rtol: float, atol: float, equal_nan: bool) -> Any:
    """`isclose` of two tensors of one dtype, with tolerances that are not negative."""
    must_share_dtype("isclose", input=a, other=must_be_tensor("isclose", "other", b))
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: rtol and atol must not be negative, got {rtol} and {atol}")
    return isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)


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
    return kernels_of_any(a, b).logical_and(a, b)


@op
def logical_or(a, b):
    """True where either is nonzero."""
    return kernels_of_any(a, b).logical_or(a, b)


@op
def logical_xor(a, b):
    """True where exactly one is nonzero."""
    return kernels_of_any(a, b).logical_xor(a, b)


@op
def logical_not(x):
    """True where x is zero."""
    return kernels_of_any(x).logical_not(x)


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


def kernels_of_any(*operands: Any) -> Any:
    """The kernels of the first array; those of the CPU when all are Python numbers."""
    for x in operands:
        if is_array(x):
            return kernels_of(x)
    return kernels_of(_HOST_SCALAR)
