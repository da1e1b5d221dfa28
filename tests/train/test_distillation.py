"""The loss against a teacher: the formula, its edges, its gradient, and what does not fit."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import functional as F
from minigrad.train import distillation_loss


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def test_the_formula():
    rng = np.random.default_rng(0)
    student, teacher, target = rng.normal(size=(6, 4)), 3 * rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    p, q = softmax(teacher / 3), softmax(student / 3)
    kl = (p * np.log(p / q)).sum(1).mean()
    hard = -np.log(softmax(student)[np.arange(6), target]).mean()
    loss = distillation_loss(mg.tensor(student), mg.tensor(teacher), mg.tensor(target), temperature=3.0, alpha=0.7)
    assert loss.item() == pytest.approx(0.7 * 9 * kl + 0.3 * hard, rel=1e-12)
    alone = distillation_loss(mg.tensor(student), mg.tensor(teacher), temperature=3.0)
    assert alone.item() == pytest.approx(9 * kl, rel=1e-12)


def test_the_edges_of_alpha():
    student, teacher, target = mg.randn(5, 3), mg.randn(5, 3), mg.tensor([0, 1, 2, 0, 1])
    labels_only = distillation_loss(student, teacher, target, alpha=0.0)
    assert labels_only.item() == pytest.approx(F.cross_entropy(student, target).item(), rel=1e-6)
    assert distillation_loss(student, student, target, alpha=1.0).item() == pytest.approx(0, abs=1e-6)


def test_gradients_reach_the_student_alone():
    student = mg.randn(4, 3, dtype=mg.float64, requires_grad=True)
    teacher = mg.randn(4, 3, dtype=mg.float64, requires_grad=True)
    target = mg.tensor([0, 2, 1, 1])
    assert mg.autograd.gradcheck(lambda s: distillation_loss(s, teacher, target), (student,))
    distillation_loss(student, teacher, target).backward()
    assert teacher.grad is None and student.grad is not None
    # With a high temperature the soft gradient is that of the mean squared difference of centred logits (section 2.1).
    student.grad = None
    distillation_loss(student, teacher, temperature=1e4).backward()
    centred = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    np.testing.assert_allclose(student.grad.numpy(), (centred / 3 / 4).detach().numpy(), rtol=1e-3, atol=1e-5)


def test_ignored_places_and_more_axes():
    student, teacher = mg.randn(2, 5, 3, requires_grad=True), mg.randn(2, 5, 3)
    target = mg.tensor([[1, 4, -100], [-100, 0, 2]])
    loss = distillation_loss(student, teacher, target)
    keep = (target != -100).reshape(-1)
    rows = [x.transpose(1, 2).reshape(6, 5)[keep] for x in (student, teacher)]
    assert loss.item() == pytest.approx(distillation_loss(*rows, target.reshape(-1)[keep]).item(), rel=1e-5)
    loss.backward()
    assert float(student.grad[0, :, 2].abs().sum()) == 0 and float(student.grad[0, :, 0].abs().sum()) > 0


def test_errors():
    x = mg.zeros(2, 3)
    for arguments, message in (
        ((x, mg.zeros(2, 4)), r"got \(2, 3\) and \(2, 4\): they need the same classes in the same order"),
        ((mg.zeros(3), mg.zeros(3)), r"got \(3,\) and \(3,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            distillation_loss(*arguments)
    for settings, message in (
        ({"temperature": 0}, "temperature must be above 0, got 0"),
        ({"temperature": float("inf")}, "temperature must be above 0, got inf"),
        ({"alpha": 1.5}, r"must be in \[0, 1\], got 1.5"),
    ):
        with pytest.raises(ValueError, match=message):
            distillation_loss(x, x, **settings)
