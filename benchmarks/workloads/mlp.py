"""The multilayer perceptron of many first lessons."""

import torch
from torch import nn
from torch.nn import functional as F

from workloads import arrays
from workloads.common import fill, tensors, training_step


def build(size, compiled):
    model = nn.Sequential(
        nn.Linear(size["pixels"], size["hidden"]), nn.ReLU(), nn.Linear(size["hidden"], size["classes"])
    )
    fill(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def loss_of(images, labels):
        return F.cross_entropy(model(images), labels)

    batch = tensors(arrays.images((size["batch"], size["pixels"]), size["classes"]))
    return training_step(compiled(loss_of), batch, optimizer)
