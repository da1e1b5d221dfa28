"""Every layer against what PyTorch answers (scripts/record_nn.py), its gradients, and its behaviour in training."""

import json
from pathlib import Path

import layer_cases as cases
import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "nn.json").read_text(encoding="utf-8"))


def build(name, args, kwargs):
    return getattr(nn, name)(*args, **kwargs)


def close(got, expected, rtol=1e-8, path=""):
    """Compare nested lists and dicts of numbers; PyTorch's figures are kept to 10 digits."""
    assert type(got) is type(expected), path
    if isinstance(expected, dict):
        assert list(got) == list(expected), path
        for key in expected:
            close(got[key], expected[key], rtol, f"{path}.{key}")
    elif isinstance(expected, list) and any(isinstance(part, (dict, list, type(None))) for part in expected):
        assert len(got) == len(expected), path
        for i, part in enumerate(expected):
            close(got[i], part, rtol, f"{path}[{i}]")
    elif expected is not None:
        np.testing.assert_allclose(got, expected, rtol=rtol, atol=1e-9, err_msg=path)


@pytest.mark.parametrize(
    "case, recorded", list(zip(cases.REPRS, RECORDED["reprs"], strict=True)), ids=lambda c: str(c[0]).split("(")[0]
)
def test_repr_and_state_dict_keys_are_pytorchs(case, recorded):
    module = build(*case)
    assert [repr(module), list(module.state_dict())] == recorded


@pytest.mark.parametrize("case", cases.FORWARDS, ids=[case[0] for case in cases.FORWARDS])
def test_values_and_gradients_are_pytorchs(case):
    what, name, args, kwargs, arrays = case
    module = cases.fill(mg, build(name, args, kwargs))
    answer = cases.answer(module, cases.inputs(mg, arrays, what in cases.TARGETS))
    # PyTorch's gradient of hardsigmoid takes 1/6 in single precision.
    close(answer, RECORDED["forwards"][what], rtol=1e-7 if what == "Hardsigmoid" else 1e-8)


@pytest.mark.parametrize("case", cases.FORWARDS, ids=[case[0] for case in cases.FORWARDS])
def test_gradients_are_those_of_finite_differences(case):
    what, name, args, kwargs, arrays = case
    module = cases.fill(mg, build(name, args, kwargs))
    given = cases.inputs(mg, arrays, what in cases.TARGETS)
    weights = [parameter.detach().clone().requires_grad_() for parameter in module.parameters()]
    if what == "embedding":  # the row of padding_idx changes the output and by definition has no gradient
        given = [given[0].masked_fill(given[0] == 2, 1)]

    def function(*values):
        for parameter, value in zip(owners, values[len(given) :], strict=True):
            setattr(*parameter, value)
        return module(*values[: len(given)])

    owners = []
    for key in list(dict(module.named_parameters())):
        delattr(module, key)  # so that the weights can be plain tensors with a graph
        owners.append((module, key))
    if weights or any(x.requires_grad for x in given):
        assert mg.gradcheck(function, (*given, *weights), eps=1e-6, atol=1e-5)


def test_dropout_follows_pytorchs_draws():
    close(cases.in_training(mg), RECORDED["in training"])


@pytest.mark.parametrize(
    "name, shape", [("Dropout", (64, 64)), ("Dropout1d", (64, 64, 2)), ("Dropout2d", (64, 64, 2, 1))]
)
def test_dropout_in_training_and_evaluation(name, shape):
    mg.manual_seed(0)
    layer, x = getattr(nn, name)(0.25), mg.ones(*shape)
    y = layer(x).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(4 / 3)}
    assert abs((y == 0).mean() - 0.25) < 0.02
    if name != "Dropout":  # whole channels
        assert (y == y[:, :, :1]).all()
    layer.eval()
    assert layer(x).equal(x)


def test_dropout_refuses_a_probability_outside_0_to_1():
    with pytest.raises(ValueError, match="between 0 and 1, but got 2"):
        nn.Dropout(2)


def test_inplace_activation_writes_into_its_input():
    x = mg.tensor([-1.0, 2.0])
    y = nn.ReLU(inplace=True)(x)
    assert x.tolist() == [0.0, 2.0] and y.tolist() == [0.0, 2.0]


def test_linear_refuses_the_wrong_width():
    with pytest.raises(RuntimeError, match=r"cannot be multiplied \(2x4 and 3x5\)"):
        nn.Linear(3, 5)(mg.zeros(2, 4))


def test_linear_reads_its_weight_at_call_time():
    layer, other = nn.Linear(3, 2, bias=False), nn.Parameter(mg.ones(2, 3))
    layer.weight = other
    layer(mg.ones(3)).sum().backward()
    assert layer(mg.ones(3)).tolist() == [3.0, 3.0] and other.grad is not None


def test_embedding_padding_row_stays_zero():
    layer = nn.Embedding(4, 3, padding_idx=-2)
    assert layer.padding_idx == 2 and layer.weight[2].tolist() == [0.0, 0.0, 0.0]
    layer(mg.tensor([2, 1, 2])).sum().backward()
    assert layer.weight.grad[:, 0].tolist() == [0.0, 1.0, 0.0, 0.0]


def test_embedding_from_pretrained_shares_memory_and_is_frozen():
    table = mg.arange(6.0).reshape(3, 2)
    layer = nn.Embedding.from_pretrained(table)
    assert not layer.weight.requires_grad and np.shares_memory(layer.weight.numpy(), table.numpy())
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    assert layer(mg.tensor([[2]])).tolist() == [[[4.0, 5.0]]]


@pytest.mark.parametrize("index", [3, -1])
def test_embedding_index_out_of_range(index):
    with pytest.raises(IndexError, match="index out of range"):
        nn.Embedding(3, 2)(mg.tensor([index]))


@pytest.mark.parametrize(
    "options, error, match",
    [
        (
            {"sparse": True, "scale_grad_by_freq": True},
            NotImplementedError,
            "support scale_grad_by_freq, sparse; leave",
        ),
        ({"padding_idx": 3}, AssertionError, "Padding_idx must be within num_embeddings"),
        ({"_weight": mg.zeros(2, 2)}, AssertionError, "does not match"),
    ],
)
def test_embedding_refuses(options, error, match):
    with pytest.raises(error, match=match):
        nn.Embedding(3, 2, **options)


def test_layer_norm_refuses_another_shape():
    with pytest.raises(RuntimeError, match=r"normalized_shape=\[3\], expected input with shape \[\*, 3\]"):
        nn.LayerNorm(3)(mg.zeros(2, 4))


def test_class_weights_are_a_buffer():
    loss = nn.CrossEntropyLoss(mg.tensor([1.0, 2.0, 0.5]))
    assert list(loss.state_dict()) == ["weight"] and not list(loss.parameters())
    assert loss.double().weight.dtype is mg.float64
    x, y = mg.tensor([[0.1, 0.2, 0.3], [0.3, 0.1, 0.0]]).double(), mg.tensor([1, 2])
    each = nn.CrossEntropyLoss(reduction="none")(x, y)
    assert loss(x, y).item() == pytest.approx((2 * each[0] + 0.5 * each[1]).item() / 2.5, abs=1e-12)
    assert nn.BCEWithLogitsLoss(pos_weight=mg.ones(2)).state_dict().keys() == {"pos_weight"}


def test_a_label_outside_the_classes_is_refused():
    with pytest.raises(IndexError, match=r"[Tt]arget 3 is out of bounds"):
        nn.CrossEntropyLoss()(mg.zeros(2, 3), mg.tensor([0, 3]))


def test_old_reduction_flags_warn():
    with pytest.warns(UserWarning, match="please use reduction='sum' instead"):
        assert nn.MSELoss(size_average=False).reduction == "sum"
    with pytest.warns(UserWarning, match="please use reduction='none' instead"):
        assert nn.MSELoss(reduce=False).reduction == "none"


@pytest.mark.parametrize(
    "make, error, match",
    [
        (lambda: nn.MSELoss(reduction="average"), ValueError, "'average' is not a valid value for reduction"),
        (lambda: nn.TripletMarginLoss(margin=0), ValueError, "margin to be greater than 0"),
        (lambda: nn.Hardtanh(2, 1), AssertionError, "max_val must be larger"),
        (lambda: nn.Bilinear(0, 1, 1), ValueError, "in1_features must be > 0"),
        (lambda: nn.Unflatten(1, 6), TypeError, "must be a tuple of ints"),
        (lambda: nn.Unflatten(1, (2, 1.5)), TypeError, "found element of type float at pos 1"),
        (lambda: nn.Unflatten("C", (2, 3)), TypeError, "takes dim as an integer"),
    ],
)
def test_layers_refuse(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_layers_take_dtype_and_device():
    layer = nn.Linear(2, 3, device="cpu", dtype=mg.float64)
    assert layer.weight.dtype is mg.float64 and str(layer.bias.device) == "cpu"
    assert nn.RMSNorm(3, dtype=mg.float64).weight.dtype is mg.float64
    assert nn.Embedding(3, 2, dtype=mg.float64).weight.dtype is mg.float64
