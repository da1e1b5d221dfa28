"""The 200 names of ops that users bring from PyTorch."""

from minigrad.conformance.surface import SURFACE

NAMES = SURFACE["ops"].names
