"""The checker of gradients is checked: it passes what is right and fails rules that are off by a part in a thousand."""

import pytest

import minigrad as mg
from minigrad import gradcheck, gradgradcheck
from minigrad.gradcheck import GradcheckError
from minigrad.op import op


def x64(*shape, seed=0):
    mg.manual_seed(seed)
    return mg.randn(*shape, dtype=mg.float64).requires_grad_()


def test_right_gradients_pass():
    assert gradcheck(lambda x, y: (x @ y).tanh(), (x64(2, 3), x64(3, 2, seed=1)))
    assert gradgradcheck(lambda x, y: (x @ y).tanh(), (x64(2, 3), x64(3, 2, seed=1)))


def square_off_by(scale):
    @op
    def off_square(x):
        return x * x

    @off_square.vjp
    def off_square_vjp(dy, x):
        return dy * (2 * scale * x)

    return off_square


def test_a_rule_off_by_two_parts_in_a_thousand_fails():
    assert gradcheck(square_off_by(1.0), (x64(3, 4),))
    with pytest.raises(
        GradcheckError, match=r"shapes \[\(3, 4\)\]: along random direction 0 backward gives .* finite differences"
    ):
        gradcheck(square_off_by(1.002), (x64(3, 4),))
    assert not gradcheck(square_off_by(1.002), (x64(3, 4),), raise_exception=False)


def test_a_rule_off_by_one_part_in_a_thousand_fails_at_the_tests_own_tolerance():
    with pytest.raises(GradcheckError):
        gradcheck(square_off_by(1.001), (x64(3, 4),), atol=1e-6, rtol=1e-5)


def test_one_wrong_entry_among_many_fails():
    def wrong(x):
        spoilt = x * 1
        spoilt.register_hook(lambda g: g + mg.nn.functional.one_hot(mg.tensor(7), 100).double() * 0.1)
        return spoilt**2

    with pytest.raises(GradcheckError):
        gradcheck(wrong, (x64(100),))


def test_a_wrong_second_order_rule_fails():
    @op
    def cube(x):
        return x * x * x

    @cube.vjp
    def cube_vjp(dy, x):
        return dy * (3 * forgetful(x))

    @op
    def forgetful(x):
        return x * x

    @forgetful.vjp
    def forgetful_vjp(dy, x):
        return dy * x  # should be 2 x: the first derivative of cube is right, the second is not

    assert gradcheck(cube, (x64(3),))
    with pytest.raises(GradcheckError):
        gradgradcheck(cube, (x64(3),))


def test_a_missing_gradient_fails():
    with pytest.raises(GradcheckError):
        gradcheck(lambda x, y: x * y.detach() + y * 0, (x64(3), x64(3, seed=1)))


def test_backward_that_differs_from_run_to_run():
    count = iter(range(100))

    def unsteady(x):
        y = x * 1
        y.register_hook(lambda g: g * (1 + 1e-9 * next(count)))
        return y

    with pytest.raises(GradcheckError, match="backward is not repeatable: two runs differ by"):
        gradcheck(unsteady, (x64(3),))
    assert gradcheck(unsteady, (x64(3),), nondet_tol=1e-5)


def test_several_outputs_and_inputs_that_are_not_checked():
    k = mg.tensor([1, 2, 0])
    assert gradcheck(lambda x, k: (x[k], x.sum(), k), (x64(3), k))
    assert gradgradcheck(lambda x, k: (x[k] ** 2, x.exp()), (x64(3), k))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (lambda: mg.ones(2, dtype=mg.float64), "at least one input with requires_grad=True"),
        (lambda: mg.ones(2, requires_grad=True), "needs float64 inputs .* got torch.float32"),
    ],
)
def test_inputs_that_cannot_be_checked(inputs, message):
    with pytest.raises(ValueError, match=message):
        gradcheck(lambda x: x * 2, inputs())


def test_a_function_without_tensor():
    with pytest.raises(ValueError, match="no floating-point Tensor"):
        gradcheck(lambda x: 3, (x64(2),))
