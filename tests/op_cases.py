"""The table of every op: one list of cases, which test_ops.py, test_ops_float32.py and test_strict_backend.py run."""

import op_cases_arrange
import op_cases_batching
import op_cases_complex
import op_cases_conv
import op_cases_elementwise
import op_cases_factorization
import op_cases_indexing
import op_cases_linalg
import op_cases_nn
import op_cases_orders
import op_cases_recurrent
import op_cases_reduce
import op_cases_sequence
import op_cases_shape
import op_cases_special
import op_cases_statistics
from case import Case

CASES: list[Case] = [
    *op_cases_elementwise.CASES,
    *op_cases_reduce.CASES,
    *op_cases_shape.CASES,
    *op_cases_indexing.CASES,
    *op_cases_linalg.CASES,
    *op_cases_factorization.CASES,
    *op_cases_complex.CASES,
    *op_cases_nn.CASES,
    *op_cases_recurrent.CASES,
    *op_cases_sequence.CASES,
    *op_cases_conv.CASES,
    *op_cases_statistics.CASES,
    *op_cases_special.CASES,
    *op_cases_orders.CASES,
    *op_cases_arrange.CASES,
    *op_cases_batching.CASES,
]


def _named(cases: list[Case]) -> dict[str, Case]:
    """Cases by the name of their test, numbered where two would share one."""
    by_id: dict[str, Case] = {}
    for case in cases:
        count = 1
        name = case.id
        while name in by_id:
            count += 1
            name = f"{case.id} {count}"
        by_id[name] = case
    return by_id


BY_ID = _named(CASES)
