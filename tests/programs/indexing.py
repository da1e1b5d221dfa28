"""Programs that read and write by index: one table of indices, used for values, gradients and writes."""

from typing import Any

import numpy as np
from programs.common import error_of, tell

_ = slice(None)

# name: (shape of the tensor, index)
INDICES: dict[str, Any] = {
    "int": ((3, 4), lambda m: 1),
    "negative int": ((3, 4), lambda m: -1),
    "two ints": ((3, 4), lambda m: (1, 2)),
    "all ints": ((3, 4, 2), lambda m: (1, -2, 0)),
    "numpy int": ((3, 4), lambda m: np.int64(2)),
    "slice": ((5, 2), lambda m: slice(1, 4)),
    "slice with a step": ((5, 2), lambda m: slice(None, None, 2)),
    "slice from behind": ((5, 2), lambda m: slice(-2, None)),
    "empty slice": ((5, 2), lambda m: slice(3, 1)),
    "slice beyond": ((5, 2), lambda m: slice(2, 100)),
    "slice by a tensor": ((5, 2), lambda m: slice(m.tensor(1), m.tensor(3))),
    "slices": ((4, 5), lambda m: (slice(1, 3), slice(None, None, 2))),
    "slice and int": ((4, 5), lambda m: (_, 2)),
    "ellipsis": ((2, 3, 4), lambda m: ...),
    "ellipsis int": ((2, 3, 4), lambda m: (..., 1)),
    "int ellipsis": ((2, 3, 4), lambda m: (1, ...)),
    "int ellipsis slice": ((2, 3, 4, 2), lambda m: (1, ..., slice(0, 1))),
    "ellipsis for nothing": ((2, 3), lambda m: (0, ..., 1)),
    "None": ((2, 3), lambda m: None),
    "None slice": ((2, 3), lambda m: (None, _)),
    "slice None slice": ((2, 3), lambda m: (_, None, _)),
    "ellipsis None": ((2, 3), lambda m: (..., None)),
    "None None int": ((2, 3), lambda m: (None, None, 1)),
    "int None": ((2, 3), lambda m: (1, None)),
    "empty tuple": ((2, 3), lambda m: ()),
    "empty tuple of 0-d": ((), lambda m: ()),
    "ellipsis of 0-d": ((), lambda m: ...),
    "None of 0-d": ((), lambda m: None),
    "list": ((4, 3), lambda m: [0, 2]),
    "list with repeats": ((4, 3), lambda m: [1, 1, 0]),
    "negative list": ((4, 3), lambda m: [-1, 0]),
    "empty list": ((4, 3), lambda m: []),
    "list of bools": ((4, 3), lambda m: [True, False, True, False]),
    "range": ((4, 3), lambda m: range(1, 3)),
    "range and labels": ((3, 4), lambda m: (range(3), m.tensor([0, 3, 1]))),
    "lists on two axes": ((3, 4), lambda m: ([0, 2], [1, 3])),
    "int tensor": ((4, 3), lambda m: m.tensor([3, 0])),
    "int32 tensor": ((4, 3), lambda m: m.tensor([3, 0], dtype=m.int32)),
    "2-d int tensor": ((4, 3), lambda m: m.tensor([[3, 0], [1, 1]])),
    "0-d int tensor": ((4, 3), lambda m: m.tensor(2)),
    "empty int tensor": ((4, 3), lambda m: m.zeros(0, dtype=m.int64)),
    "two tensors": ((3, 4), lambda m: (m.tensor([0, 2]), m.tensor([1, 3]))),
    "two tensors that broadcast": ((3, 4), lambda m: (m.tensor([[0], [2]]), m.tensor([1, 3]))),
    "tensor then slice": ((3, 4), lambda m: (m.tensor([0, 2]), slice(1, 3))),
    "slice then tensor": ((3, 4), lambda m: (slice(1, 3), m.tensor([0, 2]))),
    "tensor and 0-d tensor": ((3, 4), lambda m: (m.tensor([0, 2]), m.tensor(1))),
    "tensor and int": ((3, 4), lambda m: (m.tensor([0, 2]), 1)),
    "int and tensor": ((3, 4), lambda m: (1, m.tensor([0, 2]))),
    "slice int tensor": ((2, 3, 4), lambda m: (_, 1, m.tensor([0, 2]))),
    "int slice tensor": ((2, 3, 4), lambda m: (1, _, m.tensor([0, 2]))),
    "tensor slice tensor": ((3, 2, 4), lambda m: (m.tensor([0, 2]), _, m.tensor([1, 3]))),
    "tensor slice int": ((3, 2, 4), lambda m: (m.tensor([0, 2]), _, 1)),
    "tensor slice 2-d tensor": ((3, 2, 4), lambda m: (m.tensor([0, 2]), _, m.tensor([[1, 3], [0, 0]]))),
    "slice tensor tensor": ((2, 3, 4), lambda m: (_, m.tensor([0, 2]), m.tensor([1, 3]))),
    "slice tensor slice": ((2, 3, 4), lambda m: (_, m.tensor([0, 2]), slice(0, 2))),
    "None tensor": ((3, 4), lambda m: (None, m.tensor([0, 2]))),
    "tensor None tensor": ((3, 4), lambda m: (m.tensor([0, 2]), None, m.tensor([1, 3]))),
    "tensor None": ((3, 4), lambda m: (m.tensor([0, 2]), None)),
    "int None tensor": ((3, 4), lambda m: (1, None, m.tensor([0, 2]))),
    "ellipsis tensor": ((2, 3, 4), lambda m: (..., m.tensor([0, 2]))),
    "tensor ellipsis": ((2, 3, 4), lambda m: (m.tensor([0, 1]), ...)),
    "tensor ellipsis tensor": ((2, 3, 4), lambda m: (m.tensor([0, 1]), ..., m.tensor([3, 0]))),
    "ellipsis two tensors": ((2, 3, 4), lambda m: (..., m.tensor([0, 2]), m.tensor([3, 0]))),
    "numpy array": ((4, 3), lambda m: np.array([0, 3])),
    "numpy mask": ((3,), lambda m: np.array([True, False, True])),
    "mask": ((2, 3), lambda m: m.tensor([[True, False, True], [False, True, False]])),
    "mask of rows": ((3, 2), lambda m: m.tensor([True, False, True])),
    "mask of columns": ((2, 3), lambda m: (_, m.tensor([True, False, True]))),
    "mask of the first two axes": ((2, 2, 3), lambda m: m.tensor([[True, False], [False, True]])),
    "mask and slice": ((2, 2, 3), lambda m: (m.tensor([[True, False], [False, True]]), slice(1, 3))),
    "mask and int": ((3, 4), lambda m: (m.tensor([True, False, True]), 1)),
    "int and mask": ((3, 4), lambda m: (1, m.tensor([True, False, True, False]))),
    "mask and tensor": ((3, 4), lambda m: (m.tensor([True, False, True]), m.tensor([1, 2]))),
    "mask of nothing": ((2, 3), lambda m: m.zeros(2, 3, dtype=m.bool)),
    "ellipsis mask": ((2, 3), lambda m: (..., m.tensor([True, False, True]))),
    "two masks": ((2, 3), lambda m: (m.tensor([True, True]), m.tensor([True, False, True]))),
    "0-d mask true": ((2, 3), lambda m: m.tensor(True)),
    "0-d mask false": ((2, 3), lambda m: m.tensor(False)),
    "True": ((2, 3), lambda m: True),
    "False": ((2, 3), lambda m: False),
    "None with True": ((2, 3), lambda m: (True, 0)),
    "mask of 0-d": ((), lambda m: m.tensor(True)),
    "int tensor on size one": ((1, 3), lambda m: m.tensor([0, 0, 0])),
}

BAD: dict[str, Any] = {
    "int too large": ((3, 4), lambda m: 3),
    "int too small": ((3, 4), lambda m: -4),
    "second int too large": ((3, 4), lambda m: (0, 4)),
    "too many": ((3, 4), lambda m: (0, 0, 0)),
    "too many slices": ((3,), lambda m: (_, _)),
    "int of 0-d": ((), lambda m: 0),
    "slice of 0-d": ((), lambda m: _),
    "tensor too large": ((3, 4), lambda m: m.tensor([0, 3])),
    "tensor too small": ((3, 4), lambda m: m.tensor([0, -4])),
    "list too large": ((3, 4), lambda m: [0, 5]),
    "second tensor too large": ((3, 4), lambda m: (_, m.tensor([4]))),
    "tensors that do not broadcast": ((3, 4), lambda m: (m.tensor([0, 1, 2]), m.tensor([0, 1]))),
    "mask of a wrong shape": ((3, 4), lambda m: m.tensor([True, False])),
    "mask of too many axes": ((3,), lambda m: m.ones(3, 1, dtype=m.bool)),
    "float": ((3, 4), lambda m: 1.5),
    "float tensor": ((3, 4), lambda m: m.tensor([1.0])),
    "string": ((3, 4), lambda m: "a"),
    "negative step": ((3, 4), lambda m: slice(None, None, -1)),
    "zero step": ((3, 4), lambda m: slice(None, None, 0)),
    "int in an empty axis": ((0, 4), lambda m: 0),
    "tensor in an empty axis": ((0, 4), lambda m: m.tensor([0])),
}


def _make(m: Any, shape: tuple, base: float = 0.0) -> Any:
    count = 1
    for n in shape:
        count *= n
    return (m.arange(float(count)) + base).reshape(shape)


def _reading(shape: tuple, index: Any) -> Any:
    def program(m):
        x = _make(m, shape).requires_grad_()
        y = x[index(m)]
        (y * y).sum().backward()
        return [y, x.grad]

    return program


def _writing(shape: tuple, index: Any) -> Any:
    def program(m):
        """A number, a tensor, and one of fewer axes; without and under grad; with -= as well."""
        results = []
        for recorded in (False, True):
            x = _make(m, shape, 1.0)
            x = x.requires_grad_() * 1 if recorded else x
            x[index(m)] = -1.0
            results.append(x.detach().clone())
            part = x.detach()[index(m)]
            x[index(m)] = _make(m, tuple(part.shape), 100.0)
            results.append(x.detach().clone())
            x[index(m)] -= 3.0
            results.append(x.detach().clone())
        return results

    return program


def _writing_gradient(shape: tuple, index: Any) -> Any:
    def program(m):
        x, part = _make(m, shape, 1.0).requires_grad_(), _make(m, shape)[index(m)]
        v = _make(m, tuple(part.shape), 100.0).requires_grad_()
        y = x * 1
        y[index(m)] = v
        (y * _make(m, shape, 1.0)).sum().backward()
        return [y, x.grad, v.grad]

    return program


def _bad_read(shape: tuple, index: Any) -> Any:
    return lambda m: error_of(lambda: _make(m, shape)[index(m)])


def _bad_write(shape: tuple, index: Any) -> Any:
    return lambda m: error_of(lambda: _make(m, shape).__setitem__(index(m), 1.0))


# With an index named twice, which of the values stays is left open by PyTorch.
_REPEATING = {"list with repeats", "int tensor on size one", "2-d int tensor"}

CASES = (
    {f"read {name}": _reading(*row) for name, row in INDICES.items()}
    | {f"write {name}": _writing(*row) for name, row in INDICES.items() if name not in _REPEATING}
    | {
        f"gradient of writing {name}": _writing_gradient(*row)
        for name, row in INDICES.items()
        if name not in _REPEATING | {"False"}
    }
    | {f"bad read {name}": _bad_read(*row) for name, row in BAD.items()}
    | {f"bad write {name}": _bad_write(*row) for name, row in BAD.items()}
)


def views_and_copies(m):
    x = m.arange(12.0).reshape(3, 4)
    reads = [x[1], x[1:], x[..., 1], x[None], x[:, [0, 1]], x[x > 3], x[m.tensor([0])], x[()], x[m.tensor(1)], x[0, 0]]
    first, last = x.data_ptr(), x.data_ptr() + 12 * 4
    return [first <= y.data_ptr() < last for y in reads]


def uint8_mask(m):
    x = m.arange(4.0)
    return [x[m.tensor([1, 0, 1, 0], dtype=m.uint8)]]


def written_values_that_do_not_fit(m):
    x = m.zeros(3, 4)
    return [
        error_of(lambda: x.__setitem__(0, m.ones(3))),
        error_of(lambda: x.__setitem__(slice(0, 2), m.ones(3, 4))),
        error_of(lambda: x.__setitem__(x == 0, m.ones(5))),
        error_of(lambda: x.__setitem__((m.tensor([0, 1]), 0), m.ones(3))),
    ]


def written_values_with_leading_ones(m):
    x = m.zeros(2, 3)
    x[0] = m.ones(1, 3)
    x[1] = m.tensor([[[2.0]]])
    return x


def written_dtypes(m):
    x = m.zeros(3, dtype=m.int64)
    x[0] = 2.7
    x[1] = m.tensor(3.9)
    y = m.zeros(3)
    y[0] = m.tensor(3)
    y[1:] = m.tensor([1, 2])
    z = m.zeros(2, dtype=m.bool)
    z[0] = 3
    return [x, y, z]


def written_numpy_values(m):
    x = m.zeros(3)
    x[0] = np.float64(2.5)
    return x


def top_k_filter(m):
    logits = m.tensor([[1.0, 5.0, 3.0], [2.0, 0.0, 9.0]])
    v, _ = logits.topk(2)
    logits[logits < v[:, [-1]]] = -float("inf")
    return logits


def cross_entropy_by_hand(m):
    p = m.tensor([[0.2, 0.8], [0.6, 0.4]], requires_grad=True)
    y = m.tensor([1, 0])
    loss = -p[range(2), y].log().mean()
    loss.backward()
    return [loss, p.grad]


def embedding_by_hand(m):
    table, ids = m.arange(8.0).reshape(4, 2).requires_grad_(), m.tensor([[0, 3], [3, 3]])
    (table[ids] ** 2).sum().backward()
    return table.grad


def read_of_a_read(m):
    x = m.arange(24.0).reshape(2, 3, 4).requires_grad_()
    (x[1][m.tensor([0, 2])][:, 1:3] ** 2).sum().backward()
    return x.grad


def second_derivative(m):
    x = m.arange(1.0, 5.0).requires_grad_()
    (g,) = m.autograd.grad((x[m.tensor([0, 0, 3])] ** 3).sum(), x, create_graph=True)
    return [g, *m.autograd.grad((g * g).sum(), x)]


def gather_and_scatter(m):
    x = m.arange(12.0).reshape(3, 4).requires_grad_()
    i = m.tensor([[0, 1, 2], [2, 0, 0]])
    y = x.gather(0, i)
    z = m.zeros(3, 4).scatter(0, i, y * 2)
    w = m.zeros(3, 3).scatter_add(1, m.tensor([[0, 0, 1]]), m.ones(1, 3))
    y.pow(2).sum().backward()
    return [y, z.detach(), w, x.grad]


def scatter_reductions(m):
    x, i, src = m.tensor([1.0, 2.0, 3.0]), m.tensor([0, 0, 2, 2]), m.tensor([5.0, 6.0, 0.5, 4.0])
    return [
        x.scatter_reduce(0, i, src, reduce, include_self=own)
        for reduce in ("sum", "prod", "mean", "amax", "amin")
        for own in (True, False)
    ]


def bad_gathers(m):
    x = m.arange(12.0).reshape(3, 4)
    return [
        error_of(lambda: x.gather(0, m.tensor([[3, 0, 0, 0]]))),
        error_of(lambda: x.gather(0, m.tensor([0]))),
        error_of(lambda: x.gather(0, m.tensor([[1.0]]))),
        error_of(lambda: x.gather(2, m.tensor([[1]]))),
        error_of(lambda: x.gather(0, m.zeros(1, 5, dtype=m.int64))),
        error_of(lambda: x.scatter(0, m.tensor([[7]]), m.ones(1, 1))),
        error_of(lambda: x.scatter(0, m.tensor([[1]]), m.ones(1, 1, dtype=m.float64))),
        error_of(lambda: x.scatter(0, m.tensor([[1, 2]]), m.ones(1, 1))),
        error_of(lambda: x.index_select(0, m.tensor([5]))),
        error_of(lambda: x.index_select(0, m.tensor([-1]))),
        error_of(lambda: x.index_select(0, m.tensor([[0]]))),
        error_of(lambda: x.index_select(0, m.tensor([0.0]))),
        error_of(lambda: x.index_add(0, m.tensor([0, 1]), m.ones(1, 4))),
        error_of(lambda: x.masked_fill(m.ones(3, 4), 0.0)),
        error_of(lambda: x.masked_fill(m.ones(2, 4, dtype=m.bool), 0.0)),
        error_of(lambda: x.masked_select(m.ones(3, 4))),
        error_of(lambda: x.narrow(0, 2, 2)),
        error_of(lambda: x.select(0, 3)),
        error_of(lambda: x.split(0)),
        error_of(lambda: x.split([1, 1])),
        error_of(lambda: x.chunk(0)),
    ]


def selections(m):
    x, i = m.arange(12.0).reshape(3, 4), m.tensor([2, 0])
    return [
        x.index_select(0, i),
        x.index_select(1, i),
        x.index_add(0, i, m.ones(2, 4), alpha=2),
        x.index_copy(1, i, -m.ones(3, 2)),
        x.index_fill(1, i, 7),
        x.masked_fill(x > 5, -1),
        x.masked_fill(m.tensor([True, False, False, True]), m.tensor(9.0)),
        x.masked_select(x > 5),
        x.masked_select(m.tensor([[True], [False], [True]])),
        x.nonzero()[:2],
        list((x > 9).nonzero(as_tuple=True)),
        m.where(x > 9),
        x.narrow(1, 1, 2),
        x.select(1, -1),
        x.take_along_dim(m.tensor([[1], [0], [3]]), 1),
        x.take_along_dim(m.tensor([0, 5])),
        list(x.split(2)),
        list(x.split([1, 3], dim=1)),
        list(x.chunk(2, dim=1)),
        list(x.chunk(5, dim=0)),
        list(x.unbind(1)),
        x.repeat_interleave(2, dim=0),
        x.repeat_interleave(m.tensor([1, 0, 2]), dim=0),
        m.tensor([1, 2]).repeat_interleave(2),
        x.diagonal(),
        x.diagonal(1),
        x.diagonal(-1),
        m.tensor([1.0, 2.0]).diag(),
        m.tensor([1.0, 2.0]).diag_embed(1),
        x.unfold(1, 2, 1),
        x.unfold(0, 2, 1),
    ]


def iteration(m):
    x = m.arange(4.0).reshape(2, 2)
    rows = list(x)
    return [rows, tell(rows[0]), error_of(lambda: list(m.tensor(1.0))), [a + b for a, b in x]]
