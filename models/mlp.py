"""A multilayer perceptron: Linear layers with an activation between them (Rumelhart, Hinton, Williams, 1986).

pre-activation   z_l = W_l a_{l-1} + b_l
activation       a_l = sigma(z_l),  a_0 = x;  the last layer has none: it returns logits
"""

import itertools
from collections.abc import Sequence

import minigrad as mg
from minigrad import nn


class MLP(nn.Module):
    """`MLP((784, 500, 10))` maps (B, ...) with 784 entries an example to (B, 10) logits."""

    def __init__(self, sizes: Sequence[int], activation: type[nn.Module] = nn.ReLU):
        super().__init__()
        if len(sizes) < 2:
            raise ValueError(f"an MLP needs an input and an output size, got {tuple(sizes)}")
        layers: list[nn.Module] = []
        for fan_in, fan_out in itertools.pairwise(sizes):
            layers += [nn.Linear(fan_in, fan_out), activation()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.layers(x.flatten(1))  # (B, ...) -> (B, sizes[0]) -> (B, sizes[-1])
