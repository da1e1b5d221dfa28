"""Programs on torch.linalg: values and gradients at fixed matrices, singular ones too, shapes, and the errors.

Where a sign is the library's choice, squares or products that do not depend on it are returned.
"""

SINGULAR = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]
REGULAR = [[2.0, -1.0, 0.5], [0.25, 3.0, -1.0], [1.0, 0.5, 4.0]]
TALL = [[1.0, 2.0], [0.5, -1.0], [3.0, 0.25], [-2.0, 1.5]]
VECTOR = [1.0, -2.0, 0.5]


def _leaf(m, data):
    return m.tensor(data, dtype=m.float64, requires_grad=True)


def _with_gradient(m, function, *data):
    """The value, and the first and second gradient of its sum weighted by 1, 2, 3 ..."""
    leaves = [_leaf(m, x) for x in data]
    y = function(*leaves)
    weights = m.arange(1, y.numel() + 1, dtype=m.float64).reshape(y.shape)
    first = m.autograd.grad((y * weights).sum(), leaves, create_graph=True)
    second = m.autograd.grad(sum((g * g).sum() for g in first), leaves, allow_unused=True)
    return [y, *first, *second]


def _error(m, call):
    """Whether the call raises a LinAlgError, another RuntimeError, or something else."""
    try:
        call()
    except m.linalg.LinAlgError:
        return "LinAlgError"
    except RuntimeError:
        return "RuntimeError"
    except Exception as error:
        return type(error).__name__
    return "no error"


CASES = {
    "det": lambda m: _with_gradient(m, m.linalg.det, REGULAR),
    "det of a batch": lambda m: _with_gradient(m, m.det, [REGULAR, [[0.0, 1, 0], [1, 0, 0], [0, 0, 1]]]),
    "det of zeros": lambda m: m.autograd.grad(m.det(x := _leaf(m, [[0.0, 0.0], [0.0, 0.0]])), x),
    "slogdet": lambda m: [m.linalg.slogdet(m.tensor(REGULAR)), m.slogdet(-m.tensor(REGULAR))],
    "slogdet by name": lambda m: m.linalg.slogdet(_leaf(m, REGULAR)).logabsdet,
    "slogdet of zeros": lambda m: m.linalg.slogdet(m.zeros(2, 2)),
    "logdet": lambda m: _with_gradient(m, m.logdet, REGULAR),
    "logdet of a negative one": lambda m: m.logdet(m.tensor([[0.0, 1.0], [1.0, 0.0]])),
    "inv": lambda m: _with_gradient(m, m.linalg.inv, REGULAR),
    "inverse": lambda m: [m.inverse(m.tensor(REGULAR)), m.tensor(REGULAR).inverse()],
    "solve": lambda m: _with_gradient(m, m.linalg.solve, REGULAR, VECTOR),
    "solve on the right": lambda m: m.linalg.solve(m.tensor(REGULAR), m.tensor(SINGULAR), left=False),
    "solve, shapes": lambda m: [
        list(m.linalg.solve(m.eye(a).expand(*lead, a, a), m.ones(*b)).shape)
        for lead, a, b in (
            ((3,), 2, (3, 2)),
            ((3,), 2, (2,)),
            ((3,), 3, (3, 3)),
            ((2,), 3, (3, 2)),
            ((2, 1), 2, (4, 2, 5)),
        )
    ],
    "solve_triangular": lambda m: [
        m.linalg.solve_triangular(m.tensor(REGULAR), m.tensor(SINGULAR), upper=upper, unitriangular=unit)
        for upper in (True, False)
        for unit in (True, False)
    ],
    "lstsq": lambda m: _with_gradient(
        m, lambda a, b: m.linalg.lstsq(a, b).solution, TALL, [[1.0], [2.0], [0.5], [-1.0]]
    ),
    "lstsq, wide": lambda m: _with_gradient(
        m, lambda a, b: m.linalg.lstsq(a.T, b).solution, TALL, [[1.0, 2.0], [0.5, -1.0]]
    ),
    "lstsq, all of it": lambda m: [
        list(m.linalg.lstsq(m.tensor(TALL), m.tensor([[1.0], [2.0], [0.5], [-1.0]]), driver=driver))
        for driver in ("gelsy", "gelsd", "gelss")
    ],
    "lstsq, gels": lambda m: list(m.linalg.lstsq(m.tensor(TALL), m.ones(4, 1), driver="gels"))[:2],
    "lstsq of rank 1": lambda m: m.linalg.lstsq(m.ones(5, 3), m.arange(5.0).reshape(5, 1)).solution,
    "pinv": lambda m: _with_gradient(m, m.linalg.pinv, TALL),
    "pinv of a singular matrix": lambda m: m.linalg.pinv(_leaf(m, SINGULAR)),
    "pinverse": lambda m: m.pinverse(m.tensor(TALL)),
    "matrix_rank": lambda m: [
        m.linalg.matrix_rank(m.tensor(x)) for x in (SINGULAR, REGULAR, TALL, [[0.0, 0.0], [0.0, 0.0]])
    ],
    "matrix_rank, tolerances": lambda m: [
        m.linalg.matrix_rank(m.diag(m.tensor([4.0, 1.0, 0.1])), **options)
        for options in ({"atol": 0.5}, {"rtol": 0.3}, {"atol": 2.0, "rtol": 0.1}, {"tol": 0.2})
    ],
    "matrix_power": lambda m: [m.linalg.matrix_power(m.tensor(REGULAR), n) for n in (0, 1, 3, -2)],
    "matrix_exp": lambda m: _with_gradient(m, m.linalg.matrix_exp, REGULAR),
    "cholesky": lambda m: _with_gradient(m, lambda a: m.linalg.cholesky(a @ a.T + m.eye(3)), REGULAR),
    "cholesky, upper": lambda m: m.linalg.cholesky(m.tensor([[4.0, 2.0], [2.0, 3.0]]), upper=True),
    "cholesky, gradient": lambda m: m.autograd.grad(
        m.linalg.cholesky(x := _leaf(m, [[4.0, 2.0], [2.0, 3.0]])).sum(), x
    ),
    "cholesky_solve": lambda m: [
        m.cholesky_solve(m.ones(2, 1), m.tensor([[2.0, 0.0], [1.0, 3.0]])),
        m.cholesky_solve(m.ones(2, 1), m.tensor([[2.0, 1.0], [0.0, 3.0]]), upper=True),
        m.cholesky_inverse(m.tensor([[2.0, 0.0], [1.0, 3.0]])),
    ],
    "qr": lambda m: _with_gradient(m, lambda a: (lambda q, r: (q @ q.T) * 2 + (r.T @ r).sum())(*m.linalg.qr(a)), TALL),
    "qr, shapes": lambda m: [
        [list(part.shape) for part in m.linalg.qr(m.ones(*shape), mode)]
        for shape in ((4, 2), (2, 4), (3, 3, 2))
        for mode in ("reduced", "complete", "r")
    ],
    "eigh": lambda m: _with_gradient(m, lambda a: m.linalg.eigh(a + a.T).eigenvectors.square(), REGULAR),
    "eigh, values": lambda m: _with_gradient(m, lambda a: m.linalg.eigh(a + a.T).eigenvalues, REGULAR),
    "eigvalsh": lambda m: _with_gradient(m, m.linalg.eigvalsh, [[2.0, 1.0], [1.0, -3.0]]),
    "eigvalsh of the identity": lambda m: m.autograd.grad(
        m.linalg.eigvalsh(x := _leaf(m, [[1.0, 0], [0, 1.0]])).sum(), x
    ),
    "eigh, triangles": lambda m: [m.linalg.eigvalsh(m.tensor([[1.0, 2.0], [3.0, 4.0]]), UPLO=u) for u in "LUl"],
    "svd": lambda m: _with_gradient(m, lambda a: (lambda u, s, vh: u[:, :1] * vh[0])(*m.linalg.svd(a, False)), TALL),
    "svdvals": lambda m: _with_gradient(m, m.linalg.svdvals, TALL),
    "svd, shapes": lambda m: [
        [list(part.shape) for part in m.linalg.svd(m.ones(*shape), full)]
        for shape in ((4, 2), (2, 4), (3, 3, 2))
        for full in (True, False)
    ],
    "torch.svd": lambda m: [list(part.shape) for part in m.svd(m.ones(4, 2))],
    "norms of a matrix": lambda m: [
        m.linalg.norm(m.tensor(TALL), p) for p in (None, "fro", "nuc", 1, -1, 2, -2, float("inf"), -float("inf"))
    ],
    "norms of a vector": lambda m: [
        m.linalg.norm(m.tensor(VECTOR), p) for p in (None, 0, 1, 2, 3, 0.5, -1, float("inf"), -float("inf"))
    ],
    "norms, gradients": lambda m: [
        m.autograd.grad(m.linalg.matrix_norm(x := _leaf(m, TALL), p), x)
        for p in ("fro", "nuc", 1, -1, 2, -2, float("inf"), -float("inf"))
    ],
    "norms over dims": lambda m: [
        m.linalg.norm(m.arange(24.0).reshape(2, 3, 4), p, dim, keepdim=keep)
        for p, dim in ((None, 1), (2, (0, 2)), ("nuc", (2, 1)), (1, 2), (None, (0, 1)), (1, (1, 0)))
        for keep in (False, True)
    ],
    "norm to another dtype": lambda m: m.linalg.vector_norm(m.arange(3.0), dtype=m.float64),
    "norm of integers to a float": lambda m: m.linalg.vector_norm(m.arange(3), dtype=m.float64),
    "norm of zeros": lambda m: m.autograd.grad(m.linalg.norm(x := _leaf(m, [0.0, 0.0])), x),
    "norm of nothing": lambda m: [m.linalg.vector_norm(m.zeros(0, 3), p) for p in (0, 1, 2)],
    "tensor.norm nuc": lambda m: m.tensor(TALL).norm("nuc"),
    "cond": lambda m: [m.linalg.cond(m.tensor(REGULAR), p) for p in (None, 2, -2, 1, "fro", "nuc")],
    "cond of singular ones": lambda m: m.linalg.cond(m.tensor([[[1.0, 0.0], [0.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]]), 1),
    "multi_dot": lambda m: m.linalg.multi_dot([m.ones(2, 3), m.ones(3, 4), m.ones(4)]),
    "cross": lambda m: [
        m.linalg.cross(m.tensor(VECTOR), m.tensor([0.5, 1.0, 2.0])),
        m.linalg.cross(m.tensor(SINGULAR), m.tensor(REGULAR), dim=0),
        m.linalg.cross(m.tensor(SINGULAR), m.tensor([VECTOR])),
    ],
    "vecdot": lambda m: m.linalg.vecdot(m.tensor(SINGULAR), m.tensor(VECTOR)),
    "printed": lambda m: repr(m.linalg.slogdet(m.eye(2))) + repr(m.tensor([[1.0, 2.0]]).max(1)),
    "a LinAlgError is a RuntimeError": lambda m: issubclass(m.linalg.LinAlgError, RuntimeError),
}


def errors(m):
    singular, wide = m.zeros(2, 2), m.ones(2, 3)
    calls = {
        "inv": lambda: m.linalg.inv(singular),
        "inv in a batch": lambda: m.linalg.inv(m.stack([m.eye(2), singular])),
        "inverse": lambda: m.inverse(singular),
        "solve": lambda: m.linalg.solve(singular, m.ones(2)),
        "power": lambda: m.linalg.matrix_power(singular, -1),
        "cholesky": lambda: m.linalg.cholesky(-m.eye(2)),
        "cholesky in a batch": lambda: m.linalg.cholesky(m.stack([m.eye(2), -m.eye(2)])),
        "eigh of nan": lambda: m.linalg.eigh(m.full((2, 2), float("nan"))),
        "svd of nan": lambda: m.linalg.svd(m.full((2, 2), float("nan"))),
        "not square": lambda: m.linalg.det(wide),
        "a vector": lambda: m.linalg.inv(m.zeros(3)),
        "integers": lambda: m.linalg.inv(m.zeros(2, 2, dtype=m.long)),
        "half": lambda: m.linalg.inv(m.zeros(2, 2).half()),
        "two dtypes": lambda: m.linalg.solve(m.eye(2), m.ones(2).double()),
        "shapes": lambda: m.linalg.solve(m.eye(2), m.ones(3)),
        "lstsq, shapes": lambda: m.linalg.lstsq(m.ones(5, 3), m.ones(4, 2)),
        "lstsq, driver": lambda: m.linalg.lstsq(m.ones(5, 3), m.ones(5, 2), driver="x"),
        "qr, mode": lambda: m.linalg.qr(wide, mode="x"),
        "qr, complete": lambda: m.linalg.qr(m.ones(3, 2, requires_grad=True), "complete")[0].sum().backward(),
        "order": lambda: m.linalg.matrix_norm(wide, 3),
        "order of a vector": lambda: m.linalg.vector_norm(wide, "fro"),
        "norm without dim": lambda: m.linalg.norm(m.ones(2, 3, 4), 2),
        "norm of a vector, fro": lambda: m.linalg.norm(m.ones(4), "fro"),
        "inf norm of nothing": lambda: m.linalg.vector_norm(m.ones(0, 3), float("inf")),
        "same dims": lambda: m.linalg.matrix_norm(m.ones(2, 3), dim=(0, 0)),
        "one dim": lambda: m.linalg.matrix_norm(m.ones(2, 3), dim=(0,)),
        "norm of integers": lambda: m.linalg.norm(m.ones(3).long()),
        "triangle": lambda: m.linalg.eigh(m.eye(2), UPLO="X"),
        "multi_dot": lambda: m.linalg.multi_dot([wide]),
        "cross": lambda: m.linalg.cross(m.ones(2), m.ones(2)),
    }
    return {name: _error(m, call) for name, call in calls.items()}
