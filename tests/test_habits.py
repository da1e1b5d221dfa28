"""Habits of published programs, recorded from PyTorch."""

import pytest
from programs.common import check, recorded

import minigrad as mg

PROGRAMS = recorded("habits")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)
