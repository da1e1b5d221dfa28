"""Derivatives as functions of functions: `grad`, `vjp`, `jvp`, `linearize`, `hvp`.

`grad(f)` is the function whose value is the gradient of the scalar function f. All of them run f on fresh leaves, so
they nest: `grad(grad(f))` is the second derivative. Forward-mode products (`jvp`, and `hvp` inside) come from reverse
mode applied twice: with u a dummy, the vector-Jacobian product g(u) = u^T J is linear in u, and its derivative along v
by u is J v (the "double-vjp trick").

A result has a graph only where something outside still needs one: an enclosing transform, a leaf of the caller's.
"""

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import autograd, pytree
from minigrad.ops import identity
from minigrad.tensor import Tensor


class Run:
    """One run of a function on fresh leaves: its inputs, and what of its graph came from outside."""

    def __init__(self, primals: Any):
        self.outer_graph = autograd.is_grad_enabled()
        self.start = next(autograd._births)  # older nodes are not this run's
        self.inputs = pytree.map_leaves(_fresh, primals)
        self.leaves = pytree.leaves_of(self.inputs)

    def reaches_out(self, tensors: Sequence[Tensor]) -> set[autograd.Node]:
        """The nodes of the tensors' graphs that depend on a leaf from outside."""
        if not self.outer_graph:
            return set()
        reached: dict[int, autograd.Node] = {}
        stack = [x.node for x in tensors if x.requires_grad]
        while stack:
            node = stack.pop()
            if node.birth not in reached and node.birth > self.start:
                reached[node.birth] = node
                stack.extend(parent for parent in node.parents if parent is not None)
        out: set[autograd.Node] = set()
        for birth in sorted(reached):  # oldest first: a node depends on what its parents depend on
            node = reached[birth]
            if any(p is not None and (p.birth < self.start or p in out) for p in node.parents):
                out.add(node)
        return out

    def settled(self, tree: Any) -> Any:
        """The tensors of a result, without their graph where nothing outside is in it."""
        tensors = [x for x in pytree.leaves_of(tree) if isinstance(x, Tensor)]
        out = self.reaches_out(tensors)

        def settle(x: Any) -> Any:
            keeps = not isinstance(x, Tensor) or not x.requires_grad
            if not keeps and self.outer_graph:
                keeps = x.node in out or x.node.birth < self.start
            return x if keeps else x.detach()

        return pytree.map_leaves(settle, tree)

    def gradients(self, outputs: Sequence[Tensor], seeds: Sequence[Tensor] | None = None) -> Any:
        """Derivatives of outputs by the inputs, in their structure; zeros where there is no dependence."""
        live = [(y, None if seeds is None else seeds[i]) for i, y in enumerate(outputs) if y.requires_grad]
        needed = any(seed is not None and seed.requires_grad for _, seed in live)
        graph = needed or bool(self.reaches_out([y for y, _ in live]))
        return self.settled(_like(self.inputs, _gradients(live, self.leaves, graph)))


def _fresh(x: Any) -> Any:
    """The same values under a node of their own, still linked to the outer graph so that transforms nest."""
    if not isinstance(x, Tensor):
        raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}: differentiate by tensors only")
    return identity(x) if x.requires_grad and autograd.is_grad_enabled() else x.detach().requires_grad_()


def _like(tree: Any, leaves: Sequence) -> Any:
    return pytree.unflatten(pytree.flatten(tree)[1], leaves)


def _gradients(live: list, inputs: Sequence[Tensor], graph: bool) -> list[Tensor]:
    if not live:
        return [x.detach().zeros_like() for x in inputs]
    outputs, seeds = zip(*live, strict=True)
    found = autograd.grad(
        outputs, inputs, seeds, retain_graph=True, create_graph=graph, allow_unused=True, materialize_grads=True
    )
    return list(found)


def only_tensors(name: str, outputs: Any) -> list[Tensor]:
    """The leaves of what a function returned; RuntimeError where one is no tensor."""
    leaves = pytree.leaves_of(outputs)
    for x in leaves:
        if not isinstance(x, Tensor):
            raise RuntimeError(f"{name}: expected f(*primals) to return only tensors, got unsupported type {type(x)}")
    return leaves


def with_aux(name: str, out: Any, has_aux: bool) -> tuple[Any, Any]:
    """(outputs, aux) of a function's return value."""
    if not has_aux:
        return out, None
    if not (isinstance(out, tuple) and len(out) == 2):
        raise RuntimeError(f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return out


def wanted_arguments(argnums: Any, count: int) -> tuple[int, ...]:
    """Which positional arguments to differentiate by, counted from the front."""
    if not isinstance(argnums, (int, tuple)) or not all(isinstance(i, int) for i in _as_tuple(argnums)):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    wanted = _as_tuple(argnums)
    if not wanted:
        raise RuntimeError("argnums must be non-empty")
    for i in wanted:
        if not -count <= i < count:
            raise RuntimeError(f"Got argnum={i}, but only {count} positional inputs")
    wanted = tuple(i % count for i in wanted)
    if len(set(wanted)) != len(wanted):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return wanted


def _as_tuple(argnums: int | tuple[int, ...]) -> tuple[int, ...]:
    return (argnums,) if isinstance(argnums, int) else argnums


def by_arguments(func: Callable, argnums: Any, args: tuple, kwargs: dict) -> tuple[Callable, tuple]:
    """The function of the wanted arguments alone, and these."""
    wanted = wanted_arguments(argnums, len(args))

    def f(*primals: Any) -> Any:
        now = list(args)
        for i, primal in zip(wanted, primals, strict=True):
            now[i] = primal
        return func(*now, **kwargs)

    return f, tuple(args[i] for i in wanted)


# ---------------------------------------------------------------- gradients


def grad_and_value(func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    """(x, ...) -> (gradient by the arguments `argnums`, f(x, ...)), of f that returns a scalar, or (scalar, aux).

    The gradient has the structure of the argument, or is a tuple of them where `argnums` is one; with aux the result
    is (gradient, (value, aux)). RuntimeError where f returns no scalar tensor.
    """

    def both(*args: Any, **kwargs: Any) -> Any:
        f, primals = by_arguments(func, argnums, args, kwargs)
        run = Run(primals)
        with autograd.enable_grad():
            value, aux = with_aux("grad_and_value(f)(*args)", f(*run.inputs), has_aux)
            if not isinstance(value, Tensor):
                raise RuntimeError(f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(value)}")
            if value.array.ndim:
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with "
                    f"{value.array.ndim} dims, of shape {tuple(value.shape)}: reduce it, or use vjp or jacrev"
                )
            gradient = run.gradients([value])
        gradient = gradient[0] if isinstance(argnums, int) else gradient
        value, aux = run.settled((value, aux))
        return (gradient, (value, aux)) if has_aux else (gradient, value)

    return both


def grad(func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    """(x, ...) -> the gradient of the scalar f by the arguments `argnums` (and aux, if f returns (scalar, aux))."""
    both = grad_and_value(func, argnums, has_aux)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def value_and_grad(func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    """As `grad_and_value`, in JAX's order: (value, gradient)."""
    both = grad_and_value(func, argnums, has_aux)
    return lambda *args, **kwargs: both(*args, **kwargs)[::-1]


# ---------------------------------------------------------------- products with the Jacobian


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """f(*primals) and the function u -> u^T J, which gives a tuple with one entry a primal.

    u has the structure of f's outputs. With `has_aux`, f returns (outputs, aux), and aux comes third.
    """
    run = Run(primals)
    with autograd.enable_grad():
        outputs, aux = with_aux("vjp(f, *primals)", func(*run.inputs), has_aux)
    leaves, spec = only_tensors("vjp(f, *primals)", outputs), pytree.flatten(outputs)[1]

    def pull_back(*cotangents: Any) -> Any:
        seeds, given = pytree.flatten(cotangents[0] if len(cotangents) == 1 else cotangents)
        if given != spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the "
                f"function. cotangents: {given}, primal output: {spec}"
            )
        with autograd.enable_grad():
            return run.gradients(leaves, seeds)

    value, aux = run.settled((outputs, aux))
    return (value, pull_back, aux) if has_aux else (value, pull_back)


def jvp(func: Callable, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> tuple:
    """f(*primals) and J v for the tangents v (and aux, if f returns (outputs, aux)).

    `strict` raises RuntimeError where an output does not depend on any input, instead of a product of zeros.
    """
    primals, tangents = _as_primals(primals, "primals"), _as_primals(tangents, "tangents")
    outputs, push, aux = pushing(func, primals, has_aux, strict)
    product = push(*tangents)
    return (outputs, product, aux) if has_aux else (outputs, product)


def linearize(func: Callable, *primals: Any) -> tuple[Any, Callable]:
    """f(*primals) and the function v -> J v, which runs f no more: for many products at one point."""
    outputs, push, _ = pushing(func, primals, False, False)
    return outputs, push


def pushing(func: Callable, primals: tuple, has_aux: bool, strict: bool) -> tuple[Any, Callable, Any]:
    """(outputs, v -> J v, aux): f is run once, and its vjp g(u) = u^T J recorded as a function of u."""
    name = "jvp(f, primals, tangents)"
    if not pytree.leaves_of(primals):
        raise RuntimeError(f"{name}: Expected primals to contain at least one Tensor.")
    run, spec = Run(primals), pytree.flatten(primals)[1]
    with autograd.enable_grad():
        outputs, aux = with_aux(name, func(*run.inputs), has_aux)
        leaves = only_tensors(name, outputs)
        if strict and not all(y.requires_grad for y in leaves):
            raise RuntimeError(f"{name}: with strict=True every output must depend on the primals, and one does not")
        dummies = [y.detach().zeros_like().requires_grad_() for y in leaves]
        live = [(y, u) for y, u in zip(leaves, dummies, strict=True) if y.requires_grad]
        pulled = _gradients(live, run.leaves, graph=True)

    def push(*tangents: Any) -> Any:
        directions, given = pytree.flatten(tangents)
        if given != spec:
            raise RuntimeError(
                f"{name}: Expected primals and tangents to have the same python structure. Got primals with structure "
                f"{spec} and tangents with structure {given}"
            )
        pairs = list(zip(pulled, map(_direction, run.leaves, directions), strict=True))
        with autograd.enable_grad():
            along = [(g, v) for g, v in pairs if g.requires_grad]
            graph = any(v.requires_grad for _, v in along) or bool(run.reaches_out([g for g, _ in along]))
            products = _gradients(along, dummies, graph)
        return run.settled(_like(outputs, products))

    value, aux = run.settled((outputs, aux))
    return value, push, aux


def _as_primals(given: Any, what: str) -> tuple:
    if not isinstance(given, (tuple, list)):
        raise RuntimeError(
            f"jvp(f, primals, tangents): Expected {what} to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    return tuple(given)


def _direction(primal: Tensor, tangent: Any) -> Tensor:
    if not isinstance(tangent, Tensor):
        raise ValueError(f"Thing passed to transform API must be Tensor, got {type(tangent)}")
    if tangent.array.shape != primal.array.shape:
        raise RuntimeError(
            f"jvp: a tangent has the size of its primal. Tensor is of size {list(primal.shape)} while the given "
            f"tangent is of size {list(tangent.shape)}."
        )
    return tangent


def hvp(func: Callable, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of the scalar f times a vector, without the Hessian: d/dx (grad f . v) (Pearlmutter, 1994).

    Returns a tuple with one entry a primal, bare for a single primal.
    """
    primals, tangents = tuple(primals), tuple(tangents)
    argnums = tuple(range(len(primals)))

    def directional(*inputs: Any) -> Tensor:
        gradients = pytree.leaves_of(grad(func, argnums)(*inputs))
        terms = [(g * v).sum() for g, v in zip(gradients, pytree.leaves_of(tangents), strict=True)]
        return sum(terms[1:], terms[0])

    found = grad(directional, argnums)(*primals)
    return found[0] if len(primals) == 1 else found
