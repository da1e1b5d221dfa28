"""ConvNeXt: depthwise 7x7, layer norm over channels, layer scale, stochastic depth, AdamW with warm-up and cosine."""

import math
from typing import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F


def drop_path(x, drop_prob: float = 0.0, training: bool = False, scale_by_keep: bool = True):
    if drop_prob == 0.0 or not training:
        return x
    keep_prob = 1 - drop_prob
    shape = (x.shape[0],) + (1,) * (x.ndim - 1)
    random_tensor = x.new_empty(shape).bernoulli_(keep_prob)
    if keep_prob > 0.0 and scale_by_keep:
        random_tensor.div_(keep_prob)
    return x * random_tensor


class DropPath(nn.Module):
    def __init__(self, drop_prob: float = 0.0, scale_by_keep: bool = True):
        super(DropPath, self).__init__()
        self.drop_prob = drop_prob
        self.scale_by_keep = scale_by_keep

    def forward(self, x):
        return drop_path(x, self.drop_prob, self.training, self.scale_by_keep)

    def extra_repr(self):
        return f"drop_prob={round(self.drop_prob, 3):0.3f}"


class LayerNorm(nn.Module):
    """Layer norm for channels last (N, H, W, C) or channels first (N, C, H, W)."""

    def __init__(self, normalized_shape, eps=1e-6, data_format="channels_last"):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(normalized_shape))
        self.bias = nn.Parameter(torch.zeros(normalized_shape))
        self.eps = eps
        self.data_format = data_format
        if self.data_format not in ["channels_last", "channels_first"]:
            raise NotImplementedError
        self.normalized_shape = (normalized_shape,)

    def forward(self, x):
        if self.data_format == "channels_last":
            return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        elif self.data_format == "channels_first":
            u = x.mean(1, keepdim=True)
            s = (x - u).pow(2).mean(1, keepdim=True)
            x = (x - u) / torch.sqrt(s + self.eps)
            x = self.weight[:, None, None] * x + self.bias[:, None, None]
            return x


class Block(nn.Module):
    def __init__(self, dim, drop_path=0.0, layer_scale_init_value=1e-6):
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim)
        self.norm = LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, 4 * dim)
        self.act = nn.GELU()
        self.pwconv2 = nn.Linear(4 * dim, dim)
        self.gamma = (
            nn.Parameter(layer_scale_init_value * torch.ones((dim)), requires_grad=True)
            if layer_scale_init_value > 0
            else None
        )
        self.drop_path = DropPath(drop_path) if drop_path > 0.0 else nn.Identity()

    def forward(self, x):
        input = x
        x = self.dwconv(x)
        x = x.permute(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)
        x = self.norm(x)
        x = self.pwconv1(x)
        x = self.act(x)
        x = self.pwconv2(x)
        if self.gamma is not None:
            x = self.gamma * x
        x = x.permute(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W)
        x = input + self.drop_path(x)
        return x


class ConvNeXt(nn.Module):
    def __init__(
        self,
        in_chans=3,
        num_classes=6,
        depths: Sequence[int] = (1, 2),
        dims: Sequence[int] = (8, 16),
        drop_path_rate=0.2,
        layer_scale_init_value=1e-1,
        head_init_scale=1.0,
    ):
        super().__init__()
        self.downsample_layers = nn.ModuleList()
        stem = nn.Sequential(
            nn.Conv2d(in_chans, dims[0], kernel_size=4, stride=4),
            LayerNorm(dims[0], eps=1e-6, data_format="channels_first"),
        )
        self.downsample_layers.append(stem)
        for i in range(len(dims) - 1):
            self.downsample_layers.append(
                nn.Sequential(
                    LayerNorm(dims[i], eps=1e-6, data_format="channels_first"),
                    nn.Conv2d(dims[i], dims[i + 1], kernel_size=2, stride=2),
                )
            )
        self.stages = nn.ModuleList()
        dp_rates = [x.item() for x in torch.linspace(0, drop_path_rate, sum(depths))]
        cur = 0
        for i in range(len(dims)):
            stage = nn.Sequential(
                *[Block(dims[i], dp_rates[cur + j], layer_scale_init_value) for j in range(depths[i])]
            )
            self.stages.append(stage)
            cur += depths[i]
        self.norm = nn.LayerNorm(dims[-1], eps=1e-6)
        self.head = nn.Linear(dims[-1], num_classes)
        self.apply(self._init_weights)
        self.head.weight.data.mul_(head_init_scale)
        self.head.bias.data.mul_(head_init_scale)

    def _init_weights(self, m):
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.trunc_normal_(m.weight, std=0.02)
            nn.init.constant_(m.bias, 0)

    def forward_features(self, x):
        for i in range(len(self.stages)):
            x = self.downsample_layers[i](x)
            x = self.stages[i](x)
        return self.norm(x.mean([-2, -1]))

    def forward(self, x):
        x = self.forward_features(x)
        x = self.head(x)
        return x


def cosine_scheduler(base_value, final_value, epochs, warmup_epochs=0):
    warmup_schedule = torch.linspace(0, base_value, warmup_epochs + 1)[1:].tolist()
    iters = range(epochs - warmup_epochs)
    schedule = [
        final_value + 0.5 * (base_value - final_value) * (1 + math.cos(math.pi * i / (len(iters)))) for i in iters
    ]
    return warmup_schedule + schedule


def get_parameter_groups(model, weight_decay=0.05, skip_list=()):
    groups = {}
    for name, param in model.named_parameters():
        if not param.requires_grad:
            continue
        if len(param.shape) == 1 or name.endswith(".bias") or name in skip_list:
            group_name, this_weight_decay = "no_decay", 0.0
        else:
            group_name, this_weight_decay = "decay", weight_decay
        groups.setdefault(group_name, {"weight_decay": this_weight_decay, "params": [], "names": []})
        groups[group_name]["params"].append(param)
        groups[group_name]["names"].append(name)
    print({k: (len(v["names"]), v["names"][:2]) for k, v in groups.items()})
    return [{"params": g["params"], "weight_decay": g["weight_decay"]} for g in groups.values()]


torch.manual_seed(21)
model = ConvNeXt()
print(model.stages[1])
print("n_parameters:", sum(p.numel() for p in model.parameters() if p.requires_grad))
targets = torch.randint(0, 6, (40,))
samples = torch.randn(40, 3, 32, 32)
samples += F.interpolate(torch.randn(6, 3, 4, 4), size=(32, 32), mode="bicubic", align_corners=False)[targets]
optimizer = torch.optim.AdamW(get_parameter_groups(model), lr=4e-3, betas=(0.9, 0.999), eps=1e-8)
lr_schedule = cosine_scheduler(4e-3, 1e-5, 10, warmup_epochs=3)
for it in range(10):
    for param_group in optimizer.param_groups:
        param_group["lr"] = lr_schedule[it]
    batch = slice(20 * (it % 2), 20 * (it % 2) + 20)
    loss = F.cross_entropy(model(samples[batch]), targets[batch])
    loss_value = loss.item()
    assert math.isfinite(loss_value)
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    if it % 3 == 0:
        print(f"it {it} lr {lr_schedule[it]:.6f} loss {loss_value:.4f} grad norm {norm:.3f}")
model.eval()
with torch.no_grad():
    features = model.forward_features(samples)
    print(features.shape, f"{features.std().item():.4f}", model.stages[0][0].gamma[:4])
    dist = torch.cdist(features[:3], features[:4])
    print(dist)
