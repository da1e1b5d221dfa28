"""The table of ops, images and lines: convolution, pooling, norms of channels, resizing, patches.

The oracles go through the output place by place, as the definitions do.
"""

import itertools
import math
from typing import Any

import numpy as np
from case import Case
from makers import apart

from minigrad import ops
from minigrad.kernels.common_conv import Grid
from minigrad.nn import functional as F
from minigrad.tensor import from_raw


def two(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def places(*counts: int) -> Any:
    return itertools.product(*(range(n) for n in counts))


# ---------------------------------------------------------------- convolution


def conv2d(x: Any, w: Any, b: Any = 0.0, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    (kh, kw), (sh, sw), (dh, dw) = w.shape[2:], two(stride), two(dilation)
    if padding == "same":
        total = dh * (kh - 1), dw * (kw - 1)
        pairs = [(t // 2, t - t // 2) for t in total]
    else:
        pairs = [(p, p) for p in two(0 if padding == "valid" else padding)]
    x = np.pad(x, [(0, 0), (0, 0), *pairs])
    height = (x.shape[2] - dh * (kh - 1) - 1) // sh + 1
    width = (x.shape[3] - dw * (kw - 1) - 1) // sw + 1
    y = np.zeros((x.shape[0], w.shape[0], height, width))
    outs, ins = w.shape[0] // groups, w.shape[1]
    for o, i, j in places(*y.shape[1:]):
        group = o // outs
        rows, columns = i * sh + dh * np.arange(kh), j * sw + dw * np.arange(kw)
        seen = x[:, group * ins : (group + 1) * ins][:, :, rows[:, None], columns]
        y[:, o, i, j] = (seen * w[o]).sum(axis=(1, 2, 3))
    return y + np.reshape(b, (-1, 1, 1))


def conv1d(x: Any, w: Any, b: Any = 0.0, stride: int = 1, padding: Any = 0, dilation: int = 1, groups: int = 1) -> Any:
    padding = padding if isinstance(padding, str) else (0, padding)
    lines = x if x.ndim == 3 else x[None]
    y = conv2d(lines[:, :, None], w[:, :, None], b, (1, stride), padding, (1, dilation), groups)[:, :, 0]
    return y if x.ndim == 3 else y[0]


def conv_transpose2d(
    x: Any, w: Any, b: Any = 0.0, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1,
    dilation: Any = 1,
) -> Any:  # fmt: skip
    (sh, sw), (ph, pw), (dh, dw), extra = two(stride), two(padding), two(dilation), two(output_padding)
    kh, kw = w.shape[2:]
    height = (x.shape[2] - 1) * sh + dh * (kh - 1) + 1 + extra[0]
    width = (x.shape[3] - 1) * sw + dw * (kw - 1) + 1 + extra[1]
    ins, outs = x.shape[1] // groups, w.shape[1]
    y = np.zeros((x.shape[0], outs * groups, height, width))
    for c, i, j in places(*x.shape[1:]):
        group = c // ins
        rows, columns = i * sh + dh * np.arange(kh), j * sw + dw * np.arange(kw)
        for o in range(outs):
            y[:, group * outs + o, rows[:, None], columns] += x[:, c, i, j, None, None] * w[c, o]
    return y[:, :, ph : height - ph, pw : width - pw] + np.reshape(b, (-1, 1, 1))


def conv_transpose1d(x: Any, w: Any, b: Any, stride: int = 1, padding: int = 0, output_padding: int = 0) -> Any:
    y = conv_transpose2d(x[:, :, None], w[:, :, None], b, (1, stride), (0, padding), (0, output_padding))
    return y[:, :, 0]


def conv_cases(name: str, oracle: Any, *rows: tuple) -> list[Case]:
    function = getattr(F, name)
    return [
        Case(f"nn.functional.{name}", function, inputs, params, oracle=oracle, note=note)
        for note, inputs, params in rows
    ]


GEOMETRY = {"stride": (1, 1), "padding": ((1, 0), (1, 1)), "dilation": (1, 1), "groups": 1}
IMAGE, KERNEL = (2, 3, 4, 5), (2, 3, 3, 2)
CONV = [
    *conv_cases("conv2d", conv2d, ("plain", (IMAGE, KERNEL), {}),
                ("bias, padding", (IMAGE, KERNEL, (2,)), {"padding": 1}),
                ("stride", ((1, 2, 5, 4), (3, 2, 3, 2), (3,)), {"stride": (2, 1), "padding": (1, 0)}),
                ("strides, dilation", ((2, 2, 6, 7), (2, 2, 2, 3)), {"stride": 2, "padding": 1, "dilation": (2, 1)}),
                ("groups", ((2, 4, 4, 3), (6, 2, 2, 2), (6,)), {"groups": 2, "padding": 1}),
                ("depthwise", ((1, 3, 4, 4), (3, 1, 3, 3)), {"groups": 3, "stride": 2, "padding": 1}),
                ("same", ((2, 2, 4, 3), (2, 2, 2, 3)), {"padding": "same"}),
                ("valid, dilation", ((1, 1, 5, 4), (1, 1, 2, 2)), {"padding": "valid", "dilation": 2}),
                ("one pixel", ((2, 3, 3, 2), (4, 3, 1, 1), (4,)), {}),
                ("one pixel, stride", ((2, 3, 5, 4), (4, 3, 1, 1)), {"stride": 3}),
                ("no images", ((0, 3, 4, 5), KERNEL, (2,)), {})),
    *conv_cases("conv1d", conv1d, ("bias", ((2, 3, 6), (4, 3, 2), (4,)), {}),
                ("stride, dilation", ((2, 2, 9), (3, 2, 3)), {"stride": 2, "padding": 2, "dilation": 2}),
                ("same, groups", ((1, 4, 5), (4, 2, 4), (4,)), {"padding": "same", "groups": 2}),
                ("no batch", ((3, 6), (2, 3, 3), (2,)), {"padding": 1})),
    *conv_cases("conv_transpose2d", conv_transpose2d, ("bias", ((2, 3, 3, 2), (3, 2, 3, 2), (2,)), {}),
                ("stride", ((1, 2, 3, 2), (2, 2, 3, 3), (2,)), {"stride": 2, "padding": 1, "output_padding": 1}),
                ("groups", ((2, 4, 2, 3), (4, 1, 2, 2), (2,)), {"groups": 2, "stride": (1, 2)}),
                ("dilation", ((1, 2, 3, 3), (2, 1, 2, 3)), {"dilation": (2, 1), "padding": 1}),
                ("an output padding beyond the stride", ((1, 2, 3, 2), (2, 1, 2, 2)),
                 {"dilation": 2, "output_padding": 1})),
    *conv_cases("conv_transpose1d", conv_transpose1d,
                ("stride", ((2, 3, 4), (3, 2, 3), (2,)), {"stride": 3, "padding": 1, "output_padding": 2})),
    Case("conv2d_weight", ops.conv2d_weight, ((2, 3, 4, 5), (2, 2, 3, 6)), {"kernel": (3, 2), **GEOMETRY},
         oracle=lambda x, g, kernel, stride, padding, dilation, groups: np.moveaxis(conv2d(
             np.pad(x, [(0, 0), (0, 0), *padding]).swapaxes(0, 1), g.swapaxes(0, 1)), 0, 1)),
]  # fmt: skip


# ---------------------------------------------------------------- patches


def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    kh, kw = two(kernel_size)
    channels = x.shape[1]
    taps = np.eye(channels * kh * kw).reshape(-1, channels, kh, kw)  # each reads one entry of a patch
    y = conv2d(x, taps, 0.0, stride, padding, dilation)
    return y.reshape(*y.shape[:2], -1)


def fold(x: Any, output_size: Any, kernel_size: Any, padding: Any = 0, stride: Any = 1) -> Any:
    height, width = output_size
    numbered = 1 + np.arange(height * width).reshape(1, 1, height, width)
    (seen,) = unfold(numbered, kernel_size, 1, padding, stride).astype(int)  # 0 in the padding
    patches = x.reshape(x.shape[0], -1, *seen.shape)
    y = np.zeros((*patches.shape[:2], height * width + 1))
    for tap, place in places(*seen.shape):
        y[:, :, seen[tap, place]] += patches[:, :, tap, place]
    return y[:, :, 1:].reshape(*y.shape[:2], height, width)


PATCHES = [
    Case("nn.functional.unfold", F.unfold, ((2, 2, 4, 3),), {"kernel_size": 2}, oracle=unfold, note="plain"),
    Case("nn.functional.unfold", F.unfold, ((1, 2, 5, 6),), {"kernel_size": (2, 3), "dilation": (2, 1), "padding": 1,
         "stride": 2}, oracle=unfold, note="strides, dilation"),
    Case("nn.functional.fold", F.fold, ((2, 8, 6),), {"output_size": (4, 3), "kernel_size": 2}, oracle=fold,
         note="plain"),
    Case("nn.functional.fold", F.fold, ((1, 12, 6),), {"output_size": (5, 6), "kernel_size": (2, 3), "padding": (0, 1),
         "stride": 2}, oracle=fold, note="strides"),
]  # fmt: skip


# ---------------------------------------------------------------- pooling


def windows(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    """(place, the positions in the flattened image that the window sees, how many more lie in the padding)."""
    (kh, kw), (sh, sw), (dh, dw), (ph, pw) = two(kernel), two(stride or kernel), two(dilation), two(padding)
    counts = []
    for n, k, s, d, p in zip(x.shape[-2:], (kh, kw), (sh, sw), (dh, dw), (ph, pw), strict=True):
        count = (n + 2 * p - d * (k - 1) - 1) / s
        count = math.ceil(count) if ceil_mode else math.floor(count)
        counts.append(count + 1 if count * s < n + p else count)  # no window starts beyond the input
    height, width = x.shape[-2:]
    found = {}
    for i, j in places(*counts):
        rows = [i * sh - ph + dh * t for t in range(kh)]
        columns = [j * sw - pw + dw * t for t in range(kw)]
        seen = [r * width + c for r in rows for c in columns if 0 <= r < height and 0 <= c < width]
        padded = [1 for r in rows for c in columns if r < height + ph and c < width + pw]
        found[i, j] = seen, len(padded)
    return tuple(counts), found


def max_pool2d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    counts, found = windows(x, kernel_size, stride, padding, dilation, ceil_mode)
    flat = x.reshape(*x.shape[:-2], math.prod(x.shape[-2:]))
    indices = np.zeros((*x.shape[:-2], *counts), int)
    for (i, j), (seen, _) in found.items():
        indices[..., i, j] = np.array(seen)[flat[..., seen].argmax(-1)]
    y = np.take_along_axis(flat, indices.reshape(*x.shape[:-2], math.prod(counts)), -1).reshape(indices.shape)
    return (y, indices) if return_indices else y


def avg_pool2d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: Any = None,
) -> Any:  # fmt: skip
    counts, found = windows(x, kernel_size, stride, padding, 1, ceil_mode)
    flat = x.reshape(*x.shape[:-2], -1)
    y = np.zeros((*x.shape[:-2], *counts))
    for (i, j), (seen, padded) in found.items():
        y[..., i, j] = flat[..., seen].sum(-1) / (divisor_override or (padded if count_include_pad else len(seen)))
    return y


def on_lines(oracle: Any) -> Any:
    """The same of lines: images of height 1."""

    def call(x: Any, kernel_size: int, stride: Any = None, padding: int = 0, dilation: int = 1, **params: Any) -> Any:
        if dilation != 1:
            params["dilation"] = (1, dilation)
        y = oracle(x[..., None, :], (1, kernel_size), (1, stride or kernel_size), (0, padding), **params)
        return tuple(part[..., 0, :] for part in y) if isinstance(y, tuple) else y[..., 0, :]

    return call


def adaptive(choose: Any) -> Any:
    def call(x: Any, output_size: Any, return_indices: bool = False) -> Any:
        sizes = [n if o is None else o for n, o in zip(x.shape[-2:], two(output_size), strict=True)]
        y = np.zeros((*x.shape[:-2], *sizes))
        for i, j in places(*sizes):
            bounds = [
                (k * n // o, math.ceil((k + 1) * n / o)) for k, n, o in zip((i, j), x.shape[-2:], sizes, strict=True)
            ]
            y[..., i, j] = choose(x[..., slice(*bounds[0]), slice(*bounds[1])])
        flat = x.reshape(*x.shape[:-2], 1, 1, -1)
        return (y, (flat == y[..., None]).argmax(-1)) if return_indices else y

    return call


def pool_cases(name: str, oracle: Any, shape: tuple, *rows: dict) -> list[Case]:
    return [
        Case(f"nn.functional.{name}", getattr(F, name), (apart(row.get("shape", shape)),),
             {k: v for k, v in row.items() if k != "shape"}, oracle=oracle,
             note=", ".join(f"{k} {v}" for k, v in row.items()))
        for row in rows
    ]  # fmt: skip


GRID = Grid((2, 2), (1, 2), ((1, 0), (0, 1)), (1, 1), (3, 4), (3, 2))
POOL = [
    *pool_cases("max_pool2d", max_pool2d, (2, 2, 5, 6), {"kernel_size": 2},
                {"kernel_size": 3, "stride": 2, "padding": 1},
                {"kernel_size": (2, 3), "stride": (1, 2), "ceil_mode": True},
                {"kernel_size": 2, "stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True, "return_indices": True},
                {"kernel_size": 2, "shape": (0, 2, 4, 4)}, {"kernel_size": 2, "shape": (3, 4, 4)}),
    *pool_cases("max_pool1d", on_lines(max_pool2d), (2, 2, 7), {"kernel_size": 2},
                {"kernel_size": 3, "stride": 2, "padding": 1, "return_indices": True}),
    *pool_cases("avg_pool2d", avg_pool2d, (2, 2, 5, 6), {"kernel_size": 2},
                {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
                {"kernel_size": (2, 3), "stride": (2, 1), "padding": 1, "count_include_pad": False, "ceil_mode": True},
                {"kernel_size": 2, "divisor_override": 3}),
    *pool_cases("avg_pool1d", on_lines(avg_pool2d), (2, 2, 7), {"kernel_size": 2},
                {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    *pool_cases("adaptive_avg_pool2d", adaptive(lambda w: w.mean((-1, -2))), (2, 2, 6, 4), {"output_size": 2},
                {"output_size": (4, 3)}, {"output_size": (None, 1)}, {"output_size": (7, 5)}),
    *pool_cases("adaptive_max_pool2d", adaptive(lambda w: w.max((-1, -2))), (2, 2, 6, 4),
                {"output_size": 2, "return_indices": True}, {"output_size": (4, 3), "return_indices": True}),
    Case("nn.functional.adaptive_avg_pool1d", F.adaptive_avg_pool1d, ((2, 3, 7),), {"output_size": 3}, note="uneven",
         oracle=lambda x, output_size: np.stack([x[..., :3].mean(-1), x[..., 2:5].mean(-1), x[..., 4:].mean(-1)], -1)),
    Case("nn.functional.adaptive_max_pool1d", F.adaptive_max_pool1d, (apart((2, 3, 6)),), {"output_size": 2},
         oracle=lambda x, output_size: np.stack([x[..., :3].max(-1), x[..., 3:].max(-1)], -1)),
    Case("spread_windows", ops.spread_windows, ((2, 3, 2),), {"grid": GRID}),
]  # fmt: skip


# ---------------------------------------------------------------- norms


def standardized(x: Any, axes: Any, eps: float) -> Any:
    return x if not x.size else (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def scaled(h: Any, weight: Any = None, bias: Any = None) -> Any:
    per_channel = (-1,) + (1,) * (h.ndim - 2)
    h = h if weight is None else h * weight.reshape(per_channel)
    return h if bias is None else h + bias.reshape(per_channel)


def batch_norm(x: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    return scaled(standardized(x, tuple(i for i in range(x.ndim) if i != 1), eps), weight, bias)


def group_norm(x: Any, weight: Any = None, bias: Any = None, num_groups: int = 1, eps: float = 1e-5) -> Any:
    rows = standardized(x.reshape(x.shape[0] * num_groups, -1), (1,), eps)
    return scaled(rows.reshape(x.shape), weight, bias)


def response_norm(x: Any, size: int, alpha: float, beta: float, k: float) -> Any:
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        near = x[:, max(c - size // 2, 0) : c + (size - 1) // 2 + 1]
        y[:, c] = x[:, c] / (k + alpha * (near**2).sum(1) / size) ** beta
    return y


def evaluated(x: Any, weight: Any, bias: Any, mean: Any, var: Any) -> Any:
    return F.batch_norm(x, from_raw(mean), from_raw(var), weight, bias)


NORMS = [
    Case("nn.functional.batch_norm", lambda x, *affine, **p: F.batch_norm(x, None, None, *affine, training=True, **p),
         inputs, params, oracle=batch_norm, note=note)
    for note, inputs, params in (
        ("rows", ((5, 3), (3,), (3,)), {}), ("lines", ((3, 2, 4), (2,), (2,)), {"eps": 0.1}),
        ("images", ((2, 3, 2, 3), (3,), (3,)), {}), ("plain", ((4, 2, 3),), {}),
        ("no rows", ((0, 3, 2), (3,), (3,)), {}),
    )
] + [
    Case("nn.functional.batch_norm", evaluated, ((4, 3, 2), (3,), (3,)),
         {"mean": np.array([0.3, -0.2, 1.0]), "var": np.array([0.5, 1.0, 2.0])}, note="evaluation",
         oracle=lambda x, w, b, mean, var: scaled(
             (x - mean.reshape(-1, 1)) / np.sqrt(var.reshape(-1, 1) + 1e-5), w, b)),
    Case("nn.functional.instance_norm", lambda x, *affine: F.instance_norm(x, None, None, *affine),
         ((2, 3, 4), (3,), (3,)), oracle=lambda x, w, b: scaled(standardized(x, (2,), 1e-5), w, b), note="lines"),
    Case("nn.functional.instance_norm", F.instance_norm, ((2, 3, 2, 3),), {"eps": 0.1}, note="images",
         oracle=lambda x, eps: standardized(x, (2, 3), eps)),
    *(
        Case("nn.functional.group_norm", lambda x, *affine, num_groups: F.group_norm(x, num_groups, *affine), inputs,
             {"num_groups": groups}, oracle=group_norm, note=f"{groups} of {inputs[0]}")
        for groups, inputs in ((2, ((3, 8), (8,), (8,))), (1, ((2, 3, 4), (3,), (3,))), (3, ((2, 6, 2, 2), (6,), (6,))),
                               (2, ((2, 4, 3),)))
    ),
    *(
        Case("nn.functional.local_response_norm", F.local_response_norm, (shape,),
             {"size": size, "alpha": 0.5, "beta": 0.6, "k": 0.8}, oracle=response_norm, note=f"{size} of {shape}")
        for size, shape in ((3, (2, 5, 2, 3)), (2, (2, 3, 4)), (4, (0, 3, 2)))
    ),
    Case("standardize", ops.standardize, ((3, 4, 2),), {"axes": (0, 2), "eps": 0.1}, oracle=standardized),
    Case("channel_statistics", ops.channel_statistics, ((3, 4, 2),), gradient=False,
         oracle=lambda x: (x.mean((0, 2)), x.var((0, 2)))),
]  # fmt: skip


# ---------------------------------------------------------------- resizing, rearranging


def cells(n: int, out: int, align: bool) -> Any:
    """The two neighbours of each output entry, and the weight of the second."""
    place = np.arange(out) * (n - 1) / (out - 1) if align else np.maximum((np.arange(out) + 0.5) * n / out - 0.5, 0)
    left = np.minimum(place.astype(int), n - 1)
    return left, np.minimum(left + 1, n - 1), place - left


def linear(x: Any, size: Any, mode: str, align_corners: bool = False) -> Any:
    for axis, out in zip(range(2, x.ndim), (size,) if isinstance(size, int) else size, strict=True):
        a, b, part = cells(x.shape[axis], out, align_corners)
        part = part.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        x = x.take(a, axis) * (1 - part) + x.take(b, axis) * part
    return x


def nearest(x: Any, size: Any) -> Any:
    for axis, out in zip(range(2, x.ndim), size, strict=True):
        x = x.take(np.arange(out) * x.shape[axis] // out, axis)
    return x


def shuffled(x: Any, upscale_factor: int) -> Any:
    r, (n, channels, height, width) = upscale_factor, x.shape
    y = np.zeros((n, channels // r**2, height * r, width * r))
    for c, i, j in places(*y.shape[1:]):
        y[:, c, i, j] = x[:, c * r * r + i % r * r + j % r, i // r, j // r]
    return y


def resize(note: str, shape: tuple, oracle: Any, **params: Any) -> Case:
    return Case("nn.functional.interpolate", F.interpolate, (shape,), params, oracle=oracle, note=note)


RESIZING = [
    resize("nearest", (2, 2, 3, 4), nearest, size=(5, 3)),
    resize("twice as large", (1, 2, 2, 3), lambda x, scale_factor: x.repeat(2, 2).repeat(2, 3), scale_factor=2),
    resize("nearest, a line", (2, 2, 3), nearest, size=(6,)),
    resize("bilinear", (2, 1, 3, 4), linear, size=(5, 2), mode="bilinear"),
    resize("bilinear, corners", (1, 2, 3, 4), linear, size=(2, 7), mode="bilinear", align_corners=True),
    resize("linear", (2, 1, 4), linear, size=7, mode="linear"),
    resize("bicubic", (1, 1, 4, 5), None, size=(6, 3), mode="bicubic"),
    resize("area", (1, 2, 4, 6), lambda x, size, mode: adaptive(lambda w: w.mean((-1, -2)))(x, size), size=(2, 3),
           mode="area"),
    Case("nn.functional.pixel_shuffle", F.pixel_shuffle, ((2, 8, 2, 3),), {"upscale_factor": 2}, oracle=shuffled),
    *(
        Case("nn.functional.grid_sample", F.grid_sample, ((2, 2, 3, 4), (2, 2, 3, 2)),
             {"mode": mode, "padding_mode": padding, "align_corners": False}, low=-0.9, high=0.9, note=mode)
        for mode, padding in (("bilinear", "zeros"), ("nearest", "border"), ("bicubic", "reflection"))
    ),
    Case("nn.functional.affine_grid", F.affine_grid, ((2, 2, 3),), {"size": (2, 1, 3, 2), "align_corners": True},
         oracle=lambda theta, size, align_corners: np.stack([
             [theta[:, :, :2] @ (x, y) + theta[:, :, 2] for x in (-1, 1)] for y in (-1, 0, 1)]).transpose(2, 0, 1, 3)),
    Case("nn.functional.channel_shuffle", F.channel_shuffle, ((2, 6, 3, 2),), {"groups": 2},
         oracle=lambda x, groups: x[:, [0, 3, 1, 4, 2, 5]]),
    Case("nn.functional.pixel_unshuffle", lambda x: F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2), ((1, 4, 3, 2),),
         oracle=lambda x: x, note="undoes pixel_shuffle"),
]  # fmt: skip

CASES = [*CONV, *PATCHES, *POOL, *NORMS, *RESIZING]
