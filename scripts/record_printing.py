"""Records how PyTorch prints tensors and modules, for tests/test_printing.py.

    python scripts/record_printing.py        (PyTorch must be installed; writes tests/recorded/printing.json)

A tensor is stored as dtype, shape and either its values in C order (nan and infinity as Python's json writes them) or,
for long ones, ``first`` and ``step`` of an arithmetic sequence whose terms every dtype used holds exactly; of complex
numbers the real and the imaginary parts in turn.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch._tensor_str import printoptions

NAN, INF = float("nan"), float("inf")
ROWS: dict[str, list[float]] = {
    "whole": [1.0, -2.0, 30.0],
    "fraction": [1.5, -2.25, 3.0],
    "wide": [1.0, 1000.5, 0.25],
    "ratio 1000": [1.0, 1000.0],
    "tiny": [1e-5, 2e-5],
    "1e-4": [1e-4, 2e-4],
    "whole 1e8": [1e8, 1e6],
    "over 1e8": [100000008.0, 1e7],
    "nan": [NAN, 1.0, INF],
    "inf in fractions": [-INF, 0.5, NAN],
    "only specials": [NAN, 0.0, -INF, -0.0],
    "zeros": [0.0, 0.0],
}
OPTIONS: list[dict] = [
    {"precision": 2},
    {"precision": 0},
    {"precision": 8, "linewidth": 40},
    {"sci_mode": True},
    {"sci_mode": False},
    {"linewidth": 20},
    {"profile": "short"},
    {"profile": "full"},
    {"threshold": 5, "edgeitems": 1},
    {"threshold": 5, "edgeitems": 2, "linewidth": 30, "precision": 3},
    {"threshold": 0, "edgeitems": 0},
]


def given(dtype: str, values: list, shape: tuple[int, ...] | None = None, **more) -> dict:
    return {"dtype": dtype, "shape": [len(values)] if shape is None else list(shape), "values": values, **more}


def ramp(dtype: str, shape: tuple[int, ...], first: float = 0, step: float = 1, **more) -> dict:
    return {"dtype": dtype, "shape": list(shape), "first": first, "step": step, **more}


def tensor_cases() -> Iterator[dict]:
    for row in ROWS.values():
        yield given("float32", row)
        yield given("float64", row)
    for dtype in ("float16", "bfloat16"):
        for name in ("whole", "fraction", "wide", "inf in fractions"):
            yield given(dtype, ROWS[name])
    for value in (0.0, 1.0, -1.5, 1e-6, 123456789.0, 1e20, NAN, -INF):
        yield given("float32", [value], ())
    for dtype in ("uint8", "int8", "int16", "int32", "int64"):
        yield given(dtype, [1, 20, 100])
        yield given(dtype, [7], ())
    yield given("int64", [-(2**63), 2**63 - 1, 0])
    yield given("bool", [True, False])
    yield given("bool", [True, True, True, False], (2, 2))
    yield given("bool", [False], ())
    for shape in ((0,), (0, 3), (2, 0), (1, 0, 2)):
        for dtype in ("float32", "float64", "int64", "bool"):
            yield given(dtype, [], shape)
    for shape in ((2, 3), (1, 1), (2, 2, 2), (2, 1, 2, 2), (1, 2, 1, 2, 1), (3, 1, 1)):
        yield ramp("float32", shape, -1.5, 0.5)
        yield ramp("int64", shape, -3, 2)
    for shape in ((1001,), (40, 40), (2, 700), (700, 2), (1100, 1), (11, 10, 10), (7, 3, 60), (2000, 0)):
        yield ramp("float32", shape)
        yield ramp("int64", shape)
    yield ramp("float64", (1200,), 0.5, 0.25)
    yield ramp("int64", (1000,))  # just not shortened
    yield given("float32", [NAN, 0.0, INF] * 14)  # no number to take the width from
    yield ramp("float16", (1200,), 0.5, 0.5)
    for count in (1, 13, 14, 40):  # on both sides of the place where a line is full
        yield ramp("float32", (count,), 0.5, 0.5)
        yield ramp("int32", (count,), 10)
    for options in OPTIONS:
        for case in (ramp("float32", (3, 4), -1.25, 0.5), ramp("int64", (9,)), given("float32", ROWS["only specials"])):
            yield {**case, "options": options}
        yield ramp("float64", (7, 8), 0.125, 0.5, options=options)
    for size in (1, 7, 8, 9, 1200):
        yield ramp("float32", (size,), 0.5, requires_grad=True)
        yield ramp("float64", (size,), 0.5, op="mul")
        yield ramp("float32", (size,), 0.5, requires_grad=True, kind="Parameter")
    yield ramp("int64", (2,), kind="Parameter")
    yield given("float32", [], (0, 2), requires_grad=True)
    yield given("float32", [1.5], (), op="log1p")
    yield given("float32", [2.0, 3.0], op="log_softmax")
    for values in ([1, 2, 3, -4], [1.5, -2.25, -0.0, 0.0], [1e-5, 1e6, 1, -1], [NAN, INF, 0.5, -INF], [0, 1e20, 0, 1]):
        yield given("complex64", values, (2,))
        yield given("complex128", values, (1, 2))
        yield given("complex64", values[2:], ())
    yield given("complex64", [], (0,))
    for shape in ((2, 2), (7,), (9,), (2, 2, 3), (1001,), (30, 40)):
        yield ramp("complex64", shape, -2.0, 0.5)
        yield ramp("complex128", shape, -3, 2)
    for options in OPTIONS:
        yield ramp("complex64", (9,), -1.25, 0.5, options=options)
    yield ramp("complex64", (7,), 0.5, requires_grad=True)
    yield ramp("complex64", (3,), 0.5, op="mul")
    yield ramp("float32", (30,), 0.5, kind="Special")
    yield ramp("float32", (2,), 0.5, kind="SpecialParameter", requires_grad=True)


RESULTS = {"mul": lambda x: x * 2.0, "log1p": torch.log1p, "log_softmax": lambda x: x.log_softmax(-1)}


class Special(torch.Tensor):
    """A tensor subclass: its name is printed in place of ``tensor``."""


class SpecialParameter(nn.Parameter):
    """A subclass of Parameter."""


def build(case: dict) -> torch.Tensor:
    dtype = getattr(torch, case["dtype"])
    count = 2 if dtype.is_complex else 1
    for size in case["shape"]:
        count *= size
    values = case["values"] if "values" in case else [case["first"] + case["step"] * i for i in range(count)]
    if dtype.is_complex:
        tensor = torch.view_as_complex(torch.tensor(values, dtype=dtype.to_real()).reshape(*case["shape"], 2))
    else:
        tensor = torch.tensor(values, dtype=dtype).reshape(case["shape"])
    if "values" in case and tensor.is_floating_point():
        case["values"] = tensor.double().reshape(-1).tolist()  # as rounded to dtype
    match case.get("kind"):
        case "Parameter":
            return nn.Parameter(tensor, requires_grad=case.get("requires_grad", False))
        case "SpecialParameter":
            return SpecialParameter(tensor)
        case "Special":
            return tensor.as_subclass(Special)
    if "op" in case:
        result = RESULTS[case["op"]](tensor.clone().requires_grad_())
        result.data.copy_(tensor)  # the text of a result of this op that has the given values
        return result
    return tensor.requires_grad_() if case.get("requires_grad") else tensor


class Note(nn.Module):
    """A module whose extra text and children are given."""

    def __init__(self, extra: str = "", **children: nn.Module | None):
        super().__init__()
        self.extra = extra
        for name, child in children.items():
            self.register_module(name, child)

    def extra_repr(self) -> str:
        return self.extra


def modules() -> Iterator[nn.Module]:
    yield nn.Linear(3, 4)
    yield nn.Sequential()
    yield nn.ModuleList()
    yield nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Dropout(0.25))
    yield Note("one line")
    yield Note("a=1\nb=2")
    yield Note("one line", child=Note("a=1\nb=2"), missing=None)
    yield nn.ModuleDict({"first": nn.Tanh(), "second": nn.Sequential(nn.Sigmoid())})
    yield nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    yield nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh(), nn.ReLU(), Note("x"), Note("y"), Note("y")])
    yield nn.ModuleList([Note(block=nn.Sequential(nn.Linear(2, 2), nn.GELU())) for _ in range(4)])
    yield nn.Sequential(nn.ModuleList([nn.ModuleList([nn.ReLU(), nn.ReLU()]) for _ in range(2)]), nn.LayerNorm(4))
    yield nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2, enable_nested_tensor=False)


def described(module: nn.Module | None) -> dict | None:
    """The tree of names and extra texts from which a stand-in is built in the test."""
    if module is None:
        return None
    return {
        "name": module._get_name(),
        "extra": module.extra_repr(),
        "is_list": isinstance(module, nn.ModuleList),
        "children": {name: described(child) for name, child in module._modules.items()},
    }


def main() -> None:
    cases = []
    for case in tensor_cases():
        with printoptions(**case.get("options", {})):
            text = repr(build(case))
        cases.append({**case, "text": text})
    trees = [{"tree": described(module), "text": repr(module)} for module in modules()]
    path = Path(__file__).parent.parent / "tests" / "recorded" / "printing.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f'{{"recorded_from": "PyTorch {torch.__version__}",']
    for name, entries, end in (("tensors", cases, ","), ("modules", trees, "")):
        lines += [f'"{name}": [', ",\n".join(json.dumps(entry) for entry in entries), "]" + end]
    path.write_text("\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{path.name}: {len(cases)} tensors, {len(trees)} modules, PyTorch {torch.__version__}")


if __name__ == "__main__":
    main()
