"""What the tests of layers try, written for any library with PyTorch's names.

`scripts/record_nn.py` runs it on PyTorch and keeps the answers; the tests run it on minigrad and compare. `lib` is the
library; nothing here imports either one.
"""

from typing import Any

import numpy as np

SEEDS = (0, 1337)

# name, positional arguments, keyword arguments: the repr of these is compared, and their state dict's keys
REPRS: list[tuple[str, list, dict]] = [
    ("Linear", [3, 4], {}), ("Linear", [3, 4], {"bias": False}), ("Bilinear", [2, 3, 4], {}),
    ("Identity", [3], {"a": 2}), ("Flatten", [], {}), ("Unflatten", [1, [2, 3]], {}), ("Embedding", [5, 3], {}),
    ("Embedding", [5, 3], {"padding_idx": -1}), ("LayerNorm", [4], {}), ("LayerNorm", [4], {"bias": False}),
    ("LayerNorm", [[2, 3]], {"eps": 1e-6, "elementwise_affine": False}), ("RMSNorm", [4], {}),
    ("RMSNorm", [[2, 4]], {"eps": 1e-6}), ("Dropout", [], {}), ("Dropout", [0.1, True], {}), ("Dropout1d", [], {}),
    ("Dropout2d", [0.2], {}), ("ReLU", [], {}), ("ReLU", [True], {}), ("ReLU6", [], {}), ("ReLU6", [True], {}),
    ("LeakyReLU", [], {}), ("LeakyReLU", [0.2, True], {}), ("ELU", [], {}), ("ELU", [2, True], {}), ("SELU", [], {}),
    ("SELU", [True], {}), ("CELU", [2.0, True], {}), ("GELU", [], {}), ("GELU", ["tanh"], {}), ("SiLU", [], {}),
    ("Mish", [True], {}), ("Hardswish", [], {}), ("Hardswish", [True], {}), ("Hardsigmoid", [True], {}),
    ("Softplus", [], {}), ("Softplus", [2, 10], {}), ("Softsign", [], {}), ("Tanh", [], {}), ("Sigmoid", [], {}),
    ("LogSigmoid", [], {}), ("Softmax", [], {}), ("Softmax", [-1], {}), ("LogSoftmax", [1], {}), ("Softmin", [0], {}),
    ("Hardtanh", [], {}), ("Hardtanh", [-2, 2, True], {}), ("Tanhshrink", [], {}), ("Threshold", [0.1, 20], {}),
    ("Threshold", [0.1, 20, True], {}), ("PReLU", [], {}), ("PReLU", [3, 0.1], {}), ("GLU", [], {}),
    ("CrossEntropyLoss", [], {}), ("NLLLoss", [], {}), ("MSELoss", [], {}), ("L1Loss", [], {}),
    ("SmoothL1Loss", [], {}), ("HuberLoss", [], {}), ("BCELoss", [], {}), ("BCEWithLogitsLoss", [], {}),
    ("KLDivLoss", [], {}), ("HingeEmbeddingLoss", [], {}), ("MarginRankingLoss", [], {}),
    ("CosineEmbeddingLoss", [], {}), ("TripletMarginLoss", [], {}), ("MultiMarginLoss", [], {}),
    ("MultiLabelMarginLoss", [], {}), ("SoftMarginLoss", [], {}), ("MultiLabelSoftMarginLoss", [], {}),
    ("TripletMarginWithDistanceLoss", [], {}), ("PoissonNLLLoss", [], {}),
    ("GaussianNLLLoss", [], {}), ("CosineSimilarity", [], {}), ("PairwiseDistance", [], {}),
    ("MultiheadAttention", [4, 2], {}), ("MultiheadAttention", [4, 2], {"kdim": 3, "vdim": 5, "bias": False}),
    ("TransformerEncoderLayer", [4, 2, 8], {}), ("Sequential", [], {}), ("ModuleList", [], {}),
    ("ModuleDict", [], {}),
]  # fmt: skip

# name, positional arguments, keyword arguments: the initial weights under each seed are compared
INITIAL: dict[str, tuple[str, list, dict]] = {
    "linear": ("Linear", [5, 3], {}),
    "linear, 16 or more": ("Linear", [6, 7], {"bias": False}),
    "bilinear": ("Bilinear", [2, 3, 2], {}),
    "embedding": ("Embedding", [7, 3], {}),
    "embedding, padding": ("Embedding", [3, 4], {"padding_idx": 1}),
    "attention": ("MultiheadAttention", [4, 2], {}),
    "attention, kdim": ("MultiheadAttention", [4, 2], {"kdim": 3, "vdim": 2}),
    "encoder layer": ("TransformerEncoderLayer", [4, 2, 3], {}),
}

# function of nn.init, shape, keyword arguments
INIT: list[tuple[str, list[int], dict]] = [
    ("uniform_", [3, 5], {}), ("uniform_", [3, 5], {"a": -2, "b": 0.5}),
    ("normal_", [3, 6], {"mean": 1, "std": 0.02}), ("trunc_normal_", [4, 5], {"std": 0.02}),
    ("trunc_normal_", [4, 5], {"a": -0.5, "b": 0.5}), ("trunc_normal_", [3, 3], {"a": 1.5}),
    ("constant_", [2, 2], {"val": 0.3}), ("ones_", [2, 2], {}), ("zeros_", [2, 2], {}), ("eye_", [2, 3], {}),
    ("xavier_uniform_", [4, 5], {}), ("xavier_uniform_", [2, 3, 4], {"gain": 1.5}), ("xavier_normal_", [4, 5], {}),
    ("kaiming_uniform_", [4, 5], {"a": 0.1}),
    ("kaiming_uniform_", [2, 3, 4], {"mode": "fan_out", "nonlinearity": "relu"}), ("kaiming_normal_", [4, 5], {}),
    ("kaiming_normal_", [4, 5], {"mode": "fan_out", "nonlinearity": "tanh"}), ("orthogonal_", [4, 3], {}),
    ("orthogonal_", [3, 5], {"gain": 2.0}), ("orthogonal_", [3, 2, 3], {}), ("sparse_", [5, 4], {"sparsity": 0.4}),
]  # fmt: skip


def wave(*shape: int, phase: float = 0.0, low: float = -1.9, high: float = 2.1) -> np.ndarray:
    """Numbers from low to high in no order, the same everywhere; none within 0.01 of a multiple of 0.5 by luck."""
    n = np.arange(np.prod(shape, dtype=int)) + 1
    return (low + (high - low) * ((n * 0.6180339887 + phase) % 1.0)).reshape(shape)


def labels(*shape: int, classes: int) -> np.ndarray:
    return (np.arange(np.prod(shape, dtype=int)) * 7 % classes).reshape(shape)


def signs(*shape: int) -> np.ndarray:
    return np.where(np.arange(np.prod(shape, dtype=int)) % 3 == 0, 1.0, -1.0).reshape(shape)


def probabilities(*shape: int) -> np.ndarray:
    return wave(*shape, low=0.05, high=0.95)


X, Y, LABELS = wave(3, 4), wave(3, 4, phase=0.3), labels(3, classes=4)
SEVERAL = np.array([[3, 0, -1, 1], [-1, 0, 1, 2], [2, 1, 0, 3]])  # the labels of each row, up to the first -1
# what it is called, class, arguments, keyword arguments, inputs
FORWARDS: list[tuple[str, str, list, dict, list[np.ndarray]]] = [
    ("linear", "Linear", [4, 3], {}, [wave(2, 3, 4)]),
    ("linear without bias", "Linear", [4, 3], {"bias": False}, [wave(4)]),
    ("bilinear", "Bilinear", [4, 3, 2], {}, [X, wave(3, 3, phase=0.3)]),
    ("identity", "Identity", [], {}, [X]),
    ("flatten", "Flatten", [], {}, [wave(2, 3, 2)]),
    ("unflatten", "Unflatten", [1, (2, 2)], {}, [X]),
    ("embedding", "Embedding", [5, 3], {"padding_idx": 2}, [labels(2, 4, classes=5)]),
    ("layer norm", "LayerNorm", [4], {}, [X]),
    ("layer norm, two axes", "LayerNorm", [[2, 4]], {"bias": False, "eps": 0.1}, [wave(3, 2, 4)]),
    ("layer norm, plain", "LayerNorm", [4], {"elementwise_affine": False}, [X]),
    ("rms norm", "RMSNorm", [4], {}, [X]),
    ("rms norm, eps", "RMSNorm", [[2, 4]], {"eps": 0.1}, [wave(3, 2, 4)]),
    *[
        (name, name, args, {}, [X])
        for name, args in {
            "ReLU": [], "ReLU6": [], "LeakyReLU": [0.2], "ELU": [1.5], "SELU": [], "CELU": [1.5], "GELU": [],
            "SiLU": [], "Mish": [], "Hardswish": [], "Hardsigmoid": [], "Softplus": [2.0, 3.0], "Softsign": [],
            "Tanh": [],
            "Sigmoid": [], "LogSigmoid": [], "Softmax": [1], "LogSoftmax": [0], "Softmin": [-1],
            "Hardtanh": [-1.2, 0.7], "Tanhshrink": [], "Threshold": [0.1, 0.7], "PReLU": [4], "GLU": [],
            "Dropout": [0.0],
        }.items()
    ],
    ("GELU tanh", "GELU", ["tanh"], {}, [X]),
    ("relu6 above", "ReLU6", [], {}, [X * 4]),
    ("cross entropy", "CrossEntropyLoss", [], {"label_smoothing": 0.1}, [X, LABELS]),
    ("cross entropy, sum", "CrossEntropyLoss", [], {"ignore_index": 0, "reduction": "sum"}, [X, LABELS]),
    ("cross entropy, images", "CrossEntropyLoss", [], {"reduction": "none"}, [wave(2, 3, 4), labels(2, 4, classes=3)]),
    ("nll", "NLLLoss", [], {"ignore_index": 3}, [X, LABELS]),
    ("mse", "MSELoss", [], {}, [X, Y]),
    ("l1", "L1Loss", [], {"reduction": "sum"}, [X, Y]),
    ("smooth l1", "SmoothL1Loss", [], {"beta": 0.7}, [X, Y]),
    ("huber", "HuberLoss", [], {"delta": 0.7, "reduction": "none"}, [X, Y]),
    ("bce", "BCELoss", [], {}, [probabilities(3, 4), labels(3, 4, classes=2).astype(float)]),
    ("bce with logits", "BCEWithLogitsLoss", [], {}, [X, probabilities(3, 4)]),
    ("kl", "KLDivLoss", [], {"reduction": "batchmean"}, [X - 3, probabilities(3, 4)]),
    ("kl, log target", "KLDivLoss", [], {"reduction": "sum", "log_target": True}, [X - 3, Y - 3]),
    ("hinge", "HingeEmbeddingLoss", [], {"margin": 0.8}, [X, signs(3, 4)]),
    ("margin ranking", "MarginRankingLoss", [], {"margin": 0.2}, [wave(5), wave(5, phase=0.3), signs(5)]),
    ("cosine embedding", "CosineEmbeddingLoss", [], {"margin": 0.2}, [X, Y, signs(3)]),
    ("multi margin", "MultiMarginLoss", [], {"margin": 0.7}, [X, LABELS]),
    ("multi margin, squares", "MultiMarginLoss", [2], {"reduction": "none"}, [X, LABELS]),
    ("multi margin, one row", "MultiMarginLoss", [], {}, [X[0], LABELS[0]]),
    ("multi label margin", "MultiLabelMarginLoss", [], {}, [X, SEVERAL]),
    ("multi label margin, one row", "MultiLabelMarginLoss", [], {"reduction": "none"}, [X[0], SEVERAL[0]]),
    ("soft margin", "SoftMarginLoss", [], {}, [X, signs(3, 4)]),
    ("multi label soft margin", "MultiLabelSoftMarginLoss", [], {}, [X, labels(3, 4, classes=2).astype(float)]),
    ("triplet with distance", "TripletMarginWithDistanceLoss", [], {"swap": True, "margin": 3.0},
     [X, Y, wave(3, 4, phase=0.7)]),
    ("triplet", "TripletMarginLoss", [], {"swap": True}, [X, Y, wave(3, 4, phase=0.7)]),
    ("poisson", "PoissonNLLLoss", [], {"full": True}, [X, wave(3, 4, low=0.5, high=6.0)]),
    ("gaussian", "GaussianNLLLoss", [], {"full": True}, [X, Y, probabilities(3, 4)]),
    ("cosine similarity", "CosineSimilarity", [], {}, [X, Y]),
    ("pairwise distance", "PairwiseDistance", [], {"p": 3.0, "keepdim": True}, [X, Y]),
]  # fmt: skip
TARGETS = {
    "bce",
    "hinge",
    "margin ranking",
    "soft margin",
    "multi label soft margin",
    "cosine embedding",
    "gaussian",
}  # their last input takes no gradient


def fill(lib: Any, module: Any) -> Any:
    """Give every parameter the numbers of `wave`, in float64."""
    module.double()
    for i, parameter in enumerate(module.parameters()):
        parameter.data = lib.from_numpy(wave(*parameter.shape, phase=0.17 * i, low=-0.9, high=1.1))
    return module


def inputs(lib: Any, arrays: list[np.ndarray], fixed_last: bool = False) -> list[Any]:
    """The arrays as tensors; the floating ones want a gradient."""
    tensors = [lib.from_numpy(np.array(a)) for a in arrays]
    for x in tensors[:-1] if fixed_last else tensors:
        if x.is_floating_point():
            x.requires_grad_()
    return tensors


def answer(module: Any, given: list[Any], **options: Any) -> dict[str, Any]:
    """Outputs, and the gradients of a weighted sum of them by inputs and parameters, as nested lists."""
    out = module(*given, **options)
    outs = [y for y in (out if isinstance(out, tuple) else (out,)) if y is not None]
    loss = sum((y * y.detach().cos()).sum() for y in outs)
    loss.backward()
    return {
        "outputs": [listed(y) for y in outs],
        "by inputs": [listed(x.grad) for x in given if x.grad is not None],
        "by parameters": {name: listed(p.grad) for name, p in module.named_parameters() if p.grad is not None},
    }


def listed(x: Any) -> Any:
    return x.detach().tolist()


def causal(size: int) -> np.ndarray:
    return np.triu(np.ones((size, size), bool), 1)


PADDING = np.array([[False, False, False], [False, False, True]])  # (B, S)
FLOAT_MASK = np.where(causal(3), -np.inf, 0.0)
HEADS_MASK = wave(4, 3, 3)  # (B * heads, T, T), heads = 2
MASKS: dict[str, dict[str, Any]] = {
    "no mask": {},
    "causal": {"attn_mask": causal(3)},
    "causal, said": {"attn_mask": causal(3), "is_causal": True},
    "float": {"attn_mask": FLOAT_MASK},
    "one for each head": {"attn_mask": HEADS_MASK},
    "padding": {"key_padding_mask": PADDING},
    "both": {"attn_mask": causal(3), "key_padding_mask": PADDING},
    "both, said": {"attn_mask": FLOAT_MASK, "key_padding_mask": np.where(PADDING, -np.inf, 0.0), "is_causal": True},
}


def with_tensors(lib: Any, options: dict[str, Any]) -> dict[str, Any]:
    return {k: lib.from_numpy(np.array(v)) if isinstance(v, np.ndarray) else v for k, v in options.items()}


def attention(lib: Any) -> dict[str, Any]:
    """MultiheadAttention over self- and cross-attention, masks, layouts and with and without weights."""
    found = {}
    for batch_first, need_weights in ((False, True), (False, False), (True, False)):
        module = fill(lib, lib.nn.MultiheadAttention(4, 2, batch_first=batch_first))
        for name, masks in MASKS.items():
            module.zero_grad()
            (x,) = inputs(lib, [wave(2, 3, 4) if batch_first else wave(3, 2, 4)])
            out, weights = module(x, x, x, need_weights=need_weights, **with_tensors(lib, masks))
            (out * out.detach().cos()).sum().backward()
            found[f"{name}, batch_first={batch_first}, weights={need_weights}"] = {
                "outputs": [listed(out), None if weights is None else listed(weights)],
                "by inputs": [listed(x.grad)],
                "bias": listed(module.in_proj_bias.grad),
            }
    module = fill(lib, lib.nn.MultiheadAttention(4, 2, kdim=3, vdim=5, bias=False))
    found["cross, kdim"] = answer(module, inputs(lib, [wave(2, 2, 4), wave(3, 2, 3), wave(3, 2, 5)]))
    module = fill(lib, lib.nn.MultiheadAttention(4, 2))
    found["cross"] = answer(module, inputs(lib, [wave(2, 2, 4), wave(3, 2, 4), wave(3, 2, 4, phase=0.4)]))
    found["each head"] = answer(module, inputs(lib, [wave(2, 2, 4)] * 3), average_attn_weights=False)
    module.zero_grad()
    found["no batch"] = answer(module, inputs(lib, [wave(2, 4), wave(3, 4), wave(3, 4, phase=0.4)]))
    return found


def encoders(lib: Any) -> dict[str, Any]:
    """TransformerEncoderLayer and TransformerEncoder, with masks; in training without dropout."""
    found, nn = {}, lib.nn
    for name, options in {
        "published": {}, "norm first": {"norm_first": True}, "gelu": {"activation": "gelu", "batch_first": True},
        "no bias": {"bias": False, "layer_norm_eps": 0.1}, "function": {"activation": lib.tanh, "norm_first": True},
    }.items():  # fmt: skip
        layer = fill(lib, nn.TransformerEncoderLayer(4, 2, 3, dropout=0.0, **options))
        shape = (2, 3, 4) if options.get("batch_first") else (3, 2, 4)
        masks = with_tensors(lib, {"src_mask": causal(3), "src_key_padding_mask": PADDING})
        found[name] = answer(layer, inputs(lib, [wave(*shape)]), **masks)
    layer = nn.TransformerEncoderLayer(4, 2, 3, dropout=0.0)
    stack = fill(lib, nn.TransformerEncoder(layer, 2, nn.LayerNorm(4), enable_nested_tensor=False))
    found["stack"] = answer(stack, inputs(lib, [wave(3, 2, 4)]))
    stack.zero_grad()
    found["stack, causal"] = answer(stack, inputs(lib, [wave(3, 2, 4)]), **with_tensors(lib, {"mask": FLOAT_MASK}))
    stack.zero_grad()
    found["stack, no batch"] = answer(stack, inputs(lib, [wave(3, 4)]), **with_tensors(lib, {"mask": causal(3)}))
    return found


def in_training(lib: Any) -> dict[str, Any]:
    """Outputs with dropout, which depend on the order in which it draws."""
    found, nn = {}, lib.nn
    for batch_first in (False, True):
        layer = fill(lib, nn.TransformerEncoderLayer(4, 2, 3, dropout=0.5, batch_first=batch_first))
        lib.manual_seed(7)
        found[f"layer, batch_first={batch_first}"] = listed(layer(lib.from_numpy(wave(2, 3, 4))))
    attend = fill(lib, nn.MultiheadAttention(4, 2, dropout=0.5))
    x = lib.from_numpy(wave(3, 2, 4))
    lib.manual_seed(7)
    found["attention"] = [listed(y) for y in attend(x, x, x)]
    for name, shape in {"Dropout": (3, 4), "Dropout1d": (2, 3, 4), "Dropout2d": (2, 3, 2, 2)}.items():
        lib.manual_seed(7)
        found[name] = listed(getattr(nn, name)(0.4)(lib.from_numpy(wave(*shape))))
    return found


def hooks(lib: Any) -> list[Any]:
    """What hooks are called with, in which order, and what comes out."""
    events: list[Any] = []
    nn = lib.nn

    class Two(nn.Module):
        def forward(self, a: Any, b: Any) -> Any:
            return a * b, a * a * 3

    def note(name: str, change: Any = None) -> Any:
        def hook(module: Any, *rest: Any) -> Any:
            events.append([name, type(module).__name__, [values(r) for r in rest]])
            return change

        return hook

    def values(x: Any) -> Any:
        if isinstance(x, tuple):
            return [values(y) for y in x]
        if isinstance(x, dict):
            return {k: values(v) for k, v in x.items()}
        return listed(x) if hasattr(x, "detach") else x

    def tensor(number: float, **options: Any) -> Any:
        return lib.tensor([number], dtype=lib.float64, **options)

    module = Two()
    handles = [
        module.register_forward_pre_hook(note("pre")),
        module.register_forward_pre_hook(
            note("pre first", (tensor(5.0, requires_grad=True), tensor(7.0))), prepend=True
        ),
        module.register_forward_hook(note("after")),
        module.register_forward_hook(note("after, kwargs"), with_kwargs=True),
        module.register_full_backward_hook(note("backward")),
        module.register_full_backward_hook(note("backward first", (tensor(0.5), None)), prepend=True),
        module.register_full_backward_pre_hook(note("backward pre", (tensor(2.0), tensor(3.0)))),
    ]
    first, second = module(tensor(1.0), tensor(2.0))
    (first + second).backward()
    for handle in handles:
        handle.remove()
    x = tensor(3.0, requires_grad=True)
    module.register_full_backward_hook(note("seen"))
    module(x, tensor(4.0))[1].backward()
    events.append(["gradient", listed(x.grad)])
    module(x, x)[0].backward()
    events.append(["gradient", listed(x.grad)])
    module(tensor(1.0), tensor(2.0))
    twice = module(x, x)[0]
    twice.backward(retain_graph=True)
    twice.backward()
    weight = nn.Linear(1, 1, bias=False).double()
    weight.weight.data = lib.from_numpy(np.array([[2.0]]))
    weight.register_full_backward_hook(note("no input gradient"))
    weight(tensor(3.0)).backward()

    class Keyword(nn.Module):
        def forward(self, a: Any, scale: float = 1.0) -> Any:
            return a * scale

    module = Keyword()
    module.register_forward_pre_hook(lambda m, args, kwargs: (args, {"scale": kwargs["scale"] * 2}), with_kwargs=True)
    module.register_forward_hook(note("kwargs"), with_kwargs=True)
    module.register_forward_hook(lambda m, args, out: out + 1)
    events.append(["replaced", listed(module(tensor(1.0), scale=4.0))])
    return events


def errors(lib: Any) -> dict[str, list[str]]:
    """Type and text of what load_state_dict says when a state dict does not fit."""
    nn, zeros = lib.nn, lib.zeros
    found = {}
    for name, state in {
        "everything": {"0.weight": zeros(3, 3), "x.y": zeros(2), "0.c": zeros(1)},
        "no tensor": {"0.weight": zeros(3, 2), "0.bias": 3},
        "missing": {},
        "wrong shapes": {"0.weight": zeros(2, 3), "0.bias": zeros(1)},
        "not a dict": 3,
    }.items():
        try:
            nn.Sequential(nn.Linear(2, 3)).load_state_dict(state)
        except (RuntimeError, TypeError) as error:
            found[name] = [type(error).__name__, str(error)]
    return found
