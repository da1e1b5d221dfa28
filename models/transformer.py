"""The Transformer of "Attention Is All You Need": an encoder reads one sequence, a decoder writes another.

- encoder layers: self-attention, feed-forward; decoder layers: causal self-attention, attention to what the encoder
  made of the source, feed-forward; ReLU inside
- around each of these a residual connection with dropout, and a LayerNorm behind it (post-norm, as published) or in
  front of what it wraps (pre-norm, which trains deep stacks without a long warm-up; Xiong et al., 2020)
- positions are sines and cosines, so that any length goes; embeddings are multiplied by sqrt(C)
- one matrix embeds source and target and is the output layer too, where both sides share a vocabulary
- labels are smoothed (Szegedy et al., 2015); `noam` is the learning rate

Vaswani et al., 2017, arXiv:1706.03762. Letters in shape comments: B batch, S source time, T target time, C channels,
H heads, K = C / H, V vocabulary of the target.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Self

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

from .generation import generate
from .past import Past, causal_mask, positions_of
from .pretrained import Pretrained

TYINGS = ("all", "output", "none")


@dataclass
class TransformerConfig:
    """The paper's base model by default."""

    vocab_size: int = 37000  # of the source, and of the target where they share one
    target_vocab_size: int | None = None  # where the target has a vocabulary of its own
    encoder_layers: int = 6
    decoder_layers: int = 6
    heads: int = 8
    channels: int = 512
    hidden: int = 2048  # channels inside the feed-forward part
    dropout: float = 0.1  # of what each sublayer adds, and of embeddings with positions
    norm_first: bool = False  # pre-norm
    tied: str = "all"  # one matrix for both embeddings and the output; "output": for target and output; or "none"
    label_smoothing: float = 0.1  # while training; in eval mode the loss is the plain cross-entropy
    norm_eps: float = 1e-5
    pad_token: int = 0
    begin_token: int = 1  # what the decoder sees before the first word
    end_token: int = 2

    def __post_init__(self) -> None:
        if self.channels % self.heads:
            raise ValueError(
                f"channels ({self.channels}) must be a multiple of heads ({self.heads}): each head takes a slice"
            )
        if self.channels % 2:
            raise ValueError(f"channels must be even, a sine and a cosine for each frequency, got {self.channels}")
        if self.tied not in TYINGS:
            raise ValueError(f"tied must be one of {', '.join(TYINGS)}, got {self.tied!r}")
        if self.tied == "all" and self.target_vocab_size not in (None, self.vocab_size):
            raise ValueError(
                f"tied='all' needs one vocabulary, got {self.vocab_size} source and {self.target_vocab_size} target "
                "tokens: leave target_vocab_size out, or take tied='output'"
            )


def noam(step: int, channels: int, warmup: int = 4000, factor: float = 1.0) -> float:
    """The paper's learning rate at a step, the first being 1: factor C^-0.5 min(step^-0.5, step warmup^-1.5).

    It grows linearly for `warmup` steps, up to factor (C warmup)^-0.5, then falls with the root of the step.
    """
    if step < 1 or warmup < 1:
        raise ValueError(f"step and warmup count from 1, got step {step} and warmup {warmup}")
    return factor * channels**-0.5 * min(step**-0.5, step * warmup**-1.5)


def sinusoids(length: int, channels: int, like: mg.Tensor) -> mg.Tensor:
    """(length, channels): position t has sin(t / 10000^(2i / C)) in channel 2i, the cosine in channel 2i + 1.

    On the device and in the dtype of `like`.
    """
    rates = mg.exp(mg.arange(0, channels, 2, device=like.device, dtype=mg.float64) * (-math.log(10000) / channels))
    angles = mg.arange(length, device=like.device, dtype=mg.float64).unsqueeze(1) * rates  # (length, C/2)
    return mg.stack((angles.sin(), angles.cos()), dim=-1).flatten(1).to(like.dtype)  # (length, C/2, 2) -> (length, C)


class Attention(nn.Module):
    """Queries from x, keys and values from a memory: x itself, or what the encoder made of the source."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        C, self.heads = config.channels, config.heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(C, C) for _ in range(4))

    def split(self, x: mg.Tensor) -> mg.Tensor:
        B, T, C = x.shape
        return x.view(B, T, self.heads, C // self.heads).transpose(1, 2)  # (B, T, C) -> (B, H, T, K)

    def keys_and_values(self, memory: mg.Tensor) -> tuple[mg.Tensor, mg.Tensor]:
        return self.split(self.k_proj(memory)), self.split(self.v_proj(memory))  # 2 x (B, H, S, K)

    def forward(
        self, x: mg.Tensor, k: mg.Tensor, v: mg.Tensor, visible: mg.Tensor | None = None, causal: bool = False,
        maps: list[mg.Tensor] | None = None,
    ) -> mg.Tensor:  # fmt: skip
        q = self.split(self.q_proj(x))  # (B, H, T, K)
        if maps is None:
            y = F.scaled_dot_product_attention(q, k, v, visible, is_causal=causal)  # (B, H, T, K)
        else:
            maps.append(attention_weights(q, k, visible, causal))
            y = maps[-1] @ v
        return self.out_proj(y.transpose(1, 2).flatten(2))  # the heads side by side: (B, T, C)


def attention_weights(q: mg.Tensor, k: mg.Tensor, visible: mg.Tensor | None, causal: bool) -> mg.Tensor:
    """softmax(q k^T / sqrt(K)), (B, H, T, S), which attention otherwise never holds whole; for pictures."""
    scores = q @ k.transpose(2, 3) / math.sqrt(q.size(3))
    if causal:
        visible = causal_mask(mg.ones(1, q.size(2), device=q.device))
    return F.softmax(scores if visible is None else scores.masked_fill(~visible, -math.inf), dim=-1)


class FeedForward(nn.Module):
    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.fc1 = nn.Linear(config.channels, config.hidden)
        self.fc2 = nn.Linear(config.hidden, config.channels)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.fc2(F.relu(self.fc1(x)))  # (B, T, C) -> (B, T, hidden) -> (B, T, C)


@dataclass
class AttentionMaps:
    """Weights of attention for pictures, one tensor a layer: encoder (B, H, S, S), decoder (B, H, T, T), and of the
    decoder on the source (B, H, T, S).
    """

    encoder: list[mg.Tensor] = field(default_factory=list)
    decoder: list[mg.Tensor] = field(default_factory=list)
    source: list[mg.Tensor] = field(default_factory=list)


class EncoderLayer(nn.Module):
    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.attention, self.feed_forward = Attention(config), FeedForward(config)
        self.norm1, self.norm2 = (nn.LayerNorm(config.channels, eps=config.norm_eps) for _ in range(2))
        self.drop, self.norm_first = nn.Dropout(config.dropout), config.norm_first

    def forward(self, x: mg.Tensor, visible: mg.Tensor | None, maps: AttentionMaps | None = None) -> mg.Tensor:
        if self.norm_first:
            x = x + self.drop(self.look_around(self.norm1(x), visible, maps))  # (B, S, C)
            return x + self.drop(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.drop(self.look_around(x, visible, maps)))
        return self.norm2(x + self.drop(self.feed_forward(x)))

    def look_around(self, x: mg.Tensor, visible: mg.Tensor | None, maps: AttentionMaps | None) -> mg.Tensor:
        k, v = self.attention.keys_and_values(x)
        return self.attention(x, k, v, visible, maps=maps and maps.encoder)


class DecoderLayer(nn.Module):
    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.attention, self.source_attention = Attention(config), Attention(config)
        self.feed_forward = FeedForward(config)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(config.channels, eps=config.norm_eps) for _ in range(3))
        self.drop, self.norm_first = nn.Dropout(config.dropout), config.norm_first

    def forward(self, x: mg.Tensor, view: "View") -> mg.Tensor:
        if self.norm_first:
            x = x + self.drop(self.look_back(self.norm1(x), view))  # (B, T, C)
            x = x + self.drop(self.look_at_source(self.norm2(x), view))
            return x + self.drop(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self.drop(self.look_back(x, view)))
        x = self.norm2(x + self.drop(self.look_at_source(x, view)))
        return self.norm3(x + self.drop(self.feed_forward(x)))

    def look_back(self, x: mg.Tensor, view: "View") -> mg.Tensor:
        k, v = self.attention.keys_and_values(x)
        if view.past is not None:
            k, v = view.past.add(self.attention, k, v)  # those of all tokens so far
        causal = view.tokens is None and k.size(2) == x.size(1)
        return self.attention(x, k, v, view.tokens, causal, view.maps and view.maps.decoder)

    def look_at_source(self, x: mg.Tensor, view: "View") -> mg.Tensor:
        if view.past is not None:
            k, v = view.past.of_source(self.source_attention)
        else:
            k, v = self.source_attention.keys_and_values(view.memory)
        return self.source_attention(x, k, v, view.source, maps=view.maps and view.maps.source)


@dataclass
class View:
    """What the layers of the decoder may look at, besides the tokens they are given."""

    memory: mg.Tensor  # (B, S, C), what the encoder made of the source
    source: mg.Tensor | None  # (B, 1, 1, S), True at what is real; None: all
    tokens: mg.Tensor | None  # (B, 1, T, T) or as Past.visible; None: each token those before it
    past: "DecoderPast | None"
    maps: AttentionMaps | None


class DecoderPast(Past):
    """Beside the keys and values of the tokens so far, those of the source: the same at every step, computed once."""

    def __init__(self, size: int, memory: mg.Tensor, source_mask: mg.Tensor | None, mask: mg.Tensor | None = None):
        super().__init__(size, mask)
        self.memory, self.source_mask = memory, source_mask  # (B, S, C) and (B, S)
        self.source_kept: dict[int, tuple[mg.Tensor, mg.Tensor]] = {}  # by layer
        self.origin = mg.arange(len(memory), device=memory.device)  # which source each row belongs to

    def of_source(self, layer: Attention) -> tuple[mg.Tensor, mg.Tensor]:
        """Keys and values (B, H, S, K) of the source in a layer."""
        if id(layer) not in self.source_kept:
            self.source_kept[id(layer)] = layer.keys_and_values(self.memory)
        return self.source_kept[id(layer)]

    def choose(self, rows: mg.Tensor) -> None:
        super().choose(rows)
        origin = self.origin[rows]
        if mg.equal(origin, self.origin):
            return  # the beams of a sentence changed places among themselves: their source is the same
        self.origin, self.memory = origin, self.memory[rows]
        self.source_mask = None if self.source_mask is None else self.source_mask[rows]
        self.source_kept = {layer: (k[rows], v[rows]) for layer, (k, v) in self.source_kept.items()}


class Transformer(Pretrained):
    """`logits, loss = Transformer(config)(source, tokens, targets)`; the loss is None without targets."""

    model_type, task = "transformer", "translate"

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        V, C = config.target_vocab_size or config.vocab_size, config.channels
        self.embedding = nn.Embedding(config.vocab_size, C)
        self.target_embedding = nn.Embedding(V, C)
        self.drop = nn.Dropout(config.dropout)
        self.encoder = nn.ModuleList([EncoderLayer(config) for _ in range(config.encoder_layers)])
        self.decoder = nn.ModuleList([DecoderLayer(config) for _ in range(config.decoder_layers)])
        # Pre-norm layers leave what they add up to unnormed: one norm at the end of each stack.
        last = nn.LayerNorm if config.norm_first else nn.Identity
        self.encoder_norm, self.decoder_norm = last(C, eps=config.norm_eps), last(C, eps=config.norm_eps)
        self.output = nn.Linear(C, V, bias=False)
        self.apply(self._init_weights)
        if config.tied != "none":
            self.target_embedding.weight = self.output.weight
        if config.tied == "all":
            self.embedding.weight = self.output.weight

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear) and module is not self.output:
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, (nn.Linear, nn.Embedding)):  # times sqrt(C) going in, times a normed x going out:
            nn.init.normal_(module.weight, std=self.config.channels**-0.5)  # variance 1 both times

    def embed(self, embedding: nn.Embedding, tokens: mg.Tensor, positions: mg.Tensor, length: int) -> mg.Tensor:
        """(B, T, C) of tokens (B, T) that stand at `positions` (T,) or (B, T), all below `length`."""
        x = embedding(tokens) * math.sqrt(self.config.channels)
        return self.drop(x + sinusoids(length, self.config.channels, x)[positions])

    def encode(
        self, source: mg.Tensor, source_mask: mg.Tensor | None = None, maps: AttentionMaps | None = None
    ) -> mg.Tensor:
        """(B, S, C) of a source (B, S); `source_mask` (B, S) is 0 at padding."""
        S, source_mask = source.size(1), _padding(source_mask, source.shape, "source_mask")
        positions = mg.arange(S, device=source.device) if source_mask is None else positions_of(source_mask)
        x = self.embed(self.embedding, source, positions, S)
        for layer in self.encoder:
            x = layer(x, _keys_mask(source_mask), maps)
        return self.encoder_norm(x)

    def decode(
        self, tokens: mg.Tensor, memory: mg.Tensor, source_mask: mg.Tensor | None = None,
        mask: mg.Tensor | None = None, past: DecoderPast | None = None, maps: AttentionMaps | None = None,
    ) -> mg.Tensor:  # fmt: skip
        """(B, T, C) of tokens (B, T) that follow those of `past`, before the output layer.

        `memory` is what `encode` gave; `mask` (B, T) is 0 where tokens are padding.
        """
        T, start = tokens.size(1), 0 if past is None else past.length
        source_mask = _padding(source_mask, memory.shape[:2], "source_mask")
        mask = _padding(mask, tokens.shape, "mask")
        if past is not None:
            visible, positions = past.visible(T, tokens.device), past.positions(T, tokens.device)
        elif mask is not None:
            visible, positions = causal_mask(mask), positions_of(mask)
        else:
            visible, positions = None, mg.arange(T, device=tokens.device)
        x = self.embed(self.target_embedding, tokens, positions, start + T)
        view = View(memory, _keys_mask(source_mask), visible, past, maps)
        for layer in self.decoder:
            x = layer(x, view)
        if past is not None:
            past.length += T
        return self.decoder_norm(x)

    def forward(
        self, source: mg.Tensor, tokens: mg.Tensor, targets: mg.Tensor | None = None,
        source_mask: mg.Tensor | None = None, mask: mg.Tensor | None = None, maps: AttentionMaps | None = None,
    ) -> tuple[mg.Tensor, mg.Tensor | None]:  # fmt: skip
        """(logits (B, T, V), loss): tokens (B, T) are those the decoder sees, targets (B, T) those it should answer.

        So tokens begin with `begin_token`, and targets, one place ahead, end with `end_token`. Masks are 0 at padding,
        on either side. The loss is the mean over the targets that are not -100 or masked, smoothed while training.
        Attention weights are added to `maps`.
        """
        memory = self.encode(source, source_mask, maps)
        logits = self.output(self.decode(tokens, memory, source_mask, mask, maps=maps))  # (B, T, C) -> (B, T, V)
        if targets is None:
            return logits, None
        if mask is not None:
            targets = targets.masked_fill(~mask.bool(), -100)
        smoothing = self.config.label_smoothing if self.training else 0.0
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), label_smoothing=smoothing)
        return logits, loss

    @mg.no_grad()
    def writer(self, source: mg.Tensor, source_mask: mg.Tensor | None = None) -> "Writer":
        """The decoder over this source, for `models.generation.generate`."""
        was_training = self.training
        self.eval()
        memory = self.encode(source, source_mask)
        self.train(was_training)
        return Writer(self, memory, _padding(source_mask, source.shape, "source_mask"))

    def generate(
        self, source: mg.Tensor, source_mask: mg.Tensor | None = None, max_new_tokens: int | None = None, **how: Any
    ) -> mg.Tensor:
        """Write a target for each source (B, S): (B, up to 1 + max_new_tokens) tokens, `begin_token` first, padded
        with `pad_token` after `end_token`.

        Greedy unless `how` says otherwise, see `models.generation.generate`; the published results are from
        num_beams=4, length_penalty=0.6. At most 50 tokens more than the source has, as there, unless told.
        """
        c = self.config
        begin = mg.full((len(source), 1), c.begin_token, dtype=mg.int64, device=source.device)
        how = {"temperature": 0.0, "stop_tokens": (c.end_token,), "pad_token": c.pad_token, **how}
        limit = source.size(1) + 50 if max_new_tokens is None else max_new_tokens
        return generate(self.writer(source, source_mask), begin, limit, **how)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(TransformerConfig(**{field: config[key] for field, key in KEYS.items() if key in config}))

    def to_config(self) -> dict[str, Any]:
        return {key: getattr(self.config, field) for field, key in KEYS.items()}


class Writer(nn.Module):
    """A Transformer's decoder with the source it reads, in the form that `models.generation.generate` asks for.

    Rows of tokens belong to the rows of the source, in order; or several of them, next to each other, to each.
    """

    context = None  # positions have no end

    def __init__(self, model: Transformer, memory: mg.Tensor, source_mask: mg.Tensor | None):
        super().__init__()
        self.model, self.memory, self.source_mask = model, memory, source_mask
        self.train(model.training)

    def new_past(self, batch: int, size: int, mask: mg.Tensor | None = None) -> DecoderPast:
        if batch != len(self.memory):
            raise ValueError(f"the source has {len(self.memory)} rows, the tokens have {batch}: give one a row")
        return DecoderPast(size, self.memory, self.source_mask, mask)

    def next_logits(
        self, tokens: mg.Tensor, past: DecoderPast | None = None, mask: mg.Tensor | None = None
    ) -> mg.Tensor:
        """(B, V) logits of the token after the last one."""
        if past is not None:
            x = self.model.decode(tokens, past.memory, past.source_mask, mask, past)
        else:
            beams = len(tokens) // len(self.memory)
            memory = self.memory.repeat_interleave(beams, 0)
            source_mask = None if self.source_mask is None else self.source_mask.repeat_interleave(beams, 0)
            x = self.model.decode(tokens, memory, source_mask, mask)
        return self.model.output(x[:, -1])


def _keys_mask(source_mask: mg.Tensor | None) -> mg.Tensor | None:
    """(B, S) as attention takes it: (B, 1, 1, S), the same for all heads and queries."""
    return None if source_mask is None else source_mask.bool().unsqueeze(1).unsqueeze(1)


def _padding(mask: mg.Tensor | None, shape: tuple[int, ...], name: str) -> mg.Tensor | None:
    """The mask of tokens of this shape, or None where it hides nothing."""
    if mask is not None and mask.shape != shape:
        raise ValueError(f"{name} must have the shape of its tokens, {tuple(shape)}, got {tuple(mask.shape)}")
    return None if mask is None or bool(mask.bool().all()) else mask


KEYS = {  # of the config here -> of config.json, named as Hugging Face's encoder-decoders have them
    "vocab_size": "vocab_size",
    "target_vocab_size": "decoder_vocab_size",
    "encoder_layers": "encoder_layers",
    "decoder_layers": "decoder_layers",
    "heads": "num_attention_heads",
    "channels": "d_model",
    "hidden": "ffn_dim",
    "dropout": "dropout",
    "norm_first": "normalize_before",
    "tied": "tied",
    "label_smoothing": "label_smoothing",
    "norm_eps": "layer_norm_eps",
    "pad_token": "pad_token_id",
    "begin_token": "bos_token_id",
    "end_token": "eos_token_id",
}
