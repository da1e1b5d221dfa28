"""Images read at computed places: affine_grid and grid_sample, the two halves of a spatial transformer.

A place is a point (x, y) in [-1, 1]^2, x along the width. With `align_corners` -1 and 1 are the middles of the
outermost entries, without it the outer edges of them. Both functions are differentiable in all they take, to any order.
Source: arXiv:1506.02025.
"""

import functools
import itertools
import math
import warnings
from collections.abc import Sequence

from minigrad import creation, ops
from minigrad.grad_names import named
from minigrad.mixed_precision import full_precision
from minigrad.nn.functional.averages import cubic_weights
from minigrad.tensor import Tensor

# The entries that an output entry reads along one dim: their whole-numbered places, and how much each counts.
Taps = list[tuple[Tensor, Tensor]]


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The places A p + b of an image of `size` (N, C, H, W): theta (N, 2, 3) holds [A | b] -> (N, H, W, 2).

    Also (N, 3, 4) with a size (N, C, D, H, W) -> (N, D, H, W, 3). p runs over the middles of the entries.
    """
    dims = len(size) - 2
    if not theta.dtype.is_floating_point:
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if dims not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. "
            f"Got size {tuple(size)}."
        )
    if theta.array.ndim != 3 or tuple(theta.array.shape[1:]) != (dims, dims + 1):
        raise ValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size {tuple(size)}. "
            f"Got {theta.shape}."
        )
    if theta.array.shape[0] != size[0]:
        raise RuntimeError(f"affine_grid: theta holds {theta.array.shape[0]} matrices for a size {tuple(size)}")
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {tuple(size)}")
    aligned = _aligned(align_corners, 3)
    points = ops.meshgrid(*(_middles(n, aligned, theta) for n in size[2:]), indexing="ij")
    base = ops.stack([*reversed(points), points[0] * 0 + 1], -1).reshape(-1, dims + 1)  # (x, y, 1), row by row
    grid = ops.reshape(ops.matmul_any(base, theta.swapaxes(1, 2)), shape=(*size[:1], *size[2:], dims))
    return named(grid, "AffineGridGeneratorBackward0")


def _middles(n: int, aligned: bool, like: Tensor) -> Tensor:
    """The middles of n entries in a row that fills [-1, 1], or whose first and last middles lie at -1 and 1.

    Rounded as PyTorch rounds them: a transform that starts as the identity reads at the middles, where a last bit
    decides which two entries a place lies between, and with it the derivative.
    """
    if n == 1:
        return creation.zeros(1, dtype=like.dtype, device=like.device)
    line = creation.linspace(-1, 1, n, dtype=like.dtype, device=like.device)
    return line if aligned else line * (n - 1) / n


@full_precision
def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """The image read at the places of a grid: input (N, C, H, W), grid (N, H', W', 2) -> (N, C, H', W').

    Also (N, C, D, H, W) with (N, D', H', W', 3). mode "bilinear" weighs the entries around the place by their distance
    along each dim, "nearest" takes the nearest (of two the even one; no gradient for the grid), "bicubic" (images only)
    four along each dim. Beyond the border "zeros" lie, or the "border" entries go on, or the image is mirrored
    ("reflection") at the outermost middles with `align_corners` and at the edges without. nan reads as a place at the
    first entry where the place is kept inside.
    """
    _check(input, grid, mode, padding_mode)
    aligned, inside = _aligned(align_corners, 4), padding_mode != "zeros"
    lines = []
    for axis, n in enumerate(input.array.shape[2:]):
        place = grid[..., grid.array.shape[-1] - 1 - axis]  # the last number of a place is for the first dim
        place = (place + 1) * ((n - 1) / 2) if aligned else (place + 1) * (n / 2) - 0.5
        if mode == "bicubic":
            taps = [(_kept_inside(at, n, padding_mode, aligned), weight) for at, weight in _four(place)]
        else:
            place = _kept_inside(place, n, padding_mode, aligned)
            taps = _one(place) if mode == "nearest" else _two(place)
        lines.append(taps)
    total = None
    for corner in itertools.product(*lines):
        weight = functools.reduce(ops.mul, (weight for _, weight in corner))  # (N, H', W')
        value = _read(input, [at for at, _ in corner], inside) * weight.unsqueeze(1)
        total = value if total is None else total + value
    assert total is not None
    return named(total, f"GridSampler{len(lines)}DBackward0")


def _one(place: Tensor) -> Taps:
    return [(place.detach().round(), ops.zeros_as(place) + 1)]  # moving the place changes nothing: the derivative is 0


def _two(place: Tensor) -> Taps:
    left = place.detach().floor()
    part = place - left
    return [(left, 1 - part), (left + 1, part)]


def _four(place: Tensor) -> Taps:
    left = place.detach().floor()
    return [(left + k, weight) for k, weight in zip((-1, 0, 1, 2), cubic_weights(place - left), strict=True)]


def _kept_inside(place: Tensor, n: int, padding_mode: str, aligned: bool) -> Tensor:
    """The place of the entry that stands for `place` in a row of n: mirrored, then moved to the border."""
    if padding_mode == "zeros":
        return place
    if padding_mode == "reflection":
        low, span = (0.0, n - 1) if aligned else (-0.5, n)
        if span:
            away = (place - low).abs()
            turns = (away.detach() / span).floor()
            rest = away - turns * span
            place = ops.where((turns % 2 == 0).array, rest, span - rest) + low
        else:
            place = place * 0
    free = ((place > 0) & (place < n - 1)).array  # at the border itself the derivative is 0 already; nan is not free
    return ops.where(free, place, ops.where((place >= n - 1).array, float(n - 1), place.detach() * 0).nan_to_num(0.0))


def _read(input: Tensor, at: list[Tensor], inside: bool) -> Tensor:
    """The entries (N, C, ...) at whole-numbered places (N, ...) of each dim; 0 for places outside."""
    shape = input.array.shape
    flat, seen = None, None
    for place, n in zip(at, shape[2:], strict=True):
        within = (place >= 0) & (place <= n - 1)
        index = ops.where(within.array, place, 0.0).long()
        flat = index if flat is None else flat * n + index
        seen = within if seen is None else seen & within
    assert flat is not None and seen is not None
    columns = ops.reshape(input, shape=(*shape[:2], math.prod(shape[2:])))
    index = flat.reshape(shape[0], 1, math.prod(flat.array.shape[1:])).expand(-1, shape[1], -1)
    values = ops.reshape(ops.gather(columns, 2, index), shape=(*shape[:2], *flat.array.shape[1:]))
    return values if inside else ops.where(seen.unsqueeze(1).array, values, 0.0)


def _aligned(align_corners: bool | None, stacklevel: int) -> bool:
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please "
            "specify align_corners=True if the old behavior is desired. See the documentation of grid_sample for "
            "details.",
            stacklevel=stacklevel,
        )
    return bool(align_corners)


def _check(input: Tensor, grid: Tensor, mode: str, padding_mode: str) -> None:
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    sizes = f"input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
    dims = input.array.ndim - 2
    if input.array.shape[:1] != grid.array.shape[:1]:
        raise RuntimeError(f"grid_sampler(): expected grid and input to have same batch size, but got {sizes}")
    if grid.array.ndim == 0 or grid.array.shape[-1] != dims:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {dims} in last dimension, but got grid with sizes "
            f"{list(grid.shape)}"
        )
    if dims not in (2, 3) or grid.array.ndim != input.array.ndim:
        raise RuntimeError(f"grid_sampler(): expected 4D or 5D input and grid with same number of dimensions: {sizes}")
    if 0 in input.array.shape[2:]:
        raise RuntimeError(
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
            f"{list(input.shape)} with dimension {input.array.shape.index(0, 2)} being empty"
        )
    if mode == "bicubic" and dims != 2:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f"grid_sample is not implemented for {input.dtype}: convert with .float()")
    if input.array.dtype != grid.array.dtype:
        raise RuntimeError(f"grid_sample: expected scalar type {input.dtype} but found {grid.dtype} for the grid")
