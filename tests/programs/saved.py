"""What backward still needs: an operand or a result is written in place after the op; backward computes or raises."""

import numpy as np


def _f(m):
    return m.nn.functional


ONE = {  # functions of one tensor
    "abs": lambda m, x: x.abs(),
    "add a number": lambda m, x: x + 2,
    "subtract from a number": lambda m, x: 2 - x,
    "times a number": lambda m, x: x * 2,
    "over a number": lambda m, x: x / 2,
    "a number over": lambda m, x: 2 / x,
    "to a power": lambda m, x: x**3,
    "square": lambda m, x: x.square(),
    "a number to": lambda m, x: 2**x,
    "neg": lambda m, x: -x,
    "exp": lambda m, x: x.exp(),
    "log": lambda m, x: x.log(),
    "log1p": lambda m, x: x.log1p(),
    "sqrt": lambda m, x: x.sqrt(),
    "rsqrt": lambda m, x: x.rsqrt(),
    "reciprocal": lambda m, x: x.reciprocal(),
    "sin": lambda m, x: x.sin(),
    "tanh": lambda m, x: x.tanh(),
    "sigmoid": lambda m, x: x.sigmoid(),
    "erf": lambda m, x: x.erf(),
    "relu": lambda m, x: x.relu(),
    "leaky relu": lambda m, x: _f(m).leaky_relu(x),
    "elu": lambda m, x: _f(m).elu(x),
    "gelu": lambda m, x: _f(m).gelu(x),
    "silu": lambda m, x: _f(m).silu(x),
    "softplus": lambda m, x: _f(m).softplus(x),
    "hardtanh": lambda m, x: _f(m).hardtanh(x),
    "logsigmoid": lambda m, x: _f(m).logsigmoid(x),
    "softmax": lambda m, x: x.softmax(-1),
    "log_softmax": lambda m, x: x.log_softmax(-1),
    "clamp": lambda m, x: x.clamp(0.5, 1.5),
    "floor": lambda m, x: x.floor(),
    "sum": lambda m, x: x.sum(),
    "mean": lambda m, x: x.mean(0),
    "var": lambda m, x: x.var(),
    "std": lambda m, x: x.std(0),
    "amax": lambda m, x: x.amax(1),
    "max over a dim": lambda m, x: x.max(1).values,
    "norm": lambda m, x: x.norm(),
    "logsumexp": lambda m, x: x.logsumexp(1),
    "cumsum": lambda m, x: x.cumsum(0),
    "cumprod": lambda m, x: x.cumprod(0),
    "sort": lambda m, x: x.sort(1).values,
    "index": lambda m, x: x[[0, 1]],
    "masked_fill": lambda m, x: x.masked_fill(x > 1, 0.0),
    "cat": lambda m, x: m.cat([x, x]),
    "stack": lambda m, x: m.stack([x, x]),
    "pad": lambda m, x: _f(m).pad(x, (1, 1)),
    "flip": lambda m, x: x.flip(0),
    "tril": lambda m, x: x.tril(),
    "clone": lambda m, x: x.clone(),
    "to double": lambda m, x: x.double(),
    "layer_norm": lambda m, x: _f(m).layer_norm(x, (2,), eps=0.1),
    "times a constant": lambda m, x: x * m.ones(2, 2),
    "over a constant": lambda m, x: x / m.full((2, 2), 2.0),
    "product with a constant": lambda m, x: x @ m.ones(2, 2),
    "linear with constant weights": lambda m, x: _f(m).linear(x, m.ones(2, 2), m.ones(2)),
    "where": lambda m, x: m.where(m.tensor([True, False]), x, m.zeros(2)),
    "maximum of a constant": lambda m, x: m.maximum(x, m.ones(2, 2)),
    "lerp by a number": lambda m, x: x.lerp(m.ones(2, 2), 0.3),
    "einsum with a constant": lambda m, x: m.einsum("ij,jk->ik", x, m.ones(2, 2)),
}

TWO = {  # functions of two tensors that want a gradient
    "add": lambda m, x, y: x + y,
    "sub": lambda m, x, y: x - y,
    "mul": lambda m, x, y: x * y,
    "div": lambda m, x, y: x / y,
    "pow": lambda m, x, y: x**y,
    "maximum": lambda m, x, y: m.maximum(x, y),
    "atan2": lambda m, x, y: m.atan2(x, y),
    "matmul": lambda m, x, y: x @ y,
    "bmm": lambda m, x, y: m.bmm(x[None], y[None]),
    "linear": lambda m, x, y: _f(m).linear(x, y),
    "addmm": lambda m, x, y: m.addmm(m.ones(2, 2), x, y),
    "addcmul": lambda m, x, y: m.addcmul(m.ones(2, 2), x, y),
    "where": lambda m, x, y: m.where(m.tensor([True, False]), x, y),
    "cat": lambda m, x, y: m.cat([x, y]),
    "outer": lambda m, x, y: m.outer(x[0], y[0]),
    "a gate": lambda m, x, y: x.softmax(1) * y,
}

IN_PLACE = {  # x is an inner tensor
    "add_": lambda m, x: x.add_(1),
    "mul_ by a number": lambda m, x: x.mul_(2),
    "mul_ by itself": lambda m, x: x.mul_(x),
    "*= itself": lambda m, x: x.__imul__(x),
    "+= itself": lambda m, x: x.__iadd__(x),
    "div_ by itself": lambda m, x: x.div_(x),
    "pow_": lambda m, x: x.pow_(3),
    "exp_": lambda m, x: x.exp_(),
    "log_": lambda m, x: x.log_(),
    "sqrt_": lambda m, x: x.sqrt_(),
    "tanh_": lambda m, x: x.tanh_(),
    "sigmoid_": lambda m, x: x.sigmoid_(),
    "relu_": lambda m, x: x.relu_(),
    "clamp_": lambda m, x: x.clamp_(0.5, 1.5),
    "square_": lambda m, x: x.square_(),
    "masked_fill_": lambda m, x: x.masked_fill_(x > 1, 0.0),
    "zero_": lambda m, x: x.zero_(),
    "copy_": lambda m, x: x.copy_(m.ones(2, 2)),
    "an entry": lambda m, x: x.__setitem__((0, 0), 5.0),
    "a row of itself": lambda m, x: x.__setitem__(0, x[1]),
    "relu in place": lambda m, x: _f(m).relu(x, inplace=True),
    "exp_ and add_": lambda m, x: x.exp_().add_(1),
    "pow_ and add_": lambda m, x: x.pow_(2).add_(1),
    "relu_ and mul_": lambda m, x: x.relu_().mul_(2),
    "a view times itself": lambda m, x: x[0].mul_(x[0]),
    "a view squared": lambda m, x: x[0].square_(),
    "after a product": lambda m, x: (x * x, x.add_(1))[0].sum().backward(),
}


def _leaf(m, seed):
    values = np.random.default_rng(seed).uniform(0.3, 1.9, (2, 2)).astype(np.float32)
    return m.tensor(values, requires_grad=True)


def _then(m, call, count, written):
    """The gradients of a call on inner tensors, one of which (or the result, -1) is written before backward."""
    leaves = [_leaf(m, seed) for seed in range(count)]
    inner = [leaf * 1 for leaf in leaves]
    out = call(m, *inner)
    weights = m.arange(1.0, out.numel() + 1).reshape(out.shape)
    (out if written < 0 else inner[written]).add_(1)
    try:
        (out * weights).sum().backward()
    except RuntimeError as error:
        return "modified by an inplace operation" in str(error)
    return [leaf.grad for leaf in leaves]


def _alone(m, call):
    leaf = _leaf(m, 0)
    x = leaf * 1
    try:
        call(m, x)
        (x * m.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    except RuntimeError as error:
        return "modified by an inplace operation" in str(error)
    return [x, leaf.grad]


def _twice(m, call, count):
    leaves = [_leaf(m, seed) for seed in range(count)]
    out = call(m, *leaves).double().sum()
    out.backward()
    try:
        out.backward()
    except RuntimeError as error:
        return "second time" in str(error)
    return [leaf.grad for leaf in leaves]


CASES = {
    **{f"{name}: operand written": lambda m, f=f: _then(m, f, 1, 0) for name, f in ONE.items()},
    **{f"{name}: result written": lambda m, f=f: _then(m, f, 1, -1) for name, f in ONE.items()},
    **{f"{name}: twice": lambda m, f=f: _twice(m, f, 1) for name, f in ONE.items() if name != "lerp by a number"},
    **{f"{name} of two: first written": lambda m, f=f: _then(m, f, 2, 0) for name, f in TWO.items()},
    **{f"{name} of two: second written": lambda m, f=f: _then(m, f, 2, 1) for name, f in TWO.items()},
    **{f"{name} of two: result written": lambda m, f=f: _then(m, f, 2, -1) for name, f in TWO.items()},
    **{f"{name} in place": lambda m, f=f: _alone(m, f) for name, f in IN_PLACE.items()},
}


def twins_see_a_recorded_write(m):
    y = _leaf(m, 0) * 1
    data, detached, array, view = y.data, y.detach(), y.detach().numpy(), y[0]
    y.add_(1)
    y[1] = 5.0
    view.mul_(2)
    return [y, data, detached, array, view, data.requires_grad, detached.requires_grad, view.requires_grad]


def memory_of_numpy_sees_a_recorded_write(m):
    array = np.arange(4, dtype=np.float32).reshape(2, 2)
    x = m.from_numpy(array)
    x.mul_(_leaf(m, 0))
    x.sum().backward()
    return [array, x.requires_grad]


def a_twin_that_is_written_is_noticed(m):
    y = _leaf(m, 0) * 1
    z = y * y
    y.detach().add_(1)
    try:
        z.sum().backward()
    except RuntimeError as error:
        return "modified by an inplace operation" in str(error)
    return "no error"


def versions_count_writes(m):
    y = _leaf(m, 0) * 1
    counts = [y._version]
    y.add_(1)
    counts.append(y._version)
    y[0] = 2.0
    y.exp_().mul_(2)
    counts.append(y._version)
    with m.no_grad():
        y.zero_()
    return [*counts, y._version, y[0]._version, y.detach()._version, y.data._version]


def views_under_no_grad_want_a_gradient(m):
    x = _leaf(m, 0)
    with m.no_grad():
        made = [x[0], x.view(4), x.t(), x.detach(), x.unsqueeze(0), x * 1, x.data, x.chunk(2)[0], x[[0]], next(iter(x))]
    with m.inference_mode():
        made += [x[0], (x * 1)[0]]
    return [[v.requires_grad, v.is_leaf] for v in made]
