"""EarlyStopping: end a training when a figure of the validation data has stopped getting better."""

import math
from typing import Any


class EarlyStopping:
    """Counts how long a figure has not got better.

        stopping = EarlyStopping(patience=3)
        for epoch in range(epochs):
            ...
            if stopping.step(validation_loss):
                break                          # the last 3 figures were no better than stopping.best
            if stopping.improved:
                minigrad.save(model.state_dict(), "best.mg")

    `mode` "min" takes lower for better, "max" higher; better is better by more than `min_delta`. nan never is. Raises
    ValueError for a patience below 1, another mode, a negative min_delta. Source: Prechelt 1998, "Early Stopping - But
    When?".
    """

    def __init__(self, patience: int, mode: str = "min", min_delta: float = 0.0):
        if not (isinstance(patience, int) and patience >= 1):
            raise ValueError(f"patience is a number of figures, at least 1, got {patience!r}")
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be 'min' (a loss) or 'max' (an accuracy), got {mode!r}")
        if not 0 <= min_delta < math.inf:
            raise ValueError(f"min_delta must be 0 or more, got {min_delta!r}")
        self.patience, self.mode, self.min_delta = patience, mode, min_delta
        self.best = math.inf if mode == "min" else -math.inf
        self.best_step = -1  # which call of `step` brought the best, counted from 0
        self.steps = 0
        self.improved = False  # by the last figure

    @property
    def waited(self) -> int:
        """How many figures have come since the best."""
        return self.steps - 1 - self.best_step

    def step(self, value: Any) -> bool:
        """Take the next figure (a number or a tensor of one); True when `patience` have come without a better one."""
        value = float(value)
        gain = self.best - value if self.mode == "min" else value - self.best
        self.improved = gain > self.min_delta
        if self.improved:
            self.best, self.best_step = value, self.steps
        self.steps += 1
        return self.waited >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs: plain numbers."""
        return {"best": self.best, "best_step": self.best_step, "steps": self.steps, "improved": self.improved}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`; patience, mode and min_delta stay. KeyError names what it lacks."""
        self.best, self.best_step, self.steps, self.improved = (
            state[name] for name in ("best", "best_step", "steps", "improved")
        )

    def __repr__(self) -> str:
        return f"EarlyStopping(patience={self.patience}, mode={self.mode!r}, min_delta={self.min_delta:g})"
