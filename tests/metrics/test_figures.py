"""Metrics against scikit-learn, in one piece and in batches of uneven size; what is undefined says so."""

import itertools
import math

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as sk

import minigrad as mg
from minigrad import metrics
from minigrad.nn import functional as F

N, C = 200, 5
RNG = np.random.default_rng(3)
SCORES = RNG.standard_normal((N, C)).round(1)  # rounded: there are ties
LABELS = np.where(RNG.random(N) < 0.5, SCORES.argmax(1), RNG.integers(0, C, N))
BINARY = RNG.integers(0, 2, N)
CHANCE = np.clip(0.3 * BINARY + RNG.random(N), 0, 1).round(1)
X, Y = RNG.standard_normal((N, 2)), RNG.standard_normal((N, 2)) + 100.0


def figure(metric: metrics.Metric, predictions: np.ndarray, targets: np.ndarray):
    """The metric over batches, half of them as Tensors, split over two metrics that are merged."""
    cuts = [0, 3, 3, 50, 51, 120, len(targets)]
    parts = [(predictions[a:b], targets[a:b]) for a, b in itertools.pairwise(cuts)]
    whole = metric.update(predictions, targets).compute()
    metric.reset()
    with pytest.raises(ValueError, match=r"nothing to compute from: call update\(predictions, targets\) first"):
        metric.compute()
    other = type(metric)(**{name: getattr(metric, name) for name in metric.settings})
    for i, (p, t) in enumerate(parts):
        if i % 2:
            metric.update(mg.tensor(p), mg.tensor(t))
        else:
            other.update(p, t)
    merged = metric.merge(other).compute()
    assert np.allclose(merged, whole, rtol=1e-12)
    return merged


def test_accuracy_and_topk() -> None:
    assert figure(metrics.Accuracy(), SCORES, LABELS) == pytest.approx((SCORES.argmax(1) == LABELS).mean())
    assert figure(metrics.Accuracy(), SCORES.argmax(1), LABELS) == sk.accuracy_score(LABELS, SCORES.argmax(1))
    assert figure(metrics.Accuracy(), CHANCE, BINARY) == sk.accuracy_score(BINARY, CHANCE >= 0.5)
    assert figure(metrics.Accuracy(threshold=0.8), CHANCE, BINARY) == sk.accuracy_score(BINARY, CHANCE >= 0.8)
    distinct = SCORES + 1e-6 * RNG.random(SCORES.shape)  # scikit-learn gives ties to the higher class
    for k in (1, 2, 4):
        assert figure(metrics.TopK(k), distinct, LABELS) == sk.top_k_accuracy_score(LABELS, distinct, k=k)
    assert metrics.TopK(1).update(SCORES, LABELS).compute() == metrics.Accuracy().update(SCORES, LABELS).compute()
    assert metrics.TopK(2).update([[1.0, 1.0, 1.0]] * 3, [0, 1, 2]).compute() == pytest.approx(2 / 3)


def test_accuracy_of_maps_and_with_padding() -> None:
    scores = np.moveaxis(SCORES.reshape(10, 4, 5, C), -1, 1)  # (N, C, H, W)
    labels = LABELS.reshape(10, 4, 5)
    assert metrics.Accuracy().update(scores, labels).compute() == (SCORES.argmax(1) == LABELS).mean()
    padded = np.where(np.arange(N) < 20, -100, LABELS)
    expected = (SCORES.argmax(1) == LABELS)[20:].mean()
    assert figure(metrics.Accuracy(ignore_index=-100), SCORES, padded) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["Precision", "Recall", "F1"])
def test_figures_of_classes(kind: str) -> None:
    theirs = {"Precision": sk.precision_score, "Recall": sk.recall_score, "F1": sk.f1_score}[kind]
    ours, predicted = getattr(metrics, kind), SCORES.argmax(1)
    for average in ("micro", "macro", None):
        expected = theirs(LABELS, predicted, average=average)
        assert np.allclose(figure(ours(average), SCORES, LABELS), expected, rtol=1e-12)
    assert figure(ours(), CHANCE, BINARY) == pytest.approx(theirs(BINARY, CHANCE >= 0.5))
    # Classes that are never predicted, never true, or neither: numbers 1, 2 and 3 of 0 to 4.
    true, guess = np.array([0, 0, 1, 4, 4]), np.array([0, 2, 0, 4, 0])
    for undefined in (0.0, 1.0):
        metric = ours("macro", num_classes=5, undefined=undefined).update(guess, true)
        assert metric.compute() == pytest.approx(theirs(true, guess, average="macro", zero_division=undefined))
    assert len(ours(None, num_classes=5).update(guess, true).compute()) == 5
    with pytest.raises(ValueError, match="there is a class 4, but classes are 0 to 1"):
        ours().update(guess, true)
    with pytest.raises(ValueError, match='average is "binary", "micro", "macro" or None'):
        ours("weighted")


def test_confusion_matrix_and_its_picture(tmp_path) -> None:
    metric = metrics.ConfusionMatrix()
    assert np.array_equal(figure(metric, SCORES, LABELS), sk.confusion_matrix(LABELS, SCORES.argmax(1)))
    small = metrics.ConfusionMatrix().update([0, 1], [1, 1]).merge(metrics.ConfusionMatrix().update([3], [2]))
    assert np.array_equal(small.compute(), sk.confusion_matrix([1, 1, 2], [0, 1, 3], labels=range(4)))
    metric.picture(tmp_path / "confusion.png", classes="abcde")
    with Image.open(tmp_path / "confusion.png") as image:
        pixels = np.asarray(image.convert("L"))
    assert pixels.shape[0] > 300 and pixels.min() < 100 and pixels.max() == 255
    small.picture(tmp_path / "small.svg")
    assert "<svg" in (tmp_path / "small.svg").read_text()
    with pytest.raises(ValueError, match="3 names of classes were given for 5 classes"):
        metric.picture(tmp_path / "x.png", classes="abc")
    with pytest.raises(ValueError, match="nothing to compute from"):
        metrics.ConfusionMatrix().picture(tmp_path / "x.png")


def test_regression() -> None:
    assert figure(metrics.MSE(), X, Y) == pytest.approx(sk.mean_squared_error(Y, X), rel=1e-12)
    assert figure(metrics.MAE(), X, Y) == pytest.approx(sk.mean_absolute_error(Y, X), rel=1e-12)
    for p, y in ((X, Y), (X[:, 0] + 100, Y[:, 0]), (Y + 0.1 * X, Y)):
        assert figure(metrics.R2(), p, y) == pytest.approx(sk.r2_score(y, p), rel=1e-9)
    with pytest.raises(ValueError, match="R2 is undefined: the targets are all the same"):
        metrics.R2().update([1.0, 2.0, 3.0], [0.1, 0.1, 0.1]).compute()
    with pytest.raises(ValueError, match=r"targets have columns \(3,\) now, and had \(2,\) before"):
        metrics.R2().update(X, Y).update(np.ones((4, 3)), np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"predictions \(200, 1\) and targets \(200,\) must have the same shape"):
        metrics.MSE().update(X[:, :1], Y[:, 0])  # NumPy would broadcast it to (200, 200)


def test_ranking() -> None:
    for scores in (CHANCE, RNG.random(N), -CHANCE):
        assert figure(metrics.ROCAUC(), scores, BINARY) == pytest.approx(sk.roc_auc_score(BINARY, scores), rel=1e-12)
        expected = sk.average_precision_score(BINARY, scores)
        assert figure(metrics.PRAUC(), scores, BINARY) == pytest.approx(expected, rel=1e-12)
    assert metrics.ROCAUC().update(np.zeros(4), [0, 1, 0, 1]).compute() == 0.5  # all tied
    for order in ([0, 1, 1, 0], [1, 0, 0, 1]):
        assert metrics.PRAUC().update([0.5, 0.5, 0.2, 0.2], order).compute() == 0.5


@pytest.mark.parametrize("target", [0, 1])
def test_auc_of_one_class_is_undefined(target: int) -> None:
    message = "ROCAUC is undefined: the 3 targets are all of one class"
    with pytest.raises(ValueError, match=message):
        metrics.ROCAUC().update([0.1, 0.2, 0.3], [target] * 3).compute()
    pr = metrics.PRAUC().update([0.1, 0.2, 0.3], [target] * 3)
    if target:
        assert pr.compute() == 1.0
    else:
        with pytest.raises(ValueError, match="PRAUC is undefined: .* there are no positives"):
            pr.compute()


def test_perplexity() -> None:
    nll = F.cross_entropy(mg.tensor(SCORES), mg.tensor(LABELS)).item()
    assert figure(metrics.Perplexity(), SCORES, LABELS) == pytest.approx(math.exp(nll), rel=1e-9)
    log_p = F.log_softmax(mg.tensor(SCORES), dim=1)
    assert metrics.Perplexity().update(log_p, LABELS).compute() == pytest.approx(math.exp(nll), rel=1e-9)
    assert metrics.Perplexity().update(np.zeros((4, 7)), [0, 1, -100, 6]).compute() == pytest.approx(7)
    assert metrics.Perplexity().update([[0.0, -2000.0]], [1]).compute() == math.inf
    with pytest.raises(ValueError, match="nothing to compute"):
        metrics.Perplexity().update([[0.0, 1.0]], [-100]).compute()


@pytest.mark.parametrize(
    ("metric", "predictions", "targets", "error", "message"),
    [
        (metrics.Accuracy(), np.zeros((3, 2)), [0, 1], ValueError, r"scores \(3, 2\) and targets \(2,\) do not belong"),
        (metrics.Accuracy(), np.zeros((2, 5, 3)), np.zeros((2, 5), int), ValueError, "with the classes on axis 1"),
        (metrics.Accuracy(), np.zeros((2, 3)), [0, 3], ValueError, "a target is class 3, but there are scores for 3"),
        (metrics.Accuracy(), [0, 1], [0, -1], ValueError, "targets have to be class numbers 0, 1, ..., got -1"),
        (metrics.Accuracy(), [0.5, 1], [0, 2], ValueError, "scores of class 1 of two, but a target is class 2"),
        (metrics.Accuracy(), [0, 1], [0, 0.5], TypeError, "targets have to be class numbers 0, 1, ..., got fractions"),
        (metrics.Accuracy(), ["a"], ["b"], TypeError, "predictions have to be numbers, got dtype <U1"),
        (metrics.Accuracy(), [math.nan], [1], ValueError, "the predictions hold NaN"),
        (metrics.TopK(3), np.zeros((1, 2)), [0], ValueError, "there are scores for 2 classes only"),
        (metrics.ROCAUC(), [0.1, 0.2], [0, 2], ValueError, "targets have to be 0 or 1, got 2"),
        (metrics.ROCAUC(), [[0.1, 0.2]], [1], ValueError, "must have the same shape"),
        (metrics.Perplexity(), np.zeros((2, 0)), [0, 0], ValueError, "are of no class"),
    ],
)
def test_bad_input(metric, predictions, targets, error, message) -> None:
    with pytest.raises(error, match=message):
        metric.update(predictions, targets)


def test_merging_what_does_not_fit() -> None:
    with pytest.raises(TypeError, match="can be merged with another Accuracy, got MSE"):
        metrics.Accuracy().merge(metrics.MSE())
    with pytest.raises(ValueError, match="k is 1 and 2"):
        metrics.TopK(1).merge(metrics.TopK(2))
    with pytest.raises(ValueError, match="k must be an integer of at least 1, got 0"):
        metrics.TopK(0)
    with pytest.raises(ValueError, match="num_classes must be at least 2, got 1"):
        metrics.ConfusionMatrix(1)


def test_metrics_read_a_model_output_that_requires_grad() -> None:
    logits = mg.tensor(SCORES.astype(np.float32), requires_grad=True)
    assert metrics.Accuracy().update(logits, mg.tensor(LABELS)).compute() > 0.5
    assert metrics.Accuracy().update(logits.bfloat16(), mg.tensor(LABELS)).compute() > 0.5


def test_by_group() -> None:
    groups = np.array(["north", "south"])[(RNG.random(N) < 0.3).astype(int)]
    both, half = metrics.ByGroup(metrics.Accuracy), metrics.ByGroup(metrics.Accuracy)
    both.update(SCORES[:90], LABELS[:90], groups[:90])
    half.update(mg.tensor(SCORES[90:]), mg.tensor(LABELS[90:]), list(groups[90:]))
    result = both.merge(half).compute()
    right = SCORES.argmax(1) == LABELS
    expected = {name: right[groups == name].mean() for name in ("north", "south")}
    assert result.values == pytest.approx(expected)
    assert result.gap == pytest.approx(abs(expected["north"] - expected["south"]))
    assert result.values[result.highest] - result.values[result.lowest] == result.gap
    three = metrics.ByGroup(metrics.MAE).update([1.0, 5.0, 3.0], [0.0, 0.0, 0.0], [7, 8, 9]).compute()
    assert three == ({7: 1.0, 8: 5.0, 9: 3.0}, 4.0, 7, 8)


def test_by_group_refuses() -> None:
    with pytest.raises(ValueError, match="nothing to compute from"):
        metrics.ByGroup(metrics.Accuracy).compute()
    with pytest.raises(ValueError, match=r"group 'b': ROCAUC is undefined"):
        metrics.ByGroup(metrics.ROCAUC).update([0.1, 0.9, 0.5], [0, 1, 1], ["a", "a", "b"]).compute()
    with pytest.raises(ValueError, match=r"one group for each sample, got groups \(2,\) for predictions \(3,\)"):
        metrics.ByGroup(metrics.MSE).update([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], ["a", "b"])
    with pytest.raises(TypeError, match="a function that makes a metric"):
        metrics.ByGroup(list)
    with pytest.raises(TypeError, match="another ByGroup"):
        metrics.ByGroup(metrics.MSE).merge(metrics.MSE())
