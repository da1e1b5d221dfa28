"""Cases of nn.functional."""

from minigrad.conformance.case import cases_of

case = cases_of("functional")
