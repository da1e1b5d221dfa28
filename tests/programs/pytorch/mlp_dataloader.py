"""An MLP on a Dataset of one's own: random_split, DataLoader, dropout, clipping, a plateau schedule, checkpoints."""

import io
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, Dataset, random_split


class Spirals(Dataset):
    """Two spirals, one for each class."""

    def __init__(self, n):
        t = torch.rand(n) * 3 * 3.14159 + 0.5
        label = torch.randint(0, 2, (n,))
        angle = t + 3.14159 * label.float()
        self.points = torch.stack([t * torch.cos(angle), t * torch.sin(angle)], dim=1) / 5 + 0.02 * torch.randn(n, 2)
        self.labels = label

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        return self.points[idx], self.labels[idx]


class MLP(nn.Module):
    def __init__(self, width=32, p=0.1):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, width), nn.Linear(width, width)])
        self.norm = nn.LayerNorm(width)
        self.drop = nn.Dropout(p)
        self.out = nn.Linear(width, 2)
        self.apply(self._init)

    def _init(self, m):
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
            nn.init.zeros_(m.bias)

    def forward(self, x):
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
        return self.out(self.drop(self.norm(x)))


def evaluate(model, loader):
    model.eval()
    right, loss = 0, 0.0
    with torch.no_grad():
        for x, y in loader:
            out = model(x)
            loss += F.cross_entropy(out, y, reduction="sum").item()
            right += out.argmax(dim=1).eq(y).sum().item()
    return loss / len(loader.dataset), right / len(loader.dataset)


torch.manual_seed(7)
train, valid = random_split(Spirals(240), [200, 40], generator=torch.Generator().manual_seed(42))
train_loader = DataLoader(train, batch_size=20, shuffle=True, num_workers=0, pin_memory=torch.cuda.is_available())
valid_loader = DataLoader(valid, batch_size=40)
model = MLP()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, betas=(0.9, 0.99), weight_decay=0.01)
scheduler = ReduceLROnPlateau(optimizer, patience=2, factor=0.5)
for epoch in range(8):
    model.train()
    running = 0.0
    for x, y in train_loader:
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        running += loss.item() * x.size(0)
    val_loss, accuracy = evaluate(model, valid_loader)
    scheduler.step(val_loss)
    print(
        f"{epoch} train {running / len(train):.3f} valid {val_loss:.3f} right {accuracy:.3f} norm {norm:.2f} lr {optimizer.param_groups[0]['lr']}"
    )

path = os.path.join(tempfile.mkdtemp(), "checkpoint.pt")
torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 8}, path)
checkpoint = torch.load(path, map_location="cpu", weights_only=True)
again = MLP()
print(again.load_state_dict(checkpoint["model"]), checkpoint["epoch"], list(checkpoint["model"])[:3])
print(evaluate(again, valid_loader) == evaluate(model, valid_loader))
buffer = io.BytesIO()
torch.save(again.state_dict(), buffer)
buffer.seek(0)
print(sorted(torch.load(buffer)) == sorted(model.state_dict()))
