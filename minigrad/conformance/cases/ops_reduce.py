"""Reductions, running sums, and orders: the ops that look along an axis."""

from minigrad.conformance.cases.ops import ops

POSITIVE = (0.1, 3.0)
TIES = [[1.0, 3.0, 3.0], [2.0, 2.0, 0.0]]
NAN = float("nan")

# Reductions.
ops(
    "sum",
    (lambda t, x: t.sum(x), (2, 3)),
    (lambda t, x: t.sum(x, (0, 2), keepdim=True), (2, 3, 2)),
    (lambda t, x: x.sum(-1, dtype=t.float32), (2, 3)),
    (lambda t, x: t.sum(x, dim=0), [[True, False], [True, True]]),
    (lambda t, x: x.sum(axis=1, keepdims=True), (2, 3)),
    wrong=(lambda t, x: t.sum(x, 2), lambda t, x: t.sum(x, (0, 0)), lambda t, x: x.sum("a")),
)
ops(
    "mean",
    (lambda t, x: t.mean(x), (2, 3)),
    (lambda t, x: t.mean(x, (0, -1), keepdim=True), (2, 3, 2)),
    (lambda t, x: t.mean(x, 0, dtype=t.float32), [[1, 2], [4, 4]]),
    wrong=(lambda t, x: t.mean(x, 2), lambda t, x: t.mean(t.tensor([1, 2]))),
)
ops(
    "prod",
    (lambda t, x: t.prod(x), (2, 3)),
    (lambda t, x: t.prod(x, 1, keepdim=True), [[0.0, 2.0, 3.0], [0.0, 0.0, 4.0]]),
    (lambda t, x: t.prod(x, dim=0), [[2, 3], [4, 5]]),
    (lambda t, x: [t.prod(x, 0, dtype=t.bool), x.sum(dtype=t.int32), x.cumsum(0, dtype=t.uint8)], [2, 0, 3]),
    wrong=(lambda t, x: t.prod(x, 2), lambda t, x: t.prod(x, (0, 1))),
)
ops(
    "var",
    (lambda t, x: t.var(x), (2, 3)),
    (lambda t, x: t.var(x, 1, correction=0, keepdim=True), (2, 3)),
    (lambda t, x: x.var(0, unbiased=False), (2, 3)),
    (lambda t, x: t.var(x, dim=(0, 1)), (2, 3, 2)),
    wrong=(lambda t, x: t.var(x, 2), lambda t, x: t.var(t.tensor([1, 2]))),
)
ops(
    "std",
    (lambda t, x: t.std(x), (2, 3)),
    (lambda t, x: t.std(x, 1, correction=2), (2, 3)),
    (lambda t, x: x.std(0, unbiased=False, keepdim=True), (2, 3)),
    wrong=(lambda t, x: t.std(x, 2), lambda t, x: t.std(t.tensor([1, 2]))),
)
ops(
    "var_mean",
    (lambda t, x: t.var_mean(x), (2, 3)),
    (lambda t, x: t.var_mean(x, -1, correction=0, keepdim=True), (2, 3)),
    wrong=(lambda t, x: t.var_mean(x, 2),),
)
for _name in ("amax", "amin"):
    ops(
        _name,
        (lambda t, x, f=_name: getattr(t, f)(x, 1), (2, 3)),
        (lambda t, x, f=_name: getattr(t, f)(x, (0, 1), keepdim=True), (2, 3, 2)),
        (lambda t, x, f=_name: getattr(t, f)(x, 1), TIES),
        (lambda t, x, f=_name: getattr(t, f)(x), [1.0, NAN, 2.0]),
        wrong=(
            lambda t, x, f=_name: getattr(t, f)(x, 2),
            lambda t, x, f=_name: getattr(t, f)(t.zeros(0)),
            lambda t, x, f=_name: getattr(t, f)(t.zeros(2, 0), 1),
        ),
    )
for _name in ("max", "min"):
    ops(
        _name,
        (lambda t, x, f=_name: getattr(t, f)(x), (2, 3)),
        (lambda t, x, f=_name: getattr(t, f)(x, 1, keepdim=True), (2, 3)),
        (lambda t, x, f=_name: getattr(t, f)(x), TIES),
        (lambda t, x, f=_name: tuple(getattr(t, f)(x, 0)), TIES),
        (lambda t, x, y, f=_name: getattr(t, f)(x, y), (2, 3), (3,)),
        (lambda t, x, f=_name: getattr(t, f)(x, dim=-1).indices, [[3, 1, 3], [2, 5, 5]]),
        (lambda t, x, f=_name: getattr(t, f)(x, 0), [1.0, NAN, 2.0]),
        wrong=(
            lambda t, x, f=_name: getattr(t, f)(x, 2),
            lambda t, x, f=_name: getattr(t, f)(t.zeros(0)),
            lambda t, x, f=_name: getattr(t, f)(t.zeros(0, 2), 0),
        ),
    )
for _name in ("argmax", "argmin"):
    ops(
        _name,
        (lambda t, x, f=_name: getattr(t, f)(x), (2, 3)),
        (lambda t, x, f=_name: getattr(t, f)(x, 1, keepdim=True), TIES),
        (lambda t, x, f=_name: getattr(t, f)(x, dim=0), [[3, 1], [3, 0]]),
        (lambda t, x, f=_name: getattr(t, f)(x), [1.0, NAN, 2.0]),
        wrong=(lambda t, x, f=_name: getattr(t, f)(x, 2), lambda t, x, f=_name: getattr(t, f)(t.zeros(0))),
        untold=("bool",),
    )
ops(
    "all",
    (lambda t, x: t.all(x), [[True, True], [True, False]]),
    (lambda t, x: t.all(x, 1, keepdim=True), [[1.0, 2.0], [0.0, 3.0]]),
    (lambda t, x: t.all(x > 5), (0, 2)),
    wrong=(lambda t, x: t.all(x, 2),),
)
ops(
    "any",
    (lambda t, x: t.any(x), [[False, True], [False, False]]),
    (lambda t, x: t.any(x, 1, keepdim=True), [[0.0, 2.0], [0.0, 0.0]]),
    (lambda t, x: t.any(x > 5), (0, 2)),
    wrong=(lambda t, x: t.any(x, 2),),
)
ops(
    "logsumexp",
    (lambda t, x: t.logsumexp(x, 1), (2, 3)),
    (lambda t, x: t.logsumexp(x, (0, 1), keepdim=True), (2, 3)),
    (lambda t, x: t.logsumexp(x, 0), [1000.0, 1000.0, -1000.0]),
    (lambda t, x: t.logsumexp(x, 0), [-float("inf"), -float("inf")]),
    wrong=(lambda t, x: t.logsumexp(x), lambda t, x: t.logsumexp(x, 2)),
)
ops(
    "norm",
    (lambda t, x: t.norm(x), (2, 3)),
    (lambda t, x: t.norm(x, 1, dim=1), (2, 3)),
    (lambda t, x: x.norm(p=3, dim=0, keepdim=True), (2, 3)),
    (lambda t, x: x.norm(float("inf")), (2, 3)),
    (lambda t, x: x.norm("fro", dim=(0, 1)), (2, 3)),
    (lambda t, x: t.norm(x, dim=1), [[0.0, 0.0], [3.0, 4.0]]),
    wrong=(lambda t, x: t.norm(x, 2, 2), lambda t, x: t.norm(t.tensor([3, 4]))),
)
ops(
    "linalg.vector_norm",
    (lambda t, x: t.linalg.vector_norm(x), (2, 3)),
    (lambda t, x: t.linalg.vector_norm(x, 3, dim=1, keepdim=True), (2, 3)),
    (lambda t, x: t.linalg.vector_norm(x.detach(), 0), [[0.0, 2.0], [1.0, 0.0]]),
    (lambda t, x: t.linalg.vector_norm(x, -float("inf"), dim=0), (2, 3)),
    wrong=(lambda t, x: t.linalg.vector_norm(x, dim=2), lambda t, x: t.linalg.vector_norm(t.tensor([3, 4]))),
)
ops(
    "trace",
    (lambda t, x: t.trace(x), (2, 3)),
    (lambda t, x: t.trace(x), [[1, 2], [3, 4]]),
    wrong=(lambda t, x: t.trace(x[0]),),
    untold=("bool",),
)

# Running sums.
ops(
    "cumsum",
    (lambda t, x: t.cumsum(x, 1), (2, 3)),
    (lambda t, x: t.cumsum(x, dim=0, dtype=t.float32), [[1, 2], [3, 4]]),
    (lambda t, x: x.cumsum(-1), [[True, True], [False, True]]),
    wrong=(lambda t, x: t.cumsum(x), lambda t, x: t.cumsum(x, 2)),
)
ops(
    "cumprod",
    (lambda t, x: t.cumprod(x, 1), (2, 3)),
    (lambda t, x: t.cumprod(x, dim=0), [[0.0, 2.0], [3.0, 0.0], [4.0, 5.0]]),
    wrong=(lambda t, x: t.cumprod(x), lambda t, x: t.cumprod(x, 2)),
)

# Orders.
ops(
    "topk",
    (lambda t, x: t.topk(x, 2), (2, 3)),
    (lambda t, x: x.topk(1, dim=0, largest=False), (2, 3)),
    (lambda t, x: tuple(t.topk(x, 2)), [3, 1, 4, 1, 5]),
    wrong=(lambda t, x: t.topk(x, 4), lambda t, x: t.topk(x, 1, 2), lambda t, x: t.topk(x, -1)),
    untold=("bool",),
)
ops(
    "sort",
    (lambda t, x: t.sort(x), (2, 3)),
    (lambda t, x: x.sort(0, descending=True), (2, 3)),
    (lambda t, x: t.sort(x, stable=True), [2, 1, 2, 1]),
    (lambda t, x: t.sort(x, stable=True, descending=True).indices, [2, 1, 2, 1]),
    (lambda t, x: t.sort(x).values, [2.0, NAN, 1.0]),
    wrong=(lambda t, x: t.sort(x, 2),),
)
ops(
    "argsort",
    (lambda t, x: t.argsort(x), (2, 3)),
    (lambda t, x: x.argsort(dim=0, descending=True), (2, 3)),
    (lambda t, x: t.argsort(x, stable=True), [2, 1, 2, 1]),
    wrong=(lambda t, x: t.argsort(x, 2),),
)
ops(
    "unique",
    (lambda t, x: t.unique(x), [3, 1, 3, 2]),
    (lambda t, x: t.unique(x.detach(), return_inverse=True, return_counts=True), [[3.0, 1.0], [3.0, 2.0]]),
    (lambda t, x: t.unique(x, dim=0), [[1, 2], [0, 1], [1, 2]]),
    wrong=(lambda t, x: t.unique(x, dim=2),),
)
