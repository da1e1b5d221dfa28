"""Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

from collections import OrderedDict

import pytest

import minigrad as mg
from minigrad import nn


def test_sequential():
    net = nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.ReLU()))
    assert net.a is net[0] and net[-1] is net.b and len(net) == 2 and list(net) == [net.a, net.b]
    assert list(net.state_dict()) == ["a.weight", "a.bias"]
    x = mg.ones(2)
    assert net(x).equal(net.b(net.a(x)))
    part = net[:1]
    assert type(part) is nn.Sequential and part.a is net.a and list(part._modules) == ["a"]
    del net[0]
    assert list(net._modules) == ["0"] and isinstance(net[0], nn.ReLU)
    layers = [nn.Linear(1, 1) for _ in range(4)]
    net = nn.Sequential(*layers[:2])
    assert net.append(layers[2]) is net and net.insert(1, layers[3]) is net
    assert list(net) == [layers[0], layers[3], layers[1], layers[2]] and list(net._modules) == list("0123")
    assert net.pop(1) is layers[3] and list(net._modules) == list("012")
    net[0] = layers[3]
    assert net[0] is layers[3] and list((net + nn.Sequential(layers[0]))._modules) == list("0123")
    assert len(net * 2) == 6 and len(net.extend(nn.Sequential(nn.ReLU()))) == 4
    net += nn.Sequential(nn.ReLU())
    del net[3:]
    assert len(net) == 3 and nn.Sequential()(3) == 3


def test_module_list():
    layers = [nn.Linear(1, 1) for _ in range(4)]
    found = nn.ModuleList(layers[:2])
    assert found.append(layers[2]) is found and found[-1] is layers[2] and len(found) == 3
    found.insert(0, layers[3])
    assert list(found) == [layers[3], *layers[:3]] and type(found[1:3]) is nn.ModuleList and found[1:3][0] is layers[0]
    assert list(dict(found[:1].named_parameters())) == ["0.weight", "0.bias"]
    del found[0]
    found += [nn.ReLU()]
    assert [name for name, _ in found.named_children()] == list("0123") and isinstance(found.pop(3), nn.ReLU)
    found[0] = layers[3]
    assert found[0] is layers[3] and len(found + [nn.ReLU()]) == 4  # noqa: RUF005
    assert (
        repr(nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh()])) == "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Tanh()\n)"
    )


def test_module_dict():
    relu, linear = nn.ReLU(), nn.Linear(1, 1)
    found = nn.ModuleDict({"relu": relu})
    found["linear"] = linear
    assert found.relu is found["relu"] is relu and list(found) == ["relu", "linear"] and len(found) == 2
    assert list(found.items()) == [("relu", relu), ("linear", linear)] and list(found.values()) == [relu, linear]
    assert (
        "relu" in found
        and "tanh" not in found
        and list(dict(found.named_parameters())) == ["linear.weight", "linear.bias"]
    )
    found.update([("tanh", nn.Tanh())])
    found.update(nn.ModuleDict({"tanh": linear}))
    assert found["tanh"] is linear and found.pop("tanh") is linear and list(found.keys()) == ["relu", "linear"]
    del found["relu"]
    found.clear()
    assert len(found) == 0


def test_parameter_list_and_dict():
    found = nn.ParameterList([mg.zeros(2, 3), nn.Parameter(mg.zeros(2))])
    found.append(mg.ones(1)).extend([3])
    assert type(found[0]) is nn.Parameter and found[-1] == 3 and len(found) == 4 and len(list(found)) == 4
    assert list(dict(found.named_parameters())) == ["0", "1", "2"] and list(found.state_dict()) == ["0", "1", "2"]
    assert type(found[:2]) is nn.ParameterList and found[:2][0] is found[0]
    found[1] = mg.ones(3)
    found += [mg.ones(1)]
    assert found[1].tolist() == [1.0, 1.0, 1.0] and len(found) == 5
    found = nn.ParameterDict({"a": mg.zeros(2, 3), "n": 3})
    found["b"] = nn.Parameter(mg.zeros(()))
    assert found.a is found["a"] and type(found.a) is nn.Parameter and list(found) == ["a", "n", "b"] and "a" in found
    assert list(dict(found.named_parameters())) == ["a", "b"] and found.get("c", 5) == 5 and len(found) == 3
    assert repr(found) == (
        "ParameterDict(\n    (a): Parameter containing: [torch.FloatTensor of size 2x3]\n    (n): Object of type: int\n"
        "    (b): Parameter containing: [torch.FloatTensor of size ]\n)"
    )
    assert found.pop("n") == 3 and list(found.keys()) == ["a", "b"] and [k for k, _ in found.items()] == ["a", "b"]
    del found["a"]
    assert len(list(found.values())) == 1 and not hasattr(found, "a")
    found.clear()
    assert not found.state_dict()
    assert repr(nn.ParameterList([mg.zeros(2, 3), "x"])) == (
        "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2x3]\n    (1): Object of type: str\n)"
    )


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: nn.Sequential(nn.ReLU())[1], IndexError, "index 1 is out of range for 1 entries"),
        (lambda: nn.ModuleList([nn.ReLU()])[-2], IndexError, "index -2 is out of range"),
        (lambda: nn.Sequential().insert(2, nn.ReLU()), IndexError, "Index out of range: 2"),
        (lambda: nn.Sequential(3), TypeError, "int is not a Module subclass"),
        (lambda: nn.Sequential(nn.ReLU()).insert(0, 3), TypeError, "int is not a Module subclass"),
        (lambda: nn.ModuleList(nn.ReLU()), TypeError, "takes an iterable of modules, got ReLU"),
        (lambda: nn.Sequential() + [nn.ReLU()], ValueError, "supports only objects of Sequential"),  # noqa: RUF005
        (lambda: nn.Sequential() * 0, ValueError, "Non-positive multiplication factor 0"),
        (lambda: nn.Sequential() * 1.5, TypeError, "unsupported operand"),
        (lambda: nn.ModuleDict({"keys": nn.ReLU()}), KeyError, "attribute 'keys' already exists"),
        (lambda: nn.ModuleDict({"a.b": nn.ReLU()}), KeyError, "can't contain"),
        (lambda: nn.ModuleDict(3), TypeError, "iterable of key/value pairs, but got int"),
        (lambda: nn.ModuleDict([1]), TypeError, r"sequence element #0 should be a \(key, value\) pair, got 1"),
        (lambda: nn.ModuleDict()["x"], KeyError, "x"),
        (lambda: nn.ParameterList(mg.ones(2)), TypeError, "should be called with an iterable"),
        (lambda: nn.ParameterDict({1: mg.ones(1)}), TypeError, "not a string"),
        (lambda: nn.ParameterDict({"keys": mg.ones(1)}), KeyError, "attribute 'keys' already exists"),
        (lambda: nn.ParameterDict()["x"], AttributeError, "no attribute 'x'"),
        (lambda: nn.ModuleList([nn.ReLU()])(1), NotImplementedError, r"Module \[ModuleList\] is missing"),
    ],
)
def test_containers_refuse(call, error, match):
    with pytest.raises(error, match=match):
        call()
