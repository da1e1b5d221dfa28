"""A masked-language model, then a classifier on it by LoRA, prefix and adapters; mixture of experts; weights merged."""

import math
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

random.seed(0)
torch.manual_seed(0)
PAD, CLS, MASK, FIRST = 0, 1, 2, 3
VOCAB, LENGTH, WIDTH = 30, 12, 24


class Experts(nn.Module):
    """Top-2 of several feed-forward nets, with a loss that balances them."""

    def __init__(self, width, experts=4, top_k=2):
        super().__init__()
        self.gate = nn.Linear(width, experts, bias=False)
        self.experts = nn.ModuleList(
            [
                nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(approximate="tanh"), nn.Linear(2 * width, width))
                for _ in range(experts)
            ]
        )
        self.top_k = top_k

    def forward(self, x):
        shape = x.shape
        x = x.view(-1, shape[-1])
        probs = self.gate(x).softmax(dim=-1)
        weights, selected = torch.topk(probs, self.top_k, dim=-1)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        out = torch.zeros_like(x)
        expert_mask = F.one_hot(selected, num_classes=len(self.experts)).permute(2, 1, 0)
        for i, expert in enumerate(self.experts):
            idx, top_x = torch.where(expert_mask[i])
            if top_x.shape[0] == 0:
                continue
            out.index_add_(0, top_x, expert(x[top_x]) * weights[top_x, idx, None])
        share = expert_mask.float().sum(1).mean(1)
        self.aux = len(self.experts) * (share * probs.mean(0)).sum()
        return out.view(shape)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(VOCAB, WIDTH, padding_idx=PAD)
        self.position = nn.Embedding(LENGTH, WIDTH)
        self.register_buffer("ids", torch.arange(LENGTH), persistent=False)
        layer = nn.TransformerEncoderLayer(
            WIDTH, 4, 2 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.moe = Experts(WIDTH)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x, prefix=None):
        h = self.token(x) * math.sqrt(WIDTH) + self.position(self.ids[: x.size(1)])
        pad = x == PAD
        if prefix is not None:
            h = torch.cat([prefix.expand(len(x), -1, -1), h], dim=1)
            pad = F.pad(pad, (prefix.shape[0], 0), value=False)
        h = self.layers(h, src_key_padding_mask=pad)
        h = h + self.moe(h)
        return self.norm(h)


def sentences(n):
    """Rising or falling runs of words, of any length, a class token before them."""
    x = torch.full((n, LENGTH), PAD)
    y = torch.randint(0, 2, (n,))
    for i in range(n):
        length = int(torch.randint(5, LENGTH, (1,)))
        start, step = int(torch.randint(FIRST + 10, VOCAB - 10, ())), int(2 * y[i] - 1)
        x[i, 0] = CLS
        x[i, 1 : length + 1] = torch.arange(start, start + step * length, step).clamp(FIRST, VOCAB - 1)
    return x, y


def mask_tokens(inputs, mlm_probability=0.2):
    labels = inputs.clone()
    probability_matrix = torch.full(labels.shape, mlm_probability)
    special = (inputs == PAD) | (inputs == CLS)
    probability_matrix.masked_fill_(special, value=0.0)
    masked_indices = torch.bernoulli(probability_matrix).bool()
    labels[~masked_indices] = -100
    indices_replaced = torch.bernoulli(torch.full(labels.shape, 0.8)).bool() & masked_indices
    inputs = inputs.clone()
    inputs[indices_replaced] = MASK
    indices_random = torch.bernoulli(torch.full(labels.shape, 0.5)).bool() & masked_indices & ~indices_replaced
    random_words = torch.randint(FIRST, VOCAB, labels.shape, dtype=torch.long)
    inputs[indices_random] = random_words[indices_random]
    return inputs, labels


encoder = Encoder()
lm_head = nn.Linear(WIDTH, VOCAB, bias=False)
lm_head.weight = encoder.token.weight
optimizer = torch.optim.AdamW(encoder.parameters(), lr=5e-3, weight_decay=0.01)
x, y = sentences(96)
print(x[0], mask_tokens(x)[1].ne(-100).sum().item(), sum(p.numel() for p in encoder.parameters()))
for step in range(24):
    inputs, targets = mask_tokens(x[torch.randperm(96)[:32]])
    hidden = encoder(inputs)
    loss = F.cross_entropy(lm_head(hidden).transpose(1, 2), targets) + 0.01 * encoder.moe.aux
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 8 == 7:
        print(f"step {step} mlm {loss.item():.4f} balance {encoder.moe.aux.item():.4f}")


class LoRALinear(nn.Module):
    def __init__(self, base, r=4, alpha=8):
        super().__init__()
        self.base = base
        self.scaling = alpha / r
        self.lora_A = nn.Parameter(torch.empty(r, base.in_features))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, r))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.merged = False

    def forward(self, x):
        y = self.base(x)
        return y if self.merged else y + (x @ self.lora_A.T @ self.lora_B.T) * self.scaling

    @torch.no_grad()
    def merge(self):
        self.base.weight += self.scaling * self.lora_B @ self.lora_A
        self.merged = True


def add_lora(module):
    for name, child in module.named_children():
        if isinstance(child, nn.Linear) and not isinstance(child, nn.modules.linear.NonDynamicallyQuantizableLinear):
            setattr(module, name, LoRALinear(child))
        else:
            add_lora(child)


for p in encoder.parameters():
    p.requires_grad_(False)
add_lora(encoder.moe)
head = nn.Linear(WIDTH, 2)
prefix = nn.Parameter(torch.randn(2, WIDTH) * 0.02)
trainable = [p for p in encoder.parameters() if p.requires_grad] + [prefix, *head.parameters()]
print(sum(p.numel() for p in trainable), [n for n, p in encoder.named_parameters() if p.requires_grad][:2])
optimizer = torch.optim.Adam(trainable, lr=5e-3)
train_x, train_y = sentences(64)
test_x, test_y = sentences(64)
for epoch in range(8):
    for bx, by in zip(train_x.split(32), train_y.split(32)):
        hidden = encoder(bx, prefix=prefix)[:, 2:]
        mask = (bx != PAD).unsqueeze(-1)
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        loss = F.cross_entropy(head(pooled), by)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 4 == 3:
        print(f"epoch {epoch} loss {loss.item():.4f}")


@torch.no_grad()
def predict(x):
    hidden = encoder(x, prefix=prefix)[:, 2:]
    mask = (x != PAD).unsqueeze(-1)
    return head((hidden * mask).sum(1) / mask.sum(1))


before = predict(test_x)
for m in encoder.modules():
    if isinstance(m, LoRALinear):
        m.merge()
after = predict(test_x)
print(
    torch.allclose(before, after, atol=1e-5), f"{(after.argmax(1) == test_y).float().mean():.4f}", f"{before[0, 0]:.2f}"
)
print(encoder.token.weight.grad is None or encoder.token.weight.grad.shape, encoder.moe.experts[0][0])
