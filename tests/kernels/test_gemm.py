"""Our matrix product against float64: every layout, edges of panels and tiles, NaN, threads, and who is called."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, strategies as st
from kernels.kernel_checks import close, lay_out, seeds

import minigrad
from minigrad import runtime
from minigrad.kernels import cpu

ROOT = Path(minigrad.__file__).parents[1]


@pytest.fixture(autouse=True, scope="module")
def numba_is_on():
    assert cpu.compiled() is not None, "these tests are about the compiled kernels: unset MINIGRAD_NUMBA, install numba"


def draw(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def laid(x, layout):
    """The matrix itself, or as the transpose of a contiguous one, strided, or read-only."""
    return np.ascontiguousarray(x.swapaxes(-2, -1)).swapaxes(-2, -1) if layout == "turned" else lay_out(x, layout)


ways = st.sampled_from(["contiguous", "turned", "strided", "read-only"])
sizes = st.one_of(st.integers(1, 70), st.sampled_from([96, 97, 130, 257]))
depths = st.one_of(st.integers(0, 40), st.sampled_from([511, 512, 513, 1030]))


@given(seeds, sizes, depths, sizes, ways, ways, st.booleans(), st.integers(1, 4))
def test_products_of_any_shape_and_layout(seed, m, k, n, way_a, way_b, biased, count):
    a, b, bias = draw(seed, (m, k), (k, n), (n,))
    want = a.astype(np.float64) @ b.astype(np.float64) + (bias if biased else 0.0)
    gemm = cpu.compiled().gemm
    got = gemm.gemm(laid(a, way_a), laid(b, way_b), bias if biased else None)
    close(got, want, magnitude=np.sqrt(k) * 4.0)
    before = runtime.kernel_threads()
    runtime.set_num_threads(count)  # the parts differ, the bits do not
    try:
        again = gemm.gemm(laid(a, way_a), laid(b, way_b), bias if biased else None)
    finally:
        runtime.set_num_threads(before)
    np.testing.assert_array_equal(got, again)


@given(seeds, st.integers(1, 4), st.integers(1, 300), sizes, ways, ways, st.booleans(), st.integers(1, 4))
def test_a_few_rows(seed, m, k, n, way_a, way_b, biased, count):
    a, b, bias = draw(seed, (m, k), (k, n), (n,))
    want = a.astype(np.float64) @ b.astype(np.float64) + (bias if biased else 0.0)
    threads = cpu.compiled().threads
    with mock.patch.object(threads, "parts", lambda work, smallest: count):
        got = cpu.compiled().gemv.gemv(laid(a, way_a), laid(b, way_b), bias if biased else None)
    close(got, want, magnitude=np.sqrt(k) * 4.0)


@given(seeds, st.integers(1, 9), st.integers(1, 50), st.integers(0, 40), st.integers(1, 50), ways, ways, st.booleans())
def test_stacks(seed, count, m, k, n, way_a, way_b, shared):
    a, b = draw(seed, (2, count, m, k), (k, n) if shared else (count, k, n))
    got = cpu.compiled().gemm.gemm_stack(laid(a, way_a), laid(b, way_b))
    close(got, a.astype(np.float64) @ b.astype(np.float64), magnitude=np.sqrt(k) * 4.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_nan_reaches_its_row_and_column_and_nothing_else(bad):
    a, b = draw(0, (70, 80), (80, 70))
    a[3, 5], b[7, 66] = bad, bad
    got = cpu.compiled().gemm.gemm(a, b)
    with np.errstate(invalid="ignore"):
        want = a.astype(np.float64) @ b.astype(np.float64)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))


@pytest.mark.parametrize(
    ("a", "b", "calls"),
    [
        ((64, 64), (64, 64), 1),
        ((2, 512), (512, 300), 1),
        ((64, 64), (64, 63), 0),
        ((3, 64, 64), (3, 64, 64), 1),
        ((3, 64, 64), (64, 64), 1),
    ],
)
def test_large_products_are_ours(monkeypatch, a, b, calls):
    seen = []
    for module, name in ((gemm := cpu.compiled().gemm, "gemm"), (gemm, "gemm_stack"), (cpu.compiled().gemv, "gemv")):
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, f=original: seen.append(f) or f(*args))
    x, y = draw(0, a, b)
    np.testing.assert_allclose(cpu.matmul(x, y), x @ y, rtol=1e-4, atol=1e-4)
    assert len(seen) == calls


def test_several_python_threads_share_the_team():
    """One of them gets the threads, the others run the same parts alone; all get the same numbers."""
    a, b = draw(0, (256, 300), (300, 256))
    want, found = cpu.matmul(a, b), []
    workers = [threading.Thread(target=lambda: found.extend(cpu.matmul(a, b) for _ in range(20))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 80
    assert all((got == want).all() for got in found)


FORKED = """
import os, sys
import numpy as np
from minigrad.kernels import cpu
a = np.arange(300.0 * 300.0, dtype=np.float32).reshape(300, 300) / 9e4
want = cpu.matmul(a, a)
pid = os.fork()
if pid == 0:
    os._exit(0 if (cpu.matmul(a, a) == want).all() else 3)
assert os.waitpid(pid, 0)[1] == 0, "the child failed"
assert (cpu.matmul(a, a) == want).all()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_computes_alone():
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", FORKED], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


SETTINGS = """
import numpy as np
import minigrad
from minigrad import runtime
from minigrad.kernels import cpu
blas = runtime._openblas()
before = blas.scipy_openblas_get_num_threads64_() if blas else None
a = np.ones((300, 300), np.float32)
cpu.matmul(a, a)
after = blas.scipy_openblas_get_num_threads64_() if blas else None
print(minigrad.get_num_threads(), runtime.kernel_threads(), before, after)
"""


@pytest.mark.parametrize(
    ("settings", "threads", "kernels"),
    [
        ({"NUMBA_NUM_THREADS": "1"}, 1, 1),
        ({"OMP_NUM_THREADS": "1"}, 1, 1),
        ({"MINIGRAD_BLAS_THREADS": "keep"}, None, 1),
        ({}, None, None),
    ],
)
def test_the_users_settings_are_respected(settings, threads, kernels):
    environment = {k: v for k, v in os.environ.items() if k not in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS],
        env={**environment, "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told, ours, before, after = done.stdout.split()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert int(told) == (threads or cores)
    assert int(ours) == (kernels or cores)
    if before != "None":  # NumPy's own OpenBLAS: taken over by the first threaded kernel, and only by that
        assert after == ("1" if int(ours) > 1 else before)


def test_a_kernel_is_compiled_in_place_where_no_helper_can_be_started(monkeypatch, tmp_path):
    from minigrad.kernels.cpu import compiler

    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    monkeypatch.setattr(compiler, "_helper", None)
    compiler._ask_helper("minigrad.kernels.cpu.rows", "_softmax", ())  # returns; the caller compiles
    assert compiler._helper is None


def test_types_survive_the_way_to_the_helper():
    from numba import types

    from minigrad.kernels.cpu import compiler

    kinds = [types.int64, types.float32, types.boolean, types.UniTuple(types.int64, 3)]
    kinds += [types.Array(types.float32, 2, "C"), types.Array(types.uint8, 1, "A", readonly=True)]
    assert [compiler._understand(compiler._tell(kind)) for kind in kinds] == kinds
    with pytest.raises(TypeError, match="no form for"):
        compiler._tell(types.unicode_type)
