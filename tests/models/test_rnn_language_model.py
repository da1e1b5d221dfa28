"""The recurrent language model: gradient and learning of each cell, its state, generation, folders."""

import pytest
from model_checks import gradient_error, loss_after

import minigrad as mg
from models.generation import generate
from models.rnn import RNN, RNNConfig, locked_dropout

CELLS = ["rnn", "gru", "lstm"]


def tiny(cell="lstm", **changes):
    mg.manual_seed(0)
    return RNN(RNNConfig(11, cell, **{"channels": 8, "layers": 2, "dropout": 0.0, **changes}))


def tokens(rows=3, columns=7):
    return mg.randint(11, (rows, columns), generator=mg.Generator().manual_seed(2))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tied", [True, False])
def test_gradient(cell, tied):
    model, row = tiny(cell, tied=tied).double(), tokens()
    assert gradient_error(model, lambda: model(row[:, :-1], row[:, 1:])[1]) < 1e-6


@pytest.mark.parametrize("cell", CELLS)
def test_overfits_one_batch(cell):
    model, row = tiny(cell, channels=32), tokens()
    assert loss_after(model, lambda: model(row[:, 1:-1], row[:, 2:])[1], 120) < 0.1


@pytest.mark.parametrize("cell", CELLS)
def test_the_state_carries_what_was_read(cell):
    model, row = tiny(cell).eval(), tokens()
    with mg.no_grad():
        whole, _ = model(row)
        first, _ = model(row[:, :4])
        rest, _ = model(row[:, 4:], state=model.state)
    assert mg.cat((first, rest), 1).allclose(whole, atol=1e-6)
    _, loss = model(row[:, 4:-1], row[:, 5:], state=model.state)
    loss.backward()  # the state has no graph: nothing before it is needed


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("how", [{"temperature": 0}, {"num_beams": 3}])
def test_generation_with_and_without_a_state(cell, how):
    model = tiny(cell, channels=16).eval()
    with mg.no_grad():
        for p in model.parameters():
            p.mul_(6)
    kept = generate(model, tokens(), 8, **how)
    assert mg.equal(kept, generate(model, tokens(), 8, use_cache=False, **how))
    padded = mg.cat((mg.full((3, 2), 9), tokens()), 1)
    mask = (mg.arange(9) >= 2).long().expand(3, 9)
    assert mg.equal(generate(model, padded, 8, mask=mask, **how)[:, 2:], kept)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("cell", CELLS)
def test_padding_on_either_side_changes_no_logit(cell, side):
    model = tiny(cell).eval()
    row, padding = tokens(), mg.full((3, 2), 9)
    real, no = mg.ones_like(row), mg.zeros_like(padding)
    parts, masks = ((padding, row), (no, real)) if side == "left" else ((row, padding), (real, no))
    want, want_loss = model(row, row)
    got, loss = model(mg.cat(parts, 1), mg.cat(parts, 1), mask=mg.cat(masks, 1))
    got = got[:, 2:] if side == "left" else got[:, :-2]
    assert mg.allclose(got, want, atol=1e-6) and loss.item() == pytest.approx(want_loss.item(), abs=1e-6)


def test_dropout_is_locked_in_time():
    mg.manual_seed(0)
    x = locked_dropout(mg.ones(4, 6, 50), 0.5, True)
    assert (x == x[:, :1]).all() and set(x.flatten().tolist()) == {0.0, 2.0}
    assert not (x[0] == x[1]).all() and locked_dropout(x, 0.5, False) is x
    model = tiny(dropout=0.5, embedding_dropout=0.5)
    assert not mg.equal(model(tokens())[0], model(tokens())[0])
    assert mg.equal(model.eval()(tokens())[0], model(tokens())[0])


@pytest.mark.parametrize("cell", CELLS)
def test_saved_and_loaded(cell, tmp_path):
    model = tiny(cell).eval()
    model.save(tmp_path)
    again = RNN.load(tmp_path)
    assert again.config == model.config and mg.equal(again(tokens())[0], model(tokens())[0])


def test_bad_input():
    with pytest.raises(ValueError, match="cell must be one of rnn, gru, lstm, got 'mgu'"):
        tiny("mgu")
    with pytest.raises(ValueError, match="layers must be at least 1, got 0"):
        tiny(layers=0)
    with pytest.raises(IndexError, match="out of range"):
        tiny()(mg.tensor([[11]]))
