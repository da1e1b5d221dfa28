"""The 200 names of ops that users bring from PyTorch, and which of them the engine has by now."""

from minigrad.conformance.surface import SURFACE

NAMES = SURFACE["ops"].names

# Still to come: linalg.
LATER = """
linalg.vector_norm linalg.norm linalg.inv linalg.det linalg.solve
""".split()  # noqa: SIM905

PRESENT = [name for name in NAMES if name not in LATER]
