"""Cases of products and other linear algebra."""

from minigrad.conformance.case import cases_of, error_of, everywhere
from minigrad.conformance.exercises import differentiated, numbers

case = cases_of("functions")


@case(*everywhere("matmul"), float32=1e-5)  # sums that cancel, in another order
def matmul(torch):
    a, b = numbers(torch, 2, 3), numbers(torch, 3, 4)
    return {
        **differentiated(torch, torch.matmul, a, b),
        "operator": differentiated(torch, lambda a, b: a @ b, a, numbers(torch, 3)),
        "vectors": differentiated(torch, lambda a, b: a.matmul(b), numbers(torch, 3), numbers(torch, 3) + 1),
        "vector first": differentiated(torch, torch.matmul, numbers(torch, 2), a),
        "batches": differentiated(torch, torch.matmul, numbers(torch, 2, 1, 2, 3), numbers(torch, 3, 3, 2)),
        "keyword": torch.matmul(input=a, other=b),
        "ints": torch.tensor([[1, 2], [3, 4]]) @ torch.tensor([[1], [1]]),
        "shapes": error_of(lambda: torch.matmul(a, a)),
        "types": error_of(lambda: torch.matmul(a, b.double())),
        "a number": error_of(lambda: a @ 2.0),
        "0-d": error_of(lambda: torch.matmul(a, torch.tensor(1.0))),
    }


def _product(name, a_shape, b_shape, wrong_rank, keyword):
    def program(torch):
        function = getattr(torch, name)
        a, b = numbers(torch, *a_shape), numbers(torch, *b_shape)
        told = {
            **differentiated(torch, function, a, b),
            "keyword": function(input=a, **{keyword: b}),
            "ints": function(torch.ones(a_shape, dtype=torch.int64), torch.ones(b_shape, dtype=torch.int64)),
            "ranks": error_of(lambda: function(torch.ones(wrong_rank), b)),
            "shapes": error_of(lambda: function(a, torch.ones([n + 1 for n in b_shape]))),
            "types": error_of(lambda: function(a, b.double())),
            "a list": error_of(lambda: function(a, [1.0])),
        }
        return told | {"method": getattr(a, name)(b)}

    program.__name__ = name
    return program


case(*everywhere("mm"))(_product("mm", (2, 3), (3, 2), (1, 2, 3), "mat2"))
case(*everywhere("bmm"))(_product("bmm", (2, 2, 3), (2, 3, 1), (2, 3), "mat2"))
case(*everywhere("mv"))(_product("mv", (2, 3), (3,), (3,), "vec"))
case(*everywhere("dot"))(_product("dot", (3,), (3,), (1, 3), "tensor"))


@case(*everywhere("outer"))
def outer(torch):
    a, b = numbers(torch, 2), numbers(torch, 3)
    return {
        **differentiated(torch, torch.outer, a, b),
        "method": a.outer(b),
        "keyword": torch.outer(input=a, vec2=b),
        "types": torch.outer(torch.tensor([1, 2]), b),
        "a matrix": error_of(lambda: torch.outer(a, torch.ones(2, 2))),
    }


@case(*everywhere("einsum"))
def einsum(torch):
    a, b = numbers(torch, 2, 3), numbers(torch, 3, 2)
    q = numbers(torch, 2, 2, 3)
    return {
        **differentiated(torch, lambda a, b: torch.einsum("ij,jk->ik", a, b), a, b),
        "attention": differentiated(torch, lambda q: torch.einsum("bqd,bkd->bqk", q, q), q),
        "implicit": torch.einsum("ij,jk", a, b),
        "trace": differentiated(torch, lambda x: torch.einsum("ii", x), numbers(torch, 3, 3)),
        "diagonal": torch.einsum("ii->i", numbers(torch, 3, 3)),
        "sum": torch.einsum("ij->", a),
        "ellipsis": torch.einsum("...ij,...jk->...ik", q, b),
        "three": torch.einsum("i,ij,j->", torch.ones(2), a, torch.ones(3)),
        "a list": torch.einsum("ij,jk->ik", [a, b]),
        "spaces and capitals": torch.einsum("iJ , Jk -> ik", a, b),
        "ranks": error_of(lambda: torch.einsum("ijk,jk->ik", a, b)),
        "sizes": error_of(lambda: torch.einsum("ij,ij->i", a, b)),
        "unknown letter": error_of(lambda: torch.einsum("ij->z", a)),
        "too few": error_of(lambda: torch.einsum("ij,jk->ik", a)),
    }


@case("inverse")
def inverse(torch):
    x = torch.tensor([[4.0, 1.0], [2.0, 3.0]])
    return {
        **differentiated(torch, torch.inverse, x),
        "batch": torch.inverse(torch.stack([x, x.t()])),
        "method": x.double().inverse(),
        "singular": error_of(lambda: torch.inverse(torch.ones(2, 2))),
        "not square": error_of(lambda: torch.inverse(torch.ones(2, 3))),
        "ints": error_of(lambda: torch.inverse(torch.tensor([[1, 0], [0, 1]]))),
    }


@case("linalg.lstsq")
def lstsq(torch):
    a = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    b = torch.tensor([[1.0], [3.0], [4.0]], dtype=torch.float64)
    found = torch.linalg.lstsq(a, b)
    return {
        **differentiated(torch, lambda a, b: torch.linalg.lstsq(a, b).solution, a, b),
        "all of it": [found.solution, found.residuals, found.rank, found.singular_values],
        "several right sides": torch.linalg.lstsq(a, torch.cat([b, 2 * b], 1))[0],
        "square": torch.linalg.lstsq(a[:2], b[:2]).solution,
        "shapes": error_of(lambda: torch.linalg.lstsq(a, b[:2])),
        "types": error_of(lambda: torch.linalg.lstsq(a, b.float())),
    }


@case("polar", "view_as_complex", "view_as_real")
def complex_pairs(torch):
    length, angle = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.5])
    turned = torch.polar(length, angle)
    x = numbers(torch, 2, 2, 2)
    as_complex = torch.view_as_complex(x)

    def rotated(x):
        return torch.view_as_real(torch.view_as_complex(x) * turned)

    return {
        **differentiated(torch, rotated, x),
        "polar": torch.view_as_real(turned),
        "its gradient": differentiated(torch, lambda r, phi: torch.view_as_real(torch.polar(r, phi)), length, angle),
        "shape": list(as_complex.shape),
        "dtype": str(as_complex.dtype),
        "keyword": torch.view_as_real(input=torch.polar(abs=length, angle=angle)),
        "of pairs": torch.view_as_real(torch.view_as_complex(input=x)),
        "float64": str(torch.view_as_complex(x.double()).dtype),
        "last axis not 2": error_of(lambda: torch.view_as_complex(torch.ones(3))),
        "ints": error_of(lambda: torch.view_as_complex(torch.ones(3, 2, dtype=torch.int64))),
        "real already": error_of(lambda: torch.view_as_real(x)),
        "shapes": error_of(lambda: torch.polar(length, torch.ones(3))),
        "types": error_of(lambda: torch.polar(length, angle.double())),
    }
