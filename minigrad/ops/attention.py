"""Attention: softmax(q k^T scale) v, and its forms with masks and dropout. Source: arXiv:1706.03762.

The denominator of the softmax is a sum over the keys. A query that sees no key at all gives zeros.
"""

import math
from typing import Any

from minigrad.backend import kernels_of
from minigrad.op import fused, op
from minigrad.ops.comparison import (
    eq,
)
from minigrad.ops.elementwise import (
    where,
)
from minigrad.ops.linalg import matmul, mT
from minigrad.ops.nn import dropout, softmax
from minigrad.ops.reduce import amax
from minigrad.ops.shape import tril


@op
def hide_future(scores):
    """scores (..., T, S) with -inf where the key's position is after the query's: entry [t][s] stays for s <= t."""
    kernels = kernels_of(scores)
    queries, keys = scores.shape[-2], scores.shape[-1]
    visible = kernels.arange(queries, scores).reshape((queries, 1)) >= kernels.arange(keys, scores)
    return where(visible, scores, -math.inf)


@hide_future.vjp
def hide_future_vjp(dy):
    return tril(dy)


def attention_reference(q, k, v, mask, *, scale, causal):
    return masked_attention(q, k, v, mask, None, scale=scale, causal=causal)


@fused(reference=attention_reference)
def attention(q, k, v, mask, *, scale, causal):
    """softmax(q k^T scale) v: (..., T, K), (..., S, K), (..., S, V) -> (..., T, V), leading axes equal.

    `mask` is a raw array or tensor that broadcasts to (..., T, S), boolean, True where the query may see the key, or
    floating, added to the scores; or None. It gets no gradient. The kernel keeps the log-sum-exp of each row of scores,
    never the T x S weights: the backward computes those anew.
    """
    out, lse = kernels_of(q).attention_fwd(q, k, v, mask, scale, causal)
    return out, (lse,)


@attention.vjp
def attention_vjp(dy, q, k, v, mask, y, residuals, scale, causal):
    return *kernels_of(dy).attention_bwd(dy, q, k, v, y, *residuals, mask, scale, causal), None


def masked_attention(q: Any, k: Any, v: Any, mask: Any, kept: Any, *, scale: float, causal: bool) -> Any:
    """Attention in plain ops, its leading axes broadcast.

    `mask` (broadcast to (..., T, S)) is boolean, True where the query may see the key, or floating, added to the
    scores, or None; `kept` is dropout's raw mask on the weights, or None.
    """
    scores = matmul(q * scale, mT(k))
    if causal:
        scores = hide_future(scores)
    if mask is None:
        weights = softmax(scores, dim=scores.ndim - 1)
    else:
        weights = softmax_or_zeros(where(mask, scores, -math.inf) if _is_boolean(mask) else scores + mask)
    if kept is not None:
        weights = dropout(weights, mask=kept)
    return matmul(weights, v)


def softmax_or_zeros(scores: Any) -> Any:
    """softmax over the last axis; a row of -inf alone gives zeros (and gradient zero) instead of nan."""
    last = scores.ndim - 1
    if not scores.shape[last]:
        return scores
    blind = eq(amax(scores, axis=(last,), keepdims=True), -math.inf)
    return where(blind, 0.0, softmax(where(blind, 0.0, scores), dim=last))


def _is_boolean(mask: Any) -> bool:
    return getattr(mask, "array", mask).dtype.kind == "b"
