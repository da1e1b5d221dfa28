"""Norms of channels: running statistics against PyTorch's (scripts/record_conv.py), and how the layers keep them."""

import json
import warnings
from pathlib import Path

import conv_cases as cases
import numpy as np
import pytest
from test_layers import close

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "conv.json").read_text(encoding="utf-8"))["running"]


@pytest.mark.parametrize("what", cases.RUNNING)
def test_running_statistics_are_pytorchs(what):
    close(cases.running(mg, *cases.RUNNING[what]), RECORDED[what])


def test_the_batch_is_normalised_by_n_and_the_running_variance_divides_by_n_minus_1():
    layer, x = nn.BatchNorm1d(1, eps=0.0, momentum=1.0).double(), mg.tensor([[1.0], [3.0]]).double()
    assert layer(x).tolist() == [[-1.0], [1.0]]
    assert layer.running_mean.tolist() == [2.0] and layer.running_var.tolist() == [2.0]
    assert layer.num_batches_tracked.item() == 1 and layer.num_batches_tracked.dtype is mg.int64


def test_evaluation_leaves_the_statistics_alone():
    layer = nn.BatchNorm2d(2).eval()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    layer(mg.randn(2, 2, 3, 3))
    assert all(value.equal(before[name]) for name, value in layer.state_dict().items())


def test_without_tracking_the_batch_normalises_in_evaluation():
    layer, x = nn.BatchNorm1d(3, track_running_stats=False), mg.randn(8, 3)
    assert layer.running_mean is None and list(layer.state_dict()) == ["weight", "bias"]
    trained = layer(x)
    assert layer.eval()(x).equal(trained)


def test_tracking_can_be_switched_off():
    layer = nn.BatchNorm1d(2)
    layer.track_running_stats = False
    layer(mg.randn(4, 2))
    assert layer.running_mean.tolist() == [0, 0] and layer.num_batches_tracked.item() == 0


def test_statistics_are_reset():
    layer = nn.BatchNorm1d(2)
    layer(mg.randn(4, 2))
    layer.reset_running_stats()
    assert layer.running_mean.tolist() == [0, 0] and layer.running_var.tolist() == [1, 1]
    assert layer.num_batches_tracked.item() == 0


@pytest.mark.parametrize("shape", [(64, 8, 7, 9), (33, 5, 1), (1, 3, 40)])
def test_single_precision_is_within_rounding_of_double(shape):
    mg.manual_seed(1)
    x = mg.randn(*shape) * 3 + 5
    w, b, g = mg.randn(shape[1]), mg.randn(shape[1]), mg.randn(*shape)
    results = []
    for dtype in (mg.float32, mg.float64):
        leaves = [t.to(dtype).detach().clone().requires_grad_() for t in (x, w, b)]
        mean, var = mg.zeros(shape[1], dtype=dtype), mg.ones(shape[1], dtype=dtype)
        y = F.batch_norm(leaves[0], mean, var, *leaves[1:], training=True)
        y.backward(g.to(dtype))
        results.append([y.detach(), mean, var, *(t.grad for t in leaves)])
    for narrow, wide in zip(*results, strict=True):
        assert narrow.dtype is mg.float32
        scale = wide.abs().max().item()
        np.testing.assert_allclose(narrow.numpy(), wide.numpy(), rtol=0, atol=2e-5 * scale)


def test_second_gradient_in_single_precision_follows_the_reference():
    x = mg.randn(4, 2, 3).requires_grad_()
    w = mg.ones(2, requires_grad=True)
    (g,) = mg.autograd.grad((F.batch_norm(x, None, None, w, training=True) ** 3).sum(), x, create_graph=True)
    (second,) = mg.autograd.grad(g.square().sum(), x)
    wide = x.detach().double().requires_grad_()
    y = (F.batch_norm(wide, None, None, w.detach().double(), training=True) ** 3).sum()
    (g,) = mg.autograd.grad(y, wide, create_graph=True)
    (wanted,) = mg.autograd.grad(g.square().sum(), wide)
    np.testing.assert_allclose(second.numpy(), wanted.numpy(), rtol=0, atol=1e-3 * wanted.abs().max().item())


@pytest.mark.parametrize("dtype", [mg.float16, mg.bfloat16])
def test_two_byte_floats_are_normalised_in_single(dtype):
    layer, x = nn.BatchNorm1d(3), (mg.randn(16, 3) * 4).to(dtype)
    for norm in (layer, nn.BatchNorm1d(3).to(dtype), nn.GroupNorm(3, 3), nn.BatchNorm1d(3).eval()):
        shaped = x.reshape(4, 3, 4) if isinstance(norm, nn.GroupNorm) else x
        y = norm(shaped)
        assert y.dtype is dtype
        assert y.float().abs().max().item() < 30
    assert layer.running_mean.dtype is mg.float32


def test_a_norm_of_integers_is_refused():
    for norm in (lambda x: F.group_norm(x, 1), lambda x: F.instance_norm(x), lambda x: F.batch_norm(x, None, None)):
        with pytest.raises(NotImplementedError, match=r"_norm\" not implemented for torch.int64: convert"):
            norm(mg.zeros(2, 2, 2).long())


def test_instance_norm_warns_of_another_number_of_channels():
    with pytest.warns(UserWarning, match=r"dim=1 does not match num_features \(3\), got: 4"):
        assert nn.InstanceNorm2d(3)(mg.randn(1, 4, 2, 2)).shape == (1, 4, 2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.InstanceNorm2d(4)(mg.randn(1, 4, 2, 2))


def test_frozen_parameters_get_no_gradient():
    layer, x = nn.BatchNorm2d(2), mg.randn(3, 2, 2, 2)
    layer.weight.requires_grad = False
    layer(x).sum().backward()
    assert layer.weight.grad is None and layer.bias.grad.tolist() == [12, 12]
