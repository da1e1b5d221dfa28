"""State dicts: which tensors of a module are saved, and how saved values come back."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from minigrad import autograd
from minigrad.nn.parameter import Parameter, is_lazy
from minigrad.tensor import Tensor

if TYPE_CHECKING:
    from minigrad.nn.module import Module


class Incompatible(NamedTuple):
    """What `load_state_dict` returns: the keys that were expected and absent, and those given and not expected."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"

    def __str__(self) -> str:
        return repr(self)


def own(module: "Module") -> Iterator[tuple[str, Tensor]]:
    """The tensors of a module itself that are saved: its parameters, then its persistent buffers."""
    for name, parameter in module._parameters.items():
        if parameter is not None:
            yield name, parameter
    for name, buffer in module._buffers.items():
        if buffer is not None and name not in module._non_persistent_buffers_set:
            yield name, buffer


def load(module: "Module", state_dict: Any, strict: bool, assign: bool) -> Incompatible:
    """Give every parameter and persistent buffer of `module` the value stored under its name.

    The values are copied into the memory that is there, cast and moved as needed; with `assign` the module takes the
    given tensors themselves, with their dtype and device. With `strict=False` keys may be missing or left over. Shapes
    must fit in any case (a 0-d tensor also takes a single value of shape (1,), which old files have).

    Raises TypeError for something that is no mapping, and one RuntimeError that lists every missing key, unexpected
    key and wrong shape, after what does fit was loaded: programs that go on in spite of it rely on that.
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    homes: dict[str, tuple[Module, str, Tensor]] = {}
    for path, owner in module.named_modules(remove_duplicate=False):
        for name, tensor in own(owner):
            homes[f"{path}.{name}" if path else name] = (owner, name, tensor)
    missing = [k for k in homes if k not in state_dict]
    if getattr(state_dict, "_metadata", None) is None:  # batch norm did not always count, and files of then say nothing
        missing = [k for k in missing if k.rpartition(".")[2] != "num_batches_tracked"]
    result = Incompatible(missing, [k for k in state_dict if k not in homes])
    problems = _list_keys(result) if strict else []
    fitting = {}
    for key, (_, _, tensor) in homes.items():
        if key in state_dict:
            value, problem = _fit(key, state_dict[key], tensor)
            if problem:
                problems.append(problem)
            else:
                fitting[key] = value
    with autograd.no_grad():
        for key, value in fitting.items():
            owner, name, tensor = homes[key]
            if is_lazy(tensor):
                if is_lazy(value):
                    continue
                cast(Any, tensor).materialize(value.shape)  # a lazy layer takes the shape of what it loads
            if not assign:
                tensor.copy_(value)
            elif isinstance(tensor, Parameter) and not isinstance(value, Parameter):
                setattr(owner, name, Parameter(value, requires_grad=tensor.requires_grad))
            else:
                setattr(owner, name, value)
    if problems:
        listed = "\n\t".join(problems)
        raise RuntimeError(f"Error(s) in loading state_dict for {type(module).__name__}:\n\t{listed}")
    return result


def _list_keys(result: Incompatible) -> list[str]:
    kinds = {"Missing": result.missing_keys, "Unexpected": result.unexpected_keys}
    return [
        f"{kind} key(s) in state_dict: " + ", ".join(f'"{key}"' for key in keys) + ". "
        for kind, keys in kinds.items()
        if keys
    ]


def _fit(key: str, value: Any, tensor: Tensor) -> tuple[Any, str | None]:
    """The value in the shape of `tensor`, and what is wrong with it if anything is."""
    if not isinstance(value, Tensor):
        return value, (
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint '
            f"but received {type(value)}"
        )
    if is_lazy(tensor):
        return value, None
    if tensor.ndim == 0 and value.shape == (1,):
        value = value[0]
    if value.shape != tensor.shape:
        return value, (
            f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, "
            f"the shape in current model is {tensor.shape}."
        )
    return value, None
