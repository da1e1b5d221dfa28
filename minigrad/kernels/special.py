"""Special functions in plain array code, valid for NumPy and CuPy: `array_module(x)` is the library that owns x."""

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
