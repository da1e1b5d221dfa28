"""The front of the CPU kernels: which calls reach Numba, how often it compiles, and what happens without it."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kernel_checks import dispatchers, lay_out

import minigrad
from minigrad.kernels import common, cpu, optim_reference

SGD = {
    "lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False,
    "first": False,
}  # fmt: skip
ADAM = {"lr": 3e-3, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1}
RMSPROP = {"lr": 0.1, "alpha": 0.9, "eps": 1e-8, "weight_decay": 0.1, "momentum": 0.9, "maximize": False}
ADAGRAD = {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "eps": 1e-8, "maximize": False}


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_supports():
    x, ids = np.zeros(3, np.float32), np.zeros(3, np.int64)
    assert cpu.supports("layer_norm", (x, None, x)) is True
    assert cpu.supports("cross_entropy", (x, ids)) is True
    assert cpu.supports("layer_norm", (x, x.astype(np.float64), None)) is False
    assert cpu.supports("layer_norm", (x.astype(np.float16),)) is False
    assert cpu.supports("attention", (x.astype(">f4"),)) is False
    assert cpu.supports("conv9d", (x,)) is False


def test_each_kernel_is_called_and_compiled_for_one_type_only():
    """Whatever the layout: a second type would be a second compilation, in the middle of somebody's training."""
    for layout in ("contiguous", "strided", "read-only"):
        x, w = lay_out(normal(0, 6, 5), layout), lay_out(normal(1, 5), layout)
        target = np.arange(6) % 5
        _, mean, rstd = cpu.layer_norm_fwd(x, w, None, 1e-5)
        cpu.layer_norm_bwd(x, x, w, mean, rstd, (True, True, True))
        cpu.rms_norm_bwd(x, x, w, cpu.rms_norm_fwd(x, w, 1e-5)[1], (True, True))
        loss, lse = cpu.cross_entropy_fwd(x, target, -100, 0.0)
        cpu.cross_entropy_bwd(loss, x, target.astype(np.int32), lse, -100, 0.0)
        cpu.softmax_backward(x, cpu.softmax(x, -1), -1)
        cpu.log_softmax_backward(x, cpu.log_softmax(x, -1), -1)
        cpu.gelu(cpu.gelu_backward(x, cpu.silu(cpu.silu_backward(x, cpu.erf(x)))))
        cpu.linear_activation_bwd(x, x, "gelu")
        cpu.add_rows(np.zeros((5, 5), np.float32), target, x)
        cpu.adam_update([np.ones(5, np.float32)], [w], [np.ones(5, np.float32)], [np.ones(5, np.float32)], None, **ADAM,
                        decoupled=True, step=1)  # fmt: skip
        cpu.sgd_update([np.ones(5, np.float32)], [w], None, **SGD)
        ones = [[np.ones(5, np.float32)] for _ in range(4)]
        cpu.rmsprop_update(ones[0], [w], *ones[1:], **RMSPROP)
        cpu.adagrad_update(ones[0], [w], ones[1], steps=[1], **ADAGRAD)
        cpu.sum_of_squares([x])
        cpu.scale([np.ones(5, np.float32)], 0.5)
        cpu.relu_backward(x, cpu.relu(x))
        cpu.compiled().rows.sum_of_rows(x, True)
    modules = vars(cpu.compiled())
    kernels = {
        f"{name}.{key}": value
        for name in ("rows", "activations", "scatter", "optim")
        for key, value in dispatchers(modules[name]).items()
        if value.stats.cache_path is not None and not key.endswith("threaded")  # these arrays are small
    }
    counts = {name: len(value.signatures) for name, value in kernels.items()}
    counts.pop("optim._address")  # one a number of axes, also those of other tests
    assert len(counts) == 22
    assert set(counts.values()) == {1}, counts


def test_names_and_signatures_are_commons():
    shared = [
        "softmax",
        "softmax_backward",
        "log_softmax",
        "log_softmax_backward",
        "erf",
        "gelu",
        "gelu_backward",
        "silu",
        "silu_backward",
        "add_rows",
    ]
    for name, module in [(name, common) for name in [*shared, "supports"]] + [
        ("adam_update", optim_reference),
        ("sum_of_squares", optim_reference),
        ("sgd_update", optim_reference),
    ]:
        mine, theirs = (inspect.signature(getattr(m, name)) for m in (cpu, module))
        assert list(mine.parameters) == list(theirs.parameters), name
    assert cpu.exp is common.exp and "exp" in dir(cpu)
    with pytest.raises(AttributeError, match="no_such_kernel"):
        cpu.no_such_kernel  # noqa: B018


def run_python(code, **environment):
    root = str(Path(minigrad.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, **environment}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_numba_is_imported_at_the_first_kernel_call():
    code = (
        "import sys, numpy as np; from minigrad.kernels import cpu; print('numba' in sys.modules);"
        "cpu.exp(np.ones(3, np.float32)); cpu.softmax(np.ones(3), -1); print('numba' in sys.modules);"
        "cpu.softmax(np.ones((2, 3), np.float32), -1); print('numba' in sys.modules)"
    )
    assert run_python(code).split() == ["False", "False", "True"]


def test_without_numba_the_primitives_are_commons():
    code = (
        "import sys, numpy as np; from minigrad.kernels import cpu; x = np.ones((2, 3), np.float32);"
        "print(cpu.supports('layer_norm', (x,)), cpu.softmax(x, -1).dtype, cpu.gelu(x).dtype, cpu.sum_of_squares([x]));"
        "b = np.zeros((2, 3), np.float32); cpu.add_rows(b, np.array([1, 1]), x); print(b[1, 0], 'numba' in sys.modules)"
    )
    want = ["False", "float32", "float32", "6.0", "2.0", "False"]
    assert run_python(code, MINIGRAD_NUMBA="0").split() == want
    blocked = "import sys; sys.modules['numba'] = None; "  # the import then fails as if it were not installed
    assert run_python(blocked + code.replace("'numba' in sys.modules", "False")).split() == want


def test_a_missing_numba_is_reported_once():
    code = (
        "import sys, warnings, numpy as np; sys.modules['numba'] = None\n"
        "import minigrad as mg\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    x = mg.ones(2, 3, requires_grad=True)\n"
        "    for _ in range(2): mg.nn.functional.gelu(x).softmax(-1).sum().backward()\n"
        "print(len(caught), caught[0].message)"
    )
    assert run_python(code).startswith("1 Numba is not installed: minigrad runs its slower NumPy definitions. Install")


def test_a_broken_numba_is_reported_once_and_survived():
    code = (
        "import sys, types, warnings, numpy as np\n"
        "class Broken:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'numba': raise ImportError('needs NumPy 2.0 or less')\n"
        "sys.meta_path.insert(0, Broken())\n"
        "from minigrad.kernels import cpu\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    for _ in range(2): assert not cpu.supports('layer_norm', ())\n"
        "print(len(caught), caught[0].message)"
    )
    out = run_python(code)
    assert out.startswith("1 Numba is installed but cannot be imported (needs NumPy 2.0 or less)")
