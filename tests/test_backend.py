"""Devices: names, defaults, moves, and the errors where there is no GPU or two devices meet."""

import sys

import numpy as np
import pytest
import strict_cupy

import minigrad as mg
from minigrad import backend
from minigrad.kernels import common


@pytest.fixture
def gpu():
    """Device "cuda" is the strict stand-in for CuPy."""
    with strict_cupy.as_cuda(common):
        yield


@pytest.fixture
def no_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)


# ---------------------------------------------------------------- names


def test_device_objects():
    d = mg.device("cuda:1")
    assert (d.type, d.index, str(d), repr(d)) == ("cuda", 1, "cuda:1", "device(type='cuda', index=1)")
    assert d == mg.device("cuda", 1)
    assert hash(d) == hash(mg.device(d))
    assert d != mg.device("cuda")
    assert repr(mg.device("cpu")) == "device(type='cpu')"
    with pytest.raises(AttributeError):
        d.nonsense = 1


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cuda:-1", "cpux"])
def test_names_that_mean_nothing(name):
    with pytest.raises(RuntimeError, match="Expected one of cpu, cuda device type"):
        mg.device(name)


def test_a_device_is_named_by_text():
    with pytest.raises(TypeError, match="device takes a name such as 'cpu' or 'cuda:0', got 3"):
        mg.device(3)


# ---------------------------------------------------------------- without CuPy


@pytest.mark.parametrize(
    "call",
    [
        lambda: mg.zeros(2, device="cuda"),
        lambda: mg.tensor([1.0], device="cuda"),
        lambda: mg.ones(2).cuda(),
        lambda: mg.ones(2).to("cuda:0"),
        lambda: mg.nn.Linear(2, 2).to("cuda"),
        lambda: mg.randn(2, device="cuda"),
        lambda: mg.set_default_device("cuda"),
    ],
)
def test_cuda_without_cupy_says_what_to_install(no_cupy, call):
    try:
        with pytest.raises(
            RuntimeError, match=r"device 'cuda' needs CuPy, which is not installed: pip install 'minigrad\[cuda\]'"
        ):
            call()
        assert str(mg.get_default_device()) == "cpu"
    finally:
        mg.set_default_device(None)


def test_asking_whether_there_is_a_gpu_never_raises(no_cupy):
    assert backend.is_cuda_available() is False


def test_an_environment_variable_names_the_default(monkeypatch, gpu):
    monkeypatch.setenv("MINIGRAD_DEVICE", "cuda")
    assert mg.zeros(2).is_cuda
    monkeypatch.setenv("MINIGRAD_DEVICE", "nonsense")
    with pytest.raises(RuntimeError, match="Expected one of cpu, cuda"):
        mg.zeros(2)
    monkeypatch.setenv("MINIGRAD_DEVICE", "")
    assert not mg.zeros(2).is_cuda


# ---------------------------------------------------------------- with a GPU (the stand-in)


def test_moves(gpu):
    x = mg.tensor([1.0, 2.0])
    y = x.to("cuda")
    assert (str(y.device), y.is_cuda, x.is_cuda) == ("cuda:0", True, False)
    assert y.cpu().tolist() == [1, 2]
    assert y.to("cuda") is y
    assert x.cpu() is x
    assert y.to(x).device == x.device
    assert y.to("cpu", mg.float64).dtype is mg.float64
    y.add_(1)
    assert (x.tolist(), y.tolist()) == ([1, 2], [2, 3])
    with pytest.raises(TypeError, match=r"can't convert cuda:0 device type tensor to numpy. Use tensor.cpu\(\) first."):
        y.numpy()
    assert y.numpy(force=True).tolist() == [2, 3]


def test_gradients_cross_devices(gpu):
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = (x.to("cuda") ** 2).cpu() * 3
    y.sum().backward()
    assert x.grad.tolist() == [6, 12]
    assert not x.grad.is_cuda


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("add", lambda a, b: a + b),
        ("mul", lambda a, b: b * a),
        ("matmul", lambda a, b: a @ b.t()),
        ("eq", lambda a, b: a == b),
        ("where", lambda a, b: mg.where(a > 0, a, b)),
        ("cat", lambda a, b: mg.cat([a, b])),
    ],
)
def test_two_devices_in_one_op_are_both_named(gpu, name, call):
    with pytest.raises(
        RuntimeError,
        match=rf"{name}\w*: Expected all tensors to be on the same device.*(cpu, cuda:0|cuda:0, cpu).*\.to\(device\)",
    ):
        call(mg.ones(2, 2), mg.ones(2, 2, device="cuda"))


def test_the_default_device(gpu):
    mg.set_default_device("cuda")
    try:
        assert all(
            x.is_cuda for x in (mg.zeros(1), mg.tensor([1]), mg.arange(3), mg.randn(2), mg.eye(2), mg.linspace(0, 1, 3))
        )
        assert not mg.from_numpy(np.ones(1)).is_cuda
        assert not mg.zeros(1, device="cpu").is_cuda
        assert mg.zeros_like(mg.zeros(1, device="cpu")).is_cuda is False
        assert mg.nn.Linear(2, 2).weight.is_cuda
    finally:
        mg.set_default_device(None)
    assert not mg.zeros(1).is_cuda


def test_models_on_cpu_and_gpu_start_equal(gpu):
    weights = []
    for device in ("cpu", "cuda"):
        mg.manual_seed(0)
        weights.append(mg.nn.Linear(3, 5, device=device).weight.tolist())
    assert weights[0] == weights[1]


def test_views_and_writes_on_the_device(gpu):
    x = mg.zeros(3, device="cuda")
    x[0].add_(1)
    x[1:][0] = 5
    x.view(3, 1)[2, 0] = 7
    assert x.tolist() == [1, 5, 7]
    w = mg.ones(3, device="cuda", requires_grad=True)
    y = w * 2
    y[0].mul_(3)
    y[mg.tensor([1, 2])] = 0.0
    y.sum().backward()
    assert y.tolist() == [6, 0, 0]
    assert w.grad.tolist() == [6, 0, 0]


def test_a_copy_between_devices(gpu):
    x, y = mg.zeros(2, device="cuda"), mg.ones(2)
    x.copy_(y)
    assert x.is_cuda
    assert x.tolist() == [1, 1]


def test_repr_names_the_device(gpu):
    assert repr(mg.ones(1, device="cuda")) == "tensor([1.], device='cuda:0')"


def test_type_names(gpu):
    assert mg.ones(1, device="cuda").type() == "torch.cuda.FloatTensor"


def test_save_and_load_elsewhere(gpu, tmp_path):
    mg.save({"w": mg.ones(2, device="cuda")}, tmp_path / "w.pt")
    assert not mg.load(tmp_path / "w.pt")["w"].is_cuda
    assert mg.load(tmp_path / "w.pt", map_location="cuda")["w"].is_cuda


# ---------------------------------------------------------------- the seam


def test_kernels_refuse_what_is_no_raw_array():
    with pytest.raises(TypeError, match=r"given a Tensor: inside a rule call the op, such as exp\(x\)"):
        backend.kernels_of(mg.ones(1))
    with pytest.raises(TypeError, match=r"expected an array that a backend owns .* got list"):
        backend.kernels_of([1.0])


def test_a_backend_comes_and_goes():
    with strict_cupy.as_cuda(common):
        array = backend.to_device(np.ones(2, np.float32), "cuda")
        assert backend.is_array(array)
        assert backend.to_host(array).tolist() == [1, 1]
        assert backend.array_module(array) is strict_cupy.strict
    assert not backend.is_array(array)
