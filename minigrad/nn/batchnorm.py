"""Normalisation of channels: BatchNorm, InstanceNorm, GroupNorm.

In training the first two normalise by the statistics of the batch (or of each sample) and, if `track_running_stats`,
keep running means of them in the buffers `running_mean` and `running_var`, which normalise in evaluation.
"""

import warnings
from typing import Any, ClassVar

from minigrad import creation
from minigrad.dtype import int64
from minigrad.nn import functional as F, init
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor


class _ChannelNorm(Module):
    """The parameters and buffers of batch and instance norm."""

    ndims: ClassVar[tuple[int, ...]]
    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def __init__(
        self, num_features: int, eps: float, momentum: float | None, affine: bool, track_running_stats: bool,
        device: Any, dtype: Any, bias: bool,
    ):  # fmt: skip
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self._make_parameters(affine, affine and bias, device, dtype)
        self.register_buffer("running_mean", None)
        self.register_buffer("running_var", None)
        self.register_buffer("num_batches_tracked", None)
        if track_running_stats:
            self._make_statistics(device, dtype)
        self.reset_parameters()

    def _make_parameters(self, weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        for name, wanted in (("weight", weight), ("bias", bias)):
            made = Parameter(creation.empty(self.num_features, device=device, dtype=dtype)) if wanted else None
            self.register_parameter(name, made)

    def _make_statistics(self, device: Any, dtype: Any) -> None:
        self.running_mean = creation.zeros(self.num_features, device=device, dtype=dtype)
        self.running_var = creation.ones(self.num_features, device=device, dtype=dtype)
        self.num_batches_tracked = creation.tensor(0, dtype=int64, device=device)

    def reset_running_stats(self) -> None:
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.array.ndim not in self.ndims:
            wanted = " or ".join(f"{n}D" for n in self.ndims)
            raise ValueError(f"expected {wanted} input (got {input.array.ndim}D input)")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_ChannelNorm):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ):  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the mean over all batches so far
                momentum = 1.0 / float(self.num_batches_tracked)
        by_batch = self.training or (self.running_mean is None and self.running_var is None)
        tracking = not self.training or self.track_running_stats
        return F.batch_norm(
            input, self.running_mean if tracking else None, self.running_var if tracking else None, self.weight,
            self.bias, by_batch, momentum, self.eps,
        )  # fmt: skip


class BatchNorm1d(_BatchNorm):
    """F.batch_norm of (N, C) or (N, C, L), with a weight (ones) and a bias (zeros) for each of the C channels.

    `momentum` is the share of the new batch in the running statistics; None takes the mean over all batches. Without
    `track_running_stats` the batch normalises in evaluation as well. Source: arXiv:1502.03167.
    """

    ndims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """F.batch_norm of (N, C, H, W), each channel over N, H and W; arguments as BatchNorm1d."""

    ndims = (4,)


class _InstanceNorm(_ChannelNorm):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ):  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        alone = input.array.ndim == self.ndims[0]
        channels = input.array.shape[0 if alone else 1]
        if channels != self.num_features:
            at = 0 if alone else 1
            message = f"input's size at dim={at} does not match num_features ({self.num_features}), got: {channels}"
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={at} to match num_features ({self.num_features}), but got: "
                    f"{channels}."
                )
            warnings.warn(f"{message}; num_features is not used, as affine=False.", stacklevel=2)
        by_sample = self.training or not self.track_running_stats
        y = F.instance_norm(
            input.unsqueeze(0) if alone else input, self.running_mean, self.running_var, self.weight, self.bias,
            by_sample, 0.0 if self.momentum is None else self.momentum, self.eps,
        )  # fmt: skip
        return y.squeeze(0) if alone else y


class InstanceNorm1d(_InstanceNorm):
    """F.instance_norm of (N, C, L) or (C, L): each channel of each sample by itself. Source: arXiv:1607.08022."""

    ndims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """F.instance_norm of (N, C, H, W) or (C, H, W): each channel of each sample by itself."""

    ndims = (3, 4)


class GroupNorm(Module):
    """F.group_norm: each of num_groups groups of channels of each sample normalised, then a weight and bias a channel.

    Source: arXiv:1803.08494.
    """

    weight: Any
    bias: Any

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None,
        dtype: Any = None, *, bias: bool = True,
    ):  # fmt: skip
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            made = Parameter(creation.empty(num_channels, device=device, dtype=dtype)) if wanted else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        text = f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"
        return f"{text}, bias={self.bias is not None}"
