"""Programs on the functional transforms (torch.func) and on activation checkpointing."""


def _x(m, *values):
    return m.tensor(list(values) or [0.5, -1.0, 2.0], dtype=m.float64)


def _net(m):
    def f(w, b, x):
        return ((x @ w + b).tanh() ** 2).sum()

    w = m.tensor([[0.1, 0.2], [-0.3, 0.4], [0.5, -0.6]], dtype=m.float64)
    return f, w, _x(m, 0.1, -0.2), _x(m)


CASES = {
    "grad": lambda m: m.func.grad(lambda x: (x.sin() * x).sum())(_x(m)),
    "grad twice": lambda m: m.func.grad(m.func.grad(lambda x: x.sin() * x**3))(m.tensor(0.7, dtype=m.float64)),
    "grad three times": lambda m: m.func.grad(m.func.grad(m.func.grad(lambda x: x.exp() * x**3)))(
        m.tensor(0.7, dtype=m.float64)
    ),
    "grad of argnums": lambda m: m.func.grad(lambda x, y: (x * y**2).sum(), argnums=(0, 1))(_x(m), _x(m)),
    "grad of the second": lambda m: m.func.grad(lambda x, y: (x * y**2).sum(), argnums=1)(_x(m), _x(m)),
    "grad with aux": lambda m: m.func.grad(lambda x: ((x * x).sum(), x * 2), has_aux=True)(_x(m)),
    "grad of a net": lambda m: m.func.grad(_net(m)[0], argnums=(0, 1, 2))(*_net(m)[1:]),
    "grad of a dict": lambda m: m.func.grad(lambda p: (p["a"] * p["b"]).sum())({"a": _x(m), "b": _x(m) + 1}),
    "grad and value": lambda m: m.func.grad_and_value(lambda x: (x**3).sum())(_x(m)),
    "grad of a vector function": lambda m: m.func.grad(lambda x: x * 2)(_x(m)),
    "grad of a constant": lambda m: m.func.grad(lambda x: m.tensor(3.0, dtype=m.float64) + (x * 0).sum())(_x(m)),
    "vjp": lambda m: m.func.vjp(lambda x: x.sin(), _x(m))[1](m.ones(3, dtype=m.float64)),
    "vjp of two": lambda m: m.func.vjp(lambda x, y: x * y, _x(m), _x(m) + 1)[1](_x(m)),
    "vjp value": lambda m: m.func.vjp(lambda x: x.sin(), _x(m))[0],
    "jvp": lambda m: m.func.jvp(lambda x: x.sin() * x, (_x(m),), (m.ones(3, dtype=m.float64),)),
    "jvp of two": lambda m: m.func.jvp(lambda x, y: x * y**2, (_x(m), _x(m) + 1), (_x(m), m.ones(3, dtype=m.float64))),
    "jacrev": lambda m: m.func.jacrev(lambda x: x**2 + x.sum())(_x(m)),
    "jacrev of a matrix": lambda m: m.func.jacrev(lambda x: m.stack([x, x * x]))(_x(m)),
    "jacrev of two": lambda m: m.func.jacrev(lambda x, y: x * y, argnums=(0, 1))(_x(m), _x(m) + 1),
    "hessian": lambda m: m.func.hessian(lambda x: (x**3).sum() + x[0] * x[1] * x[2])(_x(m)),
    "hessian of a net": lambda m: m.func.hessian(lambda x: _net(m)[0](_net(m)[1], _net(m)[2], x))(_x(m)),
    "jacrev of grad": lambda m: m.func.jacrev(m.func.grad(lambda x: (x.exp() * x).sum()))(_x(m)),
    "grad of a jvp": lambda m: m.func.grad(
        lambda x: m.func.jvp(lambda y: y**3, (x,), (m.ones(3, dtype=m.float64),))[1].sum()
    )(_x(m)),
    "grad of a vjp": lambda m: m.func.grad(lambda x: m.func.vjp(lambda y: y**3, x)[1](x)[0].sum())(_x(m)),
}


def grad_with_a_closure(m):
    w = m.tensor([2.0, 3.0, 4.0], dtype=m.float64, requires_grad=True)
    return [m.func.grad(lambda x: (x * x * w.detach()).sum())(_x(m)), w.grad]


def grad_leaves_the_argument_alone(m):
    x = _x(m)
    m.func.grad(lambda y: (y * y).sum())(x)
    return [x.requires_grad, x.grad]


def grad_under_no_grad(m):
    with m.no_grad():
        found = m.func.grad(lambda y: (y * y).sum())(_x(m))
    return found


def checkpoint_plain(m):
    checkpoint = m.utils.checkpoint.checkpoint
    x, w = m.tensor([0.5, -1.0], requires_grad=True), m.tensor([2.0, 3.0], requires_grad=True)
    y = checkpoint(lambda h: (h * w).tanh() * h, x, use_reentrant=False)
    y.sum().backward()
    return [y, x.grad, w.grad]


def checkpoint_nested(m):
    checkpoint = m.utils.checkpoint.checkpoint
    x, w = m.tensor([0.5, -1.0], requires_grad=True), m.tensor([2.0, 3.0], requires_grad=True)

    def inner(h):
        return (h * w).sin()

    def outer(h):
        return checkpoint(inner, h * 2, use_reentrant=False) + h

    checkpoint(outer, x, use_reentrant=False).pow(2).sum().backward()
    return [x.grad, w.grad]


def checkpoint_of_several_outputs(m):
    checkpoint = m.utils.checkpoint.checkpoint
    x = m.tensor([0.5, -1.0], requires_grad=True)
    a, b = checkpoint(lambda h: (h.exp(), h.reshape(2, 1) * 3), x, use_reentrant=False)
    (a.sum() * b.sum()).backward()
    return [a, b, x.grad]


def checkpoint_of_several_inputs(m):
    checkpoint = m.utils.checkpoint.checkpoint
    x, y = m.tensor([0.5, -1.0], requires_grad=True), m.tensor([1.5, 2.0])
    z = checkpoint(lambda a, b, scale: (a * b).exp() * scale, x, y, scale=2.0, use_reentrant=False)
    z.sum().backward()
    return [z, x.grad, y.grad]


def checkpoint_under_no_grad(m):
    with m.no_grad():
        y = m.utils.checkpoint.checkpoint(lambda h: h * 2, m.ones(2, requires_grad=True), use_reentrant=False)
    return y


def checkpoint_without_anything_to_differentiate(m):
    return m.utils.checkpoint.checkpoint(lambda h: h * 2, m.ones(2), use_reentrant=False)


def checkpoint_with_autograd_grad(m):
    x, w = m.tensor([0.5, -1.0], requires_grad=True), m.tensor([2.0, 3.0], requires_grad=True)
    y = m.utils.checkpoint.checkpoint(lambda h: (h * w).tanh(), x, use_reentrant=False)
    found = m.autograd.grad(y.sum(), [x, w])
    return [*found, x.grad, w.grad]


def checkpoint_twice_backward(m):
    x = m.tensor([0.5, -1.0], requires_grad=True)
    y = m.utils.checkpoint.checkpoint(lambda h: h.exp(), x, use_reentrant=False).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad
