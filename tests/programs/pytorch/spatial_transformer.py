"""A spatial transformer: a localization net, affine_grid and grid_sample inside a classifier of turned digits."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(19)


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5)
        self.conv2 = nn.Conv2d(6, 8, kernel_size=3)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(72, 24)
        self.fc2 = nn.Linear(24, 4)
        # Spatial transformer localization-network
        self.localization = nn.Sequential(
            nn.Conv2d(1, 4, kernel_size=5),
            nn.MaxPool2d(2, stride=2),
            nn.ReLU(True),
            nn.Conv2d(4, 6, kernel_size=3),
            nn.MaxPool2d(2, stride=2),
            nn.ReLU(True),
        )
        # Regressor for the 3 * 2 affine matrix
        self.fc_loc = nn.Sequential(nn.Linear(6 * 3 * 3, 16), nn.ReLU(True), nn.Linear(16, 3 * 2))
        # Initialize the weights/bias with identity transformation
        self.fc_loc[2].weight.data.zero_()
        self.fc_loc[2].bias.data.copy_(torch.tensor([1, 0, 0, 0, 1, 0], dtype=torch.float))

    def stn(self, x):
        xs = self.localization(x)
        xs = xs.view(-1, 6 * 3 * 3)
        theta = self.fc_loc(xs)
        theta = theta.view(-1, 2, 3)
        grid = F.affine_grid(theta, x.size(), align_corners=False)
        x = F.grid_sample(x, grid, align_corners=False)
        return x

    def forward(self, x):
        x = self.stn(x)
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        x = x.view(-1, 72)
        x = F.relu(self.fc1(x))
        x = F.dropout(x, training=self.training)
        x = self.fc2(x)
        return F.log_softmax(x, dim=1)


def digits(n):
    y = torch.randint(0, 4, (n,))
    base = torch.zeros(4, 1, 20, 20)
    base[0, 0, 4:16, 9:11] = 1
    base[1, 0, 4:16, 5:7] = base[1, 0, 4:6, 5:15] = 1
    base[2, 0, 5:15, 5:15] = 1
    base[3, 0, 9:11, 4:16] = base[3, 0, 4:16, 9:11] = 1
    angle = (torch.rand(n) - 0.5) * 1.2
    shift = (torch.rand(n, 2) - 0.5) * 0.4
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.stack((cos, -sin, shift[:, 0], sin, cos, shift[:, 1]), dim=1).view(n, 2, 3)
    x = F.grid_sample(base[y], F.affine_grid(theta, [n, 1, 20, 20], align_corners=True), align_corners=True)
    return x, y


model = Net()
x, y = digits(64)
print(f"data {x.mean().item():.5f} {x.std().item():.5f}")
optimizer = optim.SGD(model.parameters(), lr=0.05)
for epoch in range(1, 4):
    model.train()
    for batch_idx, (data, target) in enumerate(zip(x.split(16), y.split(16))):
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
    print("Train Epoch: {}\tLoss: {:.5f}".format(epoch, loss.item()))
with torch.no_grad():
    model.eval()
    test_loss = F.nll_loss(model(x), y, reduction="sum").item() / len(x)
    transformed = model.stn(x)
    print("Test set: Average loss: {:.4f}, {:.5f}".format(test_loss, (transformed - x).abs().mean().item()))
    print(model.fc_loc[2].bias)

# The sampler in its modes, and gradients by image and by grid.
image = torch.arange(16.0).view(1, 1, 4, 4).requires_grad_()
theta = torch.tensor([[[0.8, -0.5, 0.3], [0.4, 1.1, -0.2]]], requires_grad=True)
for mode in ("bilinear", "nearest", "bicubic"):
    for padding_mode in ("zeros", "border", "reflection"):
        for align_corners in (False, True):
            grid = F.affine_grid(theta, (1, 1, 3, 5), align_corners=align_corners)
            out = F.grid_sample(image, grid, mode=mode, padding_mode=padding_mode, align_corners=align_corners)
            image.grad = theta.grad = None
            (out * torch.linspace(0, 1, 15).view(3, 5)).sum().backward()
            print(
                f"{mode:9}{padding_mode:11}{align_corners!s:6}{out.sum().item():.4f} {image.grad[0, 0, 1, 1].item():.4f} "
                f"{theta.grad.abs().sum().item():.4f}"
            )
flow = torch.stack(torch.meshgrid(torch.linspace(-1, 1, 4), torch.linspace(-1, 1, 4), indexing="xy"), dim=-1)[None]
print(torch.allclose(F.grid_sample(image, flow, align_corners=True), image))
