"""Cases of distributions."""

from minigrad.conformance.case import cases_of

case = cases_of("distributions")
