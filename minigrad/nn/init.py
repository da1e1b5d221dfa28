"""Initial values for weights: each function overwrites a tensor in place, outside the graph, and returns it.

The formulas, and the order in which the random numbers are drawn, are PyTorch's; all that draw take `generator=`.
fan_in and fan_out of a weight are the numbers of inputs that flow into one output and of outputs that one input flows
into: columns and rows of a matrix (out, in), times the size of the kernel where there are more axes.
"""

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import autograd, random
from minigrad.backend import to_host
from minigrad.tensor import Tensor, from_array

_GAINS = {"sigmoid": 1, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
_LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much weights before a nonlinearity should be larger to keep the variance: 1 for linear maps and sigmoid,
    5/3 tanh, sqrt(2) relu, sqrt(2 / (1 + param^2)) leaky_relu with slope param (0.01), 3/4 selu."""
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity == "leaky_relu":
        if param is not None and (isinstance(param, bool) or not isinstance(param, (int, float))):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        raise ValueError(
            f"Unsupported nonlinearity {nonlinearity}: use one of {', '.join([*_LINEAR, 'leaky_relu', *_GAINS])}"
        )
    return _GAINS[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform on [a, b)."""
    with autograd.no_grad():
        return tensor.uniform_(a, b, generator=generator or random.default_generator)  # see random.py


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Normal with that mean and standard deviation."""
    with autograd.no_grad():
        return tensor.normal_(mean, std, generator=generator or random.default_generator)


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Tensor:
    """Normal with that mean and standard deviation, redrawn where it falls outside [a, b]."""
    source = random.default_generator if generator is None else generator
    values = source.trunc_normal(tensor.array.shape, mean, std, a, b, tensor.array.dtype)
    with autograd.no_grad():
        return tensor.copy_(from_array(values, tensor.device))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """`val` everywhere."""
    with autograd.no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """1 on the diagonal of a matrix, 0 elsewhere."""
    _need_matrix(tensor)
    with autograd.no_grad():
        return tensor.copy_(from_array(np.eye(*tensor.array.shape, dtype=tensor.array.dtype), tensor.device))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform on +-gain * sqrt(6 / (fan_in + fan_out)). Glorot and Bengio, 2010."""
    fan_in, fan_out = _fans(tensor)
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / float(fan_in + fan_out)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal with standard deviation gain * sqrt(2 / (fan_in + fan_out)). Glorot and Bengio, 2010."""
    fan_in, fan_out = _fans(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(fan_in + fan_out)), generator)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Uniform on +-gain * sqrt(3 / fan); `a` is leaky_relu's slope, `mode` "fan_in" or "fan_out". He et al., 2015."""
    if 0 in tensor.array.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Normal with standard deviation gain / sqrt(fan); arguments as for `kaiming_uniform_`. He et al., 2015."""
    if 0 in tensor.array.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """`gain` times a random matrix with orthonormal rows or columns, whichever are fewer; more axes count as columns.

    The Q of the QR decomposition of a normal matrix, with the signs that make it uniform. Saxe et al., 2013.
    """
    if tensor.ndim < 2:
        raise ValueError(f"Only tensors with 2 or more dimensions are supported, got shape {tuple(tensor.shape)}")
    if tensor.numel() == 0:
        return tensor
    rows, dtype = tensor.array.shape[0], tensor.array.dtype
    source = random.default_generator if generator is None else generator
    drawn = to_host(source.normal((rows, tensor.numel() // rows), dtype=dtype))
    is_wide = drawn.shape[0] < drawn.shape[1]
    exact = np.float64 if dtype == np.float64 else np.float32  # LAPACK knows no half precision
    q, r = np.linalg.qr((drawn.T if is_wide else drawn).astype(exact))
    q *= np.sign(np.diagonal(r))
    values = (q.T if is_wide else q).reshape(tensor.array.shape) * exact(gain)
    with autograd.no_grad():
        return tensor.copy_(from_array(np.ascontiguousarray(values).astype(dtype), tensor.device))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Normal with standard deviation `std`, with the fraction `sparsity` of every column set to 0. Martens, 2010."""
    _need_matrix(tensor)
    rows, columns = tensor.array.shape
    source = random.default_generator if generator is None else generator
    values = to_host(source.normal((rows, columns), 0.0, std, tensor.array.dtype))
    for column in range(columns):
        picked = random.default_generator.randperm(rows)[: math.ceil(sparsity * rows)]
        values[picked, column] = 0
    with autograd.no_grad():
        return tensor.copy_(from_array(values, tensor.device))


def _need_matrix(tensor: Tensor) -> None:
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, got shape {tuple(tensor.shape)}")


def _fans(tensor: Tensor) -> tuple[int, int]:
    shape = tensor.array.shape
    if len(shape) < 2:
        raise ValueError(
            f"Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, got shape {tuple(shape)}"
        )
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


_calculate_fan_in_and_fan_out = _fans  # programs import it under this name


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _deprecated(function: Callable) -> Callable:
    """The same function under its old name, without the underscore."""
    old = function.__name__.removesuffix("_")

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{function.__name__}`.", FutureWarning, stacklevel=2
        )
        return function(*args, **kwargs)

    call.__name__ = call.__qualname__ = old
    return call


uniform, normal, constant, eye = _deprecated(uniform_), _deprecated(normal_), _deprecated(constant_), _deprecated(eye_)
xavier_uniform, xavier_normal = _deprecated(xavier_uniform_), _deprecated(xavier_normal_)
kaiming_uniform, kaiming_normal = _deprecated(kaiming_uniform_), _deprecated(kaiming_normal_)
orthogonal, sparse = _deprecated(orthogonal_), _deprecated(sparse_)
