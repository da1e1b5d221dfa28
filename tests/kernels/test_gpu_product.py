"""The product that may be captured, by our own kernel, against NumPy in float64."""

import numpy as np
import pytest
from strict_cupy import capturing
from test_gpu_kernels import card as card, upload

import minigrad as mg
from minigrad import backend
from minigrad.kernels import gpu
from minigrad.kernels.cuda import cublaslt, product

RNG = np.random.default_rng(0)
SHAPES = {
    "one tile": ((5, 7), (7, 3)),
    "several tiles": ((70, 33), (33, 130)),
    "a row": ((1, 20), (20, 65)),
    "a column": ((65, 1), (1, 4)),
    "a batch": ((3, 4, 5), (3, 5, 6)),
    "one matrix for a batch": ((2, 3, 4, 5), (5, 6)),
    "a batch for one matrix": ((4, 5), (3, 5, 6)),
    "broadcast": ((2, 1, 4, 5), (3, 5, 6)),
}


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.fixture(autouse=True)
def no_cublaslt(card, monkeypatch) -> None:
    monkeypatch.setattr(cublaslt, "bindings", lambda: None)


def ours(a, b, bias=None):
    with product.capturable(), capturing():
        return gpu.matmul(a, b, bias)


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("lying", ["as it is", "a transposed", "b transposed", "both"])
@pytest.mark.parametrize("with_bias", [True, False])
def test_against_numpy(card, shapes, lying, with_bias) -> None:
    a, b = (normal(*shape) for shape in SHAPES[shapes])
    bias = normal(b.shape[-1]) if with_bias else None
    want = a.astype(np.float64) @ b.astype(np.float64) + (0 if bias is None else bias)
    left, right = upload(a), upload(b)
    if lying in ("a transposed", "both"):
        left = upload(np.ascontiguousarray(a.swapaxes(-1, -2))).swapaxes(-1, -2)
    if lying in ("b transposed", "both"):
        right = upload(np.ascontiguousarray(b.swapaxes(-1, -2))).swapaxes(-1, -2)
    y = ours(left, right, None if bias is None else upload(bias))
    assert y.dtype == np.float32 and y.shape == want.shape
    np.testing.assert_allclose(backend.to_host(y), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("shapes", SHAPES)
def test_16_bits_with_sums_in_float32(card, shapes, dtype) -> None:
    a, b = (normal(*shape).astype(getattr(mg, dtype).numpy) for shape in SHAPES[shapes])
    bias = normal(b.shape[-1]).astype(a.dtype)
    exact = a.astype(np.float32) @ b.astype(np.float32) + bias.astype(np.float32)
    y = ours(upload(np.ascontiguousarray(a.swapaxes(-1, -2))).swapaxes(-1, -2), upload(b), upload(bias))
    assert y.dtype == a.dtype
    step = 2.0**-10 if dtype == "float16" else 2.0**-7
    np.testing.assert_allclose(backend.to_host(y).astype(np.float32), exact, rtol=step / 1.9, atol=2e-5)  # one rounding
    ones = np.ones((2, 3000), a.dtype)
    np.testing.assert_array_equal(backend.to_host(ours(upload(ones), upload(ones.T))), np.full((2, 2), 3000, a.dtype))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bits_are_rounded_as_numpy_rounds(card, dtype) -> None:
    """Ties to even, overflow, numbers below the smallest normal one, infinities and nan: by a product with one."""
    own = getattr(mg, dtype).numpy
    values = np.array([1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-8, 1 + 3 * 2**-8, 65519, 65520, 3.3e38, 3.4e38, 1e-7, 3e-8,
                       2.9e-8, 1e-40, np.inf, -np.inf, np.nan, -0.0, 1 / 3], np.float32)  # fmt: skip
    # value = high + low, both exact in 16 bits or the sum is what the float32 sum of the two is
    with np.errstate(all="ignore"):
        high = values.astype(own)
        low = (values - high.astype(np.float32)).astype(own)
        low = np.where(np.isfinite(low.astype(np.float32)), low, own.type(0))
        a = np.stack([high, low], -1)
        wanted = a.astype(np.float32).sum(-1).astype(own)
    found = backend.to_host(ours(upload(a), upload(np.ones((2, 1), own))))[:, 0]
    np.testing.assert_array_equal(found.astype(np.float32), wanted.astype(np.float32))


def test_slices_of_a_matrix(card) -> None:
    a, b = normal(6, 12), normal(9, 8)
    y = ours(upload(a)[::2, 1:10], upload(b)[:, 2:7])
    np.testing.assert_allclose(backend.to_host(y), a[::2, 1:10] @ b[:, 2:7], rtol=1e-4, atol=1e-5)


def test_what_it_does_not_take_goes_the_usual_way(card, on_card) -> None:
    a, b = normal(2, 3), normal(3, 2)
    with product.capturable():
        for left, right in ((a.astype(np.float64), b.astype(np.float64)), (a[:0], b), (a[:, :0], b[:0])):
            y = gpu.matmul(upload(left), upload(right))
            np.testing.assert_allclose(backend.to_host(y), left @ right)
        with pytest.raises(Exception, match="mismatch|shapes|core dimension|size"):
            gpu.matmul(upload(a), upload(a))
    assert not product._capturable


def test_outside_nothing_changes(card, monkeypatch) -> None:
    monkeypatch.setattr(product, "launch", lambda *arguments: pytest.fail("our kernel is for captured steps"))
    y = gpu.matmul(upload(np.eye(3, dtype=np.float32)), upload(np.eye(3, dtype=np.float32)))
    assert (backend.to_host(y) == np.eye(3)).all()
