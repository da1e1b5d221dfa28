"""The CUDA kernels against the definitions, and compiled for real cards. Without a GPU their source runs on the CPU.

With `pytest --device cuda` the same tests run on the card.
"""

import math
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cuda_on_host
import numpy as np
import pytest
from strict_cupy import as_cuda, no_sync, strict

import minigrad as mg
from minigrad import backend, ops
from minigrad.kernels import common, cuda as sources, gpu, optim_reference
from minigrad.kernels.cuda import lists
from minigrad.nn import functional as F

RNG = np.random.default_rng(0)


@pytest.fixture
def card(monkeypatch, on_card) -> Iterator[None]:
    """Device "cuda" with the kernels of a GPU: the card that was asked for, or the stand-in."""
    if on_card:
        yield
        return
    if cuda_on_host.COMPILER is None:
        pytest.skip("no C++ compiler: install g++ (or clang++) to run the CUDA kernels on the CPU")
    monkeypatch.setattr(strict, "RawModule", cuda_on_host.RawModule, raising=False)
    with as_cuda(gpu):
        yield


def upload(array: np.ndarray) -> Any:
    return backend.to_device(array, "cuda")


# ---------------------------------------------------------------- for real cards


ARCHITECTURES = ["sm_80", "sm_90", "sm_100"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("file", sources.files())
def test_every_file_compiles_without_warning_or_spill(file: str, architecture: str, tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("no nvcc: install the CUDA toolkit (12.8 or newer) to see warnings and spills of the kernels")
    code = tmp_path / f"{file}.cu"
    code.write_text(sources.source(file), encoding="utf-8")
    command = [nvcc, "-cubin", f"-arch={architecture}", "-std=c++17", "-Xptxas", "-v,-warn-spills", "-Werror",
               "all-warnings", "-o", str(tmp_path / "out"), str(code)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert done.returncode == 0 and "warning" not in told, told
    spills = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", told)
    assert len(spills) >= len([k for k, (where, _) in sources.kernels().items() if where == file])
    assert set(spills) == {("0", "0")}, told


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("file", sources.files())
def test_every_file_compiles_as_cupy_compiles_it(file: str, architecture: str) -> None:
    core = pytest.importorskip(
        "cuda.core", reason="to compile as CuPy does, by NVRTC: pip install cuda-core cuda-bindings nvidia-cuda-nvrtc"
    )
    program = core.Program(sources.source(file), "c++", core.ProgramOptions(arch=architecture, std="c++17"))
    assert len(program.compile("cubin").code) > 1000


@pytest.mark.parametrize("file", sources.files())
def test_no_file_wants_what_nvrtc_lacks(file: str) -> None:
    code = re.sub(r"//.*", "", sources.source(file))
    assert not re.findall(r"#include|\b(?:INFINITY|NAN|FLT_MAX|M_PI|std::\w+|size_t|uint\d+_t|int\d+_t)\b", code)


def test_each_kernel_of_the_front_has_the_signature_of_its_definition() -> None:
    import inspect

    from minigrad.kernels import cpu

    for name, function in vars(gpu).items():
        theirs = getattr(common, name, None) or getattr(cpu, name, None)
        if inspect.isfunction(function) and not name.startswith("_") and theirs is not None and name != "launch":
            assert list(inspect.signature(function).parameters) == list(inspect.signature(theirs).parameters), name


# ---------------------------------------------------------------- the launcher


def test_the_launcher_refuses_what_a_kernel_would_misread(card) -> None:
    x, y = (upload(np.zeros((2, 3), np.float32)) for _ in range(2))
    good = (x, 6), (y, 6), 3
    sources.launch("softmax", 2, *good)
    for arguments, kind, message in (
        (((upload(np.zeros((2, 3))), 6), *good[1:]), TypeError, r"softmax, x: expected float32, got float64"),
        (((x, 5), *good[1:]), ValueError, r"x: expected 5 entries, got 6 \(shape \(2, 3\)\)"),
        (((x.T, 6), *good[1:]), ValueError, r"x: expected contiguous memory"),
        (((np.zeros((2, 3), np.float32), 6), *good[1:]), TypeError, r"x: expected an array on the GPU"),
        ((None, *good[1:]), TypeError, r"x: expected \(array, count\), got NoneType"),
        ((*good[:2], x), TypeError, r"n: expected a number"),
        (good[:2], TypeError, r"takes 3 arguments \(x, y, n\), got 2"),
    ):
        with pytest.raises(kind, match=message):
            sources.launch("softmax", 2, *arguments)


# ---------------------------------------------------------------- ops, against their references in float64


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def check(call, *arrays: np.ndarray | None, kernel: str, tolerance: float = 1e-5) -> None:
    """Output and all gradients of float32 on the card against float64 on the host; and that the kernel was called."""
    launched = []
    real = sources.launch

    def launch(name, *arguments):
        launched.append(name)
        real(name, *arguments)

    outcomes = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu, "launch", launch)
        for device, dtype in (("cuda", mg.float32), ("cpu", mg.float64)):
            inputs = [None if a is None else mg.tensor(a, device="cpu").to(dtype).to(device) for a in arrays]
            wanted = [x.requires_grad_() for x in inputs if x is not None]
            y = call(*inputs)
            dy = mg.tensor(np.random.default_rng(1).standard_normal(y.shape), device="cpu").to(dtype).to(device)
            with no_sync():
                gradients = mg.autograd.grad(y, wanted, dy)
            outcomes.append([t.detach().cpu().numpy() for t in (y, *gradients)])
    assert kernel in launched
    for found, exact in zip(*outcomes, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, exact, atol=tolerance * max(1e-3, np.abs(exact).max(initial=0)), rtol=1e-4)


@pytest.mark.parametrize("shape", [(3, 1), (2, 3, 7), (1, 700)])
def test_softmax(card, shape) -> None:
    check(lambda x: x.softmax(-1), 3 * normal(*shape), kernel="softmax_backward")
    check(lambda x: x.log_softmax(-1), 3 * normal(*shape), kernel="log_softmax_backward")


def test_softmax_of_rows_that_are_not_numbers(card) -> None:
    x = normal(6, 300)
    x[1, 7], x[2, 290], x[3], x[4, :299], x[5, 3] = np.nan, np.inf, -np.inf, -np.inf, -np.inf
    with np.errstate(all="ignore"):
        wanted = common.softmax(x.astype(np.float64), -1)
    np.testing.assert_allclose(gpu.softmax(upload(x), -1).get(), wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy(card, smoothing) -> None:
    labels = np.array([0, 299, -100, 7])

    def loss(x):
        target = mg.tensor(labels, device="cpu").to(x.device).array
        return ops.cross_entropy(x, target=target, ignore_index=-100, label_smoothing=smoothing)

    check(loss, 4 * normal(4, 300), kernel="cross_entropy_bwd")


@pytest.mark.parametrize("given", [(True, True), (True, False), (False, False)])
def test_norms(card, given) -> None:
    x, (weight, bias) = 2 * normal(5, 9, 260) + 3, [normal(260) if g else None for g in given]
    check(lambda x, w, b: ops.layer_norm(x, w, b, eps=1e-5), x, weight, bias, kernel="norm_bwd")
    check(lambda x, w: ops.rms_norm(x, w, eps=1e-6), x, weight, kernel="norm_bwd")


@pytest.mark.parametrize("kind", ["relu", "gelu", "silu"])
def test_activations(card, kind) -> None:
    arrays = normal(3, 5, 7), normal(9, 7), normal(9)
    check(lambda *a: F.linear_activation(*a, kind), *arrays, kernel="bias_activation")
    check(lambda x: getattr(F, kind)(x.mT), normal(30, 11), kernel="activation_backward")
    assert np.isnan(getattr(gpu, kind)(upload(np.array([np.nan], np.float32))).get()).all()


MASKS = {
    "none": None,
    "boolean": lambda T, S: np.arange(S) % 3 > 0,
    "a blind row": lambda T, S: np.broadcast_to((np.arange(T) != 1)[:, None], (T, S)).copy(),
    "added": lambda T, S: normal(T, S),
    "added by head": lambda T, S: normal(2, 1, T, S),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("sizes", [(5, 5, 4), (41, 41, 33), (9, 70, 128)])
def test_attention(card, mask, causal, sizes) -> None:
    T, S, D = sizes
    raw = MASKS[mask] and MASKS[mask](T, S)

    def attend(q, k, v):
        given = raw
        if raw is not None:
            given = backend.to_device(raw if raw.dtype == bool else raw.astype(q.array.dtype), str(q.device))
        return ops.attention(q, k, v, given, scale=0.3, causal=causal)

    arrays = normal(2, 2, T, D), normal(2, 2, S, D), normal(2, 2, S, D)
    check(attend, *arrays, kernel="attention_dkv")


# ---------------------------------------------------------------- lists of arrays, rows, random numbers


@pytest.mark.parametrize("options", [
    {"decoupled": True, "weight_decay": 0.1}, {"decoupled": False, "weight_decay": 0.1, "maximize": True},
    {"decoupled": True, "weight_decay": 0.0, "amsgrad": True},
])  # fmt: skip
def test_adam(card, options) -> None:
    shapes = [(3, 5), (0,), (9001,), ()]
    params, grads, m, v, top = ([np.asarray(normal(*s)) for s in shapes] for _ in range(5))
    v, top = ([np.asarray(np.abs(a)) for a in arrays] for arrays in (v, top))
    ours = [[upload(a) for a in arrays] for arrays in (params, grads, m, v, top)]
    exact = [[np.asarray(a, np.float64) for a in arrays] for arrays in (params, grads, m, v, top)]
    how = {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "step": [1, 2, 3, 4], **options}
    with no_sync():
        gpu.adam_update(*ours, **how)
    optim_reference.adam_update(*exact, **how)
    for found, wanted in zip(ours, exact, strict=True):
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a.get(), b, rtol=2e-5, atol=1e-6)


def test_clipping_waits_for_nobody(card) -> None:
    for scale in (0.01, 10.0):
        here = [mg.nn.Parameter(mg.tensor(normal(*shape))) for shape in [(70, 80), (3,), (5000,)]]
        there = [mg.nn.Parameter(p.detach().cuda()) for p in here]
        for p, q in zip(here, there, strict=True):
            p.grad = mg.tensor(scale * normal(*p.shape))
            q.grad = p.grad.cuda()
        with no_sync():
            norm = mg.nn.utils.clip_grad_norm_(there, 1.0)
        assert norm.item() == pytest.approx(mg.nn.utils.clip_grad_norm_(here, 1.0).item(), rel=1e-6)
        for p, q in zip(here, there, strict=True):
            np.testing.assert_allclose(q.grad.cpu().numpy(), p.grad.numpy(), rtol=1e-5)


def test_rows_of_equal_ids_add_up_in_order(card) -> None:
    ids = np.array([4, 0, 4, 2, 4, 0])
    rows = (10.0 ** RNG.uniform(-8, 8, (6, 300))).astype(np.float32)
    buffer = normal(5, 300)
    wanted = buffer.copy()
    for key in np.unique(ids):
        total = np.zeros(300, np.float32)
        for row in rows[ids == key]:
            total += row
        wanted[key] += total
    found = upload(buffer)
    with no_sync():
        gpu.add_rows(found, upload(ids), upload(rows))
    np.testing.assert_array_equal(found.get(), wanted)


@pytest.mark.parametrize("n", [1, 255, 257, 600])
def test_ids_are_sorted_stably(card, n) -> None:
    ids = RNG.integers(-3, 20, n)
    with no_sync():
        found = lists._sorted(upload(ids))
    order = np.argsort(ids, kind="stable")
    np.testing.assert_array_equal(found[1].get(), order)
    np.testing.assert_array_equal(found[0].get(), ids[order])


def test_ids_and_labels_out_of_range_do_no_harm(card) -> None:
    """Where nobody has looked yet: nothing is written outside, and a loss with such a label is nan."""
    buffer, rows = normal(3, 4), normal(5, 4)
    ids = np.array([2, 10**12, -1, 3, 2])
    found = upload(buffer)
    gpu.add_rows(found, upload(ids), upload(rows))
    wanted = buffer.copy()
    wanted[2] += rows[0] + rows[4]
    np.testing.assert_allclose(found.get(), wanted, rtol=1e-6)
    loss, _ = gpu.cross_entropy_fwd(upload(rows), upload(np.array([0, -7, 4, 10**12, 3])), -100, 0.0)
    assert np.isnan(loss.get()).tolist() == [False, True, True, True, False]


@pytest.mark.parametrize("decoupled", [True, False])
def test_adam_with_counts_and_rate_in_device_memory(card, decoupled) -> None:
    shapes = [(3, 5), (9001,), ()]
    arrays = [[np.asarray(normal(*s)) for s in shapes] for _ in range(3)]
    arrays.append([np.asarray(np.abs(normal(*s))) for s in shapes])
    by_host, by_device = ([[upload(a) for a in part] for part in arrays] for _ in range(2))
    how = {"beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1, "decoupled": decoupled}
    gpu.adam_update(*by_host, None, lr=0.01, step=[1, 2, 3], **how)
    steps, rate = [upload(np.asarray(float(t), np.float32)) for t in range(3)], upload(np.asarray(0.01))
    with no_sync():
        gpu.count_up(steps)
        gpu.adam_update(*by_device, None, lr=rate, step=steps, **how)
    assert [float(t.get()) for t in steps] == [1, 2, 3]
    for ours, theirs in zip(by_device, by_host, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.get(), b.get(), rtol=1e-6)


def test_tables_are_uploaded_once(card) -> None:
    values = np.arange(5)
    first = lists._table(values, 0)
    assert lists._table(values, 0) is first and lists._table(values + 1, 0) is not first
    for i in range(lists.MOST_TABLES):
        lists._table(values + 10 + i, 0)
    assert len(lists._tables) == lists.MOST_TABLES and lists._table(values, 0) is not first


@pytest.mark.parametrize("n", [0, 1, 6, 1027])
def test_random_numbers_are_the_definitions(card, n) -> None:
    host = np.array([2**63 + 5, 2**32 - 3], np.uint64)
    state = upload(host)
    np.testing.assert_array_equal(gpu.philox_words(state, 2, n).get(), common.philox_words(host, 2, n))
    uniform = common.philox_uniform(host, 2, n, "float32")
    np.testing.assert_array_equal(gpu.philox_uniform(state, 2, n, "float32").get(), uniform)
    keep = common.philox_keep(host, 2, n, 0.3, np.float32)
    np.testing.assert_array_equal(gpu.philox_keep(state, 2, n, 0.3, "float32").get(), keep)
    normals = common.philox_normal(host, 2, n, "float32")
    np.testing.assert_allclose(gpu.philox_normal(state, 2, n, "float32").get(), normals, atol=3e-6)
    assert gpu.philox_uniform(state, 0, 3, "float64").dtype == np.float64


# ---------------------------------------------------------------- all together


def test_a_small_transformer_learns_as_on_the_host(card) -> None:
    losses = []
    for device in ("cpu", "cuda"):
        mg.manual_seed(0)
        model = mg.nn.Sequential(
            mg.nn.Embedding(11, 16),
            mg.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, activation="gelu", batch_first=True),
            mg.nn.LayerNorm(16),
            mg.nn.Linear(16, 11),
        ).to(device)
        optimizer = mg.optim.AdamW(model.parameters(), lr=1e-2)
        ids = mg.tensor(np.random.default_rng(2).integers(0, 11, (3, 6)), device="cpu").to(device)
        found = []
        for _ in range(4):
            loss = F.cross_entropy(model(ids).reshape(-1, 11), ids.reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            mg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            found.append(loss.item())
        assert device == "cpu" or all(p.device.type == "cuda" for p in model.parameters())
        losses.append(found)
    assert losses[0][-1] < losses[0][0] and math.isfinite(losses[0][-1])
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(
    "shapes", [((2, 3, 5), (5, 4)), ((2, 1, 3, 5), (4, 5, 6)), ((3, 5), (5, 2)), ((3, 5), (2, 5, 2))]
)
def test_products_of_all_shapes_and_dtypes(card, dtype, shapes) -> None:
    a, b = (mg.tensor(normal(*s), device="cpu").to(getattr(mg, dtype)) for s in shapes)
    found = a.cuda() @ b.cuda()
    assert found.dtype is a.dtype
    np.testing.assert_array_equal(found.cpu().float().numpy(), (a @ b).float().numpy())
