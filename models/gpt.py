"""GPT-2's architecture: a decoder-only Transformer that predicts the next token.

- pre-norm blocks: x + attention(norm(x)), then x + mlp(norm(x)), and one norm at the end
- causal self-attention with one packed projection for q, k and v; learned positions; GELU
- the token embedding is also the output layer (weight tying)

Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; Press and Wolf, "Using the Output Embedding
to Improve Language Models", 2017. Letters in shape comments: B batch, T time, C channels, H heads, K = C / H, V
vocabulary.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

from .generation import generate
from .past import Past, causal_mask, positions_of
from .pretrained import Pretrained

# Hugging Face's names for what computes x Phi(x) exactly, and by tanh, as the published GPT-2 does.
ACTIVATIONS = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu_fast": "tanh"}


@dataclass
class GPTConfig:
    """GPT-2 124M by default, except for the exact GELU: the published weights want "gelu_new"."""

    vocab_size: int = 50257
    block_size: int = 1024  # the longest sequence: how many positions are learned
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float = 0.0
    bias: bool = True  # in Linear and LayerNorm, as GPT-2 has it
    activation: str = "gelu"
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.n_embd % self.n_head:
            raise ValueError(
                f"n_embd ({self.n_embd}) must be a multiple of n_head ({self.n_head}): each head takes a slice"
            )
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")


class CausalSelfAttention(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)
        self.n_head, self.dropout = config.n_head, config.dropout

    def forward(self, x: mg.Tensor, visible: mg.Tensor | None = None, past: Past | None = None) -> mg.Tensor:
        B, T, C = x.shape
        q, k, v = self.c_attn(x).split(C, dim=2)  # (B, T, 3 C) -> 3 x (B, T, C)
        q, k, v = (t.view(B, T, self.n_head, C // self.n_head).transpose(1, 2) for t in (q, k, v))  # (B, H, T, K)
        if past is not None:
            k, v = past.add(self, k, v)  # (B, H, S, K)
        causal = visible is None and k.size(2) == T
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, visible, dropout_p=dropout, is_causal=causal)  # (B, H, T, K)
        y = y.transpose(1, 2).reshape(B, T, C)  # the heads side by side
        return self.resid_dropout(self.c_proj(y))


class MLP(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.gelu = nn.GELU(approximate=ACTIVATIONS[config.activation])
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))  # (B, T, C) -> (B, T, 4 C) -> (B, T, C)


class Block(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, eps=config.norm_eps, bias=config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, eps=config.norm_eps, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x: mg.Tensor, visible: mg.Tensor | None = None, past: Past | None = None) -> mg.Tensor:
        x = x + self.attn(self.ln_1(x), visible, past)
        return x + self.mlp(self.ln_2(x))


class GPT(Pretrained):
    """`logits, loss = GPT(config)(tokens, targets)`; the loss is None without targets.

    `GPT.load(folder)` reads GPT-2's published weights and any other of its shape; `model.save(folder)` writes such.
    """

    model_type, published, task = "gpt2", "GPT2LMHeadModel", "write"

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(config.vocab_size, config.n_embd),
                "wpe": nn.Embedding(config.block_size, config.n_embd),
                "drop": nn.Dropout(config.dropout),
                "h": nn.ModuleList([Block(config) for _ in range(config.n_layer)]),
                "ln_f": nn.LayerNorm(config.n_embd, eps=config.norm_eps, bias=config.bias),
            }
        )
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.transformer.wte.weight = self.lm_head.weight  # tied: one matrix reads tokens in and out
        self.apply(self._init_weights)
        for name, p in self.named_parameters():
            if name.endswith("c_proj.weight"):  # each block adds twice to the residual stream: keep its variance
                nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * config.n_layer))

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    @property
    def context(self) -> int:
        """The longest sequence."""
        return self.config.block_size

    def hidden(self, tokens: mg.Tensor, past: Past | None = None, mask: mg.Tensor | None = None) -> mg.Tensor:
        """(B, T, C) after the last norm, of tokens (B, T) that follow those of `past`; `mask` is 0 at padding."""
        T, start = tokens.shape[1], 0 if past is None else past.length
        if self.config.block_size < start + T:
            raise ValueError(
                f"a sequence of {start + T} tokens is longer than block_size {self.config.block_size}: crop it"
            )
        if past is not None:
            visible, positions = past.visible(T, tokens.device), past.positions(T, tokens.device)
        elif mask is not None:
            visible, positions = causal_mask(mask), positions_of(mask)
        else:
            visible, positions = None, mg.arange(T, device=tokens.device)
        x = self.transformer.wte(tokens) + self.transformer.wpe(positions)  # (B, T, C) + (T, C)
        x = self.transformer.drop(x)
        for block in self.transformer.h:
            x = block(x, visible, past)
        if past is not None:
            past.length += T
        return self.transformer.ln_f(x)

    def forward(
        self, tokens: mg.Tensor, targets: mg.Tensor | None = None, past: Past | None = None,
        mask: mg.Tensor | None = None,
    ) -> tuple[mg.Tensor, mg.Tensor | None]:  # fmt: skip
        """(logits, loss) of tokens (B, T) that follow those of `past`, if there is one.

        With targets the logits are (B, T, V), and the loss is the mean over the targets that are not -100 or masked;
        without, they are (B, 1, V): what follows the last token is all that is asked.
        """
        x = self.hidden(tokens, past, mask)
        if targets is None:
            return self.lm_head(x[:, -1:]), None
        logits = self.lm_head(x)  # (B, T, C) -> (B, T, V)
        if mask is not None:
            targets = targets.masked_fill(~mask.bool(), -100)
        loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1))
        return logits, loss

    def new_past(self, batch: int, size: int, mask: mg.Tensor | None = None) -> Past:
        return Past(size, mask)

    def next_logits(self, tokens: mg.Tensor, past: Past | None = None, mask: mg.Tensor | None = None) -> mg.Tensor:
        """(B, V) logits of the token after the last one."""
        return self.lm_head(self.hidden(tokens, past, mask)[:, -1])

    def generate(self, tokens: mg.Tensor, max_new_tokens: int | None = None, **how: Any) -> mg.Tensor:
        """Extend (B, T) tokens; `models.generation.generate` says how."""
        return generate(self, tokens, max_new_tokens, **how)

    def parameter_groups(self, weight_decay: float) -> list[dict]:
        """Matrices decay; biases and norm weights (one axis) do not: pulling a scale to zero helps nobody."""
        parameters = list(self.parameters())
        return [
            {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
        ]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        for name in ("scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "add_cross_attention"):
            if config.get(name):
                raise ValueError(f"config.json asks for {name}, which this GPT-2 does not have")
        channels = config.get("n_embd", 768)
        if config.get("n_inner") not in (None, 4 * channels):
            raise ValueError(f"n_inner is {config['n_inner']} in config.json; this GPT-2 has 4 n_embd = {4 * channels}")
        return cls(
            GPTConfig(
                vocab_size=config.get("vocab_size", 50257),
                block_size=config.get("n_positions", config.get("n_ctx", 1024)),
                n_layer=config.get("n_layer", 12),
                n_head=config.get("n_head", 12),
                n_embd=channels,
                dropout=config.get("resid_pdrop", 0.1),
                bias=config.get("bias", True),
                activation=config.get("activation_function", "gelu_new"),
                norm_eps=config.get("layer_norm_epsilon", 1e-5),
            )
        )

    def to_config(self) -> dict[str, Any]:
        c = self.config
        return {
            "vocab_size": c.vocab_size,
            "n_positions": c.block_size,
            "n_ctx": c.block_size,
            "n_layer": c.n_layer,
            "n_head": c.n_head,
            "n_embd": c.n_embd,
            **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), c.dropout),
            "bias": c.bias,
            "activation_function": c.activation,
            "layer_norm_epsilon": c.norm_eps,
            "tie_word_embeddings": True,
        }

    def to_state(self) -> dict[str, mg.Tensor]:
        """Published files hold the projections as (in, out), and the tied matrix once."""
        state = {name: t.T if _is_projection(name) else t for name, t in self.state_dict().items()}
        del state["lm_head.weight"]
        return state

    def load_state(self, state: dict[str, mg.Tensor]) -> None:
        from minigrad import io

        io.load_into(
            self,
            state,
            prefix="transformer.",  # files that were saved without the language model's head lack it
            ignore=("*.attn.bias", "*.attn.masked_bias"),  # the causal mask, once saved too
            transpose=_is_projection,
        )


def _is_projection(name: str) -> bool:
    return name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))


LANGUAGE_MODEL = GPT
