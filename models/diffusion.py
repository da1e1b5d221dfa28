"""Denoising diffusion: pictures out of noise, by a network that has learnt to take a little noise away.

- going forth, noise is added in small steps: x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise, a_t falling from 1 to nearly 0
- a U-Net is given x_t and t, and predicts the noise in it; the loss is its mean squared error
- going back, each step takes away the predicted noise and adds a little new one, as Bayes' rule has it

Ho, Jain and Abbeel, arXiv:2006.11239 (DDPM); Ronneberger et al., arXiv:1505.04597 (U-Net); Nichol and Dhariwal,
arXiv:2102.09672 (fewer steps back). Letters in shape comments: N pictures, C channels, H x W pixels, E numbers that
tell the time.
"""

import itertools
import math
from dataclasses import dataclass

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

from .cnn import must_be_images


@dataclass
class DiffusionConfig:
    """For 28 x 28 grey pictures by default. The paper's, for CIFAR-10, is (3, 32, 128, (1, 2, 2, 2), 2, (16,), 32)."""

    in_channels: int = 1
    image_size: int = 28
    width: int = 32  # channels at full size
    multipliers: tuple[int, ...] = (1, 2, 2)  # of the width, at each size; from one to the next the size is halved
    blocks: int = 1  # residual blocks at each size going down; one more going up
    attention_sizes: tuple[int, ...] = (7,)  # sizes of maps at which pixels attend to each other
    groups: int = 8  # of the group norms
    dropout: float = 0.0
    steps: int = 1000
    beta_start: float = 1e-4  # the variance of the noise of the first step, and of the last
    beta_end: float = 0.02

    def __post_init__(self) -> None:
        halvings = len(self.multipliers) - 1
        if self.image_size % 2**halvings:
            raise ValueError(
                f"image_size must be a multiple of {2**halvings} (halved {halvings} times), got {self.image_size}"
            )
        if self.width % self.groups:
            raise ValueError(f"width ({self.width}) must be a multiple of groups ({self.groups})")


def time_embedding(t: mg.Tensor, size: int) -> mg.Tensor:
    """(N,) steps to (N, size): sines and cosines of wavelengths from 2 pi to 20000 pi, as for positions of words."""
    half = size // 2
    frequencies = (mg.arange(half, device=t.device) * (-math.log(10000) / (half - 1))).exp()
    angles = t.float().unsqueeze(1) * frequencies  # (N, half)
    return mg.cat((angles.sin(), angles.cos()), dim=1)


class ResBlock(nn.Module):
    """x + f(x, time): two convolutions, each after a norm and SiLU; the time is added to the map between them."""

    def __init__(self, channels: int, out: int, c: DiffusionConfig):
        super().__init__()
        self.norm1 = nn.GroupNorm(c.groups, channels, eps=1e-6)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.temb_proj = nn.Linear(4 * c.width, out)
        self.norm2 = nn.GroupNorm(c.groups, out, eps=1e-6)
        self.dropout = nn.Dropout(c.dropout)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.nin_shortcut = nn.Conv2d(channels, out, 1) if channels != out else None

    def forward(self, x: mg.Tensor, time: mg.Tensor) -> mg.Tensor:
        h = self.conv1(F.silu(self.norm1(x)))  # (N, C, H, W) -> (N, C', H, W)
        h = h + self.temb_proj(F.silu(time))[:, :, None, None]  # (N, E) -> (N, C', 1, 1)
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return h + (x if self.nin_shortcut is None else self.nin_shortcut(x))


class AttnBlock(nn.Module):
    """x + attention of every pixel to every pixel, in one head."""

    def __init__(self, channels: int, c: DiffusionConfig):
        super().__init__()
        self.norm = nn.GroupNorm(c.groups, channels, eps=1e-6)
        self.q, self.k, self.v = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        h = self.norm(x)
        q, k, v = (layer(h).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v))  # (N, H W, C)
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)  # (N, C, H, W)
        return x + self.proj_out(h)


class Downsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))  # (N, C, H, W) -> (N, C, H / 2, W / 2)


class Upsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))  # (N, C, H, W) -> (N, C, 2 H, 2 W)


class Level(nn.Module):
    """The blocks at one size, each with attention behind it or not, and the step to the next size."""

    def __init__(self, shapes: list[tuple[int, int]], attention: bool, c: DiffusionConfig):
        super().__init__()
        self.block = nn.ModuleList([ResBlock(channels, out, c) for channels, out in shapes])
        self.attn = nn.ModuleList([AttnBlock(out, c) for _, out in shapes] if attention else [])

    def step(self, i: int, x: mg.Tensor, time: mg.Tensor) -> mg.Tensor:
        x = self.block[i](x, time)
        return self.attn[i](x) if len(self.attn) else x


class Middle(nn.Module):
    def __init__(self, channels: int, c: DiffusionConfig):
        super().__init__()
        self.block_1 = ResBlock(channels, channels, c)
        self.attn_1 = AttnBlock(channels, c)
        self.block_2 = ResBlock(channels, channels, c)

    def forward(self, x: mg.Tensor, time: mg.Tensor) -> mg.Tensor:
        return self.block_2(self.attn_1(self.block_1(x, time)), time)


class UNet(nn.Module):
    """Noisy pictures (N, C, H, W) and steps (N,) -> the noise (N, C, H, W).

    Down, across, and up again; on the way up each block is given a map of its size from the way down besides. Names are
    those of the PyTorch port of the paper's network by which its weights are passed on.
    """

    def __init__(self, c: DiffusionConfig):
        super().__init__()
        self.config = c
        E = 4 * c.width
        self.temb = nn.ModuleDict({"dense": nn.ModuleList([nn.Linear(c.width, E), nn.Linear(E, E)])})
        self.conv_in = nn.Conv2d(c.in_channels, c.width, 3, padding=1)
        widths = [c.width * m for m in c.multipliers]
        sizes = [c.image_size // 2**i for i in range(len(widths))]
        channels, skipped = c.width, [c.width]  # of the map at hand, and of those kept for the way up
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, (width, size) in enumerate(zip(widths, sizes, strict=True)):
            level = Level([(channels, width)] + [(width, width)] * (c.blocks - 1), size in c.attention_sizes, c)
            skipped += [width] * c.blocks
            channels = width
            if i + 1 < len(widths):
                level.downsample = Downsample(width)
                skipped.append(width)
            self.down.append(level)
        self.mid = Middle(channels, c)
        levels = []
        for i in reversed(range(len(widths))):
            shapes = []
            for _ in range(c.blocks + 1):
                shapes.append((channels + skipped.pop(), widths[i]))
                channels = widths[i]
            level = Level(shapes, sizes[i] in c.attention_sizes, c)
            if i:
                level.upsample = Upsample(channels)
            levels.insert(0, level)
        self.up.extend(levels)
        self.norm_out = nn.GroupNorm(c.groups, channels, eps=1e-6)
        self.conv_out = nn.Conv2d(channels, c.in_channels, 3, padding=1)

    def forward(self, x: mg.Tensor, t: mg.Tensor) -> mg.Tensor:
        must_be_images(x, self.config.in_channels, self.config.image_size)
        first, second = self.temb.dense
        time = second(F.silu(first(time_embedding(t, self.config.width).to(x.dtype))))  # (N,) -> (N, E)
        kept = [self.conv_in(x)]
        for level in self.down:
            for i in range(len(level.block)):
                kept.append(level.step(i, kept[-1], time))
            if hasattr(level, "downsample"):
                kept.append(level.downsample(kept[-1]))
        h = self.mid(kept[-1], time)
        for level in reversed(self.up):
            for i in range(len(level.block)):
                h = level.step(i, mg.cat((h, kept.pop()), dim=1), time)
            if hasattr(level, "upsample"):
                h = level.upsample(h)
        return self.conv_out(F.silu(self.norm_out(h)))


class Diffusion(nn.Module):
    """The U-Net and the two ways through the steps. Pictures are in [-1, 1]."""

    def __init__(self, config: DiffusionConfig | None = None):
        super().__init__()
        self.config = c = config or DiffusionConfig()
        self.unet = UNet(c)
        # signal[t] is the share of the picture in the variance after t steps, from signal[0] = 1: the paper's alpha bar
        betas = mg.linspace(c.beta_start, c.beta_end, c.steps, dtype=mg.float64)
        self.signal = [1.0, *(1 - betas).cumprod(0).tolist()]

    def noisy(self, x: mg.Tensor, t: mg.Tensor, noise: mg.Tensor) -> mg.Tensor:
        """x_t of pictures x (N, C, H, W) after steps t (N,), each from 1 to `steps`."""
        signal = mg.tensor(self.signal, device=x.device)[t].to(x.dtype).view(-1, 1, 1, 1)
        return signal.sqrt() * x + (1 - signal).sqrt() * noise

    def loss(self, x: mg.Tensor) -> mg.Tensor:
        """The mean squared error of the predicted noise, at a random step for each picture: the paper's L_simple."""
        must_be_images(x, self.config.in_channels, self.config.image_size)
        if x.min() < -1 or x.max() > 1:
            raise ValueError(f"expected pixels in [-1, 1], got {x.min():.3g} to {x.max():.3g}")
        t = mg.randint(1, self.config.steps + 1, (x.shape[0],), device=x.device)
        noise = mg.randn_like(x)
        return F.mse_loss(self.unet(self.noisy(x, t, noise), t - 1), noise)

    @mg.no_grad()
    def sample(self, count: int, steps: int | None = None, generator: mg.Generator | None = None) -> mg.Tensor:
        """`count` new pictures (count, C, H, W), brought to [0, 1], in `steps` (default all) steps back.

        A step from t to s draws from q(x_s | x_t, x_0), normal, with x_0 what the predicted noise makes of x_t: its
        mean is (sqrt(a_s) b x_0 + sqrt(1 - b) (1 - a_s) x_t) / (1 - a_t), its variance b (1 - a_s) / (1 - a_t), where a
        is the signal and b = 1 - a_t / a_s the noise of the step. (Equation 7 of the paper, for s = t - 1.)
        """
        c = self.config
        steps = c.steps if steps is None else steps
        if not 1 <= steps <= c.steps:
            raise ValueError(f"steps must be from 1 to {c.steps}, got {steps}")
        was_training = self.training
        self.eval()
        weight = self.unet.conv_in.weight
        shape = (count, c.in_channels, c.image_size, c.image_size)

        def noise() -> mg.Tensor:
            return mg.randn(*shape, generator=generator, dtype=weight.dtype, device=weight.device)

        x = noise()
        times = [round(c.steps * i / steps) for i in range(steps, -1, -1)]  # steps, ..., 0
        for t, s in itertools.pairwise(times):
            a_t, a_s = self.signal[t], self.signal[s]
            b = 1 - a_t / a_s
            predicted = self.unet(x, mg.full((count,), t - 1, device=weight.device))
            x_0 = ((x - math.sqrt(1 - a_t) * predicted) / math.sqrt(a_t)).clamp(-1, 1)
            x = (math.sqrt(a_s) * b * x_0 + math.sqrt(1 - b) * (1 - a_s) * x) / (1 - a_t)
            if s:
                x = x + math.sqrt(b * (1 - a_s) / (1 - a_t)) * noise()
        self.train(was_training)
        return x / 2 + 0.5
