"""Cases of the methods of modules, optimizers and schedules."""

from minigrad.conformance.case import cases_of, error_of
from minigrad.conformance.exercises import numbers

case = cases_of("methods")


def _network(torch):
    """Two linear layers with set weights, a buffer of batch norm, dropout and a tied weight."""
    nn = torch.nn
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(numbers(torch, *parameter.shape))
    return model


@case("parameters", "named_parameters")
def parameters(torch):
    model = _network(torch)
    tied = torch.nn.Sequential(model[3], model[3])
    (model(numbers(torch, 3, 2)) ** 2).sum().backward()
    return {
        "names": [name for name, _ in model.named_parameters()],
        "values": list(model.parameters()),
        "gradients": [(p.grad is not None, p.grad.shape, p.is_leaf) for p in model.parameters()],
        "prefix": [name for name, _ in model.named_parameters(prefix="net")],
        "own": [name for name, _ in model.named_parameters(recurse=False)],
        "tied": [len(list(tied.parameters())), [n for n, _ in tied.named_parameters(remove_duplicate=False)]],
        "a generator": type(model.parameters()).__name__,
        "device": str(next(model.parameters()).device),
        "count": sum(p.numel() for p in model.parameters()),
        "none": error_of(lambda: next(torch.nn.ReLU().parameters())),
    }


@case("modules", "named_modules", "children", "named_children", "add_module")
def tree(torch):
    nn = torch.nn
    model = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU(), nn.Tanh()))
    model.add_module("last", model[0])
    kinds = [type(m).__name__ for m in model.modules()]

    def added(name, module):
        return error_of(lambda: nn.Module().add_module(name, module))

    return {
        "modules": [kinds, len(list(model.modules(remove_duplicate=False)))],
        "named_modules": [(name, type(m).__name__) for name, m in model.named_modules()],
        "prefix": [name for name, _ in model.named_modules(prefix="net")],
        "with duplicates": [name for name, _ in model.named_modules(remove_duplicate=False)],
        "children": [type(m).__name__ for m in model.children()],
        "named_children": [name for name, _ in model.named_children()],
        "added": [model.last is model[0], repr(model)],
        "no module": added("a", torch.ones(1)),
        "a dot": added("a.b", nn.ReLU()),
        "no name": added("", nn.ReLU()),
        "taken": added("forward", nn.ReLU()),
        "a number": added(1, nn.ReLU()),
        "an absent one": nn.Module().add_module("a", None),
    }


@case("train", "eval", "training")
def modes(torch):
    model = _network(torch)
    x = numbers(torch, 4, 2)
    told = {"at first": [m.training for m in model.modules()], "training": model(x).shape}
    told |= {"statistics": model[1].running_mean.clone(), "batches": model[1].num_batches_tracked.clone()}
    told |= {"eval": [model.eval() is model, [m.training for m in model.modules()]], "value": model(x)}
    told |= {"kept": model[1].running_mean, "no dropout": torch.equal(model(x), model(x))}
    model[0].train()
    told["one"] = [m.training for m in model.modules()]
    told |= {"train": [model.train() is model, model[2].training], "off": model.train(False).training}
    return told | {"a string": error_of(lambda: model.train("yes")), "a keyword": model.train(mode=True).training}


@case("state_dict", "load_state_dict")
def states(torch):
    nn, optim = torch.nn, torch.optim
    model, other = _network(torch), _network(torch)
    state = model.state_dict()
    with torch.no_grad():
        other[0].weight.zero_()
    result = other.load_state_dict(state)
    loaded = other[0].weight.clone()
    fewer = {name: value for name, value in state.items() if name != "0.bias"} | {"extra": torch.ones(1)}
    partial = other.load_state_dict(fewer, strict=False)

    def stepped(optimizer, schedule, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            (model[0](numbers(torch, 3, 2)) ** 2).sum().backward()
            optimizer.step()
            schedule.step()
        return [model[0].weight.detach().clone(), optimizer.param_groups[0]["lr"]]

    optimizer = optim.SGD(model[0].parameters(), lr=0.01, momentum=0.9)
    schedule = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    before = stepped(optimizer, schedule, 3)
    kept, weights = [optimizer.state_dict(), schedule.state_dict()], nn.Linear(2, 2)
    weights.load_state_dict(model[0].state_dict())
    after = stepped(optimizer, schedule, 2)
    model[0].load_state_dict(weights.state_dict())
    fresh = optim.SGD(model[0].parameters(), lr=1.0, momentum=0.9)
    again = optim.lr_scheduler.StepLR(fresh, step_size=2, gamma=0.5)
    fresh.load_state_dict(kept[0])
    again.load_state_dict(kept[1])
    return {
        "names": list(state),
        "no graph": [value.requires_grad for value in state.values()],
        "shared": state["0.weight"].data_ptr() == model[0].weight.data_ptr(),
        "prefix": list(model[0].state_dict(prefix="first.")),
        "loaded": [repr(result), loaded],
        "partial": [partial.missing_keys, partial.unexpected_keys],
        "missing": error_of(lambda: other.load_state_dict(fewer)),
        "shapes": error_of(lambda: other.load_state_dict(state | {"0.bias": torch.ones(3)})),
        "no dict": error_of(lambda: other.load_state_dict([1])),
        "optimizer": [before, after, stepped(fresh, again, 2)],
        "its state": [
            sorted(kept[0]),
            kept[0]["state"][0]["momentum_buffer"].shape,
            kept[0]["param_groups"][0]["params"],
        ],
        "of other groups": error_of(lambda: optim.SGD([torch.ones(1)], lr=1.0).load_state_dict(kept[0])),
        "schedule": {name: kept[1][name] for name in ("step_size", "gamma", "last_epoch", "base_lrs", "_last_lr")},
    }


@case("apply")
def apply(torch):
    nn, seen = torch.nn, []

    def start(module):
        seen.append(type(module).__name__)
        if isinstance(module, nn.Linear):
            nn.init.constant_(module.weight, 0.5)

    model = _network(torch)
    return {
        "itself": model.apply(start) is model,
        "order": seen,
        "weights": [model[0].weight, model[3].weight],
        "no function": error_of(lambda: model.apply(3)),
    }


@case("register_buffer", "register_parameter")
def registration(torch):
    nn = torch.nn
    module = nn.Module()
    module.register_buffer("mean", torch.ones(2))
    module.register_buffer("mask", torch.zeros(1), persistent=False)
    module.register_buffer("absent", None)
    module.register_parameter("scale", nn.Parameter(torch.ones(1)))
    module.register_parameter("bias", None)
    module.shift = nn.Parameter(torch.zeros(1))
    module.mean = torch.tensor([3.0, 4.0])
    module.double()

    def buffer(name, value, **options):
        return error_of(lambda: module.register_buffer(name, value, **options))

    def parameter(name, value):
        return error_of(lambda: module.register_parameter(name, value))

    return {
        "buffers": dict(module.named_buffers()),
        "parameters": [name for name, _ in module.named_parameters()],
        "state": list(module.state_dict()),
        "absent": [module.absent, module.bias],
        "buffer of a number": buffer("a", 1.0),
        "buffer with a dot": buffer("a.b", torch.ones(1)),
        "buffer twice": buffer("scale", torch.ones(1)),
        "no name": buffer("", torch.ones(1)),
        "parameter of a tensor": parameter("a", torch.ones(1)),
        "parameter of a result": parameter("a", nn.Parameter(torch.ones(1)) * 2),
        "parameter twice": parameter("mean", nn.Parameter(torch.ones(1))),
        "assigned a tensor": error_of(lambda: setattr(module, "shift", torch.ones(1))),
        "assigned a number to a buffer": error_of(lambda: setattr(module, "mean", 1.0)),
        "before __init__": error_of(_without_init(torch)),
    }


def _without_init(torch):
    class Early(torch.nn.Module):  # type: ignore[name-defined]
        def __init__(self):
            self.weight = torch.nn.Parameter(torch.ones(1))

    return Early


@case("forward")
def forward(torch):
    class Twice(torch.nn.Module):  # type: ignore[name-defined]
        def forward(self, x, times=2):
            return times * x

    class Empty(torch.nn.Module):  # type: ignore[name-defined]
        pass

    module, layer, seen = Twice(), torch.nn.Linear(2, 1), []
    module.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs)))
    with torch.no_grad():
        layer.weight.copy_(numbers(torch, 1, 2))
        layer.bias.zero_()
    return {
        "called": [module(torch.ones(1)), module(torch.ones(1), times=3)],
        "direct": [module.forward(torch.ones(1)), len(seen)],
        "layer": layer.forward(numbers(torch, 3, 2)),
        "printed": [repr(module), repr(layer)],
        "none written": error_of(lambda: Empty()(torch.ones(1))),
        "no input": error_of(lambda: layer.forward()),
        "shapes": error_of(lambda: layer(torch.ones(3))),
    }


@case("requires_grad_")
def requires_grad_(torch):
    model = _network(torch)
    frozen = model[0].requires_grad_(False)
    (model(numbers(torch, 3, 2)) ** 2).sum().backward()
    return {
        "itself": frozen is model[0],
        "flags": [p.requires_grad for p in model.parameters()],
        "gradients": [p.grad is None for p in model.parameters()],
        "again": [p.requires_grad for p in model.requires_grad_(requires_grad=True).parameters()],
    }


@case("zero_grad", "step", "optim.param_groups")
def stepping(torch):
    optim = torch.optim
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    b = torch.tensor([3.0], requires_grad=True)
    unused = torch.tensor([5.0], requires_grad=True)
    optimizer = optim.SGD([{"params": [a, unused]}, {"params": b, "lr": 0.5, "weight_decay": 0.1}], lr=0.1)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)

    def loss():
        optimizer.zero_grad()
        value = (a**2).sum() + (b**2).sum()
        value.backward()
        return value

    loss()
    told = {"returns": [optimizer.step(), schedule.step()], "after one": [a.detach().clone(), b.detach().clone()]}
    told |= {"closure": optimizer.step(loss), "after two": [a, b, unused], "rates": schedule.get_last_lr()}
    optimizer.zero_grad()
    told["none"] = [a.grad, b.grad]
    loss()
    optimizer.zero_grad(set_to_none=False)
    told["zeros"] = [a.grad, unused.grad]
    model = _network(torch)
    model(numbers(torch, 3, 2)).sum().backward()
    model.zero_grad()
    groups = optimizer.param_groups
    groups[0]["lr"] = 7.0
    optimizer.add_param_group({"params": [torch.ones(1, requires_grad=True)]})
    return told | {
        "of a module": [p.grad for p in model.parameters()],
        "groups": [[len(group["params"]), group["lr"], group["weight_decay"]] for group in groups],
        "the same": groups[0]["params"][0] is a,
        "options": sorted(groups[0]),
        "printed": repr(optimizer),
        "no parameters": error_of(lambda: optim.SGD([], lr=0.1)),
        "a tensor": error_of(lambda: optim.SGD(a, lr=0.1)),
        "a result": error_of(lambda: optim.SGD([a * 2], lr=0.1)),
        "a negative rate": error_of(lambda: optim.SGD([a], lr=-1.0)),
        "twice": error_of(lambda: optim.SGD([{"params": [a]}, {"params": [a]}], lr=0.1)),
        "an unknown option": error_of(lambda: optim.SGD([a], lr=0.1, speed=2)),
    }
