"""Cases of the names that one machine answers for."""

from minigrad.conformance.case import cases_of

case = cases_of("onemachine")
