"""Recurrent layers and cells, packed sequences: PyTorch's figures, the textbook's formula, kernels, errors."""

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
import rnn_cases as cases
from hypothesis import given, settings, strategies as st
from layer_cases import listed, wave
from test_layers import close

import minigrad as mg
from minigrad import autograd, nn, ops
from minigrad.kernels import cpu
from minigrad.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence, pad_sequence

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "rnn.json").read_text(encoding="utf-8"))


def made(what):
    return (cases.layer if what in cases.LAYERS else cases.cell)(mg, what)


@pytest.mark.parametrize("what", [*cases.LAYERS, *cases.CELLS])
def test_values_and_gradients_are_pytorchs(what):
    module, given, call = made(what)
    close(cases.answers(module, call(*given), given), RECORDED["answers"][what], rtol=1e-9)


@pytest.mark.parametrize("what", [*cases.LAYERS, *cases.CELLS])
def test_float32_gives_them_to_rounding(what):
    module, given, call = made(what)
    module.float()
    given = [x.detach().float().requires_grad_() for x in given]
    recorded = RECORDED["answers"][what]
    answer = cases.answers(module, call(*given), given)
    for key in ("outputs", "by inputs"):
        for mine, theirs in zip(answer[key], recorded[key], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5 * max(1.0, np.abs(theirs).max()))
    for name, theirs in recorded["by parameters"].items():
        np.testing.assert_allclose(
            answer["by parameters"][name], theirs, rtol=0, atol=1e-5 * max(1.0, np.abs(theirs).max())
        )


def test_dropout_between_layers_draws_in_pytorchs_order():
    mine = cases.in_training(mg)
    assert list(mine) == list(RECORDED["in training"])
    for what, recorded in RECORDED["in training"].items():
        for y, theirs in zip(mine[what], recorded, strict=True):
            np.testing.assert_allclose(y, theirs, rtol=1e-5, atol=1e-6, err_msg=what)


def test_repr_names_and_initial_weights_are_pytorchs():
    assert cases.initial(mg) == RECORDED["initial"]  # the weights bit for bit


def test_packing_is_pytorchs():
    assert json.loads(json.dumps(cases.packing(mg))) == RECORDED["packing"]


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize("what", ["rnn, two directions, packed", "lstm, packed", "gru, packed", "lstm cell"])
def test_gradients_are_those_of_finite_differences(what):
    _, given, call = made(what)
    assert mg.gradcheck(lambda *xs: tuple(call(*xs)), given, atol=1e-5)


@pytest.mark.parametrize("what", ["rnn", "lstm", "gru"])
def test_second_order_in_float32_is_that_of_float64(what):
    def penalty(dtype):
        module, (x,), call = made(what)
        module.to(dtype)
        x = x.detach().to(dtype).requires_grad_()
        (first,) = autograd.grad((call(x)[0] ** 2).sum(), x, create_graph=True)
        return autograd.grad((first * first).sum(), [x, *module.parameters()])

    for narrow, wide in zip(penalty(mg.float32), penalty(mg.float64), strict=True):
        assert narrow.dtype is mg.float32
        np.testing.assert_allclose(narrow.numpy(), wide.numpy(), rtol=0, atol=2e-5 * float(wide.abs().max()))


# ---------------------------------------------------------------- the kernels against the definitions

CALLS = {
    "rnn tanh": (ops.rnn, 1, ("h", "weight"), {"nonlinearity": "tanh"}),
    "rnn relu": (ops.rnn, 1, ("h", "weight"), {"nonlinearity": "relu"}),
    "lstm": (ops.lstm, 4, ("h", "c", "weight"), {}),
    "gru": (ops.gru, 3, ("h", "weight", "bias"), {}),
}
falling = st.lists(st.integers(0, 5), min_size=1, max_size=5).map(lambda sizes: tuple(sorted(sizes, reverse=True)))


def both(op, arrays, params, dtype):
    inputs = [mg.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
    y = op(*inputs, **params)
    y.backward(mg.tensor(np.cos(np.arange(y.numel())).reshape(y.shape).astype(dtype)))
    return [listed(y), *[listed(x.grad) for x in inputs]]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(list(CALLS)), falling, st.sampled_from([1, 3, 17]), st.booleans(), st.integers(0, 2**32 - 1))
def test_kernels_agree_with_the_definition_in_float64(name, sizes, width, reverse, seed):
    op, gates, names, params = CALLS[name]
    rng = np.random.default_rng(seed)
    shapes = {
        "h": (sizes[0], width),
        "c": (sizes[0], width),
        "weight": (gates * width, width),
        "bias": (gates * width,),
    }
    arrays = [(rng.standard_normal(s) / 2).astype("f") for s in [(sum(sizes), gates * width), *map(shapes.get, names)]]
    if name == "rnn relu":  # away from the kink: no state comes near the size of the gates
        arrays[0], arrays[2] = np.sign(arrays[0]) * (1 + abs(arrays[0])), arrays[2] / (20 * width)
    params = {**params, "sizes": sizes, "reverse": reverse}
    for narrow, wide in zip(both(op, arrays, params, "f4"), both(op, arrays, params, "f8"), strict=True):
        largest = np.abs(wide).max(initial=0.1)
        np.testing.assert_allclose(narrow, wide, rtol=0, atol=1e-5 * largest)


def test_float32_runs_the_kernels(monkeypatch):
    called = []
    for name in ("rnn", "lstm", "gru"):
        for way in ("fwd", "bwd"):
            kernel = getattr(cpu, f"{name}_{way}")
            monkeypatch.setattr(
                cpu, f"{name}_{way}", lambda *a, k=kernel, n=f"{name}_{way}": (called.append(n), k(*a))[1]
            )
    for kind in (nn.RNN, nn.LSTM, nn.GRU):
        kind(2, 3)(mg.ones(2, 1, 2))[0].sum().backward()
    assert called == ["rnn_fwd", "rnn_bwd", "lstm_fwd", "lstm_bwd", "gru_fwd", "gru_bwd"]


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_special_numbers_stay_in_their_row_of_the_batch(kind):
    module = kind(2, 3)
    clean = module(mg.ones(3, 4, 2))[0].detach().numpy()
    x = np.ones((3, 4, 2), np.float32)
    x[1, 0], x[1, 1], x[1, 2] = np.nan, np.inf, -np.inf
    y = module(mg.tensor(x))[0].detach().numpy()
    assert np.isnan(y[1:, 0]).all() and np.isfinite(y[0]).all()
    np.testing.assert_array_equal(y[:, 3], clean[:, 3])


def test_large_gates_saturate():
    x = mg.tensor([[200.0], [-200.0]])
    y = ops.lstm(x * mg.ones(1, 4), mg.zeros(2, 1), mg.ones(2, 1), mg.zeros(4, 1), sizes=(2,), reverse=False)
    np.testing.assert_allclose(y[4:].numpy(), [[2.0], [0.0]])
    np.testing.assert_allclose(y[2:4].numpy(), [[math.tanh(2.0)], [0.0]], rtol=1e-6)


# ---------------------------------------------------------------- what the layers mean


def test_one_matrix_over_state_and_input_is_weight_hh_beside_weight_ih():
    """h_t = sigma(W [h_{t-1}, x_t] + b), o_t = sigma(W_o h_t + b_o), as textbooks write the network of Elman."""
    hidden, inputs, outputs = 4, 3, 2
    w, b = mg.from_numpy(wave(hidden, hidden + inputs)), mg.from_numpy(wave(hidden, phase=0.3))
    w_o, b_o = mg.from_numpy(wave(outputs, hidden, phase=0.5)), mg.from_numpy(wave(outputs, phase=0.7))
    x, h = mg.from_numpy(wave(6, inputs)), mg.zeros(hidden, dtype=mg.float64)
    by_hand = []
    for t in range(6):
        h = mg.tanh(w @ mg.cat([h, x[t]]) + b)
        by_hand.append(mg.tanh(w_o @ h + b_o))

    network, readout = nn.RNN(inputs, hidden).double(), nn.Linear(hidden, outputs).double()
    with mg.no_grad():
        network.weight_hh_l0.copy_(w[:, :hidden])
        network.weight_ih_l0.copy_(w[:, hidden:])
        network.bias_ih_l0.copy_(b)
        network.bias_hh_l0.zero_()
        readout.weight.copy_(w_o)
        readout.bias.copy_(b_o)
    states, last = network(x)
    np.testing.assert_allclose(mg.tanh(readout(states)).detach().numpy(), mg.stack(by_hand).numpy(), rtol=1e-12)
    np.testing.assert_allclose(last[0].detach().numpy(), h.numpy(), rtol=1e-12)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_layer_is_its_cell_step_by_step(kind):
    layer, cell = getattr(nn, kind)(2, 3), getattr(nn, f"{kind}Cell")(2, 3)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, state = mg.randn(4, 5, 2), None
    y, _ = layer(x)
    for t in range(4):
        state = cell(x[t], state)
        h = state[0] if kind == "LSTM" else state
        np.testing.assert_allclose(h.detach().numpy(), y[t].detach().numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_packed_sequences_are_those_run_alone(kind):
    layer = kind(2, 3, 2, bidirectional=True)
    alone = [mg.randn(n, 2) for n in (2, 4, 1)]
    y, last = layer(pack_sequence(alone, enforce_sorted=False))
    padded, lengths = pad_packed_sequence(y, batch_first=True)
    assert lengths.tolist() == [2, 4, 1]
    for i, x in enumerate(alone):
        expected, states = layer(x)
        np.testing.assert_allclose(
            padded[i, : len(x)].detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-7
        )
        assert (padded[i, len(x) :] == 0).all()
        for a, b in zip(last if kind is nn.LSTM else [last], states if kind is nn.LSTM else [states], strict=True):
            np.testing.assert_allclose(a[:, i].detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-7)


def test_weights_are_read_at_every_call():
    layer, x = nn.LSTM(2, 3), mg.randn(4, 1, 2)
    before = layer(x)[0]
    layer.weight_hh_l0 = nn.Parameter(layer.weight_hh_l0.detach() * 2)
    assert not layer(x)[0].equal(before)
    layer.flatten_parameters()
    assert [w.shape for w in layer.all_weights[0]] == [(12, 2), (12, 3), (12,), (12,)]
    twin = copy.deepcopy(layer)
    assert twin(x)[0].equal(layer(x)[0])


def test_packed_sequences_move_and_convert():
    packed = pack_sequence([mg.ones(2, 1), mg.ones(1, 1)])
    assert packed.double().data.dtype is mg.float64
    assert packed.to(mg.float32) is packed and packed.cpu() is packed and not packed.is_cuda
    assert pad_sequence(iter([mg.ones(2), mg.ones(1)])).tolist() == [[1, 1], [1, 0]]


# ---------------------------------------------------------------- errors


def words(text):
    return text.split(". ")[0].split(" but ")[0].split(", got")[0].split(" if you")[0]


@pytest.mark.filterwarnings("ignore:dropout option")
def test_errors_are_of_pytorchs_types_and_begin_alike():
    mine = cases.errors(mg)
    assert {name: kind for name, (kind, _) in mine.items()} == {n: kind for n, (kind, _) in RECORDED["errors"].items()}
    assert "hidden has shape [1, 4], expected [1, 3]" in mine.pop("cell state")[1]
    for name, (_, text) in mine.items():
        assert text.startswith(words(RECORDED["errors"][name][1]).removesuffix(" <= 0")), name


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: nn.LSTM(2, 3)(mg.ones(2, 1, 2), mg.ones(1, 1, 3)), RuntimeError, r"as a tuple \(h_0, c_0\)"),
        (lambda: nn.LSTMCell(2, 3)(mg.ones(1, 2), mg.ones(1, 3)), RuntimeError, r"as a tuple \(h, c\), got Tensor"),
        (
            lambda: nn.GRU(2, 3)(mg.ones(2, 1, 2), mg.ones(1, 1, 3).double()),
            RuntimeError,
            "input's dtype torch.float32, got torch.float64",
        ),
        (lambda: pack_padded_sequence(mg.ones(3, 1, 2), [4]), RuntimeError, "length of 4 exceeds the 3 time steps"),
        (lambda: pad_sequence([mg.ones(2, 1), mg.ones(2)]), RuntimeError, "may differ in their first dim alone"),
        (lambda: nn.RNNBase("ELMAN", 2, 3), ValueError, "Unrecognized RNN mode: ELMAN"),
    ],
)
def test_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()
