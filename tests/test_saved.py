"""What backward needs and finds overwritten, and who sees a write that the graph records: as recorded from PyTorch."""

import pytest
from programs.common import check, recorded

import minigrad as mg

PROGRAMS = recorded("saved")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


def test_what_is_kept_for_a_gradient_that_nobody_wants_is_not_kept():
    x, w = mg.ones(3, requires_grad=True), mg.ones(3)
    assert (x * w).node.kept == {"a": None, "b": w.array}


def test_an_array_that_nobody_else_holds_is_exchanged_not_copied():
    y = mg.ones(3, requires_grad=True) * 1
    array = y.array
    y += 1
    assert y.array is array  # this test holds it
    del array
    before = id(y.array)
    y += 1
    assert id(y.array) != before
