"""Steps and clipping on the strict stand-in for a GPU: nothing waits for the device, and the numbers are the CPU's."""

from collections.abc import Iterator

import numpy as np
import optim_cases as cases
import pytest
import strict_cupy
from strict_modes import capturing, no_sync

import minigrad
from minigrad import optim
from minigrad.kernels import common
from minigrad.nn.utils import clip_grad_norm_, clip_grad_value_

ALL = [(kind, options) for kind, variants in cases.OPTIMIZERS.items() for options in variants]


@pytest.fixture(autouse=True)
def stand_in() -> Iterator[None]:
    with strict_cupy.as_cuda(common):
        yield


def on(device, dtype):
    values = np.linspace(-2, 3, 6).reshape(2, 3).astype(np.float32)
    p = minigrad.tensor(values, dtype=dtype).to(device).requires_grad_()
    gradient = minigrad.tensor(values[::-1].copy(), dtype=dtype).to(device)
    return p, gradient


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(("kind", "options"), ALL, ids=str)
def test_steps_never_wait_for_the_device(kind, options, dtype):
    dtype = getattr(minigrad, dtype)
    (p, gradient), (q, same) = on("cpu", dtype), on("cuda", dtype)
    here, there = getattr(optim, kind)([p], **options), getattr(optim, kind)([q], **options)
    memory = q.array
    for _ in range(3):
        p.grad, q.grad = gradient, same
        here.step()
        with no_sync():
            there.step()
    assert q.array is memory
    np.testing.assert_allclose(q.detach().cpu().numpy(), p.detach().numpy(), rtol=2e-6 if dtype.itemsize > 2 else 2e-3)
    saved = there.state_dict()["state"].get(0, {})
    assert {name: value.device.type for name, value in saved.items()} == {
        name: "cpu" if name in cases.SCALARS else "cuda" for name in saved
    }


CAPTURED = [(kind, options) for kind, options in ALL if getattr(optim, kind).can_be_captured]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(("kind", "options"), CAPTURED, ids=str)
def test_capturable_steps_need_nothing_from_the_host(kind, options, dtype):
    """Rates and counts stay on the device, and what is computed of them there is what the host would compute."""
    dtype = getattr(minigrad, dtype)
    (p, gradient), (q, same) = on("cpu", dtype), on("cuda", dtype)
    here, there = getattr(optim, kind)([p], **options), getattr(optim, kind)([q], **options)
    there.make_capturable()
    for step in range(4):
        here.param_groups[0]["lr"] = there.param_groups[0]["lr"] = 0.05 / (step + 1)
        p.grad, q.grad = gradient, same
        here.step()
        there.write_rates()
        with no_sync() if step == 0 else capturing():
            there.step()
    np.testing.assert_allclose(q.detach().cpu().numpy(), p.detach().numpy(), rtol=2e-6 if dtype.itemsize > 2 else 2e-3)
    state = there.state_dict()["state"].get(0, {})
    assert {value.device.type for value in state.values()} <= {"cuda"}
    fresh = getattr(optim, kind)([q], **options)
    fresh.make_capturable()
    fresh.load_state_dict(there.state_dict())
    assert {value.device.type for value in fresh.state[q].values()} <= {"cuda"}
    if "step" in state:
        assert state["step"].item() == fresh.state[q]["step"].item() == 4


def test_capturable_changes_nothing_on_the_host():
    p, gradient = on("cpu", minigrad.float32)
    optimizer = optim.Adam([p], capturable=True)
    p.grad = gradient
    optimizer.step()
    assert optimizer.state[p]["step"].device.type == "cpu"


def test_a_rate_in_a_tensor_on_the_device_is_read_there():
    q, gradient = on("cuda", minigrad.float32)
    rate = minigrad.tensor(0.5, device="cuda")
    optimizer = optim.SGD([q], lr=rate)
    optimizer.make_capturable()
    q.grad = gradient
    before = q.detach().cpu().numpy()
    with capturing():
        optimizer.step()
    np.testing.assert_allclose(q.detach().cpu().numpy(), before - 0.5 * gradient.cpu().numpy(), rtol=1e-6)


def test_parameters_on_both_devices_in_one_group():
    (p, gradient), (q, same) = on("cpu", minigrad.float32), on("cuda", minigrad.float32)
    optimizer = optim.AdamW([p, q], lr=0.1)
    p.grad, q.grad = gradient, same
    optimizer.step()
    np.testing.assert_allclose(q.detach().cpu().numpy(), p.detach().numpy(), rtol=1e-6)


def test_state_is_loaded_to_the_device_of_the_parameter():
    (p, gradient), (q, same) = on("cpu", minigrad.float32), on("cuda", minigrad.float32)
    here, there = optim.Adam([p]), optim.Adam([q])
    p.grad, q.grad = gradient, same
    here.step()
    there.load_state_dict(here.state_dict())
    assert there.state[q]["exp_avg"].device.type == "cuda"
    assert there.state[q]["step"].device.type == "cpu"
    there.step()
    assert there.state[q]["step"].item() == 2.0


@pytest.mark.parametrize("norm_type", cases.NORM_TYPES)
def test_clipping_never_waits_for_the_device(norm_type):
    (p, gradient), (q, same) = on("cpu", minigrad.float32), on("cuda", minigrad.float32)
    p.grad, q.grad = gradient, same
    expected = clip_grad_norm_([p], 0.5, norm_type)
    with no_sync():
        norm = clip_grad_norm_([q], 0.5, norm_type)
        clip_grad_value_([q], 0.125)
    clip_grad_value_([p], 0.125)
    assert norm.device.type == "cuda"
    assert norm.item() == pytest.approx(expected.item(), rel=1e-6)
    np.testing.assert_allclose(q.grad.cpu().numpy(), p.grad.numpy(), rtol=1e-6)
