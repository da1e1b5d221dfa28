"""How losses come together: the argument `reduction`, and its older forms `size_average` and `reduce`."""

import warnings
from typing import Any

from minigrad.grad_names import named
from minigrad.tensor import Tensor


def reduction_of(reduction: str, size_average: Any, reduce: Any, *more: str, stacklevel: int = 4) -> str:
    """The reduction that was meant: none, mean, sum or one of `more`. The two older arguments win, with a warning, by
    default at the line that called a loss under `full_precision`.
    """
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


def reduced(loss: Tensor, reduction: str, name: str | None = None) -> Tensor:
    """The losses themselves, their mean, or their sum; printed as the result of one function, if that has a `name`."""
    if reduction != "none":
        loss = loss.mean() if reduction == "mean" else loss.sum()
    return loss if name is None else named(loss, name)


def warn_of_broadcast(input: Tensor, target: Tensor, stacklevel: int) -> None:
    """(N,) against (N, 1) broadcasts to (N, N): never what was wanted, and silent."""
    if input.array.shape != target.array.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=stacklevel,
        )
