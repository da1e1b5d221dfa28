"""Statistics of channels over a batch, in plain array code, valid for NumPy and CuPy."""


def channel_statistics(x):
    """(mean, biased variance) of each channel of (N, C, L), over N and L; of two-byte floats as float32."""
    if x.dtype.itemsize == 2:
        x = x.astype("float32")
    mean = x.mean(axis=(0, 2))
    centred = x - mean.reshape((-1, 1))
    centred *= centred
    return mean, centred.mean(axis=(0, 2))
