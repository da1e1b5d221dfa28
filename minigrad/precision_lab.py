"""What a smaller number format would do to a model: every op's result rounded to it, on the CPU, and what was lost.

    with precision_lab.emulate("float16") as lab:
        loss = model(x)
        loss.backward()
    print(lab.report())

Sums inside an op keep the dtype of the tensors, as they do on hardware that accumulates in float32; only what an op
gives back is rounded. Parameters are not: they are the master weights of Micikevicius et al., "Mixed precision
training" (2018), whose Figure 3, gradients that round to zero, is what `report` shows. Formats: IEEE 754-2019
(float16), bfloat16, and the 8-bit ones of Micikevicius et al., "FP8 formats for deep learning" (2022).
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigrad.autograd import Node
from minigrad.backend import is_wrapped, same_memory
from minigrad.op import FusedOp, Op
from minigrad.tensor import Tensor


@dataclass(frozen=True)
class Format:
    """`digits` binary digits after the point, down to exponent `lowest` (smaller numbers lose digits), up to `largest`.

    What rounds to more than `largest` becomes inf, or nan in a format that has no inf.
    """

    name: str
    digits: int
    lowest: int
    largest: float
    has_inf: bool = True

    @property
    def smallest(self) -> float:
        """The smallest positive number; half of it and less rounds to zero."""
        return 2.0 ** (self.lowest - self.digits)


FORMATS = {
    f.name: f
    for f in (
        Format("float32", 23, -126, (2 - 2.0**-23) * 2.0**127),
        Format("bfloat16", 7, -126, (2 - 2.0**-7) * 2.0**127),
        Format("float16", 10, -14, 65504.0),
        Format("float8_e5m2", 2, -14, 57344.0),
        Format("float8_e4m3fn", 3, -6, 448.0, has_inf=False),
    )
}


def round_to(x: np.ndarray, format: str) -> np.ndarray:
    """`x`, a float32 or float64 array, rounded to the nearest numbers of a format (ties to even), in its own dtype.

    With e the exponent of x, not below the format's lowest, the numbers near x are the multiples of 2^(e - digits).
    ValueError for an unknown format.
    """
    target = _format(format)
    wide = np.asarray(x).astype(np.float64)
    _, exponent = np.frexp(wide)  # |x| in [2^(exponent - 1), 2^exponent)
    step = np.maximum(exponent - 1, target.lowest) - target.digits
    rounded = np.ldexp(np.rint(np.ldexp(wide, -step)), step)
    beyond = np.copysign(np.inf, rounded) if target.has_inf else np.nan
    rounded = np.where(np.abs(rounded) > target.largest, beyond, rounded)
    return rounded.astype(np.asarray(x).dtype)


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise ValueError(f"no number format {name!r}; there are {', '.join(FORMATS)}")
    return FORMATS[name]


@dataclass
class Losses:
    """What rounding did to the results of one op: counts of entries, and the range of their sizes before it."""

    entries: int = 0  # not zero before rounding
    underflows: int = 0  # zero after it
    overflows: int = 0  # finite before it, and not after
    smallest: float = math.inf
    largest: float = 0.0

    def add(self, before: np.ndarray, after: np.ndarray) -> None:
        size = np.abs(before[np.isfinite(before) & (before != 0)])
        self.entries += size.size
        self.underflows += int(((before != 0) & (after == 0)).sum())
        self.overflows += int((np.isfinite(before) & ~np.isfinite(after)).sum())
        if size.size:
            self.smallest, self.largest = min(self.smallest, float(size.min())), max(self.largest, float(size.max()))


@dataclass
class Lab:
    """What `emulate` found: `forward` and `backward` by the name of the op, in the order in which they first ran."""

    format: Format
    forward: dict[str, Losses] = field(default_factory=dict)
    backward: dict[str, Losses] = field(default_factory=dict)

    def rounded(self, x: Any, where: dict[str, Losses], name: str) -> Any:
        if type(x) is not np.ndarray or x.dtype not in (np.float32, np.float64):
            return x
        y = round_to(x, self.format.name)
        where.setdefault(name, Losses()).add(x, y)
        return y

    def suggested_scale(self) -> float:
        """The largest power of two that a loss may be multiplied by before some gradient overflows; 1 without any."""
        largest = max((losses.largest for losses in self.backward.values()), default=0.0)
        return 2.0 ** math.floor(math.log2(self.format.largest / largest)) if largest else 1.0

    def report(self) -> str:
        """A table, forward and backward, with a line for each op; and the scale of the loss that there is room for."""
        lines = [f"{self.format.name}: {self.format.smallest:.1e} to {self.format.largest:.1e}"]
        for title, losses in (("forward", self.forward), ("gradients", self.backward)):
            lines.append(f"{title:20} {'entries':>10} {'to zero':>9} {'overflow':>9} {'smallest':>10} {'largest':>10}")
            for name, found in losses.items():
                share = f"{found.underflows / max(found.entries, 1):.2%}"
                sizes = f"{found.smallest:>10.1e} {found.largest:>10.1e}"
                lines.append(f"  {name:18} {found.entries:>10} {share:>9} {found.overflows:>9} {sizes}")
        lines.append(f"a loss times {self.suggested_scale():g} would leave every gradient finite")
        return "\n".join(lines)


_METHODS = ((Op, "__call__"), (FusedOp, "__call__"), (Op, "vjp_on_arrays"), (FusedOp, "vjp_on_arrays"))


class emulate:
    """A block in which the result of every op, and every gradient, is rounded to `format`; gives a `Lab`.

    CPU tensors of float32 and float64 only; others pass as they are. RuntimeError for one block inside another.
    """

    _running = False

    def __init__(self, format: str):
        self.lab = Lab(_format(format))
        self._former: list[Any] = []

    def __enter__(self) -> Lab:
        if emulate._running:
            raise RuntimeError("precision_lab.emulate is running already: one format at a time")
        emulate._running = True
        self._former = [kind.__dict__[name] for kind, name in _METHODS]
        for (kind, name), method in zip(_METHODS, self._former, strict=True):
            setattr(kind, name, self._call(method) if name == "__call__" else self._vjp(method))
        return self.lab

    def __exit__(self, *_: object) -> None:
        for (kind, name), method in zip(_METHODS, self._former, strict=True):
            setattr(kind, name, method)
        emulate._running = False

    def _call(self, call: Any) -> Any:
        lab = self.lab

        def rounding(op: Op, *inputs: Any, **params: Any) -> Any:
            out = call(op, *inputs, **params)
            y = out[0] if type(out) is tuple else out
            array = y.array if isinstance(y, Tensor) else y
            given = [x.array if isinstance(x, Tensor) else x for x in inputs]
            if type(array) is not np.ndarray or any(_may_share(array, x) for x in given) or not array.flags.writeable:
                return out  # a view, or an input handed on or spread: what it shows is rounded already, or a parameter
            if array.dtype in (np.float32, np.float64):  # in place, since the graph may keep this array
                array[...] = lab.rounded(array, lab.forward, op.name)
            return out

        return rounding

    def _vjp(self, vjp: Any) -> Any:
        lab = self.lab

        def rounding(op: Op, node: Node, parents: Any, dy: Any) -> Any:
            gradients = vjp(op, node, parents, dy)
            return tuple(g if g is dy else lab.rounded(g, lab.backward, op.name) for g in gradients)

        return rounding


def _may_share(array: np.ndarray, x: Any) -> bool:
    return type(x) is np.ndarray and not is_wrapped(x) and same_memory(array, x)
