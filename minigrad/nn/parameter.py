"""Parameter: the kind of Tensor that a Module counts among its weights."""

from typing import Any

from minigrad import inplace
from minigrad.tensor import Tensor


class Parameter(Tensor):
    """A Tensor that, assigned to an attribute of a Module, is trained, moved and saved with it.

    `Parameter(data, requires_grad=True)` is a leaf on the memory of `data`, whatever graph `data` came from. Results of
    ops on it are plain Tensors; copies and pickles of it are Parameters again. Raises TypeError for data that is no
    Tensor and RuntimeError for a dtype that can have no gradient (unless `requires_grad=False`).
    """

    __slots__ = ()

    def __init__(self, data: Any = None, requires_grad: bool = True):
        if data is None:
            super().__init__()
        elif isinstance(data, Tensor):
            self.array, self.node, self.version, self.base = data.array, None, None, None
            inplace.alias(data, self)  # writes to either are counted for both
        else:
            raise TypeError(
                f"Parameter takes a Tensor, got {type(data).__name__}: write Parameter(minigrad.tensor(...))"
            )
        if requires_grad:
            self.requires_grad_()
