"""The stand-in for CuPy is itself tested: what it refuses, what it imitates, and that it offers nothing CuPy lacks."""

import copy
import operator
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest
from strict_cupy import (
    StrictArray,
    as_cuda,
    capturing,
    no_sync,
    product_function,
    strict,
    to_device,
    to_host,
    uploads_allowed,
)

from minigrad import backend

BF16 = np.dtype(ml_dtypes.bfloat16)
HOST = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def x():
    return to_device(HOST)


def device(*values, dtype=None):
    return to_device(np.array(values, dtype=dtype))


def equal(array, expected):
    assert isinstance(array, StrictArray)
    np.testing.assert_array_equal(array.get(), np.asarray(expected))
    assert array.dtype == np.asarray(expected).dtype
    return True


# ---- arguments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda x: strict.sum(x, where=x > 0),
        lambda x: x.sum(initial=0.0),
        lambda x: strict.max(x, initial=0.0),
        lambda x: x.mean(where=x > 0),
        lambda x: strict.sort(x, stable=True),
        lambda x: x.argsort(stable=True),
        lambda x: strict.clip(x, min=0.0, max=1.0),
        lambda x: strict.clip(x, 0.0),
        lambda x: strict.take_along_axis(x, x.argmax(keepdims=True)),
        lambda x: x.take(0, mode="clip"),
        lambda x: x.item(0),
        lambda x: strict.exp(x, subok=False),
        lambda x: strict.zeros(3, device="cpu"),
    ],
)
def test_arguments_that_cupy_lacks_are_refused(x, call):
    with pytest.raises(TypeError, match=r"cupy\.\S+\(\) (got an unexpected|missing a required|too many)"):
        call(x)


# ---- NumPy is kept out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert", [np.asarray, np.array, lambda x: np.array([x, x]), lambda x: operator.setitem(HOST.copy(), 0, x[0])]
)
def test_implicit_conversion_is_refused(x, convert):
    with pytest.raises(
        TypeError, match=r"Implicit conversion to a NumPy array is not allowed\. Please use `\.get\(\)`"
    ):
        convert(x)


@pytest.mark.parametrize(
    "call",
    [
        np.exp,
        np.sum,
        np.concatenate,
        np.add.reduce,
        np.linalg.norm,
        lambda x: np.where(x, 1, 0),
        lambda x: np.add(x, x),
        lambda x: np.float32(2) * x,
        lambda x: operator.iadd(HOST.copy(), x),
        lambda x: np.einsum("ij->i", x),
    ],
)
def test_numpys_functions_are_refused(x, call):
    with pytest.raises(TypeError, match="was given a device array"):
        call(x)


@pytest.mark.parametrize("use", [memoryview, operator.index, lambda x: range(3)[x[0, 0]], lambda x: HOST[x]])
def test_buffers_and_indices_are_refused(x, use):
    with pytest.raises((TypeError, IndexError)):
        use(to_device(np.zeros((2, 3), np.int64)) if use is not memoryview else x)


INDEX = np.array([0, 1])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x + HOST,
        lambda x: HOST - x,
        lambda x: x * np.array(2.0),
        lambda x: x @ HOST.T,
        lambda x: x - [1.0, 2.0, 3.0],
        lambda x: operator.iadd(x, HOST),
        lambda x: x[INDEX],
        lambda x: x[[0, 1]],
        lambda x: x[0, [0, 1]],
        lambda x: x[True],
        lambda x: operator.setitem(x, slice(None), HOST),
        lambda x: operator.setitem(x, 0, [1.0, 2.0, 3.0]),
        lambda x: operator.setitem(x, INDEX, 0.0),
        lambda x: strict.maximum(x, HOST),
        lambda x: strict.maximum(x, (1.0, 2.0, 3.0)),
        lambda x: strict.exp(x, out=HOST.copy()),
        lambda x: strict.where(HOST > 1, x, 0.0),
        lambda x: strict.concatenate([x, HOST]),
        lambda x: strict.stack((x, HOST)),
        lambda x: strict.sum(HOST),
        lambda x: strict.sum([1.0, 2.0]),
        lambda x: strict.sum(3.0),
        lambda x: x.take([0, 1]),
        lambda x: strict.take(x, INDEX, axis=0),
        lambda x: strict.add.at(x, INDEX, 1.0),
        lambda x: strict.add.at(HOST, 0, 1.0),
        lambda x: x.dot(HOST.T),
    ],
)
def test_host_arrays_and_lists_are_refused(x, call):
    with pytest.raises(TypeError, match=r"Unsupported type|was given a device array"):
        call(x)
    equal(x, HOST)


def test_membership_and_in_place_products_are_refused(x):
    with pytest.raises(TypeError, match="fetch its elements one by one"):
        assert 1.0 in x
    with pytest.raises(TypeError, match="would rebind the name"):
        x @= x


def test_an_unknown_operand_gets_its_turn(x):
    class Other:
        def __radd__(self, other):
            return "other"

    assert x + Other() == "other"
    with pytest.raises(TypeError, match="unsupported operand"):
        x + "text"


# ---- what works, works as in NumPy ---------------------------------------------------------------------------------


def test_operators_and_functions(x):
    assert equal(2.0 - x, 2.0 - HOST)
    assert equal(x @ x.T, HOST @ HOST.T)
    assert equal(x * np.float32(2), HOST * 2)
    assert equal(-x // 2, -HOST // 2)
    assert equal(x >= 2, HOST >= 2)
    assert equal(strict.exp(x), np.exp(HOST))
    assert equal(strict.where(x > 2, x, 0.0), np.where(HOST > 2, HOST, np.float32(0)))
    assert equal(strict.concatenate([x, x], axis=1), np.concatenate([HOST, HOST], axis=1))
    assert equal(strict.einsum("ij,kj->ik", x, x), HOST @ HOST.T)
    assert equal(strict.pad(x, ((0, 1), (0, 0))), np.pad(HOST, ((0, 1), (0, 0))))
    assert equal(strict.add.reduce(x, axis=1), HOST.sum(axis=1))
    assert equal(x.transpose(1, 0).reshape(3, 2), HOST.T)
    assert equal(strict.zeros((2, 2), dtype=np.int32), np.zeros((2, 2), np.int32))
    values, positions = strict.unique(device(3, 1, 3), return_inverse=True)
    assert equal(values, np.array([1, 3])) and equal(positions, np.array([1, 0, 1]))
    assert type(strict.linalg.slogdet(device([2.0, 0.0], [0.0, 1.0]))) is tuple
    assert x.shape == strict.shape(x) == (2, 3) and x.dtype == strict.float32 and len(x) == 2


def test_division_by_zero_is_silent():
    assert equal(device(1.0, 0.0) / 0, np.array([np.inf, np.nan]))
    assert equal(strict.log(device(0.0)), np.array([-np.inf]))


def test_results_are_arrays_never_scalars(x):
    found = [x.sum(), strict.mean(x), x[0, 0], x.argmax(), strict.allclose(x, x), x[0, 0] + 1, strict.count_nonzero(x)]
    assert [type(y) for y in found] == [StrictArray] * len(found)
    assert {y.shape for y in found} == {()}


def test_views_share_memory_and_copies_do_not(x):
    for view in (
        x[0],
        x[0, 1],
        x[...],
        x.T,
        x.reshape(-1),
        x.ravel(),
        x[:, None],
        strict.split(x, 2)[0],
        strict.squeeze(x),
    ):
        before = to_host(x)
        view[...] = 7.0
        assert not np.array_equal(to_host(x), before)
        x[...] = to_device(HOST)
    for copied in (
        x.copy(),
        x.flatten(),
        x[to_device(INDEX)],
        x.astype(np.float32),
        strict.tile(x, 1),
        copy.deepcopy(x),
    ):
        copied[...] = 7.0
    downloaded = x.get()
    downloaded[:] = 7.0
    source = HOST.copy()
    uploaded = to_device(source)
    source[:] = 7.0
    equal(x, HOST)
    equal(uploaded, HOST)


def test_in_place_operators_and_out_keep_the_array(x):
    before, view = x, x[0]
    x += 1
    x *= x
    assert x is before and equal(view, (HOST[0] + 1) ** 2)
    out = strict.empty_like(x)
    assert strict.sqrt(x, out=out) is out and equal(out, HOST + 1)


# ---- imitated ------------------------------------------------------------------------------------------------------


def test_unwritten_memory_is_recognisable(x):
    assert np.isnan(strict.empty((2, 2)).get()).all()
    assert np.isnan(strict.empty_like(x).get()).all()
    assert np.isnan(strict.empty(2, dtype=BF16).get().astype(np.float32)).all()
    assert (strict.empty(2, dtype=np.int32).get() == 2**31 - 1).all()


def test_index_arrays_wrap_around():
    x = device(10.0, 11.0, 12.0)
    far = device(3, -4, 7)
    assert equal(x[far], np.array([10.0, 12.0, 11.0]))
    assert equal(x.take(far), np.array([10.0, 12.0, 11.0]))
    assert equal(strict.take_along_axis(x, far, axis=0), np.array([10.0, 12.0, 11.0]))
    x[device(4)] = 0.0
    assert equal(x, np.array([10.0, 0.0, 12.0]))
    grid = to_device(np.arange(12).reshape(2, 2, 3))
    assert equal(grid[..., device(3)], np.array([[[0], [3]], [[6], [9]]]))
    assert equal(grid[None, :, device(2)][0], np.array([[[0, 1, 2]], [[6, 7, 8]]]))
    with pytest.raises(IndexError):
        x[3]


def test_repeated_indices_keep_any_value_and_atomics_come_in_any_order():
    kept = set()
    for _ in range(20):
        x = strict.zeros(1)
        x[device(0, 0, 0)] = device(1.0, 2.0, 3.0)
        kept.add(x.item())
    assert kept == {1.0, 2.0, 3.0}
    sums = set()
    ids, values = (
        to_device(np.zeros(50, np.int64)),
        to_device(np.float32(10.0) ** np.arange(-10, 0, 0.2, dtype=np.float32)),
    )
    for _ in range(20):
        total = strict.zeros((1, 2), dtype=np.float32)
        strict.add.at(total, (slice(None), ids), values)
        total[:, 1] = 0
        strict.add.at(total, (0, ids), values)
        sums.add(total[0, 0].item())
    assert len(sums) > 1
    np.testing.assert_allclose(list(sums), 2 * values.get().sum(dtype=np.float64), rtol=1e-6)


def test_scatter_add_takes_the_dtypes_that_cupy_takes():
    x = strict.zeros((2, 2), dtype=np.float32)
    x.scatter_add((device(1, 1, 0), device(0, 0, 1)), 2.0)
    assert equal(x, np.array([[0, 2], [4, 0]], np.float32))
    for dtype in (np.int64, BF16):
        with pytest.raises(TypeError, match="only supports"):
            strict.add.at(strict.zeros(2, dtype=dtype), device(0), 1)
    assert not hasattr(strict.multiply, "at")


def test_products_and_sums_of_half_precision():
    ones = to_device(np.ones(1000, BF16))
    assert ones.sum().item() == 1000 and ones.sum().dtype == BF16
    assert strict.mean(to_device(np.full(70_000, 2, np.float16))).item() == 2
    narrow = to_device(np.ones((2, 3), BF16))
    assert equal(narrow @ narrow.T, np.full((2, 2), 3, BF16))
    with pytest.raises(TypeError, match="no bfloat16 product of three axes"):
        narrow[None] @ narrow.T
    assert (strict.matmul(narrow.astype(np.float16)[None], narrow.T.astype(np.float16))).shape == (1, 2, 2)


def test_singular_matrices_give_nan():
    singular = device([1.0, 1.0], [1.0, 1.0])
    assert np.isnan(strict.linalg.inv(singular).get()).all()
    assert np.isnan(strict.linalg.solve(singular, device(1.0, 2.0)).get()).all()


# ---- moves and modes -----------------------------------------------------------------------------------------------


def test_uploads_are_explicit(x):
    for make in (strict.asarray, strict.array):
        for value in (HOST, [1.0], 2.0):
            with pytest.raises(RuntimeError, match="hidden upload"):
                make(value)
        with uploads_allowed():
            assert equal(make(HOST), HOST)
    assert strict.asarray(x) is x
    assert equal(strict.asarray(x, dtype=np.float64), HOST.astype(np.float64))
    with pytest.raises(RuntimeError, match="hidden upload"):
        strict.asarray(HOST)


WAITS = [
    bool, float, int, list, str, lambda x: x.item(), lambda x: x.tolist(), lambda x: x.get(), lambda x: x.nonzero(),
    strict.unique, strict.nonzero, strict.where, strict.asnumpy, lambda x: x.reshape(1)[x.reshape(1) > 0],
    lambda x: operator.setitem(x.reshape(1), x.reshape(1) > 0, 0.0), lambda x: strict.bincount(x.astype(int)),
    lambda x: strict.repeat(x, x.astype(int)),
]  # fmt: skip


@pytest.mark.parametrize("wait", WAITS)
def test_nothing_waits_for_the_device_inside_no_sync(wait):
    for mode in (no_sync, capturing):
        with mode(), pytest.raises(RuntimeError, match="waits for the device"):
            wait(strict.ones(()))


def test_no_sync_allows_computing_and_uploading(x):
    with no_sync():
        y = strict.where(x > 1, x, 0.0).sum(axis=0) @ to_device(HOST.T)
        y[device(0)] = y.max()
    assert equal(y, np.array([60.0, 60.0], np.float32))


def test_capturing_refuses_uploads_and_products_of_its_own(x):
    with capturing():
        for product in (
            lambda: x @ x.T,
            lambda: x.dot(x.T),
            lambda: strict.einsum("ij->i", x),
            lambda: strict.linalg.inv(x),
        ):
            with pytest.raises(NotImplementedError, match="cannot capture"):
                product()
        with pytest.raises(RuntimeError, match="inside capturing"):
            to_device(HOST)
        with uploads_allowed(), pytest.raises(RuntimeError, match="inside capturing"):
            strict.asarray(HOST)
        with product_function():
            y = x @ x.T
        with pytest.raises(NotImplementedError):
            strict.matmul(x, x.T)
        z = (strict.exp(x) * 2).sum()
    assert equal(y, HOST @ HOST.T) and equal(z, (np.exp(HOST) * 2).sum())


def test_modes_end_after_an_error(x):
    with pytest.raises(ZeroDivisionError), capturing(), product_function():
        _ = 1 / 0
    assert float(x.sum()) == 15.0 and equal(x @ x.T, HOST @ HOST.T)


def test_it_plugs_into_the_device_seam(x):
    kernels = SimpleNamespace(name="kernels")
    with as_cuda(kernels):
        assert backend.kernels_of(x) is kernels
        assert backend.array_module(x) is strict
        assert str(backend.device_of(x)) == "cuda:0"
        moved = backend.to_device(HOST, "cuda")
        assert equal(moved, HOST)
        np.testing.assert_array_equal(backend.to_host(moved), HOST)
    with pytest.raises(TypeError, match="expected an array that a backend owns"):
        backend.kernels_of(x)
