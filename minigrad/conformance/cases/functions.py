"""Cases of the functions, types and values of torch itself: new tensors, dtypes, constants."""

from minigrad.conformance.case import cases_of

case = cases_of("functions")
