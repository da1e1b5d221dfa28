"""Layers that learn the size of their input from the first input: LazyLinear, LazyConv, LazyBatchNorm.

Their parameters are `UninitializedParameter`s, which have no shape. The first call gives them one, draws the initial
weights, and turns the layer into its plain class (a LazyLinear is a Linear from then on).
"""

from typing import Any, ClassVar

from minigrad import autograd, creation
from minigrad.dtype import int64
from minigrad.nn.batchnorm import BatchNorm1d, BatchNorm2d, _BatchNorm
from minigrad.nn.conv import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, _ConvNd
from minigrad.nn.linear import Linear
from minigrad.nn.module import Module
from minigrad.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from minigrad.tensor import Tensor


class LazyModuleMixin(Module):
    """The part all lazy layers share; name it before the plain class, which `cls_to_become` names too.

    `initialize_parameters(*args)` gets what the layer is called with and materializes the parameters.
    """

    cls_to_become: ClassVar[Any] = None

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.initialize_parameters(*args, **kwargs)
        if self.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        if self.cls_to_become is None:
            return super().__call__(*args, **kwargs)
        self.__class__ = self.cls_to_become
        return self(*args, **kwargs)

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of this very module has no shape yet."""
        return any(is_lazy(t) for t in (*self._parameters.values(), *self._buffers.values()))

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params():
            super().reset_parameters()  # type: ignore[misc]

    def _materialize(self, **shapes: tuple[int, ...]) -> None:
        """Give the parameters and buffers named, where they exist, their shapes, and all their initial values."""
        with autograd.no_grad():
            for name, shape in shapes.items():
                if is_lazy(getattr(self, name)):
                    getattr(self, name).materialize(shape)
            self.reset_parameters()


class LazyLinear(LazyModuleMixin, Linear):
    """A Linear whose in_features is the last dim of its first input."""

    cls_to_become = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__(0, 0, False, device, dtype)
        self.out_features = out_features
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        if self.in_features:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            self._materialize(weight=(self.out_features, self.in_features), bias=(self.out_features,))
        elif not self.in_features:  # its weights were loaded
            self.in_features = self.weight.shape[-1]


class _LazyConv(LazyModuleMixin, _ConvNd):
    def _make_weights(self, shape: tuple, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.register_parameter("bias", None)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        if not self.has_uninitialized_params():
            if not self.in_channels:  # its weights were loaded
                self.in_channels = self.weight.shape[0] if self.transposed else self.weight.shape[1] * self.groups
            return
        dims = self.dims
        if input.ndim not in (dims + 1, dims + 2):
            raise RuntimeError(
                f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {type(self).__name__}, but got "
                "input "
                f"of size: {input.shape}"
            )
        self.in_channels = input.shape[-dims - 1]
        if self.in_channels % self.groups:
            raise ValueError(f"in_channels must be divisible by groups, got {self.in_channels} and {self.groups}")
        a, b = self.out_channels, self.in_channels
        a, b = (b, a) if self.transposed else (a, b)
        self._materialize(weight=(a, b // self.groups, *self.kernel_size), bias=(self.out_channels,))


class LazyConv1d(_LazyConv, Conv1d):
    """A Conv1d whose in_channels is that of its first input: LazyConv1d(out_channels, kernel_size, ...)."""

    cls_to_become = Conv1d

    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any):
        super().__init__(0, out_channels, kernel_size, *args, **kwargs)


class LazyConv2d(_LazyConv, Conv2d):
    """A Conv2d whose in_channels is that of its first input: LazyConv2d(out_channels, kernel_size, ...)."""

    cls_to_become = Conv2d

    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any):
        super().__init__(0, out_channels, kernel_size, *args, **kwargs)


class LazyConvTranspose1d(_LazyConv, ConvTranspose1d):
    """A ConvTranspose1d whose in_channels is that of its first input."""

    cls_to_become = ConvTranspose1d

    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any):
        super().__init__(0, out_channels, kernel_size, *args, **kwargs)


class LazyConvTranspose2d(_LazyConv, ConvTranspose2d):
    """A ConvTranspose2d whose in_channels is that of its first input."""

    cls_to_become = ConvTranspose2d

    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any):
        super().__init__(0, out_channels, kernel_size, *args, **kwargs)


class _LazyBatchNorm(LazyModuleMixin, _BatchNorm):
    def __init__(
        self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True, track_running_stats: bool = True,
        device: Any = None, dtype: Any = None, *, bias: bool = True,
    ):  # fmt: skip
        super().__init__(0, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _make_parameters(self, weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        for name, wanted in (("weight", weight), ("bias", bias)):
            self.register_parameter(name, UninitializedParameter(device=device, dtype=dtype) if wanted else None)

    def _make_statistics(self, device: Any, dtype: Any) -> None:
        self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
        self.running_var = UninitializedBuffer(device=device, dtype=dtype)
        self.num_batches_tracked = creation.tensor(0, dtype=int64, device=device)

    def reset_parameters(self) -> None:
        if self.num_features:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        self._check_input_dim(input)
        if self.has_uninitialized_params():
            self.num_features = input.shape[1]
            shape = (self.num_features,)
            self._materialize(weight=shape, bias=shape, running_mean=shape, running_var=shape)
        elif not self.num_features:  # its weights were loaded, or it has none
            self.num_features = input.shape[1]


class LazyBatchNorm1d(_LazyBatchNorm, BatchNorm1d):
    """A BatchNorm1d whose num_features is dim 1 of its first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyBatchNorm, BatchNorm2d):
    """A BatchNorm2d whose num_features is dim 1 of its first input."""

    cls_to_become = BatchNorm2d
