"""The vision Transformer: a picture as a sequence of patches, read by the encoder that reads sentences.

- each patch of P x P pixels becomes one token, by one linear map (a convolution with stride P)
- a class token goes before them, learned positions are added, and what becomes of the class token decides
- pre-norm blocks: x + attention(norm(x)), then x + mlp(norm(x)), and one norm at the end

Dosovitskiy et al., arXiv:2010.11929. Names are those of Hugging Face's ViTForImageClassification. Letters in shape
comments: N images, T = 1 + patches, C channels of a token, H heads, D = C / H.
"""

from dataclasses import dataclass, fields
from typing import Any

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

from .cnn import must_be_images


@dataclass
class ViTConfig:
    """ViT-Base with patches of 16 by default: 86,567,656 parameters. Names are those of Hugging Face's config.json."""

    image_size: int = 224
    patch_size: int = 16
    num_channels: int = 3
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    layer_norm_eps: float = 1e-12
    qkv_bias: bool = True
    num_labels: int = 1000

    def __post_init__(self) -> None:
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size ({self.image_size}) must be a multiple of patch_size ({self.patch_size}): patches tile it"
            )
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) must be a multiple of num_attention_heads "
                f"({self.num_attention_heads}): each head takes a slice"
            )

    @property
    def patches(self) -> int:
        return (self.image_size // self.patch_size) ** 2

    @classmethod
    def from_dict(cls, config: dict[str, Any]) -> "ViTConfig":
        """From what a config.json of Hugging Face holds; keys that say nothing about the sizes are passed over."""
        if config.get("hidden_act", "gelu") != "gelu":
            raise ValueError(f"ViT knows the activation gelu, the config asks for {config['hidden_act']!r}")
        known = {f.name for f in fields(cls)}
        labels = {"num_labels": len(config["id2label"])} if "id2label" in config else {}
        return cls(**{k: v for k, v in {**labels, **config}.items() if k in known})


class PatchEmbeddings(nn.Module):
    def __init__(self, config: ViTConfig):
        super().__init__()
        patch = config.patch_size
        self.projection = nn.Conv2d(config.num_channels, config.hidden_size, patch, stride=patch)

    def forward(self, pixels: mg.Tensor) -> mg.Tensor:
        return self.projection(pixels).flatten(2).transpose(1, 2)  # (N, C, h, w) -> (N, C, h w) -> (N, T - 1, C)


class Embeddings(nn.Module):
    def __init__(self, config: ViTConfig):
        super().__init__()
        self.cls_token = nn.Parameter(mg.zeros(1, 1, config.hidden_size))
        self.position_embeddings = nn.Parameter(mg.zeros(1, 1 + config.patches, config.hidden_size))
        self.patch_embeddings = PatchEmbeddings(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, pixels: mg.Tensor) -> mg.Tensor:
        patches = self.patch_embeddings(pixels)
        first = self.cls_token.expand(patches.shape[0], -1, -1)  # (N, 1, C)
        return self.dropout(mg.cat((first, patches), dim=1) + self.position_embeddings)  # (N, T, C)


class SelfAttention(nn.Module):
    def __init__(self, config: ViTConfig):
        super().__init__()
        C = config.hidden_size
        self.query = nn.Linear(C, C, bias=config.qkv_bias)
        self.key = nn.Linear(C, C, bias=config.qkv_bias)
        self.value = nn.Linear(C, C, bias=config.qkv_bias)
        self.heads, self.dropout = config.num_attention_heads, config.attention_probs_dropout_prob

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        N, T, C = x.shape
        q, k, v = (  # (N, T, C) -> (N, H, T, D)
            layer(x).view(N, T, self.heads, C // self.heads).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0)
        return y.transpose(1, 2).reshape(N, T, C)  # the heads side by side


class Dense(nn.Module):
    """A Linear and a dropout, under the name that the files have."""

    def __init__(self, inputs: int, outputs: int, dropout: float = 0.0):
        super().__init__()
        self.dense, self.dropout = nn.Linear(inputs, outputs), nn.Dropout(dropout)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.dropout(self.dense(x))


class Attention(nn.Module):
    def __init__(self, config: ViTConfig):
        super().__init__()
        self.attention = SelfAttention(config)
        self.output = Dense(config.hidden_size, config.hidden_size, config.hidden_dropout_prob)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.output(self.attention(x))


class Layer(nn.Module):
    def __init__(self, config: ViTConfig):
        super().__init__()
        self.attention = Attention(config)
        self.intermediate = Dense(config.hidden_size, config.intermediate_size)
        self.output = Dense(config.intermediate_size, config.hidden_size, config.hidden_dropout_prob)
        self.layernorm_before = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.layernorm_after = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        x = x + self.attention(self.layernorm_before(x))
        return x + self.output(F.gelu(self.intermediate(self.layernorm_after(x))))


class Encoder(nn.Module):
    def __init__(self, config: ViTConfig):
        super().__init__()
        self.layer = nn.ModuleList([Layer(config) for _ in range(config.num_hidden_layers)])

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        for layer in self.layer:
            x = layer(x)
        return x


class ViTModel(nn.Module):
    """Images (N, channels, size, size) -> tokens (N, T, C)."""

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, pixels: mg.Tensor) -> mg.Tensor:
        return self.layernorm(self.encoder(self.embeddings(pixels)))


class ViT(nn.Module):
    """`logits = ViT(config)(images)`: (N, channels, size, size) -> (N, labels)."""

    def __init__(self, config: ViTConfig | None = None):
        super().__init__()
        self.config = config = config or ViTConfig()
        self.vit = ViTModel(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.apply(_init_weights)

    def forward(self, images: mg.Tensor) -> mg.Tensor:
        must_be_images(images, self.config.num_channels, self.config.image_size)
        return self.classifier(self.vit(images)[:, 0])  # what became of the class token: (N, C) -> (N, labels)


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, Embeddings):
        nn.init.trunc_normal_(module.cls_token, std=0.02)
        nn.init.trunc_normal_(module.position_embeddings, std=0.02)
