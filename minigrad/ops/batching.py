"""Where tensors enter and leave a `vmap`. Inside it they are Batched arrays (kernels/batched/array.py), and ordinary.

Four linear ops, two pairs of adjoints:

    batch_in     a tensor whose axis counts the examples -> the examples          batch_out    and back
    batch_share  a tensor that all examples share -> the same for each            batch_total  the sum over all examples

What an op inside gets is all Batched: a tensor from outside that meets a batched one goes through `batch_share`. Its
gradient there is one for each example. While the vmap runs, that is what is wanted: `vmap(grad(f))` asks for it, with
the weights shared. Once it has finished, each use has added to one loss, and they are summed: `grad(vmap(f))`.
"""

import functools
from collections import namedtuple
from collections.abc import Callable
from typing import Any

from minigrad import pytree
from minigrad.kernels.batched import Level, crossing, is_active, top
from minigrad.op import op
from minigrad.ops.indexing import getitem
from minigrad.ops.shape import stack
from minigrad.tensor import Tensor


@op(view=True)
def batch_in(x, *, level, dim):
    """The examples of `level` that lie along `dim`, as an array with the shape of one."""
    return crossing.enter(x, level, dim)


@batch_in.vjp
def batch_in_vjp(dy, level, dim):
    return batch_out(dy, level=level, dim=dim)


@op(view=True)
def batch_out(x, *, level, dim):
    """All examples of `level` side by side along `dim`; one that all share is repeated."""
    return crossing.leave(x, level, dim)


@batch_out.vjp
def batch_out_vjp(dy, level, dim):
    return batch_in(dy, level=level, dim=dim)


@op(view=True)
def batch_share(x, *, level):
    """The same x for each example of `level`."""
    return crossing.share(x, level)


@batch_share.vjp
def batch_share_vjp(dy, level):
    return dy if is_active(level) else batch_total(dy, level=level)


@op
def batch_total(x, *, level):
    """The sum over all examples of `level`."""
    return crossing.total(x, level)


@batch_total.vjp
def batch_total_vjp(dy, level):
    return batch_share(dy, level=level)


# ---------------------------------------------------------------- what has no rule, and asks for numbers on the host


def example_by_example(function: Callable) -> Callable:
    """Decorator: under vmap the function is called once an example, outside of that vmap, and its results are stacked.

    For functions that read numbers from their tensors to decide what to compute.
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        level = top(x.array for x in (*args, *kwargs.values()) if isinstance(x, Tensor))
        if level is None:
            return function(*args, **kwargs)
        if not level.size:
            raise RuntimeError(f"vmap: {function.__name__} runs once an example, and the batch has none")
        apart = [_apart(x, level) for x in args]
        named = {name: _apart(x, level) for name, x in kwargs.items()}
        results = [  # of an outer vmap, if there is one, it runs once an example too
            run(*[of(i) for of in apart], **{name: of(i) for name, of in named.items()}) for i in range(level.size)
        ]
        if isinstance(results[0], Tensor):
            return batch_in(stack(results), level=level, dim=0)
        kind = type(results[0])
        parts = [batch_in(stack(found), level=level, dim=0) for found in zip(*results, strict=True)]
        return kind(*parts) if hasattr(kind, "_fields") else tuple(parts)

    return run


def _apart(x: Any, level: Level) -> Callable:
    """What example i sees of an argument, as a function of i."""
    whole = _whole(x, level)
    if whole is x:
        return lambda i: x
    return lambda i: getitem(whole, index=(i,))


def _whole(x: Any, level: Level) -> Any:
    """The tensor of all examples, along dim 0; x itself if it is the same for all and has no gradient."""
    if not isinstance(x, Tensor):
        return x
    if top((x.array,)) is not level:
        if not x.requires_grad:
            return x
        x = batch_share(x, level=level)  # its gradient is one for each example
    return batch_out(x, level=level, dim=0)


VmapInfo = namedtuple("VmapInfo", ("batch_size", "randomness"))


def by_own_rule(rule: Callable, args: tuple, level: Level) -> Any:
    """What `rule(info, in_dims, *args) -> (outputs, out_dims)` makes of the tensors of all examples of `level`."""
    whole = [_whole(x, level) for x in args]
    dims = tuple(0 if x is not given else None for x, given in zip(whole, args, strict=True))
    outputs, out_dims = rule(VmapInfo(level.size, level.randomness), dims, *whole)
    leaves, spec = pytree.flatten(outputs)
    places = pytree.spread(out_dims, spec)
    if places is None:
        raise ValueError(f"the vmap of an autograd.Function returned {spec} and out_dims {out_dims}, which do not fit")
    return pytree.unflatten(
        spec, [x if d is None else batch_in(x, level=level, dim=d) for x, d in zip(leaves, places, strict=True)]
    )
