"""Programs on the Tensor as a Python object: conversion, NumPy, iteration, copying, shape methods and their errors."""

import copy
import io
import math
import pickle

import numpy as np
from programs.common import error_of

CASES = {
    "item": lambda m: [m.tensor(1.5).item(), m.tensor([[3]]).item(), m.tensor(True).item()],
    "item of several": lambda m: m.tensor([1, 2]).item(),
    "item of none": lambda m: m.zeros(0).item(),
    "tolist": lambda m: [
        m.tensor([[1.5], [2.5]]).tolist(),
        m.tensor(3).tolist(),
        m.zeros(0).tolist(),
        m.zeros(2, 0).tolist(),
    ],
    "tolist of bfloat16": lambda m: m.tensor([1.5]).bfloat16().tolist(),
    "int": lambda m: [int(m.tensor(2.9)), int(m.tensor([3])), int(m.tensor(True))],
    "int of several": lambda m: int(m.tensor([1, 2])),
    "float": lambda m: [float(m.tensor(2)), float(m.tensor([2.5]))],
    "float of a leaf": lambda m: float(m.tensor(2.5, requires_grad=True)),
    "bool": lambda m: [bool(m.tensor(0.0)), bool(m.tensor([1])), bool(m.tensor(float("nan")))],
    "bool of several": lambda m: bool(m.tensor([1, 2])),
    "bool of none": lambda m: bool(m.zeros(0)),
    "not": lambda m: not m.tensor(0),
    "index": lambda m: [[10, 20, 30][m.tensor(1)], list(range(m.tensor(3)))],
    "index of a float": lambda m: [10, 20][m.tensor(1.0)],
    "index of several": lambda m: [10, 20][m.tensor([0, 1])],
    "index of a bool": lambda m: [10, 20][m.tensor(True)],
    "len": lambda m: [len(m.zeros(3, 2)), error_of(lambda: len(m.tensor(1)))],
    "in": lambda m: [2 in m.tensor([1, 2]), 5 in m.tensor([1, 2]), 1.5 in m.tensor([[1.5]])],
    "format": lambda m: [
        f"{m.tensor(1.23456):.3f}",
        f"{m.tensor(3):>4}",
        f"{m.tensor(0.25):.0%}",
        f"{m.tensor([1.5])}",
    ],
    "format of several": lambda m: f"{m.tensor([1.0, 2.0]):.3f}",
    "hash": lambda m: len({m.tensor(1), m.tensor(1)}),
    "unequal to None": lambda m: [m.tensor([1]) == None, m.tensor([1]) != None],  # noqa: E711
    "round": lambda m: round(m.tensor(2.5)) if hasattr(m.Tensor, "__round__") else m.tensor(2.0),
    "abs": lambda m: abs(m.tensor([-1.5])),
    "math": lambda m: [math.sqrt(m.tensor(4.0)), math.exp(m.tensor(0))],
    "sum of tensors": lambda m: sum([m.tensor([1.0]), m.tensor([2.0])]),
    "max of tensors": lambda m: max(m.tensor(1.0), m.tensor(3.0)),
    "max of a tensor": lambda m: max(m.tensor([1.0, 3.0, 2.0])),
    "sorted": lambda m: sorted([m.tensor(2), m.tensor(1)]),
    "unpack": lambda m: [x + 1 for x in [*m.tensor([1, 2])]],
    "zip": lambda m: [a * b for a, b in zip(m.tensor([1, 2]), m.tensor([3, 4]), strict=True)],
    "enumerate": lambda m: [i * row.sum() for i, row in enumerate(m.ones(2, 2))],
    "reversed": lambda m: list(reversed(m.tensor([1, 2, 3]))),
    "numpy": lambda m: m.tensor([1.5]).numpy(),
    "numpy of a leaf": lambda m: m.ones(1, requires_grad=True).numpy(),
    "numpy forced": lambda m: m.ones(1, requires_grad=True).numpy(force=True),
    "numpy of a detached leaf": lambda m: m.ones(1, requires_grad=True).detach().numpy(),
    "np.array": lambda m: [
        np.array(m.tensor([1.5])),
        np.asarray(m.tensor([1, 2])),
        np.array(m.tensor([1, 2]), dtype=np.float32),
    ],
    "np.array of a leaf": lambda m: np.array(m.ones(1, requires_grad=True)),
    "np.array of a list of tensors": lambda m: np.array([m.tensor(1.0).item(), 2.0]),
    "np.sqrt": lambda m: np.sqrt(m.tensor([4.0, 9.0])),
    "np.exp of ints": lambda m: np.exp(m.tensor([0, 1])).dtype,
    "np.float64 * tensor": lambda m: np.float64(2) * m.tensor([1.5]),
    "np.float32 + tensor": lambda m: np.float32(2) + m.tensor([1.5]),
    "np.int64 * tensor": lambda m: np.int64(2) * m.tensor([1.5]),
    "tensor * np.float64": lambda m: m.tensor([1.5]) * np.float64(2),
    "tensor * np.float64 of ints": lambda m: m.tensor([1, 2]) * np.float64(2.5),
    "tensor ** np.int64": lambda m: m.tensor([1.5]) ** np.int64(2),
    "tensor == np.float64": lambda m: m.tensor([1.5]) == np.float64(1.5),
    "np.mean": lambda m: np.mean(m.tensor([1.0, 2.0]).numpy()),
    "shape": lambda m: [
        list(m.zeros(2, 3).shape),
        list(m.zeros(2, 3).size()),
        m.zeros(2, 3).size(1),
        m.zeros(2, 3).size(-2),
    ],
    "size of a bad dim": lambda m: m.zeros(2).size(1),
    "dim": lambda m: [m.zeros(2, 3).dim(), m.zeros(2).ndim, m.tensor(1).ndimension()],
    "numel": lambda m: [m.zeros(2, 3).numel(), m.tensor(1).nelement(), m.zeros(0, 3).numel(), m.numel(m.zeros(2))],
    "stride": lambda m: [list(m.zeros(2, 3).stride()), m.zeros(2, 3).stride(0), list(m.zeros(2, 3).t().stride())],
    "stride of expanded": lambda m: list(m.zeros(1, 3).expand(2, 3).stride()),
    "contiguous": lambda m: [
        m.zeros(2, 3).is_contiguous(),
        m.zeros(2, 3).t().is_contiguous(),
        m.zeros(2, 3)[:, 0].is_contiguous(),
    ],
    "element size": lambda m: [m.zeros(2).element_size(), m.zeros(2).itemsize, m.zeros(2, dtype=m.int8).nbytes],
    "kinds": lambda m: [
        m.zeros(1).is_floating_point(),
        m.tensor(1).is_floating_point(),
        m.is_tensor(m.ones(1)),
        m.is_tensor(3),
    ],
    "device": lambda m: [str(m.zeros(1).device), m.zeros(1).is_cuda, m.zeros(1).device.type],
    "cpu": lambda m: m.zeros(1).cpu(),
    "T": lambda m: [list(m.zeros(2, 3).T.shape), list(m.zeros(4, 2, 3).mT.shape)],
    "mT of a vector": lambda m: m.zeros(3).mT,
    "t of 3 dims": lambda m: m.zeros(2, 2, 2).t(),
    "view": lambda m: [
        m.arange(6).view(2, 3),
        m.arange(6).view(-1, 2),
        m.arange(6).view((3, 2)),
        m.arange(4).view(2, 2).view(-1),
    ],
    "view of a transpose": lambda m: m.zeros(2, 3).t().view(6),
    "view of a wrong size": lambda m: m.zeros(2, 3).view(5),
    "view with two -1": lambda m: m.zeros(2, 3).view(-1, -1),
    "view -1 that does not divide": lambda m: m.zeros(2, 3).view(4, -1),
    "view of a slice": lambda m: m.arange(12).view(3, 4)[:, :2].view(3, 2, 1),
    "view of a slice that cannot": lambda m: m.arange(12).view(3, 4)[:, :2].view(6),
    "view as dtype": lambda m: m.tensor([1.0]).view(m.int32),
    "view of nothing": lambda m: list(m.zeros(0, 3).view(3, 0).shape),
    "view of nothing with -1": lambda m: m.zeros(0).view(-1, 0),
    "reshape": lambda m: [
        m.arange(6).reshape(2, -1),
        m.arange(6).reshape(6, 1).reshape((2, 3)),
        m.tensor(3).reshape(1, 1),
    ],
    "reshape of a wrong size": lambda m: m.zeros(2, 3).reshape(7),
    "reshape to 0-d": lambda m: m.zeros(1, 1).reshape(()),
    "permute": lambda m: [m.arange(6).view(1, 2, 3).permute(2, 0, 1), m.arange(6).view(1, 2, 3).permute((1, -1, 0))],
    "permute too few": lambda m: m.zeros(2, 3).permute(0),
    "permute repeated": lambda m: m.zeros(2, 3).permute(0, 0),
    "permute out of range": lambda m: m.zeros(2, 3).permute(0, 2),
    "transpose": lambda m: m.arange(6).view(2, 3).transpose(0, -1),
    "transpose out of range": lambda m: m.zeros(2, 3).transpose(0, 2),
    "squeeze": lambda m: [
        list(m.zeros(1, 2, 1).squeeze().shape),
        list(m.zeros(1, 2, 1).squeeze(0).shape),
        list(m.zeros(2, 1).squeeze(0).shape),
    ],
    "squeeze of dims": lambda m: list(m.zeros(1, 2, 1, 1).squeeze((0, 2)).shape),
    "squeeze out of range": lambda m: m.zeros(2).squeeze(2),
    "unsqueeze": lambda m: [
        list(m.zeros(2).unsqueeze(0).shape),
        list(m.zeros(2).unsqueeze(-1).shape),
        error_of(lambda: m.zeros(2).unsqueeze(3)),
    ],
    "expand": lambda m: [m.tensor([[1], [2]]).expand(2, 3), m.tensor([1, 2]).expand(2, -1), m.tensor(5).expand(2)],
    "expand that cannot": lambda m: m.zeros(2).expand(3),
    "expand too few": lambda m: m.zeros(2, 2).expand(2),
    "expand -1 in front": lambda m: m.zeros(2).expand(-1, 2),
    "repeat": lambda m: [m.tensor([1, 2]).repeat(2), m.tensor([1, 2]).repeat(2, 1), m.tensor([[1]]).repeat(2, 0).shape],
    "repeat too few": lambda m: m.zeros(2, 2).repeat(2),
    "tile": lambda m: m.tensor([[1, 2]]).tile(2),
    "flatten": lambda m: [
        list(m.zeros(2, 3, 4).flatten().shape),
        list(m.zeros(2, 3, 4).flatten(1).shape),
        list(m.tensor(1).flatten().shape),
    ],
    "flatten backwards": lambda m: m.zeros(2, 3).flatten(1, 0),
    "unflatten": lambda m: list(m.zeros(2, 6).unflatten(1, (2, -1)).shape),
    "movedim": lambda m: [
        list(m.zeros(2, 3, 4).movedim(0, -1).shape),
        list(m.zeros(2, 3, 4).movedim((0, 1), (2, 0)).shape),
    ],
    "flip roll": lambda m: [
        m.arange(6).view(2, 3).flip(0, 1),
        m.arange(4).roll(1),
        m.arange(6).view(2, 3).roll(1, 1),
        m.arange(6).view(2, 3).roll((1, 1), (0, 1)),
    ],
    "triangles": lambda m: [
        m.ones(3, 3).tril(),
        m.ones(3, 3).triu(1),
        m.ones(2, 3, 3).tril(-1),
        error_of(lambda: m.ones(3).tril()),
    ],
    "cat": lambda m: [
        m.cat([m.ones(1, 2), m.zeros(2, 2)]),
        m.cat((m.ones(2, 1), m.zeros(2, 2)), dim=1),
        m.cat([m.zeros(0), m.ones(2, 2)]),
    ],
    "cat of other sizes": lambda m: m.cat([m.ones(1, 2), m.ones(1, 3)]),
    "cat of other dims": lambda m: m.cat([m.ones(2), m.ones(1, 3)]),
    "cat of nothing": lambda m: m.cat([]),
    "cat of a tensor": lambda m: m.cat(m.ones(2, 2)),
    "cat of 0-d": lambda m: m.cat([m.tensor(1.0), m.tensor(2.0)]),
    "cat of numbers": lambda m: m.cat([1, 2]),
    "cat out of range": lambda m: m.cat([m.ones(1), m.ones(1)], 1),
    "stack": lambda m: [
        m.stack([m.ones(2), m.zeros(2)]),
        m.stack([m.ones(2), m.zeros(2)], dim=1),
        m.stack((m.tensor(1), m.tensor(2)), -1),
    ],
    "stack of other sizes": lambda m: m.stack([m.ones(2), m.ones(3)]),
    "stacks": lambda m: [
        m.hstack([m.ones(2), m.zeros(1)]),
        m.vstack([m.ones(2), m.zeros(2)]),
        m.dstack([m.ones(2), m.zeros(2)]),
    ],
    "broadcast_tensors": lambda m: list(m.broadcast_tensors(m.ones(2, 1), m.ones(3))),
    "broadcast_shapes": lambda m: [
        list(m.broadcast_shapes((2, 1), (3,))),
        error_of(lambda: m.broadcast_shapes((2,), (3,))),
    ],
    "shapes that do not broadcast": lambda m: m.ones(2, 3) + m.ones(2),
    "products": lambda m: [
        m.ones(2, 3) @ m.ones(3),
        m.ones(3) @ m.ones(3),
        m.ones(3) @ m.ones(3, 2),
        m.ones(2, 2, 3) @ m.ones(3, 1),
        m.ones(4, 1, 2, 3) @ m.ones(5, 3, 2),
    ],
    "product that does not fit": lambda m: m.ones(2, 3) @ m.ones(2, 3),
    "product of 0-d": lambda m: m.ones(2, 3) @ m.tensor(1.0),
    "product with a number": lambda m: m.ones(2, 3) @ 3,
    "product of batches that do not fit": lambda m: m.ones(2, 2, 3) @ m.ones(3, 3, 2),
    "mm of 3 dims": lambda m: m.ones(2, 2, 2).mm(m.ones(2, 2)),
    "bmm": lambda m: [
        m.ones(2, 2, 3).bmm(m.ones(2, 3, 1)),
        error_of(lambda: m.ones(2, 2, 3).bmm(m.ones(1, 3, 1))),
        error_of(lambda: m.ones(2, 2).bmm(m.ones(2, 2))),
    ],
    "dot": lambda m: [
        m.tensor([1, 2]).dot(m.tensor([3, 4])),
        error_of(lambda: m.ones(2).dot(m.ones(3))),
        error_of(lambda: m.ones(2, 2).dot(m.ones(2))),
    ],
    "outer inner": lambda m: [m.outer(m.arange(2), m.arange(3)), m.inner(m.arange(3), m.arange(3))],
    "add with a string": lambda m: m.ones(1) + "a",
    "add with None": lambda m: m.ones(1) + None,
    "mul with a list": lambda m: m.ones(1) * [1],
    "string + tensor": lambda m: "a" + m.ones(1),
    "less than a string": lambda m: m.ones(1) < "a",
    "reduction of a bad dim": lambda m: m.ones(2).sum(1),
    "reduction of a repeated dim": lambda m: m.ones(2, 2).sum((0, 0)),
    "reductions": lambda m: [
        m.arange(6.0).view(2, 3).sum(1),
        m.arange(6.0).view(2, 3).mean((0, 1)),
        m.arange(6.0).view(2, 3).sum(-1, keepdim=True),
        m.arange(6.0).view(2, 3).sum(axis=0, keepdims=True),
    ],
    "max of nothing": lambda m: m.zeros(0).max(),
    "mean of nothing": lambda m: m.zeros(0).mean(),
    "sum of nothing": lambda m: [m.zeros(0).sum(), m.zeros(0, 2).sum(0), m.zeros(0).prod()],
    "argmax of nothing": lambda m: m.zeros(0).argmax(),
    "max over a dim": lambda m: [
        m.tensor([[1.0, 3.0], [5.0, 2.0]]).max(1).values,
        m.tensor([[1.0, 3.0], [5.0, 2.0]]).max(dim=0).indices,
        list(m.tensor([[1, 2]]).max(0)),
    ],
    "topk too many": lambda m: m.ones(2).topk(3),
    "clamp of nothing": lambda m: m.ones(2).clamp(),
    "attribute that is not there": lambda m: m.ones(2).nonsense,
    "squeeze of a leaf keeps the graph": lambda m: m.ones(1, 2, requires_grad=True).squeeze(0),
    "equal": lambda m: [
        m.equal(m.ones(2), m.ones(2)),
        m.ones(2).equal(m.ones(3)),
        m.tensor([float("nan")]).equal(m.tensor([float("nan")])),
    ],
    "allclose": lambda m: [
        m.allclose(m.ones(2), m.ones(2) + 1e-7),
        m.ones(2).allclose(m.zeros(2)),
        m.allclose(m.tensor([float("nan")]), m.tensor([float("nan")]), equal_nan=True),
    ],
}


def deep_copy(m):
    x = m.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    y = copy.deepcopy(x)
    y.grad.zero_()
    pair = copy.deepcopy([x, x])
    return [y, y.grad, x.grad, y.data_ptr() == x.data_ptr(), pair[0] is pair[1], y.is_leaf]


def shallow_copy(m):
    x = m.ones(2)
    y = copy.copy(x)
    y[0] = 5
    return [x, y is x]


def pickled(m):
    file = io.BytesIO()
    pickle.dump([m.ones(2), m.tensor([1.5], dtype=m.float64, requires_grad=True), m.tensor([1.5]).bfloat16()], file)
    file.seek(0)
    return pickle.load(file)


def numpy_shares_memory(m):
    x = m.zeros(3)
    a, b = x.numpy(), np.asarray(x)
    a[0], b[1] = 1, 2
    return [x, x.numpy() is a]


def numpy_of_a_view(m):
    x = m.arange(6.0).view(2, 3)
    x.t().numpy()[2, 0] = 9
    return x


def subclass_results(m):
    class Mine(m.Tensor):
        pass

    x = m.ones(2)
    return [isinstance(x, m.Tensor), type(x + 1) is m.Tensor, issubclass(Mine, m.Tensor)]


def keys_of_a_dict(m):
    a, b = m.tensor(1), m.tensor(1)
    table = {a: "a", b: "b"}
    return [table[a], table[b], len(table)]


def conditions(m):
    loss = m.tensor(0.25)
    return [
        "low" if loss < 0.5 else "high",
        loss.item() < 0.5,
        bool((m.tensor([1, 2]) == m.tensor([1, 2])).all()),
        1 if m.tensor(1) else 0,
    ]


def printed(m):
    return [
        str(m.tensor([1.5, 2.0])),
        repr(m.tensor(3)),
        str(m.ones(2, requires_grad=True)),
        str(m.zeros(2).shape),
        str(m.float32),
        f"{m.tensor(2.0)}",
    ]
