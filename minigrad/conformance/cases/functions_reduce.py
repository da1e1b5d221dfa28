"""Cases of reductions, orders and counts."""

from minigrad.conformance.case import cases_of, error_of, everywhere
from minigrad.conformance.exercises import differentiated, numbers

case = cases_of("functions")

_TIES = ((1.0, 3.0, 3.0), (2.0, 2.0, float("nan")))


@case(*everywhere("sum"))
def sum_(torch):
    x = numbers(torch, 2, 3, 2)
    return {
        **differentiated(torch, lambda x: torch.sum(x, dim=1), x),
        "of all": differentiated(torch, lambda x: x.sum(), x),
        "keepdim": differentiated(torch, lambda x: x.sum((0, 2), keepdim=True), x),
        "NumPy's names": torch.sum(input=x, axis=-1, keepdims=True),
        "empty dims": x.sum(dim=()),
        "types": [torch.tensor([True, True]).sum(), torch.tensor([1, 2], dtype=torch.int16).sum()],
        "as float64": x.sum(1, dtype=torch.float64),
        "float16": torch.tensor([1.0, 2048.0, 1.0], dtype=torch.float16).sum(),
        "of nothing": torch.ones(0, 3).sum(0),
        "0-d": torch.tensor(3.0).sum(0),
        "out of range": error_of(lambda: x.sum(3)),
        "twice": error_of(lambda: x.sum((0, 0))),
        "no int": error_of(lambda: x.sum(1.0)),
        "both names": error_of(lambda: x.sum(dim=0, axis=0)),
    }


@case(*everywhere("mean"))
def mean(torch):
    x = numbers(torch, 2, 3, 2)
    return {
        **differentiated(torch, lambda x: torch.mean(x, 1), x),
        "of all": differentiated(torch, lambda x: x.mean(), x),
        "keepdim": differentiated(torch, lambda x: x.mean(dim=(0, 2), keepdim=True), x),
        "NumPy's names": torch.mean(input=x, axis=-1, keepdims=True),
        "ints as floats": torch.tensor([1, 2]).mean(dtype=torch.float32),
        "of nothing": torch.ones(0).mean(),
        "ints": error_of(lambda: torch.tensor([1, 2]).mean()),
        "bools": error_of(lambda: torch.tensor([True]).mean()),
        "out of range": error_of(lambda: x.mean(-4)),
    }


def _spread(name):
    def program(torch):
        function = getattr(torch, name)
        x = numbers(torch, 2, 4, 3)
        return {
            **differentiated(torch, lambda x: function(x, dim=1), x),
            "of all": differentiated(torch, lambda x: getattr(x, name)(), x),
            "biased": differentiated(torch, lambda x: getattr(x, name)(1, unbiased=False, keepdim=True), x),
            "of all, biased": [function(x, False), function(x, unbiased=False)],
            "correction": function(input=x, dim=(0, 2), correction=0),
            "NumPy's names": getattr(x, name)(axis=0, keepdims=True),
            "of one": getattr(torch.ones(1), name)(),
            "of equals": differentiated(torch, lambda x: getattr(x, name)(), torch.ones(2)),
            "ints": error_of(lambda: function(torch.tensor([1, 2]))),
            "out of range": error_of(lambda: function(x, 3)),
        }

    program.__name__ = name
    return program


for _name in ("var", "std"):
    case(*everywhere(_name))(_spread(_name))


def _extreme(name):
    def program(torch):
        function = getattr(torch, name)
        x, ties = numbers(torch, 2, 4), torch.tensor(_TIES)
        pair = function(x, dim=1)
        return {
            **differentiated(torch, lambda x: function(x), x),
            "method": differentiated(torch, lambda x: getattr(x, name)(-1), x),
            "names": [pair.values, pair.indices],
            "as a tuple": [isinstance(pair, tuple), len(pair), pair[1]],
            "keepdim": getattr(x, name)(0, keepdim=True),
            "keyword": function(input=x, dim=0, keepdim=True)[0],
            "elementwise": differentiated(torch, lambda a, b: function(a, b), x, x.flip(0)),
            "other": function(x, other=x.flip(0)),
            "NumPy's names": getattr(x, name)(axis=1, keepdims=True),
            "ties": differentiated(torch, lambda x: getattr(x, name)(), ties[0]),
            "ties by row": differentiated(torch, lambda x: getattr(x, name)(1), ties[:1]),
            "nan": [function(ties), getattr(ties, name)(1)],
            "ints": getattr(torch.tensor([[3, 5], [4, 1]]), name)(0),
            "bools": function(torch.tensor([True, False])),
            "0-d": getattr(torch.tensor(2.0), name)(0),
            "of nothing": error_of(lambda: getattr(torch.ones(0), name)()),
            "out of range": error_of(lambda: function(x, 2)),
        }

    program.__name__ = name
    return program


for _name in ("max", "min"):
    case(*everywhere(_name))(_extreme(_name))


def _place_of_extreme(name):
    def program(torch):
        function = getattr(torch, name)
        x, ties = numbers(torch, 2, 4), torch.tensor(_TIES)
        return {
            "of all": function(x),
            "by row": getattr(x, name)(1),
            "keepdim": getattr(x, name)(dim=0, keepdim=True),
            "keyword": function(input=x, dim=-1),
            "NumPy's names": function(x, axis=0, keepdims=True),
            "the first of ties": [getattr(ties[0], name)(), getattr(torch.ones(3), name)()],
            "nan": getattr(ties, name)(1),
            "ints": getattr(torch.tensor([3, 5, 1]), name)(),
            "requires no gradient": function(x.requires_grad_()).requires_grad,
            "of nothing": error_of(lambda: function(torch.ones(0))),
            "bools": error_of(lambda: function(torch.tensor([True]))),
            "out of range": error_of(lambda: function(x, 2)),
        }

    program.__name__ = name
    return program


for _name in ("argmax", "argmin"):
    case(*everywhere(_name))(_place_of_extreme(_name))


def _truth(name):
    def program(torch):
        function = (
            getattr(torch, name) if name == "all" else lambda x, *dim, **options: getattr(x, name)(*dim, **options)
        )
        x = torch.tensor([[1.0, 0.0], [float("nan"), 2.0]])
        return {
            "of all": [function(x), getattr(x.bool(), name)()],
            "by row": function(x, 1),
            "keepdim": getattr(x, name)(dim=0, keepdim=True),
            "ints": function(torch.tensor([0, 3])),
            "uint8": function(torch.tensor([0, 3], dtype=torch.uint8)),
            "several dims": function(x, (0, 1)),
            "NumPy's names": function(x, axis=1, keepdims=True),
            "of nothing": function(torch.ones(0)),
            "out of range": error_of(lambda: function(x, 2)),
        }

    program.__name__ = name
    return program


for _name in ("all", "any"):
    case(*everywhere(_name))(_truth(_name))


@case(*everywhere("norm"))
def norm(torch):
    x = numbers(torch, 2, 3)
    return {
        **differentiated(torch, lambda x: torch.norm(x), x),
        "method": differentiated(torch, lambda x: x.norm(2, dim=1), x),
        "orders": [x.norm(p) for p in (1, 2, 3, float("inf"), -float("inf"), 0, "fro")],
        "keyword": differentiated(torch, lambda x: torch.norm(input=x, p=1, dim=-1, keepdim=True), x),
        "p as a float": x.norm(p=2.0, dim=(0, 1)),
        "of zeros": [differentiated(torch, lambda x, p=p: x.norm(p), torch.zeros(3)) for p in (2, 0.5, -1, 3)],
        "with a zero": differentiated(torch, lambda x: x.norm(0.5), torch.tensor([0.0, 4.0, -9.0])),
        "how many": x.requires_grad_().norm(0),
        "as float64": x.norm(dtype=torch.float64),
        "ints": error_of(lambda: torch.tensor([3, 4]).norm()),
        "out of range": error_of(lambda: x.norm(dim=2)),
    }


@case("tensor:logsumexp", "ops:logsumexp")
def logsumexp(torch):
    x = numbers(torch, 2, 3)
    return {
        **differentiated(torch, lambda x: x.logsumexp(1), x),
        "keepdim": differentiated(torch, lambda x: torch.logsumexp(x, dim=(0, 1), keepdim=True), x),
        "NumPy's names": x.logsumexp(axis=1, keepdims=True),
        "large": torch.tensor([1000.0, 1000.0]).logsumexp(0),
        "of -inf": differentiated(torch, lambda x: x.logsumexp(0), torch.full((2,), -float("inf"))),
        "ints": torch.tensor([1, 2]).logsumexp(0),
        "no dim": error_of(lambda: x.logsumexp()),
        "out of range": error_of(lambda: x.logsumexp(2)),
    }


@case(*everywhere("cumsum"))
def cumsum(torch):
    x = numbers(torch, 2, 3)
    return {
        **differentiated(torch, lambda x: torch.cumsum(x, dim=1), x),
        "method": differentiated(torch, lambda x: x.cumsum(0), x),
        "keyword": torch.cumsum(input=x, axis=-1),
        "bools": torch.tensor([True, True]).cumsum(0),
        "as float64": x.cumsum(0, dtype=torch.float64),
        "no dim": error_of(lambda: x.cumsum()),
        "out of range": error_of(lambda: x.cumsum(5)),
    }


@case(*everywhere("cumprod"))
def cumprod(torch):
    x = numbers(torch, 2, 3)
    return {
        **differentiated(torch, lambda x: torch.cumprod(x, dim=1), x),
        "method": x.cumprod(0),
        "a zero": differentiated(torch, lambda x: x.cumprod(dim=0), torch.tensor([2.0, 0.0, 3.0])),
        "two zeros": differentiated(torch, lambda x: x.cumprod(dim=0), torch.tensor([2.0, 0.0, 3.0, 0.0])),
        "ints": torch.tensor([2, 3], dtype=torch.int32).cumprod(0),
        "no dim": error_of(lambda: torch.cumprod(x)),
        "out of range": error_of(lambda: x.cumprod(-3)),
    }


@case(*everywhere("topk"))
def topk(torch):
    x = numbers(torch, 2, 5)
    found = torch.topk(x, 3)
    return {
        **differentiated(torch, lambda x: torch.topk(x, 2), x),
        "names": [found.values, found.indices],
        "smallest": differentiated(torch, lambda x: x.topk(2, dim=0, largest=False), numbers(torch, 3, 2)),
        "keyword": torch.topk(input=x, k=1, dim=-1),
        "NumPy's name": x.topk(1, axis=0),
        "unsorted": x.topk(5, sorted=False)[0].sort()[0],
        "ints": torch.tensor([3, 9, 4]).topk(2),
        "nan first": torch.tensor([1.0, float("nan"), 2.0]).topk(2),
        "none": x.topk(0),
        "too many": error_of(lambda: x.topk(6)),
        "out of range": error_of(lambda: x.topk(1, 2)),
    }


@case(*everywhere("sort"))
def sort(torch):
    x = numbers(torch, 2, 4)
    found = torch.sort(x)
    return {
        **differentiated(torch, lambda x: torch.sort(x), x),
        "names": [found.values, found.indices],
        "downwards": differentiated(torch, lambda x: x.sort(dim=0, descending=True), x),
        "keyword": torch.sort(input=x, dim=1, descending=True),
        "NumPy's name": x.sort(axis=0),
        "stable": torch.tensor([2, 1, 2, 1, 2]).sort(stable=True),
        "stable, downwards": torch.tensor([2, 1, 2, 1, 2]).sort(descending=True, stable=True),
        "nan": torch.tensor([float("nan"), 1.0, float("inf")]).sort(),
        "bools": torch.tensor([True, False]).sort()[0],
        "0-d": torch.tensor(1.0).sort(),
        "out of range": error_of(lambda: x.sort(2)),
    }


@case(*everywhere("argsort"))
def argsort(torch):
    x = numbers(torch, 2, 4)
    return {
        "upwards": torch.argsort(x),
        "downwards": x.argsort(dim=0, descending=True),
        "keyword": torch.argsort(input=x, dim=-1, descending=True, stable=True),
        "NumPy's name": x.argsort(axis=0),
        "stable": torch.tensor([2, 1, 2, 1]).argsort(stable=True),
        "out of range": error_of(lambda: torch.argsort(x, 2)),
    }


@case(*everywhere("unique"))
def unique(torch):
    x = torch.tensor([[3, 1, 2], [1, 3, 3]])
    rows = torch.tensor([[1, 2], [0, 5], [1, 2]])
    return {
        "values": torch.unique(x),
        "all": x.unique(return_inverse=True, return_counts=True),
        "counts": torch.unique(input=x, sorted=True, return_counts=True)[1],
        "rows": rows.unique(dim=0),
        "rows and more": torch.unique(rows, return_inverse=True, return_counts=True, dim=0),
        "floats": torch.tensor([0.5, -1.0, 0.5]).unique(),
        "bools": torch.tensor([True, False, True]).unique(),
        "empty": torch.tensor([]).unique(),
        "out of range": error_of(lambda: x.unique(dim=2)),
    }


@case(*everywhere("nonzero"))
def nonzero(torch):
    x = torch.tensor([[0.5, 0.0], [0.0, -1.0], [float("nan"), 0.0]])
    return {
        "positions": torch.nonzero(x),
        "method": (x > 0).nonzero(),
        "as a tuple": torch.nonzero(x, as_tuple=True),
        "keyword": torch.nonzero(input=x),
        "indexing": x[x.nonzero(as_tuple=True)],
        "none": torch.zeros(2, 3).nonzero(),
        "0-d": [torch.tensor(2).nonzero(), torch.tensor(0).nonzero()],
        "a list": error_of(lambda: torch.nonzero([1, 0])),
    }


@case("histogram")
def histogram(torch):
    x = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 2.0, 5.0])
    counts = torch.histogram(x, bins=4, range=(0.0, 2.0))
    edges = torch.tensor([0.0, 1.0, 2.0])
    weights = torch.tensor([1.0, 2.0, 1.0, 1.0, 0.5, 0.5, 9.0])
    return {
        "names": [counts.hist, counts.bin_edges],
        "own range": torch.histogram(x, 5),
        "edges": torch.histogram(x, edges),
        "weights": torch.histogram(x, edges, weight=weights),
        "density": torch.histogram(x, 4, density=True),
        "method": x.histogram(2)[0],
        "ints": error_of(lambda: torch.histogram(torch.tensor([1, 2]), 2)),
        "no bins": error_of(lambda: torch.histogram(x, 0)),
    }
