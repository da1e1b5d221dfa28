"""A character-level language model with an LSTM."""

import torch
from torch import nn
from torch.nn import functional as F

from workloads import arrays
from workloads.common import fill, tensors, training_step


class LanguageModel(nn.Module):
    def __init__(self, vocabulary, channels, hidden):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, channels)
        self.lstm = nn.LSTM(channels, hidden, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, tokens):
        states, _ = self.lstm(self.embedding(tokens))  # (B, T) -> (B, T, C) -> (B, T, hidden)
        return self.head(states)


def build(size, compiled):
    model = LanguageModel(size["vocabulary"], size["channels"], size["hidden"])
    fill(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def loss_of(tokens, targets):
        return F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())

    batch = tensors(arrays.text(size["batch"], size["length"], size["vocabulary"]))
    return training_step(compiled(loss_of), batch, optimizer)
