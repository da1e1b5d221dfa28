"""Complex tensors: PyTorch's recorded behaviour, messages, and that no recorded write to a part is lost."""

import numpy as np
import pytest
from programs.common import check, recorded

import minigrad as mg

PROGRAMS = recorded("complex")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


def test_a_recorded_write_to_a_part_is_refused_not_lost():
    z = mg.tensor([1 + 2j], requires_grad=True) * 1
    for part in (z.real, mg.view_as_real(z)):
        with pytest.raises(RuntimeError, match="parts of a complex tensor"):
            part.mul_(2)
    with mg.no_grad():
        z.real.mul_(2)
    assert z.tolist() == [2 + 2j]


def test_what_has_no_order_says_so():
    z = mg.tensor([1 + 2j])
    with pytest.raises(NotImplementedError, match=r"lt: not implemented for these dtypes.*complex64"):
        _ = z < 1
    with pytest.raises(RuntimeError, match="imag is not implemented for tensors with non-complex dtypes"):
        _ = mg.ones(1).imag
    with pytest.raises(RuntimeError, match="only for real scalar outputs but got torch.complex64"):
        mg.tensor(1j, requires_grad=True).backward()
    with pytest.raises(RuntimeError, match="last dimension of size 2, got shape .3."):
        mg.view_as_complex(mg.ones(3))


def test_numpy_arrays_share_memory():
    array = np.array([1 + 2j], dtype=np.complex64)
    z = mg.from_numpy(array)
    z.mul_(1j)
    assert array.tolist() == [-2 + 1j] and z.dtype is mg.complex64
    assert mg.from_numpy(np.zeros(1, np.complex128)).dtype is mg.complex128


@pytest.mark.parametrize("make", ["SGD", "AdamW"])
def test_optimizers_refuse_complex_parameters(make):
    weight = mg.nn.Parameter(mg.tensor([1 + 2j]))
    with pytest.raises(TypeError, match="complex"):
        getattr(mg.optim, make)([weight], lr=0.1)


def test_gradcheck_takes_the_parts():
    x = mg.randn(3, 2, dtype=mg.float64, requires_grad=True)
    assert mg.gradgradcheck(lambda x: mg.view_as_complex(x).exp().abs(), x)
