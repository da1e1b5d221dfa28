"""minigrad.linalg: PyTorch's recorded behaviour, the messages, and the derivatives of det at singular matrices."""

import numpy as np
import pytest
from op_harness import TOLERANCE
from programs.common import check, recorded

import minigrad as mg
from minigrad import linalg

PROGRAMS = recorded("linalg")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


def test_a_singular_matrix_is_named_with_its_place_in_the_batch():
    batch = mg.stack([mg.eye(2), mg.ones(2, 2), mg.zeros(2, 2)])
    with pytest.raises(linalg.LinAlgError, match=r"linalg.inv: \(Batch element 1\): .* matrix is singular"):
        linalg.inv(batch)
    with pytest.raises(linalg.LinAlgError, match=r"linalg.solve: \(Batch element 1\)"):
        linalg.solve(batch.expand(2, 3, 2, 2), mg.ones(2))
    with pytest.raises(linalg.LinAlgError, match=r"linalg.cholesky: the factorization .* not positive-definite"):
        linalg.cholesky(-mg.eye(2))


def test_what_is_not_taken_is_said():
    for call, message in (
        (lambda: linalg.inv(mg.zeros(2, 2).long()), "Expected a floating point tensor"),
        (lambda: linalg.inv(mg.zeros(2, 2).half()), "Low precision dtypes not supported"),
        (lambda: linalg.det(mg.zeros(2, 3)), "square matrices, but they are 2 by 3"),
        (lambda: linalg.det(mg.zeros(3)), "at least 2 dimensions"),
        (lambda: linalg.solve(mg.eye(2), mg.ones(3)), r"AX = B \(2x2 and 3x1\)"),
        (lambda: linalg.solve(mg.eye(2), mg.ones(2), left=False), "left=False"),
        (lambda: linalg.lstsq(mg.ones(5, 3), mg.ones(5, 2), driver="qr"), "one of .gels, gelsy"),
        (lambda: linalg.cross(mg.ones(2), mg.ones(2)), "must have length 3"),
        (lambda: linalg.eigvalsh(mg.eye(2), UPLO="x"), "'L' or 'U', but got x"),
    ):
        with pytest.raises(RuntimeError, match=message):
            call()
    with pytest.raises(TypeError, match="expected a Tensor, got ndarray"):
        linalg.inv(np.eye(2))


def third_derivative(m, a, b):
    """The directional derivative along b of the directional derivative along a of det's gradient."""
    (first,) = mg.autograd.grad(linalg.det(m), m, create_graph=True)
    (second,) = mg.autograd.grad((first * a).sum(), m, create_graph=True)
    return mg.autograd.grad((second * b).sum(), m)[0]


def test_the_third_derivative_of_det():
    """det is linear in each row: of a 3 x 3 matrix the third derivative is the determinant with three rows replaced."""
    m = mg.tensor([[2.0, 1.0, 0.5], [-1.0, 3.0, 0.0], [0.5, 0.25, 1.0]], dtype=mg.float64, requires_grad=True)
    e = mg.eye(3, dtype=mg.float64)
    a, b = mg.zeros_like(m).detach(), mg.zeros_like(m).detach()
    a[0], b[1] = e[0], e[1]
    wanted = mg.zeros_like(m)
    wanted[2, 2] = 1.0  # the minor that is left
    assert mg.allclose(third_derivative(m, a, b), wanted, atol=1e-12)
    with pytest.raises(linalg.LinAlgError):
        third_derivative(mg.zeros(3, 3, dtype=mg.float64, requires_grad=True), a, b)


def test_det_near_a_singular_matrix():
    """Where det times the inverse would lose all digits, the cofactors keep them."""
    x = mg.tensor([[1.0, 2.0], [2.0, 4.0 + 1e-15]], dtype=mg.float64, requires_grad=True)
    linalg.det(x).backward()
    assert mg.allclose(x.grad, mg.tensor([[4.0, -2.0], [-2.0, 1.0]], dtype=mg.float64), rtol=1e-14, atol=0)


def test_the_gradient_of_equal_eigenvalues_is_finite():
    x = mg.eye(3, dtype=mg.float64, requires_grad=True)
    values, vectors = linalg.eigh(x)
    (values.sum() + vectors.square().sum()).backward()
    assert x.grad.tolist() == np.eye(3).tolist()


def test_pinv_of_a_matrix_of_constant_rank_twice():
    a = mg.randn(4, 2, dtype=mg.float64, requires_grad=True)
    b = mg.randn(2, 3, dtype=mg.float64, requires_grad=True)
    assert mg.gradgradcheck(lambda a, b: linalg.pinv(a @ b), (a, b), **TOLERANCE)


def test_float32_stays_float32():
    x = mg.tensor([[4.0, 1.0], [1.0, 3.0]])
    for y in (linalg.inv(x), linalg.det(x), *linalg.slogdet(x), *linalg.svd(x), *linalg.eigh(x), *linalg.qr(x),
              linalg.pinv(x), linalg.cholesky(x), linalg.matrix_exp(x), linalg.norm(x, "nuc")):  # fmt: skip
        assert y.dtype is mg.float32


def test_results_have_names_and_can_be_pickled():
    import pickle

    found = linalg.svd(mg.eye(2))
    assert found.S.tolist() == [1.0, 1.0] and found._fields == ("U", "S", "Vh")
    again = pickle.loads(pickle.dumps(found))
    assert type(again) is type(found) and again.S.tolist() == [1.0, 1.0]
