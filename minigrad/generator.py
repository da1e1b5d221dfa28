"""The random number stream: PyTorch's numbers for PyTorch's seeds, drawn as NumPy arrays.

`MersenneStream` gives 32- and 64-bit words. What is made of them here, and in which order they are used up, is what
PyTorch does on a CPU:

    u24  a word's low 24 bits times 2^-24, in float32          u53  a 64-bit word's low 53 bits times 2^-53

    uniform      u * (high - low) + low, with u53 for float64, else u24
    normal       16 values or more: Box-Muller on blocks of 16 uniforms; fewer: on pairs of u53, the second value kept
    randint      word % range + low; 64-bit words for ranges from 2^28 on
    randperm     for i = 0, 1, ...: swap item i with item i + word % (n - i)
    bernoulli    u53 < p for a number or a float64 array p; u24 < p for an array p of a smaller type
    exponential  -log1p(-u53) / lambd
    multinomial  the largest p / exponential; several draws with replacement: the inverse of the cumulative sum at u53

Integers, booleans and uniforms agree to the bit (float64 uniforms outside [0, 1) to rounding). What goes through log,
cos or exp agrees to rounding. On Intel processors PyTorch hands `bernoulli` with a number p, and so dropout, to a
vendor library with a stream of its own; the rule above is the one it follows on all others.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.mersenne import MersenneStream

DIGITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}  # integers up to 2^digits are exact
Shape = int | Sequence[int]


class Generator(MersenneStream):
    """A stream of random numbers with its own state: `Generator().manual_seed(0)`.

    The draws return NumPy arrays. `Generator("cuda")` makes the generator of philox.py, which draws on the GPU, where
    such a chain of words would be drawn by one thread; its numbers are others, as PyTorch's on a GPU are.
    """

    def __new__(cls, device: "str | backend.device" = "cpu") -> "Generator":
        if cls is Generator and backend.device(device).type == "cuda":
            from minigrad.philox import PhiloxGenerator  # which is built on this class

            return super().__new__(PhiloxGenerator)
        return super().__new__(cls)

    # Continuous draws

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0, dtype: Any = np.float32) -> np.ndarray:
        """Uniform on [low, high). RuntimeError where low > high or a bound does not fit the dtype."""
        dtype = floating("uniform", dtype)
        first, last = check_interval(low, high, dtype)
        if dtype == np.float64:
            values = self._u53(count_of(shape)) * (high - low) + low
            return np.where(values >= high, low, values).reshape(shape)
        values = self._u24(count_of(shape))
        if (low, high) != (0, 1):  # the product and the sum are rounded once, as a fused multiply-add rounds them
            bottom = np.float32(low)
            values = (values * np.float64(np.float32(high) - bottom) + np.float64(bottom)).astype(np.float32)
        elif dtype == np.float32:
            return values.reshape(shape)
        values = values.astype(dtype, copy=False)
        values[values >= last] = first  # rounding may have reached the excluded end
        return values.reshape(shape)

    def normal(
        self, shape: Shape, mean: float = 0.0, std: float = 1.0, dtype: Any = np.float32, contiguous: bool = True
    ) -> np.ndarray:
        """Normal with the given mean and standard deviation (Box and Muller, 1958).

        `contiguous=False` gives what PyTorch writes into a tensor whose memory is not contiguous, in memory order:
        the rule for fewer than 16 values, whatever their number.
        """
        dtype = floating("normal", dtype)
        check_spread(std)
        n = count_of(shape)
        if n < 16 or not contiguous:
            return cast_silently(self._paired_normals(n) * std + mean, dtype).reshape(shape)
        wide = wide_type(dtype)
        draw, rest = (self._u53 if wide is np.float64 else self._u24), n % 16
        head = n if dtype.itemsize > 2 else n - rest  # the two-byte types draw no uniforms for a last, partial block
        values: np.ndarray = np.empty(n, wide)
        values[: n - rest] = _box_muller(draw(head)[: n - rest])
        if rest:
            values[-16:] = _box_muller(draw(16))
        values *= wide(std)
        values += wide(mean)
        return cast_silently(values, dtype).reshape(shape)

    def _paired_normals(self, n: int) -> np.ndarray:
        """`n` standard normals made in pairs; of the last pair the second value is kept for the next call."""
        values, start = np.empty(n), 0
        if n and self._kept_normal is not None:
            values[0], start, self._kept_normal = self._kept_normal, 1, None
        angle, distance = self._u53((n - start + 1) // 2 * 2).reshape(-1, 2).T
        radius, angle = np.sqrt(-2.0 * np.log1p(-distance)), 2.0 * math.pi * angle
        pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)
        values[start:] = pairs[: n - start]
        if pairs.size > n - start:
            self._kept_normal = float(pairs[-1])
        return values

    def trunc_normal(
        self,
        shape: Shape,
        mean: float = 0.0,
        std: float = 1.0,
        a: float = -2.0,
        b: float = 2.0,
        dtype: Any = np.float32,
    ) -> np.ndarray:
        """Normal, kept to [a, b] by drawing again until no value lies outside.

        Where [a, b] holds at most 0.3 of the probability, candidates are uniform on it and accepted with probability
        density(candidate) / (largest density on [a, b]) (von Neumann, 1951).
        """
        dtype = floating("trunc_normal", dtype)
        check_positive("trunc_normal", "std", std)
        warn_of_far_mean(mean, std, a, b)
        if normal_cdf((b - mean) / std) - normal_cdf((a - mean) / std) > 0.3:
            low, high = cast_silently(np.array([a, b]), dtype)
            values = self.normal(shape, mean, std, dtype)
            while (outside := (values < low) | (values > high)).any():
                values = np.where(outside, self.normal(shape, mean, std, dtype), values)
            return values
        log_peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
        values, pending, wide = np.zeros(shape, dtype), np.ones(shape, bool), wide_type(dtype)
        while pending.any():
            candidates = self.uniform(shape, a, b, dtype)
            values = np.where(pending, candidates, values)
            distance = ((candidates - dtype.type(mean)).astype(wide) / wide(std)).astype(dtype)
            log_density = distance * distance * dtype.type(-0.5) - dtype.type(log_peak)
            with np.errstate(divide="ignore"):
                pending &= np.log(self.uniform(shape, dtype=dtype)) > log_density
        return values

    def exponential(self, shape: Shape, lambd: float = 1.0, dtype: Any = np.float32) -> np.ndarray:
        """Density lambd * exp(-lambd * x) on x >= 0."""
        dtype = floating("exponential", dtype)
        check_positive("exponential", "lambd", lambd)
        return cast_silently(-1.0 / lambd * np.log1p(-self._u53(count_of(shape))), dtype).reshape(shape)

    def cauchy(self, shape: Shape, median: float = 0.0, sigma: float = 1.0, dtype: Any = np.float32) -> np.ndarray:
        """Density 1 / (pi * sigma * (1 + ((x - median) / sigma)^2))."""
        dtype = floating("cauchy", dtype)
        check_positive("cauchy", "sigma", sigma)
        return cast_silently(median + sigma * np.tan(math.pi * (self._u53(count_of(shape)) - 0.5)), dtype).reshape(
            shape
        )

    def log_normal(self, shape: Shape, mean: float = 1.0, std: float = 2.0, dtype: Any = np.float32) -> np.ndarray:
        """exp of a normal with that mean and standard deviation."""
        dtype = floating("log_normal", dtype)
        check_positive("log_normal", "std", std)
        return cast_silently(np.exp(self._paired_normals(count_of(shape)) * std + mean), dtype).reshape(shape)

    # Discrete draws

    def geometric(self, shape: Shape, p: float, dtype: Any = np.float32) -> np.ndarray:
        """The number of trials up to the first success: P(k) = (1 - p)^(k - 1) * p, k = 1, 2, ..."""
        check_success(p)
        with np.errstate(divide="ignore"):
            return cast_silently(np.ceil(np.log(self._u53(count_of(shape))) / math.log1p(-p)), np.dtype(dtype)).reshape(
                shape
            )

    def randint(self, low: int, high: int, shape: Shape, dtype: Any = np.int64) -> np.ndarray:
        """Integers from low to high - 1, all as likely.

        RuntimeError where low >= high or a bound does not fit; for floats the bounds are -2^digits and 2^digits,
        beyond which not every integer exists (PyTorch warns there, and rounds).
        """
        dtype = np.dtype(dtype)
        check_integer_range(low, high, dtype)
        n, span = count_of(shape), high - low
        words = self._words(n) if span < 2**28 else self._longs(n)
        values = (words % words.dtype.type(span)).astype(np.uint64) + np.uint64(low % 2**64)  # wraps for low < 0
        return values.view(np.int64).astype(dtype).reshape(shape)

    def random_integers(
        self, shape: Shape, low: int = 0, high: int | None = None, dtype: Any = np.float32
    ) -> np.ndarray:
        """What `Tensor.random_` draws: `randint`, or, with no bound given, `random`."""
        return self.random(shape, dtype) if high is None else self.randint(low, high, shape, dtype)

    def random(self, shape: Shape, dtype: Any = np.float32) -> np.ndarray:
        """Integers from 0 to the largest of the dtype (2^digits for floats), all as likely."""
        dtype = np.dtype(dtype)
        n, span = count_of(shape), integer_bounds(dtype)[1] + 1
        words = self._longs(n) if dtype in (np.int64, np.float64) else self._words(n)
        return (words % words.dtype.type(span)).astype(dtype).reshape(shape)

    def randperm(self, n: int, dtype: Any = np.int64) -> np.ndarray:
        """A permutation of 0 .. n - 1 (Durstenfeld, 1964: Fisher-Yates, in place), n below 2^32 / 20."""
        dtype = np.dtype(dtype)
        check_permutation(n, dtype)
        steps = np.arange(max(n - 1, 0))
        picks = steps + self._words(steps.size) % (n - steps).astype(np.uint32)
        return _swap_in_turn(n, picks).astype(dtype, copy=False)

    def bernoulli(self, p: Any, shape: Shape | None = None, dtype: Any = np.float32) -> np.ndarray:
        """1 with probability p, a number or an array, else 0. An array is broadcast to `shape` (its own by default)."""
        wide = p.dtype == np.float64 if isinstance(p, np.ndarray) else True
        if isinstance(p, np.ndarray):
            floating("bernoulli", p.dtype)
            p = np.broadcast_to(p, p.shape if shape is None else shape)
            shape, p = p.shape, p.astype(np.float64 if wide else np.float32, copy=False).reshape(-1)
        valid = np.asarray((p >= 0) & (p <= 1))
        if not valid.all():
            raise RuntimeError(f"bernoulli expects probabilities from 0 to 1, got {np.asarray(p)[~valid].flat[0]}")
        n = count_of(() if shape is None else shape)
        return ((self._u53(n) if wide else self._u24(n)) < p).astype(dtype).reshape(() if shape is None else shape)

    def dropout_mask(self, shape: Shape, p: float, dtype: Any = np.float32) -> np.ndarray:
        """What dropout multiplies by: 0 with probability p, else 1 / (1 - p). With p of 0 or 1 nothing is drawn."""
        dtype = floating("dropout", dtype)
        check_dropout(p)
        if p in (0, 1):
            return np.full(shape, 1 - p, dtype)
        wide = wide_type(dtype)
        kept = self._u53(count_of(shape)) < 1 - p
        return (kept * (wide(1) / wide(1 - p))).astype(dtype).reshape(shape)

    def multinomial(self, probs: np.ndarray, num_samples: int, replacement: bool = False) -> np.ndarray:
        """Category indices drawn from each row of weights: (C,) -> (num_samples,), (N, C) -> (N, num_samples), int64.

        The weights need not sum to one. RuntimeError for weights that are negative, not finite or all zero, and for
        more samples than categories without replacement.
        """
        check_weights(probs, num_samples, replacement)
        rows = probs if probs.ndim == 2 else probs[None]
        shape = (*probs.shape[:-1], num_samples)
        if not replacement or num_samples == 1:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                race = rows / laid_out_like(rows, self.exponential(rows.size, 1.0, probs.dtype))
            if num_samples == 1:
                return race.argmax(axis=-1).reshape(shape)
            return np.argsort(-race, axis=-1, kind="stable")[:, :num_samples].reshape(shape)
        wide = wide_type(probs.dtype)
        chosen = np.empty((len(rows), num_samples), np.int64)
        for row in range(len(rows)):
            cumulative: np.ndarray = np.cumsum(rows[row], dtype=wide)
            cumulative /= cumulative[-1]
            cumulative[-1] = 1
            chosen[row] = np.searchsorted(cumulative.astype(np.float64), self._u53(num_samples))
        return chosen.reshape(shape)


def laid_out_like(array: Any, values: Any) -> Any:
    """`values`, a stream in drawing order, as an array with the shape of `array` and its order of axes in memory.

    PyTorch fills tensors in the order of their memory: a transposed tensor gets the stream column by column.
    """
    axes = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    return values.reshape([array.shape[axis] for axis in axes]).transpose(
        [axes.index(axis) for axis in range(array.ndim)]
    )


# What the draws share


def count_of(shape: Shape) -> int:
    return math.prod(shape) if isinstance(shape, Sequence) else int(shape)


def floating(name: str, dtype: Any) -> np.dtype:
    dtype = np.dtype(dtype)
    if dtype.name not in DIGITS:
        raise NotImplementedError(f"{name} draws floating-point numbers, and {dtype} was asked for; give a float dtype")
    return dtype


def wide_type(dtype: np.dtype) -> type:
    return np.float64 if dtype == np.float64 else np.float32  # what a two-byte type computes in


def cast_silently(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    with np.errstate(over="ignore"):  # a float16 may overflow to inf, silently, as in PyTorch
        return values.astype(dtype, copy=False)


def integer_bounds(dtype: np.dtype) -> tuple[int, int]:
    """The smallest and the largest integer of a dtype; of a float those between which none is missing."""
    if dtype.name in DIGITS:
        return -(2 ** DIGITS[dtype.name]), 2 ** DIGITS[dtype.name]
    if dtype.kind == "b":
        return 0, 1
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _box_muller(uniforms: np.ndarray) -> np.ndarray:
    """Normals from uniforms on [0, 1), 16 from 16: of each block the first half gives radii, the second angles."""
    radius, angle = uniforms.reshape(-1, 2, 8).swapaxes(0, 1)
    radius = np.sqrt(-2 * np.log(1 - radius))
    angle = uniforms.dtype.type(2 * math.pi) * angle
    values = np.empty((len(radius), 2, 8), uniforms.dtype)
    np.multiply(radius, np.cos(angle), out=values[:, 0])
    np.multiply(radius, np.sin(angle), out=values[:, 1])
    return values.reshape(-1)


def normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def check_interval(low: float, high: float, dtype: np.dtype) -> np.ndarray:
    """The two bounds in the dtype; RuntimeError where they are out of order, or they or their distance do not fit."""
    bounds = cast_silently(np.array([low, high, high - low]), dtype)
    if not (low <= high and np.isfinite(bounds).all()):
        raise RuntimeError(f"uniform expects low <= high, both and their distance in {dtype}; got [{low}, {high})")
    return bounds[:2]


def check_spread(std: float) -> None:
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0, got {std}")


def check_positive(name: str, what: str, value: float) -> None:
    if not value > 0:
        raise RuntimeError(f"{name} expects {what} > 0, got {value}")


def warn_of_far_mean(mean: float, std: float, a: float, b: float) -> None:
    if mean < a - 2 * std or mean > b + 2 * std:
        message = f"trunc_normal: mean {mean} is more than 2 std from [{a}, {b}]; the distribution may be incorrect"
        warnings.warn(message, stacklevel=3)


def check_success(p: float) -> None:
    if not 0 < p < 1:
        raise RuntimeError(f"geometric expects p in (0, 1), got {p}")


def check_integer_range(low: int, high: int, dtype: np.dtype) -> None:
    smallest, largest = integer_bounds(dtype)
    if not low < high:
        raise RuntimeError(f"randint expects low < high, got low={low} and high={high}")
    if low < smallest or high > min(largest + 1, 2**63 - 1):
        raise RuntimeError(f"randint: {dtype} holds {smallest} to {largest}, got low={low} and high={high}")


def check_permutation(n: int, dtype: np.dtype) -> None:
    if n < 0:
        raise RuntimeError(f"randperm expects n >= 0, got {n}")
    largest = min(integer_bounds(dtype)[1] + (dtype.name in DIGITS), 2**32 // 20 - 1)
    if dtype.kind == "b" or n > largest:
        raise RuntimeError(f"randperm in {dtype} makes permutations of up to {largest} items, got n={n}")


def check_dropout(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _swap_in_turn(n: int, picks: np.ndarray) -> np.ndarray:
    """0 .. n - 1 after swapping item i with item picks[i] >= i, for i = 0, 1, ... in turn.

    Swaps that share no position commute. So a block of them runs as one indexed assignment, save those that share a
    position with another of the block; these, on average a few dozen, run one by one. (A million items: 24 ms, and
    740 in a loop over all.)
    """
    items, start = np.arange(n), 0
    owner = np.empty(n, np.int64)
    while (left := len(picks) - start) > 2000:
        stop = start + min(left, 6 * math.isqrt(left))
        own, pick = np.arange(start, stop), picks[start:stop]
        owner[pick] = own  # of several swaps that pick one position the last stays its owner
        shared = owner[pick] != own
        shared[owner[pick[shared]] - start] = True
        inside = (pick < stop) & (pick != own)  # picks a position that another swap of the block starts from
        shared[pick[inside] - start] = True
        shared |= inside
        a, b = own[~shared], pick[~shared]
        items[a], items[b] = items[b], items[a]
        for i, j in zip(own[shared].tolist(), pick[shared].tolist(), strict=True):
            items[i], items[j] = items[j], items[i]
        start = stop
    rest = items[start:].tolist()
    for i, j in enumerate((picks[start:] - start).tolist()):
        rest[i], rest[j] = rest[j], rest[i]
    items[start:] = rest
    return items


def check_weights(probs: Any, num_samples: int, replacement: bool) -> None:
    if probs.ndim not in (1, 2):
        raise RuntimeError(f"multinomial expects weights of shape (C,) or (N, C), got {probs.shape}")
    if probs.dtype.name not in DIGITS:
        raise RuntimeError(f"multinomial expects floating-point weights, got {probs.dtype}")
    if num_samples <= 0:
        raise RuntimeError(f"multinomial expects num_samples > 0, got {num_samples}")
    categories = probs.shape[-1]
    if categories == 0 or (num_samples > categories and not replacement):
        raise RuntimeError(f"multinomial cannot draw {num_samples} of {categories} categories without replacement")
    if not bool(((probs >= 0) & (probs < np.inf)).all()):
        raise RuntimeError("multinomial expects weights >= 0 that are finite; some are negative, inf or nan")
    if not bool((probs > 0).any(axis=-1).all()):
        raise RuntimeError("multinomial expects at least one weight > 0 in each row; in some row all are 0")
