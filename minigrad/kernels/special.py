"""Special functions in plain array code, valid for NumPy and CuPy: `array_module(x)` is the library that owns x."""

import math
from typing import Any

from minigrad.backend import array_module

# W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969): numerators and
# denominators, highest power first, for erf(x) / x in x^2 up to 0.46875, erfc(x) exp(x^2) in x up to 4, and beyond that
# (1 / sqrt(pi) - x exp(x^2) erfc(x)) x^2 in 1 / x^2.
_NEAR_TOP = (
    1.85777706184603153e-1,
    3.16112374387056560e0,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
)
_NEAR_BOTTOM = (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3)
_NEAR_EXCESS = tuple(top - bottom for top, bottom in zip(_NEAR_TOP, _NEAR_BOTTOM, strict=True))
_MIDDLE_TOP = (
    2.15311535474403846e-8,
    5.64188496988670089e-1,
    8.88314979438837594e0,
    6.61191906371416295e1,
    2.98635138197400131e2,
    8.81952221241769090e2,
    1.71204761263407058e3,
    2.05107837782607147e3,
    1.23033935479799725e3,
)
_MIDDLE_BOTTOM = (
    1.0,
    1.57449261107098347e1,
    1.17693950891312499e2,
    5.37181101862009858e2,
    1.62138957456669019e3,
    3.29079923573345963e3,
    4.36261909014324716e3,
    3.43936767414372164e3,
    1.23033935480374942e3,
)
_FAR_TOP = (
    1.63153871373020978e-2,
    3.05326634961232344e-1,
    3.60344899949804439e-1,
    1.25781726111229246e-1,
    1.60837851487422766e-2,
    6.58749161529837803e-4,
)
_FAR_BOTTOM = (
    1.0,
    2.56852019228982242e0,
    1.87295284992346725e0,
    5.27905102951428412e-1,
    6.05183413124413191e-2,
    2.33520497626869185e-3,
)
_ONE_OVER_SQRT_PI = 0.5641895835477562869


def _horner(x: Any, coefficients: tuple[float, ...]) -> Any:
    total = x * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        total = total * x + coefficient
    return total


def _exp_of_minus_square(xp: Any, x: Any) -> Any:
    """exp(-x^2) from x = c + d with c a multiple of 1/16: c^2 is exact, and x^2 - c^2 = d (x + c) is small."""
    coarse = xp.floor(x * 16.0) * 0.0625
    return xp.exp(-coarse * coarse) * xp.exp((coarse - x) * (coarse + x))


def erf(x: Any) -> Any:
    """erf(x) = 2 / sqrt(pi) * integral of exp(-t^2) for t from 0 to x, elementwise, in x's floating dtype.

    Within 2 ulp in float64 and 3 in float32; odd, 1 at inf, NaN at NaN. Source: Cody, Math. Comp. 23 (1969).
    """
    xp = array_module(x)
    size = abs(x)
    near = xp.minimum(size, 0.5)  # each branch is evaluated everywhere: keep it in its range
    excess = _horner(near * near, _NEAR_EXCESS) / _horner(near * near, _NEAR_BOTTOM)
    near_value = near + near * excess  # erf(x) / x is near 1.13: added, the excess is rounded less
    middle = xp.minimum(xp.maximum(size, 0.46875), 4.0)
    middle_value = _horner(middle, _MIDDLE_TOP) / _horner(middle, _MIDDLE_BOTTOM) * _exp_of_minus_square(xp, middle)
    far = xp.minimum(xp.maximum(size, 4.0), 6.0)  # erf(6) rounds to 1
    inverse = 1.0 / (far * far)
    tail = inverse * _horner(inverse, _FAR_TOP) / _horner(inverse, _FAR_BOTTOM)
    far_value = (_ONE_OVER_SQRT_PI - tail) / far * _exp_of_minus_square(xp, far)
    complement = xp.where(size <= 4.0, middle_value, far_value)
    value = xp.where(size <= 0.48, near_value, 1.0 - complement)
    return xp.copysign(value, x)


def erfc(x: Any) -> Any:
    """1 - erf(x), exact for large x too, where the difference would lose all digits: erfc(10) = 2.1e-45."""
    xp = array_module(x)
    size = abs(x)
    middle = xp.minimum(xp.maximum(size, 0.46875), 4.0)
    middle_value = _horner(middle, _MIDDLE_TOP) / _horner(middle, _MIDDLE_BOTTOM) * _exp_of_minus_square(xp, middle)
    far = xp.minimum(xp.maximum(size, 4.0), 27.5)  # beyond, it is below the smallest float64
    inverse = 1.0 / (far * far)
    tail = inverse * _horner(inverse, _FAR_TOP) / _horner(inverse, _FAR_BOTTOM)
    far_value = (_ONE_OVER_SQRT_PI - tail) / far * _exp_of_minus_square(xp, far)
    value = xp.where(size <= 4.0, middle_value, xp.where(size > 27.5, 0.0, far_value))
    value = xp.where(x < 0, 2.0 - value, value)
    return xp.where(size <= 0.48, 1.0 - erf(x), xp.where(xp.isnan(x), x, value)).astype(x.dtype)


# M. J. Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied Statistics 37 (1988):
# numerators and denominators, highest power first, for the middle, the tails, and the far tails.
_CENTRE_TOP = (
    2509.0809287301226727,
    33430.575583588128105,
    67265.770927008700853,
    45921.953931549871457,
    13731.693765509461125,
    1971.5909503065514427,
    133.14166789178437745,
    3.3871328727963666080,
)
_CENTRE_BOTTOM = (
    5226.4952788528545610,
    28729.085735721942674,
    39307.895800092710610,
    21213.794301586595867,
    5394.1960214247511077,
    687.18700749205790830,
    42.313330701600911252,
    1.0,
)
_TAIL_TOP = (
    7.74545014278341407640e-4,
    0.0227238449892691845833,
    0.241780725177450611770,
    1.27045825245236838258,
    3.64784832476320460504,
    5.76949722146069140550,
    4.63033784615654529590,
    1.42343711074968357734,
)
_TAIL_BOTTOM = (
    1.05075007164441684324e-9,
    5.47593808499534494600e-4,
    0.0151986665636164571966,
    0.148103976427480074590,
    0.689767334985100004550,
    1.67638483018380384940,
    2.05319162663775882187,
    1.0,
)
_FAR_TAIL_TOP = (
    2.01033439929228813265e-7,
    2.71155556874348757815e-5,
    0.00124266094738807843860,
    0.0265321895265761230930,
    0.296560571828504891230,
    1.78482653991729133580,
    5.46378491116411436990,
    6.65790464350110377720,
)
_FAR_TAIL_BOTTOM = (
    2.04426310338993978564e-15,
    1.42151175831644588870e-7,
    1.84631831751005468180e-5,
    7.86869131145613259100e-4,
    0.0148753612908506148525,
    0.136929880922735805310,
    0.599832206555887937690,
    1.0,
)


def erfinv(x: Any) -> Any:
    """The y with erf(y) = x: inf at 1, nan outside [-1, 1]. Source: Wichura, as above."""
    xp = array_module(x)
    half = 0.5 * x  # the distance from the median
    squared = 0.180625 - half * half
    centre = half * _horner(squared, _CENTRE_TOP) / _horner(squared, _CENTRE_BOTTOM)
    r = xp.sqrt(-xp.log(0.5 * (1.0 - abs(x))))
    tail = _horner(r - 1.6, _TAIL_TOP) / _horner(r - 1.6, _TAIL_BOTTOM)
    far = xp.where(xp.isinf(r), r, _horner(r - 5.0, _FAR_TAIL_TOP) / _horner(r - 5.0, _FAR_TAIL_BOTTOM))
    outside = xp.copysign(xp.where(r <= 5.0, tail, far), x)
    y = xp.where(abs(half) <= 0.425, centre, outside) * 0.5**0.5
    error = xp.where(abs(x) < 0.5, erf(y) - x, xp.copysign((1.0 - abs(x)) - erfc(abs(y)), x))  # and a step of Newton's
    step = error * xp.exp(y * y) * (0.5 * math.sqrt(math.pi))
    return xp.where(xp.isfinite(step), y - step, y).astype(x.dtype)
