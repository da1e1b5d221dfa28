"""Element types: PyTorch's recorded promotion, arithmetic and conversions, and the messages."""

import pytest
from programs.common import check, recorded

import minigrad as mg

PROGRAMS = recorded("dtype")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


def test_narrow_floats_sum_in_float32():
    assert mg.ones(1000, dtype=mg.bfloat16).sum().item() == 1000
    assert mg.ones(1000, dtype=mg.bfloat16).sum().dtype is mg.bfloat16
    product = mg.ones(1, 1000, dtype=mg.bfloat16) @ mg.ones(1000, 1, dtype=mg.bfloat16)
    assert product.item() == 1000


def test_no_float64_from_float32():
    x = mg.ones(3, requires_grad=True)
    for y in (
        x + mg.tensor(1.0, dtype=mg.float64),
        x * 2.5,
        x + mg.tensor([1, 2, 3]),
        x / 3,
        1 / x,
        x**2,
        x.mean(),
        x.std(),
        x.sum() / 7,
    ):
        assert y.dtype is mg.float32
        x.grad = None
        y.sum().backward()
        assert x.grad.dtype is mg.float32


def test_bools_are_not_subtracted():
    mask = mg.tensor([True, False])
    for call in (lambda: 1 - mask, lambda: mask - mask):
        with pytest.raises(RuntimeError, match="with a bool tensor is not supported.*use the `~`"):
            call()


def test_mean_of_ints_says_what_to_write():
    with pytest.raises(
        RuntimeError, match=r"either a floating point or complex dtype. Got: Long\nuse x.float\(\).mean\(\)"
    ):
        mg.tensor([1, 2]).mean()


def test_bitwise_on_floats_names_the_op():
    with pytest.raises(NotImplementedError, match=r"bitwise_and: not implemented for these dtypes.*float32"):
        mg.ones(2) & mg.ones(2)


def test_an_array_of_a_foreign_type():
    import numpy as np

    with pytest.raises(TypeError, match="no dtype for arrays of uint16; convert to one of: float64, float32"):
        mg.tensor(np.zeros(1, np.uint16))


def test_a_string_is_no_dtype():
    with pytest.raises(TypeError, match=r"expected a dtype such as minigrad.float32, got the string 'float32'"):
        mg.zeros(2, dtype="float32")


def test_legacy_constructors():
    assert repr(mg.FloatTensor) == "<class 'torch.FloatTensor'>"
    with pytest.raises(TypeError, match="FloatTensor takes sizes, or one sequence of values"):
        mg.FloatTensor([1], [2])
    with pytest.raises(ValueError, match=r"invalid type: 'torch.NoTensor'"):
        mg.ones(1).type("torch.NoTensor")
    assert mg.ones(1).type(mg.Tensor).dtype is mg.float32
    with pytest.raises(TypeError, match="Variable takes a Tensor, got list"):
        mg.autograd.Variable([1.0])


def test_names_of_autograd_that_live_elsewhere():
    from minigrad.autograd import Variable, detect_anomaly, gradcheck

    assert gradcheck is mg.gradcheck
    assert Variable(mg.ones(1)).tolist() == [1]
    assert detect_anomaly.__name__ == "detect_anomaly"
    with pytest.raises(AttributeError, match=r"'minigrad.autograd' has no attribute 'nonsense'"):
        mg.autograd.nonsense  # noqa: B018
