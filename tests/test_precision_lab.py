"""Emulated number formats: rounding bit for bit as ml_dtypes, and what a training step loses in them."""

import ml_dtypes
import numpy as np
import pytest

import minigrad as mg
from minigrad import precision_lab
from minigrad.nn import functional as F

THEIRS = {"float16": np.float16, **{n: getattr(ml_dtypes, n) for n in ("bfloat16", "float8_e5m2", "float8_e4m3fn")}}


def edges(dtype) -> np.ndarray:
    """Every number of a format, what lies half-way between two, and the float32 numbers next to all of those."""
    size = np.dtype(dtype).itemsize
    numbers = np.arange(2 ** (8 * size)).astype(f"u{size}").view(dtype).astype(np.float32)
    numbers = np.sort(numbers[np.isfinite(numbers)])
    halves = ((numbers[1:].astype(np.float64) + numbers[:-1]) / 2).astype(np.float32)
    with np.errstate(over="ignore"):
        top = numbers[-1] * np.array([1 + 2.0**-i for i in range(1, 12)], np.float32)
        odd = np.float32([np.inf, -np.inf, np.nan, 0.0, -0.0])
        exact = np.concatenate([numbers, halves, top, -top, odd])
        return np.concatenate([exact, np.nextafter(exact, odd[0]), np.nextafter(exact, odd[1])])


@pytest.mark.parametrize("name", THEIRS)
def test_rounding_is_ml_dtypes_bit_for_bit(name):
    words = np.random.default_rng(0).integers(0, 2**32, 300_000, dtype=np.uint32).view(np.float32)
    for x in (edges(THEIRS[name]), words):
        with np.errstate(all="ignore"):
            ours, theirs = precision_lab.round_to(x, name), x.astype(THEIRS[name]).astype(np.float32)
        assert ours.dtype == np.float32
        numbers = ~np.isnan(theirs)
        np.testing.assert_array_equal(np.isnan(ours), ~numbers)
        np.testing.assert_array_equal(ours[numbers].view(np.uint32), theirs[numbers].view(np.uint32))


def test_float32_stays_and_unknown_formats_are_named():
    x = np.random.default_rng(0).standard_normal(100).astype(np.float32)
    assert np.array_equal(precision_lab.round_to(x, "float32"), x)
    assert precision_lab.round_to(np.array([1e-9]), "float16")[0] == 0
    with pytest.raises(ValueError, match="no number format 'float12'; there are float32, bfloat16"):
        precision_lab.round_to(x, "float12")


def test_results_and_gradients_are_rounded_where_they_arise():
    x = mg.tensor([1.0, 3.0, 1000.0], requires_grad=True)
    with precision_lab.emulate("float8_e4m3fn") as lab:
        y = x * 0.3
        z = y.sum()
        z.backward()
    wanted = precision_lab.round_to(np.float32([0.3, 0.9, 300.0]), "float8_e4m3fn")
    assert y.tolist() == wanted.tolist() and z.item() == 288.0  # 288 + 0.3125 + 0.875 rounded
    assert x.tolist() == [1, 3, 1000] and x.grad.tolist() == [0.3125] * 3
    assert lab.forward["mul"].entries == 3 and lab.backward["mul"].entries == 3
    assert (x * 0.3).tolist() == pytest.approx([0.3, 0.9, 300.0])  # and it is over


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_a_model_keeps_its_parameters_and_gets_rounded_gradients(name):
    model = mg.nn.Sequential(mg.nn.Linear(8, 16), mg.nn.GELU(), mg.nn.LayerNorm(16), mg.nn.Linear(16, 4))
    before = [p.tolist() for p in model.parameters()]
    with precision_lab.emulate(name) as lab:
        logits = model(mg.randn(5, 8))
        F.cross_entropy(logits, mg.tensor([0, 1, 2, 3, 0])).backward()
    assert [p.tolist() for p in model.parameters()] == before
    for values in (logits, *(p.grad for p in model.parameters())):
        array = values.detach().numpy()
        np.testing.assert_array_equal(array, precision_lab.round_to(array, name))
    assert "layer_norm" in lab.forward and "layer_norm" in lab.backward


def test_the_report_shows_what_vanishes_and_what_a_scale_saves():
    x = mg.ones(4, requires_grad=True)

    def backward(scale):
        x.grad = None
        with precision_lab.emulate("float16") as lab:
            ((x * 1e-3).sum() * 1e-5 * scale).backward()
        return lab

    lab = backward(1.0)
    assert x.grad.tolist() == [0] * 4
    assert lab.backward["mul"].underflows == 4 and lab.backward["mul"].overflows == 0
    assert "gradients" in lab.report() and "%" in lab.report()
    scale = lab.suggested_scale()
    assert scale == 2.0**32  # the largest gradient is 1e-5 (scale's own 1 x 1e-5)
    backward(2.0**16)
    assert x.grad.tolist() == pytest.approx([1e-8 * 2**16] * 4, rel=2e-3)
    with precision_lab.emulate("float16") as lab:
        big = mg.tensor([300.0], requires_grad=True)
        (big * 300).sum()
    assert lab.forward["mul"].overflows == 1 and lab.suggested_scale() == 1.0


def test_one_format_at_a_time_and_an_error_ends_it():
    with precision_lab.emulate("bfloat16"), pytest.raises(RuntimeError, match="one format at a time"):
        precision_lab.emulate("float16").__enter__()
    with pytest.raises(ZeroDivisionError), precision_lab.emulate("bfloat16"):
        _ = 1 / 0
    assert (mg.ones(1) * 0.3).item() == pytest.approx(0.3)
