"""Initial weights: PyTorch's for the same seed."""

import json
from pathlib import Path

import layer_cases as cases
import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "nn.json").read_text(encoding="utf-8"))
EXACT = ("uniform", "constant", "ones", "zeros", "eye")


@pytest.mark.parametrize("seed", cases.SEEDS)
@pytest.mark.parametrize("what", cases.INITIAL)
def test_layers_start_as_pytorchs(what, seed):
    name, args, kwargs = cases.INITIAL[what]
    mg.manual_seed(seed)
    state = getattr(nn, name)(*args, **kwargs).state_dict()
    recorded = RECORDED["initial"][f"{what}, {seed}"]
    assert list(state) == list(recorded)
    for key, value in state.items():
        if name == "Embedding":  # log and cos inside the normal draw agree to rounding
            np.testing.assert_allclose(value.numpy(), recorded[key], rtol=1e-5, atol=1e-7)
        else:
            assert value.tolist() == recorded[key], key


@pytest.mark.parametrize(
    "case, recorded",
    list(zip(cases.INIT, RECORDED["init"], strict=True)),
    ids=lambda c: str(c) if len(str(c)) < 80 else "",
)
def test_init_functions_are_pytorchs(case, recorded):
    name, shape, kwargs = case
    tensor = mg.empty(shape)
    mg.manual_seed(0)
    assert getattr(nn.init, name)(tensor, **kwargs) is tensor
    if any(word in name for word in EXACT):
        assert tensor.tolist() == recorded
    else:
        np.testing.assert_allclose(tensor.numpy(), recorded, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name, shape, kwargs", cases.INIT)
def test_init_takes_a_generator_and_leaves_parameters_leaves(name, shape, kwargs):
    first, second = nn.Parameter(mg.zeros(*shape)), nn.Parameter(mg.zeros(*shape))
    function = getattr(nn.init, name)
    if name in ("constant_", "ones_", "zeros_", "eye_"):
        function(first, **kwargs)
    else:
        mg.manual_seed(5)
        function(first, **kwargs)
        mg.manual_seed(5)  # sparse_ takes the zeros' places from the default stream, as PyTorch does
        function(second, generator=mg.Generator().manual_seed(5), **kwargs)
        if name != "sparse_":
            assert first.equal(second)
    assert first.is_leaf and first.requires_grad


@pytest.mark.parametrize(
    "nonlinearity, param, gain",
    [
        ("linear", None, 1), ("conv2d", None, 1), ("sigmoid", None, 1), ("tanh", None, 5 / 3), ("relu", None, 2**0.5),
        ("leaky_relu", None, (2 / 1.0001) ** 0.5), ("leaky_relu", 2, 0.4**0.5), ("selu", None, 0.75),
    ],
)  # fmt: skip
def test_calculate_gain(nonlinearity, param, gain):
    assert nn.init.calculate_gain(nonlinearity, param) == pytest.approx(gain)


def test_orthogonal_is_orthogonal():
    tall, wide = nn.init.orthogonal_(mg.empty(7, 4).double()), nn.init.orthogonal_(mg.empty(3, 2, 3).double(), gain=2)
    np.testing.assert_allclose((tall.T @ tall).numpy(), np.eye(4), atol=1e-12)
    flat = wide.reshape(3, 6)
    np.testing.assert_allclose((flat @ flat.T).numpy(), 4 * np.eye(3), atol=1e-12)
    assert nn.init.orthogonal_(mg.empty(0, 3)).shape == (0, 3)


@pytest.mark.parametrize(
    "name",
    ["uniform", "normal", "eye", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal"],
)
def test_old_names_warn_and_do_the_same(name):
    mg.manual_seed(1)
    new = getattr(nn.init, f"{name}_")(mg.empty(3, 2))
    mg.manual_seed(1)
    with pytest.warns(FutureWarning, match=rf"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`"):
        old = getattr(nn.init, name)(mg.empty(3, 2))
    assert old.equal(new)


def test_constant_and_sparse_have_old_names():
    with pytest.warns(FutureWarning, match=r"nn\.init\.constant_"):
        assert nn.init.constant(mg.empty(2), 3.0).tolist() == [3.0, 3.0]
    with pytest.warns(FutureWarning, match=r"nn\.init\.sparse_"):
        assert (nn.init.sparse(mg.empty(4, 3), sparsity=0.5) == 0).sum().item() == 6


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: nn.init.xavier_uniform_(mg.empty(3)), ValueError, "fewer than 2 dimensions"),
        (lambda: nn.init.kaiming_normal_(mg.empty(3)), ValueError, "fewer than 2 dimensions"),
        (lambda: nn.init.kaiming_uniform_(mg.empty(3, 2), mode="fan"), ValueError, "Mode fan not supported"),
        (lambda: nn.init.eye_(mg.empty(3)), ValueError, "Only tensors with 2 dimensions"),
        (lambda: nn.init.sparse_(mg.empty(3), 0.1), ValueError, "Only tensors with 2 dimensions"),
        (lambda: nn.init.orthogonal_(mg.empty(3)), ValueError, "2 or more dimensions"),
        (lambda: nn.init.calculate_gain("gelu"), ValueError, "Unsupported nonlinearity gelu"),
        (lambda: nn.init.calculate_gain("leaky_relu", True), ValueError, "negative_slope True not a valid number"),
    ],
)
def test_init_refuses(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_nothing_to_initialise_warns():
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
        nn.Linear(0, 3)
