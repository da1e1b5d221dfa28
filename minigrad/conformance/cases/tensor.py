"""Cases of the methods and properties of tensors."""

from minigrad.conformance.case import cases_of

case = cases_of("tensor")
