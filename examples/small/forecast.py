"""Forecasting: an LSTM reads the past week of an hourly series and says the next day.

    python examples/small/forecast.py       less than half a minute on two cores; the series is made here

The series is four years of electricity use as it might be: a day and a week in it, a winter, a slow rise, weather that
lasts for days, and noise. The last half year is for testing alone, the half year before it picks the best epoch. The
figure is the mean absolute error over all hours of all days ahead; the baseline, the seasonal naive forecast, says that
each hour will be as the same hour a week ago. Hochreiter and Schmidhuber, "Long short-term memory", 1997.
"""

import argparse
import time

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.metrics import MAE
from minigrad.nn import functional as F

WEEK, DAY = 168, 24


def series(rng: np.random.Generator, hours: int = 4 * 365 * DAY) -> np.ndarray:
    """(hours,) float32, with a mean near 0 and a deviation near 1."""
    t = np.arange(hours)
    day = np.sin(2 * np.pi * t / DAY) + 0.4 * np.sin(4 * np.pi * t / DAY + 1)
    weekend = np.where(t // DAY % 7 >= 5, 0.5, 1.0)
    year = 0.5 * np.cos(2 * np.pi * t / (365 * DAY))
    weather = np.zeros(hours)
    shocks = rng.normal(0, 0.1, hours)
    for i in range(1, hours):  # remembers for about three days
        weather[i] = 0.985 * weather[i - 1] + shocks[i]
    return (day * weekend + year + weather + 0.3 * t / hours + rng.normal(0, 0.1, hours)).astype(np.float32)


class Forecaster(nn.Module):
    """Each day of the past week is one step; the next day is what changes against the same day a week ago."""

    def __init__(self, hidden: int = 64):
        super().__init__()
        self.lstm = nn.LSTM(DAY, hidden, batch_first=True)
        self.head = nn.Linear(hidden, DAY)

    def forward(self, past: mg.Tensor) -> mg.Tensor:
        days = past.view(-1, 7, DAY)  # (N, 168) -> (N, 7, 24)
        level = days[:, -1:].mean(2, keepdim=True)  # of the last day: less it, all weeks are alike
        states, _ = self.lstm(days - level)  # (N, 7, hidden)
        return days[:, 0] + self.head(states[:, -1])  # (N, 24)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--epochs", type=int, default=12, help="passes over three years of hours (default: %(default)s)")
    p.add_argument("--seed", type=int, default=0, help="of weights and series (default: %(default)s)")
    args = p.parse_args()
    started = time.perf_counter()
    mg.manual_seed(args.seed)
    values = series(np.random.default_rng(args.seed))
    windows = np.lib.stride_tricks.sliding_window_view(values, WEEK + DAY)  # one from each hour on
    half_year = 182 * DAY
    train = mg.tensor(windows[: -2 * half_year].copy())
    validation, test = (mg.tensor(windows[part][::DAY].copy()) for part in (  # whole days only
        slice(-2 * half_year + WEEK + DAY, -half_year), slice(-half_year + WEEK + DAY, None)
    ))  # fmt: skip

    def error(part: mg.Tensor) -> float:
        with mg.no_grad():
            return MAE().update(model(part[:, :WEEK]), part[:, WEEK:]).compute()

    model = Forecaster()
    optimizer = mg.optim.Adam(model.parameters(), lr=2e-3)
    loader = mg.data.DataLoader(mg.data.TensorDataset(train), batch_size=128, shuffle=True)
    best, kept = float("inf"), model.state_dict()
    for epoch in range(1, args.epochs + 1):
        for (x,) in loader:
            loss = F.l1_loss(model(x[:, :WEEK]), x[:, WEEK:])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found = error(validation)
        if found < best:
            best, kept = found, {name: value.clone() for name, value in model.state_dict().items()}
        print(f"epoch {epoch}: validation error {found:.4f}, {time.perf_counter() - started:.0f} s", flush=True)
    model.load_state_dict(kept)
    naive = MAE().update(test[:, :DAY], test[:, WEEK:]).compute()
    yesterday = MAE().update(test[:, WEEK - DAY : WEEK], test[:, WEEK:]).compute()
    print(
        f"mean absolute error {error(test):.3f}, as a week ago (seasonal naive) {naive:.3f}, as yesterday "
        f"{yesterday:.3f}; {time.perf_counter() - started:.0f} s"
    )


if __name__ == "__main__":
    main()
