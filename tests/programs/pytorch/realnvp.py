"""Normalizing flows on two moons: RealNVP couplings, actnorm, an LU-free 1x1 map, a planar flow, exact log-likelihood."""

import math

import numpy as np
import torch
import torch.nn as nn
from torch import distributions
from torch.nn.parameter import Parameter

torch.manual_seed(5)
rng = np.random.RandomState(0)


def make_moons(n):
    t = np.pi * rng.rand(n)
    upper = rng.rand(n) < 0.5
    x = np.where(upper, np.cos(t), 1 - np.cos(t))
    y = np.where(upper, np.sin(t), 0.5 - np.sin(t))
    return (np.stack([x, y], 1) + 0.05 * rng.randn(n, 2)).astype(np.float32)


class RealNVP(nn.Module):
    def __init__(self, nets, nett, mask, prior):
        super(RealNVP, self).__init__()
        self.prior = prior
        self.mask = nn.Parameter(mask, requires_grad=False)
        self.t = torch.nn.ModuleList([nett() for _ in range(len(masks))])
        self.s = torch.nn.ModuleList([nets() for _ in range(len(masks))])

    def g(self, z):
        x = z
        for i in range(len(self.t)):
            x_ = x * self.mask[i]
            s = self.s[i](x_) * (1 - self.mask[i])
            t = self.t[i](x_) * (1 - self.mask[i])
            x = x_ + (1 - self.mask[i]) * (x * torch.exp(s) + t)
        return x

    def f(self, x):
        log_det_J, z = x.new_zeros(x.shape[0]), x
        for i in reversed(range(len(self.t))):
            z_ = self.mask[i] * z
            s = self.s[i](z_) * (1 - self.mask[i])
            t = self.t[i](z_) * (1 - self.mask[i])
            z = (1 - self.mask[i]) * (z - t) * torch.exp(-s) + z_
            log_det_J -= s.sum(dim=1)
        return z, log_det_J

    def log_prob(self, x):
        z, logp = self.f(x)
        return self.prior.log_prob(z) + logp

    def sample(self, batchSize):
        z = self.prior.sample((batchSize,))
        return self.g(z)


nets = lambda: nn.Sequential(
    nn.Linear(2, 24), nn.LeakyReLU(), nn.Linear(24, 24), nn.LeakyReLU(), nn.Linear(24, 2), nn.Tanh()
)
nett = lambda: nn.Sequential(nn.Linear(2, 24), nn.LeakyReLU(), nn.Linear(24, 24), nn.LeakyReLU(), nn.Linear(24, 2))
masks = torch.from_numpy(np.array([[0, 1], [1, 0]] * 2).astype(np.float32))
prior = distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
flow = RealNVP(nets, nett, masks, prior)
print(sum(p.numel() for p in flow.parameters() if p.requires_grad), flow.mask.requires_grad)
optimizer = torch.optim.Adam([p for p in flow.parameters() if p.requires_grad == True], lr=3e-3)
for t in range(31):
    noisy_moons = make_moons(64)
    loss = -flow.log_prob(torch.from_numpy(noisy_moons)).mean()
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    optimizer.step()
    if t % 10 == 0:
        print("iter %s:" % t, "loss = %.3f" % loss)
x = torch.from_numpy(make_moons(5))
z, log_det = flow.f(x)
print("inverse", torch.allclose(flow.g(z), x, atol=1e-4), log_det.shape, z.mean().item() == z.mean().item())
samples = flow.sample(100).detach().numpy()
print(samples.shape, "%.2f" % samples.mean(), prior.log_prob(torch.tensor([0.5, -1.0])))

# The log-determinant against the Jacobian itself.
jacobian = torch.autograd.functional.jacobian(lambda v: flow.f(v[None])[0][0], x[0])
sign, logabsdet = torch.linalg.slogdet(jacobian)
print("%.4f %.4f" % ((logabsdet - log_det[0]).abs().item(), sign.abs().item()))


class ActNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.loc = Parameter(torch.zeros(1, dim))
        self.log_scale = Parameter(torch.zeros(1, dim))
        self.register_buffer("initialized", torch.tensor(0, dtype=torch.uint8))

    def forward(self, x):
        if self.initialized.item() == 0:
            with torch.no_grad():
                self.loc.data.copy_(-x.mean(0, keepdim=True))
                self.log_scale.data.copy_(-torch.log(x.std(0, keepdim=True) + 1e-6))
            self.initialized.fill_(1)
        return (x + self.loc) * self.log_scale.exp(), self.log_scale.sum().expand(x.shape[0])


class Rotate(nn.Module):
    def __init__(self, dim):
        super().__init__()
        q, r = torch.linalg.qr(torch.randn(dim, dim))
        self.weight = Parameter(q)

    def forward(self, x):
        return x @ self.weight.t(), torch.slogdet(self.weight)[1].expand(x.shape[0])


class Planar(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.u, self.w, self.b = Parameter(torch.randn(dim)), Parameter(torch.randn(dim)), Parameter(torch.zeros(1))

    def forward(self, x):
        wu = self.w @ self.u
        u = self.u + (nn.functional.softplus(wu) - 1 - wu) * self.w / self.w.dot(self.w)
        h = torch.tanh(x.mv(self.w) + self.b)
        psi = (1 - h**2).unsqueeze(1) * self.w
        return x + u * h.unsqueeze(1), torch.log(torch.abs(1 + psi @ u) + 1e-4)


layers = nn.ModuleList([ActNorm(2), Rotate(2), Planar(2), ActNorm(2), Rotate(2), Planar(2)])
base = distributions.Normal(torch.zeros(2), torch.ones(2))
optimizer = torch.optim.Adam(layers.parameters(), lr=1e-2)
for step in range(20):
    h, total = torch.from_numpy(make_moons(64)), 0
    for layer in layers:
        h, log_det = layer(h)
        total = total + log_det
    loss = -(base.log_prob(h).sum(1) + total).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 5 == 4:
        print(f"planar {step} nll {loss.item():.4f} bits/dim {loss.item() / (2 * math.log(2)):.4f}")
print({k: tuple(v.shape) for k, v in layers[0].state_dict().items()})
mixture = distributions.MixtureSameFamily(
    distributions.Categorical(torch.tensor([0.3, 0.7])),
    distributions.Independent(distributions.Normal(torch.tensor([[0.0, 0.0], [1.0, 0.5]]), torch.full((2, 2), 0.4)), 1),
)
print("mixture %.4f" % mixture.log_prob(x).mean().item())
