"""Layers with weights in int8 or bfloat16, made from trained ones: see `minigrad.quantization`."""

from minigrad import creation, dtype as dtypes, ops
from minigrad.nn.embedding import Embedding
from minigrad.nn.linear import Linear
from minigrad.nn.module import Module
from minigrad.tensor import Tensor

DTYPES = {"int8": dtypes.int8, "bfloat16": dtypes.bfloat16}


def quantize_rows(weight: Tensor, dtype: str) -> tuple[Tensor, Tensor | None]:
    """(numbers, scale) of a weight (out, in): for int8 q = round(w / scale), scale = max |w| / 127 of each row; for
    bfloat16 the rounded weight and None.

    A row's error is at most scale / 2 an entry. Raises ValueError for another dtype, or where a weight is not finite.
    """
    if dtype not in DTYPES:
        raise ValueError(f"weights can be kept as {' or '.join(map(repr, DTYPES))}, got {dtype!r}")
    w = weight.detach().float()
    if not bool(w.isfinite().all()):
        raise ValueError(f"a weight of shape {tuple(w.shape)} holds nan or inf: it cannot be quantized")
    if dtype == "bfloat16":
        return w.to(dtypes.bfloat16), None
    scale = w.abs().amax(dim=1) / 127
    divisor = scale.where(scale > 0, 1.0)  # a row of zeros stays one
    return (w / divisor.unsqueeze(1)).round().to(dtypes.int8), scale


class _Quantized(Module):
    """What both layers keep: `weight` (int8 or bfloat16) and for int8 `scale`, as buffers."""

    weight: Tensor
    scale: Tensor | None

    def _keep(self, weight: Tensor, scale: Tensor | None) -> None:
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)

    @property
    def kept_as(self) -> str:
        return "bfloat16" if self.scale is None else "int8"

    def dequantized(self) -> Tensor:
        """The weight as float32."""
        return self.weight.float() if self.scale is None else self.weight.float() * self.scale.unsqueeze(1)


class QuantizedLinear(_Quantized):
    """y = x W^T + b with W in int8, one scale a row, or in bfloat16; x and y stay float32.

    Made by `QuantizedLinear.from_linear(layer)`. Gradients flow to x and b, not to W: the layer can be a frozen base.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, kept_as: str = "int8"):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self._keep(*quantize_rows(creation.zeros(out_features, in_features), kept_as))
        self.register_parameter("bias", None)
        if bias:
            self.register_buffer("bias", creation.zeros(out_features))

    @classmethod
    def from_linear(cls, layer: Linear, kept_as: str = "int8") -> "QuantizedLinear":
        """The layer with its weight rounded; the bias is taken over as it is."""
        return cls.around(*quantize_rows(layer.weight, kept_as), layer.bias)

    @classmethod
    def around(cls, weight: Tensor, scale: Tensor | None, bias: Tensor | None) -> "QuantizedLinear":
        """On numbers that are quantized already, such as those of a table that another layer shares."""
        made = cls.__new__(cls)
        Module.__init__(made)
        made.out_features, made.in_features = weight.shape
        made._keep(weight, scale)
        made.register_buffer("bias", None if bias is None else bias.detach())
        return made

    def forward(self, input: Tensor) -> Tensor:
        scale = self.scale
        scale = None if scale is None else scale.array
        return ops.quantized_linear(input, self.bias, weight=self.weight.array, scale=scale)

    def extra_repr(self) -> str:
        bias = self.bias is not None
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={bias}, kept_as={self.kept_as}"


class QuantizedEmbedding(_Quantized):
    """Row i of a table in int8 or bfloat16 for every index i, as float32."""

    def __init__(self, num_embeddings: int, embedding_dim: int, kept_as: str = "int8"):
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self._keep(*quantize_rows(creation.zeros(num_embeddings, embedding_dim), kept_as))

    @classmethod
    def from_embedding(cls, layer: Embedding, kept_as: str = "int8") -> "QuantizedEmbedding":
        return cls.around(*quantize_rows(layer.weight, kept_as))

    @classmethod
    def around(cls, weight: Tensor, scale: Tensor | None) -> "QuantizedEmbedding":
        made = cls.__new__(cls)
        Module.__init__(made)
        made.num_embeddings, made.embedding_dim = weight.shape
        made._keep(weight, scale)
        return made

    def forward(self, input: Tensor) -> Tensor:
        rows = ops.embedding(self.weight, ids=input.array)  # (..., embedding_dim)
        return rows.float() if self.scale is None else rows.float() * self.scale[input].unsqueeze(-1)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, kept_as={self.kept_as}"
