"""Cases of the layers, losses and containers of nn."""

from minigrad.conformance.case import cases_of

case = cases_of("modules")
