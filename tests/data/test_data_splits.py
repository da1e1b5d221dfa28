"""Stratified splits and folds, and the search for rows that are in two splits."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

import minigrad as mg
from minigrad.data import kfold, shared_rows, stratified_split, unique_rows

# Stratified splits


def _counts(labels, parts):
    return [np.bincount(np.asarray(labels)[part], minlength=max(labels) + 1).tolist() for part in parts]


@given(
    counts=st.lists(st.integers(4, 60), min_size=1, max_size=6),
    weights=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
)
def test_each_row_is_in_one_part_and_each_class_in_all(counts, weights, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    fractions = np.array(weights) / sum(weights)
    parts = stratified_split(labels, fractions, seed)
    assert all(part.dtype == np.int64 for part in parts)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    for got, fraction in zip(_counts(labels, parts), fractions, strict=True):
        for found, n in zip(got, counts, strict=True):
            assert found >= 1
            assert n * fraction < 4 or abs(found - n * fraction) < 4  # one from rounding, 3 for parts left empty
    for again, part in zip(stratified_split(labels.tolist(), fractions, seed), parts, strict=True):
        np.testing.assert_array_equal(again, part)


def test_shares_are_exact_where_they_can_be():
    labels = [0] * 70 + [1] * 20 + [2] * 10
    parts = stratified_split(labels, (0.7, 0.2, 0.1), seed=3)
    assert _counts(labels, parts) == [[49, 14, 7], [14, 4, 2], [7, 2, 1]]


def test_what_rounding_leaves_over_is_shared_out():
    labels = [n // 5 for n in range(500)]  # each class has 2.5 rows for either half
    assert [len(part) for part in stratified_split(labels, (0.5, 0.5))] == [250, 250]


@given(
    counts=st.lists(st.integers(3, 9), min_size=1, max_size=8),
    fractions=st.lists(st.floats(0.01, 0.33), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
)
def test_no_class_is_missing_where_rows_are_left_out(counts, fractions, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    parts = stratified_split(labels, fractions, seed)
    assert min(min(got) for got in _counts(labels, parts)) >= 1
    assert len(set(np.concatenate(parts).tolist())) == sum(map(len, parts))


def test_fractions_may_leave_rows_out():
    labels = ["a", "b"] * 50
    parts = stratified_split(labels, (0.2, 0.1))
    assert [len(part) for part in parts] == [20, 10] and len(set(np.concatenate(parts).tolist())) == 30
    for part in parts:
        assert [labels[i] for i in part].count("a") == len(part) / 2


def test_a_small_class_is_in_every_part():
    labels = [0] * 97 + [1] * 3
    assert [counts[1] for counts in _counts(labels, stratified_split(labels, (0.9, 0.05, 0.05)))] == [1, 1, 1]


def test_the_seed_decides():
    labels = mg.tensor([0, 1] * 20)
    first, second = stratified_split(labels, (0.5, 0.5), 1)[0], stratified_split(labels, (0.5, 0.5), 2)[0]
    assert first.tolist() != second.tolist() and first.tolist() != sorted(first.tolist())
    mg.manual_seed(5)
    expected = mg.rand(1)
    mg.manual_seed(5)
    stratified_split(labels, (0.5, 0.5))
    assert mg.rand(1).equal(expected)  # the default generator was left alone


def test_the_parts_are_the_same_for_ever():
    assert [part.tolist() for part in stratified_split([0, 1, 0, 1, 0, 1], (0.5, 0.5), 0)] == [[2, 5, 0], [3, 1, 4]]


@pytest.mark.parametrize(
    ("labels", "fractions", "words"),
    [
        ([0, 1] * 9, (0.8, 0.3), r"sum to 1 or less, got \[0.8, 0.3\], which sum to 1.1"),
        ([0, 1] * 9, (1.2, -0.2), "must be positive"),
        ([0, 1] * 9, (1.0, 0.0), "must be positive"),
        ([0, 1] * 9, (float("nan"),), "must be positive"),
        ([0, 1] * 9, (), "one a part"),
        (["a", "a", "a", "b"], (0.5, 0.5), r"class 'b' has 1 row, too few for 2 parts"),
        ([7, 7, 3, 3, 3], (0.4, 0.3, 0.3), r"class 7 has 2 rows, too few for 3 parts"),
        ([], (0.5, 0.5), r"one class for each row, got an array of shape \(0,\)"),
        (np.zeros((2, 3)), (0.5, 0.5), r"shape \(2, 3\)"),
    ],
)
def test_splits_that_cannot_be(labels, fractions, words):
    with pytest.raises(ValueError, match=words):
        stratified_split(labels, fractions)


# Folds


@pytest.mark.parametrize("what", [11, [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1]])
def test_each_row_is_for_validation_once(what):
    folds = kfold(what, 3, seed=1)
    assert sorted(np.concatenate([val for _, val in folds]).tolist()) == list(range(11))
    for train, val in folds:
        assert sorted([*train, *val]) == list(range(11)) and len(val) in (3, 4)
        if isinstance(what, list):
            assert [what[i] for i in val].count(0) in (1, 2)


def test_folds_have_a_seed():
    assert [val.tolist() for _, val in kfold(8, 2, 0)] == [val.tolist() for _, val in kfold(8, 2, 0)]
    assert [val.tolist() for _, val in kfold(8, 2, 0)] != [val.tolist() for _, val in kfold(8, 2, 1)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((10, 1), "k must be 2 or more"),
        ((3, 4), "3 rows are too few for 4 folds"),
        (([0, 0, 0, 0, 1], 2), "class 1 has 1 row"),
    ],
)
def test_folds_that_cannot_be(arguments, words):
    with pytest.raises(ValueError, match=words):
        kfold(*arguments)


# Rows in two splits


def test_rows_in_two_splits_are_found_whatever_their_white_space():
    train, dev, test = ["a  b", "c", "a b", "e"], ["d"], [" a\tb\n", "e", "f"]
    assert shared_rows(train, dev, test) == {"a b": (0, 2), "e": (0, 2)}
    assert shared_rows(train, dev) == shared_rows(train) == {}
    assert shared_rows([("a", "b ")], [("b", "a"), ("a ", "b")]) == {("a", "b"): (0, 1)}
    assert shared_rows([1, 2], [2]) == {2: (0, 1)}


def test_rows_without_copies():
    rows = ["a", "b", " a", "c", "b"]
    assert unique_rows(rows).tolist() == [0, 1, 3]
    assert unique_rows(rows, ["b "], ["d"]).tolist() == [0, 3]
    assert unique_rows([]).tolist() == [] and unique_rows([]).dtype == np.int64


def test_copies_left_out_first_are_in_one_part():
    rows = [f"row {n // 4}" for n in range(40)]
    labels = [n // 4 % 2 for n in range(40)]
    assert shared_rows(*[[rows[i] for i in part] for part in stratified_split(labels, (0.5, 0.5))])
    kept = unique_rows(rows)
    parts = [kept[part] for part in stratified_split([labels[i] for i in kept], (0.5, 0.5))]
    assert not shared_rows(*[[rows[i] for i in part] for part in parts])
