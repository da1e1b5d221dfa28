"""Products with int8 and bfloat16 weights against the same numbers widened to float64."""

import numpy as np
import pytest
from kernel_checks import close

from minigrad.kernels import common, cpu

ml_dtypes = pytest.importorskip("ml_dtypes")
pytestmark = pytest.mark.usefixtures("both_forms")


def weight_of(kind, n, k, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "int8":
        return rng.integers(-127, 128, (n, k)).astype(np.int8), rng.uniform(0.01, 0.1, n).astype(np.float32)
    return rng.standard_normal((n, k)).astype(ml_dtypes.bfloat16), None


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("rows", [0, 1, 3, 8, 9, 40])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (5, 77), (530, 33)])
@pytest.mark.parametrize("kind", ["int8", "bfloat16"])
def test_against_float64(kind, n, k, rows, biased):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((rows, k)).astype(np.float32)
    bias = rng.standard_normal(n).astype(np.float32) if biased else None
    weight, scale = weight_of(kind, n, k)
    wide = weight.astype(np.float64) * (1.0 if scale is None else scale.astype(np.float64)[:, None])
    want = x.astype(np.float64) @ wide.T + (0.0 if bias is None else bias)
    got = cpu.quantized_linear(x, bias, weight, scale)
    assert got.shape == (rows, n)
    close(got, want)
    np.testing.assert_allclose(common.quantized_linear(x, bias, weight, scale), want, rtol=2e-5, atol=2e-5 * k)
    close(cpu.quantized_linear_input(got, weight, scale), got.astype(np.float64) @ wide, magnitude=n)


def test_nan_and_strided_rows():
    weight, scale = weight_of("int8", 6, 40)
    x = np.ones((4, 80), np.float32)[::2, ::2]
    x[1, 3] = np.nan
    y = cpu.quantized_linear(x, None, weight, scale)
    assert np.isnan(y[1]).all()
    close(y[:1], (weight.astype(np.float64) * scale[:, None]).sum(axis=1)[None])
