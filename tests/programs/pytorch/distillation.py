"""Knowledge distillation: a student taught by a frozen teacher's softened outputs and, through hooks, its features."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(42)
device = torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"
print(f"Using {device} device")


def spirals(n, classes=3):
    r = torch.linspace(0.1, 1, n).repeat(classes)
    k = torch.arange(classes).repeat_interleave(n)
    t = r * 4 + k * 2 * torch.pi / classes + 0.15 * torch.randn(n * classes)
    return torch.stack([r * t.sin(), r * t.cos()], dim=1), k


inputs, labels = spirals(60)
shuffle = torch.randperm(len(inputs))
inputs, labels = inputs[shuffle], labels[shuffle]
train_batches = list(zip(inputs[:150].split(30), labels[:150].split(30)))
test_x, test_y = inputs[150:], labels[150:]


class Teacher(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        self.features = nn.Sequential(
            nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 24), nn.ReLU()
        )
        self.classifier = nn.Sequential(nn.Dropout(0.1), nn.Linear(24, num_classes))

    def forward(self, x):
        return self.classifier(self.features(x))


class Student(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(2, 12), nn.ReLU(), nn.Linear(12, 24), nn.ReLU())
        self.classifier = nn.Linear(24, num_classes)

    def forward(self, x):
        return self.classifier(self.features(x))


def train(model, epochs, learning_rate):
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    optimizer = optim.Adam(model.parameters(), lr=learning_rate)
    model.train()
    for epoch in range(epochs):
        running_loss = 0.0
        for x, y in train_batches:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        if (epoch + 1) % 5 == 0:
            print(f"Epoch {epoch + 1}/{epochs}, Loss: {running_loss / len(train_batches):.4f}")


def test(model):
    model.eval()
    with torch.no_grad():
        _, predicted = torch.max(model(test_x).data, 1)
        accuracy = 100 * (predicted == test_y).sum().item() / test_y.size(0)
    print(f"Test Accuracy: {accuracy:.2f}%")
    return accuracy


def train_knowledge_distillation(teacher, student, epochs, learning_rate, T, soft_target_loss_weight, ce_loss_weight):
    ce_loss = nn.CrossEntropyLoss()
    optimizer = optim.Adam(student.parameters(), lr=learning_rate)
    teacher.eval()
    student.train()
    for epoch in range(epochs):
        running_loss = 0.0
        for x, y in train_batches:
            optimizer.zero_grad()
            with torch.no_grad():
                teacher_logits = teacher(x)
            student_logits = student(x)
            soft_targets = nn.functional.softmax(teacher_logits / T, dim=-1)
            soft_prob = nn.functional.log_softmax(student_logits / T, dim=-1)
            soft_targets_loss = (
                torch.sum(soft_targets * (soft_targets.log() - soft_prob)) / soft_prob.size()[0] * (T**2)
            )
            label_loss = ce_loss(student_logits, y)
            loss = soft_target_loss_weight * soft_targets_loss + ce_loss_weight * label_loss
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        if (epoch + 1) % 5 == 0:
            print(f"Epoch {epoch + 1}/{epochs}, Loss: {running_loss / len(train_batches):.4f}")
    kl = nn.KLDivLoss(reduction="batchmean", log_target=True)(soft_prob, F.log_softmax(teacher_logits / T, -1)) * T * T
    print(torch.allclose(kl, soft_targets_loss, atol=1e-4), f"{kl.item():.4f}")


class Tap:
    """Keeps what a layer puts out."""

    def __init__(self, layer):
        self.handle = layer.register_forward_hook(self.hook)

    def hook(self, module, inputs, output):
        self.output = output

    def close(self):
        self.handle.remove()


teacher = Teacher().to(device)
print(f"Teacher parameters: {'{:,}'.format(sum(p.numel() for p in teacher.parameters()))}")
train(teacher, epochs=15, learning_rate=0.01)
test(teacher)
for p in teacher.parameters():
    p.requires_grad = False
print(sum(p.requires_grad for p in teacher.parameters()))

torch.manual_seed(7)
alone = Student()
torch.manual_seed(7)
taught = Student()
print(
    "Norm of 1st layer:",
    torch.norm(alone.features[0].weight).item().__round__(5),
    torch.norm(taught.features[0].weight).item().__round__(5),
)
print(f"Student parameters: {sum(p.numel() for p in alone.parameters()):,}")
train(alone, epochs=10, learning_rate=0.01)
test(alone)
train_knowledge_distillation(teacher, taught, 10, 0.01, T=2, soft_target_loss_weight=0.25, ce_loss_weight=0.75)
test(taught)

# hints: the hidden representation of the teacher as a target
hinted = Student()
taps = Tap(teacher.features), Tap(hinted.features)
regressor = nn.Linear(24, 24)
optimizer = optim.AdamW([{"params": hinted.parameters()}, {"params": regressor.parameters(), "lr": 0.02}], lr=0.01)
cosine_loss, mse = nn.CosineEmbeddingLoss(), nn.MSELoss()
for epoch in range(6):
    for x, y in train_batches:
        with torch.no_grad():
            teacher(x)
        logits = hinted(x)
        hint = mse(regressor(taps[1].output), taps[0].output) / taps[0].output.pow(2).mean()
        direction = cosine_loss(taps[1].output, taps[0].output, target=torch.ones(x.size(0)))
        loss = F.cross_entropy(logits, y) + 0.1 * hint + 0.1 * direction
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 3 == 2:
        print(f"epoch {epoch} hint {hint.item():.4f} direction {direction.item():.4f} total {loss.item():.4f}")
for tap in taps:
    tap.close()
test(hinted)
print(len(teacher.features._forward_hooks), all(p.grad is None for p in teacher.parameters()))
