"""Steps of the optimizers against those recorded from PyTorch, and what steps promise besides the numbers."""

import copy
import inspect
import json
import pickle
from pathlib import Path

import numpy as np
import optim_cases as cases
import pytest

import minigrad
from minigrad import optim

RECORDED = json.loads((Path(__file__).parent.parent / "recorded" / "optim.json").read_text(encoding="utf-8"))
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
ALL = [(kind, options) for kind, variants in cases.OPTIMIZERS.items() for options in variants]


def leaf(values, dtype=minigrad.float32, shape=None):
    made = minigrad.tensor(values, dtype=dtype)
    return (made if shape is None else made.reshape(shape)).requires_grad_()


class Problem:
    """The recorded objective: parameters, and their gradients by formula."""

    def __init__(self, dtype=minigrad.float32):
        self.dtype, given = dtype, RECORDED["problem"]
        self.parameters = [leaf(v, dtype, s) for v, s in zip(given["start"], cases.SHAPES, strict=True)]

    def set_gradients(self, step, i, p):
        given, raw = RECORDED["problem"], self.dtype.numpy
        curvature = np.asarray(given["curvature"][i], raw).reshape(cases.SHAPES[i])
        pull = np.asarray(given["pull"][step - 1][i], raw).reshape(cases.SHAPES[i])
        p.grad = minigrad.tensor(np.asarray(curvature * p.detach().numpy() - pull, raw))

    def values(self):
        return [p.tolist() for p in self.parameters]


def close(mine, recorded, rtol):
    """To rtol of each entry; entries near zero, to rtol of the largest."""
    mine, recorded = np.asarray(mine).reshape(-1), np.asarray(recorded)
    np.testing.assert_allclose(mine, recorded, rtol=rtol, atol=rtol * float(np.abs(recorded).max()))


@pytest.mark.parametrize("run", RECORDED["runs"], ids=lambda run: f"{run['kind']}{run['number']}-{run['dtype']}")
def test_twenty_steps_are_pytorchs(run):
    options = cases.OPTIMIZERS[run["kind"]][run["number"]]
    problem, rtol = Problem(getattr(minigrad, run["dtype"])), TOLERANCE[run["dtype"]]
    optimizer = cases.optimizer_of(optim, run["kind"], options, problem.parameters)
    for step in cases.steps_of(optimizer, problem.parameters, problem.set_gradients):
        if step in cases.LOOKED_AT:
            for p, recorded in zip(problem.parameters, run["parameters"][str(step)], strict=True):
                close(p.tolist(), recorded, rtol)
    for p, recorded in zip(problem.parameters, run["state"], strict=True):
        state = optimizer.state[p]
        assert set(state) == set(recorded)
        for name, values in recorded.items():
            assert state[name].dtype is (minigrad.float32 if name in cases.SCALARS else problem.dtype)
            # v is a sum of squares of what is compared above
            close(state[name].tolist(), values, 1e-6 if name in cases.SCALARS else 10 * rtol)


@pytest.mark.parametrize(("kind", "options"), ALL, ids=str)
def test_resumed_run_is_the_undisturbed_run_bit_for_bit(kind, options):
    def run(problem, optimizer, first, last):
        assert list(cases.steps_of(optimizer, problem.parameters, problem.set_gradients, first, last))[-1] == last

    whole, half, rest = Problem(), Problem(), Problem()
    run(whole, cases.optimizer_of(optim, kind, options, whole.parameters), 1, cases.STEPS)
    optimizer = cases.optimizer_of(optim, kind, options, half.parameters)
    run(half, optimizer, 1, 10)
    saved = pickle.loads(pickle.dumps(optimizer.state_dict()))
    for new, old in zip(rest.parameters, half.parameters, strict=True):
        new.data.copy_(old.data)
    resumed = cases.optimizer_of(optim, kind, {"lr": 77.0}, rest.parameters)
    resumed.load_state_dict(saved)
    run(rest, resumed, 11, cases.STEPS)
    assert rest.values() == whole.values()


@pytest.mark.parametrize("kind", cases.SHOWN)
@pytest.mark.parametrize("layout", ["transposed", "every second", "zero size", "one of many"])
def test_any_memory_layout_is_written_in_place(kind, layout):
    backing = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)
    array = {
        "transposed": backing.T,
        "every second": backing[::2, 1::2],
        "zero size": backing[:0],
        "one of many": backing[1:2],
    }[layout]
    plain = minigrad.tensor(array.copy()).requires_grad_()
    strided = minigrad.from_numpy(array).requires_grad_()
    untouched = backing.copy()
    optimizer = getattr(optim, kind)([strided, plain], lr=0.1)
    for _ in range(2):
        for p in (strided, plain):
            p.grad = minigrad.tensor(np.arange(array.size, dtype=np.float32).reshape(array.shape) + 1)
        optimizer.step()
    np.testing.assert_allclose(array, plain.detach().numpy(), rtol=1e-6)
    assert strided.detach().numpy() is array or np.shares_memory(strided.detach().numpy(), array) or not array.size
    changed = backing != untouched
    assert changed.sum() == array.size


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(("kind", "options"), ALL, ids=str)
def test_half_precision_is_computed_in_float32_and_rounded_once(kind, options, dtype):
    dtype = getattr(minigrad, dtype)
    half, full = leaf([1.0, -2.0, 0.75], dtype), leaf([1.0, -2.0, 0.75])
    steps = [getattr(optim, kind)([p], **options) for p in (half, full)]
    for p, optimizer in zip((half, full), steps, strict=True):
        p.grad = minigrad.tensor([0.5, 0.25, 0.0], dtype=p.dtype)
        optimizer.step()
    assert half.dtype is dtype
    assert half.tolist() == full.detach().to(dtype).tolist()
    for name, value in steps[0].state[half].items():
        assert value.dtype is (minigrad.float32 if name in cases.SCALARS else dtype)


@pytest.mark.parametrize("kind", cases.SHOWN)
def test_parameter_without_gradient_is_skipped_wholly(kind):
    frozen, trained = leaf([1.0, 2.0]), leaf([3.0])
    decay = {} if kind == "Rprop" else {"weight_decay": 0.5}
    optimizer = getattr(optim, kind)([frozen, trained], lr=0.1, **decay)
    before = copy.deepcopy(optimizer.state_dict()["state"].get(0))
    trained.grad = minigrad.ones(1)
    optimizer.step()
    assert frozen.tolist() == [1.0, 2.0]
    assert trained.tolist() != [3.0]
    assert str(optimizer.state_dict()["state"].get(0)) == str(before)


@pytest.mark.parametrize("kind", cases.SHOWN)
def test_groups_have_their_own_rates(kind):
    slow, fast, still = (leaf([1.0], minigrad.float64) for _ in range(3))
    optimizer = getattr(optim, kind)([{"params": slow}, {"params": [fast], "lr": 0.2}], lr=0.1)
    optimizer.add_param_group({"params": iter([still]), "lr": 0.0, "name": "still"})
    for p in (slow, fast, still):
        p.grad = minigrad.ones(1, dtype=minigrad.float64)
    optimizer.step()
    assert 1 - fast.item() == pytest.approx(2 * (1 - slow.item()), rel=1e-5)
    assert still.item() == (1 - 1e-6 if kind == "Rprop" else 1.0)  # whose steps have a smallest size
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.2, 0.0]


@pytest.mark.parametrize("kind", cases.SHOWN)
def test_rate_may_be_a_tensor(kind):
    a, b = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    rate = minigrad.tensor(0.25)
    for p, lr in ((a, rate), (b, 0.25)):
        optimizer = getattr(optim, kind)([p], lr=lr)
        p.grad = minigrad.tensor([1.0, -3.0])
        optimizer.step()
    assert a.tolist() == b.tolist()
    assert rate.item() == 0.25


def test_step_writes_the_memory_and_records_nothing():
    p = leaf([1.0, 2.0])
    alias, version = p.detach(), p._version
    (p * p).sum().backward()
    optimizer = optim.SGD([p], lr=0.5)
    optimizer.step()
    assert alias.tolist() == [0.0, 0.0]
    assert p.is_leaf
    assert p._version == version + 1


@pytest.mark.parametrize("kind", cases.SHOWN)
def test_backward_after_a_step_notices_the_write(kind):
    p = leaf([1.0, 2.0])
    loss = (p * p).sum()
    p.grad = minigrad.ones(2)
    getattr(optim, kind)([p], lr=0.5).step()
    with pytest.raises(RuntimeError, match=r"in-?place|modified|version"):
        loss.backward()


def test_data_may_be_replaced_between_steps():
    p = leaf([1.0, 2.0])
    optimizer = optim.Adam([p], lr=0.1)
    p.grad = minigrad.ones(2)
    optimizer.step()
    fresh = minigrad.tensor([5.0, 6.0])
    p.data = fresh
    p.grad = minigrad.ones(2)
    optimizer.step()
    assert fresh.tolist() == p.tolist() == pytest.approx([4.9, 5.9])
    p.data = minigrad.zeros(3)
    with pytest.raises(RuntimeError, match=r"shape \[3\] has a gradient of shape \[2\]"):
        optimizer.step()
    p.grad = None
    p.grad = minigrad.ones(3)
    with pytest.raises(RuntimeError, match=r"state of shape \[2\] for a parameter of shape \[3\]"):
        optimizer.step()


def test_zero_grad():
    p, q = leaf([1.0, 2.0]), leaf([3.0])
    optimizer = optim.SGD([p, q])
    gradient = p.grad = minigrad.ones(2)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is gradient
    assert gradient.tolist() == [0.0, 0.0]
    assert q.grad is None
    optimizer.zero_grad()
    assert p.grad is None


def test_zero_grad_cuts_a_gradient_that_has_a_graph():
    p = leaf([1.0, 2.0])
    (p**3).sum().backward(create_graph=True)
    assert p.grad.requires_grad
    optim.SGD([p]).zero_grad(set_to_none=False)
    assert not p.grad.requires_grad
    assert p.grad.tolist() == [0.0, 0.0]


def test_closure_runs_with_gradients_on_and_its_value_is_returned():
    p = leaf([1.0, 2.0])
    optimizer = optim.SGD([p], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with minigrad.no_grad():
        assert optimizer.step(closure).item() == 5.0
    assert p.tolist() == [0.0, 0.0]
    assert optimizer.step() is None


def test_hooks_see_every_step_and_can_be_removed():
    p = leaf([1.0])
    optimizer, seen = optim.SGD([p]), []
    pre = optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(("pre", o is optimizer, kwargs)))
    post = optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(("post", o is optimizer, kwargs)))
    optimizer.step()
    assert seen == [("pre", True, {}), ("post", True, {})]
    pre.remove()
    post.remove()
    optimizer.step()
    assert len(seen) == 2
    optimizer.register_step_pre_hook(lambda o, args, kwargs: (args, {"closure": lambda: "replaced"}))
    assert optimizer.step() == "replaced"


def test_optimizer_of_ones_own():
    class Sign(optim.Optimizer):
        def __init__(self, params, lr=optim.optimizer.required):
            super().__init__(params, {"lr": lr})

        @minigrad.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    state["count"] = state.get("count", 0) + 1
                    p.add_(p.grad.sign(), alpha=-group["lr"])

    p = leaf([1.0, -2.0])
    with pytest.raises(ValueError, match="didn't specify a value of required optimization parameter lr"):
        Sign([p])
    optimizer = Sign([{"params": p, "lr": 0.5}])
    called = []
    optimizer.register_step_post_hook(lambda *_: called.append(True))
    p.grad = minigrad.tensor([3.0, -4.0])
    optimizer.step()
    assert p.tolist() == [0.5, -1.5]
    assert called == [True]
    assert optimizer.state_dict()["state"] == {0: {"count": 1}}
    with pytest.raises(NotImplementedError, match="must write step"):
        optim.Optimizer([p], {}).step()


@pytest.mark.parametrize("kind", cases.SHOWN)
def test_copies_are_independent(kind):
    p = leaf([1.0, 2.0])
    optimizer = getattr(optim, kind)([p], lr=0.1)
    p.grad = minigrad.ones(2)
    optimizer.step()
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        q = twin.param_groups[0]["params"][0]
        assert q is not p
        assert list(twin.state) == ([q] if optimizer.state else [])
        before = p.tolist()
        q.grad = minigrad.ones(2)
        twin.step()
        assert p.tolist() == before
        assert q.tolist() != before
        assert repr(twin) == repr(optimizer)


@pytest.mark.parametrize("name", sorted(RECORDED["signatures"]))
def test_signatures_are_pytorchs(name):
    places = (optim, optim.lr_scheduler, optim.Optimizer, minigrad.nn.utils)
    function = next(getattr(place, name) for place in places if hasattr(place, name))
    parameters = inspect.signature(function).parameters.values()
    mine = [[p.name, p.kind.name, "(none)" if p.default is p.empty else repr(p.default)] for p in parameters]
    as_numbers = {"0": "0", "0.0": "0"}
    assert [[n, k, as_numbers.get(d, d)] for n, k, d in mine] == [
        [n, k, as_numbers.get(d, d)] for n, k, d in RECORDED["signatures"][name]
    ]


@pytest.mark.parametrize("kind", cases.SHOWN)
def test_printed_as_pytorch_prints(kind):
    groups = [{"params": [leaf([1.0] * n)], "lr": 0.5} for n in (3, 2)]
    assert repr(getattr(optim, kind)(groups)) == RECORDED["printed"][kind]
