"""The table of ops, elementwise: arithmetic, powers, trigonometry, rounding, comparison, choice, casts."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from case import Case
from makers import away_from, booleans, integers, values

import minigrad as mg

INF, NAN = math.inf, math.nan
SHAPES = {"": (3, 4), "0-d": (), "empty": (0, 3), "size 1": (1, 3, 1)}
PAIRS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "": ((3, 4), (3, 4)),
    "row": ((3, 4), (4,)),
    "both broadcast": ((3, 1), (2, 1, 4)),
    "0-d": ((2, 3), ()),
    "0-d both": ((), ()),
    "empty": ((0, 3), (1, 3)),
}
SPECIAL = values([0.0, -0.0, 1.5, -2.0, INF, -INF, NAN])
erf = np.vectorize(math.erf, otypes=[float])


def unary(
    name: str, oracle: Callable, *points: float, low: float = -2.0, high: float = 2.0, **options: Any
) -> list[Case]:
    """Cases of a function of one tensor, kept away from `points`."""
    function = getattr(mg, name)
    return [
        Case(name, function, (away_from(points, shape, low, high),), oracle=oracle, note=note, **options)
        for note, shape in SHAPES.items()
    ]


def binary(name: str, oracle: Callable, function: Callable | None = None, **options: Any) -> list[Case]:
    """Cases of a function of two tensors that broadcast."""
    function = function or getattr(mg, name)
    return [Case(name, function, pair, oracle=oracle, note=note, **options) for note, pair in PAIRS.items()]


def comparison(name: str, oracle: Callable) -> list[Case]:
    """Cases of a function with boolean results: broadcast, equal entries, special values, a number, integers."""
    function, options = getattr(mg, name), {"oracle": oracle, "gradient": False}
    few = [0.0, 1.0, 2.0]
    return [
        *binary(name, oracle, gradient=False),
        Case(name, function, (values(few), values([[0.0], [1.0], [2.0]])), note="ties", **options),
        Case(name, function, (SPECIAL, values([0.0, 0.0, 1.5, NAN, INF, INF, NAN])), note="special values", **options),
        Case(
            name,
            lambda x: function(x, mg.tensor(1)),
            (values(few),),
            oracle=lambda x: oracle(x, 1),
            gradient=False,
            note="0-d integer",
        ),
        Case(name, function, (integers(-2, 3, (4, 3)), integers(-2, 3, (3,))), note="integers", **options),
    ]


def sized(low: float, shape: tuple[int, ...], signs: tuple[float, ...] = (1.0, -1.0)) -> Callable:
    """Numbers of size `low` to low + 2, with these signs."""
    return lambda rng: np.asarray(rng.uniform(low, low + 2, shape) * rng.choice(signs, shape))


def off_integers(quotient: tuple[int, ...]) -> tuple[Callable, Callable]:
    """a and b with a / b at least 0.2 from every integer: floor(a / b) jumps there."""
    return (lambda rng: (rng.integers(-3, 3, quotient) + rng.uniform(0.2, 0.8, quotient)) * 1.5), values([1.5])


ARITHMETIC = [
    *binary("add", np.add),
    Case("add", mg.add, ((2, 3), (3,)), {"alpha": 2.5}, oracle=lambda a, b, alpha: a + alpha * b, note="alpha"),
    Case("add", lambda x: 2 + x + 1.5, ((2, 3),), oracle=lambda x: x + 3.5, note="numbers on both sides"),
    Case("add", mg.add, (integers(-3, 4, (2, 3)), (3,)), oracle=np.add, note="integer and float"),
    Case("add", lambda x: x + x, ((2, 3),), oracle=lambda x: 2 * x, note="one tensor twice"),
    *binary("sub", np.subtract),
    Case("sub", mg.sub, ((2, 3), (3,)), {"alpha": 2.5}, oracle=lambda a, b, alpha: a - alpha * b, note="alpha"),
    Case("sub", lambda x: x - 2, ((2, 3),), oracle=lambda x: x - 2, note="number"),
    Case("sub", lambda x: x - x, ((2, 3),), oracle=lambda x: x - x, note="one tensor twice"),
    *binary("rsub", lambda a, b: b - a),
    Case("rsub", lambda x: 2 - x, ((2, 3),), oracle=lambda x: 2 - x, note="number"),
    Case("rsub", mg.rsub, ((2, 3), (3,)), {"alpha": 2.5}, oracle=lambda a, b, alpha: b - alpha * a, note="alpha"),
    *binary("mul", np.multiply),
    Case("mul", lambda x: 2.5 * x * 3, ((2, 3),), oracle=lambda x: 7.5 * x, note="numbers on both sides"),
    Case("mul", lambda x: x * x, ((2, 3),), oracle=np.square, note="one tensor twice"),
    Case("mul", mg.mul, (integers(-3, 4, (2, 3)), integers(-3, 4, (3,))), oracle=np.multiply, gradient=False,
         note="integers"),
    *binary("div", np.divide, low=0.5),
    *binary("true_divide", np.divide, low=0.5),
    Case("div", lambda x: 2 / x, (sized(0.5, (2, 3)),), oracle=lambda x: 2 / x, note="of a number"),
    Case("div", lambda x: x / 4, ((2, 3),), oracle=lambda x: x / 4, note="by a number"),
    Case("div", mg.div, (values([1.0, -1.0, 0.0]), values(0.0)), oracle=np.divide, gradient=False, note="by zero"),
    *(
        Case("div", mg.div, off_integers((3, 4)), {"rounding_mode": mode}, note=mode, second=False,
             oracle=lambda a, b, rounding_mode: (np.floor if rounding_mode == "floor" else np.trunc)(a / b),
             gradient=False)
        for mode in ("floor", "trunc")
    ),
    Case("floor_divide", mg.floor_divide, off_integers((3, 4)), oracle=np.floor_divide, gradient=False),
    Case("floor_divide", lambda x: x // 2, (integers(-5, 6, (7,)),), oracle=lambda x: x // 2, gradient=False,
         note="integers"),
    Case("floor_divide", lambda x: 7 // x, (sized(0.5, (3,)),), oracle=lambda x: 7 // x, gradient=False,
         note="of a number"),
    Case("floor_divide", mg.floor_divide, ((0, 3), (3,)), oracle=np.floor_divide, gradient=False, note="empty"),
    Case("remainder", mg.remainder, off_integers((3, 4)), oracle=np.remainder),
    Case("remainder", mg.remainder, off_integers(()), oracle=np.remainder, note="0-d"),
    Case("remainder", lambda x: x % 1.5, off_integers((4,))[:1], oracle=lambda x: x % 1.5, note="by a number"),
    Case("remainder", lambda x: x % 3, (integers(-5, 6, (7,)),), oracle=lambda x: x % 3, gradient=False,
         note="integers"),
    Case("remainder", mg.remainder, ((0, 3), (3,)), oracle=np.remainder, note="empty"),
    Case("fmod", mg.fmod, off_integers((3, 4)), oracle=np.fmod),
    *unary("neg", np.negative),
    Case("neg", mg.neg, (integers(-3, 4, (4,)),), oracle=np.negative, gradient=False, note="integers"),
    *unary("abs", np.abs, 0.0),
    Case("abs", mg.abs, (integers(-3, 4, (4,)),), oracle=np.abs, gradient=False, note="integers"),
    *(
        Case("lerp", mg.lerp, ((3, 4), (4,)), {"weight": w}, note=f"weight {w}",
             oracle=lambda a, b, weight: a + weight * (b - a))
        for w in (0.0, 0.3, 0.8, 1.0)
    ),
    Case("lerp", mg.lerp, ((3, 4), (4,), away_from((0.5, -0.5), (3, 1))), oracle=lambda a, b, w: a + w * (b - a),
         note="tensor"),
    Case("lerp", mg.lerp, ((), (), ()), low=0.6, oracle=lambda a, b, w: a + w * (b - a), note="0-d"),
    Case("lerp", mg.lerp, ((0, 2), (2,), (1,)), oracle=lambda a, b, w: a + w * (b - a), note="empty"),
    Case("addcmul", mg.addcmul, ((3, 4), (3, 1), (4,)), oracle=lambda x, a, b: x + a * b),
    Case("addcmul", mg.addcmul, ((3, 4), (3, 1), ()), {"value": -0.5}, oracle=lambda x, a, b, value: x + value * a * b,
         note="value"),
    Case("addcmul", mg.addcmul, ((0, 4), (1, 1), (4,)), oracle=lambda x, a, b: x + a * b, note="empty"),
    Case("addcdiv", mg.addcdiv, ((3, 4), (3, 1), (4,)), low=0.5, oracle=lambda x, a, b: x + a / b),
    Case("addcdiv", mg.addcdiv, ((3, 4), (3, 1), ()), {"value": -0.5}, low=0.5,
         oracle=lambda x, a, b, value: x + value * a / b,
         note="value"),
    Case("addcdiv", mg.addcdiv, ((), (), ()), low=0.5, oracle=lambda x, a, b: x + a / b, note="0-d"),
]  # fmt: skip

POWERS = [
    *binary("pow", np.power, low=0.2),
    *(
        Case("pow", mg.pow, (sized(0.3, (2, 3)),), {"exponent": n}, oracle=lambda x, exponent: x**exponent,
             note=f"to the {n}")
        for n in (0, 1, 2, 3, -1, -2)
    ),
    *(
        Case("pow", mg.pow, ((2, 3),), {"exponent": p}, low=0.2, oracle=lambda x, exponent: x**exponent,
             note=f"to the {p}")
        for p in (0.5, -0.5, 2.5, 0.0)
    ),
    Case("pow", lambda x: 2.0**x, ((2, 3),), oracle=lambda x: 2.0**x, note="of a number"),
    Case("pow", mg.pow, (sized(0.3, (4,), (-1.0,)), values([0, 1, 2, 3])), oracle=np.power,
         note="negative base, integers"),
    Case("pow", lambda x: x**2, (integers(-3, 4, (4,)),), oracle=np.square, gradient=False, note="integers"),
    Case("pow", lambda x: x**0, (values([0.0, 1.0, 2.0]),), oracle=np.ones_like, note="to the 0 at 0"),
    *unary("exp", np.exp),
    Case("exp", mg.exp, (SPECIAL,), oracle=np.exp, gradient=False, note="special values"),
    *unary("expm1", np.expm1),
    *unary("exp2", np.exp2),
    *unary("log", np.log, low=0.2),
    Case("log", mg.log, (values([0.0, 1.0, INF, NAN, -1.0]),), oracle=np.log, gradient=False, note="special values"),
    *unary("log1p", np.log1p, low=-0.8),
    *unary("log2", np.log2, low=0.2),
    *unary("log10", np.log10, low=0.2),
    *unary("sqrt", np.sqrt, low=0.2),
    Case("sqrt", mg.sqrt, (values([0.0, 4.0, INF, -1.0]),), oracle=np.sqrt, gradient=False, note="special values"),
    *unary("rsqrt", lambda x: 1 / np.sqrt(x), low=0.2),
    *unary("square", np.square),
    *unary("reciprocal", lambda x: 1 / x, low=0.2),
]  # fmt: skip

TRIGONOMETRY = [
    *unary("sin", np.sin),
    *unary("cos", np.cos),
    *unary("tan", np.tan, low=-1.3, high=1.3),
    *unary("asin", np.arcsin, low=-0.9, high=0.9),
    *unary("acos", np.arccos, low=-0.9, high=0.9),
    *unary("atan", np.arctan),
    *binary("atan2", np.arctan2, low=0.2),
    Case("atan2", mg.atan2, (sized(0.3, (4, 3)), sized(0.3, (4, 3))), oracle=np.arctan2, note="all quadrants"),
    Case("atan2", mg.atan2, (values([0.0, 0.0, 1.0, -1.0]), values([1.0, -1.0, 0.0, 0.0])), oracle=np.arctan2,
         gradient=False, note="on the axes"),
    *unary("sinh", np.sinh),
    *unary("cosh", np.cosh),
    *unary("tanh", np.tanh),
    Case("tanh", mg.tanh, (values([-400.0, 400.0, INF]),), oracle=np.tanh, note="large", gradient=False),
    *unary("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    Case("sigmoid", mg.sigmoid, (values([-800.0, 800.0, -INF, INF]),), oracle=lambda x: np.array([0.0, 1.0, 0.0, 1.0]),
         note="large", gradient=False),
    *unary("erf", erf),
    Case("erf", mg.erf, (values([-8.0, -3.0, -0.3, 0.0, 1e-9, 0.45, 0.5, 1.9, 2.1, 4.0, 6.5]),), oracle=erf,
         note="every piece"),
]  # fmt: skip

STEPS = [
    *unary("sign", np.sign, 0.0),
    Case("sign", mg.sign, (values([-2.0, -0.0, 0.0, 3.0]),), oracle=np.sign, gradient=False, note="zero"),
    *unary("floor", np.floor, -2, -1, 0, 1, 2),
    *unary("ceil", np.ceil, -2, -1, 0, 1, 2),
    *unary("trunc", np.trunc, -2, -1, 0, 1, 2),
    *unary("frac", lambda x: x - np.trunc(x), -2, -1, 0, 1, 2),
    *unary("round", np.round, -1.5, -0.5, 0.5, 1.5),
    Case("round", mg.round, (values([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]),), oracle=np.round, gradient=False,
         note="halves"),
    *(
        Case("round", mg.round, (values([12.3456, -98.7654]),), {"decimals": n}, oracle=np.round, note=f"{n} decimals")
        for n in (2, -1)
    ),
    *(
        Case(name, getattr(mg, name), (integers(-3, 4, (4,)),), oracle=lambda x: x, gradient=False, note="integers")
        for name in ("floor", "ceil", "trunc", "round")
    ),
]  # fmt: skip


def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    return np.clip(x, -INF if min is None else min, INF if max is None else max)


CHOICE = [
    *(
        Case("clamp", mg.clamp, (away_from((-1, 0.5), (3, 4)),), bounds, oracle=clip, note=f"{bounds}")
        for bounds in ({"min": -1, "max": 0.5}, {"min": -1.0}, {"max": 0.5}, {"min": 0.5, "max": -1.0})
    ),
    Case("clamp", mg.clamp, (away_from((-1, 0.5), ()),), {"min": -1, "max": 0.5}, oracle=clip, note="0-d"),
    Case("clamp", mg.clamp, ((0, 3),), {"min": 0.0}, oracle=clip, note="empty"),
    Case("clamp", mg.clamp, (away_from((), (3, 4), 2, 3), away_from((), (4,), 0, 1), away_from((), (3, 1), 4, 5)),
         oracle=clip,
         note="tensors"),
    Case("clamp", lambda x, low: mg.clamp(x, min=low), (away_from((0,), (3, 4)), values(0.0)), oracle=clip,
         note="0-d bound"),
    Case("clamp", lambda x: mg.clamp(x, 0, 2), (integers(-5, 6, (6,)),), oracle=lambda x: clip(x, 0, 2), gradient=False,
         note="integers"),
    Case("clamp_min", mg.clamp_min, (away_from((0.3,), (3, 4)),), {"min": 0.3}, oracle=clip),
    Case("clamp_min", mg.clamp_min, (values([-1.0, NAN, 2.0]),), {"min": 0.3}, oracle=clip, gradient=False, note="nan"),
    Case("clamp_min", mg.clamp_min, (away_from((0.3,), ()),), {"min": 0.3}, oracle=clip, note="0-d"),
    Case("clamp_max", mg.clamp_max, (away_from((0.3,), (3, 4)),), {"max": 0.3}, oracle=clip),
    *(
        case
        for name, oracle in (("maximum", np.maximum), ("minimum", np.minimum))
        for case in (
            *binary(name, oracle),
            Case(name, getattr(mg, name), (values([1.0, 2.0]), values([1.0, 3.0])), oracle=oracle, gradient=False,
                 note="ties"),
            Case(name, getattr(mg, name), (SPECIAL, values(NAN)), oracle=oracle, gradient=False, note="nan"),
            Case(name, getattr(mg, name), (integers(-3, 4, (5,)), integers(-3, 4, (5,))), oracle=oracle, gradient=False,
                 note="integers"),
        )
    ),
    Case("where", mg.where, (booleans((3, 4)), (3, 4), (3, 4)), oracle=np.where),
    Case("where", mg.where, (booleans((3, 1)), (4,), ()), oracle=np.where, note="broadcast"),
    Case("where", lambda c, x: mg.where(c, x, 2.0), (booleans((3, 4)), (4,)), oracle=lambda c, x: np.where(c, x, 2.0),
         note="number"),
    Case("where", lambda c, x: mg.where(c, 0, x), (booleans((3, 4)), ()), oracle=lambda c, x: np.where(c, 0, x),
         note="number first"),
    Case("where", mg.where, (booleans((0, 3)), (3,), (1, 1)), oracle=np.where, note="empty"),
    Case("where", mg.where, (booleans((3, 2)),), oracle=np.nonzero, gradient=False, note="positions"),
    Case("where", lambda x: mg.where(x > 0, x, -x), (away_from((0,), (5,)),), oracle=np.abs, note="one tensor twice"),
    Case("nan_to_num", mg.nan_to_num, (SPECIAL,), oracle=np.nan_to_num, gradient=False),
]  # fmt: skip

LOGIC = [
    *(
        Case(name, lambda x, name=name: getattr(mg, name)(x, 1), (values([0.0, 1.0, 2.0]),), note="number",
             gradient=False, oracle=lambda x, function=function: function(x, 1))
        for name, function in (("eq", np.equal), ("lt", np.less), ("ge", np.greater_equal))
    ),
    *comparison("eq", np.equal),
    *comparison("ne", np.not_equal),
    *comparison("lt", np.less),
    *comparison("le", np.less_equal),
    *comparison("gt", np.greater),
    *comparison("ge", np.greater_equal),
    *comparison("logical_and", np.logical_and),
    *comparison("logical_or", np.logical_or),
    *comparison("logical_xor", np.logical_xor),
    *(
        Case("logical_not", mg.logical_not, (make,), oracle=np.logical_not, gradient=False, note=note)
        for note, make in {"": (3, 4), "0-d": (), "empty": (0, 3), "zeros": SPECIAL, "bools": booleans((4,))}.items()
    ),
    *(
        Case("isclose", mg.isclose, (values([1.0, 1.0, 0.0, INF, INF, NAN]),
                                     values([1.0, 1.0 + 1e-6, 1e-7, INF, -INF, NAN])),
             params, oracle=np.isclose, gradient=False, note=note)
        for note, params in {"": {}, "wide": {"rtol": 0.1, "atol": 0.1}, "nan": {"equal_nan": True}}.items()
    ),
    Case("isclose", mg.isclose, ((0, 3), (3,)), oracle=np.isclose, gradient=False, note="empty"),
    Case("isclose", mg.isclose, ((), (2, 1)), oracle=np.isclose, gradient=False, note="broadcast"),
    *(
        Case(name, getattr(mg, name), (make,), oracle=getattr(np, name), gradient=False, note=note)
        for name in ("isfinite", "isinf", "isnan")
        for note, make in {"": SPECIAL, "0-d": (), "empty": (0, 3), "integers": integers(-2, 3, (3,))}.items()
    ),
    *(
        Case(name, getattr(mg, name), (make((4, 3)), make((3,))), oracle=getattr(np, name), gradient=False, note=note)
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
        for note, make in {"": lambda shape: integers(-4, 5, shape), "bools": booleans}.items()
    ),
    Case("bitwise_not", mg.bitwise_not, (integers(-4, 5, (4,)),), oracle=np.invert, gradient=False),
    Case("bitwise_not", lambda x: ~x, (booleans((4,)),), oracle=np.invert, gradient=False, note="bools"),
]  # fmt: skip

MEMORY = [
    Case("identity", mg.ops.identity, ((3, 4),), oracle=np.copy),
    Case("clone", mg.clone, ((3, 4),), oracle=np.copy),
    Case("clone", mg.clone, ((),), oracle=np.copy, note="0-d"),
    Case("clone", lambda x: x.T.clone(), ((0, 3),), oracle=np.transpose, note="empty"),
    Case("contiguous", lambda x: x.transpose(0, 1).contiguous(), ((3, 4),), oracle=np.transpose),
    Case("contiguous", lambda x: x.contiguous() * 1, ((3, 4),), oracle=np.copy, note="already"),
    Case("to", lambda x: (x.float() * 2).double(), (values([0.5, -1.25]),), oracle=lambda x: 2 * x, gradient=False,
         note="and back"),
    Case("to", lambda x: x.long(), (values([1.7, -1.7]),), oracle=lambda x: x.astype(np.int64), gradient=False,
         note="integers"),
    Case("to", lambda x: x.bool(), (values([1.7, 0.0]),), oracle=lambda x: x.astype(bool), gradient=False,
         note="bools"),
    Case("to", lambda x: x.double(), (integers(-2, 3, (3,)),), oracle=lambda x: x.astype(float), gradient=False,
         note="from integers"),
]  # fmt: skip

CASES = [*ARITHMETIC, *POWERS, *TRIGONOMETRY, *STEPS, *CHOICE, *LOGIC, *MEMORY]
