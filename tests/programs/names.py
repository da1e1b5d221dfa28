"""Programs on the many names that few programs use: special functions, orders, statistics, arrangements."""

import itertools

from programs.common import error_of

NAN, INF = float("nan"), float("inf")
X = [[3.0, 1, 2, 3], [2, 2, NAN, 1], [1, 1, 1, 0]]
M = [[0, 1, 2], [3, 4, 5]]
_UNARY = "acosh asinh atanh erfc erfinv lgamma digamma sinc logit deg2rad rad2deg signbit isposinf isneginf positive"
_TWINS = """
    abs neg exp exp2 expm1 log log1p log2 log10 sqrt rsqrt square reciprocal sin cos tan asin acos atan sinh cosh tanh
    asinh atanh sigmoid relu erf erfc erfinv lgamma digamma logit sinc floor ceil round trunc fix frac sign sgn deg2rad
    rad2deg arcsin arccos arctan arcsinh arctanh nan_to_num conj_physical
"""
_TORCH_TWINS = """
    abs_ neg_ exp_ log_ sqrt_ sin_ cos_ tanh_ sigmoid_ relu_ erf_ floor_ round_ square_ reciprocal_ zero_ asinh_ atanh_
"""
_SPECIAL = "expit logit erf erfc erfinv exp2 expm1 gammaln digamma psi log1p ndtr ndtri log_ndtr entr sinc round"


def _each(names, call):
    return {name: call(name) for name in names.split()}


CASES = {
    "unary": lambda m: _each(_UNARY, lambda name: getattr(m, name)(m.tensor([0.1, 0.5, 0.9, 0.25]))),
    "unary of integers": lambda m: [m.acosh(m.tensor([1, 2])), m.lgamma(m.tensor([1, 5])), m.deg2rad(m.tensor([180]))],
    "unary, gradients": lambda m: _each(
        "acosh asinh lgamma digamma erfc sinc logit",
        lambda name: m.autograd.grad(
            getattr(m, name)(x := m.tensor([1.25, 2.5] if name != "logit" else [0.25, 0.5], requires_grad=True)).sum(),
            x,
        ),
    ),
    "ends": lambda m: [
        m.lgamma(m.tensor([0.0, -1.0, -0.5, 1.0, 2.0, INF])),
        m.digamma(m.tensor([0.0, -0.0, -1.0, 1.0, INF])),
        m.erfinv(m.tensor([0.0, 1.0, -1.0, 2.0])),
        m.erfc(m.tensor([-INF, 0.0, 5.0, 10.0, INF])),
        m.polygamma(1, m.tensor([0.0, -0.5, 1.0])),
        m.polygamma(2, m.tensor([1.0, 2.5])),
        m.tensor([1.5]).polygamma(0),
    ],
    "mvlgamma": lambda m: m.mvlgamma(m.tensor([3.0, 4.5]), 2),
    "special": lambda m: _each(_SPECIAL, lambda name: getattr(m.special, name)(m.tensor([0.125, 0.5, 0.75]))),
    "special, more": lambda m: [
        m.special.polygamma(1, m.tensor([1.0, 2.0])),
        m.special.multigammaln(m.tensor([3.0]), 2),
        m.special.xlog1py(m.tensor([0.0, 2.0]), m.tensor([-1.0, 3.0])),
        m.special.log_ndtr(m.tensor([-30.0, -5.0, 3.0])),
        m.special.softmax(m.tensor([1.0, 2.0]), 0),
        m.special.logsumexp(m.tensor([1.0, 2.0]), 0),
        m.special.entr(m.tensor([-1.0, 0.0, 0.5])),
    ],
    "of two": lambda m: [
        getattr(m, name)(m.tensor([0.5, -1.0, 2.0]), m.tensor([[1.0], [0.25]]))
        for name in ("logaddexp", "logaddexp2", "hypot", "copysign", "fmax", "fmin", "ldexp", "heaviside")
    ],
    "of two, nan": lambda m: [
        m.fmax(m.tensor([1.0, NAN]), m.tensor([NAN, NAN])),
        m.fmin(m.tensor([1.0, NAN]), m.tensor([NAN, 2.0])),
        m.heaviside(m.tensor([-1.0, 0, 2, NAN]), m.tensor(0.5)),
        m.logaddexp(m.tensor(-INF), m.tensor(-INF)),
    ],
    "of two, gradients": lambda m: [
        m.autograd.grad(
            f(a := m.tensor([0.5, -1.0], requires_grad=True), b := m.tensor([2.0, -1.0], requires_grad=True)).sum(),
            (a, b),
        )
        for f in (m.logaddexp, m.hypot, m.copysign, m.fmax, m.fmin, m.ldexp)
    ],
    "xlogy": lambda m: [
        m.xlogy(m.tensor([0.0, 0.0, 2.0]), m.tensor([0.0, NAN, 3.0])),
        m.xlogy(2, m.tensor([0.0, 3.0])),
        m.tensor([0.0, 2.0]).xlogy(3.0),
    ],
    "xlogy, gradients": lambda m: m.autograd.grad(
        m.xlogy(a := m.tensor([0.0, 2.0], requires_grad=True), b := m.tensor([3.0, 3.0], requires_grad=True)).sum(),
        (a, b),
    ),
    "integers": lambda m: [
        m.gcd(m.tensor([12, 18, 0]), m.tensor(8)),
        m.lcm(m.tensor([4, 6]), m.tensor([6, 4])),
        m.tensor([1, 2]) << 2,
        1 << m.tensor([1, 2]),
        m.tensor([9, -9]) >> 1,
        m.bitwise_left_shift(m.tensor([1, 2]), m.tensor([3, 1])),
        m.bitwise_right_shift(m.tensor([64]), 3),
    ],
    "frexp": lambda m: [list(m.frexp(m.tensor([3.0, 0.0, -0.1]))), repr(m.frexp(m.tensor([3.0])))],
    "float_power": lambda m: [m.float_power(m.tensor([2, 3]), 2), m.tensor([4.0]).float_power(0.5)],
    "positive of bools": lambda m: m.positive(m.tensor([True])),
    "logit with eps": lambda m: m.logit(m.tensor([0.0, 0.2, 1.0]), eps=0.1),
    "nextafter": lambda m: m.nextafter(m.tensor([1.0, 0.0]), m.tensor([2.0, -1.0])),
    "cummax": lambda m: [list(m.tensor(X).cummax(d)) for d in (0, 1)] + [list(m.tensor([1, 1, 2, 2, 1]).cummax(0))],
    "cummin": lambda m: [list(m.tensor(X).cummin(d)) for d in (0, 1)] + [list(m.tensor([1, 1, 2, 2, 1]).cummin(0))],
    "cummax, gradient": lambda m: m.autograd.grad(
        m.cummax(x := m.tensor([1.0, 3.0, 2.0, 3.0], requires_grad=True), 0).values.sum(), x
    ),
    "logcumsumexp": lambda m: m.logcumsumexp(m.tensor([3.0, 1.0, -INF, 100.0, 2.0]), 0),
    "kthvalue": lambda m: [
        list(m.tensor([[5, 1, 3], [2, 9, 4]]).kthvalue(k, d, keep))
        for k, d, keep in ((1, 1, False), (2, 0, True), (3, -1, False))
    ],
    "mode": lambda m: [
        list(m.tensor(X).mode()),
        list(m.mode(m.tensor([3, 1, 2, 2, 3, 1]))),
        m.tensor(X).mode(0, True).indices,
    ],
    "msort": lambda m: m.msort(m.tensor([[3.0, 1], [2, 5], [1, 4]])),
    "aminmax": lambda m: [
        list(m.aminmax(m.tensor(M))),
        list(m.tensor(M).aminmax(dim=1, keepdim=True)),
        repr(m.aminmax(m.ones(2))),
    ],
    "quantile": lambda m: [
        m.quantile(m.tensor([5.0, 1, 4, 2]), m.tensor([0.0, 0.3, 0.5, 1.0]), interpolation=how)
        for how in ("linear", "lower", "higher", "midpoint", "nearest")
    ],
    "quantile over dims": lambda m: [
        m.quantile(m.tensor(X), 0.3, dim=d, keepdim=k) for d, k in itertools.product((0, 1, None), (False, True))
    ],
    "quantile of several": lambda m: m.quantile(m.tensor(X), m.tensor([0.25, 0.5]), dim=1, keepdim=True),
    "nanquantile": lambda m: [m.nanquantile(m.tensor(X), 0.4, dim=1), m.nanquantile(m.tensor([NAN, NAN]), 0.5)],
    "quantile, gradient": lambda m: m.autograd.grad(
        m.quantile(x := m.tensor([5.0, 1, 4, 2], requires_grad=True), 0.4), x
    ),
    "nanmedian": lambda m: [m.nanmedian(m.tensor(X)), list(m.nanmedian(m.tensor(X), 1)), m.nanmedian(m.tensor([NAN]))],
    "nanmean": lambda m: [m.nanmean(m.tensor(X)), m.tensor(X).nanmean(1, True), m.nanmean(m.tensor([NAN]))],
    "searchsorted": lambda m: [
        m.searchsorted(m.tensor([1, 3, 5, 7]), m.tensor([[3, 6], [9, 0]])),
        m.searchsorted(m.tensor([[1, 3, 5], [2, 4, 6]]), m.tensor([[3, 6], [3, 7]]), right=True),
        m.searchsorted(m.tensor([1, 3, 5]), 3),
        m.searchsorted(m.tensor([1, 3, 5]), 3, side="right", out_int32=True),
        m.searchsorted(m.tensor([3, 1, 2]), m.tensor([2]), sorter=m.tensor([1, 2, 0])),
    ],
    "bucketize": lambda m: [
        m.bucketize(m.tensor([1.0, 3, 4, 9]), m.tensor([1.0, 3, 5])),
        m.bucketize(m.tensor([1.0, 3]), m.tensor([1.0, 3]), right=True),
        m.bucketize(2, m.tensor([1, 3])),
    ],
    "isin": lambda m: [
        m.isin(m.tensor(M), m.tensor([2, 5])),
        m.isin(m.tensor(M), 2),
        m.isin(2, m.tensor([2, 3])),
        m.isin(m.tensor(M), m.tensor([2]), invert=True),
    ],
    "unique_consecutive": lambda m: [
        list(m.unique_consecutive(m.tensor([1, 1, 2, 2, 3, 1, 1]), return_inverse=True, return_counts=True)),
        m.tensor([[1, 1], [1, 1], [2, 1]]).unique_consecutive(dim=0),
        m.unique_consecutive(m.tensor([[1, 1], [2, 2]])),
        m.unique_consecutive(m.zeros(0)),
    ],
    "argwhere": lambda m: [m.argwhere(m.tensor(M) > 2), m.tensor(1).argwhere(), m.tensor(0).argwhere()],
    "diff": lambda m: [
        m.diff(m.tensor([1, 4, 9, 16])),
        m.diff(m.tensor([1, 4, 9]), n=2, prepend=m.tensor([0]), append=m.tensor([25])),
        m.diff(m.tensor([True, False, False])),
        m.diff(m.tensor(M), dim=0),
        m.diff(m.tensor([1, 2]), n=5),
        m.diff(m.tensor([1, 2]), n=0),
    ],
    "trapezoid": lambda m: [
        m.trapezoid(m.tensor([1.0, 2, 4])),
        m.trapz(m.tensor([1.0, 2, 4]), m.tensor([0.0, 1, 3])),
        m.trapezoid(m.tensor([1, 2, 4])),
        m.trapezoid(m.tensor([[1.0, 2, 4]]), dx=0.5, dim=0),
        m.cumulative_trapezoid(m.tensor([1.0, 2, 4])),
    ],
    "cov": lambda m: [
        m.cov(m.tensor([[0.0, 1, 2], [2, 1, 0]])),
        m.cov(m.tensor([1.0, 2, 4]), correction=0),
        m.cov(m.tensor([[1, 2], [3, 5]])),
        m.cov(m.tensor([1.0, 2, 4]), fweights=m.tensor([1, 2, 3]), aweights=m.tensor([0.5, 1, 1])),
        m.corrcoef(m.tensor([[0.0, 1, 2], [2, 1, 0.5]])),
        m.corrcoef(m.tensor([1.0, 2.0])),
    ],
    "cdist": lambda m: [
        m.cdist(m.tensor([[0.0, 0], [3, 4]]), m.tensor([[0.0, 0], [1, 1]]), p=p) for p in (2, 1, 0, 3, INF)
    ],
    "cdist, gradient": lambda m: m.autograd.grad(
        m.cdist(x := m.tensor([[0.0, 0], [3, 4]], requires_grad=True), m.zeros(1, 2)).sum(), x
    ),
    "dist": lambda m: [m.dist(m.ones(3), m.zeros(3), p) for p in (1, 2, INF, 0)],
    "renorm": lambda m: [m.tensor([[3.0, 4], [0.1, 0.2]]).renorm(p, d, 1.0) for p, d in ((2, 0), (1, 1))],
    "tensor_split": lambda m: [
        m.tensor_split(m.arange(8), 3),
        m.tensor_split(m.arange(8), (2, 5, 20)),
        m.tensor_split(m.tensor(M), 2, dim=1),
        m.tensor_split(m.arange(5), m.tensor(2)),
        m.tensor_split(m.arange(5), [-2]),
        m.tensor_split(m.arange(5), [3, 1]),
    ],
    "hsplit": lambda m: [
        m.hsplit(m.tensor(M), 3),
        m.vsplit(m.tensor(M), [1]),
        m.dsplit(m.ones(1, 1, 4), 2),
        m.hsplit(m.arange(4), 2),
    ],
    "rot90": lambda m: [m.rot90(m.tensor(M), k, d) for k, d in ((1, (0, 1)), (2, (0, 1)), (-1, (1, 0)), (5, (0, 1)))],
    "flips": lambda m: [m.fliplr(m.tensor(M)), m.flipud(m.tensor(M)), m.flipud(m.arange(3))],
    "stacks": lambda m: [
        m.column_stack([m.tensor([1, 2]), m.tensor(M)]),
        m.row_stack([m.tensor(M), m.arange(3)]),
        m.block_diag(m.tensor(M), m.tensor([1, 2]), m.tensor(7)),
        m.block_diag(),
    ],
    "atleast": lambda m: [
        m.atleast_1d(m.tensor(1)),
        m.atleast_2d(m.tensor(1), m.tensor([1])),
        m.atleast_3d([m.tensor([1, 2]), m.tensor(M)]),
    ],
    "sets": lambda m: [
        m.cartesian_prod(m.tensor([1, 2]), m.tensor([3, 4])),
        m.cartesian_prod(m.tensor([1, 2])),
        m.combinations(m.arange(3)),
        m.combinations(m.arange(2), 3, True),
        m.combinations(m.arange(2), 0),
        m.combinations(m.arange(2), 3),
    ],
    "kron": lambda m: [m.kron(m.tensor([[1, 2]]), m.tensor([[1], [3]])), m.kron(m.tensor([1, 2]), m.tensor(M))],
    "diagflat": lambda m: [m.diagflat(m.tensor(M)), m.diagflat(m.tensor([1, 2]), 1), m.diagflat(m.tensor([1, 2]), -1)],
    "vander": lambda m: [
        m.vander(m.tensor([1, 2, 3])),
        m.vander(m.tensor([1.5, 2]), 2, increasing=True),
        m.linalg.vander(m.tensor(M), N=2),
    ],
    "take and put": lambda m: [
        m.take(m.tensor(M), m.tensor([0, -1])),
        m.tensor([1, 2, 3, 4]).put_(m.tensor([0, 0]), m.tensor([5, 6]), accumulate=True),
        m.put(m.tensor(M), m.tensor([1, 2]), m.tensor([9, 8])),
        m.unravel_index(m.tensor([5, 2]), (2, 3)),
    ],
    "products": lambda m: [
        m.addr(m.zeros(2, 3), m.tensor([1.0, 2]), m.ones(3), alpha=2),
        m.vdot(m.tensor([1.0, 2]), m.tensor([3.0, 4])),
        m.vdot(m.tensor([1j, 2]), m.tensor([3.0, 4j])),
        m.cross(m.ones(1, 3), m.tensor([[1.0, 2, 3]]), dim=1),
        m.ones(3, 2).cross(m.arange(6.0).view(3, 2), dim=0),
    ],
    "parts replaced": lambda m: [
        m.masked_scatter(m.tensor(M), m.tensor(M) > 2, m.tensor([9, 8, 7])),
        m.tensor(M).masked_scatter(m.tensor([True, False, True]), m.tensor([9, 8, 7, 6])),
        m.zeros(3).masked_scatter_(m.tensor([True, False, True]), m.tensor([9.0, 8.0])),
        m.select_scatter(m.tensor(M), m.tensor([7, 7, 7]), 0, 1),
        m.diagonal_scatter(m.tensor(M), m.tensor([9, 9])),
        m.slice_scatter(m.tensor(M), m.zeros(2, 1, dtype=m.long), 1, 1, 2),
    ],
    "sum_to_size": lambda m: [
        m.ones(2, 3).sum_to_size(1, 3),
        m.ones(2, 3).sum_to_size(3),
        m.ones(2, 3).sum_to_size((2, 3)),
    ],
    "windows": lambda m: [
        getattr(m, f"{name}_window")(n, periodic=p)
        for name in ("hann", "hamming", "bartlett")
        for n, p in ((4, True), (5, False), (1, True), (0, True))
    ],
    "new tensors": lambda m: [m.scalar_tensor(2), m.frombuffer(bytearray(b"\x01\x02\x03\x04"), dtype=m.int16)],
    "questions": lambda m: [
        m.can_cast(m.float, m.int),
        m.can_cast(m.int, m.float),
        m.typename(m.ones(1)),
        m.is_nonzero(m.tensor([1])),
        m.is_signed(m.tensor([1])),
        m.is_same_size(m.ones(2), m.zeros(2)),
        m.is_conj(m.ones(1)),
        m.ones(1).get_device(),
        m.ones(2, 2)[1].storage_offset(),
        m.ones(1).is_cpu,
        m.ones(1).is_meta,
        m.newaxis,
    ],
    "in place": lambda m: _each(_TWINS, lambda name: getattr(m.tensor([0.25, 0.5, 0.75]), f"{name}_")()),
    "in place, by function": lambda m: _each(_TORCH_TWINS, lambda name: getattr(m, name)(m.tensor([0.25, 0.5, 0.75]))),
    "in place, with arguments": lambda m: [
        m.ones(2).hypot_(m.ones(2)),
        m.ones(2).xlogy_(m.tensor(2.0)),
        m.ones(2).copysign_(-1),
        m.ones(2).ldexp_(m.tensor(2)),
        m.ones(2).double().float_power_(2),
        m.tensor([4]).gcd_(m.tensor([6])),
        m.tensor([4]).lcm_(m.tensor([6])),
        m.tensor([1]).bitwise_left_shift_(2),
        m.tensor([8]).bitwise_right_shift_(2),
        m.tensor([2.0, -2.0]).heaviside_(m.tensor(1.0)),
        m.ones(2, 2).renorm_(2, 0, 1.0),
        m.ones(2, 2).addr_(m.ones(2), m.ones(2)),
        m.ones(3).cumsum_(0),
        m.ones(2).lerp_(m.zeros(2), 0.25),
        m.zeros(3, 3).fill_diagonal_(2),
        m.zeros(4).index_copy_(0, m.tensor([1]), m.ones(1)),
        m.tensor([0.9]).logit_(eps=0.2),
        m.tensor([1.5]).polygamma_(1),
        m.tensor([1.0, 2.0]).apply_(lambda v: v + 1),
    ],
    "in place of a leaf": lambda m: m.ones(2, requires_grad=True).acosh_(),
    "in place, gradient": lambda m: m.autograd.grad(
        (x := m.tensor([0.5], requires_grad=True)).clone().sinh_().exp_().sum(), x
    ),
    "random": lambda m: [
        m.manual_seed(0),
        m.zeros(5).geometric_(0.3),
        m.zeros(5).cauchy_(),
        m.zeros(5).log_normal_(),
        m.zeros(3).double().cauchy_(1, 2),
        m.zeros(4, dtype=m.int64).geometric_(0.5),
    ][1:],
    "errors": lambda m: [
        error_of(call)
        for call in (
            lambda: m.kthvalue(m.ones(3), 4),
            lambda: m.quantile(m.ones(3), 1.5),
            lambda: m.quantile(m.ones(3).long(), 0.5),
            lambda: m.quantile(m.ones(3), 0.5, interpolation="x"),
            lambda: m.fliplr(m.ones(3)),
            lambda: m.dsplit(m.ones(2, 2), 2),
            lambda: m.hsplit(m.tensor(M), 2),
            lambda: m.cdist(m.ones(2, 3), m.ones(2, 2)),
            lambda: m.diff(m.tensor(1.0)),
            lambda: m.tensor(M).masked_scatter(m.tensor(M) > 2, m.tensor([1])),
            lambda: m.is_nonzero(m.ones(2)),
            lambda: m.combinations(m.ones(2, 2)),
            lambda: m.rot90(m.ones(3)),
            lambda: m.polygamma(-1, m.ones(1)),
            lambda: m.searchsorted(m.ones(2), m.ones(2).double()),
            lambda: m.vander(m.ones(2, 2)),
            lambda: m.mode(m.ones(0)),
            lambda: m.put(m.ones(3), m.tensor([0, 1]), m.ones(1)),
            lambda: m.take(m.ones(3), m.tensor([5])),
            lambda: m.sum_to_size(m.ones(2), 3),
            lambda: m.bucketize(m.ones(1), m.ones(1, 1)),
            lambda: m.nanmean(m.tensor([1])),
        )
    ],
}


def default_tensor_type(m):
    try:
        m.set_default_tensor_type(m.DoubleTensor)
        seen = [m.zeros(1).dtype, m.tensor(1.5).dtype]
        m.set_default_tensor_type("torch.FloatTensor")
        return [*seen, m.zeros(1).dtype]
    finally:
        m.set_default_dtype(m.float32)
