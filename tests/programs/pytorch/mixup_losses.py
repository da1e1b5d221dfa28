"""MixUp and CutMix over a beta distribution, focal loss, label smoothing by hand, class weights, knowledge distillation."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def mixup_data(x, y, alpha=1.0, use_cuda=False):
    """Returns mixed inputs, pairs of targets, and lambda"""
    if alpha > 0:
        lam = np.random.beta(alpha, alpha)
    else:
        lam = 1
    batch_size = x.size()[0]
    if use_cuda:
        index = torch.randperm(batch_size).cuda()
    else:
        index = torch.randperm(batch_size)
    mixed_x = lam * x + (1 - lam) * x[index, :]
    y_a, y_b = y, y[index]
    return mixed_x, y_a, y_b, lam


def mixup_criterion(criterion, pred, y_a, y_b, lam):
    return lam * criterion(pred, y_a) + (1 - lam) * criterion(pred, y_b)


def rand_bbox(size, lam):
    W = size[2]
    H = size[3]
    cut_rat = np.sqrt(1.0 - lam)
    cut_w = int(W * cut_rat)
    cut_h = int(H * cut_rat)
    cx = np.random.randint(W)
    cy = np.random.randint(H)
    bbx1 = np.clip(cx - cut_w // 2, 0, W)
    bby1 = np.clip(cy - cut_h // 2, 0, H)
    bbx2 = np.clip(cx + cut_w // 2, 0, W)
    bby2 = np.clip(cy + cut_h // 2, 0, H)
    return bbx1, bby1, bbx2, bby2


class FocalLoss(nn.Module):
    def __init__(self, gamma=0, alpha=None, size_average=True):
        super(FocalLoss, self).__init__()
        self.gamma = gamma
        self.alpha = alpha
        if isinstance(alpha, (float, int)):
            self.alpha = torch.Tensor([alpha, 1 - alpha])
        if isinstance(alpha, list):
            self.alpha = torch.Tensor(alpha)
        self.size_average = size_average

    def forward(self, input, target):
        if input.dim() > 2:
            input = input.view(input.size(0), input.size(1), -1)  # N,C,H,W => N,C,H*W
            input = input.transpose(1, 2)  # N,C,H*W => N,H*W,C
            input = input.contiguous().view(-1, input.size(2))  # N,H*W,C => N*H*W,C
        target = target.view(-1, 1)
        logpt = F.log_softmax(input, dim=-1)
        logpt = logpt.gather(1, target)
        logpt = logpt.view(-1)
        pt = logpt.data.exp()
        if self.alpha is not None:
            if self.alpha.type() != input.data.type():
                self.alpha = self.alpha.type_as(input.data)
            at = self.alpha.gather(0, target.data.view(-1))
            logpt = logpt * at
        loss = -1 * (1 - pt) ** self.gamma * logpt
        if self.size_average:
            return loss.mean()
        else:
            return loss.sum()


class LabelSmoothingLoss(nn.Module):
    def __init__(self, classes, smoothing=0.0, dim=-1):
        super(LabelSmoothingLoss, self).__init__()
        self.confidence = 1.0 - smoothing
        self.smoothing = smoothing
        self.cls = classes
        self.dim = dim

    def forward(self, pred, target):
        pred = pred.log_softmax(dim=self.dim)
        with torch.no_grad():
            true_dist = torch.zeros_like(pred)
            true_dist.fill_(self.smoothing / (self.cls - 1))
            true_dist.scatter_(1, target.data.unsqueeze(1), self.confidence)
        return torch.mean(torch.sum(-true_dist * pred, dim=self.dim))


def loss_fn_kd(outputs, labels, teacher_outputs, alpha=0.9, T=4.0):
    return nn.KLDivLoss(reduction="batchmean")(
        F.log_softmax(outputs / T, dim=1), F.softmax(teacher_outputs / T, dim=1)
    ) * (alpha * T * T) + F.cross_entropy(outputs, labels) * (1.0 - alpha)


np.random.seed(0)
torch.manual_seed(0)
num_classes = 5
y = torch.from_numpy(np.random.choice(num_classes, size=80, p=[0.4, 0.3, 0.1, 0.1, 0.1]))
patterns = torch.randn(num_classes, 1, 12, 12)
x = patterns[y] + 0.8 * torch.randn(80, 1, 12, 12)


def small_net(width):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, stride=2),
        nn.CELU(0.5),
        nn.Conv2d(width, width, 3),
        nn.Hardswish(),
        nn.Flatten(),
        nn.LazyLinear(num_classes),
    )


print("smoothing", LabelSmoothingLoss(5, 0.1)(patterns.flatten(1)[:, :5], torch.arange(5)))
print("focal", FocalLoss(gamma=2, alpha=[0.1, 0.2, 0.3, 0.2, 0.2])(torch.randn(4, 5, 3, 3), torch.ones(4, 3, 3).long()))
print("binary focal", FocalLoss(gamma=0.5, alpha=0.25, size_average=False)(torch.randn(6, 2), torch.arange(6) % 2))
teacher = small_net(12)
teacher(x[:1])
optimizer = torch.optim.Adam(teacher.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(4):
    total, correct, count = 0.0, 0.0, 0
    for inputs, targets in zip(x.split(20), y.split(20)):
        inputs, targets_a, targets_b, lam = mixup_data(inputs, targets, 0.4)
        outputs = teacher(inputs)
        loss = mixup_criterion(criterion, outputs, targets_a, targets_b, lam)
        total += loss.data.item()
        _, predicted = torch.max(outputs.data, 1)
        count += targets.size(0)
        correct += (
            lam * predicted.eq(targets_a.data).cpu().sum().float()
            + (1 - lam) * predicted.eq(targets_b.data).cpu().sum().float()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("mixup %d | Loss: %.3f | Acc: %.3f%% (%.3f/%d)" % (epoch, total / 4, 100.0 * correct / count, correct, count))
student = small_net(4)
student(x[:1])
optimizer = torch.optim.SGD(student.parameters(), lr=0.02, momentum=0.9)
for epoch in range(3):
    for inputs, target in zip(x.split(20), y.split(20)):
        input = inputs.clone()
        r = np.random.rand(1)
        if r < 0.7:
            lam = np.random.beta(1.0, 1.0)
            rand_index = torch.randperm(input.size()[0])
            target_a, target_b = target, target[rand_index]
            bbx1, bby1, bbx2, bby2 = rand_bbox(input.size(), lam)
            input[:, :, bbx1:bbx2, bby1:bby2] = input[rand_index, :, bbx1:bbx2, bby1:bby2]
            lam = 1 - ((bbx2 - bbx1) * (bby2 - bby1) / (input.size()[-1] * input.size()[-2]))
            output = student(input)
            loss = criterion(output, target_a) * lam + criterion(output, target_b) * (1.0 - lam)
        else:
            with torch.no_grad():
                guide = teacher(input)
            output = student(input)
            loss = loss_fn_kd(output, target, guide)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"cutmix {epoch} lambda {lam:.4f} loss {loss.item():.4f}")

counts = torch.bincount(y, minlength=num_classes)
weight = counts.sum() / (num_classes * counts.float())
print("weights", weight.numpy().round(4))
logits = student(x)
for name, value in [
    ("weighted", nn.CrossEntropyLoss(weight=weight)(logits, y)),
    ("weighted smooth", nn.CrossEntropyLoss(weight=weight, label_smoothing=0.1)(logits, y)),
    ("ignored", F.cross_entropy(logits, torch.where(y == 0, -100, y))),
    (
        "per class",
        torch.zeros(num_classes).scatter_add(0, y, F.cross_entropy(logits, y, reduction="none").detach()).max(),
    ),
    ("bce", F.binary_cross_entropy_with_logits(logits, F.one_hot(y, num_classes).float(), pos_weight=weight)),
    ("multi margin", F.multi_margin_loss(logits, y)),
    (
        "poly",
        (F.cross_entropy(logits, y, reduction="none") + 1 - F.softmax(logits, 1).gather(1, y[:, None])[:, 0]).mean(),
    ),
]:
    print(f"{name}: {value.item():.4f}")
cm = torch.zeros(num_classes, num_classes, dtype=torch.int64)
for t, p in zip(y.view(-1), logits.argmax(1).view(-1)):
    cm[t.long(), p.long()] += 1
print(cm.sum(), (cm.diag().float() / cm.sum(1).clamp(min=1)).sum() > 0)
