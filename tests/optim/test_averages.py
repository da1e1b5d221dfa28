"""Averaged models and their rates give PyTorch's recorded numbers."""

import pytest
from programs.common import check, recorded

import minigrad as mg

PROGRAMS = recorded("averages")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)
