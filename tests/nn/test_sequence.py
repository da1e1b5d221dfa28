"""EmbeddingBag and CTCLoss: PyTorch's figures, edges, errors."""

import json
import math
from pathlib import Path

import pytest
import sequence_cases as cases
from test_layers import close

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "sequence.json").read_text(encoding="utf-8"))


def test_bags_are_pytorchs():
    close(cases.bags(mg), RECORDED["bags"])


def test_ctc_losses_and_gradients_are_pytorchs():
    close(cases.ctc(mg), RECORDED["ctc"])


def test_repr_and_initial_weights_are_pytorchs():
    assert cases.initial(mg) == RECORDED["initial"]


def test_errors_are_of_pytorchs_types():
    mine = cases.errors(mg)
    assert {name: kind for name, (kind, _) in mine.items()} == {n: kind for n, (kind, _) in RECORDED["errors"].items()}
    for name in ("steps", "blank", "batch", "dims", "table", "mode", "rows and offsets"):
        assert mine[name][1].startswith(RECORDED["errors"][name][1].split(" (")[0].split(" type")[0][:60]), name


def test_a_table_given_may_be_frozen():
    bag = nn.EmbeddingBag.from_pretrained(mg.tensor([[1.0, 2.5], [3.0, 4.5]]))
    assert bag(mg.tensor([[1, 0]])).tolist() == [[2.0, 3.5]]
    assert not bag.weight.requires_grad
    assert nn.EmbeddingBag.from_pretrained(mg.ones(2, 2), freeze=False).weight.requires_grad


def test_targets_without_a_path_cost_inf_and_have_no_gradient():
    x = mg.zeros(2, 1, 3, requires_grad=True)
    targets = mg.tensor([[1, 1]])  # two equal labels need a blank between them: three steps
    for zero, cost in ((False, math.inf), (True, 0.0)):
        loss = F.ctc_loss(x.log_softmax(2), targets, [2], [2], zero_infinity=zero)
        x.grad = None
        loss.backward()
        assert loss.item() == cost
        assert (x.grad == 0).all()


def test_without_time_only_the_empty_target_fits():
    x = mg.zeros(3, 3, 4).log_softmax(2)
    losses = F.ctc_loss(x, mg.tensor([[1], [1], [1]]), [0, 0, 1], [0, 1, 1], reduction="none")
    assert losses.tolist() == [0.0, math.inf, pytest.approx(math.log(4))]


def test_ctc_learns_where_the_labels_are():
    mg.manual_seed(0)
    x = mg.randn(12, 1, 4, requires_grad=True)
    optimizer, loss_of = mg.optim.Adam([x], lr=0.3), nn.CTCLoss()
    for _ in range(30):
        optimizer.zero_grad()
        loss = loss_of(x.log_softmax(2), mg.tensor([[3, 1, 1]]), [12], [3])
        loss.backward()
        optimizer.step()
    path = x.argmax(2)[:, 0].tolist()
    read = [c for i, c in enumerate(path) if c and (i == 0 or path[i - 1] != c)]
    assert read == [3, 1, 1] and loss.item() < 0.1


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: F.ctc_loss(mg.zeros(2, 1, 3), mg.tensor([[5]]), [2], [1]), RuntimeError, "target 5 is out of bounds"),
        (lambda: F.ctc_loss(mg.zeros(2, 1, 3), mg.tensor([[1]]), [2], [1.0]), RuntimeError, "must be integers"),
        (
            lambda: F.ctc_loss(mg.zeros(2, 1, 3), mg.tensor([[1]]), [-1], [1]),
            RuntimeError,
            "at least 0, but got value -1",
        ),
        (
            lambda: F.ctc_loss(mg.zeros(2, 1, 3), mg.tensor([[1]]), [2], [1], reduction="max"),
            ValueError,
            "max is not a",
        ),
        (lambda: nn.EmbeddingBag(3, 2, sparse=True), NotImplementedError, "sparse"),
        (lambda: nn.EmbeddingBag(3, 2, padding_idx=3), AssertionError, "within num_embeddings"),
        (lambda: nn.EmbeddingBag(3, 2)(mg.tensor([[3]])), RuntimeError, "3"),
        (
            lambda: nn.EmbeddingBag(3, 2, include_last_offset=True)(mg.tensor([1, 2]), mg.tensor([0, 1])),
            RuntimeError,
            "the last offset must be 2, got 1",
        ),
    ],
)
def test_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()
