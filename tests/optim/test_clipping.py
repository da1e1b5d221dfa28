"""Gradient clipping against PyTorch's results, and parameters as one vector."""

import json
from pathlib import Path

import numpy as np
import optim_cases as cases
import pytest

import minigrad
from minigrad.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
    parameters_to_vector,
    vector_to_parameters,
)

RECORDED = json.loads((Path(__file__).parent.parent / "recorded" / "optim.json").read_text(encoding="utf-8"))


def with_gradient(gradient, dtype=minigrad.float32):
    gradient = minigrad.tensor(gradient, dtype=dtype)
    p = minigrad.ones(*gradient.shape, dtype=dtype, requires_grad=True)
    p.grad = gradient
    return p


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", RECORDED["clipped"], ids=lambda case: f"p={case['norm_type']}, max={case['max_norm']}")
def test_clipped_as_pytorch_does(case, dtype):
    parameters = [with_gradient(g, getattr(minigrad, dtype)) for g in cases.GRADIENTS]
    memory = [p.grad for p in parameters]
    unused = minigrad.ones(1, requires_grad=True)
    norm = clip_grad_norm_(iter([*parameters, unused]), case["max_norm"], case["norm_type"])
    assert norm.shape == ()
    assert norm.dtype is getattr(minigrad, dtype)
    assert not norm.requires_grad
    assert norm.item() == pytest.approx(case["norm"], rel=5e-7)
    for p, before, expected in zip(parameters, memory, case["gradients"], strict=True):
        assert p.grad is before
        np.testing.assert_allclose(p.grad.numpy().reshape(-1), expected, rtol=5e-7)
    assert unused.grad is None


def test_norm_may_be_named_and_one_tensor_given():
    p = with_gradient([-3.0, 4.0])
    assert clip_grad_norm_(p, "2", "inf").item() == 4.0
    assert p.grad.tolist() == pytest.approx([-1.5, 2.0])
    assert get_total_norm([minigrad.ones(3), minigrad.ones(1)]).item() == 2.0
    assert get_total_norm(minigrad.ones(4)).item() == 2.0
    clip_grads_with_norm_(p, 1.0, minigrad.tensor(2.0))
    assert p.grad.tolist() == pytest.approx([-0.75, 1.0])


def test_nothing_to_clip():
    assert clip_grad_norm_([], 1.0).item() == 0.0
    assert clip_grad_norm_([minigrad.ones(2, requires_grad=True)], 1.0).item() == 0.0
    zero = with_gradient([0.0, 0.0])
    assert clip_grad_norm_([zero], 1.0).item() == 0.0
    assert zero.grad.tolist() == [0.0, 0.0]


def test_non_finite_norm():
    p = with_gradient([1.0, float("inf")])
    with pytest.raises(RuntimeError, match=r"total norm of order 2.0 .* is non-finite \(inf\)"):
        clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
    assert p.grad.tolist() == [1.0, float("inf")]
    clip_grad_norm_([p], 1.0)
    assert p.grad[0].item() == 0.0
    assert np.isnan(p.grad[1].item())
    q = with_gradient([1.0, float("nan")])
    assert np.isnan(clip_grad_norm_([q], 1.0).item())
    assert np.isnan(q.grad.tolist()).all()


def test_entries_whose_squares_overflow_float32():
    p = with_gradient([3e30, 4e30])
    assert clip_grad_norm_([p], 1.0).item() == pytest.approx(5e30)
    assert p.grad.tolist() == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_gradients(dtype):
    p = with_gradient([3.0, 4.0], getattr(minigrad, dtype))
    norm = clip_grad_norm_([p], 0.5)
    assert norm.dtype is p.grad.dtype is getattr(minigrad, dtype)
    assert norm.item() == 5.0
    assert p.grad.tolist() == pytest.approx([0.3, 0.4], rel=1e-2)


def test_mixed_dtypes_and_layouts():
    whole = np.arange(12, dtype=np.float32).reshape(3, 4)
    a, b = minigrad.ones(4, 3, requires_grad=True), with_gradient([2.0], minigrad.float64)
    a.grad = minigrad.from_numpy(whole.T)
    norm = clip_grad_norm_([a, b], 1.0)
    assert norm.dtype is minigrad.float64
    assert norm.item() == pytest.approx((sum(i * i for i in range(12)) + 4) ** 0.5)
    assert whole[2, 3] == pytest.approx(11 / norm.item(), rel=1e-6)
    assert a.grad.dtype is minigrad.float32


def test_values_are_held_in_place():
    p, unused = with_gradient([3.0, -4.0, 0.25]), minigrad.ones(1, requires_grad=True)
    gradient = p.grad
    assert clip_grad_value_([p, unused], 1) is None
    assert p.grad is gradient
    assert gradient.tolist() == [1.0, -1.0, 0.25]
    clip_grad_value_(p, 0.5, foreach=True)
    assert gradient.tolist() == [0.5, -0.5, 0.25]


def test_unknown_argument():
    with pytest.raises(TypeError, match="unexpected keyword argument 'bogus'"):
        clip_grad_norm_([with_gradient([1.0])], 1.0, bogus=True)


def test_gradient_with_a_graph_is_clipped_outside_it():
    p = minigrad.tensor([3.0, 4.0], requires_grad=True)
    (p * p).sum().backward(create_graph=True)
    assert clip_grad_norm_([p], 1.0).item() == 10.0
    assert p.grad.tolist() == pytest.approx([0.6, 0.8])


def test_parameters_as_a_vector_and_back():
    p, q = with_gradient([[1.0, 2.0], [3.0, 4.0]]), with_gradient([5.0])
    vector = parameters_to_vector([p, q])
    assert vector.tolist() == [1.0] * 5
    (vector * minigrad.arange(5.0)).sum().backward()
    assert q.grad.tolist() == [9.0]
    source = minigrad.arange(5.0)
    vector_to_parameters(source, iter([p, q]))
    assert p.tolist() == [[0.0, 1.0], [2.0, 3.0]]
    assert q.tolist() == [4.0]
    assert p.is_leaf
    assert p.requires_grad
    source[4] = 9.0
    assert q.tolist() == [9.0]


def test_vector_that_does_not_fit():
    p = with_gradient([1.0, 2.0])
    with pytest.raises(TypeError, match="expected a Tensor, but got: list"):
        vector_to_parameters([1.0, 2.0], [p])
    with pytest.raises(ValueError, match=r"have 2 entries together, the vector has the shape \[3\]"):
        vector_to_parameters(minigrad.ones(3), [p])
    with pytest.raises(ValueError, match=r"the vector has the shape \[2, 1\]"):
        vector_to_parameters(minigrad.ones(2, 1), [p])
