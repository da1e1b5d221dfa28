"""Cases of the ops that no other section has."""

from minigrad.conformance.case import cases_of

case = cases_of("ops")
