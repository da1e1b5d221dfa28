"""Captured training steps, on the stand-in for CuPy: what a launch does there is what the capture wrote down."""

import gc
from contextlib import nullcontext

import numpy as np
import pytest
from graph_steps import batches, card as card, made_for, network, run_both, trainer

import minigrad as mg
from minigrad import graphs, nn, optim
from minigrad.kernels.cuda import product
from minigrad.nn import functional as F


def test_twenty_replays_are_twenty_steps():
    results = []
    for capture in (False, True):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.01, capturable=True)
        schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, 23)
        step = trainer(model, optimizer)
        if capture:
            step = graphs.captured(step, model, optimizer)
        mg.manual_seed(7)
        losses = []
        for x, y in batches(23):
            losses.append(step(x, y).item())
            schedule.step()
        if capture:
            assert step.replays == 20  # after two runs, and one both ways
        results.append((losses, [p.tolist() for p in model.parameters()]))
    assert results[0] == results[1]
    assert results[0][0][-1] < results[0][0][0]


def test_other_shapes_run_without_the_graph_and_say_so_once():
    inputs = batches(6) + batches(1, rows=5) + batches(1) + batches(3, rows=5) + batches(2)

    def make():
        model = network()
        optimizer = optim.AdamW(model.parameters(), lr=0.01, capturable=True)
        return trainer(model, optimizer), (model, optimizer)

    with pytest.warns(UserWarning, match=r"another shape, \(5, 6\), \(5,\), runs without the graph") as told:
        step = run_both(make, inputs)
    assert len(told) == 1
    assert step.calls == 13 and step.replays == 7  # one of them of the fourth batch of 5


WAITS = {
    r"item\(\)": lambda x, loss: loss.item(),
    r"bool\(\) \(an `if`": lambda x, loss: bool(loss > 1),
    r"float\(\)": lambda x, loss: float(loss),
    r"print\(\) or repr\(\)": lambda x, loss: repr(loss),
    r"cpu\(\)": lambda x, loss: loss.cpu(),
    r"tolist\(\)": lambda x, loss: x.tolist(),
    r"nonzero\(\)": lambda x, loss: x.nonzero(),
    r"tensor\(\)": lambda x, loss: mg.tensor([1.0, 2.0], device="cuda"),
}


@pytest.mark.parametrize("call", WAITS)
def test_a_call_that_waits_is_named(call):
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        WAITS[call](x, loss)
        loss.backward()
        optimizer.step()
        return loss

    step = graphs.captured(step, model, optimizer)
    (x, y) = batches(1)[0]
    for _ in range(2):
        step(x, y)
    before = [p.tolist() for p in model.parameters()]
    with pytest.raises(RuntimeError, match=rf"{call}.*at test_graphs\.py:\d+(?s:.)*recorded once and replayed"):
        step(x, y)
    assert [p.tolist() for p in model.parameters()] == before
    assert model[0](x).sum().item() == model[0](x).sum().item()  # the device is as usable as before


@pytest.mark.parametrize(
    "what", ["weights", "optimizer state", "a module", "training", "dropout", "precision", "an option"]
)
def test_what_has_changed_is_captured_anew(what):
    def change(model, optimizer):
        if what == "weights":
            model[0].weight.data = model[0].weight.detach() * 0.5
        elif what == "optimizer state":
            optimizer.load_state_dict(optimizer.state_dict())
        elif what == "a module":
            model[3] = nn.Linear(16, 4, bias=False).to("cuda").requires_grad_(False)
        elif what == "training":
            model.eval()
        elif what == "dropout":
            model[2].p = 0.5
        elif what == "precision":
            mg.set_float32_matmul_precision("high")
        else:
            optimizer.param_groups[0]["weight_decay"] = 0.5

    results = []
    for capture in (False, True):
        model = network()
        optimizer = optim.AdamW(model.parameters(), lr=0.01, capturable=True)
        step = trainer(model, optimizer)
        step = graphs.captured(step, model, optimizer) if capture else step
        mg.manual_seed(5)
        losses = [step(x, y).item() for x, y in batches(5)]
        change(model, optimizer)
        rest = batches(5)
        if capture:
            with pytest.warns(UserWarning, match="has changed since the step was captured: it is captured anew"):
                losses.append(step(*rest[0]).item())
        else:
            losses.append(step(*rest[0]).item())
        losses += [step(x, y).item() for x, y in rest[1:]]
        if capture:
            assert step.replays == 2 + 3
        results.append(losses)
        mg.set_float32_matmul_precision("highest")
    assert results[0] == results[1]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_products_in_16_bits_are_captured(dtype):
    def make():
        model = network()
        optimizer = optim.AdamW(model.parameters(), lr=0.01)

        def step(x, y):
            optimizer.zero_grad()
            with mg.autocast("cuda", getattr(mg, dtype)):
                loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step, (model, optimizer)

    assert run_both(make, batches(5)).replays == 2


def test_a_step_that_differs_from_its_replay_goes_on_without_a_graph():
    def make():
        model, calls = network(), []

        def step(x, y):
            calls.append(x)
            model.zero_grad()
            loss = F.cross_entropy(model(x), y) * len(calls)
            loss.backward()
            return loss

        return step, (model,)

    step, changes = make()
    step = graphs.captured(step, *changes)
    for x, y in batches(2):
        step(x, y)
    with pytest.warns(UserWarning, match="a replay gave other bits than the step itself, in output 0"):
        step(*batches(1)[0])
    step(*batches(1)[0])
    assert step.replays == 0


def test_gradients_that_add_up_are_not_replayed():
    model = network()

    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    step = graphs.captured(step, model)
    for x, y in batches(2):
        step(x, y)
    with pytest.warns(UserWarning, match="other bits than the step itself, in the gradient of 0.weight"):
        step(*batches(1)[0])


def test_gradients_zeroed_outside_and_then_not():
    results = []
    for capture in (False, True):
        model = network()

        def step(x, y, model=model):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        if capture:
            step = graphs.captured(step, model)
        mg.manual_seed(0)
        for x, y in batches(5):
            model.zero_grad()
            step(x, y)
        if capture:
            assert step.replays == 2
            with pytest.warns(UserWarning, match="there are gradients from before the step has changed"):
                step(*batches(1)[0])
        else:
            step(*batches(1)[0])
        results.append([p.grad.tolist() for p in model.parameters()])
    assert results[0] == results[1]


def test_a_captured_step_takes_the_product_that_can_be_captured():
    with product.capturable(False):  # as outside of these tests
        losses, replays = [], 0
        for capture in (False, True):
            model = network().eval()  # no dropout
            optimizer = optim.SGD(model.parameters(), lr=0.1)
            step = trainer(model, optimizer)
            if capture:
                step = graphs.captured(step, model, optimizer)
            losses.append([step(*batch).item() for batch in batches(6)])
            replays = getattr(step, "replays", 0)
    assert replays == 3
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


def test_a_product_that_cupy_does_not_capture_leaves_the_step_as_it_is(card, monkeypatch, on_card):
    if on_card:
        pytest.skip("a card's product function is captured: run without --device")
    kernels = mg.backend.backend_for("cuda").kernels
    monkeypatch.setattr(kernels, "matmul", lambda a, b, bias=None: a @ b if bias is None else a @ b + bias)
    _, _, step = made_for()
    for x, y in batches(2):
        step(x, y)
    with pytest.warns(UserWarning, match=r"goes on without a graph, .*: linear\(\) at .*cannot capture cuBLAS"):
        step(*batches(1)[0])
    step(*batches(1)[0])
    assert step.replays == 0 and step.calls == 4


def test_a_tensor_that_the_step_gives_new_memory_keeps_its_own():
    def make():
        model, average = network(), mg.zeros(2, device="cuda")
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        inner = trainer(model, optimizer)

        def step(x, y):
            loss = inner(x, y)
            average.data = average * 0.5 + loss.detach()
            return loss * average.sum()

        return step, (model, optimizer, average)

    assert run_both(make, batches(6)).replays == 3


def losses_with_a_weight_that_is_replaced(capture: bool) -> list[float]:
    model, weight = network(), mg.tensor([1.0, 2.0, 1.0, 0.5], device="cpu").to("cuda")
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y, weight)
        loss.backward()
        optimizer.step()
        return loss

    train = graphs.captured(step, model, optimizer) if capture else step
    mg.manual_seed(1)
    losses = [train(x, y).item() for x, y in batches(4)]
    weight = weight * 2 - 1
    with pytest.warns(UserWarning, match="the tensor 'weight' has changed since") if capture else nullcontext():
        losses.append(train(*batches(1)[0]).item())
    return losses + [train(x, y).item() for x, y in batches(2)]


def test_a_tensor_in_the_closure_may_be_replaced():
    assert losses_with_a_weight_that_is_replaced(True) == losses_with_a_weight_that_is_replaced(False)


def test_a_scheduler_inside_the_step_is_refused():
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    inner = trainer(model, optimizer)

    def step(x, y):
        loss = inner(x, y)
        schedule.step()
        return loss

    step = graphs.captured(step, model, optimizer)
    (x, y) = batches(1)[0]
    step(x, y)
    step(x, y)
    with pytest.raises(RuntimeError, match="changes a learning rate: .*call the scheduler outside"):
        step(x, y)


@pytest.mark.parametrize("label", [4, -1])
def test_a_label_out_of_range_is_found_in_the_replay(label):
    _, _, step = made_for(check_every=3)
    for x, y in batches(4):
        step(x, y)
    (x, y) = batches(1)[0]
    wrong = y.clone()
    wrong[3] = label
    step(x, wrong)  # call 5, the second replay
    with pytest.raises(IndexError, match=r"labels go from 0 to 3 \(call 5 of a captured step, found at call 6\)"):
        step(x, y)
    model, _, step = made_for()
    before = [p.tolist() for p in model.parameters()]
    with pytest.raises(IndexError, match="labels go from 0 to 3"):
        step(x, wrong)
    assert [p.tolist() for p in model.parameters()] == before


def test_a_loss_that_is_not_finite_is_found_in_the_replay():
    _, _, step = made_for()
    for x, y in batches(5):
        step(x, y)
    step.look()
    (x, y) = batches(1)[0]
    step(x, y)
    assert np.isnan(step(x * np.nan, y).item())
    step(x, y)
    with pytest.raises(RuntimeError, match=r"the loss is not finite: .*\(call 7 of a captured step, found at call 8\)"):
        step.look()


def test_outputs_are_copies_without_a_graph_in_the_form_the_step_gave_them():
    model = network()

    def step(batch, *, y):
        logits = model(batch["x"])
        return {"loss": F.cross_entropy(logits, y), "logits": [logits, None, "as they are"]}

    step = graphs.captured(step, model)
    outputs = [step({"x": x}, y=y) for x, y in batches(6)]
    assert step.replays == 3
    losses = [output["loss"].item() for output in outputs]
    assert len(set(losses)) == 6 and not outputs[-1]["loss"].requires_grad
    assert outputs[-1]["logits"][1:] == [None, "as they are"]
    assert outputs[-1]["logits"][0].shape == (8, 4)


def test_gradients_and_state_outlive_the_graph():
    model, optimizer, step = made_for()
    for x, y in batches(5):
        loss = step(x, y)
    del step
    gc.collect()
    assert np.isfinite(loss.item())
    assert all(np.isfinite(p.grad.tolist()).all() for p in model.parameters())
    assert all(np.isfinite(value.tolist()).all() for state in optimizer.state.values() for value in state.values())
    trainer(model, optimizer)(*batches(1)[0])
    assert all(np.isfinite(p.tolist()).all() for p in model.parameters())


def test_on_the_host_it_simply_runs_and_says_so_once():
    model = nn.Linear(2, 1)
    step = graphs.captured(lambda x: model(x).sum(), model)
    with pytest.warns(UserWarning, match="nothing of this step is on a GPU"):
        step(mg.ones(1, 2))
    assert step(mg.ones(1, 2)).item() == pytest.approx(float(model(mg.ones(1, 2))))
    assert step.calls == 2 and step.replays == 0


def test_it_says_what_it_takes():
    with pytest.raises(TypeError, match="that the step changes, and its GradScaler, got function"):
        graphs.captured(lambda: 0, lambda: 0)
    with pytest.raises(ValueError, match="start at 1, got 0 and 100"):
        graphs.captured(lambda: 0, warmup=0)
