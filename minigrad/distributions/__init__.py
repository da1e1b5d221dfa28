"""Probability distributions: draw samples, score them, differentiate through both.

`distribution.py` has what they share. `sample` draws PyTorch's numbers for the same seed; `rsample`, where it exists,
is differentiable by the parameters (the reparametrisation trick of arXiv:1312.6114).
"""

from minigrad.distributions import (
    bernoulli,
    categorical,
    distribution,
    independent,
    kl,
    mixture_same_family,
    multinomial,
    multivariate_normal,
    normal,
    uniform,
)
from minigrad.distributions.bernoulli import Bernoulli
from minigrad.distributions.categorical import Categorical
from minigrad.distributions.distribution import Distribution
from minigrad.distributions.independent import Independent
from minigrad.distributions.kl import kl_divergence
from minigrad.distributions.mixture_same_family import MixtureSameFamily
from minigrad.distributions.multinomial import Multinomial
from minigrad.distributions.multivariate_normal import MultivariateNormal
from minigrad.distributions.normal import Normal
from minigrad.distributions.uniform import Uniform

__all__ = [
    "Bernoulli", "Categorical", "Distribution", "Independent", "MixtureSameFamily", "Multinomial",
    "MultivariateNormal", "Normal", "Uniform", "bernoulli", "categorical", "distribution", "independent", "kl",
    "kl_divergence", "mixture_same_family", "multinomial", "multivariate_normal", "normal", "uniform",
]  # fmt: skip
