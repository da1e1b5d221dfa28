"""Programs on Jacobians, linearize, modules as functions, and torch.autograd.functional."""


def _x(m, *values):
    return m.tensor(list(values) or [0.5, -1.0, 2.0], dtype=m.float64)


def _two(x):
    return x**2 + x.sum()


def _weights(m, *shape):
    count = 1
    for n in shape:
        count *= n
    return ((m.arange(float(count)) * 7 % 5 - 2) / 4).reshape(shape)


def _net(m, shift=0.0):
    net = m.nn.Sequential(m.nn.Linear(3, 4), m.nn.Tanh(), m.nn.Linear(4, 2)).double()
    with m.no_grad():
        for p in net.parameters():
            p.copy_(_weights(m, *p.shape) + shift)
    return net


def _inputs(m, n=5):
    return _weights(m, n, 3).double() + 0.1


def _tied(m):
    class Tied(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = m.nn.Parameter(m.ones(1))
            self.b = self.a
            self.register_buffer("n", m.zeros(1))

        def forward(self, x, k=1):
            self.n.add_(1)
            return x * self.a + self.b * k

    return Tied()


def _call(*args, make=_tied, **options):
    """functional_call of the module with what `args` make."""
    return lambda m: m.func.functional_call(make(m), *[a(m) for a in args], **options)


_ONE = lambda m: m.ones(1)  # noqa: E731
_ROWS = _inputs


def _linear(m):
    return m.nn.Linear(3, 2).double()


def _own(m, **more):
    return {"weight": _weights(m, 2, 3).double(), "bias": m.ones(2).double(), **more}


def _functional(name, f, *args, **options):
    return lambda m: getattr(m.autograd.functional, name)(lambda *xs: f(m, *xs), *[a(m) for a in args], **options)


_U = lambda m: _x(m, 1.0, 2.0, 3.0)  # noqa: E731
_PAIR = lambda m: (_x(m), _U(m))  # noqa: E731
_CUBE = lambda m, x: (x**3).sum()  # noqa: E731
_SQUARE = lambda m, x: x * x  # noqa: E731
_PRODUCT = lambda m, x, y: (x * y, x.sum())  # noqa: E731
_HALF_USED = lambda m, x, y: x * x  # noqa: E731
_LINEAR = lambda m, x: (x * 2).sum()  # noqa: E731

CASES = {
    "jacfwd": lambda m: m.func.jacfwd(_two)(_x(m)),
    "jacfwd of two": lambda m: m.func.jacfwd(lambda x, y: x * y, argnums=(0, 1))(_x(m), _x(m) + 1),
    "jacfwd of the second": lambda m: m.func.jacfwd(lambda x, y: x * y**2, argnums=1)(_x(m), _x(m) + 1),
    "jacfwd of one in a tuple": lambda m: m.func.jacfwd(lambda x, y: x * y, argnums=(0,))(_x(m), _x(m) + 1),
    "jacfwd of a dict": lambda m: m.func.jacfwd(lambda d: d["a"] * d["b"])({"a": _x(m), "b": _x(m) + 1}),
    "jacfwd of several outputs": lambda m: m.func.jacfwd(lambda x: (x * 2, {"s": x.sum()}))(_x(m)),
    "jacfwd with aux": lambda m: m.func.jacfwd(lambda x: (x * 2, x.sum()), has_aux=True)(_x(m)),
    "jacfwd of a number": lambda m: m.func.jacfwd(lambda x: x * m.ones(2, 2, dtype=m.float64))(
        m.tensor(2.0, dtype=m.float64)
    ),
    "jacfwd of a constant": lambda m: m.func.jacfwd(lambda x: m.ones(2))(_x(m)),
    "jacfwd of nothing": lambda m: m.func.jacfwd(lambda x: x[:0])(_x(m)),
    "jacfwd of no tensor": lambda m: m.func.jacfwd(lambda x: 3.0)(_x(m)),
    "jacfwd with random numbers": lambda m: m.func.jacfwd(lambda x: x * m.randn(3))(_x(m)),
    "jacfwd with the same random numbers": lambda m: (
        m.func.jacfwd(lambda x: x * m.randn(3), randomness="same")(_x(m)).shape
    ),
    "jacfwd with different random numbers": lambda m: (
        m.func.jacfwd(lambda x: x * m.randn(3), randomness="different")(_x(m)).shape
    ),
    "jacrev of a tuple": lambda m: m.func.jacrev(lambda x: (x * 2, x.sum()))(_x(m)),
    "jacrev of a dict": lambda m: m.func.jacrev(lambda d: {"u": d["a"] * d["b"]})({"a": _x(m), "b": _x(m) + 1}),
    "jacrev with aux": lambda m: m.func.jacrev(lambda x: (x * 2, x.sum()), has_aux=True)(_x(m)),
    "jacrev in chunks": lambda m: m.func.jacrev(_two, chunk_size=2)(_x(m)),
    "jacrev in chunks of 0": lambda m: m.func.jacrev(_two, chunk_size=0)(_x(m)),
    "jacrev of a constant": lambda m: m.func.jacrev(lambda x: m.ones(2))(_x(m)),
    "jacrev of nothing": lambda m: m.func.jacrev(lambda x: x[:0])(_x(m)),
    "jacrev of no tensor": lambda m: m.func.jacrev(lambda x: 3.0)(_x(m)),
    "jacrev of integers": lambda m: m.func.jacrev(lambda x: x * 2)(m.arange(3)),
    "jacrev of jacfwd": lambda m: m.func.jacrev(m.func.jacfwd(lambda x: (x**3).sum() * x))(_x(m)),
    "jacfwd of jacrev": lambda m: m.func.jacfwd(m.func.jacrev(lambda x: (x**3).sum() * x))(_x(m)),
    "jacfwd of jacfwd": lambda m: m.func.jacfwd(m.func.jacfwd(lambda x: (x**3).sum() * x))(_x(m)),
    "hessian of a vector": lambda m: m.func.hessian(lambda x: x**3 * x.sum())(_x(m)),
    "hessian of two": lambda m: m.func.hessian(lambda x, y: (x * x * y).sum(), argnums=(0, 1))(_x(m), _x(m) + 1),
    "linearize": lambda m: _linearized(m),
    "jvp with aux": lambda m: m.func.jvp(lambda x: (x * 2, x.sum()), (_x(m),), (_U(m),), has_aux=True),
    "jvp of a dict": lambda m: m.func.jvp(lambda d: d["a"].sin(), ({"a": _x(m)},), ({"a": _U(m)},)),
    "jvp of no tuple": lambda m: m.func.jvp(lambda x: x, _x(m), _x(m)),
    "jvp of other tangents": lambda m: m.func.jvp(lambda x: x, (_x(m),), (_x(m), _x(m))),
    "jvp of a tangent of another shape": lambda m: m.func.jvp(lambda x: x, (_x(m),), (_x(m)[:2],)),
    "vjp of a dict": lambda m: m.func.vjp(lambda x: {"u": x.sin()}, _x(m))[1]({"u": _U(m)}),
    "vjp with aux": lambda m: m.func.vjp(lambda x: (x.sin(), x * 2), _x(m), has_aux=True)[::2],
    "vjp of another structure": lambda m: m.func.vjp(lambda x: (x, x), _x(m))[1](_x(m)),
    "vjp of another shape": lambda m: m.func.vjp(lambda x: x, _x(m))[1](_x(m)[:2]),
    "grad of a number": lambda m: m.func.grad(lambda x: x)(3.0),
    "grad of one entry": lambda m: m.func.grad(lambda x: x.sum().reshape(1))(_x(m)),
    "grad of the last": lambda m: m.func.grad(lambda x, y: (x * y).sum(), argnums=-1)(_x(m), _x(m) + 1),
    "grad of an argument that is not there": lambda m: m.func.grad(lambda x: x.sum(), argnums=1)(_x(m)),
    "grad of one argument twice": lambda m: m.func.grad(lambda x, y: (x * y).sum(), argnums=(0, 0))(_x(m), _x(m)),
    "grad of no argument": lambda m: m.func.grad(lambda x: x.sum(), argnums=())(_x(m)),
    "grad of a named argument": lambda m: m.func.grad(lambda x: x.sum(), argnums="x")(_x(m)),
    "grad with aux that is none": lambda m: m.func.grad(lambda x: x.sum(), has_aux=True)(_x(m)),
    "is_grads_batched": lambda m: _batched_grads(m),
    "is_grads_batched of another shape": lambda m: _batched_grads(m, shape=(3, 2)),
    "is_grads_batched of two": lambda m: _two_batched_grads(m),
    # modules
    "functional_call": _call(_own, _ROWS, make=_linear),
    "functional_call of some": lambda m: m.func.functional_call(_net(m), {"2.bias": m.ones(2).double()}, (_inputs(m),)),
    "functional_call of two dicts": _call(
        lambda m: ({"weight": _own(m)["weight"]}, {"bias": _own(m)["bias"]}), _ROWS, make=_linear
    ),
    "functional_call of one name twice": _call(lambda m: (_own(m), _own(m)), _ROWS, make=_linear),
    "functional_call of no dict": _call(lambda m: 3, _ROWS, make=_linear),
    "functional_call of a list of numbers": _call(lambda m: [3], _ROWS, make=_linear),
    "functional_call with an unknown name": _call(lambda m: _own(m, other=m.ones(1)), _ROWS, make=_linear),
    "functional_call, strict": _call(_own, _ROWS, make=_linear, strict=True),
    "functional_call, strict, unknown": _call(lambda m: _own(m, other=m.ones(1)), _ROWS, make=_linear, strict=True),
    "functional_call, strict, missing": _call(lambda m: {"bias": m.ones(2)}, _ROWS, make=_linear, strict=True),
    "functional_call of tied weights": _call(lambda m: {"a": m.zeros(1)}, _ONE),
    "functional_call of both tied weights": _call(lambda m: {"a": m.zeros(1), "b": m.ones(1)}, _ONE),
    "functional_call, untied": _call(lambda m: {"a": m.zeros(1)}, _ONE, tie_weights=False),
    "functional_call with keywords": _call(
        lambda m: {"a": m.zeros(1)}, lambda m: (m.ones(1),), lambda m: {"k": 3}, tie_weights=False
    ),
    "stack of no models": lambda m: m.func.stack_module_state([]),
    "stack of two modes": lambda m: m.func.stack_module_state([_net(m), _net(m).eval()]),
    "stack of two classes": lambda m: m.func.stack_module_state([_net(m), _tied(m)]),
    # torch.autograd.functional
    "vjp at once": _functional("vjp", _SQUARE, _x, _U),
    "vjp of a pair": _functional("vjp", _PRODUCT, _PAIR, lambda m: (_U(m), m.tensor(2.0, dtype=m.float64))),
    "vjp without v": _functional("vjp", _CUBE, _x),
    "vjp without v of a vector": _functional("vjp", _SQUARE, _x),
    "vjp with a v of another shape": _functional("vjp", _SQUARE, _x, lambda m: _U(m)[:2]),
    "vjp with two v": _functional("vjp", _SQUARE, _x, _PAIR),
    "jvp at once": _functional("jvp", _SQUARE, _x, _U),
    "jvp of a pair": _functional("jvp", _PRODUCT, _PAIR, lambda m: (_U(m), _x(m))),
    "jvp without v": _functional("jvp", _SQUARE, _x),
    "jvp of one number": _functional("jvp", _SQUARE, lambda m: _x(m, 2.0)),
    "jacobian": _functional("jacobian", _SQUARE, _x),
    "jacobian of a pair": _functional("jacobian", _PRODUCT, _PAIR),
    "jacobian of a tuple of one": _functional("jacobian", _SQUARE, lambda m: (_x(m),)),
    "jacobian with a tuple of one": _functional("jacobian", lambda m, x: (x * x,), _x),
    "jacobian, vectorized": _functional("jacobian", _PRODUCT, _PAIR, vectorize=True),
    "jacobian, forward": _functional("jacobian", _SQUARE, _x, vectorize=True, strategy="forward-mode"),
    "jacobian, another strategy": _functional("jacobian", _SQUARE, _x, strategy="sideways"),
    "jacobian, half used": _functional("jacobian", _HALF_USED, _PAIR),
    "jacobian, strict": _functional("jacobian", _HALF_USED, _PAIR, strict=True),
    "jacobian, strict, a constant": _functional("jacobian", lambda m, x: m.ones(2), _x, strict=True),
    "jacobian, strict and vectorized": _functional("jacobian", _SQUARE, _x, strict=True, vectorize=True),
    "jacobian of a list": _functional("jacobian", _SQUARE, lambda m: [_x(m)]),
    "jacobian with a list": _functional("jacobian", lambda m, x: [x * x], _x),
    "hessian at once": _functional("hessian", _CUBE, _x),
    "hessian of a pair": _functional("hessian", lambda m, x, y: (x * x * y).sum(), _PAIR),
    "hessian of a vector function": _functional("hessian", _SQUARE, _x),
    "hessian of a linear function": _functional("hessian", _LINEAR, _x),
    "hessian of a linear function, strict": _functional("hessian", _LINEAR, _x, strict=True),
    "vhp": _functional("vhp", _CUBE, _x, _U),
    "vhp of a pair": _functional("vhp", lambda m, x, y: (x * x * y).sum(), _PAIR, lambda m: (_U(m), _x(m))),
    "vhp without v": _functional("vhp", _CUBE, _x),
    "vhp of a vector function": _functional("vhp", _SQUARE, _x, _U),
    "vhp of a tuple": _functional("vhp", lambda m, x: (x.sum(), x.sum()), _x, _U),
    "vhp of a number": _functional("vhp", _CUBE, lambda m: 3.0, _U),
    "vhp of a linear function, strict": _functional("vhp", _LINEAR, _x, _U, strict=True),
    "hvp": _functional("hvp", _CUBE, _x, _U),
}


def _linearized(m):
    value, push = m.func.linearize(lambda x: x.sin() * x, _x(m))
    return [value, push(_U(m)), push(_x(m))]


def _batched_grads(m, shape=(2, 3)):
    w = _x(m).requires_grad_()
    return m.autograd.grad(w * w, w, _weights(m, *shape).double(), is_grads_batched=True)


def _two_batched_grads(m):
    w = _x(m).requires_grad_()
    y = w * w
    return m.autograd.grad(
        [y, y.sum()],
        [w],
        [_weights(m, 2, 3).double(), m.ones(2, dtype=m.float64)],
        is_grads_batched=True,
        create_graph=True,
    )


def functional_call_leaves_the_module_alone(m):
    net = _net(m)
    before = net[0].weight
    m.func.functional_call(net, {"0.weight": m.zeros(4, 3).double()}, _inputs(m))
    return [net[0].weight is before, net(_inputs(m))]


def functional_call_writes_to_the_given_buffer(m):
    module, n = _tied(m), m.zeros(1)
    m.func.functional_call(module, {"n": n}, m.ones(1))
    return [n, module.n]


def functional_call_has_a_gradient(m):
    net = _net(m)
    given = {"0.weight": _weights(m, 4, 3).double().requires_grad_()}
    m.func.functional_call(net, given, (_inputs(m),)).sum().backward()
    return [given["0.weight"].grad, net[0].weight.grad is None, net[2].weight.grad]


def grad_by_parameters(m):
    net = _net(m)

    def loss(parameters, x):
        return m.func.functional_call(net, parameters, (x,)).pow(2).sum()

    return m.func.grad(loss)({name: p.detach() for name, p in net.named_parameters()}, _inputs(m))


def gradients_of_each_example(m):
    net = _net(m)
    labels = m.tensor([0, 1, 1, 0, 1])

    def loss(parameters, buffers, x, label):
        y = m.func.functional_call(net, (parameters, buffers), (x.unsqueeze(0),))
        return m.nn.functional.cross_entropy(y, label.unsqueeze(0))

    parameters = {name: p.detach() for name, p in net.named_parameters()}
    return m.func.vmap(m.func.grad(loss), in_dims=(None, None, 0, 0))(parameters, {}, _inputs(m), labels)


def an_ensemble(m):
    nets = [_net(m, shift) for shift in (0.0, 0.1, -0.2)]
    parameters, buffers = m.func.stack_module_state(nets)
    base = nets[0]

    def call(p, b, x):
        return m.func.functional_call(base, (p, b), (x,))

    same = m.func.vmap(call, in_dims=(0, 0, None))(parameters, buffers, _inputs(m))
    own = m.func.vmap(call)(parameters, buffers, m.stack([_inputs(m), _inputs(m) + 1, _inputs(m) * 2]))
    same.pow(2).sum().backward()
    return [same, own, parameters["0.weight"].grad, nets[0][0].weight.grad is None]


def batch_norms_replaced(m):
    net = m.nn.Sequential(m.nn.Linear(3, 4), m.nn.BatchNorm1d(4))
    same = m.func.replace_all_batch_norm_modules_(net) is net
    return [same, net[1].running_mean is None, net[1].track_running_stats, sorted(net.state_dict())]


def products_with_a_graph(m):
    x = _x(m).requires_grad_()
    value, product = m.autograd.functional.vhp(lambda y: (y**3).sum(), x, _U(m), create_graph=True)
    plain = m.autograd.functional.vhp(lambda y: (y**3).sum(), x, _U(m))
    product.sum().backward()
    return [value, product, plain, x.grad]


def a_jacobian_with_a_graph(m):
    x = _x(m).requires_grad_()
    matrix = m.autograd.functional.jacobian(lambda y: y**3, x, create_graph=True)
    matrix.sum().backward()
    return [matrix, x.grad]
