"""The cases, one module a section of surface.py: small programs written for PyTorch's names. See ../case.py."""
