"""Programs on vmap: what it maps over, what nests, what it refuses, how random numbers are drawn."""


def _x(m):
    return m.arange(6.0).reshape(3, 2)


def _i(m):
    return m.tensor([0, 1, 0])


def _run(f, *inputs, **options):
    """vmap(f) of the inputs made by the others: a program."""
    return lambda m: m.func.vmap(lambda *args: f(m, *args), **options)(*[make(m) for make in inputs])


def _written(m, a, i):
    b = a.clone()
    b[i] = 0
    return b


def _written_at_mask(m, a):
    b = a.clone()
    b[b > 2] = 0
    return b


def _into_plain(write):
    def f(m, a):
        b = m.zeros(2)
        write(b, a)
        return b

    return f


def _into(make):
    def f(m, a):
        b = make(m, a)
        b[0] = a[0]
        b += a
        return b

    return f


def _set_first(b, a):
    b[0] = a[0]


def _seeded(f, randomness, *inputs):
    def program(m):
        m.manual_seed(0)
        return _run(f, *(inputs or (_x,)), randomness=randomness)(m)

    return program


_DRAWS = {
    "randn": lambda m, a: m.randn(2),
    "randn of 20": lambda m, a: m.randn(4, 5),
    "rand": lambda m, a: m.rand(2, 2),
    "randn_like": lambda m, a: m.randn_like(a),
    "rand_like": lambda m, a: m.rand_like(a),
    "randint": lambda m, a: m.randint(0, 9, (2,)),
    "randperm": lambda m, a: m.randperm(4),
    "normal_": lambda m, a: a.clone().normal_(),
    "uniform_": lambda m, a: a.clone().uniform_(),
    "normal_ of plain": lambda m, a: m.zeros(2).normal_(),
    "bernoulli": lambda m, a: m.bernoulli(a / 6),
    "bernoulli of plain": lambda m, a: m.bernoulli(m.full((2,), 0.5)),
    "multinomial": lambda m, a: m.multinomial(a + 1, 1),
}

CASES = {
    "a function of each": _run(lambda m, a: a * 2 + a.sum(), _x),
    "what an example looks like": _run(
        lambda m, a: a * (a.dim() + 10 * a.shape[0] + 100 * a.numel() + 1000 * len(a)), _x
    ),
    "in_dims 1": _run(lambda m, a: a.sum() * a, _x, in_dims=1),
    "in_dims -1": _run(lambda m, a: a.sum() * a, _x, in_dims=-1),
    "in_dims with None": _run(lambda m, a, b: a * b.sum(), _x, _x, in_dims=(0, None)),
    "in_dims of a number": _run(lambda m, a, b: a * b, _x, lambda m: 3.0, in_dims=(0, None)),
    "in_dims nested": lambda m: m.func.vmap(
        lambda p: p["a"] * p["b"][0] + p["b"][1], in_dims=({"a": 0, "b": (1, None)},)
    )({"a": _x(m), "b": (_x(m).T, m.ones(2))}),
    "in_dims for all below": lambda m: m.func.vmap(lambda p, q: p["a"] * p["b"] + q, in_dims=(1, None))(
        {"a": _x(m), "b": _x(m)}, m.ones(3)
    ),
    "a list of inputs": lambda m: m.func.vmap(lambda p: p[0] * p[1])([_x(m), _x(m) + 1]),
    "out_dims 1": _run(lambda m, a: a * 2, _x, out_dims=1),
    "out_dims -1": _run(lambda m, a: m.stack([a, a]), _x, out_dims=-1),
    "out_dims (1,)": _run(lambda m, a: a * 2, _x, out_dims=(1,)),
    "several outputs": _run(lambda m, a: (a, a.sum(), a * 2), _x),
    "out_dims of several": _run(lambda m, a: (a, a * 2), _x, out_dims=(0, 1)),
    "a dict of outputs": _run(lambda m, a: {"u": a, "v": [a.sum()]}, _x, out_dims={"u": 1, "v": [0]}),
    "out_dims None": _run(lambda m, a: (a, m.ones(2), "text"), _x, out_dims=(0, None, None)),
    "an output that all share": _run(lambda m, a: m.ones(2), _x),
    "keyword arguments are shared": lambda m: m.func.vmap(lambda a, k: a * k)(_x(m), k=_x(m)),
    "chunks": _run(lambda m, a: (a * 2, a.sum()), _x, out_dims=(1, 0), chunk_size=2),
    "a batch of none": _run(lambda m, a: (a.exp() @ a, a[0]), lambda m: m.ones(0, 2)),
    "nested": lambda m: m.func.vmap(m.func.vmap(lambda a, b: a * b + 1))(_x(m), _x(m)),
    "nested, other dims": lambda m: m.func.vmap(m.func.vmap(lambda a, b: a @ b, (0, None)), (None, 0))(_x(m), _x(m)),
    "nested, a closure": _run(lambda m, a: m.func.vmap(lambda b: a @ a * b)(a), _x),
    "all pairs": lambda m: m.func.vmap(lambda a: m.func.vmap(lambda b: (a - b).abs().sum())(_x(m)))(_x(m)),
    "torch.vmap": lambda m: m.vmap(lambda a: a.sin())(_x(m)),
    "dtypes of 0-d examples": _run(lambda m, a, b: a + b, lambda m: m.ones(3, dtype=m.float64), lambda m: m.ones(3, 2)),
    "iteration": _run(lambda m, a: sum(b * 2 for b in a), _x),
    "views": _run(lambda m, a: a.view(2, 1).expand(2, 3).permute(1, 0).contiguous().view(-1), _x),
    "reductions": _run(lambda m, a: (a.mean(0), a.std(), a.amax(), a.argmax(), a.max(0).values, a.norm()), _x),
    "join and split": _run(lambda m, a: (m.cat([a, m.zeros(1)]), m.stack([a, a * 2], 1), *a.split(1)), _x),
    "index by an example": _run(lambda m, a, i: a[i], _x, _i),
    "index by examples": _run(lambda m, a, i: a[m.stack([i, i, 1 - i])], _x, _i),
    "index what is shared": _run(lambda m, i: _x(m)[i, 1], _i),
    "index_select": _run(lambda m, a, i: a.index_select(0, i.reshape(1)), _x, _i),
    "gather": _run(lambda m, a, i: a.gather(0, m.stack([i, i])), _x, _i),
    "scatter": _run(lambda m, a, i: m.zeros(2).scatter(0, i.reshape(1), a[:1]), _x, _i),
    "scatter_add": _run(lambda m, a, i: a.scatter_add(0, m.stack([i, i]), a * 10), _x, _i),
    "one_hot": _run(lambda m, i: m.nn.functional.one_hot(i, 3), _i),
    "embedding": _run(lambda m, i: m.nn.functional.embedding(m.stack([i, i]), _x(m)), _i),
    "where": _run(lambda m, a: m.where(a > 2, a, -a), _x),
    "write at an index": _run(_written, _x, _i),
    "write into new_zeros": _run(_into(lambda m, a: a.new_zeros(2)), _x),
    "write into new_full": _run(_into(lambda m, a: a.new_full((2,), 7.0)), _x),
    "write into zeros_like": _run(_into(lambda m, a: m.zeros_like(a)), _x),
    "write into a clone": _run(_into(lambda m, a: a.clone()), _x),
    "bincount": _run(lambda m, a: m.bincount(a.long(), minlength=6), _x),
    "cross entropy": _run(lambda m, a, i: m.nn.functional.cross_entropy(a, i), _x, _i),
    "autograd.grad of an outer graph": lambda m: _outer_graph(m),
    # what is refused
    "item": _run(lambda m, a: a.sum().item(), _x),
    "int": _run(lambda m, a: int(a.sum()), _x),
    "float": _run(lambda m, a: float(a.sum()), _x),
    "if": _run(lambda m, a: a if a.sum() > 0 else -a, _x),
    "numpy": _run(lambda m, a: a.numpy(), _x),
    "tolist": _run(lambda m, a: a.tolist(), _x),
    "a list of batched numbers": _run(lambda m, a: m.tensor([a[0], 1.0]), _x),
    "fill with a batched number": _run(lambda m, a: m.full((2,), a[0]), _x),
    "a mask": _run(lambda m, a: a[a > 0], _x),
    "write at a mask": _run(_written_at_mask, _x),
    "masked_select": _run(lambda m, a: a.masked_select(a > 0), _x),
    "nonzero": _run(lambda m, a: (a > 0).nonzero(), _x),
    "unique": _run(lambda m, a: a.unique(), _x),
    "add to what is shared": _run(_into_plain(lambda b, a: b.add_(a)), _x),
    "copy to what is shared": _run(_into_plain(lambda b, a: b.copy_(a)), _x),
    "write into what is shared": _run(_into_plain(_set_first), _x),
    "backward": lambda m: _backward_inside(m),
    "no inputs": lambda m: m.func.vmap(lambda: m.ones(2))(),
    "nothing to map over": _run(lambda m, a: a, _x, in_dims=(None,)),
    "in_dims None": _run(lambda m, a: a, _x, in_dims=None),
    "in_dims a list": _run(lambda m, a: a, _x, in_dims=[0]),
    "in_dims a string": _run(lambda m, a: a, _x, in_dims="0"),
    "in_dims beyond": _run(lambda m, a: a, _x, in_dims=2),
    "in_dims of a 0-d": _run(lambda m, a: a, lambda m: m.tensor(1.0)),
    "in_dims of another structure": _run(lambda m, a: a, _x, in_dims=(0, 0)),
    "in_dims not integers": _run(lambda m, a: a, _x, in_dims=(0.5,)),
    "in_dims for a number": _run(lambda m, a, b: a * b, _x, lambda m: 3.0),
    "sizes that differ": _run(lambda m, a, b: a.sum() + b.sum(), _x, lambda m: m.ones(2, 2)),
    "out_dims beyond": _run(lambda m, a: a, _x, out_dims=5),
    "out_dims a string": _run(lambda m, a: a, _x, out_dims="0"),
    "out_dims of another structure": _run(lambda m, a: (a, a), _x, out_dims=(0, 1, 0)),
    "out_dims None of a batched output": _run(lambda m, a: a, _x, out_dims=None),
    "a number as output": _run(lambda m, a: 3, _x),
    "None as output": _run(lambda m, a: None, _x),
    "a string among the outputs": _run(lambda m, a: (a, "text"), _x),
    "chunk_size 0": _run(lambda m, a: a, _x, chunk_size=0),
    "another randomness": _run(lambda m, a: a, _x, randomness="none"),
    "dropout": _run(lambda m, a: m.nn.functional.dropout(a), _x),
    "dropout in evaluation": _run(lambda m, a: m.nn.functional.dropout(a, training=False), _x),
    **{f"{name}, error": _seeded(draw, "error") for name, draw in _DRAWS.items()},
    **{f"{name}, same": _seeded(draw, "same") for name, draw in _DRAWS.items()},
    **{f"{name}, different": _seeded(draw, "different") for name, draw in _DRAWS.items()},
    # with gradients
    "vmap of grad": lambda m: m.func.vmap(m.func.grad(lambda a: (a**3).sum()))(_x(m)),
    "vmap of grad, shared weights": lambda m: m.func.vmap(m.func.grad(lambda w, a: ((w * a).sin()).sum()), (None, 0))(
        m.tensor([0.5, -1.0]), _x(m)
    ),
    "vmap of vjp": lambda m: m.func.vmap(lambda a: m.func.vjp(lambda b: b.sin() * b, a)[1](a)[0])(_x(m)),
    "vmap of jvp": lambda m: m.func.vmap(lambda a, v: m.func.jvp(lambda b: b.sin() * b, (a,), (v,)))(_x(m), _x(m) + 1),
    "vmap of jacrev": lambda m: m.func.vmap(m.func.jacrev(lambda a: a**2 + a.sum()))(_x(m)),
    "vmap of jacfwd": lambda m: m.func.vmap(m.func.jacfwd(lambda a: a**2 + a.sum()))(_x(m)),
    "vmap of hessian": lambda m: m.func.vmap(m.func.hessian(lambda a: (a**3).sum() + a.prod()))(_x(m)),
    "grad of vmap": lambda m: m.func.grad(lambda w: m.func.vmap(lambda a: (a * w).sin().sum())(_x(m)).sum())(
        m.tensor([0.5, -1.0])
    ),
    "grad of vmap of grad": lambda m: m.func.grad(
        lambda w: m.func.vmap(m.func.grad(lambda a: (a**2 * w).sin().sum()))(_x(m)).sum()
    )(m.tensor([0.5, -1.0])),
    "hessian of vmap": lambda m: m.func.hessian(lambda w: m.func.vmap(lambda a: (a * w).sin().sum())(_x(m)).sum())(
        m.tensor([0.5, -1.0])
    ),
    "vmap of vmap of grad": lambda m: m.func.vmap(m.func.vmap(m.func.grad(lambda a, w: a**3 * w), (0, None)), (0, 0))(
        _x(m), m.tensor([1.0, 2.0, 3.0])
    ),
    "vmap over the arguments of grad": lambda m: m.func.vmap(
        m.func.grad(lambda p, a: (p["w"] @ a + p["b"]).tanh().sum()), in_dims=({"w": None, "b": 0}, 0)
    )({"w": _x(m) / 5, "b": m.ones(3, 3) / 2}, _x(m) / 4),
}


def _outer_graph(m):
    w = m.tensor([2.0, 3.0], requires_grad=True)
    y = w * w
    return m.func.vmap(lambda v: m.autograd.grad(y, w, v)[0])(_x(m))


def _backward_inside(m):
    w = m.tensor([2.0, 3.0], requires_grad=True)
    y = w * w
    return m.func.vmap(lambda v: y.backward(v))(_x(m))


def backward_through_vmap(m):
    x, w = _x(m).requires_grad_(), m.tensor([2.0, 3.0], requires_grad=True)
    y = m.func.vmap(lambda a: (a * w).sin() + w)(x)
    y.pow(2).sum().backward()
    return [y, x.grad, w.grad]


def backward_through_an_output_that_all_share(m):
    w = m.tensor([2.0, 3.0], requires_grad=True)
    y = m.func.vmap(lambda a: w**2)(_x(m))
    y.sum().backward()
    return [y, w.grad]


def results_that_need_no_graph_have_none(m):
    w = m.tensor([2.0, 3.0], requires_grad=True)
    plain = m.func.vmap(m.func.grad(lambda a: (a * a).sum()))(_x(m))
    closed = m.func.vmap(m.func.grad(lambda a: (a * a * w).sum()))(_x(m))
    return [plain, closed]


def writing_into_the_input(m):
    x = _x(m)
    y = m.func.vmap(lambda a: a.mul_(2))(x)
    return [x, y]


def batch_norm_with_running_statistics(m):
    mean, var = m.zeros(2), m.ones(2)
    return m.func.vmap(lambda a: m.nn.functional.batch_norm(a, mean, var, training=True))(
        m.arange(24.0).reshape(3, 4, 2)
    )


def batch_norm_without(m):
    return m.func.vmap(lambda a: m.nn.functional.batch_norm(a, None, None, training=True))(
        (m.arange(24.0) ** 2 % 7).reshape(3, 4, 2)
    )


def batch_norm_in_evaluation(m):
    mean, var = m.zeros(2), m.full((2,), 4.0)
    return m.func.vmap(lambda a: m.nn.functional.batch_norm(a, mean, var))(m.arange(24.0).reshape(3, 4, 2))
