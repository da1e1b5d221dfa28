"""Channel shuffle and split, fire modules, squeeze-and-excitation: three small nets side by side."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.init as init


def channel_shuffle(x, groups):
    batchsize, num_channels, height, width = x.data.size()
    channels_per_group = num_channels // groups
    x = x.view(batchsize, groups, channels_per_group, height, width)
    x = torch.transpose(x, 1, 2).contiguous()
    x = x.view(batchsize, -1, height, width)
    return x


class ShuffleUnit(nn.Module):
    def __init__(self, inp, oup, stride):
        super().__init__()
        if not (1 <= stride <= 3):
            raise ValueError("illegal stride value")
        self.stride = stride
        branch_features = oup // 2
        assert (self.stride != 1) or (inp == branch_features << 1)
        if self.stride > 1:
            self.branch1 = nn.Sequential(
                self.depthwise_conv(inp, inp, kernel_size=3, stride=self.stride, padding=1),
                nn.BatchNorm2d(inp),
                nn.Conv2d(inp, branch_features, kernel_size=1, stride=1, padding=0, bias=False),
                nn.BatchNorm2d(branch_features),
                nn.ReLU(inplace=True),
            )
        else:
            self.branch1 = nn.Sequential()
        self.branch2 = nn.Sequential(
            nn.Conv2d(inp if (self.stride > 1) else branch_features, branch_features, 1, bias=False),
            nn.BatchNorm2d(branch_features),
            nn.ReLU(inplace=True),
            self.depthwise_conv(branch_features, branch_features, kernel_size=3, stride=self.stride, padding=1),
            nn.BatchNorm2d(branch_features),
            nn.Conv2d(branch_features, branch_features, kernel_size=1, stride=1, padding=0, bias=False),
            nn.BatchNorm2d(branch_features),
            nn.ReLU(inplace=True),
        )

    @staticmethod
    def depthwise_conv(i, o, kernel_size, stride=1, padding=0, bias=False):
        return nn.Conv2d(i, o, kernel_size, stride, padding, bias=bias, groups=i)

    def forward(self, x):
        if self.stride == 1:
            x1, x2 = x.chunk(2, dim=1)
            out = torch.cat((x1, self.branch2(x2)), dim=1)
        else:
            out = torch.cat((self.branch1(x), self.branch2(x)), dim=1)
        return channel_shuffle(out, 2)


class Fire(nn.Module):
    def __init__(self, inplanes, squeeze_planes, expand1x1_planes, expand3x3_planes):
        super(Fire, self).__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat(
            [self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))], 1
        )


class SqueezeNet(nn.Module):
    def __init__(self, num_classes=4):
        super(SqueezeNet, self).__init__()
        self.num_classes = num_classes
        self.features = nn.Sequential(
            nn.Conv2d(3, 12, kernel_size=3, stride=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            Fire(12, 4, 8, 8),
            Fire(16, 4, 8, 8),
        )
        final_conv = nn.Conv2d(16, self.num_classes, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=0.3), final_conv, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                if m is final_conv:
                    init.normal_(m.weight, mean=0.0, std=0.1)
                else:
                    init.kaiming_uniform_(m.weight)
                if m.bias is not None:
                    init.constant_(m.bias, 0)

    def forward(self, x):
        return torch.flatten(self.classifier(self.features(x)), 1)


class SELayer(nn.Module):
    def __init__(self, channel, reduction=4):
        super(SELayer, self).__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channel, channel // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(channel // reduction, channel, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x):
        b, c, _, _ = x.size()
        y = self.avg_pool(x).view(b, c)
        y = self.fc(y).view(b, c, 1, 1)
        return x * y.expand_as(x)


class SENet(nn.Module):
    def __init__(self, num_classes=4):
        super(SENet, self).__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.PReLU(16))
        self.body = nn.ModuleList([nn.Conv2d(16, 16, 3, padding="same", bias=False) for _ in range(2)])
        self.se = nn.ModuleList([SELayer(16), SELayer(16)])
        self.head = nn.Linear(32, num_classes)

    def forward(self, x):
        x = self.stem(x)
        for conv, se in zip(self.body, self.se):
            x = F.relu(x + se(conv(x)))
        pooled = torch.cat([F.adaptive_max_pool2d(x, 1), F.adaptive_avg_pool2d(x, 1)], dim=1)
        return self.head(pooled.squeeze(-1).squeeze(-1))


class ShuffleNet(nn.Module):
    def __init__(self, num_classes=4):
        super(ShuffleNet, self).__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.stage2 = nn.Sequential(ShuffleUnit(8, 16, 2), ShuffleUnit(16, 16, 1))
        self.fc = nn.Linear(16, num_classes)

    def forward(self, x):
        x = self.stage2(self.conv1(x))
        x = x.mean([2, 3])
        return self.fc(x)


print(channel_shuffle(torch.arange(8.0).view(1, 8, 1, 1), 2).flatten().tolist())
print(nn.ChannelShuffle(4)(torch.arange(8.0).view(1, 8, 1, 1)).flatten().tolist())
torch.manual_seed(8)
target = torch.randint(0, 4, (32,))
data = torch.randn(32, 3, 20, 20)
data[:, 0] += torch.linspace(-1, 1, 20) * (target.float() - 1.5).view(-1, 1, 1)
data[:, 1] += torch.linspace(-1, 1, 20)[:, None] * torch.where(target % 2 == 0, 1.0, -1.0)[:, None, None]
for Net, lr in ((ShuffleNet, 0.02), (SqueezeNet, 0.01), (SENet, 0.02)):
    net = Net()
    n_params = sum(p.numel() for p in net.parameters() if p.requires_grad)
    print(f"{Net.__name__}: {n_params:,} parameters")
    optimizer = torch.optim.Adam(net.parameters(), lr=lr, betas=(0.9, 0.99), eps=1e-6)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1.0 - step / 6) if step <= 6 else 0)
    for step in range(6):
        optimizer.zero_grad()
        output = net(data)
        loss = F.nll_loss(F.log_softmax(output, dim=1), target)
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 2 == 1:
            acc = 100.0 * output.argmax(1).eq(target).sum() / len(target)
            print(f"  step {step} loss {loss:.3f} acc {acc:.2f}% lr {scheduler.get_last_lr()[0]:.6f}")
print(net.se[0])
attention = net.se[1].fc(net.se[1].avg_pool(net.stem(data)).view(32, 16))
print(attention.shape, f"{attention.mean().item():.4f}", f"{net.stem[2].weight.mean().item():.5f}")
