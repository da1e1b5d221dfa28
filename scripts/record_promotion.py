"""Records the dtypes that PyTorch's functions give, for tests/test_ops_hypothesis.py.

    python scripts/record_promotion.py        (PyTorch must be installed; writes tests/recorded/promotion.json)

`one` holds, for functions of one tensor, the dtype of the result by the dtype of the input. `two` holds, for functions
of two operands, by the kinds of operand ("n-d" with axes, "0-d", "number"), a row of results for each dtype on the left
(or Python number): one result a dtype (or number) on the right, in the order of `dtypes` (`numbers`). "-" means that
PyTorch raises RuntimeError (NotImplementedError included), "TypeError" that it raises that.
"""

import json
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import torch

DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
NUMBERS = [True, 2, 2.5]
ONE = [
    *("exp", "log", "sqrt", "rsqrt", "reciprocal", "sin", "tanh", "sigmoid", "erf", "neg", "abs", "square", "sign"),
    *("floor", "round", "isnan", "logical_not", "bitwise_not", "sum", "prod", "mean", "var", "amax", "argmax", "all"),
    *("cumsum", "cumprod", "logsumexp", "softmax", "norm", "sort", "trace", "clone", "zeros_like"),
]
TWO = [
    *("add", "sub", "mul", "div", "floor_divide", "remainder", "fmod", "pow", "atan2", "maximum", "eq", "lt"),
    *("logical_and", "bitwise_and", "where", "cat", "result_type", "promote_types"),
]
DIM = {"argmax", "cumsum", "cumprod", "logsumexp", "softmax"}  # these want a dim


def result(call: Callable[[], Any]) -> str:
    try:
        y = call()
    except RuntimeError:
        return "-"
    except TypeError:
        return "TypeError"
    y = y[0] if isinstance(y, tuple) else y
    return str(getattr(y, "dtype", y)).removeprefix("torch.")


def operand(kind: str, dtype: Any) -> Any:
    if kind == "number":
        return dtype
    return torch.ones((2, 2) if kind == "n-d" else (), dtype=getattr(torch, dtype))


def of_one(name: str) -> list[str]:
    arguments = (0,) if name in DIM else ()
    return [result(lambda dtype=dtype: getattr(torch, name)(operand("n-d", dtype), *arguments)) for dtype in DTYPES]


def of_two(name: str, kinds: tuple[str, str]) -> list[str]:
    choices = [NUMBERS if kind == "number" else DTYPES for kind in kinds]
    rows = []
    for left in choices[0]:
        found = []
        for right in choices[1]:
            a, b = operand(kinds[0], left), operand(kinds[1], right)
            if name == "where":
                found.append(result(lambda a=a, b=b: torch.where(torch.ones((2, 2)) > 0, a, b)))
            elif name == "cat":
                found.append(result(lambda a=a, b=b: torch.cat([a, b])))
            elif name == "promote_types":
                found.append(result(lambda a=a, b=b: torch.promote_types(a.dtype, b.dtype)))
            else:
                found.append(result(lambda a=a, b=b: getattr(torch, name)(a, b)))
        rows.append(" ".join(found))
    return rows


def kinds_for(name: str) -> list[tuple[str, str]]:
    if name in ("cat", "promote_types"):
        return [("n-d", "n-d")]
    tensors = list(product(("n-d", "0-d"), repeat=2))
    if name in ("atan2", "maximum", "logical_and"):  # tensors only
        return tensors
    numbers = [("n-d", "number"), ("0-d", "number")]
    if name in ("where", "result_type", "pow"):
        numbers.append(("number", "n-d"))
    return tensors + numbers


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    table = {
        "recorded_from": f"PyTorch {torch.__version__.partition('+')[0]}",
        "dtypes": DTYPES,
        "numbers": NUMBERS,
        "one": {name: " ".join(of_one(name)) for name in ONE},
        "two": {name: {", ".join(kinds): of_two(name, kinds) for kinds in kinds_for(name)} for name in TWO},
    }
    path = Path(__file__).parents[1] / "tests" / "recorded" / "promotion.json"
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {path.name}: {path.stat().st_size} bytes")
