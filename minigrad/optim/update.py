"""What stands between an optimizer's class and its update function: state, raw arrays, checks of options."""

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import creation, dtype as dtypes
from minigrad.backend import array_module, backend_of, kernels_of
from minigrad.tensor import Tensor, from_raw


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required: Any = _Required()  # as a default: an option that every parameter group must give


def zeros_for(p: Tensor) -> Tensor:
    """State of the shape, dtype and device of a parameter, with zeros."""
    return from_raw(array_module(p.array).zeros_like(p.array))


def on_gpu(x: Tensor) -> bool:
    return backend_of(x.array).device_type == "cuda"


def step_count(start: float = 0.0, like: Tensor | None = None) -> Tensor:
    """The number of steps a parameter has taken, as a 0-d float32 tensor. On the host, where reading it waits for no
    GPU, or, for a step that is to be captured, on the device of the tensor `like`.
    """
    return creation.full((), start, dtype=dtypes.float32, device="cpu" if like is None else like.device)


def advance(state: dict[str, Any]) -> Any:
    """Add one to the step count of a parameter's state; the new number, or the count's own array if it is on a GPU."""
    return advance_all([state])[0]


def advance_all(states: Sequence[dict[str, Any]]) -> list[Any]:
    """`advance` for all of them, those on a GPU in one launch."""
    counts, there = [], []
    for state in states:
        step = state["step"]
        if not isinstance(step, Tensor):  # a bare number, from an old state dict
            step = state["step"] = step_count(step)
        if on_gpu(step):
            there.append(step.array)
            counts.append(step.array)
            continue
        count = int(step.array.item()) + 1
        step.array[...] = count
        counts.append(count)
    if there:
        kernels_of(there[0]).count_up(there)
    return counts


class DeviceNumber:
    """A number that lies in device memory, always at the same place: a float64 array without axes."""

    def __init__(self, like: Tensor):
        self.array = array_module(like.array).empty((), "float64")
        self.value: float | None = None  # what has been written there

    def holding(self, value: float) -> Any:
        """The array, with that value in it. Nothing is uploaded: a kernel takes the value along."""
        if value != self.value:
            self.array.fill(value)
            self.value = value
        return self.array


def number(value: Any) -> Any:
    """An option as a Python number: a learning rate, say, may be a tensor of one element."""
    return value.item() if isinstance(value, Tensor) else value


def write(update: Callable, p: Tensor, grad: Any, *state: Tensor | None, **options: Any) -> None:
    """Call `update(param, grad, *state, **options)` on raw arrays; it writes into `param` and `state`.

    16-bit parameters and their state are widened to float32 for the update and rounded once after it.
    """
    arrays = [p.array, grad, *(None if s is None else fitting(s, p) for s in state)]
    if p.array.dtype.itemsize > 2:
        update(*arrays, **options)
    else:
        wide = [None if a is None else a.astype("float32") for a in arrays]
        update(*wide, **options)
        for i, (array, result) in enumerate(zip(arrays, wide, strict=True)):
            if i != 1 and result is not None:  # all but the gradient
                array[...] = result.astype(array.dtype)
    p.bump_version()


def write_all(name: str, rows: Sequence[tuple], **options: Any) -> None:
    """Call the kernel `name(params, grads, *state, **options)` once for all rows (parameter, raw gradient, *state) of
    one kind of array; a column of state that is not used holds None. An option that is a list has an entry a row.

    16-bit parameters are widened for the update, one by one, and rounded after it.
    """

    def update_one(*arrays: Any, **options: Any) -> None:
        getattr(kernels_of(arrays[0]), name)(*(None if a is None else [a] for a in arrays), **options)

    batches: dict[type, list[int]] = {}
    for i, (p, grad, *state) in enumerate(rows):
        if p.array.dtype.itemsize == 2:
            write(update_one, p, grad, *state, **_of_rows(options, [i]))
        else:
            batches.setdefault(type(p.array), []).append(i)
    for places in batches.values():
        params, grads, *columns = zip(*(rows[i] for i in places), strict=True)
        arrays: list[list[Any] | None] = [[p.array for p in params], list(grads)]
        for column in columns:
            used = column[0] is not None
            arrays.append([fitting(s, p) for s, p in zip(column, params, strict=True)] if used else None)
        getattr(kernels_of(params[0].array), name)(*arrays, **_of_rows(options, places))
        for p in params:
            p.bump_version()


def _of_rows(options: dict[str, Any], places: list[int]) -> dict[str, Any]:
    return {name: [value[i] for i in places] if isinstance(value, list) else value for name, value in options.items()}


def fitting(state: Tensor, p: Tensor) -> Any:
    """The raw array of a piece of state, which has the shape of its parameter."""
    if state.array.shape != p.array.shape:
        raise RuntimeError(
            f"the optimizer holds state of shape {list(state.shape)} for a parameter of shape {list(p.shape)}: the "
            f"loaded state dict belongs to other parameters, or the parameter's data was replaced"
        )
    return state.array


# ---------------------------------------------------------------------- checks of options


def check_at_least_zero(options: dict[str, Any], **titles: str) -> None:
    """ValueError unless each named option is a number from 0 up: check_at_least_zero(options, lr="learning rate")."""
    for name, title in titles.items():
        value = options[name]
        if value is required:
            continue
        if isinstance(value, Tensor) and value.numel() != 1:
            raise ValueError(f"Tensor {name} must be 1-element, got shape {list(value.shape)}")
        try:
            valid = number(value) >= 0
        except TypeError:
            raise TypeError(f"{name} must be a number, got {type(value).__name__}: {value!r}") from None
        if not valid:
            raise ValueError(f"Invalid {title}: {value}")


def check_betas(options: dict[str, Any]) -> None:
    """ValueError unless both betas are in [0, 1)."""
    if len(options["betas"]) != 2:
        raise ValueError(f"betas must be two numbers, got {options['betas']!r}")
    for i, beta in enumerate(options["betas"]):
        if not 0 <= number(beta) < 1:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def refuse_differentiable(options: dict[str, Any]) -> None:
    if options["differentiable"]:
        raise NotImplementedError(
            "differentiable=True is not supported: steps write into the parameters and are not recorded"
        )
