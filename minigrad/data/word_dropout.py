"""Word dropout: whole words of a text become the unknown word, so that a model does not lean on any single one."""

from collections.abc import Collection

from minigrad import random
from minigrad.arguments import must_be_tensor
from minigrad.tensor import Tensor


def word_dropout(
    tokens: Tensor, p: float, unk_id: int, keep_ids: Collection[int] = (), generator: random.Generator | None = None
) -> Tensor:
    """`tokens`, integers of any shape, with each replaced by `unk_id` with probability p; those in `keep_ids` stay.

    `keep_ids` are padding and the marks of beginnings and ends. For training batches only; the labels of a language
    model stay whole. Raises ValueError for a p outside [0, 1], TypeError for tokens that are no integers. Source:
    Iyyer et al. 2015, "Deep Unordered Composition Rivals Syntactic Methods for Text Classification".
    """
    must_be_tensor("word_dropout", "tokens", tokens)
    if not 0 <= p <= 1:
        raise ValueError(f"the probability of word dropout must be in [0, 1], got {p!r}")
    if tokens.dtype.kind != 1:
        raise TypeError(f"tokens are integers, got {tokens.dtype}")
    dropped = random.rand(tokens.shape, generator=generator, device=tokens.device) < p
    for kept in keep_ids:
        dropped = dropped & (tokens != kept)
    return tokens.masked_fill(dropped, unk_id)
