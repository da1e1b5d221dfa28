"""The table of ops, special functions: inverse hyperbolic, error and gamma functions, of two numbers, of integers."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from case import Case
from makers import away_from, integers, values
from op_cases_elementwise import PAIRS, SHAPES

import minigrad as mg
from minigrad import ops, special

INF, NAN = math.inf, math.nan


def by_entry(function: Callable) -> Callable:
    return np.vectorize(function, otypes=[float])


def unary(name: str, oracle: Any, *points: float, low: float = -2.0, high: float = 2.0, **options: Any) -> list[Case]:
    function = options.pop("function", None) or getattr(mg, name)
    return [
        Case(name, function, (away_from(points, shape, low, high),), oracle=oracle, note=note, **options)
        for note, shape in SHAPES.items()
    ]


def binary(name: str, oracle: Any, **options: Any) -> list[Case]:
    function = options.pop("function", None) or getattr(mg, name)
    return [Case(name, function, pair, oracle=oracle, note=note, **options) for note, pair in PAIRS.items()]


def one(name: str, function: Callable, oracle: Any, *inputs: Any, note: str = "", **options: Any) -> Case:
    return Case(name, function, inputs, oracle=oracle, note=note, **options)


SMOOTH = [
    *unary("acosh", np.arccosh, low=1.2, high=4.0),
    *unary("asinh", np.arcsinh),
    *unary("atanh", np.arctanh, low=-0.9, high=0.9),
    *unary("erfc", by_entry(math.erfc), low=-3.0, high=6.0),
    *unary("erfinv", None, low=-0.9, high=0.9),
    *unary("lgamma", by_entry(math.lgamma), low=0.3, high=12.0),
    *unary("lgamma", by_entry(math.lgamma), -3.0, -2.0, -1.0, 0.0, low=-3.4, high=0.4),
    *unary("digamma", None, low=0.3, high=12.0),
    *unary("digamma", None, -1.0, 0.0, low=-1.7, high=0.4),
    *unary("polygamma", None, low=0.5, high=9.0, function=lambda x: mg.polygamma(1, x)),
    one("polygamma", lambda x: mg.polygamma(2, x), None, (3,), low=0.5, high=4.0, note="order 2"),
    one("polygamma", lambda x: mg.polygamma(0, x), None, (3,), low=0.5, high=4.0, note="order 0"),
    one("mvlgamma", lambda x: mg.mvlgamma(x, 3), None, (3,), low=2.0, high=6.0),
    *unary("sinc", np.sinc, 0.0),
    *unary("logit", lambda x: np.log(x / (1 - x)), low=0.1, high=0.9),
    one("logit", lambda x: mg.logit(x, eps=0.2), lambda x: np.log((c := x.clip(0.2, 0.8)) / (1 - c)),
        away_from((0.2, 0.8), (7,), -0.5, 1.5), note="eps"),
    *unary("deg2rad", np.deg2rad),
    *unary("rad2deg", np.rad2deg),
    *unary("logcumsumexp", lambda x: np.logaddexp.accumulate(np.atleast_1d(x), -1).reshape(x.shape),
           function=lambda x: mg.logcumsumexp(x, -1)),
    one("special.ndtr", special.ndtr, by_entry(lambda x: 0.5 * math.erfc(-x / math.sqrt(2))), (5,)),
    one("special.ndtri", special.ndtri, None, (5,), low=0.1, high=0.9),
    one("special.log_ndtr", special.log_ndtr, by_entry(lambda x: math.log(0.5 * math.erfc(-x / math.sqrt(2)))),
        values([-30.0, -19.0, -5.5, -1.0, 0.5, 3.0, 8.0])),
    one("special.entr", special.entr, lambda x: -x * np.log(x), (5,), low=0.1, high=2.0),
    one("special.xlog1py", special.xlog1py, lambda x, y: x * np.log1p(y), (3, 4), (4,), low=0.1),
]  # fmt: skip

OF_TWO = [
    *binary("logaddexp", np.logaddexp),
    *binary("logaddexp2", np.logaddexp2),
    *binary("hypot", np.hypot, low=0.2),
    *binary("xlogy", lambda a, b: a * np.log(b), low=0.2),
    one("xlogy", lambda x: mg.xlogy(2.0, x), lambda x: 2 * np.log(x), (3,), low=0.2, note="of a number"),
    one("xlogy", mg.xlogy, lambda a, b: np.array([0.0, 0.0, NAN]), values([0.0, 0.0, 0.0]), values([0.0, 2.0, NAN]),
        note="zero", gradient=False),
    *(
        one("copysign", mg.copysign, np.copysign, away_from((0.0,), a), away_from((0.0,), b), note=note)
        for note, (a, b) in PAIRS.items()
    ),
    *binary("ldexp", lambda a, b: a * 2**b),
    *binary("fmax", np.fmax),
    *binary("fmin", np.fmin),
    one("fmax", mg.fmax, np.fmax, values([NAN, 1.0, NAN]), values([2.0, NAN, NAN]), note="nan", gradient=False),
    one("fmin", mg.fmin, np.fmin, values([NAN, 1.0, NAN]), values([2.0, NAN, NAN]), note="nan", gradient=False),
    *binary("float_power", np.float_power, low=0.3),
]  # fmt: skip

SPECIAL = values([0.0, -0.0, 1.5, -2.0, INF, -INF, NAN])

STEPS = [
    one("heaviside", mg.heaviside, lambda x, v: np.nan_to_num(np.heaviside(x, v)), SPECIAL, values(0.5),
        gradient=False),
    one("nextafter", lambda x, y: mg.nextafter(x, y) > x, lambda x, y: np.nextafter(x, y) > x, (4,), (4,),
        gradient=False),
    one("signbit", mg.signbit, np.signbit, SPECIAL, gradient=False),
    one("signbit", mg.signbit, np.signbit, integers(-3, 4, (5,)), gradient=False, note="integers"),
    one("isposinf", mg.isposinf, np.isposinf, SPECIAL, gradient=False),
    one("isneginf", mg.isneginf, np.isneginf, SPECIAL, gradient=False),
    one("gcd", mg.gcd, np.gcd, integers(-30, 30, (6,)), integers(1, 30, (6,)), gradient=False),
    one("lcm", mg.lcm, np.lcm, integers(-30, 30, (6,)), integers(1, 30, (6,)), gradient=False),
    one("bitwise_left_shift", lambda x: x << 2, lambda x: x << 2, integers(-9, 9, (6,)), gradient=False),
    one("bitwise_right_shift", lambda x, n: x >> n, np.right_shift, integers(-99, 99, (6,)), integers(0, 4, (6,)),
        gradient=False),
    one("frexp", lambda x: tuple(mg.frexp(x)), lambda x: tuple(np.frexp(x)), values([0.0, 3.0, -0.1]), gradient=False),
    one("positive", mg.positive, np.positive, (3,)),
    one("erfc", ops.erfc, by_entry(math.erfc), values([-INF, INF, 27.0, 30.0, NAN]), gradient=False, note="tails"),
    one("erfinv", mg.erfinv, lambda x: np.array([INF, -INF, NAN, NAN]), values([1.0, -1.0, 1.5, NAN]), gradient=False,
        note="ends"),
    one("lgamma", mg.lgamma, lambda x: np.array([0.0, 0.0, INF, INF, INF, math.lgamma(1e6)]),
        values([1.0, 2.0, 0.0, -1.0, INF, 1e6]), gradient=False, note="ends"),
    one("digamma", mg.digamma, lambda x: np.array([-INF, INF, NAN]), values([0.0, -0.0, -1.0]), gradient=False,
        note="poles"),
]  # fmt: skip

CASES = [*SMOOTH, *OF_TWO, *STEPS]
