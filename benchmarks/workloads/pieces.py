"""Single ops at the shapes of the workloads, for benchmarks/ops.py: PyTorch text, as the workloads are.

"char" is gpt_char (768 tokens, 128 channels, 12 x 64 positions, 4 heads), "baby" is gpt_baby (2048 tokens, 384
channels, 8 x 256 positions, 6 heads). A piece is a function that makes `forward`, which computes the op once, and the
leaves that get gradients.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from workloads.common import fill
from workloads.gpt import GPT

Made = tuple[Callable[[], Any], list[torch.Tensor]]
CHAIN = 200  # small ops are timed in a chain of so many


@dataclass(frozen=True)
class Piece:
    """`backward`: whether there is one to time; `ops`: how many ops a call does, which its time is divided by."""

    make: Callable[[], Made]
    backward: bool = True
    ops: int = 1


class Arrays:
    """Random leaves and data; the same for both engines, as each piece begins anew."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.leaves: list[torch.Tensor] = []

    def leaf(self, *shape: int) -> torch.Tensor:
        self.leaves.append(self.data(*shape).requires_grad_())
        return self.leaves[-1]

    def data(self, *shape: int) -> torch.Tensor:
        return torch.from_numpy(self.rng.standard_normal(shape, dtype=np.float32))

    def integers(self, below: int, *shape: int) -> torch.Tensor:
        return torch.from_numpy(self.rng.integers(0, below, shape))

    def module(self, module: nn.Module) -> nn.Module:
        self.leaves += fill(module).parameters()
        return module


def linear(tokens: int, channels: int, gelu: bool = False) -> Made:
    a = Arrays()
    x, layer = a.leaf(tokens, channels), a.module(nn.Linear(channels, 4 * channels))
    return (lambda: F.gelu(layer(x)) if gelu else layer(x)), a.leaves


def layer_norm(tokens: int, channels: int) -> Made:
    a = Arrays()
    x, layer = a.leaf(tokens, channels), a.module(nn.LayerNorm(channels))
    return lambda: layer(x), a.leaves


def softmax(*shape: int) -> Made:
    a = Arrays()
    x = a.leaf(*shape)
    return lambda: F.softmax(x, dim=-1), a.leaves


def cross_entropy(rows: int, classes: int) -> Made:
    a = Arrays()
    logits, targets = a.leaf(rows, classes), a.integers(classes, rows)
    return lambda: F.cross_entropy(logits, targets), a.leaves


def attention(batch: int, length: int, channels: int, heads: int) -> Made:
    """Causal, from the packed projection to the heads side by side, as the GPT has it."""
    a = Arrays()
    qkv = a.leaf(batch, length, 3 * channels)

    def forward() -> torch.Tensor:
        q, k, v = (t.view(batch, length, heads, channels // heads).transpose(1, 2) for t in qkv.split(channels, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return y.transpose(1, 2).reshape(batch, length, channels)

    return forward, a.leaves


def embedding(tokens: int, channels: int) -> Made:
    a = Arrays()
    layer, ids = a.module(nn.Embedding(65, channels)), a.integers(65, tokens)
    return lambda: layer(ids), a.leaves


def with_gradients(block: int, layers: int, heads: int, channels: int) -> list[torch.Tensor]:
    """The parameters of a GPT, each with a gradient."""
    a = Arrays()
    parameters = a.module(GPT(65, block, layers, heads, channels)).parameters()
    for p in parameters:
        p.grad = a.data(*p.shape)
    return a.leaves


def adamw(*sizes: int) -> Made:
    leaves = with_gradients(*sizes)
    optimizer = torch.optim.AdamW(leaves, lr=1e-3, fused=True)
    return optimizer.step, leaves


def clipping(*sizes: int) -> Made:
    leaves = with_gradients(*sizes)
    return lambda: nn.utils.clip_grad_norm_(leaves, 1.0), leaves


def convolution(batch: int, inputs: int, outputs: int, side: int) -> Made:
    a = Arrays()
    x, layer = a.leaf(batch, inputs, side, side), a.module(nn.Conv2d(inputs, outputs, 3, padding=1))
    return lambda: layer(x), a.leaves


def max_pool() -> Made:
    a = Arrays()
    x = a.leaf(64, 32, 28, 28)
    return lambda: F.max_pool2d(x, 2), a.leaves


def batch_norm() -> Made:
    a = Arrays()
    x, layer = a.leaf(64, 32, 28, 28), a.module(nn.BatchNorm2d(32))
    return lambda: layer(x), a.leaves


def lstm_cell() -> Made:
    a = Arrays()
    cell, x, h, c = a.module(nn.LSTMCell(128, 256)), a.leaf(32, 128), a.leaf(32, 256), a.leaf(32, 256)
    return lambda: cell(x, (h, c))[0], a.leaves


def lstm() -> Made:
    a = Arrays()
    layer, x = a.module(nn.LSTM(128, 256, batch_first=True)), a.leaf(32, 64, 128)
    return lambda: layer(x)[0], a.leaves


def gemv(rows: int, channels: int) -> Made:
    """One token through a Linear layer without a bias, as in generation."""
    a = Arrays()
    weight, x = a.data(rows, channels), a.data(1, channels)
    return lambda: F.linear(x, weight), []


def chain(op: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Callable[[], Made]:
    """CHAIN ops one after the other on 8 numbers: nearly all of their time is the engine's own."""

    def make() -> Made:
        a = Arrays()
        x = a.leaf(8)

        def forward() -> torch.Tensor:
            y = x
            for _ in range(CHAIN):
                y = op(y, x)
            return y

        return forward, a.leaves

    return make


def _small(op: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Piece:
    return Piece(chain(op), ops=CHAIN)


CHAR, BABY = (64, 4, 4, 128), (256, 6, 6, 384)

PIECES: dict[str, Piece] = {
    "linear 128-512, char": Piece(lambda: linear(768, 128)),
    "linear 384-1536, baby": Piece(lambda: linear(2048, 384)),
    "linear + gelu, char": Piece(lambda: linear(768, 128, gelu=True)),
    "linear + gelu, baby": Piece(lambda: linear(2048, 384, gelu=True)),
    "layer_norm, char": Piece(lambda: layer_norm(768, 128)),
    "layer_norm, baby": Piece(lambda: layer_norm(2048, 384)),
    "softmax of scores, char": Piece(lambda: softmax(12, 4, 64, 64)),
    "softmax of scores, baby": Piece(lambda: softmax(8, 6, 256, 256)),
    "causal attention, char": Piece(lambda: attention(12, 64, 128, 4)),
    "causal attention, baby": Piece(lambda: attention(8, 256, 384, 6)),
    "cross_entropy 768 x 65": Piece(lambda: cross_entropy(768, 65)),
    "cross_entropy 2048 x 65": Piece(lambda: cross_entropy(2048, 65)),
    "cross_entropy 512 x 50257": Piece(lambda: cross_entropy(512, 50257)),
    "embedding, char": Piece(lambda: embedding(768, 128)),
    "embedding, baby": Piece(lambda: embedding(2048, 384)),
    "AdamW step, char 0.8 M": Piece(lambda: adamw(*CHAR), backward=False),
    "AdamW step, baby 10.8 M": Piece(lambda: adamw(*BABY), backward=False),
    "clip_grad_norm_, char": Piece(lambda: clipping(*CHAR), backward=False),
    "clip_grad_norm_, baby": Piece(lambda: clipping(*BABY), backward=False),
    "conv 1-32, 64 of 28 x 28": Piece(lambda: convolution(64, 1, 32, 28)),
    "conv 32-64, 64 of 14 x 14": Piece(lambda: convolution(64, 32, 64, 14)),
    "conv 64-64, 32 of 32 x 32": Piece(lambda: convolution(32, 64, 64, 32)),
    "max_pool2d, 64 x 32 of 28 x 28": Piece(max_pool),
    "batch_norm, 64 x 32 of 28 x 28": Piece(batch_norm),
    "LSTM cell 128-256, 32 rows": Piece(lstm_cell),
    "LSTM 128-256, 32 x 64 steps": Piece(lstm),
    "gemv 3072 x 768": Piece(lambda: gemv(3072, 768), backward=False),
    "gemv 50257 x 768": Piece(lambda: gemv(50257, 768), backward=False),
    "add, 8 numbers": _small(lambda y, x: y + x),
    "mul, 8 numbers": _small(lambda y, x: y * x),
    "add a number, 8 numbers": _small(lambda y, x: y + 1.0),
    "tanh, 8 numbers": _small(lambda y, x: y.tanh()),
    "relu, 8 numbers": _small(lambda y, x: y.relu()),
    "reshape, 8 numbers": _small(lambda y, x: y.reshape(2, 4) if y.ndim == 1 else y.reshape(8)),
    "slice, 8 numbers": _small(lambda y, x: y[0:8]),
}


def _with_backward(made: Made) -> Callable[[], Any]:
    forward, leaves = made
    y = forward()
    rng = np.random.default_rng(1)
    dy = torch.from_numpy(np.asarray(rng.standard_normal(tuple(y.shape)), np.float32))

    def both() -> None:
        for leaf in leaves:
            leaf.grad = None
        forward().backward(dy)

    return both


def build(name: str, backward: bool) -> Callable[[], Any]:
    """A function that runs the piece once, forward or forward and backward."""
    made = PIECES[name].make()
    return _with_backward(made) if backward else made[0]


def check(name: str) -> list[float]:
    """The mean size of what a piece computes, outputs, gradients and parameters: equal where the engines agree."""
    made = PIECES[name].make()
    forward, leaves = made
    numbers = [forward(), *leaves]
    if PIECES[name].backward:
        _with_backward(made)()
        numbers += [leaf.grad for leaf in leaves]
    return [float(t.detach().abs().mean()) for t in numbers if t is not None]
