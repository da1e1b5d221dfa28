"""Pooling: each window of a line or an image becomes one number, its largest entry or its mean."""

from collections.abc import Sequence
from typing import Any

from minigrad import creation, ops
from minigrad.dtype import int64
from minigrad.grad_names import named
from minigrad.kernels.common_conv import Grid
from minigrad.nn.functional.averages import averages_along
from minigrad.tensor import Tensor

Sizes = int | Sequence[int]

# ---------------------------------------------------------------- windows of one size


def max_pool1d(
    input: Tensor, kernel_size: Sizes, stride: "Sizes | None" = None, padding: Sizes = 0, dilation: Sizes = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest entry of each window along the last dim: (N, C, L) or (C, L) -> (N, C, L').

    L' = floor((L + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1; ceil_mode rounds up, for windows that
    start inside but end outside. Stride is kernel_size unless given. Nothing beyond the border is ever chosen. With
    return_indices also the place of each entry along L. Of equal entries the first takes the gradient; nan is largest.
    """
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor, kernel_size: Sizes, stride: "Sizes | None" = None, padding: Sizes = 0, dilation: Sizes = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """max_pool1d over height and width: (N, C, H, W) or (C, H, W) -> (N, C, H', W'); indices are row * W + column."""
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool1d_with_indices(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """max_pool1d with return_indices."""
    return max_pool1d(*args, **{**kwargs, "return_indices": True})


def max_pool2d_with_indices(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """max_pool2d with return_indices."""
    return max_pool2d(*args, **{**kwargs, "return_indices": True})


def avg_pool1d(
    input: Tensor, kernel_size: Sizes, stride: "Sizes | None" = None, padding: Sizes = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """The mean of each window along the last dim: (N, C, L) or (C, L) -> (N, C, L'), with L' as in max_pool1d.

    Zeros of the padding count as entries unless count_include_pad is False; what ceil_mode adds never does.
    """
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor, kernel_size: Sizes, stride: "Sizes | None" = None, padding: Sizes = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """avg_pool1d over height and width: (N, C, H, W) or (C, H, W); sums are divided by divisor_override if given."""
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def _max_pool(
    dims: int, input: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, indices: bool
) -> Any:
    name = f"max_pool{dims}d"
    _check_dims(name, dims, input)
    grid = _grid(name, dims, input, kernel, stride, padding, dilation, ceil_mode)
    _check_windows(name, grid)
    x = _as_image(input, dims)
    if not indices:
        y = _as_line(_largest(x, grid), dims)
        return y if dims == 2 else named(y, "SqueezeBackward1")
    taps = ops.window_argmax(x, grid=grid)
    y = ops.take_taps(x, taps=taps.array, grid=grid)
    return _as_line(y, dims), _as_line(ops.tap_positions(taps, grid=grid).detach(), dims)


def _largest(x: Tensor, grid: Grid) -> Tensor:
    """The kernel takes floating entries, and numbers the taps of a window in a byte."""
    fits = x.dtype.is_floating_point and grid.kernel[0] * grid.kernel[1] <= 256
    return ops.max_pool2d(x, grid=grid) if fits else ops.max_pool2d_reference(x, grid=grid)


def _avg_pool(
    dims: int, input: Tensor, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, with_pad: bool,
    divisor: int | None,
) -> Tensor:  # fmt: skip
    name = f"avg_pool{dims}d"
    _check_dims(name, dims, input)
    if input.array.dtype == "int64":  # the one integer type that PyTorch takes; a mean is cut towards zero
        mean = _avg_pool(dims, input.double(), kernel, stride, padding, ceil_mode, with_pad, divisor)
        return mean.to(input.dtype)
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype}: convert the tensor with .float()')
    grid = _grid(name, dims, input, kernel, stride, padding, 1, ceil_mode)
    if divisor is not None and divisor == 0:
        raise RuntimeError("divisor must be not zero")
    sums = ops.window_sums(_as_image(input, dims), grid=grid)
    y = _as_line(sums / (divisor if divisor is not None else _counts(grid, with_pad, sums)), dims)
    return named(y, "AvgPool2DBackward0" if dims == 2 else "SqueezeBackward1")


def _counts(grid: Grid, with_pad: bool, like: Tensor) -> Any:
    """The number of entries of each window: one number, or a tensor (H', W') where it varies."""
    counts = []
    for k, s, (before, after), n, out in zip(grid.kernel, grid.stride, grid.padding, grid.size, grid.out, strict=True):
        low, high = (-before, n + after) if with_pad else (0, n)
        counts.append([min(i * s - before + k, high) - max(i * s - before, low) for i in range(out)])
    if all(min(c) == max(c) for c in counts if c):
        return (counts[0] or [1])[0] * (counts[1] or [1])[0]
    rows, columns = (like.new_tensor(c) for c in counts)
    return rows.reshape(-1, 1) * columns


def _as_image(x: Tensor, dims: int) -> Tensor:
    return x if dims == 2 else ops.reshape(x, shape=(*x.array.shape[:-1], 1, x.array.shape[-1]))


def _as_line(y: Tensor, dims: int) -> Tensor:
    return y if dims == 2 else ops.reshape(y, shape=(*y.array.shape[:-2], y.array.shape[-1]))


# ---------------------------------------------------------------- windows that divide the input


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """(N, C, L) or (C, L) -> (N, C, output_size): entry i is the mean of x[floor(i L / o) : ceil((i + 1) L / o)]."""
    return _adaptive_avg_pool(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """adaptive_avg_pool1d over height and width; None in output_size keeps the size of that dim."""
    return _adaptive_avg_pool(2, input, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """adaptive_avg_pool1d with the largest entry of each window in place of its mean."""
    return _adaptive_max_pool(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """adaptive_avg_pool2d with the largest entry of each window in place of its mean."""
    return _adaptive_max_pool(2, input, output_size, return_indices)


def _adaptive_avg_pool(dims: int, input: Tensor, output_size: Any) -> Tensor:
    name = f"adaptive_avg_pool{dims}d"
    out = _output_size(name, dims, input, output_size)
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype}: convert the tensor with .float()')
    if (grid := _even_grid(dims, input, out)) is not None:
        sums = ops.window_sums(_as_image(input, dims), grid=grid)
        y = _as_line(sums / (grid.kernel[0] * grid.kernel[1]), dims)
        return named(y, _printed_mean(dims, out))
    for dim, n in zip(range(-dims, 0), out, strict=True):
        input = averages_along(input, dim, n)
    return named(input, _printed_mean(dims, out))


def _printed_mean(dims: int, out: tuple[int, ...]) -> str:
    if dims == 1:
        return "SqueezeBackward1"
    return "MeanBackward1" if out == (1, 1) else "AdaptiveAvgPool2DBackward0"


def _adaptive_max_pool(dims: int, input: Tensor, output_size: Any, return_indices: bool) -> Any:
    out = _output_size(f"adaptive_max_pool{dims}d", dims, input, output_size)
    x = _as_image(input, dims)
    if (grid := _even_grid(dims, input, out)) is not None:
        taps = ops.window_argmax(x, grid=grid)
        y = _largest(x, grid)
        places = ops.tap_positions(taps, grid=grid) if return_indices else None
    else:
        y, places = _max_of_uneven(x, out if dims == 2 else (1, *out))
        places = places if return_indices else None
    y = named(_as_line(y, dims), "AdaptiveMaxPool2DBackward0" if dims == 2 else "SqueezeBackward1")
    return y if places is None else (y, _as_line(places, dims))


def _even_grid(dims: int, input: Tensor, out: tuple[int, ...]) -> Grid | None:
    """Windows of one size where the output divides the input."""
    size = tuple(input.array.shape[-dims:])
    if any(o == 0 or n % o for n, o in zip(size, out, strict=True)):
        return None
    kernel = tuple(n // o for n, o in zip(size, out, strict=True))
    if dims == 1:
        size, out, kernel = (1, *size), (1, *out), (1, *kernel)
    return Grid(kernel, kernel, ((0, 0), (0, 0)), (1, 1), size, out)  # type: ignore[arg-type]


def _max_of_uneven(x: Tensor, out: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Every window as a list of places in the flattened image, all as long as the longest: its last place is
    repeated.
    """
    height, width = x.array.shape[-2:]
    lists = []
    for n, o in zip((height, width), out, strict=True):
        bounds = [(i * n // o, -(-(i + 1) * n // o)) for i in range(o)]
        longest = max((stop - start for start, stop in bounds), default=1)
        lists.append([[min(start + t, stop - 1) for t in range(longest)] for start, stop in bounds])
    taps = [
        [[r * width + c for r in rows for c in columns] for columns in lists[1]] for rows in lists[0]
    ]  # (H', W', window)
    places = creation.tensor(taps, dtype=int64, device=x.device).reshape(-1, *_window_shape(lists))
    flat = ops.reshape(x, shape=(*x.array.shape[:-2], height * width))
    seen = ops.getitem(flat.detach(), index=(Ellipsis, places.array))  # (..., H', W', window)
    best = seen.argmax(-1, keepdim=True)
    found = places.expand(seen.array.shape).gather(-1, best).squeeze(-1)
    chosen = ops.along_axis(flat, indices=found.array.reshape((*flat.array.shape[:-1], -1)), axis=flat.array.ndim - 1)
    return ops.reshape(chosen, shape=found.array.shape), found


def _window_shape(lists: list) -> tuple[int, int]:
    return len(lists[1]), len((lists[0] or [[]])[0]) * len((lists[1] or [[]])[0])


# ---------------------------------------------------------------- checks


def _check_dims(name: str, dims: int, input: Tensor) -> None:
    shape = list(input.shape)
    if len(shape) not in (dims + 1, dims + 2) or 0 in shape[-dims - 1 :]:
        raise RuntimeError(
            f"{name}: Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with optional 0 dim batch size for "
            "input, "
            f"but got:{shape}"
        )


def _pair(name: str, what: str, value: Any, dims: int) -> tuple[int, ...]:
    given = (value,) if isinstance(value, int) else tuple(value)
    if len(given) not in (1, dims):
        one = "a tuple of two ints" if dims == 2 else "a tuple of one int"
        raise RuntimeError(f"{name}: {what} must either be a single int, or {one}, got {value}")
    return given if len(given) == dims else given * dims


def _grid(
    name: str, dims: int, input: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Grid:
    """Where the windows lie; a line is an image of height 1."""
    kernel = _pair(name, "kernel_size", kernel, dims)
    stride = kernel if stride is None or stride == [] else _pair(name, "stride", stride, dims)
    padding, dilation = _pair(name, "padding", padding, dims), _pair(name, "dilation", dilation, dims)
    size, out = tuple(input.array.shape[-dims:]), []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        if s < 1:
            raise RuntimeError(f"{name}: stride should not be zero, but got {stride}")
        if k < 1 or d < 1:
            raise RuntimeError(
                f"{name}: kernel size and dilation should be greater than zero, but got kernel_size={kernel} and "
                f"dilation={dilation}"
            )
        if not 0 <= p <= (d * (k - 1) + 1) // 2:
            raise RuntimeError(
                f"{name}: pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and "
                f"dilation={d}"
            )
        span = n + 2 * p - d * (k - 1) - 1
        count = (-(-span // s) if ceil_mode else span // s) + 1
        if ceil_mode and (count - 1) * s >= n + p:  # the last window must start inside, or in the padding before
            count -= 1
        out.append(count)
    if min(out) < 1:
        lead = "x".join(str(n) for n in input.array.shape[-dims - 1 :])
        raise RuntimeError(
            f"{name}: Given input size: ({lead}). Calculated output size: "
            f"({'x'.join(str(n) for n in (input.array.shape[-dims - 1], *out))}). Output size is too small"
        )
    if dims == 1:
        kernel, stride, padding, dilation = (1, *kernel), (1, *stride), (0, *padding), (1, *dilation)
        size, out = (1, *size), [1, *out]
    pairs = tuple((p, p) for p in padding)
    return Grid(kernel, stride, pairs, dilation, size, tuple(out))  # type: ignore[arg-type]


def _check_windows(name: str, grid: Grid) -> None:
    """RuntimeError where dilation takes a window over the input without any entry of it."""
    for n, k, s, (p, _), d, out in zip(
        grid.size, grid.kernel, grid.stride, grid.padding, grid.dilation, grid.out, strict=True
    ):
        starts = (i * s - p for i in range(out))
        if n < d and any(all(not 0 <= start + t * d < n for t in range(k)) for start in starts):
            raise RuntimeError(
                f"{name}: a window of kernel_size={k}, dilation={d} and padding={p} sees nothing of an input of size "
                f"{n}: "
                "make dilation or padding smaller"
            )


def _output_size(name: str, dims: int, input: Tensor, output_size: Any) -> tuple[int, ...]:
    shape = list(input.shape)
    if isinstance(output_size, (tuple, list)) and len(output_size) >= len(shape):
        raise ValueError(f"{name}: Input dimension should be at least {len(output_size) + 1}, got shape {shape}")
    if len(shape) not in (dims + 1, dims + 2):
        raise RuntimeError(f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got {shape}")
    for dim, n in list(enumerate(shape))[-dims - 1 :]:
        if n == 0:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes {shape} "
                f"with dimension {dim} being empty"
            )
    given = (output_size,) * dims if isinstance(output_size, int) or output_size is None else tuple(output_size)
    if len(given) != dims:
        raise RuntimeError(f"{name}: output_size must be {dims}, got {len(given)} numbers")
    out = tuple(n if o is None else int(o) for n, o in zip(shape[-dims:], given, strict=True))
    if min(out) < 0:
        raise RuntimeError(f"{name}: elements of output_size must be greater than or equal to 0 but received {given}")
    return out
