"""Programs with hooks: of every module, and behind the gradient of a leaf."""

from programs.common import error_of

CASES: dict = {}


def _module(m):
    return m.nn.modules.module if m.__name__ == "torch" else m.nn.module


def _net(m, log):
    net = m.nn.Sequential(m.nn.Linear(3, 2), m.nn.Tanh())
    net[0].register_forward_pre_hook(lambda module, args: log.append("its own before"))
    net[0].register_forward_hook(lambda module, args, out: log.append("its own after"))
    net[0].register_full_backward_hook(lambda module, grad_in, grad_out: log.append("its own backward"))
    return net


def hooks_of_every_module_come_first(m):
    log, every = [], _module(m)
    handles = [
        every.register_module_forward_pre_hook(lambda mod, args: log.append(f"before {type(mod).__name__}")),
        every.register_module_forward_hook(lambda mod, args, out: log.append(f"after {type(mod).__name__}")),
        every.register_module_full_backward_pre_hook(lambda mod, out: log.append(f"above {type(mod).__name__}")),
        every.register_module_full_backward_hook(lambda mod, grad_in, out: log.append(f"below {type(mod).__name__}")),
    ]
    net, x = _net(m, log), m.ones(2, 3, requires_grad=True)
    net(x).sum().backward()
    for handle in handles:
        handle.remove()
    there, log[:] = list(log), []
    net(x).sum().backward()
    return [there, log]


def a_hook_of_every_module_changes_outputs(m):
    every, layer = _module(m), m.nn.ReLU()
    seen = []
    with every.register_module_forward_hook(lambda mod, args, out: out * 2):
        doubled = layer(m.ones(2))
    with every.register_module_forward_hook(lambda mod, args, kwargs, out: seen.append(len(kwargs)), with_kwargs=True):
        plain = layer(m.ones(2))
    with every.register_module_forward_pre_hook(lambda mod, args: (args[0] - 3,)):
        lowered = layer(m.ones(2))
    with every.register_module_full_backward_hook(lambda mod, grad_in, grad_out: (grad_in[0] * 10,)):
        x = m.ones(2, requires_grad=True)
        layer(x).sum().backward()
    return [doubled, plain, seen, lowered, x.grad]


def after_the_gradient_was_added(m):
    log, p = [], m.tensor([1.0, 2.0], requires_grad=True)
    handle = p.register_post_accumulate_grad_hook(lambda leaf: log.append([leaf is p, leaf.grad.tolist()]))
    p.register_hook(lambda gradient: gradient * 2)
    for _ in range(2):
        (p * 3).sum().backward()
    m.autograd.grad((p * 3).sum(), p)
    handle.remove()
    (p * 3).sum().backward()
    return [log, p.grad]


def an_optimizer_steps_inside_backward(m):
    layer = m.nn.Linear(2, 1)
    for parameter in layer.parameters():
        m.nn.init.ones_(parameter)
    optimizers = {p: m.optim.SGD([p], lr=0.1) for p in layer.parameters()}

    def step(parameter):
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for parameter in layer.parameters():
        parameter.register_post_accumulate_grad_hook(step)
    layer(m.ones(3, 2)).sum().backward()
    return [layer.weight.detach(), layer.bias.detach(), layer.weight.grad is None]


def hooks_that_have_no_place(m):
    p = m.ones(2, requires_grad=True)
    return [
        error_of(lambda: m.ones(2).register_post_accumulate_grad_hook(print)),
        error_of(lambda: (p * 2).register_post_accumulate_grad_hook(print)),
    ]
