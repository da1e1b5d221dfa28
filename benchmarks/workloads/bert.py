"""A small BERT, fine-tuned: a post-norm encoder, and a classifier that reads the first position."""

import torch
from torch import nn
from torch.nn import functional as F

from workloads import arrays
from workloads.common import fill, tensors, training_step


class Bert(nn.Module):
    def __init__(self, vocabulary, length, layers, heads, channels):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, channels)
        self.positions = nn.Embedding(length, channels)
        self.norm = nn.LayerNorm(channels)
        layer = nn.TransformerEncoderLayer(
            channels, heads, 4 * channels, dropout=0.0, activation="gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.classifier = nn.Linear(channels, 2)

    def forward(self, tokens):
        x = self.norm(self.tokens(tokens) + self.positions.weight)  # (B, T) -> (B, T, C)
        return self.classifier(self.encoder(x)[:, 0])  # (B, T, C) -> (B, C) -> (B, 2)


def build(size, compiled):
    model = Bert(size["vocabulary"], size["length"], size["layers"], size["heads"], size["channels"])
    fill(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, fused=True)

    def loss_of(tokens, labels):
        return F.cross_entropy(model(tokens), labels)

    batch = tensors(arrays.sentences(size["batch"], size["length"], size["vocabulary"]))
    return training_step(compiled(loss_of), batch, optimizer)
