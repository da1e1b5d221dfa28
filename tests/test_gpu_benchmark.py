"""benchmarks/gpu.py: every measure computes what it says, in small, on the stand-in; each result is written at once.

The times mean nothing here.
"""

import json
import subprocess
import sys
import types
from pathlib import Path

import cuda_on_host
import pytest
from strict_cupy import as_cuda, strict

import minigrad as mg
from minigrad.kernels import gpu as kernels

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "benchmarks"))

import engines  # noqa: E402
import gpu  # noqa: E402
import gpu_plan  # noqa: E402
import worker  # noqa: E402

SIZES = {
    "mlp": {"batch": 4, "pixels": 6, "hidden": 5, "classes": 3},
    "cnn": {"batch": 2, "side": 8, "channels": 2, "classes": 3, "dropout": 0.25},
    "gpt": {"batch": 2, "block": 4, "layers": 1, "heads": 2, "channels": 4, "vocabulary": 7},
}
SHORT = {"seconds": 0.0, "rounds": 1, "first": 0}


def in_small(program: str, options: dict) -> dict:
    """The options of a part, of a size that a CPU can play."""
    if program in ("training", "capture"):
        size = SIZES[options["model"]]
        size = size | {"dropout": options["size"]["dropout"]} if "dropout" in options["size"] else size
        return options | {"size": size} | (SHORT if program == "training" else {"steps": 5})
    if program == "agreement":
        return options | {"steps": 3, "size": {"block": 4, "layers": 1, "heads": 2, "channels": 4, "batch": 2}}
    small = {"rows": 4, "width": 8, "n": 4, "k": 5, "m": 6, "batch": 1, "heads": 2, "length": 6}
    return options | {name: small[name] for name in small if name in options} | SHORT


class OnStandIn:
    """Stands in for gpu.Engines: minigrad in this process."""

    def __init__(self):
        job = types.SimpleNamespace(library="minigrad")
        self.ask = lambda program, options: worker.Job.on_gpu(job, program, options)["found"]

    def run(self, engine, program, options):
        assert engine == "minigrad"
        return self.ask(program, in_small(program, options))


@pytest.fixture
def card(monkeypatch):
    monkeypatch.setattr(strict, "RawModule", cuda_on_host.RawModule, raising=False)
    monkeypatch.setattr(mg.cuda, "synchronize", lambda device=None: None)
    monkeypatch.setattr(mg.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(mg.backend, "memory_counter", types.SimpleNamespace(peak=5 << 20, reset=lambda: None))
    before, tf32 = set(sys.modules), mg.backends.cudnn.allow_tf32
    with as_cuda(kernels), mg.alias():
        yield
    mg.set_float32_matmul_precision("highest")
    mg.backends.cuda.matmul.allow_tf32, mg.backends.cudnn.allow_tf32 = False, tf32
    for name in set(sys.modules) - before:  # they have minigrad for their torch
        if name.startswith(("workloads", "gpu_checks", "train_gpt")):
            del sys.modules[name]


@pytest.mark.skipif(cuda_on_host.COMPILER is None, reason="no C++ compiler: install g++")
@pytest.mark.parametrize("name", [name for name in gpu.MEASURES if name != "tests"])
def test_a_measure(name, card, tmp_path):
    path = tmp_path / "results" / "gpu.json"
    content = gpu.measure([name], path, {"card": "none"}, OnStandIn(), missing=("torch",), say=lambda text: None)
    assert json.loads(path.read_text()) == content and content["card"] == "none"
    found = content["results"][name]
    planned = gpu.MEASURES[name].parts
    assert list(found) == [f"{part}, minigrad" for part in planned] + ["goals"]
    for part, each in planned.items():
        entry = found[f"{part}, minigrad"]
        assert "failed" not in entry, entry
        if each.program in ("kernel", "product", "attention", "training"):
            assert entry["ms"] > 0 and entry["GB/s" if each.program == "kernel" else "TF/s"] > 0
        if each.program == "product":
            assert entry["error"] < {"float32": 1e-6, "tf32": 1e-2}.get(each.options["precision"], 1e-2)
        if each.program == "training":
            assert entry["peak MB"] == 5 and len(set(entry["losses"])) == 5
            assert ("replays" in entry) == bool(each.options.get("captured"))
            if each.options["precision"] == "float32" and "replays" in entry:
                assert entry["replays"] > 0 and "warnings" not in entry
                assert entry["losses"] == pytest.approx(found["eager, minigrad"]["losses"], abs=1e-5)
        if each.program == "capture":
            assert entry["replays"] == 2 and entry["different"] == [] and "warnings" not in entry
    for goal in found["goals"]:
        if "PyTorch" in goal["what"] or "share" in goal["what"]:
            continue  # of times, or of what is not here
        assert goal["met"] is True, goal


def test_goals():
    found = {
        "kernels": {"copy, minigrad": {"GB/s": 90.0}, "copy, torch": {"GB/s": 100.0}, "gelu, minigrad": {"GB/s": 84.0},
                    "softmax, minigrad": {"GB/s": 85.0}},
        "products": {"bfloat16, 8192 square, torch": {"TF/s": 600.0}, "bfloat16, GPT-2 up, minigrad": {"TF/s": 500.0}},
        "gpt2 bfloat16": {"eager, minigrad": {"ms": 120.0, "TF/s": 300.0, "peak MB": 10.0},
                          "captured, minigrad": {"failed": "no"}, "eager, torch": {"ms": 100.0, "peak MB": 11.0}},
        "mlp": {"captured, minigrad": {"ms": 0.1, "replays": 0}, "eager, torch": {"ms": 1.0}},
        "capture": {"mlp, minigrad": {"replays": 0, "different": []},
                    "cnn, minigrad": {"replays": 1, "different": [1]}},
        "tests": {"test_on_card.py, pytest": {"failures": 2}},
    }  # fmt: skip

    def judged(name):
        goals = (goal.judged(found[name], found) for goal in gpu.MEASURES[name].goals)
        return {goal["what"]: (goal["value"], goal["met"]) for goal in goals if goal["met"] is not None}

    assert judged("kernels") == {
        "softmax: share of the copy's bandwidth": (0.85, True), "gelu: share of the copy's bandwidth": (0.84, False)
    }  # fmt: skip
    assert judged("gpt2 bfloat16") == {
        "speed beside PyTorch's, the faster of eager and captured": (100 / 120, False),
        "peak memory beside PyTorch's": (10 / 11, True),
        "eager: share of the measured peak": (0.5, True),
    }
    assert judged("mlp") == {} and judged("products") == {}
    assert judged("capture")["cnn: tensors and losses that differ in a bit"] == (1, False)
    assert judged("capture")["mlp: tensors and losses that differ in a bit"][1] is False  # nothing was replayed
    assert judged("tests") == {"test_on_card.py: failures": (2, False)}


class Scripted:
    """An engine that is told what to find, and looks at the file while it runs."""

    def __init__(self, path, answers=()):
        self.path, self.answers, self.asked = path, iter(answers), []

    def run(self, engine, program, options):
        self.asked.append((engine, options.get("precision")))
        self.seen = gpu.read(self.path)
        answer = next(self.answers, {"ms": 1.0, "TF/s": 2.0})
        if isinstance(answer, BaseException):
            raise answer
        return dict(answer)


def test_each_result_is_written_at_once_and_resume_goes_on(tmp_path):
    path = tmp_path / "gpu.json"
    script = Scripted(path, [{"ms": 1.0, "TF/s": 2.0}, {"failed": "out of memory"}, KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        gpu.measure(["attention"], path, {"card": "x"}, script)
    entries = gpu.read(path)["results"]["attention"]
    assert script.seen["results"]["attention"].keys() == {"float32, minigrad", "float32, torch"}  # before the third
    assert entries["float32, minigrad"]["TF/s"] == 2.0 and entries["float32, torch"]["failed"] == "out of memory"
    again = Scripted(path)
    gpu.measure(["attention"], path, {"card": "x"}, again, resume=True)
    assert again.asked[0] == ("torch", "float32") and len(again.asked) == 5  # what has failed is tried once more
    assert list(tmp_path.iterdir()) == [path]
    anew = Scripted(path)
    gpu.measure(["attention"], path, {"card": "x"}, anew)
    assert len(anew.asked) == 6 and "mlp" not in gpu.read(path)["results"]


def test_a_failure_costs_its_figure_and_a_new_process():
    started, closed = [], []

    class Fake:
        def __init__(self, name, threads, limit):
            started.append((name, limit))

        def ask(self, do, program, options):
            if program == "bad":
                raise engines.EngineError("its process ended with code -9: out of memory")
            return {"found": {"ms": 1.0}}

        def close(self):
            closed.append(1)

    run = gpu.Engines(7.0, Fake)
    found = [run.run("torch", program, {}) for program in ("good", "good", "bad", "good")]
    assert found == [{"ms": 1.0}, {"ms": 1.0}, {"failed": "its process ended with code -9: out of memory"}, {"ms": 1.0}]
    assert started == [("torch", 7.0)] * 2 and len(closed) == 1
    run.close_all()
    assert len(closed) == 2


def test_the_processes_of_the_engines():
    late = gpu.Engines(0.2)
    assert late.run("minigrad", "facts", {}) == {"failed": "no answer within 0.2 s"}
    assert late.workers == {}
    some = gpu.Engines(120)
    try:
        if not mg.cuda.is_available():
            assert "device 'cuda' needs CuPy" in some.run("minigrad", "facts", {})["failed"]
        assert "failed" in some.run("minigrad", "training", {"model": "none", "precision": "float32", "size": {}})
    finally:
        some.close_all()


@pytest.mark.parametrize(
    ("body", "limit", "wanted"),
    [("pass", 60, {"failures": 0, "passed": 2}), ("assert x", 60, {"failures": 1, "passed": 1}),
     ("import time; time.sleep(100 * x + 100)", 6, {"failed": "no end within 6 s"})],
)  # fmt: skip
def test_a_file_of_tests(body, limit, wanted, tmp_path):
    file = tmp_path / "test_it.py"
    file.write_text(f"import pytest\n@pytest.mark.parametrize('x', [1, 0])\ndef test_it(x):\n    {body}\n")
    found = gpu.pytest(limit, str(file), device="cpu")
    assert {name: found[name] for name in wanted} == wanted
    assert ("said" in found) == (found.get("failures") != 0)


def test_without_a_card_it_says_what_is_missing():
    if mg.cuda.is_available():
        pytest.skip("there is one")
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--first-hour"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "device 'cuda' needs CuPy" in done.stderr
    for flags, message in (((), "nothing to do"), (("--only", "mlp", "--limit", "0"), "above 0")):
        done = subprocess.run([*command[:2], *flags], capture_output=True, text=True, timeout=120)
        assert done.returncode == 2 and message in done.stderr


def test_every_file_of_tests_is_there():
    assert all((ROOT / "tests" / name).exists() for name in gpu_plan.TESTS)
