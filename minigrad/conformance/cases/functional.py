"""Cases of nn.functional: the forms in which programs call it. What the functions compute is in the tables of ops_*.py,
which prove these names as well.
"""

from functools import partial

from minigrad.conformance.case import cases_of
from minigrad.conformance.exercises import numbers, outcomes, rows, weighted

case = cases_of("functional")
functions = partial(rows, case)

functions(
    "sigmoid",
    (lambda t, x: t.nn.functional.sigmoid(x), (2, 3)),
    wrong=(lambda t, x: t.nn.functional.sigmoid(x, 1),),
)
functions(
    "tanh",
    (lambda t, x: t.nn.functional.tanh(x), (2, 3)),
    wrong=(lambda t, x: t.nn.functional.tanh(x, 1),),
)
for _name in ("softmax", "log_softmax"):  # without dim: along the first of three, the second of two
    functions(
        _name,
        (lambda t, x, f=_name: getattr(t.nn.functional, f)(x, dim=-1), (2, 3)),
        (lambda t, x, f=_name: getattr(t.nn.functional, f)(x, 0, dtype=t.float64), [[1, 2], [4, 3]]),
        (
            lambda t, x, f=_name: getattr(t.nn.functional, f)(x),
            (2, 2, 2),
        ),
        (lambda t, x, f=_name: getattr(t.nn.functional, f)(x), (2, 3)),
        wrong=(
            lambda t, x, f=_name: getattr(t.nn.functional, f)(x, dim=2),
            lambda t, x, f=_name: getattr(t.nn.functional, f)(1.0),
        ),
        untold=("int64", "bool"),
    )


@case("dropout")
def dropout(torch):
    drop, x = torch.nn.functional.dropout, numbers(torch, 4, 5)
    torch.manual_seed(0)
    free = x.clone().requires_grad_()
    y = drop(free, 0.4)
    y.sum().backward()
    inside = x.clone()
    return {
        "value": [y, free.grad, drop(x, p=0.2, training=True), drop(x.t(), 0.5)],
        "off": [drop(x, 0.4, training=False).equal(x), drop(x, 0.0).equal(x), drop(x, 1.0).abs().sum()],
        "in place": [drop(inside, 0.5, True, True) is inside, inside],
        "errors": outcomes(lambda: drop(x, 1.5), lambda: drop(x, -0.1), lambda: drop(2.0)),
    }


@case("relu", "elu", "silu", "softplus")
def activations_in_place(torch):
    f, told = torch.nn.functional, []
    for function in (f.relu, f.elu, f.silu):
        x = numbers(torch, 2, 3)
        told.append([function(x, inplace=True) is x, x])
    return {
        "told": told,
        "options": [f.elu(x, alpha=0.5), f.softplus(x, beta=3, threshold=2)],
        "error": outcomes(lambda: f.relu(x.requires_grad_(), inplace=True)),
    }


@case("cross_entropy", "nll_loss", "one_hot", "ops:nn.functional.cross_entropy")
def a_language_model_and_its_loss(torch):
    f = torch.nn.functional
    logits, targets = numbers(torch, 2, 3, 4).requires_grad_(), torch.tensor([[0, 3, -1], [2, 2, 1]])
    loss = f.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)
    loss.backward()
    one_hot = f.one_hot(targets.clamp(min=0), num_classes=4)
    with torch.no_grad():
        each = f.cross_entropy(logits.transpose(1, 2), targets, ignore_index=-1, reduction="none")
        same = f.nll_loss(f.log_softmax(logits, -1).transpose(1, 2), targets, ignore_index=-1)
    return {
        "loss": [loss, logits.grad, each, same, loss.item()],
        "one hot": [one_hot.dtype, (one_hot * logits).sum(-1)],
        "legacy": outcomes(
            lambda: f.cross_entropy(logits[0], targets[1], size_average=False),
            lambda: f.cross_entropy(logits[0], targets[1], reduce=False),
        ),
    }


@case("scaled_dot_product_attention")
def attention(torch):
    attend = torch.nn.functional.scaled_dot_product_attention
    q, k, v = (numbers(torch, 1, 2, 3, 2, start=i, dtype=torch.float64).requires_grad_() for i in (0, 13, 26))
    y = attend(q, k, v, is_causal=True)
    weighted(torch, y).backward()
    grouped = attend(q, k[:, :1], v[:, :1], enable_gqa=True)
    torch.manual_seed(0)
    return {
        "value": [y, q.grad, k.grad, v.grad],
        "grouped": grouped,
        "mask": attend(q, k, v, attn_mask=torch.ones(3, 3, dtype=torch.bool).tril()).equal(y) or "close",
        "blind": attend(q, k, v, attn_mask=torch.zeros(3, 3, dtype=torch.bool)).isnan().any(),
        "errors": outcomes(
            lambda: attend(q, k[..., :1], v),
            lambda: attend(q, k, v, dropout_p=2.0), lambda: attend(q, k.float(), v),
        ),
    }  # fmt: skip


@case("pad", "interpolate", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "conv2d")
def images(torch):
    f, x = torch.nn.functional, numbers(torch, 1, 2, 4, 4)
    kernel = numbers(torch, 2, 2, 3, 3, start=40)
    return {
        "pad": [f.pad(x[0, 0], (1, 1), "constant", 0.5), f.pad(x[..., :2], [0, 1, 1, 0], mode="reflect")],
        "conv": f.conv2d(x, kernel, stride=1, padding="same", dilation=1),
        "pools": [
            f.max_pool2d(x, kernel_size=2, stride=2), f.avg_pool2d(x, 2), f.max_pool2d(x, 3, 1, 1),
            f.adaptive_avg_pool2d(x, (1, 1)), f.max_pool2d(x, 2, return_indices=True)[1],
        ],
        "resized": [
            f.interpolate(x[:, :1, :2, :2], scale_factor=2, mode="nearest"),
            f.interpolate(x[:, :1, :2, :2], size=(3, 3), mode="bilinear"),
        ],
    }  # fmt: skip


@case("mse_loss", "smooth_l1_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")
def losses_in_float32(torch):
    f, x, y = torch.nn.functional, numbers(torch, 3, 2).requires_grad_(), numbers(torch, 3, 2, start=50, low=0, high=1)
    losses = [
        f.mse_loss(x, y), f.smooth_l1_loss(x, y, beta=0.5), f.binary_cross_entropy(x.sigmoid(), y),
        f.binary_cross_entropy_with_logits(x, y), f.mse_loss(x, y, reduction="sum"),
    ]  # fmt: skip
    weighted(torch, losses).backward()
    return {
        "value": losses,
        "gradient": x.grad,
        "broadcast": f.mse_loss(x, y[:1]),
        "errors": outcomes(
            lambda: f.binary_cross_entropy(x.sigmoid(), y[:2]), lambda: f.mse_loss(x, y[:2]),
            lambda: f.binary_cross_entropy(x, y), lambda: f.smooth_l1_loss(x, y, beta=-1.0),
        ),
    }  # fmt: skip


@case("layer_norm", "rms_norm", "linear", float32=1e-5)
def norms_and_maps_in_float32(torch):
    f, x, w = torch.nn.functional, numbers(torch, 2, 4), numbers(torch, 4, low=0.5, high=1.5)
    return {
        "norms": [f.layer_norm(x, (4,)), f.layer_norm(x, x.shape[-1:], w, w, 1e-3), f.rms_norm(x, (4,), w)],
        "linear": [f.linear(x, numbers(torch, 2, 4, start=9), bias=w[:2]), f.linear(x[0], x)],
        "dtypes": [f.layer_norm(x.double(), (4,)).dtype, f.rms_norm(x.half(), (4,)).dtype],
        "errors": outcomes(lambda: f.layer_norm(x, 3), lambda: f.linear(x, w[:3])),
    }
