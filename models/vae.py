"""A variational autoencoder: pictures squeezed into a few numbers whose distribution is known, so that it can be drawn.

- the encoder gives each picture x a normal distribution over codes, q(z | x) = N(mean, exp(log variance))
- a code is drawn as z = mean + std * noise, so that the gradient passes (the reparametrisation)
- the decoder gives each pixel a probability of being white, p(x | z)

What is maximised is a bound from below of log p(x), the evidence lower bound (ELBO):
E log p(x | z) - KL(q(z | x) || N(0, 1)).

Kingma and Welling, arXiv:1312.6114. Letters in shape comments: N pictures, C channels, H x W pixels, Z numbers a code.
"""

from dataclasses import dataclass

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

from .cnn import must_be_images


@dataclass
class VAEConfig:
    """For Fashion-MNIST by default."""

    in_channels: int = 1
    image_size: int = 28
    channels: tuple[int, int] = (32, 64)
    hidden: int = 256
    latent: int = 20

    def __post_init__(self) -> None:
        if self.image_size % 4:
            raise ValueError(f"image_size must be a multiple of 4 (it is halved twice), got {self.image_size}")


class Encoder(nn.Module):
    def __init__(self, c: VAEConfig):
        super().__init__()
        self.conv1 = nn.Conv2d(c.in_channels, c.channels[0], 4, stride=2, padding=1)
        self.conv2 = nn.Conv2d(c.channels[0], c.channels[1], 4, stride=2, padding=1)
        self.hidden = nn.Linear(c.channels[1] * (c.image_size // 4) ** 2, c.hidden)
        self.mean = nn.Linear(c.hidden, c.latent)
        self.log_variance = nn.Linear(c.hidden, c.latent)

    def forward(self, x: mg.Tensor) -> tuple[mg.Tensor, mg.Tensor]:
        h = F.relu(self.conv2(F.relu(self.conv1(x))))  # (N, C, H, W) -> (N, 64, H / 4, W / 4)
        h = F.relu(self.hidden(h.flatten(1)))  # (N, hidden)
        return self.mean(h), self.log_variance(h)  # (N, Z) each


class Decoder(nn.Module):
    def __init__(self, c: VAEConfig):
        super().__init__()
        self.start = (c.channels[1], c.image_size // 4, c.image_size // 4)
        self.hidden = nn.Linear(c.latent, c.hidden)
        self.grow = nn.Linear(c.hidden, c.channels[1] * (c.image_size // 4) ** 2)
        self.conv1 = nn.ConvTranspose2d(c.channels[1], c.channels[0], 4, stride=2, padding=1)
        self.conv2 = nn.ConvTranspose2d(c.channels[0], c.in_channels, 4, stride=2, padding=1)

    def forward(self, z: mg.Tensor) -> mg.Tensor:
        h = F.relu(self.grow(F.relu(self.hidden(z)))).view(-1, *self.start)  # (N, Z) -> (N, 64, H / 4, W / 4)
        return self.conv2(F.relu(self.conv1(h)))  # (N, C, H, W)


class VAE(nn.Module):
    """`logits, mean, log_variance = VAE(config)(pictures)`, pictures in [0, 1]."""

    def __init__(self, config: VAEConfig | None = None):
        super().__init__()
        self.config = config = config or VAEConfig()
        self.encoder, self.decoder = Encoder(config), Decoder(config)

    def forward(self, x: mg.Tensor) -> tuple[mg.Tensor, mg.Tensor, mg.Tensor]:
        must_be_images(x, self.config.in_channels, self.config.image_size)
        mean, log_variance = self.encoder(x)
        z = mean + (0.5 * log_variance).exp() * mg.randn_like(mean)
        return self.decoder(z), mean, log_variance

    def loss(self, x: mg.Tensor) -> tuple[mg.Tensor, mg.Tensor, mg.Tensor]:
        """(- ELBO, its reconstruction term, its KL term), each in nats a picture."""
        logits, mean, log_variance = self(x)
        if x.min() < 0 or x.max() > 1:
            raise ValueError(f"pixels are probabilities here: expected [0, 1], got {x.min():.3g} to {x.max():.3g}")
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / x.shape[0]
        kl = kl_to_standard_normal(mean, log_variance).mean()
        return reconstruction + kl, reconstruction, kl

    @mg.no_grad()
    def sample(self, count: int, generator: mg.Generator | None = None) -> mg.Tensor:
        """`count` new pictures: the probabilities (count, C, H, W) of codes drawn from N(0, 1)."""
        weight = self.decoder.hidden.weight
        z = mg.randn(count, self.config.latent, generator=generator, dtype=weight.dtype, device=weight.device)
        return mg.sigmoid(self.decoder(z))


def kl_to_standard_normal(mean: mg.Tensor, log_variance: mg.Tensor) -> mg.Tensor:
    """(N,): KL(N(mean, variance) || N(0, 1)) = 1/2 sum over Z of (mean^2 + variance - log variance - 1)."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(dim=1)
