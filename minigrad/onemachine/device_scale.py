"""The loss scale in device memory: what `GradScaler` does in a step that is to be captured, where nobody may wait.

Whether a gradient is inf or nan decides whether the step is taken, and the host is not asked: the step is always taken,
and undone on the device where it must not be, by a choice between what every parameter and piece of state was and is.
That costs a copy of all of them at each step.
"""

from typing import Any

from minigrad import autograd, ops
from minigrad.backend import array_module
from minigrad.tensor import Tensor, from_raw


class DeviceScale:
    """The scale and the count of good steps, as tensors on the device of `like`."""

    def __init__(self, like: Tensor, scale: float, good_steps: int):
        xp = array_module(like.array)
        self.scale = from_raw(xp.full((), scale, "float32"))
        self.good_steps = from_raw(xp.full((), good_steps, "int64"))
        self._found: dict[int, Tensor] = {}  # by id of an optimizer: whether its gradients held inf or nan

    def unscale(self, optimizer: Any) -> None:
        """Divide the gradients by the scale, and note whether they are finite."""
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        bad = from_raw(array_module(self.scale.array).zeros((), "bool"))
        with autograd.no_grad():
            inverse = 1.0 / self.scale
            for gradient in gradients:
                gradient.mul_(inverse)
                bad = bad | ~gradient.isfinite().all()
        self._found[id(optimizer)] = bad

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step(...)`, undone where a gradient was inf or nan. A piece of state made by it begins as 0."""
        before = {id(t): t.array.copy() for t in _changed_by(optimizer)}
        result = optimizer.step(*args, **kwargs)
        bad = self._found[id(optimizer)].array
        for tensor in _changed_by(optimizer):
            tensor.array[...] = ops.where(bad, before.get(id(tensor), 0), tensor.array)
            tensor.bump_version()
        return result

    def update(self, growth_factor: float, backoff_factor: float, growth_interval: int) -> None:
        """The next scale."""
        scale, good = self.scale.array, self.good_steps.array
        bad = None
        for found in self._found.values():
            bad = found.array if bad is None else bad | found.array
        grown = good + 1 == growth_interval
        scale[...] = ops.where(bad, scale * backoff_factor, ops.where(grown, scale * growth_factor, scale))
        good[...] = ops.where(bad | grown, 0, good + 1)
        self._found = {}


def _changed_by(optimizer: Any) -> list[Tensor]:
    """Its parameters and all tensors of its state."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state = [value for p in parameters for value in optimizer.state.get(p, {}).values() if isinstance(value, Tensor)]
    return [*parameters, *state]
