"""Scaled dot-product attention."""

import math
from typing import Any

from minigrad import ops, random
from minigrad.grad_names import named
from minigrad.indices import broadcast_shape
from minigrad.tensor import Tensor


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """softmax(q k^T scale + mask) v.

    query (..., T, K), key (..., S, K), value (..., S, V) -> (..., T, V); leading dims broadcast. `scale` is 1 / sqrt(K)
    unless given. `attn_mask` broadcasts to (..., T, S): boolean, True where the query may see the key, or floating,
    added to the scores. `is_causal`: query t sees the keys 0 .. t; not together with a mask. A query that sees no key
    gives zeros. `dropout_p` drops weights on every call: pass 0.0 when not training. `enable_gqa`: the heads (dim -3)
    of key and value are each shared by several heads of the query. Source: arXiv:1706.03762.
    """
    _check(query, key, value, attn_mask, dropout_p, is_causal)
    if enable_gqa:
        key, value = _shared_heads(query, key, "key"), _shared_heads(query, value, "value")
    scale = 1 / math.sqrt(max(query.array.shape[-1], 1)) if scale is None else scale
    same_lead = query.array.shape[:-2] == key.array.shape[:-2] == value.array.shape[:-2]
    learned = attn_mask is not None and attn_mask.requires_grad  # a bias: plain ops find its gradient
    if dropout_p == 0 and same_lead and not learned:
        return ops.attention(query, key, value, attn_mask, scale=scale, causal=is_causal)
    kept = _kept_weights(query, key, dropout_p) if dropout_p else None
    y = ops.masked_attention(query, key, value, attn_mask, kept, scale=scale, causal=is_causal)
    fused = kept is None and query.array.ndim == 4
    return named(y, "ScaledDotProductFlashAttentionForCpuBackward0" if fused else "UnsafeViewBackward0")


def _check(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float, is_causal: bool) -> None:
    problem = None
    if min(q.array.ndim, k.array.ndim, v.array.ndim) < 2:
        problem = "each needs two dims or more"
    elif q.array.shape[-1] != k.array.shape[-1]:
        problem = "query and key must agree in their last dim"
    elif k.array.shape[-2] != v.array.shape[-2]:
        problem = "key and value must agree in dim -2"
    if problem:
        raise RuntimeError(
            f"scaled_dot_product_attention takes query (..., T, K), key (..., S, K), value (..., S, V): {problem}, got "
            f"query {tuple(q.shape)}, key {tuple(k.shape)}, value {tuple(v.shape)}"
        )
    if not q.array.dtype == k.array.dtype == v.array.dtype:
        raise RuntimeError(
            f"Expected query, key, and value to have the same dtype, but got query.dtype: {q.dtype} key.dtype: "
            f"{k.dtype} and value.dtype: {v.dtype} instead."
        )
    if not q.dtype.is_floating_point:
        raise NotImplementedError(
            f"scaled_dot_product_attention is not implemented for {q.dtype}: convert with .float()"
        )
    if not 0 <= dropout_p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    if mask is None:
        return
    if is_causal:
        raise RuntimeError("Explicit attn_mask should not be set when is_causal=True: fold the triangle into the mask")
    if mask.array.dtype.kind != "b" and mask.array.dtype != q.array.dtype:
        raise RuntimeError(
            f"Expected attn_mask dtype to be bool or to match query dtype, but got attn_mask.dtype: {mask.dtype} and "
            f"query.dtype: {q.dtype} instead."
        )


def _shared_heads(query: Tensor, x: Tensor, name: str) -> Tensor:
    if min(query.array.ndim, x.array.ndim) < 3 or query.array.shape[-3] % max(x.array.shape[-3], 1):
        raise RuntimeError(
            f"enable_gqa: the query's heads (dim -3) must be a multiple of the {name}'s, got query "
            f"{tuple(query.shape)} and {name} {tuple(x.shape)}"
        )
    repeats = query.array.shape[-3] // max(x.array.shape[-3], 1)
    return x if repeats == 1 else ops.repeat_interleave(x, repeats, -3)


def _kept_weights(query: Tensor, key: Tensor, p: float) -> Any:
    """Dropout's mask for the (..., T, S) weights, from the default generator."""
    q, k = query.array.shape, key.array.shape
    shape = (*broadcast_shape(q[:-2], k[:-2]), q[-2], k[-2])
    return random.generator_of(query.device).dropout_mask(shape, p, query.array.dtype)
