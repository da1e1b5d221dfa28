"""Modules of modules: Module itself, containers, parameters; clip_grad_norm_."""

from collections import OrderedDict

from minigrad.conformance.cases.modules import case
from minigrad.conformance.exercises import numbers, outcomes


def names(pairs):
    return [name for name, _ in pairs]


@case("Module")
def a_module_and_what_it_holds(torch):
    nn = torch.nn

    class Block(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 2)
            self.scale = nn.Parameter(torch.ones(2))
            self.register_buffer("shift", torch.zeros(2))
            self.register_buffer("scratch", torch.zeros(1), persistent=False)
            self.register_parameter("nothing", None)
            self.plain = [nn.Linear(1, 1)]

        def forward(self, x, factor=1):
            return self.inner(x) * self.scale * factor + self.shift

    torch.manual_seed(0)
    block = Block()
    x = numbers(torch, 3, 2)
    y = block(x, factor=2)
    y.sum().backward()
    tied = Block()
    tied.inner.weight = block.inner.weight
    tied.copy = tied.inner
    told = {
        "repr": repr(block),
        "value": [y, block.scale.grad, block.inner.bias.grad],
        "names": [names(block.named_parameters()), names(block.named_buffers()), names(block.named_modules())],
        "state": list(block.state_dict()),
        "tied": [len(list(tied.parameters())), names(tied.named_modules()), list(tied.state_dict())],
        "found": [repr(block.get_submodule("inner")), block.get_parameter("inner.bias").shape, block.nothing],
        "to": [block.double().scale.dtype, block.half().shift.dtype, block.float().eval().inner.training],
    }
    block.zero_grad()
    del block.scale
    return told | {
        "zeroed": [block.inner.weight.grad, names(block.named_parameters()), hasattr(block, "scale")],
        "errors": outcomes(
            lambda: block.missing,
            lambda: nn.Module()(x),
            lambda: setattr(block, "inner", 3),
            lambda: setattr(tied, "scale", torch.ones(2)),
            lambda: block.register_buffer("inner", torch.ones(1)),
            lambda: block.register_parameter("a.b", None),
            lambda: block.add_module("", nn.Linear(1, 1)),
            lambda: block.add_module("one", 1),
            lambda: block.get_submodule("outer"),
        ),
    }


@case("Sequential", "methods:state_dict", "methods:load_state_dict")
def states_that_fit_and_do_not(torch):
    nn = torch.nn
    torch.manual_seed(0)
    source, target = (
        nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)),
        nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)),
    )
    state = source.state_dict()
    kept = target[0].weight
    result = target.load_state_dict(state)
    part = {name: value for name, value in state.items() if "bias" not in name} | {"more": torch.ones(1)}
    loose = target.load_state_dict(part, strict=False)
    return {
        "result": [str(result), loose.missing_keys, loose.unexpected_keys, target[0].weight is kept],
        "values": [target[0].weight.equal(source[0].weight), state["0.weight"].requires_grad],
        "errors": outcomes(
            lambda: target.load_state_dict(part),
            lambda: target.load_state_dict({"0.weight": torch.ones(3)}, strict=False),
            lambda: target.load_state_dict([1]),
        ),
    }


@case("Linear")
def hooks(torch):
    layer, seen = torch.nn.Linear(2, 1), []
    with torch.no_grad():
        layer.weight.fill_(1.0), layer.bias.fill_(0.5)
    before = layer.register_forward_pre_hook(lambda module, args: (args[0] * 2,))
    after = layer.register_forward_hook(lambda module, args, output: seen.append(output.shape))
    back = layer.register_full_backward_hook(lambda module, gin, gout: seen.append([gin[0], gout[0]]))
    x = torch.ones(1, 2, requires_grad=True)
    y = layer(x)
    y.backward()
    before.remove(), after.remove(), back.remove()
    return [y, x.grad, seen, layer(x)]


@case("Sequential")
def sequential(torch):
    nn = torch.nn
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    named = nn.Sequential(OrderedDict(first=nn.Linear(2, 2), then=nn.Tanh()))
    x = numbers(torch, 2, 2)
    told = {
        "repr": repr(net),
        "value": net(x),
        "state": list(net.state_dict()),
        "parts": [len(net), repr(net[-1]), repr(net[:2]), [type(m).__name__ for m in net]],
    }
    net.append(nn.Sigmoid()), net.insert(1, nn.Identity()), net.extend([nn.Tanh()])
    net[0] = nn.Linear(2, 3, bias=False)
    del net[1]
    return told | {
        "changed": [
            repr(net),
            repr(named),
            repr(named.then),
            repr(named + nn.Sequential(nn.Flatten())),
            repr(net.pop(-1)),
            len(net),
        ],
        "errors": outcomes(
            lambda: net[9],
            lambda: nn.Sequential(1),
            lambda: net(x, x),
            lambda: net.append("x"),
            lambda: nn.Sequential(nn.Linear),
        ),
    }


@case("ModuleList")
def module_list(torch):
    nn = torch.nn
    layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(2)])
    layers.append(nn.ReLU())
    layers.extend(nn.ModuleList([nn.Tanh()]))
    layers.insert(0, nn.Identity())
    told = [repr(layers), len(layers), list(layers.state_dict()), repr(layers[-1]), repr(layers[1:3])]
    layers[0] = nn.Linear(1, 1)
    del layers[1]
    more = layers + nn.ModuleList([nn.Flatten()])
    return {
        "told": told,
        "changed": [[type(m).__name__ for m in layers], len(more), repr(layers.pop(0)), nn.Linear in layers],
        "errors": outcomes(
            lambda: layers(torch.ones(1, 2)), lambda: layers[7], lambda: nn.ModuleList([1]), lambda: layers.append(2),
            lambda: layers.extend(3), lambda: layers["a"],
        ),
    }  # fmt: skip


@case("ModuleDict")
def module_dict(torch):
    nn = torch.nn
    parts = nn.ModuleDict({"b": nn.Linear(2, 2), "a": nn.ReLU()})
    parts["c"] = nn.Tanh()
    parts.update([("d", nn.Identity()), ("a", nn.Sigmoid())])
    told = [repr(parts), len(parts), list(parts), list(parts.state_dict()), "a" in parts, repr(parts.b)]
    popped = parts.pop("b")
    del parts["c"]
    return {
        "told": told,
        "changed": [list(parts.keys()), [repr(v) for v in parts.values()], repr(popped), [k for k, _ in parts.items()]],
        "errors": outcomes(
            lambda: parts["z"], lambda: nn.ModuleDict({"a": 1}), lambda: nn.ModuleDict({1: nn.ReLU()}),
            lambda: nn.ModuleDict({"a.b": nn.ReLU()}), lambda: parts(1), lambda: nn.ModuleDict({"keys": nn.ReLU()}),
        ),
    }  # fmt: skip


@case("Parameter", "ParameterList", "ParameterDict")
def parameters(torch):
    nn = torch.nn
    one = nn.Parameter(torch.ones(2))
    frozen = nn.Parameter(torch.tensor([1, 2]), requires_grad=False)
    several = nn.ParameterList([one, nn.Parameter(torch.zeros(1))])
    several.append(torch.ones(3))
    several.extend([frozen])
    by_name = nn.ParameterDict({"w": one, "b": torch.zeros(2)})
    by_name["c"] = frozen
    told = {
        "one": [repr(one), one.is_leaf, isinstance(one, torch.Tensor), type(one * 1).__name__, frozen.requires_grad],
        "empty": [nn.Parameter().shape, nn.Parameter(torch.ones(1).data)],
        "list": [
            repr(several),
            len(several),
            list(several.state_dict()),
            several[0] is one,
            [p.shape for p in several],
        ],
        "dict": [
            repr(by_name),
            sorted(by_name.keys()),
            list(by_name.state_dict()),
            by_name["w"] is one,
            "b" in by_name,
        ],
        "part": [len(several[1:]), by_name.pop("b").shape, len(by_name), by_name.w is one],
    }
    return told | {
        "errors": outcomes(
            lambda: nn.Parameter(torch.tensor([1, 2])), lambda: several[9], lambda: by_name["z"], lambda: several(1),
            lambda: nn.ParameterList(3), lambda: one.add_(1),
        ),
    }  # fmt: skip


@case("utils.clip_grad_norm_")
def clipping(torch):
    clip, told = torch.nn.utils.clip_grad_norm_, []
    for limit, kind in ((1.0, 2.0), (1.0, float("inf")), (0.5, 1), (100.0, 2.0), (0.0, 2.0)):
        parameters = [torch.zeros(2, requires_grad=True), torch.zeros(1, requires_grad=True), torch.zeros(1)]
        parameters[0].grad, parameters[1].grad = torch.tensor([3.0, -4.0]), torch.tensor([12.0])
        told.append([clip(parameters, limit, norm_type=kind), parameters[0].grad, parameters[1].grad])
    lone, broken = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    lone.grad, broken.grad = torch.tensor([2.0]), torch.tensor([float("nan")])
    return {
        "told": told,
        "edges": [
            clip([], 1.0),
            clip([torch.zeros(1)], 1.0),
            clip(lone, 1.0),
            lone.grad,
            clip([broken], 1.0),
            broken.grad,
        ],
        "errors": outcomes(lambda: clip([broken], 1.0, error_if_nonfinite=True), lambda: clip([lone], "x")),
    }
