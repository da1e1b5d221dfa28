"""What a decoder keeps of the tokens before, so that each token is computed once (the key/value cache), and which of
them a token may see.

Letters in shape comments: B batch, T new tokens, S tokens before and new ones together, H heads, K channels a head.
"""

import minigrad as mg
from minigrad import nn


class Past:
    """Keys and values of the tokens so far: room for `size` of them in each attention layer, allocated when the first
    come and written in place. Under no_grad.

    size    how many tokens there is room for
    mask    (B, T) of the first tokens, 0 where a row is padding; None: no padding
    """

    def __init__(self, size: int, mask: mg.Tensor | None = None):
        self.size, self.length = size, 0  # room, and how many tokens there are
        self.kept: dict[int, tuple[mg.Tensor, mg.Tensor]] = {}  # by layer
        self.real: mg.Tensor | None = None  # (B, size), False where there is padding; None: there is none
        if mask is not None and not mask.bool().all():
            B, T = mask.shape
            later = mg.ones(B, size - T, dtype=mg.bool, device=mask.device)  # what is written from here on is real
            self.real = mg.cat((mask.bool(), later), dim=1)

    def add(self, layer: nn.Module, k: mg.Tensor, v: mg.Tensor) -> tuple[mg.Tensor, mg.Tensor]:
        """Keep k and v (B, H, T, K) of the newest tokens; those of all tokens, (B, H, S, K)."""
        B, H, T, K = k.shape
        if id(layer) not in self.kept:
            self.kept[id(layer)] = k.new_zeros(B, H, self.size, K), v.new_zeros(B, H, self.size, K)
        keys, values = self.kept[id(layer)]
        stop = self.length + T
        keys[:, :, self.length : stop], values[:, :, self.length : stop] = k, v
        return keys[:, :, :stop], values[:, :, :stop]

    def visible(self, T: int, device: mg.device | None = None) -> mg.Tensor | None:
        """True where a new token sees another: all real ones before it, and itself. (T, S), or (B, 1, T, S) where some
        are padding; None where plain causal attention does it (nothing before) or one new token sees all.
        """
        S = self.length + T
        if self.real is None:
            return None if T == 1 or self.length == 0 else _before(T, S, device)
        return (self.real[:, :S].view(-1, 1, 1, S) & _before(T, S, device)) | _itself(T, S, device)

    def positions(self, T: int, device: mg.device | None = None) -> mg.Tensor:
        """The places of the new tokens, counted from the first real one of their row: (T,), or (B, T) with padding."""
        if self.real is None:
            return mg.arange(self.length, self.length + T, device=device)
        return positions_of(self.real)[:, self.length : self.length + T]

    def choose(self, rows: mg.Tensor) -> None:
        """Go on with these rows (indices into B, any number of them) in place of those there are: for beam search."""
        self.kept = {layer: (k[rows], v[rows]) for layer, (k, v) in self.kept.items()}
        if self.real is not None:
            self.real = self.real[rows]


def positions_of(mask: mg.Tensor) -> mg.Tensor:
    """(B, T) places counted from the first real token of each row; 0 for padding before it."""
    return (mask.long().cumsum(1) - 1).clamp(min=0)


def causal_mask(mask: mg.Tensor) -> mg.Tensor:
    """(B, 1, T, T), True where a token sees another: itself, and the real ones before it, by a (B, T) padding mask.

    Padding sees itself, so that no row of attention weights is empty; nothing that is real sees it.
    """
    B, T = mask.shape
    return (mask.bool().view(B, 1, 1, T) & _before(T, T, mask.device)) | _itself(T, T, mask.device)


def _before(T: int, S: int, device: mg.device | None) -> mg.Tensor:
    """(T, S): the last T of S tokens see those up to themselves."""
    return mg.arange(S, device=device) <= mg.arange(S - T, S, device=device).unsqueeze(1)


def _itself(T: int, S: int, device: mg.device | None) -> mg.Tensor:
    return mg.arange(S, device=device) == mg.arange(S - T, S, device=device).unsqueeze(1)
