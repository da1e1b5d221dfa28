"""Jacobians and Hessians: all rows, or all columns, of the matrix in one `vmap` over the unit vectors.

`jacrev` pulls the unit vectors of the outputs back, a row each: for functions with few outputs. `jacfwd` pushes those
of the inputs forward, a column each: for functions with few inputs. Both give the same matrix.
"""

from collections.abc import Callable
from typing import Any

from minigrad import autograd, creation, pytree
from minigrad.batching import region
from minigrad.func.derivatives import Run, by_arguments, jvp, only_tensors, pushing, with_aux
from minigrad.func.vmap import vmap
from minigrad.ops import reshape
from minigrad.tensor import Tensor


def unit_vectors(x: Tensor) -> Tensor:
    """One tensor like x for each of its entries, 1 there and 0 elsewhere: (n, *x.shape)."""
    n = x.array.size
    return reshape(creation.eye(n, dtype=x.dtype, device=x.device), shape=(n, *x.array.shape))


def jacrev(
    func: Callable, argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False, chunk_size: int | None = None
) -> Callable:
    """x -> the Jacobian of f by the arguments `argnums`, of shape (*output shape, *input shape), row by row.

    For outputs that are nested, and for each of them by inputs that are, a tree of trees. `chunk_size` is how many rows
    are computed at a time (None: all). With `has_aux`, f returns (outputs, aux) and the result is (Jacobian, aux).
    """
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    def jacobian(*args: Any) -> Any:
        f, primals = by_arguments(func, argnums, args, {})
        run = Run(primals)
        with autograd.enable_grad():
            outputs, aux = with_aux("jacrev(f)(*args)", f(*run.inputs), has_aux)
            leaves, spec = only_tensors("vjp(f, *primals)", outputs), pytree.flatten(outputs)[1]
            blocks = [_rows(run, y, chunk_size) for y in leaves]
        found = pytree.unflatten(spec, [block[0] if isinstance(argnums, int) else block for block in blocks])
        return (found, run.settled(aux)) if has_aux else found

    return jacobian


def _rows(run: Run, y: Tensor, chunk_size: int | None) -> Any:
    """The derivatives of all entries of y by the inputs."""
    rows = vmap(lambda u: run.gradients([y], [u]), chunk_size=chunk_size)(unit_vectors(y.detach()))
    return pytree.map_leaves(lambda x: reshape(x, shape=(*y.array.shape, *x.array.shape[1:])), rows)


def jacfwd(
    func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable:
    """x -> the Jacobian of f by the arguments `argnums`, as `jacrev` gives it, column by column.

    `randomness` says what random numbers in f do: "error", "same" or "different" from column to column.
    """

    def jacobian(*args: Any) -> Any:
        f, primals = by_arguments(func, argnums, args, {})
        outputs, push, aux = _pushed(f, primals, has_aux, randomness)
        inputs, spec = pytree.flatten(primals)
        columns = [_columns(push, inputs, spec, k, randomness) for k in range(len(inputs))]
        blocks = []
        for i, y in enumerate(only_tensors("jvp(f, primals, tangents)", outputs)):
            shapes = [(*y.array.shape, *x.array.shape) for x in inputs]
            block = [reshape(column[i], shape=shape) for column, shape in zip(columns, shapes, strict=True)]
            tree = pytree.unflatten(spec, block)
            blocks.append(tree[0] if isinstance(argnums, int) else tree)
        found = pytree.unflatten(pytree.flatten(outputs)[1], blocks)
        return (found, aux) if has_aux else found

    return jacobian


def _pushed(f: Callable, primals: tuple, has_aux: bool, randomness: str) -> tuple[Any, Callable, Any]:
    """(outputs, v -> J v, aux): f is run once, or, where its random numbers are to differ, once for each v."""
    if randomness == "error":
        with region(0, randomness):
            return pushing(f, primals, has_aux, False)
    if randomness == "same":
        return pushing(f, primals, has_aux, False)
    outputs, aux = with_aux("jvp(f, primals, tangents)", f(*primals), has_aux)
    return outputs, lambda *tangents: jvp(f, primals, tangents, has_aux=has_aux)[1], aux


def _columns(push: Callable, inputs: list, spec: Any, k: int, randomness: str) -> list[Tensor]:
    """The derivatives of each output by all entries of input k: (*output shape, n)."""

    def column(direction: Tensor) -> Any:
        tangents = [direction if i == k else x.detach().zeros_like() for i, x in enumerate(inputs)]
        return pytree.leaves_of(push(*pytree.unflatten(spec, tangents)))

    return vmap(column, out_dims=-1, randomness=randomness)(unit_vectors(inputs[k].detach()))


def hessian(func: Callable, argnums: int | tuple[int, ...] = 0) -> Callable:
    """x -> the second derivatives of f, of shape (*output shape, *x.shape, *x.shape): forward over reverse."""
    return jacfwd(jacrev(func, argnums), argnums)


def grads_of_batch(outputs: list, inputs: list, grad_outputs: Any, retain_graph: bool | None, *options: Any) -> tuple:
    """`autograd.grad` for each of a batch of `grad_outputs`, in one walk: its `is_grads_batched=True`."""
    create_graph, allow_unused, materialize_grads = options
    given = list(grad_outputs) if isinstance(grad_outputs, (tuple, list)) else [grad_outputs]
    if len(given) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(given)} gradients")
    for y, u in zip(outputs, given, strict=True):
        if u is None:
            raise ValueError("is_grads_batched=True takes grad_outputs whose first dim counts them, and one is None")
        if u.array.shape[1:] != y.array.shape:
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch "
                "dimension. The sizes of the remaining dimensions are expected to match the shape of corresponding "
                f"output, but a mismatch was detected: {tuple(u.shape)} for an output of shape {tuple(y.shape)}"
            )
    used: list[bool] = []

    def pull_back(*seeds: Tensor) -> tuple[Tensor, ...]:
        found = autograd.grad(
            outputs, inputs, seeds, retain_graph, create_graph, True, allow_unused, False, materialize_grads
        )
        used[:] = [g is not None for g in found]
        return tuple(g for g in found if g is not None)

    found = iter(vmap(pull_back)(*given))
    return tuple(next(found) if use else None for use in used)
