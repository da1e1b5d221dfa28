"""What the tests of the compiled kernels share: the comparison with float64, and arrays of every layout."""

import numpy as np
from hypothesis import strategies as st

TOLERANCE = 1e-5

layouts = st.sampled_from(["contiguous", "strided", "read-only"])
seeds = st.integers(0, 2**32 - 1)


def close(got, want, magnitude=0.0):
    """float32, and within 1e-5 of the largest entry of the float64 result (or of `magnitude`, where terms cancel).

    NaN and infinities must be in the same places.
    """
    want = np.asarray(want)
    assert got.dtype == np.float32
    assert got.shape == want.shape
    finite = np.isfinite(want)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(got[np.isinf(want)], want[np.isinf(want)])
    largest = max(float(np.max(np.abs(want[finite]), initial=0.0)), magnitude)
    error = float(np.max(np.abs(got[finite] - want[finite]), initial=0.0))
    assert error <= TOLERANCE * largest, f"error {error:.2e}, largest entry {largest:.2e}"


def lay_out(array, layout):
    """The same float32 numbers in another layout; nothing a kernel is given may be written."""
    array = np.ascontiguousarray(array, np.float32)
    if layout == "strided":
        wide = np.full((*array.shape[:-1], 2 * array.shape[-1] + 1), np.nan, np.float32)
        wide[..., 1::2] = array
        array = wide[..., 1::2]
    array.flags.writeable = layout == "contiguous"
    return array


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


def dispatchers(module):
    """Numba's functions among a module's kernels, by name: both forms of those that can be shared out to threads."""
    found = {}
    for name, value in vars(module).items():
        if hasattr(value, "serial"):
            found[name], found[f"{name} threaded"] = value.serial, value.threaded
        elif hasattr(value, "signatures"):
            found[name] = value
    return {name: value for name, value in found.items() if value.__module__ == module.__name__}
