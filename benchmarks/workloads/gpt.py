"""A GPT, trained: GPT-2's form with exact GELU, as models/gpt.py has it.

decode.py generates with the same model, through the cache that `forward` takes. Letters in shape comments: B batch,
T time, C channels, H heads, K = C / H.
"""

import torch
from torch import nn
from torch.nn import functional as F

from workloads import arrays
from workloads.common import fill, tensors, training_step


class Attention(nn.Module):
    def __init__(self, channels, heads, dropout):
        super().__init__()
        self.c_attn = nn.Linear(channels, 3 * channels)
        self.c_proj = nn.Linear(channels, channels)
        self.heads, self.dropout = heads, dropout

    def forward(self, x, cache=None, position=0):
        B, T, C = x.shape
        q, k, v = self.c_attn(x).split(C, dim=2)  # (B, T, 3 C) -> 3 x (B, T, C)
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in (q, k, v))  # (B, H, T, K)
        if cache is not None:
            keys, values = cache  # (B, H, longest, K) each
            keys[:, :, position : position + T] = k
            values[:, :, position : position + T] = v
            k, v = keys[:, :, : position + T], values[:, :, : position + T]
        # One query sees all keys before it; several, which only a prompt or a training batch has, start at position 0.
        dropped = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropped, is_causal=T > 1)
        return F.dropout(self.c_proj(y.transpose(1, 2).reshape(B, T, C)), dropped)


class Block(nn.Module):
    def __init__(self, channels, heads, dropout):
        super().__init__()
        self.ln_1 = nn.LayerNorm(channels)
        self.attn = Attention(channels, heads, dropout)
        self.ln_2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))
        self.dropout = dropout

    def forward(self, x, cache=None, position=0):
        x = x + self.attn(self.ln_1(x), cache, position)
        return x + F.dropout(self.mlp(self.ln_2(x)), self.dropout, self.training)


class GPT(nn.Module):
    def __init__(self, vocabulary, block, layers, heads, channels, dropout=0.0):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, channels)
        self.wpe = nn.Embedding(block, channels)
        self.blocks = nn.ModuleList([Block(channels, heads, dropout) for _ in range(layers)])
        self.ln_f = nn.LayerNorm(channels)
        self.lm_head = nn.Linear(channels, vocabulary, bias=False)
        self.lm_head.weight = self.wte.weight  # tied
        self.dropout = dropout

    def forward(self, tokens, caches=None, position=0):
        T = tokens.shape[1]
        x = self.wte(tokens) + self.wpe.weight[position : position + T]  # (B, T, C)
        x = F.dropout(x, self.dropout, self.training)
        for i, block in enumerate(self.blocks):
            x = block(x, None if caches is None else caches[i], position)
        if caches is not None:
            x = x[:, -1:]  # only what follows the last token is asked for
        return self.lm_head(self.ln_f(x))


def build(size, compiled):
    model = GPT(size["vocabulary"], size["block"], size["layers"], size["heads"], size["channels"])
    fill(model)
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)

    def loss_of(tokens, targets):
        return F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())

    batch = tensors(arrays.text(size["batch"], size["block"], size["vocabulary"]))
    return training_step(compiled(loss_of), batch, optimizer, clipped=parameters)
