"""Cases of nn: how a row of the tables in modules_*.py is called.

    layers("Linear", (lambda nn: nn.Linear(3, 2), (4, 3)), wrong=[[(4, 5)]])

Of every module that a row makes the text, the state, the value and the gradients are told; see `exercises.layers`.
"""

from functools import partial

from minigrad.conformance.case import cases_of
from minigrad.conformance.exercises import layers as _layers

case = cases_of("modules")
layers = partial(_layers, case)
