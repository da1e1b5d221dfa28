"""Modules as functions of their parameters: what `grad` and `vmap` want, which know nothing of attributes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minigrad import ops
from minigrad.nn.batchnorm import _BatchNorm
from minigrad.nn.module import Module
from minigrad.tensor import Tensor


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """`module(*args, **kwargs)` with the tensors of a dict (or several) in place of its parameters and buffers.

    Names that are not given keep their own tensors; what the module writes to a buffer it writes to the given one.
    `args` that is no tuple counts as the one argument. With `tie_weights`, a tensor given for one of several names that
    share a parameter stands for all of them. With `strict` every name must be given, and no other.

    ValueError for dicts that share a name, and for several tensors of tied names; RuntimeError where strict finds names
    missing or unknown.
    """
    given = _one_dict(parameter_and_buffer_dicts)
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, given, tie_weights, strict):
        return module(*args, **(kwargs or {}))


def _one_dict(dicts: Any) -> dict[str, Tensor]:
    if isinstance(dicts, dict):
        return dicts
    if not isinstance(dicts, Sequence):
        raise ValueError(
            f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(dicts)}"
        )
    if not all(isinstance(d, dict) for d in dicts):
        raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
    names = [name for d in dicts for name in d]
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
    return {name: x for d in dicts for name, x in d.items()}


@contextmanager
def _replaced(module: Module, given: dict[str, Tensor], tie_weights: bool, strict: bool) -> Iterator[None]:
    """The module with other tensors in its tables, which are put back afterwards."""
    places = dict(_places(module))
    wanted = _with_tied(places, given) if tie_weights else dict(given)
    if strict:
        _check_names(module, places, wanted)
    former = {}
    try:
        for name, x in wanted.items():
            if name in places:
                table, key = places[name]
                former[name], table[key] = table[key], x
        yield
    finally:
        for name, x in former.items():
            table, key = places[name]
            if name in given and table[key] is not given[name]:
                given[name] = table[key]  # the module bound another tensor to that name
            table[key] = x


def _places(module: Module) -> Iterator[tuple[str, tuple[dict, str]]]:
    """The dotted name of each parameter and buffer, with the table it is in and its key there."""
    for prefix, owner in module.named_modules(remove_duplicate=False):
        for table in (owner._parameters, owner._buffers):
            for key, x in table.items():
                if x is not None:
                    yield f"{prefix}.{key}" if prefix else key, (table, key)


def _with_tied(places: dict, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """What was given, for all names of the parameters it was given for."""
    tied: dict[int, list[str]] = {}
    for name, (table, key) in places.items():
        tied.setdefault(id(table[key]), []).append(name)
    wanted = dict(given)
    for names in tied.values():
        known = [name for name in names if name in given]
        if len({id(given[name]) for name in known}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {known}, which are tied. Consider using "
                "tie_weights=False"
            )
        if known:
            wanted.update(dict.fromkeys(names, given[known[0]]))
    return wanted


def _check_names(module: Module, places: dict, wanted: dict) -> None:
    missing = [name for name in places if name not in wanted]
    unknown = [name for name in wanted if name not in places]
    if missing or unknown:
        lines = [f"Error(s) in reparametrizing for {type(module).__name__}:"]
        lines += [f"Missing key(s): {', '.join(map(repr, missing))}."] if missing else []
        lines += [f"Unexpected key(s): {', '.join(map(repr, unknown))}."] if unknown else []
        raise RuntimeError("\n\t".join(lines))


def stack_module_state(models: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(parameters, buffers) of several modules of one class, by name, each stacked along a new first dim: the models of
    an ensemble, for `vmap` over `functional_call`. The parameters are new leaves, which can be optimised.

    RuntimeError for no models, for models of several classes or modes, and for parameters of which only some require
    grad.
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({model.training for model in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if len({type(model) for model in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(model.named_parameters()) for model in models]
    buffers = [dict(model.named_buffers()) for model in models]
    return (
        {name: _stacked(name, [p[name] for p in parameters]) for name in parameters[0]},
        {name: _stacked(name, [b[name] for b in buffers]) for name in buffers[0]},
    )


def _stacked(name: str, tensors: list[Tensor]) -> Tensor:
    wanted = {x.requires_grad for x in tensors}
    if len(wanted) > 1:
        raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
    return ops.stack([x.detach() for x in tensors]).requires_grad_(wanted.pop())


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Make every batch norm in `root`, and it itself if it is one, use the statistics of its batch alone, in place.

    Running averages are shared by all examples and cannot be written to under `vmap`. Returns `root`.
    """
    for module in root.modules():
        if isinstance(module, _BatchNorm) and module.track_running_stats:
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
