"""Optimizer: parameter groups, per-parameter state, state dicts and hooks; what every optimizer shares.

An optimizer is two things: a pure update function on raw arrays (`sgd_update`, `asgd_update`, ...), which is the
method, and a thin class that finds the gradients, keeps the state and calls it. The class hands over the parameter's
own array and the update writes into it, so the memory of a parameter never moves, and `p.data = t` keeps working
between steps.
"""

import functools
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from minigrad import autograd
from minigrad.optim.update import DeviceNumber, number, on_gpu, required, step_count
from minigrad.tensor import HookHandle, Tensor, from_raw

SCALARS = ("step", "mu_product", "mu", "eta")  # pieces of state that are one number of a parameter, whatever its shape
Params = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
Closure = Callable[[], Any]


class Optimizer:
    """Base of all optimizers.

    `params` is an iterable of tensors, of (name, tensor) pairs, or of dicts with a key "params" and options of
    their own: the parameter groups. `defaults` fills in the options a group leaves out. `param_groups` is the list
    of groups; a training loop may change `param_groups[i]["lr"]` between steps. `state` maps each parameter to a
    dict of its state.

    A subclass writes `step`, and `check(options)` if its options have limits. A parameter whose `.grad` is None is
    skipped wholly: neither it nor its state changes.

    Raises TypeError for anything but tensors, ValueError for an empty list, a parameter in two groups, or a tensor
    that is not a leaf; a parameter twice in one group is warned of, as in PyTorch.
    """

    can_be_captured = False  # whether a subclass's step computes with rates and counts in device memory

    def __init__(self, params: Params, defaults: dict[str, Any]):
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got a Tensor; "
                "write [tensor]"
            )
        self.defaults = defaults
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._forget_hooks()
        self.check(defaults)
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            cls.step = _with_hooks(vars(cls)["step"])  # type: ignore[method-assign]

    def _forget_hooks(self) -> None:
        self._captured = False  # by graphs.captured(): then every group is capturable
        self._rates: dict[int, DeviceNumber] = {}  # by position of the group
        self._step_pre_hooks: dict[Any, Callable] = {}
        self._step_post_hooks: dict[Any, Callable] = {}
        self._opt_called = False  # a scheduler warns if it is stepped first

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient. `closure` recomputes loss and gradients; its value returns."""
        raise NotImplementedError(f"{type(self).__name__} must write step()")

    def check(self, options: dict[str, Any]) -> None:
        """Raise ValueError where an option of the defaults or of a group is out of its range."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or with `set_to_none=False` fill them with zeros in place."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.node is None or p.node.grad is None:
                    continue
                if set_to_none:
                    p.node.grad = None
                    continue
                gradient = p.node.grad
                if gradient.node is not None:  # left by backward(create_graph=True): the zeros are not part of it
                    gradient = p.grad = from_raw(gradient.array)
                gradient.array[...] = 0
                gradient.bump_version()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize more tensors, with options of their own, for example layers unfrozen later in training."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        if "params" not in param_group:
            raise KeyError(f"a parameter group needs the key 'params', got the keys {list(param_group)}")
        tensors, names = _tensors_and_names(param_group["params"])
        if self.param_groups and (names is not None) != ("param_names" in self.param_groups[0]):
            raise ValueError(
                "all optimizer param groups should be with/without names: name the parameters of all groups or none"
            )
        for tensor in tensors:
            _check_parameter(tensor)
        known = {id(p) for group in self.param_groups for p in group["params"]}
        if known.intersection(map(id, tensors)):
            raise ValueError("some parameters appear in more than one parameter group")
        if len({id(p) for p in tensors}) != len(tensors):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters: each is updated as often as it stands "
                "there",
                stacklevel=3,
            )
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        self.check(param_group)
        param_group["params"] = tensors
        if names is not None:
            param_group["param_names"] = names
        self.param_groups.append(param_group)

    # ------------------------------------------------------------------ what a step needs

    def _evaluate(self, closure: Closure | None) -> Any:
        if closure is None:
            return None
        with autograd.enable_grad():
            return closure()

    def _gradients(self, group: dict[str, Any]) -> Iterator[tuple[Tensor, Any]]:
        """(parameter, raw gradient) for each parameter of a group that has a gradient."""
        for p in group["params"]:
            gradient = p.grad
            if gradient is None:
                continue
            if gradient.array.shape != p.array.shape:
                raise RuntimeError(
                    f"a parameter of shape {list(p.shape)} has a gradient of shape {list(gradient.shape)}: "
                    f"its data was replaced after backward; call zero_grad() first"
                )
            yield p, gradient.array

    # ------------------------------------------------------------------ in device memory, for a captured step

    def _on_device(self, group: dict[str, Any]) -> bool:
        """Whether step counts and rate of a group are to lie in device memory: it is capturable, and all on a GPU."""
        return (self._captured or bool(group.get("capturable"))) and all(on_gpu(p) for p in group["params"])

    def _rate(self, group: dict[str, Any]) -> Any:
        """The learning rate: a number, or a 0-d float64 array in device memory, always the same one."""
        rate = group["lr"]
        if not self._on_device(group):
            return number(rate)
        if isinstance(rate, Tensor) and on_gpu(rate):
            return rate.array.astype("float64").reshape(())
        place = next(i for i, other in enumerate(self.param_groups) if other is group)
        if place not in self._rates:
            self._rates[place] = DeviceNumber(group["params"][0])
        return self._rates[place].holding(number(rate))

    def _first_count(self, group: dict[str, Any], start: float = 0.0) -> Tensor:
        """The step count of a new parameter, where the counts of its group lie."""
        return step_count(start, like=group["params"][0] if self._on_device(group) else None)

    def write_rates(self) -> None:
        """Bring the rates in device memory up to date, before a captured step is replayed."""
        for group in self.param_groups:
            self._rate(group)

    def make_capturable(self) -> None:
        """Keep rates and step counts in device memory from now on; what `graphs.captured` does to its optimizers.

        NotImplementedError for a method whose steps need numbers on the host.
        """
        if not self.can_be_captured:
            raise NotImplementedError(
                f"a step of {type(self).__name__} needs numbers on the host and cannot be captured: use another "
                "optimizer, such as AdamW, or call its step() outside the captured function"
            )
        self._captured = True
        self._place_counts()

    def _place_counts(self) -> None:
        """Move the step counts of groups that are in device memory there."""
        for group in self.param_groups:
            if self._on_device(group):
                for p in group["params"]:
                    state = self.state.get(p, {})
                    for name in SCALARS:
                        if name in state and not (isinstance(state[name], Tensor) and on_gpu(state[name])):
                            state[name] = step_count(number(state[name]), like=p)

    # ------------------------------------------------------------------ saving

    def state_dict(self) -> dict[str, Any]:
        """{"state": {index: state}, "param_groups": [options]}, with the parameters numbered through all groups.

        The tensors are the optimizer's own, not copies: later steps write into them.
        """
        index = {id(p): i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        groups = []
        for group in self.param_groups:
            packed = {name: value for name, value in group.items() if name != "params"}
            packed["params"] = [index[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {
            index.get(id(key), key) if isinstance(key, Tensor) else key: value for key, value in self.state.items()
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave, for the same parameters in the same order.

        State is copied, moved to the device of its parameter and cast to its dtype, step counts excepted. Options
        of the saved groups replace the present ones; an option the saved groups lack takes its default. Raises
        ValueError if the number of groups, or of parameters in one, differs.
        """
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"loaded state dict has a different number of parameter groups: {len(saved)}, the optimizer has "
                f"{len(self.param_groups)}"
            )
        for i, (new, group) in enumerate(zip(saved, self.param_groups, strict=True)):
            if len(new["params"]) != len(group["params"]):
                raise ValueError(
                    f"loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                    f"group {i} has {len(new['params'])} parameters, the optimizer's {len(group['params'])}"
                )
        parameter: dict[int, Tensor] = {}
        groups = []
        for new, group in zip(saved, self.param_groups, strict=True):
            parameter.update(zip(new["params"], group["params"], strict=True))
            names = {"param_names": group["param_names"]} if "param_names" in group else {}
            groups.append({**self.defaults, **names, **new, "params": group["params"]})
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            state[parameter.get(key, key)] = _fitted(value, parameter[key]) if key in parameter else value
        self.state, self.param_groups = state, groups
        self._place_counts()

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget_hooks()

    # ------------------------------------------------------------------ hooks and printing

    def register_step_pre_hook(self, hook: Callable) -> HookHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return new (args, kwargs)."""
        return HookHandle(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable) -> HookHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return HookHandle(self._step_post_hooks, hook)

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
            lines.append("")
        return f"{type(self).__name__} (\n" + "\n".join(lines[:-1]) + "\n)"


def _with_hooks(step: Callable) -> Callable:
    @functools.wraps(step)
    def step_with_hooks(*args: Any, **kwargs: Any) -> Any:
        self = args[0]
        for hook in tuple(self._step_pre_hooks.values()):
            replaced = hook(self, args, kwargs)
            if replaced is not None:
                args, kwargs = replaced
        result = step(*args, **kwargs)
        self._opt_called = True
        for hook in tuple(self._step_post_hooks.values()):
            hook(self, args, kwargs)
        return result

    return step_with_hooks


def _tensors_and_names(params: Any) -> tuple[list[Tensor], list[str] | None]:
    if isinstance(params, Tensor):
        return [params], None
    if isinstance(params, (set, frozenset)):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
            "will change between runs. Please use a list instead."
        )
    entries = list(params)
    named = [isinstance(entry, tuple) for entry in entries]
    if not any(named):
        return entries, None
    if not all(named):
        raise ValueError("all optimizer params should be with/without names. Some param names are missing")
    return [tensor for _, tensor in entries], [name for name, _ in entries]


def _check_parameter(tensor: Any) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(tensor).__name__}")
    if tensor.is_complex():
        raise TypeError(
            "optimizers take real parameters, got a complex one: keep its parts, such as Parameter(view_as_real(z))"
        )
    if not (tensor.is_leaf or tensor.retains_grad):
        raise ValueError("can't optimize a non-leaf Tensor: optimize the leaf it was computed from, or detach() it")
    if not getattr(
        tensor.data.array.flags, "writeable", True
    ):  # .data: what a lazy layer has no shape for yet is empty
        raise ValueError(
            "can't optimize a Tensor on read-only memory (it wraps a read-only NumPy array): clone() it first"
        )


def _fitted(value: Any, parameter: Tensor, name: str = "") -> Any:
    """A saved piece of state, copied, on the device and in the dtype of its parameter."""
    if isinstance(value, dict):
        return {key: _fitted(item, parameter, key) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_fitted(item, parameter) for item in value)
    if not isinstance(value, Tensor):
        return value
    if name in SCALARS:  # kept on the host in float32; float16 could not count past 2048
        return value.detach().to("cpu", copy=True)
    dtype = parameter.dtype if parameter.dtype.is_floating_point else value.dtype
    return value.detach().to(device=parameter.device, dtype=dtype, copy=True)
