"""The random number stream of a GPU: Philox4x32-10, drawn where the numbers are wanted.

The words and what is made of them first (uniforms, normals, dropout's factors) are kernels, defined in
`kernels/philox.py`; the draws here are array code on top. The numbers differ from a CPU's for the same seed, as
PyTorch's do. They are the same for the same seed on every GPU: integers and uniforms to the bit, the rest to rounding.
No draw with numbers for parameters waits for the device; one with an array of probabilities does, to check them.
"""

import math
from typing import Any, Self

import numpy as np

from minigrad import backend, generator as rules
from minigrad.generator import Generator, Shape, count_of
from minigrad.kernels.cuda import graph

_STATE = np.dtype([("seed", "<u8"), ("offset", "<u8")])


class PhiloxGenerator(Generator):
    """What `Generator("cuda")` makes: draws give raw arrays on the GPU. The state is (seed, offset), 16 bytes.

    The offset counts blocks of four words. It is the sum of a number in device memory (`device_state`) and one on the
    host (`skip`): see kernels/philox.py. A captured graph moves on by `begin_replay`.
    """

    _on_device: Any = None  # made at the first draw, which is what loads CuPy

    def __init__(self, device: "str | backend.device" = "cuda"):
        super().__init__(device)

    # ------------------------------------------------------------------ the stream

    def manual_seed(self, seed: int) -> Self:
        """Start the stream of `seed`, from -2^63 to 2^64 - 1 (a negative one counts from 2^64). Returns self."""
        super().manual_seed(seed)
        self._base, self.skip, self._stale = 0, 0, True
        return self

    @property
    def offset(self) -> int:
        """How many blocks of four words have been drawn."""
        return self._base + self.skip

    @property
    def device_state(self) -> Any:
        """(seed, offset at which `skip` was 0) as two uint64 in device memory, always the same memory."""
        if self._stale or self._on_device is None:
            values = backend.backend_for(self.device).to_device(np.array([self._seed, self._base], np.uint64))
            if self._on_device is None:
                self._on_device = values
            else:
                self._on_device[...] = values
            self._stale = False
        return self._on_device

    # ------------------------------------------------------------------ in a CUDA graph (kernels/cuda/graph.py)

    def begin_capture(self) -> tuple[int, int]:
        """Count `skip` from 0 on, as it will be at the start of each replay. RuntimeError before any draw."""
        if self._on_device is None:
            raise RuntimeError("the first draw of a generator uploads its seed, which cannot be captured: draw before")
        before = self._base, self.skip
        self._base, self.skip = self.offset, 0
        self._was_stale, self._stale = self._stale, False
        return before

    def end_capture(self, before: tuple[int, int], undone: bool = False) -> int:
        """Have the graph move the offset on; the blocks that a replay draws. On the host nothing has been drawn."""
        blocks = self.skip
        if not undone:
            self._on_device[1:2] += blocks
        (self._base, self.skip), self._stale = before, self._was_stale
        return blocks

    def begin_replay(self) -> None:
        """See to it that device memory holds the offset, which it does unless something else was drawn or seeded."""
        if self.skip:
            self._base, self.skip, self._stale = self.offset, 0, True
        _ = self.device_state

    def end_replay(self, blocks: int) -> None:
        """The graph has moved the offset in device memory on; so does the host."""
        self._base += blocks

    def get_state(self) -> np.ndarray:
        """The seed and the offset, two little-endian 64-bit integers in 16 bytes."""
        return np.frombuffer(np.array((self._seed, self.offset), _STATE).tobytes(), np.uint8).copy()

    def set_state(self, state: Any) -> Self:
        """Continue from a state of `get_state`, given as an array or Tensor of bytes."""
        raw = backend.to_host(getattr(state, "array", state))
        if raw.dtype != np.uint8:
            raise TypeError(f"set_state expects the uint8 values that get_state returns, got {raw.dtype}")
        if raw.shape != (_STATE.itemsize,):
            raise RuntimeError(
                f"set_state of a cuda generator expects {_STATE.itemsize} bytes from get_state, got shape {raw.shape} "
                "(a CPU generator's state is another)"
            )
        fields = np.frombuffer(raw.tobytes(), _STATE)[0]
        self.manual_seed(int(fields["seed"]))
        self._base = int(fields["offset"])
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "_base": self.offset,
            "skip": 0,
            "_stale": True,
            "_on_device": None,
        }  # device memory stays behind

    def __setstate__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def _drawn(self, kernel: str, words: int, *arguments: Any) -> Any:
        """`kernel(state, skip, ...)`, which uses up that many words."""
        if graph.recording is not None:
            graph.recording.draws_from(self)
        values = getattr(backend.backend_for(self.device).kernels, kernel)(self.device_state, self.skip, *arguments)
        self.skip += (words + 3) // 4
        return values

    def _uniforms(self, shape: Shape, dtype: np.dtype) -> Any:
        """On [0, 1), in float64 for float64, else in float32."""
        n, wide = count_of(shape), np.dtype(rules.wide_type(dtype))
        return self._drawn("philox_uniform", n * wide.itemsize // 4, n, wide.name).reshape(shape)

    def _integers(self, shape: Shape) -> Any:
        n = count_of(shape)
        words = self._drawn("philox_words", 2 * n, 2 * n).reshape((n, 2)).astype("uint64")
        return ((words[:, 0] << 32) | words[:, 1]).reshape(shape)

    @property
    def _xp(self) -> Any:
        return backend.backend_for(self.device).module

    # ------------------------------------------------------------------ continuous draws

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0, dtype: Any = np.float32) -> Any:
        """Uniform on [low, high)."""
        dtype = rules.floating("uniform", dtype)
        first, last = rules.check_interval(low, high, dtype)
        values = self._uniforms(shape, dtype)
        if (low, high) != (0, 1):
            values = values * (high - low) + low
        values = values.astype(dtype, copy=False)
        return self._xp.where(values >= last, dtype.type(first), values)  # rounding may have reached the excluded end

    def normal(
        self, shape: Shape, mean: float = 0.0, std: float = 1.0, dtype: Any = np.float32, contiguous: bool = True
    ) -> Any:
        """Normal with the given mean and standard deviation. `contiguous` makes no difference here."""
        dtype = rules.floating("normal", dtype)
        rules.check_spread(std)
        n, wide = count_of(shape), np.dtype(rules.wide_type(dtype))
        values = self._drawn("philox_normal", (n + 1) // 2 * wide.itemsize // 2, n, wide.name)
        if (mean, std) != (0, 1):
            values = values * std + mean
        return values.astype(dtype, copy=False).reshape(shape)

    def trunc_normal(
        self,
        shape: Shape,
        mean: float = 0.0,
        std: float = 1.0,
        a: float = -2.0,
        b: float = 2.0,
        dtype: Any = np.float32,
    ) -> Any:
        """Normal, kept to [a, b]: the inverse of the distribution function at a uniform between its values at a and b.

        x = mean + std sqrt(2) erfinv(2 u - 1): no drawing again, hence no waiting to see what has to be.
        """
        dtype = rules.floating("trunc_normal", dtype)
        rules.check_positive("trunc_normal", "std", std)
        rules.warn_of_far_mean(mean, std, a, b)
        low, high = rules.normal_cdf((a - mean) / std), rules.normal_cdf((b - mean) / std)
        u = self._uniforms(shape, np.dtype("float64")) * (high - low) + low
        values = backend.kernels_of(u).erfinv(u * 2.0 - 1.0) * (std * math.sqrt(2.0)) + mean
        return self._xp.clip(values, a, b).astype(dtype)

    def exponential(self, shape: Shape, lambd: float = 1.0, dtype: Any = np.float32) -> Any:
        """Density lambd * exp(-lambd * x) on x >= 0."""
        dtype = rules.floating("exponential", dtype)
        rules.check_positive("exponential", "lambd", lambd)
        return (self._xp.log1p(-self._uniforms(shape, dtype)) * (-1.0 / lambd)).astype(dtype)

    def cauchy(self, shape: Shape, median: float = 0.0, sigma: float = 1.0, dtype: Any = np.float32) -> Any:
        """Density 1 / (pi * sigma * (1 + ((x - median) / sigma)^2))."""
        dtype = rules.floating("cauchy", dtype)
        rules.check_positive("cauchy", "sigma", sigma)
        u = self._uniforms(shape, np.dtype("float64"))
        return (self._xp.tan((u - 0.5) * math.pi) * sigma + median).astype(dtype)

    def log_normal(self, shape: Shape, mean: float = 1.0, std: float = 2.0, dtype: Any = np.float32) -> Any:
        """exp of a normal with that mean and standard deviation."""
        dtype = rules.floating("log_normal", dtype)
        rules.check_positive("log_normal", "std", std)
        return self._xp.exp(self.normal(shape, mean, std, rules.wide_type(dtype))).astype(dtype)

    # ------------------------------------------------------------------ discrete draws

    def geometric(self, shape: Shape, p: float, dtype: Any = np.float32) -> Any:
        """The number of trials up to the first success: P(k) = (1 - p)^(k - 1) * p, k = 1, 2, ..."""
        rules.check_success(p)
        waits = self._xp.log1p(-self._uniforms(shape, np.dtype("float64"))) * (1.0 / math.log1p(-p))
        return self._xp.maximum(self._xp.ceil(waits), 1.0).astype(dtype)

    def randint(self, low: int, high: int, shape: Shape, dtype: Any = np.int64) -> Any:
        """Integers from low to high - 1: 64 bits % (high - low), so the likeliest is ahead by (high - low) / 2^64."""
        rules.check_integer_range(low, high, np.dtype(dtype))
        values = self._integers(shape) % np.uint64(high - low) + np.uint64(low % 2**64)  # wraps for low < 0
        return values.view(np.int64).astype(dtype)

    def random(self, shape: Shape, dtype: Any = np.float32) -> Any:
        """Integers from 0 to the largest of the dtype (2^digits for floats), all as likely."""
        dtype = np.dtype(dtype)
        return (self._integers(shape) % np.uint64(rules.integer_bounds(dtype)[1] + 1)).astype(dtype)

    def randperm(self, n: int, dtype: Any = np.int64) -> Any:
        """A permutation of 0 .. n - 1: the order of n random 64-bit keys."""
        rules.check_permutation(n, np.dtype(dtype))
        return self._xp.argsort(self._integers(n)).astype(dtype)

    def bernoulli(self, p: Any, shape: Shape | None = None, dtype: Any = np.float32) -> Any:
        """1 with probability p, a number or an array, else 0. An array is broadcast to `shape` (its own by default)."""
        wide = np.dtype("float64")
        if backend.is_array(p):
            wide = rules.floating("bernoulli", p.dtype)
            p = backend.to_device(p, self.device)
            shape = p.shape if shape is None else shape
        valid = (p >= 0) & (p <= 1)
        if not bool(valid if isinstance(p, (int, float)) else valid.all()):
            raise RuntimeError("bernoulli expects probabilities from 0 to 1, got others")
        return (self._uniforms(() if shape is None else shape, wide) < p).astype(dtype)

    def dropout_mask(self, shape: Shape, p: float, dtype: Any = np.float32) -> Any:
        """What dropout multiplies by: 0 with probability p, else 1 / (1 - p). With p of 0 or 1 nothing is drawn."""
        dtype = rules.floating("dropout", dtype)
        rules.check_dropout(p)
        if p in (0, 1):
            return self._xp.full(shape, 1 - p, dtype)
        n = count_of(shape)
        return self._drawn("philox_keep", n, n, p, dtype).reshape(shape)

    def multinomial(self, probs: Any, num_samples: int, replacement: bool = False) -> Any:
        """Category indices by weights: (C,) -> (num_samples,) or, row by row, (N, C) -> (N, num_samples), int64."""
        probs = backend.to_device(probs, self.device)
        rules.check_weights(probs, num_samples, replacement)
        if not replacement or num_samples == 1:  # a race: category c arrives after an exponential time of rate p_c
            race = self._xp.where(probs > 0, self.exponential(probs.shape, 1.0, "float64") / probs, math.inf)
            if num_samples == 1:
                return race.argmin(axis=-1).reshape((*probs.shape[:-1], 1))
            return self._xp.argsort(race, axis=-1)[..., :num_samples]
        cumulative = probs.astype("float64").cumsum(axis=-1)
        cumulative /= cumulative[..., -1:].copy()
        u = self._uniforms((*probs.shape[:-1], num_samples), np.dtype("float64"))
        found = backend.kernels_of(u).searchsorted(cumulative, u, True)
        return self._xp.minimum(found, probs.shape[-1] - 1).astype("int64")
