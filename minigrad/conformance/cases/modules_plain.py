"""Layers without a memory: affine maps, tables, activations, dropout, shapes, padding, upsampling."""

from minigrad.conformance.cases.modules import case, layers
from minigrad.conformance.exercises import numbers, outcomes, weighted

EDGES = [-8.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 25.0]

# Affine maps.
layers(
    "Linear",
    (lambda nn: nn.Linear(3, 2), (4, 3)),
    (lambda nn: nn.Linear(3, 2, bias=False), (3,)),
    (lambda nn: nn.Linear(3, 1), (2, 2, 3)),
    wrong=[[(4, 5)], [[[1, 2, 3]]], ["x"]],
    refused=[lambda nn: nn.Linear(-1, 2), lambda nn: nn.Linear(3), lambda nn: nn.Linear(2.5, 2)],
)
layers(
    "Bilinear",
    (lambda nn: nn.Bilinear(2, 3, 2), (4, 2), (4, 3)),
    (lambda nn: nn.Bilinear(2, 2, 1, bias=False), (2,), (2,)),
    wrong=[[(4, 3), (4, 3)], [(4, 2)]],
    refused=[lambda nn: nn.Bilinear(0, 2, 2)],
)
layers("Identity", (lambda nn: nn.Identity(3, some="thing"), (2, 3)), wrong=[[(2, 3), (2, 3)]])
layers(
    "LazyLinear",
    (lambda nn: nn.LazyLinear(2), (4, 3)),
    (lambda nn: nn.LazyLinear(2, bias=False), (2, 2, 3)),
    wrong=[[[[1, 2]]]],
    refused=[lambda nn: nn.LazyLinear(), lambda nn: nn.LazyLinear(2).weight.shape],
)


@case("LazyLinear")
def a_lazy_layer_before_and_after_its_first_call(torch):
    torch.manual_seed(0)
    layer = torch.nn.LazyLinear(2)
    before = [repr(layer), type(layer).__name__, list(layer.state_dict()), layer.has_uninitialized_params()]
    layer(numbers(torch, 1, 3))
    after = [repr(layer), type(layer).__name__, layer.weight, layer.bias]
    return [before, after, outcomes(lambda: layer(torch.ones(1, 4)))]


# Tables.
layers(
    "Embedding",
    (lambda nn: nn.Embedding(5, 3), [[0, 4], [4, 1]]),
    (lambda nn: nn.Embedding(4, 2, padding_idx=1), [1, 2, 1]),
    (lambda nn: nn.Embedding(4, 2, padding_idx=-1), 3),
    wrong=[[[5]], [[-1]], [[0.5]]],
    refused=[lambda nn: nn.Embedding(4, 2, padding_idx=4), lambda nn: nn.Embedding(-1, 2), lambda nn: nn.Embedding(4)],
)


@case("Embedding.from_pretrained")
def pretrained(torch):
    rows = numbers(torch, 3, 2)
    frozen = torch.nn.Embedding.from_pretrained(rows)
    free = torch.nn.Embedding.from_pretrained(rows.clone(), freeze=False, padding_idx=0)
    y = free(torch.tensor([0, 2]))
    weighted(torch, y).backward()
    return {
        "repr": [repr(frozen), repr(free)],
        "value": [frozen(torch.tensor([2, 0])), y, free.weight.grad],
        "flags": [frozen.weight.requires_grad, free.weight.requires_grad, frozen.weight.data_ptr() == rows.data_ptr()],
        "errors": outcomes(
            lambda: torch.nn.Embedding.from_pretrained(rows[0]),
            lambda: torch.nn.Embedding.from_pretrained(rows, padding_idx=3),
        ),
    }


layers(
    "EmbeddingBag",
    (lambda nn: nn.EmbeddingBag(5, 2), [[0, 4], [4, 1]]),
    (lambda nn: nn.EmbeddingBag(5, 2, mode="sum", padding_idx=4), [0, 4, 1, 2], [0, 3]),
    (lambda nn: nn.EmbeddingBag(5, 2, mode="max"), [0, 4, 1], [0, 2]),
    wrong=[[[0, 1]], [[[0, 1]], [0]], [[5], [0]], [[0], [1]]],
    refused=[lambda nn: nn.EmbeddingBag(4, 2, mode="median")],
)

# Activations: a (2, 3) tensor, and the points where formulas change.
for _name in ("ReLU", "Tanh", "Sigmoid", "SiLU", "Softplus", "ELU", "Mish", "Hardswish", "LogSigmoid"):
    layers(
        _name,
        (lambda nn, name=_name: getattr(nn, name)(), (2, 3)),
        (lambda nn, name=_name: getattr(nn, name)(), EDGES),
        wrong=[["x"], []],
    )
# In float32 PyTorch's cdf cancels at -3: four of its digits are right.
layers("GELU", (lambda nn: nn.GELU(), (2, 3)), (lambda nn: nn.GELU("tanh"), EDGES), wrong=[["x"], []])
layers("LeakyReLU", (lambda nn: nn.LeakyReLU(), EDGES), (lambda nn: nn.LeakyReLU(0.2), (2, 3)), wrong=[[[1, 2]]])
layers(
    "Hardtanh",
    (lambda nn: nn.Hardtanh(), EDGES),
    (lambda nn: nn.Hardtanh(-0.5, 1.5), (2, 3)),
    refused=[lambda nn: nn.Hardtanh(1.0, -1.0)],
)


@case("ReLU", "GELU", "ELU", "Softplus")
def activations_with_options(torch):
    nn, x = torch.nn, numbers(torch, 2, 3)
    inside = x.clone()
    return {
        "repr": [repr(nn.ReLU(inplace=True)), repr(nn.ELU(0.5, True)), repr(nn.Softplus(2, 3))],
        "in place": [nn.ReLU(inplace=True)(inside) is inside, inside],
        "value": [nn.GELU("tanh")(x), nn.ELU(0.5)(x), nn.Softplus(beta=2, threshold=3)(x)],
        "errors": outcomes(lambda: nn.GELU("no")(x), lambda: nn.ReLU(inplace=True)(x.requires_grad_())),
    }


for _name in ("Softmax", "LogSoftmax", "Softmin"):
    layers(
        _name,
        (lambda nn, name=_name: getattr(nn, name)(dim=1), (2, 3)),
        (lambda nn, name=_name: getattr(nn, name)(dim=-1), [[1000.0, 0.0], [-1.0, -float("inf")]]),
        wrong=[[(3,)], [[[1, 2]]]],
    )

# Dropout, under a seed.
layers(
    "Dropout",
    (lambda nn: nn.Dropout(), (4, 5)),
    (lambda nn: nn.Dropout(0.2), (2, 3, 4)),
    (lambda nn: nn.Dropout(1.0), (2, 3)),
    (lambda nn: nn.Dropout(0.0), (2, 3)),
    refused=[lambda nn: nn.Dropout(1.5), lambda nn: nn.Dropout(-0.1)],
)
layers("Dropout1d", (lambda nn: nn.Dropout1d(), (3, 4, 2)), (lambda nn: nn.Dropout1d(0.3), (4, 3)), wrong=[[(3,)]])
layers("Dropout2d", (lambda nn: nn.Dropout2d(0.4), (2, 4, 2, 2)), refused=[lambda nn: nn.Dropout2d(2)])

# Shapes.
layers(
    "Flatten",
    (lambda nn: nn.Flatten(), (2, 3, 2)),
    (lambda nn: nn.Flatten(0, 1), (2, 3, 2)),
    wrong=[[(3,)], []],
)
layers(
    "Unflatten",
    (lambda nn: nn.Unflatten(1, (2, 3)), (2, 6)),
    (lambda nn: nn.Unflatten(-1, (2, -1)), (2, 4)),
    wrong=[[(2, 5)]],
    refused=[lambda nn: nn.Unflatten(1, 2), lambda nn: nn.Unflatten(1, (2.0, 3))],
)
layers(
    "PixelShuffle",
    (lambda nn: nn.PixelShuffle(2), (1, 4, 1, 2)),
    wrong=[[(1, 3, 2, 2)], [(2, 2)]],
)
layers(
    "Fold",
    (lambda nn: nn.Fold((3, 3), 2), (1, 4, 4)),
    (lambda nn: nn.Fold((2, 3), (2, 1), dilation=1, padding=(0, 1), stride=(1, 2)), (1, 2, 3)),
    wrong=[[(1, 4, 3)], [(1, 3, 4)]],
)
layers(
    "Unfold",
    (lambda nn: nn.Unfold(2), (1, 1, 3, 3)),
    (lambda nn: nn.Unfold((2, 1), dilation=1, padding=(0, 1), stride=2), (1, 1, 3, 3)),
    wrong=[[(1, 1, 1, 1)]],
)

# Padding and upsampling.
layers(
    "ReflectionPad2d",
    (lambda nn: nn.ReflectionPad2d(1), (1, 1, 2, 3)),
    (lambda nn: nn.ReflectionPad2d((1, 0, 0, 1)), (1, 2, 3)),
    wrong=[[(1, 1, 1, 3)], [(2, 2)]],
)
layers(
    "ConstantPad2d",
    (lambda nn: nn.ConstantPad2d(1, 2.5), (1, 1, 2)),
    (lambda nn: nn.ConstantPad2d((1, -1, 0, 1), -1), (1, 1, 2, 2)),
    refused=[lambda nn: nn.ConstantPad2d(1)],
)
layers(
    "ZeroPad2d",
    (lambda nn: nn.ZeroPad2d((1, 2, 0, -1)), (1, 1, 2, 2)),
    (lambda nn: nn.ZeroPad2d(1), (1, 1, 1)),
    wrong=[[(1, 1, 1, 1)]],
)
layers(
    "Upsample",
    (lambda nn: nn.Upsample(scale_factor=2), (1, 1, 2, 2)),
    (lambda nn: nn.Upsample(size=(3, 4), mode="bilinear", align_corners=True), (1, 1, 2, 2)),
    (lambda nn: nn.Upsample(scale_factor=1.5, mode="linear"), (1, 1, 4)),
    wrong=[[(2, 2)]],
)
