"""Embedding: a table of vectors, looked up by index; EmbeddingBag: sums, means or maxima of what was looked up."""

from typing import Any

from minigrad import autograd, creation
from minigrad.nn import functional as F, init
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor


class Embedding(Module):
    """Row i of the weight (num_embeddings, embedding_dim) for every index i: (...) integers -> (..., embedding_dim).

    The weight starts normal with mean 0 and variance 1. The row `padding_idx` starts as zeros and gets no gradient.
    With `max_norm` forward first scales rows that it looks up, of a larger `norm_type`-norm, down to that norm,
    in the weight itself. Raises IndexError for an index outside the table. `scale_grad_by_freq` and `sparse` are
    refused with NotImplementedError.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False, _weight: Tensor | None = None,
        _freeze: bool = False, device: Any = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__()
        refused = {"scale_grad_by_freq": scale_grad_by_freq, "sparse": sparse}
        if any(refused.values()):
            names = ", ".join(name for name, given in refused.items() if given)
            raise NotImplementedError(f"Embedding does not support {names}; leave it at its default")
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise AssertionError(
                    f"Padding_idx must be within num_embeddings, got {padding_idx} for {num_embeddings} embeddings"
                )
            padding_idx %= num_embeddings
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.max_norm, self.norm_type = max_norm, norm_type
        if _weight is None:
            empty = creation.empty((num_embeddings, embedding_dim), device=device, dtype=dtype)
            self.weight = Parameter(empty, requires_grad=not _freeze)
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                raise AssertionError(
                    f"Shape of weight {tuple(_weight.shape)} does not match num_embeddings and embedding_dim, "
                    f"{(num_embeddings, embedding_dim)}"
                )
            self.weight = Parameter(_weight, requires_grad=not _freeze)

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
    ) -> "Embedding":  # fmt: skip
        """An Embedding on a given table (rows, columns); with `freeze` it is not trained."""
        if embeddings.ndim != 2:
            raise AssertionError(
                f"Embeddings parameter is expected to be 2-dimensional, got shape {tuple(embeddings.shape)}"
            )
        rows, columns = embeddings.shape
        return cls(
            rows,
            columns,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight=embeddings,
            _freeze=freeze,
        )

    def reset_parameters(self) -> None:
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with autograd.no_grad():
                self.weight[self.padding_idx] = 0

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type)

    def extra_repr(self) -> str:
        changed = _changed(self, padding_idx=None, max_norm=None, norm_type=2)
        return f"{self.num_embeddings}, {self.embedding_dim}{changed}"


def _changed(module: Module, **ordinary: Any) -> str:
    """The attributes that are not as usual, as `extra_repr` has them."""
    return "".join(
        f", {name}={getattr(module, name)}" for name, usual in ordinary.items() if getattr(module, name) != usual
    )


class EmbeddingBag(Module):
    """The sum, mean or max (`mode`) of the rows of the weight (num_embeddings, embedding_dim) that each bag names.

    The weight starts normal with mean 0 and variance 1, its row `padding_idx`, which counts for nothing, as zeros.
    `max_norm` is as in Embedding; `scale_grad_by_freq` and `sparse` are refused with NotImplementedError.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, _weight: Tensor | None = None,
        include_last_offset: bool = False, padding_idx: int | None = None, device: Any = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__()
        table = Embedding(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse,
            _weight=_weight, device=device, dtype=dtype,
        )  # fmt: skip
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, table.padding_idx
        self.mode, self.include_last_offset = mode, include_last_offset
        self.max_norm, self.norm_type = max_norm, norm_type
        self.weight = table.weight

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, max_norm: float | None = None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> "EmbeddingBag":  # fmt: skip
        """An EmbeddingBag on a given table (rows, columns); with `freeze` it is not trained."""
        if embeddings.ndim != 2:
            raise AssertionError(
                f"Embeddings parameter is expected to be 2-dimensional, got shape {tuple(embeddings.shape)}"
            )
        rows, columns = embeddings.shape
        made = cls(
            rows, columns, max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings, include_last_offset,
            padding_idx,
        )  # fmt: skip
        made.weight.requires_grad_(not freeze)
        return made

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        """input (B, n), or (N,) with offsets (B,) -> (B, embedding_dim); see `nn.functional.embedding_bag`."""
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, mode=self.mode,
            per_sample_weights=per_sample_weights, include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}{_changed(self, max_norm=None, norm_type=2)}" + (
            f", mode={self.mode!r}{_changed(self, padding_idx=None)}"
        )
