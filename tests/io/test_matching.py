"""load_into: names, prefixes, orientation, ties and dtypes; strict, and nothing changed where anything does not fit."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.io import load_into


class Model(nn.Module):
    """A body with a tied head, as language models have it."""

    def __init__(self, dtype=None):
        super().__init__()
        self.body = nn.ModuleDict({"table": nn.Embedding(5, 2), "layer": nn.Linear(2, 3, dtype=dtype)})
        self.head = nn.Linear(2, 5, bias=False)
        self.head.weight = self.body.table.weight


def state_of(**changes):
    """A state that fits, but for the changes (None: left out; _ stands for a dot)."""
    state = {"body.table.weight": mg.randn(5, 2), "body.layer.weight": mg.randn(3, 2), "body.layer.bias": mg.randn(3)}
    for name, value in changes.items():
        state[name.replace("_", ".")] = value
    return {name: value for name, value in state.items() if value is not None}


def test_a_tied_name_may_be_absent():
    model, state = Model(), state_of()
    assert load_into(model, state) == ([], [])
    for name, value in state.items():
        assert model.state_dict()[name].equal(value)
    assert model.head.weight is model.body.table.weight
    assert load_into(model, state | {"head.weight": state["body.table.weight"]}) == ([], [])
    assert load_into(model, state, tied=["head.weight"]) == ([], [])
    state["head.weight"] = state.pop("body.table.weight")  # the other name alone
    assert load_into(Model(), state) == ([], [])


def test_a_name_that_takes_another_ones_value():
    model, state = Model(), state_of()
    model.head.weight = nn.Parameter(mg.zeros(5, 2))
    with pytest.raises(RuntimeError, match='Missing key.s. in state_dict, 1 of 4: "head.weight"'):
        load_into(model, state, tied=["head.weight"])
    load_into(model, state, tied={"head.weight": "body.table.weight"})
    assert model.head.weight.equal(state["body.table.weight"])
    assert model.head.weight.array is not model.body.table.weight.array


def test_prefixes_on_either_side():
    state = state_of()
    bare = {name.removeprefix("body."): value for name, value in state.items()}
    model = Model()
    load_into(model, bare, prefix="body.")  # the model has it, the file has not
    assert model.body.layer.bias.equal(state["body.layer.bias"])
    body = Model().body
    load_into(body, state, prefix=("model.", "body."))  # and the other way round
    assert body.layer.bias.equal(state["body.layer.bias"])
    with pytest.raises(RuntimeError, match="(?s)Missing.*Unexpected") as caught:
        load_into(body, state)
    assert '"body.layer.bias"' in str(caught.value)


def test_rename_and_ignore():
    state = state_of(body_layer_mask=mg.ones(3), extra=mg.ones(1), gamma=mg.randn(3), body_layer_bias=None)
    names = {"gamma": "body.layer.bias", "extra": None}
    result = load_into(Model(), state, rename=lambda name: names.get(name, name), ignore=["*.mask"])
    assert result.unexpected_keys == ["body.layer.mask", "extra"] and result.missing_keys == []
    model = Model()
    load_into(model, state, rename=lambda name: names.get(name, name), ignore=lambda name: name.endswith("mask"))
    assert model.body.layer.bias.equal(state["gamma"])
    with pytest.raises(RuntimeError, match="gamma and body.layer.bias are both for body.layer.bias|are both for"):
        load_into(Model(), state_of(gamma=mg.ones(3)), rename=lambda name: names.get(name, name))
    with pytest.raises(TypeError, match=r"got the string '\*.mask': write \('\*.mask',\)"):
        load_into(Model(), state, ignore="*.mask")


def test_patterns_take_dots_and_brackets_as_they_are():
    state = state_of() | {"a.mask": mg.ones(1), "aXmask": mg.ones(1)}
    with pytest.raises(RuntimeError, match='Unexpected key.s. in state_dict, 1 of 5: "aXmask"'):
        load_into(Model(), state, ignore=["*.mask"])


def test_transposed():
    weight = mg.randn(2, 3)
    with pytest.raises(
        RuntimeError,
        match=r"with shape torch.Size\(\[2, 3\]\) from checkpoint.*Size\(\[3, 2\]\); transposed it would fit",
    ):
        load_into(Model(), state_of(body_layer_weight=weight))
    model = Model()
    load_into(model, state_of(body_layer_weight=weight), transpose=["body.layer.*"])  # the bias has one axis, and stays
    assert model.body.layer.weight.equal(weight.t()) and model.body.layer.weight.is_contiguous()
    with pytest.raises(RuntimeError, match=r"with shape torch.Size\(\[2, 3\]\) from"):
        load_into(model, state_of(), transpose=lambda name: name == "body.layer.weight")


def test_values_are_cast_and_copied():
    pytest.importorskip("ml_dtypes")
    model = Model(dtype=mg.bfloat16)
    weight = np.array([[1, 2], [3, 4], [5, 6]], np.float64)
    state = state_of(body_layer_weight=weight, body_table_weight=mg.ones(5, 2).half())
    parameter = model.body.layer.weight
    load_into(model, state)
    assert model.body.layer.weight is parameter and parameter.dtype is mg.bfloat16
    assert parameter.tolist() == weight.tolist() and model.head.weight.dtype is mg.float32
    state["body.table.weight"][0] = 9
    assert model.head.weight[0].tolist() == [1, 1]
    assert parameter.requires_grad and parameter.grad is None


def test_fresh_names_keep_their_values():
    model, state = Model(), state_of(body_layer_weight=None, body_layer_bias=None)
    before = model.body.layer.weight.clone()
    assert load_into(model, state, fresh=["body.layer.*"]).missing_keys == ["body.layer.weight", "body.layer.bias"]
    assert model.body.layer.weight.equal(before)


def test_errors_list_everything_and_change_nothing():
    model = Model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = state_of(body_layer_bias=mg.ones(4), body_table_weight=None, other=mg.ones(1), body_layer_weight=[1.0])
    with pytest.raises(RuntimeError) as caught:
        load_into(model, state)
    assert str(caught.value).splitlines() == [
        "Error(s) in loading weights into Model, which is unchanged:",
        '\tMissing key(s) in state_dict, 2 of 4: "body.table.weight", "head.weight"',
        '\tUnexpected key(s) in state_dict, 1 of 3: "other"',
        "\tbody.layer.weight is a list, not a tensor",
        "\tsize mismatch for body.layer.bias: copying a param with shape torch.Size([4]) from checkpoint, the shape "
        "in current model is torch.Size([3])",
    ]
    with pytest.raises(RuntimeError, match="body.layer.bias is complex, and body.layer.bias in the model is not"):
        load_into(model, state_of(body_layer_bias=mg.ones(3).to(mg.complex64)))
    for name, value in model.state_dict().items():
        assert value.equal(before[name])


def test_long_lists_are_cut():
    model = nn.Sequential(*[nn.Linear(1, 1, bias=False) for _ in range(30)])
    with pytest.raises(RuntimeError) as caught:
        load_into(model, {f"layer.{i}": mg.ones(1) for i in range(25)})
    lines = str(caught.value).splitlines()
    assert lines[1].startswith('\tMissing key(s) in state_dict, 30 of 30: "0.weight", ')
    assert lines[1].endswith('"19.weight", and 10 more') and lines[2].endswith('"layer.19", and 5 more')
    with pytest.raises(RuntimeError) as caught:
        load_into(model, {f"{i}.weight": mg.ones(2, 2) for i in range(30)})
    lines = str(caught.value).splitlines()
    assert len(lines) == 22 and lines[-1] == "\tand 10 more"


def test_lazy_layers_and_buffers():
    model = nn.Sequential(nn.LazyLinear(3), nn.BatchNorm1d(3))
    state = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).state_dict()
    state["1.running_mean"] = mg.tensor([1.0, 2.0, 3.0])
    load_into(model, state)
    assert model[0].weight.equal(state["0.weight"]) and model[1].running_mean.tolist() == [1, 2, 3]
