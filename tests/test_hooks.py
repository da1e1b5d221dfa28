"""Hooks of every module and hooks behind a leaf's gradient are called as PyTorch calls them."""

import pytest
from programs.common import check, recorded

import minigrad as mg

PROGRAMS = recorded("hooks")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)
