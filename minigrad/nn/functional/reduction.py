"""How losses come together: the argument `reduction`, and its older forms `size_average` and `reduce`."""

import warnings
from typing import Any

from minigrad.tensor import Tensor


def reduction_of(reduction: str, size_average: Any, reduce: Any, *more: str, stacklevel: int = 3) -> str:
    """The reduction that was meant: none, mean, sum or one of `more`. The two older arguments win, with a warning."""
    if size_average is not None or reduce is not None:
        averaged = "sum" if size_average is False else "mean"
        reduction = "none" if reduce is False else averaged
        warnings.warn(
            f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
            stacklevel=stacklevel,
        )
    if reduction not in ("none", "mean", "sum", *more):
        raise ValueError(f"{reduction} is not a valid value for reduction: {', '.join(('none', 'mean', 'sum', *more))}")
    return reduction


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The losses themselves, their mean, or their sum."""
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def warn_of_broadcast(input: Tensor, target: Tensor, stacklevel: int) -> None:
    """(N,) against (N, 1) broadcasts to (N, N): never what was wanted, and silent."""
    if input.array.shape != target.array.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=stacklevel,
        )
