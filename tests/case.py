"""One row of the table of ops: what to call, on which inputs, and what has to come out.

`tests/op_cases.py` collects the rows, one harness runs them all in float64: the value against the oracle, the gradient
and the second gradient against finite differences, read-only and non-contiguous inputs, every backend.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Maker = Callable[[np.random.Generator], np.ndarray]  # makes an input from a random generator


@dataclass(frozen=True)
class Case:
    """A call of an op: `function(*tensors, **params) -> Tensor`.

    name      the public name the case counts for, as the list "Ops" spells it, such as "nn.functional.gelu"
    function  takes the inputs as Tensors, positionally, and `params` by keyword; returns a Tensor
    inputs    one entry an input: a shape, drawn uniformly from [low, high) in float64, or a `Maker` for all else
    (labels, probabilities, numbers away from a kink). Only floating inputs are differentiated
    params    keyword arguments of the call; raw NumPy arrays in it are handed over as they are
    low, high the domain of inputs given by shape. Choose it, or use a `Maker`, so that no entry comes within 1e-4 of a
              point where the derivative jumps: finite differences across a kink prove nothing
    oracle    the same function of NumPy arrays, same arguments, written from the formula; None where there is no
              short one (the gradient is checked all the same)
    gradient  the first gradient is checked; False for ops without one
    second    the second gradient is checked too
    note      what sets this case apart from the op's others; part of the test's name
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple[tuple[int, ...] | Maker, ...]
    params: dict[str, Any] = field(default_factory=dict)
    low: float = -2.0
    high: float = 2.0
    oracle: Callable[..., Any] | None = None
    gradient: bool = True
    second: bool = True
    note: str = ""

    @property
    def id(self) -> str:
        """The name of the test."""
        return f"{self.name}[{self.note}]" if self.note else self.name

    def draw(self, seed: int = 0) -> list[np.ndarray]:
        """The inputs as NumPy arrays: float64, or whatever a maker returns."""
        rng = np.random.default_rng(seed)
        return [
            np.asarray(make(rng) if callable(make) else rng.uniform(self.low, self.high, make)) for make in self.inputs
        ]
