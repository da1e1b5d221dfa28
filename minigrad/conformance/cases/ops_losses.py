"""The ops of nn.functional: norms, attention, losses."""

from minigrad.conformance.cases.ops import functional

INSIDE = (0.02, 0.98)


def running(f, t, x):
    """The running mean and variance after a batch."""
    mean, var = t.zeros(2, dtype=x.dtype), t.ones(2, dtype=x.dtype)
    return [f(x, mean, var, training=True, momentum=0.3), mean, var]


# Norms.
functional(
    "batch_norm",
    (lambda f, t, x, w, b: f(x, None, None, w, b, training=True), (4, 2), (2,), (2,)),
    (lambda f, t, x, m, v: f(x, m.detach(), v.detach() ** 2, eps=0.1), (3, 2, 2), (2,), (2,)),
    (running, (3, 2)),
    wrong=(
        lambda f, t, x: f(x, None, None),
        lambda f, t, x: f(x[:1], None, None, training=True),
        lambda f, t, x: f(x, t.ones(2), t.ones(2)),
    ),
    untold=("empty", "int64", "bool"),
)
functional(
    "layer_norm",
    (lambda f, t, x, w, b: f(x, (3,), w, b), (2, 3), (3,), (3,)),
    (lambda f, t, x: f(x, [2, 3], eps=0.1), (2, 2, 3)),
    wrong=(lambda f, t, x: f(x, (2,)), lambda f, t, x: f(x, (3,), t.ones(2)), lambda f, t, x: f(x, ())),
)
functional(
    "group_norm",
    (lambda f, t, x, w, b: f(x, 2, w, b), (2, 4, 2), (4,), (4,)),
    (lambda f, t, x: f(x, 1, eps=0.1), (2, 3)),
    wrong=(lambda f, t, x: f(x, 2), lambda f, t, x: f(x, 3, t.ones(2))),
    untold=("int64", "bool"),
)
functional(
    "instance_norm",
    (lambda f, t, x, w, b: f(x, weight=w, bias=b), (2, 2, 3), (2,), (2,)),
    (lambda f, t, x: f(x, eps=0.1), (1, 2, 2, 2)),
    wrong=(lambda f, t, x: f(x), lambda f, t, x: f(t.ones(1, 2, 1))),
    untold=("empty", "int64", "bool"),
)
functional(
    "rms_norm",
    (lambda f, t, x, w: f(x, (3,), w), (2, 3), (3,)),
    (lambda f, t, x: f(x, (2, 3), eps=0.1), (2, 2, 3)),
    wrong=(lambda f, t, x: f(x, (2,)), lambda f, t, x: f(x, (3,), t.ones(2))),
)
functional(
    "scaled_dot_product_attention",
    (lambda f, t, q, k, v: f(q, k, v), (2, 2, 3), (2, 3, 3), (2, 3, 2)),
    (lambda f, t, q, k, v: f(q, k, v, is_causal=True, scale=0.5), (1, 2, 3, 2), (1, 2, 3, 2), (1, 2, 3, 2)),
    (lambda f, t, q, k, v, m: f(q, k, v, attn_mask=m), (1, 2, 3), (1, 2, 3), (1, 2, 3), [[True, False], [True, True]]),
    (lambda f, t, q, k, v, m: f(q, k, v, m), (1, 2, 3), (1, 2, 3), (1, 2, 3), (2, 2)),
    wrong=(
        lambda f, t, x: f(x, t.ones(2, 4), x),
        lambda f, t, x: f(x, x, x, attn_mask=t.ones(2, 2) > 0, is_causal=True),
        lambda f, t, x: f(x, x, t.ones(3, 3)),
        lambda f, t, x: f(x, x, x, attn_mask=t.ones(3, 3) > 0),
        lambda f, t, x: f(x, x, x.double()),
    ),
    second=False,  # PyTorch has none for its CPU kernel
    untold=("int64", "bool"),
)

# Losses. The reductions, then the target that is broadcast (a warning in PyTorch) and the shapes that do not.
for _name, _options in {
    "mse_loss": {},
    "l1_loss": {},
    "smooth_l1_loss": {"beta": 0.5},
    "huber_loss": {"delta": 0.7},
}.items():
    functional(
        _name,
        (lambda f, t, x, y: f(x, y), (2, 3), (2, 3)),
        (lambda f, t, x, y, o=_options: f(x, y, reduction="sum", **o), (2, 3), (2, 3)),
        (lambda f, t, x, y, o=_options: f(x, y, reduction="none", **o), [0.0, 1.0, 0.5], [0.0, 0.0, 0.0]),
        wrong=(
            lambda f, t, x: f(x, t.ones(5)),
            lambda f, t, x: f(x, x, reduction="no"),
            lambda f, t, x: f(x),
        ),
        untold=("int64", "bool"),
    )
functional(
    "cross_entropy",
    (lambda f, t, x, y: f(x, y), (2, 3), [2, 0]),
    (
        lambda f, t, x, y, w: f(x, y, weight=w.detach(), ignore_index=0, label_smoothing=0.1),
        (3, 3),
        [2, 0, 1],
        [1.0, 2.0, 0.5],
    ),
    (lambda f, t, x, y: f(x, y, reduction="none"), (1, 3, 2), [[1, -100]]),
    (lambda f, t, x, y: f(x, y.softmax(1), reduction="sum"), (2, 3), (2, 3)),
    (lambda f, t, x, y: f(x, y), (2, 3), [-100, -100]),
    wrong=(
        lambda f, t, x: f(x, t.tensor([0, 3])),
        lambda f, t, x: f(x, t.tensor([0])),
        lambda f, t, x: f(x, t.tensor([0.0, 1.0])),
        lambda f, t, x: f(x, t.tensor([0, 1]), reduction="no"),
        lambda f, t, x: f(x, t.tensor([0, 1], dtype=t.int32)),
        lambda f, t, x: f(x, t.tensor([0, 1]), weight=t.ones(2)),
    ),
    untold=("int64", "bool"),
)
functional(
    "nll_loss",
    (lambda f, t, x, y: f(x, y), (2, 3), [2, 0]),
    (
        lambda f, t, x, y, w: f(x, y, weight=w.detach(), reduction="sum", ignore_index=1),
        (3, 3),
        [2, 0, 1],
        [1.0, 2.0, 0.5],
    ),
    (lambda f, t, x, y: f(x, y, reduction="none"), (1, 3, 2), [[1, -100]]),
    wrong=(lambda f, t, x: f(x, t.tensor([0, 3])), lambda f, t, x: f(x, t.tensor([0])), lambda f, t, x: f(x, x)),
    untold=("int64", "bool"),
)
functional(
    "binary_cross_entropy",
    (lambda f, t, x, y: f(x, y), (2, 3), (2, 3)),
    (lambda f, t, x, y, w: f(x, y.detach(), weight=w.detach(), reduction="sum"), (2, 3), (2, 3), (3,)),
    (lambda f, t, x, y: f(x, y, reduction="none"), [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]),
    span=INSIDE,
    dtype="float32",  # PyTorch adds 1e-12 to what it divides by: in float64 that shows
    wrong=(lambda f, t, x: f(x * 3, x), lambda f, t, x: f(x, t.ones(5)), lambda f, t, x: f(x, x, reduction="no")),
    untold=("int64", "bool"),
)
functional(
    "binary_cross_entropy_with_logits",
    (lambda f, t, x, y: f(x, y), (2, 3), (2, 3)),
    (lambda f, t, x, y, w: f(x, y, weight=w.detach(), pos_weight=w.detach(), reduction="sum"), (2, 3), (2, 3), (3,)),
    (lambda f, t, x, y: f(x, y, reduction="none"), [-800.0, 800.0, 0.0], [0.0, 0.0, 1.0]),
    wrong=(lambda f, t, x: f(x, t.ones(5)), lambda f, t, x: f(x, x, reduction="no")),
    untold=("int64", "bool"),
)
functional(
    "kl_div",
    (lambda f, t, x, y: f(x, y), (2, 3), (2, 3)),
    (lambda f, t, x, y: f(x, y, reduction="batchmean"), (2, 3), (2, 3)),
    (lambda f, t, x, y: f(x, y, reduction="sum", log_target=True), (2, 3), (2, 3)),
    (lambda f, t, x, y: f(x, y.detach(), reduction="none"), [-1.0, -2.0], [0.0, 0.5]),
    span=INSIDE,
    wrong=(lambda f, t, x: f(x, t.ones(5)), lambda f, t, x: f(x, x, reduction="no")),
    untold=("int64", "bool"),
)
