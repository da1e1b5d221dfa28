"""The table of ops, products: matrices, batches of them, vectors, Einstein sums, and products added to something."""

import numpy as np
from case import Case
from makers import integers

import minigrad as mg

MATMULS = {
    "": ((2, 3), (3, 4)),
    "vectors": ((3,), (3,)),
    "vector on the left": ((3,), (3, 4)),
    "vector on the right": ((2, 3), (3,)),
    "batches": ((2, 2, 3), (2, 3, 4)),
    "broadcast batches": ((2, 1, 2, 3), (4, 3, 2)),
    "one matrix on the right": ((2, 4, 3), (3, 5)),
    "one matrix on the left": ((4, 3), (2, 3, 5)),
    "vector and batch": ((3,), (2, 3, 4)),
    "batch and vector": ((2, 4, 3), (3,)),
    "size 1": ((1, 1), (1, 1)),
    "no rows": ((0, 3), (3, 4)),
    "nothing summed": ((2, 0), (0, 3)),
    "no batch": ((0, 2, 3), (3, 4)),
}
EINSUMS: dict[str, tuple[tuple[int, ...], ...]] = {
    "ij,jk->ik": ((2, 3), (3, 4)),
    "bij,bjk->bik": ((2, 2, 3), (2, 3, 4)),
    "bhid,bhjd->bhij": ((2, 2, 3, 4), (2, 2, 2, 4)),
    "ij->ji": ((2, 3),),
    "ij->": ((2, 3),),
    "ij->i": ((2, 3),),
    "ii": ((3, 3),),
    "ii->i": ((3, 3),),
    "iij->j": ((2, 2, 3),),
    "i,j->ij": ((2,), (3,)),
    "i,i": ((3,), (3,)),
    "i,i->i": ((3,), (3,)),
    "ij,ij->": ((2, 3), (2, 3)),
    "ij,jk": ((2, 3), (3, 2)),
    "ba,cb": ((2, 3), (4, 2)),
    "...ij,...jk->...ik": ((2, 2, 3), (2, 3, 4)),
    "...ij,jk->...ik": ((2, 1, 2, 3), (3, 4)),
    "...i,...i->...": ((2, 3), (3,)),
    "i...->...": ((2, 3),),
    "ij,jk,kl->il": ((2, 3), (3, 2), (2, 4)),
    "ij,k->i": ((2, 3), (4,)),
    "bn,anm,bm->ba": ((2, 3), (2, 3, 4), (2, 4)),
    "ij,jk->ik ": ((0, 3), (3, 2)),
    "i j , j k -> i k": ((2, 0), (0, 3)),
    "bij,bjk->bki": ((1, 2, 3), (4, 3, 2)),
}


RANKED = {
    "mm": [((2, 3), (3, 4)), ((1, 1), (1, 3)), ((0, 3), (3, 2))],
    "bmm": [((2, 2, 3), (2, 3, 4)), ((1, 2, 3), (1, 3, 1)), ((0, 2, 3), (0, 3, 2))],
    "mv": [((2, 3), (3,)), ((1, 1), (1,)), ((0, 3), (3,)), ((2, 0), (0,))],
    "dot": [((3,), (3,)), ((1,), (1,)), ((0,), (0,))],
}


def against(name: str, shapes: tuple, oracle: object, note: str = "", **params: object) -> Case:
    return Case(name, getattr(mg, name), shapes, params, oracle=oracle, note=note)  # type: ignore[arg-type]


def numpy_einsum(equation: str, *arrays: np.ndarray) -> np.ndarray:
    """NumPy's, which does not let letters of size 1 broadcast."""
    if equation == "bij,bjk->bki":
        arrays = (np.broadcast_to(arrays[0], (4, 2, 3)), arrays[1])
    return np.einsum(equation, *arrays)


CASES = [
    *(against("matmul", shapes, np.matmul, note) for note, shapes in MATMULS.items()),
    Case("matmul", lambda a: a @ a, ((3, 3),), oracle=lambda a: a @ a, note="one tensor twice"),
    Case("matmul", lambda a: a @ a.T, ((2, 3),), oracle=lambda a: a @ a.T, note="by its transpose"),
    Case("matmul", mg.matmul, (integers(-3, 4, (2, 3)), integers(-3, 4, (3, 2))), oracle=np.matmul, gradient=False,
         note="integers"),
    *(
        against(name, shapes, np.matmul, f"{shapes}")
        for name, several in RANKED.items()
        for shapes in several
    ),
    *(
        against("inner", shapes, np.inner, f"{shapes}")
        for shapes in (((3,), (3,)), ((2, 3), (4, 3)), ((2, 2, 3), (3,)), ((), (2, 3)), ((0, 3), (2, 3)))
    ),
    *(against("outer", shapes, np.outer, f"{shapes}") for shapes in (((3,), (4,)), ((1,), (1,)), ((0,), (2,)))),
    *(
        Case("einsum", lambda *xs, equation: mg.einsum(equation, *xs), shapes, {"equation": equation},
             note=f"{equation} {shapes}", oracle=lambda *xs, equation: numpy_einsum(equation, *xs))
        for equation, shapes in EINSUMS.items()
    ),
    Case("einsum", lambda a, b: mg.einsum("ij,jk", [a, b]), ((2, 3), (3, 2)), oracle=np.matmul,
         note="operands in a list"),
    *(
        against("tensordot", shapes, lambda a, b, dims: np.tensordot(a, b, dims), f"{shapes} {dims}", dims=dims)
        for shapes, dims in (
            (((2, 3, 4), (3, 4, 2)), 2), (((2, 3), (3, 4)), 1), (((2, 3), (4,)), 0),
            (((2, 3, 4), (4, 2)), ([0, 2], [1, 0])),
            (((2, 3), (2, 4)), ((0,), (-2,))), (((0, 3), (3, 2)), 1), (((2, 0), (0, 2)), 1),
        )
    ),
    *(
        Case("addmm", mg.addmm, (have, (2, 3), (3, 4)), params, oracle=lambda x, a, b, beta=1,
             alpha=1: beta * x + alpha * (a @ b),
             note=f"{have} {params}")
        for have, params in (((2, 4), {}), ((4,), {"beta": 0.5, "alpha": 2}), ((), {"alpha": -1}),
                             ((2, 1), {"beta": 0}))
    ),
    Case("addmm", mg.addmm, ((4,), (0, 3), (3, 4)), oracle=lambda x, a, b: a @ b, note="empty"),
    *(
        Case("addmv", mg.addmv, (have, (2, 3), (3,)), params, oracle=lambda x, a, b, beta=1,
             alpha=1: beta * x + alpha * (a @ b),
             note=f"{have} {params}")
        for have, params in (((2,), {}), ((1,), {"beta": 0.5, "alpha": 2}), ((), {}))
    ),
    *(
        Case("baddbmm", mg.baddbmm, (have, (2, 2, 3), (2, 3, 4)), params, note=f"{have} {params}",
             oracle=lambda x, a, b, beta=1, alpha=1: beta * x + alpha * (a @ b))
        for have, params in (((2, 2, 4), {}), ((4,), {"beta": 0.5, "alpha": 2}), ((2, 1, 1), {"beta": 0}))
    ),
    Case("addbmm", mg.addbmm, ((2, 4), (3, 2, 3), (3, 3, 4)), oracle=lambda x, a, b: x + (a @ b).sum(0)),
    *(against("trace", (shape,), np.trace, f"{shape}") for shape in ((3, 3), (2, 4), (1, 1), (0, 0))),
]  # fmt: skip
