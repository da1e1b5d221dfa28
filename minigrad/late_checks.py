"""Checks of labels and indices that nobody waits for: what is wrong is noted on the device, and looked at later.

A check such as `0 <= label < classes` needs the values, and so waits for a GPU. Inside `postponed()` it does not: the
step goes on, and the list that `postponed` gives holds, for each check, a 0-d array that is true where it failed. The
kernels take no harm from such an index: they neither read nor write outside their arrays.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from minigrad.backend import backend_of, bare, holds_anywhere, kernels_of, to_host


class Check(NamedTuple):
    """`failed`: a 0-d array of bool; what to raise if it is true."""

    failed: Any
    error: type[Exception]
    text: str


_noted: list[Check] | None = None
_waits = False


@contextmanager
def postponed(wait: bool = False) -> Iterator[list[Check]]:
    """Inside, checks of what lies on a GPU are added to the list; those on the host are made at once, as ever.

    With `wait` each is looked at on the spot all the same: for a run that is to compute just what a captured one does.
    """
    global _noted, _waits
    former = _noted, _waits
    _noted, _waits = [], wait
    try:
        yield _noted
    finally:
        _noted, _waits = former


def is_postponed(array: Any) -> bool:
    """Whether checks of this array are to be left for later."""
    return _noted is not None and backend_of(array).device_type == "cuda"


def note(failed: Any, error: type[Exception], text: str) -> None:
    """`error(text)` is to be raised if any entry of `failed`, an array of bool, is true."""
    assert _noted is not None, "note() is for those who asked is_postponed()"
    check = Check(failed.any(), error, text)
    if _waits and bool(to_host(check.failed)):
        raise error(text)
    _noted.append(check)


def refuse(failed: Any, error: Exception) -> None:
    """Raise `error` if any entry of `failed`, an array or Tensor of bool, is true: now, or where postponed, later."""
    array = bare(getattr(failed, "array", failed))
    if is_postponed(array):
        note(array, type(error), str(error))
    elif holds_anywhere(array):
        raise error


def bounds(index: Any, low: int, high: int, error: type[Exception], text: str) -> tuple[int, int]:
    """The smallest and the largest entry of an index array, for a check that all lie from low to high.

    Where checks are postponed these are low and high themselves, and `error(text)` may follow.
    """
    if not is_postponed(index):
        return kernels_of(index).bounds(index)
    note(kernels_of(index).logical_or(index < low, index > high), error, text)
    return low, high
