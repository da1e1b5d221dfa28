"""Cross-validation and accuracy on worse inputs, on problems small enough to know the answer."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import metrics, nn
from minigrad.metrics import cross_validate, robustness


def blobs(n: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % classes
    return (4.0 * np.eye(classes)[y] + 0.5 * rng.standard_normal((n, classes))).astype(np.float32), y


class Remembers(nn.Module):
    """Answers right for the samples it has been trained on, and class 0 for all others."""

    def __init__(self):
        super().__init__()
        self.seen: dict[float, int] = {}

    def forward(self, x):
        return mg.tensor([self.seen.get(round(v, 4), 0) for v in x[:, 0].tolist()])


def remember(model: Remembers, part) -> None:
    model.seen = {round(x[0].item(), 4): int(y) for x, y in part}


def test_each_sample_is_tested_once_by_a_model_that_has_not_seen_it() -> None:
    x, y = blobs(31)
    sizes, tested = [], []

    def train(model, part):
        sizes.append(len(part))
        remember(model, part)

    class Watching(metrics.Accuracy):
        def _update(self, predictions, targets):
            tested.append(len(targets))
            super()._update(predictions, targets)

    result = cross_validate(Remembers, (x, y), 4, train=train, metric=Watching, batch_size=100)
    assert sizes == [23, 23, 23, 24] and sum(tested) == 31
    assert all(0.2 < score < 0.5 for score in result.scores)  # class 0 alone is right: nothing was remembered
    assert result.mean == pytest.approx(np.mean(result.scores)) and result.std == pytest.approx(
        np.std(result.scores, ddof=1)
    )


def test_the_classes_are_dealt_evenly_and_the_seed_decides() -> None:
    x, y = blobs(30)
    counts = []
    for _ in range(2):
        cross_validate(
            Remembers, mg.data.TensorDataset(mg.tensor(x), mg.tensor(y)), 5, generator=mg.Generator().manual_seed(1),
            train=lambda model, part: counts.append([int(s[0][0].item() * 1e4) for s in part]),
        )  # fmt: skip
    assert counts[:5] == counts[5:] and counts[0] != counts[1]
    labels = {int(v * 1e4): c for v, c in zip(x[:, 0].astype(float), y, strict=True)}
    assert [np.bincount([labels[v] for v in part]).tolist() for part in counts[:5]] == [[8, 8, 8]] * 5


def test_the_loop_that_comes_with_it_learns() -> None:
    mg.manual_seed(0)
    result = cross_validate(lambda: nn.Linear(3, 3), blobs(150), 3)
    assert len(result.scores) == 3 and result.mean > 0.9


def test_cross_validate_refuses() -> None:
    x, y = blobs(10)
    for k in (1, 11, 2.5):
        with pytest.raises(ValueError, match="k has to be an integer from 2 to the number of samples 10"):
            cross_validate(Remembers, (x, y), k)
    with pytest.raises(ValueError, match="class 7 has no sample outside fold"):
        cross_validate(Remembers, (x, np.where(np.arange(10) == 3, 7, y)), 2, train=remember)
    with pytest.raises(ValueError, match="there are 10 inputs and 9 targets"):
        cross_validate(Remembers, (x, y[:9]), 2)
    with pytest.raises(TypeError, match="expected a dataset of"):
        cross_validate(Remembers, x, 2)
    with pytest.raises(ValueError, match="stratified folds need integer targets"):
        cross_validate(Remembers, (x, x), 2, stratified=True)


class Bright(nn.Module):
    """Class 1 where the mean of an image exceeds 1/2; with dropout, to see the mode."""

    def __init__(self):
        super().__init__()
        self.scale, self.dropout = nn.Parameter(mg.tensor(10.0)), nn.Dropout(0.99)

    def forward(self, x):
        mean = self.dropout(x).mean(dim=(1, 2, 3))
        return mg.stack([0.5 - mean, mean - 0.5], dim=1) * self.scale


def test_robustness_of_an_image_model() -> None:
    mg.manual_seed(0)
    x = mg.full((40, 1, 6, 6), 0.52)
    x[::2] = 0.48  # a gradient-sign step of 0.03 carries each across the border; noise averages out; blur does nothing
    y = (x.mean(dim=(1, 2, 3)) > 0.5).long()
    model = Bright()
    result = robustness(model, (x, y), noise=0.01, epsilon=0.03, batch_size=16)
    assert list(result) == ["clean", "noise", "blur", "gradient_sign"]
    assert result == {"clean": 1.0, "noise": 1.0, "blur": 1.0, "gradient_sign": 0.0}
    assert robustness(model, (x, y), epsilon=0.01)["gradient_sign"] == 1.0
    assert robustness(model, (x, y), noise=5.0)["noise"] < 1.0
    assert model.training and model.dropout.training and model.scale.grad is None


def test_blur_is_a_gaussian_mean() -> None:
    from scipy.ndimage import gaussian_filter

    from minigrad.metrics.robustness import _blurred

    x = np.random.default_rng(0).random((2, 3, 9, 8))
    expected = gaussian_filter(x, (0, 0, 1.0, 1.0), mode="nearest", radius=3)
    assert np.allclose(_blurred(mg.tensor(x), 1.0).numpy(), expected, atol=1e-12)


class Reads(nn.Module):
    def forward(self, tokens):
        found = (tokens == 3).any(dim=1)
        return mg.stack([~found, found], dim=1).float()


def test_robustness_of_a_text_model() -> None:
    mg.manual_seed(0)
    tokens = mg.ones(200, 4, dtype=mg.int64)
    tokens[::2, 2] = 3
    y = (tokens == 3).any(dim=1).long()
    loader = mg.data.DataLoader(mg.data.TensorDataset(tokens, y), batch_size=50)
    result = robustness(Reads(), loader, word_dropout=0.25)
    assert list(result) == ["clean", "word_dropout"] and result["clean"] == 1.0
    assert abs(result["word_dropout"] - 0.875) < 0.06  # half the rows lose their word with probability 1/4
    assert robustness(Reads(), loader, word_dropout=1.0)["word_dropout"] == 0.5


def test_robustness_refuses() -> None:
    x, y = mg.randn(4, 1, 3, 3) * 3, mg.zeros(4, dtype=mg.int64)
    with pytest.raises(ValueError, match=r"outside value_range \(0.0, 1.0\): give their range, or value_range=None"):
        robustness(Bright(), (x, y))
    assert robustness(Bright(), (x, y), value_range=None).keys() == {"clean", "noise", "blur", "gradient_sign"}
    with pytest.raises(ValueError, match="the data are empty"):
        robustness(Bright(), (x[:0], y[:0]))
