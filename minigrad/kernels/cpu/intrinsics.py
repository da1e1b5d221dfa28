"""Building bricks of the compiled kernels: the `kernel` decorator, vector mathematics, and register tiles.

LLVM turns a loop into vector code only if everything called in it has a vector form. The C library's `expf` has none,
and Numba would call it once per element (2000 us per million). The functions here are therefore emitted as plain LLVM
instructions, which the loop vectoriser widens to whatever the machine offers (AVX-512: 16 numbers an instruction).

Their error bounds depend on the order of the operations, and Numba puts its fast-math flags on every addition and
multiplication of a kernel; so they are written in explicit multiply-adds, which no flag reorders (one instruction, and
one rounding, wherever the machine has it).
"""

import ctypes
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import extending, types

f4 = np.float32
intrinsic: Any = extending.intrinsic  # its type hints count the typing context among the arguments of a call

# Reordering, fused multiply-adds and reciprocals are welcome. Never 'nnan' or 'ninf': they allow the compiler to drop
# every NaN check, so that a diverged run would look healthy.
FAST_MATH = {"reassoc", "contract", "arcp", "nsz", "afn"}


def kernel(function: Callable[..., Any], **options: Any) -> Any:
    """Compile `function` with Numba at its first call, and keep the machine code on disk for later processes.

    `error_model="numpy"`: with Python's model every division is a possible ZeroDivisionError, a branch that keeps the
    loop from vectorising (exact GELU, 1M elements: 3900 us instead of 248). Where no folder can be written the kernel
    is compiled anew in each process.
    """
    options |= {"nogil": True, "error_model": "numpy", "fastmath": FAST_MATH}
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # Numba: "no locator available", nowhere to write
        return numba.njit(**options)(function)
    # Numba drops a cached kernel when the kernel's own file changes. The functions of this file and of tiles.py are
    # part of most kernels, so their text has to count as well, or an upgrade would go on running the old mathematics.
    cache_file: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if hasattr(cache_file, "_source_stamp"):
        cache_file._source_stamp = (cache_file._source_stamp, _package_stamp())
    return dispatcher


# For functions that kernels call: compiled into them, not kept on disk themselves.
inline: Any = numba.njit(nogil=True, error_model="numpy", fastmath=FAST_MATH)


@functools.cache
def _package_stamp() -> str:
    texts = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


# --------------------------------------------------------------------------------------------------------------------
# Arrays as the kernels want them
# --------------------------------------------------------------------------------------------------------------------
def plain(array: np.ndarray) -> np.ndarray:
    """`array` as C-contiguous, aligned and nominally writeable, so that each kernel is compiled for one type only.

    To Numba a strided or read-only array is another type and a reason to compile again (about a second). A strided
    array is copied; a read-only one is seen through a second view of the same memory, which the kernels never write.
    """
    if array.flags.carray:
        return array
    if array.flags.c_contiguous and array.flags.aligned and array.size:
        memory: Any = (ctypes.c_char * array.nbytes).from_address(array.ctypes.data)
        view = np.frombuffer(memory, array.dtype).reshape(array.shape)
        memory.owner = array  # the view keeps `memory` alive, `memory` keeps the array
        return view
    return np.array(array, order="C")


# --------------------------------------------------------------------------------------------------------------------
# Instructions
# --------------------------------------------------------------------------------------------------------------------
F32, I8, I32, I64 = ir.FloatType(), ir.IntType(8), ir.IntType(32), ir.IntType(64)


def like(value: ir.Value, number: float) -> ir.Constant:
    """The constant `number` as a float32, or as a vector of them where `value` is a vector."""
    number = float(f4(number))
    if isinstance(value.type, ir.VectorType):
        return ir.Constant(ir.VectorType(F32, value.type.count), [number] * value.type.count)
    return ir.Constant(F32, number)


def _like_integer(value: ir.Value, number: int) -> ir.Constant:
    if isinstance(value.type, ir.VectorType):
        return ir.Constant(ir.VectorType(I32, value.type.count), [number] * value.type.count)
    return ir.Constant(I32, number)


def call(builder: ir.IRBuilder, name: str, *arguments: ir.Value) -> ir.Value:
    """Call the LLVM intrinsic `name` (such as "llvm.fmuladd") on values of one type, which is also the result's."""
    kind = arguments[0].type
    suffix = f"v{kind.count}f32" if isinstance(kind, ir.VectorType) else "f32"
    function_type = ir.FunctionType(kind, [kind] * len(arguments))
    return builder.call(builder.module.declare_intrinsic(f"{name}.{suffix}", fnty=function_type), arguments)


def _horner(builder: ir.IRBuilder, x: ir.Value, coefficients: tuple[float, ...]) -> ir.Value:
    """coefficients[0] + coefficients[1] x + coefficients[2] x^2 + ..."""
    total: ir.Value = like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = call(builder, "llvm.fmuladd", total, x, like(x, coefficient))
    return total


# (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2, a minimax fit of our own: 3e-9 of e^r.
_EXP = (0.49999994039535, 0.16666521131992, 0.04166838899255, 0.00836871005595, 0.00138146081001)
_LN2_HIGH = 0.693359375  # ln 2 in two parts; the high one has few bits set
_LN2_LOW = -2.12194440e-4
_MAGIC = 12582912.0  # 1.5 * 2^23: adding it leaves an integer in the low bits
_MAGIC_BITS = 0x4B400000


def exp_instructions(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """e^x = 2^n e^r with n = round(x / ln 2), r = x - n ln 2.

    Beyond the clamps the result is 0 or inf anyway; the comparisons are false for NaN and let it through. 2^n comes in
    two halves, so that results below 2^-126 are rounded once and not flushed, and overflow gives inf; the first half is
    added to the exponent bits, as two multiplications would be reassociated into one by an infinity.
    """
    low, high, one = like(x, -104.0), like(x, 89.0), like(x, 1.0)
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    x = builder.select(builder.fcmp_ordered(">", x, high), high, x)
    n = call(builder, "llvm.rint", builder.fmul(x, like(x, 1.4426950408889634)))
    r = call(builder, "llvm.fmuladd", n, like(x, -_LN2_HIGH), x)
    r = call(builder, "llvm.fmuladd", n, like(x, -_LN2_LOW), r)
    y = call(builder, "llvm.fmuladd", _horner(builder, r, _EXP), r, one)
    y = call(builder, "llvm.fmuladd", y, r, one)
    # The integer is read from the bits of n + 1.5 * 2^23: converting a NaN to int would be undefined.
    magic_bits, bias, position = (_like_integer(x, number) for number in (_MAGIC_BITS, 127, 23))
    exponent = builder.sub(builder.bitcast(builder.fadd(n, like(x, _MAGIC)), magic_bits.type), magic_bits)
    half = builder.ashr(exponent, _like_integer(x, 1))
    bits = builder.add(builder.bitcast(y, magic_bits.type), builder.shl(half, position))
    rest = builder.shl(builder.add(builder.sub(exponent, half), bias), position)
    return builder.fmul(builder.bitcast(bits, x.type), builder.bitcast(rest, x.type))


# erf(x) / x - 1 as a polynomial in x^2 for |x| < 0.85 (6e-9), ln erfc(x) as a polynomial in x up to 4 (2e-9 of erf);
# minimax fits of our own.
_ERF_SMALL = (
    0.12837916612625,
    -0.37612572312355,
    0.11282717436552,
    -0.02680254727602,
    0.00505109410733,
    -0.00063151249196,
)
_ERF_LARGE = (
    -0.00010450577975,
    -1.12806105613709,
    -0.63651877641678,
    -0.10452609509230,
    0.02251914143562,
    -0.00311787845567,
    0.00020367947582,
)


def _erf_instructions(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """erf(x): an odd polynomial near 0, else sign(x) (1 - exp(polynomial of |x|)); erf rounds to 1 from 3.92 on."""
    size = call(builder, "llvm.fabs", x)
    near = call(builder, "llvm.fmuladd", x, _horner(builder, builder.fmul(x, x), _ERF_SMALL), x)
    four = like(x, 4.0)
    clamped = builder.select(builder.fcmp_ordered(">", size, four), four, size)
    complement = exp_instructions(builder, _horner(builder, clamped, _ERF_LARGE))
    far = call(builder, "llvm.copysign", builder.fsub(like(x, 1.0), complement), x)
    return builder.select(builder.fcmp_ordered("<", size, like(x, 0.85)), near, far)


def _unary(instructions: Callable[[ir.IRBuilder, ir.Value], ir.Value]) -> Any:
    """A float32 -> float32 function for kernels, from the instructions it stands for."""

    def typed(typing_context, x):
        def generate(context, builder, signature, arguments):
            return instructions(builder, arguments[0])

        return types.float32(types.float32), generate

    return intrinsic(typed)


exp = _unary(exp_instructions)  # at most 0.9 ulp, subnormal results included
erf = _unary(_erf_instructions)  # at most 1.2 ulp


@intrinsic
def prefetch(typing_context, address):
    """Ask for the cache line at an address ahead of its use, which is to be the only one. Any address may be given."""

    def generate(context, builder, signature, arguments):
        pointer = ir.PointerType(I8)
        kind = ir.FunctionType(ir.VoidType(), [pointer, I32, I32, I32])
        function = builder.module.declare_intrinsic("llvm.prefetch", (pointer,), kind)
        place, read, once, data = builder.inttoptr(arguments[0], pointer), I32(0), I32(0), I32(1)
        builder.call(function, [place, read, once, data])
        return context.get_dummy_value()

    return types.void(types.intp), generate


@intrinsic
def maximum(typing_context, a, b):
    """max(a, b) that vectorises as a reduction; a NaN on either side gives NaN.

    Neither Python's max() nor `a if a > b else b` does, because of their NaN rules: row softmax 76 -> 28 us.
    """

    def generate(context, builder, signature, arguments):
        return call(builder, "llvm.maximum", *arguments)

    return types.float32(types.float32, types.float32), generate
