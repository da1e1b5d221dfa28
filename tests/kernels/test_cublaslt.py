"""Products by cuBLASLt against NumPy in float64: on the strict fake, or with `pytest --device cuda` on the card."""

import functools
import math
from collections.abc import Iterator
from typing import Any

import cuda_on_host
import fake_cublaslt
import numpy as np
import pytest
from strict_cupy import as_cuda, capturing, strict

import minigrad as mg
from minigrad import backend, runtime
from minigrad.kernels import gpu
from minigrad.kernels.cuda import cublaslt

DTYPES = ["float32", "float16", "bfloat16", "float64"]
TOLERANCE = {"float32": 1e-5, "float16": 1e-3, "bfloat16": 8e-3, "float64": 1e-12}
SHAPES = {
    "matrices": ((5, 7), (7, 3)),
    "a row": ((1, 20), (20, 65)),
    "a column": ((65, 1), (1, 4)),
    "a dot product": ((1, 9), (9, 1)),
    "a batch": ((3, 4, 5), (3, 5, 6)),
    "two axes of batch": ((2, 3, 4, 5), (2, 3, 5, 6)),
    "one matrix for a batch": ((2, 3, 4, 5), (5, 6)),
    "a batch for one matrix": ((4, 5), (3, 5, 6)),
    "broadcast": ((2, 1, 4, 5), (3, 5, 6)),
    "a batch of one": ((1, 4, 5), (5, 6)),
}


@pytest.fixture(autouse=True)
def library(on_card, monkeypatch) -> Iterator[Any]:
    """The fake's cublasLt; on a card None, with the real one in use."""
    if on_card:
        if cublaslt.bindings() is None:
            pytest.skip(f"cuBLASLt cannot be used ({cublaslt.why_not()}): pip install 'minigrad[cuda-fast]'")
        yield None
        return
    monkeypatch.setattr(strict, "RawModule", cuda_on_host.RawModule, raising=False)
    bindings = fake_cublaslt.bindings()
    with as_cuda(gpu, bindings):
        yield bindings.lt


def numbers(dtype: str, *shape: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(len(shape)).standard_normal(shape), numpy_dtype(dtype))


def numpy_dtype(dtype: str) -> Any:
    return getattr(mg, dtype).numpy


def upload(array: np.ndarray) -> Any:
    return backend.to_device(array, "cuda")


def transposed(array: np.ndarray) -> Any:
    """The same numbers, on the device by columns."""
    return upload(np.ascontiguousarray(array.swapaxes(-1, -2))).swapaxes(-1, -2)


def wanted(a: np.ndarray, b: np.ndarray, bias: Any = None, activation: str | None = None) -> np.ndarray:
    y = a.astype(np.float64) @ b.astype(np.float64)
    y = y if bias is None else y + bias.astype(np.float64)
    if activation == "relu":
        return np.maximum(y, 0)
    if activation == "gelu":
        return 0.5 * y * (1 + np.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3)))
    return y


def check(y: Any, exact: np.ndarray, dtype: str) -> None:
    assert y is not None and y.dtype.name == dtype and y.shape == exact.shape
    found = backend.to_host(y).astype(np.float64)
    scale = max(1.0, np.abs(exact).max(initial=0))
    np.testing.assert_allclose(found, exact, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("lying", ["by rows", "a by columns", "b by columns", "both"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_layout(library, shapes, lying, dtype) -> None:
    a, b = (numbers(dtype, *shape) for shape in SHAPES[shapes])
    bias = numbers(dtype, b.shape[-1])
    left = transposed(a) if lying in ("a by columns", "both") else upload(a)
    right = transposed(b) if lying in ("b by columns", "both") else upload(b)
    check(cublaslt.product(left, right), wanted(a, b), dtype)
    check(cublaslt.product(left, right, upload(bias)), wanted(a, b, bias), dtype)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_epilogue(library, activation, with_bias, dtype) -> None:
    a, b, bias = numbers(dtype, 16, 8), numbers(dtype, 8, 24), numbers(dtype, 24)
    y = cublaslt.product(upload(a), upload(b), upload(bias) if with_bias else None, activation)
    check(y, wanted(a, b, bias if with_bias else None, activation), dtype)
    if library and dtype != "float64":
        name = activation.upper() + ("_BIAS" if with_bias else "")
        assert [p.epilogue for p in library.products] == [name]  # in the same call


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_bits_change_from_one_time_to_the_next(dtype) -> None:
    a, b = upload(numbers(dtype, 33, 70)), upload(numbers(dtype, 70, 41))
    first = backend.to_host(cublaslt.product(a, b))
    for _ in range(3):
        assert backend.to_host(cublaslt.product(a, b)).tobytes() == first.tobytes()


def test_flags_and_steps_instead_of_copies(library) -> None:
    """Where the library reads from is where the operands are; shown by the addresses it is given, A being our b."""
    if library is None:
        pytest.skip("looks into the fake: run without --device")
    whole, other = upload(numbers("float32", 12, 16)), upload(numbers("float32", 3, 16, 8))
    batch = upload(numbers("float32", 3, 4, 16))
    for a, b in (
        (whole[::2, 4:12], whole[:8, 3:8]),  # steps between rows
        (whole[:, 2:9].swapaxes(0, 1), whole),  # by columns
        (batch, other[0]),
        (batch, other),
        (batch[::2], other[:2]),
        (batch[:1], other),
        (batch.swapaxes(1, 2), other.swapaxes(1, 2)[:, :4]),
        (batch[0], other),
    ):
        y = cublaslt.product(a, b)
        done = library.products[-1]
        assert done.pointers == (b.data.ptr, a.data.ptr)
        check(y, wanted(backend.to_host(a), backend.to_host(b)), "float32")
    assert library.products[2].layouts[1].batch == 1  # rows of all matrices at once
    offsets = [x.set["STRIDED_BATCH_OFFSET"] for x in library.products[7].layouts]
    assert offsets == [16 * 8, 0, 4 * 8, 4 * 8]  # one matrix a for all


def test_what_lies_neither_way_is_copied(library) -> None:
    whole, batch = numbers("float32", 12, 16), numbers("float32", 2, 3, 4, 6)
    w, x = upload(whole), upload(batch)
    for a, b in (
        (w[:, ::2], w[:8, ::3]),
        (w[::-1], w[:, ::-1].T),
        (x.swapaxes(0, 1), x.swapaxes(0, 1).mT),
        (x.swapaxes(1, 2), x.swapaxes(1, 2).mT),
        (x[::-1], x[:, ::2].mT[:, :1]),
        (x[1, ::-1], x[0].mT),
    ):
        exact = wanted(backend.to_host(a), backend.to_host(b))
        check(cublaslt.product(a, b), exact, "float32")
    xp = backend.array_module(w)
    row = xp.broadcast_to(w[:1], (5, 16))  # no step at all between rows
    check(cublaslt.product(row, w.T), wanted(backend.to_host(row), whole.T), "float32")


def test_views_that_begin_at_odd_addresses(library) -> None:
    """The alignment that is promised when an algorithm is chosen is that of the view at hand."""
    whole, bias = numbers("float16", 9, 33), numbers("float16", 40)
    w, given = upload(whole), upload(bias)
    for start in (0, 1, 2, 3):
        a, b = w[:, start : start + 8], w[:8, start : start + 16]
        y = cublaslt.product(a, b, given[start : start + 16])
        check(
            y, wanted(whole[:, start : start + 8], whole[:8, start : start + 16], bias[start : start + 16]), "float16"
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shapes", [((0, 3), (3, 4)), ((2, 3), (3, 0)), ((0, 2, 3), (3, 4)), ((2, 0), (0, 4)),
                                    ((3, 2, 0), (3, 0, 4))])  # fmt: skip
def test_of_nothing(library, shapes, dtype) -> None:
    a, b = (numbers(dtype, *s) for s in shapes)
    bias = numbers(dtype, b.shape[-1])
    for activation in (None, "relu", "gelu"):
        check(cublaslt.product(upload(a), upload(b), None, activation), wanted(a, b), dtype)
        y = cublaslt.product(upload(a), upload(b), upload(bias), activation)
        check(y, wanted(a, b, bias, activation), dtype)


def test_what_is_not_taken(library) -> None:
    f, i = upload(numbers("float32", 2, 2)), upload(np.eye(2, dtype=np.int64))
    assert cublaslt.product(i, i) is None and cublaslt.product(f, upload(numbers("float64", 2, 2))) is None
    assert cublaslt.product(f, upload(numbers("float32", 3, 2))) is None and cublaslt.product(f, f[0]) is None
    assert cublaslt.product(f, f, upload(numbers("float32", 3))) is None
    with pytest.raises(ValueError, match="activation must be 'relu', 'gelu' or None, got 'silu'"):
        cublaslt.product(f, f, None, "silu")
    np.testing.assert_array_equal(backend.to_host(gpu.matmul(i, i)), np.eye(2))


def test_plans_are_kept(library, monkeypatch) -> None:
    """One search for each problem, not for each call; and no more plans than are allowed."""
    if library is None:
        pytest.skip("looks into the fake: run without --device")
    monkeypatch.setattr(cublaslt, "MOST_ALIGNED", 16)  # as NumPy's memory is aligned by chance
    a, b, bias = (upload(numbers("float32", *s)) for s in ((4, 8), (8, 4), (4,)))
    for _ in range(3):
        first = cublaslt.product(a, b, bias)
        second = cublaslt.product(a, b, bias + 1)
    assert library.heuristics == 1
    np.testing.assert_allclose(backend.to_host(second - first), 1, rtol=1e-5)  # each with its own bias
    cublaslt.product(a, b.T.copy().T)
    cublaslt.product(a, b, tf32=True)
    assert library.heuristics == 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cublaslt, "MOST_PLANS", 3)
        living = len(library._living)
        cublaslt.product(b, a)
        assert len(library._living) == living  # the oldest was destroyed
        cublaslt.product(a, b, bias)
    assert library.heuristics == 5


def test_without_an_algorithm(library) -> None:
    """cuBLASLt has none: not with an epilogue, then not at all."""
    if library is None:
        pytest.skip("looks into the fake: run without --device")
    a, b, bias = (numbers("float32", *s) for s in ((4, 8), (8, 6), (6,)))
    library.declines = lambda operation, *others: operation.set["EPILOGUE"] != 1
    for activation in (None, "relu", "gelu"):
        y = cublaslt.product(upload(a), upload(b), upload(bias), activation)
        check(y, wanted(a, b, bias, activation), "float32")
    assert {p.epilogue for p in library.products} == {"DEFAULT"}
    library.declines = lambda *everything: True
    assert cublaslt.product(upload(a.T), upload(b[:4])) is None
    check(gpu.matmul(upload(a.T), upload(b[:4])), wanted(a.T, b[:4]), "float32")  # by CuPy


def test_a_library_that_does_not_start(library, monkeypatch) -> None:
    if library is None:
        pytest.skip("about the fake: run without --device")

    def create() -> int:
        raise library.cuBLASLtError("CUBLAS_STATUS_NOT_INITIALIZED")

    monkeypatch.setattr(library, "create", create)
    a = upload(numbers("float32", 3, 3))
    with pytest.warns(UserWarning, match="without it: CUBLAS_STATUS_NOT_INITIALIZED") as told:
        for _ in range(2):
            check(gpu.matmul(a, a), wanted(*[backend.to_host(a)] * 2), "float32")
    assert len(told) == 1


def test_tf32_is_asked_for_and_only_then(library) -> None:
    x = upload(numbers("float32", 64, 64))
    exact = wanted(*[backend.to_host(x)] * 2)
    errors = {}
    assert mg.get_float32_matmul_precision() == "highest" and not mg.backends.cuda.matmul.allow_tf32
    try:
        for precision in ("highest", "high", "medium"):
            mg.set_float32_matmul_precision(precision)
            assert mg.backends.cuda.matmul.allow_tf32 == (precision != "highest")
            errors[precision] = np.abs(backend.to_host(gpu.matmul(x, x)) - exact).max()
            assert precision == "highest" or "TF32 on the GPU" in runtime.config()["float32 products"]
        gpu.matmul(x.astype("float16"), x.astype("float16"))
        mg.backends.cuda.matmul.allow_tf32 = False
        assert mg.get_float32_matmul_precision() == "highest"
        mg.backends.cuda.matmul.allow_tf32 = True
        assert mg.get_float32_matmul_precision() == "high"
    finally:
        mg.set_float32_matmul_precision("highest")
    assert errors["highest"] < 2e-5 < 2e-4 < errors["high"] < 0.05
    if library:
        assert [p.compute for p in library.products] == [
            "COMPUTE_32F", "COMPUTE_32F_FAST_TF32", "COMPUTE_32F_FAST_TF32", "COMPUTE_32F"
        ]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sums_are_kept_in_float32(dtype) -> None:
    ones = upload(np.ones((2, 4096), numpy_dtype(dtype)))
    assert (backend.to_host(cublaslt.product(ones, ones.swapaxes(0, 1))).astype(np.float64) == 4096).all()


def test_whatever_multiplies_ends_here(library) -> None:
    if library is None:
        pytest.skip("looks into the fake: run without --device")
    F, ones = mg.nn.functional, functools.partial(mg.ones, device="cuda")
    x, w, b = (mg.randn(*s, device="cuda") for s in ((2, 3, 4), (5, 4), (5,)))
    calls = [
        lambda: x @ x.mT,
        lambda: mg.bmm(x, x.mT),
        lambda: mg.einsum("bij,bkj->bik", x, x),
        lambda: mg.addmm(b, x[0], w.t()),
        lambda: mg.tensordot(x, w, ([2], [1])),
        lambda: F.linear(x, w, b),
        lambda: F.linear_activation(x, w, b, "gelu"),
        lambda: F.bilinear(x, x, ones(2, 4, 4)),
        lambda: F.conv1d(x.double(), ones(5, 3, 2).double()),
        lambda: F.scaled_dot_product_attention(x.double(), x.double(), x.double()),
    ]
    with capturing():  # where CuPy's own products raise
        for i, call in enumerate(calls):
            before = len(library.products)
            call()
            assert len(library.products) > before, i
