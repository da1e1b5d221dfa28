"""Random tensors: `rand`, `randn`, `randint`, ... and the default generator that they draw from.

On the CPU the numbers are PyTorch's for the same seed and the same order of calls; the rules are written in
`generator.py`. Each GPU has a stream of its own, drawn there (`philox.py`). Initial weights alone are always drawn on
the host and moved, so that a run on a GPU starts from the same model as one on the CPU. All functions take `generator=`
to draw from another stream; a CPU generator's numbers are moved to where the tensor is. `pin_memory` and
`memory_format` are accepted and have no effect. Sizes are given as numbers or as one sequence: `rand(2, 3)`,
`rand((2, 3))`, `rand(size=(2, 3))`.
"""

import math
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.dtype import is_differentiable, to_numpy_dtype
from minigrad.generator import Generator, laid_out_like

default_generator = Generator()
default_generator.seed()
_of_gpus: dict[int, Generator] = {}  # made when first asked for, with the seed of the default generator


def manual_seed(seed: int) -> Generator:
    """Start the streams of `seed`, the CPU's and each GPU's; the same seed gives the same run. Returns the CPU's."""
    default_generator.manual_seed(int(seed))
    for generator in _of_gpus.values():
        generator.manual_seed(int(seed))
    return default_generator


def seed() -> int:
    """Start all streams with a seed from the operating system, and return that seed."""
    return manual_seed(Generator().seed()).initial_seed()


def generator_of(device: Any) -> Generator:
    """The default generator of a device (None: of the default device)."""
    where = backend.get_default_device() if device is None else backend.device(device)
    if where.type == "cpu":
        return default_generator
    index = where.index or 0
    if index not in _of_gpus:
        _of_gpus[index] = Generator(f"cuda:{index}").manual_seed(default_generator.initial_seed())
    return _of_gpus[index]


def initial_seed() -> int:
    """The seed that the default generator was started with."""
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    """The state of the default generator, a Tensor of 5056 bytes (`Generator.get_state`)."""
    return _tensor(default_generator.get_state(), "cpu", False)


def set_rng_state(state: Any) -> None:
    """Put the default generator into a state of `get_rng_state`."""
    default_generator.set_state(state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, device_type: str = "cuda") -> Iterator[None]:
    """Inside the `with` block draws go on as usual; after it the CPU's generator is where it was before, and so are
    those of the GPUs that `devices` lists (all by default).
    """
    indices = list(_of_gpus) if devices is None else [backend.device(d).index or 0 for d in map(_cuda_name, devices)]
    kept = [default_generator, *(generator_of(f"cuda:{i}") for i in indices)] if enabled else []
    states = [generator.get_state() for generator in kept]
    try:
        yield
    finally:
        for generator, state in zip(kept, states, strict=True):
            generator.set_state(state)


def _cuda_name(device: Any) -> Any:
    return f"cuda:{device}" if isinstance(device, int) else device


def rand(
    *sizes: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Any:
    """Uniform on [0, 1)."""
    shape, draw = _shape("rand", sizes, size), source_for("rand", generator, device)
    return _tensor(draw.uniform(shape, dtype=to_numpy_dtype(dtype)), device, requires_grad)


def randn(
    *sizes: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Any:
    """Normal with mean 0 and variance 1."""
    shape, draw = _shape("randn", sizes, size), source_for("randn", generator, device)
    raw = to_numpy_dtype(dtype)
    if raw.kind == "c":  # both parts normal, of variance 1/2
        parts = draw.normal((*shape, 2), std=math.sqrt(0.5), dtype=np.empty(0, raw).real.dtype)
        return _tensor(parts.view(raw)[..., 0], device, requires_grad)
    return _tensor(draw.normal(shape, dtype=raw), device, requires_grad)


def randint(
    *args: Any,
    low: Any = None,
    high: Any = None,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Any:
    """`randint(high, size)` or `randint(low, high, size)`: integers from low (0) to high - 1; int64 by default."""
    positional = list(args)
    if size is None and positional:
        size = positional.pop()
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"randint takes its size as a tuple, such as randint(0, 10, (2, 3)); got {size!r}")
    low, high = _bounds("randint", positional, low, high)
    values = source_for("randint", generator, device).randint(low, high, _shape("randint", (), size), _or_int64(dtype))
    return _tensor(values, device, requires_grad)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Any:
    """A permutation of 0 .. n - 1; int64 by default."""
    draw = source_for("randperm", generator, device)
    return _tensor(draw.randperm(operator.index(n), _or_int64(dtype)), device, requires_grad)


def rand_like(
    input: Any,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Any:
    """Uniform on [0, 1); shape as `input`, and dtype and device too unless others are given."""
    draw = source_for("rand_like", generator, _device_like(input, device))
    values = draw.uniform(input.array.size, dtype=_dtype_like(input, dtype))
    return _tensor(laid_out_like(input.array, values), _device_like(input, device), requires_grad)


def randn_like(
    input: Any,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Any:
    """Normal with mean 0 and variance 1; shape as `input`, and dtype and device too unless others are given."""
    draw, array = source_for("randn_like", generator, _device_like(input, device)), input.array
    values = draw.normal(array.size, dtype=_dtype_like(input, dtype), contiguous=array.flags.c_contiguous)
    return _tensor(laid_out_like(array, values), _device_like(input, device), requires_grad)


def randint_like(
    input: Any,
    *args: Any,
    low: Any = None,
    high: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Any:
    """`randint_like(input, high)` or `(input, low, high)`: integers, with the shape, dtype and device of `input`."""
    low, high = _bounds("randint_like", list(args), low, high)
    draw = source_for("randint_like", generator, _device_like(input, device))
    values = draw.randint(low, high, input.array.size, _dtype_like(input, dtype))
    return _tensor(laid_out_like(input.array, values), _device_like(input, device), requires_grad)


def bernoulli(input: Any, p: float | None = None, *, generator: Generator | None = None) -> Any:
    """1 with the probability that `input` holds at that place (or `p` everywhere), else 0; dtype as `input`'s."""
    draw, array = source_for("bernoulli", generator, input.device), input.array
    values = draw.bernoulli(_weights(array, draw) if p is None else float(p), array.shape, array.dtype)
    return _tensor(values, input.device, False)


def multinomial(input: Any, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Any:
    """Category indices drawn by the weights in `input`, (C,) -> (num_samples,) or (N, C) -> (N, num_samples), int64.

    The rows need not sum to one. RuntimeError for weights that are negative, not finite or all zero, and for more
    samples than categories without replacement.
    """
    draw = source_for("multinomial", generator, input.device)
    return _tensor(draw.multinomial(_weights(input.array, draw), num_samples, replacement), input.device, False)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Any:
    """`normal(mean, std, size)` for two numbers, `normal(mean, std)` where one or both are Tensors, which broadcast."""
    like = next((x for x in (mean, std) if hasattr(x, "array")), None)
    draw = source_for("normal", generator, device if like is None else like.device)
    if like is None:
        if size is None:
            raise TypeError("normal with two numbers needs a size: normal(0.0, 1.0, (2, 3))")
        return _tensor(draw.normal(_shape("normal", (), size), mean, std, to_numpy_dtype(dtype)), device, requires_grad)
    if size is not None or dtype is not None or device is not None:
        raise TypeError("normal takes size, dtype and device from its Tensors; leave them out, or pass two numbers")
    middle: Any = _weights(mean.array, draw) if hasattr(mean, "array") else mean
    spread: Any = _weights(std.array, draw) if hasattr(std, "array") else std
    raw, shape = like.array.dtype, np.broadcast_shapes(*(getattr(x, "shape", ()) for x in (middle, spread)))
    if hasattr(std, "array"):
        if not backend.holds_everywhere(spread >= 0):
            raise RuntimeError("normal expects all elements of std >= 0; some are negative or nan")
        values = draw.normal(shape, dtype=raw) * spread + middle
    else:
        values = draw.normal(shape, std=spread, dtype=raw) + middle
    values = np.asarray(values) if isinstance(values, np.generic) else values
    return _tensor(values.astype(raw, copy=False), like.device, requires_grad)


def _weights(array: Any, draw: Generator) -> Any:
    """Where the generator draws; under vmap as it is, for the draw to see what is for all examples."""
    return array if backend.is_wrapped(array) else backend.to_device(array, draw.device)


def _tensor(values: Any, device: Any, requires_grad: bool) -> Any:
    from minigrad.tensor import from_array  # tensor.py imports this module

    if requires_grad and not is_differentiable(values.dtype):
        raise RuntimeError(f"only floating-point tensors can require gradients, and this one is {values.dtype}")
    return from_array(values, device=device, requires_grad=requires_grad)


def source_for(name: str, generator: Generator | None, device: Any) -> Generator:
    """The generator to draw a tensor on `device` from: the one given, or the device's own."""
    if not (generator is None or isinstance(generator, Generator)):
        raise TypeError(f"{name} expects generator to be a minigrad.Generator, got {type(generator).__name__}")
    if generator is None:
        return generator_of(device)
    where = backend.get_default_device() if device is None else backend.device(device)
    if generator.device.type == "cuda" and where.type == "cpu":
        raise RuntimeError(f"Expected a 'cpu' device type for generator but found 'cuda': {name} makes a tensor on cpu")
    return generator


def _shape(name: str, sizes: tuple, size: Any) -> tuple[int, ...]:
    if size is None:
        if not sizes:
            raise TypeError(f"{name} needs a size, such as {name}(2, 3) or {name}((2, 3))")
        size = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    elif sizes:
        raise TypeError(f"{name} was given its size twice, as {sizes} and as size={size}")
    try:
        shape = tuple(operator.index(n) for n in (size if isinstance(size, (tuple, list)) else (size,)))
    except TypeError:
        raise TypeError(f"{name} expects sizes that are integers, got {size!r}") from None
    if any(n < 0 for n in shape):
        raise RuntimeError(f"{name}: trying to create a tensor with a negative dimension, shape {list(shape)}")
    return shape


def _bounds(name: str, positional: list, low: Any, high: Any) -> tuple[int, int]:
    if len(positional) == 1 and high is None:
        high = positional.pop()
    elif positional and low is None:
        low = positional.pop(0)
        if positional and high is None:
            high = positional.pop()
    try:
        if positional or high is None:
            raise TypeError
        return operator.index(0 if low is None else low), operator.index(high)
    except TypeError:
        raise TypeError(f"{name} takes integers: one, high, or two, low and high; got {low!r} and {high!r}") from None


def _or_int64(dtype: Any) -> np.dtype:
    return np.dtype(np.int64) if dtype is None else to_numpy_dtype(dtype)


def _dtype_like(input: Any, dtype: Any) -> np.dtype:
    return input.array.dtype if dtype is None else to_numpy_dtype(dtype)


def _device_like(input: Any, device: Any) -> Any:
    return input.device if device is None else device
