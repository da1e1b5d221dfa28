"""Products: matrices, batches of them, vectors, and Einstein sums. All of them come down to one op, `matmul`."""

import string
from collections.abc import Sequence
from typing import Any

from minigrad.arguments import must_be_tensor
from minigrad.backend import kernels_of
from minigrad.grad_names import named
from minigrad.mixed_precision import as_given, mode
from minigrad.op import op
from minigrad.ops.elementwise import (
    add,
    mul,
    refuse_bools,
    zeros_as,
)
from minigrad.ops.shape import permute, reshape
from minigrad.tensor import Tensor, from_raw, one_dim


def mT(x: Any) -> Any:
    """The last two axes exchanged."""
    return x.swapaxes(-2, -1)


@op
def matmul(a, b):
    """(..., n, k) @ (..., k, m) -> (..., n, m); two axes or more, the leading ones broadcast."""
    refuse_bools("matmul", a, b)
    return kernels_of(a).matmul(a, b)


_unfolded = reshape.printed_as("UnsafeViewBackward0")


@matmul.vjp(kept_for={"a": "b", "b": "a"})
def matmul_vjp(dy, a, b, needs):  # broadcast batch axes are summed by the walk
    return matmul(dy, mT(b)) if needs[0] else None, matmul(mT(a), dy) if needs[1] else None


def matmul_any(a: Any, b: Any) -> Tensor:
    """The matrix product as `@` means it: 1-d operands are a row on the left, a column on the right.

    (B, T, C) @ (C, N) is folded into one (B T, C) @ (C, N), which is faster forward and far faster backward.
    """
    a, b = _operand(a, b), _operand(b, a)
    if a.array.ndim == 0 or b.array.ndim == 0:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {a.array.ndim}D and {b.array.ndim}D; "
            "use * for scalars"
        )
    if a.array.dtype != b.array.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {a.dtype} != {b.dtype}; convert one with .to()"
        )
    row, column = a.array.ndim == 1, b.array.ndim == 1
    a = reshape(a, shape=(1, a.array.size)) if row else a
    b = reshape(b, shape=(b.array.size, 1)) if column else b
    if a.array.ndim > 2 and b.array.ndim == 2 and a.array.shape[-1] == b.array.shape[0]:
        lead = a.array.shape[:-1]
        y = _unfolded(matmul(reshape(a, shape=(_count(lead), a.array.shape[-1])), b), shape=(*lead, b.array.shape[1]))
    else:
        y = matmul(a, b)
    if not (row or column):
        return y
    shape = list(y.array.shape)
    if column:
        del shape[-1]
    if row:
        del shape[-1 if column else -2]
    name = "SqueezeBackward4" if row else "MvBackward0"
    if len(shape) != 1:
        name = "UnsafeViewBackward0" if shape else "DotBackward0"
    return named(reshape(y, shape=tuple(shape)), name)


def _count(shape: Sequence[int]) -> int:
    count = 1
    for n in shape:
        count *= n
    return count


def _operand(x: Any, other: Any) -> Tensor:
    if isinstance(x, Tensor):
        return x
    try:
        kernels_of(x)
    except TypeError:
        raise TypeError(f"matmul: expected tensors, got {type(x).__name__} and {type(other).__name__}") from None
    return from_raw(x)


def matmul_of_rank(name: str, a: Tensor, b: Tensor, rank_a: int, rank_b: int) -> Tensor:
    """mm, bmm, mv, dot: the product, for operands of exactly these ranks."""
    must_be_tensor(name, "input", a), must_be_tensor(name, "the other", b)
    if a.array.ndim != rank_a or b.array.ndim != rank_b:
        raise RuntimeError(
            f"{name}: expected operands of {rank_a} and {rank_b} dimensions, got shapes {list(a.shape)} and "
            f"{list(b.shape)}"
        )
    if name == "bmm" and a.array.shape[0] != b.array.shape[0]:
        raise RuntimeError(f"bmm: batch sizes differ: {list(a.shape)} and {list(b.shape)}")
    if mode.blocks and name in ("dot", "mv"):
        with as_given():
            return matmul_any(a, b)
    y = matmul_any(a, b)
    return named(y, "BmmBackward0") if name == "bmm" else y


def scaled_sum(x: Tensor, product: Tensor, beta: Any, alpha: Any) -> Tensor:
    """beta x + alpha product; a beta of 0 ignores x, nan included. Integers take the whole part of both."""
    if product.array.dtype.kind in "iu":
        beta, alpha = int(beta), int(alpha)
    if mode.blocks and x.dtype.is_floating_point:
        x = x.to(product.dtype)  # autocast has taken the product to 16 bits
    product = product if alpha == 1 else mul(product, alpha)
    if beta == 0:
        return add(zeros_as(x), product)
    return add(x if beta == 1 else mul(x, beta), product)


def outer(a: Tensor, b: Tensor) -> Tensor:
    """out[i][j] = a[i] b[j] for two vectors."""
    if a.array.ndim != 1 or b.array.ndim != 1:
        raise RuntimeError(f"outer: Expected 1-D arguments, but got {a.array.ndim}-D and {b.array.ndim}-D")
    return mul(reshape(a, shape=(-1, 1)), b)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """The sum of products over the last dims."""
    if not a.array.ndim or not b.array.ndim:
        return mul(a, b)
    return tensordot(a, b, ([-1], [-1]))


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sum of products over `dims`: the last n of a with the first n of b, or two lists of dims to pair up."""
    if isinstance(dims, int):
        if dims > min(a.array.ndim, b.array.ndim):
            raise RuntimeError(f"tensordot expects dims <= the operands' number of dims, but got dims={dims}")
        axes_a, axes_b = list(range(a.array.ndim - dims, a.array.ndim)), list(range(dims))
    else:
        axes_a = [one_dim(d, a.array.ndim) for d in _as_list(dims[0])]
        axes_b = [one_dim(d, b.array.ndim) for d in _as_list(dims[1])]
    for i, j in zip(axes_a, axes_b, strict=False):  # a size of 1 stands for any: the other side is summed
        if a.array.shape[i] == 1 != b.array.shape[j]:
            b = b.sum(j, keepdim=True)
        elif b.array.shape[j] == 1 != a.array.shape[i]:
            a = a.sum(i, keepdim=True)
    sizes_a, sizes_b = [a.array.shape[i] for i in axes_a], [b.array.shape[i] for i in axes_b]
    if sizes_a != sizes_b:
        raise RuntimeError(f"contracted dimensions need to match, but first has sizes {sizes_a} and second {sizes_b}")
    rest_a = [i for i in range(a.array.ndim) if i not in axes_a]
    rest_b = [i for i in range(b.array.ndim) if i not in axes_b]
    lead, tail = [a.array.shape[i] for i in rest_a], [b.array.shape[i] for i in rest_b]
    left = reshape(permute(a, dims=tuple(rest_a + axes_a)), shape=(_count(lead), _count(sizes_a)))
    right = reshape(permute(b, dims=tuple(axes_b + rest_b)), shape=(_count(sizes_a), _count(tail)))
    return reshape(matmul(left, right), shape=(*lead, *tail))


def _as_list(dims: Any) -> list:
    return [dims] if isinstance(dims, int) else list(dims)


def einsum(equation: str, *operands: Any) -> Tensor:
    """Einstein summation: einsum("bij,bjk->bik", a, b) multiplies and sums over the letters absent on the right.

    Two operands at a time, from left to right, each pair as one batched matmul. "..." stands for the dims not named;
    a letter twice in one operand takes its diagonal.
    """
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = tuple(operands[0])
    terms, output = _parse(equation, operands)
    parts = [_diagonalised(x, letters) for x, letters in zip(operands, terms, strict=True)]
    while len(parts) > 1:
        (a, in_a), (b, in_b), *rest = parts
        later = set(output).union(*(letters for _, letters in rest))
        parts = [_contract(a, in_a, b, in_b, later), *rest]
    x, letters = parts[0]
    summed = tuple(i for i, letter in enumerate(letters) if letter not in output)
    x = x.sum(summed) if summed else x
    letters = [letter for letter in letters if letter in output]
    y = permute(x, dims=tuple(letters.index(letter) for letter in output))
    contracted = set().union(*terms) > set(output)
    if len(terms) > 1:
        return named(y, "ViewBackward0" if contracted else "MulBackward0")
    return named(y, "SumBackward1") if summed else y


def _parse(equation: str, operands: Sequence[Tensor]) -> tuple[list[list[str]], list[str]]:
    """The letters of each operand and of the output, "..." spelt out in upper-case letters not otherwise used."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise RuntimeError(
            f"einsum(): the equation '{equation}' names {len(terms)} operands, {len(operands)} were given"
        )
    free = [letter for letter in reversed(string.ascii_letters) if letter not in equation]
    longest = 0
    for term, x in zip(terms, operands, strict=True):
        if not set(term) <= set(string.ascii_letters) | {"."} or (("." in term) and term.count("...") != 1):
            raise RuntimeError(f"einsum(): the equation '{equation}' may hold letters, commas, '...' and '->'")
        named = len(term.replace("...", ""))
        if named > x.array.ndim or ("..." not in term and named != x.array.ndim):
            raise RuntimeError(f"einsum(): '{term}' has {named} letters for an operand of shape {list(x.shape)}")
        if "..." in term:
            longest = max(longest, x.array.ndim - named)
    rest = "".join(free[:longest])
    spelt = []
    for term, x in zip(terms, operands, strict=True):
        here = x.array.ndim - len(term.replace("...", ""))
        spelt.append(list(term.replace("...", rest[longest - here :])))
    if arrow:
        output = list(right.replace("...", rest))
    else:
        joined = "".join(left.replace("...", "").split(","))
        output = list(rest) + sorted(letter for letter in set(joined) if joined.count(letter) == 1)
    known = set().union(*spelt) if spelt else set()
    if not set(output) <= known or len(set(output)) != len(output):
        raise RuntimeError(f"einsum(): the output '{right}' of '{equation}' must name letters of the inputs, each once")
    return spelt, output


def _diagonalised(x: Tensor, letters: list[str]) -> tuple[Tensor, list[str]]:
    letters = list(letters)
    for letter in sorted(set(letters)):
        while letters.count(letter) > 1:
            i = letters.index(letter)
            j = letters.index(letter, i + 1)
            if x.array.shape[i] != x.array.shape[j]:
                raise RuntimeError(
                    f"einsum(): '{letter}' has sizes {x.array.shape[i]} and {x.array.shape[j]} in one operand"
                )
            x = x.diagonal(0, i, j)
            letters = [n for k, n in enumerate(letters) if k not in (i, j)] + [letter]
    return x, letters


def _contract(a: Tensor, in_a: list[str], b: Tensor, in_b: list[str], later: set[str]) -> tuple[Tensor, list[str]]:
    """One pair as a batched matmul: (batch, only a, summed) @ (batch, summed, only b)."""
    size: dict[str, int] = {}
    for x, letters in ((a, in_a), (b, in_b)):
        for letter, n in zip(letters, x.array.shape, strict=True):
            if size.setdefault(letter, n) == 1:
                size[letter] = n
            if n not in (1, size[letter]):
                raise RuntimeError(f"einsum(): '{letter}' has size {size[letter]} in one operand and {n} in another")
    drop = [n for n in in_a if n not in in_b and n not in later]
    a = a.sum(tuple(in_a.index(n) for n in drop)) if drop else a
    in_a = [n for n in in_a if n not in drop]
    drop = [n for n in in_b if n not in in_a and n not in later]
    b = b.sum(tuple(in_b.index(n) for n in drop)) if drop else b
    in_b = [n for n in in_b if n not in drop]
    batch = [n for n in in_a if n in in_b and n in later]
    summed = [n for n in in_a if n in in_b and n not in later]
    only_a, only_b = [n for n in in_a if n not in in_b], [n for n in in_b if n not in in_a]
    left, right = _laid_out(a, in_a, batch, only_a, summed, size), _laid_out(b, in_b, batch, summed, only_b, size)
    letters = batch + only_a + only_b
    return reshape(matmul(left, right), shape=tuple(size[n] for n in letters)), letters


def _laid_out(x: Tensor, letters: list, batch: list, rows: list, columns: list, size: dict[str, int]) -> Tensor:
    """x with its axes in the order (batch, rows, columns), rows and columns each merged into one axis."""
    order = batch + rows + columns
    x = permute(x, dims=tuple(letters.index(n) for n in order)).expand(*[size[n] for n in order])
    lead = [size[n] for n in batch]
    return reshape(x, shape=(*lead, _count([size[n] for n in rows]), _count([size[n] for n in columns])))
