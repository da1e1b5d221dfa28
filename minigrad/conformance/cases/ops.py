"""Cases of the ops, in the tables of ops_*.py: how a row is called.

    ops("add", (lambda t, x, y: t.add(x, y, alpha=3), (2, 3), (3,)), wrong=(lambda t, x: x + "1",))
    functional("relu", (lambda f, t, x: f(x), (2, 3)))

Of every row the value, the gradients and the second gradients are told, and how the first row takes empty inputs, other
layouts and other dtypes; see `exercises.rows`.
"""

from functools import partial

from minigrad.conformance.case import cases_of
from minigrad.conformance.exercises import rows, rows_of

case = cases_of("ops")
ops = partial(rows, case)
functional = rows_of(case, "nn.functional.")
