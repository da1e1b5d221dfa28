"""Products of small matrices inside compiled kernels, at the speed of the machine's vector units.

A kernel that wants a product in the middle of its loop cannot call BLAS without SciPy, and LLVM does not keep a block
of accumulators in registers when it vectorises three nested loops. `matmul` builds on one hand-written instruction
pattern, the register tile: a few rows times 16 or 32 columns of the result stay in vector registers while the loop runs
over the inner dimension; each step loads one row of `b` and multiplies it by one broadcast number of each row of `a`.

Operands are addresses and strides in bytes, so a transposed `a` or a head inside a packed buffer costs nothing.
"""

from typing import Any

import numba
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types

from minigrad.kernels.cpu.intrinsics import F32, I8, I32, I64, call, exp_instructions, inline, intrinsic

LANES = 16  # floats in a vector; LLVM splits it where the registers are shorter

_VECTOR = ir.VectorType(F32, LANES)
_ALIGN = 4  # bytes: rows start anywhere


def _at(builder: ir.IRBuilder, address: ir.Value, kind: ir.Type, offset: ir.Value | None = None) -> ir.Value:
    """A pointer to a value of type `kind`, `offset` bytes behind an integer address."""
    pointer = builder.inttoptr(address, I8.as_pointer())
    if offset is not None:
        pointer = builder.gep(pointer, [offset])
    return builder.bitcast(pointer, kind.as_pointer())


def _splat(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    kind = ir.VectorType(value.type, LANES)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(I32, LANES), [0] * LANES))


def register_tile(rows: int, vectors: int) -> Any:
    """The function c[:rows, :16 vectors] = start + a @ b, in one pass over the inner dimension.

    `start` is an address, its rows start_row bytes apart: c itself to accumulate, a bias with 0 bytes between its rows,
    or 0 for zeros.
    """

    def generate(context, builder, signature, arguments):
        a, a_row, a_column, b, b_row, c, c_row, inner, first, first_row = arguments
        columns = [ir.Constant(I64, 4 * LANES * v) for v in range(vectors)]
        row_numbers = [ir.Constant(I64, r) for r in range(rows)]
        outputs = [
            _at(builder, c, _VECTOR, builder.add(builder.mul(r, c_row), v)) for r in row_numbers for v in columns
        ]
        adds = builder.icmp_signed("!=", first, ir.Constant(I64, 0))
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        first, first_row = builder.select(adds, first, c), builder.select(adds, first_row, c_row)  # 0 is no address
        firsts = [
            _at(builder, first, _VECTOR, builder.add(builder.mul(r, first_row), v))
            for r in row_numbers
            for v in columns
        ]
        start = [builder.select(adds, builder.load(place, align=_ALIGN), zero) for place in firsts]
        a_rows = [builder.add(a, builder.mul(r, a_row)) for r in row_numbers]

        before = builder.block
        loop, after = builder.append_basic_block("inner"), builder.append_basic_block("store")
        builder.cbranch(builder.icmp_signed(">", inner, ir.Constant(I64, 0)), loop, after)
        builder.position_at_end(loop)
        step = builder.phi(I64)
        sums = [builder.phi(_VECTOR) for _ in outputs]
        b_offset, a_offset = builder.mul(step, b_row), builder.mul(step, a_column)
        b_vectors = [builder.load(_at(builder, b, _VECTOR, builder.add(b_offset, v)), align=_ALIGN) for v in columns]
        results = []
        for r in range(rows):
            number = _splat(builder, builder.load(_at(builder, a_rows[r], F32, a_offset), align=_ALIGN))
            results += [
                call(builder, "llvm.fmuladd", number, b_vectors[v], sums[r * vectors + v]) for v in range(vectors)
            ]
        following = builder.add(step, ir.Constant(I64, 1))
        builder.cbranch(builder.icmp_signed("<", following, inner), loop, after)
        step.add_incoming(ir.Constant(I64, 0), before)
        step.add_incoming(following, loop)
        for total, first, result in zip(sums, start, results, strict=True):
            total.add_incoming(first, before)
            total.add_incoming(result, loop)

        builder.position_at_end(after)
        finals = [builder.phi(_VECTOR) for _ in outputs]
        for final, first, result, output in zip(finals, start, results, outputs, strict=True):
            final.add_incoming(first, before)
            final.add_incoming(result, loop)
            builder.store(final, output, align=_ALIGN)
        return context.get_dummy_value()

    @intrinsic
    def tile(typing_context, a, a_row, a_column, b, b_row, c, c_row, inner, start, start_row):
        return types.void(*[types.int64] * 10), generate

    return tile


def _has_avx512() -> bool:
    """Of the processor that Numba compiles for, which NUMBA_CPU_FEATURES may narrow."""
    features = getattr(numba.config, "CPU_FEATURES", None)
    if features is not None:
        return "+avx512f" in features
    return bool(get_host_cpu_features().get("avx512f"))


# AVX-512 holds 8 x 2 accumulators in half of its 32 registers; AVX2 has 16 of half the length: 4 x 1 fill half of them.
ROWS, WIDTH = (8, 2) if _has_avx512() else (4, 1)

_wide, _narrow = register_tile(ROWS, WIDTH), register_tile(ROWS, 1)
_wide_row, _narrow_row = register_tile(1, WIDTH), register_tile(1, 1)


@inline
def matmul(m, n, inner, a, a_row, a_column, b, b_row, c, c_row, accumulate):
    """c[:m, :n] (+)= a @ b for a of (m, inner), b of (inner, n); n is a multiple of 16, rows of b and c are contiguous.

    235 of the 250 GFLOP/s of one core at (64, 32, 64) and at (256, 64, 256), 228 at (8, 64, 256) (m, inner, n).
    """
    full_rows, full_columns = m - m % ROWS, n - n % (WIDTH * LANES)
    for j in range(0, full_columns, WIDTH * LANES):
        for i in range(0, full_rows, ROWS):
            target = c + i * c_row + 4 * j
            start = target if accumulate else 0
            _wide(a + i * a_row, a_row, a_column, b + 4 * j, b_row, target, c_row, inner, start, c_row)
        for i in range(full_rows, m):
            target = c + i * c_row + 4 * j
            start = target if accumulate else 0
            _wide_row(a + i * a_row, a_row, a_column, b + 4 * j, b_row, target, c_row, inner, start, c_row)
    for j in range(full_columns, n, LANES):
        for i in range(0, full_rows, ROWS):
            target = c + i * c_row + 4 * j
            start = target if accumulate else 0
            _narrow(a + i * a_row, a_row, a_column, b + 4 * j, b_row, target, c_row, inner, start, c_row)
        for i in range(full_rows, m):
            target = c + i * c_row + 4 * j
            start = target if accumulate else 0
            _narrow_row(a + i * a_row, a_row, a_column, b + 4 * j, b_row, target, c_row, inner, start, c_row)


@intrinsic
def floats_at(typing_context, address):
    """The float32 pointer at an integer address."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(types.CPointer(types.float32)))

    return types.CPointer(types.float32)(types.int64), generate


@intrinsic
def bytes_at(typing_context, address):
    """The uint8 pointer at an integer address."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(types.CPointer(types.uint8)))

    return types.CPointer(types.uint8)(types.int64), generate


@intrinsic
def copy_block_row(typing_context, source, target):
    """Copy ROWS numbers from one address to another."""

    def generate(context, builder, signature, arguments):
        kind = ir.VectorType(F32, ROWS)
        source, target = (_at(builder, address, kind) for address in arguments)
        builder.store(builder.load(source, align=_ALIGN), target, align=_ALIGN)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def transpose_block(typing_context, source, source_row, target, target_row):
    """Write the transpose of the 16 x 16 block at `source` to `target`: four rounds of pairwise exchanges.

    Round s swaps the bit s of the row number with the same bit of the column number.
    """

    def generate(context, builder, signature, arguments):
        source, source_row, target, target_row = arguments
        offsets = [ir.Constant(I64, r) for r in range(LANES)]
        rows = [builder.load(_at(builder, source, _VECTOR, builder.mul(r, source_row)), align=_ALIGN) for r in offsets]
        for s in (1, 2, 4, 8):
            low = [lane if not lane & s else LANES + lane - s for lane in range(LANES)]
            high = [lane + s if not lane & s else LANES + lane for lane in range(LANES)]
            masks = [ir.Constant(ir.VectorType(I32, LANES), mask) for mask in (low, high)]
            for i in range(LANES):
                if not i & s:
                    pair = rows[i], rows[i + s]
                    rows[i], rows[i + s] = (builder.shuffle_vector(*pair, mask) for mask in masks)
        for r, row in zip(offsets, rows, strict=True):
            builder.store(row, _at(builder, target, _VECTOR, builder.mul(r, target_row)), align=_ALIGN)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), generate


# --------------------------------------------------------------------------------------------------------------------
# One row of scores: 16 numbers at a time, the row padded to whole vectors, of which the first `seen` numbers count
# --------------------------------------------------------------------------------------------------------------------
def _over_vectors(builder: ir.IRBuilder, seen: ir.Value, padded: ir.Value, start: ir.Value, step: Any) -> ir.Value:
    """total = step(offset in bytes, lanes that count, total) for each vector of the row, from `start` on."""
    numbers = ir.Constant(ir.VectorType(I32, LANES), list(range(LANES)))
    before = builder.block
    loop, after = builder.append_basic_block("vectors"), builder.append_basic_block("after")
    builder.cbranch(builder.icmp_signed(">", padded, ir.Constant(I64, 0)), loop, after)
    builder.position_at_end(loop)
    position, total = builder.phi(I64), builder.phi(start.type)
    left = builder.trunc(builder.sub(seen, position), I32)
    counts = builder.icmp_signed("<", numbers, _splat(builder, left))
    result = step(builder.mul(position, ir.Constant(I64, 4)), counts, total)
    following = builder.add(position, ir.Constant(I64, LANES))
    builder.cbranch(builder.icmp_signed("<", following, padded), loop, after)
    position.add_incoming(ir.Constant(I64, 0), before)
    position.add_incoming(following, loop)
    total.add_incoming(start, before)
    total.add_incoming(result, loop)
    builder.position_at_end(after)
    final = builder.phi(start.type)
    final.add_incoming(start, before)
    final.add_incoming(result, loop)
    return final


def _reduce(builder: ir.IRBuilder, name: str, flags: tuple[str, ...], *arguments: ir.Value) -> ir.Value:
    function_type = ir.FunctionType(F32, [argument.type for argument in arguments])
    function = builder.module.declare_intrinsic(f"llvm.vector.reduce.{name}.v{LANES}f32", fnty=function_type)
    return builder.call(function, arguments, fastmath=flags)


@intrinsic
def row_maximum(typing_context, row, seen, padded):
    """The largest number that counts, a NaN passed over (the exponentials that follow bring it up again)."""

    def generate(context, builder, signature, arguments):
        row, seen, padded = arguments
        lowest = ir.Constant(_VECTOR, [float("-inf")] * LANES)

        def step(offset, counts, top):
            x = builder.select(counts, builder.load(_at(builder, row, _VECTOR, offset), align=_ALIGN), lowest)
            return builder.select(builder.fcmp_ordered(">", x, top), x, top)  # one instruction, false for NaN

        top = _over_vectors(builder, seen, padded, lowest, step)
        return _reduce(builder, "fmax", ("nnan", "nsz"), top)  # a NaN never gets into `top`

    return types.float32(types.int64, types.int64, types.int64), generate


@intrinsic
def row_exponentials(typing_context, row, seen, padded, shift):
    """Each x that counts becomes exp(x - shift), the others 0; returns the sum."""

    def generate(context, builder, signature, arguments):
        row, seen, padded, shift = arguments
        shifts, zero = _splat(builder, shift), ir.Constant(_VECTOR, [0.0] * LANES)

        def step(offset, counts, total):
            place = _at(builder, row, _VECTOR, offset)
            y = exp_instructions(builder, builder.fsub(builder.load(place, align=_ALIGN), shifts))
            y = builder.select(counts, y, zero)
            builder.store(y, place, align=_ALIGN)
            return builder.fadd(total, y)

        total = _over_vectors(builder, seen, padded, zero, step)
        return _reduce(builder, "fadd", ("reassoc", "nsz"), ir.Constant(F32, 0.0), total)

    return types.float32(types.int64, types.int64, types.int64, types.float32), generate


@intrinsic
def row_gradients(typing_context, row, gradient, seen, padded, shift, delta):
    """Each x that counts becomes p = exp(x - shift), its gradient g becomes p (g - delta); the others become 0."""

    def generate(context, builder, signature, arguments):
        row, gradient, seen, padded, shift, delta = arguments
        shifts, deltas, zero = _splat(builder, shift), _splat(builder, delta), ir.Constant(_VECTOR, [0.0] * LANES)

        def step(offset, counts, unused):
            place, gradient_place = (_at(builder, base, _VECTOR, offset) for base in (row, gradient))
            p = exp_instructions(builder, builder.fsub(builder.load(place, align=_ALIGN), shifts))
            g = builder.fsub(builder.load(gradient_place, align=_ALIGN), deltas)
            builder.store(builder.select(counts, p, zero), place, align=_ALIGN)
            builder.store(builder.select(counts, builder.fmul(p, g), zero), gradient_place, align=_ALIGN)
            return unused

        _over_vectors(builder, seen, padded, ir.Constant(I32, 0), step)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4, types.float32, types.float32), generate
