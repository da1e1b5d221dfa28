"""Backpropagation by hand, against the engine.

Two networks: one of 3-2-1 units, small enough that every number of a training step is written out below, and one of
784-500-10 units, where NumPy follows the delta rule. Two names are kept apart throughout:

    pre-activation  z_l = W_l a_{l-1} + b_l         activation  a_l = sigma(z_l),  a_0 = x
    delta           delta_l = dL / dz_l             delta_l = (W_{l+1}^T delta_{l+1}) * sigma'(z_l)
    gradients       dL / dW_l = delta_l a_{l-1}^T   dL / db_l = delta_l

Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323 (1986) 533.
"""

import math
from fractions import Fraction

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

TOLERANCE = 1e-12


def double(values) -> mg.Tensor:
    return mg.tensor(values, dtype=mg.float64)


def is_equal(found: mg.Tensor, expected, tolerance: float = TOLERANCE) -> bool:
    """The same shape and, to the tolerance, the same numbers."""
    values, expected = found.detach().cpu().numpy(), np.asarray(expected, dtype=np.float64)
    return values.shape == expected.shape and float(abs(values - expected).max()) <= tolerance


# ---------------------------------------------------------------- 3-2-1: every number written out

X = [1.0, 0.0, 1.0]
TARGET = [1.0]
LR = 0.01

W1 = [
    [0.5, -0.3, 0.2],  # the weights of hidden unit 0
    [-0.4, 0.1, -0.2],  # and of hidden unit 1
]
B1 = [0.1, 0.2]
W2 = [[0.6, -0.5]]
B2 = [0.1]

# Forward. Unit 0 is active, unit 1 is not: ReLU passes 0 on.
Z1 = [
    0.8,  # 0.5 * 1 - 0.3 * 0 + 0.2 * 1 + 0.1
    -0.4,  # -0.4 * 1 + 0.1 * 0 - 0.2 * 1 + 0.2
]
A1 = [0.8, 0.0]  # max(0.8, 0), max(-0.4, 0)
Z2 = [0.58]  # 0.6 * 0.8 - 0.5 * 0.0 + 0.1; the output unit is linear: a_2 = z_2
LOSS = 0.0882  # (0.58 - 1)^2 / 2 = 0.1764 / 2

# Backward.
DELTA2 = [-0.42]  # dL/dz2 = z2 - target = 0.58 - 1
DW2 = [[-0.336, 0.0]]  # delta2 a1^T = -0.42 * 0.8, -0.42 * 0.0
DB2 = [-0.42]  # delta2
DA1 = [-0.252, 0.21]  # W2^T delta2 = 0.6 * -0.42, -0.5 * -0.42
DELTA1 = [-0.252, 0.0]  # dA1 * relu'(z1) = -0.252 * 1, 0.21 * 0: the gradient stops at the inactive unit
DW1 = [
    [-0.252, 0.0, -0.252],  # delta1 x^T: -0.252 * 1, -0.252 * 0, -0.252 * 1
    [0.0, 0.0, 0.0],  # 0 * 1, 0 * 0, 0 * 1
]
DB1 = [-0.252, 0.0]
DX = [-0.126, 0.0756, -0.0504]  # W1^T delta1 = 0.5 * -0.252, -0.3 * -0.252, 0.2 * -0.252

# One step of gradient descent, parameter - 0.01 gradient. What met an input of 0, or an inactive unit, stays.
NEW_W1 = [
    [0.50252, -0.3, 0.20252],  # 0.5 + 0.00252, -0.3 + 0, 0.2 + 0.00252
    [-0.4, 0.1, -0.2],
]
NEW_B1 = [0.10252, 0.2]  # 0.1 + 0.00252, 0.2
NEW_W2 = [[0.60336, -0.5]]  # 0.6 + 0.00336, -0.5
NEW_B2 = [0.1042]  # 0.1 + 0.0042

# Forward again.
NEW_Z1 = [
    0.80756,  # 0.50252 * 1 - 0.3 * 0 + 0.20252 * 1 + 0.10252
    -0.4,  # -0.4 * 1 + 0.1 * 0 - 0.2 * 1 + 0.2
]
NEW_A1 = [0.80756, 0.0]
NEW_Z2 = [0.5914494016]  # 0.60336 * 0.80756 + 0.1042 = 0.4872494016 + 0.1042
NEW_LOSS = 0.08345679572649904  # (0.5914494016 - 1)^2 / 2 = (-0.4085505984)^2 / 2


class TinyNetwork(nn.Module):
    """3-2-1, as a user would write it; `forward` returns every intermediate value."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(3, 2, dtype=mg.float64)
        self.output = nn.Linear(2, 1, dtype=mg.float64)
        with mg.no_grad():
            for parameter, values in zip(self.parameters(), (W1, B1, W2, B2), strict=True):
                parameter.copy_(double(values))

    def forward(self, x):
        z1 = self.hidden(x)
        a1 = F.relu(z1)
        return z1, a1, self.output(a1)


def half_squared_error(output, target):
    return 0.5 * ((output - target) ** 2).sum()


def test_hand_numbers_follow_from_the_rules():
    """The literals above in exact fractions: no rounding hides a slip."""

    def exact(values):
        return [exact(v) for v in values] if isinstance(values, list) else Fraction(str(values))

    def affine(w, a, b):
        return [sum(wij * aj for wij, aj in zip(row, a, strict=True)) + bi for row, bi in zip(w, b, strict=True)]

    def outer(delta, a):
        return [[d * aj for aj in a] for d in delta]

    x, target, w1, b1, w2, b2 = exact(X), exact(TARGET), exact(W1), exact(B1), exact(W2), exact(B2)
    assert affine(w1, x, b1) == exact(Z1)
    assert [max(z, 0) for z in exact(Z1)] == exact(A1)
    assert affine(w2, exact(A1), b2) == exact(Z2)
    delta2 = [z - t for z, t in zip(exact(Z2), target, strict=True)]
    assert sum(d * d for d in delta2) / 2 == exact(LOSS)
    assert delta2 == exact(DELTA2) == exact(DB2)
    assert outer(delta2, exact(A1)) == exact(DW2)
    assert [w * delta2[0] for w in w2[0]] == exact(DA1)
    delta1 = [da * (z > 0) for da, z in zip(exact(DA1), exact(Z1), strict=True)]
    assert delta1 == exact(DELTA1) == exact(DB1)
    assert outer(delta1, x) == exact(DW1)
    assert [sum(w1[i][j] * delta1[i] for i in range(2)) for j in range(3)] == exact(DX)
    for old, gradient, new in ((w1, DW1, NEW_W1), (w2, DW2, NEW_W2), ([b1], [DB1], [NEW_B1]), ([b2], [DB2], [NEW_B2])):
        rows = zip(old, exact(gradient), strict=True)
        assert [[p - exact(LR) * g for p, g in zip(*row, strict=True)] for row in rows] == exact(new)
    assert affine(exact(NEW_W1), x, exact(NEW_B1)) == exact(NEW_Z1)
    assert [max(z, 0) for z in exact(NEW_Z1)] == exact(NEW_A1)
    assert affine(exact(NEW_W2), exact(NEW_A1), exact(NEW_B2)) == exact(NEW_Z2)
    assert math.isclose((exact(NEW_Z2)[0] - target[0]) ** 2 / 2, NEW_LOSS, rel_tol=1e-15)


def test_engine_gives_the_hand_numbers():
    network = TinyNetwork()
    optimizer = mg.optim.SGD(network.parameters(), lr=LR)
    x = double(X).requires_grad_()
    z1, a1, z2 = network(x)
    loss = half_squared_error(z2, double(TARGET))
    assert is_equal(z1, Z1)
    assert is_equal(a1, A1)
    assert is_equal(z2, Z2)
    assert is_equal(loss, LOSS)

    for inner in (z1, a1, z2):
        inner.retain_grad()
    loss.backward()
    assert is_equal(z2.grad, DELTA2)
    assert is_equal(network.output.weight.grad, DW2)
    assert is_equal(network.output.bias.grad, DB2)
    assert is_equal(a1.grad, DA1)
    assert is_equal(z1.grad, DELTA1)
    assert is_equal(network.hidden.weight.grad, DW1)
    assert is_equal(network.hidden.bias.grad, DB1)
    assert is_equal(x.grad, DX)

    optimizer.step()
    assert is_equal(network.hidden.weight, NEW_W1)
    assert is_equal(network.hidden.bias, NEW_B1)
    assert is_equal(network.output.weight, NEW_W2)
    assert is_equal(network.output.bias, NEW_B2)

    z1, a1, z2 = network(x)
    new_loss = half_squared_error(z2, double(TARGET))
    assert is_equal(z1, NEW_Z1)
    assert is_equal(a1, NEW_A1)
    assert is_equal(z2, NEW_Z2)
    assert is_equal(new_loss, NEW_LOSS)
    assert new_loss.item() < loss.item()


def loss_of_parameters(w1, b1, w2, b2):
    hidden = F.relu(F.linear(double(X), w1, b1))
    return half_squared_error(F.linear(hidden, w2, b2), double(TARGET))


@pytest.mark.parametrize("which", range(4), ids=["W1", "b1", "W2", "b2"])
def test_gradcheck_agrees_to_rounding(which):
    """As a function of one parameter tensor the loss is a parabola, for which a central difference has no error at all:
    gradcheck may be held to 1e-12. Steps of 0.01 stay clear of the kink, which is 0.4 away."""
    parameters = [double(values) for values in (W1, B1, W2, B2)]
    parameters[which].requires_grad_()
    assert mg.gradcheck(loss_of_parameters, parameters, eps=1e-2, atol=TOLERANCE, rtol=0.0)


@pytest.mark.parametrize(("which", "by_hand"), list(enumerate((DW1, DB1, DW2, DB2))), ids=["W1", "b1", "W2", "b2"])
def test_finite_differences_give_the_hand_gradients(which, by_hand):
    """Entry by entry, and without the engine's backward: (L(p + h e) - L(p - h e)) / 2h."""
    values = [np.array(v) for v in (W1, B1, W2, B2)]
    measured = np.zeros_like(values[which])
    for position in np.ndindex(measured.shape):
        losses = []
        for step in (0.01, -0.01):
            moved = [v.copy() for v in values]
            moved[which][position] += step
            losses.append(loss_of_parameters(*[double(v) for v in moved]).item())
        measured[position] = (losses[0] - losses[1]) / 0.02
    assert abs(measured - np.array(by_hand)).max() <= TOLERANCE


# ---------------------------------------------------------------- 784-500-10: the delta rule

EXAMPLES, INPUTS, HIDDEN, CLASSES = 4, 784, 500, 10


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# sigma, and sigma' as a function of the pre-activation z. They take complex z as well, for the complex step below.
SIGMAS = {
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "relu": (lambda z: np.where(z.real > 0, z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
}


def digits_like_problem():
    """Four images (4, 784) with entries in [0, 1], their labels, and the parameters of a 784-500-10 network."""
    rng = np.random.default_rng(13)
    images = rng.uniform(0, 1, (EXAMPLES, INPUTS)) * (rng.uniform(0, 1, (EXAMPLES, INPUTS)) < 0.2)
    labels = np.array([7, 2, 1, 0])
    w1, w2 = (rng.uniform(-1, 1, (n, m)) / np.sqrt(m) for n, m in ((HIDDEN, INPUTS), (CLASSES, HIDDEN)))
    b1, b2 = rng.uniform(-0.1, 0.1, HIDDEN), rng.uniform(-0.1, 0.1, CLASSES)
    return images, labels, (w1, b1, w2, b2)


def forward_by_hand(x, parameters, sigma):
    w1, b1, w2, b2 = parameters
    z1 = x @ w1.T + b1  # (4, 784) -> (4, 500); an example is a row here
    a1 = sigma(z1)
    return z1, a1, a1 @ w2.T + b2  # (4, 500) -> (4, 10)


def cross_entropy_by_hand(z2, labels):
    """-log softmax(z2)[label], averaged over the examples."""
    shifted = z2 - z2.real.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(labels)), labels].mean()


def deltas_by_hand(x, labels, parameters, name):
    """(delta1, delta2) and the gradients of (W1, b1, W2, b2)."""
    sigma, sigma_prime = SIGMAS[name]
    z1, a1, z2 = forward_by_hand(x, parameters, sigma)
    p = np.exp(z2) / np.exp(z2).sum(axis=1, keepdims=True)
    delta2 = (p - np.eye(CLASSES)[labels]) / len(labels)  # softmax with cross-entropy: p - onehot; / 4 for the mean
    delta1 = (delta2 @ parameters[2]) * sigma_prime(z1)  # (W2^T delta2) * sigma'(z1), a row for each example
    return (delta1, delta2), (delta1.T @ x, delta1.sum(axis=0), delta2.T @ a1, delta2.sum(axis=0))


@pytest.fixture(params=["sigmoid", "relu"])
def name(request):
    return request.param


def test_delta_rule_matches_the_engine(name):
    images, labels, values = digits_like_problem()
    deltas, gradients = deltas_by_hand(images, labels, values, name)

    hidden = nn.Linear(INPUTS, HIDDEN, dtype=mg.float64)
    output = nn.Linear(HIDDEN, CLASSES, dtype=mg.float64)
    parameters = [hidden.weight, hidden.bias, output.weight, output.bias]
    with mg.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(double(value))
    z1 = hidden(double(images))
    z2 = output(getattr(mg, name)(z1))
    z1.retain_grad()
    z2.retain_grad()
    loss = nn.CrossEntropyLoss()(z2, mg.tensor(labels))
    loss.backward()

    by_hand = forward_by_hand(images, values, SIGMAS[name][0])
    assert is_equal(z1, by_hand[0])
    assert is_equal(z2, by_hand[2])
    assert is_equal(loss, cross_entropy_by_hand(by_hand[2], labels))
    assert is_equal(z1.grad, deltas[0])
    assert is_equal(z2.grad, deltas[1])
    for parameter, gradient in zip(parameters, gradients, strict=True):
        assert is_equal(parameter.grad, gradient)
    largest = max(float(abs(g).max()) for g in gradients)
    assert largest > 1e-3  # the tolerance is far below what is compared


def test_delta_rule_matches_the_complex_step(name):
    """Im L(p + i h v) / h is the derivative along v with no difference taken, so h may be 1e-30: exact to rounding.

    Squire and Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Review 40 (1998) 110.
    """
    images, labels, values = digits_like_problem()
    _, gradients = deltas_by_hand(images, labels, values, name)
    rng = np.random.default_rng(4)
    for _ in range(3):
        directions = [rng.standard_normal(v.shape) for v in values]
        stepped = [v + 1e-30j * d for v, d in zip(values, directions, strict=True)]
        *_, z2 = forward_by_hand(images, stepped, SIGMAS[name][0])
        measured = cross_entropy_by_hand(z2, labels).imag / 1e-30
        expected = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))
        assert abs(expected) > 1e-2
        assert abs(measured - expected) <= TOLERANCE * max(1.0, abs(expected))


def test_delta_rule_agrees_with_gradcheck(name):
    """Along random directions through all 397,510 parameters at once; a difference of order eps^2 remains."""
    images, labels, values = digits_like_problem()
    z1 = forward_by_hand(images, values, SIGMAS[name][0])[0]
    assert abs(z1).min() > 1e-4  # the steps move z1 by 3e-5 at most: no ReLU switches on or off on the way

    def loss(w1, b1, w2, b2):
        z2 = F.linear(getattr(mg, name)(F.linear(double(images), w1, b1)), w2, b2)
        return F.cross_entropy(z2, mg.tensor(labels))

    parameters = [double(v).requires_grad_() for v in values]
    assert sum(p.numel() for p in parameters) == 397_510
    assert mg.gradcheck(loss, parameters, eps=1e-6, atol=1e-9, rtol=0.0, directions=2)


@pytest.mark.parametrize("slip", ["sigma' at the activation", "z (1 - z) for a (1 - a)", "sum for mean"])
def test_wrong_delta_rules_are_noticed(slip):
    """The usual slips, each of which must be visible at the tolerance used above."""
    images, labels, values = digits_like_problem()
    (delta1, delta2), gradients = deltas_by_hand(images, labels, values, "sigmoid")
    z1, a1, _ = forward_by_hand(images, values, sigmoid)
    w2 = values[2]
    wrong = {
        "sigma' at the activation": (delta2 @ w2) * SIGMAS["sigmoid"][1](a1),  # where z1 belongs
        "z (1 - z) for a (1 - a)": (delta2 @ w2) * z1 * (1 - z1),
        "sum for mean": delta1 * len(labels),  # the 1 / N of the mean forgotten
    }[slip]
    assert abs(wrong.T @ images - gradients[0]).max() > 1e-4
