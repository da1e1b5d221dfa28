"""Tensor: an array, the node that made it, and PyTorch's methods on both.

Each method turns PyTorch's call form (`dim`, `keepdim`, sizes as a tuple or one by one) into a call of one op of
`ops/`, where its formula and gradient are documented; `minigrad.sum` is `Tensor.sum`. The families, in order: the
object itself, operators, elementwise, reductions, shape, indexing, products, in place, conversion, construction of
relatives. `tensor.py` imports `ops` at its end, so that every method can be written out here and found by grep.
"""

from __future__ import annotations

import builtins
import math
import operator
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad import autograd, backend, dtype as dtypes, explain, inplace
from minigrad.dtype import DType
from minigrad.grad_names import dressed, named
from minigrad.kernels.cuda import pinned
from minigrad.layout import strided
from minigrad.mixed_precision import full_precision
from minigrad.numpy_names import numpy_names
from minigrad.return_types import RETURN_TYPES


class Size(tuple):
    """The shape of a tensor: a tuple that prints as PyTorch's and counts its elements with `numel()`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def numel(self) -> int:
        return numel(self)

    def __getitem__(self, index: Any) -> Any:
        part = tuple.__getitem__(self, index)
        return Size(part) if isinstance(index, slice) else part

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, tuple(other)))


def from_raw(array: Any) -> Tensor:
    """Wrap a raw array without copying; the fast internal constructor. A NumPy scalar becomes a 0-d array."""
    x = _new(Tensor)
    x.array = array if type(array) is np.ndarray or not isinstance(array, np.generic) else np.asarray(array)
    x.node = None
    return x


def from_array(array: Any, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Wrap a raw array, moved to `device` (None: the default device)."""
    x = from_raw(backend.to_device(array, device))
    if requires_grad:
        x.requires_grad_()
    return x


def _in_place(method: Callable) -> Callable:
    """`x.name_(...)` for a method `x.name(...)`: what it gives is written into x."""

    def write(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return inplace.update(self, method, *args, **kwargs)

    return _named_after(method, write)


def _truth_in_place(method: Callable) -> Callable:
    """As `_in_place`, for a comparison or a logical operation: its bools are written in the dtype of x."""

    def write(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return self.copy_(method(self, *args, **kwargs))

    return _named_after(method, write)


def _named_after(method: Callable, write: Callable) -> Callable:
    write.__name__ = f"{method.__name__}_"
    write.__qualname__ = f"Tensor.{write.__name__}"
    write.__doc__ = f"`{method.__name__}`, written into this tensor."
    return write


class Tensor:
    """An n-dimensional array of one dtype on one device that remembers how it was computed.

    `array` is the raw NumPy or CuPy array; `node` its place in the graph (None: no gradient wanted); `version` the
    write counter of its memory, made when first needed; `base` says of which tensor it is a view. Other attributes may
    be set, as on any Python object.
    """

    __slots__ = ("__dict__", "__weakref__", "array", "node")
    __array_priority__ = 1000  # NumPy lets our reflected operators answer: np.float64(2) * tensor is a Tensor

    array: Any
    node: Any
    version: Any = None
    base: Any = None

    def __init__(self, *data: Any):
        """`Tensor(2, 3)`: uninitialised, of that size; `Tensor([1, 2])`: these values, as the default float."""
        from minigrad import creation

        if builtins.all(isinstance(n, int) and not isinstance(n, builtins.bool) for n in data):
            made = creation.empty(*data) if data else creation.empty(0)
        elif len(data) == 1 and not isinstance(data[0], (dict, set)):
            source = data[0]
            made = (
                creation.empty(*source)
                if isinstance(source, Size)
                else creation.tensor(source, dtype=dtypes.get_default_dtype())
            )
        else:
            raise TypeError(f"Tensor() takes sizes, or one sequence of values, got {data!r}; see minigrad.tensor(...)")
        self.array, self.node, self.version, self.base = made.array, None, None, None

    # ------------------------------------------------------------------ the object itself

    @property
    def shape(self) -> Size:
        return Size(self.array.shape)

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def dtype(self) -> DType:
        return dtypes.of(self.array.dtype)

    @property
    def device(self) -> backend.device:
        return backend.device_of(self.array)

    @property
    def is_cuda(self) -> builtins.bool:
        return self.device.type == "cuda"

    is_sparse = False
    is_quantized = False
    layout = strided

    @property
    def itemsize(self) -> builtins.int:
        return self.array.itemsize

    @property
    def nbytes(self) -> builtins.int:
        return self.array.nbytes

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.array.shape[one_dim(dim, self.array.ndim)]

    def dim(self) -> int:
        return self.array.ndim

    ndimension = dim

    def numel(self) -> int:
        return self.array.size

    nelement = numel

    def element_size(self) -> int:
        return self.array.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """Steps in elements, not bytes."""
        strides = tuple(s // self.array.itemsize for s in self.array.strides)
        return strides if dim is None else strides[one_dim(dim, self.array.ndim)]

    def storage_offset(self) -> int:
        """Where the tensor begins in the memory that it looks into, counted in elements."""
        owner = self.array
        while isinstance(getattr(owner, "base", None), type(self.array)):
            owner = owner.base
        return (self.data_ptr() - from_raw(owner).data_ptr()) // self.array.itemsize

    def is_contiguous(self, memory_format: Any = None) -> builtins.bool:
        return self.array.flags.c_contiguous

    def is_floating_point(self) -> builtins.bool:
        return self.dtype.is_floating_point

    def is_complex(self) -> builtins.bool:
        return self.dtype.is_complex

    def is_signed(self) -> builtins.bool:
        return self.dtype.is_signed

    def data_ptr(self) -> int:
        return self.array.ctypes.data if isinstance(self.array, np.ndarray) else self.array.data.ptr

    @property
    def requires_grad(self) -> builtins.bool:
        return self.node is not None and self.node.requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: builtins.bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: builtins.bool = True) -> Tensor:
        """Ask for a gradient in `.grad`, or stop asking. Leaves of floating dtype only."""
        if self.node is not None and self.node.op is not None:
            if requires_grad:
                return self
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables; to cut a computed tensor out of the graph "
                "use x.detach()"
            )
        if requires_grad and self.dtype.kind < 2:
            raise explain.noted(
                RuntimeError("only Tensors of floating point and complex dtype can require gradients"),
                f"this one is {self.dtype}",
            )
        if self.node is None and requires_grad:
            self.node = autograd.Node(None, (), None, None, self.array)
        elif self.node is not None:
            self.node.requires_grad = builtins.bool(requires_grad)
        return self

    @property
    def is_leaf(self) -> builtins.bool:
        return self.node is None or self.node.op is None

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient of a leaf, or of an inner tensor after `retain_grad()`."""
        return None if self.node is None else self.node.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"assigned grad expected to be a Tensor or None but got {type(value).__name__}")
            if value.array.shape != self.array.shape:
                raise RuntimeError(f"assigned grad has shape {list(value.shape)}, the tensor {list(self.shape)}")
            if value.array.dtype != self.array.dtype:
                raise RuntimeError(f"assigned grad has data of {value.dtype}, the tensor of {self.dtype}")
        if self.node is None:
            if value is None:
                return
            self.node = autograd.Node(None, (), None, None, self.array)
            self.node.requires_grad = False
        self.node.grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    @property
    def grad_fn(self) -> Any:
        """The node that made this tensor, an object of a class of PyTorch's name for it; None for a leaf."""
        return None if self.is_leaf else dressed(self.node)

    @property
    def _version(self) -> builtins.int:
        return inplace.version_of(self).count

    def bump_version(self) -> None:
        """Count a write to the memory."""
        if self.version is not None:
            self.version.count += 1

    @property
    def data(self) -> Tensor:
        """A Tensor on the same memory with no graph and a version of its own: writes to it are not checked."""
        return from_raw(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"data must be set to a Tensor, got {type(value).__name__}")
        self.array, self.version, self.base = value.array, None, None
        if self.node is not None and self.node.op is None:
            self.node.shape, self.node.dtype = value.array.shape, value.array.dtype

    def detach(self) -> Tensor:
        """The same memory (and version) without the graph."""
        return inplace.alias(self, from_raw(self.array))

    def detach_(self) -> Tensor:
        self.node = None
        return self

    def retain_grad(self) -> None:
        """Keep `.grad` for this inner tensor in the next backward."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        self.node.retains_grad = True

    @property
    def retains_grad(self) -> builtins.bool:
        return self.node is not None and self.node.retains_grad and self.node.op is not None

    def register_hook(self, hook: Callable) -> HookHandle:
        """Call `hook(gradient)` when this tensor's gradient is complete; what it returns, if anything, replaces it."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self.node.hooks is None:
            self.node.hooks = {}
        return HookHandle(self.node.hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable) -> HookHandle:
        """Call `hook(tensor)` when a backward has added to this leaf's `.grad`: an optimizer may step right there."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if not self.is_leaf:
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        if self.node.after_hooks is None:
            self.node.after_hooks = {}
        leaf = weakref.ref(self)  # a node holds no tensors
        return HookHandle(self.node.after_hooks, lambda: hook(leaf()))

    def backward(
        self, gradient: Tensor | None = None, retain_graph: builtins.bool | None = None,
        create_graph: builtins.bool = False, inputs: Any = None,
    ) -> None:  # fmt: skip
        """Differentiate this tensor by the leaves of its graph, adding to their `.grad`; see `autograd.backward`."""
        if gradient is not None and not isinstance(gradient, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(gradient).__name__}")
        autograd.backward(self, gradient, retain_graph, create_graph, inputs)

    def __repr__(self) -> str:
        from minigrad import printing

        return printing.tensor_repr(self)

    def __format__(self, spec: str) -> str:
        from minigrad import printing

        return printing.format_scalar(self, spec)

    def __len__(self) -> int:
        if self.array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return len(self.array)

    def __iter__(self) -> Any:
        if self.array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __contains__(self, value: Any) -> builtins.bool:
        return builtins.bool((self == value).any())

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> builtins.bool:
        if self.array.size != 1:
            raise RuntimeError(
                f"Boolean value of Tensor with {'more than one value' if self.array.size else 'no values'} is ambiguous"
            )
        return builtins.bool(self.array.reshape(()))

    def __int__(self) -> int:
        return builtins.int(self._number())

    def __float__(self) -> float:
        return builtins.float(self._number())

    def __complex__(self) -> builtins.complex:
        return builtins.complex(self.item())

    def _number(self) -> Any:
        if self.array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        value = self.item()
        if isinstance(value, builtins.complex):
            if value.imag:
                raise RuntimeError(f"value cannot be converted to a real number without overflow: {value}")
            return value.real
        return value

    def __index__(self) -> int:
        if self.dtype.kind >= 2 or self.array.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return builtins.int(self.item())

    def item(self) -> Any:
        """The Python number in a tensor of one element."""
        if self.array.size != 1:
            raise RuntimeError(f"a Tensor with {self.array.size} elements cannot be converted to Scalar")
        value = self.array.reshape(()).item()
        known = (builtins.int, builtins.float, builtins.complex)
        return value if isinstance(value, known) else builtins.float(value)

    def tolist(self) -> Any:
        host = backend.to_host(self.array)
        return (host.astype(np.float32) if self.dtype is dtypes.bfloat16 else host).tolist()

    def numpy(self, *, force: builtins.bool = False) -> np.ndarray:
        """The values as a NumPy array on the same memory. `force=True`: detach and copy to the host if needed."""
        if force:
            return backend.to_host(self.detach().array)
        if self.requires_grad and autograd.mode.enabled:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        if not isinstance(self.array, np.ndarray):
            if backend.is_wrapped(self.array):
                return backend.to_host(self.array)  # raises, and says why
            raise TypeError(f"can't convert {self.device} device type tensor to numpy. Use tensor.cpu() first.")
        return self.array.view()  # an object of its own: its shape and flags may be changed

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None
    ) -> Any:
        """The memory, for another library to use: what `torch.from_dlpack(x)` and its kin ask for. Nothing is copied.

        BufferError for a tensor that requires grad, and for a dtype that its library cannot hand out.
        """
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        options = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[Any, builtins.int]:
        """(1, 0) for the CPU, (2, number) for a GPU."""
        return self.array.__dlpack_device__()

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """A GPU tensor's memory for libraries such as Numba; CPU tensors have no such attribute."""
        return self.array.__cuda_array_interface__

    def __array__(self, dtype: Any = None, copy: builtins.bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: builtins.bool = False) -> Tensor:
        return from_raw(np.asarray(array))  # np.sqrt(tensor) is a Tensor

    def __deepcopy__(self, memo: dict) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
                "moment: deepcopy x.detach() instead"
            )
        twin = _new(type(self))
        twin.array, twin.node, twin.version, twin.base = self.array.copy(), None, None, None
        memo[id(self)] = twin
        if self.node is not None:
            twin.node = autograd.Node(None, (), None, None, twin.array)
            twin.node.requires_grad = self.node.requires_grad
            twin.node.grad = None if self.node.grad is None else self.node.grad.detach().clone()
        return twin

    def __reduce__(self) -> tuple:
        if not self.is_leaf:
            raise RuntimeError("only leaf tensors can be pickled: pickle x.detach() instead")
        return _rebuild, (type(self), backend.to_host(self.array), str(self.device), self.requires_grad)

    # ------------------------------------------------------------------ operators

    def __add__(self, other: Any) -> Tensor:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return ops.sub(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return ops.reversed_sub(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return ops.mul(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return ops.mul(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return ops.div(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return ops.mul(ops.reciprocal(self), other)  # so PyTorch computes, and rounds, it

    def __floordiv__(self, other: Any) -> Tensor:
        return ops.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return ops.floor_divide(other, self)

    def __mod__(self, other: Any) -> Tensor:
        return ops.remainder(self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return ops.remainder(other, self)

    def __pow__(self, other: Any) -> Tensor:
        return ops.power(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return ops.power(other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return ops.matmul_any(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return ops.matmul_any(other, self)

    def __neg__(self) -> Tensor:
        return ops.neg(self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return ops.abs(self)

    def __invert__(self) -> Tensor:
        return ops.bitwise_not(self)

    def __and__(self, other: Any) -> Tensor:
        return ops.bitwise_and(self, other)

    def __or__(self, other: Any) -> Tensor:
        return ops.bitwise_or(self, other)

    def __xor__(self, other: Any) -> Tensor:
        return ops.bitwise_xor(self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __lshift__(self, other: Any) -> Tensor:
        return ops.bitwise_left_shift(self, other)

    def __rlshift__(self, other: Any) -> Tensor:
        return ops.bitwise_left_shift(other, self)

    def __rshift__(self, other: Any) -> Tensor:
        return ops.bitwise_right_shift(self, other)

    def __rrshift__(self, other: Any) -> Tensor:
        return ops.bitwise_right_shift(other, self)

    def __eq__(self, other: Any) -> Tensor:  # type: ignore[override]
        return ops.eq(self, other) if _comparable(other) else NotImplemented

    def __ne__(self, other: Any) -> Tensor:  # type: ignore[override]
        return ops.ne(self, other) if _comparable(other) else NotImplemented

    def __lt__(self, other: Any) -> Tensor:
        return ops.lt(self, other)

    def __le__(self, other: Any) -> Tensor:
        return ops.le(self, other)

    def __gt__(self, other: Any) -> Tensor:
        return ops.gt(self, other)

    def __ge__(self, other: Any) -> Tensor:
        return ops.ge(self, other)

    def __iadd__(self, other: Any) -> Tensor:
        return inplace.update(self, ops.add, other)

    def __isub__(self, other: Any) -> Tensor:
        return inplace.update(self, ops.sub, other)

    def __imul__(self, other: Any) -> Tensor:
        return inplace.update(self, ops.mul, other)

    def __itruediv__(self, other: Any) -> Tensor:
        return inplace.update(self, ops.div, other)

    def __ifloordiv__(self, other: Any) -> Tensor:
        return inplace.update(self, ops.floor_divide, other)

    def __imod__(self, other: Any) -> Tensor:
        return inplace.update(self, ops.remainder, other)

    def __ipow__(self, other: Any) -> Tensor:
        return inplace.update(self, ops.power, other)

    def __iand__(self, other: Any) -> Tensor:
        return inplace.update(self, ops.bitwise_and, other)

    def __ior__(self, other: Any) -> Tensor:
        return inplace.update(self, ops.bitwise_or, other)

    # ------------------------------------------------------------------ elementwise

    def add(self, other: Any, *, alpha: Any = 1) -> Tensor:
        return ops.add(self, ops.scaled("add", self, other, alpha))

    def sub(self, other: Any, *, alpha: Any = 1) -> Tensor:
        return ops.sub(self, ops.scaled("sub", self, other, alpha))

    subtract = sub

    def rsub(self, other: Any, *, alpha: Any = 1) -> Tensor:
        return ops.reversed_sub(other, ops.scaled("rsub", other, self, alpha))

    def mul(self, other: Any) -> Tensor:
        return ops.mul(self, other)

    multiply = mul

    def div(self, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        return ops.divide(self, other, rounding_mode)

    divide = div

    def true_divide(self, other: Any) -> Tensor:
        return ops.div(self, other)

    def floor_divide(self, other: Any) -> Tensor:
        return ops.floor_divide(self, other)

    def remainder(self, other: Any) -> Tensor:
        return ops.remainder(self, other)

    def fmod(self, other: Any) -> Tensor:
        return ops.fmod(self, other)

    def pow(self, exponent: Any) -> Tensor:
        return ops.power(self, exponent)

    def float_power(self, exponent: Any) -> Tensor:
        return ops.power(self.double(), exponent)

    def neg(self) -> Tensor:
        return ops.neg(self)

    negative = neg

    def abs(self) -> Tensor:
        return ops.abs(self)

    absolute = abs

    def exp(self) -> Tensor:
        return ops.exp(self)

    def exp2(self) -> Tensor:
        return named(ops.power(2.0, self), "Exp2Backward0")

    def expm1(self) -> Tensor:
        return ops.expm1(self)

    def log(self) -> Tensor:
        return ops.log(self)

    def log1p(self) -> Tensor:
        return ops.log1p(self)

    def log2(self) -> Tensor:
        return ops.log2(self)

    def log10(self) -> Tensor:
        return ops.log10(self)

    def sqrt(self) -> Tensor:
        return ops.sqrt(self)

    def rsqrt(self) -> Tensor:
        return ops.rsqrt(self)

    def square(self) -> Tensor:
        return ops.square(self)

    def reciprocal(self) -> Tensor:
        return ops.reciprocal(self)

    def sin(self) -> Tensor:
        return ops.sin(self)

    def cos(self) -> Tensor:
        return ops.cos(self)

    def tan(self) -> Tensor:
        return ops.tan(self)

    def asin(self) -> Tensor:
        return ops.asin(self)

    def acos(self) -> Tensor:
        return ops.acos(self)

    def atan(self) -> Tensor:
        return ops.atan(self)

    def atan2(self, other: Any) -> Tensor:
        return ops.atan2(self, other)

    arctan2 = atan2

    def sinh(self) -> Tensor:
        return ops.sinh(self)

    def cosh(self) -> Tensor:
        return ops.cosh(self)

    def tanh(self) -> Tensor:
        return ops.tanh(self)

    def sigmoid(self) -> Tensor:
        return ops.sigmoid(self)

    def erf(self) -> Tensor:
        return ops.erf(self)

    def erfc(self) -> Tensor:
        return ops.erfc(self)

    def erfinv(self) -> Tensor:
        return ops.erfinv(self)

    def lgamma(self) -> Tensor:
        return ops.lgamma(self)

    def digamma(self) -> Tensor:
        return ops.digamma(self)

    def polygamma(self, n: int) -> Tensor:
        return ops.polygamma(n, self)

    def mvlgamma(self, p: int) -> Tensor:
        """log of the multivariate gamma function of dimension p: the sum of lgamma(x - i / 2), i = 0 ... p - 1."""
        i = creation.arange(p, dtype=self.dtype, device=self.device)
        return ops.lgamma(self.unsqueeze(-1) - i / 2).sum(-1) + p * (p - 1) / 4 * math.log(math.pi)

    def acosh(self) -> Tensor:
        return ops.acosh(self)

    def asinh(self) -> Tensor:
        return ops.asinh(self)

    def atanh(self) -> Tensor:
        return ops.atanh(self)

    arccos, arcsin, arctan, arccosh, arcsinh, arctanh = acos, asin, atan, acosh, asinh, atanh

    def sinc(self) -> Tensor:
        return ops.sinc(self)

    def logit(self, eps: builtins.float | None = None) -> Tensor:
        return ops.logit(self, eps)

    def logaddexp(self, other: Tensor) -> Tensor:
        return ops.logaddexp(self, other)

    def logaddexp2(self, other: Tensor) -> Tensor:
        return ops.logaddexp2(self, other)

    def hypot(self, other: Tensor) -> Tensor:
        return ops.hypot(self, other)

    def xlogy(self, other: Any) -> Tensor:
        return ops.xlogy(self, other)

    def copysign(self, other: Any) -> Tensor:
        return ops.copysign(self, other)

    def ldexp(self, other: Tensor) -> Tensor:
        """x 2^other."""
        return ops.mul(self, ops.power(2.0, other))

    def frexp(self) -> Any:
        return ops.frexp(self)

    def deg2rad(self) -> Tensor:
        return self * (math.pi / 180)

    def rad2deg(self) -> Tensor:
        return self * (180 / math.pi)

    def positive(self) -> Tensor:
        """x itself; RuntimeError for bools, as `+x`."""
        refuse_bools("positive", self)
        return self

    def signbit(self) -> Tensor:
        return ops.signbit(self)

    def heaviside(self, values: Tensor) -> Tensor:
        return ops.heaviside(self, values)

    def nextafter(self, other: Tensor) -> Tensor:
        return ops.nextafter(self, other)

    def gcd(self, other: Tensor) -> Tensor:
        return ops.gcd(self, other)

    def lcm(self, other: Tensor) -> Tensor:
        return ops.lcm(self, other)

    def bitwise_left_shift(self, other: Any) -> Tensor:
        return ops.bitwise_left_shift(self, other)

    def bitwise_right_shift(self, other: Any) -> Tensor:
        return ops.bitwise_right_shift(self, other)

    def isposinf(self) -> Tensor:
        return ops.eq(self, math.inf)

    def isneginf(self) -> Tensor:
        return ops.eq(self, -math.inf)

    def fmax(self, other: Tensor) -> Tensor:
        return ops.fmax(self, other)

    def fmin(self, other: Tensor) -> Tensor:
        return ops.fmin(self, other)

    def relu(self) -> Tensor:
        return ops.relu(self)

    def sign(self) -> Tensor:
        return ops.sign(self)

    def sgn(self) -> Tensor:
        """z / |z| of complex numbers, the sign of real ones."""
        return ops.sgn(self) if dtypes.is_complex(self) else ops.sign(self)

    def angle(self) -> Tensor:
        return ops.angle(self)

    @property
    def real(self) -> Tensor:
        """The real part, on the same memory; a real tensor is its own."""
        return ops.real(self) if dtypes.is_complex(self) else self

    @property
    def imag(self) -> Tensor:
        """The imaginary part, on the same memory."""
        if not dtypes.is_complex(self):
            raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
        return ops.imag(self)

    def conj(self) -> Tensor:
        return ops.conj(self) if dtypes.is_complex(self) else self

    conj_physical = conj

    def resolve_conj(self) -> Tensor:
        """The tensor itself: minigrad's conj() computes at once."""
        return self

    resolve_neg = resolve_conj

    def is_conj(self) -> builtins.bool:
        return False

    def isreal(self) -> Tensor:
        return ops.eq(self.imag, 0) if dtypes.is_complex(self) else self.ones_like(dtype=dtypes.bool_)

    def floor(self) -> Tensor:
        return ops.floor(self)

    def ceil(self) -> Tensor:
        return ops.ceil(self)

    def trunc(self) -> Tensor:
        return ops.trunc(self)

    fix = trunc

    def frac(self) -> Tensor:
        return named(self - self.trunc(), "FracBackward0")

    def round(self, *, decimals: int = 0) -> Tensor:
        return ops.round(self, decimals=decimals)

    def clamp(self, min: Any = None, max: Any = None) -> Tensor:
        if min is None and max is None:
            raise RuntimeError("clamp: at least one of 'min' or 'max' must not be None")
        return ops.clamp(self, min, max)

    clip = clamp

    def clamp_min(self, min: Any) -> Tensor:
        return named(ops.clamp(self, min, None), "ClampMinBackward0")

    def clamp_max(self, max: Any) -> Tensor:
        return named(ops.clamp(self, None, max), "ClampMaxBackward0")

    def maximum(self, other: Any) -> Tensor:
        return ops.maximum(self, must_be_tensor("maximum", "other", other))

    def minimum(self, other: Any) -> Tensor:
        return ops.minimum(self, must_be_tensor("minimum", "other", other))

    def lerp(self, end: Any, weight: Any) -> Tensor:
        return named(ops.lerp(self, end, weight), "LerpBackward0")

    def addcmul(self, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Tensor:
        return named(ops.addcmul(self, tensor1, tensor2, value), "AddcmulBackward0")

    def addcdiv(self, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Tensor:
        return named(ops.addcdiv(self, tensor1, tensor2, value), "AddcdivBackward0")

    def eq(self, other: Any) -> Tensor:
        return ops.eq(self, other)

    def ne(self, other: Any) -> Tensor:
        return ops.ne(self, other)

    not_equal = ne

    def lt(self, other: Any) -> Tensor:
        return ops.lt(self, other)

    def le(self, other: Any) -> Tensor:
        return ops.le(self, other)

    def gt(self, other: Any) -> Tensor:
        return ops.gt(self, other)

    def ge(self, other: Any) -> Tensor:
        return ops.ge(self, other)

    less, less_equal, greater, greater_equal = lt, le, gt, ge

    def isclose(
        self,
        other: Tensor,
        rtol: builtins.float = 1e-5,
        atol: builtins.float = 1e-8,
        equal_nan: builtins.bool = False,
    ) -> Tensor:
        return ops.near(self, other, rtol, atol, equal_nan)

    def allclose(
        self,
        other: Tensor,
        rtol: builtins.float = 1e-5,
        atol: builtins.float = 1e-8,
        equal_nan: builtins.bool = False,
    ) -> builtins.bool:
        return builtins.bool(self.isclose(other, rtol, atol, equal_nan).all())

    def equal(self, other: Tensor) -> builtins.bool:
        return self.array.shape == other.array.shape and builtins.bool((self == other).all())

    def isfinite(self) -> Tensor:
        return ops.isfinite(self)

    def isinf(self) -> Tensor:
        return ops.isinf(self)

    def isnan(self) -> Tensor:
        return ops.isnan(self)

    def nan_to_num(self, nan: builtins.float = 0.0, posinf: Any = None, neginf: Any = None) -> Tensor:
        if not self.is_floating_point():
            return self.clone()
        limits = dtypes.finfo(self.dtype)
        x = ops.where(ops.isnan(self), nan, self)
        x = ops.where(ops.eq(x, math.inf), limits.max if posinf is None else posinf, x)
        return named(ops.where(ops.eq(x, -math.inf), limits.min if neginf is None else neginf, x), "NanToNumBackward0")

    def logical_and(self, other: Any) -> Tensor:
        return ops.logical_and(self, other)

    def logical_or(self, other: Any) -> Tensor:
        return ops.logical_or(self, other)

    def logical_xor(self, other: Any) -> Tensor:
        return ops.logical_xor(self, other)

    def logical_not(self) -> Tensor:
        return ops.logical_not(self)

    def bitwise_and(self, other: Any) -> Tensor:
        return ops.bitwise_and(self, other)

    def bitwise_or(self, other: Any) -> Tensor:
        return ops.bitwise_or(self, other)

    def bitwise_xor(self, other: Any) -> Tensor:
        return ops.bitwise_xor(self, other)

    def bitwise_not(self) -> Tensor:
        return ops.bitwise_not(self)

    def where(self, condition: Tensor, other: Any) -> Tensor:
        return ops.where(must_be_condition(condition), self, other)

    @numpy_names
    def softmax(self, dim: int | None = None, dtype: Any = None) -> Tensor:
        x = self if dtype is None else self.to(dtype)
        return ops.softmax(x, dim=one_dim(dim, x.array.ndim))

    @numpy_names
    def log_softmax(self, dim: int | None = None, dtype: Any = None) -> Tensor:
        x = self if dtype is None else self.to(dtype)
        return ops.log_softmax(x, dim=one_dim(dim, x.array.ndim))

    # ------------------------------------------------------------------ reductions

    def sum(
        self,
        dim: Any = None,
        keepdim: builtins.bool = False,
        *,
        dtype: Any = None,
        axis: Any = None,
        keepdims: builtins.bool = False,
    ) -> Tensor:
        x = self if dtype is None else self.to(dtype)
        y = ops.sum(x, axis=dims(either(dim, axis), self.array.ndim), keepdims=keepdim or keepdims)
        return y if dtype is None else y.to(dtype)

    def mean(
        self,
        dim: Any = None,
        keepdim: builtins.bool = False,
        *,
        dtype: Any = None,
        axis: Any = None,
        keepdims: builtins.bool = False,
    ) -> Tensor:
        x = self if dtype is None else self.to(dtype)
        return ops.mean(x, axis=dims(either(dim, axis), self.array.ndim), keepdims=keepdim or keepdims)

    @numpy_names
    def nansum(self, dim: Any = None, keepdim: builtins.bool = False) -> Tensor:
        return ops.where(ops.isnan(self), 0, self).sum(dim, keepdim)

    def prod(
        self,
        dim: int | None = None,
        keepdim: builtins.bool = False,
        *,
        dtype: Any = None,
        axis: Any = None,
        keepdims: builtins.bool = False,
    ) -> Tensor:
        x, dim = self if dtype is None else self.to(dtype), either(dim, axis)
        axes = None if dim is None else dims(one_dim(dim, x.array.ndim), x.array.ndim)
        y = ops.prod(x, axis=axes, keepdims=keepdim or keepdims)
        return y if dtype is None else y.to(dtype)

    def var(
        self,
        dim: Any = None,
        unbiased: builtins.bool = True,
        keepdim: builtins.bool = False,
        *,
        correction: Any = None,
        axis: Any = None,
        keepdims: builtins.bool = False,
    ) -> Tensor:
        dim, unbiased = (None, dim) if isinstance(dim, builtins.bool) else (dim, unbiased)
        correction = builtins.int(unbiased) if correction is None else correction
        return ops.var(
            self, axis=dims(either(dim, axis), self.array.ndim), correction=correction, keepdims=keepdim or keepdims
        )

    def std(
        self,
        dim: Any = None,
        unbiased: builtins.bool = True,
        keepdim: builtins.bool = False,
        *,
        correction: Any = None,
        axis: Any = None,
        keepdims: builtins.bool = False,
    ) -> Tensor:
        dim, unbiased = (None, dim) if isinstance(dim, builtins.bool) else (dim, unbiased)
        correction = builtins.int(unbiased) if correction is None else correction
        return ops.std(
            self, axis=dims(either(dim, axis), self.array.ndim), correction=correction, keepdims=keepdim or keepdims
        )

    @numpy_names
    def var_mean(
        self,
        dim: Any = None,
        unbiased: builtins.bool = True,
        keepdim: builtins.bool = False,
        *,
        correction: Any = None,
    ) -> tuple:
        dim, unbiased = (None, dim) if isinstance(dim, builtins.bool) else (dim, unbiased)
        return self.var(dim, unbiased, keepdim, correction=correction), self.mean(dim, keepdim)

    @numpy_names
    def std_mean(
        self,
        dim: Any = None,
        unbiased: builtins.bool = True,
        keepdim: builtins.bool = False,
        *,
        correction: Any = None,
    ) -> tuple:
        dim, unbiased = (None, dim) if isinstance(dim, builtins.bool) else (dim, unbiased)
        return self.std(dim, unbiased, keepdim, correction=correction), self.mean(dim, keepdim)

    @numpy_names
    def amax(self, dim: Any = (), keepdim: builtins.bool = False) -> Tensor:
        return ops.amax(self, axis=dims(None if dim == () else dim, self.array.ndim), keepdims=keepdim)

    @numpy_names
    def amin(self, dim: Any = (), keepdim: builtins.bool = False) -> Tensor:
        return ops.amin(self, axis=dims(None if dim == () else dim, self.array.ndim), keepdims=keepdim)

    @numpy_names
    def max(self, dim: Any = None, keepdim: builtins.bool = False, *, other: Any = None) -> Any:
        """Of all, one Tensor; over `dim`, the pair (values, indices); with a Tensor, the elementwise maximum."""
        dim = either(dim, other, "other")
        if isinstance(dim, Tensor):
            return ops.maximum(self, dim)
        if dim is None:
            return named(ops.amax(self, axis=None, keepdims=False), "MaxBackward1")
        return ops.max_along(self, one_dim(dim, self.array.ndim), keepdim)

    @numpy_names
    def min(self, dim: Any = None, keepdim: builtins.bool = False, *, other: Any = None) -> Any:
        dim = either(dim, other, "other")
        if isinstance(dim, Tensor):
            return ops.minimum(self, dim)
        if dim is None:
            return named(ops.amin(self, axis=None, keepdims=False), "MinBackward1")
        return ops.min_along(self, one_dim(dim, self.array.ndim), keepdim)

    @numpy_names
    def median(self, dim: int | None = None, keepdim: builtins.bool = False) -> Any:
        """The middle value, the lower of two; over `dim`, (values, indices)."""
        return ops.median(self, dim, keepdim)

    @numpy_names
    def argmax(self, dim: int | None = None, keepdim: builtins.bool = False) -> Tensor:
        refuse_bools("argmax", self)
        return ops.argmax(self, axis=None if dim is None else one_dim(dim, self.array.ndim), keepdims=keepdim)

    @numpy_names
    def argmin(self, dim: int | None = None, keepdim: builtins.bool = False) -> Tensor:
        refuse_bools("argmin", self)
        return ops.argmin(self, axis=None if dim is None else one_dim(dim, self.array.ndim), keepdims=keepdim)

    @numpy_names
    def all(self, dim: Any = None, keepdim: builtins.bool = False) -> Tensor:
        return ops.all(self, axis=dims(dim, self.array.ndim), keepdims=keepdim)

    @numpy_names
    def any(self, dim: Any = None, keepdim: builtins.bool = False) -> Tensor:
        return ops.any(self, axis=dims(dim, self.array.ndim), keepdims=keepdim)

    @numpy_names
    def nanmean(self, dim: Any = None, keepdim: builtins.bool = False, *, dtype: Any = None) -> Tensor:
        return ops.nanmean(self if dtype is None else self.to(dtype), dim, keepdim)

    def nanmedian(self, dim: int | None = None, keepdim: builtins.bool = False) -> Any:
        return ops.nanmedian(self, dim, keepdim)

    def kthvalue(self, k: int, dim: int = -1, keepdim: builtins.bool = False) -> Any:
        return ops.kthvalue(self, k, dim, keepdim)

    def aminmax(self, *, dim: int | None = None, keepdim: builtins.bool = False) -> Any:
        return ops.aminmax(self, dim, keepdim)

    def cummax(self, dim: int) -> Any:
        return ops.cummax(self, dim)

    def cummin(self, dim: int) -> Any:
        return ops.cummin(self, dim)

    def logcumsumexp(self, dim: int) -> Tensor:
        return ops.logcumsumexp(self, dim)

    def msort(self) -> Tensor:
        """Sorted along the first dim."""
        return self.sort(0)[0]

    def unique_consecutive(
        self, return_inverse: builtins.bool = False, return_counts: builtins.bool = False, dim: int | None = None
    ) -> Any:
        return ops.unique_consecutive(self, return_inverse, return_counts, dim)

    def diff(self, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
        return ops.diff(self, n, dim, prepend, append)

    def dist(self, other: Tensor, p: Any = 2) -> Tensor:
        return ops.dist(self, other, p)

    def renorm(self, p: Any, dim: int, maxnorm: Any) -> Tensor:
        return ops.renorm(self, p, dim, maxnorm)

    def count_nonzero(self, dim: Any = None) -> Tensor:
        return (self != 0).sum(dim)

    @numpy_names
    def logsumexp(self, dim: Any, keepdim: builtins.bool = False) -> Tensor:
        return ops.logsumexp(self, axis=dims(dim, self.array.ndim), keepdims=keepdim)

    def cumsum(self, dim: Any = None, *, dtype: Any = None, axis: Any = None) -> Tensor:
        x = self if dtype is None else self.to(dtype)
        y = ops.cumsum(x, axis=one_dim(either(dim, axis), x.array.ndim))
        return y if dtype is None else y.to(dtype)

    def cumprod(self, dim: Any = None, *, dtype: Any = None, axis: Any = None) -> Tensor:
        x = self if dtype is None else self.to(dtype)
        y = ops.cumprod(x, axis=one_dim(either(dim, axis), x.array.ndim))
        return y if dtype is None else y.to(dtype)

    def norm(self, p: Any = "fro", dim: Any = None, keepdim: builtins.bool = False, dtype: Any = None) -> Tensor:
        x = self if dtype is None else self.to(dtype)
        if p == "nuc":
            return linalg.matrix_norm(x, p, (-2, -1) if dim is None else dim, keepdim)
        return ops.vector_norm(x, 2.0 if p in ("fro", None) else p, dims(dim, x.array.ndim), keepdim)

    @numpy_names
    def topk(self, k: int, dim: int = -1, largest: builtins.bool = True, sorted: builtins.bool = True) -> Any:
        return ops.topk(self, k, one_dim(dim, self.array.ndim), largest)

    @numpy_names
    def sort(self, dim: int = -1, descending: builtins.bool = False, stable: builtins.bool = False) -> Any:
        return ops.sort(self, one_dim(dim, self.array.ndim), descending)

    @numpy_names
    def argsort(self, dim: int = -1, descending: builtins.bool = False, stable: builtins.bool = False) -> Tensor:
        return ops.argsort(self, dim=one_dim(dim, self.array.ndim), descending=descending)

    def unique(
        self,
        sorted: builtins.bool = True,
        return_inverse: builtins.bool = False,
        return_counts: builtins.bool = False,
        dim: int | None = None,
    ) -> Any:
        return ops.unique(self, return_inverse, return_counts, dim)

    def histc(self, bins: int = 100, min: builtins.float = 0, max: builtins.float = 0) -> Tensor:
        return ops.histc(self, bins, min, max)

    def histogram(
        self, bins: Any = 100, *, range: Any = None, weight: Tensor | None = None, density: builtins.bool = False
    ) -> Any:
        return ops.histogram(self, bins, range=range, weight=weight, density=density)

    def mode(self, dim: int = -1, keepdim: builtins.bool = False) -> Any:
        """(values, indices) of the commonest entries."""
        return ops.mode(self, dim, keepdim)

    def quantile(
        self, q: Any, dim: int | None = None, keepdim: builtins.bool = False, *, interpolation: str = "linear"
    ) -> Tensor:
        return ops.quantile(self, q, dim, keepdim, interpolation=interpolation)

    def nanquantile(
        self, q: Any, dim: int | None = None, keepdim: builtins.bool = False, *, interpolation: str = "linear"
    ) -> Tensor:
        return ops.quantile(self, q, dim, keepdim, interpolation=interpolation, ignore_nan=True)

    def cov(self, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
        return ops.cov(self, correction=correction, fweights=fweights, aweights=aweights)

    def corrcoef(self) -> Tensor:
        return ops.corrcoef(self)

    def bincount(self, weights: Any = None, minlength: int = 0) -> Tensor:
        return ops.bincount(self, weights, minlength=minlength)

    # ------------------------------------------------------------------ shape

    def reshape(self, *size: Any, shape: Any = None) -> Tensor:
        y = ops.reshape(self, shape=full_shape(sizes(size, shape), self.array.size))
        return y if y.node is None or y.base is not None else named(y, "UnsafeViewBackward0")  # it had to copy

    def view(self, *shape: Any, size: Any = None, dtype: DType | None = None) -> Tensor:
        """As reshape, for sizes; with a dtype, the same bytes read as that type."""
        shape = shape if dtype is None else (*shape, dtype)
        if not shape and size is None:
            raise TypeError("view() takes sizes or a dtype, got nothing: x.view(-1), x.view(()), x.view(torch.int32)")
        if len(shape) == 1 and isinstance(shape[0], DType):
            return from_raw(self.array.view(shape[0].numpy))
        return ops.view(self, full_shape(sizes(shape, size), self.array.size))

    def view_as(self, other: Tensor) -> Tensor:
        return ops.view(self, must_be_tensor("view_as", "other", other).array.shape)

    def reshape_as(self, other: Tensor) -> Tensor:
        return ops.reshape(self, shape=other.array.shape)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        return ops.flatten(self, start_dim, end_dim)

    def ravel(self) -> Tensor:
        return self.reshape(-1)

    def unflatten(self, dim: int, sizes: Sequence[int]) -> Tensor:
        return ops.unflatten(self, one_dim(dim, self.array.ndim), tuple(sizes))

    def permute(self, *order: Any, dims: Any = None) -> Tensor:
        return ops.permute(self, dims=permutation(sizes(order, dims), self.array.ndim))

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        return ops.swapaxes(self, dim0=one_dim(dim0, self.array.ndim), dim1=one_dim(dim1, self.array.ndim))

    swapdims = transpose

    def swapaxes(self, axis0: int, axis1: int) -> Tensor:
        return self.transpose(axis0, axis1)

    def movedim(self, source: Any, destination: Any) -> Tensor:
        return ops.movedim(self, source, destination)

    moveaxis = movedim

    def t(self) -> Tensor:
        if self.array.ndim > 2:
            raise RuntimeError(
                f"t() expects a tensor with <= 2 dimensions, but self is {self.array.ndim}D; use .mT or .transpose"
            )
        return self if self.array.ndim < 2 else named(self.transpose(0, 1), "TBackward0")

    @property
    def T(self) -> Tensor:
        return ops.permute(self, dims=tuple(reversed(range(self.array.ndim))))

    @property
    def mT(self) -> Tensor:
        if self.array.ndim < 2:
            raise RuntimeError(
                f"tensor.mT is only supported on matrices or batches of matrices. Got {self.array.ndim}-D tensor."
            )
        return self.transpose(-2, -1)

    @property
    def mH(self) -> Tensor:
        """The last two dims exchanged, and of complex numbers the conjugates."""
        return self.mT.conj()

    def adjoint(self) -> Tensor:
        return self.mH

    @property
    def H(self) -> Tensor:
        if self.array.ndim not in (0, 2):
            raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {self.array.ndim}-D tensor.")
        return self.mT.conj() if self.array.ndim else self.conj()

    @numpy_names
    def squeeze(self, dim: Any = None) -> Tensor:
        return ops.squeeze(self, dim)

    @numpy_names
    def unsqueeze(self, dim: int) -> Tensor:
        return ops.unsqueeze(self, dim)

    def expand(self, *shape: Any, size: Any = None) -> Tensor:
        return ops.expand(self, sizes(shape, size))

    def expand_as(self, other: Tensor) -> Tensor:
        return ops.expand(self, must_be_tensor("expand_as", "other", other).array.shape)

    def broadcast_to(self, size: Sequence[int]) -> Tensor:
        return ops.expand(self, tuple(size))

    def repeat(self, *times: Any, repeats: Any = None) -> Tensor:
        return ops.repeat(self, sizes(times, repeats))

    def tile(self, *times: Any, dims: Any = None) -> Tensor:
        repeats = sizes(times, dims)
        return ops.repeat(self, (1,) * (self.array.ndim - len(repeats)) + repeats)

    @numpy_names
    def repeat_interleave(
        self, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
    ) -> Tensor:
        """Each slice `repeats` times; of counts alone, the positions: [1, 2] gives [0, 1, 1]."""
        if repeats is None:
            return creation.arange(self.array.size, device=self.device).repeat_interleave(self)
        return ops.repeat_interleave(self, repeats, dim)

    @numpy_names
    def chunk(self, chunks: int, dim: int = 0) -> tuple:
        return ops.chunk(self, chunks, one_dim(dim, self.array.ndim))

    def split(self, split_size: Any, dim: int = 0) -> tuple:
        return ops.split(self, split_size, one_dim(dim, self.array.ndim))

    def split_with_sizes(self, split_sizes: Sequence[int], dim: int = 0) -> tuple:
        return self.split(split_sizes, dim)

    @numpy_names
    def unbind(self, dim: int = 0) -> tuple:
        return ops.unbind(self, one_dim(dim, self.array.ndim))

    @numpy_names
    def narrow(self, dim: int, start: int, length: int) -> Tensor:
        return ops.narrow(self, one_dim(dim, self.array.ndim), builtins.int(start), length)

    @numpy_names
    def select(self, dim: int, index: int) -> Tensor:
        return ops.select(self, one_dim(dim, self.array.ndim), index)

    def flip(self, *order: Any, dims: Any = None) -> Tensor:
        return ops.flip(self, dims=dims_tuple(sizes(order, dims), self.array.ndim))

    def roll(self, shifts: Any, dims: Any = None) -> Tensor:
        return ops.roll(self, shifts, dims)

    def tril(self, diagonal: int = 0) -> Tensor:
        return ops.tril(self, diagonal=diagonal)

    def triu(self, diagonal: int = 0) -> Tensor:
        return ops.triu(self, diagonal=diagonal)

    def diagonal(self, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
        return ops.diagonal(self, offset, dim1, dim2)

    def diag(self, diagonal: int = 0) -> Tensor:
        return ops.diag(self, diagonal)

    def diag_embed(self, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
        return named(ops.diag_embed(self, offset, dim1, dim2), "DiagEmbedBackward0")

    def tensor_split(self, indices_or_sections: Any, dim: int = 0) -> tuple:
        return ops.tensor_split(self, indices_or_sections, dim)

    def hsplit(self, indices_or_sections: Any) -> tuple:
        dim = 0 if self.array.ndim == 1 else 1
        return ops.split_along("hsplit", self, indices_or_sections, dim, 1)

    def vsplit(self, indices_or_sections: Any) -> tuple:
        return ops.split_along("vsplit", self, indices_or_sections, 0, 2)

    def dsplit(self, indices_or_sections: Any) -> tuple:
        return ops.split_along("dsplit", self, indices_or_sections, 2, 3)

    unsafe_chunk, unsafe_split, unsafe_split_with_sizes = chunk, split, split_with_sizes

    def rot90(self, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
        return ops.rot90(self, k, dims)

    def fliplr(self) -> Tensor:
        if self.array.ndim < 2:
            raise RuntimeError("Input must be >= 2-d.")
        return self.flip(1)

    def flipud(self) -> Tensor:
        if self.array.ndim < 1:
            raise RuntimeError("Input must be >= 1-d.")
        return self.flip(0)

    def diagflat(self, offset: int = 0) -> Tensor:
        return ops.diagflat(self, offset)

    def narrow_copy(self, dim: int, start: int, length: int) -> Tensor:
        return self.narrow(dim, start, length).clone()

    def sum_to_size(self, *size: Any) -> Tensor:
        return ops.sum_to_size(self, sizes(size))

    def unfold(self, dimension: int, size: int, step: int) -> Tensor:
        return ops.unfold(self, one_dim(dimension, self.array.ndim), size, step)

    def contiguous(self, memory_format: Any = None) -> Tensor:
        return self if self.is_contiguous() else ops.clone(self)

    def clone(self, *, memory_format: Any = None) -> Tensor:
        return ops.clone(self)

    # ------------------------------------------------------------------ indexing

    def __getitem__(self, index: Any) -> Tensor:
        return ops.read(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        ops.write(self, index, value)

    @numpy_names
    def gather(self, dim: int, index: Tensor) -> Tensor:
        return ops.gather(self, one_dim(dim, self.array.ndim), index)

    @numpy_names
    def take_along_dim(self, indices: Tensor, dim: int | None = None) -> Tensor:
        return ops.take_along_dim(self, indices, dim)

    @numpy_names
    def scatter(
        self, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
    ) -> Tensor:
        return ops.scatter(self, one_dim(dim, self.array.ndim), index, src if value is None else value, reduce)

    @numpy_names
    def scatter_add(self, dim: int, index: Tensor, src: Tensor) -> Tensor:
        src = must_be_tensor("scatter_add", "src", src)
        return ops.scatter(self, one_dim(dim, self.array.ndim), index, src, "add")

    @numpy_names
    def scatter_reduce(
        self, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: builtins.bool = True
    ) -> Tensor:
        return ops.scatter_reduce(self, one_dim(dim, self.array.ndim), index, src, reduce, include_self)

    @numpy_names
    def index_select(self, dim: int, index: Tensor) -> Tensor:
        return named(ops.index_select(self, one_dim(dim, self.array.ndim), index), "IndexSelectBackward0")

    @numpy_names
    def index_add(self, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
        return named(ops.index_add(self, one_dim(dim, self.array.ndim), index, source, alpha), "IndexAddBackward0")

    @numpy_names
    def index_copy(self, dim: int, index: Tensor, source: Tensor) -> Tensor:
        return ops.index_copy(self, one_dim(dim, self.array.ndim), index, source)

    @numpy_names
    def index_fill(self, dim: int, index: Tensor, value: Any) -> Tensor:
        if isinstance(value, Tensor) and value.array.ndim:
            raise RuntimeError(f"index_fill only supports a 0-dimensional value tensor, got shape {list(value.shape)}")
        return named(ops.index_copy(self, one_dim(dim, self.array.ndim), index, value), "IndexFillBackward0")

    def index_put(self, indices: Sequence, values: Any, accumulate: builtins.bool = False) -> Tensor:
        return ops.index_put(self, tuple(indices), values, accumulate)

    def masked_fill(self, mask: Tensor, value: Any) -> Tensor:
        return named(ops.masked_fill(self, mask, value), "MaskedFillBackward0")

    def masked_scatter(self, mask: Tensor, source: Tensor) -> Tensor:
        return ops.masked_scatter(self, mask, source)

    def select_scatter(self, src: Tensor, dim: int, index: int) -> Tensor:
        return ops.select_scatter(self, src, dim, index)

    def slice_scatter(
        self, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
    ) -> Tensor:
        return ops.slice_scatter(self, src, dim, start, end, step)

    def diagonal_scatter(self, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
        return ops.diagonal_scatter(self, src, offset, dim1, dim2)

    def take(self, index: Tensor) -> Tensor:
        return ops.take(self, index)

    def put(self, index: Tensor, source: Tensor, accumulate: builtins.bool = False) -> Tensor:
        return ops.put(self, index, source, accumulate)

    def argwhere(self) -> Tensor:
        return ops.argwhere(self)

    def masked_select(self, mask: Tensor) -> Tensor:
        return named(ops.masked_select(self, mask), "MaskedSelectBackward0")

    def nonzero(self, *, as_tuple: builtins.bool = False) -> Any:
        return ops.nonzero(self, as_tuple)

    # ------------------------------------------------------------------ products

    def matmul(self, other: Tensor) -> Tensor:
        return ops.matmul_any(self, other)

    def mm(self, mat2: Tensor) -> Tensor:
        return ops.matmul_of_rank("mm", self, mat2, 2, 2)

    def bmm(self, mat2: Tensor) -> Tensor:
        return ops.matmul_of_rank("bmm", self, mat2, 3, 3)

    def mv(self, vec: Tensor) -> Tensor:
        return ops.matmul_of_rank("mv", self, vec, 2, 1)

    def dot(self, tensor: Tensor) -> Tensor:
        return ops.matmul_of_rank("dot", self, tensor, 1, 1)

    def inner(self, other: Tensor) -> Tensor:
        return ops.inner(self, other)

    def outer(self, vec2: Tensor) -> Tensor:
        return ops.outer(self, vec2)

    ger = outer

    def addmm(self, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
        return named(ops.scaled_sum(self, mat1.mm(mat2), beta, alpha), "AddmmBackward0")

    def addmv(self, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
        return named(ops.scaled_sum(self, mat.mv(vec), beta, alpha), "AddmvBackward0")

    def addbmm(self, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
        return named(ops.scaled_sum(self, batch1.bmm(batch2).sum(0), beta, alpha), "AddbmmBackward0")

    def baddbmm(self, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
        return named(ops.scaled_sum(self, batch1.bmm(batch2), beta, alpha), "BaddbmmBackward0")

    @full_precision
    def trace(self) -> Tensor:
        if self.array.ndim != 2:
            raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {self.array.ndim}")
        return named(self.diagonal().sum(), "TraceBackward0")

    def addr(self, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
        return ops.scaled_sum(self, vec1.outer(vec2), beta, alpha)

    def vdot(self, other: Tensor) -> Tensor:
        """The sum of conj(x) times other, for two vectors."""
        return self.conj().dot(other)

    def kron(self, other: Tensor) -> Tensor:
        return ops.kron(self, other)

    def cross(self, other: Tensor, dim: int | None = None) -> Tensor:
        """The cross product along a dim of size 3, by default the first such one."""
        return linalg.cross(self, other, dim=list(self.array.shape).index(3) if dim is None else dim)

    def inverse(self) -> Tensor:
        return linalg.inv(self)

    def pinverse(self, rcond: builtins.float = 1e-15) -> Tensor:
        return linalg.pinv(self, rtol=rcond)

    def det(self) -> Tensor:
        return linalg.det(self)

    def logdet(self) -> Tensor:
        return linalg.logdet(self)

    def slogdet(self) -> Any:
        return RETURN_TYPES["slogdet"](*linalg.slogdet(self))

    def matrix_power(self, n: int) -> Tensor:
        return linalg.matrix_power(self, n)

    def matrix_exp(self) -> Tensor:
        return linalg.matrix_exp(self)

    def cholesky(self, upper: builtins.bool = False) -> Tensor:
        return linalg.cholesky(self, upper=upper)

    def cholesky_solve(self, L: Tensor, upper: builtins.bool = False) -> Tensor:
        """X with (L L^T) X = self, for a Cholesky factor L (upper=True: of L^T L)."""
        lower = L.mT if upper else L
        return linalg.solve_triangular(lower.mT, linalg.solve_triangular(lower, self, upper=False), upper=True)

    def cholesky_inverse(self, upper: builtins.bool = False) -> Tensor:
        """The inverse of L L^T, for the Cholesky factor L (upper=True: of L^T L)."""
        return creation.eye(self.array.shape[-1], dtype=self.dtype, device=self.device).cholesky_solve(self, upper)

    def qr(self, some: builtins.bool = True) -> Any:
        return RETURN_TYPES["qr"](*linalg.qr(self, "reduced" if some else "complete"))

    def svd(self, some: builtins.bool = True, compute_uv: builtins.bool = True) -> Any:
        """(U, S, V): V itself, where linalg.svd gives it transposed. Without `compute_uv` U and V are zeros."""
        U, S, Vh = linalg.svd(self, full_matrices=not some)
        return RETURN_TYPES["svd"](U, S, Vh.mT) if compute_uv else RETURN_TYPES["svd"](U * 0, S, Vh.mT * 0)

    # ------------------------------------------------------------------ in place

    def add_(self, other: Any, *, alpha: Any = 1) -> Tensor:
        return inplace.update(self, Tensor.add, other, alpha=alpha)

    def sub_(self, other: Any, *, alpha: Any = 1) -> Tensor:
        return inplace.update(self, Tensor.sub, other, alpha=alpha)

    def mul_(self, other: Any) -> Tensor:
        return inplace.update(self, ops.mul, other)

    def div_(self, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        return inplace.update(self, Tensor.div, other, rounding_mode=rounding_mode)

    def floor_divide_(self, other: Any) -> Tensor:
        return inplace.update(self, ops.floor_divide, other)

    def remainder_(self, other: Any) -> Tensor:
        return inplace.update(self, ops.remainder, other)

    def pow_(self, exponent: Any) -> Tensor:
        return inplace.update(self, ops.power, exponent)

    def neg_(self) -> Tensor:
        return inplace.update(self, ops.neg)

    def abs_(self) -> Tensor:
        return inplace.update(self, ops.abs)

    def exp_(self) -> Tensor:
        return inplace.update(self, ops.exp)

    def log_(self) -> Tensor:
        return inplace.update(self, ops.log)

    def sqrt_(self) -> Tensor:
        return inplace.update(self, ops.sqrt)

    def rsqrt_(self) -> Tensor:
        return inplace.update(self, ops.rsqrt)

    def square_(self) -> Tensor:
        return inplace.update(self, ops.square)

    def reciprocal_(self) -> Tensor:
        return inplace.update(self, ops.reciprocal)

    def tanh_(self) -> Tensor:
        return inplace.update(self, ops.tanh)

    def sigmoid_(self) -> Tensor:
        return inplace.update(self, ops.sigmoid)

    def relu_(self) -> Tensor:
        return inplace.update(self, ops.relu)

    def floor_(self) -> Tensor:
        return inplace.update(self, ops.floor)

    def round_(self) -> Tensor:
        return inplace.update(self, Tensor.round)

    def clamp_(self, min: Any = None, max: Any = None) -> Tensor:
        return inplace.update(self, Tensor.clamp, min, max)

    clip_ = clamp_

    def clamp_min_(self, min: Any) -> Tensor:
        return inplace.update(self, Tensor.clamp_min, min)

    def clamp_max_(self, max: Any) -> Tensor:
        return inplace.update(self, Tensor.clamp_max, max)

    def lerp_(self, end: Any, weight: Any) -> Tensor:
        return inplace.update(self, Tensor.lerp, end, weight)

    def addcmul_(self, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Tensor:
        return inplace.update(self, Tensor.addcmul, tensor1, tensor2, value=value)

    def addcdiv_(self, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Tensor:
        return inplace.update(self, Tensor.addcdiv, tensor1, tensor2, value=value)

    subtract_, multiply_, divide_, negative_, absolute_ = sub_, mul_, div_, neg_, abs_
    sign_, ceil_, trunc_, frac_ = _in_place(sign), _in_place(ceil), _in_place(trunc), _in_place(frac)
    exp2_, expm1_, log1p_, log2_ = _in_place(exp2), _in_place(expm1), _in_place(log1p), _in_place(log2)
    log10_, erf_, sinh_, cosh_ = _in_place(log10), _in_place(erf), _in_place(sinh), _in_place(cosh)
    sin_, cos_, tan_ = _in_place(sin), _in_place(cos), _in_place(tan)
    asin_, acos_, atan_, atan2_ = _in_place(asin), _in_place(acos), _in_place(atan), _in_place(atan2)
    true_divide_, fmod_, nan_to_num_ = _in_place(true_divide), _in_place(fmod), _in_place(nan_to_num)
    cumsum_, cumprod_ = _in_place(cumsum), _in_place(cumprod)
    addmm_, addmv_, addbmm_, baddbmm_ = _in_place(addmm), _in_place(addmv), _in_place(addbmm), _in_place(baddbmm)
    fix_, arcsin_, arccos_, arctan_, arctan2_ = trunc_, asin_, acos_, atan_, atan2_
    acosh_, asinh_, atanh_ = _in_place(acosh), _in_place(asinh), _in_place(atanh)
    arccosh_, arcsinh_, arctanh_ = acosh_, asinh_, atanh_
    erfc_, erfinv_, lgamma_, digamma_ = _in_place(erfc), _in_place(erfinv), _in_place(lgamma), _in_place(digamma)
    polygamma_, mvlgamma_, sinc_, logit_ = _in_place(polygamma), _in_place(mvlgamma), _in_place(sinc), _in_place(logit)
    hypot_, xlogy_, copysign_, ldexp_ = _in_place(hypot), _in_place(xlogy), _in_place(copysign), _in_place(ldexp)
    deg2rad_, rad2deg_, float_power_ = _in_place(deg2rad), _in_place(rad2deg), _in_place(float_power)
    heaviside_, nextafter_, gcd_, lcm_ = _in_place(heaviside), _in_place(nextafter), _in_place(gcd), _in_place(lcm)
    bitwise_left_shift_, bitwise_right_shift_ = _in_place(bitwise_left_shift), _in_place(bitwise_right_shift)
    sgn_, conj_physical_, renorm_, addr_ = _in_place(sgn), _in_place(conj), _in_place(renorm), _in_place(addr)
    masked_scatter_, put_ = _in_place(masked_scatter), _in_place(put)
    bitwise_and_, bitwise_or_ = _in_place(bitwise_and), _in_place(bitwise_or)
    bitwise_xor_, bitwise_not_ = _in_place(bitwise_xor), _in_place(bitwise_not)
    eq_, ne_, lt_ = _truth_in_place(eq), _truth_in_place(ne), _truth_in_place(lt)
    le_, gt_, ge_ = _truth_in_place(le), _truth_in_place(gt), _truth_in_place(ge)
    not_equal_, less_, less_equal_, greater_, greater_equal_ = ne_, lt_, le_, gt_, ge_
    logical_and_, logical_or_ = _truth_in_place(logical_and), _truth_in_place(logical_or)
    logical_xor_, logical_not_ = _truth_in_place(logical_xor), _truth_in_place(logical_not)

    def copy_(self, src: Any, non_blocking: builtins.bool = False) -> Tensor:
        """Write `src` (broadcast, cast, moved) into this tensor."""
        src = src if isinstance(src, Tensor) else from_array(np.asarray(src), self.device)
        ops.write(self, ..., src.to(self.device, non_blocking=non_blocking))
        return self

    def fill_(self, value: Any) -> Tensor:
        if isinstance(value, Tensor) and value.array.ndim:
            raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got one of shape {list(value.shape)}")
        ops.write(self, ..., value.item() if isinstance(value, np.generic) else value, fill=True)
        return self

    def zero_(self) -> Tensor:
        return self.fill_(0)

    def fill_diagonal_(self, value: Any) -> Tensor:
        i = np.arange(builtins.min(self.array.shape))
        ops.write(self, (i,) * self.array.ndim, value)
        return self

    def masked_fill_(self, mask: Tensor, value: Any) -> Tensor:
        return inplace.update(self, Tensor.masked_fill, mask, value)

    def scatter_(
        self, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
    ) -> Tensor:
        return inplace.update(self, Tensor.scatter, dim, index, src, value=value, reduce=reduce)

    def scatter_add_(self, dim: int, index: Tensor, src: Tensor) -> Tensor:
        return inplace.update(self, Tensor.scatter_add, dim, index, src)

    def scatter_reduce_(
        self, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: builtins.bool = True
    ) -> Tensor:
        return inplace.update(self, Tensor.scatter_reduce, dim, index, src, reduce, include_self=include_self)

    def index_add_(self, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
        return inplace.update(self, Tensor.index_add, dim, index, source, alpha=alpha)

    def index_copy_(self, dim: int, index: Tensor, source: Tensor) -> Tensor:
        return inplace.update(self, Tensor.index_copy, dim, index, source)

    def index_fill_(self, dim: int, index: Tensor, value: Any) -> Tensor:
        return inplace.update(self, Tensor.index_fill, dim, index, value)

    def index_put_(self, indices: Sequence, values: Any, accumulate: builtins.bool = False) -> Tensor:
        return inplace.update(self, Tensor.index_put, indices, values, accumulate)

    def tril_(self, diagonal: int = 0) -> Tensor:
        return inplace.update(self, Tensor.tril, diagonal)

    def triu_(self, diagonal: int = 0) -> Tensor:
        return inplace.update(self, Tensor.triu, diagonal)

    def unsqueeze_(self, dim: int) -> Tensor:
        return self._become(self.unsqueeze(dim))

    def squeeze_(self, dim: Any = None) -> Tensor:
        return self._become(self.squeeze(dim))

    def swapaxes_(self, axis0: int, axis1: int) -> Tensor:
        return self._become(self.transpose(axis0, axis1))

    swapdims_ = swapaxes_

    def t_(self) -> Tensor:
        return self._become(self.t())

    def transpose_(self, dim0: int, dim1: int) -> Tensor:
        return self._become(self.transpose(dim0, dim1))

    def _become(self, view: Tensor) -> Tensor:
        """Take on another shape of the same memory, as the same Python object."""
        inplace.refuse_leaf(self)
        inplace.reshaped(self)
        self.array, self.node = view.array, view.node
        return self

    def uniform_(self, from_: builtins.float = 0.0, to: builtins.float = 1.0, *, generator: Any = None) -> Tensor:
        return self._drawn("uniform", generator, low=from_, high=to)

    def normal_(self, mean: builtins.float = 0.0, std: builtins.float = 1.0, *, generator: Any = None) -> Tensor:
        return self._drawn("normal", generator, mean=mean, std=std)

    def exponential_(self, lambd: builtins.float = 1.0, *, generator: Any = None) -> Tensor:
        return self._drawn("exponential", generator, lambd=lambd)

    def apply_(self, callable: Callable) -> Tensor:
        """Replace every entry by what a Python function gives for it, in place, on the CPU; not for training."""
        if self.is_cuda:
            raise TypeError("apply_ is only implemented on CPU tensors")
        inplace.refuse_leaf(self)
        values = [callable(value) for value in self.array.reshape(-1).tolist()]
        inplace.write_raw(self, ..., np.array(values, self.array.dtype).reshape(self.array.shape))
        return self

    def geometric_(self, p: builtins.float, *, generator: Any = None) -> Tensor:
        return self._drawn("geometric", generator, p=p)

    def cauchy_(self, median: builtins.float = 0.0, sigma: builtins.float = 1.0, *, generator: Any = None) -> Tensor:
        return self._drawn("cauchy", generator, median=median, sigma=sigma)

    def log_normal_(self, mean: builtins.float = 1.0, std: builtins.float = 2.0, *, generator: Any = None) -> Tensor:
        return self._drawn("log_normal", generator, mean=mean, std=std)

    def bernoulli(self, p: Any = None, *, generator: Any = None) -> Tensor:
        from minigrad import random

        return random.bernoulli(self, p, generator=generator)

    def multinomial(self, num_samples: int, replacement: builtins.bool = False, *, generator: Any = None) -> Tensor:
        from minigrad import random

        return random.multinomial(self, num_samples, replacement, generator=generator)

    def bernoulli_(self, p: Any = 0.5, *, generator: Any = None) -> Tensor:
        if isinstance(p, Tensor):
            p = p.array if backend.is_wrapped(p.array) else backend.to_device(p.array, self.device)
        return self._drawn("bernoulli", generator, p=p)

    def random_(self, from_: Any = None, to: Any = None, *, generator: Any = None) -> Tensor:
        """Uniform integers in [from_, to); with one bound [0, from_); with none, PyTorch's range for the dtype."""
        low, high = (0, from_) if to is None else (from_, to)  # (None, None): the whole range
        return self._drawn("random_integers", generator, low=low, high=high)

    def _drawn(self, kind: str, generator: Any, **parameters: Any) -> Tensor:
        """Fill with random numbers, in the order of memory, as PyTorch does."""
        from minigrad import random

        draw = getattr(random.source_for(f"{kind}_", generator, self.device), kind)
        in_order = self.array.flags.c_contiguous
        if kind == "normal":
            parameters["contiguous"] = in_order
        per_entry = backend.is_array(parameters.get("p"))
        values = draw(
            shape=self.array.shape if in_order or per_entry else self.array.size, dtype=self.array.dtype, **parameters
        )
        if not (in_order or per_entry):
            values = random.laid_out_like(self.array, values)
        inplace.refuse_leaf(self)
        ops.write(self, ..., from_array(values, self.device))  # in a graph: the former values get a gradient of 0
        return self

    # ------------------------------------------------------------------ conversion

    def to(
        self,
        *target: Any,
        dtype: Any = None,
        device: Any = None,
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        """To a dtype, a device, or the dtype and device of another tensor; itself when nothing changes.

        `non_blocking` from pinned memory to a GPU: the host does not wait. The tensor must not be written to until the
        GPU has copied it; its memory is held so long. Elsewhere it has no effect.
        """
        for t in target:
            if isinstance(t, Tensor):
                dtype, device = t.dtype, t.device
            elif isinstance(t, (str, backend.device)):
                device = t
            elif isinstance(t, builtins.bool):
                non_blocking = t
            elif t is not None:
                dtype = t
        x = self
        if device is not None and backend.device(device).type != x.device.type:
            x = ops.move(x, device=str(backend.device(device)), non_blocking=non_blocking)
        if dtype is not None:
            raw = dtypes.to_numpy_dtype(dtype)
            x = x if x.array.dtype == raw else ops.cast(x, raw)
        return ops.clone(x) if copy and x is self else x

    def type(self, dtype: Any = None, non_blocking: builtins.bool = False) -> Any:
        """Without argument the old name of the type, such as 'torch.FloatTensor'; with one, the conversion."""
        from minigrad import legacy

        return legacy.type_name(self) if dtype is None else self.to(legacy.dtype_named(dtype))

    def type_as(self, other: Tensor) -> Tensor:
        return self.to(must_be_tensor("type_as", "other", other).dtype)

    def cpu(self, memory_format: Any = None) -> Tensor:
        return self.to("cpu")

    def cuda(self, device: Any = None, non_blocking: builtins.bool = False) -> Tensor:
        index = device if isinstance(device, int) else None
        return self.to("cuda" if device is None else backend.device("cuda", index), non_blocking=non_blocking)

    def new(self, *data: Any) -> Tensor:
        """The old constructor: of that size, or with these values, in the dtype and on the device of this tensor."""
        return Tensor(*data).to(self.device, self.dtype)

    def get_device(self) -> builtins.int:
        """The number of the GPU, or -1 on the CPU."""
        return (self.device.index or 0) if self.is_cuda else -1

    def is_nonzero(self) -> builtins.bool:
        return builtins.bool(self)

    def is_same_size(self, other: Tensor) -> builtins.bool:
        return self.array.shape == other.array.shape

    def is_inference(self) -> builtins.bool:
        return False

    def to_dense(self) -> Tensor:
        return self

    @property
    def is_cpu(self) -> builtins.bool:
        return self.device.type == "cpu"

    is_meta = is_mps = is_xla = is_nested = is_mkldnn = False
    name = None

    def pin_memory(self, device: Any = None) -> Tensor:
        """A copy in pinned memory, from which a GPU copies while the host goes on; itself where it is in such memory,
        or where there is no GPU. RuntimeError for a tensor on a GPU.
        """
        if self.is_cuda:
            raise RuntimeError(
                "cannot pin 'torch.cuda' tensors: only tensors on the CPU can be pinned; this one is on the GPU already"
            )
        if not backend.is_cuda_available():
            return self
        array = pinned.pinned_copy(self.array)
        return self if array is self.array else from_raw(array)

    def is_pinned(self, device: Any = None) -> builtins.bool:
        """Whether it lies in pinned memory."""
        return pinned.is_pinned(self.array)

    def share_memory_(self) -> Tensor:
        """Move a leaf on the CPU into memory that forked processes share with this one."""
        from minigrad.onemachine import multiprocessing

        return multiprocessing.share(self)

    def is_shared(self) -> builtins.bool:
        from minigrad.onemachine import multiprocessing

        return multiprocessing.is_shared(self)

    def float(self) -> Tensor:
        return self.to(dtypes.float32)

    def double(self) -> Tensor:
        return self.to(dtypes.float64)

    def half(self) -> Tensor:
        return self.to(dtypes.float16)

    def bfloat16(self) -> Tensor:
        return self.to(dtypes.bfloat16)

    def cfloat(self) -> Tensor:
        return self.to(dtypes.complex64)

    def cdouble(self) -> Tensor:
        return self.to(dtypes.complex128)

    def long(self) -> Tensor:
        return self.to(dtypes.int64)

    def int(self) -> Tensor:
        return self.to(dtypes.int32)

    def short(self) -> Tensor:
        return self.to(dtypes.int16)

    def char(self) -> Tensor:
        return self.to(dtypes.int8)

    def byte(self) -> Tensor:
        return self.to(dtypes.uint8)

    def bool(self) -> Tensor:
        return self.to(dtypes.bool_)

    # ------------------------------------------------------------------ construction of relatives

    def zeros_like(self, **options: Any) -> Tensor:
        return creation.zeros_like(self, **options)

    def ones_like(self, **options: Any) -> Tensor:
        return creation.ones_like(self, **options)

    def new_zeros(
        self,
        *shape: Any,
        size: Any = None,
        dtype: Any = None,
        device: Any = None,
        requires_grad: builtins.bool = False,
    ) -> Tensor:
        made = creation.zeros(sizes(shape, size), dtype=dtype or self.dtype, device=device or self.device)
        return creation.beside(self, made, requires_grad)

    def new_ones(
        self,
        *shape: Any,
        size: Any = None,
        dtype: Any = None,
        device: Any = None,
        requires_grad: builtins.bool = False,
    ) -> Tensor:
        made = creation.ones(sizes(shape, size), dtype=dtype or self.dtype, device=device or self.device)
        return creation.beside(self, made, requires_grad)

    def new_full(
        self, size: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: builtins.bool = False
    ) -> Tensor:
        made = creation.full(size, fill_value, dtype=dtype or self.dtype, device=device or self.device)
        return creation.beside(self, made, requires_grad)

    def new_empty(
        self,
        *shape: Any,
        size: Any = None,
        dtype: Any = None,
        device: Any = None,
        requires_grad: builtins.bool = False,
    ) -> Tensor:
        made = creation.empty(sizes(shape, size), dtype=dtype or self.dtype, device=device or self.device)
        return creation.beside(self, made, requires_grad)

    def new_tensor(
        self, data: Any, dtype: Any = None, device: Any = None, requires_grad: builtins.bool = False
    ) -> Tensor:
        return creation.tensor(
            data, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad
        )


class HookHandle:
    """What registering a hook returns; `remove()` takes the hook off again."""

    __slots__ = ("hooks", "key")

    def __init__(self, hooks: dict, hook: Any):
        self.hooks = hooks
        self.key = object()
        hooks[self.key] = hook

    def remove(self) -> None:
        self.hooks.pop(self.key, None)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def _rebuild(kind: type, array: np.ndarray, device: str, requires_grad: bool) -> Tensor:
    x: Tensor = _new(kind)
    x.array, x.node = backend.to_device(array, device), None
    return x.requires_grad_() if requires_grad else x


def _comparable(other: Any) -> bool:
    return isinstance(other, (Tensor, np.ndarray, np.generic, int, float, bool, complex)) or backend.is_array(other)


def either(dim: Any, other: Any, name: str = "axis") -> Any:
    """PyTorch's `dim`, or what was given under another name in its place, such as NumPy's `axis`."""
    if dim is not None and other is not None:
        raise TypeError(f"got both dim and {name}: give one")
    return other if dim is None else dim


def one_dim(dim: Any, ndim: int) -> int:
    """A dimension counted from the front; IndexError if the tensor has none such."""
    try:
        dim = operator.index(dim)
    except TypeError:
        raise TypeError(f"expected an integer dim, got {dim!r}") from None
    bound = ndim or 1  # a 0-d tensor takes dim 0 and -1
    if not -bound <= dim < bound:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], but got {dim})")
    return dim % bound


def dims_tuple(dim: Sequence, ndim: int) -> tuple[int, ...]:
    found = tuple(one_dim(d, ndim) for d in dim)
    if len(set(found)) != len(found):
        raise RuntimeError(f"dim {found} appears multiple times in the list of dims")
    return found


def dims(dim: Any, ndim: int) -> tuple[int, ...] | None:
    """The axes of a reduction; None and () mean all."""
    if dim is None:
        return None
    if isinstance(dim, (tuple, list)):
        return dims_tuple(dim, ndim) if ndim and len(dim) else None
    axis = one_dim(dim, ndim)
    return (axis,) if ndim else None


def sizes(shape: tuple, named: Any = None) -> tuple[int, ...]:
    """Sizes given one by one, as one tuple, list or Size, or by keyword (`named`)."""
    if named is not None:
        if shape:
            raise TypeError(f"sizes were given twice, by position {shape!r} and by keyword {named!r}")
        shape = tuple(named) if isinstance(named, (tuple, list)) else (named,)
    elif len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    for n in shape:
        if type(n) is not int:
            break
    else:
        return shape
    try:
        return tuple(operator.index(n) for n in shape)
    except TypeError:
        raise TypeError(f"sizes must be integers, got {shape!r}") from None


def full_shape(shape: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Work out a -1; RuntimeError where the shape does not hold `count` elements."""
    if math.prod(shape) == count and (not shape or min(shape) >= 0):
        return shape
    known = numel([n for n in shape if n != -1])
    if builtins.any(n < -1 for n in shape) or shape.count(-1) > 1:
        raise RuntimeError(f"shape {list(shape)}: only one dimension can be inferred (-1), and none be below")
    if -1 in shape and known and count % known == 0:
        return tuple(count // known if n == -1 else n for n in shape)
    if -1 in shape and not known:
        raise RuntimeError(f"cannot reshape tensor of {count} elements into shape {list(shape)}: the -1 is ambiguous")
    if -1 in shape or known != count:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {count}")
    return shape


def permutation(order: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    if len(order) != ndim:
        raise RuntimeError(f"permute: the order {list(order)} has {len(order)} axes, the tensor {ndim}")
    return dims_tuple(order, ndim)


def numel(shape: Sequence[int]) -> int:
    return math.prod(shape)


_new = object.__new__


# The one stated exception: methods above name what is below.
from minigrad import creation, linalg, ops  # noqa: E402
from minigrad.arguments import must_be_condition, must_be_tensor, refuse_bools  # noqa: E402
