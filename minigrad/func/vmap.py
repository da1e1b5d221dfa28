"""`vmap(f)`: the function of a batch that does to each example what f does, all examples at once.

The tensors that f is given hide the batch: f sees the shape of one example, and each op computes all of them. How is
written where it happens: the arrays in kernels/batched/, the way in and out in ops/batching.py, the calls in region.py.
"""

import functools
from collections.abc import Callable
from typing import Any

from minigrad import pytree
from minigrad.batching import region, shared
from minigrad.kernels.batched import Batched
from minigrad.ops import batch_in, batch_out, cat
from minigrad.tensor import Tensor, one_dim


def vmap(
    func: Callable, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: int | None = None
) -> Callable:
    """A function that maps `func` over a dimension of its inputs.

    in_dims    which one: an int, None for an argument that all examples share, or a tuple of these with one entry an
               argument, nested as the arguments are (an int or None stands for all that lies below it)
    out_dims   where the dimension stands in the outputs; nested as they are. None: the output is no tensor, or the
               same for all examples
    randomness "error" (random numbers raise), "same" or "different" (from example to example)
    chunk_size how many examples are computed at a time; None: all

    Keyword arguments are shared. Tensors that `func` closes over are shared too, and gradients flow into them as into
    the arguments; `vmap(grad(f))` gives each example's own. The cost is that of `func` on the whole batch. Kernels
    without a rule in kernels/batched/ run once an example.

    ValueError for in_dims or out_dims that do not fit, for sizes that differ, and for outputs that are no tensors.
    RuntimeError inside for what has no single answer for all examples: `.item()`, `if x > 0`, boolean masks as indices,
    and writing a batched tensor into one that is not.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        _check_out_dims(func, out_dims)
        leaves, dims, spec, size = _examples(func, in_dims, args)
        if chunk_size is None or size <= chunk_size:
            return _run(func, leaves, dims, spec, size, out_dims, randomness, kwargs)
        results = []
        for start in range(0, size, chunk_size):
            count = min(chunk_size, size - start)
            part = [x if d is None else x.narrow(d, start, count) for x, d in zip(leaves, dims, strict=True)]
            results.append(_run(func, part, dims, spec, count, out_dims, randomness, kwargs))
        return _joined(results, out_dims)

    return mapped


def _run(
    func: Callable, leaves: list, dims: list, spec: Any, size: int, out_dims: Any, randomness: str, kwargs: dict
) -> Any:
    with region(size, randomness) as level:
        inputs = [x if d is None else batch_in(x, level=level, dim=d) for x, d in zip(leaves, dims, strict=True)]
        outputs = func(*pytree.unflatten(spec, inputs), **kwargs)
        found, out_spec = pytree.flatten(outputs)
        results = []
        for x, dim in zip(found, _out_dims(func, out_dims, out_spec), strict=True):
            results.append(_whole(func, x, dim, level))
    return pytree.unflatten(out_spec, results)


def _whole(func: Callable, x: Any, dim: Any, level: Any) -> Any:
    """An output with its batch dimension, at `dim`."""
    if dim is None:
        if isinstance(x, Tensor) and type(x.array) is Batched and x.array.level is level:
            raise ValueError(
                f"vmap({_name(func)}, ...): `{_name(func)}` can not return a BatchedTensor when out_dim is None"
            )
        return x
    if not isinstance(x, Tensor):
        raise ValueError(
            f"vmap({_name(func)}, ...): `{_name(func)}` must only return Tensors, got type {type(x)}. Did you mean to "
            "set out_dims= to None for output?"
        )
    x = shared(x, [level])  # so that a gradient that comes back is one for each example
    return batch_out(x, level=level, dim=one_dim(dim, x.array.ndim + 1))


def _joined(results: list, out_dims: Any) -> Any:
    """The outputs of all chunks, one behind the other."""
    parts, specs = zip(*map(pytree.flatten, results), strict=True)
    dims = pytree.spread(out_dims[0] if _is_one_output(out_dims, specs[0]) else out_dims, specs[0])
    assert dims is not None
    columns = zip(dims, *parts, strict=True)
    return pytree.unflatten(specs[0], [pieces[0] if dim is None else cat(pieces, dim) for dim, *pieces in columns])


# ---------------------------------------------------------------- what the caller asked for, checked


def _name(func: Callable) -> str:
    if isinstance(func, functools.partial):
        return f"functools.partial({_name(func.func)}, ...)"
    return func.__name__ if hasattr(func, "__name__") else repr(func)


def _refused(func: Callable, in_dims: Any, why: str) -> ValueError:
    return ValueError(f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): {why}")


def _examples(func: Callable, in_dims: Any, args: tuple) -> tuple[list, list, Any, int]:
    """The leaves of the arguments, the dimension to map over for each, how they are nested, and how many examples."""
    if not isinstance(in_dims, (int, tuple)):
        why = "expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, got: {}."
        raise _refused(func, in_dims, why.format(type(in_dims)))
    if not args:
        raise ValueError(f"vmap({_name(func)})(<inputs>): got no inputs. The tensors to map over are given by position")
    leaves, spec = pytree.flatten(args)
    dims = pytree.spread(in_dims, spec)
    if dims is None:
        why = "in_dims is not compatible with the structure of `inputs`. in_dims has structure {} but inputs {}."
        raise _refused(func, in_dims, why.format(pytree.flatten(in_dims)[1], spec))
    for i, (x, dim) in enumerate(zip(leaves, dims, strict=True)):
        if why := _unfit(x, dim):
            raise _refused(func, in_dims, why)
        dims[i] = dim if dim is None else dim % x.array.ndim
    sizes = [x.array.shape[dim] for x, dim in zip(leaves, dims, strict=True) if dim is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if len(set(sizes)) > 1:
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the "
            "mapped dimension"
        )
    return leaves, dims, spec, sizes[0]


def _unfit(x: Any, dim: Any) -> str:
    """Why an argument cannot be mapped over that dimension; empty where it can."""
    if dim is None:
        return ""
    if not isinstance(dim, int):
        return f"Got in_dim={dim} for an input but in_dim must be either an integer dimension or None."
    if not isinstance(x, Tensor):
        return (
            f"Got in_dim={dim} for an input but the input is of type {type(x)}. We cannot vmap over non-Tensor "
            "arguments, please use None as the respective in_dim"
        )
    ndim = x.array.ndim
    if -ndim <= dim < ndim:
        return ""
    return (
        f"Got in_dim={dim} for some input, but that input is a Tensor of dimensionality {ndim} so expected in_dim to "
        f"satisfy -{ndim} <= in_dim < {ndim}."
    )


def _check_out_dims(func: Callable, out_dims: Any) -> None:
    if not all(dim is None or isinstance(dim, int) for dim in pytree.leaves_of(out_dims)):
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of "
            "ints representing where in the outputs the vmapped dimension should appear."
        )


def _is_one_output(out_dims: Any, spec: Any) -> bool:
    """Whether `out_dims` is (dim,) for a function that returns one tensor, which is accepted."""
    return spec.kind is None and isinstance(out_dims, tuple) and len(out_dims) == 1


def _out_dims(func: Callable, out_dims: Any, spec: Any) -> list:
    if _is_one_output(out_dims, spec):
        return list(out_dims)
    dims = pytree.spread(out_dims, spec)
    if dims is None:
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure "
            f"of `outputs`. out_dims has structure {pytree.flatten(out_dims)[1]} but outputs has structure {spec}."
        )
    return dims
