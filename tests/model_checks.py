"""What every model is checked for: its gradient along a direction, and that it learns one batch by heart."""

from collections.abc import Callable

import numpy as np

import minigrad as mg


def gradient_error(model: mg.nn.Module, loss_of: Callable[[], mg.Tensor], step: float = 1e-6) -> float:
    """|directional derivative by backward - by central differences|, relative to their size, of a float64 model."""
    model.zero_grad()
    loss_of().backward()
    parameters = [p for p in model.parameters() if p.grad is not None]  # the others have no part in the loss
    rng = np.random.default_rng(0)
    directions = [rng.standard_normal(p.shape) for p in parameters]
    expected = sum(float((p.grad.numpy() * d).sum()) for p, d in zip(parameters, directions, strict=True))

    def moved(by: float) -> float:
        with mg.no_grad():
            for p, d in zip(parameters, directions, strict=True):
                p += mg.tensor(by * d)
            value = loss_of().item()
            for p, d in zip(parameters, directions, strict=True):
                p -= mg.tensor(by * d)
        return value

    measured = (moved(step) - moved(-step)) / (2 * step)
    return abs(expected - measured) / max(abs(expected), abs(measured), 0.1)


def loss_after(model: mg.nn.Module, loss_of: Callable[[], mg.Tensor], steps: int, lr: float = 0.01) -> float:
    """The loss after so many steps of Adam on the same batch."""
    optimizer = mg.optim.Adam(model.parameters(), lr=lr)
    for _ in range(steps):
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss_of().item()
