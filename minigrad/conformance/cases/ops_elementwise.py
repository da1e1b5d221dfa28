"""Elementwise ops and comparisons, a row a call: the value, both gradients and the dtypes are told by `exercises`."""

from minigrad.conformance.cases.ops import ops

POSITIVE = (0.1, 3.0)

# Arithmetic. Shapes (2, 3) and (3,), (2, 1) and (3,): the gradient of what is broadcast is a sum.
ops(
    "add",
    (lambda t, x, y: t.add(x, y, alpha=3), (2, 3), (3,)),
    (lambda t, x, y: x + y, (2, 1), (3,)),
    (lambda t, x: 2 + x + 0.5, (2, 2)),
    (lambda t, x, y: t.add(x, y), (2, 2), [1, -2]),
    wrong=(lambda t, x: x + t.ones(5), lambda t, x: x + "1", lambda t, x: t.add(x)),
)
ops(
    "sub",
    (lambda t, x, y: t.sub(x, y, alpha=2), (2, 3), (3,)),
    (lambda t, x: 2 - x - 0.5, (2, 2)),
    wrong=(lambda t, x: x - t.ones(5), lambda t, x: (x > 0) - (x < 0), lambda t, x: x - None),
)
ops(
    "mul",
    (lambda t, x, y: t.mul(x, y), (2, 3), (3,)),
    (lambda t, x, y: x * y, (2, 1), (3,)),
    (lambda t, x, y: x * y, (2, 2), [2, 3]),
    (lambda t, x: 3 * x * True, (2, 2)),
    wrong=(lambda t, x: x * t.ones(2, 2), lambda t, x: x * "2"),
)
ops(
    "div",
    (lambda t, x, y: t.div(x, y), (2, 3), (3,)),
    (lambda t, x: 2 / x / 4, (2, 2)),
    (lambda t, x, y: t.div(x, y, rounding_mode="floor"), (2, 3), (3,)),
    (lambda t, x, y: t.div(x, y, rounding_mode="trunc"), (2, 3), (3,)),
    (lambda t, x: x / t.tensor([0.0, -0.0, 1.0]), [1.0, 1.0, 0.0]),
    wrong=(lambda t, x: x / t.ones(5), lambda t, x: t.div(x, 2, rounding_mode="up"), lambda t, x: x / "2"),
)
ops(
    "true_divide",
    (lambda t, x, y: t.true_divide(x, y), (2, 3), (3,)),
    (lambda t, x: t.true_divide(x, 2), [[1, 2], [3, -4]]),
    wrong=(lambda t, x: t.true_divide(x, t.ones(5)),),
)
ops(
    "floor_divide",
    (lambda t, x, y: t.floor_divide(x, y).detach(), (2, 3), (3,)),
    (lambda t, x, y: x // y, [7, -7, 7, -7], [2, 2, -2, -2]),
    (lambda t, x: 7 // x, [2, -2, 3]),
    wrong=(lambda t, x: x // t.ones(5), lambda t, x: t.tensor([1]) // 0),
)
ops(
    "remainder",
    (lambda t, x, y: t.remainder(x, y), (2, 3), (3,)),
    (lambda t, x, y: x % y, [7, -7, 7, -7], [2, 2, -2, -2]),
    (lambda t, x: t.remainder(x, -1.5), (2, 3)),
    wrong=(lambda t, x: x % t.ones(5), lambda t, x: t.tensor([1]) % 0),
)
ops(
    "pow",
    (lambda t, x, y: t.pow(x, y), (2, 3), (3,)),
    (lambda t, x: x**3, (2, 3)),
    (lambda t, x: x**0, (2, 2)),
    (lambda t, x: 2.5**x, (2, 3)),
    (lambda t, x: x.pow(0.5), [0.0, 4.0, -1.0]),
    (lambda t, x: x**2, [-3, 0, 3]),
    span=POSITIVE,
    wrong=(lambda t, x: x ** t.ones(5), lambda t, x: t.tensor([2]) ** -1, lambda t, x: x ** "2"),
)
ops(
    "rsub",
    (lambda t, x, y: t.rsub(x, y, alpha=2), (2, 3), (3,)),
    (lambda t, x: t.rsub(x, 1), (2, 2)),
    wrong=(lambda t, x: t.rsub(x, t.ones(5)),),
)
ops("neg", (lambda t, x: t.neg(x), (2, 3)), (lambda t, x: -x, [0.0, -0.0]), wrong=(lambda t, x: -(x > 0),))
ops(
    "abs",
    (lambda t, x: t.abs(x), (2, 3)),
    (lambda t, x: abs(x), [0.0, -2.0]),
    wrong=(lambda t, x: t.abs("1"),),
    untold=("bool",),
)
ops(
    "lerp",
    (lambda t, x, y: t.lerp(x, y, 0.3), (2, 3), (3,)),
    (lambda t, x, y, w: t.lerp(x, y, w), (2, 3), (3,), (2, 1)),
    wrong=(lambda t, x: t.lerp(x, t.ones(5), 0.5), lambda t, x: t.lerp(x, t.ones(3, dtype=t.float64), 0.5)),
    untold=("int64", "bool"),
)
ops(
    "addcmul",
    (lambda t, x, y, z: t.addcmul(x, y, z, value=3), (2, 3), (3,), (2, 1)),
    wrong=(lambda t, x: t.addcmul(x, x, t.ones(5)), lambda t, x: t.addcmul(x, x)),
    untold=("bool",),
)
ops(
    "addcdiv",
    (lambda t, x, y, z: t.addcdiv(x, y, z, value=0.5), (2, 3), (3,), (2, 1)),
    wrong=(lambda t, x: t.addcdiv(x, x, t.ones(5)),),
)

# Functions of one number.
ops("exp", (lambda t, x: t.exp(x), (2, 3)), (lambda t, x: t.exp(x), [1000.0, -1000.0]), wrong=(lambda t, x: t.exp(2),))
ops("log", (lambda t, x: t.log(x), (2, 3)), (lambda t, x: t.log(x), [0.0, -1.0]), span=POSITIVE)
ops("log1p", (lambda t, x: t.log1p(x), (2, 3)), (lambda t, x: t.log1p(x), [1e-12, -1.0]), span=POSITIVE)
ops("log2", (lambda t, x: t.log2(x), (2, 3)), (lambda t, x: t.log2(x), [0.0, 8.0]), span=POSITIVE)
ops("sqrt", (lambda t, x: t.sqrt(x), (2, 3)), (lambda t, x: t.sqrt(x), [0.0, -1.0]), span=POSITIVE)
ops("rsqrt", (lambda t, x: t.rsqrt(x), (2, 3)), (lambda t, x: t.rsqrt(x), [0.0, -1.0]), span=POSITIVE)
ops("square", (lambda t, x: t.square(x), (2, 3)), wrong=(lambda t, x: t.square(2),))
ops("reciprocal", (lambda t, x: t.reciprocal(x), (2, 3)), (lambda t, x: t.reciprocal(x), [0.0, -2.0]))
ops("sin", (lambda t, x: t.sin(x), (2, 3)), wrong=(lambda t, x: t.sin(x, 1),))
ops("cos", (lambda t, x: t.cos(x), (2, 3)), wrong=(lambda t, x: t.cos(x, 1),))
ops("tan", (lambda t, x: t.tan(x), (2, 3)), wrong=(lambda t, x: t.tan(1.0),))
ops("tanh", (lambda t, x: t.tanh(x), (2, 3)), (lambda t, x: t.tanh(x), [50.0, -50.0]))
ops("sigmoid", (lambda t, x: t.sigmoid(x), (2, 3)), (lambda t, x: t.sigmoid(x), [-800.0, 800.0]))
ops("erf", (lambda t, x: t.erf(x), (2, 3)), (lambda t, x: t.erf(x), [-6.0, 6.0]))
ops("expm1", (lambda t, x: t.expm1(x), (2, 3)), (lambda t, x: t.expm1(x), [1e-12, -50.0]))
ops("sign", (lambda t, x: t.sign(x), (2, 3)), (lambda t, x: t.sign(x), [0.0, -0.0, float("nan")]))
ops("floor", (lambda t, x: t.floor(x), (2, 3)), (lambda t, x: t.floor(x), [-0.5, 2.0]), untold=("bool",))
ops("ceil", (lambda t, x: t.ceil(x), (2, 3)), (lambda t, x: t.ceil(x), [-0.5, 2.0]), untold=("bool",))
ops(
    "round",
    (lambda t, x: t.round(x), [0.5, 1.5, -2.5, 0.4]),
    (lambda t, x: t.round(x, decimals=1), (2, 3)),
    wrong=(lambda t, x: t.round(x, 1),),
    untold=("bool",),
)
ops("atan2", (lambda t, x, y: t.atan2(x, y), (2, 3), (3,)), wrong=(lambda t, x: t.atan2(x, t.ones(5)),))

# Bounds.
ops(
    "clamp",
    (lambda t, x: t.clamp(x, -1, 1), (2, 3)),
    (lambda t, x: x.clamp(min=0.5), [0.5, 0.4, float("nan")]),
    (lambda t, x, low, high: t.clamp(x, low, high), (2, 3), (3,), (2, 1)),
    (lambda t, x: t.clamp(x, max=2.5), [1, 2, 3]),
    wrong=(lambda t, x: t.clamp(x), lambda t, x: t.clamp(x, "a")),
)
ops(
    "clamp_min",
    (lambda t, x: t.clamp_min(x, 0), (2, 3)),
    (lambda t, x, y: t.clamp_min(x, y), (2, 3), (3,)),
    wrong=(lambda t, x: t.clamp_min(x),),
)
ops(
    "maximum",
    (lambda t, x, y: t.maximum(x, y), (2, 3), (3,)),
    (lambda t, x, y: t.maximum(x, y), [1.0, 2.0, float("nan")], [1.0, 1.0, 0.0]),
    wrong=(lambda t, x: t.maximum(x, t.ones(5)), lambda t, x: t.maximum(x, 1)),
)
ops(
    "minimum",
    (lambda t, x, y: t.minimum(x, y), (2, 3), (3,)),
    (lambda t, x, y: t.minimum(x, y), [1.0, 2.0, float("nan")], [1.0, 1.0, 0.0]),
    wrong=(lambda t, x: t.minimum(x, t.ones(5)), lambda t, x: t.minimum(x, 1)),
)

# Comparisons and logic: no gradient, bool out.
ops(
    "eq",
    (lambda t, x, y: t.eq(x, y), [[1.0, 2.0], [3.0, 4.0]], [1.0, 4.0]),
    (lambda t, x: x == 2, [1, 2, 3]),
    wrong=(lambda t, x: x == t.ones(5), lambda t, x: t.eq(x)),
)
ops(
    "ne",
    (lambda t, x, y: t.ne(x, y), [[1.0, 2.0], [3.0, 4.0]], [1.0, 4.0]),
    (lambda t, x: x != 2, [1, 2, 3]),
    wrong=(lambda t, x: x != t.ones(5),),
)
ops(
    "lt",
    (lambda t, x, y: t.lt(x, y), (2, 3), (3,)),
    (lambda t, x: x < 2.5, [1, 2, 3]),
    wrong=(lambda t, x: x < t.ones(5), lambda t, x: x < "1"),
)
ops("le", (lambda t, x, y: t.le(x, y), (2, 3), (3,)), (lambda t, x: x <= 2, [1, 2, 3]))
ops("gt", (lambda t, x, y: t.gt(x, y), (2, 3), (3,)), (lambda t, x: x > 2, [1, 2, 3]), wrong=(lambda t, x: x > None,))
ops("ge", (lambda t, x, y: t.ge(x, y), (2, 3), (3,)), (lambda t, x: x <= 2, [1, 2, 3]))
ops(
    "isclose",
    (
        lambda t, x, y: t.isclose(x, y),
        [1.0, 1.0, float("nan"), float("inf")],
        [1.0 + 1e-6, 1.1, float("nan"), float("inf")],
    ),
    (lambda t, x, y: t.isclose(x, y, rtol=0, atol=0.2, equal_nan=True), [1.0, float("nan")], [1.1, float("nan")]),
    wrong=(lambda t, x: t.isclose(x, x.double()), lambda t, x: t.isclose(x, x, rtol=-1.0)),
)
for name in ("isfinite", "isinf", "isnan"):
    ops(name, (lambda t, x, name=name: getattr(t, name)(x), [1.0, float("inf"), -float("inf"), float("nan")]))
ops("logical_and", (lambda t, x, y: t.logical_and(x, y), [[0.0, 2.0], [1.0, 0.0]], [1.0, 0.0]))
ops("logical_or", (lambda t, x, y: t.logical_or(x, y), [[0.0, 2.0], [1.0, 0.0]], [1.0, 0.0]))
ops("logical_not", (lambda t, x: t.logical_not(x), [0.0, 2.0, float("nan")]))
ops(
    "where",
    (lambda t, x, y: t.where(x > y, x, y), (2, 3), (3,)),
    (lambda t, x: t.where(x > 0, x, 0.0), (2, 3)),
    (lambda t, c: t.where(c, 1, 2), [True, False]),
    (lambda t, x: t.where(x > 0), (2, 3)),
    (lambda t, x: x.where(x > 0, t.zeros(1)), (2, 3)),
    wrong=(lambda t, x: t.where(x, x, x), lambda t, x: t.where(x > 0, x, t.ones(5)), lambda t, x: t.where(x > 0, x)),
)
