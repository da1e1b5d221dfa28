"""Steps and clipping on the strict stand-in for a GPU: nothing waits for the device, and the numbers are the CPU's."""

from collections.abc import Iterator

import numpy as np
import optim_cases as cases
import pytest
import strict_cupy
from strict_modes import no_sync

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
