"""The product that may be captured, by our own kernel, against NumPy in float64."""

import numpy as np
import pytest
from strict_cupy import capturing
from test_gpu_kernels import card as card, upload

from minigrad import backend
from minigrad.kernels import gpu
from minigrad.kernels.cuda import product

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
