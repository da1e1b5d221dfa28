"""Recurrent networks: RNN, LSTM and GRU over whole sequences; for single steps see rnn_cell.py.

A layer multiplies all inputs of a sequence with W_ih at once; `ops/recurrent.py` has the recurrence itself.
"""

import math
import warnings
from typing import Any, ClassVar

from minigrad import creation, ops
from minigrad.grad_names import named
from minigrad.nn import functional as F, init
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.nn.utils.rnn import PackedSequence
from minigrad.tensor import Tensor

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """What RNN, LSTM and GRU share: the parameters of all layers and directions, checks, and the way of the data.

    Parameters of layer k: `weight_ih_lk` (gates H, inputs), `weight_hh_lk` (gates H, H) and, with `bias`, `bias_ih_lk`
    and `bias_hh_lk`, for the direction from the end also under these names with `_reverse`; all start uniform on
    +-1 / sqrt(H). `dropout` acts, in training, on the outputs of every layer but the last. With `proj_size` P the
    outputs, and the states h, of an LSTM have P entries instead of H: W_hh is (gates H, P) and `weight_hr_lk` (P, H).
    """

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0,
        device: Any = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__()
        if mode not in _GATES:
            raise ValueError(f"Unrecognized RNN mode: {mode}")
        _check_options(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}",
                stacklevel=3,
            )
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        self._all_weights: list[list[str]] = []
        rows, out = _GATES[mode] * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else out * (1 + bidirectional)
            for suffix in ("", "_reverse")[: 1 + bidirectional]:
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, inputs), "weight_hh": (rows, out)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = [f"{name}_l{layer}{suffix}" for name in shapes]
                for name, shape in zip(names, shapes.values(), strict=True):
                    setattr(self, name, Parameter(creation.empty(shape, device=device, dtype=dtype)))
                self._all_weights.append(names)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction, as lists."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [weight for weights in self.all_weights for weight in weights]

    def flatten_parameters(self) -> None:
        """Nothing: parameters need not lie side by side in memory here."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """(output, last states) of a sequence, a batch of them, or a PackedSequence; `hx` are the first states.

        input (T, B, input_size), or (B, T, input_size) with `batch_first`, or (T, input_size) without a batch
        -> output (T, B, D H) alike, D the number of directions. States are (D num_layers, B, H), or (D num_layers, H)
        without a batch; zeros where not given. RuntimeError or ValueError where shapes or dtypes do not fit.
        """
        packed = isinstance(input, PackedSequence)
        x, sizes, batched = self._rows_of(input, hx)
        states = self._first_states(hx, x, sizes, batched, input.sorted_indices if packed else None)
        output, lasts = self._run_layers(x, states, sizes)
        if packed:
            return type(input)(output, *input[1:]), self._given_back(
                lasts, lambda s: _reordered(s, input.unsorted_indices)
            )
        output = named(output.reshape(len(sizes), sizes[0], output.shape[1]), self._printed())  # (T, B, D H)
        if not batched:
            return output.squeeze(1), self._given_back(lasts, lambda s: s.squeeze(1))
        return output.transpose(0, 1) if self.batch_first else output, self._given_back(lasts, lambda s: s)

    def _printed(self) -> str:
        """What PyTorch's node of the output is called."""
        if self.bidirectional:
            return "CatBackward0"
        return "MkldnnRnnLayerBackward0" if self.mode == "LSTM" else "StackBackward0"

    # ------------------------------------------------------------------ input and states

    def _rows_of(self, input: Any, hx: Any) -> tuple[Tensor, tuple[int, ...], bool]:
        """The input as rows, time step after time step; the number of rows of each step; whether it has a batch."""
        given = hx if isinstance(hx, tuple) else () if hx is None else (hx,)
        if isinstance(input, PackedSequence):
            x, sizes, batched = input.data, tuple(input.batch_sizes.tolist()), True
            if x.ndim != 2:
                raise RuntimeError(f"input must have 2 dimensions, got {x.ndim}")
        else:
            x = input
            if x.ndim not in (2, 3):
                name = self._get_name()
                raise ValueError(f"{name}: Expected input to be 2D or 3D, got {x.ndim}D instead, shape {list(x.shape)}")
            batched = x.ndim == 3
            for state in given:
                if state.ndim != x.ndim:
                    kind = "batched 3-D" if batched else "unbatched 2-D"
                    wanted = "(D num_layers, B, H)" if batched else "(D num_layers, H)"
                    raise RuntimeError(
                        f"For {kind} input, hx should also be {x.ndim}-D, {wanted}, but got a {state.ndim}-D tensor"
                    )
            x = x.unsqueeze(1) if not batched else x.transpose(0, 1) if self.batch_first else x  # (T, B, C)
            sizes = (x.shape[1],) * x.shape[0]
        weight = getattr(self, self._all_weights[0][0])
        if x.dtype is not weight.dtype:
            raise ValueError(
                f"RNN input dtype ({x.dtype}) does not match weight dtype ({weight.dtype}). Convert input: "
                f"input.to({weight.dtype}), or convert model: model.to({x.dtype})"
            )
        if x.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.shape[-1]}"
            )
        if not sizes:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        return x if x.ndim == 2 else x.reshape(-1, self.input_size), sizes, batched

    def _first_states(
        self, hx: Any, x: Tensor, sizes: tuple[int, ...], batched: bool, order: Tensor | None
    ) -> list[Tensor]:
        """h, and for an LSTM c, each (D num_layers, B, H)."""
        wanted = self._kinds_of_state
        widths = (self.proj_size or self.hidden_size, self.hidden_size)[: len(wanted)]
        shapes = [(len(self._all_weights), sizes[0], width) for width in widths]
        if hx is None:
            return [creation.zeros(shape, dtype=x.dtype, device=x.device) for shape in shapes]
        if len(wanted) == 1:
            hx = (hx,)
        elif not (isinstance(hx, (tuple, list)) and len(hx) == len(wanted)):
            raise RuntimeError(f"{self._get_name()} takes its states as a tuple (h_0, c_0), got {type(hx).__name__}")
        states = [state if batched else state.unsqueeze(1) for state in hx]
        for state, name, shape in zip(states, wanted, shapes, strict=True):
            if tuple(state.shape) != shape:
                raise RuntimeError(f"Expected {name} {shape}, got {list(state.shape)}")
            if state.dtype is not x.dtype:
                raise RuntimeError(
                    f"{name}: expected the input's dtype {x.dtype}, got {state.dtype}; convert it with .to()"
                )
        return [_reordered(state, order) for state in states]

    _kinds_of_state: ClassVar[tuple[str, ...]] = ("hidden size",)

    def _given_back(self, lasts: list[Tensor], change: Any) -> Any:
        changed = tuple(change(state) for state in lasts)
        return changed if len(changed) > 1 else changed[0]

    # ------------------------------------------------------------------ layers

    def _run_layers(self, x: Tensor, states: list[Tensor], sizes: tuple[int, ...]) -> tuple[Tensor, list[Tensor]]:
        """x (N, C) through all layers -> outputs (N, D H) and the last states, (D num_layers, B, H) each."""
        directions = 1 + self.bidirectional
        lasts: list[list[Tensor]] = [[] for _ in states]
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(directions):
                number = layer * directions + direction
                starts, names = [state[number] for state in states], self._all_weights[number]
                y, ends = self._run(x, starts, names, sizes, direction == 1)
                outputs.append(y)
                for last, end in zip(lasts, ends, strict=True):
                    last.append(end)
            x = ops.cat(outputs, 1) if self.bidirectional else outputs[0]
            if layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout, self.training)
        return x, [ops.stack(last, 0) for last in lasts]

    def _run(
        self, x: Tensor, states: list[Tensor], names: list[str], sizes: tuple[int, ...], reverse: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """x (N, C) through one layer in one direction -> outputs (N, H) and the last states, (B, H) each."""
        weights = [getattr(self, name) for name in names]
        if self.proj_size:
            w_ih, w_hh, *biases, w_hr = weights
            gates = F.linear(x, w_ih, biases[0] + biases[1] if biases else None)
            h, c = states
            return ops.projected_lstm(gates, h, c, w_hh, w_hr, sizes=sizes, reverse=reverse)
        options = {"nonlinearity": self.mode[4:].lower()} if self.mode.startswith("RNN") else {}
        y = run_cells(self.mode, x, states, weights if self.bias else [*weights, None, None], sizes, reverse, **options)
        rows, batch = x.shape[0], sizes[0]
        return y[:rows], [y[rows + i * batch : rows + (i + 1) * batch] for i in range(len(states))]

    def extra_repr(self) -> str:
        ordinary = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0, "bidirectional": False}
        ordinary = ({"proj_size": 0} if self.proj_size else {}) | ordinary
        changed = [f"{name}={getattr(self, name)}" for name, usual in ordinary.items() if getattr(self, name) != usual]
        return ", ".join([str(self.input_size), str(self.hidden_size), *changed])


def run_cells(
    mode: str, x: Tensor, states: list[Tensor], weights: list, sizes: tuple[int, ...], reverse: bool, **options: Any
) -> Tensor:
    """One layer in one direction: x (N, C) -> the op's rows, outputs and last states."""
    w_ih, w_hh, b_ih, b_hh = weights
    if mode == "GRU":
        return ops.gru(F.linear(x, w_ih, b_ih), *states, w_hh, b_hh, sizes=sizes, reverse=reverse)
    gates = F.linear(x, w_ih, None if b_ih is None else b_ih + b_hh)
    if mode == "LSTM":
        return ops.lstm(gates, *states, w_hh, sizes=sizes, reverse=reverse)
    return ops.rnn(gates, *states, w_hh, sizes=sizes, reverse=reverse, **options)


def _reordered(state: Tensor, order: Tensor | None) -> Tensor:
    return state if order is None else state.index_select(1, order)


def _check_options(
    input_size: Any, hidden_size: Any, num_layers: Any, bias: Any, batch_first: Any, dropout: Any, proj_size: Any
) -> None:
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed, got "
            f"{dropout!r}"
        )
    expected = {"bias": (bias, bool), "batch_first": (batch_first, bool), "input_size": (input_size, int),
                "hidden_size": (hidden_size, int)}  # fmt: skip
    for name, (value, kind) in expected.items():
        if not isinstance(value, kind):
            raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
    for name, value in {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}.items():
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero, got {value}")
    if proj_size < 0:
        raise ValueError(f"proj_size should be a positive integer or zero to disable projections, got {proj_size}")
    if proj_size >= hidden_size:
        raise ValueError(f"proj_size has to be smaller than hidden_size, got {proj_size} and {hidden_size}")


class RNN(RNNBase):
    """h_t = tanh(x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh), or relu of it (`nonlinearity`). Elman, 1990.

    One matrix W over [h_{t-1}, x_t] side by side, as textbooks have it, is W_hh and W_ih next to each other.
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, device: Any = None,
        dtype: Any = None,
    ):  # fmt: skip
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(
            f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, device=device, dtype=dtype,
        )  # fmt: skip
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory. With i, f, g, o = the quarters of x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh,

        c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g)        h_t = sigmoid(o) tanh(c_t)

    States are tuples (h, c). With `proj_size` P, h_t = W_hr (sigmoid(o) tanh(c_t)), of P entries; Sak et al., 2014.
    Hochreiter and Schmidhuber, 1997.
    """

    _kinds_of_state = ("hidden[0] size", "hidden[1] size")

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, device: Any = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device,
            dtype,
        )  # fmt: skip


class GRU(RNNBase):
    """Gated recurrent unit, in the form with the reset gate after the product:

        r, z = sigmoid(x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh), the first two thirds
        n = tanh(x_t W_in^T + b_in + r (h_{t-1} W_hn^T + b_hn))        h_t = (1 - z) n + z h_{t-1}

    Cho et al., 2014 (arXiv:1406.1078).
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, device: Any = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device=device,
            dtype=dtype,
        )  # fmt: skip
