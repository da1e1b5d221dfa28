"""backward, autograd.grad, hooks and grad modes: PyTorch's recorded behaviour, and what the engine promises besides."""

import gc
import threading
import tracemalloc
import weakref

import numpy as np
import pytest
from op_cases import BY_ID
from op_harness import call, drawn, tensors
from programs.common import check, recorded

import minigrad as mg
from minigrad import autograd
from minigrad.autograd import Node, sum_to
from minigrad.op import op
from minigrad.tensor import from_raw

PROGRAMS = recorded("autograd")


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name):
    check(*PROGRAMS[name], mg)


# ---------------------------------------------------------------- messages


def test_second_backward_names_the_op_and_the_remedy():
    x = mg.ones(2, requires_grad=True)
    y = x.exp().sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"(?s)a second time.*retain_graph=True.*what 'exp' kept"):
        y.backward()


def test_backward_of_a_vector_says_its_shape_and_what_to_do():
    with pytest.raises(RuntimeError, match=r"scalar outputs\nthis one has shape \(2, 3\).*\.sum\(\)"):
        (mg.ones(2, 3, requires_grad=True) * 2).backward()


def test_backward_without_a_graph_says_why():
    with pytest.raises(RuntimeError, match=r"(?s)does not require grad.*no_grad\(\) or after detach\(\)"):
        mg.ones(1).backward()


def test_a_gradient_of_a_wrong_shape_names_both():
    with pytest.raises(RuntimeError, match=r"gradient has shape \(3,\), the output \(2,\)"):
        mg.ones(2, requires_grad=True).backward(mg.ones(3))


def test_a_hook_that_returns_no_tensor():
    x = mg.ones(2, requires_grad=True)
    x.register_hook(lambda g: 3.0)
    with pytest.raises(TypeError, match="a hook returns a Tensor or None, got float"):
        x.sum().backward()


# ---------------------------------------------------------------- whose memory a gradient is


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_gradients_of_two_backwards_add_up_for_every_op(dtype):
    """`.grad` may be an array that a rule made, never one that the graph keeps or that two leaves share."""
    for name, case in BY_ID.items():
        inputs = tensors(case, drawn(case, dtype))
        leaves = [x for x in inputs if x.requires_grad]
        outputs = [y for y in call(case, inputs) if isinstance(y, mg.Tensor) and y.requires_grad]
        if not leaves or not outputs:
            continue
        y, gradient = outputs[0], mg.ones_like(outputs[0])
        y.backward(gradient, retain_graph=True)
        first = [None if x.grad is None else x.grad.array.copy() for x in leaves]
        seen = [x.grad.array for x in leaves if x.grad is not None]
        for array in seen:
            assert array.flags.writeable, name
            assert (
                all(stride or n == 1 for stride, n in zip(array.strides, array.shape, strict=True)) or not array.size
            ), name
            others = [a for a in seen if a is not array] + [gradient.array, y.array] + [x.array for x in inputs]
            assert not any(np.may_share_memory(array, other) for other in others), name
        y.backward(gradient)
        for x, once in zip(leaves, first, strict=True):
            if once is not None:
                assert x.grad.array.tobytes() == (once + once).tobytes(), name


def test_a_hook_may_write_into_the_gradient_it_is_given():
    a, b = mg.ones(2, requires_grad=True), mg.ones(2, requires_grad=True)
    h = a + b
    a.register_hook(lambda g: g.mul_(10))
    h.sum().backward()  # the gradient of a sum is one number, stretched without a copy
    assert a.grad.tolist() == [10, 10]
    assert b.grad.tolist() == [1, 1]


def test_autograd_grad_gives_arrays_of_its_own():
    x, g = mg.ones(2, requires_grad=True), mg.tensor([1.0, 2.0])
    (found,) = autograd.grad(x + 0, x, g)
    found.zero_()
    assert g.tolist() == [1, 2]


# ---------------------------------------------------------------- modes


def test_one_mode_object_entered_twice_restores_what_it_found():
    quiet = mg.no_grad()  # PyTorch leaves the mode off here
    with quiet:
        with quiet:
            pass
        assert not mg.is_grad_enabled()
    assert mg.is_grad_enabled()


def test_a_mode_on_a_generator_that_is_closed_early():
    left = []

    @mg.no_grad()
    def count():
        try:
            yield mg.is_grad_enabled()
            yield 2
        finally:
            left.append(mg.is_grad_enabled())

    steps = count()
    assert next(steps) is False
    steps.close()
    assert left == [False]
    assert mg.is_grad_enabled()


def test_errors_thrown_into_a_generator_arrive():
    @mg.no_grad()
    def patient():
        try:
            yield 1
        except KeyError:
            yield "caught"

    steps = patient()
    next(steps)
    assert steps.throw(KeyError()) == "caught"


def test_a_mode_decorates_functions_only():
    with pytest.raises(TypeError, match="a grad mode decorates functions, got int"):
        mg.no_grad()(3)


def test_grad_mode_is_each_threads_own():
    seen = {}
    inside, done = threading.Event(), threading.Event()

    def quiet():
        with mg.no_grad():
            inside.set()
            done.wait(10)
            seen["quiet"] = mg.is_grad_enabled()

    thread = threading.Thread(target=quiet)
    thread.start()
    assert inside.wait(10)
    seen["here"] = mg.is_grad_enabled()
    done.set()
    thread.join()
    assert seen == {"quiet": False, "here": True}


def test_two_threads_add_into_one_leaf():
    x = mg.zeros(100, requires_grad=True)
    start = threading.Barrier(2)

    def work(scale):
        start.wait(10)
        for _ in range(200):
            (x * scale).sum().backward()

    threads = [threading.Thread(target=work, args=(scale,)) for scale in (1.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.grad.tolist() == [600.0] * 100


# ---------------------------------------------------------------- depth, memory, cycles


def chain(x, length):
    for _ in range(length):
        x = x * 1.0
    return x


def test_a_chain_of_a_hundred_thousand_ops():
    x = mg.ones(8, requires_grad=True)
    y = chain(x, 100_000)
    y.backward(mg.ones(8))
    assert x.grad.tolist() == [1.0] * 8
    del y
    unwalked = chain(x, 100_000)
    del unwalked  # freed link by link, also without a backward


def test_memory_returns_without_the_garbage_collector():
    x, g = mg.ones(8, requires_grad=True), mg.ones(8)
    length = 30_000

    def step():
        y = chain(x, length)
        held = tracemalloc.get_traced_memory()[0]
        y.backward(g)
        return held

    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        step()  # fills the interpreter's own free lists
        start = tracemalloc.get_traced_memory()[0]
        peak = step()
        end = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert peak - start > 100 * length  # the graph was there
    assert abs(end - start) < 0.01 * (peak - start)


def test_a_training_step_leaves_no_cycles():
    mg.manual_seed(0)
    model = mg.nn.Sequential(mg.nn.Linear(4, 8), mg.nn.ReLU(), mg.nn.Linear(8, 3))
    optimizer = mg.optim.AdamW(model.parameters())
    x, y = mg.randn(5, 4), mg.tensor([0, 1, 2, 0, 1])

    def step():
        h = model(x)
        h[:, 0].mul_(2)
        loss = mg.nn.functional.cross_entropy(h, y)
        penalty = autograd.grad((model[0].weight ** 3).sum(), model[0].weight, create_graph=True)[0].norm()
        optimizer.zero_grad()
        (loss + penalty).backward()
        optimizer.step()
        return weakref.ref(loss), weakref.ref(loss.node), weakref.ref(penalty.node)

    step()
    gc.collect()
    gc.disable()
    try:
        watched = step()
        assert [ref() for ref in watched] == [None, None, None]
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        assert [x for x in gc.garbage if isinstance(x, (Node, mg.Tensor, np.ndarray))] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_what_no_rule_asked_for_is_freed_in_the_forward():
    x = mg.ones(1000, requires_grad=True)
    h = x + 1
    inner = weakref.ref(h.array)
    y = h + 1  # add keeps nothing
    del h
    assert inner() is None
    y.sum().backward()
    h = x * 2
    inner = weakref.ref(h.array)
    y = h.exp()  # exp keeps its output alone
    del h
    assert inner() is None
    y.sum().backward()


def test_backward_frees_as_it_goes():
    x = mg.ones(1000, requires_grad=True)
    y = x.exp()
    inner = weakref.ref(y.array)
    z = y.sum()
    del y
    assert inner() is not None
    z.backward()
    assert inner() is None


# ---------------------------------------------------------------- sum_to


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [((), 6.0), ((1,), [6.0]), ((3,), [1.0, 2.0, 3.0]), ((1, 3), [[1.0, 2.0, 3.0]]), ((1, 1), [[6.0]])],
)
def test_sum_to_undoes_broadcasting(shape, wanted):
    gradient = np.array([[1.0, 2.0, 3.0]])
    assert sum_to(gradient, shape).tolist() == wanted
    assert sum_to(from_raw(gradient), shape).tolist() == wanted


def test_sum_to_refuses_shapes_that_never_broadcast():
    with pytest.raises(RuntimeError, match=r"shape \(2, 3\) cannot belong to an input of shape \(2,\)"):
        sum_to(np.ones((2, 3)), (2,))


def test_a_gradient_and_a_view_of_it_for_two_leaves_stay_apart():
    """One fresh array may reach two inputs, as itself and as a view: neither leaf may then add to it in place."""

    @op
    def add_flat(a, b):
        return a + b.reshape(a.shape)

    @add_flat.vjp
    def add_flat_vjp(dy, b_shape):
        g = dy * 1
        return g, g.reshape(b_shape)

    a, b = mg.ones(2, 3, requires_grad=True), mg.ones(6, requires_grad=True)
    tripled = (a * 3).sum()  # older, so that its gradient is added to a's after add_flat's has arrived
    (add_flat(a, b).sum() + tripled).backward()
    assert a.grad.tolist() == [[4.0] * 3] * 2
    assert b.grad.tolist() == [1.0] * 6
    assert not np.shares_memory(a.grad.numpy(), b.grad.numpy())


def test_a_rule_that_returns_what_it_keeps_gives_a_gradient_of_its_own():
    @op
    def first_of(*xs):
        return xs[0] * xs[1]

    @first_of.vjp
    def first_of_vjp(dy, xs):
        return [xs[1], xs[0]]  # right for dy = 1, and no copy

    a, b = mg.ones(3, requires_grad=True), mg.full((3,), 2.0, requires_grad=True)
    y = first_of(a, b)
    y.backward(mg.ones(3), retain_graph=True)
    assert not np.shares_memory(a.grad.numpy(), b.detach().numpy())
    assert not np.shares_memory(b.grad.numpy(), a.detach().numpy())
    y.backward(mg.ones(3))
    assert a.grad.tolist() == [4.0] * 3 and b.grad.tolist() == [2.0] * 3 and b.tolist() == [2.0] * 3
