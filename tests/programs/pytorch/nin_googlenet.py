"""Network in network, and inception blocks with auxiliary heads, on small made-up pictures."""

import torch
from torch import nn, optim
from torch.nn import functional as F


def nin_block(out_channels, kernel_size, strides, padding):
    return nn.Sequential(
        nn.LazyConv2d(out_channels, kernel_size, strides, padding),
        nn.ReLU(),
        nn.LazyConv2d(out_channels, kernel_size=1),
        nn.ReLU(),
        nn.LazyConv2d(out_channels, kernel_size=1),
        nn.ReLU(),
    )


class BasicConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, **kwargs):
        super(BasicConv2d, self).__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x):
        x = self.conv(x)
        x = self.bn(x)
        return F.relu(x, inplace=True)


class Inception(nn.Module):
    def __init__(self, in_channels, ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, pool_proj):
        super(Inception, self).__init__()
        self.branch1 = BasicConv2d(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(
            BasicConv2d(in_channels, ch3x3red, kernel_size=1), BasicConv2d(ch3x3red, ch3x3, kernel_size=3, padding=1)
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(in_channels, ch5x5red, kernel_size=1),
            BasicConv2d(ch5x5red, ch5x5, kernel_size=5, padding=2),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True),
            BasicConv2d(in_channels, pool_proj, kernel_size=1),
        )

    def _forward(self, x):
        return [self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)]

    def forward(self, x):
        outputs = self._forward(x)
        return torch.cat(outputs, 1)


class InceptionAux(nn.Module):
    def __init__(self, in_channels, num_classes):
        super(InceptionAux, self).__init__()
        self.conv = BasicConv2d(in_channels, 16, kernel_size=1)
        self.fc1 = nn.Linear(16 * 2 * 2, 32)
        self.fc2 = nn.Linear(32, num_classes)

    def forward(self, x):
        x = F.adaptive_avg_pool2d(x, (2, 2))
        x = self.conv(x)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x), inplace=True)
        x = F.dropout(x, 0.7, training=self.training)
        return self.fc2(x)


class GoogLeNet(nn.Module):
    def __init__(self, num_classes=6, aux_logits=True, transform_input=False):
        super(GoogLeNet, self).__init__()
        self.aux_logits = aux_logits
        self.transform_input = transform_input
        self.conv1 = BasicConv2d(3, 8, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = BasicConv2d(8, 16, kernel_size=3, padding=1)
        self.inception3a = Inception(16, 8, 8, 12, 2, 4, 4)
        self.inception3b = Inception(28, 12, 12, 16, 4, 8, 6)
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = Inception(42, 16, 12, 20, 4, 8, 8)
        if aux_logits:
            self.aux1 = InceptionAux(42, num_classes)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(52, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d) or isinstance(m, nn.Linear):
                nn.init.trunc_normal_(m.weight, mean=0.0, std=0.05, a=-0.1, b=0.1)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)

    def forward(self, x):
        if self.transform_input:
            x_ch0 = torch.unsqueeze(x[:, 0], 1) * (0.229 / 0.5) + (0.485 - 0.5) / 0.5
            x_ch1 = torch.unsqueeze(x[:, 1], 1) * (0.224 / 0.5) + (0.456 - 0.5) / 0.5
            x_ch2 = torch.unsqueeze(x[:, 2], 1) * (0.225 / 0.5) + (0.406 - 0.5) / 0.5
            x = torch.cat((x_ch0, x_ch1, x_ch2), 1)
        x = self.maxpool1(self.conv1(x))
        x = self.conv2(x)
        x = self.inception3b(self.inception3a(x))
        x = self.maxpool3(x)
        aux_defined = self.training and self.aux_logits
        aux1 = self.aux1(x) if aux_defined else None
        x = self.inception4a(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        x = self.dropout(x)
        x = self.fc(x)
        if aux_defined:
            return x, aux1
        return x


torch.manual_seed(11)
y = torch.randint(6, (64,))
kernels = torch.randn(6, 3, 32, 32)
x = 0.7 * kernels[y] + torch.randn(64, 3, 32, 32)

nin = nn.Sequential(
    nin_block(12, kernel_size=5, strides=2, padding=0),
    nn.MaxPool2d(3, stride=2),
    nin_block(16, kernel_size=3, strides=1, padding=1),
    nn.Dropout(0.5),
    nin_block(6, kernel_size=3, strides=1, padding=1),
    nn.AdaptiveAvgPool2d((1, 1)),
    nn.Flatten(),
)
nin(x[:2])
nin.apply(lambda m: nn.init.xavier_uniform_(m.weight) if isinstance(m, (nn.Linear, nn.Conv2d)) else None)
trainer = optim.SGD(nin.parameters(), lr=0.1)
loss = nn.CrossEntropyLoss(reduction="none")
for epoch in range(3):
    total = 0.0
    for X, Y in zip(torch.split(x, 16), torch.split(y, 16)):
        trainer.zero_grad()
        l = loss(nin(X), Y)
        l.sum().backward()
        nn.utils.clip_grad_norm_(nin.parameters(), 1.0)
        trainer.step()
        total += float(l.sum())
    print(f"nin epoch {epoch + 1}, loss {total / len(y):.4f}")
print([tuple(p.shape) for p in nin[0].parameters()])

net = GoogLeNet(transform_input=True)
print(net.inception3a)
optimizer = optim.RMSprop(net.parameters(), lr=0.002, momentum=0.9, alpha=0.9, eps=1.0, weight_decay=1e-5)
for step in range(4):
    optimizer.zero_grad()
    output, aux1 = net(x[step * 16 : (step + 1) * 16])
    target = y[step * 16 : (step + 1) * 16]
    loss0 = F.cross_entropy(output, target)
    loss1 = F.cross_entropy(aux1, target)
    loss = loss0 + 0.3 * loss1
    loss.backward()
    optimizer.step()
    print("step %d total %.5f main %.5f aux %.5f" % (step, loss.item(), loss0.item(), loss1.item()))
net.eval()
with torch.no_grad():
    print(net(x[:2]))
    print(net.inception4a.branch1.bn.running_var.mean())
