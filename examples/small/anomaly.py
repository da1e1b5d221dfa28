"""Anomaly detection: an autoencoder learns what is usual, and what it cannot reproduce is unusual.

    python examples/small/anomaly.py        about a quarter of a minute on two cores; the data are made here

Each sample is a window of 64 readings of a machine: two tones, the second three times as fast as the first, of any
strength and phase, with noise. In 1 % of the windows the second tone is out of tune. Nothing is labelled in training,
and the anomalies are in the training data too. The figure is the area under the ROC curve of the squared error of the
reproduction; the baseline scores a window by its distance from the mean window. Kramer, "Nonlinear principal component
analysis using autoassociative neural networks", 1991.
"""

import argparse
import time

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.metrics import PRAUC, ROCAUC
from minigrad.nn import functional as F

LENGTH = 64


def windows(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(N, 64) readings and (N,) whether the window is an anomaly, exactly one in a hundred."""
    unusual = rng.permutation(count) < count // 100
    t = np.arange(LENGTH) / LENGTH * 2 * np.pi
    strength = rng.uniform(0.5, 1.5, (count, 2, 1))
    phase = rng.uniform(0, 2 * np.pi, (count, 2, 1))
    factor = np.where(unusual, rng.choice([2.8, 3.2], count), 3.0)  # of the frequency of the second tone
    first = strength[:, 0] * np.sin(2 * t + phase[:, 0])
    second = strength[:, 1] * np.sin(2 * factor[:, None] * t + phase[:, 1])
    return (first + second + rng.normal(0, 0.1, (count, LENGTH))).astype(np.float32), unusual


class Autoencoder(nn.Module):
    """64 readings through a bottleneck of four numbers: two strengths and two phases are all that usual ones hold."""

    def __init__(self, hidden: int = 64, code: int = 4):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(LENGTH, hidden), nn.Tanh(), nn.Linear(hidden, code))
        self.decoder = nn.Sequential(nn.Linear(code, hidden), nn.Tanh(), nn.Linear(hidden, LENGTH))

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.decoder(self.encoder(x))  # (N, 64) -> (N, 4) -> (N, 64)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--epochs", type=int, default=40, help="passes over 10,000 windows (default: %(default)s)")
    p.add_argument("--seed", type=int, default=0, help="of weights and readings (default: %(default)s)")
    args = p.parse_args()
    started, rng = time.perf_counter(), np.random.default_rng(args.seed)
    mg.manual_seed(args.seed)
    train, _ = windows(10_000, rng)
    test, unusual = windows(10_000, rng)
    model = Autoencoder()
    optimizer = mg.optim.Adam(model.parameters(), lr=3e-3)
    schedule = mg.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
    loader = mg.data.DataLoader(mg.data.TensorDataset(mg.tensor(train)), batch_size=128, shuffle=True)
    for epoch in range(1, args.epochs + 1):
        total = 0.0
        for (x,) in loader:
            loss = F.mse_loss(model(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        schedule.step()
        if epoch % 10 == 0:
            print(f"epoch {epoch}: mean squared error {total / len(train):.4f}", flush=True)
    with mg.no_grad():
        error = (model(mg.tensor(test)) - mg.tensor(test)).square().mean(1)
    distance = ((test - train.mean(0)) ** 2).mean(1)
    auc, baseline = ROCAUC().update(error, unusual).compute(), ROCAUC().update(distance, unusual).compute()
    precision = PRAUC().update(error, unusual).compute()
    print(
        f"ROC-AUC {auc:.3f} (wanted 0.95), by distance from the mean {baseline:.3f}; average precision {precision:.3f} "
        f"at 1 % positives; {time.perf_counter() - started:.0f} s"
    )


if __name__ == "__main__":
    main()
