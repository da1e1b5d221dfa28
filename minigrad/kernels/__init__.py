"""Kernels: raw arrays in, raw arrays out; no Tensor is imported below this line.

`common` holds the primitives in plain array code, valid for NumPy and CuPy; `cpu` offers the same names with the hot
ones compiled by Numba, and the fused kernels besides.
"""
