"""Kernels compiled in this process and kernels loaded from disk: the same bits, and no folder that must be writable.

Run as a script, this file prints digests of the results of a few kernels, one of each kind of loop, and where each
kernel came from. (What Numba compiles without threads it runs as it keeps it; compiler.py sees to the threaded forms.)
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
from kernel_checks import dispatchers

import minigrad
from minigrad.kernels import cpu
from minigrad.kernels.common_conv import Grid

ROOT = Path(minigrad.__file__).parents[1]


def results():
    """Every kernel on odd sizes, so that vector loops and their remainders both run."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    x, dy, weight, bias = normal(131, 77), normal(131, 77), normal(77), normal(77)
    target = rng.integers(0, 77, 131)
    y, mean, rstd = cpu.layer_norm_fwd(x, weight, bias, 1e-5)
    rms, rms_rstd = cpu.rms_norm_fwd(x, weight, 1e-5)
    loss, lse = cpu.cross_entropy_fwd(x, target, -100, 0.1)
    p, log_p = cpu.softmax(x, -1), cpu.log_softmax(x, -1)
    table = normal(77, 77)
    cpu.add_rows(table, target, dy)
    state = [normal(77), normal(77), abs(normal(77)), abs(normal(77))]
    scalars = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1, "decoupled": True, "step": 3}
    for amsgrad in (False, True):
        cpu.adam_update([state[0]], [bias], [state[1]], [state[2]], [state[3]], amsgrad=amsgrad, **scalars)
    moved = [normal(77), normal(77)]
    options = {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.1, "nesterov": True, "maximize": False}
    cpu.sgd_update([moved[0]], [bias], [moved[1]], first=False, **options)
    slow = [normal(77), abs(normal(77)) + 9, normal(77), normal(77)]
    shared = {"lr": 0.1, "eps": 1e-8, "weight_decay": 0.1, "maximize": False}
    cpu.rmsprop_update([slow[0]], [bias], [slow[1]], [slow[2]], [slow[3]], alpha=0.9, momentum=0.9, **shared)
    cpu.adagrad_update([slow[0]], [bias], [slow[1]], steps=[3], lr_decay=0.1, **shared)
    q, k, v, dout = (normal(2, 3, 45, 21) for _ in range(4))
    out, out_lse = cpu.attention_fwd(q, k, v, None, 0.3, True)
    h, c, gates, weight_hh, sizes = normal(5, 45), normal(5, 45), normal(11, 180), normal(180, 45), (5, 3, 3)
    lstm = cpu.lstm_fwd(gates, h, c, weight_hh, sizes, True)
    gru = cpu.gru_fwd(gates[:, :135], h, weight_hh[:135], None, sizes, False)
    image, kernel, place = normal(2, 6, 9, 11), normal(18, 3, 3, 2), ((2, 1), ((1, 1), (1, 0)), (1, 1), 2)
    conv = cpu.conv2d(image, kernel, bias[:18], *place)
    square = Grid((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1), (9, 11), (4, 5))
    wide = Grid((3, 2), (2, 3), ((1, 1), (1, 1)), (1, 2), (9, 11), (5, 4))
    pools = [cpu.max_pool2d_fwd(image, grid) for grid in (square, wide)]
    lines = image.reshape(2, 6, 99)
    middle, variance = cpu.channel_statistics(lines)
    batch = cpu.batch_norm_fwd(lines, weight[:6], bias[:6], middle, variance, 1e-5)
    scaled = normal(77)
    cpu.scale([scaled], 0.3)
    product = (cpu.compiled().gemm.gemm(x, dy.T, normal(131)), cpu.compiled().gemm.gemm_stack(q, k.swapaxes(2, 3)))
    product += (cpu.compiled().gemv.gemv(x[:2], dy.T, None),)
    product += (cpu.compiled().gemv.gemv(x[:2], dy[:77], None),)
    small = cpu.quantized_linear(x[:2], None, rng.integers(-9, 9, (5, 77)).astype(np.int8), np.ones(5, np.float32))
    bits = rng.integers(0, 1 << 14, (5, 77)).astype(np.uint16)  # of bfloat16 numbers below 2
    parts = cpu.compiled().threads.parts(0, 0)
    cpu.compiled().quantized._bfloat16_rows(
        parts, x[:2], bits, np.zeros(5, np.float32), half := np.empty((2, 5), np.float32)
    )
    activated = cpu.compiled().gemm.gemm_activated(x, dy.T, None, 2)
    return {
        "gemm": product,
        "linear_activation": (*activated, *cpu.linear_activation_bwd(x @ dy.T, activated[1], "gelu")),
        "conv2d": (conv, cpu.conv2d_input(conv, kernel, None, (9, 11), *place)),
        "conv2d_weight": (cpu.conv2d_weight(image, conv, (3, 2), *place),),
        "max_pool2d": (*pools[0], *pools[1], cpu.max_pool2d_bwd(*pools[1], wide)),
        "batch_norm": (middle, variance, *batch),
        "batch_norm_bwd": cpu.batch_norm_bwd(lines * lines, lines, weight[:6], middle, batch[1], (True, True, True)),
        "layer_norm": (y, mean, rstd, *cpu.layer_norm_bwd(dy, x, weight, mean, rstd, (True, True, True))),
        "residual": (*cpu.add_layer_norm_fwd(x, dy, weight, bias, 0.1), *cpu.add_rms_norm_fwd(x, dy, weight, 0.1)),
        "rms_norm": (rms, rms_rstd, *cpu.rms_norm_bwd(dy, x, weight, rms_rstd, (True, True))),
        "cross_entropy": (loss, lse, cpu.cross_entropy_bwd(loss, x, target, lse, -100, 0.1)),
        "softmax": (p, cpu.softmax_backward(dy, p, -1)),
        "log_softmax": (log_p, cpu.log_softmax_backward(dy, log_p, -1)),
        "elementwise": (cpu.gelu(x), cpu.gelu_backward(dy, x), cpu.silu(x), cpu.silu_backward(dy, x), cpu.erf(x)),
        "relu": (cpu.relu(x), cpu.relu_backward(dy, cpu.relu(x)), cpu.sum(x, (0,), False)),
        "add_rows": (table,),
        "adam_update": tuple(state),
        "sgd_update": tuple(moved),
        "rmsprop_update, adagrad_update": tuple(slow),
        "sum_of_squares": (np.array(cpu.sum_of_squares([x, y])), scaled),
        "lstm": (*lstm, *cpu.lstm_bwd(normal(21, 45), weight_hh, *lstm[1:], sizes, True)),
        "gru": (*gru[:4], *cpu.gru_bwd(normal(16, 45), weight_hh[:135], *gru[1:], sizes, False)[:3]),
        "attention": (out, out_lse, *cpu.attention_bwd(dout, q, k, v, out, out_lse, None, 0.3, True)),
        "reductions": (cpu.compiled().reductions.sum_of_last(x, 1), cpu.compiled().reductions.top_places(x, 5, True)),
        "quantized": (small, half),
        "few queries": cpu.attention_fwd(q[:, :, :2], k, v, None, 0.3, False),
    }


def kernels():
    """Name -> dispatcher of every function that is kept on disk."""
    found = {}
    for name, module in vars(cpu.compiled()).items():
        for key, value in dispatchers(module).items():
            if value.stats.cache_path is not None:
                found[f"{name}.{key}"] = value
    return found


def a_few_results():
    """Rows with reductions and exponentials, a product, and an optimizer's table: compiling all takes minutes."""
    rng = np.random.default_rng(0)
    x, dy, weight = (rng.standard_normal(shape).astype(np.float32) for shape in ((131, 77), (131, 77), (77,)))
    y, mean, rstd = cpu.layer_norm_fwd(x, weight, None, 1e-5)
    state = [rng.standard_normal(77).astype(np.float32) for _ in range(2)]
    options = {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.1, "nesterov": True, "maximize": False}
    cpu.sgd_update([state[0]], [weight], [state[1]], first=False, **options)
    return {
        "layer_norm": (y, mean, rstd, *cpu.layer_norm_bwd(dy, x, weight, mean, rstd, (True, True, True))),
        "log_softmax": (cpu.log_softmax(x, -1),),
        "gemm": (cpu.compiled().gemm.gemm(x, dy.T, None),),
        "sgd_update": tuple(state),
    }


def report():
    """Digests of the results, once from the serial forms and once, in two parts, from the threaded ones."""
    cpu.compiled().threads.parts = lambda work, smallest: 1
    alone = a_few_results()
    cpu.compiled().threads.parts = lambda work, smallest: 2
    together = {f"{name}, threaded": arrays for name, arrays in a_few_results().items()}
    digests = {
        name: hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()
        for name, arrays in (alone | together).items()
    }
    stats = {
        name: (sum(k.stats.cache_hits.values()), sum(k.stats.cache_misses.values())) for name, k in kernels().items()
    }
    return {"digests": digests, "stats": {name: found for name, found in stats.items() if any(found)}}


def in_a_new_process(cache_folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(cache_folder)}
    done = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, env=environment, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_same_bits_freshly_compiled_and_loaded(tmp_path):
    compiled, loaded = in_a_new_process(tmp_path), in_a_new_process(tmp_path)
    assert len(compiled["stats"]) == 11  # five kernels in both forms, and the one that reads an address
    for name, stats in compiled["stats"].items():  # the threaded form comes from disk even then: see compiler.py
        assert tuple(stats) == ((1, 0) if name.endswith("threaded") else (0, 1)), name
    for name, stats in loaded["stats"].items():
        assert tuple(stats) == (1, 0), name
    assert loaded["digests"] == compiled["digests"]


def test_each_kernel_runs_in_both_forms(monkeypatch):
    """And they agree, but for the last digits of sums: each form is vectorised by itself."""
    threads = cpu.compiled().threads
    monkeypatch.setattr(threads, "parts", lambda work, smallest: 1)
    alone = results()
    monkeypatch.setattr(threads, "parts", lambda work, smallest: 2)
    together = results()
    assert len(kernels()) == 93
    assert [name for name, kernel in kernels().items() if not kernel.signatures] == []
    for name, arrays in alone.items():
        for a, b in zip(arrays, together[name], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(a).max(initial=1.0), err_msg=name)


def test_a_kernel_is_compiled_where_nothing_can_be_written():
    from minigrad.kernels.cpu.intrinsics import kernel

    def twice(x, y):
        for i in range(x.size):
            y[i] = x[i] + x[i]

    # To Numba a function without a file has no place for its cache, as one in a read-only installation.
    nowhere = FunctionType(twice.__code__.replace(co_filename="<nowhere>"), {})
    dispatcher = kernel(nowhere)
    assert dispatcher.stats.cache_path is None
    y = np.zeros(3, np.float32)
    dispatcher(np.ones(3, np.float32), y)
    assert y.tolist() == [2.0, 2.0, 2.0]


def test_the_cache_notices_a_change_in_any_file_of_the_package(monkeypatch):
    """A kernel contains the code of the functions it calls, which live in other files than its own."""
    from minigrad.kernels.cpu import intrinsics

    def one_more(x):
        return x + 1.0

    first = intrinsics.kernel(one_more)
    monkeypatch.setattr(intrinsics, "_package_stamp", lambda: "another text")
    second = intrinsics.kernel(one_more)
    stamps = [dispatcher._cache._cache_file._source_stamp for dispatcher in (first, second)]
    assert stamps[0][0] == stamps[1][0] and stamps[0] != stamps[1]


@pytest.fixture(autouse=True, scope="module")
def numba_is_on():
    assert cpu.compiled() is not None, "these tests are about the compiled kernels: unset MINIGRAD_NUMBA, install numba"


if __name__ == "__main__":
    print(json.dumps(report()))
