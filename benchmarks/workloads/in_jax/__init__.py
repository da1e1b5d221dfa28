"""The workloads in JAX: the same computation, parameters named as in the PyTorch programs, one compiled step."""
