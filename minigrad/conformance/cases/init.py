"""Cases of nn.init."""

from minigrad.conformance.case import cases_of

case = cases_of("init")
