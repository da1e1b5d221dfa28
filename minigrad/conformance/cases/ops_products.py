"""Indexing and products of matrices."""

from minigrad.conformance.cases.ops import ops

# Indexing.
ops(
    "__getitem__",
    (lambda t, x: x[1], (2, 3)),
    (lambda t, x: x.__getitem__((..., slice(0, None, 2))), (2, 3)),
    (lambda t, x, i: x[i], (2, 3), [1, 0, 1]),
    (lambda t, x: x[x > 0], (2, 3)),
    (lambda t, x: x[:, None, [0, 2]], (2, 3)),
    (lambda t, x, i: x[i, :, i], (2, 3, 2), [[0, 1], [1, 1]]),
    (lambda t, x: x[-1:, -2], (2, 3)),
    wrong=(
        lambda t, x: x[2],
        lambda t, x: x[0, 0, 0],
        lambda t, x: x[t.tensor([5])],
        lambda t, x: x[x[:1] > 0],
        lambda t, x: x[0.5],
        lambda t, x: x[::-1],
        lambda t, x: x[x],
        lambda t, x: x["a"],
    ),
)
ops(
    "gather",
    (lambda t, x, i: t.gather(x, 1, i), (2, 3), [[0, 2], [1, 1]]),
    (lambda t, x, i: x.gather(0, i), (2, 3), [[1, 0, 1]]),
    (lambda t, x: x.gather(0, t.zeros(2, 0, dtype=t.int64)), (3,)),
    wrong=(
        lambda t, x: x.gather(1, t.tensor([[3]])),
        lambda t, x: x.gather(1, t.tensor([0])),
        lambda t, x: x.gather(1, t.tensor([[0.0]])),
        lambda t, x: x.gather(2, t.tensor([[0]])),
    ),
)
ops(
    "scatter",
    (lambda t, x, s, i: t.scatter(x, 1, i, s), (2, 3), (2, 2), [[0, 2], [1, 0]]),
    (lambda t, x, i: x.scatter(0, i, 5.0), (2, 3), [[1, 0, 1]]),
    (lambda t, x, s, i: x.scatter(1, i, s, reduce="add").detach(), (2, 3), (2, 2), [[0, 2], [1, 0]]),
    wrong=(
        lambda t, x: x.scatter(1, t.tensor([[3]]), 1.0),
        lambda t, x: x.scatter(1, t.tensor([[0]]), t.ones(1, 1, dtype=t.float64)),
        lambda t, x: x.scatter(1, t.tensor([0]), x),
        lambda t, x: x.scatter(1, t.tensor([[0]]), 1.0, reduce="no"),
    ),
)
ops(
    "scatter_add",
    (lambda t, x, s, i: t.scatter_add(x, 1, i, s), (2, 3), (2, 3), [[0, 0, 0], [1, 1, 2]]),
    wrong=(lambda t, x: x.scatter_add(1, t.tensor([[3]]), x), lambda t, x: x.scatter_add(1, t.tensor([[0]]), 1.0)),
)
for _how in ("sum", "prod", "mean", "amax", "amin"):
    ops(
        "scatter_reduce",
        (lambda t, x, s, i, how=_how: t.scatter_reduce(x, 1, i, s, how), (2, 3), (2, 3), [[0, 0, 1], [1, 1, 1]]),
        (
            lambda t, x, s, i, how=_how: x.scatter_reduce(1, i, s, reduce=how, include_self=False),
            (2, 3), (2, 3), [[0, 0, 1], [1, 1, 1]],
        ),
        (lambda t, x, s, how=_how: x.scatter_reduce(0, t.tensor(0), s, how), (), ()),
        wrong=(lambda t, x: x.scatter_reduce(1, t.tensor([[0]]), x, "no"),),
        untold=("bool",),
        called=f"scatter_reduce {_how}",
    )  # fmt: skip
ops(
    "index_select",
    (lambda t, x, i: t.index_select(x, 1, i), (2, 3), [2, 0, 2]),
    (lambda t, x, i: x.index_select(0, i), (2, 3), [1]),
    wrong=(
        lambda t, x: x.index_select(0, t.tensor([2])),
        lambda t, x: x.index_select(0, t.tensor([[0]])),
        lambda t, x: x.index_select(0, t.tensor([0.0])),
        lambda t, x: x.index_select(2, t.tensor([0])),
    ),
)
ops(
    "index_add",
    (lambda t, x, s, i: t.index_add(x, 1, i, s, alpha=2), (2, 3), (2, 3), [2, 0, 2]),
    wrong=(lambda t, x: x.index_add(1, t.tensor([0]), x), lambda t, x: x.index_add(1, t.tensor([3]), x[:, :1])),
)
ops(
    "index_put",
    (lambda t, x, v, i: t.index_put(x, (i,), v), (3, 2), (2, 2), [2, 0]),
    (lambda t, x, v, i: x.index_put((i, i), v, accumulate=True), (3, 3), (2,), [1, 1]),
    wrong=(lambda t, x: x.index_put((t.tensor([2]),), x[0]), lambda t, x: x.index_put((t.tensor([0]),), t.ones(5))),
)
ops(
    "masked_fill",
    (lambda t, x: t.masked_fill(x, x > 0, -1.5), (2, 3)),
    (lambda t, x, v: x.masked_fill(t.tensor([True, False, True]), v), (2, 3), 2.5),
    wrong=(
        lambda t, x: x.masked_fill(x, 0),
        lambda t, x: x.masked_fill(x > 0, x),
        lambda t, x: x.masked_fill(t.ones(5) > 0, 0),
    ),
)
ops(
    "masked_select",
    (lambda t, x: t.masked_select(x, x > 0), (2, 3)),
    (lambda t, x, m: x.masked_select(m), (2, 3), [[True], [False]]),
    wrong=(lambda t, x: x.masked_select(x), lambda t, x: x.masked_select(t.ones(5) > 0)),
)
ops(
    "take_along_dim",
    (lambda t, x, i: t.take_along_dim(x, i, dim=1), (2, 3), [[0, 2], [1, 1]]),
    (lambda t, x, i: x.take_along_dim(i), (2, 3), [5, 0]),
    (lambda t, x, i: x.take_along_dim(i, 0), (2, 3), [[-1, 0, -2]]),
    wrong=(lambda t, x: x.take_along_dim(t.tensor([0]), 1), lambda t, x: x.take_along_dim(t.tensor([[0.0]]), 1)),
)
ops(
    "nonzero",
    (lambda t, x: t.nonzero(x), [[0.0, 2.0], [1.0, 0.0]]),
    (lambda t, x: x.nonzero(as_tuple=True), [True, False, True]),
    (lambda t, x: x.nonzero(), 3),
    wrong=(lambda t, x: t.nonzero(2),),
)

# Products.
ops(
    "matmul",
    (lambda t, x, y: t.matmul(x, y), (2, 3), (3, 2)),
    (lambda t, x, y: x @ y, (2, 1, 2, 3), (2, 3, 1)),
    (lambda t, x, y: x @ y, (3,), (2, 3, 2)),
    (lambda t, x, y: x @ y, (2, 3), (3,)),
    (lambda t, x, y: x @ y, (3,), (3,)),
    (lambda t, x, y: x @ y, [[1, 2]], [[3], [4]]),
    wrong=(lambda t, x: x @ x, lambda t, x: x @ t.tensor(2.0), lambda t, x: x @ x.t().double(), lambda t, x: x @ 2),
    untold=("bool",),
)
ops(
    "mm",
    (lambda t, x, y: t.mm(x, y), (2, 3), (3, 2)),
    wrong=(lambda t, x: t.mm(x, x), lambda t, x: t.mm(x, x[0]), lambda t, x: t.mm(x, x.t().double())),
    untold=("bool",),
)
ops(
    "bmm",
    (lambda t, x, y: t.bmm(x, y), (2, 2, 3), (2, 3, 1)),
    wrong=(lambda t, x: t.bmm(x, x), lambda t, x: t.bmm(t.ones(2, 1, 2), t.ones(1, 2, 1))),
    untold=("bool",),
)
ops(
    "mv",
    (lambda t, x, y: t.mv(x, y), (2, 3), (3,)),
    wrong=(lambda t, x: t.mv(x, x), lambda t, x: t.mv(x, x[:, 0])),
    untold=("bool",),
)
ops(
    "dot",
    (lambda t, x, y: t.dot(x, y), (3,), (3,)),
    wrong=(lambda t, x: t.dot(x, x), lambda t, x: t.dot(x[0], x[0, :2])),
    untold=("bool",),
)
ops(
    "inner",
    (lambda t, x, y: t.inner(x, y), (2, 3), (2, 3)),
    wrong=(lambda t, x: t.inner(x, x[0, :2]),),
    untold=("bool",),
)
ops("outer", (lambda t, x, y: t.outer(x, y), (2,), (3,)), wrong=(lambda t, x: t.outer(x, x[0]),))
ops(
    "addmm",
    (lambda t, b, x, y: t.addmm(b, x, y, beta=3, alpha=2), (2,), (2, 3), (3, 2)),
    wrong=(lambda t, x: t.addmm(x, x, x), lambda t, x: t.addmm(t.ones(5), x, x.t())),
    untold=("bool",),
)
ops(
    "addmv",
    (lambda t, b, x, y: t.addmv(b, x, y, beta=3, alpha=2), (2,), (2, 3), (3,)),
    wrong=(lambda t, x: t.addmv(x[0], x, x[0]),),
    untold=("bool",),
)
ops(
    "baddbmm",
    (lambda t, b, x, y: t.baddbmm(b, x, y, beta=3, alpha=2), (2, 2, 1), (2, 2, 3), (2, 3, 1)),
    wrong=(lambda t, x: t.baddbmm(t.ones(2, 1, 1), t.ones(2, 1, 2), t.ones(2, 1, 2)),),
    untold=("bool",),
)
ops(
    "einsum",
    (lambda t, x, y: t.einsum("ij,jk->ik", x, y), (2, 3), (3, 2)),
    (lambda t, x, y: t.einsum("bij,bkj->bik", x, y), (2, 2, 3), (2, 1, 3)),
    (lambda t, x: t.einsum("ii->i", x), (3, 3)),
    (lambda t, x, y: t.einsum("...i,i", x, y), (2, 3), (3,)),
    wrong=(
        lambda t, x: t.einsum("ij,jk", x, x),
        lambda t, x: t.einsum("ijk->i", x),
        lambda t, x: t.einsum("ij->k", x),
        lambda t, x: t.einsum("i1", x),
    ),
    untold=("bool",),
)
ops(
    "tensordot",
    (lambda t, x, y: t.tensordot(x, y, dims=1), (2, 3), (3, 2)),
    (lambda t, x, y: t.tensordot(x, y, dims=([0, 1], [1, 0])), (2, 3), (3, 2)),
    (lambda t, x, y: t.tensordot(x, y, dims=([0], [1])), (1, 2), (3, 2)),
    wrong=(lambda t, x: t.tensordot(x, x, dims=1), lambda t, x: t.tensordot(x, x, dims=3)),
    untold=("bool",),
)
ops(
    "linalg.norm",
    (lambda t, x: t.linalg.norm(x), (2, 3)),
    (lambda t, x: t.linalg.norm(x, 1), (2, 3)),
    (lambda t, x: t.linalg.norm(x, float("inf"), dim=(0, 1), keepdim=True), (2, 3)),
    (lambda t, x: t.linalg.norm(x, 3, dim=0), (2, 3)),
    (lambda t, x: t.linalg.norm(x, "fro"), (2, 3)),
    wrong=(
        lambda t, x: t.linalg.norm(x, "no"),
        lambda t, x: t.linalg.norm(x, dim=2),
        lambda t, x: t.linalg.norm(t.tensor([3, 4])),
    ),
)
ops(
    "linalg.inv",
    (lambda t, x: t.linalg.inv(x + 4 * t.eye(3, dtype=x.dtype)), (2, 3, 3)),
    wrong=(lambda t, x: t.linalg.inv(x), lambda t, x: t.linalg.inv(t.zeros(2, 2)), lambda t, x: t.linalg.inv(x[0])),
)
ops(
    "linalg.det",
    (lambda t, x: t.linalg.det(x + 4 * t.eye(3, dtype=x.dtype)), (2, 3, 3)),
    (lambda t, x: t.linalg.det(x), [[1.0, 2.0], [2.0, 4.5]]),
    wrong=(lambda t, x: t.linalg.det(x),),
)
ops(
    "linalg.solve",
    (lambda t, a, b: t.linalg.solve(a + 4 * t.eye(3, dtype=a.dtype), b), (3, 3), (3, 2)),
    (lambda t, a, b: t.linalg.solve(a + 4 * t.eye(3, dtype=a.dtype), b), (3, 3), (3,)),
    wrong=(lambda t, x: t.linalg.solve(x, x), lambda t, x: t.linalg.solve(t.zeros(2, 2), t.ones(2))),
)
