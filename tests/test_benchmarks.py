"""The benchmarks compute what they say: losses recorded from PyTorch, operations counted by hand, scripts that run.

No time is asserted anywhere.
"""

import itertools
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad as mg

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
sys.path.append(str(BENCHMARKS))  # as `python benchmarks/run.py` has it

import engines  # noqa: E402
import page  # noqa: E402
import run  # noqa: E402
import scaling  # noqa: E402
from workloads import WORKLOADS, build, flops  # noqa: E402

RECORDED = json.loads((ROOT / "tests" / "recorded" / "benchmarks.json").read_text(encoding="utf-8"))
SCRIPTS = sorted(path.name for path in BENCHMARKS.glob("*.py") if "ArgumentParser" in path.read_text(encoding="utf-8"))


def script(name: str, *flags: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(BENCHMARKS / name), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("name", WORKLOADS)
def test_losses_are_those_of_pytorch(name):
    with mg.alias():
        step = build(name, WORKLOADS[name].tiny)
    losses = [step() for _ in range(4)]
    decodes = name.startswith("decode")
    recorded = RECORDED["losses"]["decode" if decodes else name]
    rounded = name not in RECORDED["losses"]
    assert losses == pytest.approx(recorded, rel=WORKLOADS[name].agree_to if rounded else 1e-5)
    if not decodes:
        assert all(after < before for before, after in itertools.pairwise(losses))


def test_decode_starts_again_when_its_cache_is_full():
    size = WORKLOADS["decode"].tiny
    with mg.alias():
        step = build("decode", size)
    room = size["cache"] - size["prompt"]
    first, again = ([step() for _ in range(room)] for _ in range(2))
    assert first == again and len(set(first)) == room


def test_compiled_is_put_around_what_computes_the_loss():
    calls = []

    def counted(function):
        return lambda *batch: calls.append(len(batch)) or function(*batch)

    with mg.alias():
        for name, workload in WORKLOADS.items():
            build(name, workload.tiny, counted)()
    assert calls == [3 if name.startswith("decode") else 2 for name in WORKLOADS]


def test_operations_counted_by_hand():
    # mlp64: forward, the gradient of each weight, and of the hidden layer; the images need none.
    forward = 2 * 64 * 784 * 500 + 2 * 64 * 500 * 10
    assert flops.mlp(WORKLOADS["mlp64"].size) == forward + forward + 2 * 64 * 500 * 10 == 102_272_000
    # A GPT of one layer with 2 channels, 3 kinds of tokens, one sequence of 4: written out product by product.
    products = [(4, 2, 6), (4, 2, 2), (4, 2, 8), (4, 8, 2), (4, 2, 3)]  # qkv, projection, up, down, head
    attention = 2 * (2 * 4 * 4 * 2) // 2  # scores and values, half of the 4 x 4 masked
    by_hand = 3 * (sum(2 * m * k * n for m, k, n in products) + attention)
    size = {"batch": 1, "block": 4, "layers": 1, "heads": 1, "channels": 2, "vocabulary": 3}
    assert flops.gpt(size) == by_hand == 1488
    # The first convolution's input is the data: its gradient is not counted.
    size = {"batch": 1, "side": 4, "channels": 2, "classes": 3}
    first, second, head = 2 * 16 * 9 * 2, 2 * 4 * 18 * 4, 2 * 4 * 3
    assert flops.cnn(size) == 3 * (first + second + head) - first


def test_every_workload_is_counted():
    for workload in WORKLOADS.values():
        assert 0 < flops.FLOPS[workload.module](workload.tiny) < flops.FLOPS[workload.module](workload.size)


@pytest.mark.parametrize("name", SCRIPTS)
def test_help(name):
    done = script(name, "--help")
    assert done.returncode == 0 and name in done.stdout, done.stderr


def test_run_measures_and_prints_json():
    done = script("run.py", "--tiny", "--rounds", "2", "--engines", "minigrad", "--threads", "1", "--json", "moons")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    found = result["workloads"]["moons"]
    row = found["engines"]["minigrad"]
    assert row["losses"] == pytest.approx(RECORDED["losses"]["moons"][:3], rel=1e-5)
    assert row["steps"] >= 4 and 0 < row["p10_ms"] <= row["median_ms"]
    assert found["flops"] == flops.moons(WORKLOADS["moons"].tiny)
    assert result["machine"]["threads"] == 1 and result["machine"]["peak_gflops"] > 0
    assert {"numpy", "numba", "blas"} <= set(result["versions"])


def test_run_stops_when_interrupted_and_shows_what_is_finished():
    # A shell's background job ignores SIGINT and hands that down; a handler of ours is the default again in a child.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    after = ["mlp64", "cnn", "lstm", "gpt_char"]  # enough to be busy yet when the signal comes, on a busy machine too
    command = [sys.executable, str(BENCHMARKS / "run.py"), "moons", *after, "--tiny", "--rounds", "30"]
    with subprocess.Popen(
        [*command, "--engines", "minigrad"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as p:
        for line in p.stdout:
            if line.startswith("  minigrad"):  # the row of moons: mlp64 is starting
                p.send_signal(signal.SIGINT)
                break
        rest, errors = p.communicate(timeout=300)
    assert p.returncode == 130 and "interrupted; finished: moons" in errors and "Traceback" not in errors
    assert "mlp64" not in rest


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["moon"], "unknown workload 'moon': choose from moons, mlp64"),
        (["--rounds", "0"], "--rounds must be at least 1, got 0"),
        (["--tiny", "--save"], "--tiny and --cpu-time measure nothing worth saving"),
        (["--engines", "theano"], "invalid choice: 'theano'"),
    ],
)
def test_run_wrong_input_ends_with_a_sentence(flags, message):
    done = script("run.py", *flags)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


def test_ops_run():
    done = script("ops.py", "--rounds", "1", "--seconds", "0.001", "--threads", "1", "8 numbers", "norm, char", "cell")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if "8 numbers" in line or "norm" in line or "cell" in line]
    assert len(rows) == 9 and not any("DIFFER" in row for row in rows)


def test_a_worker_says_what_went_wrong():
    with engines.Worker("minigrad", 1) as worker:
        with pytest.raises(engines.EngineError, match="KeyError: 'no such workload'"):
            worker.ask("prepare", workload="no such workload", size={}, tiny={})
        for cpu_time in (False, True):
            assert len(worker.ask("time", seconds=0, cpu_time=cpu_time)["times"]) == 2  # it is still there
        os.kill(worker.process.pid, signal.SIGKILL)
        with pytest.raises(engines.EngineError, match="its process ended with code -9"):
            worker.ask("time", seconds=0)


def test_engines_that_are_not_installed_are_named(monkeypatch):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    found, told = engines.installed(["minigrad", "torch", "torch-compile", "jax"])
    assert found == ["minigrad"]
    assert told == "Not installed, so left out: jax, torch (pip install jax torch)"


def test_summary_and_line():
    assert engines.summary([3.0, 1.0, 2.0] + [9.0] * 8) == {"median_ms": 9000.0, "p10_ms": 2000.0, "steps": 11}
    slope, rest = scaling.line_through([1, 2, 4], [5.0, 7.0, 11.0])
    assert math.isclose(slope, 2) and math.isclose(rest, 3)


def some_result() -> dict:
    rows = {
        "minigrad": {"losses": [2.0, 1.0, 0.5], "median_ms": 2.0, "p10_ms": 1.5, "steps": 9, "growth_mb": 10.0},
        "torch": {"losses": [2.0, 1.0, 0.50001], "median_ms": 3.0, "p10_ms": 2.5, "steps": 9, "growth_mb": 20.0},
        "torch-compile": {"error": "no C++ compiler"},
        "jax": {"losses": [2.0, 1.0, 0.5], "median_ms": 5.0, "p10_ms": 4.5, "steps": 9},
    }
    machine = {
        "date": "2026-01-02", "cpu": "A Processor", "cores": 2, "threads": 2, "system": "Linux", "load": 0.1,
        "openblas_coretype": "not set", "peak_gflops": 100.0,
    }  # fmt: skip
    workload = {"what": "an MLP", "size": {"batch": 1}, "flops": 100_000_000, "engines": rows}
    return {"machine": machine, "versions": {"numpy": "2"}, "rounds": 1, "workloads": {"mlp64": workload}}


def test_table_tells_ratio_share_and_disagreement():
    found = some_result()["workloads"]["mlp64"]
    text = run.table("mlp64", found, peak=100.0)
    assert "agree to 2e-05" in text and "no C++ compiler" in text
    torch = next(line for line in text.splitlines() if "PyTorch eager" in line).split()
    assert torch[-1] == "1.50" and "+20" in torch and "33.3%" in torch
    found["engines"]["jax"]["losses"][0] = 2.1
    assert "DIFFER by 5e-02" in run.table("mlp64", found, peak=100.0)


def test_page_shows_the_figures(tmp_path):
    source = tmp_path / "figures.json"
    source.write_text(json.dumps(some_result()), encoding="utf-8")
    done = script("page.py", str(source), "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert "| mlp64 | 0.1 | 2 (1.5) | 50% | 3 (2.5) | 1.50 | 2.50 |" in text
    assert "| mlp64 | 10 | 20 |" in text and "2026-01-02 on A Processor, 2 cores" in text
    assert text == page.page(some_result(), "benchmarks/results/figures.json")
    for kept in (ROOT / "docs").glob("performance.md"):  # the one in docs, once there are figures, is of its figures
        text = kept.read_text(encoding="utf-8")
        figures = ROOT / next(part for part in text.split("`") if part.startswith("benchmarks/results/"))
        result = json.loads(figures.read_text(encoding="utf-8"))
        assert page.page(result, f"benchmarks/results/{figures.name}", page.beside(figures)) == text
    other = some_result()
    other["machine"] |= {"cpu": "Another Processor", "peak_gflops": 200.0}
    (tmp_path / "other.json").write_text(json.dumps(other), encoding="utf-8")
    assert page.beside(source) == [other]
    text = page.page(some_result(), "benchmarks/results/figures.json", page.beside(source))
    assert "| Another Processor, 2026-01-02, 200 GFLOP/s | 1.50, 25% |" in text
    picture = (tmp_path / "performance.svg").read_text(encoding="utf-8")
    assert "mlp64" in picture and "PyTorch eager" in picture and len(picture) < 60_000


def test_save_keeps_the_other_workloads_of_the_same_day_and_processor(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "HERE", tmp_path)
    first, second = some_result(), some_result()
    first["workloads"] = {"gpt_char": {"flops": 1}, "mlp64": {"flops": 2}}
    second["workloads"] = {"mlp64": {"flops": 3}}
    path = run.save(first)
    assert path == run.save(second) == tmp_path / "results" / "2026-01-02-a-processor.json"
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert list(saved["workloads"].items()) == [("mlp64", {"flops": 3}), ("gpt_char", {"flops": 1})]
