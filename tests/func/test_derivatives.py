"""The derivatives of minigrad.func, and checkpointing: PyTorch's recorded results, closed forms, nesting, messages."""

import numpy as np
import pytest
from programs.common import check, recorded

import minigrad as mg
from minigrad import func

PROGRAMS = recorded("func") | recorded("transforms")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


def x64(*values):
    return mg.tensor(list(values), dtype=mg.float64)


def near(got, wanted):
    np.testing.assert_allclose(got.detach().numpy(), np.asarray(wanted), rtol=1e-12, atol=1e-12)


def test_quadratic_form():
    """f(x) = x.Ax / 2 + b.x: gradient (A + A^T) x / 2 + b, Hessian (A + A^T) / 2."""
    rng = np.random.default_rng(0)
    a, b, x, v = rng.standard_normal((4, 4)), rng.standard_normal(4), rng.standard_normal(4), rng.standard_normal(4)
    matrix, vector = mg.tensor(a), mg.tensor(b)

    def f(x):
        return x @ matrix @ x / 2 + vector @ x

    symmetric = (a + a.T) / 2
    near(func.grad(f)(mg.tensor(x)), symmetric @ x + b)
    near(func.hessian(f)(mg.tensor(x)), symmetric)
    near(func.hvp(f, (mg.tensor(x),), (mg.tensor(v),)), symmetric @ v)
    value, gradient = func.value_and_grad(f)(mg.tensor(x))
    near(value, x @ a @ x / 2 + b @ x)
    near(gradient, symmetric @ x + b)


def test_products_with_the_jacobian():
    rng = np.random.default_rng(1)
    x, v, u = rng.standard_normal(3), rng.standard_normal(3), rng.standard_normal(2)

    def f(x):
        return mg.stack([x[0] * x[1], (x * x).sum()])

    jacobian = np.array([[x[1], x[0], 0], 2 * x])
    near(func.jacrev(f)(mg.tensor(x)), jacobian)
    value, product = func.jvp(f, (mg.tensor(x),), (mg.tensor(v),))
    near(value, [x[0] * x[1], (x * x).sum()])
    near(product, jacobian @ v)
    near(func.vjp(f, mg.tensor(x))[1](mg.tensor(u))[0], u @ jacobian)


def test_transforms_nest():
    def cube(x):
        return x**3

    x = mg.tensor(2.0, dtype=mg.float64)
    near(func.grad(func.grad(func.grad(cube)))(x), 6)
    near(func.grad(lambda y: func.value_and_grad(cube)(y)[1] * y)(x), 9 * 4)
    near(func.jacrev(func.jacrev(lambda y: (y**3).sum()))(x64(1, 2)), np.diag([6, 12]))
    near(func.grad(lambda y: func.grad(lambda z: z * z * y)(y))(x), 4 * 2)  # d/dy 2 z y at z = y


def test_an_outer_graph_sees_through():
    w = x64(2).requires_grad_()
    gradient = func.grad(lambda x: (x * x * w).sum())(w)
    gradient.sum().backward()  # d/dw (2 w w): through the argument and through the closure
    near(w.grad, [8])


def test_nothing_is_left_behind():
    x = x64(1, 2)
    found = func.grad(lambda y: (y**2).sum())(x)
    assert not x.requires_grad
    assert not found.requires_grad
    value, aux = func.value_and_grad(lambda y: ((y**2).sum(), {"y": y}), has_aux=True)(x)[0]
    assert not value.requires_grad
    assert not aux["y"].requires_grad


def test_hvp_of_several_inputs():
    x, y = x64(1, 2), x64(3, 4)
    a, b = func.hvp(lambda x, y: (x**2 * y).sum(), (x, y), (x64(1, 0), x64(0, 1)))
    near(a, [2 * 3 * 1, 2 * 2 * 1])
    near(b, [2 * 1 * 1, 0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda x: func.grad(lambda y: y * 2)(x),
            RuntimeError,
            r"scalar Tensor, got tensor with 1 dims, of shape \(2,\)",
        ),
        (lambda x: func.grad(lambda y: 3.0)(x), RuntimeError, "Expected f.* to return a Tensor, got <class 'float'>"),
        (lambda x: func.grad(lambda y: y.sum())(3.0), ValueError, "must be Tensor, got <class 'float'>"),
        (lambda x: func.jvp(lambda y: y, (x,), ()), RuntimeError, r"primals with structure \(\*,\) .*tangents .* \(\)"),
        (lambda x: func.vjp(lambda y: (y, y), x)[1](x), RuntimeError, r"cotangents: \*, primal output: \(\*, \*\)"),
        (
            lambda x: func.jvp(lambda y: mg.ones(2), (x,), (x,), strict=True),
            RuntimeError,
            "strict=True every output must",
        ),
        (lambda x: func.grad(lambda y: y.sum(), argnums=[0])(x), RuntimeError, "int or Tuple.*, got: <class 'list'>"),
        (lambda x: func.grad(lambda y: y.sum(), argnums=2)(x), RuntimeError, "Got argnum=2, but only 1 positional"),
        (
            lambda x: func.functional_call(mg.nn.Linear(2, 2), 3, x),
            ValueError,
            "to be a dict, or a list/tuple of dicts",
        ),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call(x64(1, 2))


def test_a_function_of_no_outer_tensor_keeps_no_graph_while_it_is_differentiated():
    """Only where something outside needs the graph is the gradient itself recorded."""
    graphs = []

    class Seen(mg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, dy):
            graphs.append(mg.is_grad_enabled())
            return dy

    w = x64(3, 4).requires_grad_()
    func.grad(lambda x: Seen.apply(x).sum())(x64(1, 2))
    func.grad(lambda x: (Seen.apply(x) * w).sum())(x64(1, 2))
    func.grad(lambda y: func.grad(lambda x: (Seen.apply(x) ** 2).sum())(y).sum())(x64(1, 2))
    assert graphs[:2] == [False, True] and True in graphs[2:]


def test_linearize_runs_the_function_once():
    calls = []

    def f(x):
        calls.append(1)
        return x.sin() * x

    value, push = func.linearize(f, x64(1, 2))
    near(value, np.sin([1.0, 2]) * [1, 2])
    for v in ([1.0, 0], [3.0, -1]):
        near(push(x64(*v)), (np.sin([1.0, 2]) + np.cos([1.0, 2]) * [1, 2]) * v)
    assert len(calls) == 1


def test_a_modules_new_binding_goes_into_the_dict():
    class Counting(mg.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("n", mg.zeros(1))

        def forward(self, x):
            self.n = self.n + 1
            return x * self.n

    module, given = Counting(), {"n": mg.tensor([4.0])}
    near(func.functional_call(module, given, mg.ones(1)), [5])
    near(given["n"], [5])
    near(module.n, [0])


def test_the_module_is_itself_again_after_an_error():
    layer = mg.nn.Linear(2, 2)
    weight = layer.weight
    with pytest.raises(RuntimeError):
        func.functional_call(layer, {"weight": mg.zeros(2, 2)}, mg.ones(3))
    assert layer.weight is weight and isinstance(layer.weight, mg.nn.Parameter)


def test_functions_of_layers_with_state():
    """Recurrent and attention layers read their parameters by name when they run."""
    for layer, inputs in (
        (mg.nn.LSTM(3, 4), mg.randn(5, 2, 3)),
        (mg.nn.TransformerEncoderLayer(4, 2, 8), mg.randn(3, 2, 4)),
    ):
        layer.eval()
        zeros = {name: mg.zeros_like(p) for name, p in layer.named_parameters()}
        first = lambda y: y[0] if isinstance(y, tuple) else y  # noqa: E731
        near(first(func.functional_call(layer, zeros, (inputs,))), np.zeros(first(layer(inputs)).shape))
