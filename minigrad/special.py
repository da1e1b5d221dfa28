"""PyTorch's `torch.special`: special functions under the names of that module. The ops are in `ops/special.py`."""

from typing import Any

from minigrad import ops
from minigrad.ops.transcendental import log1p as _log1p
from minigrad.tensor import Tensor

erf, erfc, erfinv = Tensor.erf, Tensor.erfc, Tensor.erfinv
exp2, expm1, log1p, round = Tensor.exp2, Tensor.expm1, Tensor.log1p, Tensor.round
expit, logit, sinc, xlogy = Tensor.sigmoid, Tensor.logit, Tensor.sinc, Tensor.xlogy
gammaln, digamma, psi, multigammaln = Tensor.lgamma, Tensor.digamma, Tensor.digamma, Tensor.mvlgamma
softmax, log_softmax, logsumexp = Tensor.softmax, Tensor.log_softmax, Tensor.logsumexp


def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of digamma."""
    return ops.polygamma(n, input)


def xlog1py(input: Any, other: Any) -> Tensor:
    """x log(1 + y), and 0 where x is 0."""
    return ops.xlogy(input, other, _log1p)


def ndtr(input: Tensor) -> Tensor:
    """The share of a standard normal distribution below x."""
    return ops.ndtr(input)


def ndtri(input: Tensor) -> Tensor:
    """The x below which a share of a standard normal distribution lies."""
    return ops.ndtri(input)


def log_ndtr(input: Tensor) -> Tensor:
    """log ndtr(x), exact far below 0 too."""
    return ops.log_ndtr(input)


def entr(input: Tensor) -> Tensor:
    """-x log x, 0 at 0 and -inf below."""
    return ops.entr(input)
