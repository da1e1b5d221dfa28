"""Magnitude pruning: which weights go, that they stay away in training, and what is stored."""

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.pruning import make_permanent, pack, prune, report_on, unpack


def make():
    mg.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 10), nn.ReLU(), nn.Linear(10, 3)
    )


X, LABELS = mg.arange(2 * 64.0).view(2, 1, 8, 8).sin(), mg.tensor([0, 2])


def train(model, optimizer, steps=5):
    for _ in range(steps):
        loss = nn.functional.cross_entropy(model(X), LABELS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def zeros(model) -> dict[str, int]:
    return {name: int((m.weight == 0).sum()) for name, m in model.named_modules() if hasattr(m, "weight")}


def test_globally_the_smallest_go():
    model = make()
    weights = [model[i].weight.detach().clone() for i in (0, 3, 5)]
    report = prune(model, 0.7)
    sizes = np.sort(np.abs(np.concatenate([w.numpy().ravel() for w in weights])))
    threshold = sizes[round(0.7 * sizes.size) - 1]
    for i, weight in zip((0, 3, 5), weights, strict=True):
        kept = np.abs(weight.numpy()) > threshold
        np.testing.assert_array_equal(model[i].weight.detach().numpy(), np.where(kept, weight.numpy(), 0))
        assert report.layers[str(i)] == (int((~kept).sum()), kept.size)
    assert report.sparsity == pytest.approx(0.7, abs=1e-3)
    assert "PrunedConv2d(1, 4, kernel_size=(3, 3)" in repr(model)


def test_layer_by_layer_and_named_layers():
    model = make()
    report = prune(model, 0.5, scope="layer")
    assert report.layers == {"0": (18, 36), "3": (720, 1440), "5": (15, 30)}
    model = make()
    assert prune(model, 0.5, layers=["5"]).layers == {"5": (15, 30)} and type(model[3]) is nn.Linear


def test_equal_weights_go_as_far_as_needed():
    model = nn.Linear(10, 10)
    with mg.no_grad():
        model.weight.fill_(1.0)
    assert prune(model, 0.3).layers == {"": (30, 100)}


@pytest.mark.parametrize("make_optimizer", [
    lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1), lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
])  # fmt: skip
def test_masks_stay_in_training(make_optimizer):
    model = make()
    optimizer = make_optimizer(model.parameters())
    train(model, optimizer)  # a momentum that would move the masked weights
    prune(model, 0.8)
    before, masked = model[3].weight.detach().clone(), zeros(model)
    train(model, optimizer)
    assert zeros(model) == masked and report_on(model).sparsity == pytest.approx(0.8, abs=1e-3)
    assert not model[3].weight.equal(before)  # the others did train
    mask = model[3].weight_mask
    assert float((model[3]._parameters["weight"].grad * ~mask).abs().max()) == 0
    answer = model(X)
    make_permanent(model)
    assert zeros(model) == masked and answer.equal(model(X))
    assert list(model.state_dict()) == list(make().state_dict()) and type(model[3]) is nn.Linear
    train(model, optimizer, 1)
    assert zeros(model) != masked  # plain layers have no masks


def test_gradually():
    model = make()
    prune(model, 0.5)
    first = model[3].weight_mask.clone()
    report = prune(model, 0.8)
    assert report.sparsity == pytest.approx(0.8, abs=1e-3)
    assert not bool((model[3].weight_mask & ~first).any())  # what was masked stays
    assert prune(model, 0.1).layers == report.layers
    assert type(model[0]).__name__ == "PrunedConv2d"


def test_saved_and_loaded_with_its_masks(tmp_path):
    model, twin = make(), make()
    prune(model, 0.6)
    mg.save(model.state_dict(), tmp_path / "pruned.mg")
    with mg.no_grad():
        for p in twin.parameters():
            p.normal_()
    assert prune(twin, 0.0).sparsity == 0
    twin.load_state_dict(mg.load(tmp_path / "pruned.mg"))
    assert twin(X).equal(model(X)) and zeros(twin) == zeros(model)
    assert copy.deepcopy(model)(X).equal(model(X))
    mg.save(model, tmp_path / "whole.mg")
    assert mg.load(tmp_path / "whole.mg", weights_only=False)(X).equal(model(X))


def test_packed_and_unpacked(tmp_path):
    model = make()
    report = prune(model, 0.9)
    make_permanent(model)
    state = model.state_dict()
    packed = pack(state)
    assert isinstance(packed["0.bias"], mg.Tensor) and set(packed["3.weight"]) == {"shape", "bits", "values"}
    mg.save(packed, tmp_path / "small.mg")
    back = unpack(mg.load(tmp_path / "small.mg"))
    assert list(back) == list(state) and all(back[name].equal(value) for name, value in state.items())

    def stored(entry):
        tensors = [entry] if isinstance(entry, mg.Tensor) else [entry["bits"], entry["values"]]
        return sum(t.array.nbytes for t in tensors)

    assert report.bytes_sparse == sum(map(stored, packed.values())) < 0.17 * report.bytes_dense
    assert report.bytes_dense == sum(t.array.nbytes for t in state.values())
    assert str(report) == f"3 layers: 90.0 % zeros, {report.bytes_dense / 1e6:.1f} MB -> 0.0 MB stored sparse"


def test_packing_of_any_tensor():
    pytest.importorskip("ml_dtypes")
    zeros = mg.zeros(3, 50)
    state = {
        "half": mg.zeros(9, 9).bfloat16(), "integers": mg.tensor([0] * 99 + [7]), "scalar": mg.tensor(0.0),
        "empty": mg.zeros(0, 3), "nan": mg.tensor([0.0] * 50 + [float("nan")]), "a": zeros, "b": zeros,
        "turned": zeros.t(),
    }  # fmt: skip
    state["half"][2, 3] = 1.5
    state["turned"][1, 2] = 4.0  # a and b too
    packed = pack(state)
    assert packed["a"] is packed["b"]
    back = unpack(packed)
    for name, value in state.items():
        assert back[name].dtype is value.dtype and back[name].shape == value.shape
        np.testing.assert_array_equal(back[name].float().numpy(), value.float().numpy())
    for bad in ({"shape": [3]}, 5, {"shape": [9], "bits": zeros, "values": zeros}, {**packed["half"], "shape": [2]}):
        with pytest.raises(ValueError, match="x is neither a tensor nor what pack makes of one"):
            unpack({"x": bad})
    model = make()
    prune(model, 0.5)
    with pytest.raises(ValueError, match=r"0.weight_mask is a mask: call make_permanent\(model\) and pack"):
        pack(model.state_dict())


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.body, self.head = nn.Embedding(5, 4), nn.Linear(4, 4), nn.Linear(4, 5, bias=False)
        self.head.weight = self.table.weight


def test_tied_weights_are_left_whole():
    assert list(prune(Tied(), 0.5).layers) == ["body"]
    assert prune(nn.Sequential(Tied(), nn.Conv1d(2, 3, 3)), 0.5, layers=["1"]).layers == {"1": (9, 18)}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: prune(m, 1.0), r"in \[0, 1\), got 1.0"),
        (lambda m: prune(m, -0.1), "got -0.1"),
        (lambda m: prune(m, 0.5, scope="row"), "scope must be 'global' or 'layer', got 'row'"),
        (lambda m: prune(m, 0.5, layers=["body", "table"]), r"these are no Linear.*of the model: \['table'\]"),
        (lambda m: prune(m, 0.5, layers=["head"]), "head shares its weight with another layer"),
        (lambda m: prune(nn.ReLU(), 0.5), "nothing to prune: ReLU holds no Linear"),
        (report_on, "Tied has no pruned layers"),
    ],
)
def test_errors(call, message):
    model = Tied()
    with pytest.raises(ValueError, match=message):
        call(model)
    assert not any("mask" in name for name in model.state_dict())


def test_weights_that_are_not_finite():
    model = make()
    with mg.no_grad():
        model[5].weight[0, 0] = float("inf")
    with pytest.raises(ValueError, match="the weight of 5 holds nan or inf"):
        prune(model, 0.5)
    assert type(model[0]) is nn.Conv2d
