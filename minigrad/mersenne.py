"""The source of all random numbers: the words of MT19937, and the state they come from.

MT19937 (Matsumoto and Nishimura, 1998) gives 32-bit words. As in PyTorch it is started with the low 32 bits of the
seed, and a 64-bit word is two of its words, first << 32 | second.
"""

import operator
import os
from typing import Any, Self

import numpy as np

from minigrad import backend

DEFAULT_SEED = 67280421310721  # of a new generator, as in PyTorch
_CHUNK = 1 << 16  # words drawn at a time: they pass through 64-bit integers, which should stay in cache
_STATE = np.dtype(  # PyTorch's layout, so that states can be exchanged
    [
        *[("seed", "<u8"), ("left", "<i4"), ("seeded", "<i4"), ("next", "<u8"), ("words", "<u8", 624), ("x", "<f8")],
        *[("normal", "<f8"), ("rho", "<f8"), ("has_normal", "<i8"), ("float_normal", "<f4"), ("has_float", "<u4")],
    ]
)


class MersenneStream:
    """Words and uniforms with a seed and a state; the base of `Generator`."""

    def __init__(self, device: "str | backend.device" = "cpu"):
        self.device = backend.device(device)
        self.manual_seed(DEFAULT_SEED)

    def manual_seed(self, seed: int) -> Self:
        """Start the stream of `seed`, from -2^63 to 2^64 - 1 (a negative one counts from 2^64). Returns self."""
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise RuntimeError(f"manual_seed expects an integer, got {type(seed).__name__} {seed!r}")
        seed = operator.index(seed)
        if not -(2**63) <= seed < 2**64:
            raise ValueError(f"manual_seed expects a seed from -2^63 to 2^64 - 1, got {seed}")
        self._seed = seed % 2**64
        self._bits: np.random.MT19937 | None = None  # made at the first draw, which is what loads numpy.random
        self._kept_normal: float | None = None
        return self

    def initial_seed(self) -> int:
        """The seed the stream was started with."""
        return self._seed

    def seed(self) -> int:
        """Start a stream with a seed from the operating system, and return that seed."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def get_state(self) -> np.ndarray:
        """The whole state, 5056 bytes in PyTorch's layout: the seed, MT19937's 624 words and its place among them,
        and the second value of a normal pair where one is kept."""
        inner = self._engine().state["state"]
        state = np.zeros((), _STATE)
        state["seed"], state["seeded"], state["words"] = self._seed, 1, inner["key"]
        state["left"], state["next"] = 625 - inner["pos"], inner["pos"]
        state["has_normal"], state["normal"] = self._kept_normal is not None, self._kept_normal or 0.0
        return np.frombuffer(state.tobytes(), np.uint8).copy()

    def set_state(self, state: Any) -> Self:
        """Continue from a state of `get_state`, minigrad's or PyTorch's, given as an array or Tensor of bytes."""
        raw = backend.to_host(getattr(state, "array", state))
        if raw.dtype != np.uint8:
            raise TypeError(f"set_state expects the uint8 values that get_state returns, got {raw.dtype}")
        if raw.shape != (_STATE.itemsize,):
            raise RuntimeError(f"set_state expects {_STATE.itemsize} bytes from get_state, got shape {raw.shape}")
        fields = np.frombuffer(raw.tobytes(), _STATE)[0]
        if not (fields["seeded"] == 1 and 1 <= fields["left"] <= 624):
            raise RuntimeError("set_state was given bytes that are no generator state; pass what get_state returned")
        self.manual_seed(int(fields["seed"]))
        inner: Any = {"key": fields["words"].astype(np.uint32), "pos": 625 - int(fields["left"])}
        self._engine().state = {"bit_generator": "MT19937", "state": inner}
        self._kept_normal = float(fields["normal"]) if fields["has_normal"] else None
        return self

    def clone_state(self) -> Self:
        """A new generator that will draw what this one would."""
        return type(self)(self.device).set_state(self.get_state())

    def _engine(self) -> "np.random.MT19937":
        if self._bits is None:
            self._bits = np.random.MT19937(0)
            np.random.RandomState(self._bits).seed(self._seed % 2**32)
        return self._bits

    def _words(self, n: int) -> np.ndarray:
        words, draw = np.empty(n, np.uint32), self._engine().random_raw
        for start in range(0, n, _CHUNK):
            stop = min(start + _CHUNK, n)
            words[start:stop] = draw(stop - start)
        return words

    def _longs(self, n: int) -> np.ndarray:
        words = self._words(2 * n)
        return (words[0::2].astype(np.uint64) << np.uint64(32)) | words[1::2]

    def _u24(self, n: int) -> np.ndarray:
        return (self._words(n) & np.uint32(2**24 - 1)).astype(np.float32) * np.float32(2**-24)

    def _u53(self, n: int) -> np.ndarray:
        return (self._longs(n) & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53
