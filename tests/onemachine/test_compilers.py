"""compile, jit, onnx, the profiler, and switches of arithmetic."""

import json

import pytest

import minigrad as mg
from minigrad import nn
from minigrad.onemachine import jit, onnx, settings
from minigrad.onemachine.profiler import (
    ProfilerAction,
    ProfilerActivity,
    profile,
    record_function,
    schedule,
    tensorboard_trace_handler,
)


def test_compile_gives_what_it_is_given() -> None:
    model = nn.Linear(2, 2)
    assert mg.compile(model, mode="max-autotune", fullgraph=True, dynamic=False) is model

    @mg.compile
    def double(x):
        return 2 * x

    @mg.compile(backend="eager")
    def triple(x):
        return 3 * x

    assert double(2) == 4 and triple(2) == 6
    with pytest.raises(TypeError, match="compile takes a module or a function, got int"):
        mg.compile(3)
    with pytest.raises(TypeError, match="backend must be a name"):
        mg.compile(model, backend=lambda graph, inputs: graph)
    with pytest.raises(RuntimeError, match="Either mode or options"):
        mg.compile(model, mode="default", options={})
    with pytest.raises(TypeError, match="speed"):
        mg.compile(model, speed=2)


def test_jit_leaves_functions_as_they_are() -> None:
    model = nn.Linear(2, 2)
    assert jit.script(model) is model and jit.script(max) is max and jit.export(max) is max
    assert jit.ignore(max) is max and jit.ignore(drop=True)(max) is max
    calls = []
    assert jit.trace(calls.append, 3) == calls.append and calls == [3]
    assert jit.trace(model, (mg.ones(1, 2),)) is model
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        jit.trace(model, mg.ones(1, 3))  # the example is run: its error shows
    assert not jit.is_scripting() and not jit.is_tracing()
    with pytest.raises(TypeError, match="jit.script takes a function, class or module, got int"):
        jit.script(3)
    with pytest.raises(NotImplementedError, match=r"state_dict\(\)"):
        jit.save(model, "model.pt")
    with pytest.raises(NotImplementedError, match=r"state_dict\(\)"):
        jit.load("model.pt")


def test_onnx_says_that_it_cannot() -> None:
    with pytest.raises(NotImplementedError, match="does not write ONNX files"):
        onnx.export(nn.Linear(2, 2), mg.ones(1, 2), "model.onnx", opset_version=17)


def test_switches_of_arithmetic(monkeypatch) -> None:
    monkeypatch.setattr(settings, "_state", dict(settings._state))
    assert mg.get_float32_matmul_precision() == "highest"
    mg.set_float32_matmul_precision("high")
    assert mg.get_float32_matmul_precision() == "high"
    with pytest.warns(UserWarning, match="exact is not one of"):
        mg.set_float32_matmul_precision("exact")
    assert not mg.are_deterministic_algorithms_enabled()
    mg.use_deterministic_algorithms(True, warn_only=True)
    assert mg.are_deterministic_algorithms_enabled() and mg.is_deterministic_algorithms_warn_only_enabled()
    with pytest.raises(TypeError, match="takes True or False, got 'yes'"):
        mg.use_deterministic_algorithms("yes")


def test_schedule_is_pytorchs() -> None:
    action = schedule(wait=1, warmup=1, active=2, repeat=2, skip_first=1)
    assert [action(i).name for i in range(11)] == [  # PyTorch 2.13
        "NONE", "NONE", "WARMUP", "RECORD", "RECORD_AND_SAVE",
        "NONE", "WARMUP", "RECORD", "RECORD_AND_SAVE", "NONE", "NONE",
    ]  # fmt: skip
    assert schedule(wait=0, warmup=0, active=1)(5) is ProfilerAction.RECORD_AND_SAVE
    with pytest.raises(AssertionError, match="active must be 1 or more"):
        schedule(wait=1, warmup=1, active=0)


def test_profile_counts_the_calls_of_ops(tmp_path) -> None:
    x = mg.ones(3, 2, requires_grad=True)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as prof:
        with record_function("forward"):
            y = (x.exp() * 2).sum()
        y.backward()
    averages = {a.key: a for a in prof.key_averages()}
    assert {"forward", "exp", "mul", "sum", "exp_vjp", "mul_vjp", "sum_vjp"} <= set(averages)
    assert averages["exp"].count == 1 and averages["forward"].cpu_time_total >= averages["exp"].cpu_time_total > 0
    assert 0 <= averages["forward"].self_cpu_time_total < averages["forward"].cpu_time_total
    table = prof.key_averages().table(sort_by="cpu_time_total", row_limit=1).splitlines()
    assert table[3].split()[0] == "forward" and len(table) == 6 and table[-1].startswith("Self CPU time total")
    assert "exp [(3, 2)]" in {a.key for a in prof.key_averages(group_by_input_shape=True)}
    with pytest.raises(ValueError, match="sort_by must be one of"):
        prof.key_averages().table(sort_by="beauty")
    prof.export_chrome_trace(str(tmp_path / "trace.json"))
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {"exp", "forward"} <= {e["name"] for e in events} and all(e["dur"] >= 0 for e in events)
    count = len(prof.events())
    x.exp()  # outside: nothing is recorded
    assert len(prof.events()) == count


def test_profile_by_steps_hands_over_each_cycle(tmp_path) -> None:
    handed: list[int] = []
    ready = lambda p: handed.append(len(p.events()))  # noqa: E731
    with profile(schedule=schedule(wait=1, warmup=0, active=2), on_trace_ready=ready) as prof:
        for _ in range(6):
            mg.ones(1).exp()
            prof.step()
    assert handed == [2, 2] and prof.step_num == 6
    with profile(on_trace_ready=tensorboard_trace_handler(str(tmp_path / "log"))):
        mg.ones(1).exp()
    assert len(list((tmp_path / "log").glob("*.pt.trace.json"))) == 1


def test_profile_refuses_what_it_cannot_record() -> None:
    with pytest.raises(NotImplementedError, match="leave out with_flops=True"):
        profile(with_flops=True)
    with pytest.raises(TypeError, match="activities are of ProfilerActivity"):
        profile(activities=["cpu"])
    with profile() as prof, pytest.raises(RuntimeError, match="being recorded already"):
        profile().start()
    with pytest.raises(ValueError, match="needs profile"):
        prof.key_averages(group_by_input_shape=True)

    @record_function("named")
    def plain() -> int:
        return 1

    assert plain() == 1  # without a profile
