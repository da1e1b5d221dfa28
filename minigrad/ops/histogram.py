"""Histograms: how many entries fall between edges. They have no gradient."""

import math
from typing import Any

from minigrad.backend import kernels_of
from minigrad.op import op
from minigrad.ops.batching import example_by_example
from minigrad.return_types import RETURN_TYPES
from minigrad.tensor import Tensor


@op
def histogram_counts(x, edges, weights):
    """The number of x (or the sum of their weights) in each [edges_i, edges_i+1), the last closed on both sides."""
    k = kernels_of(x)
    counts = k.histogram_counts(x.reshape(-1), edges, None if weights is None else weights.reshape(-1))
    return counts.astype(x.dtype)


@example_by_example
def histogram(
    x: Tensor, bins: Any, *, range: tuple[float, float] | None = None, weight: Tensor | None = None,
    density: bool = False,
) -> Any:  # fmt: skip
    """(hist, bin_edges): counts between `bins` + 1 even edges from the smallest to the largest entry (or over `range`),
    or between the edges that a tensor `bins` lists. `density`: divided so that the integral is 1.
    """
    _floating("histogram", x)
    if isinstance(bins, Tensor):
        edges = _checked_edges(x, bins)
    else:
        edges = _even_edges("histogram", x, bins, range, margin=0.5)
    if weight is not None and (weight.dtype is not x.dtype or weight.shape != x.shape):
        raise RuntimeError(
            f"histogram: weight should have the shape and dtype of the input, {list(x.shape)} and {x.dtype}, got "
            f"{list(weight.shape)} and {weight.dtype}"
        )
    hist = histogram_counts(x.detach(), edges, None if weight is None else weight.detach())
    if density:
        hist = hist / hist.sum() / (edges[1:] - edges[:-1])
    return RETURN_TYPES["histogram"](hist, edges)


@example_by_example
def histc(x: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Counts in `bins` even intervals from min to max; from the smallest to the largest entry where these are equal."""
    _floating("histc", x)
    edges = _even_edges("histc", x, bins, None if min == max else (min, max), margin=1.0)
    return histogram_counts(x.detach(), edges, None)


def _floating(name: str, x: Tensor) -> None:
    if not x.dtype.is_floating_point:
        raise NotImplementedError(f'"{name}" not implemented for {x.dtype}: convert the tensor with .float()')


def _checked_edges(x: Tensor, edges: Tensor) -> Tensor:
    if edges.array.ndim != 1:
        raise RuntimeError(f"histogram: bins tensor should have one dimension, but got {edges.array.ndim} dimensions")
    if edges.array.size < 2:
        raise RuntimeError(f"histogram: bins must be > 0, but got {edges.array.size - 1}: two edges make one bin")
    if edges.dtype is not x.dtype:
        raise RuntimeError(
            f"histogram: input tensor and bins tensor should have the same dtype, but got {x.dtype} and {edges.dtype}"
        )
    return edges.detach()


def _even_edges(name: str, x: Tensor, bins: Any, limits: Any, margin: float) -> Tensor:
    """Edges from limits[0] to limits[1]; where both are equal, `margin` to either side."""
    from minigrad.creation import linspace

    if isinstance(bins, bool) or not isinstance(bins, int):
        raise TypeError(f"{name}: bins must be a number of bins or a Tensor of edges, got {bins!r}")
    if bins <= 0:
        raise RuntimeError(f"{name}: bins must be > 0, but got {bins}")
    if limits is None:
        limits = (float(x.detach().amin()), float(x.detach().amax())) if x.array.size else (0.0, 1.0)
    low, high = limits
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"{name}: range [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError(f"{name}: max must be larger than min, but got min {low} max {high}")
    if low == high:
        low, high = low - margin, high + margin
    return linspace(low, high, bins + 1, dtype=x.dtype, device=x.device)
