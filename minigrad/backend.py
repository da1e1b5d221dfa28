"""Which library owns an array: the seam between the engine and the devices.

A backend is an array type with what belongs to it: its module of array functions (`numpy`, `cupy`), its kernels
(`minigrad.kernels.cpu`, ...), and the two explicit moves to and from the host. Everything above asks by the type of the
array in hand: `kernels_of(x).exp(x)`. CuPy is looked for when "cuda" is first asked for, never at import.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.kernels import cpu as cpu_kernels


@dataclass(frozen=True)
class Backend:
    """What belongs to one array type. `to_device` takes a NumPy array, `to_host` gives one."""

    device_type: str
    array_type: type
    module: Any
    kernels: Any
    to_device: Callable[[np.ndarray], Any]
    to_host: Callable[[Any], np.ndarray]
    each: Callable[[Any, Callable], Any] | None = None  # of an array around another: apply a function to that one
    constant: Callable[[np.ndarray], Any] | None = None  # `to_device` for `constant`, while a graph is captured


_BY_TYPE: dict[type, Backend] = {}
_BY_DEVICE: dict[str, Backend] = {}
_KERNELS: dict[type, Any] = {}


def register(backend: Backend, *more_types: type) -> None:
    """Make a backend known. `more_types`: other types that flow as its arrays (NumPy's scalars)."""
    _BY_DEVICE[backend.device_type] = backend
    for array_type in (backend.array_type, *more_types):
        _BY_TYPE[array_type] = backend
        _KERNELS[array_type] = backend.kernels


def register_around(backend: Backend) -> None:
    """Make arrays known that hold another array and have its device, such as those of `vmap`."""
    _BY_TYPE[backend.array_type], _KERNELS[backend.array_type] = backend, backend.kernels


def unregister(device_type: str) -> None:
    """Forget a backend (tests plug stand-ins in and out)."""
    backend = _BY_DEVICE.pop(device_type)
    for array_type in [t for t, b in _BY_TYPE.items() if b is backend]:
        del _BY_TYPE[array_type], _KERNELS[array_type]


_SCALARS = (np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8, np.bool_,
            np.complex64, np.complex128)  # fmt: skip
register(Backend("cpu", np.ndarray, np, cpu_kernels, np.asarray, lambda array: array), *_SCALARS)


def kernels_of(x: Any) -> Any:
    """The kernels for the kind of array that `x` is. Below this call there are raw arrays only."""
    try:
        return _KERNELS[type(x)]
    except KeyError:
        return backend_of(x).kernels


def backend_of(x: Any) -> Backend:
    try:
        return _BY_TYPE[type(x)]
    except KeyError:
        pass
    if type(x).__name__ != "bfloat16":  # the scalar type of ml_dtypes, which is imported when first used
        raise TypeError(_not_raw(x))
    register(_BY_DEVICE["cpu"], type(x))
    return _BY_TYPE[type(x)]


def array_module(x: Any) -> Any:
    """numpy for a NumPy array, cupy for a CuPy array."""
    return backend_of(x).module


def is_array(x: Any) -> bool:
    """True for a raw array (or NumPy scalar) of a known backend."""
    return type(x) in _BY_TYPE


def is_wrapped(x: Any) -> bool:
    """True for a raw array that holds another one, as under `vmap`."""
    return type(x) is not np.ndarray and type(x) in _BY_TYPE and _BY_TYPE[type(x)].each is not None


def bare(x: Any) -> Any:
    """The array at the bottom of arrays that hold another; x itself if it holds none."""
    while is_wrapped(x):
        x = x.value
    return x


def same_memory(a: Any, b: Any) -> bool:
    """Whether two arrays of one library may share memory."""
    a, b = bare(a), bare(b)
    module = array_module(a)
    return module.may_share_memory(a, b) if hasattr(module, "may_share_memory") else True


def holds_anywhere(condition: Any) -> bool:
    """Whether a condition (a raw array or a Tensor) is true anywhere, in any example: for checks made on the host."""
    return bool(bare(getattr(condition, "array", condition)).any())


def holds_everywhere(condition: Any) -> bool:
    """Whether a condition (a raw array or a Tensor) is true everywhere, in all examples."""
    return bool(bare(getattr(condition, "array", condition)).all())


def _not_raw(x: Any) -> str:
    if type(x).__name__ in ("Tensor", "Parameter") or hasattr(x, "array"):
        return "kernels take raw arrays and were given a Tensor: inside a rule call the op, such as exp(x), instead"
    return f"expected an array that a backend owns ({', '.join(t.__name__ for t in _BY_TYPE)}), got {type(x).__name__}"


class device:
    """`device("cpu")`, `device("cuda", 0)`, `device("cuda:0")`: where a tensor's memory is."""

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: "str | device", index: int | None = None):
        if isinstance(type, device):
            index = type.index
            type = type.type
        if not isinstance(type, str):
            raise TypeError(f"device takes a name such as 'cpu' or 'cuda:0', got {type!r}")
        name, colon, number = type.partition(":")
        if name not in ("cpu", "cuda") or (colon and not number.isdigit()):
            raise RuntimeError(f"Expected one of cpu, cuda device type at start of device string: {type}")
        self.type, self.index = name, int(number) if colon else index

    def __repr__(self) -> str:
        return (
            f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))


CPU = device("cpu")
_default_device: device | None = None


def set_default_device(name: "str | device | None") -> None:
    """Where factories such as `zeros` put new tensors; None goes back to MINIGRAD_DEVICE or the CPU."""
    global _default_device
    if name is not None:
        backend_for(name)  # raises where there is none, before anything is changed
    _default_device = None if name is None else device(name)


def get_default_device() -> device:
    return _default_device or device(os.environ.get("MINIGRAD_DEVICE") or "cpu")


def backend_for(name: "str | device | None") -> Backend:
    """The backend of a device; loads CuPy at the first "cuda"."""
    wanted = get_default_device() if name is None else device(name)
    if wanted.type not in _BY_DEVICE:
        _load_cupy()
    return _BY_DEVICE[wanted.type]


def is_loaded(device_type: str) -> bool:
    """Whether that kind of device has been used; loads nothing."""
    return device_type in _BY_DEVICE


memory_counter: Any = None  # of the GPU, once CuPy is loaded: kernels/cuda/memory.py


def _load_cupy() -> None:
    global memory_counter
    from minigrad import find_cupy

    cupy = find_cupy.load()
    from minigrad.kernels import gpu
    from minigrad.kernels.cuda import memory

    memory_counter = memory.watch(cupy)
    register(Backend("cuda", cupy.ndarray, cupy, gpu, cupy.asarray, cupy.asnumpy))


def constant(array: np.ndarray, name: "str | device | None") -> Any:
    """Values made on the host, on a device. For values that are the same at each call, and for no others: this is the
    one upload that can be captured in a CUDA graph.
    """
    target = backend_for(name)
    return (target.constant or target.to_device)(array)


def is_cuda_available() -> bool:
    """True when "cuda" can be used; never raises."""
    try:
        backend_for("cuda")
    except RuntimeError:
        return False
    return True


def device_of(x: Any) -> device:
    """The device of a raw array."""
    x = bare(x)
    backend = backend_of(x)
    return CPU if backend.device_type == "cpu" else device(backend.device_type, _index_of(x))


def _index_of(x: Any) -> int:
    return int(getattr(getattr(x, "device", None), "id", 0))


def to_host(x: Any) -> np.ndarray:
    """The NumPy array with the values of `x`; the same memory when it is on the host already."""
    return backend_of(x).to_host(x)


def to_device(x: Any, name: "str | device | None") -> Any:
    """`x` as a raw array on a device; itself when it is there already."""
    target = backend_for(name)
    source = backend_of(x)
    if source.each is not None:
        return source.each(x, lambda inner: to_device(inner, name))
    return x if source is target else target.to_device(source.to_host(x))
