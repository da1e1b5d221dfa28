"""Programs on histograms and statistics: values, edges, names of the parts, errors."""

import warnings

from programs.common import error_of

X = [1.0, 2.0, 1.0, 4.0, 4.0]
W = [1.0, 2.0, 4.0, 8.0, 16.0]

CASES = {
    "histogram": lambda m: [list(m.histogram(m.tensor(X), bins)) for bins in (1, 3, 4, 7)],
    "histogram, range": lambda m: list(m.histogram(m.tensor(X), bins=4, range=(0.0, 3.0))),
    "histogram, weight": lambda m: list(m.histogram(m.tensor(X), bins=4, range=(0.0, 3.0), weight=m.tensor(W))),
    "histogram, density": lambda m: list(
        m.histogram(m.tensor(X), 4, range=(0.0, 3.0), weight=m.tensor(W), density=True)
    ),
    "histogram, edges": lambda m: list(m.tensor(X).histogram(m.tensor([0.0, 1.0, 1.0, 4.0]))),
    "histogram of one value": lambda m: list(m.histogram(m.ones(3), 4)),
    "histogram of nothing": lambda m: list(m.histogram(m.zeros(0), 4)),
    "histogram of nan": lambda m: m.histogram(m.tensor([float("nan"), 1.0]), m.tensor([0.0, 1.0, 2.0])).hist,
    "histogram in float64": lambda m: m.histogram(m.tensor(X).double().reshape(1, 5), 2).bin_edges,
    "histogram, text": lambda m: repr(m.histogram(m.tensor(X), 2)),
    "histogram, errors": lambda m: [
        error_of(lambda call=call: call(m.tensor(X)))
        for call in (
            lambda x: m.histogram(x, 0),
            lambda x: m.histogram(x, 4, range=(3.0, 1.0)),
            lambda x: m.histogram(x.long(), 4),
            lambda x: m.histogram(x, 4, weight=m.ones(4)),
            lambda x: m.histogram(x, 4, weight=m.ones(5).double()),
            lambda x: m.histogram(x / 0, 4),
            lambda x: m.histogram(x, m.ones(1)),
            lambda x: m.histogram(x, m.ones(2, 2)),
            lambda x: m.histogram(x, m.ones(2).double()),
        )
    ],
    "histc": lambda m: [
        m.histc(m.tensor(X), 4),
        m.histc(m.tensor(X), 4, 1, 3),
        m.histc(m.ones(3), 4),
        m.tensor(X).histc(),
    ],
}


# ---------------------------------------------------------------- the commonest value, covariance, quantiles

NAN = float("nan")
TABLE = [[1.0, 2.0, 4.0, 2.0], [3.0, 1.0, 0.0, 1.5], [3.0, 3.0, 7.0, 7.0]]


def modes(m):
    counts = m.tensor([[1, 2, 2, 3], [3, 1, 1, 3], [4, 5, 6, 7]])
    x = m.tensor(TABLE, requires_grad=True)
    found = x.mode(1)
    (found.values * m.arange(1.0, 4.0)).sum().backward()
    return [
        list(counts.mode()), list(m.mode(counts, 0, True)), list(m.mode(m.tensor([1.0, NAN, NAN, 2.0]))),
        list(m.mode(m.tensor(3.0))), list(m.mode(m.zeros(0, 2))), list(m.mode(m.tensor([True, False, True]))),
        list(m.mode(m.arange(24).reshape(2, 3, 4) // 5, dim=1)), found.indices, x.grad, repr(m.mode(m.ones(2))),
        error_of(lambda: m.mode(m.zeros(2, 0))), error_of(lambda: m.mode(m.zeros(2), 1)),
    ]  # fmt: skip


def covariances(m):
    x = m.tensor(TABLE, dtype=m.float64, requires_grad=True)
    often, much = m.tensor([1, 2, 1, 3]), m.tensor([0.5, 1.0, 2.0, 1.0], dtype=m.float64)
    found = [
        m.cov(x), x.cov(correction=0), m.cov(x[0]), m.cov(x, fweights=often), m.cov(x, aweights=much),
        m.cov(x, fweights=often, aweights=much), m.cov(x, fweights=often, aweights=much, correction=0),
        m.corrcoef(x), x[0].corrcoef(),
    ]  # fmt: skip
    sum((y * (y.detach() + 1)).sum() for y in found[:8]).backward()
    return [[y.detach() for y in found], x.grad, m.cov(x.detach().long()), m.cov(x.detach().float())]


def covariances_of_little(m):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no degrees of freedom
        few = [m.cov(x) for x in (m.tensor(1.0), m.ones(2, 1), m.ones(2, 0), m.ones(0, 3))]
    bad = [
        lambda: m.cov(m.ones(2, 2, 2)),
        lambda: m.cov(m.ones(2, 2) > 0),
        lambda: m.cov(m.ones(2, 3), fweights=m.ones(3)),
        lambda: m.cov(m.ones(2, 3), fweights=m.tensor([1, 2])),
        lambda: m.cov(m.ones(2, 3), fweights=m.tensor([1, -2, 1])),
        lambda: m.cov(m.ones(2, 3), aweights=m.tensor([1, 2, 1])),
        lambda: m.corrcoef(m.ones(2, 2, 2)),
    ]
    return [*few, m.corrcoef(m.tensor([[1.0, 1.0], [1.0, 2.0]])), [error_of(call) for call in bad]]


def quantiles(m):
    x = m.tensor(TABLE, requires_grad=True)
    q = m.tensor([0.0, 0.25, 0.5, 0.9])
    ways = ("linear", "lower", "higher", "midpoint", "nearest")
    found = [m.quantile(x, q, dim=d, keepdim=k, interpolation=w) for w in ways for d in (0, 1) for k in (True, False)]
    sum((y * y).sum() for y in found).backward()
    gaps = m.tensor([[1.0, NAN, 3.0], [NAN, NAN, NAN], [5.0, 4.0, 6.0]])
    return [
        *[y.detach() for y in found], x.grad, m.quantile(x.detach(), 0.3), x.detach().quantile(q, keepdim=True),
        m.quantile(gaps, 0.5, dim=1), m.nanquantile(gaps, q, dim=1), gaps.nanquantile(0.5, keepdim=True),
        m.quantile(m.tensor(2.0), q), m.quantile(m.tensor(2.0), 0.5, dim=0, keepdim=True),
        error_of(lambda: m.quantile(x, 1.5)), error_of(lambda: m.quantile(x.long(), 0.5)),
        error_of(lambda: m.quantile(x, q.double())), error_of(lambda: m.quantile(m.ones(0), 0.5)),
        error_of(lambda: m.quantile(x, 0.5, interpolation="foo")), error_of(lambda: m.quantile(x, m.ones(2, 2))),
    ]  # fmt: skip


# ---------------------------------------------------------------- distances


def _rows(m, *shape):
    count = 1
    for n in shape:
        count *= n
    return (m.arange(float(count), dtype=m.float64) * 1.7).sin().reshape(shape)


def _distances(p, *shapes, **options):
    def program(m):
        x, y = _rows(m, *shapes[0]), _rows(m, *shapes[1]) * 1.5
        y[..., 0, :] = x[..., 0, :]  # a distance of 0
        x.requires_grad_()
        y.requires_grad_()
        d = m.cdist(x, y, p, **options)
        (d * _rows(m, *d.shape)).sum().backward()
        return [d.detach(), x.grad, y.grad]

    return program


CASES |= {f"cdist, p {p}": _distances(p, (3, 2), (4, 2)) for p in (0.5, 1, 1.5, 2, 3, float("inf"))}
CASES |= {
    "cdist of batches": _distances(2, (2, 1, 3, 2), (2, 4, 4, 2)),
    "cdist by a product": _distances(2.0, (2, 2), (2, 2), compute_mode="use_mm_for_euclid_dist"),
    "cdist of many rows": _distances(2.0, (30, 3), (2, 3)),
    "cdist of many rows, exact": _distances(2.0, (30, 3), (2, 3), compute_mode="donot_use_mm_for_euclid_dist"),
    "cdist of nothing": lambda m: [m.cdist(m.zeros(2, 0), m.ones(3, 0)), m.cdist(m.zeros(0, 2), m.ones(3, 2))],
    "cdist, p 0": lambda m: m.cdist(m.zeros(2, 3), m.tensor([[0.0, 1.0, 2.0]]), p=0),
}


def distances_within(m):
    x = _rows(m, 4, 3).requires_grad_()
    found = [m.pdist(x, p) for p in (1, 2, 3, float("inf"))]
    sum((y * _rows(m, 6)).sum() for y in found).backward()
    return [[y.detach() for y in found], x.grad, m.nn.functional.pdist(m.ones(1, 2)), m.pdist(m.ones(0, 2))]


def errors_of_distances(m):
    a, b = m.zeros(2, 3), m.ones(4, 3)
    calls = [
        lambda: m.cdist(a, m.ones(4, 2)), lambda: m.cdist(a[0], b), lambda: m.cdist(a.long(), b),
        lambda: m.cdist(a, b, p=-1), lambda: m.cdist(m.zeros(2, 2, 3), m.zeros(3, 4, 3)),
        lambda: m.cdist(a, b.double()), lambda: m.cdist(a, b, compute_mode="foo"), lambda: m.pdist(a[0]),
        lambda: m.pdist(a.long()),        lambda: m.pdist(a, -1),
    ]  # fmt: skip
    return [error_of(call) for call in calls]


def norms_of_zeros(m):
    found = []
    for p in (0.5, 1.5, 3.0):
        x = m.tensor([[0.0, 2.0, 3.0], [0.0, 0.0, 0.0]], requires_grad=True)
        x.norm(p, 1).sum().backward()
        found.append(x.grad)
    return found
