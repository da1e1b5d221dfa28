"""The table of ops, complex numbers: every case takes pairs of real numbers and gives pairs, which the harness judges.

So a gradient dL/dx + i dL/dy of a complex number is compared with the differences along its real and imaginary part.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from case import Case, Maker
from makers import away_from, values

import minigrad as mg

PAIRS: dict[str, tuple[int, ...]] = {"": (3, 2), "0-d": (2,), "empty": (0, 3, 2), "3-d": (2, 1, 3, 2)}


def number(x: Any) -> Any:
    """Pairs as complex numbers, of NumPy's arrays as of Tensors."""
    if isinstance(x, mg.Tensor):
        return mg.view_as_complex(x.contiguous())
    return x[..., 0] + 1j * x[..., 1]


def pairs(z: Any) -> Any:
    if isinstance(z, mg.Tensor):
        return mg.view_as_real(z) if z.is_complex() else z
    return np.stack([z.real, z.imag], -1) if np.iscomplexobj(z) else z


def on_pairs(function: Callable) -> Callable:
    return lambda *xs, **params: pairs(function(*(number(x) for x in xs), **params))


def away(shape: tuple[int, ...]) -> Maker:
    """Numbers whose parts are not near 0, nor on the cut of the logarithm."""
    return away_from((0.0,), shape)


def unary(name: str, function: Callable, oracle: Callable, note: str = "", **options: Any) -> list[Case]:
    return [
        Case(
            name, on_pairs(function), (away(shape),), oracle=on_pairs(oracle), note=f"complex {note} {where}", **options
        )
        for where, shape in PAIRS.items()
    ]


def one(
    name: str, function: Callable, oracle: Callable, *shapes: tuple[int, ...], note: str = "", **options: Any
) -> Case:
    return Case(name, on_pairs(function), tuple(away(s) for s in shapes), oracle=on_pairs(oracle),
                note=f"complex {note}", **options)  # fmt: skip


ROW, COLUMN, GRID = (3, 2), (2, 1, 2), (2, 3, 2)

PARTS = [
    *unary("real", lambda z: z.real, np.real),
    *unary("imag", lambda z: z.imag, np.imag),
    *unary("conj", mg.conj, np.conj),
    *unary("abs", mg.abs, np.abs),
    *unary("angle", mg.angle, np.angle),
    *unary("sgn", mg.sgn, lambda z: z / np.abs(z)),
    Case("angle", mg.angle, (away((3,)),), oracle=np.angle, note="of real numbers"),
    Case("sgn", mg.sgn, (away((3,)),), oracle=np.sign, note="of real numbers"),
    *(
        Case("polar", lambda r, a: pairs(mg.polar(r, a)), (r, a), oracle=lambda r, a: pairs(r * np.exp(1j * a)),
             note=f"{r} {a}")
        for r, a in (((3,), (3,)), ((2, 1), (3,)), ((), ()), ((0, 2), (2,)))
    ),
    *(
        Case("complex", lambda x, y: pairs(mg.complex(x, y)), (x, y), oracle=lambda x, y: pairs(x + 1j * y),
             note=f"{x} {y}")
        for x, y in (((3,), (3,)), ((2, 1), (3,)), ((), ()), ((0, 2), (2,)))
    ),
    Case("view_as_complex", lambda x: number(x).abs(), (away((2, 3, 2)),),
         oracle=lambda x: np.hypot(x[..., 0], x[..., 1])),
    Case("view_as_real", lambda x: mg.view_as_real(mg.complex(x, x * x)), ((2, 3),),
         oracle=lambda x: np.stack([x, x * x], -1)),
    one("norm", lambda z: z.norm(), lambda z: np.linalg.norm(z), GRID),
    one("norm", lambda z: z.norm(1, dim=0), lambda z: np.abs(z).sum(0), GRID, note="p = 1"),
    Case("abs", on_pairs(mg.abs), (values([[0.0, 0.0], [3.0, 4.0]]),), oracle=on_pairs(np.abs), gradient=False,
         note="complex zero"),
]  # fmt: skip

ARITHMETIC = [
    *(
        one(name, function, function, a, b, note=f"{a} {b}")
        for a, b in ((ROW, ROW), (GRID, ROW), (COLUMN, ROW), ((2,), ROW), ((0, 2), (2,)))
        for name, function in {
            "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
        }.items()
    ),
    one("neg", lambda z: -z, lambda z: -z, ROW),
    one("add", lambda z: 1 + z + 2j, lambda z: 1 + z + 2j, ROW, note="numbers"),
    one("mul", lambda z: 2 * z * (1 - 3j), lambda z: 2 * z * (1 - 3j), ROW, note="numbers"),
    one("div", lambda z: (1 + 1j) / z, lambda z: (1 + 1j) / z, ROW, note="of a number"),
    one("mul", lambda z: z * z.conj(), lambda z: z * z.conj(), ROW, note="by the conjugate"),
    *(
        Case(name, lambda x, z, f=f: pairs(f(x, number(z))), ((3,), away(ROW)),
             oracle=lambda x, z, f=f: pairs(f(x, number(z))), note="real and complex")
        for name, f in {"add": lambda x, z: x + z, "sub": lambda x, z: z - x, "mul": lambda x, z: x * z,
                        "div": lambda x, z: x / z}.items()
    ),
    Case("mul", lambda x: pairs(x * 1j), ((3,),), oracle=lambda x: pairs(x * 1j), note="real by i"),
    one("matmul", lambda a, b: a @ b, np.matmul, (2, 3, 2), (3, 2, 2)),
    one("matmul", lambda a, b: a @ b, np.matmul, (2, 2, 3, 2), (3, 2), note="vector"),
    one("einsum", lambda a, b: mg.einsum("ij,ik->jk", a, b), lambda a, b: np.einsum("ij,ik->jk", a, b),
        (2, 3, 2), (2, 2, 2)),
    one("mH", lambda z: z.mH @ z, lambda z: z.conj().T @ z, (3, 2, 2)),
]  # fmt: skip

FUNCTIONS = [
    *(
        one(name, getattr(mg, name), getattr(np, numpy_name), GRID)
        for name, numpy_name in {
            "exp": "exp", "log": "log", "sqrt": "sqrt", "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh",
            "cosh": "cosh", "tanh": "tanh", "square": "square", "reciprocal": "reciprocal", "expm1": "expm1",
        }.items()
    ),
    one("pow", lambda z: z**3, lambda z: z**3, ROW, note="cubed"),
    one("pow", lambda z: z**0.5, lambda z: z**0.5, ROW, note="root"),
    one("pow", lambda a, b: a**b, lambda a, b: a**b, ROW, ROW, note="of two"),
    one("sigmoid", mg.sigmoid, lambda z: 1 / (1 + np.exp(-z)), ROW),
    one("rsqrt", mg.rsqrt, lambda z: 1 / np.sqrt(z), ROW),
    one("sum", lambda z: z.sum(0), lambda z: z.sum(0), GRID),
    one("mean", lambda z: z.mean(-1), lambda z: z.mean(-1), GRID),
    one("prod", lambda z: z.prod(-1), lambda z: z.prod(-1), GRID),
    one("cumsum", lambda z: z.cumsum(0), lambda z: z.cumsum(0), GRID),
    one("cumprod", lambda z: z.cumprod(0), lambda z: z.cumprod(0), GRID),
]  # fmt: skip

SHAPES = [
    one(name, function, oracle or function, GRID, note=note)
    for name, note, function, oracle in (
        ("reshape", "", lambda z: z.reshape(3, 2), None),
        ("permute", "", lambda z: z.T, None),
        ("__getitem__", "slice", lambda z: z[1:, ::2], None),
        ("__getitem__", "list", lambda z: z[[0, 1, 0], 1], None),
        ("flip", "", lambda z: mg.flip(z, (0,)), lambda z: z[::-1]),
        ("cat", "", lambda z: mg.cat([z, z * 2]), lambda z: np.concatenate([z, z * 2])),
        ("stack", "", lambda z: mg.stack([z, z.conj()]), lambda z: np.stack([z, z.conj()])),
        ("expand", "", lambda z: z.expand(2, 2, 3), lambda z: np.broadcast_to(z, (2, 2, 3)) + 0),
        ("repeat_interleave", "", lambda z: z.repeat_interleave(2, 1), lambda z: z.repeat(2, 1)),
        ("where", "", lambda z: mg.where(z.real > 0, z, 1j * z), lambda z: np.where(z.real > 0, z, 1j * z)),
        ("masked_fill", "", lambda z: z.masked_fill(z.real > 0, 2j), lambda z: np.where(z.real > 0, 2j, z)),
        ("index_select", "", lambda z: z.index_select(1, mg.tensor([2, 0])), lambda z: z[:, [2, 0]]),
        ("tril", "", mg.tril, np.tril),
        ("roll", "", lambda z: z.roll(1, 1), lambda z: np.roll(z, 1, 1)),
    )
]


def rotated(x: mg.Tensor, angles: mg.Tensor) -> mg.Tensor:
    """Rotary embeddings as programs write them: pairs of entries turned by an angle each."""
    turn = mg.polar(mg.ones_like(angles), angles)
    return mg.view_as_real(number(x) * turn).flatten(-2)


def rotated_by_hand(x: np.ndarray, angles: np.ndarray) -> np.ndarray:
    a, b, c, s = x[..., 0], x[..., 1], np.cos(angles), np.sin(angles)
    return np.stack([a * c - b * s, a * s + b * c], -1).reshape(*x.shape[:-2], -1)


CASES = [
    *PARTS,
    *ARITHMETIC,
    *FUNCTIONS,
    *SHAPES,
    Case("view_as_complex", rotated, ((2, 3, 4, 2), (3, 4)), oracle=rotated_by_hand, note="rotary embedding"),
]
