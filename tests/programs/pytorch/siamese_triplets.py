"""Metric learning on clouds of points: contrastive pairs, triplets mined in the batch, prototypes, NT-Xent."""

import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

random.seed(0)
np.random.seed(0)
torch.manual_seed(0)
centers = torch.randn(6, 8) * 2


def sample_class(label, n):
    return centers[label] + torch.randn(n, 8) * 0.7


X = torch.cat([sample_class(c, 20) for c in range(6)])
Y = torch.arange(6).repeat_interleave(20)
print(X.shape, Y.bincount())


class SiameseDataset(Dataset):
    """One item and its label, a second of the same class half of the time."""

    def __init__(self, data, labels):
        self.data, self.labels = data, labels
        self.by_label = {int(l): np.where(labels.numpy() == int(l))[0] for l in labels.unique()}

    def __getitem__(self, index):
        label = int(self.labels[index])
        same = np.random.randint(0, 2)
        other = label if same else np.random.choice(sorted(set(self.by_label) - {label}))
        second = np.random.choice(self.by_label[other])
        return (self.data[index], self.data[second]), same

    def __len__(self):
        return len(self.labels)


class EmbeddingNet(nn.Module):
    def __init__(self):
        super(EmbeddingNet, self).__init__()
        self.fc = nn.Sequential(
            nn.Linear(8, 32), nn.PReLU(), nn.Linear(32, 32), nn.PReLU(), nn.Linear(32, 4, bias=False)
        )

    def forward(self, x):
        return self.fc(x)

    def get_embedding(self, x):
        return self.forward(x)


class SiameseNet(nn.Module):
    def __init__(self, embedding_net):
        super(SiameseNet, self).__init__()
        self.embedding_net = embedding_net

    def forward(self, x1, x2):
        return self.embedding_net(x1), self.embedding_net(x2)


class ContrastiveLoss(nn.Module):
    def __init__(self, margin):
        super(ContrastiveLoss, self).__init__()
        self.margin = margin
        self.eps = 1e-9

    def forward(self, output1, output2, target, size_average=True):
        distances = (output2 - output1).pow(2).sum(1)
        losses = 0.5 * (
            target.float() * distances
            + (1 + -1 * target).float() * F.relu(self.margin - (distances + self.eps).sqrt()).pow(2)
        )
        return losses.mean() if size_average else losses.sum()


def pdist(vectors):
    return (
        -2 * vectors.mm(torch.t(vectors))
        + vectors.pow(2).sum(dim=1).view(1, -1)
        + vectors.pow(2).sum(dim=1).view(-1, 1)
    )


def batch_hard(embeddings, labels, margin):
    distances = pdist(embeddings).clamp(min=1e-12).sqrt()
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    positive = (distances * same.float()).max(dim=1)[0]
    negative = (distances + 1e3 * same.float()).min(dim=1)[0]
    return F.relu(positive - negative + margin).mean(), (positive > negative).sum().item()


def nearest_accuracy(model):
    model.eval()
    with torch.no_grad():
        emb = model.get_embedding(X)
        d = torch.cdist(emb, emb)
        d.fill_diagonal_(float("inf"))
        found = Y[d.argmin(dim=1)]
    model.train()
    return (found == Y).float().mean().item()


print("contrastive")
net = EmbeddingNet()
model = SiameseNet(net)
loader = DataLoader(SiameseDataset(X, Y), batch_size=30, shuffle=True)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = ContrastiveLoss(margin=1.0)
for epoch in range(3):
    total = 0.0
    for (a, b), same in loader:
        optimizer.zero_grad()
        loss = criterion(*model(a, b), same)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"Epoch {epoch} loss {total / len(loader):.4f} accuracy {nearest_accuracy(net):.4f}")

print("triplets")
net = EmbeddingNet()
optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3, momentum=0.5)
triplet = nn.TripletMarginLoss(margin=1.0, p=2, swap=True)
for step in range(12):
    anchor_class = torch.randperm(6)[:2]
    anchor, positive = sample_class(anchor_class[0], 16), sample_class(anchor_class[0], 16)
    negative = sample_class(anchor_class[1], 16)
    loss = triplet(net(anchor), net(positive), net(negative))
    index = torch.randperm(len(X))[:36]
    hard, violations = batch_hard(net(X[index]), Y[index], margin=0.5)
    optimizer.zero_grad()
    (loss + hard).backward()
    optimizer.step()
    if step % 4 == 3:
        print(f"step {step} triplet {loss:.4f} hard {hard:.4f} violations {violations}")
print(f"{nearest_accuracy(net):.4f}")

print("prototypes")
for episode in range(3):
    ways = torch.multinomial(torch.ones(6), 3, replacement=False)
    support = torch.stack([sample_class(c, 5) for c in ways])
    query = torch.stack([sample_class(c, 4) for c in ways])
    prototypes = net(support.flatten(0, 1)).view(3, 5, -1).mean(1)
    logits = -(torch.cdist(net(query.reshape(-1, 8)), prototypes) ** 2)
    target = torch.arange(3).view(-1, 1).expand(3, 4).reshape(-1)
    loss = F.cross_entropy(logits, target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(ways.tolist(), f"{loss.item():.4f} {(logits.argmax(-1) == target).float().mean():.4f}")

print("contrast of two views")


def info_nce(features, batch_size, temperature=0.1):
    labels = torch.cat([torch.arange(batch_size) for i in range(2)], dim=0)
    labels = (labels.unsqueeze(0) == labels.unsqueeze(1)).float()
    features = F.normalize(features, dim=1)
    similarity_matrix = torch.matmul(features, features.T)
    mask = torch.eye(labels.shape[0], dtype=torch.bool)
    labels = labels[~mask].view(labels.shape[0], -1)
    similarity_matrix = similarity_matrix[~mask].view(similarity_matrix.shape[0], -1)
    positives = similarity_matrix[labels.bool()].view(labels.shape[0], -1)
    negatives = similarity_matrix[~labels.bool()].view(similarity_matrix.shape[0], -1)
    logits = torch.cat([positives, negatives], dim=1)
    return logits / temperature, torch.zeros(logits.shape[0], dtype=torch.long)


head = nn.Sequential(nn.Linear(8, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(inplace=True), nn.Linear(16, 8))
optimizer = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9, nesterov=True)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=9)
for step in range(9):
    batch = X[torch.randint(len(X), (24,))]
    views = torch.cat([batch + 0.1 * torch.randn_like(batch), batch + 0.1 * torch.randn_like(batch)])
    logits, labels = info_nce(head(views), 24)
    loss = F.cross_entropy(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 3 == 2:
        top1 = (logits.topk(1, 1, True, True)[1].t() == labels.view(1, -1)).float().mean()
        print(f"step {step} loss {loss.item():.4f} top1 {top1.item():.4f} lr {scheduler.get_last_lr()[0]:.5f}")
loss = nn.CosineEmbeddingLoss(margin=0.2)(net(X[:4]), net(X[40:44]), torch.tensor([1, -1, 1, -1]))
print(
    loss,
    nn.MarginRankingLoss(0.1)(net(X[:4])[:, 0], net(X[4:8])[:, 0], torch.ones(4)),
    F.pairwise_distance(net(X[:2]), net(X[2:4])),
)
