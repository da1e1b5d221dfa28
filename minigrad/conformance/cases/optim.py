"""Cases of the optimizers and schedules."""

from minigrad.conformance.case import cases_of

case = cases_of("optim")
