"""benchmarks/gpu.py measures, writes each result at once, and goes on after a failure; on the stand-in, in small."""

import json
import sys
from pathlib import Path

import cuda_on_host
import pytest
from strict_cupy import as_cuda, strict

import minigrad as mg
from minigrad.kernels import gpu as kernels

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))

import gpu


@pytest.mark.skipif(cuda_on_host.COMPILER is None, reason="no C++ compiler: install g++")
def test_every_measure_runs_and_is_written_at_once(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(strict, "RawModule", cuda_on_host.RawModule, raising=False)
    monkeypatch.setattr(mg.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(gpu, "timed", lambda call, rounds=1: (call(), 0.5)[1])
    path = tmp_path / "results" / "gpu.json"

    def broken(rows, width):
        assert list(json.loads(path.read_text())["results"]) == ["copy"]  # written before the next one starts
        raise RuntimeError("the card fell out")

    monkeypatch.setitem(gpu.MEASURES, "tests", broken)
    names = ["copy", "tests", *(n for n in gpu.MEASURES if n not in ("copy", "tests"))]
    with as_cuda(kernels):
        gpu.measure(names, path, {"card": "none"}, rows=4, width=8)
    written = json.loads(path.read_text())
    assert written["card"] == "none" and list(written["results"]) == names
    assert written["results"].pop("tests") == {"failed": "RuntimeError: the card fell out"}
    for name, found in written["results"].items():
        assert all(value > 0 for value in found.values()), (name, found)
    assert written["results"]["copy"] == {"ms": 500.0, "GB/s": 2 * 4 * 4 * 8 / 0.5 / 1e9}
    assert capsys.readouterr().out.count("\n") == len(names)
