"""The workloads: what they are called, how large they are, how they are built.

Each file here is one PyTorch program: it says `import torch`, and runs under PyTorch as it runs under minigrad, where
`minigrad.alias()` answers that import. So both engines compute the same text, from the same NumPy weights and data
(arrays.py), and the first losses must agree. in_jax/ says the same in JAX.

`build(name, size)` returns a step: a function without arguments that does one training step (for decode: makes one
token) and returns its loss as a Python number.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Workload:
    """`size` is what is measured, `tiny` what the tests run; `module` the file here and in in_jax/.

    `agree_to` is how far the engines' first losses may differ, relatively: more where minigrad rounds the weights.
    """

    module: str
    what: str
    size: dict[str, int]
    tiny: dict[str, int]
    agree_to: float = 1e-4


Step = Callable[[], float]

_GPT = "pre-norm GPT, exact GELU, tied head; cross-entropy, clip norm 1.0, AdamW"
_TINY_GPT = {"batch": 3, "block": 8, "layers": 2, "heads": 2, "channels": 16, "vocabulary": 11}
_GPT2 = {"prompt": 32, "cache": 256, "layers": 12, "heads": 12, "channels": 768, "vocabulary": 50257}
_TINY_GPT2 = {"prompt": 4, "cache": 12, "layers": 2, "heads": 2, "channels": 16, "vocabulary": 31}
_DECODE = "GPT-2 124M, one token at a time after a prompt of 32, cache of 256"

WORKLOADS: dict[str, Workload] = {
    "moons": Workload(
        "moons", "MLP 2-16-16-1, hinge loss, SGD", size={"batch": 32, "hidden": 16}, tiny={"batch": 8, "hidden": 8}
    ),
    "mlp64": Workload(
        "mlp",
        "MLP 784-500-10, batch 64, cross-entropy, Adam",
        size={"batch": 64, "pixels": 784, "hidden": 500, "classes": 10},
        tiny={"batch": 8, "pixels": 12, "hidden": 7, "classes": 3},
    ),
    "mlp512": Workload(
        "mlp",
        "MLP 784-500-10, batch 512, cross-entropy, Adam",
        size={"batch": 512, "pixels": 784, "hidden": 500, "classes": 10},
        tiny={"batch": 16, "pixels": 12, "hidden": 7, "classes": 3},
    ),
    "cnn": Workload(
        "cnn",
        "two 3x3 convolutions with ReLU and max pooling, 64 images of 28 x 28, Adam",
        size={"batch": 64, "side": 28, "channels": 32, "classes": 10},
        tiny={"batch": 4, "side": 8, "channels": 4, "classes": 3},
    ),
    "lstm": Workload(
        "lstm",
        "LSTM 128-256 over 32 x 64 tokens of 65 kinds, Adam",
        size={"batch": 32, "length": 64, "vocabulary": 65, "channels": 128, "hidden": 256},
        tiny={"batch": 3, "length": 5, "vocabulary": 7, "channels": 6, "hidden": 8},
    ),
    "gpt_char": Workload(
        "gpt",
        f"{_GPT}; 4 layers of 128, block 64, batch 12",
        size={"batch": 12, "block": 64, "layers": 4, "heads": 4, "channels": 128, "vocabulary": 65},
        tiny=_TINY_GPT,
    ),
    "gpt_baby": Workload(
        "gpt",
        f"{_GPT}; 6 layers of 384, block 256, batch 8",
        size={"batch": 8, "block": 256, "layers": 6, "heads": 6, "channels": 384, "vocabulary": 65},
        tiny={**_TINY_GPT, "layers": 1, "block": 16},
    ),
    "bert": Workload(
        "bert",
        "post-norm encoder, 4 layers of 256, 16 x 128 tokens of 30,522 kinds, 2 classes, AdamW",
        size={"batch": 16, "length": 128, "layers": 4, "heads": 4, "channels": 256, "vocabulary": 30522},
        tiny={"batch": 3, "length": 6, "layers": 2, "heads": 2, "channels": 8, "vocabulary": 23},
    ),
    "decode": Workload(
        "decode",
        _DECODE,
        size={**_GPT2, "bits": 32},
        tiny={**_TINY_GPT2, "bits": 32},
    ),
    "decode_bf16": Workload(
        "decode",
        f"{_DECODE}; minigrad's weights in bfloat16, the other engines' in float32",
        size={**_GPT2, "bits": 16},
        tiny={**_TINY_GPT2, "bits": 16},
        agree_to=0.02,
    ),
    "decode_int8": Workload(
        "decode",
        f"{_DECODE}; minigrad's weights in int8, the other engines' in float32",
        size={**_GPT2, "bits": 8},
        tiny={**_TINY_GPT2, "bits": 8},
        agree_to=0.05,
    ),
}


def unchanged(function: Any) -> Any:
    """What stands in for torch.compile where nothing is compiled."""
    return function


def build(name: str, size: dict[str, int], compiled: Callable[[Any], Any] = unchanged) -> Step:
    """The step of a workload; `compiled` is put around the function that computes the loss (torch.compile)."""
    return importlib.import_module(f"workloads.{WORKLOADS[name].module}").build(size, compiled)


def build_in_jax(name: str, size: dict[str, int]) -> Step:
    """The same in JAX, as one compiled step."""
    return importlib.import_module(f"workloads.in_jax.{WORKLOADS[name].module}").build(size)
