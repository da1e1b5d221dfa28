"""Arrays on their way into a level and out of it. Older levels lie inside newer ones, so the way may lead deeper."""

from typing import Any

from minigrad.backend import kernels_of
from minigrad.kernels.batched.array import Batched, Level, filled_out, is_active as is_active


def _is_newer(x: Any, level: Level) -> bool:
    return type(x) is Batched and x.level.serial > level.serial


def enter(x: Any, level: Level, dim: int) -> Any:
    """Split along axis `dim` of x into the examples of `level`."""
    if _is_newer(x, level):
        return x.each(lambda value: enter(value, level, dim + x.split))
    return Batched(_moved(x, dim, 0), level, True)


def leave(x: Any, level: Level, dim: int) -> Any:
    """The examples of `level` along axis `dim` of the result."""
    if _is_newer(x, level):
        return x.each(lambda value: leave(value, level, dim + x.split))
    return _moved(filled_out(x, level), 0, dim)


def share(x: Any, level: Level) -> Any:
    """x as the array of `level` that every example shares; itself if it is one of that level already."""
    if _is_newer(x, level):
        return x.each(lambda value: share(value, level))
    return x if type(x) is Batched and x.level is level else Batched(x, level, False)


def total(x: Any, level: Level) -> Any:
    """The sum over the examples of `level`: of a shared x, as often as there are examples."""
    if _is_newer(x, level):
        return x.each(lambda value: total(value, level))
    if type(x) is Batched and x.level is level and x.split:
        return kernels_of(x.value).sum(x.value, (0,), False)
    return (x.value if type(x) is Batched and x.level is level else x) * level.size


def _moved(x: Any, source: int, destination: int) -> Any:
    order = [i for i in range(x.ndim) if i != source]
    order.insert(destination, source)
    return kernels_of(x).transpose(x, tuple(order))
