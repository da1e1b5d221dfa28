"""LoRA: what trains, what stays, merged and unmerged outputs, adapters saved apart, and what is refused."""

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.lora import (
    LoRALinear,
    inject_lora,
    load_lora,
    lora_state_dict,
    merge_lora,
    remove_lora,
    save_lora,
    unmerge_lora,
)


class Tied(nn.Module):
    """An embedding, two blocks, a classifier and a head that shares the embedding's matrix."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(20, 8)
        self.blocks = nn.ModuleList([nn.ModuleDict({"up": nn.Linear(8, 16), "down": nn.Linear(16, 8)}) for _ in "ab"])
        self.classifier = nn.Linear(8, 2)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.table.weight

    def forward(self, ids):
        x = self.table(ids).mean(1)
        for block in self.blocks:
            x = x + block["down"](block["up"](x).relu())
        return self.classifier(x)


IDS = mg.tensor([[3, 1, 4], [1, 5, 9], [2, 6, 5], [3, 5, 8]])
LABELS = mg.tensor([0, 1, 1, 0])


@pytest.fixture
def model():
    mg.manual_seed(0)
    return Tied()


def train(model, steps=20):
    optimizer = optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02, weight_decay=0.1)
    for _ in range(steps):
        loss = nn.functional.cross_entropy(model(IDS), LABELS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def test_a_layer_computes_the_formula(model):
    inject_lora(model, rank=3, alpha=6, targets=["blocks.0.up"])
    layer = model.blocks[0]["up"]
    assert type(layer) is LoRALinear and layer.lora_A.shape == (3, 8) and layer.lora_B.shape == (16, 3)
    assert layer.lora_B.abs().sum() == 0 and layer.lora_A.abs().sum() > 0
    with mg.no_grad():
        layer.lora_B.normal_()
    x = np.random.default_rng(0).normal(size=(5, 8)).astype("f4")
    W, b, A, B = (p.detach().numpy() for p in (layer.weight, layer.bias, layer.lora_A, layer.lora_B))
    np.testing.assert_allclose(
        layer(mg.tensor(x)).detach().numpy(), x @ W.T + b + 2 * x @ A.T @ B.T, rtol=1e-5, atol=1e-5
    )
    assert "in_features=8, out_features=16, bias=True, rank=3, alpha=6, dropout=0" in repr(layer)
    double = layer.double()
    assert mg.autograd.gradcheck(
        lambda x, a, b: mg.func.functional_call(double, {"lora_A": a, "lora_B": b}, (x,)),
        (mg.randn(2, 8, dtype=mg.float64, requires_grad=True), double.lora_A, double.lora_B),
    )


def test_only_the_adapters_train(model):
    before, names = {k: v.clone() for k, v in model.state_dict().items()}, [n for n, _ in model.named_parameters()]
    answer = model(IDS)
    report = inject_lora(model, rank=2, alpha=4, targets=["up", "blocks.1.down"], also_train=["classifier"])
    np.testing.assert_array_equal(model(IDS).detach().numpy(), answer.detach().numpy())  # it starts as it was
    assert report.layers == ["blocks.0.up", "blocks.1.up", "blocks.1.down"]
    adapters = 3 * 2 * (8 + 16)
    assert report.trainable == adapters + 8 * 2 + 2
    assert report.total == sum(v.numel() for k, v in before.items() if k != "head.weight") + adapters
    assert str(report) == "3 layers of rank 2: 162 of 882 parameters train (18.37 %)"
    assert report.share == 162 / 882
    first = nn.functional.cross_entropy(answer, LABELS).item()
    assert train(model) < first / 2
    for name, value in model.state_dict().items():
        if "lora" in name or name.startswith("classifier"):
            assert name.endswith("lora_A") or not value.equal(before.get(name, mg.zeros_like(value))), name
        else:
            assert value.equal(before[name]), name
    assert [n for n, _ in model.named_parameters() if "lora" not in n] == names  # a saved base still loads by name


def test_merged_and_unmerged(model):
    inject_lora(model, rank=4, alpha=8)
    train(model)
    model.eval()
    answer, weights = model(IDS).detach().numpy(), {k: v.clone() for k, v in model.state_dict().items()}
    merge_lora(model)
    merge_lora(model)  # a second time changes nothing
    assert not model.blocks[0]["up"].weight.equal(weights["blocks.0.up.weight"])
    np.testing.assert_allclose(model(IDS).detach().numpy(), answer, rtol=1e-5, atol=1e-5)
    assert "merged" in repr(model.blocks[0]["up"])
    model.train()
    with pytest.raises(RuntimeError, match="the adapter is merged into the weight: call unmerge_lora"):
        model(IDS)
    unmerge_lora(model)
    unmerge_lora(model)
    for name, value in model.state_dict().items():
        assert value.equal(weights[name])
    np.testing.assert_array_equal(model(IDS).detach().numpy(), answer)


def test_removed_layers_are_plain(model):
    names = list(model.state_dict())
    base = model(IDS).detach().numpy()
    inject_lora(model, rank=4, alpha=8)
    train(model)
    without = copy.deepcopy(model)
    remove_lora(without)
    np.testing.assert_array_equal(without(IDS).detach().numpy(), base)
    answer = model(IDS).detach().numpy()
    merge_lora(model)
    remove_lora(model)
    assert list(model.state_dict()) == names and type(model.blocks[0]["up"]) is nn.Linear
    assert "rank" not in vars(model.blocks[0]["up"])
    np.testing.assert_allclose(model(IDS).detach().numpy(), answer, rtol=1e-5, atol=1e-5)


def test_the_default_leaves_tied_layers_out(model):
    layers = inject_lora(model, rank=1, alpha=1).layers
    assert layers == ["blocks.0.up", "blocks.0.down", "blocks.1.up", "blocks.1.down", "classifier"]
    more = Tied()
    assert inject_lora(more, 1, 1, targets=lambda name: name.endswith("0.up")).layers == ["blocks.0.up"]
    # A second time: the first adapters train on.
    assert inject_lora(more, 2, 1, targets=["down"]).trainable == 1 * (8 + 16) + 2 * 2 * (8 + 16)


def test_dropout_acts_on_the_adapter_in_training_alone(model):
    inject_lora(model, rank=4, alpha=4, targets=["classifier"], dropout=0.5)
    layer, x = model.classifier, mg.ones(3, 8)
    assert layer(x).equal(layer(x))  # B is zero
    with mg.no_grad():
        layer.lora_B.fill_(1.0)
    assert not layer(x).equal(layer(x))
    layer.eval()
    assert layer(x).equal(layer(x))


def test_a_shared_module_is_adapted_once():
    layer = nn.Linear(3, 3)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    assert inject_lora(model, 1, 1).layers == ["0"]
    assert model[2] is model[0] and type(model[2]) is LoRALinear


def test_saved_apart_and_loaded(model, tmp_path):
    base = copy.deepcopy(model)
    inject_lora(model, rank=2, alpha=4, targets=["up"], dropout=0.1, also_train=["classifier"])
    train(model)
    save_lora(model, tmp_path / "task.lora")
    assert sorted(lora_state_dict(model)) == [
        "blocks.0.up.lora_A", "blocks.0.up.lora_B", "blocks.1.up.lora_A", "blocks.1.up.lora_B", "classifier.bias",
        "classifier.weight",
    ]  # fmt: skip
    inject_lora(base, rank=5, alpha=1, targets=["down"])  # other adapters make room
    load_lora(base, tmp_path / "task.lora")
    assert base.blocks[1]["up"].dropout == 0.1 and type(base.blocks[0]["down"]) is nn.Linear
    np.testing.assert_array_equal(base.eval()(IDS).detach().numpy(), model.eval()(IDS).detach().numpy())
    assert {n for n, p in base.named_parameters() if p.requires_grad} == set(lora_state_dict(model))
    assert train(base.train()) < train(model.train()) * 1.5  # it trains on


def test_files_that_do_not_fit(model, tmp_path):
    base, other = copy.deepcopy(model), nn.Sequential(nn.Linear(2, 2))
    path = tmp_path / "task.lora"
    with pytest.raises(ValueError, match="Tied has no adapters: inject_lora gives it some"):
        save_lora(model, path)
    inject_lora(model, rank=2, alpha=4, targets=["up"], also_train=["classifier"])
    save_lora(model, path)
    with pytest.raises(
        RuntimeError, match=r"adapts layers that are no Linear layers of the model: blocks.0.up, blocks"
    ):
        load_lora(other, path)
    base.classifier = nn.Linear(8, 3)
    with pytest.raises(RuntimeError, match="size mismatch for classifier.weight"):
        load_lora(base, path)
    assert not any("lora" in name for name in base.state_dict())
    merge_lora(model)
    with pytest.raises(RuntimeError, match=r"are merged into its weights: call unmerge_lora\(model\) first"):
        load_lora(model, path)
    mg.save({"x": 1}, path)
    with pytest.raises(RuntimeError, match="was not written by save_lora"):
        load_lora(base, path)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rank": 0}, ValueError, "rank must be an integer of at least 1, got 0"),
        ({"rank": 1.5}, ValueError, "rank must be an integer of at least 1, got 1.5"),
        ({"alpha": 0}, ValueError, "alpha must be above 0, got 0"),
        ({"alpha": float("nan")}, ValueError, "alpha must be above 0, got nan"),
        ({"dropout": 1.0}, ValueError, r"dropout must be in \[0, 1\), got 1.0"),
        (
            {"targets": ["up", "nowhere"]},
            ValueError,
            r"no Linear layer of the model: \['nowhere'\]; it has blocks.0.up",
        ),
        ({"targets": ["own"]}, ValueError, r"\['own'\]"),  # a part of a name is none
        ({"targets": "up"}, TypeError, r"got the string 'up': \['up'\]"),
        ({"targets": ["head"]}, ValueError, "head shares its weight with another layer, which merging would change"),
        ({"targets": lambda name: False}, ValueError, "nothing to adapt: no Linear layer of Tied is a target"),
        ({"targets": []}, ValueError, "nothing to adapt"),
        ({"also_train": ["nowhere"]}, ValueError, r"also_train names no parameter of the model: \['nowhere'\]"),
        ({"also_train": "head"}, TypeError, r"got the string 'head': \['head'\]"),
    ],
)
def test_errors_change_nothing(model, arguments, error, message):
    with pytest.raises(error, match=message):
        inject_lora(model, **{"rank": 2, "alpha": 4, **arguments})
    assert all(p.requires_grad for p in model.parameters()) and not any("lora" in n for n in model.state_dict())
