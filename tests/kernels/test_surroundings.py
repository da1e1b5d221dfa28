"""The kernels in odd surroundings: a DataLoader's worker, folders that cannot be written, other processors, other BLAS
builds, and arrays that are empty, strided, or longer than 32-bit numbers count."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad import runtime
from minigrad.kernels import common, cpu

ROOT = Path(minigrad.__file__).parents[1]


def run_python(code, **settings):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", **settings}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


WORKER = """
import os, sys
import numpy as np
import multiprocessing
from minigrad.kernels import cpu

def product(out):
    a = np.arange(300.0 * 300.0, dtype=np.float32).reshape(300, 300) / 9e4
    out.put(float(cpu.matmul(a, a)[7, 11]))

if __name__ == "__main__":
    a = np.arange(300.0 * 300.0, dtype=np.float32).reshape(300, 300) / 9e4
    want = float(cpu.matmul(a, a)[7, 11])
    for way in ("fork", "spawn"):
        context = multiprocessing.get_context(way)
        out = context.Queue()
        workers = [context.Process(target=product, args=(out,)) for _ in range(2)]
        [w.start() for w in workers]
        found = [out.get(timeout=100) for _ in workers]
        [w.join() for w in workers]
        assert found == [want, want], (way, found, want)
    print("equal")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_worker_processes_compute_the_same(tmp_path):
    """Forked after the team was in use, and spawned: as the workers of a data loader are."""
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["equal"]


def test_a_cache_folder_that_cannot_be_written(tmp_path):
    """The kernel is compiled in the process, both forms, and nothing is said on the way."""
    blocked = tmp_path / "a file, not a folder"
    blocked.write_text("")
    code = (
        "import numpy as np; from minigrad.kernels import cpu; t = cpu.compiled().threads;"
        "x = np.ones((3, 5), np.float32); a = cpu.softmax(x, -1); t.parts = lambda work, smallest: 2;"
        "b = cpu.softmax(x, -1); assert (a == b).all() and abs(a - 0.2).max() < 1e-6; print('same')"
    )
    done = run_python(code, NUMBA_CACHE_DIR=str(blocked / "cache"))
    assert done.stdout.split() == ["same"]


@pytest.mark.parametrize("features", ["+avx2,+fma", "+sse4.2"])
def test_another_processor(features, tmp_path):
    """Without AVX-512 the register tile takes another shape; without AVX2 it still computes. `NUMBA_CPU_FEATURES` makes
    Numba compile for such a processor."""
    code = (
        "import numpy as np; from minigrad.kernels import cpu; from minigrad.kernels.cpu import tiles;"
        "a = np.random.default_rng(0).standard_normal((70, 90)).astype(np.float32);"
        "got, want = cpu.compiled().gemm.gemm(a, a.T), a.astype(np.float64) @ a.T.astype(np.float64);"
        "assert abs(got - want).max() < 1e-3; print(tiles.ROWS, tiles.WIDTH)"
    )
    done = run_python(code, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES=features, NUMBA_CACHE_DIR=str(tmp_path))
    assert done.stdout.split() == ["4", "1"]


def test_a_blas_of_another_build(monkeypatch):
    """MKL, Accelerate: nothing is found to be set, so nothing is, and products are right all the same."""
    monkeypatch.setattr(runtime, "_openblas", lambda: None)
    monkeypatch.setattr(runtime, "_blas_threads_before", None)
    runtime.take_over_blas()
    assert runtime._blas_threads_before is None
    with pytest.warns(UserWarning, match="cannot be told its threads from here: set OMP_NUM_THREADS"):
        minigrad.set_num_threads(minigrad.get_num_threads())
    a = np.ones((4, 4), np.float32)
    assert (cpu.matmul(a, a) == 4).all()
    assert json.dumps(runtime.config())  # every line can be printed


LAYOUTS = {
    "strided": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "transposed": lambda x: np.ascontiguousarray(x.swapaxes(0, -1)).swapaxes(0, -1),
    "reversed": lambda x: np.ascontiguousarray(x[::-1])[::-1],
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
}
FRONTS = {
    "softmax": lambda m, x: m.softmax(x, -1),
    "log_softmax": lambda m, x: m.log_softmax(x, -1),
    "gelu": lambda m, x: m.gelu(x),
    "gelu_backward": lambda m, x: m.gelu_backward(x, x),
    "silu": lambda m, x: m.silu(x),
    "silu_backward": lambda m, x: m.silu_backward(x, x),
    "sigmoid": lambda m, x: m.sigmoid(x),
    "relu": lambda m, x: m.relu(x),
    "erf": lambda m, x: m.erf(x),
    "sum of rows": lambda m, x: m.sum(x, (0,), False),
    "sum": lambda m, x: np.asarray(m.sum(x, None, False)),
    "sum of columns": lambda m, x: m.sum(x, (1,), True),
    "matmul": lambda m, x: m.matmul(x, x.swapaxes(0, 1)),
    "quantized_linear": lambda m, x: m.quantized_linear(x, None, np.ones((3, x.shape[1]), np.int8), np.ones(3, "f4")),
    "top_places": lambda m, x: m.top_places(x, 1, 2, True),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", FRONTS)
def test_layouts(name, layout):
    x = LAYOUTS[layout](np.random.default_rng(0).standard_normal((70, 66)).astype(np.float32))
    before = x.copy()
    got, want = FRONTS[name](cpu, x), FRONTS[name](common, x.astype(np.float64))
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5 * max(1.0, np.abs(want).max()))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("shape", [(0, 66), (3, 0), (0, 0)])
@pytest.mark.parametrize("name", [name for name in FRONTS if name != "top_places"])
def test_empty(name, shape):
    got, want = (FRONTS[name](m, np.zeros(shape, dtype)) for m, dtype in ((cpu, np.float32), (common, np.float64)))
    assert got.shape == want.shape and got.dtype == np.float32


def test_more_numbers_than_32_bits_count():
    """2^31 + 5 numbers in a few kilobytes: one row read again and again. Places and sizes are 64 bits wide."""
    row = np.zeros(1 << 12, np.float32)
    row[-1] = 1.0
    many = (1 << 19) + 1
    x = np.lib.stride_tricks.as_strided(row, (many, row.size), (0, 4), writeable=False)
    assert x.size > 2**31
    assert x.size * 4 > 2**33
    table = [[row.ctypes.data, 2**31 * 3, 2**31 * 3 + row.size]]  # an optimizer's table far into a long sequence
    sums = np.empty(1)
    cpu.compiled().optim._sum_of_squares.serial(np.array(table, np.int64), sums, 1)
    assert sums[0] == 1.0
    totals = np.zeros((1, 2, row.size), np.float32)
    cpu.compiled().rows._sum_of_rows(1, x[: 1 << 12], totals)
    assert totals[0, 0, -1] == 1 << 12
    a, b = np.ones((1, 8), np.float32), np.ones((8, 4), np.float32)
    far = np.lib.stride_tricks.as_strided(b, b.shape, b.strides, writeable=True)
    assert (cpu.compiled().gemm.gemm(a, far) == 8).all()
