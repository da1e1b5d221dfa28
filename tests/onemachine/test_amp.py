"""Mixed precision: the blocks of autocast, GradScaler. What autocast computes: tests/test_mixed_precision.py."""

import pytest
from strict_cupy import StrictArray, as_cuda

import minigrad as mg
from minigrad import backend
from minigrad.kernels import common
from minigrad.onemachine import amp, cuda_amp


def test_autocast_opens_a_block() -> None:
    assert not mg.is_autocast_enabled("cpu")
    with mg.autocast("cpu", dtype=mg.bfloat16):
        assert mg.is_autocast_enabled("cpu") and not mg.is_autocast_enabled()
        with mg.autocast("cpu", enabled=False):
            assert not mg.is_autocast_enabled("cpu")
        assert mg.is_autocast_enabled("cpu")
    assert not mg.is_autocast_enabled("cpu")

    @amp.autocast("cpu")
    def inside() -> bool:
        return mg.is_autocast_enabled("cpu")

    assert inside() and inside.__name__ == "inside"
    assert mg.get_autocast_dtype("cpu") is mg.bfloat16 and mg.get_autocast_dtype("cuda") is mg.float16
    assert mg.is_autocast_available("cpu") and amp.autocast("cpu").fast_dtype is mg.bfloat16


def test_autocast_refuses_what_it_cannot_mean() -> None:
    with pytest.warns(UserWarning, match="In CPU autocast, but the target dtype is not supported.*got .*float32"):
        block = mg.autocast("cpu", dtype=mg.float32)
    with block:
        assert not mg.is_autocast_enabled("cpu") and (mg.ones(2, 2) @ mg.ones(2, 2)).dtype is mg.float32
    with pytest.raises(RuntimeError, match="Expected one of cpu, cuda"):
        mg.autocast("toaster")
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        mg.autocast(mg.float16)
    with pytest.raises(TypeError, match="dtype must be a dtype"):
        mg.autocast("cpu", dtype="bfloat16")
    with pytest.raises(TypeError):
        mg.autocast("cpu", speed=2)


def test_cuda_without_a_gpu_warns_and_is_off(monkeypatch) -> None:
    monkeypatch.setattr(backend, "is_cuda_available", lambda: False)
    with pytest.warns(UserWarning, match="CUDA is not available. Disabling autocast"), cuda_amp.autocast():
        assert not mg.is_autocast_enabled("cuda")
    with pytest.warns(UserWarning, match="CUDA is not available. Disabling"):
        scaler = cuda_amp.GradScaler()
    p = mg.tensor([1.0], requires_grad=True)
    optimizer = mg.optim.SGD([p], lr=0.5)
    loss = (p * 2).sum()
    assert scaler.scale(loss) is loss and not scaler.is_enabled() and scaler.get_scale() == 1.0
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert p.tolist() == [0.0] and scaler.state_dict() == {}
    cuda_amp.autocast(enabled=False)
    amp.GradScaler(enabled=False)


def test_scaler_steps_with_unscaled_gradients_and_leaves_out_overflow() -> None:
    p = mg.tensor([1.0], requires_grad=True)
    optimizer = mg.optim.SGD([p], lr=0.5)
    scaler = amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)
    assert scaler.scale([mg.ones(1)])[0].tolist() == [4.0]
    for _ in range(2):
        optimizer.zero_grad()
        scaler.scale((p * 2).sum()).backward()
        assert p.grad.tolist() == [8.0]
        scaler.step(optimizer)
        assert p.grad.tolist() == [2.0]
        scaler.update()
    assert p.tolist() == [-1.0] and scaler.get_scale() == 8.0  # grown after two good steps
    p.grad = mg.tensor([float("inf")])
    assert scaler.step(optimizer) is None
    scaler.update()
    assert p.tolist() == [-1.0] and scaler.get_scale() == 4.0


def test_scaler_with_clipping_state_and_misuse() -> None:
    p = mg.tensor([1.0], requires_grad=True)
    optimizer = mg.optim.SGD([p], lr=1.0)
    scaler = amp.GradScaler("cpu")
    scaler.scale((p * 3).sum()).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match=r"unscale_\(\) has already been called"):
        scaler.unscale_(optimizer)
    mg.nn.utils.clip_grad_norm_([p], 1.0)
    scaler.step(optimizer)
    assert p.item() == pytest.approx(0.0, abs=1e-5)
    with pytest.raises(RuntimeError, match=r"step\(\) has already been called"):
        scaler.step(optimizer)
    scaler.update()
    with pytest.raises(AssertionError, match="No inf checks were recorded"):
        scaler.update()
    scaler.update(new_scale=16.0)
    state = scaler.state_dict()
    assert state == {
        "scale": 16.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2000, "_growth_tracker": 1,
    }  # fmt: skip
    other = amp.GradScaler("cpu")
    other.load_state_dict(state)
    assert other.state_dict() == state
    with pytest.raises(RuntimeError, match="source state dict is empty"):
        other.load_state_dict({})
    with pytest.raises(RuntimeError, match="Closure use"):
        scaler.step(optimizer, closure=lambda: 1.0)
    with pytest.raises(ValueError, match="scale takes a Tensor"):
        scaler.scale(1.0)
    with pytest.raises(AssertionError, match="growth factor"):
        amp.GradScaler("cpu", growth_factor=1.0)


@pytest.mark.parametrize("fault", [None, float("inf"), float("nan")])
def test_a_gpu_is_waited_for_once_a_step_to_see_whether_gradients_are_finite(fault, monkeypatch) -> None:
    waits = []
    real = StrictArray.get
    monkeypatch.setattr(StrictArray, "get", lambda self, *a, **k: waits.append(1) or real(self, *a, **k))
    with as_cuda(common):
        parameters = [mg.nn.Parameter(mg.ones(3, device="cuda")) for _ in range(5)]
        optimizer, scaler = mg.optim.SGD(parameters, lr=1.0), mg.amp.GradScaler("cuda", init_scale=4.0)
        for p in parameters:
            p.grad = mg.full((3,), 4.0, device="cuda")
        if fault is not None:
            parameters[3].grad[1] = fault
        waits.clear()
        scaler.step(optimizer)
        assert len(waits) <= 1 or fault is not None
        assert parameters[0].tolist() == ([0, 0, 0] if fault is None else [1, 1, 1])
        scaler.update()
        assert scaler.get_scale() == (4.0 if fault is None else 2.0)


def test_gradients_whose_sum_overflows_are_still_finite() -> None:
    p = mg.nn.Parameter(mg.ones(4))
    scaler = mg.amp.GradScaler("cpu", init_scale=1.0)
    p.grad = mg.full((4,), 3e38)
    scaler.step(mg.optim.SGD([p], lr=1e-38))
    assert p.tolist() == pytest.approx([-2.0] * 4)
