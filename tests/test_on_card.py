"""The whole table on a real GPU: `pytest --device cuda`. Values and gradients are the host's."""

import pytest
from case import Case
from op_cases import BY_ID
from op_harness import assert_near, drawn, run

import minigrad as mg

pytestmark = pytest.mark.card  # conftest.py leaves these out where --device cuda is not given


@pytest.mark.parametrize("case", BY_ID.values(), ids=BY_ID.keys())
def test_the_table(case: Case) -> None:
    arrays = drawn(case)
    mg.set_default_device("cuda")
    try:
        on_device = run(case, arrays, "cuda")
    finally:
        mg.set_default_device(None)
    for actual, wanted in zip(on_device, run(case, arrays), strict=True):
        assert len(actual) == len(wanted)
        for a, b in zip(actual, wanted, strict=True):
            assert a.dtype == b.dtype
            assert_near(a, b, 1e-9)  # sums are added in another order
