"""Contrastive learning: NT-Xent on two views, a Siamese net with contrastive and triplet losses, a linear probe."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class TwoViews(Dataset):
    def __init__(self, images, labels, transforms):
        self.images, self.labels, self.transforms = images, labels, transforms

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        img = self.images[i]
        views = []
        for _ in range(2):
            v = img
            for transform in self.transforms:
                v = transform(v)
            views.append(v)
        return views, self.labels[i]


def random_flip(x):
    return x.flip(-1) if torch.rand(()) < 0.5 else x


def random_erase(x):
    x = x.clone()
    r, c = torch.randint(0, 8, (2,)).tolist()
    x[..., r : r + 4, c : c + 4] = 0
    return x


def jitter(x):
    return x * (0.8 + 0.4 * torch.rand(1)) + 0.1 * torch.randn_like(x)


class Encoder(nn.Module):
    def __init__(self, dim=16, proj=8):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1),
            nn.BatchNorm2d(8),
            nn.ReLU(True),
            nn.Conv2d(8, dim, 3, 2, 1),
            nn.ReLU(True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        dim_mlp = dim
        self.fc = nn.Sequential(nn.Linear(dim_mlp, dim_mlp), nn.ReLU(), nn.Linear(dim_mlp, proj))

    def forward(self, x):
        return self.fc(self.backbone(x))


def info_nce_loss(features, batch_size, n_views=2, temperature=0.5):
    labels = torch.cat([torch.arange(batch_size) for i in range(n_views)], dim=0)
    labels = (labels.unsqueeze(0) == labels.unsqueeze(1)).float()
    features = F.normalize(features, dim=1)
    similarity_matrix = torch.matmul(features, features.T)
    # discard the main diagonal from both: labels and similarities matrix
    mask = torch.eye(labels.shape[0], dtype=torch.bool)
    labels = labels[~mask].view(labels.shape[0], -1)
    similarity_matrix = similarity_matrix[~mask].view(similarity_matrix.shape[0], -1)
    positives = similarity_matrix[labels.bool()].view(labels.shape[0], -1)
    negatives = similarity_matrix[~labels.bool()].view(similarity_matrix.shape[0], -1)
    logits = torch.cat([positives, negatives], dim=1)
    labels = torch.zeros(logits.shape[0], dtype=torch.long)
    logits = logits / temperature
    return logits, labels


class NTXent(nn.Module):
    """The same loss another way, to be compared."""

    def __init__(self, temperature):
        super().__init__()
        self.temperature = temperature
        self.similarity_f = nn.CosineSimilarity(dim=2)

    def forward(self, z_i, z_j):
        N = 2 * z_i.size(0)
        z = torch.cat((z_i, z_j), dim=0)
        sim = self.similarity_f(z.unsqueeze(1), z.unsqueeze(0)) / self.temperature
        sim_i_j = torch.diag(sim, N // 2)
        sim_j_i = torch.diag(sim, -N // 2)
        positive = torch.cat((sim_i_j, sim_j_i), dim=0)
        sim = sim.masked_fill(torch.eye(N, dtype=torch.bool), float("-inf"))
        return (torch.logsumexp(sim, dim=1) - positive).mean()


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=1.0):
        super(ContrastiveLoss, self).__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        euclidean_distance = F.pairwise_distance(output1, output2)
        pos = (1 - label) * torch.pow(euclidean_distance, 2)
        neg = (label) * torch.pow(torch.clamp(self.margin - euclidean_distance, min=0.0), 2)
        return torch.mean(pos + neg)


def batch_hard_triplet(embeddings, labels, margin=0.3):
    n = embeddings.size(0)
    dist = torch.pow(embeddings, 2).sum(dim=1, keepdim=True).expand(n, n)
    dist = dist + dist.t()
    dist = torch.addmm(dist, embeddings, embeddings.t(), beta=1, alpha=-2)
    dist = dist.clamp(min=1e-12).sqrt()
    mask = labels.expand(n, n).eq(labels.expand(n, n).t())
    dist_ap, dist_an = [], []
    for i in range(n):
        dist_ap.append(dist[i][mask[i]].max().unsqueeze(0))
        dist_an.append(dist[i][mask[i] == 0].min().unsqueeze(0))
    dist_ap = torch.cat(dist_ap)
    dist_an = torch.cat(dist_an)
    y = torch.ones_like(dist_an)
    return nn.MarginRankingLoss(margin=margin)(dist_an, dist_ap, y)


torch.manual_seed(22)
labels = torch.arange(48) % 4
images = torch.randn(4, 1, 12, 12)[labels] + 0.3 * torch.randn(48, 1, 12, 12)
loader = DataLoader(
    TwoViews(images, labels, [random_flip, random_erase, jitter]), batch_size=16, shuffle=True, drop_last=True
)
model = Encoder()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=len(loader) * 2, eta_min=0, last_epoch=-1)
criterion = nn.CrossEntropyLoss()
for epoch in range(2):
    for views, _ in loader:
        x = torch.cat(views, dim=0)
        features = model(x)
        logits, target = info_nce_loss(features, 16)
        loss = criterion(logits, target)
        other = NTXent(0.5)(*features.chunk(2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    top1 = (logits.argmax(1) == target).float().mean()
    print(f"epoch {epoch} loss {loss:.4f} other {other:.4f} top1 {top1:.2f} lr {scheduler.get_last_lr()[0]:.6f}")

for p in model.parameters():
    p.requires_grad = False
model.eval()
embeddings = model.backbone(images)
probe = nn.Linear(16, 4)
optimizer = torch.optim.LBFGS(probe.parameters(), lr=1, max_iter=8, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = F.cross_entropy(probe(embeddings), labels) + 0.01 * probe.weight.square().sum()
    loss.backward()
    return loss


print("probe", f"{optimizer.step(closure).item():.4f} {closure().item():.3f}")

siamese = Encoder(proj=4)
params = list(siamese.parameters())
optimizer = torch.optim.RMSprop(params, lr=1e-3, momentum=0.5, centered=True, eps=1e-3)
for step in range(4):
    i = torch.randperm(48)[:24]
    j = i[torch.randperm(24)]
    out1, out2 = siamese(images[i]), siamese(images[j])
    different = (labels[i] != labels[j]).float()
    contrastive = ContrastiveLoss(margin=2.0)(out1, out2, different)
    triplet = batch_hard_triplet(out1, labels[i])
    margin = nn.TripletMarginLoss(margin=1.0, p=2)(out1, out2, out1.roll(1, 0))
    cosine = nn.CosineEmbeddingLoss(margin=0.2)(out1, out2, 1 - 2 * different)
    loss = contrastive + triplet + 0.5 * margin + cosine
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(
        "step {} {:.4f} {:.4f} {:.4f} {:.4f}".format(
            step, contrastive.item(), triplet.item(), margin.item(), cosine.item()
        )
    )
with torch.no_grad():
    momentum = Encoder(proj=4)
    for param_q, param_k in zip(siamese.parameters(), momentum.parameters()):
        param_k.data.copy_(param_q.data)
        param_k.data = param_k.data * 0.99 + param_q.data * (1.0 - 0.99)
    queue = F.normalize(torch.randn(4, 32), dim=0)
    q = F.normalize(siamese(images[:8]), dim=1)
    l_pos = torch.einsum("nc,nc->n", [q, F.normalize(momentum(images[:8]), dim=1)]).unsqueeze(-1)
    l_neg = torch.einsum("nc,ck->nk", [q, queue.clone().detach()])
    print(torch.cat([l_pos, l_neg], dim=1).shape, np.allclose(q.norm(dim=1).numpy(), 1, atol=1e-5))
