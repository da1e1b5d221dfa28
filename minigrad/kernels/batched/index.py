"""Reading and writing Batched arrays at an index: ints, slices, None, Ellipsis and integer or boolean arrays.

NumPy puts the axes that index arrays make in the place of the first of them, if they stand side by side, and in front
of all others if not. An example's index becomes one of the array inside, and the result's axes are put in order:

    x (B, n, m)   x[:, i]    ->   value[:, :, i]            i (k,) shared: the batch axis is one more slice
                             ->   value[arange(B), :, i]    i (B, k) split: one more index array, then axes moved
"""

from typing import Any

from minigrad.backend import is_array, kernels_of
from minigrad.kernels.batched.array import Batched, facing, fitted, inside, is_split, top


def read(x: Any, index: Any) -> Batched:
    """x[index] for each example."""
    level = top((x, *_parts(index)))
    assert level is not None
    if not (is_split(x, level) or any(is_split(p, level) for p in _parts(index))):
        return Batched(inside(x, level)[tuple(inside(p, level) for p in _parts(index))], level, False)
    place = _Place(x, index, level)
    found = inside(x, level)[place.index]
    if place.order is not None:
        found = kernels_of(found).transpose(found, place.order)
    return Batched(found, level, True)


def write(x: Any, index: Any, value: Any) -> None:
    """x[index] = value for each example, in x's memory."""
    place = _Place(x, _fitted_index(index, x), x.level)
    x.value[place.index] = place.arranged(fitted(value, x))


def add_at(x: Any, index: Any, values: Any) -> None:
    """x[index] += values in place for each example, where repeated indices add up."""
    place = _Place(x, _fitted_index(index, x), x.level)
    kernels_of(x.value).add_at(x.value, place.index, place.arranged(fitted(values, x)))


def _fitted_index(index: Any, x: Any) -> tuple:
    return tuple(fitted(part, x) for part in _parts(index))


def _parts(index: Any) -> tuple:
    return index if isinstance(index, tuple) else (index,)


class _Place:
    """Where an example's index leads in the array inside.

    `index` is the one for the array inside; `order` the transposition that makes of what it reads (batch, *example),
    None if it is that already; `ndim` the axes that an example reads.
    """

    def __init__(self, x: Any, index: Any, level: Any):
        self.level, self.order = level, None
        split = is_split(x, level)
        parts = _spelt_out(_parts(index), x.ndim, level)
        kept = [i for i, p in enumerate(parts) if p is None or isinstance(p, slice)]
        arrays = [i for i in range(len(parts)) if i not in kept]
        if not any(is_array(p) for p in parts):
            self.index = (slice(None), *parts) if split else tuple(parts)
            self.ndim = len(kept)
            return
        parts = [_zero(x) + p if type(p) is int else p for p in parts]  # beside index arrays an int is one of them
        block = max(parts[i].ndim for i in arrays)  # the axes that the index arrays make
        together = arrays == list(range(arrays[0], arrays[-1] + 1))
        before = sum(i < arrays[0] for i in kept) if together else 0  # axes in front of those
        self.ndim = len(kept) + block
        by_example = any(is_split(parts[i], level) for i in arrays)
        parts = [facing(p, level, block) if is_array(p) else p for p in parts]
        if not by_example:  # the batch is one more slice, and stands in front or right behind the block
            self.index = (slice(None), *parts) if split else tuple(parts)
            batch = block if split and not together else 0
        elif split:
            examples = kernels_of(x.value).arange(level.size, x.value)
            self.index = (examples.reshape((level.size, *(1,) * block)), *parts)
            self.order, batch = self._block_moved(block, before), 0
        else:
            self.index = tuple(parts)
            batch = before
        if batch:
            self.order = (batch, *(i for i in range(self.ndim + 1) if i != batch))

    def _block_moved(self, block: int, before: int) -> tuple[int, ...] | None:
        """(batch, block, rest) -> (batch, rest before, block, rest after)."""
        if not before:
            return None
        rest = range(block + 1, self.ndim + 1)
        return (0, *rest[:before], *range(1, block + 1), *rest[before:])

    def arranged(self, value: Any) -> Any:
        """`value`, that is to be written there, with its axes as the array inside has them."""
        extra = getattr(value, "ndim", 0) - self.ndim
        if extra > 0:  # NumPy lets a value carry leading axes of size 1
            value = value.reshape(value.shape[extra:])
        raw = facing(value, self.level, self.ndim)
        if self.order is None or getattr(raw, "ndim", 0) == 0:
            return raw
        missing = self.ndim + 1 - raw.ndim
        raw = raw.reshape((*(1,) * missing, *raw.shape)) if missing else raw
        back = tuple(sorted(range(len(self.order)), key=self.order.__getitem__))
        return kernels_of(raw).transpose(raw, back)


def _zero(x: Any) -> Any:
    return kernels_of(x).zeros((), "int64", x)


def _spelt_out(parts: tuple, ndim: int, level: Any) -> list[Any]:
    """The parts with Ellipsis as slices, and masks as the index arrays of their True entries."""
    plain: list[Any] = []
    for p in parts:
        if not is_array(p) or p.dtype.kind != "b":
            plain.append(p)
            continue
        mask = inside(p, level)
        if is_split(p, level) or type(mask) is Batched:
            raise RuntimeError(
                "vmap: We do not support batching operators that can support dynamic shape: a boolean mask picks as "
                "many entries as it has True ones, another number for each example. Use where(mask, x, y)"
            )
        if mask.ndim == 0:
            raise RuntimeError("vmap: indexing with a bool is not supported; use x[None] or x[None][:0]")
        plain.extend(kernels_of(mask).nonzero(mask))
    used = sum(1 for p in plain if p is not None and p is not Ellipsis)
    if not any(p is Ellipsis for p in plain):
        plain.append(Ellipsis)
    full: list[Any] = []
    for p in plain:
        full += [slice(None)] * (ndim - used) if p is Ellipsis else [p]
    return full
