"""Sequences of different lengths: padded to one tensor, or packed without the padding.

A PackedSequence holds the first entries of all sequences, then their second entries, and so on, with the sequences
sorted from long to short: `batch_sizes[t]` of them are longer than t. Recurrent layers take it as it is, and spend
nothing on padding:

    a b c        data = a d f  b e  c
    d e          batch_sizes = 3 2 1
    f
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from minigrad import creation, ops
from minigrad.dtype import int64
from minigrad.tensor import Tensor


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """`data` (sum of the lengths, ...), `batch_sizes` int64 on the CPU; made by pack_padded_sequence or pack_sequence.

    `sorted_indices` says which of the given sequences came where, `unsorted_indices` is its inverse; both are None for
    sequences that were given from long to short.
    """

    __slots__ = ()

    def __new__(
        cls, data: Any, batch_sizes: Tensor | None = None, sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> "PackedSequence":  # fmt: skip
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("PackedSequence takes data and batch_sizes; make one with pack_padded_sequence")
            data, batch_sizes = data
        if batch_sizes.device.type != "cpu":
            raise ValueError(f"batch_sizes should always be on CPU, got device {batch_sizes.device}")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        """data.to(...), with the indices on the same device; itself if nothing changes."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        indices = [i if i is None else i.to(data.device) for i in (self.sorted_indices, self.unsorted_indices)]
        return type(self)(data, self.batch_sizes, *indices)

    def cuda(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        return self.to(*(args or ("cuda",)), **kwargs)

    def cpu(self) -> "PackedSequence":
        return self.to("cpu")

    def double(self) -> "PackedSequence":
        return self.to(creation.tensor(0.0).double().dtype)

    def float(self) -> "PackedSequence":
        return self.to(creation.tensor(0.0).float().dtype)

    @property
    def is_cuda(self) -> bool:
        return self.data.device.type == "cuda"


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """inverse[permutation[i]] = i, for int64 (n,); None for None."""
    return None if permutation is None else permutation.argsort()


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Leave the padding out: input (T, B, ...), or (B, T, ...) with `batch_first`, and a length for each of the B.

    What lies beyond a length is dropped. With `enforce_sorted` the lengths must not rise; without it the sequences are
    sorted first. RuntimeError for lengths that do not fit the input.
    """
    sizes = np.asarray(lengths.tolist() if isinstance(lengths, Tensor) else lengths, np.int64)
    order = None
    if not enforce_sorted:
        places = np.argsort(-sizes, kind="stable")
        order, sizes = creation.tensor(places, device=input.device), sizes[places]
        input = input.index_select(0 if batch_first else 1, order)
    _check_lengths(input, sizes, batch_first)
    x = input.transpose(0, 1) if batch_first else input  # (T, B, ...)
    batch_sizes = (sizes[None] > np.arange(sizes[0])[:, None]).sum(axis=1)  # (longest,)
    steps = [x[t, :n] for t, n in enumerate(batch_sizes.tolist())]
    return PackedSequence(ops.cat(steps, 0), creation.tensor(batch_sizes, dtype=int64, device="cpu"), order)


def _check_lengths(input: Tensor, sizes: np.ndarray, batch_first: bool) -> None:
    if not input.numel():
        raise RuntimeError("Cannot pack empty tensors.")
    batch, longest = input.shape[0 if batch_first else 1], input.shape[1 if batch_first else 0]
    if sizes.shape != (batch,):
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {list(sizes.shape)} lengths for a batch of "
            f"{batch} (batch_first={batch_first})"
        )
    if (sizes[1:] > sizes[:-1]).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement."
        )
    if sizes[-1] <= 0:
        raise RuntimeError(
            f"Length of all samples has to be greater than 0, but found an element in 'lengths' that is {sizes[-1]}"
        )
    if sizes[0] > longest:
        raise RuntimeError(f"a length of {sizes[0]} exceeds the {longest} time steps of an input {list(input.shape)}")


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """(padded (T, B, ...) or (B, T, ...), lengths (B,) int64), in the order in which the sequences were packed.

    T is the longest length or `total_length`; ValueError if that is less.
    """
    data, sizes = sequence.data, sequence.batch_sizes.tolist()
    if total_length is not None and total_length < len(sizes):
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total_length} and max sequence length being {len(sizes)}"
        )
    steps, start = [], 0
    for n in sizes:
        steps.append(_filled_up(data[start : start + n], sizes[0], 0, padding_value))
        start += n
    padded = _filled_up(ops.stack(steps, 0), total_length or len(sizes), 0, padding_value)
    lengths = creation.tensor([sum(n > i for n in sizes) for i in range(sizes[0])], dtype=int64, device="cpu")
    padded = padded.transpose(0, 1) if batch_first else padded
    if sequence.unsorted_indices is None:
        return padded, lengths
    order = sequence.unsorted_indices
    return padded.index_select(0 if batch_first else 1, order), lengths[order.cpu()]


def _filled_up(x: Tensor, length: int, front: int, value: float) -> Tensor:
    """x with `front` rows of `value` before it, and as many after it as make `length`."""
    rest = length - front - x.shape[0]
    blocks = [x.new_full((n, *x.shape[1:]), value) if n else None for n in (front, rest)]
    parts = [part for part in (blocks[0], x, blocks[1]) if part is not None]
    return ops.cat(parts, 0) if len(parts) > 1 else x


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences (L_i, ...) as one tensor (T, B, ...), or (B, T, ...) with `batch_first`, T the longest L_i."""
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    tensors = list(sequences)
    if not tensors:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    longest = max(x.shape[0] for x in tensors)
    for x in tensors:
        if x.shape[1:] != tensors[0].shape[1:]:
            raise RuntimeError(
                f"pad_sequence: the sequences may differ in their first dim alone, got shapes {list(tensors[0].shape)} "
                f"and {list(x.shape)}"
            )
    fronts = [longest - x.shape[0] if padding_side == "left" else 0 for x in tensors]
    rows = [_filled_up(x, longest, front, padding_value) for x, front in zip(tensors, fronts, strict=True)]
    return ops.stack(rows, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded (T, B, ...), or (B, T, ...), without the padding: the inverse of pad_sequence."""
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:n] for row, n in zip(x.unbind(0), lengths.tolist(), strict=True)]


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (L_i, ...) as a PackedSequence: `pack_padded_sequence` of `pad_sequence`."""
    lengths = [x.shape[0] for x in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a PackedSequence, in the order in which they were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
