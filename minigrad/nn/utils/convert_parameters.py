"""All parameters of a model as one vector, and back."""

from collections.abc import Iterable

from minigrad import ops
from minigrad.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The entries of all parameters, one after another, as a 1-d tensor; gradients flow through it."""
    return ops.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give each parameter its part of `vec` as data, in the order of `parameters_to_vector`.

    The memory is that of `vec`: a write to one is a write to the other.

    Raises TypeError if `vec` is no tensor, ValueError if it is not 1-d with as many entries as the parameters together.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected a Tensor, but got: {type(vec).__name__}")
    parameters = list(parameters)
    wanted = sum(p.numel() for p in parameters)
    if vec.dim() != 1 or vec.numel() != wanted:
        raise ValueError(f"the parameters have {wanted} entries together, the vector has the shape {list(vec.shape)}")
    start = 0
    for p in parameters:
        end = start + p.numel()
        p.data = vec.data[start:end].view_as(p)
        start = end
