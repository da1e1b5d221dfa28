"""Functional transforms: derivatives as functions of functions.

`grad(f)` is the function whose value is the gradient of the scalar function f. All of them run f on fresh leaves, so
they nest: `grad(grad(f))` is the second derivative. Forward-mode products (`jvp`, `hvp` inside) come from reverse mode
applied twice: with u a dummy, the vector-Jacobian product g(u) = u^T J is linear in u, and its derivative along v by u
is J v (the "double-vjp trick").
"""

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import autograd
from minigrad.ops import identity, reshape, stack
from minigrad.tensor import Tensor


def _as_tuple(argnums: int | Sequence[int]) -> tuple[int, ...]:
    return (argnums,) if isinstance(argnums, int) else tuple(argnums)


def _fresh(x: Any) -> Any:
    """The same values under a node of their own, still linked to the outer graph so that transforms nest."""
    if isinstance(x, (tuple, list)):
        return type(x)(_fresh(item) for item in x)
    if isinstance(x, dict):
        return {name: _fresh(item) for name, item in x.items()}
    if not isinstance(x, Tensor):
        raise TypeError(
            f"expected Tensors (or tuples, lists, dicts of them) to differentiate by, got {type(x).__name__}"
        )
    return identity(x) if x.requires_grad else x.detach().requires_grad_()


def _leaves(x: Any) -> list[Tensor]:
    if isinstance(x, (tuple, list)):
        return [leaf for item in x for leaf in _leaves(item)]
    if isinstance(x, dict):
        return [leaf for item in x.values() for leaf in _leaves(item)]
    return [x]


def _like(structure: Any, values: Any) -> Any:
    """The structure of nested tuples, lists and dicts, with its tensors replaced in order."""
    values = iter(values)

    def fill(x: Any) -> Any:
        if isinstance(x, (tuple, list)):
            return type(x)(fill(item) for item in x)
        if isinstance(x, dict):
            return {name: fill(item) for name, item in x.items()}
        return next(values)

    return fill(structure)


def _gradients(outputs: Sequence[Tensor], inputs: Any, seeds: Sequence[Tensor] | None = None) -> Any:
    """Derivatives of outputs by the leaves of `inputs`, differentiable again; zeros where there is no dependence."""
    live = [(y, None if seeds is None else seeds[i]) for i, y in enumerate(outputs) if y.requires_grad]
    leaves = _leaves(inputs)
    if not live:
        return _like(inputs, [x.detach().zeros_like() for x in leaves])
    found = autograd.grad(
        [y for y, _ in live],
        leaves,
        None if seeds is None else [seed for _, seed in live],
        create_graph=True,
        allow_unused=True,
        materialize_grads=True,
    )
    return _like(inputs, found)


def _settled(x: Any, outer: Sequence[Any]) -> Any:
    """Drop the graph of a result unless an enclosing transform (or a caller's leaf) still needs it."""
    if any(leaf.requires_grad for leaf in _leaves(list(outer)) if isinstance(leaf, Tensor)):
        return x
    return _like(x, [leaf.detach() if isinstance(leaf, Tensor) else leaf for leaf in _leaves(x)])


def value_and_grad(f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable:
    """(x, ...) -> (f(x, ...), gradient by the arguments `argnums`); f returns a scalar, or (scalar, aux).

    minigrad's order is JAX's, value first (torch.func has `grad_and_value`, gradient first, which is here too).
    """
    wanted = _as_tuple(argnums)

    def both(*args: Any, **kwargs: Any) -> Any:
        with autograd.enable_grad():
            args_now = [_fresh(a) if i in wanted else a for i, a in enumerate(args)]
            out = f(*args_now, **kwargs)
            value, aux = out if has_aux else (out, None)
            if not isinstance(value, Tensor) or value.array.size != 1:
                shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                raise RuntimeError(f"grad takes functions that return a scalar Tensor, this one returned {shape}")
            by = tuple(args_now[i] for i in wanted)
            gradient = _gradients([value], by)
        gradient = gradient[0] if isinstance(argnums, int) else gradient
        value, gradient = _settled(value, args), _settled(gradient, args)
        aux = _settled(aux, args) if has_aux else None
        return ((value, aux), gradient) if has_aux else (value, gradient)

    return both


def grad(f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable:
    """(x, ...) -> the gradient of the scalar f by the arguments `argnums` (and aux, if f returns (scalar, aux))."""
    both = value_and_grad(f, argnums, has_aux)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def grad_and_value(f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable:
    """As `value_and_grad`, in torch.func's order: (gradient, value)."""
    both = value_and_grad(f, argnums, has_aux)
    return lambda *args, **kwargs: both(*args, **kwargs)[::-1]


def vjp(f: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """f(*primals) and the function u -> u^T J, a tuple with one entry a primal (bare for a single primal)."""
    with autograd.enable_grad():
        inputs = tuple(_fresh(p) for p in primals)
        out = f(*inputs)
    outputs, aux = out if has_aux else (out, None)
    leaves = _leaves(outputs)

    def pull_back(*cotangents: Any) -> Any:
        seeds = _leaves(list(cotangents)) if len(cotangents) != 1 else _leaves(cotangents[0])
        if len(seeds) != len(leaves):
            raise RuntimeError(f"the function returned {len(leaves)} tensors, {len(seeds)} cotangents were given")
        with autograd.enable_grad():
            found = _gradients(leaves, inputs, seeds)
        return _settled(found, [*primals, *seeds])

    value = _settled(outputs, primals)
    return (value, pull_back, aux) if has_aux else (value, pull_back)


def jvp(f: Callable, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple:
    """f(*primals) and J v for the tangents v, by the double-vjp trick."""
    primals, tangents = tuple(primals), tuple(tangents)
    if len(primals) != len(tangents):
        raise RuntimeError(f"jvp takes one tangent a primal, got {len(primals)} primals and {len(tangents)} tangents")
    with autograd.enable_grad():
        inputs = tuple(_fresh(p) for p in primals)
        outputs = f(*inputs)
        leaves = _leaves(outputs)
        dummies = [y.detach().zeros_like().requires_grad_() for y in leaves]
        pulled = _leaves(_gradients(leaves, inputs, dummies))
        live = [(g, t) for g, t in zip(pulled, _leaves(list(tangents)), strict=True) if g.requires_grad]
        products = _gradients([g for g, _ in live], dummies, [t for _, t in live])
    return _settled(outputs, primals), _settled(_like(outputs, products), [*primals, *tangents])


def jacrev(f: Callable, argnums: int | Sequence[int] = 0) -> Callable:
    """x -> the Jacobian of f, of shape (*output shape, *input shape), one backward an output entry."""
    wanted = _as_tuple(argnums)

    def jacobian(*args: Any) -> Any:
        with autograd.enable_grad():
            args_now = [_fresh(a) if i in wanted else a for i, a in enumerate(args)]
            y = f(*args_now)
            if not isinstance(y, Tensor):
                raise TypeError(f"jacrev takes functions that return one Tensor, this one returned {type(y).__name__}")
            by = tuple(args_now[i] for i in wanted)
            flat = reshape(y, shape=(-1,))
            rows = [_leaves(_gradients([flat[i]], by)) for i in range(flat.array.size)]
            found = []
            for k, x in enumerate(_leaves(by)):
                shape = (*y.array.shape, *x.array.shape)
                column = [row[k] for row in rows]
                found.append(reshape(stack(column), shape=shape) if column else x.new_zeros(shape))
        found = _settled(_like(by, found), args)
        return found[0] if isinstance(argnums, int) else found

    return jacobian


def hessian(f: Callable, argnums: int = 0) -> Callable:
    """x -> the matrix of second derivatives of the scalar f, of shape (*x.shape, *x.shape)."""
    return jacrev(grad(f, argnums), argnums)


def hvp(f: Callable, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of the scalar f times a vector, without the Hessian: d/dx (grad f . v) (Pearlmutter, 1994).

    Returns a tuple with one entry a primal, bare for a single primal.
    """
    primals, tangents = tuple(primals), tuple(tangents)
    argnums = tuple(range(len(primals)))

    def directional(*inputs: Any) -> Tensor:
        gradients = _leaves(grad(f, argnums)(*inputs))
        terms = [(g * t).sum() for g, t in zip(gradients, _leaves(list(tangents)), strict=True)]
        return sum(terms[1:], terms[0])

    found = grad(directional, argnums)(*primals)
    return found[0] if len(primals) == 1 else found
