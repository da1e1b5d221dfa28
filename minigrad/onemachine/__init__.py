"""PyTorch's names for other hardware, several processes and compilers, answered for one machine and one process.

Each answer is true here: `cuda.is_available()` tells whether CuPy finds a GPU, `distributed.get_world_size()` is 1,
`compile(f)` gives f. Hints about speed are taken and have no effect; what cannot be done raises and says so.
"""
