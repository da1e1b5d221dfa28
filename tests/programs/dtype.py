"""Programs on element types: promotion, arithmetic of ints and bools, narrow floats, conversion, limits."""

from typing import Any

from programs.common import error_of

_NAMES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
_OPERATIONS = {
    "+": lambda a, b: a + b,
    "*": lambda a, b: a * b,
    "-": lambda a, b: a - b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
    "<": lambda a, b: a < b,
    "==": lambda a, b: a == b,
    "&": lambda a, b: a & b,
}
_NUMBERS = {"3": 3, "2.5": 2.5, "True": True, "-2": -2}
_WITHOUT = {"**": {"3": 3, "2.5": 2.5, "True": True}, "-": {"3": 3, "2.5": 2.5, "-2": -2}}


def _either(call: Any) -> Any:
    """The result, or the name of the error."""
    name = error_of(call)
    return call() if name == "no error" else name


def _pairs(operation: Any, names: Any = _NAMES) -> Any:
    def program(m):
        tensors = [m.tensor([3, 2]).to(getattr(m, name)) for name in names]
        return [_either(lambda a=a, b=b: operation(a, b)) for a in tensors for b in tensors]

    return program


def _with_0d(operation: Any) -> Any:
    def program(m):
        vectors = [m.tensor([3, 2]).to(getattr(m, name)) for name in _NAMES]
        scalars = [m.tensor(2).to(getattr(m, name)) for name in _NAMES]
        pairs = [(a, b) for a in vectors for b in scalars] + [(b, a) for a in vectors for b in scalars]
        return [_either(lambda a=a, b=b: operation(a, b)) for a, b in pairs]

    return program


def _with_numbers(operation: Any, numbers: Any = _NUMBERS) -> Any:
    def program(m):
        tensors = [m.tensor([3, 2]).to(getattr(m, name)) for name in _NAMES[:-1]] + [m.tensor(3), m.tensor(3.0)]
        pairs = [(a, b) for a in tensors for b in numbers.values()] + [
            (b, a) for a in tensors for b in numbers.values()
        ]
        return [_either(lambda a=a, b=b: operation(a, b)) for a, b in pairs]

    return program


def _unary(name: str, *args: Any, names: Any = _NAMES) -> Any:
    def program(m):
        tensors = [m.tensor([1, 0, 1]).to(getattr(m, dtype)) for dtype in names]
        return [_either(lambda x=x: getattr(x, name)(*args)) for x in tensors]

    return program


CASES = (
    {f"a {name} b": _pairs(f, _NAMES[:-1] if name == "-" else _NAMES) for name, f in _OPERATIONS.items()}
    | {f"a {name} 0-d": _with_0d(f) for name, f in _OPERATIONS.items() if name in ("+", "/", "<", "**")}
    | {f"a {name} number": _with_numbers(f, _WITHOUT.get(name, _NUMBERS)) for name, f in _OPERATIONS.items()}
    | {
        name: _unary(name)
        for name in (
            "sum",
            "mean",
            "prod",
            "max",
            "min",
            "exp",
            "sqrt",
            "sin",
            "sigmoid",
            "tanh",
            "neg",
            "sign",
            "reciprocal",
            "logical_not",
            "bitwise_not",
            "std",
            "isnan",
            "isfinite",
            "norm",
            "count_nonzero",
            "float",
            "double",
            "half",
            "bfloat16",
            "long",
            "int",
            "short",
            "char",
            "byte",
            "bool",
            "unique",
        )
    }
    | {
        name: _unary(name, names=_NAMES[:-1])
        for name in ("argmax", "abs", "floor", "ceil", "round", "square", "relu", "trunc")
    }
    | {name: _unary(name, names=("float32", "int64", "bool")) for name in ("any", "all")}
    | {
        f"{name} over a dim": _unary(name, 0)
        for name in ("sum", "mean", "prod", "cumsum", "cumprod", "max", "softmax", "sort")
    }
    | {
        "sum as float64": lambda m: m.tensor([1, 2]).sum(dtype=m.float64),
        "mean of ints as float": lambda m: m.tensor([1, 2]).mean(dtype=m.float32),
    }
)


def where_promotes(m):
    c = m.tensor([True, False])
    return [
        m.where(c, m.tensor([1, 2]), m.tensor([1.5, 2.5])),
        m.where(c, 1, 2.5),
        m.where(c, m.tensor([1.0, 2.0]), 3),
        m.where(c, m.tensor([1, 2]), 3.5),
        m.where(c, m.tensor([1, 2], dtype=m.int32), m.tensor(3)),
    ]


def cat_promotes(m):
    return [
        m.cat([m.tensor([1]), m.tensor([1.5])]),
        m.cat([m.tensor([1], dtype=m.float16), m.tensor([1.5])]),
        m.stack([m.tensor([True]), m.tensor([2])]),
    ]


def products_of_different_types(m):
    a, b = m.ones(2, 2), m.ones(2, 2, dtype=m.float64)
    i = m.tensor([[1, 2], [3, 4]])
    return [error_of(lambda: a @ b), error_of(lambda: a @ i), i @ i, (i @ m.tensor([1, 1]))]


def sums_of_narrow_floats(m):
    return [
        m.ones(1000, dtype=m.bfloat16).sum(),
        m.ones(3000, dtype=m.float16).sum(),
        m.full((4, 512), 0.1, dtype=m.bfloat16).sum(1),
        m.full((4, 512), 0.1, dtype=m.float16).mean(1),
        m.ones(2, 1000, dtype=m.bfloat16) @ m.ones(1000, 2, dtype=m.bfloat16),
        m.full((2, 1000), 0.1, dtype=m.float16) @ m.ones(1000, 2, dtype=m.float16),
        m.full((400,), 3.0, dtype=m.bfloat16).cumsum(0)[-1],
        m.full((5,), 0.3, dtype=m.bfloat16).std(),
        m.arange(8).to(m.bfloat16).softmax(0),
        m.arange(8).to(m.float16).logsumexp(0),
    ]


def gradients_of_narrow_floats(m):
    found = []
    for dtype in (m.float16, m.bfloat16):
        x = m.tensor([0.5, 1.5, -2.0], dtype=dtype, requires_grad=True)
        (x.exp() * x).sum().backward()
        found.append(x.grad)
    return found


def elementwise_of_narrow_floats(m):
    x = m.tensor([0.1, 1.7, 3.3])
    return [
        getattr(x.to(d), name)()
        for d in (m.float16, m.bfloat16)
        for name in ("exp", "log", "sqrt", "tanh", "sigmoid", "sin")
    ]


def bfloat16_rounds_to_nearest(m):
    x = m.tensor([1.0, 1.00390625, 1.01171875, 3.14159265, 1e-40, 3.4e38, float("inf"), float("nan")])
    return [x.bfloat16(), x.bfloat16() + 1, x.bfloat16() * 2.0, x.half()]


def division_of_ints(m):
    a, b = m.tensor([7, -7, 7, -7]), m.tensor([2, 2, -2, -2])
    return [
        a / b,
        a // b,
        a % b,
        a.fmod(b),
        a.remainder(b),
        a.div(b, rounding_mode="trunc"),
        a.div(b, rounding_mode="floor"),
        m.floor_divide(a, 2),
        a / 2,
        a // 2.0,
        7 // b,
        7 % b,
        a % -3,
        a.float() // 2,
        a.float() % -2.5,
    ]


def division_by_zero(m):
    x = m.tensor([1.0, -1.0, 0.0])
    return [
        x / 0,
        x // 0,
        x % 0,
        error_of(lambda: m.tensor([1]) // 0),
        error_of(lambda: m.tensor([1]) % 0),
        m.tensor([1]) / 0,
    ]


def overflow(m):
    return [
        m.tensor([200], dtype=m.uint8) + m.tensor([100], dtype=m.uint8),
        m.tensor([127], dtype=m.int8) + 1,
        m.tensor([2**62]) * 4,
        m.tensor([60000.0], dtype=m.float16) * 2,
        -m.tensor([1], dtype=m.uint8),
        m.tensor([1, 2], dtype=m.uint8).sum(),
    ]


def powers(m):
    x = m.tensor([2, 3])
    return [
        x**2,
        x**0,
        error_of(lambda: x**-1),
        x**0.5,
        2**x,
        2.0**x,
        m.tensor([2.0]) ** m.tensor([3]),
        x ** m.tensor([2, 0]),
        m.tensor([True, False]) ** 2,
        m.tensor([-8.0]) ** (1 / 3),
        m.tensor([0.0]) ** 0,
        m.tensor([4.0]) ** 0.5,
    ]


def bools(m):
    a, b = m.tensor([True, False]), m.tensor([True, True])
    return [
        a + b,
        a * b,
        error_of(lambda: a - b),
        error_of(lambda: -a),
        a & b,
        a | b,
        a ^ b,
        ~a,
        a.sum(),
        a.float().mean(),
        a == 1,
        a + 1,
        a * 2.5,
        a.any(),
        a.all(),
        a.logical_and(b),
        a.logical_xor(b),
        a < b,
        a.max(),
        a / b,
        a.int() - b.int(),
    ]


def conversions(m):
    x = m.tensor([1.7, -2.3, 0.0])
    return [
        x.to(m.int64),
        x.long(),
        x.int(),
        x.short(),
        x.char(),
        x.bool(),
        x.double(),
        x.half(),
        x.bfloat16(),
        x.to(m.float64),
        x.to("cpu"),
        x.to("cpu", m.float64),
        x.to(m.tensor([1])),
        x.type(m.float64),
        x.type_as(m.tensor([1])),
        x.to(dtype=m.int32),
        x.to(m.float32) is x,
        x.to(m.float64) is x,
        x.float() is x,
        x.to(m.float32, copy=True) is x,
        m.tensor([3]).to(float),
        m.tensor([3]).to(bool),
    ]


def conversion_to_bytes(m):
    return m.tensor([3.9, 250.0]).byte()


def conversion_keeps_the_graph(m):
    x = m.tensor([1.5, 2.5], requires_grad=True)
    y = x.double() * 2
    y.sum().backward()
    return [y, x.grad]


def types_by_name(m):
    return [
        m.tensor([1.0]).type(),
        m.tensor([1]).type(),
        m.tensor([True]).type(),
        m.tensor([1], dtype=m.uint8).type(),
        m.tensor([1.0], dtype=m.float64).type(),
        m.tensor([1.0], dtype=m.bfloat16).type(),
        m.tensor([1.0], dtype=m.float16).type(),
        m.tensor([1], dtype=m.int8).type(),
        m.tensor([1.5]).type("torch.LongTensor"),
        m.tensor([1.5]).type("torch.DoubleTensor"),
        m.tensor([1.5]).type(m.LongTensor),
        m.tensor([1]).type(m.FloatTensor),
        error_of(lambda: m.tensor([1]).type("nonsense")),
    ]


def legacy_constructors(m):
    return [
        m.FloatTensor([1, 2]),
        m.LongTensor([1, 2]),
        m.DoubleTensor([[1, 2]]),
        m.IntTensor([1]),
        m.ShortTensor([3]),
        m.ByteTensor([1, 0]),
        m.BoolTensor([True, False]),
        m.HalfTensor([1.5]),
        list(m.FloatTensor(2, 3).shape),
        list(m.FloatTensor().shape),
        list(m.LongTensor(4).shape),
        m.FloatTensor([1.5]).dtype,
        isinstance(m.ones(1), m.FloatTensor),
        isinstance(m.ones(1), m.LongTensor),
        isinstance(m.tensor([1]), m.LongTensor),
        isinstance(3, m.LongTensor),
        list(m.FloatTensor(m.Size([2, 2])).shape),
        m.Tensor([1, 2]),
        list(m.Tensor(2, 3).shape),
        m.Tensor([[1, 2.5]]),
        list(m.Tensor().shape),
        m.FloatTensor((1, 2)),
    ]


def variables(m):
    x = m.autograd.Variable(m.ones(2), requires_grad=True)
    (x * 2).sum().backward()
    return [x.grad, m.autograd.Variable(m.ones(2)).requires_grad, isinstance(x, m.Tensor)]


def default_dtype(m):
    seen = [m.get_default_dtype()]
    m.set_default_dtype(m.float64)
    try:
        seen += [
            m.tensor(1.5),
            m.zeros(1),
            m.tensor([1]) / 2,
            m.arange(2.0),
            m.tensor([1]),
            m.tensor([1]) * 0.5,
            m.ones(1).dtype,
        ]
        seen += [m.linspace(0, 1, 3), m.eye(1), m.tensor([1]).exp(), m.full((1,), 0.5), m.Tensor([1])]
    finally:
        m.set_default_dtype(m.float32)
    return [*seen, m.tensor(1.5), error_of(lambda: m.set_default_dtype(m.int64))]


def properties(m):
    return [
        [d.is_floating_point, d.itemsize, d.is_complex, d.is_signed, str(d)]
        for d in (getattr(m, name) for name in _NAMES)
    ]


def same_objects(m):
    return [
        m.float is m.float32,
        m.double is m.float64,
        m.half is m.float16,
        m.long is m.int64,
        m.int is m.int32,
        m.short is m.int16,
    ]


def limits(m):
    floats = [m.finfo(d) for d in (m.float64, m.float32, m.float16, m.bfloat16)]
    ints = [m.iinfo(d) for d in (m.int64, m.int32, m.int16, m.int8, m.uint8)]
    return [
        [[f.eps, f.max, f.min, f.tiny, f.bits] for f in floats],
        [[i.max, i.min, i.bits] for i in ints],
        error_of(lambda: m.finfo(m.int64)),
        error_of(lambda: m.iinfo(m.float32)),
        m.finfo().bits,
    ]


def promotion_function(m):
    dtypes = [getattr(m, name) for name in _NAMES]
    return [m.promote_types(a, b) for a in dtypes for b in dtypes]


def result_types(m):
    x = m.tensor([1])
    return [
        m.result_type(x, 1.0),
        m.result_type(x, m.tensor(1.0)),
        m.result_type(x, 2),
        m.result_type(m.tensor(1), m.ones(1)),
    ]


def comparison_of_different_types(m):
    return [
        m.tensor([1]) == m.tensor([1.0]),
        m.tensor([1, 2]) < 1.5,
        m.tensor([0.1]) == 0.1,
        m.tensor([0.1], dtype=m.float64) == 0.1,
        m.tensor([1]) == True,  # noqa: E712
        m.tensor([2**53 + 1]) == 2**53,
        m.tensor([1]).eq(1),
        m.tensor([1]) != "a",
        m.tensor([1]) == None,  # noqa: E711
    ]
