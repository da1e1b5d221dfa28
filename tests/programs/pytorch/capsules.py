"""A capsule net: squash, dynamic routing with einsum, margin loss, reconstruction; then slot attention in a few lines."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.autograd import Variable


def squash(inputs, axis=-1):
    norm = torch.norm(inputs, p=2, dim=axis, keepdim=True)
    scale = norm**2 / (1 + norm**2) / (norm + 1e-8)
    return scale * inputs


class DenseCapsule(nn.Module):
    def __init__(self, in_num_caps, in_dim_caps, out_num_caps, out_dim_caps, routings=3):
        super(DenseCapsule, self).__init__()
        self.in_num_caps = in_num_caps
        self.in_dim_caps = in_dim_caps
        self.out_num_caps = out_num_caps
        self.out_dim_caps = out_dim_caps
        self.routings = routings
        self.weight = nn.Parameter(0.1 * torch.randn(out_num_caps, in_num_caps, out_dim_caps, in_dim_caps))

    def forward(self, x):
        x_hat = torch.squeeze(torch.matmul(self.weight, x[:, None, :, :, None]), dim=-1)
        x_hat_detached = x_hat.detach()
        b = Variable(torch.zeros(x.size(0), self.out_num_caps, self.in_num_caps))
        assert self.routings > 0, "The 'routings' should be > 0."
        for i in range(self.routings):
            c = F.softmax(b, dim=1)
            if i == self.routings - 1:
                outputs = squash(torch.sum(c[:, :, :, None] * x_hat, dim=-2, keepdim=True))
            else:
                outputs = squash(torch.sum(c[:, :, :, None] * x_hat_detached, dim=-2, keepdim=True))
                b = b + torch.sum(outputs * x_hat_detached, dim=-1)
        return torch.squeeze(outputs, dim=-2)


class PrimaryCapsule(nn.Module):
    def __init__(self, in_channels, out_channels, dim_caps, kernel_size, stride=1, padding=0):
        super(PrimaryCapsule, self).__init__()
        self.dim_caps = dim_caps
        self.conv2d = nn.Conv2d(in_channels, out_channels, kernel_size=kernel_size, stride=stride, padding=padding)

    def forward(self, x):
        outputs = self.conv2d(x)
        outputs = outputs.view(x.size(0), -1, self.dim_caps)
        return squash(outputs)


class CapsuleNet(nn.Module):
    def __init__(self, input_size, classes, routings):
        super(CapsuleNet, self).__init__()
        self.input_size = input_size
        self.classes = classes
        self.conv1 = nn.Conv2d(input_size[0], 16, kernel_size=5, stride=1, padding=0)
        self.primarycaps = PrimaryCapsule(16, 16, 4, kernel_size=5, stride=2, padding=0)
        self.digitcaps = DenseCapsule(
            in_num_caps=4 * 3 * 3, in_dim_caps=4, out_num_caps=classes, out_dim_caps=6, routings=routings
        )
        self.decoder = nn.Sequential(
            nn.Linear(6 * classes, 32),
            nn.ReLU(inplace=True),
            nn.Linear(32, input_size[0] * input_size[1] * input_size[2]),
            nn.Sigmoid(),
        )
        self.relu = nn.ReLU()

    def forward(self, x, y=None):
        x = self.relu(self.conv1(x))
        x = self.primarycaps(x)
        x = self.digitcaps(x)
        length = x.norm(dim=-1)
        if y is None:
            index = length.max(dim=1)[1]
            y = Variable(torch.zeros(length.size()).scatter_(1, index.view(-1, 1).cpu().data, 1.0))
        reconstruction = self.decoder((x * y[:, :, None]).view(x.size(0), -1))
        return length, reconstruction.view(-1, *self.input_size)


def caps_loss(y_true, y_pred, x, x_recon, lam_recon):
    L = y_true * torch.clamp(0.9 - y_pred, min=0.0) ** 2 + 0.5 * (1 - y_true) * torch.clamp(y_pred - 0.1, min=0.0) ** 2
    L_margin = L.sum(dim=1).mean()
    L_recon = nn.MSELoss()(x_recon, x)
    return L_margin + lam_recon * L_recon


class SlotAttention(nn.Module):
    def __init__(self, num_slots, dim, iters=3, eps=1e-8):
        super().__init__()
        self.num_slots = num_slots
        self.iters = iters
        self.eps = eps
        self.scale = dim**-0.5
        self.slots_mu = nn.Parameter(torch.randn(1, 1, dim))
        self.slots_logsigma = nn.Parameter(torch.zeros(1, 1, dim))
        nn.init.xavier_uniform_(self.slots_logsigma)
        self.to_q = nn.Linear(dim, dim)
        self.to_k = nn.Linear(dim, dim)
        self.to_v = nn.Linear(dim, dim)
        self.gru = nn.GRUCell(dim, dim)
        self.norm_input = nn.LayerNorm(dim)
        self.norm_slots = nn.LayerNorm(dim)

    def forward(self, inputs):
        b, n, d = inputs.shape
        mu = self.slots_mu.expand(b, self.num_slots, -1)
        sigma = self.slots_logsigma.exp().expand(b, self.num_slots, -1)
        slots = mu + sigma * torch.randn(mu.shape)
        inputs = self.norm_input(inputs)
        k, v = self.to_k(inputs), self.to_v(inputs)
        for _ in range(self.iters):
            slots_prev = slots
            q = self.to_q(self.norm_slots(slots))
            dots = torch.einsum("bid,bjd->bij", q, k) * self.scale
            attn = dots.softmax(dim=1) + self.eps
            attn = attn / attn.sum(dim=-1, keepdim=True)
            updates = torch.einsum("bjd,bij->bid", v, attn)
            slots = self.gru(updates.reshape(-1, d), slots_prev.reshape(-1, d)).reshape(b, -1, d)
        return slots, attn


torch.manual_seed(16)
model = CapsuleNet(input_size=[1, 14, 14], classes=4, routings=3)
print(model)
labels = torch.randint(0, 4, (32,))
x = torch.rand(32, 1, 14, 14) * 0.2
for i, k in enumerate(labels):
    x[i, 0, 3 * k : 3 * k + 4] += 0.7
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
lr_decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
for epoch in range(3):
    model.train()
    training_loss = 0.0
    for data, target in zip(x.split(16), labels.split(16)):
        y = torch.zeros(target.size(0), 4).scatter_(1, target.view(-1, 1), 1.0)
        data, y = Variable(data), Variable(y)
        optimizer.zero_grad()
        y_pred, x_recon = model(data, y)
        loss = caps_loss(y, y_pred, data, x_recon, lam_recon=0.0005 * 196)
        loss.backward()
        training_loss += loss.item() * data.size(0)
        optimizer.step()
    lr_decay.step()
    model.eval()
    with torch.no_grad():
        y_pred, x_recon = model(x)
        val_loss = caps_loss(torch.eye(4).index_select(dim=0, index=labels), y_pred, x, x_recon, 0.0005 * 196).item()
    print(
        "==> Epoch %02d: loss=%.5f, val_loss=%.5f, lengths=%.4f"
        % (epoch, training_loss / len(x), val_loss, y_pred.mean().item())
    )
print(model.digitcaps.weight.grad.abs().mean())

slots = SlotAttention(3, 8)
inputs = torch.randn(2, 10, 8, requires_grad=True)
out, attn = slots(inputs)
out.pow(2).mean().backward()
print(out.shape, f"{attn.sum(-1).mean().item():.4f} {out.mean().item():.5f} {inputs.grad.norm().item():.5f}")
votes = torch.einsum("bnd,nmdk->bnmk", inputs, torch.randn(10, 3, 8, 5))
agreement = torch.einsum("bnmk,bmk->bnm", votes, votes.mean(1))
print(votes.shape, agreement.softmax(-1).std().item().__format__(".5f"), torch.einsum("bnm->m", agreement))
