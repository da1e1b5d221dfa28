"""MultiheadAttention: every query looks at all keys, in several subspaces at once (Vaswani et al., 2017)."""

import math
from typing import Any

from minigrad import creation
from minigrad.nn import functional as F, init
from minigrad.nn.linear import NonDynamicallyQuantizableLinear
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor


class MultiheadAttention(Module):
    """softmax(Q K^T / sqrt(d)) V in each of `num_heads` heads of d = embed_dim / num_heads, side by side, and a Linear.

    Q, K, V are linear in query (embed_dim), key (kdim) and value (vdim); with equal sizes the three matrices are one
    parameter, `in_proj_weight` (3 * embed_dim, embed_dim). `dropout` acts on the attention weights in training.
    `add_bias_kv` and `add_zero_attn` are refused with NotImplementedError.
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, add_bias_kv: bool = False,
        add_zero_attn: bool = False, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False,
        device: Any = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads}"
            )
        if embed_dim % num_heads:
            raise AssertionError(f"embed_dim must be divisible by num_heads, got {embed_dim} and {num_heads}")
        if add_bias_kv or add_zero_attn:
            raise NotImplementedError(
                "MultiheadAttention does not support add_bias_kv and add_zero_attn; leave them False"
            )
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.dropout, self.batch_first = dropout, batch_first
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        shapes = {
            "in_proj_weight": (3 * embed_dim, embed_dim) if self._qkv_same_embed_dim else None,
            "q_proj_weight": None if self._qkv_same_embed_dim else (embed_dim, embed_dim),
            "k_proj_weight": None if self._qkv_same_embed_dim else (embed_dim, self.kdim),
            "v_proj_weight": None if self._qkv_same_embed_dim else (embed_dim, self.vdim),
            "in_proj_bias": (3 * embed_dim,) if bias else None,
        }
        for name, shape in shapes.items():
            weight = None if shape is None else Parameter(creation.empty(shape, device=device, dtype=dtype))
            self.register_parameter(name, weight)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
        need_weights: bool = True, attn_mask: Tensor | None = None, average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """query (L, B, E), key (S, B, kdim), value (S, B, vdim) -> output (L, B, E), weights (B, L, S) or None.

        With `batch_first` the first two axes change places; without a batch axis, there is none in the results either.
        Masks are added to the scores, or, as booleans, forbid where True: `attn_mask` (L, S) or (B * num_heads, L, S),
        `key_padding_mask` (B, S). `average_attn_weights=False` gives the weights of every head, (B, num_heads, L, S).
        `need_weights=False` is faster and gives None. `is_causal` says that attn_mask, which must be given, is the
        causal one. Raises AssertionError or RuntimeError for shapes that do not fit.
        """
        batched, batch_first = self._check(query, key, value), self.batch_first
        if not batched:
            padding = key_padding_mask if key_padding_mask is None else key_padding_mask.unsqueeze(0)
            packed = query is key and key is value
            query, key, value = (
                (query.unsqueeze(0),) * 3 if packed else (query.unsqueeze(0), key.unsqueeze(0), value.unsqueeze(0))
            )
            key_padding_mask, batch_first = padding, True
        q, k, v = (self._split_heads(x, batch_first) for x in self._project(query, key, value))  # (B, H, L or S, D)
        if is_causal and attn_mask is None:
            raise RuntimeError(
                "Need attn_mask if specifying the is_causal hint, such as torch.ones(L, L).triu(1).bool()"
            )
        if is_causal and key_padding_mask is None and not need_weights:
            attn_mask = None
        else:
            is_causal = False
        mask = self._merge_masks(attn_mask, key_padding_mask, q, k)
        dropout = self.dropout if self.training else 0.0
        if need_weights:
            scores = (q * math.sqrt(1.0 / self.head_dim)) @ k.transpose(-2, -1)  # (B, H, L, S)
            weights = F.dropout((scores if mask is None else scores + mask).softmax(-1), dropout, self.training)
            mixed = weights @ v
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            mixed, weights = F.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal), None
        # The output lies in memory as (L, B, E) whatever batch_first says: dropout after it draws in that order.
        batch, _, length, _ = mixed.shape
        output = self.out_proj(mixed.permute(2, 0, 1, 3).reshape(length, batch, self.embed_dim))
        if not batched:
            return output.squeeze(1), weights if weights is None else weights.squeeze(0)
        return output.transpose(0, 1) if batch_first else output, weights

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> bool:
        """True for input with a batch axis; raises for shapes that do not fit."""
        given = f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
        if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
            raise AssertionError(
                f"MultiheadAttention expects query, key and value all 3-D, or all 2-D (no batch), got {given}"
            )
        if key.shape[:-1] != value.shape[:-1]:
            raise AssertionError(f"key's sequence and batch dims do not match value's: {given}")
        wanted = (self.embed_dim, self.kdim, self.vdim)
        if (query.shape[-1], key.shape[-1], value.shape[-1]) != wanted:
            raise AssertionError(
                f"was expecting embedding dimensions {wanted} of query, key and value, but got {given}"
            )
        if query.ndim == 3 and query.shape[0 if self.batch_first else 1] != key.shape[0 if self.batch_first else 1]:
            raise AssertionError(f"query and key differ in batch size (batch_first={self.batch_first}): {given}")
        return query.ndim == 3

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> Any:
        bias = self.in_proj_bias
        if query is key and key is value and self._qkv_same_embed_dim:  # self-attention: one product for all three
            return F.linear(query, self.in_proj_weight, bias).chunk(3, -1)
        if self._qkv_same_embed_dim:
            matrices = self.in_proj_weight.chunk(3)
        else:
            matrices = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        biases = (None,) * 3 if bias is None else bias.chunk(3)
        return [F.linear(x, w, b) for x, w, b in zip((query, key, value), matrices, biases, strict=True)]

    def _split_heads(self, x: Tensor, batch_first: bool) -> Tensor:
        heads = x.reshape(*x.shape[:2], self.num_heads, self.head_dim)
        return heads.permute(0, 2, 1, 3) if batch_first else heads.permute(1, 2, 0, 3)  # (B, H, L, D)

    def _merge_masks(self, attn_mask: Tensor | None, padding: Tensor | None, q: Tensor, k: Tensor) -> Tensor | None:
        """Both masks as one to add to the scores (B, H, L, S), of a shape that broadcasts to theirs."""
        batch, heads, length, _ = q.shape
        source = k.shape[2]
        attn_mask = additive_mask(attn_mask, "attn_mask", q)
        padding = additive_mask(padding, "key_padding_mask", q)
        if attn_mask is not None:
            fitting = {2: (length, source), 3: (batch * heads, length, source)}.get(attn_mask.ndim)
            if fitting is None:
                raise RuntimeError(f"attn_mask's dimension {attn_mask.ndim} is not supported: it must be 2 or 3")
            if attn_mask.shape != fitting:
                raise RuntimeError(
                    f"The shape of the {attn_mask.ndim}D attn_mask is {attn_mask.shape}, but should be {fitting}."
                )
            attn_mask = attn_mask.reshape(-1, heads if attn_mask.ndim == 3 else 1, length, source)
        if padding is None:
            return attn_mask
        if padding.shape != (batch, source):
            raise AssertionError(
                f"expected key_padding_mask of shape {(batch, source)}, but got {tuple(padding.shape)}"
            )
        padding = padding.reshape(batch, 1, 1, source)
        return padding if attn_mask is None else attn_mask + padding


def additive_mask(mask: Tensor | None, name: str, like: Tensor) -> Tensor | None:
    """A boolean mask as numbers to add to scores: -inf where True (forbidden), 0 elsewhere."""
    if mask is None:
        return None
    if mask.is_floating_point():
        return mask.to(like.dtype)
    if mask.array.dtype != bool:
        raise AssertionError(f"only bool and floating types of {name} are supported, got {mask.dtype}")
    return creation.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, -math.inf)
