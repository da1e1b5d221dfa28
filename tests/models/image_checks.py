"""What is asked of every model of pictures: its gradient, learning one batch by heart, saving and loading."""

from collections.abc import Callable

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def check_gradient(model: nn.Module, loss: Callable[[], mg.Tensor], step: float = 1e-6) -> None:
    """The derivative of `loss()` along a random direction in the parameters (float64) against a central difference."""
    parameters = list(model.parameters())
    model.zero_grad()
    loss().backward()
    rng = np.random.default_rng(0)
    directions = [rng.standard_normal(p.shape) for p in parameters]
    pairs = list(zip(parameters, directions, strict=True))
    expected = sum(float((p.grad.numpy() * d).sum()) for p, d in pairs)

    def moved(by: float) -> float:
        with mg.no_grad():
            for p, d in pairs:
                p += mg.tensor(by * d)
            value = loss().item()
            for p, d in pairs:
                p -= mg.tensor(by * d)
        return value

    assert abs(expected) > 1e-3  # or the check says nothing
    assert expected == pytest.approx((moved(step) - moved(-step)) / (2 * step), rel=2e-5)


def overfit(model: nn.Module, loss: Callable[[], mg.Tensor], steps: int, lr: float = 3e-3) -> float:
    """The loss after Adam has seen one batch so many times."""
    optimizer = mg.optim.Adam(model.parameters(), lr=lr)
    for _ in range(steps):
        value = loss()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return value.item()


def check_saving(model: nn.Module, fresh: nn.Module, output: Callable[[nn.Module], mg.Tensor], folder) -> None:
    """A fresh copy gives the same bits once it has loaded what was saved; before that it does not."""
    before = output(model.eval())
    assert not output(fresh.eval()).equal(before)
    mg.save(model.state_dict(), folder / "weights.mg")
    fresh.load_state_dict(mg.load(folder / "weights.mg"))
    assert output(fresh).equal(before)
