"""Cases of utils.data."""

from minigrad.conformance.case import cases_of

case = cases_of("data")
