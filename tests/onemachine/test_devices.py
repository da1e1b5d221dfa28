"""Other hardware: what is said of it where it is not, and what is asked of CuPy where it is."""

import types

import pytest

import minigrad as mg
from minigrad import backend
from minigrad.kernels.cuda import memory
from minigrad.onemachine import accelerator, backends, cuda, mps


@pytest.fixture
def no_gpu(monkeypatch) -> None:
    def refuse() -> None:
        raise RuntimeError("device 'cuda' needs CuPy, which is not installed: pip install ...")

    monkeypatch.setattr(backend, "_load_cupy", refuse)


@pytest.fixture
def gpu(monkeypatch) -> list[str]:
    """A stand-in for two GPUs: the calls it got."""
    calls: list[str] = []
    state = {"index": 0}

    class Device:
        def __init__(self, index: int):
            self.index, self.compute_capability = index, "120" if index else "90"

        def use(self) -> None:
            state["index"] = self.index

        def synchronize(self) -> None:
            calls.append(f"synchronize {self.index}")

    class Pool:
        used_bytes = staticmethod(lambda: 100)
        total_bytes = staticmethod(lambda: 300)
        free_all_blocks = staticmethod(lambda: calls.append("free"))

    runtime = types.SimpleNamespace(
        getDeviceCount=lambda: 2,
        getDevice=lambda: state["index"],
        getDeviceProperties=lambda index: {"name": f"GPU {index}".encode()},
    )
    cupy = types.SimpleNamespace(
        cuda=types.SimpleNamespace(Device=Device, runtime=runtime), get_default_memory_pool=lambda: Pool
    )
    monkeypatch.setitem(backend._BY_DEVICE, "cuda", types.SimpleNamespace(module=cupy, device_type="cuda"))
    return calls


def test_cuda_without_a_gpu(no_gpu) -> None:
    assert mg.cuda is cuda
    assert not cuda.is_available() and not cuda.is_initialized() and not cuda.is_bf16_supported()
    assert cuda.device_count() == cuda.memory_allocated() == cuda.memory_reserved() == cuda.max_memory_allocated() == 0
    assert cuda.empty_cache() is None and cuda.set_device(-1) is None
    for call in (cuda.synchronize, cuda.current_device, cuda.get_device_name, cuda.reset_peak_memory_stats):
        with pytest.raises(RuntimeError, match="needs CuPy"):
            call()
    with pytest.raises(RuntimeError, match="needs CuPy"):
        cuda.set_device(0)
    with pytest.raises(ValueError, match="Expected a cuda device, but got: cpu"):
        cuda.set_device("cpu")
    with pytest.raises(TypeError, match=r"type torch.cuda.FloatTensor not available: device 'cuda' needs CuPy"):
        cuda.FloatTensor(2, 3)
    assert not isinstance(mg.ones(2), cuda.FloatTensor) and repr(cuda.LongTensor) == "<class 'torch.cuda.LongTensor'>"
    with cuda.device(-1), cuda.device(None):
        pass


def test_seeding_cuda_leaves_the_stream_alone() -> None:
    mg.manual_seed(3)
    expected = mg.rand(2)
    mg.manual_seed(3)
    cuda.manual_seed(1)
    cuda.manual_seed_all(1)
    cuda.seed_all()
    assert mg.rand(2).equal(expected)
    with pytest.raises(ValueError, match="invalid literal"):
        cuda.manual_seed("one")


def test_cuda_with_gpus(gpu) -> None:
    assert cuda.is_available() and cuda.is_initialized() and cuda.device_count() == 2
    assert cuda.get_device_name() == "GPU 0" and cuda.get_device_name("cuda:1") == "GPU 1"
    assert cuda.get_device_capability() == (9, 0) and cuda.get_device_capability(1) == (12, 0)
    assert cuda.is_bf16_supported() and backends.cuda.is_built()
    cuda.set_device(1)
    assert cuda.current_device() == 1
    with cuda.device(0):
        assert cuda.current_device() == 0
        cuda.synchronize("cuda")
    assert cuda.current_device() == 1
    cuda.empty_cache()
    assert (cuda.memory_allocated(), cuda.memory_reserved()) == (100, 300)
    assert gpu == ["synchronize 0", "free"]


def test_accelerator(no_gpu) -> None:
    assert mg.accelerator is accelerator
    assert not accelerator.is_available() and accelerator.current_accelerator() is None
    assert accelerator.device_count() == 0
    for call in (lambda: accelerator.set_device_index(0), accelerator.synchronize, accelerator.current_device_index):
        with pytest.raises(RuntimeError, match="Cannot access accelerator device when none is available"):
            call()


def test_accelerator_with_gpus(gpu) -> None:
    assert accelerator.current_accelerator() == mg.device("cuda") and accelerator.device_count() == 2
    accelerator.set_device_index(1)
    accelerator.synchronize()
    assert accelerator.current_device_index() == 1 and gpu == ["synchronize 1"]


def test_mps_is_not_used() -> None:
    assert not mg.backends.mps.is_available() and not mg.backends.mps.is_built()
    assert mps.device_count() == 0 and mps.manual_seed(1) is None
    for name in ("synchronize", "empty_cache", "current_allocated_memory"):
        with pytest.raises(RuntimeError, match=rf"Cannot execute {name}\(\) without MPS backend"):
            getattr(mg.mps, name)()


def test_backend_switches_keep_what_they_are_given(monkeypatch) -> None:
    for owner, name, start in [
        (backends.cudnn, "benchmark", False), (backends.cudnn, "deterministic", False),
        (backends.cudnn, "allow_tf32", True), (backends.cudnn, "enabled", True),
        (backends.cuda.matmul, "allow_tf32", False), (backends.mkldnn, "enabled", True),
    ]:  # fmt: skip
        assert getattr(owner, name) is start
        monkeypatch.setattr(owner, name, not start)
        assert getattr(owner, name) is not start
    assert backends.cudnn.version() is None and not backends.cudnn.is_available()
    assert not (backends.mkl.is_available() or backends.mkldnn.is_available() or backends.openmp.is_available())
    assert backends.cuda.flash_sdp_enabled()
    backends.cuda.enable_flash_sdp(False)
    assert not backends.cuda.flash_sdp_enabled() and backends.cuda.math_sdp_enabled()
    backends.cuda.enable_flash_sdp(True)


def test_backend_switches_refuse_names_they_lack() -> None:
    with pytest.raises(
        AttributeError, match=r"no switch `backends.cudnn.fast`; it has allow_tf32, benchmark, .*deterministic"
    ):
        backends.cudnn.fast = True
    with pytest.raises(AttributeError, match="minigrad has no `backends.cuda.fast`"):
        backends.cuda.fast  # noqa: B018
    with pytest.raises(AttributeError, match="no switch `backends.mps.is_available`"):
        backends.mps.is_available = True
    assert repr(backends.cudnn) == "<backends.cudnn>" and "benchmark" in dir(backends.cudnn)


def test_tensors_on_one_machine() -> None:
    x = mg.ones(2)
    assert x.pin_memory() is x and not x.is_pinned() and not x.is_cuda and not x.is_sparse
    assert x.contiguous(memory_format=mg.preserve_format) is x


def test_the_peak_of_memory_is_counted_block_by_block(gpu, monkeypatch) -> None:
    entered = []

    class MemoryHook:
        def __enter__(self):
            entered.append(self)

    counter = memory.watch(types.SimpleNamespace(cuda=types.SimpleNamespace(MemoryHook=MemoryHook)))
    assert entered == [counter]
    monkeypatch.setattr(backend, "memory_counter", counter)
    for taken in (512, 1024):
        counter.malloc_postprocess(device_id=0, size=taken - 12, mem_size=taken, mem_ptr=1, pmem_id=1)
    counter.free_postprocess(device_id=0, mem_size=1024, mem_ptr=1, pmem_id=1)
    assert cuda.max_memory_allocated() == 1536
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_allocated() == 512
