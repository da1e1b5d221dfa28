"""The text of tensors and modules against text recorded from PyTorch (scripts/record_printing.py)."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest

from minigrad.backend import CPU, device
from minigrad.dtype import of, set_default_dtype
from minigrad.printing import (
    format_scalar,
    get_printoptions,
    list_repr,
    module_repr,
    printoptions,
    set_printoptions,
    tensor_repr,
    tensor_text,
)

RECORDED = json.loads((Path(__file__).parent / "recorded" / "printing.json").read_text(encoding="utf-8"))
TENSORS, MODULES = RECORDED["tensors"], RECORDED["modules"]


class Tensor:
    """What printing reads of a tensor, and nothing else."""

    def __init__(self, array, requires_grad=False, op=None, device=CPU):
        self.array, self.requires_grad, self.device = array, requires_grad, device
        self.node = SimpleNamespace(op=SimpleNamespace(name=op, label=None) if op else None, label=None)

    @property
    def dtype(self):
        return of(self.array.dtype)

    def __str__(self):
        return tensor_repr(self)


class Parameter(Tensor):
    pass


class Special(Tensor):
    pass


class SpecialParameter(Parameter):
    pass


KINDS = {cls.__name__: cls for cls in (Tensor, Parameter, Special, SpecialParameter)}


def raw_dtype(name):
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def build_array(case):
    is_complex = case["dtype"].startswith("complex")
    count = math.prod(case["shape"]) * (2 if is_complex else 1)
    values = case["values"] if "values" in case else [case["first"] + case["step"] * i for i in range(count)]
    if is_complex:
        parts = np.array(values, dtype="float32" if case["dtype"] == "complex64" else "float64")
        return parts.view(case["dtype"]).reshape(case["shape"])
    return np.array(values, dtype=raw_dtype(case["dtype"])).reshape(case["shape"])


@pytest.mark.parametrize("case", TENSORS, ids=lambda c: f"{c['dtype']}-{'x'.join(map(str, c['shape']))}")
def test_tensor_text_is_pytorchs(case):
    kind = KINDS[case.get("kind", "Tensor")]
    tensor = kind(build_array(case), case.get("requires_grad", False) or "op" in case, case.get("op"))
    with printoptions(**case.get("options", {})):
        assert tensor_repr(tensor) == case["text"]
        if not tensor.requires_grad and kind is Tensor:
            assert tensor_text(tensor.array) == case["text"]


def test_the_table_is_broad():
    assert len(TENSORS) >= 120
    dtypes = {case["dtype"] for case in TENSORS}
    assert dtypes >= {"float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool", "complex64"}
    assert RECORDED["recorded_from"].startswith("PyTorch 2.")


class Module:
    """A stand-in with the name, extra text and children of a recorded module."""

    def __init__(self, tree):
        self.tree = tree
        self._modules = {name: child and Module(child) for name, child in tree["children"].items()}

    def extra_repr(self):
        return self.tree["extra"]

    def _get_name(self):
        return self.tree["name"]

    def __repr__(self):
        return list_repr(self) if self.tree["is_list"] else module_repr(self)


@pytest.mark.parametrize("case", MODULES, ids=lambda c: c["text"].split("(")[0])
def test_module_text_is_pytorchs(case):
    assert repr(Module(case["tree"])) == case["text"]


def test_non_contiguous_and_read_only_arrays():
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T
    array.flags.writeable = False
    assert tensor_text(array) == tensor_text(array.copy())
    assert tensor_text(array[::-2, 1]) == "tensor([7., 5.])"


def test_a_device_other_than_the_cpu_is_shown_first():
    half = Tensor(np.array([0.5], dtype=np.float16), requires_grad=True, device=device("cuda", 0))
    assert tensor_repr(half) == "tensor([0.5000], device='cuda:0', dtype=torch.float16, requires_grad=True)"


def test_the_default_dtype_is_not_shown():
    try:
        set_default_dtype(of(np.dtype("float64")))
        assert tensor_text(np.ones(2)) == "tensor([1., 1.])"
        assert tensor_text(np.ones(2, dtype=np.float32)) == "tensor([1., 1.], dtype=torch.float32)"
    finally:
        set_default_dtype(of(np.dtype("float32")))


def test_a_given_prefix_and_suffixes():
    text = tensor_text(np.arange(30), prefix="weights(", suffixes=["frozen=True"])
    assert text.splitlines()[1].startswith(" " * len("weights([") + "1")
    assert text.endswith("29], frozen=True)")


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.zeros(0, "S1")])
def test_arrays_that_are_no_tensors_are_refused(array):
    with pytest.raises(TypeError, match="expected numbers or booleans"):
        tensor_text(array)


def test_format_spec():
    assert f"{format_scalar(Tensor(np.array(2.5)), '.3f')}" == "2.500"
    assert format_scalar(Tensor(np.array(1.5, dtype=raw_dtype("bfloat16"))), ">6") == "   1.5"
    assert format_scalar(Tensor(np.array(3), requires_grad=True), "") == "3"
    assert format_scalar(Tensor(np.array([1.5], dtype=np.float32)), "") == "tensor([1.5000])"
    assert format_scalar(Parameter(np.array(1.5, dtype=np.float32), True), "").endswith("(1.5000, requires_grad=True)")
    for tensor in (Tensor(np.ones(1)), Parameter(np.array(1.0))):
        with pytest.raises(TypeError, match=r"unsupported format string passed to \w+\.__format__"):
            format_scalar(tensor, ".3f")


def test_print_options():
    defaults = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
    assert get_printoptions() == defaults
    with printoptions():
        set_printoptions(precision=2, sci_mode=True)
        assert get_printoptions() == {**defaults, "precision": 2, "sci_mode": True}
        set_printoptions(linewidth=np.int64(40))  # sci_mode does not last over a call that leaves it out
        assert get_printoptions() == {**defaults, "precision": 2, "linewidth": 40}
        set_printoptions(profile="full", edgeitems=1)
        assert get_printoptions() == {**defaults, "threshold": math.inf, "edgeitems": 1}
    assert get_printoptions() == defaults


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"profile": "long"}, ValueError, "profile is 'long', expected one of default, short, full"),
        ({"precision": "4"}, TypeError, "precision is '4', expected a whole number"),
        ({"edgeitems": 1.5}, TypeError, "edgeitems is 1.5, expected a whole number"),
        ({"precision": -1}, ValueError, "precision is -1, expected 0 or more"),
        ({"linewidth": 0}, ValueError, "linewidth is 0, expected 1 or more"),
        ({"threshold": math.nan}, ValueError, "threshold is nan, expected 0 or more"),
    ],
)
def test_bad_print_options_are_refused_and_change_nothing(options, error, message):
    before = get_printoptions()
    with pytest.raises(error, match=message):
        set_printoptions(**options)
    assert get_printoptions() == before
