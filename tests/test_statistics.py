"""Histograms and statistics: PyTorch's recorded behaviour."""

import pytest
from programs.common import check, recorded

import minigrad as mg

PROGRAMS = recorded("statistics")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)
