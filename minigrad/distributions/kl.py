"""The Kullback-Leibler divergence KL(p || q) = E_p log(p / q) between two distributions of one kind."""

import math
from collections.abc import Callable

from minigrad import linalg
from minigrad.distributions.bernoulli import Bernoulli
from minigrad.distributions.categorical import Categorical
from minigrad.distributions.distribution import Distribution
from minigrad.distributions.independent import Independent
from minigrad.distributions.multivariate_normal import MultivariateNormal
from minigrad.distributions.normal import Normal
from minigrad.distributions.uniform import Uniform
from minigrad.indices import broadcast_shape
from minigrad.tensor import Tensor


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p || q), batch_shape. NotImplementedError for pairs other than those of one kind listed in this file."""
    for kind, formula in _FORMULAS.items():
        if isinstance(p, kind) and isinstance(q, kind):
            return formula(p, q)
    raise NotImplementedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}: there is one for "
        f"pairs of {', '.join(kind.__name__ for kind in _FORMULAS)}"
    )


def _of_normals(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


def _of_categoricals(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    terms = terms.masked_fill((q.probs == 0).expand(*terms.shape), math.inf)
    return terms.masked_fill((p.probs == 0).expand(*terms.shape), 0.0).sum(-1)


def _of_bernoullis(p: Bernoulli, q: Bernoulli) -> Tensor:
    ones = p.probs * ((-q.logits).exp().log1p() - (-p.logits).exp().log1p())
    zeros = (1 - p.probs) * (q.logits.exp().log1p() - p.logits.exp().log1p())
    ones = ones.masked_fill((q.probs == 0).expand(*ones.shape), math.inf)
    ones = ones.masked_fill((p.probs == 0).expand(*ones.shape), 0.0)
    zeros = zeros.masked_fill((q.probs == 1).expand(*zeros.shape), math.inf)
    return ones + zeros.masked_fill((p.probs == 1).expand(*zeros.shape), 0.0)


def _of_vectors(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    """(tr(C_q^-1 C_p) + |L_q^-1 (m_p - m_q)|^2 - D + log det C_q / det C_p) / 2."""
    d = p.event_shape[0]
    shape = broadcast_shape(tuple(p.batch_shape), tuple(q.batch_shape))
    of_p, of_q = (x._tril.expand(*shape, -1, -1) for x in (p, q))
    trace = linalg.solve_triangular(of_q, of_p, upper=False).square().sum((-2, -1))
    distance = (q.loc - p.loc).expand(*shape, -1).unsqueeze(-1)
    between = linalg.solve_triangular(of_q, distance, upper=False).square().sum((-2, -1))
    return q._half_log_det() - p._half_log_det() + 0.5 * (trace + between - d)


def _of_independents(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            f"No KL(p || q) for Independent of {p.reinterpreted_batch_ndims} and {q.reinterpreted_batch_ndims} dims"
        )
    return p._summed(kl_divergence(p.base_dist, q.base_dist))


def _of_uniforms(p: Uniform, q: Uniform) -> Tensor:
    outside = (q.low > p.low) | (q.high < p.high)
    return ((q.high - q.low) / (p.high - p.low)).log().masked_fill(outside, math.inf)


_FORMULAS: dict[type, Callable] = {
    Normal: _of_normals,
    Categorical: _of_categoricals,
    Bernoulli: _of_bernoullis,
    Uniform: _of_uniforms,
    MultivariateNormal: _of_vectors,
    Independent: _of_independents,
}
