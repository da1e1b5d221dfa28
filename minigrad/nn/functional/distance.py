"""Lengths, angles and distances of vectors."""

from minigrad.grad_names import named
from minigrad.indices import broadcast_shape
from minigrad.tensor import Tensor, one_dim


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: None = None) -> Tensor:
    """x / max(|x|_p, eps), with the p-norm along `dim` (a tuple for several)."""
    if out is not None:
        raise NotImplementedError("normalize has no out=; assign the result")
    return input / input.norm(p, dim, keepdim=True).clamp(min=eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """sum(x1 x2) / (max(|x1|, eps) max(|x2|, eps)) along `dim`; the other dims broadcast."""
    shape = broadcast_shape(x1.array.shape, x2.array.shape)
    x1, x2 = x1.expand(shape), x2.expand(shape)
    dim = one_dim(dim, x1.array.ndim)
    lengths = [x.norm(2, dim, keepdim=True).clamp(min=eps) for x in (x1, x2)]
    return ((x1 / lengths[0]) * (x2 / lengths[1])).sum(dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """|x1 - x2 + eps|_p over the last dim; eps keeps the gradient finite where the two are equal."""
    return named((x1 - x2 + eps).norm(p, -1, keepdim=keepdim), "NormBackward1")
