"""Batched arrays against NumPy on each example: indices of all forms, operators that line up, kernels with no rule."""

import itertools

import numpy as np
import pytest

import minigrad.func  # noqa: F401  Batched arrays are known to the backend from here on
from minigrad.backend import kernels_of
from minigrad.kernels.batched import Batched, Level

SIZE = 3
A, B = "a", "b"  # stand for index arrays, of each example or shared
FORMS = [
    (A,), (A, B), (slice(None), A), (slice(1, None), A, B), (A, slice(None), B), (A, slice(None, None, 2)),
    (None, A), (A, None, B), (slice(None), A, slice(None), B), (Ellipsis, A), (Ellipsis, A, B), (A, Ellipsis, B),
    (slice(None), None, A, B), (A, 1), (1, A), (A, slice(None), 0), (0, slice(None), A),
]  # fmt: skip


def level() -> Level:
    return Level(SIZE)


def make(rng: np.random.Generator, shape: tuple, split: bool, at: Level, integers: int = 0) -> Batched:
    full = (SIZE, *shape) if split else shape
    value = rng.integers(0, integers, full) if integers else rng.standard_normal(full)
    return Batched(value, at, split)


def of(x, i: int):
    """What example i sees."""
    if isinstance(x, tuple):
        return tuple(of(part, i) for part in x)
    return (x.value[i] if x.split else x.value) if type(x) is Batched else x


def index_of(form: tuple, rng: np.random.Generator, at: Level, splits: tuple, shapes: tuple) -> tuple:
    arrays = {name: make(rng, shape, split, at, 2) for name, split, shape in zip((A, B), splits, shapes, strict=True)}
    return tuple(arrays[part] if isinstance(part, str) else part for part in form)


WAYS = [ways for ways in itertools.product((False, True), repeat=3) if any(ways)]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("shapes", [((2,), (2,)), ((4, 1), (2,)), ((), (2,)), ((), ())], ids=str)
def test_reading_at_an_index(form, shapes):
    rng = np.random.default_rng(0)
    for split, *splits in WAYS:
        at = level()
        x, index = make(rng, (3, 2, 4, 2), split, at), index_of(form, rng, at, splits, shapes)
        if not split and not any(part.split for part in index if type(part) is Batched):
            continue
        found = x[index]
        for i in range(SIZE):
            np.testing.assert_array_equal(of(found, i), of(x, i)[of(index, i)])


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("split_value", [False, True])
def test_writing_and_adding_at_an_index(form, split_value):
    rng = np.random.default_rng(1)
    for splits in itertools.product((False, True), repeat=2):
        at = level()
        x, index = make(rng, (3, 2, 4, 2), True, at), index_of(form, rng, at, splits, ((2,), (2,)))
        shape = of(x, 0)[of(index, 0)].shape
        for cut in {0, 1, len(shape)}:  # values that broadcast, and one number
            value = make(rng, shape[cut:], split_value, at)
            written, added = x.copy(), x.copy()
            written[index] = value
            kernels_of(added).add_at(added, index, value)
            for i in range(SIZE):
                wanted, total = of(x, i).copy(), of(x, i).copy()
                wanted[of(index, i)] = of(value, i)
                np.add.at(total, of(index, i), of(value, i))
                if not any(type(p) is Batched for p in index) or _names_none_twice(of(index, i), wanted.shape):
                    np.testing.assert_array_equal(of(written, i), wanted)
                np.testing.assert_allclose(of(added, i), total)


def _names_none_twice(index: tuple, shape: tuple) -> bool:
    """Which of two values stays where an index names an entry twice is not said."""
    numbers = np.arange(np.prod(shape)).reshape(shape)[index]
    return len(np.unique(numbers)) == numbers.size


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (3,)), ((), (2, 3)), ((2, 1), (1, 4)), ((), ())], ids=str)
def test_operators_line_up_examples(shapes):
    rng = np.random.default_rng(2)
    for splits in ((True, True), (True, False), (False, True), (False, False)):
        at = level()
        a, b = (make(rng, shape, split, at) for shape, split in zip(shapes, splits, strict=True))
        for found, function in ((a + b, np.add), (a / b, np.divide), (a < b, np.less)):
            for i in range(SIZE):
                np.testing.assert_array_equal(of(found, i), function(of(a, i), of(b, i)))
        for plain in (rng.standard_normal(shapes[0]), 2.0):
            for i in range(SIZE):
                np.testing.assert_array_equal(of(plain - b, i), plain - of(b, i))
                np.testing.assert_array_equal(of(b**2 - plain, i), of(b, i) ** 2 - plain)


def test_an_example_has_the_strides_and_flags_of_its_own():
    at = level()
    x = Batched(np.zeros((SIZE, 2, 4), "float32"), at, True)
    assert (x.shape, x.ndim, x.size, x.itemsize, x.nbytes, x.strides) == ((2, 4), 2, 8, 4, 32, (16, 4))
    assert x.flags.c_contiguous and not x.swapaxes(0, 1).flags.c_contiguous
    assert Batched(np.zeros((2, 4, SIZE)).transpose(2, 0, 1), at, True).flags.c_contiguous is False


def test_a_kernel_without_a_rule_runs_once_an_example():
    rng, at = np.random.default_rng(3), level()
    x = make(rng, (5,), True, at, 4)
    counts = kernels_of(x).bincount(x, None, 4)
    np.testing.assert_array_equal(counts.value, [np.bincount(row, minlength=4) for row in x.value])
    none = Batched(np.zeros((0, 5), int), Level(0), True)
    assert kernels_of(none).bincount(none, None, 4).value.shape == (0, 4)


def test_in_place_arithmetic_stays_in_place_where_there_is_room():
    at = level()
    x, wide = Batched(np.ones(2), at, False), Batched(np.ones((SIZE, 2)), at, True)
    held = wide.value
    wide += x
    wide *= 3.0
    assert wide.value is held and held.tolist() == [[6.0, 6.0]] * SIZE
    x += wide
    assert x.split and x.value.tolist() == [[7.0, 7.0]] * SIZE
