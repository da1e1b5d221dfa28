"""Cases of the methods of modules, optimizers and schedules."""

from minigrad.conformance.case import cases_of

case = cases_of("methods")
