"""A Transformer encoder, from embeddings up, that gives a text a class.

- token embeddings and sines and cosines for the places, as the Transformer has them, normed; and its encoder layers
- the text's vector is the mean of its tokens' vectors (or the largest entry of each channel, or the first token's)
- padding is seen by no token and counts in no mean

Letters in shape comments: B batch, T time, C channels, N classes.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

from .past import positions_of
from .pretrained import Pretrained
from .transformer import EncoderLayer, TransformerConfig, sinusoids

POOLINGS = ("mean", "max", "first")


@dataclass
class TextClassifierConfig:
    """Small, for some ten thousand short texts, by default."""

    vocab_size: int = 10000
    classes: int = 2  # 1: one logit, whose sigmoid is the probability of class 1
    channels: int = 128
    heads: int = 4
    hidden: int = 256  # channels inside the feed-forward part
    layers: int = 1
    dropout: float = 0.3
    pooling: str = "mean"
    norm_first: bool = False  # pre-norm, which trains deep stacks; of one layer post-norm judges better

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, got {self.pooling!r}")
        if self.classes < 1:
            raise ValueError(f"classes must be at least 1, got {self.classes}")

    def encoder(self) -> TransformerConfig:
        return TransformerConfig(
            self.vocab_size, heads=self.heads, channels=self.channels, hidden=self.hidden, dropout=self.dropout,
            norm_first=self.norm_first,
        )  # fmt: skip


class TextClassifier(Pretrained):
    """`logits, loss = TextClassifier(config)(tokens, mask, labels)`; the loss is None without labels.

    tokens (B, T), mask (B, T) 0 at padding on either side, labels (B,); logits (B, N). `weight` (N,) weighs classes.
    """

    model_type, task = "text_classifier", "classify"

    def __init__(self, config: TextClassifierConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.channels)
        self.embedding_norm = nn.LayerNorm(config.channels)
        self.drop = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList([EncoderLayer(config.encoder()) for _ in range(config.layers)])
        self.norm = nn.LayerNorm(config.channels) if config.norm_first else nn.Identity()
        self.classifier = nn.Linear(config.channels, config.classes)
        nn.init.normal_(self.embedding.weight, std=0.1)  # as large as the places' sines below

    def encode(self, tokens: mg.Tensor, mask: mg.Tensor | None = None) -> mg.Tensor:
        """(B, C) of the texts."""
        B, T = tokens.shape
        if mask is None:
            mask = mg.ones(B, T, dtype=mg.bool, device=tokens.device)
        mask = mask.bool()
        x = self.embedding(tokens)
        x = x + 0.1 * sinusoids(T, self.config.channels, x)[positions_of(mask)]  # (B, T, C)
        x = self.drop(self.embedding_norm(x))
        for layer in self.layers:
            x = layer(x, mask.unsqueeze(1).unsqueeze(1))
        return _pooled(self.norm(x), mask, self.config.pooling)

    def forward(
        self, tokens: mg.Tensor, mask: mg.Tensor | None = None, labels: mg.Tensor | None = None,
        weight: mg.Tensor | None = None,
    ) -> tuple[mg.Tensor, mg.Tensor | None]:  # fmt: skip
        logits = self.classifier(self.drop(self.encode(tokens, mask)))
        if labels is None:
            return logits, None
        if self.config.classes == 1:
            of_row = None if weight is None else weight[labels]
            return logits, F.binary_cross_entropy_with_logits(logits.squeeze(1), labels.to(logits.dtype), of_row)
        return logits, F.cross_entropy(logits, labels, weight)

    @mg.no_grad()
    def probabilities(self, tokens: mg.Tensor, mask: mg.Tensor | None = None) -> mg.Tensor:
        """(B, N) of each class, two of them where there is one logit."""
        logits, _ = self(tokens, mask)
        if self.config.classes == 1:
            p = logits.sigmoid()
            return mg.cat((1 - p, p), dim=1)
        return F.softmax(logits, dim=1)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        known = {field.name for field in fields(TextClassifierConfig)}
        return cls(TextClassifierConfig(**{k: v for k, v in config.items() if k in known}))

    def to_config(self) -> dict[str, Any]:
        return asdict(self.config)


def _pooled(x: mg.Tensor, mask: mg.Tensor, pooling: str) -> mg.Tensor:
    """(B, C) of (B, T, C), over the tokens that are real."""
    real = mask.unsqueeze(-1)  # (B, T, 1)
    if pooling == "mean":
        return (x * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
    if pooling == "max":
        return x.masked_fill(~real, -float("inf")).amax(dim=1)
    return x[mg.arange(len(x), device=x.device), mask.long().argmax(dim=1)]
