"""Captured steps of each optimizer, of models with embeddings, convolutions and recurrence, and with a loss scale."""

import numpy as np
import pytest
from graph_steps import batches, card as card, network, run_both, trainer

import minigrad as mg
from minigrad import graphs, nn, optim

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
    ("RAdam", {"lr": 0.01, "betas": (0.9, 0.99)}),
    ("ASGD", {"lr": 0.1, "t0": 3}),
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

    step = run_both(make, batches(9))
    assert step.replays == 6


def test_an_optimizer_that_needs_the_host_is_refused():
    model = network()
    optimizer = optim.LBFGS(model.parameters())
    step = graphs.captured(trainer(model, optimizer), model, optimizer)
    with pytest.raises(NotImplementedError, match="a step of LBFGS needs numbers on the host"):
        step(*batches(1)[0])


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


def test_a_network_that_ends_in_probabilities():
    inputs = [(x, (y > 1).float().reshape(8, 1)) for x, y in batches(5)]

    def make():
        mg.manual_seed(2)
        model = nn.Sequential(nn.Linear(6, 1), nn.Sigmoid()).to("cuda")
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x, wanted):
            optimizer.zero_grad()
            loss = nn.functional.binary_cross_entropy(model(x), wanted)
            loss.backward()
            optimizer.step()
            return loss

        return step, (model, optimizer)

    assert run_both(make, inputs).replays == 2
