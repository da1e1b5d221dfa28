"""How many floating-point operations one step of a workload is, by formula.

Only matrix products and convolutions are counted, a multiplication and an addition as two: they are nearly all of the
work, and what the share of the machine's peak is about. A product forward, (m, k) @ (k, n), is 2 m k n; backward is
two products of the same size, one for each factor, but where the input is the data its gradient is not wanted. Causal
attention is counted at half, as half of the scores are masked.
"""

import itertools
from collections.abc import Callable

Size = dict[str, int]


def trained(forward: int, first: int = 0) -> int:
    """Forward and backward of products that are `forward` operations, `first` of them on the data itself."""
    return 3 * forward - first


def linears(rows: int, *widths: int) -> int:
    """Forward of a chain of Linear layers."""
    return sum(2 * rows * a * b for a, b in itertools.pairwise(widths))


def moons(size: Size) -> int:
    rows, hidden = size["batch"], size["hidden"]
    return trained(linears(rows, 2, hidden, hidden, 1), first=linears(rows, 2, hidden))


def mlp(size: Size) -> int:
    rows, pixels, hidden = size["batch"], size["pixels"], size["hidden"]
    return trained(linears(rows, pixels, hidden, size["classes"]), first=linears(rows, pixels, hidden))


def cnn(size: Size) -> int:
    batch, side, channels = size["batch"], size["side"], size["channels"]
    first = linears(batch * side**2, 9 * 1, channels)  # a 3 x 3 convolution is a Linear of 9 C_in at every pixel
    second = linears(batch * (side // 2) ** 2, 9 * channels, 2 * channels)
    head = linears(batch, 2 * channels * (side // 4) ** 2, size["classes"])
    return trained(first + second + head, first)


def lstm(size: Size) -> int:
    tokens, hidden = size["batch"] * size["length"], size["hidden"]
    gates = linears(tokens, size["channels"], 4 * hidden) + linears(tokens, hidden, 4 * hidden)
    return trained(gates + linears(tokens, hidden, size["vocabulary"]))


def transformer_layers(size: Size, tokens: int, keys: float) -> int:
    """Forward of all layers on `tokens` queries, each of which sees `keys` keys (on average)."""
    channels = size["channels"]
    projections = linears(tokens, channels, 3 * channels) + linears(tokens, channels, channels)
    feed_forward = linears(tokens, channels, 4 * channels, channels)
    attention = int(2 * 2 * tokens * keys * channels)  # the scores, and the sum of the values
    return size["layers"] * (projections + attention + feed_forward)


def gpt(size: Size) -> int:
    tokens = size["batch"] * size["block"]
    head = linears(tokens, size["channels"], size["vocabulary"])
    return trained(transformer_layers(size, tokens, keys=size["block"] / 2) + head)


def bert(size: Size) -> int:
    tokens = size["batch"] * size["length"]
    return trained(transformer_layers(size, tokens, keys=size["length"]) + linears(size["batch"], size["channels"], 2))


def decode(size: Size) -> int:
    """One token, with the cache half full."""
    keys = (size["prompt"] + size["cache"]) / 2
    return transformer_layers(size, 1, keys) + linears(1, size["channels"], size["vocabulary"])


FLOPS: dict[str, Callable[[Size], int]] = {
    "moons": moons, "mlp": mlp, "cnn": cnn, "lstm": lstm, "gpt": gpt, "bert": bert, "decode": decode,
}  # fmt: skip
