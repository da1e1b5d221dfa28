"""Segmentation: a U-Net says of each pixel of a canvas whether it is background or which handwritten digit it is of.

    python examples/small/segment.py        about a minute on two cores; no download (scikit-learn carries the digits)

Canvases of 32 x 32 pixels, two digits on each, are made as they are needed, from 1,437 digits for training and 360
others for testing, each enlarged to 16 x 16, with noise and two grey bars across that only look like strokes. The
figure is the mean over the eleven classes of the intersection over union (IoU). The baseline takes each pixel for what
pixels of its brightness most often are. Ronneberger et al., arXiv:1505.04597.
"""

import argparse
import time

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.metrics import ConfusionMatrix
from minigrad.nn import functional as F

SIZE, CLASSES = 32, 11


def canvases(digits: mg.data.Digits, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, 1, 32, 32) and the class of each pixel (N, 32, 32)."""
    pictures = np.zeros((count, SIZE, SIZE), np.float32)
    classes = np.zeros((count, SIZE, SIZE), np.int64)
    pixels = digits.pixels().repeat(2, axis=1).repeat(2, axis=2)  # (N, 16, 16)
    pick = rng.integers(len(digits), size=(count, 2))
    left_first = rng.random(count) < 0.5  # the two lie side by side or one above the other, never over each other
    for i in range(count):
        for j in range(2):
            a, b = rng.integers(0, 17) if left_first[i] else 16 * j, 16 * j if left_first[i] else rng.integers(0, 17)
            digit = pixels[pick[i, j]]
            pictures[i, a : a + 16, b : b + 16] = digit
            classes[i, a : a + 16, b : b + 16] = np.where(digit > 0.3, digits.labels[pick[i, j]] + 1, 0)
    row = rng.integers(0, SIZE, size=(count, 2))
    for i in range(count):  # clutter: it lies behind the digits
        pictures[i, row[i, 0]] = np.maximum(pictures[i, row[i, 0]], 0.5 * (classes[i, row[i, 0]] == 0))
        pictures[i, :, row[i, 1]] = np.maximum(pictures[i, :, row[i, 1]], 0.5 * (classes[i, :, row[i, 1]] == 0))
    pictures += rng.normal(0, 0.05, pictures.shape).astype(np.float32)
    return pictures[:, None], classes


def double_conv(channels: int, out: int) -> nn.Module:
    layers = []
    for c in (channels, out):
        layers += [nn.Conv2d(c, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Down to a quarter of the size and up again; on the way up each map meets that of its size from the way down."""

    def __init__(self, width: int = 16):
        super().__init__()
        self.down1, self.down2 = double_conv(1, width), double_conv(width, 2 * width)
        self.middle = double_conv(2 * width, 4 * width)
        self.up2, self.up1 = double_conv(6 * width, 2 * width), double_conv(3 * width, width)
        self.out = nn.Conv2d(width, CLASSES, 1)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        a = self.down1(x)  # (N, 1, 32, 32) -> (N, 16, 32, 32)
        b = self.down2(F.max_pool2d(a, 2))  # (N, 32, 16, 16)
        x = self.middle(F.max_pool2d(b, 2))  # (N, 64, 8, 8)
        x = self.up2(mg.cat((F.interpolate(x, scale_factor=2), b), dim=1))  # (N, 32, 16, 16)
        x = self.up1(mg.cat((F.interpolate(x, scale_factor=2), a), dim=1))  # (N, 16, 32, 32)
        return self.out(x)  # (N, 11, 32, 32)


def mean_iou(predicted: np.ndarray, true: np.ndarray) -> float:
    counts = ConfusionMatrix(CLASSES).update(predicted, true).compute()
    both = counts.diagonal()
    return float((both / np.maximum(counts.sum(0) + counts.sum(1) - both, 1)).mean())


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--steps", type=int, default=700, help="of training, 64 canvases each (default: %(default)s)")
    p.add_argument("--seed", type=int, default=0, help="of weights and canvases (default: %(default)s)")
    args = p.parse_args()
    started, rng = time.perf_counter(), np.random.default_rng(args.seed)
    mg.manual_seed(args.seed)
    train, (test_x, test_y) = mg.data.Digits(train=True), canvases(mg.data.Digits(train=False), 500, rng)
    model = UNet()
    optimizer = mg.optim.Adam(model.parameters(), lr=4e-3)
    schedule = mg.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)
    for step in range(1, args.steps + 1):
        x, y = (mg.tensor(part) for part in canvases(train, 64, rng))
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: cross-entropy {loss.item():.4f}, {time.perf_counter() - started:.0f} s", flush=True)
    model.eval()
    with mg.no_grad():
        predicted = np.concatenate([model(mg.tensor(x)).argmax(1).numpy() for x in np.split(test_x, 5)])
    level, commonest = np.clip((test_x[:, 0] * 10).astype(int), 0, 10), np.zeros(11, np.int64)
    x, y = canvases(train, 500, rng)
    for i in range(11):  # the commonest class of each brightness
        here = y[np.clip((x[:, 0] * 10).astype(int), 0, 10) == i]
        commonest[i] = np.bincount(here, minlength=CLASSES).argmax() if len(here) else 0
    found, baseline = mean_iou(predicted, test_y), mean_iou(commonest[level], test_y)
    print(f"mean IoU {found:.3f} (wanted 0.9), by brightness {baseline:.3f}; {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
