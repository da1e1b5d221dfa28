"""Habits of published programs: how they call functions, save whole objects, and hand data over."""

import io
import pickle
from collections import deque

import numpy as np
from programs.common import error_of


def _through(m, obj, **options):
    file = io.BytesIO()
    m.save(obj, file)
    file.seek(0)
    return m.load(file, **options)


CASES = {
    "out of add": lambda m: _out(m, m.zeros(2), lambda out: m.add(m.ones(2), 1, out=out)),
    "out of matmul": lambda m: _out(m, m.zeros(2, 2), lambda out: m.matmul(m.ones(2, 3), m.ones(3, 2), out=out)),
    "out of another dtype": lambda m: _out(m, m.zeros(2).double(), lambda out: m.mul(m.ones(2), 3, out=out)),
    "out too narrow": lambda m: m.add(m.ones(2), 1, out=m.zeros(2, dtype=m.int64)),
    "out of no elements": lambda m: _out(m, m.empty(0), lambda out: m.exp(m.zeros(2, 2), out=out)),
    "out of max": lambda m: list(
        m.max(m.tensor([[1.0, 5.0], [7.0, 2.0]]), 1, out=(m.empty(0), m.empty(0, dtype=m.long)))
    ),
    "out under grad": lambda m: m.add(m.ones(2, requires_grad=True), 1, out=m.zeros(2)),
    "out that wants a gradient": lambda m: m.add(m.ones(2), 1, out=m.zeros(2, requires_grad=True)),
    "out is no tensor": lambda m: m.add(m.ones(2), 1, out=[1, 2]),
    "out of arange": lambda m: m.arange(0, 4, out=m.LongTensor(4)),
    "out of zeros": lambda m: _out(m, m.ones(2), lambda out: m.zeros(2, out=out)),
    "out of cat": lambda m: _out(m, m.zeros(4), lambda out: m.cat([m.ones(2), m.ones(2)], out=out)),
    "input by name": lambda m: [
        m.sum(input=m.ones(2, 2), dim=1),
        m.add(input=m.ones(2), other=2, alpha=3),
        m.softmax(input=m.zeros(2), dim=0),
        m.argmax(input=m.tensor([1, 3, 2])),
        m.cat(tensors=[m.ones(1), m.zeros(1)], dim=0),
    ],
    "size by name": lambda m: [m.zeros(size=(2, 1)), m.ones(size=[2]), m.empty(size=(0, 2))],
    "deques": lambda m: [m.tensor(deque([1.5, 2.0])), m.tensor([deque([1, 2]), (3, 4)])],
    "memory maps": lambda m: [m.from_numpy(_memmap()), m.from_numpy(_memmap()[1:3].astype(np.int64)) * 2],
    "bools are not subtracted": lambda m: [
        _error(m, lambda b: 1 - b),
        _error(m, lambda b: b - 1),
        _error(m, lambda b: b - b),
        _error(m, lambda b: m.tensor([1, 2]) - b),
        _error(m, lambda b: m.tensor([1.0, 2.0]) - b),
        _error(m, lambda b: m.tensor(1) - True),
        _error(m, lambda b: m.rsub(b, 1)),
        _error(m, lambda b: -b),
    ],
    "bools are not numbers": lambda m: [
        _error(m, lambda b, name=name: getattr(b, name)())
        for name in (
            "abs",
            "floor",
            "ceil",
            "round",
            "trunc",
            "relu",
            "argmax",
            "argmin",
            "median",
            "mean",
            "std",
            "sign",
            "sqrt",
            "square",
            "exp",
        )
    ],
    "bools are not ranked or multiplied": lambda m: [
        _error(m, lambda b: b.topk(1)),
        _error(m, lambda b: b @ b),
        _error(m, lambda b: b.dot(b)),
        _error(m, lambda b: b.reshape(1, 2) @ b.reshape(2, 1)),
        _error(m, lambda b: b**b),
        _error(m, lambda b: b // b),
    ],
    "powers of bools": lambda m: [m.tensor([True, False]) ** True, m.tensor([True, False]) ** 2],
    "lists and arrays are not assigned": lambda m: [
        error_of(lambda value=value: m.zeros(2, 2).__setitem__(0, value))
        for value in ([1, 2], (1, 2), np.array([1.0, 2.0]), None, "a", np.float32(3), np.bool_(True))
    ],
    "numbers are assigned": lambda m: [
        _with(m.zeros(2), lambda x, value=value: x.__setitem__(0, value))
        for value in (1, 2.5, True, np.float64(3), np.int64(4), np.int32(5), m.tensor(6), m.tensor([7.0]))
    ],
    "numbers that do not fit": lambda m: error_of(lambda: m.zeros(2, dtype=m.uint8).__setitem__(0, 300)),
    "NumPy's numbers fill": lambda m: [m.zeros(2).fill_(np.float32(3)), m.zeros(2).fill_(np.int64(4))],
    "tensors that fill": lambda m: [m.zeros(2).fill_(m.tensor(2)), error_of(lambda: m.zeros(2).fill_(m.ones(1)))],
    "expanded tensors are filled": lambda m: [
        _expanded(m, lambda e: e.fill_(1)),
        _expanded(m, lambda e: e.fill_(2).zero_()),
        _expanded(m, lambda e: e.__setitem__(0, 1)),
        _expanded(m, lambda e: e.__setitem__(0, m.ones(3))),
        _expanded(m, lambda e: e.__setitem__(e == 0, 1)),
        _expanded(m, lambda e: e.__setitem__([0, 1], 1)),
    ],
    "expanded tensors are not computed upon": lambda m: [
        error_of(lambda call=call: _expanded(m, call))
        for call in (
            lambda e: e.add_(1),
            lambda e: e.mul_(2),
            lambda e: e.__setitem__(slice(None), 1),
            lambda e: e.normal_(),
            lambda e: e.copy_(m.ones(2, 3)),
            lambda e: e.__setitem__((slice(None), 0), m.ones(2)),
        )
    ],
    "lists of lists index as tuples": lambda m: [
        m.arange(24).reshape(2, 3, 4)[index]
        for index in (
            [[0, 1], [1, 0]],
            [[0, 1], [1, 0], [2, 2]],
            [slice(0, 1), 0],
            [m.tensor([0]), m.tensor([1])],
            [[]],
            [0, 1],
            [True, False],
            [Ellipsis, 0],
            [None, 1],
        )
    ],
    "two ellipses": lambda m: [
        m.arange(24).reshape(2, 3, 4)[..., 0, ...],
        m.arange(24).reshape(2, 3, 4)[..., ...],
        m.arange(24).reshape(2, 3, 4)[0, ..., ...],
        error_of(lambda: m.arange(24).reshape(2, 3, 4)[..., 0, ..., 0]),
    ],
}


def _error(m, call):
    return error_of(lambda: call(m.tensor([True, False])))


def _with(x, change):
    change(x)
    return x


def _expanded(m, change):
    x = m.zeros(3)
    change(x.expand(2, 3))
    return x


def _out(m, out, call):
    returned = call(out)
    return [returned is out, out]


def _memmap():
    import tempfile

    with tempfile.TemporaryFile() as file:
        np.arange(4, dtype=np.int32).tofile(file)
        file.flush()
        return np.memmap(file, dtype=np.int32, mode="r+", shape=(4,))


def embeddings_of_limited_norm(m):
    found = []
    for norm, kind in ((1.0, 2.0), (0.5, 1.0), (0.7, float("inf"))):
        weight = (m.arange(12.0).reshape(4, 3) - 2) / 5
        table = m.nn.Embedding(4, 3, padding_idx=0, max_norm=norm, norm_type=kind, _weight=weight)
        y = table(m.tensor([[0, 3], [3, 1]]))
        (y * y.detach().cos()).sum().backward()
        found += [repr(table), y, table.weight, table.weight.grad]
    bag = m.nn.EmbeddingBag.from_pretrained((m.arange(12.0).reshape(4, 3) - 2) / 5, max_norm=1.0, mode="sum")
    return [*found, repr(bag), bag(m.tensor([[0, 3], [3, 1]])), bag.weight]


def whole_modules_are_saved(m):
    m.manual_seed(0)
    net = m.nn.Sequential(m.nn.Linear(3, 2), m.nn.ReLU(), m.nn.Dropout(), m.nn.BatchNorm1d(2)).eval()
    again = _through(m, net, weights_only=False)
    x = m.arange(6.0).reshape(2, 3)
    same = [bool((p == q).all()) for p, q in zip(net.parameters(), again.parameters(), strict=True)]
    requires = [type(p).__name__ + str(p.requires_grad) for p in again.parameters()]
    return [repr(again) == repr(net), again.training, same, requires, bool((again(x) == net(x)).all())]


def whole_objects_are_loaded_on_request_alone(m):
    file = io.BytesIO()
    m.save(m.nn.Linear(1, 1), file)
    found = []
    for options in ({}, {"weights_only": True}):
        file.seek(0)
        try:
            m.load(file, **options)
        except pickle.UnpicklingError:
            found.append(options)
    return found


def what_pickle_cannot_write(m):
    return error_of(lambda: _through(m, {"a": lambda: 1}))


def words_of_errors(m):
    """Programs catch errors and print them: what PyTorch says, word for word."""

    def said(call):
        try:
            call()
        except (RuntimeError, IndexError) as error:
            return str(error)
        return "nothing"

    leaf, functional = m.ones(2, requires_grad=True), m.nn.functional
    product = (leaf * leaf).sum()
    product.backward()
    return [
        said(call)
        for call in (
            lambda: m.ones(2, 3) @ m.ones(2, 3),
            lambda: m.nn.Linear(3, 4)(m.ones(2, 5)),
            lambda: m.ones(2) + m.ones(3),
            lambda: m.ones(2, 3).view(4, 2),
            lambda: m.ones(2)[5],
            lambda: m.cat([m.ones(2, 2), m.ones(3, 3)]),
            lambda: functional.cross_entropy(m.ones(2, 3), m.tensor([0, 5])),
            lambda: m.ones(2).backward(),
            lambda: leaf.mul(2).backward(),
            lambda: product.backward(),
            lambda: leaf.add_(1),
            lambda: leaf[0].add_(1),
            lambda: leaf.numpy(),
            lambda: m.tensor([1, 2]).mean(),
            lambda: m.ones(3).item(),
            lambda: m.nn.Embedding(3, 2)(m.tensor([3])),
            lambda: bool(m.ones(3)),
            lambda: functional.softmax(m.ones(2), 5),
            lambda: m.stack([m.ones(2), m.ones(3)]),
            lambda: functional.binary_cross_entropy(m.tensor([1.5]), m.tensor([1.0])),
        )
    ]


def states_from_before_batch_norm_counted(m):
    net = m.nn.Sequential(m.nn.Linear(2, 2), m.nn.BatchNorm1d(2))
    old = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    return [str(net.load_state_dict(old)), error_of(lambda: net.load_state_dict({"0.bias": m.ones(2)}))]


def limits_of_types(m):
    found = [m.finfo(d) for d in (m.float16, m.bfloat16, m.float32, m.float64)]
    return [repr(limits) for limits in (*found, m.iinfo(m.int8), m.iinfo(m.int64))] + [found[2].resolution]


def graphs_are_walked_by_hand(m):
    x = m.ones(2, requires_grad=True)
    y = x * 2 + x.exp()
    functions = y.grad_fn.next_functions
    return [len(functions), [n for _, n in functions], len(functions[0][0].next_functions)]
