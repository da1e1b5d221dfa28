"""MLP-Mixer: the layers of tokens and channels as two small functions; a gradient accumulated over micro-batches."""

from functools import partial

import torch
from torch import einsum, nn

pair = lambda x: x if isinstance(x, tuple) else (x, x)


class PreNormResidual(nn.Module):
    def __init__(self, dim, fn):
        super().__init__()
        self.fn = fn
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        return self.fn(self.norm(x)) + x


def FeedForward(dim, expansion_factor=4, dropout=0.0, dense=nn.Linear):
    inner_dim = int(dim * expansion_factor)
    return nn.Sequential(
        dense(dim, inner_dim),
        nn.GELU(approximate="tanh"),
        nn.Dropout(dropout),
        dense(inner_dim, dim),
        nn.Dropout(dropout),
    )


class Patches(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, x):
        p = self.size
        b, c, h, w = x.shape
        x = x.reshape(b, c, h // p, p, w // p, p)
        return torch.einsum("bchpwq->bhwpqc", x).reshape(b, (h // p) * (w // p), p * p * c)


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(dim=1)


def MLPMixer(*, image_size, channels, patch_size, dim, depth, num_classes, expansion_factor=4, dropout=0.0):
    image_h, image_w = pair(image_size)
    assert (image_h % patch_size) == 0 and (image_w % patch_size) == 0, "image must be divisible by patch size"
    num_patches = (image_h // patch_size) * (image_w // patch_size)
    chan_first, chan_last = partial(nn.Conv1d, kernel_size=1), nn.Linear
    return nn.Sequential(
        Patches(patch_size),
        nn.Linear((patch_size**2) * channels, dim),
        *[
            nn.Sequential(
                PreNormResidual(dim, FeedForward(num_patches, expansion_factor, dropout, chan_first)),
                PreNormResidual(dim, FeedForward(dim, 0.5, dropout, chan_last)),
            )
            for _ in range(depth)
        ],
        nn.LayerNorm(dim),
        Mean(),
        nn.Linear(dim, num_classes),
    )


class SpatialGatingUnit(nn.Module):
    """One head of gMLP: channels gated by a projection over positions."""

    def __init__(self, dim, dim_seq, init_eps=1e-3):
        super().__init__()
        self.norm = nn.LayerNorm(dim // 2)
        self.weight = nn.Parameter(torch.zeros(dim_seq, dim_seq))
        self.bias = nn.Parameter(torch.ones(dim_seq))
        init_eps /= dim_seq
        nn.init.uniform_(self.weight, -init_eps, init_eps)

    def forward(self, x):
        res, gate = x.chunk(2, dim=-1)
        gate = self.norm(gate)
        gate = einsum("b n d, m n -> b m d", gate, self.weight)
        gate = gate + self.bias[None, :, None]
        return gate * res


torch.manual_seed(10)
model = MLPMixer(image_size=(16, 24), channels=3, patch_size=4, dim=20, depth=2, num_classes=5, dropout=0.1)
print(model[2])
print(sum(p.numel() for p in model.parameters()))
labels = torch.arange(40) % 5
images = torch.randn(40, 3, 16, 24)
images += torch.randn(5, 3, 16, 24).gather(0, labels.view(-1, 1, 1, 1).expand(-1, 3, 16, 24))
optimizer = torch.optim.NAdam(model.parameters(), lr=2e-3)
loss_fn = nn.CrossEntropyLoss()
accumulation_steps = 4
model.zero_grad()
running = 0.0
for i, (x, y) in enumerate(zip(images.repeat(4, 1, 1, 1).split(10), labels.repeat(4).split(10))):
    loss = loss_fn(model(x), y) / accumulation_steps
    loss.backward()
    running += loss.detach()
    if (i + 1) % accumulation_steps == 0:
        grad = torch.cat([p.grad.flatten() for p in model.parameters()])
        optimizer.step()
        model.zero_grad()
        print(f"update {(i + 1) // accumulation_steps}: loss {running:.4f}, gradient {grad.norm():.4f}")
        running = 0.0
model.eval()
print("accuracy", (model(images).argmax(-1) == labels).float().mean())

gate = SpatialGatingUnit(8, 6)
x = torch.randn(2, 6, 8, requires_grad=True)
out = gate(x)
out.square().mean().backward()
print(out.shape, out.mean().item().__round__(4), x.grad.abs().sum(), gate.bias.grad)
try:
    MLPMixer(image_size=18, channels=3, patch_size=4, dim=20, depth=1, num_classes=5)
except AssertionError as error:
    print("AssertionError:", error)
