"""Programs on the names of derivatives: what `grad_fn=<...>` says of a result, and how a graph is walked by hand.

Left out are results that PyTorch and minigrad make of other steps (a stacked recurrence, a pooled mean ...).
"""

CASES: dict = {}
_UNARY = (
    "abs exp log sqrt rsqrt reciprocal sin cos tan tanh sigmoid relu erf log1p expm1 floor sign round asin atan sinh"
)
_ACTIVATIONS = "gelu silu elu leaky_relu softplus hardtanh logsigmoid mish hardswish selu"


def _names(m, calls):
    return {what: type(call().grad_fn).__name__ for what, call in calls.items()}


def _inputs(m):
    m.manual_seed(0)
    x, w, b = m.rand(3, 4), m.rand(4, 4), m.rand(4)
    return [t.requires_grad_() for t in (x, w, b, m.rand(2, 3, 4), m.rand(2, 3, 8, 8))]


def elementwise(m):
    x, _, b, _, _ = _inputs(m)
    t, s = m.rand(3, 4), m.tensor(2.0, requires_grad=True)
    calls = {
        "x + 1": lambda: x + 1,
        "x + b": lambda: x + b,
        "x - 1": lambda: x - 1,
        "1 - x": lambda: 1 - x,
        "x * 2": lambda: x * 2,
        "x / 2": lambda: x / 2,
        "1 / x": lambda: 1 / x,
        "x**2": lambda: x**2,
        "x**s": lambda: x**s,
        "2**x": lambda: 2**x,
        "-x": lambda: -x,
        "square": lambda: x.square(),
        "clamp": lambda: x.clamp(0, 1),
        "maximum": lambda: m.maximum(x, t),
        "where": lambda: m.where(x > 0, x, t),
        "lerp": lambda: m.lerp(x, t, 0.5),
        "addcmul": lambda: m.addcmul(x, t, t),
        "addcdiv": lambda: m.addcdiv(x, t, t),
        "remainder": lambda: x % 2,
        "double": lambda: x.double(),
        "clone": lambda: x.clone(),
        "add_": lambda: x.clone().add_(1),
        "relu_": lambda: x.clone().relu_(),
        "x[0] = 1": lambda: [y := x.clone(), y.__setitem__(0, 1.0), y][-1],
        "complex": lambda: m.complex(x, x),
        "polar": lambda: m.polar(x, x),
    }
    for name in _UNARY.split():
        calls[name] = lambda name=name: getattr(m, name)(x)
    return _names(m, calls)


def reductions(m):
    x, w, _, _, _ = _inputs(m)
    calls = {
        "sum": lambda: x.sum(),
        "sum of a dim": lambda: x.sum(0),
        "mean": lambda: x.mean(),
        "mean of a dim": lambda: x.mean(0),
        "var": lambda: x.var(),
        "std": lambda: x.std(),
        "prod": lambda: x.prod(),
        "prod of a dim": lambda: x.prod(0),
        "max": lambda: x.max(),
        "max of a dim": lambda: x.max(0)[0],
        "min": lambda: x.min(),
        "amax": lambda: x.amax(0),
        "norm": lambda: x.norm(),
        "norm, p = 1": lambda: x.norm(1),
        "logsumexp": lambda: x.logsumexp(0),
        "cumsum": lambda: x.cumsum(0),
        "cumprod": lambda: x.cumprod(0),
        "sort": lambda: x.sort()[0],
        "topk": lambda: x.topk(2)[0],
        "median": lambda: x.median(),
        "median of a dim": lambda: x.median(0)[0],
        "trace": lambda: w.trace(),
        "softmax": lambda: x.softmax(0),
        "log_softmax": lambda: x.log_softmax(0),
    }
    return _names(m, calls)


def products(m):
    x, w, b, batch, _ = _inputs(m)
    f = m.nn.functional
    calls = {
        "x @ w": lambda: x @ w,
        "w @ b": lambda: w @ b,
        "b @ w": lambda: b @ w,
        "b @ b": lambda: b @ b,
        "dot": lambda: b.dot(b),
        "mm": lambda: x.mm(w),
        "bmm": lambda: m.bmm(batch, batch.mT),
        "batch @ w": lambda: batch @ w,
        "batch @ batch": lambda: batch @ batch.mT,
        "addmm": lambda: m.addmm(b, x, w),
        "outer": lambda: m.outer(b, b),
        "linear": lambda: f.linear(x, w, b),
        "linear, no bias": lambda: f.linear(x, w),
        "linear of a batch": lambda: f.linear(batch, w, b),
        "linear of a batch, no bias": lambda: f.linear(batch, w),
        "linear of a vector": lambda: f.linear(b, w, b),
        "inv": lambda: m.linalg.inv(w),
        "det": lambda: m.det(w),
        "cholesky": lambda: m.linalg.cholesky(w @ w.T + m.eye(4)),
    }
    return _names(m, calls)


def shapes(m):
    x, w, b, batch, _ = _inputs(m)
    calls = {
        "view": lambda: x.view(4, 3),
        "reshape": lambda: x.reshape(-1),
        "flatten": lambda: batch.flatten(1),
        "squeeze": lambda: x.view(1, 3, 4).squeeze(),
        "unsqueeze": lambda: x.unsqueeze(0),
        "T": lambda: x.T,
        "t": lambda: x.t(),
        "transpose": lambda: x.transpose(0, 1),
        "permute": lambda: batch.permute(2, 0, 1),
        "mT": lambda: batch.mT,
        "expand": lambda: x.expand(2, 3, 4),
        "repeat": lambda: x.repeat(2, 1),
        "cat": lambda: m.cat([x, x]),
        "stack": lambda: m.stack([x, x]),
        "split": lambda: x.split(1)[0],
        "chunk": lambda: x.chunk(2)[0],
        "unbind": lambda: x.unbind(0)[0],
        "iteration": lambda: next(iter(x)),
        "flip": lambda: x.flip(0),
        "roll": lambda: x.roll(1),
        "tril": lambda: x.tril(),
        "diag": lambda: b.diag(),
        "diagonal": lambda: w.diagonal(),
        "pad": lambda: m.nn.functional.pad(x, (1, 1)),
        "unfold": lambda: x.unfold(0, 2, 1),
        "unflatten": lambda: x.unflatten(1, (2, 2)),
        "contiguous": lambda: x.T.contiguous(),
    }
    return _names(m, calls)


def indexing(m):
    x, _, _, _, _ = _inputs(m)
    places, rows, t = m.tensor([0, 1, 2]), m.zeros(1, 4, dtype=m.int64), m.rand(3, 4)
    calls = {
        "x[0]": lambda: x[0],
        "x[:, 0]": lambda: x[:, 0],
        "x[1:]": lambda: x[1:],
        "x[:, 1:]": lambda: x[:, 1:],
        "x[0, 1:]": lambda: x[0, 1:],
        "x[0, 0]": lambda: x[0, 0],
        "x[..., 0]": lambda: x[..., 0],
        "x[places]": lambda: x[places],
        "x[places, places]": lambda: x[places, places],
        "x[x > 0.5]": lambda: x[x > 0.5],
        "x[None]": lambda: x[None],
        "narrow": lambda: x.narrow(0, 0, 1),
        "gather": lambda: x.gather(0, rows),
        "index_select": lambda: x.index_select(0, places),
        "masked_fill": lambda: x.masked_fill(x > 0, 0),
        "masked_select": lambda: x.masked_select(x > 0),
        "index_add": lambda: x.index_add(0, places, t),
        "scatter_add": lambda: x.scatter_add(0, rows, t),
        "embedding": lambda: m.nn.functional.embedding(places, x),
    }
    found = _names(m, calls)
    y = x[places]
    y.sum().backward()  # frees the index
    return [found, repr(y).count("grad_fn=<IndexBackward0>")]


def activations_and_losses(m):
    x, _, b, _, _ = _inputs(m)
    f, t, labels = m.nn.functional, m.rand(3, 4), m.tensor([0, 1, 2])
    calls = {name: lambda name=name: getattr(f, name)(x) for name in _ACTIVATIONS.split()}
    calls |= {
        "prelu": lambda: f.prelu(x, b),
        "dropout": lambda: f.dropout(x, 0.5),
        "cross_entropy": lambda: f.cross_entropy(x, labels),
        "cross_entropy, none": lambda: f.cross_entropy(x, labels, reduction="none"),
        "cross_entropy, sum": lambda: f.cross_entropy(x, labels, reduction="sum"),
        "cross_entropy, smoothed": lambda: f.cross_entropy(x, labels, label_smoothing=0.1),
        "cross_entropy, soft": lambda: f.cross_entropy(x, t.softmax(1)),
        "nll_loss": lambda: f.nll_loss(x, labels),
        "mse_loss": lambda: f.mse_loss(x, t),
        "mse_loss, sum": lambda: f.mse_loss(x, t, reduction="sum"),
        "mse_loss, none": lambda: f.mse_loss(x, t, reduction="none"),
        "l1_loss": lambda: f.l1_loss(x, t),
        "smooth_l1_loss": lambda: f.smooth_l1_loss(x, t),
        "huber_loss": lambda: f.huber_loss(x, t),
        "binary_cross_entropy": lambda: f.binary_cross_entropy(x, t),
        "with_logits": lambda: f.binary_cross_entropy_with_logits(x, t),
    }
    return _names(m, calls)


def layers(m):
    x, _, _, _, image = _inputs(m)
    f, nn = m.nn.functional, m.nn
    calls = {
        "conv2d": lambda: f.conv2d(image, m.rand(2, 3, 3, 3)),
        "conv1d": lambda: f.conv1d(image[0], m.rand(2, 8, 3)),
        "conv_transpose2d": lambda: f.conv_transpose2d(image, m.rand(3, 2, 3, 3)),
        "max_pool2d": lambda: f.max_pool2d(image, 2),
        "avg_pool2d": lambda: f.avg_pool2d(image, 2),
        "interpolate": lambda: f.interpolate(image, scale_factor=2),
        "batch norm": lambda: nn.BatchNorm2d(3)(image),
        "batch norm, eval": lambda: nn.BatchNorm2d(3).eval()(image),
        "layer norm": lambda: nn.LayerNorm(4)(x),
        "layer norm in float64": lambda: nn.LayerNorm(4).double()(x.double()),
        "group norm": lambda: nn.GroupNorm(3, 3)(image),
        "RMS norm": lambda: f.rms_norm(x, (4,)),
        "Linear": lambda: nn.Linear(4, 2)(x),
        "Embedding": lambda: nn.Embedding(5, 4)(m.tensor([0, 1])),
    }
    return _names(m, calls)


def walked(m):
    x, w, b, _, _ = _inputs(m)
    y = (x @ w + b).relu()
    chain, step = [], y.grad_fn
    while step is not None:
        chain.append(step.name())
        step = step.next_functions[0][0] if step.next_functions else None
    add = y.grad_fn.next_functions[0][0]
    leaf = add.next_functions[1][0]
    return [
        chain,
        [type(f).__name__ for f, _ in add.next_functions],
        [number for _, number in add.next_functions],
        leaf.next_functions,
        y.grad_fn is y.grad_fn,
        repr(y.grad_fn).split(" at ")[0],
        repr(leaf).split(" at ")[0],
        x.grad_fn,
        (x.detach() * 2).grad_fn,
        (x * m.ones(4)).grad_fn.next_functions[1],
    ]


def printed(m):
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    return [repr(y), repr(y.sum()), repr(m.nn.functional.mse_loss(y, x.detach())), repr(y.sum().backward()), repr(y)]
