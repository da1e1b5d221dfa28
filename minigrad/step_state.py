"""What a training step changes: the tensors of models and optimizers, by name, and whether they are still the same.

A captured step (graphs.py) reads and writes the memory that these tensors had when it was captured. `StepState` finds
them, copies them and puts them back; `Fingerprint` tells whether a tensor has moved since, or a setting has changed
that the graph has taken for granted.
"""

import functools
import itertools
import operator
from collections.abc import Callable, Iterator
from typing import Any

from minigrad.backend import array_module, same_memory, to_host
from minigrad.kernels.cuda import product
from minigrad.nn.module import Module
from minigrad.onemachine.amp import GradScaler
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.update import on_gpu
from minigrad.tensor import Tensor

_NOT_FIXED = ("params", "param_names", "lr", "initial_lr")  # of a parameter group: what may change between replays


class StepState:
    """The modules, optimizers and tensors that a step changes; `parts` as `graphs.captured` was given them."""

    def __init__(self, parts: tuple):
        self.modules = [part for part in parts if isinstance(part, Module)]
        self.optimizers = [part for part in parts if isinstance(part, Optimizer)]
        self.scalers = [part for part in parts if isinstance(part, GradScaler)]
        self.others = [part for part in parts if isinstance(part, Tensor)]
        for part in parts:
            if not isinstance(part, (Module, Optimizer, GradScaler, Tensor)):
                raise TypeError(
                    f"captured(step, ...) takes the modules, optimizers and tensors that the step changes, and its "
                    f"GradScaler, got {type(part).__name__}"
                )

    def make_capturable(self) -> None:
        """Have rates, step counts and loss scales kept on the GPU. NotImplementedError where an optimizer cannot."""
        like = next(tensor for tensor in self.tensors().values() if on_gpu(tensor))
        for optimizer in self.optimizers:
            optimizer.make_capturable()
        for scaler in self.scalers:
            scaler.make_capturable(like)

    def tensors(self) -> dict[str, Tensor]:
        """All of them by name, each once."""
        found: dict[int, tuple[str, Tensor]] = {}
        for name, tensor in self._named():
            found.setdefault(id(tensor), (name, tensor))
        return dict(found.values())

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        for module in self.modules:
            yield from module.named_parameters()
            yield from module.named_buffers()
        for optimizer in self.optimizers:
            title = type(optimizer).__name__
            for i, group in enumerate(optimizer.param_groups):
                for j, p in enumerate(group["params"]):
                    yield f"parameter {j} of group {i} of {title}", p
                    for name, value in optimizer.state.get(p, {}).items():
                        if isinstance(value, Tensor):
                            yield f"{title}'s {name} of parameter {j} of group {i}", value
        for scaler in self.scalers:
            yield from scaler.tensors().items()
        for i, tensor in enumerate(self.others):
            yield f"tensor {i}", tensor

    def leaves(self) -> list[Tensor]:
        """Those whose gradients a step may set."""
        return [tensor for tensor in self.tensors().values() if tensor.requires_grad and tensor.is_leaf]

    def device(self) -> Any:
        """The GPU they are on, None where all are on the host."""
        return next((tensor.device for tensor in self.tensors().values() if on_gpu(tensor)), None)


def copies(tensors: list[Tensor]) -> list[Any]:
    return [tensor.array.copy() for tensor in tensors]


def put_back(tensors: list[Tensor], arrays: list[Any]) -> None:
    """Write the arrays into the memory of the tensors."""
    for tensor, array in zip(tensors, arrays, strict=True):
        tensor.array[...] = array


def same_bits(a: Any, b: Any) -> bool:
    """Whether two arrays are alike to the bit, NaN and the sign of 0 included."""
    if type(a) is not type(b) or a.dtype != b.dtype or a.shape != b.shape:
        return False
    xp = array_module(a)
    words = [xp.ascontiguousarray(x).reshape(-1).view("uint8") for x in (a, b)]
    return bool(to_host((words[0] == words[1]).all()))


def keep_memory(tensors: list[Tensor], arrays: list[Any]) -> None:
    """Where a step has given a tensor a new array, copy it into the old one, and give the tensor that again."""
    for tensor, array in zip(tensors, arrays, strict=True):
        if tensor.array is not array:
            if not same_memory(tensor.array, array):
                array[...] = tensor.array
            tensor.array = array


class Outside:
    """The tensors that a step finds in its closure or among its globals, and that nobody said it changes.

    A graph has their addresses: their memory is held on to, and one that has been replaced is noticed.
    """

    def __init__(self, step: Callable):
        function = getattr(step, "__func__", step)  # of a method
        code = getattr(function, "__code__", None)
        self._places: list[tuple[str, Callable[[], Any]]] = []
        if code is not None:
            for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
                self._places.append((name, functools.partial(getattr, cell, "cell_contents", None)))
            for name in code.co_names:
                self._places.append((name, functools.partial(function.__globals__.get, name)))
        self._places = [(name, find) for name, find in self._places if isinstance(find(), Tensor)]
        self._held = [(find(), find().array) for _, find in self._places]

    def change(self) -> str | None:
        """The name of a tensor that is another one now, or lies elsewhere."""
        for (name, find), (tensor, array) in zip(self._places, self._held, strict=True):
            if find() is not tensor or tensor.array is not array:
                return f"the tensor {name!r}"
        return None


class Fingerprint:
    """Which tensors there are, where, and with which settings; taken when a step is captured.

    `change` is asked before each replay, so it is all lists compared in C; only where they differ is it asked why.
    """

    def __init__(self, state: StepState):
        self._named = state.tensors()
        self._tensors, self._nodes = list(self._named.values()), [p.node for p in state.leaves()]
        self._modules = [m for module in state.modules for m in module.modules()]
        self._optimizers = state.optimizers
        tables = [table for m in self._modules for table in (m._parameters, m._buffers, m._modules)]
        self._views = [table.values() for table in tables]  # of the tables as they will be
        self._arrays, self._objects = self._memory(), self._registered()
        self._settings = self._module_settings()
        self._options = self._group_options()
        self._tf32 = product.allow_tf32

    def _memory(self) -> list:
        return [tensor.array for tensor in self._tensors]

    def _registered(self) -> list:
        """What has to be the same object: parameters, buffers, modules, the state of optimizers."""
        objects = list(itertools.chain.from_iterable(self._views))
        for optimizer in self._optimizers:
            objects.append(optimizer.state)
            for group in optimizer.param_groups:
                objects += group["params"]
        return objects

    def _module_settings(self) -> list[dict[str, Any]]:
        return [m.__dict__.copy() for m in self._modules]

    def _group_options(self) -> list[Any]:
        """The options of parameter groups that are in the graph, and who requires a gradient."""
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        options = [{name: value for name, value in group.items() if name not in _NOT_FIXED} for group in groups]
        return [*options, {"requires_grad": [node.requires_grad for node in self._nodes]}]

    def change(self) -> str | None:
        """What has changed since, in words; None if nothing has."""
        if not _same(self._memory(), self._arrays):
            moved = [
                name
                for name, then in zip(self._named, self._arrays, strict=True)
                if self._named[name].array is not then
            ]
            return f"the memory of {moved[0]}"
        if not _same(self._registered(), self._objects):
            return "a parameter, buffer, module or optimizer state"
        if product.allow_tf32 != self._tf32:
            return "the precision of float32 products"
        for now, then in ((self._module_settings(), self._settings), (self._group_options(), self._options)):
            if not _equal(now, then):
                return next(filter(None, map(_different_setting, now, then)), "a setting")
        return None


def _same(now: list, then: list) -> bool:
    return len(now) == len(then) and all(map(operator.is_, now, then))


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except (RuntimeError, TypeError, ValueError):  # tensors and arrays, which are not equal but entry by entry
        return False


def _different_setting(now: dict[str, Any], then: dict[str, Any]) -> str | None:
    for name in {**then, **now}:
        if name not in now or name not in then or not (now[name] is then[name] or _equal(now[name], then[name])):
            return f"the setting {name!r} (from {then.get(name)!r} to {now.get(name)!r})"
    return None
