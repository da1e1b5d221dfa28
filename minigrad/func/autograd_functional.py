"""`torch.autograd.functional`: derivatives of a function at given tensors, taken and given back at once.

Inputs and outputs are a Tensor or a tuple of Tensors, and results come in the same form. `create_graph` gives results
that can be differentiated again, by inputs that require grad and by what the function closes over; without it they have
no graph. `strict` raises RuntimeError where an output (for second derivatives: a gradient) does not depend on an input,
which otherwise gives zeros.
"""

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import autograd
from minigrad.func.jacobians import unit_vectors
from minigrad.func.vmap import vmap
from minigrad.ops import identity, reshape
from minigrad.tensor import Tensor

Tensors = Tensor | tuple[Tensor, ...]
_OUTPUT = "The output of the user-provided function is independent of input {}"
_GRADIENT = (
    "While computing the hessian, found that the jacobian of the user-provided function with respect to input {} is "
    "independent of the input"
)


# ---------------------------------------------------------------- what comes in, and what goes out


def _as_tuple(name: str, what: str, given: Any) -> tuple[Tensor, ...]:
    several = given if isinstance(given, tuple) else (given,)
    if not all(isinstance(x, Tensor) for x in several):
        raise TypeError(
            f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the given {what} has type "
            f"{type(given)}."
        )
    return several


def _fresh(name: str, inputs: Any, create_graph: bool) -> tuple[Tensor, ...]:
    """The inputs under nodes of their own, on the caller's graph where `create_graph` asks for it."""
    xs = _as_tuple(name, "inputs", inputs)
    return tuple(identity(x) if create_graph and x.requires_grad else x.detach().requires_grad_() for x in xs)


def _outputs_of(name: str, func: Callable, xs: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], bool]:
    """What func returns, as a tuple, and whether it was one."""
    out = func(*xs)
    return _as_tuple(name, "outputs of the user-provided function", out), isinstance(out, tuple)


def _scalar_of(name: str, func: Callable, xs: Sequence[Tensor]) -> Tensor:
    (y, *others), is_tuple = _outputs_of(name, func, xs)
    if is_tuple or others:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if y.array.size != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {name} should contain a single element")
    return y


def _vector(v: Any, like: Sequence[Tensor], alone: str) -> tuple[Tensor, ...]:
    """v, checked against what it multiplies; 1 where it was left out and that is one number."""
    if v is None:
        if len(like) != 1 or like[0].array.size != 1:
            raise RuntimeError(f"The vector v can only be None if {alone}.")
        return (like[0].detach().ones_like(),)
    several = v if isinstance(v, tuple) else (v,)
    if len(several) != len(like):
        raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(several)}.")
    for u, x in zip(several, like, strict=True):
        if u.array.shape != x.array.shape:
            raise RuntimeError(f"v has invalid size: should be {x.shape} but got {u.shape}.")
    return several


def _result(tensors: Sequence[Tensor], several: bool, create_graph: bool) -> Tensors:
    kept = tuple(x if create_graph else x.detach() for x in tensors)
    return kept if several else kept[0]


def _gradients(
    ys: Sequence[Tensor], xs: Sequence[Tensor], v: Sequence[Tensor], graph: bool, strict: bool, independent: str
) -> list[Tensor]:
    """v^T J, with zeros (strict: RuntimeError) where there is no dependence."""
    live = [(y, u) for y, u in zip(ys, v, strict=True) if y.requires_grad]
    found: Sequence[Any] = [None] * len(xs)
    if live:
        outputs, seeds = zip(*live, strict=True)
        found = autograd.grad(outputs, xs, seeds, retain_graph=True, create_graph=graph, allow_unused=True)
    unused = [i for i, g in enumerate(found) if g is None]
    if strict and unused:
        raise RuntimeError(f"{independent.format(unused[0])}. This is not allowed in strict mode.")
    return [x.detach().zeros_like() if g is None else g for g, x in zip(found, xs, strict=True)]


# ---------------------------------------------------------------- products


def vjp(func: Callable, inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """(func(inputs), v^T J): v has the form of the outputs, and may be left out for a single number."""
    with autograd.enable_grad():
        xs = _fresh("vjp", inputs, create_graph)
        ys, several = _outputs_of("vjp", func, xs)
        v = _vector(v, ys, "the user-provided function returns a single Tensor with a single element")
        found = _gradients(ys, xs, v, create_graph, strict, _OUTPUT)
    return _result(ys, several, create_graph), _result(found, isinstance(inputs, tuple), create_graph)


def jvp(func: Callable, inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """(func(inputs), J v): v has the form of the inputs, and may be left out for a single number."""
    with autograd.enable_grad():
        xs = _fresh("jvp", inputs, create_graph)
        ys, several = _outputs_of("jvp", func, xs)
        v = _vector(v, xs, "the input to the user-provided function is a single Tensor with a single element")
        dummies = [y.detach().zeros_like().requires_grad_() for y in ys]
        pulled = _gradients(ys, xs, dummies, True, strict, _OUTPUT)  # u^T J, whose derivative by u along v is J v
        found = _gradients(pulled, dummies, v, create_graph, False, _OUTPUT)
    return _result(ys, several, create_graph), _result(found, several, create_graph)


def vhp(func: Callable, inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """(func(inputs), v^T H) for a function of one number: v has the form of the inputs."""
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(func: Callable, inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """(func(inputs), H v) for a function of one number: as `vhp`, since a Hessian is symmetric."""
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(name: str, func: Callable, inputs: Any, v: Any, create_graph: bool, strict: bool) -> tuple:
    with autograd.enable_grad():
        xs = _fresh(name, inputs, create_graph)
        v = _vector(v, xs, "the input to the user-provided function is a single Tensor with a single element")
        y = _scalar_of(name, func, xs)
        gradients = _gradients([y], xs, [y.detach().ones_like()], True, strict, _OUTPUT)
        found = _gradients(gradients, xs, v, create_graph, strict, _GRADIENT)
    return _result([y], False, create_graph), _result(found, isinstance(inputs, tuple), create_graph)


# ---------------------------------------------------------------- matrices


def jacobian(
    func: Callable,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian, of shape (*output shape, *input shape); a tuple of them for several outputs, inputs, or both.

    All rows are computed in one `vmap`, whatever `vectorize` and `strategy` say; `func.jacfwd` goes by columns.
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(f'Expected strategy to be either "forward-mode" or "reverse-mode", got {strategy!r}')
    if strict and vectorize:
        raise RuntimeError("jacobian: `strict=True` and `vectorized=True` are not supported together.")
    with autograd.enable_grad():
        xs = _fresh("jacobian", inputs, create_graph)
        ys, several = _outputs_of("jacobian", func, xs)
        blocks = [_block(i, y, xs, create_graph, strict) for i, y in enumerate(ys)]
    found = [_result(block, isinstance(inputs, tuple), create_graph) for block in blocks]
    return tuple(found) if several else found[0]


def _block(i: int, y: Tensor, xs: Sequence[Tensor], create_graph: bool, strict: bool) -> list[Tensor]:
    """The derivatives of output i by each input."""
    independent = f"Output {i} of the user-provided function is independent of input {{}}"
    if strict and not y.requires_grad:
        raise RuntimeError(
            f"Output {i} of the user-provided function does not require gradients. The outputs must be computed in a "
            "differentiable manner from the input when running in strict mode."
        )
    rows = vmap(lambda u: tuple(_gradients([y], xs, [u], create_graph, strict, independent)))(unit_vectors(y.detach()))
    return [reshape(row, shape=(*y.array.shape, *x.array.shape)) for row, x in zip(rows, xs, strict=True)]


def hessian(
    func: Callable,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a function of one number, of shape (*input shape, *input shape); for a tuple of inputs a tuple of
    tuples, of input i by input j.
    """

    def gradient(*xs: Tensor) -> Tensors:
        y = _scalar_of("hessian", func, xs)
        found = _gradients([y], xs, [y.detach().ones_like()], True, strict, _OUTPUT)
        if strict:
            _gradients(found, xs, [g.detach() for g in found], False, True, _GRADIENT)
        return tuple(found) if isinstance(inputs, tuple) else found[0]

    _as_tuple("hessian", "inputs", inputs)
    return jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
