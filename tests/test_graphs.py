"""Captured training steps, on the stand-in for CuPy: what a launch does there is what the capture wrote down."""

import dataclasses
from collections.abc import Iterator

import cuda_on_host
import numpy as np
import pytest
import strict_cupy
from strict_modes import product_function

import minigrad as mg
from minigrad import graphs, nn, optim
from minigrad.kernels import common, gpu
from minigrad.nn import functional as F


@pytest.fixture(params=["cuda", "common"], autouse=True)
def card(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, on_card: bool) -> Iterator[None]:
    """Device "cuda" with the kernels of a GPU (their source, run by the CPU), and with the definitions alone."""
    if on_card:
        yield
        return
    if request.param == "cuda" and cuda_on_host.COMPILER is None:
        pytest.skip("no C++ compiler: install g++ (or clang++) to run the CUDA kernels on the CPU")
    kernels = gpu if request.param == "cuda" else common
    usual = kernels.matmul

    def matmul(a, b, bias=None):  # the one product that may be captured
        with product_function():
            return usual(a, b, bias)

    monkeypatch.setattr(kernels, "matmul", matmul)
    monkeypatch.setattr(strict_cupy.strict, "RawModule", cuda_on_host.RawModule, raising=False)
    with strict_cupy.as_cuda(kernels):
        yield


def network() -> nn.Module:
    mg.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.25), nn.Linear(16, 4)).to("cuda")


def batches(count: int, rows: int = 8) -> list[tuple[mg.Tensor, mg.Tensor]]:
    random = np.random.default_rng(0)
    return [
        (
            mg.tensor(random.standard_normal((rows, 6)).astype(np.float32), device="cpu").to("cuda"),
            mg.tensor(random.integers(0, 4, rows), device="cpu").to("cuda"),
        )
        for _ in range(count)
    ]


def trainer(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


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


def run_both(make, inputs, seed: int = 7, **options):
    """The losses and the final state of a step as it is, and captured; `make` gives (step, what it changes)."""
    results = []
    for capture in (False, True):
        step, changes = make()
        if capture:
            step = graphs.captured(step, *changes, **options)
        mg.manual_seed(seed)
        losses = [step(*batch).item() for batch in inputs]
        tensors = graphs.StepState(changes).tensors()
        results.append((losses, {name: t.tolist() for name, t in tensors.items()}))
    (losses, state), (again, replayed) = results
    assert again == losses
    assert state.keys() == replayed.keys()
    for name, value in state.items():
        np.testing.assert_allclose(replayed[name], value, rtol=1e-6, err_msg=name)
    return step


OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9, "centered": True}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    ("Adadelta", {"lr": 0.5}),
    ("Adamax", {"lr": 0.01, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Rprop", {}),
    ("Muon", {"lr": 0.02}),
]


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS, ids=str)
def test_optimizers(kind, options):
    def make():
        model = network()
        for p in model.parameters():
            p.requires_grad_(kind != "Muon" or p.ndim == 2)
        optimizer = getattr(optim, kind)([p for p in model.parameters() if p.requires_grad], **options)
        optimizer.make_capturable()  # both times: what is computed where may differ in the last bit
        return trainer(model, optimizer), (model, optimizer)

    step = run_both(make, batches(7))
    assert step.replays == 4


@pytest.mark.parametrize("kind", ["LBFGS", "RAdam"])
def test_an_optimizer_that_needs_the_host_is_refused(kind):
    model = network()
    optimizer = getattr(optim, kind)(model.parameters())
    step = graphs.captured(trainer(model, optimizer), model, optimizer)
    with pytest.raises(NotImplementedError, match=f"a step of {kind} needs numbers on the host"):
        step(*batches(1)[0])


def made_for(**options):
    model = network()
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    return model, optimizer, graphs.captured(trainer(model, optimizer), model, optimizer, **options)


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


@pytest.mark.parametrize("what", ["weights", "optimizer state", "a module", "training", "dropout", "an option"])
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
    assert results[0] == results[1]


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


def test_other_threads_may_upload_during_a_capture():
    from concurrent.futures import ThreadPoolExecutor

    from minigrad.kernels.cuda.graph import Graph

    usual = mg.backend.backend_for("cuda")
    mg.backend.register(dataclasses.replace(usual, to_device=lambda array: "theirs"))
    try:
        with ThreadPoolExecutor(1) as others:
            found = Graph().capture(lambda: others.submit(mg.backend.to_device, np.ones(1), "cuda").result())
        with pytest.raises(RuntimeError, match="it uploads float64 values"):
            Graph().capture(lambda: mg.backend.to_device(np.ones(1), "cuda"))
    finally:
        mg.backend.register(usual)
    assert found == "theirs"


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
    _, _, step = made_for()
    with pytest.raises(IndexError, match=r"labels go from 0 to 3 \(call 1 of a captured step\)"):
        step(x, wrong)


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

    def step(batch):
        logits = model(batch["x"])
        return {"loss": F.cross_entropy(logits, batch["y"]), "logits": [logits, None, "as they are"]}

    step = graphs.captured(step, model)
    outputs = [step({"x": x, "y": y}) for x, y in batches(6)]
    assert step.replays == 3
    losses = [output["loss"].item() for output in outputs]
    assert len(set(losses)) == 6 and not outputs[-1]["loss"].requires_grad
    assert outputs[-1]["logits"][1:] == [None, "as they are"]
    assert outputs[-1]["logits"][0].shape == (8, 4)


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


# ---------------------------------------------------------------- models


@pytest.mark.parametrize("card", ["cuda"], indirect=True)  # in the definitions the gradient of an embedding sorts
def test_a_gpt_with_clipped_gradients_and_two_groups():
    from models.gpt import GPT, GPTConfig

    random = np.random.default_rng(1)
    texts = [mg.tensor(random.integers(0, 7, (2, 4)), device="cpu").to("cuda") for _ in range(4)]

    def make():
        mg.manual_seed(2)
        model = GPT(GPTConfig(vocab_size=7, block_size=3, n_layer=1, n_head=2, n_embd=4, dropout=0.1)).to("cuda")
        optimizer = optim.AdamW(model.parameter_groups(0.1), lr=1e-2, betas=(0.9, 0.99), capturable=True)

        def step(text):
            _, loss = model(text[:, :-1], text[:, 1:])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            return loss

        return step, (model, optimizer)

    assert run_both(make, [(text,) for text in texts]).replays == 1


def test_a_convolution_with_running_statistics():
    random = np.random.default_rng(1)
    images = [
        mg.tensor(random.standard_normal((4, 2, 6, 6)).astype(np.float32), device="cpu").to("cuda") for _ in "12345"
    ]
    labels = mg.tensor([0, 1, 2, 0], device="cuda")

    def make():
        mg.manual_seed(2)
        model = nn.Sequential(
            nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 3)
        ).to("cuda")
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        return trainer(model, optimizer), (model, optimizer)

    assert run_both(make, [(x, labels) for x in images]).replays == 2


@pytest.mark.parametrize("card", ["cuda"], indirect=True)
def test_an_lstm_over_more_steps_than_can_be_joined_at_once():
    random = np.random.default_rng(1)
    lines = [mg.tensor(random.standard_normal((2, 11, 3)).astype(np.float32), device="cpu").to("cuda") for _ in "12345"]

    def make():
        mg.manual_seed(2)
        model = nn.LSTM(3, 4, batch_first=True).to("cuda")
        optimizer = optim.RMSprop(model.parameters(), lr=0.01, capturable=True)

        def step(x):
            optimizer.zero_grad()
            y, _ = model(x)
            loss = (y - x.sum()).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        return step, (model, optimizer)

    assert run_both(make, [(x,) for x in lines]).replays == 2


# ---------------------------------------------------------------- the stand-in itself


def test_the_stand_in_knows_memory_that_is_gone(on_card):
    if on_card:
        pytest.skip("on a card the memory is read as it is: run without --device")
    from minigrad.kernels.cuda.graph import Graph

    weights = [mg.ones(3, device="cuda")]
    graph = Graph()
    y = graph.capture(lambda: weights[0] * 2)
    weights[0].add_(1)
    graph.replay()
    assert y.tolist() == [4, 4, 4]
    del weights[0]
    with pytest.raises(RuntimeError, match=r"uses memory freed since its capture: float32 \(3,\)"):
        graph.replay()


def test_nothing_is_computed_while_capturing(on_card):
    if on_card:
        pytest.skip("what memory holds that nobody wrote is known on the stand-in alone: run without --device")
    from minigrad.kernels.cuda.graph import Graph

    x, graph = mg.ones(3, device="cuda"), Graph()

    def fill():
        x.add_(1)
        return x * 2

    y = graph.capture(fill)
    assert x.tolist() == [1, 1, 1] and np.isnan(y.tolist()).all()
    graph.replay()
    graph.replay()
    assert x.tolist() == [3, 3, 3] and y.tolist() == [6, 6, 6]


def test_random_numbers_go_on_from_replay_to_replay_and_after_other_draws():
    from minigrad.kernels.cuda.graph import Graph

    def draws(source):
        found = [source().tolist() for _ in range(2)]
        mg.randn(5, device="cuda")
        found += [source().tolist() for _ in range(2)]
        mg.manual_seed(9)
        return [*found, source().tolist()]

    mg.manual_seed(4)
    mg.rand(1, device="cuda")
    eager = draws(lambda: mg.rand(6, device="cuda"))
    mg.manual_seed(4)
    mg.rand(1, device="cuda")
    graph = Graph()
    y = graph.capture(lambda: mg.rand(6, device="cuda"))

    def replayed():
        graph.replay()
        return y

    assert draws(replayed) == eager


def test_a_constant_is_the_same_in_every_replay():
    from minigrad.kernels.cuda.graph import Graph

    graph = Graph()
    y = graph.capture(lambda: mg.arange(3, device="cuda").add_(1))
    for _ in range(2):
        graph.replay()
        assert y.tolist() == [1, 2, 3]


def test_replay_before_capture_and_a_capture_within_one():
    from minigrad.kernels.cuda.graph import Graph

    with pytest.raises(RuntimeError, match="captured nothing"):
        Graph().replay()
    with pytest.raises(RuntimeError, match="a capture inside a capture"):
        Graph().capture(lambda: Graph().capture(lambda: None))


# ---------------------------------------------------------------- the loss scale


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_the_scaler_leaves_steps_out_without_asking_the_host(kind):
    model = nn.Linear(2, 1, bias=False).to("cuda")
    start = model.weight.tolist()
    optimizer = getattr(optim, kind)(model.parameters(), lr=0.5)
    scaler = mg.amp.GradScaler("cuda", init_scale=4.0, growth_interval=3)

    def step(x):
        optimizer.zero_grad()
        loss = model(x).sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    step = graphs.captured(step, model, optimizer, scaler)
    fine, bad = mg.ones(1, 2, device="cuda"), mg.full((1, 2), 3e38, device="cuda")  # four times that is inf
    step(bad)
    assert model.weight.tolist() == start and scaler.get_scale() == 2.0
    scales, moved = [], []
    for x in (fine, fine, fine, bad, fine):
        before = model.weight.tolist()
        step(x)
        scales.append(scaler.get_scale())
        moved.append(model.weight.tolist() != before)
    assert moved == [True, True, True, False, True] and scales == [2.0, 2.0, 4.0, 2.0, 2.0]
    assert step.replays == 3 and scaler.state_dict()["_growth_tracker"] == 1
    if kind == "Adam":
        assert optimizer.state[model.weight]["step"].item() == 4
    scaler.load_state_dict({**scaler.state_dict(), "scale": 32.0, "_growth_tracker": 2})
    step(fine)
    assert scaler.get_scale() == 64.0 and step.replays == 4
