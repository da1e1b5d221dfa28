"""minigrad.func and checkpointing: PyTorch's recorded results, closed forms, nesting, messages."""

import numpy as np
import pytest
from programs.common import check, recorded

import minigrad as mg
from minigrad import func

PROGRAMS = recorded("func")


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
            r"functions that return a scalar Tensor, this one returned \(2,\)",
        ),
        (lambda x: func.grad(lambda y: 3.0)(x), RuntimeError, "this one returned float"),
        (lambda x: func.grad(lambda y: y.sum())(3.0), TypeError, "expected Tensors .* to differentiate by, got float"),
        (
            lambda x: func.jacrev(lambda y: (y, y))(x),
            TypeError,
            "functions that return one Tensor, this one returned tuple",
        ),
        (lambda x: func.jvp(lambda y: y, (x,), ()), RuntimeError, "1 primals and 0 tangents"),
        (lambda x: func.vjp(lambda y: (y, y), x)[1](x), RuntimeError, "returned 2 tensors, 1 cotangents"),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call(x64(1, 2))
