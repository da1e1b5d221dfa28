"""Pooling at its edges: ties, nan, -inf, borders, integers, overlapping windows."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F


def test_of_equal_entries_the_first_takes_the_gradient():
    x = mg.tensor([[[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]]], requires_grad=True)
    y, indices = F.max_pool2d(x, 2, 1, return_indices=True)
    assert indices.tolist() == [[[0, 1]]] and not indices.requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [[[1, 1, 0], [0, 0, 0]]]
    x.grad = None
    F.max_pool2d(x, 2, 1).sum().backward()
    assert x.grad.tolist() == [[[1, 1, 0], [0, 0, 0]]]


def test_overlapping_windows_add_up():
    x = mg.tensor([[0.0, 3.0, 1.0, 2.0]], requires_grad=True)
    F.max_pool1d(x, 3, 1).sum().backward()
    assert x.grad.tolist() == [[0, 2, 0, 0]]


@pytest.mark.parametrize("return_indices", [False, True])
def test_nan_is_the_largest(return_indices):
    x = mg.tensor([[5.0, math.nan, 1.0, 2.0, 7.0, 3.0]])
    y = F.max_pool1d(x, 2, return_indices=return_indices)
    y, indices = y if return_indices else (y, mg.tensor([[1, 3, 4]]))
    assert math.isnan(y[0, 0].item()) and y[0, 1:].tolist() == [2, 7]
    assert indices.tolist() == [[1, 3, 4]]


@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
def test_the_border_is_never_chosen(dtype):
    x = mg.full((1, 1, 2, 2), -math.inf, dtype=dtype, requires_grad=True)
    y, indices = F.max_pool2d(x, 2, 2, padding=1, return_indices=True)
    assert indices.tolist() == [[[[0, 1], [2, 3]]]] and y.tolist() == x.tolist()
    y.sum().backward()
    assert x.grad.tolist() == [[[[1, 1], [1, 1]]]]
    x.grad = None
    F.max_pool2d(x, 2, 2, padding=1).sum().backward()
    assert x.grad.tolist() == [[[[1, 1], [1, 1]]]]


def test_negative_numbers_beat_the_border():
    assert F.max_pool1d(-mg.ones(1, 3), 3, 1, 1).tolist() == [[-1, -1, -1]]


def test_max_pool_takes_integers():
    x = mg.arange(16).reshape(1, 4, 4)
    y, indices = F.max_pool2d(x, 2, return_indices=True)
    assert y.dtype is mg.int64 and y.tolist() == [[[5, 7], [13, 15]]] == indices.tolist()
    y = F.max_pool2d(-x, 3, 2, 1)
    assert y.dtype is mg.int64 and y.tolist() == [[[0, -1], [-4, -5]]]


def test_large_windows_have_more_taps_than_a_byte():
    x = mg.arange(400.0).reshape(1, 20, 20).requires_grad_()
    y, indices = F.max_pool2d(x, 20, return_indices=True)
    assert y.item() == indices.item() == 399
    F.max_pool2d(x, 20).backward()
    assert x.grad.flatten().nonzero().tolist() == [[399]]


def test_adaptive_pools_of_one_entry_are_means_and_maxima():
    x = mg.randn(2, 3, 5, 7).double()
    np.testing.assert_allclose(F.adaptive_avg_pool2d(x, 1).numpy(), x.mean((2, 3), keepdim=True).numpy(), rtol=1e-12)
    assert F.adaptive_max_pool2d(x, 1).equal(x.amax((2, 3), keepdim=True))


def test_half_precision_sums_in_single():
    x = mg.full((1, 64, 64), 2.0, dtype=mg.float16)
    assert F.avg_pool2d(x, 64).item() == 2.0  # the sum of 4096 twos is beyond what float16 counts in steps of 1
    assert F.avg_pool2d(x, 2).dtype is mg.float16


def test_averages_of_int64_are_cut_towards_zero_and_other_integers_refused():
    x = mg.arange(-16, 0).reshape(1, 4, 4)
    assert F.avg_pool2d(x, 2).tolist() == [[[-13, -11], [-5, -3]]]  # -13.5, -11.5, -5.5, -3.5
    for pool in (lambda: F.avg_pool2d(x.int(), 2), lambda: F.adaptive_avg_pool2d(x, 1)):
        with pytest.raises(NotImplementedError, match=r"not implemented for torch.int\d\d: convert"):
            pool()


def test_a_layer_takes_lines_without_a_batch():
    assert nn.MaxPool1d(2)(mg.arange(6.0).reshape(2, 3)).tolist() == [[1], [4]]
    assert nn.AdaptiveAvgPool1d(1)(mg.arange(6.0).reshape(2, 3)).tolist() == [[1], [4]]


def test_a_window_that_sees_nothing_is_refused():
    with pytest.raises(
        RuntimeError, match=r"kernel_size=2, dilation=2 and padding=1 sees nothing of an input of size 1"
    ):
        F.max_pool1d(mg.ones(1, 1), 2, 1, padding=1, dilation=2)
