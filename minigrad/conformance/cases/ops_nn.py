"""The ops of nn.functional: activations, layers, losses."""

from minigrad.conformance.cases.ops import functional, ops

EDGES = [-40.0, -6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0, 40.0, float("nan")]

# Activations: a (2, 3) tensor, then the points where their formulas change.
for _name in ("relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "hardtanh", "logsigmoid", "relu6", "selu"):
    functional(
        _name,
        (lambda f, t, x: f(x), (2, 3)),
        (lambda f, t, x: f(x), EDGES),
        wrong=(lambda f, t, x: f(1.0), lambda f, t, x: f("x")),
    )
functional(
    "prelu",
    (lambda f, t, x, w: f(x, w), (2, 3), (1,)),
    (lambda f, t, x, w: f(x, w), (2, 3), (3,)),
    (lambda f, t, x, w: f(x, w), EDGES, [0.25]),
    wrong=(lambda f, t, x: f(x, t.ones(2)),),
    untold=("int64", "bool"),
)
functional(
    "glu",
    (lambda f, t, x: f(x), (2, 4)),
    (lambda f, t, x: f(x, dim=0), (2, 3)),
    wrong=(lambda f, t, x: f(x), lambda f, t, x: f(x, 2)),
    untold=("int64", "bool"),
)
for _name in ("softmax", "log_softmax"):
    ops(
        _name,
        (lambda t, x, f=_name: getattr(t, f)(x, 1), (2, 3)),
        (lambda t, x, f=_name: getattr(x, f)(dim=0), (2, 3)),
        (lambda t, x, f=_name: getattr(t, f)(x, -1), [[1000.0, 0.0], [-float("inf"), 1.0]]),
        (lambda t, x, f=_name: getattr(t, f)(x, 0, dtype=t.float64), [1, 2, 3]),
        wrong=(lambda t, x, f=_name: getattr(t, f)(x, 2), lambda t, x, f=_name: getattr(t, f)(x)),
    )

# Affine maps and tables.
functional(
    "linear",
    (lambda f, t, x, w, b: f(x, w, b), (2, 3), (2, 3), (2,)),
    (lambda f, t, x, w: f(x, w), (2, 1, 3), (2, 3)),
    (lambda f, t, x, w: f(x, w), (3,), (2, 3)),
    wrong=(lambda f, t, x: f(x, t.ones(2, 4)), lambda f, t, x: f(x, t.ones(2, 3), t.ones(5)), lambda f, t, x: f(x)),
    untold=("bool",),
)
functional(
    "embedding",
    (lambda f, t, w, i: f(i, w), (4, 2), [[0, 3], [3, 1]]),
    (lambda f, t, w, i: f(i, w, padding_idx=3), (4, 2), [[0, 3], [3, 1]]),
    wrong=(
        lambda f, t, x: f(t.tensor([2]), x),
        lambda f, t, x: f(t.tensor([0.5]), x),
        lambda f, t, x: f(t.tensor([-1]), x),
    ),
)
functional(
    "one_hot",
    (lambda f, t, i: f(i), [[0, 2], [1, 0]]),
    (lambda f, t, i: f(i, num_classes=4), [0, 2]),
    (lambda f, t, i: f(i, 3), 1),
    wrong=(lambda f, t, x: f(x), lambda f, t, x: f(t.tensor([3]), 2), lambda f, t, x: f(t.tensor([-1]))),
)
functional(
    "normalize",
    (lambda f, t, x: f(x), (2, 3)),
    (lambda f, t, x: f(x, p=1, dim=0), (2, 3)),
    (lambda f, t, x: f(x), [[0.0, 0.0], [3.0, 4.0]]),
    wrong=(lambda f, t, x: f(x, dim=2),),
)
functional(
    "cosine_similarity",
    (lambda f, t, x, y: f(x, y), (2, 3), (2, 3)),
    (lambda f, t, x, y: f(x, y, dim=0), (2, 3), (2, 1)),
    (lambda f, t, x, y: f(x, y), [[0.0, 0.0], [3.0, 4.0]], [[1.0, 1.0], [3.0, 4.0]]),
    wrong=(lambda f, t, x: f(x, t.ones(2, 2)), lambda f, t, x: f(x, x, dim=2)),
)

# Convolutions and pooling.
functional(
    "conv1d",
    (lambda f, t, x, w, b: f(x, w, b), (2, 2, 4), (1, 2, 2), (1,)),
    (lambda f, t, x, w: f(x, w, stride=2, padding=1, dilation=2, groups=2), (1, 2, 5), (2, 1, 2)),
    (lambda f, t, x, w: f(x, w, padding="same"), (2, 4), (1, 2, 3)),
    wrong=(
        lambda f, t, x: f(x, t.ones(1, 3, 2)),
        lambda f, t, x: f(x, t.ones(1, 2, 5)),
        lambda f, t, x: f(x, t.ones(1, 2, 2), stride=0),
        lambda f, t, x: f(x, t.ones(1, 2, 2), padding="full"),
    ),
)
functional(
    "conv2d",
    (lambda f, t, x, w, b: f(x, w, b), (2, 2, 3, 3), (1, 2, 2, 2), (1,)),
    (lambda f, t, x, w: f(x, w, stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2), (1, 2, 3, 4), (2, 1, 2, 2)),
    (lambda f, t, x, w: f(x, w, padding="same"), (1, 1, 3, 2), (1, 1, 2, 3)),
    wrong=(
        lambda f, t, x: f(t.ones(1, 2, 3, 3), t.ones(1, 3, 2, 2)),
        lambda f, t, x: f(x, t.ones(1, 2, 2, 2)),
        lambda f, t, x: f(t.ones(1, 1, 3, 3), t.ones(1, 1, 2, 2).double()),
        lambda f, t, x: f(t.ones(1, 1, 3, 3), t.ones(1, 1, 2, 2), t.ones(2)),
        lambda f, t, x: f(t.ones(1, 1, 3, 3), t.ones(1, 1, 2, 2), padding=-1),
    ),
)
functional(
    "conv_transpose2d",
    (lambda f, t, x, w, b: f(x, w, b), (1, 2, 2, 2), (2, 1, 2, 2), (1,)),
    (
        lambda f, t, x, w: f(x, w, stride=2, padding=1, output_padding=1, groups=2, dilation=1),
        (1, 2, 2, 2), (2, 1, 3, 2),
    ),
    wrong=(
        lambda f, t, x: f(t.ones(1, 2, 3, 3), t.ones(1, 3, 2, 2)),
        lambda f, t, x: f(t.ones(1, 1, 2, 2), t.ones(1, 1, 2, 2), output_padding=1),
    ),
)  # fmt: skip
functional(
    "max_pool1d",
    (lambda f, t, x: f(x, 2), (2, 5)),
    (lambda f, t, x: f(x, 3, stride=1, padding=1, dilation=2, ceil_mode=True), (1, 2, 6)),
    (lambda f, t, x: f(x, 2, return_indices=True), (1, 4)),
    wrong=(lambda f, t, x: f(x, 4), lambda f, t, x: f(x, 2, padding=2), lambda f, t, x: f(x[0], 2)),
    untold=("int64", "bool"),
)
functional(
    "max_pool2d",
    (lambda f, t, x: f(x, 2), (1, 2, 3, 4)),
    (lambda f, t, x: f(x, (2, 3), stride=(1, 2), padding=(1, 1), ceil_mode=True), (1, 1, 3, 4)),
    (lambda f, t, x: f(x, 2, return_indices=True), (1, 2, 4)),
    (lambda f, t, x: f(x, 2), [[[1.0, 1.0], [1.0, 1.0]]]),
    wrong=(lambda f, t, x: f(x, 2), lambda f, t, x: f(t.ones(1, 1, 2, 2), 3), lambda f, t, x: f(t.ones(1, 2, 2), 0)),
    untold=("bool",),
)
functional(
    "avg_pool1d",
    (lambda f, t, x: f(x, 2), (2, 5)),
    (lambda f, t, x: f(x, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), (1, 2, 4)),
    wrong=(lambda f, t, x: f(x, 4), lambda f, t, x: f(x, 2, padding=2)),
)
functional(
    "avg_pool2d",
    (lambda f, t, x: f(x, 2), (1, 2, 3, 4)),
    (lambda f, t, x: f(x, (2, 3), stride=(1, 2), padding=(1, 1), ceil_mode=True), (1, 1, 3, 4)),
    (lambda f, t, x: f(x, 2, padding=1, count_include_pad=False, divisor_override=3), (1, 2, 2)),
    wrong=(lambda f, t, x: f(t.ones(1, 2, 2), 3), lambda f, t, x: f(t.ones(1, 2, 2), 2, divisor_override=0)),
)
functional(
    "adaptive_avg_pool1d",
    (lambda f, t, x: f(x, 2), (1, 2, 5)),
    (lambda f, t, x: f(x, 3), (2, 4)),
    wrong=(lambda f, t, x: f(x[0], 2), lambda f, t, x: f(x, -1)),
)
functional(
    "adaptive_avg_pool2d",
    (lambda f, t, x: f(x, (2, 3)), (1, 2, 3, 4)),
    (lambda f, t, x: f(x, (None, 1)), (2, 3, 2)),
    wrong=(lambda f, t, x: f(t.ones(1, 1, 2, 2), (1, 1, 1)), lambda f, t, x: f(t.ones(1, 2, 2), -1)),
)
functional(
    "pad",
    (lambda f, t, x: f(x, (1, 2)), (2, 3)),
    (lambda f, t, x: f(x, (-1, 1, 0, 1), value=2.5), (2, 3)),
    (lambda f, t, x: f(x, (2, 1), mode="reflect"), (1, 2, 3)),
    (lambda f, t, x: f(x, (1, 2, 1, 0), mode="replicate"), (1, 1, 2, 3)),
    (lambda f, t, x: f(x, (1, 2), mode="circular"), (1, 1, 3)),
    (lambda f, t, x: f(x, (-1, 2), mode="circular"), (1, 1, 4)),
    wrong=(
        lambda f, t, x: f(x, (1,)),
        lambda f, t, x: f(x, (3, 0), mode="reflect"),
        lambda f, t, x: f(x, (1, 1), mode="no"),
        lambda f, t, x: f(x, (-2, -2)),
        lambda f, t, x: f(x, (1, 1, 1, 1, 1, 1)),
    ),
)
functional(
    "interpolate",
    (lambda f, t, x: f(x, scale_factor=2), (1, 1, 2, 3)),
    (lambda f, t, x: f(x, size=(3, 2), mode="bilinear", align_corners=False), (1, 1, 2, 3)),
    (lambda f, t, x: f(x, size=4, mode="linear", align_corners=True), (1, 2, 3)),
    (lambda f, t, x: f(x, scale_factor=1.5, mode="bicubic"), (1, 1, 2, 2)),
    wrong=(
        lambda f, t, x: f(x, size=2),
        lambda f, t, x: f(t.ones(1, 1, 2)),
        lambda f, t, x: f(t.ones(1, 1, 2), size=2, scale_factor=2),
        lambda f, t, x: f(t.ones(1, 1, 2), size=2, mode="bilinear"),
        lambda f, t, x: f(t.ones(1, 1, 2), size=2, align_corners=True),
    ),
)
functional(
    "unfold",
    (lambda f, t, x: f(x, 2), (1, 2, 3, 3)),
    (lambda f, t, x: f(x, (2, 1), dilation=1, padding=(0, 1), stride=2), (1, 1, 3, 3)),
    wrong=(lambda f, t, x: f(t.ones(1, 1, 2, 2), 3), lambda f, t, x: f(t.ones(1, 1, 2, 2), 1, stride=0)),
    untold=("int64", "bool"),
)
functional(
    "pixel_shuffle",
    (lambda f, t, x: f(x, 2), (1, 4, 1, 2)),
    wrong=(lambda f, t, x: f(x, 2), lambda f, t, x: f(t.ones(3, 2, 2), 2), lambda f, t, x: f(t.ones(4, 2, 2), 0)),
)
