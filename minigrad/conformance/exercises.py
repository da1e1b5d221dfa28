"""What many cases do alike: make inputs, differentiate twice, put an op or a layer through its paces.

Inputs come from a formula, not from a generator, so that a case depends on nothing but the names it is about.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from minigrad.conformance.outcome import differs, error_of, outcome
from minigrad.conformance.surface import SURFACE

Row = tuple[Any, ...]  # a call, and its inputs


def numbers(torch: Any, *shape: int, start: int = 0, low: float = -2.0, high: float = 2.0, dtype: Any = None) -> Any:
    """Scattered numbers strictly between low and high: no two alike among 101 neighbours, none 0 for the usual span."""
    values = [low + (high - low) * ((start + i) * 37 % 101 + 0.37) / 101 for i in range(math.prod(shape))]
    return torch.tensor(values, dtype=dtype or torch.float32).reshape(shape)


def flat(x: Any) -> list[Any]:
    """The leaves of nested lists and tuples."""
    return [leaf for item in x for leaf in flat(item)] if isinstance(x, (list, tuple)) else [x]


def weighted(torch: Any, outputs: Any, start: int = 5) -> Any:
    """One number that every differentiable entry of the outputs takes part in with its own weight; None of none."""
    tensors = [x for x in flat(outputs) if getattr(x, "requires_grad", False)]
    terms = [(x * numbers(torch, *x.shape, start=start + 7 * i, dtype=x.dtype)).sum() for i, x in enumerate(tensors)]
    return sum(terms) if terms else None


def asking(x: Any) -> Any:
    """A tensor of its own that asks for a gradient if it can."""
    return x.detach().clone().requires_grad_() if x.is_floating_point() else x


def outcomes(*calls: Callable[[], Any]) -> list[Any]:
    """What each call returns, or the type of the error it raises."""
    return [outcome(call_without(call), None) for call in calls]


def errors(*calls: Callable[[], Any]) -> list[str]:
    """The type of the error that each call raises, "no error" where it raises none."""
    return [error_of(call) for call in calls]


def call_without(call: Callable[[], Any]) -> Callable[[Any], Any]:
    """A call of nothing as a program, which is handed the library."""
    return lambda library: call()


def rows(
    case: Any, name: str, *table: Row, also: Sequence[str] = (), span: tuple[float, float] = (-2.0, 2.0),
    wrong: Sequence[Callable[..., Any]] = (), untold: Sequence[str] = (),
    second: bool = True, dtype: str = "float64", called: str = "",
) -> None:  # fmt: skip
    """Adds the case of an op: every row of the table is a call and its inputs; `wrong` holds calls that are refused.

    A call takes the library and its inputs, each given as a shape that `numbers` fills from `span`, or as the values
    of a tensor in lists. Those of `wrong` take the library and a (2, 3) tensor. `untold` names variants that are
    left out: dtypes that PyTorch has no kernel for, where what minigrad answers is its own. Second gradients are told
    for inputs given by shape alone: at an edge, where the first one jumps, they depend on the kernel.
    """

    def program(torch: Any) -> dict[str, Any]:
        told: list[dict[str, Any]] = []
        for call, *given in table:
            inputs = [made(torch, x, i, dtype, *span) for i, x in enumerate(given)]
            smooth = second and not any(made_of_floats(x) for x in given)
            found = derivatives(torch, call, inputs, smooth)
            told.append(found if told else found | variants(torch, call, inputs, untold))
        x = numbers(torch, 2, 3, low=span[0], high=span[1])
        return {"rows": told, "errors": outcomes(*[lambda call=call: call(torch, x) for call in wrong])}

    program.__name__ = called or name
    case(name, *also)(program)


def made(torch: Any, given: Any, start: int, dtype: str, low: float, high: float) -> Any:
    """An input from its shape (a tuple), or one with the given values (a list or a number)."""
    if isinstance(given, tuple):
        return numbers(torch, *given, start=13 * start, low=low, high=high, dtype=getattr(torch, dtype))
    return torch.tensor(given, dtype=getattr(torch, dtype) if made_of_floats(given) else None)


def made_of_floats(given: Any) -> bool:
    """True of values (not of a shape) among which is a float."""
    return not isinstance(given, tuple) and any(isinstance(x, float) for x in flat(given))


def derivatives(torch: Any, call: Callable[..., Any], inputs: Sequence[Any], second: bool = True) -> dict[str, Any]:
    """The value, the gradients by the inputs of a weighted sum of it, and those of a weighted sum of the gradients."""
    xs = [asking(x) for x in inputs]
    value = call(torch, *xs)
    sources = [x for x in xs if x.requires_grad]
    if not sources or (loss := weighted(torch, value)) is None:
        return {"value": value}
    first = torch.autograd.grad(loss, sources, create_graph=True, allow_unused=True)
    told = {"value": value, "gradients": [g if g is None else g.detach() for g in first]}
    if second and (slope := weighted(torch, first, start=11)) is not None:
        twice = torch.autograd.grad(slope, sources, allow_unused=True)
        # Nothing, or zeros: which one a library says is of no interest.
        zero = [g is None or not bool((g.abs() > 1e-12).any()) for g in twice]
        told["second"] = None if all(zero) else ["zero" if z else g for z, g in zip(zero, twice, strict=True)]
    return {"second": None} | told if second else told


def differentiated(torch: Any, call: Callable[..., Any], *inputs: Any) -> dict[str, Any]:
    """The value of call(*inputs), and the gradients by the inputs of a weighted sum of it."""
    return derivatives(torch, lambda torch, *xs: call(*xs), inputs, second=False)


def variants(torch: Any, call: Callable[..., Any], inputs: Sequence[Any], untold: Sequence[str] = ()) -> dict[str, Any]:
    """How a call takes other layouts and dtypes of its inputs: what comes out, or the type of the error.

    "strided" tells whether inputs that are not contiguous give the same, "empty" is what no entries give, the rest are
    named after the dtype that stands in for float64.
    """

    def run(change: Callable[[Any], Any]) -> Any:
        return outcome(lambda torch: call(torch, *map(change, inputs)), torch)

    def floats(change: Callable[[Any], Any]) -> Any:
        return run(lambda x: change(x) if x.is_floating_point() else x)

    told: dict[str, Any] = {"empty": run(lambda x: x[:0] if x.dim() else x)}
    told["strided"] = not differs(run(lambda x: torch.stack([x, x], -1)[..., 0]), run(lambda x: x))
    if any(x.is_floating_point() for x in inputs):
        single = call(torch, *[x.float() if x.is_floating_point() else x for x in inputs])
        told["float32"] = [str(x.dtype).removeprefix("torch.") for x in flat(single) if hasattr(x, "dtype")]
        told["int64"] = floats(lambda x: (x * 3).long())
        told["bool"] = floats(lambda x: x > 0)
    return {name: value for name, value in told.items() if name not in untold}


def layers(
    case: Any, name: str, *table: Row, also: Sequence[str] = (), span: tuple[float, float] = (-2.0, 2.0),
    wrong: Sequence[Any] = (), refused: Sequence[Callable[..., Any]] = (), float32: float = 2e-6,
) -> None:  # fmt: skip
    """Adds the case of a module: every row is a call that makes one from `torch.nn`, and its inputs as `rows` has them.

    `wrong` holds inputs that the first of them refuses (a shape or values; a list in a tuple for several), `refused`
    calls of `torch.nn` that make none.
    """

    def program(torch: Any) -> dict[str, Any]:
        def tensors(given: Sequence[Any]) -> list[Any]:
            return [made(torch, x, i, "float32", *span) for i, x in enumerate(given)]

        told = [layer(torch, make, tensors(given)) for make, *given in table]
        first = table[0][0](torch.nn)
        errors = [lambda given=given: first(*tensors(given)) for given in wrong]
        return {"rows": told, "errors": outcomes(*errors, *[lambda make=make: make(torch.nn) for make in refused])}

    program.__name__ = name
    case(name, *also, float32=float32)(program)


def layer(torch: Any, make: Callable[..., Any], inputs: Sequence[Any]) -> dict[str, Any]:
    """A module's text, its parameters and buffers under a seed after one call, then in float64, with parameters and
    buffers by formula, its value and the gradients by inputs and parameters, and its value in eval mode where that may
    be another.
    """
    torch.manual_seed(0)
    module = make(torch.nn)
    told: dict[str, Any] = {"repr": repr(module)}
    told["float32"] = [[x.dtype, x.shape] for x in flat(module(*inputs)) if hasattr(x, "dtype")]
    told["state"] = module.state_dict()
    set_by_formula(torch, module.double())
    xs = [asking(x.double()) if x.is_floating_point() else x for x in inputs]
    told["value"] = value = module(*xs)
    sources = [x for x in (*xs, *module.parameters()) if x.requires_grad]
    if sources and (loss := weighted(torch, value)) is not None:
        told["gradients"] = torch.autograd.grad(loss, sources, allow_unused=True)
    if list(module.buffers()) or "ropout" in told["repr"]:
        told["buffers"] = list(module.buffers())
        told["training"] = [module.training, module.eval().training]
        told["eval"] = module(*xs)
    return told


def set_by_formula(torch: Any, module: Any) -> None:
    """Parameters between -0.6 and 0.6, floating buffers between 0.5 and 1.5: figures that no generator rounds."""
    with torch.no_grad():
        for i, x in enumerate(module.parameters()):
            x.copy_(numbers(torch, *x.shape, start=29 * i, low=-0.6, high=0.6, dtype=torch.float64))
        for i, x in enumerate(module.buffers()):
            if x.is_floating_point():
                x.copy_(numbers(torch, *x.shape, start=29 * i, low=0.5, high=1.5, dtype=torch.float64))


def rows_of(case: Any, prefix: str) -> Callable[..., None]:
    """`rows` for the functions of nn.functional: every call takes the function first, then the library."""

    def add(name: str, *table: Row, wrong: Sequence[Callable[..., Any]] = (), **options: Any) -> None:
        def with_function(call: Callable[..., Any]) -> Callable[..., Any]:
            return lambda torch, *inputs: call(getattr(torch.nn.functional, name), torch, *inputs)

        calls = [(with_function(call), *given) for call, *given in table]
        also = [f"functional:{name}"] if name in SURFACE["functional"].names else []
        rows(case, f"{prefix}{name}", *calls, also=also, wrong=[with_function(call) for call in wrong], **options)

    return add
