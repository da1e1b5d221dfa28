"""Distributions: PyTorch's samples, scores and errors; what samples and densities must satisfy."""

import json
import math
from pathlib import Path

import distribution_cases as cases
import numpy as np
import pytest

import minigrad as mg
from minigrad import distributions as d

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "distributions.json").read_text(encoding="utf-8"))


def compare(got, wanted, rtol, path=""):
    if isinstance(wanted, dict):
        assert list(got) == list(wanted), path
        for key in wanted:
            compare(got[key], wanted[key], rtol, f"{path}.{key}")
    elif isinstance(wanted, list):
        assert len(got) == len(wanted), path
        for i, (mine, theirs) in enumerate(zip(got, wanted, strict=True)):
            compare(mine, theirs, rtol, f"{path}[{i}]")
    elif isinstance(wanted, float):
        assert got == pytest.approx(wanted, rel=rtol, abs=rtol), path
    else:
        assert got == wanted, path


@pytest.mark.parametrize("name", cases.MADE)
def test_scores_and_gradients_are_pytorchs(name):
    # Numbers become float32 parameters; PyTorch has the factorials in the multinomial's entropy in float32.
    rtol = 1e-6 if "of number" in name or "of a number" in name else 1e-7 if "multinomial" in name else 1e-9
    compare(cases.scores(mg, name), RECORDED["scores"][name], rtol)


@pytest.mark.parametrize("name", cases.MADE)
def test_samples_are_pytorchs_for_the_same_seed(name):
    compare(cases.samples(mg, name), RECORDED["samples"][name], 2e-6)


def test_divergences_are_pytorchs():
    compare(cases.divergences(mg), RECORDED["divergences"], 1e-9)


def test_errors_are_of_pytorchs_types_and_begin_alike():
    mine = cases.errors(mg)
    assert list(mine) == list(RECORDED["errors"])
    own_words = {"count", "type", "number", "total", "rsample", "kl", "kl of dims"}
    for name, (kind, text) in RECORDED["errors"].items():
        assert mine[name][0] == kind, name
        if name not in own_words:
            assert mine[name][1] == text, name


@pytest.mark.parametrize("name", cases.MADE)
def test_many_samples_have_the_mean_and_variance_that_are_claimed(name):
    distribution, _ = cases.made(mg, name, mg.float64)
    mg.manual_seed(1)
    drawn = distribution.sample((4000,)).double().numpy()
    if "categorical" in name:
        shares = np.stack([(drawn == k).mean(axis=0) for k in range(distribution.param_shape[-1])], -1)
        np.testing.assert_allclose(shares, distribution.probs.detach().numpy(), atol=0.03)
        return
    variance = distribution.variance.detach().numpy()
    error = 4 * np.sqrt(variance / 4000)
    assert (np.abs(drawn.mean(axis=0) - distribution.mean.detach().numpy()) < error + 1e-12).all()
    np.testing.assert_allclose(drawn.var(axis=0), variance, rtol=0.15)


@pytest.mark.parametrize("name", ["normal", "uniform"])
def test_densities_integrate_to_one(name):
    distribution, _ = cases.made(mg, name, mg.float64)
    x = mg.linspace(-20, 20, 40001, dtype=mg.float64)
    unchecked = distribution.expand(distribution.batch_shape)
    unchecked._validate_args = False
    density = unchecked.log_prob(x.unsqueeze(1)).exp().detach().numpy()
    np.testing.assert_allclose(density.sum(axis=0) * 0.001, 1, atol=2e-3)


def test_probabilities_of_all_outcomes_sum_to_one():
    counts = [[i, j, 4 - i - j] for i in range(5) for j in range(5 - i)]
    multinomial = d.Multinomial(4, mg.tensor([0.2, 0.3, 0.5], dtype=mg.float64))
    log_probs = multinomial.log_prob(mg.tensor(counts, dtype=mg.float64))
    assert log_probs.exp().sum().item() == pytest.approx(1)
    assert -(log_probs.exp() * log_probs).sum().item() == pytest.approx(multinomial.entropy().item())
    categorical = d.Categorical(logits=mg.randn(2, 5))
    classes = categorical.enumerate_support()
    assert classes.shape == (5, 2) and categorical.enumerate_support(expand=False).shape == (5, 1)
    np.testing.assert_allclose(categorical.log_prob(classes).exp().sum(0).numpy(), 1, rtol=1e-5)
    assert categorical.perplexity().numpy() == pytest.approx(categorical.entropy().exp().numpy())


def test_rsample_is_differentiable_and_sample_is_not():
    loc = mg.zeros(3, requires_grad=True)
    scale = mg.ones(3, requires_grad=True)
    normal = d.Normal(loc, scale)
    assert not normal.sample().requires_grad
    mg.manual_seed(2)
    y = normal.rsample((5,))
    y.sum().backward()
    np.testing.assert_array_equal(loc.grad.numpy(), 5.0)
    np.testing.assert_allclose(scale.grad.numpy(), y.detach().sum(0).numpy(), rtol=1e-6)


def test_policy_gradient_reaches_the_logits():
    logits = mg.zeros(2, 3, requires_grad=True)
    policy = d.Categorical(logits=logits)
    action = mg.tensor([2, 0])
    (-policy.log_prob(action).sum()).backward()
    expected = np.full((2, 3), 1 / 3)
    expected[[0, 1], [2, 0]] -= 1
    np.testing.assert_allclose(logits.grad.numpy(), expected, rtol=1e-6)


def test_checks_can_be_left_out():
    assert d.Uniform(0.0, 1.0, validate_args=False).log_prob(mg.tensor(2.0)).item() == -math.inf
    d.Normal(0.0, -1.0, validate_args=False)
    d.Distribution.set_default_validate_args(False)
    try:
        d.Normal(0.0, -1.0)
    finally:
        d.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError, match="scale"):
        d.Normal(0.0, -1.0)


def test_impossible_classes_have_probability_zero():
    categorical = d.Categorical(logits=mg.tensor([0.0, -math.inf, 0.0]))
    assert categorical.entropy().item() == pytest.approx(math.log(2))
    multinomial = d.Multinomial(2, logits=mg.tensor([0.0, -math.inf, 0.0]), validate_args=False)
    assert multinomial.log_prob(mg.tensor([1.0, 0.0, 1.0])).exp().item() == pytest.approx(0.5)


def test_the_base_says_what_is_missing():
    class Strange(d.Distribution):
        arg_constraints: dict = {}  # noqa: RUF012

    strange = Strange()
    for call in (strange.sample, strange.entropy, lambda: strange.log_prob(mg.ones(1)), lambda: strange.mean,
                 lambda: strange.stddev, lambda: strange.mode, lambda: strange.cdf(mg.ones(1))):  # fmt: skip
        with pytest.raises(NotImplementedError, match="Strange has no"):
            call()
