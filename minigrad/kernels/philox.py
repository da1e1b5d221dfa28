"""Counter-based random numbers in plain array code, valid for NumPy and CuPy: Philox4x32-10.

Philox turns a counter of 128 bits and a key of 64 into 128 random bits, by ten rounds of multiply, swap and xor.
Nothing is carried from one number to the next, so every thread of a GPU makes its own, and a draw is known by (seed,
offset) alone. Source: Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011).

`state` is an array of two uint64 on the device, (seed, offset); `skip` is added to the offset. Both are needed: a
captured graph has `skip` baked in, and moves on because `offset` is read from memory at each replay. A block of four
words costs one step of the offset; a draw of n words takes the first n of ceil(n / 4) blocks.
"""

import math

from minigrad.backend import array_module

_FIRST_FACTOR, _SECOND_FACTOR = 0xD2511F53, 0xCD9E8D57
_FIRST_WEYL, _SECOND_WEYL = 0x9E3779B9, 0xBB67AE85  # the golden ratio and sqrt(3) - 1, added to the key each round
_LOW = 0xFFFFFFFF


def philox4x32(counter, key):
    """Four words for each counter. Counter (4) and key (2) are uint64 that hold 32 bits, so that products are exact."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        first, second = c0 * _FIRST_FACTOR, c2 * _SECOND_FACTOR
        c0, c1, c2, c3 = (second >> 32) ^ c1 ^ k0, second & _LOW, (first >> 32) ^ c3 ^ k1, first & _LOW
        k0, k1 = (k0 + _FIRST_WEYL) & _LOW, (k1 + _SECOND_WEYL) & _LOW
    return c0, c1, c2, c3


def philox_words(state, skip, n):
    """n random uint32. Block b has the 64-bit counter offset + skip + b in the low half, and zeros above."""
    xp = array_module(state)
    index = xp.arange((n + 3) // 4, dtype="uint64") + (state[1:2] + skip)
    nothing = xp.zeros_like(index)
    words = philox4x32((index & _LOW, index >> 32, nothing, nothing), (state[:1] & _LOW, state[:1] >> 32))
    return xp.stack(words, axis=1).reshape(-1)[:n].astype("uint32")


def philox_uniform(state, skip, n, dtype):
    """n numbers on [0, 1): the top 24 bits of a word (float32), or 27 and 26 bits of two words (float64)."""
    if dtype == "float32":
        return (philox_words(state, skip, n) >> 8).astype("float32") * 2.0**-24
    words = philox_words(state, skip, 2 * n).reshape((n, 2))
    return ((words[:, 0] >> 5).astype("float64") * 2.0**26 + (words[:, 1] >> 6)) * 2.0**-53


def philox_normal(state, skip, n, dtype):
    """n standard normals, two from each pair of uniforms: r cos a and r sin a, r = sqrt(-2 log u), a = 2 pi v.

    In float32 u is (word + 1) 2^-32, on (0, 1]: with 24 bits no value could lie beyond 5.8. Source: Box & Muller, 1958.
    """
    xp, pairs = array_module(state), (n + 1) // 2
    if dtype == "float32":
        words = philox_words(state, skip, 2 * pairs).reshape((pairs, 2)).astype("float32")
        u, v = (words[:, 0] + 1) * 2.0**-32, words[:, 1] * 2.0**-32
    else:
        uniforms = philox_uniform(state, skip, 2 * pairs, dtype).reshape((pairs, 2))
        u, v = 1 - uniforms[:, 0], uniforms[:, 1]
    radius, angle = xp.sqrt(xp.log(u) * -2.0), v * (2 * math.pi)
    return xp.stack((radius * xp.cos(angle), radius * xp.sin(angle)), axis=1).reshape(-1)[:n]


def philox_keep(state, skip, n, p, dtype):
    """Dropout's n factors: 1 / (1 - p) with probability 1 - p, where word < (1 - p) 2^32, else 0."""
    kept = philox_words(state, skip, n) < min(round((1 - p) * 2**32), _LOW)
    return kept.astype(dtype) * (1 / (1 - p))
