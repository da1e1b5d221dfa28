"""A fully convolutional net in the manner of a textbook: bilinear kernels in transposed convolutions, labels by colour."""

import torch
from torch import nn
from torch.nn import functional as F


def bilinear_kernel(in_channels, out_channels, kernel_size):
    factor = (kernel_size + 1) // 2
    if kernel_size % 2 == 1:
        center = factor - 1
    else:
        center = factor - 0.5
    og = (torch.arange(kernel_size).reshape(-1, 1), torch.arange(kernel_size).reshape(1, -1))
    filt = (1 - torch.abs(og[0] - center) / factor) * (1 - torch.abs(og[1] - center) / factor)
    weight = torch.zeros((in_channels, out_channels, kernel_size, kernel_size))
    weight[range(in_channels), range(out_channels), :, :] = filt
    return weight


def trans_conv(X, K):
    h, w = K.shape
    Y = torch.zeros((X.shape[0] + h - 1, X.shape[1] + w - 1))
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            Y[i : i + h, j : j + w] += X[i, j] * K
    return Y


def corr2d(X, K):
    h, w = K.shape
    Y = torch.zeros((X.shape[0] - h + 1, X.shape[1] - w + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = (X[i : i + h, j : j + w] * K).sum()
    return Y


VOC_COLORMAP = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]


def voc_colormap2label():
    colormap2label = torch.zeros(256**2, dtype=torch.long)
    for i, colormap in enumerate(VOC_COLORMAP):
        colormap2label[(colormap[0] * 256 + colormap[1]) * 1 + colormap[2]] = i
    return colormap2label


def voc_label_indices(colormap, colormap2label):
    colormap = colormap.permute(1, 2, 0).numpy().astype("int32")
    idx = (colormap[:, :, 0] * 256 + colormap[:, :, 1]) + colormap[:, :, 2]
    return colormap2label[idx]


def loss(inputs, targets):
    return F.cross_entropy(inputs, targets, reduction="none").mean(1).mean(1)


X = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
K = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
print(trans_conv(X, K))
tconv = nn.ConvTranspose2d(1, 1, kernel_size=2, bias=False)
tconv.weight.data = K.reshape(1, 1, 2, 2)
with torch.no_grad():
    print(tconv(X.reshape(1, 1, 2, 2)))
conv = nn.Conv2d(10, 20, kernel_size=5, padding=2, stride=3)
tconv = nn.ConvTranspose2d(20, 10, kernel_size=5, padding=2, stride=3)
print(tconv(conv(torch.rand(size=(1, 10, 16, 16)))).shape == torch.Size([1, 10, 16, 16]))

# A convolution as a product with a matrix, and its transpose.
K = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
X = torch.arange(9.0).reshape(3, 3)
Y = corr2d(X, K)


def kernel2matrix(K):
    k, W = torch.zeros(5), torch.zeros((4, 9))
    k[:2], k[3:5] = K[0, :], K[1, :]
    W[0, :5], W[1, 1:6], W[2, 3:8], W[3, 4:] = k, k, k, k
    return W


W = kernel2matrix(K)
print(Y == torch.matmul(W, X.reshape(-1)).reshape(2, 2))
print(trans_conv(Y, K) == torch.matmul(W.T, Y.reshape(-1)).reshape(3, 3))

torch.manual_seed(3)
conv_trans = nn.ConvTranspose2d(3, 3, kernel_size=4, padding=1, stride=2, bias=False)
conv_trans.weight.data.copy_(bilinear_kernel(3, 3, 4))
img = torch.rand(1, 3, 6, 6)
up = conv_trans(img)
print(up.shape, f"{(up - F.interpolate(img, scale_factor=2, mode='bilinear'))[..., 2:-2, 2:-2].abs().max().item():.4f}")

colours = torch.tensor(VOC_COLORMAP)
n, size, num_classes = 16, 16, 4
features, labels = torch.empty(n, 3, size, size), torch.empty(n, size, size, dtype=torch.long)
table = voc_colormap2label()
for i in range(n):
    paint = torch.zeros(3, size, size, dtype=torch.uint8)
    for k in torch.randperm(4)[:3]:
        t, l = torch.randint(0, size - 6, (2,)).tolist()
        paint[:, t : t + 6, l : l + 6] = colours[k].reshape(3, 1, 1).to(torch.uint8)
    labels[i] = voc_label_indices(paint, table)
    features[i] = paint.float() / 255
features += 0.1 * torch.randn_like(features)
print(labels.unique(return_counts=True))

net = nn.Sequential(
    nn.Conv2d(3, 8, 3, padding=1, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1, stride=2), nn.ReLU()
)
net.add_module("final_conv", nn.Conv2d(16, num_classes, kernel_size=1))
net.add_module("transpose_conv", nn.ConvTranspose2d(num_classes, num_classes, kernel_size=8, padding=2, stride=4))
W = bilinear_kernel(num_classes, num_classes, 8)
net.transpose_conv.weight.data.copy_(W)
nn.init.xavier_uniform_(net.final_conv.weight)
print(net)
trainer = torch.optim.SGD(net.parameters(), lr=0.3, weight_decay=1e-3)
for epoch in range(4):
    total, correct = 0.0, 0
    for X, y in zip(features.split(8), labels.split(8)):
        trainer.zero_grad()
        pred = net(X)
        l = loss(pred, y)
        l.sum().backward()
        nn.utils.clip_grad_value_(net.parameters(), 1.0)
        trainer.step()
        total += l.sum().item()
        correct += (pred.argmax(dim=1) == y).sum()
    print(f"loss {total / n:.3f}, train acc {correct / labels.numel():.3f}")
with torch.no_grad():
    pred = net(features[:1]).argmax(dim=1)
    picture = colours[pred[0]].permute(2, 0, 1)
print(picture.shape, picture.dtype, picture.float().mean())
