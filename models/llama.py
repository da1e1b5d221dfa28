"""Llama: a decoder-only Transformer with rotary positions, RMS norms, a gated MLP, and fewer heads for keys and values.

- pre-norm blocks, as in GPT-2, without biases; norms divide by the root mean square alone
- positions turn each pair of channels of q and k by an angle that grows with the place, so that a product of q and k
  depends on the distance between them (Su et al., 2021, arXiv:2104.09864)
- the MLP is down(silu(gate(x)) * up(x)) (Shazeer, 2020, arXiv:2002.05202)
- grouped-query attention: several query heads share a head of keys and values (Ainslie et al., 2023, arXiv:2305.13245)

Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", 2023, arXiv:2302.13971. Tensor names are Hugging
Face's. Letters in shape comments: B batch, T time, S all tokens so far, C channels, H query heads, G heads of keys and
values, K channels a head, V vocabulary.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

from .generation import generate
from .past import Past, causal_mask, positions_of
from .pretrained import Pretrained


@dataclass
class LlamaConfig:
    """Llama 2 7B by default."""

    vocab_size: int = 32000
    context: int = 4096  # the longest sequence
    layers: int = 32
    heads: int = 32
    key_heads: int = 32  # heads of keys and values
    channels: int = 4096
    hidden: int = 11008  # channels inside the MLP
    norm_eps: float = 1e-5
    rope_theta: float = 10000.0  # the slowest pair turns once in 2 pi theta tokens
    rope_scaling: dict[str, Any] = field(default_factory=dict)  # how longer contexts stretch the angles
    tied: bool = False  # the token embedding is the output layer too
    head_size: int = 0  # channels a head; 0: channels / heads

    def __post_init__(self) -> None:
        if not self.head_size:
            if self.channels % self.heads:
                raise ValueError(f"channels ({self.channels}) must be a multiple of heads ({self.heads})")
            self.head_size = self.channels // self.heads
        if self.heads % self.key_heads:
            raise ValueError(
                f"heads ({self.heads}) must be a multiple of key_heads ({self.key_heads}), which they share"
            )
        if self.head_size % 2:
            raise ValueError(f"rotary positions turn pairs of channels: a head of {self.head_size} has none to spare")


def rotary_angles(config: LlamaConfig) -> np.ndarray:
    """(context, K/2) angles: place t turns pair i by t / theta^(2 i / K), in float64.

    `rope_scaling` of type "linear" divides all angles by a factor; "llama3" does so for pairs that turn less than
    once in the context that the model was first trained on, and goes over smoothly to leaving fast pairs alone.
    """
    K = config.head_size
    turns = config.rope_theta ** (-np.arange(0, K, 2) / K)  # angle a token, of each pair
    scaling = config.rope_scaling
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind == "linear":
        turns = turns / scaling["factor"]
    elif kind == "llama3":
        once = scaling["original_max_position_embeddings"] * turns / (2 * math.pi)  # turns within the first context
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        kept = ((once - low) / (high - low)).clip(0, 1)
        turns = kept * turns + (1 - kept) * turns / scaling["factor"]
    elif kind != "default":
        raise ValueError(f"rope_scaling of type {kind!r} is unknown; expected default, linear or llama3")
    return np.outer(np.arange(config.context), turns)


def rotate(x: mg.Tensor, cos: mg.Tensor, sin: mg.Tensor) -> mg.Tensor:
    """Turn the pairs (x_i, x_{i + K/2}) of (B, H, T, K) by angles with these (T, K/2) or (B, 1, T, K/2) cos and sin."""
    first, second = x.chunk(2, dim=-1)
    return mg.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class Attention(nn.Module):
    def __init__(self, config: LlamaConfig):
        super().__init__()
        C, self.K = config.channels, config.head_size
        self.q_proj = nn.Linear(C, config.heads * self.K, bias=False)
        self.k_proj = nn.Linear(C, config.key_heads * self.K, bias=False)
        self.v_proj = nn.Linear(C, config.key_heads * self.K, bias=False)
        self.o_proj = nn.Linear(config.heads * self.K, C, bias=False)

    def forward(
        self, x: mg.Tensor, cos: mg.Tensor, sin: mg.Tensor, visible: mg.Tensor | None, past: Past | None
    ) -> mg.Tensor:
        B, T, _ = x.shape
        q, k, v = (p(x).view(B, T, -1, self.K).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)  # (B, H, T, K), (B, G, T, K)
        if past is not None:
            k, v = past.add(self, k, v)  # (B, G, S, K)
        causal = visible is None and k.size(2) == T
        y = F.scaled_dot_product_attention(q, k, v, visible, is_causal=causal, enable_gqa=True)  # (B, H, T, K)
        return self.o_proj(y.transpose(1, 2).reshape(B, T, -1))  # (B, T, C)


class MLP(nn.Module):
    def __init__(self, config: LlamaConfig):
        super().__init__()
        self.gate_proj = nn.Linear(config.channels, config.hidden, bias=False)
        self.up_proj = nn.Linear(config.channels, config.hidden, bias=False)
        self.down_proj = nn.Linear(config.hidden, config.channels, bias=False)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, config: LlamaConfig):
        super().__init__()
        self.input_layernorm = nn.RMSNorm(config.channels, eps=config.norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = nn.RMSNorm(config.channels, eps=config.norm_eps)
        self.mlp = MLP(config)

    def forward(
        self, x: mg.Tensor, cos: mg.Tensor, sin: mg.Tensor, visible: mg.Tensor | None, past: Past | None
    ) -> mg.Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, visible, past)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(Pretrained):
    """`logits, loss = Llama(config)(tokens, targets)`; the loss is None without targets.

    `Llama.load(folder)` reads a folder in Hugging Face's layout, `read_llama2c(path)` a file of llama2.c.
    """

    model_type, published, task = "llama", "LlamaForCausalLM", "write"

    def __init__(self, config: LlamaConfig):
        super().__init__()
        self.config = config
        self.model = nn.ModuleDict(
            {
                "embed_tokens": nn.Embedding(config.vocab_size, config.channels),
                "layers": nn.ModuleList([Block(config) for _ in range(config.layers)]),
                "norm": nn.RMSNorm(config.channels, eps=config.norm_eps),
            }
        )
        self.lm_head = nn.Linear(config.channels, config.vocab_size, bias=False)
        if config.tied:
            self.lm_head.weight = self.model.embed_tokens.weight
        angles = rotary_angles(config)
        for name, table in (("cos", np.cos(angles)), ("sin", np.sin(angles))):
            self.register_buffer(name, mg.tensor(table, dtype=mg.get_default_dtype()), persistent=False)
        self.apply(self._init_weights)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)

    @property
    def context(self) -> int:
        """The longest sequence."""
        return self.config.context

    def hidden(self, tokens: mg.Tensor, past: Past | None = None, mask: mg.Tensor | None = None) -> mg.Tensor:
        """(B, T, C) after the last norm, of tokens (B, T) that follow those of `past`; `mask` is 0 at padding."""
        T, start = tokens.shape[1], 0 if past is None else past.length
        if self.config.context < start + T:
            raise ValueError(f"a sequence of {start + T} tokens is longer than the context of {self.config.context}")
        if past is not None:
            visible, positions = past.visible(T, tokens.device), past.positions(T, tokens.device)
        elif mask is not None:
            visible, positions = causal_mask(mask), positions_of(mask)
        else:
            visible, positions = None, mg.arange(T, device=tokens.device)
        cos, sin = self.cos[positions], self.sin[positions]  # (T, K/2), or (B, T, K/2) with padding
        if positions.dim() == 2:
            cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)  # (B, 1, T, K/2): the same for all heads
        x = self.model.embed_tokens(tokens)  # (B, T, C)
        for block in self.model.layers:
            x = block(x, cos, sin, visible, past)
        if past is not None:
            past.length += T
        return self.model.norm(x)

    def forward(
        self, tokens: mg.Tensor, targets: mg.Tensor | None = None, past: Past | None = None,
        mask: mg.Tensor | None = None,
    ) -> tuple[mg.Tensor, mg.Tensor | None]:  # fmt: skip
        """(logits, loss) of tokens (B, T) that follow those of `past`, if there is one; as GPT's."""
        x = self.hidden(tokens, past, mask)
        if targets is None:
            return self.lm_head(x[:, -1:]), None  # (B, 1, V)
        logits = self.lm_head(x)  # (B, T, V)
        if mask is not None:
            targets = targets.masked_fill(~mask.bool(), -100)
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1))

    def new_past(self, batch: int, size: int, mask: mg.Tensor | None = None) -> Past:
        return Past(size, mask)

    def next_logits(self, tokens: mg.Tensor, past: Past | None = None, mask: mg.Tensor | None = None) -> mg.Tensor:
        """(B, V) logits of the token after the last one."""
        return self.lm_head(self.hidden(tokens, past, mask)[:, -1])

    def generate(self, tokens: mg.Tensor, max_new_tokens: int | None = None, **how: Any) -> mg.Tensor:
        """Extend (B, T) tokens; `models.generation.generate` says how."""
        return generate(self, tokens, max_new_tokens, **how)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        for name in ("attention_bias", "mlp_bias"):
            if config.get(name):
                raise ValueError(f"config.json asks for {name}, which this Llama does not have")
        rope = config.get("rope_parameters") or {}  # newer files keep theta there too
        heads = config.get("num_attention_heads", 32)
        return cls(
            LlamaConfig(
                vocab_size=config.get("vocab_size", 32000),
                context=config.get("max_position_embeddings", 2048),
                layers=config.get("num_hidden_layers", 32),
                heads=heads,
                key_heads=config.get("num_key_value_heads") or heads,
                channels=config.get("hidden_size", 4096),
                hidden=config.get("intermediate_size", 11008),
                norm_eps=config.get("rms_norm_eps", 1e-6),
                rope_theta=float(config.get("rope_theta", rope.get("rope_theta", 10000.0))),
                rope_scaling=config.get("rope_scaling") or {k: v for k, v in rope.items() if k != "rope_theta"},
                tied=config.get("tie_word_embeddings", False),
                head_size=config.get("head_dim") or 0,
            )
        )

    def to_config(self) -> dict[str, Any]:
        c = self.config
        return {
            "vocab_size": c.vocab_size,
            "max_position_embeddings": c.context,
            "num_hidden_layers": c.layers,
            "num_attention_heads": c.heads,
            "num_key_value_heads": c.key_heads,
            "hidden_size": c.channels,
            "intermediate_size": c.hidden,
            "rms_norm_eps": c.norm_eps,
            "rope_theta": c.rope_theta,
            "rope_scaling": c.rope_scaling or None,
            "tie_word_embeddings": c.tied,
            "head_dim": c.head_size,
            "hidden_act": "silu",
        }

    def to_state(self) -> dict[str, mg.Tensor]:
        state = self.state_dict()
        if self.config.tied:
            del state["lm_head.weight"]
        return state

    def load_state(self, state: dict[str, mg.Tensor]) -> None:
        from minigrad import io

        # A file that was saved without the language model's head lacks the prefix.
        io.load_into(self, state, prefix="model.", ignore=("*rotary_emb.inv_freq",))


# Llama's tensors in the order of a llama2.c file, each with its layers one after the other.
LLAMA2C = (
    "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "post_attention_layernorm", "mlp.gate_proj", "mlp.down_proj", "mlp.up_proj",
)  # fmt: skip


def read_llama2c(path: str | Path) -> Llama:
    """The model in a `.bin` file of llama2.c (Karpathy, 2023): seven int32 (channels, hidden, layers, heads, heads of
    keys and values, vocabulary, context), then all weights in float32. A negative vocabulary tells that the output
    layer is not the embedding. In these files a pair of channels that turn together lies side by side, while here
    the second of it lies K/2 further: the rows of q and k are put in that order.

    Raises ValueError for a file that is no such model, truncated, or longer than its header says.
    """
    size = Path(path).stat().st_size
    header = np.fromfile(path, np.int32, 7)
    if len(header) < 7 or (header[[0, 1, 2, 3, 4, 6]] < 1).any() or header[5] == 0 or (header > 1 << 24).any():
        raise ValueError(f"{path} is not a llama2.c model: it should start with seven sizes, got {header.tolist()}")
    C, hidden, layers, heads, key_heads, vocabulary, context = header.tolist()
    config = LlamaConfig(
        abs(vocabulary), context, layers, heads, key_heads, C, hidden, norm_eps=1e-5, tied=vocabulary > 0
    )
    K = config.head_size
    count = config.vocab_size * C * (1 if config.tied else 2) + C + context * K
    count += layers * (2 * C + 2 * heads * K * C + 2 * key_heads * K * C + 3 * C * hidden)
    if size != 28 + 4 * count:
        state = "truncated" if size < 28 + 4 * count else "longer than its header says"
        raise ValueError(
            f"{path} is {state}: its sizes {header.tolist()} want {28 + 4 * count:,} bytes, it has {size:,}"
        )
    weights = np.memmap(path, np.float32, "r", 28)
    model, place = Llama(config), 0

    def take(*shape: int) -> mg.Tensor:
        nonlocal place
        place += math.prod(shape)
        return mg.tensor(weights[place - math.prod(shape) : place].reshape(shape))

    shapes = {name: p.shape for name, p in model.model.layers[0].named_parameters()}
    state = {"model.embed_tokens.weight": take(config.vocab_size, C)}
    for name in LLAMA2C:
        for layer in range(layers):
            tensor = take(*shapes[f"{name}.weight"])
            if name.endswith(("q_proj", "k_proj")):
                tensor = tensor.view(-1, K // 2, 2, C).transpose(1, 2).reshape(-1, C)
            state[f"model.layers.{layer}.{name}.weight"] = tensor
    state["model.norm.weight"] = take(C)
    take(context, K)  # cos and sin of the angles, once kept there
    state["lm_head.weight"] = state["model.embed_tokens.weight"] if config.tied else take(config.vocab_size, C)
    model.load_state_dict(state)
    return model.eval()


LANGUAGE_MODEL = Llama
