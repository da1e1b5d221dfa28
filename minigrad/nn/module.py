"""Module: the base of every layer and model; read `__setattr__` first.

A module is a tree. Assigning a Parameter, or another Module, to an attribute registers it; everything else (training,
saving, moving, printing) is a walk over what is registered. Lists and dicts of modules are not looked into: that is
what ModuleList and ModuleDict are for.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from minigrad import autograd, backend, dtype as dtypes, printing
from minigrad.nn import hooks, state
from minigrad.nn.hooks import (
    register_module_forward_hook as register_module_forward_hook,
    register_module_forward_pre_hook as register_module_forward_pre_hook,
    register_module_full_backward_hook as register_module_full_backward_hook,
    register_module_full_backward_pre_hook as register_module_full_backward_pre_hook,
)
from minigrad.nn.parameter import Parameter
from minigrad.tensor import HookHandle, Tensor

_EXPECTED = {
    "_parameters": ("parameter", "torch.nn.Parameter or None"),
    "_modules": ("child module", "torch.nn.Module or None"),
    "_buffers": ("buffer", "torch.nn.Buffer, torch.Tensor or None"),
}


class Module:
    """Subclass it, make the parts in `__init__` after `super().__init__()`, and compute in `forward`:

        class Net(Module):
            def __init__(self):
                super().__init__()
                self.hidden, self.out = Linear(784, 500), Linear(500, 10)

            def forward(self, x):
                return self.out(self.hidden(x).relu())

    `net(x)` calls `forward` and the hooks around it. `training` tells layers such as Dropout what to do.
    """

    training: bool

    def __init__(self) -> None:
        fields = self.__dict__  # past __setattr__, which needs these tables itself
        fields["training"] = True
        fields["_parameters"], fields["_buffers"], fields["_modules"] = {}, {}, {}
        fields["_non_persistent_buffers_set"] = set()
        fields["_forward_pre_hooks"], fields["_forward_hooks"] = {}, {}
        fields["_backward_pre_hooks"], fields["_backward_hooks"] = {}, {}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The computation; every subclass writes its own."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._forward_hooks or self._forward_pre_hooks or self._backward_hooks or self._backward_pre_hooks:
            return hooks.call(self, args, kwargs)
        if hooks.everywhere:
            return hooks.call(self, args, kwargs)
        return self.forward(*args, **kwargs)

    # ------------------------------------------------------------------ registration

    def __setattr__(self, name: str, value: Any) -> None:
        """Register Parameters, Modules and new values of buffers; keep everything else as an ordinary attribute."""
        fields = self.__dict__
        if isinstance(value, Parameter):
            self._forget(name, "_parameters", "parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._forget(name, "_modules", "module")
            self.register_module(name, value)
        else:
            for table, (what, expected) in _EXPECTED.items():
                if name in fields.get(table, ()):
                    if not (value is None or (table == "_buffers" and isinstance(value, Tensor))):
                        raise TypeError(f"cannot assign '{_kind(value)}' as {what} '{name}' ({expected} expected)")
                    fields[table][name] = value
                    return
            super().__setattr__(name, value)

    def _forget(self, name: str, table: str, what: str) -> None:
        """Make room for `name` in one table: an attribute is one thing at a time."""
        fields = self.__dict__
        if table not in fields:
            cause = "start __init__ with super().__init__()"
            raise AttributeError(f"cannot assign {what} before Module.__init__() call: {cause}")
        fields.pop(name, None)
        for other in ("_parameters", "_buffers", "_modules"):
            if other != table:
                fields[other].pop(name, None)
        fields["_non_persistent_buffers_set"].discard(name)

    def __getattr__(self, name: str) -> Any:  # called when the ordinary look-up found nothing
        fields = self.__dict__
        if "_parameters" in fields:
            if name in fields["_parameters"]:
                return fields["_parameters"][name]
            if name in fields["_buffers"]:
                return fields["_buffers"][name]
            if name in fields["_modules"]:
                return fields["_modules"][name]
        raise AttributeError(self._unknown(name))

    def __delattr__(self, name: str) -> None:
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                self._non_persistent_buffers_set.discard(name)
                return
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._buffers, *self._modules}
        return sorted(name for name in names if not name[:1].isdigit())

    def _unknown(self, name: str) -> str:
        message = f"'{type(self).__name__}' object has no attribute '{name}'"
        if name.startswith("__"):
            return message  # Python asks for many of these; no one reads the answer
        if name in dir(type(self)):
            return f"{message}: its property raised an AttributeError, so something that the property reads is missing"
        import difflib

        near = difflib.get_close_matches(name, [n for n in dir(self) if not n.startswith("_")])
        if "_parameters" not in self.__dict__:
            return f"{message}: super().__init__() has not been called"
        return f"{message}. Did you mean: {', '.join(repr(n) for n in near)}?" if near else message

    def _check_name(self, what: str, name: Any, table: dict) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {type(name).__name__}")
        taken = (self.__dict__, self._parameters, self._buffers, self._modules)
        if name not in table and (hasattr(type(self), name) or any(name in other for other in taken)):
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            raise KeyError(f"{what} name can't contain a dot, got: {name}")
        if name == "":
            raise KeyError(f"{what} name can't be the empty string")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under `name`; None keeps the name (a Linear without bias) and nothing to train."""
        self._check_name("parameter", name, self._parameters)
        if not (param is None or isinstance(param, Parameter)):
            wanted = "(torch.nn.Parameter or None required)"
            raise TypeError(f"cannot assign '{_kind(param)}' object to parameter '{name}' {wanted}")
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a Tensor that is moved and (if persistent) saved with the module, not trained: masks, running means."""
        self._check_name("buffer", name, self._buffers)
        if not (tensor is None or isinstance(tensor, Tensor)):
            wanted = "(torch Tensor or None required)"
            raise TypeError(f"cannot assign '{_kind(tensor)}' object to buffer '{name}' {wanted}")
        self._buffers[name] = tensor
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def register_module(self, name: str, module: "Module | None") -> None:
        """Add a child under `name`, as assigning it to an attribute of that name does."""
        if not (module is None or isinstance(module, Module)):
            raise TypeError(f"{_kind(module)} is not a Module subclass")
        self._check_name("module", name, self._modules)
        self._modules[name] = module

    add_module = register_module

    # ------------------------------------------------------------------ the tree

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, "Module"]]:
        """This module and all below it, with dotted names; one that occurs twice comes once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, _join(prefix, name), remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator["Module"]:
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        seen = set()
        for name, child in self._modules.items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator["Module"]:
        return (child for _, child in self.named_children())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Parameters with dotted names, in the order of registration; a tied weight comes once, by its first name."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        if type(self).named_parameters is not Module.named_parameters:  # a subclass has other ones
            return (parameter for _, parameter in self.named_parameters(recurse=recurse))
        return self._unnamed("_parameters", recurse)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named(self, table: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        owners: Iterable = [(prefix, self)]
        if recurse:
            owners = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in owners:
            for name, tensor in getattr(module, table).items():
                if tensor is None or id(tensor) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(tensor))
                yield _join(path, name), tensor

    def _unnamed(self, table: str, recurse: bool) -> Iterator[Any]:
        """What `_named` yields, without the cost of the names: training loops ask at every step."""
        seen: set[int] = set()
        waiting: list[Module] = [self]
        while waiting:
            module = waiting.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            for tensor in module.__dict__[table].values():
                if tensor is not None and id(tensor) not in seen:
                    seen.add(id(tensor))
                    yield tensor
            if recurse:
                waiting += [child for child in reversed(module._modules.values()) if child is not None]

    def get_submodule(self, target: str) -> "Module":
        """The module at a dotted name, such as "blocks.3.attn"; "" is this module itself."""
        module = self
        for name in target.split(".") if target else ():
            found = getattr(module, name, None)
            if not isinstance(found, Module):
                raise AttributeError(_no_such(module, name, target, "an nn.Module"))
            module = found
        return module

    def get_parameter(self, target: str) -> Parameter:
        return self._get_tensor(target, "_parameters", "parameter")

    def get_buffer(self, target: str) -> Tensor:
        return self._get_tensor(target, "_buffers", "buffer")

    def _get_tensor(self, target: str, table: str, what: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if getattr(module, table).get(name) is None:
            raise AttributeError(_no_such(module, name, target, f"a {what}"))
        return getattr(module, table)[name]

    def apply(self, fn: Callable[["Module"], Any]) -> "Module":
        """Call `fn` on every module below and then on this one (to set weights, most often); returns self."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> "Module":
        """Set `training` here and below."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> "Module":
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> "Module":
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        for parameter in self.parameters():
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad = parameter.grad.detach()
                parameter.grad.zero_()

    # ------------------------------------------------------------------ dtype and device

    def _apply(self, fn: Callable[[Tensor], Tensor]) -> "Module":
        """Replace the values of every parameter, its gradient and every buffer by `fn` of them; identities stay."""
        for child in self.children():
            child._apply(fn)
        with autograd.no_grad():
            for parameter in self._parameters.values():
                if parameter is not None:
                    gradient = parameter.grad
                    parameter.data = fn(parameter.data)
                    if gradient is not None:
                        gradient.data = fn(gradient.data)
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def to(
        self, *target: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False, memory_format: Any = None
    ) -> "Module":
        """In place: to a device, to a floating dtype (integer tensors keep theirs), or to those of a Tensor.

        `memory_format` has no effect: tensors lie in row-major order.
        """
        for t in target:
            if isinstance(t, Tensor):
                dtype, device = t.dtype, t.device
            elif isinstance(t, (str, backend.device)):
                device = t
            elif isinstance(t, bool):
                non_blocking = t
            elif t is not None:
                dtype = t
        if dtype is not None and not dtypes.is_differentiable(dtypes.to_numpy_dtype(dtype)):
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )
        return self._apply(
            lambda t: t.to(device=device, dtype=dtype if t.dtype.kind >= 2 else None, non_blocking=non_blocking)
        )

    def cpu(self) -> "Module":
        return self.to("cpu")

    def cuda(self, device: Any = None) -> "Module":
        return self._apply(lambda t: t.cuda(device))

    def float(self) -> "Module":
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self) -> "Module":
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self) -> "Module":
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self) -> "Module":
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def type(self, dst_type: Any) -> "Module":
        return self._apply(lambda t: t.type(dst_type))

    def share_memory(self) -> "Module":
        """Move parameters and buffers into memory that forked processes share (`Tensor.share_memory_`)."""
        for tensor in (*self.parameters(), *self.buffers()):
            tensor.share_memory_()
        return self

    # ------------------------------------------------------------------ saving

    def state_dict(
        self, *, destination: dict | None = None, prefix: str = "", keep_vars: bool = False
    ) -> "OrderedDict[str, Tensor]":
        """Parameters and persistent buffers by dotted name, detached (unless `keep_vars`) and on the same memory."""
        found: Any = OrderedDict() if destination is None else destination
        for name, tensor in state.own(self):
            found[prefix + name] = tensor if keep_vars else tensor.detach()
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=found, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        return found

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> state.Incompatible:
        """Copy the values of a state dict into this module's memory; see `state.load`."""
        return state.load(self, state_dict, strict, assign)

    # ------------------------------------------------------------------ hooks and text

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> HookHandle:
        """Call `hook(module, args)` before `forward`; what it returns replaces args. With kwargs: `hook(module, args,
        kwargs)`, and to replace them it returns the pair (args, kwargs)."""
        return hooks.register(self._forward_pre_hooks, hook, prepend, with_kwargs)

    def register_forward_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> HookHandle:
        """Call `hook(module, args, output)` after `forward`; what it returns replaces the output. With kwargs:
        `hook(module, args, kwargs, output)`."""
        return hooks.register(self._forward_hooks, hook, prepend, with_kwargs)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> HookHandle:
        """Call `hook(module, grad_input, grad_output)` in backward, with the gradients of the positional inputs and of
        the outputs; what it returns replaces grad_input. None stands for what is no tensor and for an unused output."""
        return hooks.register(self._backward_hooks, hook, prepend)

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> HookHandle:
        """Call `hook(module, grad_output)` before the module's backward; what it returns replaces grad_output."""
        return hooks.register(self._backward_pre_hooks, hook, prepend)

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What the layer's repr shows between the brackets."""
        return ""

    def __repr__(self) -> str:
        return printing.module_repr(self)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _kind(value: Any) -> str:
    return value.type() if isinstance(value, Tensor) else type(value).__name__


def _no_such(module: Module, name: str, target: str, wanted: str) -> str:
    problem = f"`{name}` is not {wanted}" if hasattr(module, name) else f"{_kind(module)} has no attribute `{name}`"
    return f"{problem} (looking for '{target}')"
