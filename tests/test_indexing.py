"""Reading and writing by index: PyTorch's recorded results and gradients, NumPy as oracle at random, messages."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from programs.common import check, recorded

import minigrad as mg

PROGRAMS = recorded("indexing")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


@given(st.data(), shapes)
def test_basic_indices_as_numpy(data, shape):
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    parts = index if isinstance(index, tuple) else (index,)
    array = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    x = mg.from_numpy(array.copy())
    if any(isinstance(p, slice) and p.step is not None and p.step < 0 for p in parts):
        with pytest.raises(ValueError, match="step must be greater than zero"):
            x[index]
        return
    assert x[index].tolist() == array[index].tolist()
    x[index] = -1.0
    array[index] = -1.0
    assert x.tolist() == array.tolist()


@given(st.data(), shapes)
def test_index_arrays_as_numpy_with_gradient(data, shape):
    index = data.draw(hnp.integer_array_indices(shape))
    array = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    x = mg.tensor(array, requires_grad=True)
    y = x[tuple(mg.tensor(i) for i in index)]
    assert y.tolist() == array[index].tolist()
    y.sum().backward()
    counts = np.zeros(shape)
    np.add.at(counts, index, 1.0)
    assert x.grad.tolist() == counts.tolist()


@given(st.data(), shapes)
def test_masks_as_numpy_with_gradient(data, shape):
    mask = data.draw(hnp.arrays(bool, shape))
    array = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    x = mg.tensor(array, requires_grad=True)
    y = x[mg.tensor(mask)]
    assert y.tolist() == array[mask].tolist()
    y.sum().backward()
    assert x.grad.tolist() == mask.astype(float).tolist()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ((0, 7), "index 7 is out of bounds for dimension 1 with size 4"),
        ((slice(None), -5), "index -5 is out of bounds for dimension 1 with size 4"),
        ((slice(None), [0, 4]), "index 4 is out of bounds for dimension 1 with size 4"),
        ((0, 0, 0), "too many indices for tensor of dimension 2"),
        ([True, False], r"shape of the mask \[2\] at index 0 does not match the shape of the indexed tensor \[3, 4\]"),
        (1.5, "indexed by integers, slices.*got float"),
    ],
)
def test_messages(index, message):
    x = mg.zeros(3, 4)
    with pytest.raises(IndexError, match=message):
        x[index]
    with pytest.raises(IndexError, match=message):
        x[index] = 1.0
    assert x.tolist() == mg.zeros(3, 4).tolist()


def test_message_of_a_0d_tensor():
    with pytest.raises(IndexError, match=r"invalid index of a 0-dim tensor: use tensor.item\(\)"):
        mg.tensor(1.0)[0]


def test_an_ellipsis_that_would_stand_for_axes_once_more():
    with pytest.raises(IndexError, match="ellipsis"):
        mg.zeros(2, 2)[..., 0, ..., 0]


def test_reading_step_by_step_makes_no_array_of_zeros_a_step():
    """256 reads of one tensor add into one gradient buffer: time grows with what is read, not with reads times size."""
    x = mg.zeros(256, 1000, requires_grad=True)
    total = sum((x[t].sum() * t for t in range(256)), mg.tensor(0.0))
    total.backward()
    assert x.grad[:, 0].tolist() == list(range(256))
    op = x[0].node.op
    assert op.name == "getitem"
    assert op.into is not None
