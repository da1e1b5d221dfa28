"""MobileNet V1 and V2: depthwise convolutions, ReLU6, inverted residuals with linear bottlenecks."""

import math

import torch
import torch.nn as nn
import torch.optim as optim


def _make_divisible(v, divisor, min_value=None):
    """Every layer's channel number made divisible by `divisor`, at most 10 % below."""
    if min_value is None:
        min_value = divisor
    new_v = max(min_value, int(v + divisor / 2) // divisor * divisor)
    if new_v < 0.9 * v:
        new_v += divisor
    return new_v


class MobileNetV1(nn.Module):
    def __init__(self, ch_in, n_classes):
        super(MobileNetV1, self).__init__()

        def conv_bn(inp, oup, stride):
            return nn.Sequential(
                nn.Conv2d(inp, oup, 3, stride, 1, bias=False), nn.BatchNorm2d(oup), nn.ReLU(inplace=True)
            )

        def conv_dw(inp, oup, stride):
            return nn.Sequential(
                # dw
                nn.Conv2d(inp, inp, 3, stride, 1, groups=inp, bias=False),
                nn.BatchNorm2d(inp),
                nn.ReLU(inplace=True),
                # pw
                nn.Conv2d(inp, oup, 1, 1, 0, bias=False),
                nn.BatchNorm2d(oup),
                nn.ReLU(inplace=True),
            )

        self.model = nn.Sequential(
            conv_bn(ch_in, 8, 2), conv_dw(8, 16, 1), conv_dw(16, 32, 2), conv_dw(32, 32, 1), nn.AdaptiveAvgPool2d(1)
        )
        self.fc = nn.Linear(32, n_classes)

    def forward(self, x):
        x = self.model(x)
        x = x.view(-1, 32)
        x = self.fc(x)
        return x


class ConvBNReLU(nn.Sequential):
    def __init__(self, in_planes, out_planes, kernel_size=3, stride=1, groups=1):
        padding = (kernel_size - 1) // 2
        super(ConvBNReLU, self).__init__(
            nn.Conv2d(in_planes, out_planes, kernel_size, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(out_planes),
            nn.ReLU6(inplace=True),
        )


class InvertedResidual(nn.Module):
    def __init__(self, inp, oup, stride, expand_ratio):
        super(InvertedResidual, self).__init__()
        self.stride = stride
        assert stride in [1, 2]
        hidden_dim = int(round(inp * expand_ratio))
        self.use_res_connect = self.stride == 1 and inp == oup
        layers = []
        if expand_ratio != 1:
            layers.append(ConvBNReLU(inp, hidden_dim, kernel_size=1))
        layers.extend(
            [
                ConvBNReLU(hidden_dim, hidden_dim, stride=stride, groups=hidden_dim),
                nn.Conv2d(hidden_dim, oup, 1, 1, 0, bias=False),
                nn.BatchNorm2d(oup),
            ]
        )
        self.conv = nn.Sequential(*layers)

    def forward(self, x):
        if self.use_res_connect:
            return x + self.conv(x)
        else:
            return self.conv(x)


class MobileNetV2(nn.Module):
    def __init__(self, num_classes=10, width_mult=1.0, round_nearest=4):
        super(MobileNetV2, self).__init__()
        inverted_residual_setting = [
            # t, c, n, s
            [1, 8, 1, 1],
            [4, 12, 2, 2],
            [4, 16, 1, 1],
        ]
        input_channel = _make_divisible(8 * width_mult, round_nearest)
        last_channel = _make_divisible(40 * max(1.0, width_mult), round_nearest)
        features = [ConvBNReLU(3, input_channel, stride=2)]
        for t, c, n, s in inverted_residual_setting:
            output_channel = _make_divisible(c * width_mult, round_nearest)
            for i in range(n):
                stride = s if i == 0 else 1
                features.append(InvertedResidual(input_channel, output_channel, stride, expand_ratio=t))
                input_channel = output_channel
        features.append(ConvBNReLU(input_channel, last_channel, kernel_size=1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(
            nn.Dropout(0.2),
            nn.Linear(last_channel, num_classes),
        )
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out")
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
                nn.init.zeros_(m.bias)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.01)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        x = self.features(x)
        x = x.mean([2, 3])
        x = self.classifier(x)
        return x


torch.manual_seed(0)
model = MobileNetV1(ch_in=3, n_classes=6)
print(model.model[1])
print("parameters:", sum(p.numel() for p in model.parameters() if p.requires_grad))
y = torch.LongTensor(48).random_(0, 6)
x = torch.FloatTensor(48, 3, 24, 24).uniform_(-1, 1)
for i in range(48):
    k = int(y[i])
    x[i, k % 3, :, 4 * k : 4 * k + 4] += 1.5

device = "cuda" if torch.cuda.is_available() else "cpu"
model = model.to(device)
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=4e-5)
scheduler = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.98)
for epoch in range(3):
    running_loss = 0.0
    for i in range(0, 48, 24):
        inputs, labels = x[i : i + 24].to(device), y[i : i + 24].to(device)
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    scheduler.step()
    print("[%d] loss: %.4f lr: %.6f" % (epoch + 1, running_loss / 2, scheduler.get_last_lr()[0]))

net = MobileNetV2(num_classes=6)
print(net.features[3], net.classifier)
for name, buf in list(net.named_buffers())[:3]:
    print(name, tuple(buf.shape), buf.dtype)
total = len(net.features)
for i, block in enumerate(net.features):
    if i < 2:
        for p in block.parameters():
            p.requires_grad = False
optimizer = optim.RMSprop(
    filter(lambda p: p.requires_grad, net.parameters()), lr=0.003, momentum=0.9, alpha=0.9, eps=0.0316
)
for epoch in range(3):
    warm = 0.003 * 0.5 * (1 + math.cos(math.pi * epoch / 3))
    for group in optimizer.param_groups:
        group["lr"] = warm
    loss = criterion(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"v2 {epoch} {loss.item():.3f} {warm:.4f}")
net.eval()
feats = net.features[:3](x[:2])
print(feats.shape, "%.4f" % feats.mean().item(), "%.4f" % net.features[0][2](torch.tensor([7.5])).item())
