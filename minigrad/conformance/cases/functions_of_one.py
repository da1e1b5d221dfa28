"""Cases of elementwise functions of one tensor."""

from minigrad.conformance.case import cases_of, error_of, everywhere
from minigrad.conformance.exercises import differentiated, numbers

case = cases_of("functions")

_EDGES = (0.0, -0.0, 1.0, float("inf"), -float("inf"), float("nan"))


def _function_of_one(name, positive):
    """Both forms, gradients, the values at the edges, of integers and of bools, and what is refused."""

    def program(torch):
        function = getattr(torch, name)
        x = numbers(torch, 2, 3).abs() if positive else numbers(torch, 2, 3)
        edges = torch.tensor(_EDGES, dtype=torch.float64)
        return {
            **differentiated(torch, lambda x: getattr(x, name)(), x),
            "at the edges": differentiated(torch, function, edges),
            "function": function(x),
            "keyword": function(input=x),
            "int64": function(torch.tensor([[3], [1]])),
            "uint8": function(torch.tensor([3, 0], dtype=torch.uint8)),
            "float16": function(torch.tensor([0.5, 2.0], dtype=torch.float16)),
            "empty": function(torch.ones(0, 2)),
            "of a list": error_of(lambda: function([1.0])),
            "of nothing": error_of(lambda: function()),
            "of too much": error_of(lambda: getattr(x, name)(1, 2)),
        }

    program.__name__ = name
    return program


case(*everywhere("tanh"), float32=1e-5)(_function_of_one("tanh", positive=False))  # 1 - y^2 cancels
for _name in (
    "exp", "square", "sin", "cos", "sigmoid", "relu", "abs", "sign", "sinh", "cosh", "erf",
):  # fmt: skip
    case(*everywhere(_name))(_function_of_one(_name, positive=False))
for _name in ("log", "sqrt", "rsqrt", "log1p"):
    case(*everywhere(_name))(_function_of_one(_name, positive=True))


@case("tensor:log10")
def log10(torch):
    x = numbers(torch, 2, 3).abs()
    edges = torch.tensor(_EDGES, dtype=torch.float64)
    return {
        **differentiated(torch, lambda x: x.log10(), x),
        "at the edges": differentiated(torch, lambda x: x.log10(), edges),
        "int64": torch.tensor([1, 10, 1000]).log10(),
        "of too much": error_of(lambda: x.log10(2)),
    }


@case(*everywhere("isfinite"))
def isfinite(torch):
    return {
        "float64": torch.isfinite(torch.tensor(_EDGES, dtype=torch.float64)),
        "method": torch.tensor([float("nan"), 2.0]).isfinite(),
        "int64": torch.isfinite(torch.tensor([3, 0])),
        "of a list": error_of(lambda: torch.isfinite([1.0])),
    }


@case(*everywhere("clamp"), "tensor:clip")
def clamp(torch):
    x = numbers(torch, 2, 4)
    low, high = numbers(torch, 4) - 0.5, numbers(torch, 4) + 0.5
    return {
        **differentiated(torch, lambda x: torch.clamp(x, min=-1.0, max=1.0), x),
        "one bound": differentiated(torch, lambda x: x.clamp(min=0), x),
        "positional": x.clamp(-0.5, 0.5),
        "clip": differentiated(torch, lambda x: x.clip(max=0.5), x),
        "tensors": differentiated(torch, torch.clamp, x, low, high),
        "one tensor": differentiated(torch, lambda x, low: x.clamp(min=low), x, low),
        "the other": differentiated(torch, lambda x, high: x.clamp(None, high), x, high),
        "on the bound": differentiated(torch, lambda x: x.clamp(-1.0, 1.0), torch.tensor([-1.0, 1.0, float("nan")])),
        "crossed": x.clamp(1.0, -1.0),
        "int64": torch.tensor([-3, 5]).clamp(0, 3),
        "int64 by floats": torch.tensor([-3, 5]).clamp(0.5, 3.5),
        "no bound": error_of(lambda: x.clamp()),
        "a list": error_of(lambda: x.clamp([0.0], [1.0])),
    }


@case(*everywhere("softmax"))
def softmax(torch):
    x = numbers(torch, 2, 3)
    large = torch.tensor([[1000.0, 1001.0], [-float("inf"), 0.0]])
    return {
        **differentiated(torch, lambda x: torch.softmax(x, dim=1), x),
        "method": differentiated(torch, lambda x: x.softmax(-1), x),
        "first axis": x.softmax(dim=0),
        "large": large.softmax(1),
        "all -inf": torch.full((2,), -float("inf")).softmax(0),
        "as float64": torch.softmax(x, 1, dtype=torch.float64),
        "NumPy's name": x.softmax(axis=0),
        "int64": error_of(lambda: torch.tensor([1, 2]).softmax(0)),
        "int64 as float32": torch.tensor([1, 2]).softmax(0, dtype=torch.float32),
        "0-d": torch.tensor(3.0).softmax(0),
        "no dim": error_of(lambda: torch.softmax(x)),
        "out of range": error_of(lambda: x.softmax(2)),
    }
