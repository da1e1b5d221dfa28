"""A recurrent language model: what it has read is in the state that it carries from token to token.

- an embedding, one or more layers of RNN, GRU or LSTM, and an output layer, which may be the embedding again
- dropout on what goes into and comes out of each layer; the same channels are dropped at all times of a sequence, so
  that the state is not worn away (Gal and Ghahramani, 2016, arXiv:1512.05287)
- training goes through a text in pieces: the state at the end of one begins the next, without its gradient

Mikolov et al., 2010; Zaremba et al., 2014, arXiv:1409.2329; Press and Wolf, 2017 (tying). Letters in shape comments:
B batch, T time, C channels, L layers, V vocabulary.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

from .generation import generate
from .pretrained import Pretrained

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
State = Any  # (L, B, C) of RNN and GRU, a pair of them of an LSTM


@dataclass
class RNNConfig:
    """The small LSTM of Zaremba et al., with tied embeddings, by default."""

    vocab_size: int = 10000
    cell: str = "lstm"
    channels: int = 200  # of the embedding and of every layer
    layers: int = 2
    dropout: float = 0.5  # of what goes into and comes out of the layers
    embedding_dropout: float = 0.0  # share of words whose whole vector is dropped
    tied: bool = True

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {self.cell!r}")
        for name in ("vocab_size", "channels", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


def locked_dropout(x: mg.Tensor, p: float, training: bool) -> mg.Tensor:
    """Drop channels of (B, T, C), the same ones at all times, and divide the others by 1 - p."""
    if not training or p == 0:
        return x
    kept = mg.bernoulli(mg.full((x.size(0), 1, x.size(2)), 1 - p, device=x.device, dtype=x.dtype))
    return x * (kept / (1 - p))


class RNN(Pretrained):
    """`logits, loss = RNN(config)(tokens, targets)`; the loss is None without targets.

    `model.state` is what the last call left behind; `forward(..., state=model.state)` goes on from there.
    """

    model_type, task = "rnn", "write"
    context = None  # it reads any length

    def __init__(self, config: RNNConfig):
        super().__init__()
        self.config = config
        C = config.channels
        self.embedding = nn.Embedding(config.vocab_size, C)
        self.layers = nn.ModuleList([CELLS[config.cell](C, C, batch_first=True) for _ in range(config.layers)])
        self.output = nn.Linear(C, config.vocab_size)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.uniform_(self.output.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)
        if config.tied:
            self.output.weight = self.embedding.weight
        self.state: State = None

    def hidden(self, tokens: mg.Tensor, state: State = None) -> tuple[mg.Tensor, State]:
        """(B, T, C) of what the last layer says at each token, and the state behind the last one, for each layer."""
        c = self.config
        x = self.embedding(tokens)  # (B, T, C)
        if self.training and c.embedding_dropout:
            kept = mg.bernoulli(mg.full((c.vocab_size, 1), 1 - c.embedding_dropout, device=x.device, dtype=x.dtype))
            x = x * (kept / (1 - c.embedding_dropout))[tokens]
        x = locked_dropout(x, c.dropout, self.training)
        after = []
        for i, layer in enumerate(self.layers):
            x, left = layer(x, None if state is None else state[i])
            x = locked_dropout(x, c.dropout, self.training)
            after.append(left)
        return x, after

    def forward(
        self, tokens: mg.Tensor, targets: mg.Tensor | None = None, state: State = None, mask: mg.Tensor | None = None
    ) -> tuple[mg.Tensor, mg.Tensor | None]:
        """(logits, loss): (B, T, V), and the mean cross-entropy of the targets (B, T) that are not -100 or masked.

        `mask` (B, T) is 0 at padding, on either side: it is read last, where it changes nothing that is asked for.
        """
        if mask is None or bool(mask.bool().all()):
            x, after = self.hidden(tokens, state)
        else:
            order = (~mask.bool()).long().argsort(dim=1, stable=True)  # (B, T), the places of real tokens first
            x, after = self.hidden(tokens.gather(1, order), state)
            x = x.gather(1, order.argsort(dim=1).unsqueeze(-1).expand(x.shape))  # each back in its place
        self.state = detached(after)
        logits = self.output(x)  # (B, T, C) -> (B, T, V)
        if targets is None:
            return logits, None
        if mask is not None:
            targets = targets.masked_fill(~mask.bool(), -100)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def new_past(self, batch: int, size: int, mask: mg.Tensor | None = None) -> "Carried":
        return Carried()

    def next_logits(self, tokens: mg.Tensor, past: "Carried | None" = None, mask: mg.Tensor | None = None) -> mg.Tensor:
        """(B, V) logits of the token after the last one."""
        if mask is not None and not mask.bool().all():
            return self._after_padding(tokens, past, mask)
        x, state = self.hidden(tokens, None if past is None else past.state)
        if past is not None:
            past.state, past.length = state, past.length + tokens.size(1)
        return self.output(x[:, -1])

    def _after_padding(self, tokens: mg.Tensor, past: "Carried | None", mask: mg.Tensor) -> mg.Tensor:
        """Prompts padded on the left, each read alone: a state has no place that could be hidden from it."""
        real = mask.long().sum(1).tolist()
        found = [self.hidden(tokens[i : i + 1, tokens.size(1) - n :]) for i, n in enumerate(real)]
        if past is not None:
            past.state = [_joined([state[i] for _, state in found]) for i in range(len(self.layers))]
            past.length += tokens.size(1)
        return self.output(mg.cat([x[:, -1] for x, _ in found]))

    def generate(self, tokens: mg.Tensor, max_new_tokens: int | None = None, **how: Any) -> mg.Tensor:
        """Extend (B, T) tokens; `models.generation.generate` says how."""
        return generate(self, tokens, max_new_tokens, **how)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        known = {field.name for field in fields(RNNConfig)}
        return cls(RNNConfig(**{k: v for k, v in config.items() if k in known}))

    def to_config(self) -> dict[str, Any]:
        return asdict(self.config)


class Carried:
    """The state behind the tokens so far, in place of a cache of keys and values."""

    def __init__(self) -> None:
        self.state: State = None
        self.length = 0

    def choose(self, rows: mg.Tensor) -> None:
        """Go on with these rows in place of those there are."""
        if self.state is not None:
            self.state = [_each(layer, lambda h: h[:, rows]) for layer in self.state]


def detached(state: State) -> State:
    """The same numbers, without the graph behind them: where a piece of text ends, its gradient does."""
    return [_each(layer, lambda h: h.detach()) for layer in state]


def _each(layer: Any, change: Any) -> Any:
    return tuple(change(h) for h in layer) if isinstance(layer, tuple) else change(layer)


def _joined(rows: list[Any]) -> Any:
    """One layer's states of several rows as one: (1, 1, C) each -> (1, B, C)."""
    if isinstance(rows[0], tuple):
        return tuple(mg.cat(parts, dim=1) for parts in zip(*rows, strict=True))
    return mg.cat(rows, dim=1)


LANGUAGE_MODEL = RNN
