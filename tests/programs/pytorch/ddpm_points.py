"""Denoising diffusion of points in the plane: a beta schedule, sinusoidal times, ancestral and DDIM sampling, EMA."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm


def linear_beta_schedule(timesteps):
    scale = 1000 / timesteps
    return torch.linspace(scale * 0.0001, scale * 0.02, timesteps, dtype=torch.float64)


def cosine_beta_schedule(timesteps, s=0.008):
    steps = timesteps + 1
    x = torch.linspace(0, timesteps, steps, dtype=torch.float64)
    alphas_cumprod = torch.cos(((x / timesteps) + s) / (1 + s) * math.pi * 0.5) ** 2
    alphas_cumprod = alphas_cumprod / alphas_cumprod[0]
    betas = 1 - (alphas_cumprod[1:] / alphas_cumprod[:-1])
    return torch.clip(betas, 0, 0.999)


def extract(a, t, x_shape):
    b, *_ = t.shape
    out = a.gather(-1, t)
    return out.reshape(b, *((1,) * (len(x_shape) - 1)))


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim, theta=10000):
        super().__init__()
        self.dim = dim
        self.theta = theta

    def forward(self, x):
        half_dim = self.dim // 2
        emb = math.log(self.theta) / (half_dim - 1)
        emb = torch.exp(torch.arange(half_dim, device=x.device) * -emb)
        emb = x[:, None] * emb[None, :]
        emb = torch.cat((emb.sin(), emb.cos()), dim=-1)
        return emb


class Residual(nn.Module):
    def __init__(self, dim, time_dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.time = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, dim * 2))
        self.proj = nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        nn.init.zeros_(self.proj[-1].weight)

    def forward(self, x, t):
        scale, shift = self.time(t).chunk(2, dim=1)
        return x + self.proj(self.norm(x) * (scale + 1) + shift)


class Denoiser(nn.Module):
    def __init__(self, dim=32, time_dim=16, depth=2):
        super().__init__()
        self.time_mlp = nn.Sequential(
            SinusoidalPosEmb(time_dim), nn.Linear(time_dim, time_dim), nn.GELU(), nn.Linear(time_dim, time_dim)
        )
        self.inp = nn.Linear(2, dim)
        self.blocks = nn.ModuleList([])
        for _ in range(depth):
            self.blocks.append(Residual(dim, time_dim))
        self.out = nn.Linear(dim, 2)

    def forward(self, x, t):
        t = self.time_mlp(t)
        x = self.inp(x)
        for block in self.blocks:
            x = block(x, t)
        return self.out(F.silu(x))


class GaussianDiffusion(nn.Module):
    def __init__(self, model, timesteps=40, beta_schedule="cosine", objective="pred_noise", ddim_sampling_eta=0.0):
        super().__init__()
        self.model = model
        self.objective = objective
        betas = {"linear": linear_beta_schedule, "cosine": cosine_beta_schedule}[beta_schedule](timesteps)
        alphas = 1.0 - betas
        alphas_cumprod = torch.cumprod(alphas, dim=0)
        alphas_cumprod_prev = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
        (timesteps,) = betas.shape
        self.num_timesteps = int(timesteps)
        self.eta = ddim_sampling_eta
        register_buffer = lambda name, val: self.register_buffer(name, val.to(torch.float32))
        register_buffer("betas", betas)
        register_buffer("alphas_cumprod", alphas_cumprod)
        register_buffer("sqrt_alphas_cumprod", torch.sqrt(alphas_cumprod))
        register_buffer("sqrt_one_minus_alphas_cumprod", torch.sqrt(1.0 - alphas_cumprod))
        register_buffer("sqrt_recip_alphas_cumprod", torch.sqrt(1.0 / alphas_cumprod))
        register_buffer("sqrt_recipm1_alphas_cumprod", torch.sqrt(1.0 / alphas_cumprod - 1))
        posterior_variance = betas * (1.0 - alphas_cumprod_prev) / (1.0 - alphas_cumprod)
        register_buffer("posterior_log_variance_clipped", torch.log(posterior_variance.clamp(min=1e-20)))
        register_buffer("posterior_mean_coef1", betas * torch.sqrt(alphas_cumprod_prev) / (1.0 - alphas_cumprod))
        register_buffer(
            "posterior_mean_coef2", (1.0 - alphas_cumprod_prev) * torch.sqrt(alphas) / (1.0 - alphas_cumprod)
        )
        snr = alphas_cumprod / (1 - alphas_cumprod)
        register_buffer("loss_weight", torch.clamp(snr, max=5) / snr)

    @property
    def device(self):
        return self.betas.device

    def predict_start_from_noise(self, x_t, t, noise):
        return (
            extract(self.sqrt_recip_alphas_cumprod, t, x_t.shape) * x_t
            - extract(self.sqrt_recipm1_alphas_cumprod, t, x_t.shape) * noise
        )

    def q_sample(self, x_start, t, noise=None):
        noise = torch.randn_like(x_start) if noise is None else noise
        return (
            extract(self.sqrt_alphas_cumprod, t, x_start.shape) * x_start
            + extract(self.sqrt_one_minus_alphas_cumprod, t, x_start.shape) * noise
        )

    def p_losses(self, x_start, t):
        noise = torch.randn_like(x_start)
        x = self.q_sample(x_start=x_start, t=t, noise=noise)
        loss = F.mse_loss(self.model(x, t), noise, reduction="none")
        loss = loss.flatten(1).mean(dim=1) * extract(self.loss_weight, t, (len(t),))
        return loss.mean()

    def forward(self, x):
        t = torch.randint(0, self.num_timesteps, (x.shape[0],), device=x.device).long()
        return self.p_losses(x, t)

    @torch.no_grad()
    def p_sample(self, x, t: int):
        batched_times = torch.full((x.shape[0],), t, device=self.device, dtype=torch.long)
        pred_noise = self.model(x, batched_times)
        x_start = self.predict_start_from_noise(x, batched_times, pred_noise).clamp_(-3.0, 3.0)
        mean = (
            extract(self.posterior_mean_coef1, batched_times, x.shape) * x_start
            + extract(self.posterior_mean_coef2, batched_times, x.shape) * x
        )
        log_variance = extract(self.posterior_log_variance_clipped, batched_times, x.shape)
        noise = torch.randn_like(x) if t > 0 else 0.0
        return mean + (0.5 * log_variance).exp() * noise

    @torch.inference_mode()
    def sample(self, n):
        img = torch.randn((n, 2), device=self.device)
        for t in tqdm(reversed(range(self.num_timesteps)), total=self.num_timesteps, disable=True):
            img = self.p_sample(img, t)
        return img

    @torch.inference_mode()
    def ddim_sample(self, n, steps):
        times = torch.linspace(-1, self.num_timesteps - 1, steps=steps + 1)
        times = list(reversed(times.int().tolist()))
        img = torch.randn((n, 2), device=self.device)
        for time, time_next in zip(times[:-1], times[1:]):
            pred_noise = self.model(img, torch.full((n,), time, device=self.device, dtype=torch.long))
            x_start = self.predict_start_from_noise(img, torch.full((n,), time), pred_noise).clamp_(-3, 3)
            if time_next < 0:
                img = x_start
                continue
            alpha, alpha_next = self.alphas_cumprod[time], self.alphas_cumprod[time_next]
            sigma = self.eta * ((1 - alpha / alpha_next) * (1 - alpha_next) / (1 - alpha)).sqrt()
            c = (1 - alpha_next - sigma**2).sqrt()
            img = x_start * alpha_next.sqrt() + c * pred_noise + sigma * torch.randn_like(img)
        return img


def moons(n):
    t = torch.rand(n) * math.pi
    upper = torch.rand(n) < 0.5
    x = torch.where(upper, t.cos(), 1 - t.cos())
    y = torch.where(upper, t.sin(), 0.5 - t.sin())
    return torch.stack([x, y], dim=1) - torch.tensor([0.5, 0.25]) + 0.05 * torch.randn(n, 2)


torch.manual_seed(0)
diffusion = GaussianDiffusion(Denoiser())
print(diffusion.betas[:3], diffusion.posterior_log_variance_clipped[:3], diffusion.loss_weight[::13])
ema = copy.deepcopy(diffusion)
optimizer = torch.optim.Adam(diffusion.parameters(), lr=3e-3, betas=(0.9, 0.99))
total = 0.0
for step in range(1, 81):
    loss = diffusion(moons(64))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(diffusion.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    with torch.no_grad():
        for ma, current in zip(ema.parameters(), diffusion.parameters()):
            ma.data = ma.data * 0.95 + current.data * 0.05
    total += loss.item()
    if step % 20 == 0:
        print(f"step {step} loss {total / 20:.4f}")
        total = 0.0
points = ema.sample(64)
print(points.shape, points.mean(0), points.std(0))
points = ema.ddim_sample(64, steps=8)
print(points.mean(0), points.std(0), (points.norm(dim=1) < 2).float().mean())
