"""The text classifier: gradient, learning, padding, poolings, folders."""

import pytest
from model_checks import gradient_error, loss_after

import minigrad as mg
from models.text_classifier import TextClassifier, TextClassifierConfig


def tiny(**changes):
    mg.manual_seed(0)
    sizes = {"channels": 8, "heads": 2, "hidden": 12, "layers": 2, "dropout": 0.0, **changes}
    return TextClassifier(TextClassifierConfig(11, **sizes))


def batch(rows: int = 4, columns: int = 6):
    return mg.randint(11, (rows, columns), generator=mg.Generator().manual_seed(1))


LABELS = mg.tensor([0, 1, 1, 0])


@pytest.mark.parametrize("pooling", ["mean", "max", "first"])
@pytest.mark.parametrize("classes", [1, 2])
def test_gradient(pooling, classes):
    model = tiny(pooling=pooling, classes=classes).double()
    mask = mg.ones(4, 6)
    mask[1, 4:] = 0
    assert gradient_error(model, lambda: model(batch(), mask, LABELS, mg.tensor([1.0, 2.0]).double())[1]) < 1e-6


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("norm_first", [True, False])
def test_overfits_one_batch(classes, norm_first):
    model = tiny(classes=classes, channels=32, norm_first=norm_first)
    assert loss_after(model, lambda: model(batch(), labels=LABELS)[1], 80) < 0.05
    assert (model.eval().probabilities(batch()).argmax(1) == LABELS).all()


@pytest.mark.parametrize("pooling", ["mean", "max", "first"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing(pooling, side):
    model, tokens = tiny(pooling=pooling).eval(), batch()
    pads, order = mg.full((4, 3), 5), slice(None, None, 1 if side == "left" else -1)
    padded = mg.cat((pads, tokens)[order], dim=1)
    mask = mg.cat((mg.zeros(4, 3), mg.ones(4, 6))[order], dim=1)
    with mg.no_grad():
        assert (model(padded, mask)[0] - model(tokens)[0]).abs().max() < 1e-5
        assert model(padded, mask, LABELS)[1].item() == pytest.approx(model(tokens, None, LABELS)[1].item(), abs=1e-6)


def test_one_logit_and_two_agree_on_probabilities():
    p = tiny(classes=1).eval().probabilities(batch())
    assert p.shape == (4, 2) and p.sum(1).allclose(mg.ones(4))


def test_saved_and_loaded(tmp_path):
    model = tiny(pooling="max", classes=3).eval()
    model.save(tmp_path, labels=["bad", "so so", "good"])
    again = TextClassifier.load(tmp_path)
    assert again.config == model.config
    with mg.no_grad():
        assert mg.equal(again(batch())[0], model(batch())[0])


def test_bad_input():
    with pytest.raises(ValueError, match="pooling must be one of mean, max, first, got 'sum'"):
        tiny(pooling="sum")
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        tiny(classes=0)
