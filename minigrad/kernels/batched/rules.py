"""How kernels run on Batched arrays, one rule a family: a rule calls the kernel once, with the batch as one more axis.

The kernel called is that of the array inside, which may be Batched again: nested vmaps need no rule of their own.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from minigrad.backend import is_array, kernels_of
from minigrad.kernels.batched.array import Batched, Level, filled_out, inside, is_split, lined_up, top


def kernel(name: str) -> Callable:
    """The kernel of that name for whatever arrays it is then given."""

    def call(*args: Any) -> Any:
        return getattr(kernels_of(_first(args)), name)(*args)

    call.__name__ = name
    return call


def _first(args: Sequence) -> Any:
    """The array that says whose kernel it is: a Batched one if there is one."""
    arrays = [a for x in args for a in (x if isinstance(x, (tuple, list)) else (x,)) if is_array(a)]
    return next((a for a in arrays if type(a) is Batched), arrays[0])


def _level_of(*args: Any) -> Level:
    level = top(a for x in args for a in (x if isinstance(x, (tuple, list)) else (x,)))
    assert level is not None
    return level


# ---------------------------------------------------------------- families


def elementwise(name: str) -> Callable:
    """f(x, ...) and f(a, b, ...): entry by entry, inputs broadcast; parameters are numbers."""
    return lambda *operands: lined_up(kernel(name), *operands)


def reduction(name: str) -> Callable:
    """f(x, axis, keepdims): `axis` an int, a tuple or None for all."""

    def reduce(x: Any, axis: Any, keepdims: bool) -> Any:
        value, axes, kept = x.reducible(axis, keepdims)
        return x.like(kernel(name)(value, axes, kept))

    return reduce


def position(name: str) -> Callable:
    """f(x, axis, keepdims) that gives a place on one axis, or among all entries if `axis` is None."""

    def find(x: Any, axis: Any, keepdims: bool) -> Any:
        if axis is not None and x.ndim:
            return x.like(kernel(name)(x.value, x.axis(axis), keepdims))
        found = kernel(name)(x.reshape((x.size,)).value, int(x.split), False)
        return x.like(found).reshape((1,) * x.ndim) if keepdims else x.like(found)

    return find


def along(name: str, arrays: int = 1) -> Callable:
    """f(x, axis, ...): along one axis, on which examples do not meet. `arrays` of one shape come first."""

    def run(*args: Any) -> Any:
        xs, axis, rest = args[:arrays], args[arrays], args[arrays + 1 :]
        level = _level_of(*xs)
        split = any(is_split(x, level) for x in xs)
        values = [filled_out(x, level) if split else inside(x, level) for x in xs]
        ndim = xs[0].ndim
        if ndim:
            return Batched(kernel(name)(*values, int(axis) % ndim + split, *rest), level, split)
        values = [v.reshape((*v.shape, 1)) for v in values]
        return Batched(kernel(name)(*values, int(split), *rest).reshape(values[0].shape[:-1]), level, split)

    return run


def leading(name: str, arrays: int = 1) -> Callable:
    """f(x, ...) for which any number of leading axes will do: `arrays` come first, the rest are parameters."""

    def run(*args: Any) -> Any:
        xs, rest = args[:arrays], args[arrays:]
        level = _level_of(*xs)
        split = any(is_split(x, level) for x in xs)
        values = [filled_out(x, level) if split else inside(x, level) for x in xs]
        return _wrapped(kernel(name)(*values, *rest), level, split)

    return run


def folded(name: str, arrays: int = 1) -> Callable:
    """f(x, ...) whose first axis counts samples that do not meet: examples are more samples."""

    def run(*args: Any) -> Any:
        xs, rest = args[:arrays], args[arrays:]
        level = _level_of(*xs)
        if not any(is_split(x, level) for x in xs):
            return _wrapped(kernel(name)(*[inside(x, level) for x in xs], *rest), level, False)
        values = [_merged(filled_out(x, level)) for x in xs]
        return _wrapped(kernel(name)(*values, *rest), level, True, lambda y: _parted(y, level))

    return run


def _merged(value: Any) -> Any:
    """(batch, samples, ...) -> (batch samples, ...)."""
    return value.reshape((value.shape[0] * value.shape[1], *value.shape[2:]))


def _parted(value: Any, level: Level) -> Any:
    """(batch samples, ...) -> (batch, samples, ...)."""
    return value.reshape((level.size, value.shape[0] // max(level.size, 1), *value.shape[1:]))


def _wrapped(result: Any, level: Level, split: bool, form: Callable = lambda y: y) -> Any:
    if isinstance(result, tuple):
        return tuple(Batched(form(y), level, split) for y in result)
    return Batched(form(result), level, split)


def dynamic(name: str) -> Callable:
    """f(x, ...) whose result has another shape for each example."""

    def refuse(*args: Any) -> Any:
        raise RuntimeError(
            f"vmap: We do not support batching operators that can output dynamic shape: {name} gives as many entries "
            "as the values say, another number for each example. Call it outside of vmap"
        )

    return refuse


# ---------------------------------------------------------------- shape and construction


def transpose(x: Any, order: Sequence[int]) -> Any:
    return x.transpose(order)


def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    if not x.split:
        return x.like(kernel("broadcast_to")(x.value, tuple(shape)))
    value = x.value.reshape((x.level.size, *(1,) * (len(shape) - x.ndim), *x.shape))
    return x.like(kernel("broadcast_to")(value, (x.level.size, *shape)))


def joined(name: str) -> Callable:
    """concatenate and stack: f(arrays, axis)."""

    def join(xs: Sequence[Any], axis: int) -> Any:
        level = _level_of(*xs)
        split = any(is_split(x, level) for x in xs)
        values = [filled_out(x, level) if split else inside(x, level) for x in xs]
        return Batched(kernel(name)(values, axis + split), level, split)

    return join


def flip(x: Any, axes: Any) -> Any:
    axes = axes if isinstance(axes, tuple) else (axes,)
    return x.like(kernel("flip")(x.value, tuple(x.axis(i) for i in axes)))


def roll(x: Any, shifts: Any, axes: Any) -> Any:
    return x.like(kernel("roll")(x.value, shifts, tuple(x.axis(i) for i in axes)))


def pad(x: Any, pads: Sequence, value: Any) -> Any:
    return x.like(kernel("pad")(x.value, (((0, 0), *pads) if x.split else pads), value))


def zeros(shape: Sequence[int], dtype: Any, like: Any) -> Any:
    """With memory for each example: zeros are made to be written into."""
    return Batched(kernels_of(like.value).zeros((like.level.size, *shape), dtype, like.value), like.level, True)


def writable(x: Any, *others: Any) -> Any:
    """With memory for each example where what is to be written differs."""
    level = _level_of(x, *others)
    split = any(is_split(a, level) for a in (x, *others))
    value = filled_out(x, level) if split else inside(x, level)
    return Batched(kernel("writable")(value, *[inside(a, level) for a in others]), level, split)


def arange(n: int, like: Any) -> Any:
    return Batched(kernels_of(like.value).arange(n, like.value), like.level, False)


def bounds(x: Any) -> tuple:
    """The smallest and the largest entry of all examples: for checks, which pass for all or for none."""
    return kernel("bounds")(x.value)


# ---------------------------------------------------------------- choice by index


def take_along_axis(x: Any, indices: Any, axis: int) -> Any:
    level = _level_of(x, indices)
    split = is_split(x, level) or is_split(indices, level)
    if not split:
        return Batched(kernel("take_along_axis")(inside(x, level), inside(indices, level), axis), level, False)
    value, places = (v.value if is_split(v, level) else _in_front(inside(v, level)) for v in (x, indices))
    return Batched(kernel("take_along_axis")(value, places, axis % x.ndim + 1), level, True)


def _in_front(value: Any) -> Any:
    """With an axis of size 1 for the batch."""
    return value.reshape((1, *value.shape))


def into_axis(name: str) -> Callable:
    """put_along_axis and add_along_axis: f(x, indices, values, axis), in x's memory."""

    def put(x: Any, indices: Any, values: Any, axis: int) -> None:
        level = x.level
        if not x.split:
            return kernel(name)(x.value, inside(indices, level), inside(values, level), axis)
        places = filled_out(indices, level)
        if is_array(values):
            values = kernel("broadcast_to")(filled_out(broadcast_to_axes(values, x.ndim), level), places.shape)
        return kernel(name)(x.value, places, values, axis % x.ndim + 1)

    return put


def broadcast_to_axes(x: Any, ndim: int) -> Any:
    """With axes of size 1 in front, until there are `ndim`."""
    return x.reshape((*(1,) * (ndim - x.ndim), *x.shape))


def take_rows(table: Any, ids: Any) -> Any:
    level = _level_of(table, ids)
    if is_split(table, level):
        return table[(ids,)]
    return Batched(kernel("take_rows")(inside(table, level), inside(ids, level)), level, is_split(ids, level))


def add_rows(buffer: Any, ids: Any, rows: Any) -> None:
    """The tables of all examples as one, in which an example's row numbers start where the one before it ended."""
    level, (count, *width) = buffer.level, buffer.shape
    if not buffer.split:
        return kernel("add_rows")(buffer.value, inside(ids, level), inside(rows, level))
    starts = kernels_of(buffer.value).arange(level.size, buffer.value).reshape((level.size, 1)) * count
    places = (filled_out(ids, level) + starts).reshape((-1,))
    table = buffer.value.reshape((level.size * count, *width))
    kernel("add_rows")(table, places, _merged(filled_out(rows, level)))
    if not buffer.value.flags.c_contiguous:  # the table was a copy
        buffer.value[...] = table.reshape(buffer.value.shape)
    return None


# ---------------------------------------------------------------- products


def matmul(a: Any, b: Any, bias: Any = None) -> Any:
    """a @ b (+ bias). A side that is one matrix for all examples makes one product of theirs: (B, n, k) is (B n, k)."""
    level = _level_of(a, b, bias)
    left, right = inside(a, level), inside(b, level)
    one_matrix = is_split(a, level) and not is_split(b, level) and b.ndim == 2
    if bias is not None and not (one_matrix and not is_split(bias, level)):
        return matmul(a, b) + bias
    if not (is_split(a, level) or is_split(b, level)):
        return Batched(kernel("matmul")(left, right), level, False)
    if one_matrix:
        rows = left.reshape((math.prod(left.shape[:-1]), left.shape[-1]))
        product = kernel("matmul")(rows, right, inside(bias, level))
        return Batched(product.reshape((*left.shape[:-1], right.shape[-1])), level, True)
    if not is_split(a, level) and a.ndim == 2 and b.ndim == 2 and b.shape[1] < 16:  # wider ones keep a product busy
        k, m = b.shape
        rows = right.swapaxes(1, 2).reshape((level.size * m, k))  # (a b)^T = b^T a^T, for all b at once
        product = kernel("matmul")(rows, left.swapaxes(0, 1))
        return Batched(product.reshape((level.size, m, left.shape[0])).swapaxes(1, 2), level, True)
    if a.shape[-1] == 1:  # outer products, as the gradient of a weight by one example is: twice as fast as @
        return a * b
    return lined_up(kernel("matmul"), a, b)


def quantized_linear(x: Any, bias: Any, weight: Any, scale: Any) -> Any:
    y = _rows_through("quantized_linear", x, None, weight, scale)
    return y if bias is None else y + bias


def quantized_linear_input(x: Any, weight: Any, scale: Any) -> Any:
    return _rows_through("quantized_linear_input", x, weight, scale)


def _rows_through(name: str, x: Any, *shared: Any) -> Any:
    """f(rows, arrays of all examples): the rows of the examples are more rows."""
    level = _level_of(x, shared)
    arrays = [a if a is None else inside(a, level) for a in shared]
    if not is_split(x, level):
        return Batched(kernel(name)(inside(x, level), *arrays), level, False)
    rows = _merged(filled_out(x, level))
    return Batched(_parted(kernel(name)(rows, *arrays), level), level, True)


# ---------------------------------------------------------------- all else


def loop(name: str) -> Callable:
    """The rule of kernels that have none: one call an example, and the results side by side."""

    def run(*args: Any) -> Any:
        level = _level_of(*args)
        if not level.size:
            return _of_no_example(name, args, level)
        results = [kernel(name)(*_example(args, level, i)) for i in range(level.size)]
        return _side_by_side(results, level)

    return run


def _example(x: Any, level: Level, i: int) -> Any:
    """What example i sees of an argument."""
    if isinstance(x, (tuple, list)):
        return type(x)(_example(item, level, i) for item in x)
    return x.value[i, ...] if is_split(x, level) else inside(x, level)


def _side_by_side(results: list, level: Level) -> Any:
    first = results[0]
    if first is None:
        return None
    if isinstance(first, tuple):
        return tuple(_side_by_side(list(parts), level) for parts in zip(*results, strict=True))
    return Batched(kernel("stack")(results, 0), level, True) if is_array(first) else first


def _of_no_example(name: str, args: tuple, level: Level) -> Any:
    """One call on zeros says what shape a result would have had."""

    def stand_in(x: Any) -> Any:
        if isinstance(x, (tuple, list)):
            return type(x)(stand_in(item) for item in x)
        return kernels_of(x.value).zeros(x.shape, x.dtype, x.value) if is_split(x, level) else inside(x, level)

    result = _side_by_side([kernel(name)(*stand_in(args))], level)
    if isinstance(result, tuple):
        return tuple(y.like(y.value[:0]) for y in result)
    return None if result is None else result.like(result.value[:0])
