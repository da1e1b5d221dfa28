"""Parts of a data set that share no row: stratified splits, folds, and the search for rows that are in two parts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minigrad.generator import Generator

__all__ = ["kfold", "shared_rows", "stratified_split", "unique_rows"]


def stratified_split(labels: Any, fractions: Sequence[float], seed: int = 0) -> list[np.ndarray]:
    """Indices of disjoint parts, int64, one array a fraction, in each of which every class has its share.

    A class of n rows gives part k floor(n * f_k) or one more; what rounding leaves over goes to the parts that have
    got least so far, so the parts keep their sizes too. No part is left without a class: one that would get no row of
    it gets one. Where the fractions sum to 1 each row is in exactly one part; where they sum to less, the rest is in
    none. The order within a part is random. The same seed gives the same parts, on any machine.

    Copies of a row may fall into different parts: leave them out first (`unique_rows`).

    `labels` are N integers or strings: a list, an array or a Tensor. Raises ValueError for fractions that are not
    positive or sum to more than 1, and for a class with fewer rows than there are parts.
    """
    shares = [float(fraction) for fraction in fractions]
    total = math.fsum(shares)
    if not shares or not all(share > 0 for share in shares):
        raise ValueError(f"fractions must be positive numbers, one a part, got {list(fractions)}")
    if total > 1 and not math.isclose(total, 1):
        raise ValueError(f"fractions must sum to 1 or less, got {list(fractions)}, which sum to {total:g}")
    rest = 0.0 if math.isclose(total, 1) else 1 - total
    order, part = _assigned(labels, np.array([*shares, rest]), len(shares), seed)
    return [order[part[order] == k] for k in range(len(shares))]


def kfold(n_or_labels: Any, k: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """k pairs (training indices, validation indices), int64: each row is for validation in exactly one of them.

    A number N stands for N rows; labels make each class fall into all folds in its share, as in `stratified_split`.

    Raises ValueError for k below 2, and for fewer rows, or fewer rows of a class, than k.
    """
    if k < 2:
        raise ValueError(f"k must be 2 or more, to have something to train on and something to validate on; got {k}")
    if isinstance(n_or_labels, int | np.integer):
        if n_or_labels < k:
            raise ValueError(f"{n_or_labels} rows are too few for {k} folds")
        n_or_labels = np.zeros(n_or_labels, np.int64)
    order, part = _assigned(n_or_labels, np.full(k, 1 / k), k, seed)
    return [(order[part[order] != fold], order[part[order] == fold]) for fold in range(k)]


def _assigned(labels: Any, shares: np.ndarray, needy: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random order of the rows, and the part of each row. The first `needy` parts must get all classes."""
    values = np.asarray(labels.tolist() if hasattr(labels, "tolist") else list(labels))
    if values.ndim != 1 or not values.size:
        raise ValueError(f"labels must be one class for each row, got an array of shape {values.shape}")
    names, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    if counts.min() < needy:
        name, count = names[counts.argmin()].item(), int(counts.min())
        raise ValueError(
            f"class {name!r} has {count} row{'s' * (count != 1)}, too few for {needy} parts; ask for fewer parts, or "
            "leave the class out"
        )
    order = Generator().manual_seed(seed).randperm(len(values))
    by_class = order[np.argsort(codes[order], kind="stable")]
    part = np.empty(len(values), np.int64)
    owed = np.zeros(len(shares))  # rows that each part has got too few of, over the classes so far
    for rows in np.split(by_class, np.cumsum(counts)[:-1]):
        part[rows] = np.repeat(np.arange(len(shares)), _sizes(len(rows), shares, needy, owed))
    return order, part


def _sizes(n: int, shares: np.ndarray, needy: int, owed: np.ndarray) -> np.ndarray:
    """How many of the n rows of a class each part gets; keeps the account `owed` up to date."""
    exact = n * shares
    sizes = np.floor(exact + 1e-9).astype(np.int64)  # 0.3 * 10 is 3, whatever the last bit says
    owed += exact - sizes
    left_over = int(n - sizes.sum())
    open_to_more = np.flatnonzero(exact - sizes > 1e-9)
    chosen = open_to_more[np.argsort(-owed[open_to_more], kind="stable")[:left_over]]
    sizes[chosen] += 1
    owed[chosen] -= 1
    for empty in np.flatnonzero(sizes[:needy] == 0):
        giver = np.argmax(sizes + 0.5 * (np.arange(len(sizes)) >= needy))  # of equal ones the rest, which may end empty
        sizes[[empty, giver]] += (1, -1)
        owed[[empty, giver]] += (-1, 1)
    return sizes


def shared_rows(*splits: Iterable[Any]) -> dict[Any, tuple[int, ...]]:
    """The rows that are in two splits or more: {row: positions of those splits among the arguments}.

    A split is a list of texts, a list of tuples of texts, or a data set with `texts`. Rows are compared, and given,
    with runs of white space made one blank and none at the ends. An empty dict means that no row is in two splits.

        >>> shared_rows(["a b", "c"], ["d"], ["a  b\\n", "e"])
        {'a b': (0, 2)}
    """
    places: dict[Any, list[int]] = {}
    for position, split in enumerate(splits):
        for row in {_normal(row): None for row in getattr(split, "texts", split)}:
            places.setdefault(row, []).append(position)
    return {row: tuple(found) for row, found in places.items() if len(found) > 1}


def unique_rows(rows: Iterable[Any], *others: Iterable[Any]) -> np.ndarray:
    """Indices of the rows without copies, int64: of equal ones the first, and none that is in one of the `others`.

    Rows are compared as in `shared_rows`.
    """
    seen = {_normal(row) for other in others for row in getattr(other, "texts", other)}
    kept = []
    for index, row in enumerate(getattr(rows, "texts", rows)):
        row = _normal(row)
        if row not in seen:
            seen.add(row)
            kept.append(index)
    return np.array(kept, np.int64)


def rows_apart(rows: Sequence[Any], *others: Iterable[Any]) -> np.ndarray:
    """Indices of the rows that are in none of the `others`, int64; copies among them stay."""
    seen = {_normal(row) for other in others for row in other}
    return np.array([index for index, row in enumerate(rows) if _normal(row) not in seen], np.int64)


def _normal(row: Any) -> Any:
    if isinstance(row, tuple):
        return tuple(_normal(field) for field in row)
    return " ".join(row.split()) if isinstance(row, str) else row
