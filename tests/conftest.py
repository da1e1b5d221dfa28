"""What holds for every test: a seeded stream, no global switch left flipped, no op left behind, Hypothesis profiles."""

import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # a process a core: teams of threads in each would wait for one another
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # where a test wants a team all the same

from example_scripts import Scripts

import minigrad as mg
from minigrad.op import REGISTRY, FusedOp, Op

hypothesis.settings.register_profile("dev", deadline=None, max_examples=60)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=25, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device", choices=("cpu", "cuda"), default="cpu",
        help="cuda: run the op table and the CUDA kernels on this machine's GPU besides",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "card: needs a GPU; runs with --device cuda alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --device cuda the tests that need a GPU are left out, not counted as skipped."""
    if config.getoption("--device") != "cuda":
        away = [item for item in items if item.get_closest_marker("card")]
        config.hook.pytest_deselected(items=away)
        items[:] = [item for item in items if not item.get_closest_marker("card")]


@pytest.fixture
def on_card(request: pytest.FixtureRequest) -> bool:
    """Whether the tests were asked to use a real GPU, with --device cuda."""
    return request.config.getoption("--device") == "cuda"


def switches() -> dict[str, Any]:
    """Every setting that a test could leave flipped for those after it."""
    return {
        "grad mode": (mg.autograd.mode.enabled, mg.autograd.mode.inference),
        "default dtype": mg.get_default_dtype(),
        "default device": mg.get_default_device(),
        "anomaly mode": mg.is_anomaly_enabled(),
        "precision of products": mg.get_float32_matmul_precision(),
        "print options": mg.get_printoptions(),
        "calls of ops": [kind.__dict__["__call__"] for kind in (Op, FusedOp)],
        "rules of ops": [kind.__dict__[name] for kind in (Op, FusedOp) for name in ("vjp_on_arrays", "vjp_on_tensors")],
        "devices": sorted(mg.backend._BY_DEVICE),
    }


@pytest.fixture(autouse=True)
def nothing_left_flipped(request: pytest.FixtureRequest) -> Iterator[None]:
    """Seeds the random numbers, takes ops that a test made away again, fails a test that leaves a switch flipped."""
    mg.manual_seed(0)
    if request.config.getoption("--device") == "cuda":
        mg.backend.backend_for("cuda")  # loaded once, not by the test that happens to need it; raises without one
    before, ops_before = switches(), set(REGISTRY)
    yield
    for name in set(REGISTRY) - ops_before:
        del REGISTRY[name]
    after = switches()
    flipped = [f"{name}: {before[name]} became {after[name]}" for name in before if before[name] != after[name]]
    assert not flipped, f"the test left a switch flipped: {flipped}"


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Scripts]:
    scripts = Scripts(monkeypatch, capsys)
    yield scripts
    scripts.forget()
