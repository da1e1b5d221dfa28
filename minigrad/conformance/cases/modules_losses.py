"""Losses as modules."""

from minigrad.conformance.cases.modules import case, layers
from minigrad.conformance.exercises import numbers, outcomes, weighted

INSIDE = (0.02, 0.98)

for _name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"):
    layers(
        _name,
        (lambda nn, name=_name: getattr(nn, name)(), (2, 3), (2, 3)),
        (lambda nn, name=_name: getattr(nn, name)(reduction="sum"), (2,), [0.5, 1.5]),
        (lambda nn, name=_name: getattr(nn, name)(reduction="none"), (2, 2), (2, 2)),
        wrong=[[(2, 3), (4,)], [(2, 3)]],
    )
layers(
    "CrossEntropyLoss",
    (lambda nn: nn.CrossEntropyLoss(), (2, 3), [2, 0]),
    (lambda nn: nn.CrossEntropyLoss(reduction="sum", ignore_index=1, label_smoothing=0.1), (3, 3), [2, 1, 0]),
    (lambda nn: nn.CrossEntropyLoss(reduction="none"), (1, 3, 2), [[1, -100]]),
    (lambda nn: nn.CrossEntropyLoss(), (3,), 1),
    wrong=[[(2, 3), [0, 3]], [(2, 3), [0]], [(2, 3), [0.0, 1.0]], [(2, 3), [-1, 0]]],
    refused=[lambda nn: nn.CrossEntropyLoss(label_smoothing=0.1, reduce=3, ignore="x")],
)
layers(
    "NLLLoss",
    (lambda nn: nn.NLLLoss(), (2, 3), [2, 0]),
    (lambda nn: nn.NLLLoss(reduction="sum", ignore_index=1), (3, 3), [2, 1, 0]),
    (lambda nn: nn.NLLLoss(reduction="none"), (1, 3, 2), [[1, 0]]),
    wrong=[[(2, 3), [0, 3]], [(2, 3), [0]], [(2, 3), (2,)]],
)
layers(
    "BCELoss",
    (lambda nn: nn.BCELoss(), (2, 3), [[0.0, 1.0, 0.5], [1.0, 1.0, 0.0]]),
    (lambda nn: nn.BCELoss(reduction="none"), [0.5, 0.25], [0.0, 1.0]),
    span=INSIDE,
    wrong=[[[1.5], [1.0]], [(2,), (3,)], [(2,), [0, 1]]],
)
layers(
    "BCEWithLogitsLoss",
    (lambda nn: nn.BCEWithLogitsLoss(), (2, 3), [[0.0, 1.0, 0.5], [1.0, 1.0, 0.0]]),
    (lambda nn: nn.BCEWithLogitsLoss(reduction="none"), [-90.0, 90.0], [0.0, 0.0]),
    wrong=[[(2,), (3,)]],
)
layers(
    "KLDivLoss",
    (lambda nn: nn.KLDivLoss(reduction="batchmean"), (2, 3), (2, 3)),
    (lambda nn: nn.KLDivLoss(log_target=True, reduction="sum"), (2, 3), (2, 3)),
    (lambda nn: nn.KLDivLoss(), (2, 2), (2, 2)),
    span=INSIDE,
    wrong=[[(2, 3), (2, 2)]],
)
layers(
    "PoissonNLLLoss",
    (lambda nn: nn.PoissonNLLLoss(), (2, 3), [[0.0, 1.0, 5.0], [2.0, 1.0, 0.0]]),
    (lambda nn: nn.PoissonNLLLoss(log_input=False, full=True, reduction="none"), [0.5, 3.0], [3.0, 1.0]),
)
layers(
    "GaussianNLLLoss",
    (lambda nn: nn.GaussianNLLLoss(), (2, 3), (2, 3), [[0.5, 1.0, 2.0], [1.0, 0.0, 3.0]]),
    (lambda nn: nn.GaussianNLLLoss(full=True, reduction="sum"), (2, 2), (2, 2), [0.5, 2.0]),
    wrong=[[(2,), (2,), [-1.0, 1.0]], [(2, 3), (2, 3), (3, 3)]],
)
layers(
    "CosineSimilarity",
    (lambda nn: nn.CosineSimilarity(), (2, 3), (2, 3)),
    (lambda nn: nn.CosineSimilarity(dim=0, eps=0.1), (2, 2), (2, 1)),
    wrong=[[(2, 3), (2, 2)], [(2,), (2,)]],
)
layers(
    "CosineEmbeddingLoss",
    (lambda nn: nn.CosineEmbeddingLoss(), (2, 3), (2, 3), [1, -1]),
    (lambda nn: nn.CosineEmbeddingLoss(margin=0.2, reduction="none"), (2, 2), (2, 2), [-1, 1]),
    wrong=[[(2, 3), (2, 3), [[1, -1]]], [(2, 3), (2, 2), [1, -1]]],
)
layers(
    "TripletMarginLoss",
    (lambda nn: nn.TripletMarginLoss(), (2, 3), (2, 3), (2, 3)),
    (lambda nn: nn.TripletMarginLoss(margin=0.5, p=1, swap=True, reduction="sum"), (2, 2), (2, 2), (2, 2)),
    wrong=[[(2, 3), (2, 3), (3,)]],
    refused=[lambda nn: nn.TripletMarginLoss(margin=-1.0)],
)
layers(
    "MarginRankingLoss",
    (lambda nn: nn.MarginRankingLoss(), (3,), (3,), [1, -1, 1]),
    (lambda nn: nn.MarginRankingLoss(margin=0.5, reduction="none"), (2,), (2,), [1, -1]),
    wrong=[[(3,), (3,), [[1, 1, 1]]]],
)
layers(
    "HingeEmbeddingLoss",
    (lambda nn: nn.HingeEmbeddingLoss(), (2, 2), [[1, -1], [-1, 1]]),
    (lambda nn: nn.HingeEmbeddingLoss(margin=0.5, reduction="sum"), (3,), [1, -1, -1]),
    wrong=[[(2,), [1, -1, 1]]],
)


@case("CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss")
def losses_with_weights(torch):
    nn, x = torch.nn, numbers(torch, 3, 2, dtype=torch.float64).requires_grad_()
    weight, labels = torch.tensor([1.0, 3.0], dtype=torch.float64), torch.tensor([0, 1, 1])
    target = numbers(torch, 3, 2, low=0, high=1, dtype=torch.float64)
    losses = [
        nn.CrossEntropyLoss(weight)(x, labels),
        nn.CrossEntropyLoss(weight, label_smoothing=0.2)(x, labels),
        nn.CrossEntropyLoss(weight)(x, target),
        nn.NLLLoss(weight=weight)(x.log_softmax(1), labels),
        nn.BCELoss(weight)(x.sigmoid(), target),
        nn.BCEWithLogitsLoss(pos_weight=weight)(x, target),
    ]
    weighted(torch, losses).backward()
    return {
        "value": losses,
        "gradient": x.grad,
        "repr": [repr(nn.CrossEntropyLoss(weight)), list(nn.CrossEntropyLoss(weight).state_dict())],
        "errors": outcomes(
            lambda: nn.CrossEntropyLoss(weight[:1])(x, labels),
            lambda: nn.BCELoss(torch.ones(5, dtype=torch.float64))(x.sigmoid(), target),
            lambda: nn.MSELoss(reduction="no")(x, target),
        ),
    }


@case("CTCLoss")
def ctc(torch):
    scores = numbers(torch, 4, 2, 3, dtype=torch.float64).requires_grad_()  # (steps, batch, classes)
    labels, steps, lengths = torch.tensor([[1, 2], [2, 1]]), torch.tensor([4, 3]), torch.tensor([2, 1])
    loss, total = torch.nn.CTCLoss(), torch.nn.CTCLoss(blank=2, reduction="sum", zero_infinity=True)
    value = loss(scores.log_softmax(2), labels, steps, lengths)
    value.backward()
    logs = scores.detach().log_softmax(2)
    return {
        "value": [value, scores.grad, torch.nn.CTCLoss(reduction="none")(logs, labels, steps, lengths)],
        "packed": total(logs, torch.tensor([1, 0, 1]), (4, 4), (2, 1)),
        "too long": [loss(logs[:1], labels, (1, 1), (2, 2)), total(logs[:1], labels - 1, (1, 1), (2, 2))],
        "repr": repr(total),
        "errors": outcomes(
            lambda: loss(logs, labels, steps),
            lambda: loss(logs, labels, (5, 4), (2, 1)),
            lambda: loss(logs, labels, (4,), (2, 1)),
            lambda: torch.nn.CTCLoss(blank=3)(logs, labels, steps, lengths),
        ),
    }
