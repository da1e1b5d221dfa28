"""Calling a module that has hooks, its own or those of every module: around its forward, and around its backward.

Backward hooks want all gradients of a module's inputs (or outputs) at once, and the walk delivers them one node at
a time. `Joint` puts two identity ops on each tensor: the younger ones are reached first and note their gradients; when
the walk comes to the first of the older ones, every gradient has been noted, the hooks run once, and each older one
sends on its part of their answer:

    input -> older -> younger -> forward ... -> older -> younger -> output
             [input joint, after backward]     [output joint, before backward]
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minigrad import creation
from minigrad.op import identity
from minigrad.tensor import HookHandle, Tensor

if TYPE_CHECKING:
    from minigrad.nn.module import Module


class WithKwargs:
    """A forward hook that is given the keyword arguments as well."""

    def __init__(self, hook: Callable):
        self.hook = hook

    def __call__(self, *args: Any) -> Any:
        return self.hook(*args)


def register(table: dict, hook: Callable, prepend: bool, with_kwargs: bool = False) -> HookHandle:
    """Add a hook at the end of its table, or at the start."""
    if not callable(hook):
        raise TypeError(f"a hook is a function, got {type(hook).__name__}")
    earlier = list(table.items()) if prepend else []
    if prepend:
        table.clear()
    handle = HookHandle(table, WithKwargs(hook) if with_kwargs else hook)
    table.update(earlier)
    return handle


everywhere: dict[Any, tuple[str, Callable]] = {}  # the hooks of every module: when they are called, and the hook


def _hooks(when: str, own: dict) -> list[Callable]:
    """Those of every module, then a module's own."""
    return [hook for moment, hook in everywhere.values() if moment == when] + list(own.values())


def register_module_forward_pre_hook(hook: Callable) -> HookHandle:
    """Call `hook(module, args)` before the `forward` of every module; see `Module.register_forward_pre_hook`."""
    return HookHandle(everywhere, ("forward pre", hook))


def register_module_forward_hook(hook: Callable, *, with_kwargs: bool = False) -> HookHandle:
    """Call `hook(module, args, output)` after the `forward` of every module; see `Module.register_forward_hook`."""
    return HookHandle(everywhere, ("forward", WithKwargs(hook) if with_kwargs else hook))


def register_module_full_backward_pre_hook(hook: Callable) -> HookHandle:
    """Call `hook(module, grad_output)` before the backward of every module."""
    return HookHandle(everywhere, ("backward pre", hook))


def register_module_full_backward_hook(hook: Callable) -> HookHandle:
    """Call `hook(module, grad_input, grad_output)` in the backward of every module."""
    return HookHandle(everywhere, ("backward", hook))


def call(module: "Module", args: tuple, kwargs: dict) -> Any:
    """`module(*args, **kwargs)` with the hooks of the module."""
    for hook in _hooks("forward pre", module._forward_pre_hooks):
        args, kwargs = _run_pre_hook(hook, module, args, kwargs)
    backward = None
    if _hooks("backward", module._backward_hooks) or _hooks("backward pre", module._backward_pre_hooks):
        backward = _BackwardHooks(module, args)
        args = Joint(backward.after).attach(args)
    output = module.forward(*args, **kwargs)
    for hook in _hooks("forward", module._forward_hooks):
        given = (module, args, kwargs, output) if isinstance(hook, WithKwargs) else (module, args, output)
        answer = hook(*given)
        output = output if answer is None else answer
    if backward is None:
        return output
    if type(output) in (tuple, list):
        return type(output)(Joint(backward.before).attach(tuple(output)))
    return Joint(backward.before).attach((output,))[0]


class _BackwardHooks:
    """The backward hooks around one call of a module: `before` its backward, and `after` it."""

    def __init__(self, module: "Module", args: tuple):
        self.module = module
        self.hooks = _hooks("backward", module._backward_hooks)
        self.pre_hooks = _hooks("backward pre", module._backward_pre_hooks)
        self.any_input = any(isinstance(x, Tensor) and x.requires_grad for x in args)
        # Of inputs that get no gradient, what a zero gradient needs: keeping the inputs would keep their memory.
        self.blanks = [
            (x.shape, x.dtype, x.device) if isinstance(x, Tensor) and x.dtype.kind >= 2 and self.any_input else None
            for x in args
        ]
        self.grad_output: tuple = ()

    def before(self, grad_output: tuple) -> tuple:
        for hook in self.pre_hooks:
            grad_output = _replaced("backward pre hook", grad_output, hook(self.module, grad_output))
        self.grad_output = grad_output
        if not self.any_input:
            self.after((None,) * len(self.blanks))
        return grad_output

    def after(self, grad_input: tuple) -> tuple:
        grad_input = tuple(
            creation.zeros(blank[0], dtype=blank[1], device=blank[2]) if gradient is None and blank else gradient
            for gradient, blank in zip(grad_input, self.blanks, strict=True)
        )
        for hook in self.hooks:
            grad_input = _replaced("backward hook", grad_input, hook(self.module, grad_input, self.grad_output))
        return grad_input


def _run_pre_hook(hook: Callable, module: "Module", args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    if not isinstance(hook, WithKwargs):
        answer = hook(module, args)
        return (args if answer is None else answer if isinstance(answer, tuple) else (answer,)), kwargs
    answer = hook(module, args, kwargs)
    if answer is None:
        return args, kwargs
    if not (isinstance(answer, tuple) and len(answer) == 2):
        raise RuntimeError(f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {answer}.")
    return answer


def _replaced(what: str, gradients: tuple, answer: Any) -> tuple:
    if answer is None:
        return gradients
    answer = answer if isinstance(answer, (tuple, list)) else (answer,)
    if len(answer) != len(gradients):
        raise RuntimeError(f"a {what} returned {len(answer)} gradients, it was given {len(gradients)}")
    return tuple(answer)


class Joint:
    """Calls `function` with the gradients of several tensors as one tuple, and passes on those it returns."""

    def __init__(self, function: Callable[[tuple], tuple]):
        self.function = function
        self.noted: dict[int, Tensor] = {}
        self.sent: tuple | None = None
        self.count = 0

    def attach(self, values: tuple) -> tuple:
        """`values`, with the tensors that require a gradient replaced by twins behind this joint."""
        self.count = len(values)
        twins = {i: identity(x) for i, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad}
        for i, twin in twins.items():
            if twin.requires_grad:  # False under no_grad
                twin.register_hook(self._sender(i))
        for i, older in list(twins.items()):
            twins[i] = identity(older)
            if twins[i].requires_grad:
                twins[i].register_hook(self._noter(i))
        return tuple(twins.get(i, x) for i, x in enumerate(values))

    def _noter(self, i: int) -> Callable:
        def note(gradient: Tensor) -> None:
            self.noted[i], self.sent = gradient, None

        return note

    def _sender(self, i: int) -> Callable:
        def send(gradient: Tensor) -> Tensor | None:
            if self.sent is None:
                self.sent = self.function(tuple(self.noted.get(j) for j in range(self.count)))
                self.noted = {}
            return self.sent[i]

        return send
