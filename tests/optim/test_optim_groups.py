"""Parameter groups, state dicts, and bad input to optimizers."""

import pytest

import minigrad
from minigrad import optim

KINDS = (optim.SGD, optim.Adagrad, optim.RMSprop, optim.Adam, optim.AdamW)


@pytest.fixture
def pair():
    return [minigrad.ones(3, requires_grad=True), minigrad.ones(2, 2, requires_grad=True)]


def stepped(kind, parameters, **options):
    optimizer = kind(parameters, **options)
    for p in parameters:
        p.grad = minigrad.ones(*p.shape)
    optimizer.step()
    return optimizer


def test_options_of_a_group_and_defaults(pair):
    optimizer = optim.SGD([{"params": pair[0], "momentum": 0.5, "name": "x"}, {"params": iter([pair[1]])}], lr=0.1)
    first, second = optimizer.param_groups
    assert (first["params"], first["lr"], first["momentum"], first["name"]) == ([pair[0]], 0.1, 0.5, "x")
    assert (second["params"], second["lr"], second["momentum"]) == ([pair[1]], 0.1, 0)
    assert list(optim.SGD(iter(pair)).param_groups[0]) == [
        "params", "lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize", "foreach", "differentiable",
        "fused",
    ]  # fmt: skip


def test_named_parameters(pair):
    optimizer = optim.SGD([("weight", pair[0]), ("bias", pair[1])], lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["params"] == [0, 1]
    assert "param_names: ['weight', 'bias']" in repr(optimizer)
    extra = minigrad.ones(1, requires_grad=True)
    with pytest.raises(ValueError, match="should be with/without names"):
        optimizer.add_param_group({"params": [extra]})
    optimizer.add_param_group({"params": [("extra", extra)]})
    with pytest.raises(ValueError, match="Some param names are missing"):
        optim.SGD([("a", pair[0]), pair[1]])
    unnamed = optim.SGD([{"params": pair}, {"params": [extra]}])
    optimizer.load_state_dict(unnamed.state_dict())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]


def test_state_dict_has_pytorchs_layout(pair):
    adam = stepped(optim.Adam, pair, lr=0.5)
    saved = adam.state_dict()
    assert list(saved) == ["state", "param_groups"]
    assert list(saved["state"]) == [0, 1]
    assert list(saved["state"][0]) == ["step", "exp_avg", "exp_avg_sq"]
    assert repr(saved["state"][0]["step"]) == "tensor(1.)"
    assert saved["state"][1]["exp_avg"].shape == (2, 2)
    assert saved["param_groups"] == [
        {
            "lr": 0.5, "betas": (0.9, 0.999), "eps": 1e-08, "weight_decay": 0, "amsgrad": False, "maximize": False,
            "foreach": None, "capturable": False, "differentiable": False, "fused": None,
            "decoupled_weight_decay": False, "params": [0, 1],
        }
    ]  # fmt: skip
    assert list(stepped(optim.Adam, pair, amsgrad=True).state_dict()["state"][0])[-1] == "max_exp_avg_sq"
    full = stepped(optim.RMSprop, pair, momentum=0.9, centered=True).state_dict()
    assert list(full["state"][0]) == ["step", "square_avg", "momentum_buffer", "grad_avg"]
    assert list(stepped(optim.SGD, pair, momentum=0.9).state_dict()["state"][0]) == ["momentum_buffer"]
    assert stepped(optim.SGD, pair).state_dict()["state"] == {}
    assert list(optim.Adagrad(pair).state_dict()["state"][0]) == ["step", "sum"]


def test_loading_casts_state_to_the_parameter_and_copies_it(pair):
    adam = stepped(optim.Adam, pair)
    twins = [minigrad.ones(*p.shape, dtype=minigrad.float64, requires_grad=True) for p in pair]
    loaded = optim.Adam(twins)
    loaded.load_state_dict(adam.state_dict())
    state = loaded.state[twins[0]]
    assert state["exp_avg"].dtype is minigrad.float64
    assert state["step"].dtype is minigrad.float32
    assert state["step"].item() == 1.0
    same = optim.Adam(pair)
    same.load_state_dict(adam.state_dict())
    for optimizer in (same, loaded):
        for p in optimizer.param_groups[0]["params"]:
            p.grad = minigrad.ones(*p.shape, dtype=p.dtype)
        optimizer.step()
    assert adam.state[pair[0]]["step"].item() == 1.0
    assert adam.state[pair[0]]["exp_avg"].tolist() == pytest.approx([0.1] * 3)


def test_loading_fills_in_options_the_saved_groups_lack(pair):
    saved = optim.SGD(pair, lr=0.1).state_dict()
    del saved["param_groups"][0]["nesterov"]
    optimizer = optim.SGD(pair, lr=7.0)
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["nesterov"] is False
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert optimizer.param_groups[0]["params"] == pair


def test_loading_keeps_what_is_not_tensors_and_not_of_parameters(pair):
    optimizer = optim.SGD(pair)
    saved = {
        "state": {0: {"history": [minigrad.ones(3), 2], "n": 1}, "global": 5},
        "param_groups": [{"params": [0, 1]}],
    }
    optimizer.load_state_dict(saved)
    assert optimizer.state["global"] == 5
    assert optimizer.state[pair[0]]["n"] == 1
    assert optimizer.state[pair[0]]["history"][1] == 2


def test_step_counts_of_old_state_dicts_are_bare_numbers(pair):
    saved = stepped(optim.Adam, pair).state_dict()
    for state in saved["state"].values():
        state["step"] = 1
    loaded = optim.Adam(pair)
    loaded.load_state_dict(saved)
    assert loaded.state[pair[0]]["step"] == 1
    loaded.step()
    assert repr(loaded.state[pair[0]]["step"]) == "tensor(2.)"


def test_loading_what_does_not_fit(pair):
    optimizer = optim.SGD(pair, lr=0.1)
    with pytest.raises(ValueError, match="different number of parameter groups: 0, the optimizer has 1"):
        optimizer.load_state_dict({"state": {}, "param_groups": []})
    with pytest.raises(
        ValueError, match="doesn't match the size of optimizer's group: group 0 has 1 parameters, the optimizer's 2"
    ):
        optimizer.load_state_dict({"state": {}, "param_groups": [{"params": [0]}]})
    adam, other = (
        stepped(optim.Adam, pair),
        [minigrad.ones(2, 2, requires_grad=True), minigrad.ones(3, requires_grad=True)],
    )
    swapped = optim.Adam(other)
    swapped.load_state_dict(adam.state_dict())
    other[0].grad = minigrad.ones(2, 2)
    with pytest.raises(RuntimeError, match=r"state of shape \[3\] for a parameter of shape \[2, 2\]"):
        swapped.step()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_a_list_of_leaves(kind, pair):
    with pytest.raises(ValueError, match="optimizer got an empty parameter list"):
        kind([])
    with pytest.raises(
        TypeError, match=r"should be an iterable of Tensors or dicts, but got a Tensor; write \[tensor\]"
    ):
        kind(pair[0])
    with pytest.raises(TypeError, match="can only optimize Tensors, but one of the params is int"):
        kind([1])
    with pytest.raises(TypeError, match="ordered collections"):
        kind([{"params": set(pair)}])
    with pytest.raises(ValueError, match="non-leaf"):
        kind([pair[0] * 2])
    with pytest.raises(KeyError, match="needs the key 'params'"):
        kind([{"lr": 1.0}])
    with pytest.raises(ValueError, match="more than one parameter group"):
        kind([{"params": pair}, {"params": [pair[0]]}])
    with pytest.warns(UserWarning, match="a parameter group with duplicate parameters"):
        kind([pair[0], pair[0]])
    with pytest.raises(TypeError, match="param_group must be a dict, but got <class 'list'>"):
        kind(pair).add_param_group([1])
    with pytest.raises(TypeError, match="unexpected keyword argument 'bogus'"):
        kind(pair, bogus=1)
    with pytest.raises(NotImplementedError, match="differentiable=True is not supported"):
        kind(pair, differentiable=True)


def test_read_only_memory(pair):
    import numpy as np

    constant = np.ones(3, np.float32)
    constant.flags.writeable = False
    with pytest.raises(ValueError, match="read-only memory"):
        optim.SGD([minigrad.tensor(0.0).new_zeros(1), _wrapped(constant)])


def _wrapped(array):
    from minigrad.tensor import from_raw

    return from_raw(array)


LIMITS = [
    (optim.SGD, {"lr": -1}, "Invalid learning rate: -1"),
    (optim.SGD, {"lr": float("nan")}, "Invalid learning rate: nan"),
    (optim.SGD, {"momentum": -0.5}, "Invalid momentum value: -0.5"),
    (optim.SGD, {"weight_decay": -1}, "Invalid weight_decay value: -1"),
    (optim.SGD, {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
    (
        optim.SGD,
        {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
        "Nesterov momentum requires a momentum and zero dampening",
    ),
    (optim.Adagrad, {"lr": -1}, "Invalid learning rate: -1"),
    (optim.Adagrad, {"lr_decay": -1}, "Invalid lr_decay value: -1"),
    (optim.Adagrad, {"weight_decay": -1}, "Invalid weight_decay value: -1"),
    (optim.Adagrad, {"initial_accumulator_value": -1}, "Invalid initial_accumulator_value value: -1"),
    (optim.Adagrad, {"eps": -1}, "Invalid epsilon value: -1"),
    (optim.RMSprop, {"lr": -1}, "Invalid learning rate: -1"),
    (optim.RMSprop, {"alpha": -1}, "Invalid alpha value: -1"),
    (optim.RMSprop, {"momentum": -1}, "Invalid momentum value: -1"),
    (optim.RMSprop, {"weight_decay": -1}, "Invalid weight_decay value: -1"),
    (optim.RMSprop, {"eps": -1}, "Invalid epsilon value: -1"),
    *[
        (kind, options, message)
        for kind in (optim.Adam, optim.AdamW)
        for options, message in (
            ({"lr": -1}, "Invalid learning rate: -1"),
            ({"eps": -1}, "Invalid epsilon value: -1"),
            ({"weight_decay": -1}, "Invalid weight_decay value: -1"),
            ({"betas": (1, 0.9)}, "Invalid beta parameter at index 0: 1"),
            ({"betas": (0.9, -1)}, "Invalid beta parameter at index 1: -1"),
            ({"betas": (0.9,)}, "betas must be two numbers, got (0.9,)"),
        )
    ],
]


@pytest.mark.parametrize(("kind", "options", "message"), LIMITS)
def test_options_out_of_range(kind, options, message, pair):
    for build in (lambda: kind(pair, **options), lambda: kind([{"params": pair, **options}])):
        with pytest.raises(ValueError) as raised:
            build()
        assert str(raised.value) == message


def test_rate_of_the_wrong_kind(pair):
    with pytest.raises(TypeError, match="lr must be a number, got str: 'fast'"):
        optim.SGD(pair, lr="fast")
    with pytest.raises(TypeError, match="lr must be a number, got NoneType"):
        optim.Adam(pair, lr=None)
    with pytest.raises(ValueError, match=r"Tensor lr must be 1-element, got shape \[2\]"):
        optim.Adam(pair, lr=minigrad.tensor([0.1, 0.2]))


HINTS = [
    (optim.SGD, {"foreach": True, "fused": True}),
    (optim.Adagrad, {"foreach": True, "fused": True}),
    (optim.RMSprop, {"foreach": True, "capturable": True}),
    (optim.Adam, {"foreach": True, "fused": True, "capturable": True}),
    (optim.AdamW, {"foreach": True, "fused": True, "capturable": True}),
]


@pytest.mark.parametrize(("kind", "hints"), HINTS)
def test_performance_hints_change_nothing(kind, hints, pair):
    stepped(kind, pair[:1], lr=0.1)
    twin = [minigrad.ones(3, requires_grad=True)]
    assert stepped(kind, twin, lr=0.1, **hints).param_groups[0]["foreach"] is True
    assert twin[0].tolist() == pair[0].tolist()
