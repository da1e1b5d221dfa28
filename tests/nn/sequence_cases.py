"""What the tests of EmbeddingBag and CTCLoss try, written for any library with PyTorch's names."""

from typing import Any

import numpy as np
from layer_cases import answer, fill, inputs, listed, wave, with_tensors

IDS, OFFSETS = np.array([2, 0, 1, 1, 3, 0]), np.array([0, 3, 3, 4])
BAGS: dict[str, tuple[dict, np.ndarray, dict]] = {
    f"{mode}, {name}": ({"mode": mode, **options}, ids, given)
    for mode in ("sum", "mean", "max")
    for name, (options, ids, given) in {
        "rows": ({}, IDS.reshape(2, 3), {}),
        "offsets": ({}, IDS, {"offsets": OFFSETS}),
        "last offset, padding": (
            {"include_last_offset": True, "padding_idx": 1},
            IDS,
            {"offsets": np.array([0, 4, 6])},
        ),
    }.items()
}
BAGS["sum, weights"] = ({"mode": "sum"}, IDS.reshape(3, 2), {"per_sample_weights": wave(3, 2)})

PADDED, IN_A_ROW = np.array([[1, 2, 1], [2, 2, 0], [1, 3, 0]]), np.array([1, 2, 1, 2, 2, 1])
# options of the loss, targets, input_lengths, target_lengths
LOSSES: dict[str, tuple[dict, np.ndarray, Any, Any]] = {
    "mean": ({}, PADDED, (6, 5, 3), (3, 2, 2)),
    "in a row": ({"reduction": "sum"}, IN_A_ROW, np.array([6, 6, 4]), np.array([3, 2, 1])),
    "none, blank last": ({"reduction": "none", "blank": 3}, np.array([[0, 0], [1, 0], [2, 0]]), (6, 6, 6), (2, 0, 1)),
    "no path": ({"reduction": "none", "zero_infinity": True}, PADDED, (6, 2, 3), (3, 2, 2)),
}


def bags(lib: Any) -> dict[str, Any]:
    found = {}
    for name, (options, ids, given) in BAGS.items():
        module = fill(lib, lib.nn.EmbeddingBag(4, 3, **options))
        found[name] = answer(module, inputs(lib, [ids]), **with_tensors(lib, given))
        if "per_sample_weights" in given:
            (weights,) = inputs(lib, [given["per_sample_weights"]])
            module(lib.from_numpy(ids), per_sample_weights=weights).sum().backward()
            found["by the weights of samples"] = listed(weights.grad)
    return found


def ctc(lib: Any) -> dict[str, Any]:
    """Losses, and their gradients by what log_softmax is taken of."""
    found = {}
    for name, (options, targets, steps, lengths) in LOSSES.items():
        (x,) = inputs(lib, [wave(6, 3, 4)])
        given = [lib.from_numpy(v) if isinstance(v, np.ndarray) else v for v in (targets, steps, lengths)]
        loss = lib.nn.CTCLoss(**options)(x.log_softmax(2), *given)
        loss.sum().backward()
        found[name] = [listed(loss), listed(x.grad)]
    (x,) = inputs(lib, [wave(5, 4)])
    loss = lib.nn.functional.ctc_loss(x.log_softmax(1), lib.tensor([2, 1]), lib.tensor(5), lib.tensor(2))
    loss.backward()
    found["no batch"] = [listed(loss), listed(x.grad)]
    return found


def initial(lib: Any) -> list[Any]:
    found = []
    for options in ({}, {"mode": "sum", "padding_idx": -2}):
        lib.manual_seed(0)
        module = lib.nn.EmbeddingBag(5, 3, **options)
        found.append([repr(module), module.weight.tolist()])
    return [*found, repr(lib.nn.CTCLoss(blank=2))]


def errors(lib: Any) -> dict[str, list[str]]:
    x, F = lib.zeros(4, 2, 3), lib.nn.functional
    table, two = lib.zeros(3, 2), lib.tensor([[1, 2], [1, 1]])
    calls = {
        "steps": lambda: F.ctc_loss(x, two, [5, 4], [2, 2]),
        "labels": lambda: F.ctc_loss(x, two, [4, 4], [3, 2]),
        "sum of lengths": lambda: F.ctc_loss(x, lib.tensor([1, 2, 1]), [4, 4], [2, 2]),
        "blank": lambda: F.ctc_loss(x, two, [4, 4], [2, 2], blank=3),
        "batch": lambda: F.ctc_loss(x, two, [4], [2, 2]),
        "integers": lambda: F.ctc_loss(x.long(), two, [4, 4], [2, 2]),
        "offsets": lambda: F.embedding_bag(lib.tensor([0, 1]), table),
        "rows and offsets": lambda: F.embedding_bag(two, table, lib.tensor([0])),
        "dims": lambda: F.embedding_bag(lib.tensor(0), table),
        "mode": lambda: F.embedding_bag(two, table, mode="min"),
        "weights": lambda: F.embedding_bag(two, table, per_sample_weights=lib.zeros(2)),
        "weights of a mean": lambda: F.embedding_bag(two, table, per_sample_weights=lib.zeros(2, 2)),
        "table": lambda: F.embedding_bag(two, lib.zeros(3)),
        "first offset": lambda: F.embedding_bag(lib.tensor([0, 1]), table, lib.tensor([1])),
    }
    found = {}
    for name, call in calls.items():
        try:
            call()
        except (ValueError, RuntimeError) as error:
            found[name] = [type(error).__name__, str(error)]
    return found
