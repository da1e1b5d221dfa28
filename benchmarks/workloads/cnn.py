"""A small convolutional network on images of one channel."""

import torch
from torch import nn
from torch.nn import functional as F

from workloads import arrays
from workloads.common import fill, tensors, training_step


def build(size, compiled):
    side, channels, classes = size["side"], size["channels"], size["classes"]
    model = nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(channels, 2 * channels, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * channels * (side // 4) ** 2, classes),
    )
    fill(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def loss_of(images, labels):
        return F.cross_entropy(model(images), labels)

    batch = tensors(arrays.images((size["batch"], 1, side, side), classes))
    return training_step(compiled(loss_of), batch, optimizer)
