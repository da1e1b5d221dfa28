"""Complex numbers in plain array code, valid for NumPy and CuPy alike: from parts, into parts, size and angle."""

import numpy as np

from minigrad.backend import array_module


def with_parts(x, y):
    """x + i y, written part by part: in 1j * inf the real part would be nan."""
    xp = array_module(x)
    pairs = xp.empty((*np.broadcast_shapes(x.shape, y.shape), 2), x.dtype)
    pairs[..., 0] = x
    pairs[..., 1] = y
    return pairs.view("complex64" if x.dtype.itemsize == 4 else "complex128")[..., 0]


def view_as_real(z):
    """(..., 2) pairs of parts; on the same memory, but for an array of CuPy's with gaps."""
    xp = array_module(z)
    if xp is np or z.flags.c_contiguous:
        return z[..., None].view("float32" if z.dtype.itemsize == 8 else "float64")
    return xp.stack([z.real, z.imag], axis=-1)


def angle(z):
    return array_module(z).angle(z)


def sgn(z):
    """z / |z|, and 0 at 0."""
    xp = array_module(z)
    size = xp.abs(z)
    return xp.where(size > 0, z / xp.where(size > 0, size, size.dtype.type(1)), z * 0)
