"""Captioning: a convolutional encoder sees digits in a row, a decoder with attention says them as words.

    python examples/small/caption.py        about a minute on two cores; no download (scikit-learn carries the digits)

Pictures of 12 x 48 pixels hold one to four handwritten digits, anywhere from left to right; the caption is their names
and an end. For each word the decoder, a GRU, asks the columns of the encoder's map and looks where the answer is (the
last lines show where). The figure is the share of captions that are right to the last word; the baseline says "one",
the most common caption's like. Xu et al., "Show, attend and tell", arXiv:1502.03044; Bahdanau et al., arXiv:1409.0473.
"""

import argparse
import time

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
WORDS = [*NAMES, "<end>", "<start>"]
END, START, LONGEST = 10, 11, 5
HEIGHT, WIDTH = 12, 48


def pictures(digits: mg.data.Digits, count: int, rng: np.random.Generator) -> tuple[mg.Tensor, mg.Tensor]:
    """Pictures (N, 1, 12, 48) and captions (N, 5), <end> from the last word on."""
    x, pixels = rng.normal(0, 0.1, (count, 1, HEIGHT, WIDTH)).astype(np.float32), digits.pixels()
    captions = np.full((count, LONGEST), END)
    for i in range(count):
        n = rng.integers(1, 5)
        pick = rng.integers(len(digits), size=n)
        free = np.sort(rng.integers(0, WIDTH - 9 * n + 1, size=n))  # the gaps before each, 9 columns a digit
        for j, k in enumerate(pick):
            top, left = rng.integers(0, HEIGHT - 7), free[j] + 9 * j
            x[i, 0, top : top + 8, left : left + 8] += pixels[k]
        captions[i, :n] = digits.labels[pick]
    return mg.tensor(x), mg.tensor(captions)


class Captioner(nn.Module):
    def __init__(self, width: int = 48, hidden: int = 96):
        super().__init__()
        layers: list[nn.Module] = []
        for channels, out, pool in ((1, width, 1), (width, width, 2), (width, 2 * width, 1)):
            layers += [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if pool == 2 else []
        self.encoder = nn.Sequential(*layers, nn.Conv2d(2 * width, hidden, (6, 3), padding=(0, 1)), nn.ReLU())
        self.place = nn.Parameter(0.1 * mg.randn(WIDTH // 2, hidden))  # which column it is
        self.words = nn.Embedding(len(WORDS), hidden)
        self.cell = nn.GRUCell(2 * hidden, hidden)
        self.key, self.query = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.score = nn.Linear(hidden, 1)
        self.out = nn.Linear(2 * hidden, len(NAMES) + 1)

    def forward(self, x: mg.Tensor, captions: mg.Tensor | None = None) -> tuple[mg.Tensor, mg.Tensor]:
        """Logits (N, 5, 11) and where was looked (N, 5, 24). Without captions each word follows from those said."""
        columns = self.encoder(x)[:, :, 0].transpose(1, 2) + self.place  # (N, 1, 12, 48) -> (N, 24, hidden)
        keys, h = self.key(columns), columns.mean(1)  # (N, 24, hidden), (N, hidden)
        word = mg.full((len(x),), START, dtype=mg.int64)
        logits, looks = [], []
        for t in range(LONGEST):
            # Bahdanau's attention: softmax of v tanh(W h + U column)
            look = F.softmax(self.score(mg.tanh(keys + self.query(h).unsqueeze(1)))[:, :, 0], dim=1)  # (N, 24)
            seen = (look.unsqueeze(1) @ columns)[:, 0]  # (N, hidden)
            h = self.cell(mg.cat((self.words(word), seen), dim=1), h)
            logits.append(self.out(mg.cat((h, seen), dim=1)))
            looks.append(look)
            word = logits[-1].argmax(1) if captions is None else captions[:, t]
        return mg.stack(logits, dim=1), mg.stack(looks, dim=1)


def upto_end(caption: np.ndarray) -> list[int]:
    return caption[: int(np.argmax(caption == END))].tolist() if (caption == END).any() else caption.tolist()


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--steps", type=int, default=700, help="of training, 64 pictures each (default: %(default)s)")
    p.add_argument("--seed", type=int, default=0, help="of weights and pictures (default: %(default)s)")
    args = p.parse_args()
    started, rng = time.perf_counter(), np.random.default_rng(args.seed)
    mg.manual_seed(args.seed)
    train, (test, captions) = mg.data.Digits(train=True), pictures(mg.data.Digits(train=False), 1000, rng)
    model = Captioner()
    optimizer = mg.optim.Adam(model.parameters(), lr=3e-3)
    schedule = mg.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)
    for step in range(1, args.steps + 1):
        x, y = pictures(train, 64, rng)
        loss = F.cross_entropy(model(x, y)[0].flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: cross-entropy {loss.item():.4f}, {time.perf_counter() - started:.0f} s", flush=True)
    model.eval()
    with mg.no_grad():
        logits, looks = model(test)
    said, true = ([upto_end(c) for c in part.numpy()] for part in (logits.argmax(2), captions))
    right = np.mean([a == b for a, b in zip(said, true, strict=True)])
    naive = np.mean([b == [1] for b in true])
    for word, look in zip(said[0], looks[0], strict=False):
        print(f"{NAMES[word]:>6}: looked at column {2 * int(look.argmax())} of {WIDTH}")
    print(f"captions right {right:.1%}, always 'one' {naive:.1%}; {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
