"""Steps to capture, and the device to do it on; for the tests of captured steps."""

from collections.abc import Iterator

import cuda_on_host
import fake_cublaslt
import numpy as np
import pytest
import strict_cupy
from strict_modes import product_function

import minigrad as mg
from minigrad import graphs, nn, optim
from minigrad.kernels import common, gpu
from minigrad.kernels.cuda.product import capturable
from minigrad.nn import functional as F


@pytest.fixture(params=["cuda", "cublaslt", "common"], autouse=True)
def card(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, on_card: bool) -> Iterator[None]:
    """Device "cuda" with the kernels of a GPU (their source, run by the CPU), without and with cuBLASLt (a fake), and
    with the definitions alone.

    Steps that are not captured take the product that can be, too, so that they can be compared to the bit.
    """
    if on_card:
        with capturable():
            yield
        return
    if request.param != "common" and cuda_on_host.COMPILER is None:
        pytest.skip("no C++ compiler: install g++ (or clang++) to run the CUDA kernels on the CPU")
    kernels = common if request.param == "common" else gpu
    usual = common.matmul

    def matmul(a, b, bias=None):  # as if CuPy's product could be captured
        with product_function():
            return usual(a, b, bias)

    if kernels is common:  # on a GPU our own kernel takes its place
        monkeypatch.setattr(common, "matmul", matmul)
    monkeypatch.setattr(strict_cupy.strict, "RawModule", cuda_on_host.RawModule, raising=False)
    library = fake_cublaslt.bindings() if request.param == "cublaslt" else None
    with strict_cupy.as_cuda(kernels, library), capturable():
        yield


def network() -> nn.Module:
    mg.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.25), nn.Linear(16, 4)).to("cuda")


def batches(count: int, rows: int = 8) -> list[tuple[mg.Tensor, mg.Tensor]]:
    random = np.random.default_rng(0)
    return [
        (
            mg.tensor(random.standard_normal((rows, 6)).astype(np.float32), device="cpu").to("cuda"),
            mg.tensor(random.integers(0, 4, rows), device="cpu").to("cuda"),
        )
        for _ in range(count)
    ]


def trainer(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def run_both(make, inputs, seed: int = 7, **options):
    """The losses and the final state of a step as it is, and captured; `make` gives (step, what it changes)."""
    results = []
    for capture in (False, True):
        step, changes = make()
        if capture:
            step = graphs.captured(step, *changes, **options)
        mg.manual_seed(seed)
        losses = [step(*batch).item() for batch in inputs]
        tensors = graphs.StepState(changes).tensors()
        results.append((losses, {name: t.tolist() for name, t in tensors.items()}))
    (losses, state), (again, replayed) = results
    assert again == losses
    assert state.keys() == replayed.keys()
    for name, value in state.items():
        np.testing.assert_allclose(replayed[name], value, rtol=1e-6, err_msg=name)
    return step


def made_for(**options):
    model = network()
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    return model, optimizer, graphs.captured(trainer(model, optimizer), model, optimizer, **options)
