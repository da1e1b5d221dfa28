"""DCGAN: two convolutional networks that play against each other, and pictures as the outcome.

- the generator makes pictures from noise, by transposed convolutions that double the size
- the discriminator tells them from real ones, by convolutions that halve it
- batch norms everywhere but at the two ends, ReLU in one and leaky ReLU in the other, no pooling

Goodfellow et al., arXiv:1406.2661; Radford, Metz and Chintala, arXiv:1511.06434. Letters in shape comments: N pictures,
Z numbers of noise, S the side of the smallest map, k doublings, W the width.
"""

from dataclasses import dataclass

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

from .cnn import must_be_images


@dataclass
class GANConfig:
    """For 28 x 28 grey pictures by default. Smallest 4, doublings 4 and channels 3 are the paper's, for 64 x 64."""

    channels: int = 1
    smallest: int = 7  # pixels a side of the first map of the generator, and of the last one of the discriminator
    doublings: int = 2
    noise: int = 100
    width: int = 64  # channels of the largest map; twice as many in each smaller one

    @property
    def image_size(self) -> int:
        return self.smallest * 2**self.doublings


class Generator(nn.Module):
    """Noise (N, Z) -> pictures (N, C, H, W) in [-1, 1]."""

    def __init__(self, c: GANConfig):
        super().__init__()
        self.noise = c.noise
        widths = [c.width * 2**i for i in reversed(range(c.doublings))]  # 512, 256, 128, 64 in the paper
        layers: list[nn.Module] = [nn.ConvTranspose2d(c.noise, widths[0], c.smallest, bias=False)]
        for width, narrower in zip(widths, [*widths[1:], c.channels], strict=True):
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
            layers.append(nn.ConvTranspose2d(width, narrower, 4, stride=2, padding=1, bias=False))
        self.main = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z: mg.Tensor) -> mg.Tensor:
        if z.dim() != 2 or z.shape[1] != self.noise:
            raise ValueError(f"the generator takes noise of shape (N, {self.noise}), got {tuple(z.shape)}")
        return self.main(z[:, :, None, None])  # (N, Z, 1, 1) -> (N, W 2^(k-1), S, S) -> ... -> (N, C, S 2^k, S 2^k)


class Discriminator(nn.Module):
    """Pictures (N, C, H, W) -> logits (N,) of being real."""

    def __init__(self, c: GANConfig):
        super().__init__()
        self.config = c
        layers: list[nn.Module] = [
            nn.Conv2d(c.channels, c.width, 4, stride=2, padding=1, bias=False),
            nn.LeakyReLU(0.2),
        ]
        for i in range(1, c.doublings):
            width = c.width * 2**i
            layers.append(nn.Conv2d(width // 2, width, 4, stride=2, padding=1, bias=False))
            layers += [nn.BatchNorm2d(width), nn.LeakyReLU(0.2)]
        self.main = nn.Sequential(*layers, nn.Conv2d(c.width * 2 ** (c.doublings - 1), 1, c.smallest, bias=False))

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        must_be_images(x, self.config.channels, self.config.image_size)
        return self.main(x).flatten()  # (N, C, H, W) -> ... -> (N, 1, 1, 1) -> (N,)


class DCGAN(nn.Module):
    """Both networks, and what each of them minimises."""

    def __init__(self, config: GANConfig | None = None):
        super().__init__()
        self.config = config = config or GANConfig()
        if config.doublings < 1:
            raise ValueError(f"doublings must be at least 1, got {config.doublings}")
        self.generator, self.discriminator = Generator(config), Discriminator(config)
        self.apply(_init_weights)

    def draw(self, count: int, generator: mg.Generator | None = None) -> mg.Tensor:
        """Noise (count, Z) for the generator."""
        weight = self.generator.main[0].weight
        return mg.randn(count, self.config.noise, generator=generator, dtype=weight.dtype, device=weight.device)

    def discriminator_loss(self, real: mg.Tensor, fake: mg.Tensor) -> mg.Tensor:
        """- mean log D(real) - mean log (1 - D(fake)). No gradient goes to the generator."""
        on_real, on_fake = self.discriminator(real), self.discriminator(fake.detach())
        return F.softplus(-on_real).mean() + F.softplus(on_fake).mean()  # softplus(-x) = - log sigmoid(x)

    def generator_loss(self, fake: mg.Tensor) -> mg.Tensor:
        """- mean log D(fake): its gradient is strong while the discriminator wins; that of log (1 - D) is not."""
        return F.softplus(-self.discriminator(fake)).mean()

    @mg.no_grad()
    def sample(self, count: int, generator: mg.Generator | None = None) -> mg.Tensor:
        """`count` new pictures (count, C, H, W), brought to [0, 1]."""
        was_training = self.training
        self.eval()
        pictures = self.generator(self.draw(count, generator)) / 2 + 0.5
        self.train(was_training)
        return pictures


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
