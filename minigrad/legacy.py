"""Names from before `minigrad.tensor(...)` that tutorials still use: FloatTensor and its kin, Variable, `.type("...")`.

`FloatTensor(2, 3)` is an uninitialised tensor of that size, `FloatTensor([1, 2])` holds these values, and
`isinstance(x, FloatTensor)` asks for the dtype.
"""

from typing import Any

from minigrad import creation, dtype as dtypes
from minigrad.dtype import DType
from minigrad.tensor import Size, Tensor

_NAMES = {
    dtypes.float32: "FloatTensor",
    dtypes.float64: "DoubleTensor",
    dtypes.float16: "HalfTensor",
    dtypes.bfloat16: "BFloat16Tensor",
    dtypes.int64: "LongTensor",
    dtypes.int32: "IntTensor",
    dtypes.int16: "ShortTensor",
    dtypes.int8: "CharTensor",
    dtypes.uint8: "ByteTensor",
    dtypes.bool_: "BoolTensor",
    dtypes.complex64: "ComplexFloatTensor",
    dtypes.complex128: "ComplexDoubleTensor",
}


class TensorType:
    """A constructor of tensors of one dtype that answers isinstance."""

    def __init__(self, dtype: DType):
        self.dtype = dtype
        self.__name__ = _NAMES[dtype]

    def __repr__(self) -> str:
        return f"<class 'torch.{self.__name__}'>"

    def __call__(self, *data: Any) -> Tensor:
        """Sizes one by one or as a Size: uninitialised; one sequence or array: its values, cast."""
        if len(data) == 1 and isinstance(data[0], Size):
            return creation.empty(data[0], dtype=self.dtype)
        if all(isinstance(n, int) and not isinstance(n, bool) for n in data):
            return creation.empty(*(data or (0,)), dtype=self.dtype)
        if len(data) != 1:
            raise TypeError(f"{self.__name__} takes sizes, or one sequence of values, got {data!r}")
        return creation.tensor(data[0], dtype=self.dtype)

    def __instancecheck__(self, x: object) -> bool:
        return isinstance(x, Tensor) and x.dtype is self.dtype


_TYPES = {dtype: TensorType(dtype) for dtype in _NAMES}
FloatTensor, DoubleTensor, HalfTensor = _TYPES[dtypes.float32], _TYPES[dtypes.float64], _TYPES[dtypes.float16]
BFloat16Tensor, LongTensor, IntTensor = _TYPES[dtypes.bfloat16], _TYPES[dtypes.int64], _TYPES[dtypes.int32]
ShortTensor, CharTensor = _TYPES[dtypes.int16], _TYPES[dtypes.int8]
ByteTensor, BoolTensor = _TYPES[dtypes.uint8], _TYPES[dtypes.bool_]


def Variable(data: Tensor, requires_grad: bool = False, volatile: Any = None) -> Tensor:
    """The tensor itself: what a Variable once wrapped it for, every tensor can do."""
    if not isinstance(data, Tensor):
        raise TypeError(f"Variable takes a Tensor, got {type(data).__name__}")
    x = data.detach()
    return x.requires_grad_() if requires_grad else x


def type_name(tensor: Tensor) -> str:
    """The old name of a tensor's type, such as 'torch.FloatTensor' or 'torch.cuda.LongTensor'."""
    return f"torch.{'cuda.' if tensor.is_cuda else ''}{_NAMES[tensor.dtype]}"


def dtype_named(named: Any) -> DType:
    """The dtype meant by a DType, a constructor such as LongTensor, or its name 'torch.LongTensor'."""
    if isinstance(named, DType):
        return named
    if isinstance(named, TensorType):
        return named.dtype
    if named is Tensor:
        return dtypes.get_default_dtype()
    if named in (float, int, bool, complex):
        return dtypes.of(dtypes.to_numpy_dtype(named))
    for dtype, name in _NAMES.items():
        if named in (f"torch.{name}", f"torch.cuda.{name}"):
            return dtype
    raise ValueError(
        f"invalid type: {named!r}; expected a dtype such as minigrad.float32 or a name such as 'torch.FloatTensor'"
    )
