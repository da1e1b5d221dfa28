"""The whole table on a real GPU: `pytest --device cuda`. Values and gradients are the host's."""

import numpy as np
import pytest
from case import Case
from op_cases import BY_ID
from op_harness import assert_near, drawn, run

import minigrad as mg
from minigrad.kernels.cuda import cublaslt

pytestmark = pytest.mark.card  # conftest.py leaves these out where --device cuda is not given


@pytest.mark.parametrize("case", BY_ID.values(), ids=BY_ID.keys())
def test_the_table(case: Case) -> None:
    arrays = drawn(case)
    mg.set_default_device("cuda")
    try:
        on_device = run(case, arrays, "cuda")
    finally:
        mg.set_default_device(None)
    for actual, wanted in zip(on_device, run(case, arrays), strict=True):
        assert len(actual) == len(wanted)
        for a, b in zip(actual, wanted, strict=True):
            assert a.dtype == b.dtype
            assert_near(a, b, 1e-9)  # sums are added in another order


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("shapes", [((64, 96), (96, 32)), ((4, 3, 16, 24), (4, 3, 24, 8)), ((5, 16, 24), (24, 8)),
                                    ((4, 1, 7, 9), (3, 9, 5)), ((33, 17), (17, 1))])  # fmt: skip
@pytest.mark.parametrize("by_columns", [False, True])
def test_products(dtype: str, shapes: tuple, by_columns: bool) -> None:
    """linear, matmul and their gradients: the host's, rounded as often."""
    mg.manual_seed(0)
    a, b = (mg.randn(*shape).to(getattr(mg, dtype)) for shape in shapes)
    bias, results = mg.randn(b.shape[-1]).to(a.dtype), []
    for device in ("cpu", "cuda"):
        inputs = [x.to(device).requires_grad_() for x in (a, b, bias)]
        left, right = inputs[:2]
        if by_columns:
            left, right = (x.mT.contiguous().mT for x in inputs[:2])
        y = mg.nn.functional.linear(left, right.mT, inputs[2]) if right.ndim == 2 else left @ right + inputs[2]
        found = [y, *mg.autograd.grad(y.float().sum(), inputs)]
        results.append([x.detach().cpu().double().numpy() for x in found])
    step = {"float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2}[dtype]
    for host, card in zip(*results, strict=True):
        np.testing.assert_allclose(card, host, rtol=step, atol=step * max(1.0, abs(host).max()))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_a_captured_step_multiplies_as_itself(dtype: str) -> None:
    """Captured by cuBLASLt or by our kernel; replays give the bits of the step, which `captured` itself compares."""
    if dtype == "float64" and cublaslt.bindings() is None:
        pytest.skip("float64 is captured by cuBLASLt alone: pip install 'minigrad[cuda-fast]'")
    mg.manual_seed(0)
    model = mg.nn.Linear(24, 24).to(device="cuda", dtype=getattr(mg, dtype))
    optimizer = mg.optim.SGD(model.parameters(), lr=0.01)

    def learn(x: mg.Tensor) -> mg.Tensor:
        optimizer.zero_grad()
        loss = (model(x) @ x.mT).float().square().mean()
        loss.backward()
        optimizer.step()
        return loss

    step, x = mg.graphs.captured(learn, model, optimizer), mg.randn(3, 8, 24, device="cuda").to(model.weight.dtype)
    losses = [step(x).item() for _ in range(6)]
    assert step.replays == 3 and losses[-1] < losses[0]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("shape", "causal"), [((2, 3, 65, 64), True), ((2, 3, 128, 64), False), ((1, 2, 9, 20), True)])
def test_attention(dtype: str, shape: tuple, causal: bool) -> None:
    """By cuDNN, where it is installed, takes the type and a multiple of 8; else by our kernel. The host's, rounded."""
    mg.manual_seed(0)
    q, k, v, dout = (mg.randn(*shape).to(getattr(mg, dtype)) for _ in range(4))
    results = []
    for device, wide in (("cpu", mg.float64), ("cuda", q.dtype)):
        inputs = [x.to(device=device, dtype=wide).requires_grad_() for x in (q, k, v)]
        y = mg.nn.functional.scaled_dot_product_attention(*inputs, is_causal=causal)
        found = [y, *mg.autograd.grad(y, inputs, dout.to(device=device, dtype=wide))]
        results.append([x.detach().cpu().double().numpy() for x in found])
    step = {"float32": 1e-5, "float16": 4e-3, "bfloat16": 3e-2}[dtype]
    for host, card in zip(*results, strict=True):
        np.testing.assert_allclose(card, host, rtol=step, atol=step * abs(host).max())
