"""`torch.cuda`: NVIDIA GPUs, reached through CuPy.

Without CuPy or a GPU: `is_available()` is False, counts and memory are 0, seeding and emptying the cache do nothing,
and whatever needs the device raises RuntimeError with the way to get one.
"""

from collections.abc import Iterable
from typing import Any

from minigrad import backend, creation, dtype as dtypes, random
from minigrad.backend import is_cuda_available as is_available
from minigrad.legacy import TensorType
from minigrad.out_of_memory import OutOfMemoryError
from minigrad.tensor import Tensor

__all__ = [
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor",
    "IntTensor", "LongTensor", "OutOfMemoryError", "ShortTensor", "current_device", "device", "device_count",
    "empty_cache",
    "get_device_capability", "get_device_name", "get_rng_state", "get_rng_state_all", "initial_seed", "is_available",
    "is_bf16_supported", "is_initialized", "manual_seed", "manual_seed_all", "max_memory_allocated",
    "memory_allocated", "memory_reserved", "reset_peak_memory_stats", "seed", "seed_all", "set_device",
    "set_rng_state", "set_rng_state_all", "synchronize",
]  # fmt: skip


def _cupy() -> Any:
    return backend.backend_for("cuda").module


def _index(device: Any) -> int:
    """The number of a device given as None (the one in use), an int, 'cuda:0' or a device."""
    if device is None or isinstance(device, int):
        return current_device() if device is None else device
    wanted = backend.device(device)
    if wanted.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {wanted}")
    return current_device() if wanted.index is None else wanted.index


def is_initialized() -> bool:
    """True once CuPy has been loaded for a tensor or a question."""
    return "cuda" in backend._BY_DEVICE


def device_count() -> int:
    """How many GPUs there are; 0 without CuPy."""
    return _cupy().cuda.runtime.getDeviceCount() if is_available() else 0


def current_device() -> int:
    """The number of the GPU in use."""
    return _cupy().cuda.runtime.getDevice()


def set_device(device: Any) -> None:
    """Use another GPU from now on; a negative number does nothing."""
    if isinstance(device, int) and device < 0:
        return
    index = _index(device)
    _cupy().cuda.Device(index).use()


class device:
    """`with device(1):` uses that GPU inside; a negative number or None does nothing."""

    def __init__(self, device: Any):
        self.index = -1 if device is None else _index(device)
        self.former = -1

    def __enter__(self) -> None:
        if self.index >= 0:
            self.former = current_device()
            set_device(self.index)

    def __exit__(self, *_: object) -> None:
        set_device(self.former)


def get_device_name(device: Any = None) -> str:
    """The name its maker gave it."""
    name = _cupy().cuda.runtime.getDeviceProperties(_index(device))["name"]
    return name.decode() if isinstance(name, bytes) else name


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """Its compute capability, such as (9, 0)."""
    number = str(_cupy().cuda.Device(_index(device)).compute_capability)
    return int(number[:-1]), int(number[-1])


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """True where the GPU computes in bfloat16: capability 8.0 or more."""
    return is_available() and get_device_capability()[0] >= 8


def synchronize(device: Any = None) -> None:
    """Wait until the GPU has done what it was given."""
    _cupy().cuda.Device(_index(device)).synchronize()


def empty_cache() -> None:
    """Give memory that no tensor uses back to the driver."""
    if is_available():
        _cupy().get_default_memory_pool().free_all_blocks()


def memory_allocated(device: Any = None) -> int:
    """Bytes in use by tensors; 0 without a GPU."""
    return _cupy().get_default_memory_pool().used_bytes() if is_available() else 0


def memory_reserved(device: Any = None) -> int:
    """Bytes held, in use or not; 0 without a GPU."""
    return _cupy().get_default_memory_pool().total_bytes() if is_available() else 0


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes in use at any time, by this thread; 0 without a GPU."""
    return backend.memory_counter.peak if is_available() else 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Start the peak anew from what is in use now. RuntimeError without a GPU."""
    _cupy()
    backend.memory_counter.reset()


def manual_seed(seed: int) -> None:
    """Start the stream of the GPU in use; without a GPU nothing happens."""
    seed = int(seed)
    if is_available():
        random.generator_of(f"cuda:{current_device()}").manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Start the streams of all GPUs; without a GPU nothing happens."""
    seed = int(seed)
    for index in range(device_count()):
        random.generator_of(f"cuda:{index}").manual_seed(seed)


def seed() -> None:
    """Start the stream of the GPU in use with a seed from the operating system."""
    manual_seed(random.Generator().seed())


def seed_all() -> None:
    """Start the streams of all GPUs with one seed from the operating system."""
    manual_seed_all(random.Generator().seed())


def initial_seed() -> int:
    """The seed that the stream of the GPU in use was started with."""
    return random.generator_of(f"cuda:{current_device()}").initial_seed()


def get_rng_state(device: Any = "cuda") -> Tensor:
    """The state of a GPU's generator, a Tensor of 16 bytes on the host. RuntimeError without a GPU."""
    return creation.tensor(random.generator_of(f"cuda:{_index(device)}").get_state(), device="cpu")


def set_rng_state(new_state: Tensor, device: Any = "cuda") -> None:
    """Put a GPU's generator into a state of `get_rng_state`."""
    random.generator_of(f"cuda:{_index(device)}").set_state(new_state)


def get_rng_state_all() -> list[Tensor]:
    """The states of all GPUs' generators."""
    return [get_rng_state(index) for index in range(device_count())]


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Put all GPUs' generators into those states."""
    for index, state in enumerate(new_states):
        set_rng_state(state, index)


class _CudaTensorType(TensorType):
    """`cuda.FloatTensor` and its kin: constructors of tensors on the GPU."""

    def __repr__(self) -> str:
        return f"<class 'torch.cuda.{self.__name__}'>"

    def __call__(self, *data: Any) -> Tensor:
        try:
            backend.backend_for("cuda")
        except RuntimeError as error:
            raise TypeError(f"type torch.cuda.{self.__name__} not available: {error}") from error
        return super().__call__(*data).cuda()

    def __instancecheck__(self, x: object) -> bool:
        return isinstance(x, Tensor) and x.is_cuda and x.dtype is self.dtype


FloatTensor, DoubleTensor = _CudaTensorType(dtypes.float32), _CudaTensorType(dtypes.float64)
HalfTensor, BFloat16Tensor = _CudaTensorType(dtypes.float16), _CudaTensorType(dtypes.bfloat16)
LongTensor, IntTensor = _CudaTensorType(dtypes.int64), _CudaTensorType(dtypes.int32)
ShortTensor, CharTensor = _CudaTensorType(dtypes.int16), _CudaTensorType(dtypes.int8)
ByteTensor, BoolTensor = _CudaTensorType(dtypes.uint8), _CudaTensorType(dtypes.bool_)
