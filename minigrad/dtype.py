"""Element types and the one promotion rule.

`minigrad.float32` and its kin are `DType` objects, named and printed as PyTorch prints them; raw arrays carry the
`np.dtype` in `DType.numpy`. `promote` decides the type in which an elementwise op computes, by PyTorch's table:
bool < integers < floats < complex; a tensor with axes outranks a 0-d tensor, which outranks a Python number, as long as
the lower one is not of a higher kind (an integer tensor times 2.5 is a float). NumPy's own table differs: it would make
float32 * int64 a float64.
"""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np


class DType:
    """An element type: `name`, the raw `numpy` dtype, `itemsize` in bytes, `is_floating_point`, `is_complex`."""

    __slots__ = ("_numpy", "is_complex", "is_floating_point", "itemsize", "kind", "name")

    def __init__(self, name: str, itemsize: int, kind: int):
        self.name, self.itemsize, self.kind = name, itemsize, kind  # kind: 0 bool, 1 integer, 2 floating, 3 complex
        self.is_floating_point, self.is_complex = kind == 2, kind == 3
        self._numpy: np.dtype | None = None

    @property
    def is_signed(self) -> bool:
        return self.name not in ("bool", "uint8")

    def to_real(self) -> "DType":
        """The type of the real and imaginary part."""
        return {"complex64": float32, "complex128": float64}.get(self.name, self)

    def to_complex(self) -> "DType":
        """The complex type whose parts are of this type; of a half precision, complex64."""
        return complex128 if self in (float64, complex128) else complex64

    @property
    def numpy(self) -> np.dtype:
        if self._numpy is None:
            self._numpy = _bfloat16_of_ml_dtypes() if self.name == "bfloat16" else np.dtype(self.name)
        return self._numpy

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self):
        return _by_name, (self.name,)


def _bfloat16_of_ml_dtypes() -> np.dtype:
    try:
        import ml_dtypes
    except ImportError as error:
        raise ImportError("bfloat16 needs the package ml_dtypes: pip install 'minigrad[bfloat16]'") from error
    return np.dtype(ml_dtypes.bfloat16)


complex128 = DType("complex128", 16, 3)
complex64 = DType("complex64", 8, 3)
float64 = DType("float64", 8, 2)
float32 = DType("float32", 4, 2)
float16 = DType("float16", 2, 2)
bfloat16 = DType("bfloat16", 2, 2)
int64 = DType("int64", 8, 1)
int32 = DType("int32", 4, 1)
int16 = DType("int16", 2, 1)
int8 = DType("int8", 1, 1)
uint8 = DType("uint8", 1, 1)
bool_ = DType("bool", 1, 0)

ALL = (float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, bool_, complex64, complex128)
_BY_NAME = {dtype.name: dtype for dtype in ALL}
_BY_NUMPY: dict[np.dtype, DType] = {np.dtype(d.name): d for d in ALL if d is not bfloat16}
_PYTHON_TYPES: dict[Any, DType] = {complex: complex128, float: float64, int: int64, bool: bool_}
_default = float32


def _by_name(name: str) -> DType:
    return _BY_NAME[name]


def set_default_dtype(dtype: DType) -> None:
    """The floating type that Python floats become: `tensor(1.5)`, `zeros(3)`, `int_tensor / 2`. Starts as float32."""
    global _default
    if not (isinstance(dtype, DType) and dtype.is_floating_point):
        raise TypeError(f"only floating-point types are supported as the default type, got {dtype!r}")
    _default = dtype


def get_default_dtype() -> DType:
    return _default


def of(raw: np.dtype) -> DType:
    """The DType of a raw dtype; TypeError where minigrad has none (strings, objects, uint16 ...)."""
    try:
        return _BY_NUMPY[raw]
    except KeyError:
        if raw.name == "bfloat16":
            _BY_NUMPY[raw] = bfloat16
            return bfloat16
        names = ", ".join(d.name for d in ALL)
        raise TypeError(f"minigrad has no dtype for arrays of {raw}; convert to one of: {names}") from None


def to_numpy_dtype(dtype: Any = None) -> np.dtype:
    """The raw dtype of a DType, a Python type (float is float64, int int64) or a raw dtype; None: the default float."""
    if dtype is None:
        return _default.numpy
    if isinstance(dtype, DType):
        return dtype.numpy
    if dtype in _PYTHON_TYPES:
        return _PYTHON_TYPES[dtype].numpy
    if isinstance(dtype, str):
        raise TypeError(f"expected a dtype such as minigrad.float32, got the string {dtype!r}")
    try:
        return of(np.dtype(dtype)).numpy
    except TypeError as error:
        raise TypeError(f"expected a dtype such as minigrad.float32, got {dtype!r}") from error


def is_floating(raw: np.dtype) -> bool:
    return raw.kind == "f" or raw.name == "bfloat16"


def is_differentiable(raw: np.dtype) -> bool:
    """Floating or complex: what gradients exist for."""
    return raw.kind in "fc" or raw.name == "bfloat16"


def is_complex(x: Any) -> bool:
    """True for a complex array, Tensor or number."""
    array = getattr(x, "array", x)
    return array.dtype.kind == "c" if hasattr(array, "dtype") else isinstance(x, complex)


def promote_types(a: DType, b: DType) -> DType:
    """The smallest type of the higher kind that holds both, by PyTorch's table (uint8 with int8 gives int16)."""
    if a is b:
        return a
    if a.kind != b.kind:
        higher, lower = (a, b) if a.kind > b.kind else (b, a)
        return complex128 if higher is complex64 and lower is float64 else higher
    if bfloat16 in (a, b):
        other = b if a is bfloat16 else a
        return float32 if other is float16 else other
    return of(np.promote_types(a.numpy, b.numpy))


def dtype_of_scalar(value: Any) -> DType:
    """The type a bare Python or NumPy number stands for: bool, int64, the default float or its complex."""
    if isinstance(value, (bool, np.bool_)):
        return bool_
    if isinstance(value, numbers.Integral):
        return int64
    if isinstance(value, numbers.Real) or type(value).__name__ == "bfloat16":  # ml_dtypes' scalar is no numbers.Real
        return _default
    if isinstance(value, numbers.Complex):
        return _default.to_complex()
    raise TypeError(f"expected a tensor or a number, got {type(value).__name__}: {value!r}")


def result_dtype(operands: Sequence[Any]) -> DType:
    """The common type of raw arrays and numbers: axes outrank 0-d, 0-d outranks numbers, within one kind."""
    ranked: list[DType | None] = [None, None, None]  # with axes, 0-d, numbers
    for x in operands:
        if x is None:
            continue
        is_array = hasattr(x, "ndim") and not isinstance(x, np.generic)
        rank = 2 if not is_array else (0 if x.ndim else 1)
        dtype = of(x.dtype) if is_array else dtype_of_scalar(x)
        ranked[rank] = dtype if ranked[rank] is None else promote_types(ranked[rank], dtype)  # type: ignore[arg-type]
    result: DType | None = None
    for candidate in ranked:
        if result is None:
            result = candidate
        elif candidate is not None and candidate.kind > result.kind:
            # What outranks sets the precision; a complex number of lower rank only makes it complex.
            from_float = candidate.is_complex and result.is_floating_point
            result = result.to_complex() if from_float else promote_types(result, candidate)
    if result is None:
        raise TypeError("no operand to take a dtype from")
    return result


_WEAK = frozenset((float, int, bool, complex, type(None)))


def promote(operands: list) -> list:
    """Cast raw operands to their common type. Numbers stay numbers: they are weak, and NumPy knows it."""
    if len(operands) == 2:  # the common case, quickly: two arrays of one floating type, or one and a number
        a, b = operands
        alike = type(b) is float or (type(b) is np.ndarray and type(a) is np.ndarray and a.dtype is b.dtype)
        if alike and type(a) is np.ndarray and a.dtype.kind == "f":
            return operands
    common = None
    for x in operands:
        if type(x) in _WEAK:
            continue
        dtype = x.dtype
        if dtype is not common:
            if common is not None or dtype.kind != "f" or isinstance(x, np.generic):
                operands = _arrays_for_scalars(operands)
                return _cast_all(operands, result_dtype(operands))
            common = dtype
    return operands


def promote_for_difference(operands: list) -> list:
    """As `promote`, and RuntimeError where one is of bools: is their difference a number, or another bool?"""
    for x in operands:
        if type(x) is bool or (type(x) not in _WEAK and x.dtype.kind == "b"):
            raise RuntimeError(
                "sub: Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert "
                "a mask, use the `~` or `logical_not()` operator instead."
            )
    return promote(operands)


def promote_to_float(operands: list) -> list:
    """As `promote`, and integers become the default float: for exp, sqrt, true division ..."""
    for x in operands:
        if type(x) not in _WEAK and x.dtype.kind == "f":
            return promote(operands)
    operands = _arrays_for_scalars(operands)
    common = result_dtype(operands)
    return _cast_all(operands, common if common.kind >= 2 else _default)


def promote_ordered(operands: list) -> list:
    """As `promote`, for what compares sizes: complex numbers have no order."""
    return real_only(promote(operands))


def real_only(operands: list) -> list:
    """The operands as they are, none of them complex."""
    for x in operands:
        refuse_complex(x)
    return operands


def refuse_complex(x: Any) -> None:
    """TypeError, of which `explain` makes NotImplementedError, for a complex array or number."""
    if type(x) is complex or (type(x) not in _WEAK and x.dtype.kind == "c"):
        raise TypeError("it is not supported for the input types: complex numbers")


def _arrays_for_scalars(operands: list) -> list:
    """Beside an array a NumPy scalar is a user's number. Without one we are in a rule, where NumPy's arithmetic made it
    of 0-d arrays: it goes back to being one, and keeps its dtype."""
    if any(hasattr(x, "ndim") and not isinstance(x, np.generic) for x in operands):
        return operands
    return [np.asarray(x) if isinstance(x, np.generic) else x for x in operands]


def _cast_all(operands: list, common: DType) -> list:
    raw = common.numpy
    cast = []
    for x in operands:
        if hasattr(x, "ndim") and not isinstance(x, np.generic):
            cast.append(x if x.dtype == raw else x.astype(raw))
        elif x is None:
            cast.append(None)
        elif common is bfloat16:  # in ml_dtypes a Python number is not weak: bfloat16 * 2.0 is float32
            cast.append(raw.type(x))
        else:  # a number: shed NumPy scalar types, which are strong
            number = x.item() if isinstance(x, np.generic) else x
            cast.append(_wrapped(number, raw) if common.kind == 1 else number)
    return cast


def _wrapped(number: int, raw: np.dtype) -> Any:
    """A number that an integer type does not hold, wrapped round as C does: uint8 + -2 adds 254."""
    info = np.iinfo(raw)
    return number if info.min <= number <= info.max else np.int64(number).astype(raw)


class finfo:
    """Limits of a floating type: `eps`, `max`, `min`, `tiny`, `smallest_normal`, `bits`."""

    def __init__(self, dtype: DType | None = None):
        dtype = (dtype or _default).to_real()
        if not dtype.is_floating_point:
            raise TypeError(f"finfo takes a floating type, got {dtype!r}; use iinfo")
        raw: Any
        if dtype is bfloat16:
            import ml_dtypes

            raw = ml_dtypes.finfo(ml_dtypes.bfloat16)
        else:
            raw = np.finfo(dtype.numpy)
        self.dtype, self.bits = dtype.name, dtype.itemsize * 8
        self.eps, self.max, self.min = float(raw.eps), float(raw.max), float(raw.min)
        self.tiny = self.smallest_normal = float(raw.smallest_normal)
        self.resolution = 10.0 ** -int(raw.precision)

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{name}={getattr(self, name):g}' for name in names)}, dtype={self.dtype})"


class iinfo:
    """Limits of an integer type: `max`, `min`, `bits`."""

    def __init__(self, dtype: DType):
        if dtype.kind != 1:
            raise TypeError(f"iinfo takes an integer type, got {dtype!r}; use finfo")
        raw = np.iinfo(dtype.numpy)
        self.dtype, self.bits = dtype.name, dtype.itemsize * 8
        self.max, self.min = raw.max, raw.min

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
