"""The gamma function's kin in plain array code, valid for NumPy and CuPy: lgamma, digamma, polygamma.

Each is moved up, by its recurrence, to where its asymptotic series in 1 / x is exact to float64, and left of 1/2
reflected; all in float64, as the recurrences cost some digits. Series: Abramowitz and Stegun, "Handbook of Mathematical
Functions" (1964), 6.1.40, 6.3.18, 23.2.
"""

import math
from typing import Any

from minigrad.backend import array_module

_SHIFT = 8  # up to where the recurrences go: the series below stop at 1 / x^16
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)  # B2, B4 ... B16


def lgamma(x: Any) -> Any:
    """log |Gamma(x)|; inf at 0 and the negative integers."""
    xp, dtype, x = array_module(x), x.dtype, x.astype("float64")
    right = xp.where(x < 0.5, 1.0 - x, x)  # Gamma(x) Gamma(1 - x) = pi / sin(pi x)
    small = right < 1e4  # what is larger needs no moving, and its product might overflow
    z = xp.where(small, right + _SHIFT, right)
    rising = xp.where(small, right, 1.0)
    for i in range(1, _SHIFT):
        rising = rising * xp.where(small, right + i, 1.0)
    series = 0.0
    for k in range(len(_BERNOULLI), 0, -1):
        series = (series + _BERNOULLI[k - 1] / (2 * k * (2 * k - 1))) / (z * z)
    value = (z - 0.5) * xp.log(z) - z + 0.5 * math.log(2 * math.pi) + series * z - xp.log(rising)
    sine = xp.abs(xp.sin(math.pi * (x - xp.rint(x))))
    value = xp.where(x < 0.5, math.log(math.pi) - xp.log(sine) - value, value)
    value = xp.where((x == 1) | (x == 2), 0.0, value)
    return xp.where(xp.isinf(x), math.inf, value).astype(dtype)


def digamma(x: Any) -> Any:
    """The derivative of lgamma; -inf at 0 (inf at -0) and nan at the negative integers."""
    xp, dtype, x = array_module(x), x.dtype, x.astype("float64")
    right = xp.where(x < 0.5, 1.0 - x, x)  # digamma(1 - x) - digamma(x) = pi / tan(pi x)
    z = right + _SHIFT
    below = 0.0
    for i in range(_SHIFT):
        below = below + 1.0 / (right + i)
    series = 0.0
    for k in range(len(_BERNOULLI), 0, -1):
        series = (series + _BERNOULLI[k - 1] / (2 * k)) / (z * z)
    value = xp.log(z) - 0.5 / z - series - below
    value = xp.where(x < 0.5, value - math.pi / xp.tan(math.pi * (x - xp.rint(x))), value)
    poles = xp.where(x == 0, xp.copysign(xp.full_like(x, math.inf), -x), math.nan)
    return xp.where((x <= 0) & (x == xp.floor(x)), poles, value).astype(dtype)


def polygamma(n: int, x: Any) -> Any:
    """The n-th derivative of digamma, n >= 1: (-1)^(n + 1) n! times the sum over i >= 0 of (x + i)^-(n + 1)."""
    xp, dtype, x = array_module(x), x.dtype, x.astype("float64")
    s = n + 1
    lowest = float(x.min()) if x.size else 0.0
    shift = _SHIFT + (math.ceil(-lowest) if -math.inf < lowest < 0 else 0)
    total = 0.0
    for i in range(shift):
        total = total + (x + i) ** -s
    z = x + shift
    series, factor = 0.0, float(s)  # Euler and Maclaurin's sum of the rest
    for k, bernoulli in enumerate(_BERNOULLI, 1):
        series = series + bernoulli / math.factorial(2 * k) * factor * z ** -(s + 2 * k - 1)
        factor *= (s + 2 * k - 1) * (s + 2 * k)
    total = total + z ** (1 - s) / (s - 1) + 0.5 * z**-s + series
    total = xp.where((x <= 0) & (x == xp.floor(x)), math.inf, total)
    return ((-1) ** (n + 1) * math.factorial(n) * total).astype(dtype)
