"""Sums over last axes and the places of the best entries, against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from kernel_checks import close

from minigrad.kernels import common, cpu

pytestmark = pytest.mark.usefixtures("both_forms")
AXES = [None, (0,), (2,), (-1,), (1, 2), (0, 2), (0, 1, 2), (0, 1)]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("shape", [(30, 20, 17), (5, 1, 4100), (1, 1, 9001), (4097, 3, 1)])
def test_sums(shape, axis, keepdims, monkeypatch):
    monkeypatch.setattr(cpu, "SMALLEST_SUM", 1)
    x = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
    want = x.astype(np.float64).sum(axis=axis, keepdims=keepdims)
    got = cpu.sum(x, axis, keepdims)
    assert isinstance(got, (np.ndarray, np.float32)) and got.shape == want.shape
    close(np.asarray(got), want)
    turned = x[::-1].astype(np.float64).sum(axis=axis, keepdims=keepdims)
    close(np.asarray(cpu.sum(x[::-1], axis, keepdims)), turned)  # not contiguous: NumPy's


def test_a_long_sum_loses_no_digits():
    x = np.full(3_000_001, 0.1, np.float32)
    assert cpu.sum(x, None, False) == pytest.approx(float(np.float32(0.1)) * 3_000_001, rel=1e-6)
    x[5] = np.nan
    assert np.isnan(cpu.sum(x, None, False))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4), st.integers(4, 300), st.integers(1, 40), st.booleans(), st.integers(0, 99), st.booleans())
def test_top_places(rows, n, k, largest, seed, ties):
    """Equal entries keep the order of their places, infinities have theirs."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, (rows, n)).astype(np.float32) if ties else rng.standard_normal((rows, n), np.float32)
    x[:, n // 3] = np.inf
    x[:, n // 2] = -np.inf
    k = min(k, n)
    np.testing.assert_array_equal(cpu.top_places(x, 1, k, largest), common.top_places(x, 1, k, largest))


def test_sorted_rows_and_nan():
    x = np.arange(1000, dtype=np.float32)
    for row in (x, x[::-1].copy()):
        np.testing.assert_array_equal(row[cpu.top_places(row, 0, 7, True)], np.arange(999, 992, -1))
        np.testing.assert_array_equal(row[cpu.top_places(row, 0, 7, False)], np.arange(7))
    x[40] = np.nan
    assert cpu.top_places(x, 0, 3, True).tolist() == [40, 999, 998]
    assert cpu.top_places(x, 0, 3, False).tolist() == [0, 1, 2]


def test_the_kernel_takes_what_generation_asks_for(monkeypatch):
    def refuse(*args):
        raise AssertionError("the definition ran")

    monkeypatch.setattr(common, "top_places", refuse)
    logits = np.random.default_rng(1).standard_normal((2, 5000), np.float32)
    places = cpu.top_places(logits, -1, 50, True)
    np.testing.assert_array_equal(places, np.argsort(-logits, axis=1, kind="stable")[:, :50])
