"""Making tensors: PyTorch's recorded values, dtypes and errors, and the messages."""

import numpy as np
import pytest
from programs.common import check, recorded

import minigrad as mg

PROGRAMS = recorded("creation")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([[1, 2], [3]], ValueError, r"expected sequence of length 2 at dim 1 \(got 1\)\nthe nested lists are ragged"),
        ([1, [2]], ValueError, r"expected sequence of length a number at dim 1 \(got 1\)\nthe nested lists are ragged"),
        ([[[1], [2]], [[3]]], ValueError, r"expected sequence of length 2 at dim 1 \(got 1\)\nthe nested lists"),
        (["a"], ValueError, "Could not infer dtype of str\nexpected numbers, got 'a' among them"),
        (b"a", TypeError, "cannot make a tensor of a string: b'a'"),
        ("a", TypeError, "cannot make a tensor of a string: 'a'"),
        (None, RuntimeError, "Could not infer dtype of NoneType: expected numbers"),
        ([1, None], RuntimeError, "Could not infer dtype of NoneType"),
        ([2**70], ValueError, "Overflow when unpacking long long\nan integer does not fit int64"),
        (2**63, ValueError, "Overflow when unpacking long long\nan integer does not fit int64"),
    ],
)
def test_data_that_is_none(data, error, message):
    with pytest.raises(error, match=message):
        mg.tensor(data)


@pytest.mark.parametrize("make", [mg.zeros, mg.ones, mg.empty])
def test_negative_sizes(make):
    with pytest.raises(RuntimeError, match=r"negative dimension: \[2, -3\]"):
        make(2, -3)


def test_tensor_copies_whatever_it_is_given():
    source = mg.ones(2, requires_grad=True)
    x = mg.tensor(source)
    assert not x.requires_grad
    with mg.no_grad():
        x[0] = 5
    assert source.tolist() == [1, 1]
    array = np.ones((2, 2))
    x = mg.tensor(array.T)
    array[0, 0] = 7
    assert x.tolist() == [[1, 1], [1, 1]]


def test_lists_of_tensors():
    rows = [mg.tensor([1.0, 2.0]).double(), mg.tensor([3, 4])]
    assert mg.tensor(rows).tolist() == [[1, 2], [3, 4]]  # PyTorch takes tensors of one number only
    assert mg.tensor(rows).dtype is mg.float64


def test_from_numpy_takes_a_file_mapped_into_memory(tmp_path):
    np.arange(6, dtype=np.int64).tofile(tmp_path / "tokens.bin")
    mapped = np.memmap(tmp_path / "tokens.bin", dtype=np.int64, mode="r+")
    x = mg.from_numpy(mapped[2:5])
    assert mg.stack([x, x + 1]).tolist() == [[2, 3, 4], [3, 4, 5]]
    x[0] = 9
    assert mapped.tolist() == [0, 1, 9, 3, 4, 5]  # still the file's memory
