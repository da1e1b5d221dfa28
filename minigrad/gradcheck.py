"""Gradients against finite differences, to any order: the judge of every rule in this library.

For a function y(x), random u (the size of y) and v (the size of x), both sides of

    u . (J v)  =  d/dt u . y(x + t v) at t = 0  =  (u^T J) . v

are computed: the left by a central difference, two runs of the function however large x is, with an error of order
eps^2; the right by backward. A rule that is off by a part in a thousand is off along almost every direction.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad import autograd
from minigrad.tensor import Tensor, from_array


class GradcheckError(RuntimeError):
    """The analytical and the numerical derivative differ."""


def _outputs(function: Callable, inputs: Sequence[Any]) -> list[Tensor]:
    out = function(*inputs)
    several = list(out) if isinstance(out, (tuple, list)) else [out]
    return [y for y in several if isinstance(y, Tensor) and y.is_floating_point()]


def gradcheck(
    func: Callable,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    directions: int = 4,
    seed: int = 0,
) -> bool:
    """True if backward through `func` agrees with finite differences at `inputs`, along `directions` random directions.

    The inputs that require grad are checked; they should be float64. A difference above atol + rtol |numerical| raises
    GradcheckError, or returns False with `raise_exception=False`. `nondet_tol`: how far two backwards may differ.
    """
    inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    checked = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck expects at least one input with requires_grad=True")
    for x in checked:
        if x.array.dtype != np.float64:
            raise ValueError(f"gradcheck needs float64 inputs for finite differences to mean anything, got {x.dtype}")
    rng = np.random.default_rng(seed)
    try:
        for direction in range(directions):
            _check_direction(func, inputs, checked, rng, eps, atol, rtol, nondet_tol, direction)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check_direction(func, inputs, checked, rng, eps, atol, rtol, nondet_tol, direction) -> None:
    outputs = _outputs(func, inputs)
    if not outputs:
        raise ValueError("the function returned no floating-point Tensor")
    cotangents = [from_array(rng.standard_normal(y.array.shape), y.device) for y in outputs]
    live = [(y, u) for y, u in zip(outputs, cotangents, strict=True) if y.requires_grad]
    analytical: Any = [x.detach().zeros_like() for x in checked]
    if live:
        arguments = ([y for y, _ in live], checked, [u for _, u in live])
        analytical = autograd.grad(*arguments, allow_unused=True, materialize_grads=True, retain_graph=True)
        again = autograd.grad(*arguments, allow_unused=True, materialize_grads=True)
        for first, second in zip(analytical, again, strict=True):
            difference = float(abs(first - second).max()) if first.numel() else 0.0
            if difference > nondet_tol:
                raise GradcheckError(f"backward is not repeatable: two runs differ by {difference:.3e}")
    tangents = [from_array(rng.standard_normal(x.array.shape), x.device) for x in checked]
    expected = sum(float((g * v).sum()) for g, v in zip(analytical, tangents, strict=True))
    measured = _directional_difference(func, inputs, checked, tangents, cotangents, eps)
    if not abs(expected - measured) <= atol + rtol * abs(measured):
        shapes = [tuple(x.shape) for x in checked]
        raise GradcheckError(
            f"gradients of inputs of shapes {shapes}: along random direction {direction} "
            f"backward gives {expected:.10g}, finite differences give {measured:.10g} "
            f"(difference {abs(expected - measured):.3e})"
        )


def _directional_difference(func, inputs, checked, tangents, cotangents, eps) -> float:
    """u . (y(x + eps v) - y(x - eps v)) / (2 eps)."""
    moved = {id(x): v for x, v in zip(checked, tangents, strict=True)}
    values = []
    for step in (eps, -eps):
        shifted = [x.detach() + step * moved[id(x)] if id(x) in moved else x for x in inputs]
        with autograd.enable_grad():  # a checked function may itself differentiate
            shifted = [s.requires_grad_() if id(x) in moved else s for s, x in zip(shifted, inputs, strict=True)]
            outputs = _outputs(func, shifted)
        values.append([y.detach() for y in outputs])
    pairs = zip(*values, cotangents, strict=True)
    return sum(float(((up - down) * u).sum()) for up, down, u in pairs) / (2 * eps)


def gradgradcheck(
    func: Callable,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    directions: int = 4,
    seed: int = 0,
) -> bool:
    """As `gradcheck`, for the gradient itself: the second derivatives, by the inputs and by the incoming gradients."""
    inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    outputs = _outputs(func, inputs)
    if grad_outputs is None:
        rng = np.random.default_rng(seed + 1)
        grad_outputs = [from_array(rng.standard_normal(y.array.shape), y.device, requires_grad=True) for y in outputs]
    grad_outputs = list(grad_outputs) if isinstance(grad_outputs, (tuple, list)) else [grad_outputs]
    count = len(inputs)

    def first_derivative(*arguments: Any) -> tuple:
        values, seeds = arguments[:count], arguments[count:]
        wanted = [x for x in values if isinstance(x, Tensor) and x.requires_grad]
        found = _outputs(func, values)
        live = [(y, u) for y, u in zip(found, seeds, strict=True) if y.requires_grad]
        return autograd.grad(
            [y for y, _ in live],
            wanted,
            [u for _, u in live],
            create_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )

    options: dict[str, Any] = {
        "eps": eps,
        "atol": atol,
        "rtol": rtol,
        "nondet_tol": nondet_tol,
        "directions": directions,
        "seed": seed,
    }
    return gradcheck(first_derivative, (*inputs, *grad_outputs), raise_exception=raise_exception, **options)
