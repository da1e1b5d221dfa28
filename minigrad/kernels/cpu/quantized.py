"""Products with weights in one or two bytes: y (m, n) = x (m, k) @ weight^T + bias, everything but the weight float32.

A token needs the whole weight once, and the time is that of reading it from memory: int8 is a quarter of float32's
bytes, bfloat16 half. The numbers are widened to float32 in registers, on their way into the sum. For more than a few
rows a block of the weight is widened once and multiplied as any float32 matrix is.

int8 numbers q stand for q scale[j] in row j of the weight; a row's scale is multiplied to its finished sum. bfloat16
comes as the upper 16 bits of a float32.
"""

import numpy as np
from llvmlite import ir
from numba import prange, types

from minigrad.kernels.cpu import threads
from minigrad.kernels.cpu.gemm import gemm
from minigrad.kernels.cpu.intrinsics import F32, I32, f4, intrinsic, plain, prefetch
from minigrad.kernels.cpu.threads import share, threaded

FEW_ROWS = 8  # more repay widening the weight
SMALLEST_PART = 1 << 16  # numbers of the weight that repay another thread
BLOCK = 512  # rows of the weight that are widened at a time
AHEAD = 3072  # bytes: how far before its use a row of int8 is asked for
LINE = 64  # bytes that come at once


@intrinsic
def _upper_half(typing_context, bits):
    """The float32 whose upper 16 bits are given."""

    def generate(context, builder, signature, arguments):
        wide = builder.zext(arguments[0], I32)
        return builder.bitcast(builder.shl(wide, ir.Constant(I32, 16)), F32)

    return types.float32(types.uint16), generate


# Milliseconds for GPT-2's 124 million numbers on one thread (Zen 4, busy, 2026-11-27): int8 10.4, with a prefetch 7.4.
# float32 and bfloat16, whose rows are longer, are slower with one (22 and 26, 13 and 14): the processor's own will do.
@threaded
def _int8_rows(x, weight, scale, bias, y, parts):
    first, width = weight.ctypes.data, weight.strides[0]
    for part in prange(parts):
        for j in range(*share(weight.shape[0], part, parts)):
            row = weight[j]
            for at in range(0, width, LINE):
                prefetch(first + j * width + at + AHEAD)
            for i in range(x.shape[0]):
                own, total = x[i], f4(0.0)
                for c in range(row.size):
                    total += f4(row[c]) * own[c]
                y[i, j] = total * scale[j] + bias[j]


@threaded
def _bfloat16_rows(x, weight, bias, y, parts):
    for part in prange(parts):
        for j in range(*share(weight.shape[0], part, parts)):
            row = weight[j]
            for i in range(x.shape[0]):
                own, total = x[i], f4(0.0)
                for c in range(row.size):
                    total += _upper_half(row[c]) * own[c]
                y[i, j] = total + bias[j]


def quantized_linear(
    x: np.ndarray, bias: np.ndarray | None, weight: np.ndarray, scale: np.ndarray | None
) -> np.ndarray:
    """x W^T + bias for x (m, k) and W (n, k) in int8 with scale (n,), or in bfloat16 with scale None."""
    rows, n = x.shape[0], weight.shape[0]
    y = np.empty((rows, n), np.float32)
    if rows > FEW_ROWS:
        for start in range(0, n, BLOCK):
            block = slice(start, start + BLOCK)
            y[:, block] = gemm(x, _widened(weight, scale, block).T, None if bias is None else bias[block])
        return y
    bias = np.zeros(n, np.float32) if bias is None else plain(bias)
    parts = threads.parts(weight.size, SMALLEST_PART)
    if scale is None:
        _bfloat16_rows(parts, plain(x), plain(weight.view(np.uint16)), bias, y)
    else:
        _int8_rows(parts, plain(x), plain(weight), plain(scale), bias, y)
    return y


def quantized_linear_input(x: np.ndarray, weight: np.ndarray, scale: np.ndarray | None) -> np.ndarray:
    """x W for x (m, n), a block of the rows of W after the other."""
    y = np.zeros((x.shape[0], weight.shape[1]), np.float32)
    for start in range(0, weight.shape[0], BLOCK):
        block = slice(start, start + BLOCK)
        y += gemm(plain(x[:, block]), _widened(weight, scale, block))
    return y


def _widened(weight: np.ndarray, scale: np.ndarray | None, block: slice) -> np.ndarray:
    wide = weight[block].astype(np.float32)
    return wide if scale is None else wide * scale[block, None].astype(np.float32)
