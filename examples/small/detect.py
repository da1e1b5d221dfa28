"""Detection: where on a canvas are the two handwritten digits, how large, and which ones?

    python examples/small/detect.py         about a minute on two cores; no download (scikit-learn carries the digits)

Canvases of 48 x 48 pixels hold two digits of 12 to 24 pixels. The cell of a 12 x 12 grid in which the middle of a digit
lies says so, and gives its box and class. The figure is AP50: the precision of boxes that overlap a true one of their
class by half (IoU 0.5), averaged over recalls and classes. The baseline: a box in each quarter. Redmon et al., 2016.
"""

import argparse
import time

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.vision.resample import resize

SIZE, GRID, CELL = 48, 12, 4
SHAPES = ((1, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 64, 1))  # channels in, out, and stride


def scenes(digits: mg.data.Digits, count: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Canvases (N, 1, 48, 48), boxes (N, 2, 4) as left, top, right, bottom, and classes (N, 2)."""
    canvas, boxes = np.zeros((count, 1, SIZE, SIZE), np.float32), np.zeros((count, 2, 4), np.float32)
    pick, pixels = rng.integers(len(digits), size=(count, 2)), digits.pixels()
    for i, j in np.ndindex(count, 2):
        h = w = y = x = SIZE
        while y + h > SIZE or x + w > SIZE or canvas[i, 0, y : y + h, x : x + w].any():  # until it lies free
            h, w, y, x = *rng.integers(12, 25, size=2), *rng.integers(0, SIZE - 11, size=2)
        canvas[i, 0, y : y + h, x : x + w] = digit = resize(pixels[pick[i, j]], 0, (h, w), "bilinear")
        rows, columns = np.flatnonzero(digit.max(1) > 0.2), np.flatnonzero(digit.max(0) > 0.2)  # where there is ink
        boxes[i, j] = x + columns[0], y + rows[0], x + columns[-1] + 1, y + rows[-1] + 1
    return canvas + rng.normal(0, 0.1, canvas.shape).astype(np.float32), boxes, digits.labels[pick]


def detector() -> nn.Module:
    """(N, 1, 48, 48) -> (N, 15, 12, 12): is a middle here, four numbers of the box, ten classes."""
    layers: list[nn.Module] = []
    for channels, out, stride in SHAPES:
        layers += [nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(64, 15, 1))


def loss_of(out: mg.Tensor, boxes: np.ndarray, classes: np.ndarray) -> mg.Tensor:
    middle = (boxes[:, :, :2] + boxes[:, :, 2:]) / 2 / CELL  # (N, 2, 2) in cells
    n, (column, row) = np.arange(len(boxes)).repeat(2), middle.reshape(-1, 2).astype(int).T
    here = np.zeros((len(boxes), GRID, GRID), np.float32)
    here[n, row, column] = 1
    found = out[n, :, row, column]  # (2 N, 15), at the true middles
    box = np.concatenate([middle % 1, np.log((boxes[:, :, 2:] - boxes[:, :, :2]) / CELL)], axis=2).reshape(-1, 4)
    return (
        F.binary_cross_entropy_with_logits(out[:, 0], mg.tensor(here), reduction="sum") / len(boxes)
        + 5 * F.smooth_l1_loss(found[:, 1:5], mg.tensor(box))
        + F.cross_entropy(found[:, 5:], mg.tensor(classes.ravel()))
    )


def detections(out: np.ndarray) -> list[tuple]:
    """(canvas, score, class, box) of the cells that are surer of a middle than their neighbours."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(out[:, 0], ((0, 0), (1, 1), (1, 1))), (3, 3), axis=(1, 2))
    found = []
    for n, i, j in np.argwhere((out[:, 0] == around.max((3, 4))) & (out[:, 0] > -3)):
        dx, dy, w, h = out[n, 1:5, i, j]
        middle, half = np.array([j + dx, i + dy]) * CELL, np.exp([w, h]) * CELL / 2
        found.append((n, out[n, 0, i, j], out[n, 5:, i, j].argmax(), np.concatenate([middle - half, middle + half])))
    return found


def iou(a: np.ndarray, b: np.ndarray) -> float:
    both = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
    return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)


def ap50(found: list[tuple], boxes: np.ndarray, classes: np.ndarray) -> float:
    precisions = []
    for c in range(10):
        taken, hits = np.zeros(classes.shape, bool), [0]
        for n, _, _, box in sorted((d for d in found if d[2] == c), key=lambda d: -d[1]):
            fits = [j for j in range(2) if classes[n, j] == c and not taken[n, j] and iou(box, boxes[n, j]) >= 0.5]
            hits.append(len(fits[:1]))
            taken[n, fits[:1]] = True  # a second box on the same digit is wrong
        precision = np.cumsum(hits)[1:] / np.arange(1, len(hits))
        precision = np.maximum.accumulate(precision[::-1])[::-1]  # the best at this recall or a higher one
        precisions.append((precision * hits[1:]).sum() / (classes == c).sum())
    return float(np.mean(precisions))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--steps", type=int, default=600, help="of training, 64 canvases each (default: %(default)s)")
    p.add_argument("--seed", type=int, default=0, help="of weights and canvases (default: %(default)s)")
    args = p.parse_args()
    started, rng = time.perf_counter(), np.random.default_rng(args.seed)
    mg.manual_seed(args.seed)
    train, (canvas, boxes, classes) = mg.data.Digits(train=True), scenes(mg.data.Digits(train=False), 500, rng)
    model = detector()
    optimizer = mg.optim.Adam(model.parameters(), lr=4e-3)
    schedule = mg.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)
    for step in range(1, args.steps + 1):
        x, *truth = scenes(train, 64, rng)
        loss = loss_of(model(mg.tensor(x)), *truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.4f}, {time.perf_counter() - started:.0f} s", flush=True)
    model.eval()
    with mg.no_grad():
        found = detections(model(mg.tensor(canvas)).numpy())
    places = [np.array([x, y, x + 18, y + 18]) for x in (3, 27) for y in (3, 27)]
    naive = [(n, rng.random(), rng.integers(10), box) for n in range(len(canvas)) for box in places]
    ours, theirs = (ap50(d, boxes, classes) for d in (found, naive))
    print(f"AP50 {ours:.3f} (wanted 0.8), of fixed boxes {theirs:.4f}; {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
