"""Every op of the table in float32 through the GPU's kernels, against the definitions in float64.

On the stand-in their source runs on the CPU; with `pytest --device cuda`, on the card.
"""

from collections.abc import Iterator

import cuda_on_host
import fake_cublaslt
import numpy as np
import pytest
from case import Case
from op_harness import assert_near, drawn, run
from strict_cupy import as_cuda, capturing, strict
from test_ops_float32 import FLOATING

import minigrad as mg
from minigrad import ops
from minigrad.kernels import gpu
from minigrad.kernels.cuda import cublaslt


@pytest.fixture(autouse=True, params=["cupy", "cublaslt"])
def products(request: pytest.FixtureRequest) -> str:
    """By whom products are made; on the card, by cuBLASLt where it is installed."""
    return request.param


@pytest.fixture(autouse=True)
def card(monkeypatch: pytest.MonkeyPatch, on_card: bool, products: str) -> Iterator[None]:
    if on_card:
        if products == "cupy":
            monkeypatch.setattr(cublaslt, "bindings", lambda: None)
        yield
        return
    if cuda_on_host.COMPILER is None:
        pytest.skip("no C++ compiler: install g++ (or clang++) to run the CUDA kernels on the CPU")
    monkeypatch.setattr(strict, "RawModule", cuda_on_host.RawModule, raising=False)
    with as_cuda(gpu, fake_cublaslt.bindings() if products == "cublaslt" else None):
        yield


@pytest.mark.parametrize("case", FLOATING.values(), ids=FLOATING.keys())
def test_in_float32(case: Case) -> None:
    narrow = drawn(case, "float32")
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in narrow]
    mg.set_default_device("cuda")
    try:
        on_device = run(case, narrow, "cuda")
    finally:
        mg.set_default_device(None)
    for actual, wanted in zip(on_device, run(case, wide), strict=True):
        assert len(actual) == len(wanted)
        for a, b in zip(actual, wanted, strict=True):
            assert a.dtype == (np.float32 if b.dtype.kind == "f" else b.dtype)
            assert_near(a, b, 1e-5)


def test_the_kernels_can_be_captured(on_card: bool) -> None:
    """Forward and backward of what a Transformer does between its products: nothing waits, nothing is uploaded."""
    if on_card:
        pytest.skip("the rules of a capture are the stand-in's: run without --device")
    mg.manual_seed(0)
    x = mg.randn(2, 3, 8, device="cuda", requires_grad=True)
    q, k, v = (mg.randn(2, 5, 4, device="cuda", requires_grad=True) for _ in range(3))
    weight = mg.ones(8, device="cuda", requires_grad=True)
    labels = mg.tensor([0, 1, 2, 3, 4, 5], device="cuda").array
    one = mg.ones(6, device="cuda")
    with capturing():
        h = ops.layer_norm(x, weight, None, eps=1e-5)
        h = mg.nn.functional.dropout(mg.nn.functional.gelu(ops.rms_norm(h, weight, eps=1e-5)), 0.5)
        loss = ops.cross_entropy(h.reshape(6, 8), target=labels)
        found = mg.autograd.grad(loss, [x, weight], one)
        out = ops.attention(q, k, v, None, scale=0.5, causal=True)
        found += mg.autograd.grad(out, [q, k, v], out.detach())
    assert all(np.isfinite(g.cpu().numpy()).all() for g in found)
