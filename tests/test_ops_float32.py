"""Every case of the table in float32: no result or gradient is float64, and all are within 1e-5 of float64's."""

import numpy as np
import pytest
from case import Case
from op_cases import BY_ID
from op_harness import assert_near, drawn, run

IN_FLOAT64 = {
    "to",
    "nan_to_num",
    "float_power",
}  # what they give depends on the dtype: a named one, the largest number of it


def is_floating(case: Case) -> bool:
    return case.name not in IN_FLOAT64 and any(a.dtype.kind == "f" for a in case.draw())


FLOATING = {name: case for name, case in BY_ID.items() if is_floating(case)}


@pytest.mark.parametrize("case", FLOATING.values(), ids=FLOATING.keys())
def test_float32(case: Case) -> None:
    narrow = drawn(case, "float32")
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in narrow]  # the same numbers exactly
    for actual, wanted in zip(run(case, narrow), run(case, wide), strict=True):
        assert len(actual) == len(wanted)
        for a, b in zip(actual, wanted, strict=True):
            assert a.dtype == (np.float32 if b.dtype.kind == "f" else b.dtype)
            assert_near(a, b, 1e-5)
