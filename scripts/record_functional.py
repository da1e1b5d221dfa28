"""Records what PyTorch's nn.functional gives, values and gradients, for tests/nn/test_functional.py.

    python scripts/record_functional.py        (PyTorch must be installed; writes tests/recorded/functional.json)

A call is stored as the function's name, its tensors, its keyword arguments, the output, and the gradients of
sum(output * cos(1, 2, 3, ...)) by each floating input. Figures are float64, in ten digits. Tensors among the keyword
arguments are stored as {"tensor": ...}. Dropout is stored with its seed; record it on a processor that is not Intel's,
where PyTorch draws dropout masks from its own generator.
"""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

NAN = float("nan")
rng = np.random.default_rng(2013)
EDGES = [-40.0, -6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0, 40.0, NAN]
LABELS, SPREAD = [1, 0, 3, -100], [[[0, 2], [1, -100]], [[2, 2], [0, 1]]]
Call = tuple[str, list, dict]


def real(*shape: int, low: float = -2.0, high: float = 2.0) -> torch.Tensor:
    return torch.tensor(rng.uniform(low, high, shape).round(3))


def unit(*shape: int) -> torch.Tensor:
    return real(*shape, low=0.02, high=0.98)


def whole(data: Any) -> torch.Tensor:
    return torch.tensor(data, dtype=torch.int64)


def activations() -> Iterator[Call]:
    edges = torch.tensor(EDGES, dtype=torch.float64)
    for name in (
        "relu", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "hardtanh", "relu6",
        "hardsigmoid", "hardswish", "logsigmoid", "softsign", "tanhshrink", "sigmoid", "tanh",
    ):  # fmt: skip
        yield name, [edges], {}
        yield name, [real(2, 3)], {}
    yield "gelu", [edges], {"approximate": "tanh"}
    yield "leaky_relu", [edges], {"negative_slope": 0.3}
    yield "elu", [edges], {"alpha": 0.3}
    yield "celu", [edges], {"alpha": 0.3}
    yield "softplus", [edges], {"beta": 2.0, "threshold": 5.0}
    yield "hardtanh", [edges], {"min_val": -3.0, "max_val": 0.5}
    yield "threshold", [edges], {"threshold": 0.5, "value": -7.0}
    yield "prelu", [edges, real(1)], {}
    yield "prelu", [real(2, 3, 2), real(3)], {}
    for name in ("relu", "relu6", "hardtanh"):
        yield name, [whole([-9, -1, 0, 1, 5, 9])], {}
    for name in ("softmax", "log_softmax", "softmin"):
        yield name, [real(3, 4)], {"dim": -1}
        yield name, [real(2, 3, 2)], {"dim": 1}
        yield (
            name,
            [torch.tensor([[1e4, -1e4, 0.0], [NAN, 0.0, 1.0], [5.0, 5.0, 5.0]], dtype=torch.float64)],
            {"dim": 1},
        )
        yield name, [torch.tensor([[float("-inf"), 0.0, 1.0]], dtype=torch.float64)], {"dim": 1}
    yield "glu", [real(2, 4)], {}
    yield "glu", [real(4, 3)], {"dim": 0}


def layers() -> Iterator[Call]:
    yield "linear", [real(2, 3), real(4, 3), real(4)], {}
    yield "linear", [real(2, 2, 3), real(4, 3)], {}
    yield "linear", [real(3), real(4, 3), real(4)], {}
    yield "linear", [real(2, 3), real(3)], {}
    yield "bilinear", [real(2, 3), real(2, 2), real(4, 3, 2), real(4)], {}
    yield "embedding", [whole([[1, 0, 2], [2, 2, 3]]), real(4, 3)], {}
    yield "embedding", [whole([[1, 0, 2], [2, 2, 3]]), real(4, 3)], {"padding_idx": 2}
    yield "embedding", [whole([1, 3, 3]), real(4, 3)], {"padding_idx": -1}
    yield "one_hot", [whole([[1, 0], [3, 1]])], {}
    yield "one_hot", [whole([[1, 0], [3, 1]])], {"num_classes": 5}
    yield "layer_norm", [real(3, 4)], {"normalized_shape": (4,), "weight": real(4), "bias": real(4)}
    yield "layer_norm", [real(3, 4)], {"normalized_shape": (4,), "bias": real(4)}
    yield (
        "layer_norm",
        [real(2, 3, 4)],
        {"normalized_shape": (3, 4), "weight": real(3, 4), "bias": real(3, 4), "eps": 0.1},
    )
    yield "layer_norm", [torch.full((2, 3), 7.0, dtype=torch.float64)], {"normalized_shape": (3,)}
    yield "rms_norm", [real(3, 4)], {"normalized_shape": (4,), "weight": real(4)}
    yield "rms_norm", [real(2, 3, 4)], {"normalized_shape": (3, 4), "eps": 0.1}
    yield "rms_norm", [torch.zeros(2, 3, dtype=torch.float64)], {"normalized_shape": (3,)}
    yield "normalize", [real(3, 4)], {}
    yield "normalize", [real(3, 4)], {"p": 1.0, "dim": 0}
    yield "normalize", [torch.zeros(2, 3, dtype=torch.float64)], {"dim": 1}
    yield "normalize", [real(2, 3, 4)], {"dim": (1, 2)}
    yield "cosine_similarity", [real(3, 4), real(3, 4)], {}
    yield "cosine_similarity", [real(2, 3, 4), real(4)], {"dim": -1}
    yield "cosine_similarity", [torch.zeros(2, 3, dtype=torch.float64), real(2, 3)], {}
    yield "pairwise_distance", [real(3, 4), real(3, 4)], {}
    yield "pairwise_distance", [real(3, 4), real(4)], {"p": 3.0, "keepdim": True}
    yield "pad", [real(2, 3)], {"pad": (1, 2)}
    yield "pad", [real(2, 3)], {"pad": (1, 0, -1, 2), "value": 9.0}
    for mode in ("reflect", "replicate", "circular"):
        yield "pad", [real(2, 3)], {"pad": (2, 1), "mode": mode}
        yield "pad", [real(2, 2, 3, 4)], {"pad": (1, 2, 0, 2), "mode": mode}


def attention() -> Iterator[Call]:
    name = "scaled_dot_product_attention"
    blind = torch.tensor([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]]) == 1
    minus = torch.where(blind, 0.0, float("-inf")).double()
    for params in ({}, {"is_causal": True}, {"scale": 0.3}, {"attn_mask": blind}, {"attn_mask": minus}):
        yield name, [real(2, 3, 2), real(2, 4, 2), real(2, 4, 3)], params
    yield name, [real(2, 3, 2), real(2, 4, 2), real(2, 4, 3), real(3, 4)], {}
    yield name, [real(4, 2), real(3, 2), real(3, 2)], {"is_causal": True}
    yield name, [real(1, 4, 2, 2), real(1, 2, 3, 2), real(1, 2, 3, 2)], {"enable_gqa": True}
    yield name, [real(2, 2, 3, 2), real(2, 3, 2), real(1, 3, 2)], {}


def labelled() -> Iterator[Call]:
    for reduction in ("mean", "sum", "none"):
        how = {"reduction": reduction}
        for extra in ({}, {"label_smoothing": 0.2}, {"label_smoothing": 0.2, "weight": unit(4)}):
            yield "cross_entropy", [real(4, 4), whole(LABELS)], {**how, **extra}
        yield "cross_entropy", [real(2, 3, 2, 2), whole(SPREAD)], how
        yield (
            "cross_entropy",
            [real(2, 3, 2, 2), whole(SPREAD).abs() % 3],
            {**how, "weight": unit(3), "ignore_index": 2},
        )
        yield "cross_entropy", [real(3, 4), unit(3, 4)], {**how, "label_smoothing": 0.1, "weight": unit(4)}
        yield "cross_entropy", [real(2, 3, 2), unit(2, 3, 2)], how
        yield "cross_entropy", [real(4), whole(2)], how
        yield "cross_entropy", [real(4), unit(4)], how
        yield "cross_entropy", [real(2, 4), whole([-100, -100])], how
        yield "cross_entropy", [real(0, 4), whole([])], how
        yield "nll_loss", [real(4, 4), whole(LABELS)], how
        yield "nll_loss", [real(4, 4), whole(LABELS)], {**how, "weight": unit(4)}
        yield "nll_loss", [real(2, 3, 2, 2), whole(SPREAD)], how
        yield "nll_loss", [real(4), whole(2)], how
        yield "nll_loss", [real(2, 4), whole([-100, -100])], {**how, "weight": unit(4)}


def losses() -> Iterator[Call]:
    zero_one = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.3], dtype=torch.float64)
    signs = whole([[1, -1], [-1, 1], [1, 1]])
    for reduction in ("mean", "sum", "none"):
        how = {"reduction": reduction}
        for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"):
            yield name, [real(3, 2), real(3, 2)], how
            yield (
                name,
                [torch.tensor([0.0, 1.0, -1.0, 5.0], dtype=torch.float64), torch.zeros(4, dtype=torch.float64)],
                how,
            )
        yield "mse_loss", [real(3, 2), real(3, 2)], {**how, "weight": unit(3, 2)}
        yield "huber_loss", [real(3, 2), real(3, 2)], {**how, "delta": 0.4, "weight": unit(3, 2)}
        yield "smooth_l1_loss", [real(3, 2), real(3, 2)], {**how, "beta": 0.4}
        yield "smooth_l1_loss", [real(3, 2), real(3, 2)], {**how, "beta": 0.0}
        yield "binary_cross_entropy", [zero_one], {**how, "target": zero_one.flip(0)}
        yield "binary_cross_entropy", [unit(3, 2), unit(3, 2)], {**how, "weight": unit(3, 2)}
        name = "binary_cross_entropy_with_logits"
        yield name, [torch.tensor([-800.0, 800.0, 0.0], dtype=torch.float64)], {**how, "target": unit(3)}
        yield name, [real(3, 2), unit(3, 2)], {**how, "weight": unit(3, 2), "pos_weight": unit(2)}
        yield "kl_div", [real(3, 2), unit(3, 2)], how
        yield "kl_div", [real(3, 2), real(3, 2)], {**how, "log_target": True}
        yield "poisson_nll_loss", [real(3, 2), unit(3, 2)], how
        yield "poisson_nll_loss", [unit(3, 2)], {**how, "target": real(3, 2, low=0.0, high=4.0), "full": True}
        yield "poisson_nll_loss", [unit(3, 2), unit(3, 2)], {**how, "log_input": False}
        yield "gaussian_nll_loss", [real(3, 2), real(3, 2), unit(3, 2)], how
        yield "gaussian_nll_loss", [real(3, 2), real(3, 2), unit(3)], {**how, "full": True, "eps": 0.5}
        yield "hinge_embedding_loss", [real(3, 2)], {**how, "target": signs, "margin": 0.6}
        yield "margin_ranking_loss", [real(3, 2), real(3, 2)], {**how, "target": signs, "margin": 0.1}
        yield "cosine_embedding_loss", [real(3, 2), real(3, 2)], {**how, "target": signs[:, 0], "margin": 0.1}
        yield "triplet_margin_loss", [real(3, 2), real(3, 2), real(3, 2)], {**how, "margin": 0.5}
        yield (
            "triplet_margin_loss",
            [real(3, 2), real(3, 2), real(3, 2)],
            {**how, "margin": 2.0, "p": 1.0, "swap": True},
        )
    yield "kl_div", [real(3, 2), unit(3, 2)], {"reduction": "batchmean"}


def stored(x: Any) -> Any:
    """A tensor as shape, dtype and ten-digit numbers; other arguments as they are."""
    if isinstance(x, torch.Tensor):
        numbers = x.detach().reshape(-1).tolist()
        numbers = [float(f"{n:.10g}") if isinstance(n, float) else n for n in numbers]
        return {"tensor": numbers, "shape": list(x.shape), "dtype": str(x.dtype).removeprefix("torch.")}
    return list(x) if isinstance(x, tuple) else x


def recorded(name: str, inputs: list, params: dict) -> dict:
    entry = {
        "function": name,
        "inputs": [stored(x) for x in inputs],
        "params": {k: stored(v) for k, v in params.items()},
    }
    floating = [x for x in inputs if x.is_floating_point()]
    inputs = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
        warnings.simplefilter("ignore")
        output = getattr(functional, name)(*inputs, **params)
    entry["output"] = stored(output)
    if floating and output.is_floating_point():
        factors = torch.cos(torch.arange(1.0, output.numel() + 1, dtype=torch.float64)).reshape(output.shape)
        wanted = [x for x in inputs if x.is_floating_point()]
        gradients = torch.autograd.grad((output * factors).sum(), wanted, allow_unused=True)
        entry["gradients"] = [None if g is None else stored(g) for g in gradients]
    return entry


def dropouts() -> Iterator[dict]:
    ones = {
        "(4, 5)": torch.ones(4, 5),
        "(5, 4) transposed": torch.ones(5, 4).t(),
        "(3, 4, 2, 2)": torch.ones(3, 4, 2, 2),
    }
    for name, shape in (("dropout", "(4, 5)"), ("dropout", "(5, 4) transposed"), ("dropout1d", "(4, 5)"),
                        ("dropout2d", "(3, 4, 2, 2)"), ("dropout3d", "(3, 4, 2, 2)")):  # fmt: skip
        torch.manual_seed(7)
        drawn = [getattr(functional, name)(ones[shape], p) for p in (0.3, 0.5)]
        yield {"function": name, "input": shape, "seed": 7, "outputs": [stored(y) for y in drawn]}
    torch.manual_seed(7)
    q = torch.linspace(-1, 1, 24).reshape(2, 4, 3)
    with sdpa_kernel(SDPBackend.MATH):
        output = functional.scaled_dot_product_attention(q, q, q, dropout_p=0.4, is_causal=True)
    yield {"function": "scaled_dot_product_attention", "input": "(2, 4, 3)", "seed": 7, "outputs": [stored(output)]}


def main() -> None:
    calls = [recorded(*call) for family in (activations, layers, attention, labelled, losses) for call in family()]
    lines = [json.dumps(call) for call in calls]
    drops = [json.dumps(entry) for entry in dropouts()]
    text = (
        f'{{"torch": "{torch.__version__}",\n"calls": [\n'
        + ",\n".join(lines)
        + '\n],\n"dropout": [\n'
        + ",\n".join(drops)
    )
    path = Path(__file__).resolve().parents[1] / "tests" / "recorded" / "functional.json"
    path.write_text(text + "\n]}\n")
    print(f"{len(calls)} calls, {len(drops)} draws -> {path.name} ({path.stat().st_size // 1000} kB)")


if __name__ == "__main__":
    main()
