"""What the tests of the Transformer's decoder half try, written for any library with PyTorch's names."""

from typing import Any

import numpy as np
from layer_cases import FLOAT_MASK, PADDING, answer, causal, fill, inputs, listed, wave, with_tensors

MASKS: dict[str, dict[str, Any]] = {
    "no mask": {},
    "causal": {"tgt_mask": causal(3)},
    "causal, said": {"tgt_mask": FLOAT_MASK, "tgt_is_causal": True},
    "padding": {"memory_key_padding_mask": np.array([[False, True, False, True], [False] * 4])},
    "all": {
        "tgt_mask": FLOAT_MASK,
        "memory_mask": wave(3, 4),
        "tgt_key_padding_mask": np.where(PADDING, -np.inf, 0.0),
        "memory_key_padding_mask": np.where([[False, True, False, True], [False] * 4], -np.inf, 0.0),
    },
}


def pair(batch_first: bool = False) -> list[np.ndarray]:
    """tgt with T = 3 and memory with S = 4, of 2 sequences."""
    shapes = ((2, 3, 4), (2, 4, 4)) if batch_first else ((3, 2, 4), (4, 2, 4))
    return [wave(*shape, phase=phase) for shape, phase in zip(shapes, (0.0, 0.4), strict=True)]


def decoders(lib: Any) -> dict[str, Any]:
    """TransformerDecoderLayer, TransformerDecoder and Transformer with masks; in training without dropout."""
    found, nn = {}, lib.nn
    for name, options in {
        "published": {}, "norm first": {"norm_first": True, "activation": "gelu"},
        "batch first": {"batch_first": True, "bias": False, "layer_norm_eps": 0.1},
    }.items():  # fmt: skip
        layer = fill(lib, nn.TransformerDecoderLayer(4, 2, 3, dropout=0.0, **options))
        for masks in MASKS if name == "published" else ("all",):
            layer.zero_grad()
            given = inputs(lib, pair(options.get("batch_first", False)))
            found[f"{name}, {masks}"] = answer(layer, given, **with_tensors(lib, MASKS[masks]))
    stack = fill(lib, nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 3, 0.0), 2, nn.LayerNorm(4)))
    found["stack"] = answer(stack, inputs(lib, pair()), **with_tensors(lib, MASKS["causal"]))
    stack.zero_grad()
    found["stack, no batch"] = answer(stack, inputs(lib, [wave(3, 4), wave(4, 4, phase=0.4)]))
    for first in (False, True):
        both = fill(lib, nn.Transformer(4, 2, 2, 1, 3, dropout=0.0, batch_first=first, norm_first=first))
        tgt, src = inputs(lib, pair(first))
        masks = with_tensors(lib, {"src_mask": causal(4), "tgt_mask": FLOAT_MASK})
        found[f"transformer, {first}"] = answer(both, [src, tgt], **masks)
    return found


def in_training(lib: Any) -> dict[str, Any]:
    """Outputs with dropout, which depend on the order in which it draws."""
    found = {}
    for first in (False, True):
        module = fill(lib, lib.nn.Transformer(4, 2, 1, 1, 3, dropout=0.4, batch_first=first))
        tgt, src = (lib.from_numpy(x) for x in pair(first))
        lib.manual_seed(7)
        found[f"batch_first={first}"] = listed(module(src, tgt))
    return found


def initial(lib: Any) -> list[Any]:
    """repr and initial weights."""
    found = []
    for name, args in {"TransformerDecoderLayer": (4, 2, 3), "Transformer": (4, 2, 2, 1, 3)}.items():
        lib.manual_seed(0)
        module = getattr(lib.nn, name)(*args)
        found.append([repr(module), {key: value.tolist() for key, value in module.state_dict().items()}])
    return found


def errors(lib: Any) -> dict[str, list[str]]:
    zeros, module = lib.zeros, lib.nn.Transformer(4, 2, 1, 1, 3)
    calls = {
        "batch": lambda: module(zeros(3, 2, 4), zeros(3, 1, 4)),
        "features": lambda: module(zeros(3, 2, 4), zeros(3, 2, 5)),
        "activation": lambda: lib.nn.TransformerDecoderLayer(4, 2, activation="tanh"),
    }
    found = {}
    for name, call in calls.items():
        try:
            call()
        except RuntimeError as error:
            found[name] = [type(error).__name__, str(error)]
    return found
