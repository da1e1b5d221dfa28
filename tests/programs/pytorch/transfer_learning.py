"""Transfer learning: a checkpoint saved and loaded, layers frozen, the head replaced, param groups, StepLR, best weights."""

import copy
import os
import time
from tempfile import TemporaryDirectory

import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Subset, TensorDataset

torch.manual_seed(15)


class Backbone(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(16, num_classes)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.avgpool(self.layer1(x))
        return self.fc(torch.flatten(x, 1))


def make_dataset(classes, n):
    y = torch.arange(n) % classes
    tint = torch.linspace(-1, 1, classes * 3).view(classes, 3, 1, 1)
    x = 0.6 * torch.randn(n, 3, 12, 12) + tint[y]
    return TensorDataset(x, y)


def train_model(model, criterion, optimizer, scheduler, num_epochs=2):
    since = time.time()
    with TemporaryDirectory() as tempdir:
        best_model_params_path = os.path.join(tempdir, "best_model_params.pt")
        torch.save(model.state_dict(), best_model_params_path)
        best_acc = 0.0
        for epoch in range(num_epochs):
            print(f"Epoch {epoch}/{num_epochs - 1}")
            print("-" * 10)
            for phase in ["train", "val"]:
                if phase == "train":
                    model.train()
                else:
                    model.eval()
                running_loss = 0.0
                running_corrects = 0
                for inputs, labels in dataloaders[phase]:
                    optimizer.zero_grad()
                    with torch.set_grad_enabled(phase == "train"):
                        outputs = model(inputs)
                        _, preds = torch.max(outputs, 1)
                        loss = criterion(outputs, labels)
                        if phase == "train":
                            loss.backward()
                            optimizer.step()
                    running_loss += loss.item() * inputs.size(0)
                    running_corrects += torch.sum(preds == labels.data)
                if phase == "train":
                    scheduler.step()
                epoch_loss = running_loss / dataset_sizes[phase]
                epoch_acc = running_corrects.double() / dataset_sizes[phase]
                print(f"{phase} Loss: {epoch_loss:.4f} Acc: {epoch_acc:.4f}")
                if phase == "val" and epoch_acc > best_acc:
                    best_acc = epoch_acc
                    torch.save(model.state_dict(), best_model_params_path)
            print()
        time_elapsed = time.time() - since
        print(f"Training complete in {time_elapsed // 6000:.0f}m")
        print(f"Best val Acc: {best_acc:4f}")
        model.load_state_dict(torch.load(best_model_params_path, weights_only=True))
    return model


# Pretrain on six classes, save, and load with the head left out.
pretrained = Backbone(6)
optimizer = optim.SGD(pretrained.parameters(), lr=0.05, momentum=0.9)
for x, y in DataLoader(make_dataset(6, 96), batch_size=32):
    loss = nn.functional.cross_entropy(pretrained(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"pretrained {loss.item():.4f}")
path = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"backbone_{os.getpid()}.pth")
torch.save(
    {"epoch": 1, "model_state_dict": pretrained.state_dict(), "optimizer_state_dict": optimizer.state_dict()}, path
)
checkpoint = torch.load(path, map_location="cpu")
os.remove(path)
print(sorted(checkpoint), checkpoint["optimizer_state_dict"]["param_groups"][0]["lr"])

dataset = make_dataset(3, 60)
datasets = {"train": Subset(dataset, range(42)), "val": Subset(dataset, range(42, 60))}
dataloaders = {
    x: DataLoader(datasets[x], batch_size=14, shuffle=(x == "train"), num_workers=0) for x in ["train", "val"]
}
dataset_sizes = {x: len(datasets[x]) for x in ["train", "val"]}

# Fine-tune everything, the head faster.
model_ft = Backbone(6)
model_ft.load_state_dict(checkpoint["model_state_dict"])
num_ftrs = model_ft.fc.in_features
model_ft.fc = nn.Linear(num_ftrs, 3)
criterion = nn.CrossEntropyLoss()
head = list(map(id, model_ft.fc.parameters()))
base_params = filter(lambda p: id(p) not in head, model_ft.parameters())
optimizer_ft = optim.SGD(
    [{"params": base_params}, {"params": model_ft.fc.parameters(), "lr": 0.05}], lr=0.005, momentum=0.9
)
exp_lr_scheduler = lr_scheduler.StepLR(optimizer_ft, step_size=1, gamma=0.1)
model_ft = train_model(model_ft, criterion, optimizer_ft, exp_lr_scheduler)
print([group["lr"] for group in optimizer_ft.param_groups], exp_lr_scheduler.get_last_lr())

# The net as a fixed feature extractor.
model_conv = Backbone(6)
state = {k: v for k, v in checkpoint["model_state_dict"].items() if not k.startswith("fc.")}
missing, unexpected = model_conv.load_state_dict(state, strict=False)
print("missing", missing, "unexpected", unexpected)
for param in model_conv.parameters():
    param.requires_grad = False
model_conv.fc = nn.Linear(num_ftrs, 3)
before = copy.deepcopy(model_conv.state_dict())
optimizer_conv = optim.Adam(filter(lambda p: p.requires_grad, model_conv.parameters()), lr=0.02)
exp_lr_scheduler = lr_scheduler.MultiplicativeLR(optimizer_conv, lr_lambda=lambda epoch: 0.95)
model_conv = train_model(model_conv, criterion, optimizer_conv, exp_lr_scheduler)
changed = [k for k, v in model_conv.state_dict().items() if not torch.equal(v, before[k])]
print(changed)
try:
    model_conv.load_state_dict(pretrained.state_dict())
except RuntimeError as error:
    print(str(error).splitlines()[1].strip())

# Unfreeze the last block for one step, its norms kept still.
for name, module in model_conv.named_modules():
    if name.startswith("layer1"):
        module.requires_grad_(True)
    if isinstance(module, nn.BatchNorm2d):
        module.eval()
optimizer_conv.add_param_group({"params": model_conv.layer1.parameters(), "lr": 1e-3})
inputs, labels = next(iter(dataloaders["val"]))
loss = criterion(model_conv(inputs), labels)
loss.backward()
optimizer_conv.step()
print(f"{loss.item():.4f}", len(optimizer_conv.param_groups), model_conv.conv1.weight.grad is None)
