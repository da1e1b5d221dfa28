"""Captured training steps, on the stand-in for CuPy: what a launch does there is what the capture wrote down."""

from collections.abc import Iterator

import cuda_on_host
import numpy as np
import pytest
import strict_cupy
from strict_modes import product_function

import minigrad as mg
from minigrad import graphs, nn, optim
from minigrad.kernels import common, gpu
from minigrad.nn import functional as F


@pytest.fixture(params=["cuda", "common"], autouse=True)
def card(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, on_card: bool) -> Iterator[None]:
    """Device "cuda" with the kernels of a GPU (their source, run by the CPU), and with the definitions alone."""
    if on_card:
        yield
        return
    if request.param == "cuda" and cuda_on_host.COMPILER is None:
        pytest.skip("no C++ compiler: install g++ (or clang++) to run the CUDA kernels on the CPU")
    kernels = gpu if request.param == "cuda" else common
    usual = kernels.matmul

    def matmul(a, b, bias=None):  # the one product that may be captured
        with product_function():
            return usual(a, b, bias)

    monkeypatch.setattr(kernels, "matmul", matmul)
    monkeypatch.setattr(strict_cupy.strict, "RawModule", cuda_on_host.RawModule, raising=False)
    with strict_cupy.as_cuda(kernels):
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


def test_twenty_replays_are_twenty_steps():
    results = []
    for capture in (False, True):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.01, capturable=True)
        schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, 23)
        step = trainer(model, optimizer)
        if capture:
            step = graphs.captured(step, model, optimizer)
        mg.manual_seed(7)
        losses = []
        for x, y in batches(23):
            losses.append(step(x, y).item())
            schedule.step()
        if capture:
            assert step.replays == 20  # after two runs, and one both ways
        results.append((losses, [p.tolist() for p in model.parameters()]))
    assert results[0] == results[1]
    assert results[0][0][-1] < results[0][0][0]
