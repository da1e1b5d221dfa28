"""Cases of vmap: the ops that lead into a batch and out of it, with gradients from both sides."""

import numpy as np
from case import Case

from minigrad.func import grad, vmap


def _by_examples(x, w):
    return vmap(lambda a: (a * w).sin())(x)


def _other_dims(x, w):
    return vmap(lambda a, b: a @ b, in_dims=(1, None), out_dims=1)(x, w)


def _shared(x, w):
    return vmap(lambda a: w * w)(x)


def _nested(x, w):
    return vmap(lambda a: vmap(lambda b: a * b)(w))(x)


def _of_gradients(x, w):
    return vmap(grad(lambda a: (a * a * w).sin().sum()))(x)


CASES = [
    Case("vmap", _by_examples, ((4, 3), (3,)), oracle=lambda x, w: np.sin(x * w)),
    Case("vmap", _other_dims, ((3, 4), (3, 2)), oracle=lambda x, w: (x.T @ w).T, note="other dims"),
    Case("vmap", _shared, ((4, 3), (3,)), oracle=lambda x, w: np.tile(w * w, (4, 1)), note="what all share"),
    Case("vmap", _nested, ((4,), (2, 3)), oracle=lambda x, w: x[:, None, None] * w, note="nested"),
    Case("vmap", _of_gradients, ((4, 3), (3,)), oracle=lambda x, w: 2 * x * w * np.cos(x * x * w), note="of gradients"),
    Case("vmap", _by_examples, ((0, 3), (3,)), oracle=lambda x, w: np.sin(x * w), note="of no example"),
]
