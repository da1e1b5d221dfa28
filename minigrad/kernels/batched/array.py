"""An array that holds every example of a batch and looks like one of them: what flows through a function under `vmap`.

`Batched(value, level, split)` has the shape of an example. If `split`, axis 0 of `value` counts the examples and is
hidden; if not, `value` is shared: the same for every example. `value` may itself be Batched, of an older level: under
nested `vmap`s the newest level is outermost, always.

    shape seen        (3,)                      what an op, its vjp rule and the user's code work with
    value.shape       (batch, 3)                what is computed, all examples at once

An op, and its vjp rule, run on it unchanged: operators, reshapes and indices are defined here, kernels in `rules.py`.
So one rule a kernel batches forward and backward of every op. The batch is hidden below the graph: nodes keep Batched
arrays and have an example's shape, hence a gradient taken inside a `vmap` is one for each example.
"""

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minigrad.backend import kernels_of

_serials = itertools.count()


class Level:
    """One running (or finished) `vmap`: how many examples it has, and how it treats random numbers."""

    __slots__ = ("active", "randomness", "serial", "size")

    def __init__(self, size: int, randomness: str = "error"):
        self.size = size
        self.randomness = randomness
        self.serial = next(_serials)  # a newer level is nested in an older one, or follows it
        self.active = True

    def __repr__(self) -> str:
        return f"<vmap level {self.serial} of {self.size} examples>"


def is_active(level: Level) -> bool:
    """Whether the vmap of that level is still running."""
    return level.active


def _with(function: Callable) -> Callable:
    """The method of an operator."""
    return lambda self, other: lined_up(function, self, other)


def _after(function: Callable) -> Callable:
    """The method of an operator whose left side is something else."""
    return lambda self, other: lined_up(function, other, self)


def _in_place(in_place: Callable, anew: Callable) -> Callable:
    """The method of `x += y`: in x's memory where that has room for the result, else as a new array."""

    def update(self: Any, other: Any) -> Any:
        if not fits(self, other):
            return lined_up(anew, self, other)
        in_place(self.value, facing(fitted(other, self), self.level, self.ndim))
        return self

    return update


class Batched:
    """An array with a hidden batch axis; see the head of this file."""

    __slots__ = ("level", "split", "value")
    __array_ufunc__ = None  # NumPy lets our reflected operators answer: array + Batched is Batched

    def __init__(self, value: Any, level: Level, split: bool):
        self.value = value
        self.level = level
        self.split = split

    # ------------------------------------------------------------------ what an example looks like

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape[1:] if self.split else self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.ndim - self.split

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    @property
    def itemsize(self) -> int:
        return self.value.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        return self.value.strides[1:] if self.split else self.value.strides

    @property
    def flags(self) -> "_Flags":
        return _Flags(self)

    @property
    def base(self) -> Any:
        return self.value.base if self.split else self.value  # a shared array is another tensor's

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Batched({self.value!r}, {self.level!r}, split={self.split})"

    # ------------------------------------------------------------------ what has no one value for all examples

    def item(self) -> Any:
        if self.split:
            raise RuntimeError(
                "vmap: It looks like you're calling .item() on a Tensor, which has a value for each example: write it "
                "with tensor operations, or call .item() outside of vmap"
            )
        return self.value.item()

    def __bool__(self) -> bool:
        if self.split:
            raise RuntimeError(
                "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow: each "
                "example would go its own way. Choose between the two results with where(condition, a, b)"
            )
        return bool(self.value)

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return refuse_host(self)

    # Checks made on the host ask about all examples together; no op reduces in this way.

    def min(self) -> Any:
        return kernels_of(self).bounds(self)[0]

    def max(self) -> Any:
        return kernels_of(self).bounds(self)[1]

    def all(self) -> bool:
        return bool(self.value.all())

    def any(self) -> bool:
        return bool(self.value.any())

    # ------------------------------------------------------------------ the same entries in another form

    def like(self, value: Any) -> "Batched":
        """`value` at this level, split as this is."""
        return Batched(value, self.level, self.split)

    def each(self, function: Callable) -> Any:
        """`function` on the array inside, which may be Batched again."""
        return self.like(function(self.value))

    def astype(self, dtype: Any, copy: bool = True) -> "Batched":
        return self.like(self.value.astype(dtype, copy=copy))

    def copy(self, order: str = "C") -> "Batched":
        return self.like(self.value.copy())

    def view(self, dtype: Any) -> "Batched":
        """The same bytes read as another type: the last axis grows or shrinks with its size."""
        if self.ndim == 0 and dtype.itemsize != self.itemsize:
            raise ValueError("the size of the type of a 0-d array cannot be changed")
        return self.like(self.value.view(dtype))

    @property
    def real(self) -> "Batched":
        return self.like(self.value.real)

    @property
    def imag(self) -> "Batched":
        return self.like(self.value.imag)

    def conj(self) -> "Batched":
        return self.like(self.value.conj())

    def reshape(self, *shape: Any) -> "Batched":
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
        if -1 in sizes:  # worked out for one example: a batch of none would leave it open
            known = math.prod(n for n in sizes if n != -1)
            sizes = tuple(self.size // max(known, 1) if n == -1 else n for n in sizes)
        return self.like(self.value.reshape((self.level.size, *sizes) if self.split else tuple(sizes)))

    def swapaxes(self, i: int, j: int) -> "Batched":
        return self.like(self.value.swapaxes(self.axis(i), self.axis(j)))

    def transpose(self, order: Sequence[int]) -> "Batched":
        lead = (0,) if self.split else ()
        return self.like(kernels_of(self.value).transpose(self.value, (*lead, *map(self.axis, order))))

    def sum(self, axis: Any = None, keepdims: bool = False) -> "Batched":
        return self._reduced("sum", axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> "Batched":
        return self._reduced("mean", axis, keepdims)

    def _reduced(self, name: str, axis: Any, keepdims: bool) -> "Batched":
        value, axes, kept = self.reducible(axis, keepdims)
        return self.like(getattr(value, name)(axis=axes, keepdims=kept))

    def axis(self, i: int) -> int:
        """The axis of `value` that is an example's axis i."""
        n = self.ndim
        if not -n <= i < n:
            raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {i})")
        return int(i) % n + self.split

    def reducible(self, axis: Any, keepdims: bool) -> tuple[Any, tuple[int, ...], bool]:
        """(value, axes, keepdims) that reduce each example; one without axes gets one to reduce."""
        if self.ndim == 0:
            return self.value.reshape((*self.value.shape, 1)), (self.value.ndim,), False
        axes = range(self.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        return self.value, tuple(self.axis(i) for i in axes), keepdims

    # ------------------------------------------------------------------ reading and writing at an index

    def __getitem__(self, index: Any) -> "Batched":
        from minigrad.kernels.batched.index import read

        return read(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        from minigrad.kernels.batched.index import write

        write(self, index, value)

    # ------------------------------------------------------------------ operators

    def __neg__(self) -> "Batched":
        return self.like(-self.value)

    def __invert__(self) -> "Batched":
        return self.like(~self.value)

    def __matmul__(self, other: Any) -> "Batched":
        return kernels_of(self).matmul(self, other)

    def __rmatmul__(self, other: Any) -> "Batched":
        return kernels_of(self).matmul(other, self)

    __add__, __radd__ = _with(operator.add), _after(operator.add)
    __sub__, __rsub__ = _with(operator.sub), _after(operator.sub)
    __mul__, __rmul__ = _with(operator.mul), _after(operator.mul)
    __truediv__, __rtruediv__ = _with(operator.truediv), _after(operator.truediv)
    __floordiv__, __rfloordiv__ = _with(operator.floordiv), _after(operator.floordiv)
    __mod__, __rmod__ = _with(operator.mod), _after(operator.mod)
    __pow__, __rpow__ = _with(operator.pow), _after(operator.pow)
    __and__, __rand__ = _with(operator.and_), _after(operator.and_)
    __or__, __ror__ = _with(operator.or_), _after(operator.or_)
    __xor__, __rxor__ = _with(operator.xor), _after(operator.xor)
    __eq__, __ne__ = _with(operator.eq), _with(operator.ne)  # type: ignore[assignment]
    __lt__, __le__ = _with(operator.lt), _with(operator.le)
    __gt__, __ge__ = _with(operator.gt), _with(operator.ge)
    __hash__ = object.__hash__

    __iadd__ = _in_place(operator.iadd, operator.add)
    __isub__ = _in_place(operator.isub, operator.sub)
    __imul__ = _in_place(operator.imul, operator.mul)
    __itruediv__ = _in_place(operator.itruediv, operator.truediv)


class _Flags:
    """What is asked of an array's flags, for one example."""

    __slots__ = ("c_contiguous", "writeable")

    def __init__(self, x: Batched):
        strides, wanted = [], x.itemsize
        for n in reversed(x.shape):
            strides.append(wanted)
            wanted *= n
        steps = zip(x.strides, reversed(strides), x.shape, strict=True)
        self.c_contiguous = x.size < 2 or all(have == want or n == 1 for have, want, n in steps)
        self.writeable = x.value.flags.writeable


# ---------------------------------------------------------------- several arrays at once


def top(arrays: Any) -> Level | None:
    """The newest level among arrays, None where none is Batched."""
    newest = None
    for x in arrays:
        if type(x) is Batched and (newest is None or x.level.serial > newest.serial):
            newest = x.level
    return newest


def is_split(x: Any, level: Level) -> bool:
    """Whether x has a value for each example of that level."""
    return type(x) is Batched and x.level is level and x.split


def inside(x: Any, level: Level) -> Any:
    """What x holds for that level: its value, or itself if it is not Batched there."""
    return x.value if type(x) is Batched and x.level is level else x


def facing(x: Any, level: Level, ndim: int) -> Any:
    """What x holds, so that it broadcasts against arrays whose examples have `ndim` axes: the batch comes first."""
    if type(x) is not Batched or x.level is not level:
        return x
    missing = ndim - x.ndim
    if not x.split or missing <= 0:
        return x.value
    return x.value.reshape((level.size, *(1,) * missing, *x.shape))


def lined_up(function: Callable, *operands: Any) -> Batched:
    """`function` of arrays and numbers that broadcasts, such as an operator, for each example."""
    level = top(operands)
    assert level is not None
    ndim = max(getattr(x, "ndim", 0) for x in operands)
    split = any(is_split(x, level) for x in operands)
    return Batched(function(*[facing(x, level, ndim) for x in operands]), level, split)


def filled_out(x: Any, level: Level) -> Any:
    """The value of x with the batch axis: a shared one is repeated along it, without copying."""
    if is_split(x, level):
        return x.value
    value = inside(x, level)
    return kernels_of(value).broadcast_to(value, (level.size, *value.shape))


NO_ROOM = (
    "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a Tensor `other` in extra_args "
    "that has more elements than `self`: `other` has a value for each example and `self` is shared by all. Use the "
    "out-of-place form, or make `self` from a batched tensor (x.new_zeros, zeros_like)"
)


def fitted(value: Any, target: Any) -> Any:
    """`value` to be written into `target`, without levels that only it is of; RuntimeError where `fits` says no."""
    if type(value) is not Batched:
        return value
    if not fits(target, value):
        raise RuntimeError(NO_ROOM)
    return _without(value, set(_levels(target)))


def _without(value: Any, levels: set[Level]) -> Any:
    if type(value) is not Batched:
        return value
    rest = _without(value.value, levels)
    return value.like(rest) if value.level in levels else rest


def _levels(x: Any) -> Iterator[Level]:
    while type(x) is Batched:
        yield x.level
        x = x.value


def fits(target: Any, value: Any) -> bool:
    """Whether `target` has room for `value`: a place for each example, at every level where `value` has one."""
    while type(value) is Batched:
        if type(target) is Batched and target.level is value.level:
            if value.split and not target.split:
                return False
            target, value = target.value, value.value
        elif type(target) is Batched and target.level.serial > value.level.serial:
            target = target.value
        elif value.split:
            return False
        else:
            value = value.value
    return True


def refuse_host(x: Any) -> Any:
    """RuntimeError for what asks a Batched array for its numbers."""
    raise RuntimeError(
        "vmap: a tensor inside vmap has a value for each example and cannot be handed to NumPy or Python; write it "
        "with tensor operations, or do it outside of vmap"
    )
