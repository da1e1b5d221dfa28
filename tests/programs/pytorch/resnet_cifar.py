"""ResNet-8 to 110 for small pictures, shortcut option A (no parameters), in the manner of the CIFAR replications."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.init as init
from torch.autograd import Variable

__all__ = ["ResNet", "resnet8", "resnet14"]


def _weights_init(m):
    if isinstance(m, nn.Linear) or isinstance(m, nn.Conv2d):
        init.kaiming_normal_(m.weight)


class LambdaLayer(nn.Module):
    def __init__(self, lambd):
        super(LambdaLayer, self).__init__()
        self.lambd = lambd

    def forward(self, x):
        return self.lambd(x)


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, in_planes, planes, stride=1, option="A"):
        super(BasicBlock, self).__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != planes:
            if option == "A":
                self.shortcut = LambdaLayer(
                    lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, planes // 4, planes // 4), "constant", 0)
                )
            elif option == "B":
                self.shortcut = nn.Sequential(
                    nn.Conv2d(in_planes, self.expansion * planes, kernel_size=1, stride=stride, bias=False),
                    nn.BatchNorm2d(self.expansion * planes),
                )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        out = F.relu(out)
        return out


class ResNet(nn.Module):
    def __init__(self, block, num_blocks, num_classes=10):
        super(ResNet, self).__init__()
        self.in_planes = 8
        self.conv1 = nn.Conv2d(3, 8, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1 = self._make_layer(block, 8, num_blocks[0], stride=1)
        self.layer2 = self._make_layer(block, 16, num_blocks[1], stride=2)
        self.layer3 = self._make_layer(block, 32, num_blocks[2], stride=2)
        self.linear = nn.Linear(32, num_classes)
        self.apply(_weights_init)

    def _make_layer(self, block, planes, num_blocks, stride):
        strides = [stride] + [1] * (num_blocks - 1)
        layers = []
        for stride in strides:
            layers.append(block(self.in_planes, planes, stride))
            self.in_planes = planes * block.expansion
        return nn.Sequential(*layers)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer1(out)
        out = self.layer2(out)
        out = self.layer3(out)
        out = F.avg_pool2d(out, out.size()[3])
        out = out.view(out.size(0), -1)
        out = self.linear(out)
        return out


def resnet8():
    return ResNet(BasicBlock, [1, 1, 1])


def resnet14():
    return ResNet(BasicBlock, [2, 2, 2])


def test(net):
    import numpy as np

    total_params = 0
    for x in filter(lambda p: p.requires_grad, net.parameters()):
        total_params += np.prod(x.data.numpy().shape)
    print("Total number of params", total_params)
    print("Total layers", len(list(filter(lambda p: p.requires_grad and len(p.data.size()) > 1, net.parameters()))))


def flip_and_crop(x, pad=2):
    n, c, h, w = x.shape
    padded = F.pad(x, [pad] * 4, mode="reflect")
    out = torch.empty_like(x)
    for i in range(n):
        top, left = torch.randint(0, 2 * pad + 1, (2,)).tolist()
        crop = padded[i, :, top : top + h, left : left + w]
        out[i] = crop.flip(-1) if torch.rand(1).item() < 0.5 else crop
    return out


torch.manual_seed(2)
for net_name in __all__:
    if net_name.startswith("resnet"):
        print(net_name)
        test(globals()[net_name]())
        print()

model = resnet8()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=1e-4)
lr_scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[2, 3], last_epoch=-1)
target = torch.arange(40) % 10
mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])
images = torch.rand(10, 3, 16, 16)[target] * 0.5 + torch.rand(40, 3, 16, 16) * 0.5
images.sub_(mean[:, None, None]).div_(std[:, None, None])
best_prec1 = 0
for epoch in range(4):
    print("current lr {:.5e}".format(optimizer.param_groups[0]["lr"]))
    model.train()
    for i in range(2):
        input_var = Variable(flip_and_crop(images[i * 20 : i * 20 + 20]))
        target_var = Variable(target[i * 20 : i * 20 + 20])
        output = model(input_var)
        loss = criterion(output, target_var)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        output = output.float()
        loss = loss.float()
        print(f"Epoch: [{epoch}][{i}/2]\tLoss {loss.item():.4f}")
    lr_scheduler.step()
    model.eval()
    with torch.no_grad():
        output = model(images)
        pred = output.max(1, keepdim=True)[1]
        prec1 = pred.eq(target.view_as(pred)).sum().item() * 100.0 / len(target)
        print(f"Test:\tLoss {criterion(output, target):.3f}\tPrec@1 {prec1:.3f}")
    best_prec1 = max(prec1, best_prec1)
print(best_prec1)
state = {"epoch": 4, "state_dict": model.state_dict(), "best_prec1": best_prec1}
again = resnet8()
print(again.load_state_dict(state["state_dict"]))
again.eval()
print((again(images[:3]) - model(images[:3])).abs().max().item(), again.layer2[0].shortcut(images[:1]).shape)
