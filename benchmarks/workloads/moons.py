"""A tiny classifier: nearly all of the step is what an engine spends on itself."""

import torch
from torch import nn
from torch.nn import functional as F

from workloads import arrays
from workloads.common import fill, tensors, training_step


def build(size, compiled):
    hidden = size["hidden"]
    model = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))
    fill(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, fused=True)

    def loss_of(points, labels):
        hinge = F.relu(1 - labels * model(points)).mean()
        return hinge + 1e-4 * sum((p * p).sum() for p in model.parameters())

    return training_step(compiled(loss_of), tensors(arrays.moons(size["batch"])), optimizer)
