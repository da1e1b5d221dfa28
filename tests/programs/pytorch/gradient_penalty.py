"""A Wasserstein GAN with gradient penalty on a ring of points: the gradient of the norm of a gradient."""

import math

import torch
from torch import autograd, nn, optim

torch.manual_seed(3)
DIM, BATCH, LAMBDA, CRITIC_ITERS = 32, 64, 0.1, 3


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(2, DIM), nn.Tanh(), nn.Linear(DIM, DIM), nn.Tanh(), nn.Linear(DIM, 2))

    def forward(self, noise):
        return self.main(noise)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(2, DIM), nn.Tanh(), nn.Linear(DIM, DIM), nn.Softplus(), nn.Linear(DIM, 1))

    def forward(self, inputs):
        return self.main(inputs).view(-1)


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Linear") != -1:
        m.weight.data.normal_(0.0, 0.3)
        m.bias.data.fill_(0)


def real_points():
    angle = torch.rand(BATCH) * 2 * math.pi
    return torch.stack((angle.cos(), angle.sin()), dim=1) + 0.05 * torch.randn(BATCH, 2)


def calc_gradient_penalty(netD, real_data, fake_data):
    alpha = torch.rand(BATCH, 1)
    alpha = alpha.expand(real_data.size())
    interpolates = alpha * real_data + (1 - alpha) * fake_data
    interpolates = autograd.Variable(interpolates, requires_grad=True)
    disc_interpolates = netD(interpolates)
    gradients = autograd.grad(
        outputs=disc_interpolates,
        inputs=interpolates,
        grad_outputs=torch.ones(disc_interpolates.size()),
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean() * LAMBDA


netG, netD = Generator(), Discriminator()
netG.apply(weights_init)
netD.apply(weights_init)
optimizerD = optim.Adam(netD.parameters(), lr=1e-3, betas=(0.5, 0.9))
optimizerG = optim.Adam(netG.parameters(), lr=1e-3, betas=(0.5, 0.9))
for iteration in range(20):
    for p in netD.parameters():
        p.requires_grad = True
    for _ in range(CRITIC_ITERS):
        real_data = real_points()
        netD.zero_grad()
        D_real = netD(real_data).mean()
        fake = netG(torch.randn(BATCH, 2)).detach()
        D_fake = netD(fake).mean()
        gradient_penalty = calc_gradient_penalty(netD, real_data, fake)
        D_cost = D_fake - D_real + gradient_penalty
        D_cost.backward()
        optimizerD.step()
    for p in netD.parameters():
        p.requires_grad = False
    netG.zero_grad()
    G_cost = -netD(netG(torch.randn(BATCH, 2))).mean()
    G_cost.backward()
    optimizerG.step()
    if iteration % 5 == 4:
        print(
            f"{iteration} D {D_cost.item():.4f} G {G_cost.item():.4f} distance {(D_real - D_fake).item():.4f} penalty {gradient_penalty.item():.4f}"
        )

x = torch.tensor([0.5, -1.0], requires_grad=True)
y = (x**3).sum()
(g,) = autograd.grad(y, x, create_graph=True)
(g2,) = autograd.grad(g.pow(2).sum(), x)
print(g, g2)
