"""RNNCell, LSTMCell and GRUCell: one step of a recurrent network at a time."""

import math
from typing import Any

from minigrad import creation
from minigrad.grad_names import named
from minigrad.nn import init
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.nn.rnn import run_cells
from minigrad.tensor import Tensor

_CELLS = {"RNN": ["TanhBackward0"], "GRU": ["AddBackward0"], "LSTM": ["MulBackward0", "AddBackward0"]}  # as printed


class RNNCellBase(Module):
    """What the cells share: `weight_ih` (gates H, inputs), `weight_hh` (gates H, H), `bias_ih`, `bias_hh`."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(creation.empty((rows, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(creation.empty((rows, hidden_size), device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            vector = Parameter(creation.empty(rows, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, vector)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _step(self, mode: str, input: Tensor, states: Any, **options: Any) -> list[Tensor]:
        """The new states, each (B, H), or (H,) for input without a batch."""
        count, name = 2 if mode == "LSTM" else 1, self._get_name()
        if input.ndim not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.ndim}D instead")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {input.shape[-1]} expected {self.input_size}")
        x = input if input.ndim == 2 else input.unsqueeze(0)
        if states is None:
            states = [creation.zeros((x.shape[0], self.hidden_size), dtype=x.dtype, device=x.device)] * count
        else:
            for i, state in enumerate(states):
                title = f"hx[{i}]" if count == 2 else "hidden"
                if state.ndim not in (1, 2):
                    raise ValueError(f"{name}: Expected {title} to be 1D or 2D, got {state.ndim}D instead")
                if state.ndim != input.ndim or tuple(state.shape) != (*input.shape[:-1], self.hidden_size):
                    raise RuntimeError(
                        f"{name}: {title} has shape {list(state.shape)}, expected "
                        f"{[*input.shape[:-1], self.hidden_size]} for an input of shape {list(input.shape)}"
                    )
            states = [state if state.ndim == 2 else state.unsqueeze(0) for state in states]
        batch, weights = x.shape[0], [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh]
        y = run_cells(mode, x, states, weights, (batch,), False, **options)
        fresh = [named(y[i * batch : (i + 1) * batch], _CELLS[mode][i - 1]) for i in range(1, count + 1)]
        return fresh if input.ndim == 2 else [state.squeeze(0) for state in fresh]

    def extra_repr(self) -> str:
        bias = "" if self.bias is True else f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        other = "" if nonlinearity == "tanh" else f", nonlinearity={nonlinearity}"
        return f"{self.input_size}, {self.hidden_size}{bias}{other}"


class RNNCell(RNNCellBase):
    """h' = tanh(x W_ih^T + b_ih + h W_hh^T + b_hh), or relu of it: x (B, inputs), h (B, H) -> (B, H); h starts as 0."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Any = None,
        dtype: Any = None,
    ):  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step("RNN", input, None if hx is None else [hx], nonlinearity=self.nonlinearity)[0]


class LSTMCell(RNNCellBase):
    """One step of an LSTM: x (B, inputs), (h, c) (B, H) each -> (h', c'); both start as 0."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        if hx is not None and not (isinstance(hx, (tuple, list)) and len(hx) == 2):
            raise RuntimeError(f"LSTMCell takes its states as a tuple (h, c), got {type(hx).__name__}")
        h, c = self._step("LSTM", input, hx)
        return h, c


class GRUCell(RNNCellBase):
    """One step of a GRU: x (B, inputs), h (B, H) -> (B, H); h starts as 0."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step("GRU", input, None if hx is None else [hx])[0]
