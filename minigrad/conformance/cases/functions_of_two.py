"""Cases of arithmetic and comparison: elementwise functions of two tensors, out of place and in place."""

from minigrad.conformance.case import cases_of, error_of, everywhere
from minigrad.conformance.exercises import differentiated, numbers

case = cases_of("functions")


@case("tensor:add", "tensor:add_", "ops:add")
def add(torch):
    a, b = numbers(torch, 2, 3), numbers(torch, 3) * 2
    w = a.clone()
    return {
        **differentiated(torch, lambda a, b: a.add(b), a, b),
        "alpha": differentiated(torch, lambda a, b: torch.add(a, b, alpha=0.5), a, b),
        "number": a.add(2),
        "types": [torch.tensor([1, 2]).add(1.5), torch.tensor([True]).add(True), torch.tensor([1]).add(a[:1, :1])],
        "in place": w.add_(b, alpha=2),
        "the same object": w.add_(1) is w,
        "float into int": error_of(lambda: torch.tensor([1]).add_(1.5)),
        "growing": error_of(lambda: torch.ones(3).add_(torch.ones(2, 3))),
        "shapes": error_of(lambda: a.add(torch.ones(2))),
        "a list": error_of(lambda: a.add([1.0])),
        "alpha for bools": error_of(lambda: torch.tensor([True]).add(torch.tensor([True]), alpha=2.5)),
        "leaf": error_of(lambda: torch.ones(2, requires_grad=True).add_(1)),
    }


@case("tensor:sub_", "ops:sub")
def sub_(torch):
    a, b = numbers(torch, 2, 3), numbers(torch, 3) * 2
    w = a.clone()
    return {
        **differentiated(torch, lambda a, b: a.clone().sub_(b, alpha=2), a, b),
        "out of place": differentiated(torch, lambda a, b: torch.sub(a, b), a, b),
        "in place": w.sub_(b),
        "after it": w,
        "bools": error_of(lambda: torch.tensor([True]).sub_(torch.tensor([True]))),
        "float from int": error_of(lambda: torch.tensor([1]).sub_(0.5)),
    }


@case("tensor:mul", "tensor:mul_", "ops:mul")
def mul(torch):
    a, b = numbers(torch, 2, 3), numbers(torch, 2, 1) + 3
    w = a.clone()
    return {
        **differentiated(torch, lambda a, b: a.mul(b), a, b),
        "function": differentiated(torch, lambda a, b: torch.mul(a, other=b), a, b),
        "number": torch.tensor([1, 2]).mul(2.5),
        "bools": torch.tensor([True, False]).mul(torch.tensor([True, True])),
        "in place": differentiated(torch, lambda a, b: a.clone().mul_(b), a, b),
        "the same object": w.mul_(2) is w,
        "after it": w,
        "float into int": error_of(lambda: torch.tensor([1]).mul_(1.5)),
        "shapes": error_of(lambda: a.mul(torch.ones(2))),
        "a string": error_of(lambda: a.mul("2")),
    }


@case("tensor:div", "tensor:div_", "ops:div")
def div(torch):
    a, b = numbers(torch, 2, 3), numbers(torch, 2, 3).flip(0) + 4
    w = a.clone()
    sevens = torch.tensor([7, -7, 6])
    return {
        **differentiated(torch, lambda a, b: a.div(b), a, b),
        "in place": differentiated(torch, lambda a, b: a.clone().div_(b), a, b),
        "ints": sevens.div(2),
        "by zero": torch.tensor([1.0, -1.0, 0.0]).div(0),
        "trunc": [sevens.div(2, rounding_mode="trunc"), a.div(0.4, rounding_mode="trunc")],
        "floor": [sevens.div(2, rounding_mode="floor"), torch.div(a, 0.4, rounding_mode="floor")],
        "the same object": w.div_(4) is w,
        "after it": w,
        "int in place": error_of(lambda: torch.tensor([4]).div_(2)),
        "another mode": error_of(lambda: a.div(2, rounding_mode="up")),
        "shapes": error_of(lambda: a.div(torch.ones(2))),
    }


@case(*everywhere("pow"))
def power(torch):
    x, exponent = numbers(torch, 2, 3).abs() + 0.5, numbers(torch, 2, 3)
    return {
        **differentiated(torch, torch.pow, x, exponent),
        "squared": differentiated(torch, lambda x: x.pow(2), numbers(torch, 4)),
        "cubed": differentiated(torch, lambda x: x.pow(3), numbers(torch, 4)),
        "root": differentiated(torch, lambda x: x.pow(0.5), x),
        "to 0": differentiated(torch, lambda x: x.pow(0), torch.tensor([0.0, 2.0])),
        "of 0": differentiated(torch, torch.pow, torch.zeros(3), torch.tensor([0.0, 1.0, 2.0])),
        "of a number": differentiated(torch, lambda e: torch.pow(2, e), exponent),
        "keyword": torch.pow(input=x, exponent=2),
        "negative base": torch.tensor([-8.0]).pow(torch.tensor([1 / 3, 3.0, -1.0])),
        "ints": torch.tensor([2, 3]).pow(torch.tensor([5, 2])),
        "int to float": torch.tensor([2, 3]).pow(0.5),
        "ints to negative ints": torch.tensor([2, 1, -1, -1]).pow(torch.tensor([-1, -2, -1, -2])),
        "number to negative ints": torch.pow(2, torch.tensor([-1, 3])),
        "int to negative": error_of(lambda: torch.tensor([2]).pow(-1)),
        "shapes": error_of(lambda: x.pow(torch.ones(2))),
    }


@case(*everywhere("maximum"))
def maximum(torch):
    a, b = numbers(torch, 2, 3), numbers(torch, 2, 3).flip(1)
    ties = torch.tensor([1.0, float("nan"), 2.0]), torch.tensor([1.0, 0.0, float("nan")])
    return {
        **differentiated(torch, torch.maximum, a, b),
        "ties": differentiated(torch, lambda a, b: a.maximum(b), *ties),
        "types": torch.maximum(torch.tensor([1, 5]), torch.tensor([2.5])),
        "ints": torch.tensor([1, 5]).maximum(torch.tensor([3, 3])),
        "a number": error_of(lambda: torch.maximum(a, 1.0)),
        "shapes": error_of(lambda: torch.maximum(a, torch.ones(2))),
    }


def _comparison(name):
    def program(torch):
        function = getattr(torch, name)
        a = torch.tensor([[1.0, 2.0, float("nan")], [2.0, 2.0, 1.0]])
        b = torch.tensor([2.0, 2.0, 1.0], requires_grad=True)
        return {
            "function": function(a, b),
            "method": getattr(a, name)(2),
            "keyword": function(input=a, other=b),
            "int and float": function(torch.tensor([1, 2, 3]), 2.5),
            "bool and int": function(torch.tensor([True, False]), torch.tensor([1, 1])),
            "shapes": error_of(lambda: function(a, torch.ones(2))),
            "a list": error_of(lambda: function(a, [1.0, 2.0, 3.0])),
            "nothing": error_of(lambda: getattr(a, name)()),
        }

    program.__name__ = name
    return program


for _name in ("gt", "lt", "eq"):
    case(*everywhere(_name))(_comparison(_name))


@case("allclose")
def allclose(torch):
    a = torch.tensor([1.0, 100.0])
    nan = torch.tensor([float("nan")])
    return {
        "close": torch.allclose(a, a * (1 + 5e-6)),
        "not": torch.allclose(a, a * 1.001),
        "method": a.allclose(a + 0.05, rtol=0.1, atol=0.0),
        "loosely": torch.allclose(a, a + 0.05, atol=0.1),
        "nan": [torch.allclose(nan, nan), torch.allclose(nan, nan, equal_nan=True)],
        "inf": torch.allclose(torch.tensor([float("inf")]), torch.tensor([float("inf")])),
        "broadcast": torch.allclose(a, torch.ones(1)),
        "dtypes": error_of(lambda: torch.allclose(a, a.double())),
        "shapes": error_of(lambda: torch.allclose(a, torch.ones(3))),
    }


@case(*everywhere("where"))
def where(torch):
    condition = torch.tensor([[True, False, True], [False, False, True]])
    a, b = numbers(torch, 2, 3), numbers(torch, 3) * 2
    return {
        **differentiated(torch, lambda a, b: torch.where(condition, a, b), a, b),
        "numbers": torch.where(condition, 1.0, 0.0),
        "ints": torch.where(condition, 1, 0),
        "one number": differentiated(torch, lambda a: torch.where(condition, a, 0.0), a),
        "types": torch.where(condition[0], torch.tensor([1, 2, 3]), torch.tensor(0.5)),
        "keyword": torch.where(condition, input=a, other=b),
        "positions": torch.where(condition),
        "method": a.where(condition, b),
        "uint8": error_of(lambda: torch.where(condition.byte(), a, b)),
        "floats": error_of(lambda: torch.where(a, a, b)),
        "shapes": error_of(lambda: torch.where(condition, a, torch.ones(2))),
    }


@case("tensor:addcmul_", "ops:addcmul")
def addcmul_(torch):
    x, a, b = numbers(torch, 2, 3), numbers(torch, 3) + 3, numbers(torch, 2, 1)
    w = x.clone()
    return {
        **differentiated(torch, lambda x, a, b: x.clone().addcmul_(a, b, value=0.5), x, a, b),
        "out of place": differentiated(torch, lambda x, a, b: torch.addcmul(x, a, b), x, a, b),
        "the same object": w.addcmul_(a, b) is w,
        "after it": w,
        "growing": error_of(lambda: torch.ones(3).addcmul_(x, x)),
        "a number": error_of(lambda: x.addcmul_(a, 2.0)),
    }


@case("tensor:addcdiv_", "ops:addcdiv")
def addcdiv_(torch):
    x, a, b = numbers(torch, 2, 3), numbers(torch, 3) + 3, numbers(torch, 2, 1).abs() + 1
    w = x.clone()
    return {
        **differentiated(torch, lambda x, a, b: x.clone().addcdiv_(a, b, value=-0.5), x, a, b),
        "out of place": differentiated(torch, lambda x, a, b: torch.addcdiv(x, a, b), x, a, b),
        "the same object": w.addcdiv_(a, b) is w,
        "after it": w,
        "ints": error_of(lambda: torch.addcdiv(torch.tensor([1]), torch.tensor([1]), torch.tensor([2]))),
        "a number": error_of(lambda: x.addcdiv_(a, 2.0)),
    }
