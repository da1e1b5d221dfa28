"""Padding: the borders of a tensor widened by a constant, or by what is inside."""

from collections.abc import Sequence

from minigrad import creation, ops
from minigrad.dtype import int64
from minigrad.grad_names import named
from minigrad.tensor import Tensor


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """`pad` lists (before, after) for the last dim, then the one before it, and so on; negative numbers crop.

    mode "constant" fills with `value` (0); "reflect" mirrors at the border entry (c b | a b c | b a), "replicate"
    repeats it (a a | a b c | c c), "circular" goes round (b c | a b c | a b). Those three take 1 to 3 padded dims,
    below one or two dims that are not padded.
    """
    pad, ndim = [int(n) for n in pad], input.array.ndim
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, got {pad}")
    if len(pad) > 2 * ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pad)} and input of dimension {ndim}"
        )
    pairs = [(0, 0)] * (ndim - len(pad) // 2) + list(zip(pad[-2::-2], pad[-1::-2], strict=True))
    if mode == "constant":
        return _constant(input, pairs, 0 if value is None else value)
    if mode not in _SOURCES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value is not None and value != 0:
        raise ValueError(f"Padding mode '{mode}' doesn't take in value argument")
    if len(pad) not in (2, 4, 6) or ndim not in (len(pad) // 2 + 1, len(pad) // 2 + 2):
        raise NotImplementedError(
            f"Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now: got a {ndim}-d input and "
            f"{pad}"
        )
    padded = input
    for dim, (before, after) in enumerate(pairs):
        if before or after:
            size = input.array.shape[dim]
            _check(mode, input, dim, before, after)
            source = _SOURCES[mode](before, after, size)
            padded = ops.index_select(padded, dim, creation.tensor(source, dtype=int64, device=input.device))
    name = {"reflect": "Reflection", "replicate": "Replication"}.get(mode)
    return padded if name is None or padded is input else named(padded, f"{name}Pad{len(pad) // 2}DBackward0")


def _constant(input: Tensor, pairs: list[tuple[int, int]], value: float) -> Tensor:
    shape = input.array.shape
    for dim, ((before, after), n) in enumerate(zip(pairs, shape, strict=True)):
        if n + before + after < 0:
            raise RuntimeError(
                f"The input size {n}, plus negative padding {before} and {after}, resulted in a negative output size "
                f"at dim {dim}"
            )
    if any(n < 0 for pair in pairs for n in pair):
        inside = tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(shape, pairs, strict=True))
        input = ops.getitem(input, index=inside)
    pads = tuple((max(a, 0), max(b, 0)) for a, b in pairs)
    return ops.pad(input, pads=pads, value=value)


def _mirrored(i: int, size: int) -> int:
    i = abs(i)
    return i if i < size else 2 * (size - 1) - i


def _round(before: int, after: int, size: int) -> list[int]:
    """Round and round what negative numbers leave of the input."""
    first, kept = max(-before, 0), size + min(before, 0) + min(after, 0)
    return [first + i % kept for i in range(-max(before, 0), kept + max(after, 0))]


_SOURCES = {
    "reflect": lambda before, after, size: [_mirrored(i, size) for i in range(-before, size + after)],
    "replicate": lambda before, after, size: [min(max(i, 0), size - 1) for i in range(-before, size + after)],
    "circular": lambda before, after, size: _round(before, after, size),
}  # the places of the input from which the entries of the padded dim come


def _check(mode: str, input: Tensor, dim: int, before: int, after: int) -> None:
    size = input.array.shape[dim]
    if mode == "reflect" and max(before, after) >= size:
        raise RuntimeError(
            f"Padding size should be less than the corresponding input dimension, but got: padding ({before}, "
            f"{after}) at dimension {dim} of input {list(input.shape)}"
        )
    if mode == "circular" and max(before, after) > size:
        raise RuntimeError(
            f"Padding value causes wrapping around more than once: ({before}, {after}) at a dim of size {size}"
        )
    if size == 0 or size + before + after < 1:
        raise RuntimeError(
            f"pad: dimension {dim} of input {list(input.shape)} with padding ({before}, {after}) leaves nothing"
        )
