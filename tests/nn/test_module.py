"""Module: registration, the walks over the tree, saving and loading, hooks, copies."""

import copy
import inspect
import json
import pickle
from collections import OrderedDict
from pathlib import Path

import layer_cases as cases
import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "nn.json").read_text(encoding="utf-8"))


class Tied(nn.Module):
    """Two layers on one weight, a buffer that is saved and one that is not."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3, bias=False)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.register_buffer("steps", mg.zeros(1).long())
        self.register_buffer("cache", mg.zeros(2), persistent=False)
        self.notes = [nn.Linear(1, 1)]

    def forward(self, x):
        return self.second(self.first(x))


# ---------------------------------------------------------------- Parameter


def test_parameter_is_a_leaf_on_the_same_memory():
    data = mg.tensor([1.0, 2.0])
    p = nn.Parameter(data)
    assert (
        isinstance(p, mg.Tensor)
        and p.requires_grad
        and p.is_leaf
        and np.shares_memory(p.detach().numpy(), data.numpy())
    )
    assert type(p * 2) is mg.Tensor and type(p.data) is mg.Tensor and type(p.detach()) is mg.Tensor
    assert repr(p) == "Parameter containing:\ntensor([1., 2.], requires_grad=True)"
    assert not nn.Parameter(data, requires_grad=False).requires_grad and nn.Parameter().shape == (0,)


def test_parameter_of_a_computed_tensor_leaves_its_graph():
    x = mg.ones(2, requires_grad=True)
    p = nn.Parameter(x * 3)
    p.sum().backward()
    assert p.is_leaf and x.grad is None and p.grad.tolist() == [1.0, 1.0]


def test_parameter_copies_and_pickles_keep_the_class():
    p = nn.Parameter(mg.ones(2))
    p.sum().backward()
    for twin in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert type(twin) is nn.Parameter and twin.requires_grad and twin.equal(p)
        assert not np.shares_memory(twin.detach().numpy(), p.detach().numpy())
    assert type(copy.deepcopy({"a": [p]})["a"][0]) is nn.Parameter


def test_parameter_refuses():
    with pytest.raises(TypeError, match=r"takes a Tensor, got list: write Parameter\(minigrad.tensor"):
        nn.Parameter([1.0])
    with pytest.raises(RuntimeError, match="only Tensors of floating point and complex dtype can require gradients"):
        nn.Parameter(mg.tensor([1]))


# ---------------------------------------------------------------- registration


def test_attributes_are_registered():
    net = Tied()
    assert list(dict(net.named_parameters())) == ["first.weight", "second.bias"]
    assert list(dict(net.named_parameters(remove_duplicate=False))) == ["first.weight", "second.weight", "second.bias"]
    assert list(dict(net.named_parameters("net", recurse=False))) == []
    assert [name for name, _ in net.named_buffers()] == ["steps", "cache"] and len(list(net.buffers())) == 2
    assert [name for name, _ in net.named_modules()] == ["", "first", "second"]
    assert [name for name, _ in net.named_modules(prefix="net")] == ["net", "net.first", "net.second"]
    assert [type(m).__name__ for m in net.children()] == ["Linear", "Linear"] and len(list(net.modules())) == 3
    assert {"first", "steps", "notes", "forward"} <= set(dir(net))


def test_a_module_that_occurs_twice_comes_once():
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, nn.ReLU(), layer)
    assert len(list(net.parameters())) == 2 and len(list(net.children())) == 2
    assert [name for name, _ in net.named_modules(remove_duplicate=False)] == ["", "0", "1", "2"]
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_an_attribute_is_one_thing_at_a_time():
    m = nn.Module()
    m.x = 3
    m.x = nn.Parameter(mg.ones(1))
    assert list(m._parameters) == ["x"] and "x" not in m.__dict__
    m.x = nn.ReLU()
    assert not m._parameters and isinstance(m.x, nn.ReLU)
    m.x = None
    assert m.x is None and list(m._modules) == ["x"] and list(m.children()) == []
    del m.x
    assert not hasattr(m, "x")
    m.register_buffer("b", mg.zeros(1), persistent=False)
    m.b = mg.ones(2)
    assert m._buffers["b"].tolist() == [1.0, 1.0] and not m.state_dict()
    m.b = None
    assert m.b is None
    with pytest.raises(AttributeError):
        del m.nothing


def test_assignments_that_are_refused():
    m = nn.Linear(2, 3)
    m.register_buffer("b", mg.zeros(1))
    m.child = nn.ReLU()
    for name, value, match in [
        (
            "weight",
            mg.zeros(3, 2),
            r"cannot assign 'torch.FloatTensor' as parameter 'weight' \(torch.nn.Parameter or None",
        ),
        ("b", 3, "cannot assign 'int' as buffer 'b'"),
        ("child", 3, "cannot assign 'int' as child module 'child'"),
    ]:
        with pytest.raises(TypeError, match=match):
            setattr(m, name, value)
    m.bias = None
    assert m(mg.zeros(2)).shape == (3,) and list(m.state_dict()) == ["weight", "b"]


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda m: m.register_parameter("w", mg.zeros(1)), TypeError, "object to parameter 'w'"),
        (lambda m: m.register_parameter("bias", None), None, ""),
        (lambda m: m.register_parameter("in_features", None), KeyError, "attribute 'in_features' already exists"),
        (lambda m: m.register_buffer("weight", None), KeyError, "attribute 'weight' already exists"),
        (lambda m: m.register_buffer("b", 3), TypeError, "'int' object to buffer 'b'"),
        (lambda m: m.register_buffer("a.b", None), KeyError, "can't contain a dot, got: a.b"),
        (lambda m: m.register_buffer("", None), KeyError, "can't be the empty string"),
        (lambda m: m.register_buffer(3, None), TypeError, "buffer name should be a string. Got int"),
        (lambda m: m.add_module("forward", nn.ReLU()), KeyError, "attribute 'forward' already exists"),
        (lambda m: m.add_module("x", 3), TypeError, "int is not a Module subclass"),
        (lambda m: m.train(1), ValueError, "training mode is expected to be boolean"),
        (
            lambda m: m.to(mg.int64),
            TypeError,
            "only accepts floating point or complex dtypes, but got desired dtype=torch.int64",
        ),
        (lambda m: m.register_forward_hook(3), TypeError, "a hook is a function, got int"),
    ],
)
def test_calls_that_are_refused(call, error, match):
    module = nn.Linear(2, 3)
    if error is None:
        call(module)
        assert module.bias is None
    else:
        with pytest.raises(error, match=match):
            call(module)


def test_missing_names_are_explained():
    net = Tied()
    with pytest.raises(AttributeError, match=r"'Tied' object has no attribute 'frist'\. Did you mean: 'first'"):
        _ = net.frist
    assert not hasattr(net, "other") and getattr(net, "other", 3) == 3

    class Early(nn.Module):
        def __init__(self, value):
            self.part = value

    for value, what in ((nn.ReLU(), "module"), (nn.Parameter(mg.ones(1)), "parameters")):
        with pytest.raises(AttributeError, match=rf"cannot assign {what} before Module.__init__\(\) call"):
            Early(value)

    class Property(nn.Module):
        @property
        def size(self):
            return self.nothing

    with pytest.raises(AttributeError, match="its property raised an AttributeError"):
        _ = Property().size
    with pytest.raises(NotImplementedError, match=r'Module \[Module\] is missing the required "forward" function'):
        nn.Module()(1)


def test_get_by_dotted_name():
    net = nn.Sequential(OrderedDict(a=Tied(), b=nn.ReLU()))
    assert net.get_submodule("a.first") is net.a.first and net.get_submodule("") is net
    assert net.get_parameter("a.second.bias") is net.a.second.bias and net.get_buffer("a.steps") is net.a.steps
    for call, match in [
        (lambda: net.get_submodule("a.third"), "Tied has no attribute `third`"),
        (lambda: net.get_submodule("a.notes"), "`notes` is not an nn.Module"),
        (lambda: net.get_parameter("a.first.bias"), "`bias` is not a parameter"),
        (lambda: net.get_parameter("a.first.b"), "Linear has no attribute `b`"),
        (lambda: net.get_buffer("a.first.weight"), "`weight` is not a buffer"),
    ]:
        with pytest.raises(AttributeError, match=match):
            call()


# ---------------------------------------------------------------- walks


def test_apply_train_and_requires_grad():
    net, seen = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Dropout())), []
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Linear", "Dropout", "Sequential", "Sequential"]
    assert net.training and net.eval() is net and not any(m.training for m in net.modules())
    assert net.train() is net and all(m.training for m in net.modules())
    assert net.requires_grad_(False) is net and not any(p.requires_grad for p in net.parameters())


def test_zero_grad():
    layer = nn.Linear(2, 1)
    layer(mg.ones(2)).sum().backward()
    held = layer.weight.grad
    layer.zero_grad(set_to_none=False)
    assert held.tolist() == [[0.0, 0.0]] and layer.bias.grad.tolist() == [0.0]
    layer(mg.ones(2)).sum().backward(create_graph=True)
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0.0, 0.0]]
    layer.zero_grad()
    assert layer.weight.grad is None
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad is None


def test_conversions_keep_identities():
    net = Tied()
    net(mg.ones(3)).sum().backward()
    weight, gradient = net.first.weight, net.first.weight.grad
    assert net.double() is net and net.first.weight is weight is net.second.weight and weight.grad is gradient
    assert weight.dtype is gradient.dtype is net.second.bias.dtype is net.cache.dtype is mg.float64
    assert net.steps.dtype is mg.int64  # integers stay
    net(mg.ones(3).double()).sum().backward()
    assert weight.grad.dtype is mg.float64
    assert net.to(mg.zeros(1)).first.weight.dtype is mg.float32 and net.to(dtype=mg.float16).cache.dtype is mg.float16
    assert net.half().cache.dtype is mg.float16 and net.bfloat16().cache.dtype is mg.bfloat16
    assert net.float().cache.dtype is mg.float32 and net.to("cpu", mg.float64).cache.dtype is mg.float64
    assert net.to(mg.device("cpu"), non_blocking=True).cpu().share_memory() is net
    assert str(next(net.parameters()).device) == "cpu"
    assert net.type(mg.float32).cache.dtype is mg.float32


# ---------------------------------------------------------------- saving and loading


def test_state_dict_shares_memory_and_leaves_out_what_is_not_saved():
    net = Tied()
    state = net.state_dict()
    assert isinstance(state, OrderedDict) and list(state) == ["steps", "first.weight", "second.weight", "second.bias"]
    assert not state["first.weight"].requires_grad
    assert np.shares_memory(state["first.weight"].numpy(), net.first.weight.detach().numpy())
    assert net.state_dict(keep_vars=True)["first.weight"] is net.first.weight
    assert list(net.state_dict(prefix="net.")) == [f"net.{key}" for key in state]
    mine = {"already": 1}
    assert net.state_dict(destination=mine) is mine and len(mine) == 5


def test_load_state_dict_copies_into_the_memory_that_is_there():
    first, second = Tied(), Tied()
    weight, memory = second.first.weight, second.first.weight.detach()
    first.steps += 5
    result = second.load_state_dict(first.state_dict())
    assert repr(result) == str(result) == "<All keys matched successfully>"
    assert result == ([], []) and result.missing_keys == []
    assert second.first.weight is weight and weight.requires_grad and memory.equal(first.first.weight)
    assert second.steps.tolist() == [5] and not np.shares_memory(memory.numpy(), first.first.weight.detach().numpy())
    nn.Linear(3, 3).double().load_state_dict(nn.Linear(3, 3).state_dict())  # cast


def test_load_state_dict_not_strict():
    layer = nn.Linear(2, 1)
    state = {"weight": mg.ones(1, 2), "other": mg.ones(1)}
    result = layer.load_state_dict(state, strict=False)
    assert result.missing_keys == ["bias"] and result.unexpected_keys == ["other"]
    assert repr(result) == "_IncompatibleKeys(missing_keys=['bias'], unexpected_keys=['other'])"
    assert layer.weight.tolist() == [[1.0, 1.0]]
    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        layer.load_state_dict({"weight": mg.ones(2, 1)}, strict=False)


def test_load_state_dict_assign():
    layer, weight = nn.Linear(2, 1), mg.ones(1, 2).double()
    layer.bias.requires_grad = False
    layer.load_state_dict({"weight": weight, "bias": nn.Parameter(mg.ones(1))}, assign=True)
    assert layer.weight.dtype is mg.float64 and np.shares_memory(layer.weight.detach().numpy(), weight.numpy())
    assert type(layer.weight) is nn.Parameter and layer.weight.requires_grad
    old = nn.PReLU()
    old.weight = nn.Parameter(mg.tensor(0.5))
    old.load_state_dict({"weight": mg.tensor([0.75])})  # 0-d from one value
    assert old.weight.item() == 0.75


def test_load_state_dict_errors_are_pytorchs():
    assert cases.errors(mg).keys() == RECORDED["errors"].keys()
    for name, (kind, text) in cases.errors(mg).items():
        expected = [kind, text.replace("<class 'minigrad", "<class 'torch")]
        assert expected == RECORDED["errors"][name]


def test_what_fits_is_loaded_before_the_error_is_raised():
    layer = nn.Linear(2, 3)
    before = layer.bias.detach().clone()
    with pytest.raises(RuntimeError, match="size mismatch for bias"):
        layer.load_state_dict({"weight": mg.ones(3, 2), "bias": mg.ones(2)})
    assert layer.weight.equal(mg.ones(3, 2)) and layer.bias.equal(before)
    with pytest.raises(RuntimeError, match="Missing key"):
        layer.load_state_dict({"bias": mg.zeros(3)})
    assert layer.bias.equal(mg.zeros(3))


def test_save_and_load_a_model(tmp_path):
    net, other = Tied(), Tied()
    mg.save(net.state_dict(), tmp_path / "net.pt")
    other.load_state_dict(mg.load(tmp_path / "net.pt"))
    assert other.second.weight is other.first.weight and other(mg.ones(3)).equal(net(mg.ones(3)))


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_and_pickles_keep_ties_and_are_separate(twin_of):
    net = Tied().eval()
    twin = twin_of(net)
    assert twin.second.weight is twin.first.weight and twin.first.weight is not net.first.weight
    assert twin(mg.ones(3)).equal(net(mg.ones(3))) and not twin.training
    assert list(dict(twin.named_parameters())) == ["first.weight", "second.bias"]
    with mg.no_grad():
        twin.first.weight.zero_()
    assert (net.first.weight != 0).all() and list(twin.state_dict()) == list(net.state_dict())


def test_training_a_tied_weight_adds_both_gradients():
    net = Tied()
    x = mg.ones(3)
    net(x).sum().backward()
    w, h = net.first.weight.detach(), net.first(x).detach()
    expected = mg.outer(w.sum(0), x) + h.expand(3, 3)
    np.testing.assert_allclose(net.first.weight.grad.numpy(), expected.numpy(), rtol=1e-5)


# ---------------------------------------------------------------- hooks


def test_hooks_are_called_as_pytorch_calls_them():
    assert cases.hooks(mg) == RECORDED["hooks"]


def test_a_copy_has_hooks_of_its_own():
    layer, seen = nn.ReLU(), []
    handle = layer.register_forward_hook(lambda module, *_: seen.append(module))
    twin = copy.deepcopy(layer)
    handle.remove()
    layer(mg.ones(1))
    twin(mg.ones(1))
    assert seen == [twin]


def test_hook_handles():
    layer, seen = nn.ReLU(), []
    with layer.register_forward_hook(lambda *_: seen.append(1)):
        layer(mg.ones(1))
    layer(mg.ones(1))
    assert seen == [1]
    handle = layer.register_forward_pre_hook(lambda m, args: args[0] * 3)  # one value stands for the tuple of it
    assert layer(mg.ones(1)).tolist() == [3.0]
    handle.remove()
    handle.remove()
    assert layer(mg.ones(1)).tolist() == [1.0]


def test_backward_hooks_without_a_graph_and_with_other_outputs():
    class Odd(nn.Module):
        def forward(self, x):
            return [x * 2, "text"]

    module, seen = Odd(), []
    module.register_full_backward_hook(lambda m, grad_in, grad_out: seen.append((grad_in, grad_out)))
    with mg.no_grad():
        module(mg.ones(1, requires_grad=True))
    assert seen == []
    x = mg.ones(1, requires_grad=True)
    out, text = module(x)
    out.backward()
    assert text == "text" and x.grad.tolist() == [2.0]
    assert [g if g is None else g.tolist() for pair in seen[0] for g in pair] == [[2.0], [1.0], None]


def test_hooks_answer_wrongly():
    layer = nn.ReLU()
    layer.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    with pytest.raises(RuntimeError, match="must return None or a tuple of"):
        layer(mg.ones(1))
    layer = nn.ReLU()
    layer.register_full_backward_hook(lambda m, grad_in, grad_out: (None, None))
    with pytest.raises(RuntimeError, match="a backward hook returned 2 gradients, it was given 1"):
        layer(mg.ones(1, requires_grad=True)).backward()


def test_signatures_can_be_read():
    assert list(inspect.signature(nn.Linear).parameters) == ["in_features", "out_features", "bias", "device", "dtype"]
